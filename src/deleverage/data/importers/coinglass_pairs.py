"""The state of every contract of a coin at the moment of a snapshot, one row a contract."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import Defect, Importer, Loaded, SourceFile, has_columns
from deleverage.data.importers.coinglass_folder import folder_of, other_day
from deleverage.data.importers.csv_text import ROW
from deleverage.data.importers.layout import layout_of
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
)
_COLUMNS = _TEXTS + _NUMBERS

_PERCENT = Defect("funding_rate is in percent", "divided by 100: a share per funding interval")
# Correlation of a contract's 24-h return with ln(long / short) is +0.80 over 50 snapshots; longs are
# liquidated in falls, and in the vendor's own list by venue it is -0.71.
_SWAPPED = Defect(
    "long_liquidation_usd_24h and short_liquidation_usd_24h are swapped", "swapped back: longs are longs"
)
_NO_TIME = Defect(
    "the file carries no time",
    "stamped with the fetch that the folder's open-interest charts show, up to the minute",
)


def recognise(path: Path) -> bool:
    """A Parquet file with one row a contract: ids, price, open interest, funding, liquidations."""
    return has_columns(layout_of(path), "parquet", _COLUMNS)


def load(source: SourceFile) -> Loaded:
    """Pairs file to one snapshot row a contract; a contract with a funding rate is a perpetual."""
    import polars as pl

    folder = folder_of(source)
    if folder is None:
        return Loaded(
            skipped="the file carries no time, and no folder of its day (like 20251010) with open-interest "
            "charts is there to tell it"
        )
    frame = pl.read_parquet(source.path, columns=list(_COLUMNS)).with_row_index(ROW, offset=1)
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
    return Loaded(
        [("snapshots", _snapshots(frame, source))],
        [_NO_TIME, _PERCENT, _SWAPPED, *other_day(source, folder), *defects],
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
            Defect(f"index_price of {', '.join(contracts)} is not in USD", "index left as not observed")
        )
    if frame.filter(empty.fill_null(False)).height:
        defects.append(
            Defect("contracts with an open interest of exactly 0", "open interest left as not observed")
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
        pl.col("short_liquidation_usd_24h").alias("long_liquidations_usd_24h"),
        pl.col("long_liquidation_usd_24h").alias("short_liquidations_usd_24h"),
        pl.lit(source.label).alias("source"),
    )


PAIRS = Importer(
    "coinglass-pairs",
    1,
    "state of every contract of a coin",
    _COLUMNS,
    re.compile(r"api_futures_pairs_markets_[A-Z0-9]+\.parquet"),
    recognise,
    load,
)
