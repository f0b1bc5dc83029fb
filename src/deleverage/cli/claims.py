"""The command `claims`: are an article's figures true, and by whose count?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from deleverage.errors import EXIT_CHECK_NOT_MET, InputError

EXAMPLES = """\b
Examples:
  deleverage claims nov-2025 --lake lake
  deleverage claims nov-2025 --lake lake --run out --out claims.html
  deleverage claims mine.toml --lake lake --at 2025-11-20 --json
  deleverage claims --show nov-2025 > mine.toml"""


def claims(
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="A TOML file of claims, or the name of embedded ones."),
    ] = None,
    lake: Annotated[
        str | None,
        typer.Option("--lake", metavar="DIR", help="Folder of the lake, or its address (s3://...)."),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="DIR", help="A stored run for what the engine answers; else it runs."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="DATE", help="Judge all as of the end of this day, or this moment (UTC)."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.html", help="Write the note there.")
    ] = None,
    show: Annotated[
        str | None, typer.Option("--show", metavar="NAME", help="Print an embedded file of claims and stop.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Check each claim of FILE against the lake: true, off by how much, by whose count, or not knowable.

    Ends with 1 if any claim is false. Over- and understated ones are not false, and end with 0. Where the
    lake could measure none of them, it ends with 3.
    """
    from deleverage.cli.stream import Progress, columns, emit, emit_json, has_colour, note

    if show is not None:
        from deleverage.claims.read import find_text

        emit(find_text(show)[0])
        return 0
    if file is None or lake is None:
        raise InputError(
            f"expected {'FILE or NAME' if file is None else '--lake DIR'}, found none",
            hint="for instance `deleverage claims nov-2025 --lake lake`",
        )
    at_ns = None if at is None else _end(at)
    if out is not None:
        _check_target(out)
    with Progress() as progress:
        progress(0, 0, "reading the lake")
        from deleverage.claims.answer import to_dict
        from deleverage.claims.check import OWN_RUN, check
        from deleverage.claims.followed import happened
        from deleverage.data.lake import Lake
        from deleverage.experiment.attribution import telling
        from deleverage.experiment.measures import ALL

        def tell(done: int, total: int, what: str) -> None:
            if what.endswith(OWN_RUN):  # progress skips lines; this one must be seen
                progress.say(what)
                what = what.removesuffix(OWN_RUN)
            progress(done, total, what)

        def of_the_run(done: int, total: int, what: str) -> None:
            progress(done, total, f"the engine's own run: {what}")

        found = check(
            file,
            Lake.open(lake),
            measures={**ALL, "attribution": telling(of_the_run)},
            run=run,
            at_ns=at_ns,
            today=datetime.now(UTC).date(),
            happened=happened,
            progress=tell,
        )
    content = to_dict(found)
    if out is not None:
        from deleverage.report.claims_note import write_note

        write_note(content, out, option="--out")
    if json:
        emit_json(content)
        if out is not None:
            note(f"written: {out}")
    else:
        from deleverage.report.claims import screen

        emit(screen(content, width=columns(), color=has_colour(), note="" if out is None else str(out)))
    if (lacking := found.nothing_measured()) is not None:
        raise lacking
    return EXIT_CHECK_NOT_MET if found.any_false else 0


def _end(text: str) -> int:
    """A moment as it is, a day at its end [ns UTC]."""
    from deleverage.claims.form import end_ns
    from deleverage.cli.measure_liquidations import moment_ns

    moment = moment_ns("--at", text)
    return end_ns(datetime.fromisoformat(text).date()) if len(text) == len("2025-11-16") else moment


def _check_target(out: Path) -> None:
    """Before the work: may a note be written there?"""
    if out.is_dir():
        raise InputError(
            f"--out {out}: expected a file, found a folder", hint="Name a file, such as claims.html."
        )
    if not out.absolute().parent.is_dir():
        raise InputError(
            f"--out {out}: expected a folder '{out.absolute().parent}' that exists, found none",
            hint="Create it first.",
        )
