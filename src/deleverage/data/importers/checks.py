"""Can these rows be what they say they are: times, order, prices, quantities, in their units?

Every check names the first row that fails it. Bounds are wide: they catch a wrong unit, not a strange night.
"""

from __future__ import annotations

from datetime import UTC, datetime
from time import time_ns
from typing import TYPE_CHECKING, cast

from deleverage.data.importers.base import ROW, SourceFile, place_of, refusal
from deleverage.errors import DeleverageError, SchemaError, UnitError

if TYPE_CHECKING:
    import polars as pl

FIRST_NS = int(datetime(2009, 1, 3, tzinfo=UTC).timestamp()) * 1_000_000_000  # the first block of Bitcoin
LAST_NS = int(datetime(2035, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
PER_UNIT_NS = {"seconds": 1_000_000_000, "milliseconds": 1_000_000, "microseconds": 1_000, "nanoseconds": 1}

# USD/coin. About a factor of ten beyond what each coin has traded at since it was listed on a large venue,
# up and down: prices in cents, in thousands, or of another coin lie outside.
PLAUSIBLE_USD: dict[str, tuple[float, float]] = {
    "BTC": (200.0, 1_500_000.0),
    "ETH": (5.0, 50_000.0),
    "SOL": (0.1, 3_000.0),
    "XRP": (0.005, 50.0),
    "DOGE": (0.0002, 5.0),
    "HYPE": (0.3, 600.0),
}
JUMP = 5.0  # no bar of a listed coin was five times the bar before it, up or down
_OFTEN = 3
MAX_RATE = 0.1  # share per interval; venues cap a settlement at 4 % or less


def require(
    frame: pl.DataFrame,
    holds: pl.Expr,
    source: SourceFile,
    *,
    column: str,
    expected: str,
    todo: str,
    kind: type[DeleverageError] = SchemaError,
) -> None:
    """Refuse the file at the first row where ``holds`` is false; an unobserved value passes."""
    bad = frame.filter(~holds.fill_null(True))
    if bad.height:
        raise refusal(
            kind,
            source,
            place=place_of(source, bad[ROW][0]),
            column=column,
            expected=expected,
            found=str(bad[column][0]),
            todo=todo,
        )


def now_ns() -> int:
    """The clock of this machine [ns UTC]; a test may replace it."""
    return time_ns()


def within(frame: pl.DataFrame, source: SourceFile, column: str) -> None:
    """Refuse a 'time_ns' before the first block of Bitcoin, or later than a day from now."""
    import polars as pl

    # A day: vendors stamp a running day with its end, and clocks differ.
    latest = now_ns() + 86_400 * 1_000_000_000
    require(
        frame,
        pl.col("time_ns") >= FIRST_NS,
        source,
        column=column,
        expected="a time after 2009-01-03",
        todo="check the unit of the times",
        kind=UnitError,
    )
    require(
        frame,
        pl.col("time_ns") <= latest,
        source,
        column=column,
        expected="a time that is not in the future",
        todo="check the times, and the clock of this machine",
        kind=UnitError,
    )


def unit_of(frame: pl.DataFrame, source: SourceFile, column: str) -> str:
    """Seconds, milli-, micro- or nanoseconds since 1970: the same for the whole file, told by the first
    row.
    """
    value = int(frame[column][0])
    fits = [u for u, f in PER_UNIT_NS.items() if FIRST_NS <= value * f <= LAST_NS]
    if not fits:
        raise refusal(
            UnitError,
            source,
            place=place_of(source, frame[ROW][0]),
            column=column,
            expected="a time since 1970 in seconds, milliseconds, microseconds or nanoseconds",
            found=str(value),
            todo="give the vendor's own file",
        )
    return fits[0]


def with_time_ns(frame: pl.DataFrame, source: SourceFile, column: str, unit: str) -> pl.DataFrame:
    """``frame`` with 'time_ns' [ns UTC] out of an epoch in ``unit``; refused outside 2009–2035."""
    import polars as pl

    factor = PER_UNIT_NS[unit]
    low, high = FIRST_NS // factor, LAST_NS // factor
    bad = frame.filter(~pl.col(column).is_between(low, high))
    if bad.height:
        value = cast(int, bad[column][0])
        fits = [u for u, f in PER_UNIT_NS.items() if FIRST_NS <= value * f <= LAST_NS]
        like = f"{value}, which would be in {fits[0]}" if fits else str(value)
        raise refusal(
            UnitError,
            source,
            place=place_of(source, bad[ROW][0]),
            column=column,
            expected=f"a time between 2009 and 2035 in {unit} since 1970",
            found=like,
            todo="give times in one unit, the one of the vendor's layout",
        )
    frame = frame.with_columns((pl.col(column).cast(pl.Int64) * factor).alias("time_ns"))
    within(frame, source, column)
    return frame


def increasing(frame: pl.DataFrame, source: SourceFile, column: str, by: tuple[str, ...] = ()) -> None:
    """Refuse a time that is not after the one before it (in the same series ``by``)."""
    import polars as pl

    before = pl.col("time_ns").shift(1).over(list(by)) if by else pl.col("time_ns").shift(1)
    require(
        frame.with_columns(before.alias("_before")),
        pl.col("time_ns") > pl.col("_before"),
        source,
        column=column,
        expected="times that increase without repeating",
        todo="sort the rows by time and leave out repeated ones",
    )


def bars(frame: pl.DataFrame, source: SourceFile, by: tuple[str, ...] = ()) -> None:
    """Refuse bars that cannot be: low ≤ open, close ≤ high, prices in USD/coin, no sign, no jump."""
    import polars as pl

    for name in ("open", "high", "low", "close"):
        price(frame, source, name)
    require(
        frame,
        pl.col("high") >= pl.col("low"),
        source,
        column="high",
        expected="high at or above low",
        todo="check that the columns are in the right order",
    )
    for name in ("open", "close"):
        require(
            frame,
            pl.col(name).is_between(pl.col("low"), pl.col("high")),
            source,
            column=name,
            expected=f"{name} between low and high",
            todo="check that the columns are in the right order",
        )
    for name in ("volume_coins", "taker_buy_coins", "trades"):
        if name in frame.columns:
            not_negative(frame, source, name)
    if "taker_buy_coins" in frame.columns:
        require(
            frame,
            pl.col("taker_buy_coins") <= pl.col("volume_coins") * (1 + 1e-9),
            source,
            column="taker_buy_coins",
            expected="no more bought by takers than traded",
            todo="check that the columns are in the right order",
            kind=UnitError,
        )
    before = pl.col("close").shift(1).over(list(by)) if by else pl.col("close").shift(1)
    require(
        frame.with_columns((pl.col("open") / before).alias("_step")),
        pl.col("_step").is_between(1 / JUMP, JUMP),
        source,
        column="open",
        expected=f"a price within a factor of {JUMP:g} of the bar before it",
        todo="give prices in USD per coin in every row",
        kind=UnitError,
    )


def price(frame: pl.DataFrame, source: SourceFile, column: str) -> None:
    """Refuse a price that is not positive, or that the coin has never been near [USD/coin]."""
    import polars as pl

    require(
        frame,
        pl.col(column) > 0,
        source,
        column=column,
        expected="a price above 0",
        todo="give prices in USD per coin",
        kind=UnitError,
    )
    for coin, (low, high) in PLAUSIBLE_USD.items():
        require(
            frame.filter(pl.col("coin") == coin),
            pl.col(column).is_between(low, high),
            source,
            column=column,
            expected=f"a price of {coin} in USD per coin, between {low:g} and {high:g}",
            todo="give prices in USD per coin, not in cents or another currency",
            kind=UnitError,
        )


def not_negative(frame: pl.DataFrame, source: SourceFile, column: str) -> None:
    """Refuse a quantity below 0."""
    import polars as pl

    require(
        frame,
        pl.col(column) >= 0,
        source,
        column=column,
        expected="a quantity of 0 or more",
        todo="give quantities without a sign",
        kind=UnitError,
    )


def funding_rates(frame: pl.DataFrame, source: SourceFile, column: str, by: str) -> None:
    """Refuse rates that are not shares per interval: 0.0001 is 0.01 %."""
    import polars as pl

    todo = "give rates as shares per interval: 0.0001 for 0.01 %"
    require(
        frame,
        pl.col(column).abs() <= MAX_RATE,
        source,
        column=column,
        expected=f"a share of at most {MAX_RATE:g} per interval",
        todo=todo,
        kind=UnitError,
    )
    # The usual rate stands in every series: 0.0001 as a share, 0.01 in percent. Both in one are two units.
    usual = [pl.col(column).abs().is_between(rate * 0.9999, rate * 1.0001) for rate in (0.0001, 0.01)]
    mixed = pl.min_horizontal(*(rate.sum().over(by) for rate in usual)) >= _OFTEN
    require(
        frame.with_columns((mixed & usual[1]).alias("_mixed")),
        ~pl.col("_mixed"),
        source,
        column=column,
        expected="rates in one unit",
        todo=todo,
        kind=UnitError,
    )
    # The usual rate is 0.0001 for 8 h. A series whose middle is twenty times that is written in percent.
    middle = pl.col(column).abs().median().over(by)
    require(
        frame.with_columns(middle.alias("_middle")),
        pl.col("_middle") <= 0.002,
        source,
        column=column,
        expected="shares per interval, whose middle is near 0.0001",
        todo=todo,
        kind=UnitError,
    )
