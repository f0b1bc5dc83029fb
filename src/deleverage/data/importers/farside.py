"""Farside's table of fund flows: a date, one column a fund, and the sum, in USD millions."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import NO_NAME, Defect, Importer, Loaded, SourceFile
from deleverage.data.importers.csv_text import header_of, read_csv
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import days
from deleverage.errors import UnitError

if TYPE_CHECKING:
    import polars as pl

_COIN = re.compile(r"(?:^|[_-])(btc|eth|sol|xrp|doge)(?:[_.-]|$)")
_DATE = "%d %b %Y"
_SEED = "Seed"
_TICKER = re.compile(r"[A-Z]{2,6}")
_ROUNDING = 0.35  # USD m: up to a dozen parts and a sum, each rounded to 0.1


def recognise(layout: Layout) -> bool:
    """A CSV that begins with Date, ends with Total, and has tickers between."""
    names = layout.names
    return (
        layout.kind == "csv"
        and len(names) > 2
        and (names[0], names[-1]) == ("Date", "Total")
        and all(_TICKER.fullmatch(name) for name in names[1:-1])
    )


def load(source: SourceFile) -> Loaded:
    """Flows by fund and the sum [USD]; the parts must sum to it."""
    import polars as pl

    match = _COIN.search(source.name.lower())
    if match is None:
        return Loaded(skipped="fund flows, and the name does not say of which coin, like etf_btc.csv")
    funds = header_of(source)[1:-1]
    frame = read_csv(source, {"Date": "String", **{fund: "Float64?" for fund in funds}, "Total": "Float64"})
    seed = frame.filter(pl.col("Date") == _SEED)
    frame = days(frame.filter(pl.col("Date") != _SEED), source, "Date", _DATE)
    checks.increasing(frame, source, "Date")
    parts = frame.with_columns(pl.sum_horizontal(funds).alias("_parts"))
    checks.require(
        parts,
        (pl.col("_parts") - pl.col("Total")).abs() <= _ROUNDING,
        source,
        column="Total",
        expected="the sum of the funds",
        todo="give the publisher's own table",
        kind=UnitError,
    )
    closed = _closed(source, frame, funds)
    quiet = frame.filter(pl.col("time_ns").is_in(closed))
    frame = frame.filter(~pl.col("time_ns").is_in(closed))
    rows = (
        frame.unpivot(on=[*funds, "Total"], index="time_ns", variable_name="fund", value_name="usd_m")
        .drop_nulls("usd_m")
        .select(
            "time_ns",
            pl.lit("farside").alias("publisher"),
            pl.lit(match[1].upper()).alias("coin"),
            pl.when(pl.col("fund") == "Total").then(pl.lit("total")).otherwise(pl.col("fund")).alias("fund"),
            (pl.col("usd_m") * 1e6).alias("usd"),
        )
    )
    defects = []
    if seed.height:
        defects.append(
            Defect(
                "seed-row",
                "a 'Seed' row: the money that funds started with, which is no flow of a day",
                "left out",
                seed.height,
                f"{match[1].upper()}: {seed['Total'][0]:,.0f} m USD",
            )
        )
    if quiet.height:
        defects.append(
            Defect(
                "holiday-zeros",
                "days on which no fund has a figure: the market was closed, or the day is not published",
                "left out as not observed",
                quiet.height,
                f"{match[1].upper()}: {quiet['Date'][0]}",
            )
        )
    if frame.height < 30:
        defects.append(
            Defect(
                "short-series",
                "a series of few rows, or of less than a day",
                "imported; a window, not a history",
                frame.height,
                f"{match[1].upper()} fund flows: {frame.height} days",
            )
        )
    return Loaded([("flows", rows)], defects)


def _closed(source: SourceFile, frame: pl.DataFrame, funds: list[str]) -> list[int]:
    """Days on which no fund has a figure, in this table or in one beside it: the market was closed."""
    import polars as pl

    own = set(frame.filter(pl.all_horizontal(pl.col(fund).is_null() for fund in funds))["time_ns"])
    zero = frame.filter(pl.all_horizontal(pl.col(fund).fill_null(0) == 0 for fund in funds))["time_ns"]
    beside: set[int] = set()
    if not source.member:
        for path in source.path.parent.glob("*.csv"):
            beside |= _closed_beside(path, path.stat().st_mtime_ns)
    return sorted(own | (set(zero) & beside))


@lru_cache(maxsize=64)
def _closed_beside(path: Path, _mtime_ns: int) -> frozenset[int]:
    import polars as pl

    try:
        rows = pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError):
        return frozenset()
    if not rows.columns or (rows.columns[0], rows.columns[-1]) != ("Date", "Total"):
        return frozenset()
    funds = rows.columns[1:-1]
    empty = rows.filter(pl.all_horizontal(pl.col(fund).is_null() for fund in funds))
    dates = empty["Date"].str.to_date(_DATE, strict=False).drop_nulls()
    return frozenset(int(day) * 86_400_000_000_000 for day in dates.cast(pl.Int64))


FARSIDE = Importer("farside", 1, "Farside's fund flows", ("Date", "Total"), NO_NAME, recognise, load)
