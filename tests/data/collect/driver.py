"""The real collector against the local server, in one event loop; and what its lake must hold then."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from deleverage.data.collect import Collector, Settings
from tests.data.collect.double import MemoryLake
from tests.venue_server.server import VenueServer

SYMBOLS = {
    "binance": ("BTC", "ETH", "binance:BTCUSD_PERP"),
    "bybit": ("BTC", "ETH", "bybit:BTCUSD"),
    "okx": ("BTC", "ETH", "okx:BTC-USD-SWAP"),
    "hyperliquid": ("BTC", "ETH"),
    "bitmex": ("BTC", "ETH"),
}
STREAM_TABLES = {"trades": "trades", "liquidations": "liquidations"}
_AHEAD_NS = 15_000_000
"""No two events of the server share a millisecond: within a moment its clock runs ahead by up to 11 ms."""


@dataclass
class Scene:
    """A server, a collector and a lake that live together for a test."""

    server: VenueServer
    lake: Any
    settings: dict[str, Any] = field(default_factory=dict)
    logged: list[dict[str, Any]] = field(default_factory=list)
    collector: Collector | None = None

    def log(self, event: str, level: str = "info", **fields: Any) -> None:
        self.logged.append({"event": event, "level": level, **fields})

    def said(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.logged if line["event"] == event]

    def connected(self) -> bool:
        collector = self.collector
        return (
            collector is not None
            and bool(collector.stats.connected)
            and len(collector.tasks) == len(collector.settings.venues)
            and all(collector.stats.connected.values())
            and all(task.connections for task in collector.tasks)
        )

    def whole(self) -> bool:
        """Every book is whole."""
        collector = self.collector
        return collector is not None and all(
            book.whole for task in collector.tasks for book in task.books.values()
        )

    async def until(self, done: Callable[[], bool], seconds: float = 15.0) -> None:
        """Wait for something; a test that waits in vain fails."""
        end = asyncio.get_running_loop().time() + seconds
        while not done():
            if asyncio.get_running_loop().time() > end:
                raise AssertionError(f"waited {seconds} s in vain; the last lines: {self.logged[-8:]}")
            await asyncio.sleep(0.01)

    async def collect(self, venues: tuple[str, ...], act: Callable[[Scene], Awaitable[None]]) -> None:
        """Collect while ``act`` goes on, then stop as a user would."""
        symbols = tuple(dict.fromkeys(symbol for venue in venues for symbol in SYMBOLS[venue]))
        chosen: dict[str, Any] = {
            "symbols": symbols,
            "flush_s": 0.05,
            "book_s": 0.05,
            "backoff_s": 0.05,
            "heartbeat_s": 2.0,  # a busy machine may stand still for half a second; tests of silence set less
            "late_s": 0.3,
            "poll_every_s": 0.3,
            "drain_s": 5.0,
            **self.settings,
        }
        settings = Settings(venues, urls={venue: self.server.urls()[venue] for venue in venues}, **chosen)
        self.collector = Collector(settings, self.lake, self.log)
        running = asyncio.create_task(self.collector.run())
        try:
            await self.until(lambda: running.done() or self.connected())
            if not running.done():
                await act(self)
                await asyncio.sleep(0.15)
        finally:
            self.collector.stop()
            await running


def play(
    venues: tuple[str, ...],
    act: Callable[[Scene], Awaitable[None]],
    *,
    lake: Any = None,
    settings: dict[str, Any] | None = None,
    server: VenueServer | None = None,
) -> Scene:
    """Run a scene from start to end."""

    async def main() -> Scene:
        mine = server or VenueServer(venues)
        await mine.start()
        scene = Scene(mine, lake if lake is not None else MemoryLake(), settings or {})
        try:
            await scene.collect(venues, act)
        finally:
            await mine.stop()
        return scene

    return asyncio.run(main())


def rows(scene: Scene, table: str, venue: str) -> list[dict[str, Any]]:
    """The lake's rows of a venue."""
    frame: pl.DataFrame = scene.lake.read(table, where={"venue": venue})
    return frame.to_dicts()


def same(scene: Scene, venue: str, table: str) -> None:
    """The lake holds exactly what the server delivered: every row once, with the right amounts."""
    found, expected = rows(scene, table, venue), scene.server.truths(venue, table)
    if venue == "bitmex" and table == "liquidations":
        # An order that grows names neither side nor price: without its beginning it says nothing.
        begun = {row["event_id"] for row in expected}
        expected = [row for row in expected if row["event_id"].split(":")[0] in begun]
    by_id = all(row["event_id"] is not None for row in expected) if table == "liquidations" else True

    def name(row: dict[str, Any]) -> tuple[Any, ...]:
        if table == "trades":
            return (row["symbol"], row["trade_id"], row["time_ns"], row["side"])
        if by_id:
            return (row["symbol"], row["event_id"], row["side"], row["usd_at"])
        at = row["price"] if row["price"] is not None else row["order_price"]
        return (row["symbol"], row["time_ns"], row["side"], row["usd_at"], at, round(row["coins"], 9))

    here, there = Counter(map(name, found)), Counter(map(name, expected))
    assert here == there, (
        f"{venue} {table}: missing {list(there - here)[:3]}, too many {list(here - there)[:3]}"
    )
    values = {name(row): row for row in expected}
    for row in found:
        truth = values[name(row)]
        for column in ("price", "order_price", "coins", "usd"):
            if column in truth:
                close = truth[column] == row[column] or abs(row[column] - truth[column]) <= 1e-9 * abs(
                    truth[column]
                )
                assert close, f"{venue} {table} {column}: expected {truth[column]}, found {row[column]}"


def in_gaps(scene: Scene, venue: str) -> None:
    """Whatever the server never delivered lies in a gap of its stream; what was delivered loses nothing by
    it."""
    gaps = rows(scene, "gaps", venue)
    for event in scene.server.missed(venue):
        if event.channel.split(":")[0] in ("userFills",) and not event.truths:
            continue
        covered = [
            gap
            for gap in gaps
            if gap["stream"] == event.stream
            and gap["symbol"] in ("", event.symbol)
            and gap["time_ns"] <= event.time_ns <= gap["end_ns"] + _AHEAD_NS
        ]
        assert covered, (
            f"{venue}: {event.stream} of {event.symbol} at {event.time_ns} was never delivered "
            f"({event.fault}), "
            f"and no gap holds it: {[(g['stream'], g['time_ns'], g['end_ns']) for g in gaps]}"
        )


def true_books(scene: Scene, venue: str) -> int:
    """Every book in the lake is the venue's own at that state; returns how many there are."""
    speaker = scene.server.speakers[venue]
    frame: pl.DataFrame = scene.lake.read("books", where={"venue": venue})
    count = 0
    for (symbol, time_ns, update), book in frame.group_by(["symbol", "time_ns", "update_id"]):
        key = update if update is not None else time_ns
        truth = speaker.books[(str(symbol), int(str(key)))]
        found = sorted(book.select("side", "level", "price", "coins").iter_rows())
        assert len(found) == len(truth), f"{venue} {symbol} {key}"
        for mine, theirs in zip(found, sorted(truth), strict=True):
            assert mine[:3] == theirs[:3], f"{venue} {symbol} {key}: {mine} {theirs}"
            assert abs(mine[3] - theirs[3]) <= 1e-9 * theirs[3]
        count += 1
    return count
