"""The command `measure`: what happened, by a lake's data, as it was known at a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from deleverage.cli import measure_liquidations
from deleverage.cli.measure_liquidations import moment_ns
from deleverage.errors import InputError, MissingDataError

if TYPE_CHECKING:
    from deleverage.data.lake import Lake

app = typer.Typer(rich_markup_mode=None, help="What happened, by a lake's data, as it was known at a moment.")

# What each answers; a test holds the list to the catalogue, which is not loaded for a help text.
QUESTIONS = {
    "drawdown": "How far is the price below its high, and how rare would that be by chance?",
    "change": "How has a price changed since a day?",
    "market_value": "How much market value was erased since a day, in total and per day?",
    "candle": "How large was the largest daily candle, and what was the record before it?",
    "decoupling": "Has a coin come apart from gold, in price and in correlation?",
    "episodes": "Which falls were cascades, when did each start, find its low and end, and in which coins?",
    "feedback": "How many liquidations does one liquidation call forth?",
    "liquidation_counts": "How much was liquidated a day, by each publisher's count?",
    "reconcile": "Who counted the night's liquidations, what does each count, and why do they differ?",
    "leverage": "How much leverage is in the market, and what leverage did the venue allow?",
    "liquidity": "How thick is the book, against a window before and through a crash?",
    "outflows": "How much money left the funds, how unusual was it, and what did the price do on such days?",
    "sentiment": "How fearful is the market, by published indices and by an own composite?",
    "exhaustion": "How probable is it that the price holds from here, and does who says so have any skill?",
    "attribution": "How much of a night's fall was mechanical, and how much news?",
    "liquidation_distance": "How far may the price move until a position is liquidated, venue by venue?",
}

LakeOption = Annotated[
    str | None, typer.Option("--lake", metavar="DIR", help="Folder of the lake, or its address (s3://...).")
]
AtOption = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="TIME", help="As it was known then (UTC); the end of the newest bar by default."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(
    invoke_without_command=True,
    epilog="\b\nExamples:\n"
    "  deleverage measure --lake lake                                  all of them, on one screen\n"
    "  deleverage measure --lake lake --at 2025-11-17\n"
    "  deleverage measure drawdown --lake lake --at 2025-11-17 --set coin=ETH\n"
    "  deleverage measure candle --lake lake --figure candle.svg",
)
def overview(
    context: typer.Context, lake: LakeOption = None, at: AtOption = None, json: JsonOption = False
) -> None:
    """Every measure's main figures, or one measure in detail."""
    if context.invoked_subcommand is not None:
        if lake or at or json:
            raise InputError(
                f"expected the options after '{context.invoked_subcommand}', found some before it",
                hint=f"write `deleverage measure {context.invoked_subcommand} --lake DIR ...`",
            )
        return
    from deleverage.cli.stream import Progress, columns, emit, emit_json, has_colour

    found: list[tuple[Any, Any]] = []
    with Progress() as progress:
        progress(0, 0, "reading the lake")
        from deleverage.experiment.measures import ALL, OF_RUNS
        from deleverage.measure.asof import Remembered
        from deleverage.report.measures import overview_screen

        # a measure of a run takes a minute and needs no lake
        asked = [measure for name, measure in ALL.items() if name not in OF_RUNS]
        source, at_ns = _moment(lake, at)
        remembered = Remembered(source)
        for k, measure in enumerate(asked):
            progress(k, len(asked), measure.name)
            try:
                found.append((measure, measure.at(remembered, at_ns)))
            except MissingDataError as error:
                found.append((measure, error))
    if json:
        emit_json({"at": _iso(at_ns), "measures": [_plain(result, measure) for measure, result in found]})
        return
    emit(overview_screen(found, at_ns, columns(), has_colour()))


