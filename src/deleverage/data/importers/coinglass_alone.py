"""Is CoinGlass's 'aggregated' depth one venue's? The depth of Binance's contract beside it tells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deleverage.data.importers.base import Defect, SourceFile

if TYPE_CHECKING:
    import polars as pl

_SIDES = ("bids_usd", "bids_quantity", "asks_usd", "asks_quantity")
_ALIKE = 1.5  # several venues together show a multiple of one
_SAME_PRICE = 0.01


def one_venue(source: SourceFile, frame: pl.DataFrame, coin: str) -> list[Defect]:
    """The defect, where the sums about mid are hardly more than those of Binance's one contract beside."""
    if source.member:
        return []
    for path in sorted(source.path.parent.glob("api_*_orderbook_ask_bids_history*.parquet")):
        ratio = _ratio(path, frame)
        if ratio is not None and ratio < _ALIKE:
            return [
                Defect(
                    "depth-binance-only",
                    "depth that says 'aggregated' and is Binance's alone",
                    "stored as Binance's",
                    example=f"{coin}: {ratio:.2f} times the depth of Binance's one contract",
                )
            ]
    return []


def _ratio(path: Path, frame: pl.DataFrame) -> float | None:
    """Median of the bids over those of the other file, on common times and for the same price."""
    import polars as pl

    try:
        other = pl.read_parquet(path, columns=[*_SIDES, "time"])
    except (pl.exceptions.PolarsError, OSError):
        return None  # its own import says what is wrong with it
    mine = frame.select("time_ns", "bids_usd", "bids_quantity")
    both = mine.join(
        other.with_columns((pl.col("time") * 1_000_000).alias("time_ns")), on="time_ns", suffix="_other"
    )
    price = pl.col("bids_usd") / pl.col("bids_quantity")
    same = (price / (pl.col("bids_usd_other") / pl.col("bids_quantity_other")) - 1).abs().median()
    found = both.select(
        same.alias("off"), (pl.col("bids_usd") / pl.col("bids_usd_other")).median().alias("ratio")
    )
    off, ratio = found.row(0) if both.height >= 3 else (None, None)
    return float(ratio) if off is not None and off < _SAME_PRICE and ratio is not None else None
