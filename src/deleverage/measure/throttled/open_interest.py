"""What do open interest and trades say of liquidations, where a throttled feed says too little?

Two bounds. A forced closing in the book is a trade whose taker it is: longs closed by force are not more
coins than takers sold, shorts not more than takers bought. And a fall of open interest comes from closings,
forced or not; how many of them are forced is learnt from venues with full feeds,

    log(forced coins ÷ open interest) = a + b · log(fall ÷ open interest) + s · z,

from stretches before the one asked for. A fall alone bounds nothing: closings are voluntary, too, and new
positions hide closed ones. So the second one is used only where the feed itself gives no upper end, and never
beyond the falls that it was learnt from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

FEWEST = 20
"""Pairs below which nothing is said."""

_BEYOND = math.log(1.5)
"""Falls larger than 1.5 times the largest one seen are not asked about."""


class Fall(NamedTuple):
    """Open interest at the start of a stretch and its fall [coins]; < 0 where it rose."""

    before: float
    coins: float


@dataclass(frozen=True)
class ForcedShare:
    """The regression of forced coins on the fall of open interest."""

    a: float
    b: float
    s: float
    pairs: int
    mean: float
    square: float
    largest: float

    def forced(self, fall: Fall) -> tuple[float, float, float] | None:
        """5, 50 and 95 % points of the forced coins; None where the fall lies outside of what was learnt."""
        if fall.coins <= 0.0 or fall.before <= 0.0:
            return None
        x = math.log(fall.coins / fall.before)
        if x > self.largest + _BEYOND:
            return None
        width = 1.645 * self.s * math.sqrt(1.0 + 1.0 / self.pairs + (x - self.mean) ** 2 / self.square)
        middle = self.a + self.b * x + math.log(fall.before)
        return math.exp(middle - width), math.exp(middle), math.exp(middle + width)


def falls(open_interest: pl.DataFrame, venue: str, coin: str, start_ns: int, end_ns: int) -> Fall | None:
    """Fall of a venue's open interest over [start_ns, end_ns); None where either end was not observed.

    open_interest : table `open_interest`, rows of scope 'all'. An end is the last row before it, not older
    than the stretch is long.
    """
    rows = open_interest.filter(
        (pl.col("venue") == venue)
        & (pl.col("coin") == coin)
        & (pl.col("scope") == "all")
        & pl.col("coins").is_not_null()
        & (pl.col("time_ns") <= end_ns)
    ).sort("time_ns")
    times, coins = rows["time_ns"].to_numpy(), rows["coins"].to_numpy()
    ends = []
    for moment in (start_ns, end_ns):
        k = int(np.searchsorted(times, moment, side="right")) - 1
        if k < 0 or times[k] < moment - (end_ns - start_ns):
            return None
        ends.append((k, float(coins[k])))
    (first, before), (last, after) = ends
    return Fall(before, before - after) if last > first else None


def learn_forced(pairs: Sequence[tuple[Fall, float]]) -> ForcedShare | None:
    """The regression from stretches of full feeds: falls, and forced coins. None from fewer than 20."""
    used = [
        (math.log(fall.coins / fall.before), math.log(coins / fall.before))
        for fall, coins in pairs
        if fall.coins > 0.0 and fall.before > 0.0 and coins > 0.0
    ]
    if len(used) < FEWEST:
        return None
    x, y = np.array(used).T
    mean, square = float(x.mean()), float(((x - x.mean()) ** 2).sum())
    if square <= 1e-9:
        return None
    b = float((x - mean) @ (y - y.mean())) / square
    a = float(y.mean()) - b * mean
    s = math.sqrt(float(((y - a - b * x) ** 2).sum()) / (len(used) - 2))
    return ForcedShare(a, b, s, len(used), mean, square, float(x.max()))


def taker_coins(
    trades: pl.DataFrame, venue: str, coin: str, start_ns: int, end_ns: int
) -> tuple[float, float] | None:
    """Coins that takers sold and bought in [start_ns, end_ns): bounds of longs and shorts. None without
    trades.

    trades : table `trades`; the spot market is left out.
    """
    rows = trades.filter(
        (pl.col("venue") == venue)
        & (pl.col("coin") == coin)
        & (pl.col("kind") != "spot")
        & (pl.col("time_ns") >= start_ns)
        & (pl.col("time_ns") < end_ns)
    )
    if rows.is_empty():
        return None
    sold, bought = (float(rows.filter(pl.col("side") == side)["coins"].sum()) for side in ("sell", "buy"))
    return sold, bought
