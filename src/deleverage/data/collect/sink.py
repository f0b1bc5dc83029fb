"""Where do rows wait for the lake, how are they written exactly once, and what happens when it is slow?

Rows wait by table and are written about once a second, one transaction a table. Each transaction carries the
collector's name and a number that grows by one, so a write whose outcome is not known (a full disk, a lost
network) is repeated under its number and counts once; after a restart numbering goes on where the lake says
it ended. A row that is here already (a message sent twice, a venue that repeats its newest trades after a
reconnect) is left out, and while another writer is at work in the same lake, so is one that it has brought.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

from deleverage.data.sources.base import SECOND, Row
from deleverage.errors import DeleverageError, InputError, InternalError
from deleverage.schema import LAKE_TABLES

if TYPE_CHECKING:
    import polars as pl

    from deleverage.data.lake.append import Dedupe

KEPT_KEYS = 200_000
KEPT_NS = 300 * SECOND
"""Keys are forgotten when there are so many newer ones, or after so long; what is older is asked of the lake.
"""
AHEAD_KEYS = 50_000
_AHEAD_NS = 60 * SECOND
_RETRIES_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_UNKEYED = ("payloads", "gaps")
THIN = 0.5
"""Share of the room from which on depth is thinned."""


class Store(Protocol):
    """What the collector needs of a lake."""

    def append(
        self,
        table_name: str,
        frame: pl.DataFrame,
        *,
        source_id: str = "",
        app: str = "",
        sequence: int | None = None,
        dedupe: Dedupe = True,
    ) -> Any:
        """Add rows in one transaction; ``replayed`` of the answer says that the number was used before."""

    def committed(self, table_name: str, app: str) -> int | None:
        """The last number of ``app`` in a table."""

    def newest(self, table_name: str) -> int | None:
        """The latest event time in a table [ns UTC]."""


@dataclass
class Recent:
    """The newest keys of a table: what is repeated soon after is known without asking the lake."""

    key: Callable[[Row], Any]
    time: int
    received: int
    floor_ns: int
    """Rows of events before this may be in the lake without being known here, later ones only if others wrote
    them.
    """
    new: set[int] = field(default_factory=set)
    old: set[int] = field(default_factory=set)
    ahead: dict[int, int] = field(default_factory=dict)
    """Keys whose event is later than its receipt, and when [ns UTC]: one wrong clock does not lift the floor.
    """
    _newest_ns: int = 0
    _old_newest_ns: int = 0
    _turned_ns: int = 0

    def fresh(self, rows: list[Row]) -> list[Row]:
        """The rows whose key is new; they are known from now on."""
        key, new, old, ahead, kept = self.key, self.new, self.old, self.ahead, []
        time, received, newest = self.time, self.received, self._newest_ns
        for row in rows:
            name = hash(key(row))
            if name in new or name in old or (ahead and name in ahead):
                continue
            kept.append(row)
            if row[time] > newest:
                if row[time] > row[received] + _AHEAD_NS:
                    ahead[name] = row[time]
                    continue
                newest = row[time]
            new.add(name)
        self._newest_ns = newest
        if kept and (
            len(new) > KEPT_KEYS
            or len(ahead) > AHEAD_KEYS
            or abs(kept[-1][received] - self._turned_ns) > KEPT_NS  # our clock may be set back, too
        ):
            self._turn(kept[-1][received])
        return kept

    def _turn(self, now_ns: int) -> None:
        """Forget the older half; of every key that is forgotten the lake is asked from now on."""
        if self.old:
            self.floor_ns = max(self.floor_ns, self._old_newest_ns + 1)
        if len(self.ahead) > AHEAD_KEYS:
            self.floor_ns = max(self.floor_ns, *self.ahead.values()) + 1
            self.ahead = {}
        self.ahead = {name: at for name, at in self.ahead.items() if at >= self.floor_ns}
        self.old, self._old_newest_ns = self.new, self._newest_ns
        self.new, self._newest_ns, self._turned_ns = set(), 0, now_ns


@dataclass
class Written:
    """One transaction that the lake has acknowledged."""

    table: str
    sequence: int
    rows: int
    first_received_ns: int
    last_received_ns: int
    seconds: float
    behind_s: float
    """Age of the oldest row when it was durable."""


@dataclass
class Sink:
    """Rows on their way into the lake."""

    store: Store
    app: str
    max_rows: int
    max_bytes: int
    started_ns: int
    on_written: Callable[[Written], None]
    log: Callable[..., None]
    rows: dict[str, list[Row]] = field(default_factory=dict)
    waiting: int = 0
    bytes: int = 0
    writing: int = 0
    written: int = 0
    repeated: int = 0
    _recent: dict[str, Recent] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)
    _room: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, table: str, rows: list[Row], size: int = 0) -> int:
        """Take rows; returns how many were new."""
        if table not in _UNKEYED:
            recent = self._recent.get(table) or self._remember(table)
            kept = recent.fresh(rows)
            self.repeated += len(rows) - len(kept)
            rows = kept
        if rows:
            self.rows.setdefault(table, []).extend(rows)
            self.waiting += len(rows)
            self.bytes += size
        return len(rows)

    def _remember(self, table: str) -> Recent:
        declared = LAKE_TABLES[table]
        key = itemgetter(*(declared.names.index(name) for name in declared.key))
        time, received = declared.names.index("time_ns"), declared.names.index("received_ns")
        recent = Recent(key, time, received, self.started_ns)
        self._recent[table] = recent
        return recent

    @property
    def pressure(self) -> float:
        """How full the room is; 1 and more is full."""
        return max((self.waiting + self.writing) / self.max_rows, self.bytes / self.max_bytes)

    async def room(self) -> None:
        """Wait until there is room: the caller reads no message meanwhile."""
        while self.pressure >= 1:
            self._room.clear()
            await self._room.wait()

    async def flush(self, giving_up: Callable[[], bool]) -> bool:
        """Write what waits; False where it could not all be written before ``giving_up``."""
        batch, self.rows = self.rows, {}
        held = self.bytes
        self.writing, self.waiting = self.waiting, 0
        done = await asyncio.gather(
            *(self._write(table, rows, giving_up) for table, rows in batch.items()), return_exceptions=True
        )
        failed = [(one, rows) for one, rows in zip(done, batch.items(), strict=True) if one is not True]
        for _, (table, rows) in failed:
            self.rows[table] = rows + self.rows.get(table, [])
            self.waiting += len(rows)
        if not failed:
            self.bytes -= held
        self.writing = 0
        self._room.set()
        for one, _ in failed:
            if isinstance(one, BaseException):
                raise one
        return not failed

    async def _write(self, table: str, rows: list[Row], giving_up: Callable[[], bool]) -> bool:
        if table not in self._numbers:
            done = await asyncio.to_thread(self.store.committed, table, self.app)
            if table in self._recent:
                # A clock that is ahead, of a venue or of ours before it was set back: what an earlier run
                # wrote may be of a moment that this one has yet to see.
                newest = await asyncio.to_thread(self.store.newest, table)
                self._recent[table].floor_ns = max(self._recent[table].floor_ns, (newest or 0) + 1)
            self._numbers[table] = -1 if done is None else done
        number, declared = self._numbers[table] + 1, LAKE_TABLES[table]
        at = declared.names.index("time_ns")
        received = [row[declared.names.index("received_ns")] for row in rows]
        oldest = min(row[at] for row in rows)
        known = self._recent.get(table)
        dedupe: Dedupe = table != "payloads" and "shared"  # no other collector has our connections
        if known is not None and oldest < known.floor_ns:
            dedupe = True
        begun, attempt = time.monotonic(), 0
        while True:
            try:
                answer = await asyncio.to_thread(self._append, table, rows, number, dedupe)
                break
            except InternalError:
                raise
            except (DeleverageError, OSError) as error:
                self.log("write failed", level="error", table=table, rows=len(rows), error=str(error))
                if isinstance(error, InputError) or giving_up():
                    if isinstance(error, InputError):
                        raise
                    return False
            await asyncio.sleep(_RETRIES_S[min(attempt, len(_RETRIES_S) - 1)])
            attempt += 1
        if answer.replayed and attempt == 0:
            raise InputError(
                f"expected to be the only collector '{self.app}' of this lake, found another that writes",
                hint="give this one another --name, or stop the other",
                app=self.app,
            )
        self._numbers[table] = number
        self.written += answer.rows
        self.repeated += len(rows) - answer.rows if not answer.replayed else 0
        now = time.time_ns()
        self.on_written(
            Written(
                table,
                number,
                len(rows) if answer.replayed else answer.rows,
                min(received),
                max(received),
                time.monotonic() - begun,
                (now - min(received)) / SECOND,
            )
        )
        return True

    def _append(self, table: str, rows: list[Row], number: int, dedupe: Dedupe) -> Any:
        return self.store.append(table, framed(table, rows), app=self.app, sequence=number, dedupe=dedupe)


def framed(table: str, rows: list[Row]) -> pl.DataFrame:
    """Rows as a frame of the declared columns and types."""
    import polars as pl

    declared = LAKE_TABLES[table]
    columns = zip(*rows, strict=True)
    return pl.DataFrame(
        [
            pl.Series(column.name, list(values), dtype=getattr(pl, column.dtype))
            for column, values in zip(declared.columns, columns, strict=True)
        ]
    )
