"""The state of every contract of a coin at the moment of a snapshot, one row a contract."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import Defect, Importer, Loaded, SourceFile, has_columns
from deleverage.data.importers.coinglass_folder import NO_FOLDER, NO_TIME, folder_of, other_day
from deleverage.data.importers.coinglass_swap import swapped
from deleverage.data.importers.content import read_parquet
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import numbered
from deleverage.errors import UnitError

if TYPE_CHECKING:
    import polars as pl

_TEXTS = ("instrument_id", "exchange_name", "symbol")
_NUMBERS = (
    "current_price",
    "index_price",
    "volume_usd",
    "open_interest_quantity",
    "open_interest_usd",
    "long_liquidation_usd_24h",
    "short_liquidation_usd_24h",
    "funding_rate",
    "price_change_percent_24h",
)
_COLUMNS = _TEXTS + _NUMBERS

_PERCENT = Defect(
    "funding-in-percent", "funding rates are in percent", "divided by 100: a share per funding interval"
)
_REPEATED = "some contracts of a venue stand under one pair: a dollar pair once for each collateral and date"


def recognise(layout: Layout) -> bool:
    """A Parquet file with one row a contract: ids, price, open interest, funding, liquidations."""
    return has_columns(layout, "parquet", _COLUMNS)


def load(source: SourceFile) -> Loaded:
    """Pairs file to one snapshot row a contract; a contract with a funding rate is a perpetual."""
    import polars as pl

    folder = folder_of(source)
    if folder is None:
        return Loaded(skipped=NO_FOLDER)
    frame = numbered(read_parquet(source, list(_COLUMNS)))
    frame = frame.with_columns(
        *(pl.col(name).cast(pl.Float64).fill_nan(None) for name in _NUMBERS),
        pl.col("symbol").str.split("/").list.first().alias("coin"),
        pl.lit(folder.stamp_ns, dtype=pl.Int64).alias("time_ns"),
    )
    for name in _TEXTS:
        checks.require(
            frame,
            pl.col(name).is_not_null(),
            source,
            column=name,
            expected="a text",
            todo="give the vendor's own file",
        )
    checks.require(
        frame,
        pl.struct("exchange_name", "instrument_id").is_duplicated().not_(),
        source,
        column="instrument_id",
        expected="each contract of a venue once",
        todo="leave out repeated contracts",
    )
    checks.price(frame, source, "current_price")
    for name in (
        "volume_usd",
        "open_interest_quantity",
        "open_interest_usd",
        "long_liquidation_usd_24h",
        "short_liquidation_usd_24h",
    ):
        checks.not_negative(frame, source, name)
    checks.require(
        frame,
        pl.col("funding_rate").abs() <= 100 * checks.MAX_RATE,
        source,
        column="funding_rate",
        expected=f"percent per interval, at most {100 * checks.MAX_RATE:g}",
        todo="give the vendor's own file",
        kind=UnitError,
    )
    frame, defects = _unobserved(frame)
    swap = swapped(source, frame)
    if swap is not None:
        defects.append(swap)
        frame = frame.rename(
            {
                "long_liquidation_usd_24h": "short_liquidation_usd_24h",
                "short_liquidation_usd_24h": "long_liquidation_usd_24h",
            }
        )
    repeated = frame.filter(pl.struct("exchange_name", "symbol").is_duplicated())
    if repeated.height:
        row = repeated.row(0, named=True)
        shown = f"{row['exchange_name']} {row['symbol']}"
        defects.append(
            Defect("pairs-repeated", _REPEATED, "told apart by the contract", repeated.height, shown)
        )
    return Loaded(
        [("snapshots", _snapshots(frame, source))],
        [NO_TIME, _PERCENT, *other_day(source, folder), *defects],
    )


def _unobserved(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Defect]]:
    """Values that cannot be observations become null: an open interest of 0, an index in another currency."""
    import polars as pl

    defects = []
    foreign = ((pl.col("index_price") / pl.col("current_price")).is_between(0.5, 2.0)).not_()
    empty = (pl.col("open_interest_quantity") == 0) | (pl.col("open_interest_usd") == 0)
    contracts = frame.filter(foreign.fill_null(False))["instrument_id"].to_list()
    if contracts:
        defects.append(
            Defect(
                "index-not-in-usd",
                "an index price in another currency",
                "index left as not observed",
                len(contracts),
                ", ".join(contracts),
            )
        )
    if none := frame.filter(empty.fill_null(False)).height:
        defects.append(
            Defect("zero-open-interest", "an open interest of exactly 0", "left out as not observed", none)
        )
    return frame.with_columns(
        pl.when(foreign.fill_null(False)).then(None).otherwise(pl.col("index_price")).alias("index_price"),
        *(
            pl.when(empty.fill_null(False)).then(None).otherwise(pl.col(name)).alias(name)
            for name in ("open_interest_quantity", "open_interest_usd")
        ),
    ), defects


def _snapshots(frame: pl.DataFrame, source: SourceFile) -> pl.DataFrame:
    import polars as pl

    return frame.select(
        "time_ns",
        pl.col("exchange_name").str.to_lowercase().alias("venue"),
        "coin",
        pl.col("instrument_id").alias("symbol"),
        pl.when(pl.col("funding_rate").is_not_null())
        .then(pl.lit("perp"))
        .otherwise(pl.lit("future"))
        .alias("kind"),
        pl.col("current_price").alias("price"),
        "index_price",
        pl.col("open_interest_quantity").alias("open_interest_coins"),
        "open_interest_usd",
        (pl.col("funding_rate") / 100).alias("funding_rate"),
        pl.col("volume_usd").alias("volume_usd_24h"),
        pl.col("long_liquidation_usd_24h").alias("long_liquidations_usd_24h"),
        pl.col("short_liquidation_usd_24h").alias("short_liquidations_usd_24h"),
        pl.lit(source.label).alias("source"),
    )


PAIRS = Importer(
    "coinglass-pairs",
    2,
    "state of every contract of a coin",
    _COLUMNS,
    re.compile(r"api_futures_pairs_markets_[A-Z0-9]+\.parquet"),
    recognise,
    load,
)
