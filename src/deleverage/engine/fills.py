"""How a quantity trades: one walk of the book, one average price, and named accounts on the other side.

Money per lot is rounded against whoever trades: sellers get floor(VWAP), buyers pay ceil(VWAP), the
difference
goes to the insurance fund of the market. So what is paid equals what is received, to the micro-dollar.
"""

from __future__ import annotations

import math

from deleverage.engine.book import absorbed, average_price, displacement, exp_neg, log_distance
from deleverage.engine.ledger import FORCED, ORDINARY, fund_of, halted, pay, trade, unit
from deleverage.engine.makers import ask_density, bid_density, half_spread, latent
from deleverage.engine.ranking import falling, rising
from deleverage.engine.state import (
    ARBITRAGEUR,
    LONG,
    MAKER,
    PROFIT_TAKER,
    Setting,
)
from deleverage.jit import allocating_kernel, kernel
from deleverage.units import PPM, Int64s, mul_div, mul_rate
from deleverage.venues.margin import NEVER_TICKS


@kernel
def anchor(s: Setting, fair: int, k: int) -> float:
    """Price about which the perpetual's book stands [ticks]: the index times the basis of the start."""
    price: float = float(fair) * s.live.index_level[k] * s.markets.basis[k]
    return price


@kernel
def refresh_mid(s: Setting, fair: int, k: int, step: int) -> None:
    """Set mid and index from the displacements, and remember the trough. A venue that is out stands still."""
    live = s.live
    if halted(s, s.markets.venue_of[k]):
        return
    level = float(fair) * live.index_level[k]
    live.index[k] = math.floor(level + 0.5)
    live.mid[k] = math.floor(level * s.markets.basis[k] * exp_neg(live.u[k]) + 0.5)
    if live.mid[k] < s.tally.trough[k]:
        s.tally.trough[k] = live.mid[k]
        s.tally.trough_step[k] = step


@kernel
def capacity(s: Setting, k: int, row: int, buying: bool) -> int:
    """Lots that a passive account would take at most."""
    size = s.size[row, k]
    role = s.role[row]
    room = 0
    if role == MAKER:
        room = s.markets.maker_limit_lots[k] - (size if buying else -size)
    elif role == ARBITRAGEUR:
        # Passive arbitrage closes the short when others sell, and goes short again when others buy.
        room = -size if buying else s.markets.arbitrage_limit_lots[k] + size
    elif role == PROFIT_TAKER:
        room = -size if buying else 0
    return room if room > 0 else 0


@kernel
def settle_book(s: Setting, k: int, lots: int, unit_uusd: int) -> None:
    """Let the named accounts take the other side: they buy ``lots`` (< 0: sell) at ``unit_uusd`` a lot.

    Each takes its stated share up to its capacity; newcomers take the rest.
    """
    buying = lots > 0
    sign = 1 if buying else -1
    total = lots * sign
    left = total
    venue = s.markets.venue_of[k]
    for i in range(s.parties.named_count):
        row = s.parties.named[i]
        weight = s.parties.named_weight_ppm[i]
        if weight == 0 or s.venue[row] != venue or s.closed[row] or s.in_round[row]:
            continue
        part = min(mul_rate(total, weight, PPM), capacity(s, k, row, buying), left)
        if part > 0:
            trade(s, row, k, sign * part, unit_uusd, ORDINARY)
            left -= part
    if left > 0:
        trade(s, s.parties.newcomer[venue], k, sign * left, unit_uusd, ORDINARY)


@kernel
def walk(s: Setting, fair: int, k: int, lots: int) -> float:
    """Sell ``lots`` (< 0: buy) into the book.

    Moves the displacement, returns the VWAP after half the spread [ticks]. Of an inverse market coins are
    averaged, not dollars: the mean of e^u over the walk, which is that of e^(−u) over the mirrored one.
    """
    live = s.live
    bid = bid_density(s, k)
    ask = ask_density(s, k)
    slope = latent(s, k)
    u0 = live.u[k]
    if s.markets.inverse_unit[k] == 0:
        mean = average_price(u0, float(lots), bid, ask, slope)
    else:
        mean = 1.0 / average_price(-u0, -float(lots), ask, bid, slope)
    u1 = displacement(absorbed(u0, bid, ask, slope) + float(lots), bid, ask, slope)
    if s.params.double_impact:
        u1 = u1 + (u1 - u0)
    live.u[k] = u1
    spread = half_spread(s, k)
    factor = 1.0 - spread if lots > 0 else (1.0 + spread if lots < 0 else 1.0)
    return anchor(s, fair, k) * mean * factor


