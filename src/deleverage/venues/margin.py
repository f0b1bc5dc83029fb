"""Margin maths of one position or account: pure integers, the same for engine, map and calculator.

Symbols: q size [lots, long > 0], m mark [ticks], v ``tick_lot_uusd`` [uusd per tick and lot],
C signed cost of the position [uusd, what was paid for it; < 0 for a short], W wallet [uusd].

    equity      E = W + q·m·v − C
    notional    N = |q|·m·v
    maintenance M = ceil(N·rate_k) − deduction_k,  k the tier of N (margin is rounded up, against the account)
    health      H = E − M;  liquidatable when H < 0

H does not decrease in m for a long and does not increase for a short (rates are below 1), so that
"mark beyond the liquidation price" and "health < 0" are one condition.

Source: Binance, "Leverage and margin of USD-M futures" and "How to calculate the liquidation price",
read in the design notes of 2026-11; deductions are the venue's "maintenance amount".
"""

from __future__ import annotations

from fractions import Fraction
from typing import cast

import numpy as np

from deleverage.errors import InputError
from deleverage.jit import Record, kernel
from deleverage.units import MAX_UUSD, UUSD_PER_USD, Int64s, mul_rate_up, to_int
from deleverage.venues.rules import TierTable

NEVER_TICKS = 1 << 60
"""A trigger that no mark reaches: 'no such price'."""


MARKETS_MAX = 16
TIERS_MAX = 24


class Tiers(Record):
    """Margin tiers of the markets, one row a market; passed to kernels as one pointer."""

    last: Int64s  # [markets] number of the last tier
    cap_uusd: Int64s  # [markets, tiers]
    rate_num: Int64s
    rate_den: Int64s
    deduction_uusd: Int64s


_TIERS = np.dtype(
    [
        ("last", np.int64, (MARKETS_MAX,)),
        ("cap_uusd", np.int64, (MARKETS_MAX, TIERS_MAX)),
        ("rate_num", np.int64, (MARKETS_MAX, TIERS_MAX)),
        ("rate_den", np.int64, (MARKETS_MAX, TIERS_MAX)),
        ("deduction_uusd", np.int64, (MARKETS_MAX, TIERS_MAX)),
    ],
    align=True,
)


def tiers_record(tables: list[TierTable], units: list[int] | None = None) -> Tiers:
    """The record of the kernels from tier tables, one row a market.

    units : whole units of money in one unit of a table's caps; without them all are USD, in 10⁻⁶ USD.

    Raises
    ------
    InputError
        more markets or tiers than a record holds.
    """
    deepest = max(len(table.tiers) for table in tables)
    if len(tables) > MARKETS_MAX or deepest > TIERS_MAX:
        raise InputError(
            f"expected at most {MARKETS_MAX} markets of at most {TIERS_MAX} tiers, found "
            f"{len(tables)} and {deepest}"
        )
    record = cast(Tiers, np.zeros(1, dtype=_TIERS).view(np.recarray)[0])
    for row, table in enumerate(tables):
        scale = UUSD_PER_USD if units is None else units[row]
        record.last[row] = len(table.tiers) - 1
        for k, tier in enumerate(table.tiers):
            # A venue writes "no cap" as 2⁶³ − 1; no notional comes near MAX_UUSD.
            record.cap_uusd[row, k] = min(tier.cap_usd * scale, MAX_UUSD)
            record.rate_num[row, k] = tier.rate.numerator
            record.rate_den[row, k] = tier.rate.denominator
            record.deduction_uusd[row, k] = to_int(table.deductions_usd[k], Fraction(1, scale), "deduction")
    return record


def slice_tiers(tiers: Tiers, first: int, end: int) -> Tiers:
    """The tiers of markets ``first`` … ``end`` − 1 alone, from market 0 on."""
    part = cast(Tiers, np.zeros(1, dtype=_TIERS).view(np.recarray)[0])
    for name in _TIERS.names or ():
        part[name][: end - first] = tiers[name][first:end]
    return part


