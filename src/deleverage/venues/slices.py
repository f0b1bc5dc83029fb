"""How much of a position does one liquidation order close?

Sources: OKX help, "Forced partial or full liquidation" (legacy swaps); Bybit help, "Liquidation process";
Hyperliquid docs, "Liquidations".
"""

from __future__ import annotations

from fractions import Fraction

from deleverage.venues.rules import TierTable, Waterfall


def down_to_first_tier(held: int, first_cap: int, tier: int | None = None) -> int:
    """OKX, legacy swaps: contracts of one round; from tier 3 on down to the cap of tier 1, else all.

    ``tier`` counts from 1; None takes it as 3 or higher when more is held than the cap.
    """
    if held <= first_cap or (tier is not None and tier < 3):
        return held
    return held - first_cap


def down_to_lower_tier(equity: Fraction, notional: Fraction, table: TierTable) -> Fraction:
    """Bybit: notional to close so that the rest lies in the highest lower tier that equity satisfies.

    All of it in the lowest tier, or where no lower tier helps. Equity is taken as it stands: closing at
    the mark does not change it.
    """
    for tier in reversed(table.tiers[: table.number(notional)]):
        cap = Fraction(tier.cap_usd)
        if table.maintenance_margin(cap) <= equity:
            return notional - cap
    return notional


def share_then_whole(notional: Fraction, rules: Waterfall, since_partial_s: Fraction | None) -> Fraction:
    """Hyperliquid: notional of the next order; a share of a large position, all of it within the cooldown.

    ``since_partial_s`` : seconds since the last partial liquidation of the account, None when there was none.
    """
    cooling = since_partial_s is not None and since_partial_s <= rules.cooldown_s
    if cooling or notional <= rules.slice_above_usd:
        return notional
    return notional * rules.slice_share
