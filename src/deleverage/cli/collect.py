"""The command `collect`: what venues publish, into a lake, as it happens."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
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
_LEAST_S = 0.2
"""The screen is not drawn more often."""
_TOLD = 8
"""So many of the latest warnings stay on the terminal after a failure."""


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
    from deleverage.cli.stream import columns, emit, emit_json
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
    form = Log.json if json else log or Log.screen
    if form is Log.screen and not _on_terminal():
        form = Log.text  # a file would stay empty
    begun, holder = time.monotonic(), _open(lake)
    screen = _Screen(lake) if form is Log.screen else None
    told = logger(form.value, log_level.value) if screen is None else screen.latest
    with screen or nullcontext(), _metrics(settings, metrics_port, metrics_address) as expose:

        def start(collector: Collector) -> None:
            if screen is not None:
                screen.show(collector)
            if expose is not None:
                expose(collector)

        try:
            stats = run(
                settings, holder, told, on_tick=None if screen is None else screen.show, on_start=start
            )
        except DataError as error:
            silent = error.context.get("stats")  # nobody answered: JSON has its closing object all the same
            if json and isinstance(silent, Stats):
                emit_json(summary(settings, lake, silent, time.monotonic() - begun))
            raise
    report = summary(settings, lake, stats, time.monotonic() - begun)
    if json:
        emit_json(report)
        return
    from deleverage.report.collecting import closing

    for line in closing(report, columns()):
        emit(line)


def _open(lake: str) -> Any:
    """The lake at a folder or address; made where there is none."""
    from deleverage.data.lake import Lake

    return Lake.create(lake)  # opens the one that is there


class _Screen:
    """The screen of a running collector: opened when it can be stopped, closed whatever happens."""

    def __init__(self, place: str) -> None:
        from rich.console import Console
        from rich.live import Live

        from deleverage.report.collecting import Latest

        self.place, self.latest, self._drawn = place, Latest(), 0.0
        self._console = Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, screen=True)

    def show(self, collector: Collector) -> None:
        """Draw it as it stands, in the size that the terminal has now."""
        from deleverage.report.collecting import screen
        from deleverage.report.lines import live

        if self._live.is_started and time.monotonic() - self._drawn < _LEAST_S:
            return  # while the rest is written, ticks come a hundred times a second
        if not self._live.is_started:
            self._live.start()
        width, height = self._console.size
        lines = screen(collector, self.place, width=width, height=height, latest=self.latest)
        self._live.update(live(lines), refresh=True)
        self._drawn = time.monotonic()

    def __enter__(self) -> _Screen:
        return self

    def __exit__(self, kind: object, *ended: object) -> None:
        """Give the terminal back; after a failure, with what went wrong before it."""
        from deleverage.cli.stream import columns, note

        self._live.stop()
        if kind is not None:
            for line in self.latest.lines(_TOLD, columns()):
                note(line)


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
