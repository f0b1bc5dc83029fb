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

_ABOVE_ZERO = {
    "candles": ("open", "high", "low", "close"),
    "depth": ("bid_usd", "bid_coins", "ask_usd", "ask_coins"),
    "market_caps": ("usd", "supply_coins"),
    "open_interest": ("price",),
    "snapshots": ("price", "index_price"),
    "tiers": ("max_leverage",),
}
_NOT_BELOW_ZERO = {
    "candles": ("volume_coins", "taker_buy_coins"),
    "liquidations": ("coins", "usd"),
    "liquidation_totals": ("usd",),
    "market_caps": ("volume_usd_24h",),
    "open_interest": ("coins", "usd"),
    "snapshots": (
        "open_interest_coins", "open_interest_usd", "volume_usd_24h", "long_liquidations_usd_24h",
        "short_liquidations_usd_24h",
    ),
}  # fmt: skip


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
        equal = [pl.col(name) == value for name, value in (where or {}).items()]
        return _part(frame.filter(equal) if equal else frame, start_ns, end_ns, columns)


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
        return _part(self._kept[key], start_ns, end_ns, columns)


def _part(
    frame: pl.DataFrame, start_ns: int | None, end_ns: int | None, columns: Iterable[str] | None
) -> pl.DataFrame:
    """Rows of a stretch, both ends included, and some columns of them."""
    if start_ns is not None:
        frame = frame.filter(pl.col("time_ns") >= start_ns)
    if end_ns is not None:
        frame = frame.filter(pl.col("time_ns") <= end_ns)
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


def observed(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows without what nobody can have observed, so that it never becomes a figure.

    A number that is not finite, and a price, open interest, depth or capitalisation of the wrong sign, is
    null where its column may be; where it may not, the row is left out. Flows, funding rates and levels of
    `macro` may have any sign.
    """
    for column in LAKE_TABLES[table].columns:
        if column.dtype != "Float64" or column.name not in rows.columns:
            continue
        value = pl.col(column.name)
        sound = value.is_finite()
        if column.name in _ABOVE_ZERO.get(table, ()):
            sound &= value > 0
        elif column.name in _NOT_BELOW_ZERO.get(table, ()):
            sound &= value >= 0
        if rows.select(sound.all()).item():
            continue
        rows = rows.with_columns(pl.when(sound).then(value)) if column.nullable else rows.filter(sound)
    return rows


class AsOf:
    """The lake's tables as they were known at ``at_ns`` [ns UTC]: rows known at that moment or before."""

    def __init__(self, source: Tables, at_ns: int) -> None:
        self._source = source
        self.at_ns = at_ns

    def table(
        self, name: str, /, *, start_ns: int | None = None, end_ns: int | None = None, **where: Value
    ) -> pl.DataFrame:
        """Rows with start_ns ≤ time_ns ≤ end_ns that equal ``where`` and were known; possibly none.

        What cannot have been observed (`observed`) is not in them.
        """
        until = self.at_ns if end_ns is None else min(end_ns, self.at_ns)
        rows = self._source.read(name, start_ns=start_ns, end_ns=until, where=where)
        return observed(name, rows.filter(known_from(name) <= self.at_ns))

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
