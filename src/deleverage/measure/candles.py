"""What real price bars say: which are the finest, how far they fell, how often they lie in a band."""

from __future__ import annotations

import polars as pl

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS

_FINEST = (("perp", 60), ("spot", 300), ("perp", 3600), ("spot", 3600))
"""Kinds and lengths [s] of bars, most wanted first; spot stands in where fine bars of the perpetual end."""


def finest(bars: pl.DataFrame, start_ns: int, end_ns: int) -> pl.DataFrame:
    """Bars of one coin from ``start_ns`` to ``end_ns``, each time covered once, by the finest kind.

    bars : table `candles` of one coin. A bar that opened before the start holds prices of before: not used.
    """
    covered = start_ns
    chosen = []
    for kind, interval in _FINEST:
        found = bars.filter(
            (pl.col("kind") == kind)
            & (pl.col("interval_s") == interval)
            & (pl.col("time_ns") >= covered)
            & (pl.col("time_ns") < end_ns)
        ).sort("time_ns")
        if found.height:
            chosen.append(found)
            covered = int(found["time_ns"][-1]) + interval * SECOND_NS
    return pl.concat(chosen) if chosen else bars.clear()


def share_of_closes_inside(bars: pl.DataFrame, band: pl.DataFrame) -> float | None:
    """Share of bars whose close lies within the band at the minute in which they end; None where none does.

    bars : table `candles`; band : columns time_ns (opening of the minute), low_band, high_band [USD/coin].
    """
    last_minute = pl.col("time_ns") + pl.col("interval_s") * SECOND_NS - MINUTE_NS
    both = bars.with_columns(last_minute.alias("minute")).join(band, left_on="minute", right_on="time_ns")
    if not both.height:
        return None
    inside = both.select((pl.col("close") >= pl.col("low_band")) & (pl.col("close") <= pl.col("high_band")))
    return float(inside.to_series().to_numpy().mean())
