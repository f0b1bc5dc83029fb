"""The command `collect`: what venues publish, into a lake, as it happens."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deleverage.errors import DataError, InputError

if TYPE_CHECKING:
    from deleverage.data.collect import Collector, Settings

EXAMPLES = """\b
Examples:
  deleverage collect binance bybit --symbols BTC,ETH --lake lake
  deleverage collect okx --symbols BTC,okx:BTC-USD-SWAP --streams liquidations,trades --lake lake
  deleverage collect hyperliquid --symbols BTC --lake lake --for 10m --json
  deleverage collect bitmex --symbols BTC --lake lake --metrics-port 9100 --log json"""

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


class Log(StrEnum):
    """Form of what is said on stderr."""

    screen = "screen"
    text = "text"
    json = "json"
    none = "none"


class Level(StrEnum):
    """Weights of what is logged."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


def collect(
    venues: Annotated[
        list[str], typer.Argument(metavar="VENUE...", help="binance, bybit, okx, hyperliquid, bitmex.")
    ],
    symbols: Annotated[
        str, typer.Option("--symbols", metavar="LIST", help="Coins, or contracts as venue:SYMBOL.")
    ],
    lake: Annotated[str, typer.Option("--lake", metavar="DIR", help="Folder or address of the lake.")],
    streams: Annotated[
        str | None,
        typer.Option(
            "--streams",
            metavar="LIST",
            help="Of liquidations, trades, depth, marks, open_interest, funding; all by default.",
        ),
    ] = None,
    span: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="Stop after 90s, 10m, 2h, 1d.")
    ] = None,
    book_every: Annotated[
        str, typer.Option("--book-every", metavar="TIME", help="How often a book is written.")
    ] = "5s",
    book_levels: Annotated[
        int, typer.Option(min=0, help="Levels a side of a written book; 0 for none.")
    ] = 20,
    raw: Annotated[bool, typer.Option("--raw/--no-raw", help="Keep raw messages beside the rows.")] = True,
    compact_every: Annotated[
        str,
        typer.Option("--compact-every", metavar="TIME", help="How often the lake is compacted; 0 for never."),
    ] = "2m",
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Answer Prometheus on this port.")
    ] = None,
    metrics_address: Annotated[
        str, typer.Option(metavar="HOST", help="Where Prometheus is answered: this machine only, by default.")
    ] = "127.0.0.1",
    name: Annotated[
        str, typer.Option(help="Name of this collector; two at once on the same venues need two.")
    ] = "",
    url: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VENUE=URL", help="Another address of a venue, ws://127.0.0.1:8080. Repeatable."
        ),
    ] = None,
    log: Annotated[
        Log | None, typer.Option(help="What stderr shows: the screen on a terminal, else lines of text.")
    ] = None,
    log_level: Annotated[Level, typer.Option(help="Least weight of what is logged.")] = Level.info,
    json: Annotated[
        bool, typer.Option("--json", help="Log as JSON lines, and print the summary as JSON at the end.")
    ] = False,
) -> None:
    """Collect what venues publish into a lake until Ctrl-C, SIGTERM or the end of --for."""
    from deleverage.cli.stream import emit, emit_json
    from deleverage.data.collect import Settings, summary
    from deleverage.data.collect import collect as run
    from deleverage.data.collect.log import logger
    from deleverage.data.collect.stats import Stats
    from deleverage.data.sources.base import STREAMS
    from deleverage.data.sources.registry import venue

    for one in venues:
        venue(one)  # unknown names are refused before anything is opened
    compact = 0.0 if compact_every == "0" else _seconds("--compact-every", compact_every)
    settings = Settings(
        tuple(dict.fromkeys(venues)),
        _words(symbols),
        STREAMS if streams is None else _words(streams),
        urls=dict(_address(one) for one in url or ()),
        name=name,
        for_s=0.0 if span is None else _seconds("--for", span),
        book_s=_seconds("--book-every", book_every),
        book_levels=book_levels,
        raw=raw,
        compact_s=compact,
    )
    for one in settings.venues:
        for symbol in settings.wanted(one):
            venue(one).symbols(symbol)
    form = Log.json if json else log or (Log.screen if _on_terminal() else Log.text)
    shown = "none" if form is Log.screen else form.value
    begun, holder = time.monotonic(), _open(lake)
    with (
        _screen(form is Log.screen, lake) as show,
        _metrics(settings, metrics_port, metrics_address) as expose,
    ):
        try:
            stats = run(settings, holder, logger(shown, log_level.value), on_tick=show, on_start=expose)
        except DataError as error:  # nobody answered: who reads JSON gets the closing object all the same
            silent = error.context.get("stats")
            if json and isinstance(silent, Stats):
                emit_json(summary(settings, lake, silent, time.monotonic() - begun))
            raise
    report = summary(settings, lake, stats, time.monotonic() - begun)
    if json:
        emit_json(report)
        return
    from deleverage.report.collecting import closing

    for line in closing(report):
        emit(line)


def _open(lake: str) -> Any:
    """The lake at a folder or address; made where there is none."""
    from deleverage.data.lake import Lake

    return Lake.create(lake)  # opens the one that is there


@contextmanager
def _screen(wanted: bool, place: str) -> Iterator[Callable[[Collector], None] | None]:
    if not wanted:
        yield None
        return
    from rich.console import Console
    from rich.live import Live

    from deleverage.report.collecting import screen

    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        yield lambda collector: live.update(screen(collector, place), refresh=True)


@contextmanager
def _metrics(
    settings: Settings, port: int | None, address: str
) -> Iterator[Callable[[Collector], None] | None]:
    if port is None:
        yield None
        return
    from deleverage.data.collect.metrics import serve

    ends: list[Callable[[], None]] = []
    try:

        def expose(collector: Collector) -> None:
            found, end = serve(collector.stats, port, address)
            ends.append(end)
            collector.log("metrics", address=f"http://{address}:{found}/metrics")

        yield expose
    finally:
        for end in ends:
            end()


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _address(text: str) -> tuple[str, str]:
    venue, _, address = text.partition("=")
    if not re.fullmatch(r"(wss?|https?)://[^/\s]+(/\S*)?", address):
        raise InputError(
            f"--url: expected VENUE=URL like binance=ws://127.0.0.1:8080, found '{text}'",
            hint="Leave it out to ask the venue itself.",
        )
    return venue, address


def _seconds(option: str, text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if not match or not float(match[1]) > 0:
        raise InputError(
            f"{option}: expected a time like 90s, 10m, 2h or 1d, found '{text}'",
            hint="A number alone is seconds.",
        )
    return float(match[1]) * _UNITS[match[2]]


def _on_terminal() -> bool:
    import os

    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
