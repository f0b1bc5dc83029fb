"""Hourly perpetual bars and settled funding of seven venues, each in one Parquet file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import ROW, Defect, Importer, Loaded, SourceFile, has_columns, refusal
from deleverage.data.importers.content import read_parquet
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import numbered
from deleverage.errors import SchemaError

if TYPE_CHECKING:
    import polars as pl

_CANDLES = ("timestamp", "venue", "coin", "o", "h", "l", "c", "v")
_FUNDING = ("timestamp", "venue", "coin", "funding_rate")
_HOUR_S = 3600

# The venue's own name of its dollar perpetual on a coin; the files only name venue and coin.
_SYMBOL = {
    "binance": "{}USDT",
    "bybit": "{}USDT",
    "okx": "{}-USDT-SWAP",
    "hyperliquid": "{}",
    "lighter": "{}",
    "dydx": "{}-USD",
    "kraken": "PF_{}USD",
}
_KRAKEN_COIN = {"BTC": "XBT"}
# Coins per contract on OKX: `oiCcy` over `oi` of its open-interest reply, March 2026. HYPE is not in it.
OKX_CONTRACT_COINS = {"BTC": 0.01, "ETH": 0.1, "SOL": 1.0, "DOGE": 1000.0, "XRP": 100.0}
_JITTER_NS = 2_000_000_000  # venues stamp a settlement up to a second beside the full hour


def recognise_candles(layout: Layout) -> bool:
    """A Parquet file with time, venue, coin and the four prices by their initials."""
    return has_columns(layout, "parquet", _CANDLES)


def recognise_funding(layout: Layout) -> bool:
    """A Parquet file with time, venue, coin and the rate."""
    return has_columns(layout, "parquet", _FUNDING)


def load_candles(source: SourceFile) -> Loaded:
    """Bars in coins: OKX counts contracts, which become coins here."""
    import polars as pl

    frame = _read(source, _CANDLES)
    checks.increasing(frame, source, "timestamp", by=("venue", "coin"))
    frame = frame.select(
        ROW,
        "time_ns",
        "venue",
        pl.lit("perp").alias("kind"),
        "coin",
        "symbol",
        pl.lit(_HOUR_S, dtype=pl.Int64).alias("interval_s"),
        pl.col("o").alias("open"),
        pl.col("h").alias("high"),
        pl.col("l").alias("low"),
        pl.col("c").alias("close"),
        pl.col("v").alias("volume_coins"),
        pl.lit(None, dtype=pl.Float64).alias("taker_buy_coins"),
        pl.lit(None, dtype=pl.Int64).alias("trades"),
        pl.lit(source.label).alias("source"),
    )
    checks.bars(frame, source, by=("venue", "coin"))
    frame, defects = _contracts_to_coins(frame)
    return Loaded([("candles", frame)], defects)


def load_funding(source: SourceFile) -> Loaded:
    """Rates as shares per settlement interval, stamped on the full hour."""
    import polars as pl

    frame = _read(source, _FUNDING)
    frame, defects = on_the_hour(frame)
    checks.increasing(frame, source, "timestamp", by=("venue", "coin"))
    checks.funding_rates(frame, source, "funding_rate", by="venue")
    step_s = pl.col("time_ns").diff().over("venue", "coin") // 1_000_000_000
    interval = step_s.mode().min().over("venue", "coin")
    frame = frame.with_columns(step_s.alias("_step"), interval.alias("interval_s"))
    late = frame.filter(pl.col("_step") > pl.col("interval_s"))
    if late.height:
        shown = "{} {}".format(*late.select("venue", "coin").row(0))
        defects.append(
            Defect(
                "funding-holes",
                "settlements are missing inside a series",
                "left as holes",
                late.height,
                shown,
            )
        )
    frame = frame.select(
        "time_ns",
        "venue",
        "coin",
        "symbol",
        "interval_s",
        pl.col("funding_rate").alias("rate"),
        pl.lit(source.label).alias("source"),
    )
    return Loaded([("funding", frame)], defects)


def on_the_hour(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Defect]]:
    """Settlement stamps moved to the full hour they belong to, where they are within 2 s of one."""
    import polars as pl

    hour_ns = _HOUR_S * 1_000_000_000
    nearest = (pl.col("time_ns") + hour_ns // 2) // hour_ns * hour_ns
    off = pl.col("time_ns") - nearest
    moved = frame.filter((off != 0) & (off.abs() <= _JITTER_NS)).height
    rounded = frame.with_columns(
        pl.when(off.abs() <= _JITTER_NS).then(nearest).otherwise(pl.col("time_ns")).alias("time_ns")
    )
    if not moved:
        return rounded, []
    return rounded, [
        Defect(
            "funding-off-the-hour",
            "settlements are stamped up to 2 s beside the full hour",
            "stamped on the full hour",
            moved,
        )
    ]


def _read(source: SourceFile, columns: tuple[str, ...]) -> pl.DataFrame:
    import polars as pl

    frame = numbered(read_parquet(source, list(columns)))
    numbers = columns[3:]
    for name in columns:
        require_type(
            source,
            frame,
            name,
            "Float64" if name in numbers else "Datetime" if name == "timestamp" else "String",
        )
    for name in columns:
        absent = frame[name].is_null() if name not in numbers else ~frame[name].is_finite().fill_null(False)
        if absent.any():
            raise refusal(
                SchemaError,
                source,
                place=f"row {int(absent.arg_true()[0]) + 1}",
                column=name,
                expected="a value",
                found=str(frame[name][int(absent.arg_true()[0])]),
                todo="leave out rows that were not observed",
            )
    strange = sorted(set(frame["venue"].unique()) - set(_SYMBOL))
    if strange:
        raise refusal(
            SchemaError,
            source,
            column="venue",
            expected=f"venues {sorted(_SYMBOL)}",
            found=str(strange),
            todo="add the venue's symbols to the importer",
        )
    symbol = pl.lit(None, dtype=pl.String)
    for venue, pattern in _SYMBOL.items():
        coin = pl.col("coin").replace(_KRAKEN_COIN) if venue == "kraken" else pl.col("coin")
        symbol = pl.when(pl.col("venue") == venue).then(pl.format(pattern, coin)).otherwise(symbol)
    frame = frame.with_columns(pl.col("timestamp").dt.epoch("us"), symbol.alias("symbol"))
    return checks.with_time_ns(frame, source, "timestamp", "microseconds").sort("venue", "coin", ROW)


def require_type(source: SourceFile, frame: pl.DataFrame, column: str, dtype: str) -> None:
    """Refuse a Parquet column of another type than 'Float64', 'Int64', 'String' or 'Datetime'."""
    found = frame.schema[column]
    if found.base_type().__name__ != dtype:
        raise refusal(
            SchemaError,
            source,
            column=column,
            expected=f"a column of {dtype}",
            found=str(found),
            todo="give the vendor's own file",
        )


def _contracts_to_coins(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Defect]]:
    """OKX's volume in coins, once the other venues' volumes show that it counts contracts."""
    import polars as pl

    okx = pl.col("venue") == "okx"
    rows = frame.filter(okx).height
    coins = frame.filter(okx)["coin"].unique().sort().to_list()
    if not coins:
        return frame, []
    told = _counts_contracts(frame)
    if told is None:
        return frame, []
    size = pl.col("coin").replace_strict(OKX_CONTRACT_COINS, default=None, return_dtype=pl.Float64)
    frame = frame.with_columns(
        pl.when(okx)
        .then(pl.col("volume_coins") * size)
        .otherwise(pl.col("volume_coins"))
        .alias("volume_coins")
    )
    defects = [
        Defect("okx-contracts", "OKX volume is in contracts", "converted to coins per contract", rows, told)
    ]
    unknown = [coin for coin in coins if coin not in OKX_CONTRACT_COINS]
    if unknown:
        defects.append(
            Defect(
                "okx-size-unknown",
                "an OKX contract whose size is not known",
                "volume left as not observed",
                frame.filter(okx & pl.col("coin").is_in(unknown)).height,
                ", ".join(unknown),
            )
        )
    return frame, defects


def _counts_contracts(frame: pl.DataFrame) -> str | None:
    """Why OKX's volumes are contracts; None where they already are coins.

    In contracts the median hour is off the other venues' by the contract's size (100 times too many for BTC,
    a thousandth for DOGE). Where no coin can be compared, the venue's own convention holds: contracts.
    """
    import polars as pl

    medians = (
        frame.filter(pl.col("volume_coins") > 0)
        .group_by("coin", pl.col("venue") == "okx")
        .agg(pl.col("volume_coins").median().log10().alias("log"))
        .pivot("venue", index="coin", values="log")
    )
    sized = [c for c, size in OKX_CONTRACT_COINS.items() if size != 1.0]
    if not {"true", "false"} <= set(medians.columns):
        return "no other venue is in the file to compare with: OKX's own convention"
    both = medians.drop_nulls().filter(pl.col("coin").is_in(sized))
    if both.is_empty():
        return "no coin is there to compare with other venues: OKX's own convention"
    size = pl.col("coin").replace_strict(OKX_CONTRACT_COINS, return_dtype=pl.Float64).log10()
    apart = both.select(
        (pl.col("true") - pl.col("false")).abs().sum().alias("coins"),
        (pl.col("true") + size - pl.col("false")).abs().sum().alias("contracts"),
    ).row(0, named=True)
    if apart["coins"] < apart["contracts"]:
        return None
    first = both.row(0, named=True)
    times = 10 ** (first["true"] - first["false"])
    return f"{first['coin']}: the median hour is {times:,.3g} times that of the other venues"


CANDLES = Importer(
    "multi-venue-candles",
    2,
    "hourly perpetual bars of several venues",
    _CANDLES,
    re.compile(r"candles\.parquet"),
    recognise_candles,
    load_candles,
)
FUNDING = Importer(
    "multi-venue-funding",
    1,
    "settled funding of several venues",
    _FUNDING,
    re.compile(r"funding_rates\.parquet"),
    recognise_funding,
    load_funding,
)
