"""CoinGlass's sums of liquidations: bars of a coin, and the list of venues at the moment of the snapshot."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import Defect, Importer, Loaded, SourceFile, only_columns
from deleverage.data.importers.coinglass_folder import NO_FOLDER, closed, coin_in_name, folder_of, stamped
from deleverage.data.importers.coinglass_series import PUBLISHER, interval_of, numeric
from deleverage.data.importers.coinglass_swap import LONG, SHORT
from deleverage.data.importers.content import read_parquet
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import indicators, numbered

if TYPE_CHECKING:
    import polars as pl

_LONG, _SHORT = "aggregated_long_liquidation_usd", "aggregated_short_liquidation_usd"
_HISTORY = ("time", _LONG, _SHORT)
_LIST = ("exchange", "liquidation_usd", "longLiquidation_usd", "shortLiquidation_usd")
_DAY_NS = 86_400_000_000_000
_BETWEEN = 0.7  # of the way from Binance's sum to all venues', in logarithms


def recognise_history(layout: Layout) -> bool:
    """A Parquet file with a time and two sums."""
    return only_columns(layout, "parquet", _HISTORY)


def load_history(source: SourceFile) -> Loaded:
    """Bars to `liquidation_totals`; of which venue is told by the pairs of the same snapshot."""
    import polars as pl

    coin = coin_in_name(source.name)
    if coin is None:
        return Loaded(skipped="liquidations, and the name does not end with the coin like _BTC.parquet")
    frame = numbered(read_parquet(source, list(_HISTORY)))
    for name in _HISTORY:
        numeric(source, frame, name)
    frame = checks.with_time_ns(frame, source, "time", checks.unit_of(frame, source, "time"))
    checks.increasing(frame, source, "time")
    for name in (_LONG, _SHORT):
        checks.not_negative(frame, source, name)
    interval_s = interval_of(frame)
    count, defects = closed(source, frame["time_ns"].to_list(), interval_s)
    venue, found = _venue(source, frame, coin)
    rows = [
        frame.head(count).select(
            "time_ns",
            pl.lit(venue).alias("venue"),
            pl.lit(coin).alias("coin"),
            pl.lit(interval_s, dtype=pl.Int64).alias("interval_s"),
            pl.lit(side).alias("side"),
            pl.col(column).cast(pl.Float64).alias("usd"),
            pl.lit(PUBLISHER).alias("publisher"),
        )
        for side, column in (("long", _LONG), ("short", _SHORT))
    ]
    return Loaded([("liquidation_totals", pl.concat(rows))], defects + found)


def _venue(source: SourceFile, frame: pl.DataFrame, coin: str) -> tuple[str, list[Defect]]:
    """'binance' where the last 24 hours are Binance's of the pairs beside, 'all' where they are
    everybody's.
    """
    import polars as pl

    pairs = source.path.parent.parent / "market" / f"api_futures_pairs_markets_{coin}.parquet"
    folder = folder_of(source)
    if source.member or folder is None or not pairs.is_file():
        return "unnamed", [_UNCHECKED]
    recent = frame.filter(pl.col("time_ns") > folder.fetched_ns - _DAY_NS)
    ours = float(recent[_LONG].sum()) + float(recent[_SHORT].sum())
    usd = pl.read_parquet(pairs, columns=["exchange_name", LONG, SHORT]).with_columns(
        (pl.col(LONG).fill_null(0) + pl.col(SHORT).fill_null(0)).alias("usd")
    )
    everybody = float(usd["usd"].sum())
    binance = float(usd.filter(pl.col("exchange_name") == "Binance")["usd"].sum())
    if not 0 < binance < everybody or ours <= 0:
        return "unnamed", [_UNCHECKED]
    import math

    if math.log(ours / binance) > _BETWEEN * math.log(everybody / binance):
        return "all", []
    sums = f"Binance's pairs {binance / 1e6:,.1f}, all {everybody / 1e6:,.1f}"
    shown = f"{coin}: {ours / 1e6:,.1f} m USD in 24 h; {sums}"
    return "binance", [
        Defect(
            "liquidations-binance-only",
            "sums of liquidations say 'aggregated' and are Binance's alone",
            "stored as Binance's",
            example=shown,
        ),
        THROTTLED,
    ]


THROTTLED = Defect(
    "throttled-feed",
    "Binance's feed shows at most one liquidation a second and contract: a lower bound, good for shape",
    "kept as published; never scaled here (`deleverage measure liquidations` estimates the total)",
)
_UNCHECKED = Defect(
    "venue-not-named",
    "series that name no venue",
    "kept under the venue 'unnamed'",
)


def recognise_list(layout: Layout) -> bool:
    """A Parquet file with one row a venue."""
    return only_columns(layout, "parquet", _LIST)


def load_list(source: SourceFile) -> Loaded:
    """Sums by venue over a window that is not stated, to `indicators`."""
    import polars as pl

    stamp = stamped(source)
    coin = coin_in_name(source.name)
    if stamp is None:
        return Loaded(skipped=NO_FOLDER)
    if coin is None:
        return Loaded(
            skipped="liquidations by venue, and the name does not end with the coin like _BTC.parquet"
        )
    frame = numbered(read_parquet(source, list(_LIST))).with_columns(
        pl.lit(stamp[0], dtype=pl.Int64).alias("time_ns")
    )
    for name in _LIST[1:]:
        numeric(source, frame, name)
        checks.not_negative(frame, source, name)
    checks.require(
        frame,
        pl.col("exchange").is_duplicated().not_(),
        source,
        column="exchange",
        expected="each venue once",
        todo="leave out repeated venues",
    )
    unit = "USD, window not stated"
    values = {
        "liquidated_long_usd_recent": (pl.col("longLiquidation_usd"), unit),
        "liquidated_short_usd_recent": (pl.col("shortLiquidation_usd"), unit),
    }
    rows = indicators(
        frame, PUBLISHER, values, interval_s=0, venue=pl.col("exchange").str.to_lowercase(), symbol=coin
    )
    window = Defect(
        "window-not-stated",
        "lists by venue that do not state their window; of liquidations, below the 24 h of the pairs",
        "kept as indicators whose unit says so, never as totals",
        example=_against_pairs(source, frame, coin),
    )
    return Loaded([rows], [*stamp[1], window])


def _against_pairs(source: SourceFile, frame: pl.DataFrame, coin: str) -> str:
    import polars as pl

    pairs = source.path.parent.parent / "market" / f"api_futures_pairs_markets_{coin}.parquet"
    every = frame.filter(pl.col("exchange") == "All")
    if source.member or not pairs.is_file() or every.is_empty():
        return ""
    sums = pl.read_parquet(pairs, columns=[LONG, SHORT])
    day = float(sums[LONG].sum()) + float(sums[SHORT].sum())
    return f"{coin}: {every['liquidation_usd'][0] / 1e6:,.0f} m USD against {day / 1e6:,.0f} m" if day else ""


HISTORY = Importer(
    "coinglass-liquidations",
    1,
    "sums of liquidations over time",
    _HISTORY,
    re.compile(r"api_futures_liquidation_aggregated_coin_history_[A-Z0-9]+\.parquet"),
    recognise_history,
    load_history,
)
LIST = Importer(
    "coinglass-liquidation-list",
    1,
    "liquidations by venue",
    _LIST,
    re.compile(r"api_futures_liquidation_exchange_list_[A-Z0-9]+\.parquet"),
    recognise_list,
    load_list,
)
