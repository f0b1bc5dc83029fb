"""What is collateral worth at this second, and when does a venue sell it?

An asset can be redeemed for a value that follows an index, or for dollars. In the venue's own book it stands
lower once more of it was sold there than comes back:

    redemption value  = value at the start · index / index at the start
    own book          = redemption value · e^(−u),   u falls by its resilience a second
    price for margin  = redemption value · (1 − w + w · e^(−u)),   w the venue's rule; 0 while switched off

Two things are sold into that book: what venues sell to cover balances below zero, and what holders outside
sell while the market falls. With w > 0 both lower everybody's margin: the second loop beside liquidation.

Sources: Binance's "multi-assets mode" page for when balances are covered and what is charged; the price rule
is the one that its notices of October 2025 changed. That outside holders sell in proportion to the fall is
ours.
"""

from __future__ import annotations

import math

import numpy as np

from deleverage.engine.book import absorbed, average_price, displacement, exp_neg
from deleverage.engine.finder import watch_later
from deleverage.engine.ledger import deliver, fund_of, halted, has_collateral, has_position, pay
from deleverage.engine.state import HOLDER, Finder, Setting
from deleverage.jit import allocating_kernel, kernel
from deleverage.units import PPM, Int64s, mul_div, mul_rate
from deleverage.venues.collateral import sold_for


@kernel
def redemption_value(s: Setting, a: int) -> int:
    """What a lot of asset a can be exchanged for [uusd]."""
    k = s.assets.market[a]
    if k < 0:
        return int(s.assets.start_uusd[a])
    return mul_div(s.assets.start_uusd[a], s.live.index[k], s.assets.start_index[a])


@kernel
def set_collateral_prices(s: Setting) -> None:
    """Phase 4, with the marks: the price of every asset that margin sees.

    At a venue that is out it stands still.
    """
    live = s.live
    for a in range(s.assets.count):
        if halted(s, s.assets.venue_of[a]):
            continue
        value = redemption_value(s, a)
        price = value
        weight = s.assets.own_weight[a]
        if weight > 0.0 and live.asset_u[a] > 0.0:
            s.tally.fired_collateral = 1
            if s.params.collateral:
                price = math.floor(float(value) * (1.0 - weight + weight * exp_neg(live.asset_u[a])))
        live.asset_price[a] = price
        s.tally.asset_lowest_uusd[a] = min(s.tally.asset_lowest_uusd[a], price)
        if value > 0:
            level = mul_div(PPM, price, value)
            if level < s.tally.asset_lowest_ppm[a]:
                s.tally.asset_lowest_ppm[a] = level


@kernel
def sell_outside(s: Setting) -> None:
    """Phase 2: own books of collateral come back, and holders outside sell in proportion to the fall."""
    live = s.live
    for a in range(s.assets.count):
        venue = s.assets.venue_of[a]
        if halted(s, venue):
            continue
        first = s.venues.first[venue]
        fall = 1.0 - float(live.mark[first]) / float(s.tally.start_mid[first])
        u = live.asset_u[a] - live.asset_u[a] * s.assets.resilience[a]
        if fall > 0.0:
            u = u + fall * s.assets.flight_lots[a] / s.assets.bid_density[a]
        live.asset_u[a] = u


