"""The command `vectors`: do the program's rules give the venues' own worked examples?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from deleverage.venues.examples.file import Example

EXAMPLES = (
    "\b\nExamples:\n  deleverage vectors venue_vectors.json\n"
    "  deleverage vectors venue_vectors.json --venue binance --failed"
)


def vectors(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A JSON list of worked examples.")],
    venue: Annotated[
        str | None, typer.Option("--venue", metavar="VENUE", help="Only venues whose name begins so.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Show only what failed.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run worked examples through the same rules as the market. Exit code 0 if all pass, 1 if any is off."""
    from deleverage.cli.stream import columns, emit, emit_json, has_colour
    from deleverage.errors import EXIT_CHECK_NOT_MET
    from deleverage.report.vectors import plain_results, screen
    from deleverage.venues.examples.file import read_examples
    from deleverage.venues.examples.run import run_examples

    results = run_examples(_of_venue(read_examples(file), venue or "", str(file)))
    if json:
        emit_json(plain_results(results, str(file), only_failed=failed))
    else:
        emit(screen(results, file.name, width=columns(), color=has_colour(), only_failed=failed))
    if not all(result.passed for result in results):
        raise typer.Exit(EXIT_CHECK_NOT_MET)


def _of_venue(examples: tuple[Example, ...], venue: str, file: str) -> tuple[Example, ...]:
    wanted = venue.casefold()
    chosen = tuple(example for example in examples if example.venue.casefold().startswith(wanted))
    if not chosen:
        from deleverage.errors import InputError

        names = ", ".join(sorted({example.venue for example in examples}))
        raise InputError(
            f"--venue: expected a venue of {file}, found '{venue}'", hint=f"In the file are {names}."
        )
    return chosen
