"""How does a collection start, run, and end with everything written?"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deleverage.data.collect.house import House
from deleverage.data.collect.settings import Settings
from deleverage.data.collect.sink import Sink, Store, Written
from deleverage.data.collect.stats import Stats, add, quantile
from deleverage.data.collect.venue_task import VenueTask
from deleverage.data.lake.log import LOCKS
from deleverage.data.lock import only_collector
from deleverage.data.sources.base import SECOND
from deleverage.data.sources.registry import venue as adapter
from deleverage.errors import DataError, DeleverageError, InputError

_TICK_S = 1.0
_LOOK_BACK_NS = tuple(seconds * SECOND for seconds in (300, 3600, 86_400, 30 * 86_400))
_ORDERS_BACK_NS = 6 * 3600 * SECOND


@dataclass
class Collector:
    """A collection into a lake; `run` collects until `stop` is called or the time is up."""

    settings: Settings
    lake: Any
    log: Callable[..., None]
    on_tick: Callable[[Collector], None] | None = None
    stats: Stats = field(default_factory=Stats)
    started_ns: int = field(default_factory=time.time_ns)
    tasks: list[VenueTask] = field(default_factory=list)
    unwritten: int = 0
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _ending: bool = False
    _drained: bool = False
    _deadline: float = 0.0

    def __post_init__(self) -> None:
        store: Store = self.lake
        self.sink = Sink(
            store,
            f"collect/{self.settings.collector}",
            self.settings.max_rows,
            self.settings.max_bytes,
            self.started_ns,
            self._written,
            self.log,
        )

    def stop(self, why: str = "asked") -> None:
        """End soon: what was read is written first."""
        if not self._stop.is_set():
            self.log("stopping", why=why)
        self._stop.set()

    async def run(self) -> Stats:
        """Collect.

        Raises
        ------
        InputError
            a coin or contract that a venue does not have, or another collector of the same name.
        DataError
            no venue answered, or the lake could not be written to at the end; the message says how many
            rows were lost.
        """
        folder = getattr(getattr(self.lake, "place", None), "folder", None)
        # In an object store only the numbers of the transactions tell: who writes second stops.
        with only_collector(folder / LOCKS, self.settings.collector) if folder is not None else nullcontext():
            return await self._run()

    async def _run(self) -> Stats:
        import aiohttp

        run = f"{self.settings.collector}-{self.started_ns // 1_000_000}"
        connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=300)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=True) as session:
            self.tasks = [await self._venue(name, session, run) for name in self.settings.venues]
            self.log(
                "collecting", venues=list(self.settings.venues), symbols=list(self.settings.symbols), run=run
            )
            writer = asyncio.create_task(self._write())
            tickers = [asyncio.create_task(self._tick())]
            if (place := getattr(self.lake, "place", None)) is not None:
                house = House(place, self.settings.compact_s, self.settings.vacuum_s, self.log)
                tickers.append(asyncio.create_task(house.keep()))
            venues = [asyncio.create_task(task.work()) for task in self.tasks]
            stopped = asyncio.create_task(self._stop.wait())
            limit = self.settings.for_s or None
            try:
                done, _ = await asyncio.wait(
                    {writer, stopped, *venues}, timeout=limit, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    self.stop("the time is up")
            finally:
                self._ending, self._deadline = True, time.monotonic() + self.settings.drain_s
                for task in (*venues, *tickers, stopped):
                    task.cancel()
                ended = await asyncio.gather(*venues, *tickers, stopped, return_exceptions=True)
                self._drained = True  # nothing is added any more
                self._stop.set()
                wrote = (await asyncio.gather(writer, return_exceptions=True))[0]
        for one in (*ended, wrote):
            _raise(one)
        self._refresh()
        if self.unwritten:
            raise DataError(
                f"expected to write everything within {self.settings.drain_s:g} s, "
                f"{self.unwritten} rows could not be written",
                hint="they are lost; the reason is in the log",
            )
        if self.tasks and not any(task.reached for task in self.tasks):
            raise DataError(
                f"expected an answer of {', '.join(self.settings.venues)}, found none in "
                f"{(time.time_ns() - self.started_ns) / SECOND:.0f} s",
                hint="the log says what was tried; nothing was collected",
                stats=self.stats,
            )
        self.log("stopped", transactions=self.stats.transactions, rows=sum(self.stats.written.values()))
        return self.stats

    async def _venue(self, name: str, session: Any, run: str) -> VenueTask:
        before, orders, gaps = await asyncio.to_thread(_earlier, self.lake, name, self.started_ns)
        task = VenueTask(
            adapter(name), self.settings, session, self.sink, self.stats, self.log, run, before, orders
        )
        task.gaps.given.update(gaps)
        return task

    async def _write(self) -> None:
        """Write about once a second; at the end whatever is left, for as long as there is time."""
        while True:
            begun = time.monotonic()
            if self.sink.rows:
                whole = await self.sink.flush(self._gave_up)
                if not whole and self._ending:
                    self.unwritten = self.sink.waiting
                    return
            self._refresh()
            if self._drained and not self.sink.rows:
                return
            pause = self.settings.flush_s - (time.monotonic() - begun)
            if pause > 0 and not self._ending:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), pause)
            else:
                await asyncio.sleep(0.01)

    def _gave_up(self) -> bool:
        return self._ending and time.monotonic() > self._deadline

    async def _tick(self) -> None:
        """Show how things stand."""
        while True:
            await asyncio.sleep(_TICK_S)
            self._refresh()

    def _written(self, done: Written) -> None:
        self.stats.transactions += 1
        add(self.stats.written, done.table, done.rows)
        self.stats.write_s.append(done.seconds)
        self.stats.behind_s.append(done.behind_s)
        self.log(
            "written",
            level="debug",
            table=done.table,
            sequence=done.sequence,
            rows=done.rows,
            first_received_ns=done.first_received_ns,
            last_received_ns=done.last_received_ns,
            seconds=round(done.seconds, 4),
            behind_s=round(done.behind_s, 3),
        )

    def _refresh(self) -> None:
        now = time.time_ns()
        for stream in self.stats.streams.values():
            stream.tick(now)
        self.stats.waiting = self.sink.waiting + self.sink.writing
        self.stats.waiting_bytes = self.sink.bytes
        self.stats.pressure = self.sink.pressure
        self.stats.repeated = self.sink.repeated
        if self.on_tick is not None:
            self.on_tick(self)


def collect(
    settings: Settings,
    lake: Any,
    log: Callable[..., None],
    *,
    on_tick: Callable[[Collector], None] | None = None,
    on_start: Callable[[Collector], None] | None = None,
) -> Stats:
    """Collect until the time is up or the process is told to stop (SIGTERM, SIGINT); then all is written.

    Raises as `Collector.run` does.
    """
    missing = [name for name in ("aiohttp",) if not _there(name)]
    if missing:
        raise InputError(
            f"expected the package {missing[0]} to be installed, found no such package",
            hint='Install it with the extra "collect": pip install "deleverage[collect]".',
        )

    async def main() -> Stats:
        collector = Collector(settings, lake, log, on_tick)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError, ValueError):  # not in a thread, not on Windows
                loop.add_signal_handler(number, collector.stop, signal.Signals(number).name)
        if on_start is not None:
            on_start(collector)
        return await collector.run()

    return asyncio.run(main())


def summary(settings: Settings, folder: Path | str, stats: Stats, seconds: float) -> dict[str, Any]:
    """What a collection did, for `--json` and the last lines on the screen; times in s, None where
    unknown.
    """
    streams = [
        {
            "venue": venue,
            "stream": stream,
            "messages": one.messages,
            "rows": one.rows,
            "bytes": one.bytes,
            "lag_p50_s": one.lag(0.5),
            "lag_p99_s": one.lag(0.99),
            "gaps": stats.gaps.get((venue, stream), 0),
            "events_lost": stats.lost.get((venue, stream), 0),
        }
        for (venue, stream), one in sorted(stats.streams.items())
    ]
    return {
        "lake": str(folder),
        "collector": settings.collector,
        "seconds": round(seconds, 3),
        "streams": streams,
        "tables": dict(sorted(stats.written.items())),
        "transactions": stats.transactions,
        "repeated": stats.repeated,
        "reconnects": dict(sorted(stats.reconnects.items())),
        "resyncs": dict(sorted(stats.resyncs.items())),
        "malformed": dict(sorted(stats.malformed.items())),
        "rate_limited": dict(sorted(stats.limited.items())),
        "gaps": sum(stats.gaps.values()),
        "thinned": stats.thinned,
        "durable_p50_s": quantile(stats.behind_s, 0.5),
        "durable_p99_s": quantile(stats.behind_s, 0.99),
    }


def _earlier(
    lake: Any, venue: str, now_ns: int
) -> tuple[int | None, tuple[dict[str, Any], ...], set[tuple[object, ...]]]:
    """When an earlier run last heard of a venue, the forced orders whose ids may come again, and the gaps
    that begin then: a run that was killed before it wrote anything else has recorded some.
    """
    last = _last_heard(lake, venue, now_ns)
    orders: dict[str, dict[str, Any]] = {}
    if venue == "bitmex":
        frame = lake.read("liquidations", start_ns=now_ns - _ORDERS_BACK_NS, where={"venue": venue})
        for row in frame.sort("time_ns").iter_rows(named=True):
            name, _, raised = row["event_id"].partition(":")
            known = orders.setdefault(
                name,
                {
                    "id": name,
                    "side": "Sell" if row["side"] == "long" else "Buy",
                    "size": 0.0,
                    "raised": 0,
                    "price": row["order_price"],
                    "coins": 0.0,
                },
            )
            known["coins"] += row["coins"]
            known["raised"] = max(known["raised"], int(raised or 0))
            known["symbol"] = row["symbol"]
    gaps: set[tuple[object, ...]] = set()
    if last is not None:
        frame = lake.read("gaps", start_ns=last, where={"venue": venue})
        gaps = set(frame.select("time_ns", "stream", "symbol", "reason").iter_rows())
    return last, tuple(orders.values()), gaps


def _last_heard(lake: Any, venue: str, now_ns: int) -> int | None:
    """When a collector last received something of a venue [ns UTC]; what was backfilled or imported says
    nothing of that.
    """
    for back_ns in (*_LOOK_BACK_NS, now_ns):  # years of messages are not read where minutes of them answer
        tables = ("payloads", "marks", "trades")  # an earlier run may have kept no messages, or no trades
        heard = [_newest_received(lake, table, venue, now_ns - back_ns) for table in tables]
        if known := [at for at in heard if at is not None]:
            return min(max(known), now_ns)  # our clock may have been set back since
    return None


def _newest_received(lake: Any, table: str, venue: str, start_ns: int) -> int | None:
    import polars as pl

    source = adapter(venue).source
    rows = lake.scan(table).filter(
        pl.col("time_ns") >= start_ns, pl.col("venue") == venue, pl.col("source") == source
    )
    try:
        found = rows.select(pl.col("received_ns").max()).collect(engine="streaming").item()
    except (pl.exceptions.PolarsError, OSError):  # read by itself, it says which file is damaged or gone
        where = {"venue": venue, "source": source}
        found = lake.read(table, start_ns=start_ns, where=where, columns=["received_ns"])["received_ns"].max()
    return None if found is None else int(found)


def _raise(ended: object) -> None:
    if isinstance(ended, asyncio.CancelledError) or not isinstance(ended, BaseException):
        return
    if isinstance(ended, BaseExceptionGroup):
        _raise(_first(ended.exceptions))
    else:
        raise ended


def _first(errors: Sequence[BaseException]) -> BaseException:
    ours = [one for one in errors if isinstance(one, DeleverageError)]
    return ours[0] if ours else errors[0]


def _there(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None
