"""Index, mid and mark, in plain Python.

Part of the twin (`reference/engine.py`); as `deleverage/engine/index.py` and `deleverage/venues/mark.py`.
"""

from __future__ import annotations

from math import floor

from deleverage.venues.rules import MarkRule, Trigger
from reference.book import exp_neg, median_mark
from reference.ledger import Ledger
from reference.market import Market


class Prices(Ledger):
    """What a market, its index and its mark stand at."""

    def weighted_median(self, weights: list[float], values: list[float]) -> float | None:
        """Value at which half of the weight is reached, ties in order of market. None without weight."""
        total = 0.0
        for weight in weights:
            total += weight
        for j, weight in enumerate(weights[: len(values)]):
            if weight > 0.0:
                below = 0.0
                for i, value in enumerate(values):
                    if value < values[j] or (value == values[j] and i < j):
                        below += weights[i]
                if 2.0 * below < total <= 2.0 * (below + weight):
                    return values[j]
        return None

    def index_level(self, market: Market) -> float:
        """Index ÷ fair value: of one spot market; of several, the median or the mean of those within 5 %."""
        levels = [exp_neg(m.spot_u) for m in self.markets]
        if market.index_weight[market.number] == 1.0:
            return levels[market.number]
        centre = self.weighted_median(market.index_weight, levels)
        assert centre is not None
        if market.venue.index_median:
            return centre
        total = parts = 0.0
        for level, weight in zip(levels, market.index_weight, strict=False):
            if weight > 0.0 and abs(level / centre - 1.0) <= 0.05:
                total += weight
                parts += weight * level
        return parts / total

    def index_price(self, market: Market, fair: int) -> float:
        """The index before it is rounded [ticks]."""
        return float(fair) * self.index_level(market)

    def anchor(self, market: Market, fair: int) -> float:
        """Price about which the perpetual's book stands [ticks]."""
        return self.index_price(market, fair) * market.basis

    def price(self, market: Market, fair: int) -> float:
        """The perpetual's mid before it is rounded [ticks]."""
        return self.anchor(market, fair) * exp_neg(market.u)

    def refresh_mid(self, market: Market, fair: int) -> None:
        """Index and mid, to the nearest tick; the lowest mid is remembered."""
        if self.is_halted(market.venue):
            return
        market.index = int(self.index_price(market, fair) + 0.5)
        market.mid = int(self.price(market, fair) + 0.5)
        if market.mid < self.sums.trough[market.number]:
            self.sums.trough[market.number] = market.mid
            self.sums.trough_step[market.number] = self.second

    def mark(self, m: Market) -> int:
        """The venue's rule for the price at which margin is checked [ticks]."""
        rules, venue = self.rules, m.venue
        mean_basis = sum(m.basis_window) // venue.mark_window
        if rules.trigger_last or venue.trigger == Trigger.LAST:
            return m.mid
        if venue.trigger == Trigger.ORACLE or venue.mark_rule == MarkRule.ORACLE:
            return m.index
        if venue.mark_rule == MarkRule.INDEX_WITH_BASIS:
            return m.index + mean_basis
        if venue.mark_rule == MarkRule.MEDIAN_WITH_EMA:
            own = floor(m.ema_sum / m.ema_weight + 0.5)
            peers = self.weighted_median(m.peer_weight, [other.mid for other in self.markets])
            third = m.index + mean_basis if peers is None else int(peers)
            return sorted((m.index + own, m.mid, third))[1]
        interval = venue.funding_interval_s
        left = interval - (rules.start_s + self.second) % interval
        return median_mark(m.index, mean_basis, m.mid, m.funding_ppb, left, interval)
