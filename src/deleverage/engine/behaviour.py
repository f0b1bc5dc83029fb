"""What people do on their own: stops, arbitrage, dip buying, slow exits, the fund's unwinding.

All orders of a step and market are netted: what meets inside the step trades at the same price as the
remainder, which walks the book. Everything here reacts to the step before, never to itself.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from deleverage.engine.book import absorbed, average_price, displacement
from deleverage.engine.fills import refresh_mid, settle_book, unit_prices, walk
from deleverage.engine.index import move_spot, renew_indices
from deleverage.engine.ledger import (
    ORDINARY,
    equity,
    fund_of,
    gross_notional,
    halted,
    pay,
    trade,
)
from deleverage.engine.state import LONG, Setting
from deleverage.jit import kernel
from deleverage.units import Int64s


class Orders(NamedTuple):
    """Orders of one market in one step: who and how much; an account occurs at most once."""

    row: Int64s
    lots: Int64s  # > 0 buys
    filled: Int64s  # [1] number of orders


@kernel
def add(orders: Orders, row: int, lots: int) -> None:
    """Append an order; nothing for zero lots."""
    if lots != 0:
        orders.row[orders.filled[0]] = row
        orders.lots[orders.filled[0]] = lots
        orders.filled[0] += 1


@kernel
def living(s: Setting, rows: Int64s, length: int, venue: int) -> int:
    """Accounts of a named group at a venue that have not been closed."""
    count = 0
    for i in range(length):
        if not s.closed[rows[i]] and s.venue[rows[i]] == venue:
            count += 1
    return count


@kernel
def stop_orders(s: Setting, k: int, orders: Orders, minute: int) -> None:
    """Close what the stops of the last step ask for."""
    for i in range(s.live.stop_count):
        row = s.stop_list[i]
        size = s.size[row, k]
        if not s.closed[row] and size != 0:
            add(orders, row, -size)
            s.tally.stops[k] += 1
            s.bars[minute, k].stops += abs(size)
            s.tally.fired_stops = 1


@kernel
def arbitrage_lots(s: Setting, k: int, step: int) -> int:
    """Lots that all arbitrageurs together buy (< 0 sell), from the gap seen ``latency`` steps ago.

    They close the part of the gap beyond the threshold, as far as their capacity per step goes.
    """
    latency = s.params.arbitrage_latency
    gap = s.live.u_ring[k, step % latency]
    cap = float(s.markets.arbitrage_cap_lots[k])
    if gap > s.params.arbitrage_threshold:
        cheap = float((gap - s.params.arbitrage_threshold) * s.markets.bid_density[k])
        return math.floor(min(cheap, cap))
    if gap < -s.params.arbitrage_threshold:
        dear = float((-gap - s.params.arbitrage_threshold) * s.markets.ask_density[k])
        return -math.floor(min(dear, cap))
    return 0


@kernel
def arbitrage_orders(s: Setting, k: int, step: int, orders: Orders) -> None:
    """Split the arbitrage against spot among the living, within what each may hold: short at most its limit,
    long never. What each does between venues in this step goes first.
    """
    lots = arbitrage_lots(s, k, step)
    venue = s.markets.venue_of[k]
    alive = living(s, s.parties.arbitrageurs, s.parties.arbitrageur_count, venue)
    each = abs(lots) // alive if alive > 0 else 0
    for i in range(s.parties.arbitrageur_count):
        row = s.parties.arbitrageurs[i]
        if s.closed[row] or s.venue[row] != venue:
            continue
        crossed = s.live.cross_now[i, k]
        held = s.size[row, k] + crossed
        own = 0
        if lots > 0:
            own = min(each, max(0, -held))
        elif lots < 0:
            own = -min(each, max(0, s.markets.arbitrage_limit_lots[k] + held))
        add(orders, row, own + crossed)
        s.live.cross_lots[i, k] += crossed
        s.live.cross_now[i, k] = 0


@kernel
def cross_room(s: Setting, k: int, buying: bool) -> int:
    """Lots that the arbitrageurs of a market could buy back (sell short) in all."""
    room = 0
    for i in range(s.parties.arbitrageur_count):
        row = s.parties.arbitrageurs[i]
        if not s.closed[row] and s.venue[row] == s.markets.venue_of[k]:
            size = s.size[row, k]
            room += max(0, -size if buying else s.markets.arbitrage_limit_lots[k] + size)
    return room


@kernel
def cross_fill(s: Setting, k: int, lots: int, buying: bool) -> None:
    """Divide ``lots`` between venues among the arbitrageurs of one of its two markets, in order of uid."""
    left = lots
    for i in range(s.parties.arbitrageur_count):
        row = s.parties.arbitrageurs[i]
        if not s.closed[row] and s.venue[row] == s.markets.venue_of[k]:
            size = s.size[row, k]
            part = min(left, max(0, -size if buying else s.markets.arbitrage_limit_lots[k] + size))
            s.live.cross_now[i, k] = part if buying else -part
            left -= part


@kernel
def cross_orders(s: Setting, step: int) -> None:
    """Between venues: buy a coin where its perpetual is cheapest and sell as much where it is dearest.

    From the displacements seen ``latency`` steps ago; the part of their gap beyond twice the threshold (two
    trades), within both capacities a step. Both legs are perpetuals: nothing is hedged in spot. Inverse
    markets, whose lots are dollars, are tied to the others by index and spot alone.
    """
    if s.venues.count == 1:
        return
    latency = s.params.arbitrage_latency
    for first in range(s.markets.count):
        coin = s.markets.coin_of[first]
        seen_before = False
        cheap = -1
        dear = -1
        for k in range(s.markets.count):
            if s.markets.coin_of[k] != coin:
                continue
            if k < first:
                seen_before = True
            if s.markets.inverse_unit[k] != 0 or halted(s, s.markets.venue_of[k]):
                continue
            u = s.live.u_ring[k, step % latency]
            if cheap < 0 or u > s.live.u_ring[cheap, step % latency]:
                cheap = k
            if dear < 0 or u < s.live.u_ring[dear, step % latency]:
                dear = k
        if seen_before or cheap == dear or cheap < 0:
            continue
        gap = s.live.u_ring[cheap, step % latency] - s.live.u_ring[dear, step % latency]
        beyond = gap - 2.0 * s.params.arbitrage_threshold
        if beyond <= 0.0:
            continue
        # Bought here and sold there, each moves its own price by its share of the gap.
        both = 1.0 / s.markets.bid_density[cheap] + 1.0 / s.markets.ask_density[dear]
        cap = min(s.markets.arbitrage_cap_lots[cheap], s.markets.arbitrage_cap_lots[dear])
        lots = math.floor(min(beyond / both, float(cap)))
        lots = min(lots, cross_room(s, cheap, True), cross_room(s, dear, False))
        if lots > 0:
            cross_fill(s, cheap, lots, True)
            cross_fill(s, dear, lots, False)


@kernel
def dip_orders(s: Setting, k: int, orders: Orders) -> None:
    """Dip buyers buy in proportion to the displacement beyond their threshold, up to their leverage."""
    live = s.live
    beyond = live.u[k] - s.params.dip_threshold
    venue = s.markets.venue_of[k]
    alive = living(s, s.parties.dip_buyers, s.parties.dip_count, venue)
    unit = abs(s.live.unit[k])
    if beyond <= 0.0 or alive == 0 or unit == 0:
        return
    each = math.floor(beyond * s.markets.dip_lots[k] / float(alive))
    for i in range(s.parties.dip_count):
        row = s.parties.dip_buyers[i]
        if not s.closed[row] and s.venue[row] == venue:
            held = gross_notional(s, row)
            room = equity(s, row) * s.params.dip_leverage - held
            add(orders, row, min(each, max(0, room // unit)))


@kernel
def exit_orders(s: Setting, k: int, orders: Orders) -> None:
    """The vehicles of "liquidations off" sell (buy back) evenly over the exit time, to the lot."""
    live = s.live
    for side in range(2):
        venue = s.markets.venue_of[k]
        row = s.parties.exit_long[venue] if side == LONG else s.parties.exit_short[venue]
        if live.exit_assigned[side, k] == 0:
            continue
        due = live.exit_carry[side, k] + live.exit_assigned[side, k]
        live.exit_carry[side, k] = due % s.params.exit_steps
        lots = min(due // s.params.exit_steps, abs(s.size[row, k]))
        add(orders, row, -lots if side == LONG else lots)


@kernel
def fund_orders(s: Setting, k: int, orders: Orders) -> None:
    """The fund unwinds a share of its inventory per step, at least one lot."""
    row = fund_of(s, k)
    size = s.size[row, k]
    if size != 0 and s.markets.fund_unwind[k] > 0.0:
        lots = max(1, (math.floor(float(abs(size)) * s.markets.fund_unwind[k])))
        add(orders, row, -lots if size > 0 else lots)


@kernel
def trade_orders(s: Setting, fair: int, k: int, orders: Orders) -> None:
    """Net the orders of market k and trade them at one price; empties ``orders``."""
    count = orders.filled[0]
    if count == 0:
        return
    bought = 0
    sold = 0
    unwound = 0
    fund = fund_of(s, k)
    for i in range(count):
        if orders.row[i] == fund:
            unwound = abs(orders.lots[i])
        bought += max(orders.lots[i], 0)
        sold += max(-orders.lots[i], 0)
    net = sold - bought
    sell, buy = unit_prices(s, k, walk(s, fair, k, net))
    for i in range(count):
        lots = orders.lots[i]
        trade(s, orders.row[i], k, lots, buy if lots > 0 else sell, ORDINARY)
    # What the fund sells on are contracts that liquidations forced out.
    forced = min(unwound, abs(net))
    s.live.forced_lots[k] += forced
    s.live.other_lots[k] += abs(net) - forced
    if net != 0:
        settle_book(s, k, net, buy if net > 0 else sell)
    pay(s, fund, max(bought, sold) * (buy - sell))
    orders.filled[0] = 0


@kernel
def coin_gap(s: Setting, a: int, k: int) -> int:
    """Lots of spot by which an arbitrageur of an inverse venue is too long in the coin, > 0, or too short.

    Its coins are wallet − cost, at every price, so they are what spot must cover; of all markets of the venue
    at once, in the first of them.
    """
    row = s.parties.arbitrageurs[a]
    first = s.venues.first[s.venue[row]]
    if k != first:
        return 0
    coins: int = s.wallet[row]
    for j in range(first, s.venues.end[s.venue[row]]):
        coins -= s.cost[row, j]
    return int(coins // s.markets.coin_unit[k] + s.live.spot_lots[a, k])


@kernel
def hedge_spot(s: Setting, fair: Int64s, k: int, step: int) -> None:
    """Arbitrageurs bring their spot back to the other side of their perpetual, late and within capacity.

    The spot book moves with it, and the index with the spot book.
    """
    live = s.live
    latency = s.params.hedge_latency
    total = 0
    count = s.parties.arbitrageur_count
    venue = s.markets.venue_of[k]
    own = 0
    for a in range(count):
        if s.venue[s.parties.arbitrageurs[a]] == venue:
            own += 1
    cap = s.markets.arbitrage_cap_lots[k]
    if s.markets.inverse_unit[k] != 0:
        cap = cap * abs(s.live.unit[k]) // s.markets.coin_unit[k]
    cap = max(1, cap // max(1, own))  # each one's part of what all may do
    parts = live.hedge_lots  # < 0 sells spot
    any_part = False
    for a in range(count):
        parts[a] = 0
        if s.venue[s.parties.arbitrageurs[a]] != venue:
            continue
        if s.markets.inverse_unit[k] == 0:
            gap = s.size[s.parties.arbitrageurs[a], k] + live.spot_lots[a, k] - live.cross_lots[a, k]
        else:
            gap = coin_gap(s, a, k)
        seen = live.gap_ring[a, k, step % latency]
        live.gap_ring[a, k, step % latency] = gap
        # Hedge what was open then and is still open now; sell when long overall.
        part = 0
        if gap > 0 and seen > 0:
            part = -min(gap, seen, cap)
        elif gap < 0 and seen < 0:
            part = min(-gap, -seen, cap)
        parts[a] = part
        any_part = any_part or part != 0
        total += part
    if not any_part:
        return
    book = s.markets.spot_of[k]
    u0 = live.spot_u[book]
    bid = s.markets.spot_bid_density[book]
    ask = s.markets.spot_ask_density[book]
    mean = average_price(u0, float(-total), bid, ask, 0.0)
    move_spot(s, book, displacement(absorbed(u0, bid, ask, 0.0) + float(-total), bid, ask, 0.0))
    renew_indices(s, book)
    value = float(fair[k]) * mean * float(s.markets.tick_lot_uusd[k])
    sell = math.floor(value)
    buy = math.ceil(value)
    for a in range(count):
        if parts[a] != 0:
            unit = buy if parts[a] > 0 else sell
            live.spot_lots[a, k] += parts[a]
            live.spot_cash[a] -= parts[a] * unit
            live.pool_lots[k] -= parts[a]
            s.live.pool_cash += parts[a] * unit
    s.tally.spot_sold[k] -= total


@kernel
def discretionary(s: Setting, fair: Int64s, orders: Orders, step: int, minute: int) -> None:
    """Phase 3: everybody's own orders, market by market."""
    live = s.live
    cross_orders(s, step)
    for k in range(s.markets.count):
        if halted(s, s.markets.venue_of[k]):
            continue
        stop_orders(s, k, orders, minute)
        arbitrage_orders(s, k, step, orders)
        live.u_ring[k, step % s.params.arbitrage_latency] = live.u[k]
        dip_orders(s, k, orders)
        exit_orders(s, k, orders)
        fund_orders(s, k, orders)
        trade_orders(s, fair[k], k, orders)
        hedge_spot(s, fair, k, step)
        refresh_mid(s, fair[k], k, step)
    # Stops that fired at a venue that is out since wait for it.
    waiting = 0
    for i in range(live.stop_count):
        row = s.stop_list[i]
        if halted(s, s.venue[row]):
            s.stop_list[waiting] = row
            waiting += 1
    live.stop_count = waiting
