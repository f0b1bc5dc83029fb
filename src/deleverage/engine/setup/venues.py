"""From the rules of venues, and the switches of a run, to rows of numbers."""

from __future__ import annotations

import math
from fractions import Fraction

from deleverage.engine.setup.markets import Money
from deleverage.engine.setup.scales import gap_per_step, per_step
from deleverage.engine.setup.specs import (
    BookSpec,
    PartiesSpec,
    RulesSpec,
    VenueSpec,
)
from deleverage.engine.state import (
    LATENCY_MAX,
    VENUES_MAX,
    WINDOW_MAX,
    Markets,
    Params,
    Venues,
    new,
)
from deleverage.errors import InputError
from deleverage.units import PPB, PPM, uusd
from deleverage.venues.rules import MarkRule

EMA_S = 150.0
"""Time constant of the moving average in `MarkRule.MEDIAN_WITH_EMA` [s] (Hyperliquid documents)."""


def build_venues(venues: list[VenueSpec], markets: Markets, moneys: list[Money]) -> Venues:
    """Kernel parameters of every venue.

    Raises
    ------
    InputError
        more venues than a record holds, or a mark window out of bounds.
    """
    if not 1 <= len(venues) <= VENUES_MAX:
        raise InputError(f"expected 1 to {VENUES_MAX} venues, found {len(venues)}")
    record = new(Venues)
    record.count = len(venues)
    for v, spec in enumerate(venues):
        # A mark that is the oracle has no window; the means are kept all the same, of one sample.
        window = max(spec.mark.window_s, 1) if spec.mark.rule is MarkRule.ORACLE else spec.mark.window_s
        if not 1 <= window <= WINDOW_MAX:
            raise InputError(
                f"the mark window must be between 1 and {WINDOW_MAX} s, found {spec.mark.window_s}"
            )
        own = [k for k in range(markets.count) if markets.venue_of[k] == v]
        fee = Fraction(spec.liquidation_fee).limit_denominator(PPM)
        rule = spec.waterfall
        figures = {
            "first": own[0], "end": own[-1] + 1,
            "trigger": rule.trigger, "order_limit": rule.order_limit, "slice": rule.slice,
            "takeover": rule.takeover, "adl_trigger": rule.adl_trigger, "adl_rank": rule.adl_rank,
            "adl_price": rule.adl_price,
            "slice_ppm": round(rule.slice_share * PPM),
            "slice_above_uusd": uusd(rule.slice_above_usd),
            "slice_minimum_uusd": uusd(rule.slice_minimum_usd),
            "slice_maximum_uusd": uusd(rule.slice_maximum_usd),
            "cooldown_s": rule.cooldown_s,
            "backstop_ppm": round(rule.backstop_share * PPM),
            "vault_loss_ppm": round(rule.vault_loss_share * PPM),
            "fund_drop_ppm": round(rule.fund_drop_share * PPM),
            "fund_drop_uusd": moneys[v].of(rule.fund_drop_usd),
            "price_bound_ppm": round(rule.price_bound * PPM),
            "rest_to_fund": rule.rest_to_fund,
            "adjustment_ppm": round(rule.bankruptcy_adjustment * PPM),
            "spread_ppm": round(rule.spread_to_maintenance * PPM),
            "mark_rule": spec.mark.rule, "mark_window": window,
            "index_median": spec.index_median,
            "funding_interval_s": spec.funding_interval_h * 3600,
            "interest_ppb": round(spec.interest * PPB), "clamp_ppb": round(spec.funding_clamp * PPB),
            "cap_ppb": round((spec.funding_cap or 0.1) * PPB),
            "fee_num": fee.numerator, "fee_den": fee.denominator,
            "halt_from": spec.halt_from_s, "halt_until": spec.halt_until_s,
            "exchange_limit_uusd": uusd(spec.exchange_limit_usd),
        }  # fmt: skip
        for name, value in figures.items():
            record[name][v] = int(value)
    return record


def build_params(
    book: BookSpec,
    parties: PartiesSpec,
    rules: RulesSpec,
    *,
    steps: int,
    start_s: int,
    max_rounds: int = 2000,
    draw: int = 0,
) -> Params:
    """Kernel parameters that all markets share, with every mechanism on."""
    for name, value in (
        ("the latency of arbitrage", parties.arbitrage_latency_s),
        ("the latency of hedges", parties.hedge_latency_s),
    ):
        if not 1 <= value <= LATENCY_MAX:
            raise InputError(f"{name} must be between 1 and {LATENCY_MAX} s, found {value}")
    params = new(Params)
    params.steps = steps
    params.start_s = start_s
    params.ema_decay = math.exp(-1.0 / EMA_S)
    params.draw = draw
    params.resilience = per_step(book.resilience_half_life_s)
    params.spot_resilience = per_step(book.spot_resilience_half_life_s)
    params.latent_reveal = gap_per_step(book.latent_reveal_s)
    params.latent_reference = book.latent_reference
    params.volatility_weight = per_step(book.volatility_half_life_s)
    params.elasticity = book.volatility_elasticity
    params.inventory_elasticity = book.inventory_elasticity
    params.depth_floor = book.floor
    params.down = gap_per_step(book.down_s)
    params.up = gap_per_step(book.up_s)
    params.maker_depth_share = parties.maker_depth_share
    params.arbitrage_threshold = parties.arbitrage_threshold_bps / 1e4
    params.arbitrage_latency = parties.arbitrage_latency_s
    params.hedge_latency = parties.hedge_latency_s
    params.dip_threshold = parties.dip_threshold
    params.dip_leverage = parties.dip_leverage
    params.exit_steps = max(1, round(rules.exit_hours * 3600))
    params.max_rounds = max_rounds
    params.recount_every = 60
    params.adl = 1
    params.news_withdrawal = 1
    params.cascade_withdrawal = 1
    params.stops = 1
    params.outage = 1
    params.collateral = 1
    params.socialise = int(rules.socialise)
    params.trigger_last = int(rules.trigger_last)
    params.no_limit = int(rules.no_limit)
    params.double_impact = int(rules.double_impact)
    return params
