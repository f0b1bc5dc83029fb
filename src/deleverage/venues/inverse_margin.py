"""Margin maths of one inverse position: pure integers of the settlement asset, for engine and map.

Symbols: q size [contracts, long > 0], m mark [ticks], k ``unit`` = coin units that one contract is worth at a
price of one tick (10⁸ × contract value ÷ tick), C value at entry [coin units, < 0 for a long], W wallet.

    value       V = floor(−q·k / m)          rounded down: against a long and against a short
    equity      E = W + V − C
    maintenance M = ceil(|V|·rate) − deduction, tiers with caps in coins
    health      H = E − M;  liquidatable when H < 0

Rounding down keeps V monotone in m, and a step of one unit in V moves M by at most one, so that H does not
decrease in m for a long and does not increase for a short, to the last unit.

Bounds: |q|·k ≤ 4·10¹⁸; a position of $1 bn in contracts of $100 at a tick of $0.1 is 10¹⁸.
"""

from __future__ import annotations

from deleverage.jit import kernel
from deleverage.venues.inverse import SATOSHI
from deleverage.venues.margin import NEVER_TICKS, Tiers, maintenance_margin, tiers_record
from deleverage.venues.rules import TierTable


def coin_tiers_record(tables: list[TierTable]) -> Tiers:
    """The record of the kernels from tables whose caps are coins; money in it is in 10⁻⁸ coin.

    Raises
    ------
    InputError
        more markets or tiers than a record holds.
    """
    record = tiers_record(tables)
    for row, table in enumerate(tables):
        for k, tier in enumerate(table.tiers):
            record.cap_uusd[row, k] = tier.cap_usd * SATOSHI
            record.deduction_uusd[row, k] = round(table.deductions_usd[k] * SATOSHI)
    return record


@kernel
def inverse_value(size: int, mark: int, unit: int) -> int:
    """V [coin units] = floor(−q·k/m): negative for a long; profit is V(mark) − V(entry)."""
    return -(size * unit) // mark


@kernel
def inverse_health(wallet: int, size: int, cost: int, mark: int, unit: int, market: int, tiers: Tiers) -> int:
    """H [coin units] of an account whose only position is this one."""
    value = inverse_value(size, mark, unit)
    return wallet + value - cost - maintenance_margin(abs(value), market, tiers)


@kernel
def inverse_liquidation_price(wallet: int, size: int, cost: int, unit: int, market: int, tiers: Tiers) -> int:
    """Mark [ticks] at which the only position becomes liquidatable.

    Long: the highest mark with H < 0 (0 when even a mark of one tick leaves H ≥ 0).
    Short: the lowest mark with H < 0. `NEVER_TICKS` when there is none, or when a long is under water at
    every price.
    """
    if size == 0:
        return NEVER_TICKS
    last = abs(size) * unit + 1  # from here on the value no longer moves
    first_bad = inverse_health(wallet, size, cost, 1, unit, market, tiers) < 0
    last_bad = inverse_health(wallet, size, cost, last, unit, market, tiers) < 0
    if size > 0:
        if not first_bad:
            return 0
        if last_bad:
            return NEVER_TICKS
    else:
        if first_bad:
            return 1
        if not last_bad:
            return NEVER_TICKS
    low = 1
    high = last
    while high - low > 1:
        middle = low + (high - low) // 2
        bad = inverse_health(wallet, size, cost, middle, unit, market, tiers) < 0
        if bad == first_bad:
            low = middle
        else:
            high = middle
    return low if size > 0 else high


@kernel
def inverse_bankruptcy_price(wallet: int, size: int, cost: int, unit: int) -> int:
    """Price [ticks] nearest to zero equity at which equity ≥ 0.

    Long: the lowest such price, ceil(q·k / (W − C)). Short: the highest, floor(|q|·k / (C − W)).
    `NEVER_TICKS` for a short that no price ends, and for a long that is under water at every price.
    """
    if size > 0:
        room = wallet - cost
        return -((-size * unit) // room) if room > 0 else NEVER_TICKS
    room = cost - wallet
    return (-size * unit) // room if room > 0 else NEVER_TICKS
