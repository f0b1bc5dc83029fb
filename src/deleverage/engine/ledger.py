"""Who owns what: every change of money and contracts goes through here, and here it is counted.

Three laws hold at every moment, in integers:

    Σ size = 0                       in every market: each contract has two sides
    Σ pledged = 0                    of every collateral asset, those outside the venue included
    Σ (wallet − Σ cost) = deposits   at every venue, and of spot: money only moves, so that equity summed
    over all accounts of a venue is the same at every mark

`trade` and `pay` add what they move to ``tally.moved_*``; after each step the sums must be zero. `recount`
adds up
every account again.
"""

from __future__ import annotations

import math

from deleverage.engine.state import MINUTE_S, Setting
from deleverage.jit import kernel
from deleverage.units import Int64s, mul_div
from deleverage.venues.collateral import margin_value
from deleverage.venues.margin import lot_money, maintenance_margin

ORDINARY, FORCED, DELEVERAGED, TRANSFER = range(4)
"""Why a position is closed; an opening is counted the same way whatever the reason (not for a transfer)."""


@kernel
def unit(s: Setting, k: int, price: int) -> int:
    """Money that one lot of market k is worth at ``price`` [ticks]; < 0 where a long owes coins."""
    return lot_money(price, s.markets.tick_lot_uusd[k], s.markets.inverse_unit[k])


@kernel
def lot_uusd(s: Setting, k: int) -> int:
    """USD value of one lot at the mark [uusd]: for the record."""
    if s.markets.inverse_unit[k] == 0:
        return int(s.live.unit[k])
    value: int = s.markets.contract_uusd[k]
    return value


@kernel
def in_usd(s: Setting, k: int, amount: int) -> int:
    """USD value at the mark of market k of an amount of its venue's money [uusd]: for the record."""
    if s.markets.inverse_unit[k] == 0:
        return amount
    return math.floor(float(amount) * (float(s.markets.contract_uusd[k]) / float(abs(s.live.unit[k]))) + 0.5)


