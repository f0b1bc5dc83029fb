"""What do the lake's tables look like, as they were known at a moment?

Every measure reads through `AsOf`, so none can look ahead: a row is there from the moment on which
`data.known` says that the world knew it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from deleverage.data.known import known_from
from deleverage.data.lake.times import iso
from deleverage.data.obtain import command_for
from deleverage.errors import MissingDataError
from deleverage.schema import LAKE_TABLES, empty

Value = str | int | float | bool
DAY_NS = 86_400 * 1_000_000_000
_INTERVALS: dict[Value, str] = {60: "1m", 300: "5m", 3_600: "1h", 14_400: "4h", 86_400: "1d"}


class Tables(Protocol):
    """What holds the lake's tables: a `Lake`, or frames."""

    def read(
        self,
        table_name: str,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        where: Mapping[str, Value] | None = None,
        columns: Iterable[str] | None = None,
    ) -> pl.DataFrame:
        """Rows with start_ns ≤ time_ns ≤ end_ns [ns UTC] that equal ``where``, sorted by the key."""
        ...


class Frames:
    """Tables of the lake's forms in memory; what is not given is empty."""

    def __init__(self, tables: Mapping[str, pl.DataFrame]) -> None:
        self._tables = {
            name: frame.sort(LAKE_TABLES[name].key, maintain_order=True) for name, frame in tables.items()
        }

    def read(
        self,
        table_name: str,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        where: Mapping[str, Value] | None = None,
        columns: Iterable[str] | None = None,
    ) -> pl.DataFrame:
        """As `Tables.read`."""
        frame = self._tables.get(table_name)
        if frame is None:
            frame = empty(LAKE_TABLES[table_name])
        kept = pl.lit(True)
        for name, value in (where or {}).items():
            kept &= pl.col(name) == value
        if start_ns is not None:
            kept &= pl.col("time_ns") >= start_ns
        if end_ns is not None:
            kept &= pl.col("time_ns") <= end_ns
        frame = frame.filter(kept)
        return frame if columns is None else frame.select(list(columns))


class Remembered:
    """Tables that are read once and kept, for many moments in a row."""

    def __init__(self, source: Tables) -> None:
        self._source = source
        self._kept: dict[tuple[object, ...], pl.DataFrame] = {}

    def read(
        self,
        table_name: str,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        where: Mapping[str, Value] | None = None,
        columns: Iterable[str] | None = None,
    ) -> pl.DataFrame:
        """As `Tables.read`; the rows of all times are kept."""
        key = (table_name, *sorted((where or {}).items()))
        if key not in self._kept:
            self._kept[key] = self._source.read(table_name, where=where)
        frame = self._kept[key]
        kept = pl.lit(True)
        if start_ns is not None:
            kept &= pl.col("time_ns") >= start_ns
        if end_ns is not None:
            kept &= pl.col("time_ns") <= end_ns
        frame = frame.filter(kept)
        return frame if columns is None else frame.select(list(columns))


@dataclass(frozen=True)
class Missing:
    """A stretch of a table that a measure wanted and did not find.

    what : in words, 'daily bars of BTC at binance'; start_ns, end_ns : the stretch [ns UTC], None where it
    has no beginning or end; command : what fetches it.
    """

    table: str
    what: str
    start_ns: int | None
    end_ns: int | None
    command: str

    def __str__(self) -> str:
        when = ""
        if self.start_ns is not None and self.end_ns is not None:
            when = f" from {iso(self.start_ns)} to {iso(self.end_ns)}"
        elif self.end_ns is not None:
            when = f" up to {iso(self.end_ns)}"
        return f"the lake has no {self.what}{when} (table {self.table})"

    def error(self) -> MissingDataError:
        """The same as an error."""
        return MissingDataError(
            str(self),
            hint=self.command,
            table=self.table,
            start_ns=self.start_ns,
            end_ns=self.end_ns,
            command=self.command,
        )


class AsOf:
    """The lake's tables as they were known at ``at_ns`` [ns UTC]: rows known at that moment or before."""

    def __init__(self, source: Tables, at_ns: int) -> None:
        self._source = source
        self.at_ns = at_ns

    def table(
        self, name: str, /, *, start_ns: int | None = None, end_ns: int | None = None, **where: Value
    ) -> pl.DataFrame:
        """Rows with start_ns ≤ time_ns ≤ end_ns that equal ``where`` and were known; possibly none."""
        until = self.at_ns if end_ns is None else min(end_ns, self.at_ns)
        rows = self._source.read(name, start_ns=start_ns, end_ns=until, where=where)
        return rows.filter(known_from(name) <= self.at_ns)

    def need(
        self,
        name: str,
        what: str,
        /,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        command: str = "",
        **where: Value,
    ) -> pl.DataFrame:
        """The same, where having none is an error.

        what : what is looked for, in words; command : what fetches it, default by the table.

        Raises
        ------
        MissingDataError
            there are none: table, stretch and command.
        """
        rows = self.table(name, start_ns=start_ns, end_ns=end_ns, **where)
        if rows.is_empty():
            raise self.missing(name, what, start_ns=start_ns, end_ns=end_ns, command=command, **where).error()
        return rows

    def missing(
        self,
        name: str,
        what: str,
        /,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        command: str = "",
        **where: Value,
    ) -> Missing:
        """What is told of rows that are not there."""
        end = self.at_ns if end_ns is None else min(end_ns, self.at_ns)
        told = command or command_for(
            name,
            coin=str(where.get("coin", "BTC")),
            kind=str(where.get("kind", "spot")),
            interval=_INTERVALS.get(where.get("interval_s", 86_400), "1d"),
            start_ns=start_ns,
            end_ns=end,
        )
        return Missing(name, what, start_ns, end, told)


def newest_ns(source: Tables) -> int:
    """End of the newest bar of the lake [ns UTC]: the moment that is meant where none is said.

    Raises
    ------
    MissingDataError
        there is no bar.
    """
    bars = source.read("candles", columns=["time_ns", "interval_s"])
    if bars.is_empty():
        raise Missing("candles", "price bars", None, None, command_for("candles")).error()
    return int(bars.select((pl.col("time_ns") + pl.col("interval_s") * 1_000_000_000).max()).item())
