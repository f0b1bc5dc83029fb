"""What is the index of a venue? One spot market, or several of the same coin: their mean or their median."""

from __future__ import annotations

from deleverage.engine.book import exp_neg
from deleverage.engine.state import Setting
from deleverage.jit import kernel
from deleverage.units import Floats, Int64s

FAR_SOURCE = 0.05
"""A spot source further than this from the median of its index does not count [share]."""


@kernel
def median_market(s: Setting, k: int, weight: Floats, value: Floats | Int64s) -> int:
    """The market of the coin of market ``k`` at whose value half of the weight is reached; −1 without weight.

    weight, value : per market. Equal values stand in order of market.
    """
    total = 0.0
    for a in range(s.markets.same_count[k]):
        total += weight[s.markets.same[k, a]]
    for a in range(s.markets.same_count[k]):
        j = s.markets.same[k, a]
        if weight[j] > 0.0:
            below = 0.0
            for b in range(s.markets.same_count[k]):
                i = s.markets.same[k, b]
                if value[i] < value[j] or (value[i] == value[j] and i < j):
                    below += weight[i]
            if 2.0 * below < total and total <= 2.0 * (below + weight[j]):
                return int(j)
    return -1


@kernel
def index_of(s: Setting, k: int) -> float:
    """Index ÷ fair value of market ``k``, from the levels of the spot markets."""
    weight = s.markets.index_weight[k]
    level = s.live.spot_level
    if weight[k] == 1.0:
        return float(level[k])
    centre = float(level[median_market(s, k, weight, level)])
    if s.venues.index_median[s.markets.venue_of[k]]:
        return centre
    total = 0.0
    parts = 0.0
    for a in range(s.markets.same_count[k]):
        j = s.markets.same[k, a]
        if weight[j] > 0.0 and abs(level[j] / centre - 1.0) <= FAR_SOURCE:
            total += weight[j]
            parts += weight[j] * level[j]
    return parts / total


@kernel
def move_spot(s: Setting, k: int, u: float) -> None:
    """Set the displacement of a spot book; `renew_indices` must follow before any index is read."""
    s.live.spot_u[k] = u
    s.live.spot_level[k] = exp_neg(u)


@kernel
def renew_indices(s: Setting, k: int) -> None:
    """Bring the indices that a spot book can enter up to date: those of its coin."""
    for a in range(s.markets.same_count[k]):
        j = s.markets.same[k, a]
        s.live.index_level[j] = index_of(s, j)