@kernel
def trade(s: Setting, row: int, k: int, lots: int, unit_uusd: int, reason: int) -> None:
    """Account ``row`` buys ``lots`` (< 0 sells) of market k at ``unit_uusd`` a lot.

    The closed part releases its share of the cost, floor(cost · closed / size); whatever the rounding,
    wallet − cost changes by exactly the money paid.
    """
    size = s.size[row, k]
    sign = 1 if lots > 0 else -1
    quantity = lots * sign
    closing = 0
    if size * sign < 0:
        held = -size * sign
        closing = min(held, quantity)
        released = mul_div(s.cost[row, k], closing, held)
        s.wallet[row] += -sign * closing * unit_uusd - released
        s.cost[row, k] -= released
    opening = quantity - closing
    s.cost[row, k] += sign * opening * unit_uusd
    s.size[row, k] = size + lots
    s.tally.moved_lots[k] += lots
    s.tally.moved_uusd[s.venue[row]] -= lots * unit_uusd
    if reason != TRANSFER:
        side = 0 if sign > 0 else 1
        s.tally.opened[side, k] += opening
        if reason == ORDINARY:
            s.tally.voluntary[1 - side, k] += closing
        elif reason == FORCED:
            s.tally.forced[1 - side, k] += closing
            worth = closing * lot_uusd(s, k)
            s.tally.forced_uusd[1 - side, k] += worth
            bar = s.bars[(s.live.step - 1) // MINUTE_S, k]
            bar.liquidated[1 - side] += closing
            bar.liquidated_uusd[1 - side] += worth
        else:
            s.tally.deleveraged[1 - side, k] += closing


@kernel
def pay(s: Setting, row: int, amount_uusd: int) -> None:
    """Credit (> 0) or debit a wallet; the other side of the payment is another call."""
    s.wallet[row] += amount_uusd
    s.tally.moved_uusd[s.venue[row]] += amount_uusd


@kernel
def deliver(s: Setting, row: int, a: int, lots: int) -> None:
    """Collateral of asset a goes into (> 0) or out of an account; the other side is another call."""
    s.pledged[row, a] += lots
    s.tally.moved_assets[a] += lots


@kernel
def collateral_value(s: Setting, row: int) -> int:
    """What the account's other collateral counts as margin [uusd]: after haircuts, each rounded down."""
    total = 0
    for a in range(s.assets.count):
        if s.pledged[row, a] != 0:
            value = s.pledged[row, a] * s.live.asset_price[a]
            total += margin_value(value, s.assets.haircut_num[a], s.assets.haircut_den[a])
    return total


@kernel
def has_collateral(s: Setting, row: int) -> bool:
    """True when it pledges anything besides the settlement asset."""
    for a in range(s.assets.count):
        if s.pledged[row, a] != 0:
            return True
    return False


@kernel
def equity(s: Setting, row: int) -> int:
    """E [uusd] at the marks: wallet, other collateral after haircuts, unrealised profit."""
    total: int = s.wallet[row] + collateral_value(s, row)
    for k in range(s.venues.first[s.venue[row]], s.venues.end[s.venue[row]]):
        size = s.size[row, k]
        if size != 0:
            total += size * s.live.unit[k] - s.cost[row, k]
    return total


@kernel
def margin_owed(s: Setting, row: int) -> int:
    """M [uusd] at the marks, over all markets of the account."""
    total = 0
    for k in range(s.venues.first[s.venue[row]], s.venues.end[s.venue[row]]):
        size = s.size[row, k]
        if size != 0:
            notional = abs(size) * abs(s.live.unit[k])
            total += maintenance_margin(notional, k, s.tiers)
    return total


@kernel
def gross_notional(s: Setting, row: int) -> int:
    """Σ |q|·m·v [uusd] at the marks."""
    total = 0
    for k in range(s.venues.first[s.venue[row]], s.venues.end[s.venue[row]]):
        total += abs(s.size[row, k]) * abs(s.live.unit[k])
    return total


@kernel
def has_position(s: Setting, row: int) -> bool:
    """True when any market is open."""
    for k in range(s.venues.first[s.venue[row]], s.venues.end[s.venue[row]]):
        if s.size[row, k] != 0:
            return True
    return False


@kernel
def halted(s: Setting, venue: int) -> bool:
    """True while a venue is out: nothing trades or is paid there, its prices and marks stand still.

    Before the first second it is not out yet: it has prices then.
    """
    return s.live.step > 0 and bool(
        s.params.outage and s.venues.halt_from[venue] <= s.live.step < s.venues.halt_until[venue]
    )


@kernel
def add_up(s: Setting, money: Int64s, long_lots: Int64s, net_lots: Int64s) -> None:
    """Σ (wallet − cost) of every venue, and of the spot side last: the deposits, always.

    Writes them to ``money`` [venues + 1], and the open interest (one side counted) and the net lots of every
    market, spot added to the net as what spot accounts and their pool hold together.
    """
    for k in range(s.markets.count):
        long_lots[k] = 0
        net_lots[k] = 0
    for v in range(s.venues.count):
        money[v] = 0
    for row in range(s.wallet.shape[0]):
        total = s.wallet[row]
        for k in range(s.venues.first[s.venue[row]], s.venues.end[s.venue[row]]):
            size = s.size[row, k]
            if size != 0:
                total -= s.cost[row, k]
                net_lots[k] += size
                if size > 0:
                    long_lots[k] += size
        money[s.venue[row]] += total
    spot = s.live.pool_cash
    for a in range(s.parties.arbitrageur_count):
        spot += s.live.spot_cash[a]
    money[s.venues.count] = spot
    for a in range(s.assets.count):
        money[s.assets.venue_of[a]] += s.live.asset_cash[a]


@kernel
def collateral_imbalance(s: Setting, a: int) -> int:
    """Collateral of asset a that accounts pledge and everybody outside holds, together [lots]: 0, always."""
    held: int = s.live.asset_pool[a]
    for row in range(s.wallet.shape[0]):
        held += s.pledged[row, a]
    return held


@kernel
def spot_imbalance(s: Setting, k: int) -> int:
    """Spot of market k that its owners and the pool hold together [lots]: 0, always."""
    spot: int = s.live.pool_lots[k]
    for a in range(s.parties.arbitrageur_count):
        spot += s.live.spot_lots[a, k]
    return spot


@kernel
def moved_nothing(s: Setting) -> bool:
    """True when what left one account reached others of its venue, since the start."""
    for k in range(s.markets.count):
        if s.tally.moved_lots[k] != 0:
            return False
    for a in range(s.assets.count):
        if s.tally.moved_assets[a] != 0:
            return False
    for v in range(s.venues.count):
        if s.tally.moved_uusd[v] != 0:
            return False
    return True


@kernel
def fund_of(s: Setting, k: int) -> int:
    """Row of the insurance fund behind market k."""
    row: int = s.parties.funds[s.markets.fund_of[k]]
    return row
