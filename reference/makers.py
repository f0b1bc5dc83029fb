"""Makers who leave and come back, in plain Python.

Part of the twin (`reference/engine.py`); as `deleverage/engine/makers.py`.
"""

from __future__ import annotations

from math import sqrt

from reference.collateral import Collateral
from reference.market import Market


class Makers(Collateral):
    """The book that makers leave."""

    def presence(self, venue: int) -> float:
        """Share of a venue's displayed depth whose owner is alive."""
        makers = [maker for maker in self.makers if maker.venue == venue]
        if not makers:
            return 1.0
        return 1.0 - self.rules.maker_depth_share * float(self.dead_makers[venue]) / float(len(makers))

    def book(self, market: Market) -> tuple[float, float, float]:
        """Density below and above the price, and slope of the latent depth revealed so far."""
        alive = self.presence(market.venue_of)
        return (
            market.bid_density * market.bid_share * alive,
            market.ask_density * market.ask_share * alive,
            market.latent_slope * market.revealed,
        )

    def half_spread(self, market: Market) -> float:
        """Wider as depth leaves; at most 5 %."""
        return min(market.half_spread * 2.0 / (market.bid_share + market.ask_share), 0.05)

    def inventory_share(self, market: Market) -> float:
        """Inventory of living makers ÷ their limit."""
        living = [maker for maker in self.makers if not maker.closed and maker.venue == market.venue_of]
        if not living or market.maker_limit_lots == 0:
            return 0.0
        lots = sum(maker.size[market.number] for maker in living)
        return float(lots) / (float(len(living)) * float(market.maker_limit_lots))

    def requote(self, market: Market) -> None:
        """Displacement decays, latent depth comes or goes, displayed depth follows its target.

            target = 1 / (1 + e·(news + excess) + i·max(0, ±inventory)/limit)

        News is how far the volatility of the fair value exceeds that before the night, excess what the
        price's own volatility adds to it. Excess and inventory are the cascade's as far as liquidations
        are what lately walked the book, and belong to the news otherwise: two mechanisms with a switch
        each. Down fast, up slowly.
        """
        rules = self.rules
        market.spot_u = market.spot_u - market.spot_u * rules.spot_resilience
        if self.is_halted(market.venue):
            self.sums.fired_outage = 1
            return
        market.u = market.u - market.u * rules.resilience
        square = market.u * market.u
        wanted = square / (square + rules.latent_reference * rules.latent_reference)
        market.revealed = market.revealed + (wanted - market.revealed) * rules.latent_reveal

        news = max(0.0, sqrt(market.news_variance) / market.sigma - 1.0)
        excess = max(0.0, sqrt(market.price_variance) / market.sigma - 1.0 - news)
        flow = market.forced_flow + market.other_flow
        forced = market.forced_flow / flow if flow > 0.0 else 0.0
        inventory = self.inventory_share(market)
        cascade = rules.elasticity * (excess * forced)
        calm = rules.elasticity * (news + excess * (1.0 - forced))
        carried = rules.inventory_elasticity * inventory
        self.sums.fired_news |= calm > 0.0 or inventory != 0.0
        self.sums.fired_cascade |= cascade > 0.0 or (forced > 0.0 and inventory != 0.0)
        bid = ask = 1.0
        for is_on, volatility, share in (
            (rules.news_withdrawal, calm, 1.0 - forced),
            (rules.cascade_withdrawal, cascade, forced),
        ):
            if is_on:
                bid += volatility
                ask += volatility
                if inventory > 0.0:
                    bid += carried * share
                else:
                    ask -= carried * share
        market.bid_share = self.approach(market.bid_share, max(1.0 / bid, rules.depth_floor))
        market.ask_share = self.approach(market.ask_share, max(1.0 / ask, rules.depth_floor))

    def approach(self, share: float, target: float) -> float:
        """One second towards a target."""
        return share + (target - share) * (self.rules.down if target < share else self.rules.up)

    def learn_flow(self, market: Market) -> None:
        """Who walked the book in this second enters the makers' averages."""
        weight = self.rules.volatility_weight
        market.forced_flow += (float(market.forced_lots) - market.forced_flow) * weight
        market.other_flow += (float(market.other_lots) - market.other_flow) * weight
        market.forced_lots = market.other_lots = 0

    def learn_volatility(self, market: Market, fair: int) -> None:
        """The second's squared returns enter the makers' averages."""
        mid = self.price(market, fair)
        price_return = (mid - market.last_mid) / market.last_mid
        news_return = (float(fair) - float(market.last_fair)) / float(market.last_fair)
        weight = self.rules.volatility_weight
        market.price_variance += (price_return * price_return - market.price_variance) * weight
        market.news_variance += (news_return * news_return - market.news_variance) * weight
        market.last_mid = mid
        market.last_fair = fair
