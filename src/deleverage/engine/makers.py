"""Displayed depth: how market makers withdraw and return, and how latent depth is revealed.

Depth relative to the start follows a target with a fast way down and a slow way up:

    target = 1 / (1 + e·(s_news + s_cascade) + i·max(0, ±inventory)/limit)
    excess    = max(0, σ̂(price) / σ₀ − 1 − max(0, σ̂(news) / σ₀ − 1))     what the market's own selling added
    s_cascade = w · excess                          w: forced share of what lately walked the book
    s_news    = max(0, σ̂(news) / σ₀ − 1) + (1 − w) · excess

with σ̂ exponentially weighted volatilities of the steps *before*: contemporaneous volatility would make
depth and price explain each other within one solve. Long inventory thins the bids, short inventory the
offers, with
the same split. News-driven withdrawal (and what voluntary trading adds) and cascade-driven withdrawal are two
mechanisms,
each with its own switch; without a liquidation w is 0 and the cascade has withdrawn nothing. A liquidated
maker's quotes are gone at once.
"""

from __future__ import annotations

import math

from deleverage.engine.index import move_spot, renew_indices
from deleverage.engine.ledger import halted
from deleverage.engine.state import Params, Setting
from deleverage.jit import kernel


@kernel
def presence(s: Setting, venue: int) -> float:
    """Share of a venue's displayed depth whose owner is still alive."""
    makers = s.parties.venue_makers[venue]
    if makers == 0:
        return 1.0
    return 1.0 - s.params.maker_depth_share * float(s.live.dead_makers[venue]) / float(makers)


@kernel
def bid_density(s: Setting, k: int) -> float:
    """Lots per unit of log price that stand below the price of market k."""
    density: float = s.markets.bid_density[k] * s.live.bid_share[k] * presence(s, s.markets.venue_of[k])
    return density


@kernel
def ask_density(s: Setting, k: int) -> float:
    """Lots per unit of log price that stand above the price of market k."""
    density: float = s.markets.ask_density[k] * s.live.ask_share[k] * presence(s, s.markets.venue_of[k])
    return density


@kernel
def latent(s: Setting, k: int) -> float:
    """Slope of the latent depth revealed so far [lots per squared unit of log price]."""
    slope: float = s.markets.latent_slope[k] * s.live.revealed[k]
    return slope


@kernel
def half_spread(s: Setting, k: int) -> float:
    """Half of the quoted spread [share of price]: wider as depth leaves, at most 5 %."""
    wide: float = s.markets.half_spread[k] * 2.0 / (s.live.bid_share[k] + s.live.ask_share[k])
    return wide if wide < 0.05 else 0.05


@kernel
def inventory_share(s: Setting, k: int) -> float:
    """Inventory of the living makers ÷ their limit, > 0 long."""
    lots = 0
    living = 0
    for i in range(s.parties.maker_count):
        row = s.parties.makers[i]
        if not s.closed[row] and s.venue[row] == s.markets.venue_of[k]:
            lots += s.size[row, k]
            living += 1
    if living == 0 or s.markets.maker_limit_lots[k] == 0:
        return 0.0
    return float(lots) / (float(living) * float(s.markets.maker_limit_lots[k]))


@kernel
def forced_share(s: Setting, k: int) -> float:
    """Share of liquidations in what lately walked the book of market k, over the memory of the volatility."""
    total = s.live.forced_flow[k] + s.live.other_flow[k]
    return s.live.forced_flow[k] / total if total > 0.0 else 0.0


@kernel
def learn_flow(s: Setting, k: int) -> None:
    """End of a step: let the lots that walked the book enter the averages, and start counting anew."""
    w = s.params.volatility_weight
    s.live.forced_flow[k] = s.live.forced_flow[k] + (float(s.live.forced_lots[k]) - s.live.forced_flow[k]) * w
    s.live.other_flow[k] = s.live.other_flow[k] + (float(s.live.other_lots[k]) - s.live.other_flow[k]) * w
    s.live.forced_lots[k] = 0
    s.live.other_lots[k] = 0


@kernel
def approach(share: float, target: float, params: Params) -> float:
    """Move a depth share towards its target: fast down, slow up."""
    speed = params.down if target < share else params.up
    return share + (target - share) * speed


@kernel
def requote(s: Setting) -> None:
    """Phase 2: displacement decays, latent depth is revealed or hidden, makers set new depth."""
    for k in range(s.markets.count):
        move_spot(s, k, s.live.spot_u[k] - s.live.spot_u[k] * s.params.spot_resilience)
    for k in range(s.markets.count):
        if s.markets.same[k, 0] == k:
            renew_indices(s, k)
        if halted(s, s.markets.venue_of[k]):
            s.tally.fired_outage = 1
            continue
        s.live.u[k] = s.live.u[k] - s.live.u[k] * s.params.resilience
        square = s.live.u[k] * s.live.u[k]
        wanted = square / (square + s.params.latent_reference * s.params.latent_reference)
        s.live.revealed[k] = s.live.revealed[k] + (wanted - s.live.revealed[k]) * s.params.latent_reveal

        news = math.sqrt(s.live.news_variance[k]) / s.markets.sigma[k] - 1.0
        if news < 0.0:
            news = 0.0
        excess = math.sqrt(s.live.price_variance[k]) / s.markets.sigma[k] - 1.0 - news
        if excess < 0.0:
            excess = 0.0
        forced = forced_share(s, k)
        inventory = inventory_share(s, k)
        cascade = s.params.elasticity * (excess * forced)
        calm = s.params.elasticity * (news + excess * (1.0 - forced))
        if cascade > 0.0 or (forced > 0.0 and inventory != 0.0):
            s.tally.fired_cascade = 1
        if calm > 0.0 or inventory != 0.0:
            s.tally.fired_news = 1
        carried = s.params.inventory_elasticity * inventory
        bid = 1.0
        ask = 1.0
        if s.params.news_withdrawal:
            bid += calm
            ask += calm
            if inventory > 0.0:
                bid += carried * (1.0 - forced)
            else:
                ask -= carried * (1.0 - forced)
        if s.params.cascade_withdrawal:
            bid += cascade
            ask += cascade
            if inventory > 0.0:
                bid += carried * forced
            else:
                ask -= carried * forced
        bid_target = 1.0 / bid
        ask_target = 1.0 / ask
        if bid_target < s.params.depth_floor:
            bid_target = s.params.depth_floor
        if ask_target < s.params.depth_floor:
            ask_target = s.params.depth_floor
        s.live.bid_share[k] = approach(s.live.bid_share[k], bid_target, s.params)
        s.live.ask_share[k] = approach(s.live.ask_share[k], ask_target, s.params)


@kernel
def learn_volatility(s: Setting, k: int, mid: float, fair: int) -> None:
    """End of a step: let the squared returns of price and news enter the averages."""
    price_return = (mid - s.live.last_mid[k]) / s.live.last_mid[k]
    news_return = (float(fair) - float(s.live.last_fair[k])) / float(s.live.last_fair[k])
    w = s.params.volatility_weight
    s.live.price_variance[k] = (
        s.live.price_variance[k] + (price_return * price_return - s.live.price_variance[k]) * w
    )
    s.live.news_variance[k] = (
        s.live.news_variance[k] + (news_return * news_return - s.live.news_variance[k]) * w
    )
    s.live.last_mid[k] = mid
    s.live.last_fair[k] = fair