@kernel
def unit_prices(s: Setting, k: int, price_ticks: float) -> tuple[int, int]:
    """What a seller gets and a buyer pays for one lot: money, < 0 where the seller of a lot pays in coins."""
    if s.markets.inverse_unit[k] == 0:
        value = price_ticks * float(s.markets.tick_lot_uusd[k])
    else:
        value = -float(s.markets.inverse_unit[k]) / price_ticks
    sell = math.floor(value)
    buy = math.ceil(value)
    return sell, buy


@kernel
def fillable(s: Setting, fair: int, k: int, side: int, limit: int) -> int:
    """Lots that orders of a side can trade before the price, after half the spread, passes ``limit`` [ticks].

    ``side`` is the side of the position that is closed: LONG sells, SHORT buys.
    """
    live = s.live
    bid = bid_density(s, k)
    ask = ask_density(s, k)
    slope = latent(s, k)
    spread = half_spread(s, k)
    if side == LONG:
        if limit <= 0:
            return 1 << 61
        u = log_distance(float(limit) / (anchor(s, fair, k) * (1.0 - spread)))
        room = absorbed(u, bid, ask, slope) - absorbed(live.u[k], bid, ask, slope)
    else:
        if limit <= 0:
            return 0
        if limit >= NEVER_TICKS:
            return 1 << 61
        u = log_distance(float(limit) / (anchor(s, fair, k) * (1.0 + spread)))
        room = absorbed(live.u[k], bid, ask, slope) - absorbed(u, bid, ask, slope)
    if room <= 0.0:
        return 0
    return (math.floor(room)) if room < 4.0e18 else 1 << 61


@allocating_kernel
def fill_batch(
    s: Setting,
    fair: int,
    k: int,
    side: int,
    rows: Int64s,
    wanted: Int64s,
    limit: Int64s,
    filled: Int64s,
    kill: bool,
) -> int:
    """Fill the liquidation orders of one side of one market in one walk; returns the lots filled.

    Orders rank by their limit, the most willing first, then by uid. An order fills as far as the price at
    its end is within its limit; orders at the marginal limit share what is left in proportion, leftover
    lots by rank; where orders are fill-or-kill (``kill``) they get nothing. All that fill do so at one VWAP.

    rows, wanted, limit : int64 [n], in order of uid; filled : int64 [n], written. A limit of 0 for a long and
    `NEVER_TICKS` for a short is none.
    """
    n = rows.shape[0]
    total = 0
    worst = -1
    for i in range(n):
        total += wanted[i]
        filled[i] = 0
        if wanted[i] > 0 and (
            worst < 0 or (side == LONG and limit[i] > worst) or (side != LONG and limit[i] < worst)
        ):
            worst = limit[i]
    if total == 0:
        return 0
    quantity = 0
    if fillable(s, fair, k, side, worst) >= total:
        quantity = total
        for i in range(n):
            filled[i] = wanted[i]
    else:
        # Stable: equal limits stay in order of uid.
        order = rising(limit) if side == LONG else falling(limit)
        i = 0
        while i < n:
            j = i
            group = 0
            while j < n and limit[order[j]] == limit[order[i]]:
                group += wanted[order[j]]
                j += 1
            if group == 0:
                i = j
                continue
            room = fillable(s, fair, k, side, limit[order[i]]) - quantity
            if room >= group:
                for m in range(i, j):
                    filled[order[m]] = wanted[order[m]]
                quantity += group
                i = j
                continue
            if room > 0 and not kill:
                given = 0
                for m in range(i, j):
                    part = mul_div(wanted[order[m]], room, group)
                    filled[order[m]] = part
                    given += part
                for m in range(i, j):
                    if given < room and filled[order[m]] < wanted[order[m]]:
                        filled[order[m]] += 1
                        given += 1
                quantity += given
            break
    if quantity == 0:
        return 0
    lots = quantity if side == LONG else -quantity
    sell, buy = unit_prices(s, k, walk(s, fair, k, lots))
    # The average cannot be beyond the worst limit that filled; rounding of the float may say so by one uusd.
    bound = -1
    for i in range(n):
        if filled[i] > 0 and (
            bound < 0 or (side == LONG and limit[i] > bound) or (side != LONG and limit[i] < bound)
        ):
            bound = limit[i]
    floor_uusd = unit(s, k, bound) if bound < NEVER_TICKS else 0
    if side == LONG:
        if sell < floor_uusd:
            sell = floor_uusd
        if buy < sell:
            buy = sell
    elif bound < NEVER_TICKS:
        if buy > floor_uusd:
            buy = floor_uusd
        if sell > buy:
            sell = buy
    for i in range(n):
        if filled[i] > 0:
            if side == LONG:
                trade(s, rows[i], k, -filled[i], sell, FORCED)
            else:
                trade(s, rows[i], k, filled[i], buy, FORCED)
    s.live.forced_lots[k] += quantity
    settle_book(s, k, lots, buy if side == LONG else sell)
    pay(s, fund_of(s, k), quantity * (buy - sell))
    return quantity