@kernel
def lot_money(price: int, tick_lot_uusd: int, inverse_unit: int) -> int:
    """Money that one lot long is worth at ``price`` [ticks]; a trade at this money a lot is one at the price.

    Linear (``inverse_unit`` 0): price·v, in 10⁻⁶ USD. Inverse: −⌈k/price⌉ in units of the coin, k =
    ``inverse_unit`` what one lot is worth at a price of one tick; 0 at `NEVER_TICKS`.
    """
    if inverse_unit == 0:
        return price * tick_lot_uusd
    if price >= NEVER_TICKS:
        return 0
    return -inverse_unit // max(price, 1)


@kernel
def tier_of(notional: int, market: int, tiers: Tiers) -> int:
    """Tier of a notional [uusd]: the first whose cap it does not exceed, else the last."""
    tier = 0
    while tier < tiers.last[market] and notional > tiers.cap_uusd[market, tier]:
        tier += 1
    return tier


@kernel
def maintenance_margin(notional: int, market: int, tiers: Tiers) -> int:
    """M [uusd] of a notional [uusd]."""
    if notional == 0:
        return 0
    k = tier_of(notional, market, tiers)
    owed: int = mul_rate_up(notional, tiers.rate_num[market, k], tiers.rate_den[market, k])
    owed -= tiers.deduction_uusd[market, k]
    return owed


@kernel
def health_single(
    wallet: int, size: int, cost: int, mark: int, tick_lot_uusd: int, market: int, tiers: Tiers
) -> int:
    """H [uusd] of an account whose only position is this one."""
    value = size * mark * tick_lot_uusd
    return wallet + value - cost - maintenance_margin(abs(value), market, tiers)


@kernel
def liquidation_price(
    wallet: int, size: int, cost: int, tick_lot_uusd: int, market: int, tiers: Tiers
) -> int:
    """Mark [ticks] at which the only position becomes liquidatable.

    Long: the highest mark with H < 0 (−1 when even a mark of 0 leaves H ≥ 0).
    Short: the lowest mark with H < 0. `NEVER_TICKS` when there is none below 2⁶⁰.
    """
    if size == 0:
        return NEVER_TICKS
    if size > 0:
        if health_single(wallet, size, cost, 0, tick_lot_uusd, market, tiers) >= 0:
            return -1
        low = 0  # H < 0 here
        step = 1
        while health_single(wallet, size, cost, low + step, tick_lot_uusd, market, tiers) < 0:
            low += step
            step *= 2
            if size * (low + step) > 4_000_000_000_000_000_000 // tick_lot_uusd // 2:
                return low
        high = low + step  # H ≥ 0 here
        while high - low > 1:
            middle = (low + high) // 2
            if health_single(wallet, size, cost, middle, tick_lot_uusd, market, tiers) < 0:
                low = middle
            else:
                high = middle
        return low
    if health_single(wallet, size, cost, 0, tick_lot_uusd, market, tiers) < 0:
        return 0
    low = 0  # H ≥ 0 here
    step = 1
    while health_single(wallet, size, cost, low + step, tick_lot_uusd, market, tiers) >= 0:
        low += step
        step *= 2
        if -size * (low + step) > 4_000_000_000_000_000_000 // tick_lot_uusd // 2:
            return NEVER_TICKS
    high = low + step  # H < 0 here
    while high - low > 1:
        middle = (low + high) // 2
        if health_single(wallet, size, cost, middle, tick_lot_uusd, market, tiers) < 0:
            high = middle
        else:
            low = middle
    return high


@kernel
def bankruptcy_price(wallet: int, size: int, cost: int, tick_lot_uusd: int) -> int:
    """Price [ticks] at which closing the only position leaves equity of at least 0, rounded so that it does.

    Long: ceil((C − W) / (q·v)), never below 0. Short: floor((W − C) / (|q|·v)).
    """
    if size > 0:
        price = -((wallet - cost) // (size * tick_lot_uusd))
        return price if price > 0 else 0
    price = (wallet - cost) // (-size * tick_lot_uusd)
    return price if price > 0 else 0
