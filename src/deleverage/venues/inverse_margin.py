"""Margin maths of one inverse position: pure integers of the settlement asset, those of `margin.py` mirrored.

Symbols: q size [lots, long > 0], m mark [ticks], k ``unit`` = coin units that one lot is worth at a price of
one tick (contract value ÷ tick, in units of the coin), y = ⌈k/m⌉ what one lot is worth at m, C cost [coin
units, < 0 for a long], W wallet.

    value       V = −q·y                     linear in q, so that a position can be closed lot by lot
    equity      E = W + V − C
    maintenance M = ⌈|V|·rate⌉ − deduction,  tiers with caps in coins
    health      H = E − M;  liquidatable when H < 0

A long of q inverse lots gains and owes what a *short* of q linear lots does whose price is y and whose tick
times lot is worth 1. So the kernels of `margin.py` find y, and two divisions bring it back to ticks:
⌈k/m⌉ ≥ y ⇔ m ≤ ⌊(k − 1)/(y − 1)⌋, and ⌈k/m⌉ ≤ y ⇔ m ≥ ⌈k/y⌉.

A lot's worth is rounded up: against a long, and for a short by less than one unit a lot. Both sides of a
contract must count the same, or money would appear.
"""

from __future__ import annotations

from deleverage.jit import kernel
from deleverage.venues.margin import NEVER_TICKS, Tiers, bankruptcy_price, liquidation_price


@kernel
def highest_price(value: int, unit: int) -> int:
    """Highest price [ticks] at which one lot is worth ``value`` or more; `NEVER_TICKS`: at every one."""
    return (unit - 1) // (value - 1) if value > 1 else NEVER_TICKS


@kernel
def lowest_price(value: int, unit: int) -> int:
    """Lowest price [ticks] at which one lot is worth ``value`` or less; `NEVER_TICKS`: it is at none."""
    return -(-unit // value) if value > 0 else NEVER_TICKS


@kernel
def trigger_price(
    wallet: int, size: int, cost: int, tick_lot_uusd: int, unit: int, market: int, tiers: Tiers
) -> int:
    """`margin.liquidation_price` of a linear (``unit`` 0) or inverse position [ticks].

    Inverse long: the highest mark with H < 0; below 1 when there is none, `NEVER_TICKS` when every mark is.
    Inverse short: the lowest mark with H < 0; `NEVER_TICKS` when there is none.
    """
    if unit == 0:
        return liquidation_price(wallet, size, cost, tick_lot_uusd, market, tiers)
    if size == 0:
        return NEVER_TICKS
    value = liquidation_price(wallet, -size, cost, 1, market, tiers)
    return highest_price(value, unit) if size > 0 else lowest_price(value, unit)


@kernel
def closing_price(wallet: int, size: int, cost: int, tick_lot_uusd: int, unit: int) -> int:
    """`margin.bankruptcy_price` of a linear (``unit`` 0) or inverse position [ticks].

    Inverse long: the lowest price at which equity is at least 0; `NEVER_TICKS` when there is none.
    Inverse short: the highest; `NEVER_TICKS` when it is at every price.
    """
    if unit == 0:
        return bankruptcy_price(wallet, size, cost, tick_lot_uusd)
    value = bankruptcy_price(wallet, -size, cost, 1)
    return lowest_price(value, unit) if size > 0 else highest_price(value, unit)