class _MeasureCommand(TyperCommand):
    """A command whose help ends with the measure's parameters and readings, read when it is asked for."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the parameters and the readings."""
        from deleverage.experiment.measures import ALL
        from deleverage.report.measures import parameter_lines, reading_lines

        measure = ALL[str(self.name)]
        for title, rows in (
            ("Parameters (--set NAME=VALUE)", parameter_lines(measure)),
            ("Readings", reading_lines(measure)),
        ):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _command(name: str) -> Callable[..., None]:
    def command(
        lake: LakeOption = None,
        at: AtOption = None,
        given: Annotated[
            list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter. Repeatable.")
        ] = None,
        figure: Annotated[
            Path | None, typer.Option("--figure", metavar="FILE", help="Draw it into an SVG file.")
        ] = None,
        series: Annotated[
            bool, typer.Option("--series", help="With --json: the points of its figure, too.")
        ] = False,
        json: JsonOption = False,
    ) -> None:
        from deleverage.cli.stream import Progress, columns, emit, emit_json, has_colour
        from deleverage.experiment.attribution import telling
        from deleverage.experiment.measures import ALL, OF_RUNS
        from deleverage.report.measures import detail_screen

        measure = ALL[name]
        parameters = _parameters(name, given or [])
        measure.settle(parameters)  # a wrong one is told before the lake is opened
        if figure is not None and figure.suffix.lower() != ".svg":
            raise InputError(
                f"--figure {figure}: expected a file that ends in .svg, found '{figure.suffix}'",
                hint="give for instance figure.svg",
            )
        with Progress() as progress:
            progress(0, 0, name)
            asked = telling(progress) if name == "attribution" else measure
            if name in OF_RUNS and lake is None:
                from deleverage.measure.asof import Frames

                now_ns = time.time_ns() if at is None else moment_ns("--at", at)
                found = asked.at(Frames({}), now_ns, parameters)
            else:
                found = asked.at(*_moment(lake, at), parameters)
        if figure is not None:
            from deleverage.report.figures.measures import draw
            from deleverage.report.file import write_whole

            write_whole(figure, draw(found).standalone(), "--figure")
        if json:
            emit_json(_plain(found, measure, series=series))
            return
        emit(detail_screen(measure, found, columns(), has_colour()))

    command.__doc__ = QUESTIONS[name]
    return command


for _name, _question in QUESTIONS.items():
    app.command(_name, cls=_MeasureCommand)(_command(_name))
app.command("liquidations", epilog=measure_liquidations.EXAMPLES)(measure_liquidations.liquidations)


def _parameters(name: str, given: list[str]) -> dict[str, str]:
    parameters = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise InputError(
                f"--set {text}: expected NAME=VALUE, found '{text}'",
                hint=f"`deleverage measure {name} --help` says which there are",
            )
        parameters[key.strip()] = value.strip()
    return parameters


def _moment(lake: str | None, at: str | None) -> tuple[Lake, int]:
    """The lake, and the moment that is asked for [ns UTC]."""
    if lake is None:
        raise InputError(
            "expected the folder of a lake, found none",
            hint="give --lake DIR; `deleverage import FOLDER --lake DIR` makes one from files",
        )
    from deleverage.data.lake import Lake
    from deleverage.measure.asof import newest_ns

    at_ns = None if at is None else moment_ns("--at", at)
    source = Lake.open(lake)
    if at_ns is None:
        at_ns = newest_ns(source)
    return source, at_ns


def _plain(found: Any, measure: Any, *, series: bool = False) -> dict[str, Any]:
    if isinstance(found, MissingDataError):
        return {"measure": measure.name, "readings": [], "missing": [_missing(found)]}
    content: dict[str, Any] = {
        "measure": found.measure,
        "at": _iso(found.at_ns),
        "parameters": dict(found.parameters),
        "readings": found.readings.drop("measure").to_dicts(),
        "missing": [_missing(one.error()) for one in found.missing],
    }
    if series:
        content["series"] = found.series.drop("measure").to_dicts()
    return content


def _missing(error: MissingDataError) -> dict[str, Any]:
    return {
        "what": error.message,
        "table": error.context.get("table"),
        "start_ns": error.context.get("start_ns"),
        "end_ns": error.context.get("end_ns"),
        "command": error.context.get("command", error.hint),
    }


def _iso(time_ns: int) -> str:
    from deleverage.data.lake import iso

    return iso(time_ns)
