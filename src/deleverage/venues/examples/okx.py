"""Worked examples of OKX: liquidation price, legacy partial liquidation, the fund's trigger."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from deleverage.venues import fund, linear, okx, slices
from deleverage.venues.adl import ranks
from deleverage.venues.examples import fine
from deleverage.venues.examples.binance import others
from deleverage.venues.examples.given import (
    DEDUCTION,
    ENTRY,
    LEVERAGE,
    MARK,
    RATE,
    SIZE,
    TAKER,
    Given,
    candidates,
    side_of,
)
from deleverage.venues.examples.registry import answers
from deleverage.venues.linear import Leg

Inputs = Mapping[str, Any]


@answers("OKX", "liquidation_price")
@answers("OKX linear", "liquidation_price")
def liquidation_price(inputs: Inputs) -> dict[str, Any]:
    """With the taker's fee as maintenance margin: (E − s·margin/q)/(1 − s·(r + f)).

    In cross mode the wallet stands behind it, with what other markets add or take.
    """
    given = Given(inputs)
    size = given.number(*SIZE)
    side = given.side(default=-1 if size < 0 else 1)
    leg = Leg(side, abs(size), given.number(*ENTRY), given.number(*RATE), given.number(*DEDUCTION, default=0))
    margin = given.optional("margin", "wallet_balance", "isolated_margin", "wallet", "balance")
    if margin is None:
        margin = leg.size * leg.entry / given.number(*LEVERAGE)
    if not str(inputs.get("mode", "isolated")).startswith("isolated"):
        margin += others(given)
    return {
        "liquidation_price": fine.liquidation_price(margin, leg, given.number(*TAKER, default=0)),
        "bankruptcy_price": linear.bankruptcy_price(margin, [leg]),
    }


@answers("OKX", "partial_liquidation")
def partial_liquidation(inputs: Inputs) -> dict[str, Any]:
    """Legacy swaps: from tier 3 on down to the cap of tier 1, else all."""
    given = Given(inputs)
    held = int(given.number("swaps", "contracts", "held", "q", "size"))
    tier = given.optional("tier")
    close = slices.down_to_first_tier(
        held, int(given.number("tier1_cap", "cap")), None if tier is None else int(tier)
    )
    return {"close": close, "left": held - close}


@answers("OKX", "adl_trigger")
def adl_trigger(inputs: Inputs) -> dict[str, Any]:
    """Fund below its 8-hour reference less max(30 %, 50,000), or 30 % below its 8-hour peak, or empty."""
    given = Given(inputs)
    rules = okx.VERSIONS[0].waterfall
    share = given.number("share", "drop_share", default=rules.fund_drop_share)
    if given.has("ref_8h", "reference", "average_8h", "avg_8h"):
        reference = given.number("ref_8h", "reference", "average_8h", "avg_8h")
        floor = given.number("floor", "drop_usd", default=rules.fund_drop_usd)
    else:
        # The other page of the venue: a share of the peak, without a floor.
        reference, floor = given.number("peak_8h", "high_8h", "peak"), Fraction(0)
    balance = given.number("fund", "balance")
    return {
        "threshold": fund.threshold_below_reference(reference, share, floor),
        "triggered": fund.below_reference(balance, reference, share, floor),
    }


@answers("OKX", "adl_rank")
def adl_rank(inputs: Inputs) -> dict[str, Any]:
    """Profit ratio over margin ratio for winners, times it for losers."""
    scores = []
    for row in candidates(inputs):
        given = Given(row)
        if given.has("pnl_ratio", "roi", "profit_ratio"):
            ratio = given.number("pnl_ratio", "roi", "profit_ratio")
        else:
            side = side_of(row["side"]) if "side" in row else Given(inputs).side(default=1)
            entry = given.number(*ENTRY)
            ratio = side * (given.number(*MARK) - entry) / entry
        margin_ratio = given.number("margin_ratio", "mgn_ratio")
        score = ranks.profit_ratio_over_margin_ratio(float(ratio), 1.0, 1.0, float(margin_ratio))
        scores.append((row["id"], score))
    return {"order": ranks.order(scores)}
