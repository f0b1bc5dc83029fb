"""Which commands are there? Each is one public call; this file joins them and maps endings to exit codes.

Nothing heavy is imported until a command needs it, so that `deleverage --help` answers at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from deleverage import __version__
from deleverage.cli import (
    backfill,
    claims,
    collect,
    failure,
    feeds,
    importing,
    lake,
    margin,
    measure,
    rules,
    run,
    scenario,
    vectors,
)

app = typer.Typer(
    name="deleverage",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    epilog=(
        "\b\nExamples:\n"
        "  deleverage run oct-10              the night of 10 October 2025, in under a minute\n"
        "  deleverage run oct-10 --out out    the same, with tables and a note to read in out/\n"
        "  deleverage scenario show oct-10    every figure behind it, with its source"
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"deleverage {__version__}")
        raise typer.Exit


@app.callback()
def deleverage(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Build a leveraged market, force it down, and say how much of the fall was mechanical.

    Exit codes: 0 ok, 1 a check was not met, 2 bad input, 3 data missing, 4 the run failed, 70 our bug.
    """


app.command("run", epilog=run.EXAMPLES)(run.run)
app.add_typer(scenario.app, name="scenario")
app.command("margin", epilog=margin.EXAMPLES)(margin.margin)
app.command("import", epilog=importing.EXAMPLES)(importing.import_files)
app.command("backfill", epilog=backfill.EXAMPLES)(backfill.backfill)
app.command("collect", epilog=collect.EXAMPLES)(collect.collect)
lake.app.command("feeds", epilog=feeds.EXAMPLES)(feeds.feeds)
app.add_typer(lake.app, name="lake")
app.add_typer(measure.app, name="measure")
app.command("claims", epilog=claims.EXAMPLES)(claims.claims)
app.command("vectors", epilog=vectors.EXAMPLES)(vectors.vectors)
app.add_typer(rules.app, name="rules")


def main(args: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; never raises."""
    try:
        ended = app(args=None if args is None else list(args), prog_name="deleverage", standalone_mode=False)
    except TyperException as error:
        return failure.usage(error)
    except SystemExit as error:  # typer ends so when the reader of its help went away
        return failure.PIPE_CLOSED if error.code == 1 else int(error.code or 0)
    except KeyboardInterrupt:
        return failure.stopped()
    except Exception as error:
        return failure.report(error)
    if ended == failure.STOPPED:
        return failure.stopped()
    return ended if isinstance(ended, int) else 0
