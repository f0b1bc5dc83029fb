"""What does every venue's adapter say and do?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from deleverage.data.backfill.ccxt_door import Venue
from deleverage.data.backfill.paging import Page, Row, by_time
from deleverage.data.sources.base import intervals_s, settlement_ns
from deleverage.errors import InputError
from deleverage.schema import LAKE_TABLES

if TYPE_CHECKING:
    import polars as pl

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_S = 86_400
INTEREST_S = 300
"""Open interest is asked for every five minutes, as fine as the venues have it."""
_MS = 1_000_000
_FUNDING_S = 8 * 3600


@dataclass(frozen=True)
class Contract:
    """A contract by the venue's own name."""

    venue: str
    kind: str
    coin: str
    symbol: str


class Adapter(Protocol):
    """One venue; `intervals` are its names of the bars."""

    venue: str
    intervals: ClassVar[dict[str, str]]

    def contract(self, symbol: str) -> Contract:
        """The contract of a symbol. Raises `InputError` where it can be none."""

    def oldest_ns(self, kind: str, interval_s: int, now_ns: int) -> int | None:
        """Earliest time that the venue still gives [ns UTC]; None where it gives all."""

    def fetch(
        self, venue: Venue, kind: str, contract: Contract, interval: str, start_ms: int, end_ms: int
    ) -> tuple[dict[str, list[Row]], list[str]]:
        """Rows of the lake with start ≤ time < end [ms UTC] by table, and what is worth saying about them."""


def frame_of(table: str, rows: list[Row], received_ns: int, source: str) -> pl.DataFrame:
    """Rows as a frame of a lake's table; columns that a row does not have are null."""
    import polars as pl

    declared = LAKE_TABLES[table]
    schema = {column.name: getattr(pl, column.dtype) for column in declared.columns}
    whole = [{**row, "received_ns": received_ns, "source": source} for row in rows]
    return pl.DataFrame(whole, schema=schema, orient="row") if whole else pl.DataFrame(schema=schema)


def named(contract: Contract, *, kind: bool = True) -> Row:
    """The columns that say which contract a row is of."""
    row: Row = {"venue": contract.venue, "coin": contract.coin, "symbol": contract.symbol}
    return {**row, "kind": contract.kind} if kind else row


def positive(value: Any, what: str) -> float:
    """A number above 0. Raises `ValueError` where it is none: the answer is malformed."""
    number = float(value)
    if not number > 0 or number == float("inf"):
        raise ValueError(f"{what} {value!r} is not above 0")
    return number


def amount(value: Any, what: str) -> float:
    """A number of 0 or more."""
    number = float(value)
    if not 0 <= number < float("inf"):
        raise ValueError(f"{what} {value!r} is not 0 or more")
    return number


def bar(time_ms: Any, prices: tuple[Any, Any, Any, Any], **others: Any) -> Row:
    """A bar: time [ms], open, high, low, close; refuses one that cannot be."""
    first, high, low, last = (positive(price, "price") for price in prices)
    if not low <= min(first, last) <= max(first, last) <= high:
        raise ValueError(f"bar of {time_ms} has open {first}, high {high}, low {low}, close {last}")
    return {"time": int(time_ms), "open": first, "high": high, "low": low, "close": last, **others}


def bars_of(rows: list[Row], contract: Contract, interval_s: int) -> list[Row]:
    """Bars as rows of the table of candles."""
    keep = ("open", "high", "low", "close", "volume_coins", "taker_buy_coins", "trades")
    return [
        {
            "time_ns": row["time"] * 1_000_000,
            **named(contract),
            "interval_s": interval_s,
            **{name: row.get(name) for name in keep},
        }
        for row in rows
    ]


def funding_of(rows: list[Row], contract: Contract, start_ms: int) -> list[Row]:
    """Settlements from ``start_ms`` on as rows; the interval is the time since the one before.

    ``rows`` should begin a day earlier, so that the first one has one before it.
    """
    times = [settlement_ns(row["time"] * _MS) for row in rows]
    return [
        {"time_ns": time, **named(contract, kind=False), "interval_s": length, "rate": row["rate"]}
        for time, length, row in zip(times, intervals_s(times, _FUNDING_S), rows, strict=True)
        if time >= start_ms * _MS
    ]


def settlements(
    page: Callable[[int, int], Page], contract: Contract, start_ms: int, end_ms: int, hours: int
) -> list[Row]:
    """Rows of funding, asked in stretches of ``hours``, from a day before the start: see `funding_of`."""
    before = start_ms - DAY_S * 1000
    rows = by_time(page, before, end_ms, window=hours * HOUR_MS, least=1000, what=contract.symbol)
    return funding_of(rows, contract, start_ms)


def interest_of(rows: list[Row], contract: Contract) -> list[Row]:
    """Open interest in coins and dollars as rows, at the price that they say; zero is not observed."""
    return [
        interest(contract, row["time"], row["coins"], row["usd"], row["usd"] / row["coins"])
        for row in rows
        if row["coins"] > 0 and row["usd"] > 0
    ]


def interest(contract: Contract, time_ms: int, coins: float, usd: float, price: float) -> Row:
    """A row of open interest."""
    return {
        "time_ns": time_ms * 1_000_000,
        "venue": contract.venue,
        "coin": contract.coin,
        "scope": contract.symbol,
        "coins": coins,
        "usd": usd,
        "price": price,
    }


def traded(
    row: Row,
    contract: Contract,
    trade_id: str,
    coins: float,
    liquidation: bool | None,
    usd: float | None = None,
) -> Row:
    """A row of trades; ``liquidation`` is null where the venue does not say, ``usd`` is given where the venue
    counts in dollars.
    """
    return {
        "time_ns": row["time"] * 1_000_000,
        **named(contract),
        "trade_id": trade_id,
        "side": row["side"],
        "price": row["price"],
        "coins": coins,
        "usd": coins * row["price"] if usd is None else usd,
        "liquidation": liquidation,
    }


def missing_numbers(holes: list[tuple[Row, Row]]) -> list[str]:
    """What is to be said of holes between numbered trades; nothing where there are none."""
    lost = sum(after["number"] - before["number"] - 1 for before, after in holes)
    return [f"{lost} trades are missing by their numbers"] if lost else []


def listed(answer: Any) -> list[Any]:
    """The list that an answer is. Raises `TypeError` where it is none: the answer is malformed."""
    if not isinstance(answer, list):
        raise TypeError(f"a list was expected, not {type(answer).__name__}")
    return answer


def rate(value: Any) -> float:
    """A funding rate as a share per interval; refuses what can only be a percentage or nonsense."""
    number = float(value)
    if not abs(number) <= 0.1:
        raise ValueError(f"funding rate {value!r} is no share per interval")
    return number


def interval_name(adapter: Adapter, interval: str) -> str:
    """The venue's name of an interval. Raises `InputError` where it has no such bars."""
    if interval not in adapter.intervals:
        raise InputError(
            f"--interval {interval}: expected one of {', '.join(adapter.intervals)} for {adapter.venue}, "
            f"found '{interval}'",
            hint="Give an interval that the venue has.",
        )
    return adapter.intervals[interval]


def same(*names: str) -> dict[str, str]:
    """Intervals that a venue calls as we do."""
    return {name: name for name in names}