@allocating_kernel
def sell_collateral(s: Setting, rows: Int64s, owed: Int64s) -> None:
    """Sell what ``rows`` (by uid) pledge until each has covered what it owes, asset by asset.

    Lots are set at the own book's price before the walk and all trade at its mean price, rounded down; the
    venue's charge goes to its first fund. What the walk fetched less is still owed: ``owed`` [uusd], int64
    [n], is brought down to it.
    """
    live = s.live
    n = rows.shape[0]
    lots = np.zeros(n, dtype=np.int64)
    for a in range(s.assets.count):
        num = s.assets.charge_num[a]
        den = s.assets.charge_den[a]
        value = redemption_value(s, a)
        quote = math.floor(float(value) * exp_neg(live.asset_u[a]))
        if quote <= 0:
            continue
        total = 0
        for i in range(n):
            lots[i] = 0
            if owed[i] > 0 and s.pledged[rows[i], a] > 0:
                wanted = -(-sold_for(owed[i], num, den) // quote)
                lots[i] = min(wanted, s.pledged[rows[i], a])
                total += lots[i]
        if total == 0:
            continue
        density = s.assets.bid_density[a]
        u = live.asset_u[a]
        unit = math.floor(float(value) * average_price(u, float(total), density, density, 0.0))
        live.asset_u[a] = displacement(
            absorbed(u, density, density, 0.0) + float(total), density, density, 0.0
        )
        fund = fund_of(s, s.venues.first[s.assets.venue_of[a]])
        for i in range(n):
            if lots[i] > 0:
                proceeds = lots[i] * unit
                charge = mul_rate(proceeds, num, den)
                deliver(s, rows[i], a, -lots[i])
                pay(s, rows[i], proceeds - charge)
                pay(s, fund, charge)
                owed[i] -= proceeds - charge
        live.asset_pool[a] += total
        live.asset_cash[a] -= total * unit
        s.tally.moved_assets[a] += total
        s.tally.moved_uusd[s.assets.venue_of[a]] -= total * unit
        s.tally.exchanged_lots[a] += total
        s.tally.exchanged_uusd[a] += total * unit


@allocating_kernel
def cover_balances(s: Setting, finder: Finder) -> None:
    """Once a second: who owes the venue its limit or more has collateral sold, whatever its health.

    Funds keep what they took.
    """
    count = 0
    for i in range(s.pledgers.shape[0]):
        row = s.pledgers[i]
        limit = s.venues.exchange_limit_uusd[s.venue[row]]
        if s.wallet[row] < 0 and s.wallet[row] <= -limit and not s.closed[row] and has_collateral(s, row):
            count += 1
    if count == 0:
        return
    rows = np.empty(count, dtype=np.int64)
    owed = np.empty(count, dtype=np.int64)
    count = 0
    for i in range(s.pledgers.shape[0]):
        row = s.pledgers[i]
        limit = s.venues.exchange_limit_uusd[s.venue[row]]
        if s.wallet[row] < 0 and s.wallet[row] <= -limit and not s.closed[row] and has_collateral(s, row):
            rows[count] = row
            owed[count] = 0 if halted(s, s.venue[row]) else -s.wallet[row]
            count += 1
    sell_collateral(s, rows, owed)
    for i in range(count):
        if s.role[rows[i]] != HOLDER:
            continue  # named accounts are looked at in every round
        for k in range(s.venues.first[s.venue[rows[i]]], s.venues.end[s.venue[rows[i]]]):
            if s.size[rows[i], k] != 0:
                watch_later(s, finder, rows[i], k)


@allocating_kernel
def cover_closed(s: Setting, rows: Int64s, due: Int64s) -> None:
    """After a round's trades: accounts with nothing left open pay what they owe out of collateral.

    That is a balance below zero, and the clearance fee ``due`` [money], int64 [n], beyond what it holds.
    """
    n = rows.shape[0]
    owed = np.zeros(n, dtype=np.int64)
    any_owed = False
    for i in range(n):
        short = due[i] - s.wallet[rows[i]]
        if short > 0 and has_collateral(s, rows[i]) and not has_position(s, rows[i]):
            owed[i] = short
            any_owed = True
    if any_owed:
        sell_collateral(s, rows, owed)


@kernel
def seize(s: Setting, row: int, fund: int, owed: int) -> None:
    """A fund that pays ``owed`` [uusd] for an account takes as much of its collateral, at margin's price."""
    left = owed
    for a in range(s.assets.count):
        price = s.live.asset_price[a]
        if left > 0 and price > 0 and s.pledged[row, a] > 0:
            lots = min(s.pledged[row, a], -(-left // price))
            deliver(s, row, a, -lots)
            deliver(s, fund, a, lots)
            s.tally.seized_lots[a] += lots
            left -= lots * price


@kernel
def surrender(s: Setting, row: int, fund: int) -> None:
    """All collateral of an account goes to the fund: a backstop takes the whole margin."""
    for a in range(s.assets.count):
        lots = s.pledged[row, a]
        if lots > 0:
            deliver(s, row, a, -lots)
            deliver(s, fund, a, lots)
            s.tally.seized_lots[a] += lots
