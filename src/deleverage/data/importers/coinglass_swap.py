"""Are the long and the short liquidations of CoinGlass's pairs files in each other's column?

Longs are liquidated in falls. So over snapshots the return of 24 hours goes against ln(long / short); where
it goes with it, the columns are swapped. One snapshot tells it by its own fall or rise, if that is large.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from deleverage.data.importers.base import Defect, SourceFile

if TYPE_CHECKING:
    import polars as pl

RETURN = "price_change_percent_24h"
LONG, SHORT = "long_liquidation_usd_24h", "short_liquidation_usd_24h"
_FEWEST = 8  # snapshots from which a correlation says something
_CLEAR = 0.3
_LARGE = 1.0  # percent


def swapped(source: SourceFile, frame: pl.DataFrame) -> Defect | None:
    """The defect, where the columns of this file are swapped; None where they are not."""
    files = _beside(source)
    points = [point for point in (_point_of(path) for path in files) if point is not None]
    own = _point(frame)
    how = "the vendor's known mistake: neither this snapshot nor others beside it tell"
    verdict = True
    if len(points) >= _FEWEST and abs(r := _correlation(points)) >= _CLEAR:
        verdict, how = (
            r > 0,
            f"correlation of the return with ln(long / short) is {r:+.2f} over the snapshots",
        )
    elif own is not None and abs(own[0]) >= _LARGE:
        verdict = own[0] * own[1] > 0
        how = f"the coin {'fell' if own[0] < 0 else 'rose'} by {abs(own[0]):.1f} %"
    if not verdict:
        return None
    return Defect(
        "liquidations-swapped",
        f"{LONG} and {SHORT} are swapped",
        "swapped back: longs are longs",
        example=how,
    )


def _beside(source: SourceFile) -> list[Path]:
    if source.member:
        return []
    day = next((parent for parent in source.path.parents if parent.name.isdigit()), None)
    return [] if day is None else _files(day.parent)


@lru_cache(maxsize=8)
def _files(root: Path) -> list[Path]:
    return sorted(root.glob("*/futures/market/api_futures_pairs_markets_*.parquet"))


def _point_of(path: Path) -> tuple[float, float] | None:
    state = path.stat()
    return _read(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4096)
def _read(path: Path, _mtime_ns: int, _size: int) -> tuple[float, float] | None:
    import polars as pl

    try:
        return _point(pl.read_parquet(path, columns=[RETURN, LONG, SHORT]))
    except (pl.exceptions.PolarsError, OSError):
        return None  # its own import says what is wrong with it


def _point(frame: pl.DataFrame) -> tuple[float, float] | None:
    """Return of 24 h [percent] and ln(long / short) of a coin at one moment."""
    change = frame[RETURN].median()
    long, short = float(frame[LONG].sum()), float(frame[SHORT].sum())
    if not isinstance(change, float) or long <= 0 or short <= 0:
        return None
    return change, math.log(long / short)


def _correlation(points: list[tuple[float, float]]) -> float:
    n = len(points)
    mean_x, mean_y = math.fsum(x for x, _ in points) / n, math.fsum(y for _, y in points) / n
    cross = sum((x - mean_x) * (y - mean_y) for x, y in points)
    spread = sum((x - mean_x) ** 2 for x, _ in points) * sum((y - mean_y) ** 2 for _, y in points)
    return cross / math.sqrt(spread) if spread > 0 else 0.0
