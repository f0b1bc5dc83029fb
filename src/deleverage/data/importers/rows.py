"""How do columns of a file become rows of the lake's long tables?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from deleverage.data.importers.base import ROW, Defect, SourceFile

if TYPE_CHECKING:
    import polars as pl

DAY_S = 86_400
DAY_NS = DAY_S * 1_000_000_000
UNNAMED = "unnamed"
"""Venue or publisher of a series whose file does not say whose it is."""

Values = Mapping[str, tuple["pl.Expr", str]]


def indicators(
    frame: pl.DataFrame,
    publisher: str,
    values: Values,
    *,
    interval_s: int | pl.Expr,
    venue: str | pl.Expr = "",
    symbol: str | pl.Expr = "",
) -> tuple[str, pl.DataFrame]:
    """Rows of `indicators`: one a value that was observed, out of a frame with 'time_ns'.

    Parameters
    ----------
    values : name of the indicator to its value and unit.
    """
    import polars as pl

    wide = frame.select(
        "time_ns",
        _literal(venue, pl.String).alias("venue"),
        _literal(symbol, pl.String).alias("symbol"),
        _literal(interval_s, pl.Int64).cast(pl.Int64).alias("interval_s"),
        *(value.cast(pl.Float64).alias(name) for name, (value, _) in values.items()),
    )
    units = {name: unit for name, (_, unit) in values.items()}
    long = wide.unpivot(
        on=list(values),
        index=["time_ns", "venue", "symbol", "interval_s"],
        variable_name="name",
        value_name="value",
    ).filter(pl.col("value").is_not_null() & pl.col("value").is_finite())
    return "indicators", long.select(
        "time_ns",
        pl.lit(publisher).alias("publisher"),
        "name",
        "venue",
        "symbol",
        "interval_s",
        "value",
        pl.col("name").replace_strict(units, return_dtype=pl.String).alias("unit"),
    )


def _literal(value: str | int | pl.Expr, dtype: object) -> pl.Expr:
    import polars as pl

    return value if isinstance(value, pl.Expr) else pl.lit(value, dtype=dtype)  # type: ignore[arg-type]


def day_start(time: pl.Expr) -> pl.Expr:
    """00:00 UTC of the day of a time [ns UTC]."""
    return time // DAY_NS * DAY_NS


def holes(frame: pl.DataFrame, interval_s: int, by: str = "") -> list[Defect]:
    """A defect that counts the rows that are not there between the first and the last, with the first one."""
    import polars as pl

    step = interval_s * 1_000_000_000
    times = frame.sort([by, "time_ns"] if by else "time_ns")
    before = pl.col("time_ns").shift(1).over(by) if by else pl.col("time_ns").shift(1)
    gaps = times.with_columns(before.alias("_before")).filter(pl.col("time_ns") - pl.col("_before") > step)
    missing = int((((gaps["time_ns"] - gaps["_before"]) // step) - 1).sum())
    if not missing:
        return []
    word = "day" if interval_s == DAY_S else "bar"
    first = gaps["_before"][0] + step
    return [
        Defect(
            f"{word}s-missing",
            f"{word}s are missing inside a series",
            "left as a hole; nothing is filled in",
            missing,
            f"{iso_day(first)}" if word == "day" else iso_minute(first),
        )
    ]


def iso_day(time_ns: int) -> str:
    """The date of a time [ns UTC], '2025-10-10'."""
    return _moments([time_ns], "%Y-%m-%d")[0]


def iso_minute(time_ns: int) -> str:
    """A time [ns UTC] up to the minute, '2025-10-10 20:00'."""
    return _moments([time_ns], "%Y-%m-%d %H:%M")[0]


def _moments(times: list[int], form: str) -> list[str]:
    from datetime import UTC, datetime

    return [datetime.fromtimestamp(time // 1_000_000_000, UTC).strftime(form) for time in times]


def days(frame: pl.DataFrame, source: SourceFile, column: str, form: str = "%Y-%m-%d") -> pl.DataFrame:
    """``frame`` with 'time_ns', 00:00 UTC of the written date; refused at the first that is none."""
    import polars as pl

    from deleverage.data.importers import checks

    dated = frame.with_columns(pl.col(column).str.to_date(form, strict=False).alias("_date"))
    checks.require(
        dated.with_columns(pl.col("_date").is_not_null().alias("_is_date")),
        pl.col("_is_date"),
        source,
        column=column,
        expected=f"a date like {_example_of(form)}",
        todo="correct that line or get the file again",
    )
    dated = dated.with_columns((pl.col("_date").cast(pl.Int64) * DAY_NS).alias("time_ns")).drop("_date")
    checks.within(dated, source, column)
    return dated


def moments(frame: pl.DataFrame, source: SourceFile, column: str, form: str) -> pl.DataFrame:
    """``frame`` with 'time_ns' out of a written time in UTC; refused at the first that is none."""
    import polars as pl

    from deleverage.data.importers import checks

    parsed = pl.col(column).str.to_datetime(form, time_unit="ns", time_zone="UTC", strict=False)
    timed = frame.with_columns(parsed.dt.epoch("ns").alias("time_ns"))
    checks.require(
        timed.with_columns(pl.col("time_ns").is_not_null().alias("_is_time")),
        pl.col("_is_time"),
        source,
        column=column,
        expected=f"a time like {_example_of(form)}",
        todo="correct that line or get the file again",
    )
    checks.within(timed, source, column)
    return timed


def _example_of(form: str) -> str:
    from datetime import UTC, datetime

    return datetime(2025, 10, 10, 20, 50, tzinfo=UTC).strftime(
        form.replace("%.f", ".000").replace("%#z", "+00:00")
    )


def numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with '_row', the number of the row from 1."""
    import polars as pl

    return frame.with_row_index(ROW, offset=1).with_columns(pl.col(ROW).cast(pl.Int64))
