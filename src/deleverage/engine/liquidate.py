"""One round of liquidations: who is closed, at which limit, and in which order the venue tries.

Cancel → IOC into the book down to the bankruptcy price → takeover by the insurance fund → ADL → (at
settlement)
socialised loss. An account is closed whole. Each contract is closed once:
liquidated = filled in the book + taken over + deleveraged against winners.
"""

from __future__ import annotations

import numpy as np

from deleverage.engine.fills import fill_batch
from deleverage.engine.finder import only_market
from deleverage.engine.ledger import FORCED, TRANSFER, equity, fund_of, gross_notional, pay, trade
from deleverage.engine.state import LIQUIDATE, LONG, MAKER, SELL_EVENLY, SHORT, Finder, Setting
from deleverage.engine.waterfall import absorb_rest
from deleverage.jit import kernel
from deleverage.units import Int64s, mul_div, mul_rate_up
from deleverage.venues.margin import NEVER_TICKS, bankruptcy_price


@kernel
def order_limit(s: Setting, row: int, k: int, worth: int, gross: int, only: bool) -> int:
    """Worst price [ticks] at which the venue may close market k of an account: its bankruptcy price.

    In one market it is exact. Over several, equity is spread over the markets in proportion to notional:
    the move,
    the same share of every mark, that leaves equity 0; rounded so that equity does not fall below 0.
    """
    live = s.live
    size = s.size[row, k]
    if s.params.no_limit:
        return 0 if size > 0 else NEVER_TICKS
    if only:
        return bankruptcy_price(s.wallet[row], size, s.cost[row, k], s.markets.tick_lot_uusd[k])
    share = min(abs(worth), gross)
    room = mul_div(live.mark[k], share, gross)
    if worth < 0:
        room = -(room + 1)
    price = live.mark[k] - room if size > 0 else live.mark[k] + room
    return price if price > 0 else 0


@kernel
def leave_alone(s: Setting, rows: Int64s) -> None:
    """Liquidations off: the position is sold evenly over hours by a vehicle, or never closed."""
    live = s.live
    for i in range(rows.shape[0]):
        row = rows[i]
        s.closed[row] = True
        if s.params.liquidations != SELL_EVENLY:
            continue
        for k in range(s.markets.count):
            size = s.size[row, k]
            if size == 0:
                continue
            unit = live.mark[k] * s.markets.tick_lot_uusd[k]
            vehicle = s.parties.exit_long if size > 0 else s.parties.exit_short
            trade(s, row, k, -size, unit, TRANSFER)
            trade(s, vehicle, k, size, unit, TRANSFER)
            live.exit_assigned[LONG if size > 0 else SHORT, k] += abs(size)


@kernel
def count_forced(s: Setting, rows: Int64s, minute: int, step: int) -> None:
    """Record who is about to be closed, and let a liquidated maker's quotes leave before anything trades."""
    live = s.live
    if s.tally.first_liquidation_step < 0:
        s.tally.first_liquidation_step = step
    for i in range(rows.shape[0]):
        row = rows[i]
        if s.role[row] == MAKER:
            s.live.dead_makers += 1
            s.tally.makers_liquidated += 1
        for k in range(s.markets.count):
            size = s.size[row, k]
            if size == 0:
                continue
            side = LONG if size > 0 else SHORT
            worth = abs(size) * live.mark[k] * s.markets.tick_lot_uusd[k]
            s.tally.accounts_forced[k] += 1
            s.tally.forced_uusd[side, k] += worth
            s.bars[minute, k].liquidated[side] += abs(size)
            s.bars[minute, k].liquidated_uusd[side] += worth


@kernel
def close_out(s: Setting, rows: Int64s, filled_uusd: Int64s) -> None:
    """After the last contract.

    Clearance fee on what the book filled, as far as there is money; the fund pays a deficit.
    """
    for i in range(rows.shape[0]):
        row = rows[i]
        s.closed[row] = True
        first = filled_uusd[i, 1]  # the first market that the account was in
        fund = fund_of(s, first)
        left = s.wallet[row]
        if left > 0:
            fee = min(left, mul_rate_up(filled_uusd[i, 0], s.params.fee_num, s.params.fee_den))
            pay(s, row, -fee)
            pay(s, fund, fee)
            s.tally.fees_uusd += fee
        elif left < 0:
            pay(s, row, -left)
            pay(s, fund, left)
            s.tally.deficit_uusd[first] -= left
            s.tally.bankrupt_wallets += 1


@kernel
def liquidate(s: Setting, finder: Finder, fair: Int64s, rows: Int64s, step: int, minute: int) -> None:
    """Close the accounts in ``rows`` (by uid): one round."""
    live = s.live
    markets = s.markets.count
    count = rows.shape[0]
    s.tally.fired_liquidations = 1
    if s.params.liquidations != LIQUIDATE:
        leave_alone(s, rows)
        return
    count_forced(s, rows, minute, step)
    limit = np.zeros((count, markets), dtype=np.int64)
    filled_uusd = np.zeros((count, 2), dtype=np.int64)
    for i in range(count):
        row = rows[i]
        only = only_market(s, row) >= 0
        worth = equity(s, row)
        gross = gross_notional(s, row)
        for k in range(markets - 1, -1, -1):
            if s.size[row, k] != 0:
                limit[i, k] = order_limit(s, row, k, worth, gross, only)
                filled_uusd[i, 1] = k
    # Two-phase: every limit was set before the first fill, so the order of accounts cannot matter.
    for k in range(markets):
        for side in range(2):
            chosen = np.empty(count, dtype=np.int64)
            n = 0
            for i in range(count):
                size = s.size[rows[i], k]
                if (side == LONG and size > 0) or (side == SHORT and size < 0):
                    chosen[n] = i
                    n += 1
            if n == 0:
                continue
            chosen = chosen[:n]
            batch = rows[chosen]
            limits = np.empty(n, dtype=np.int64)
            wanted = np.empty(n, dtype=np.int64)
            filled = np.zeros(n, dtype=np.int64)
            for i in range(n):
                limits[i] = limit[chosen[i], k]
                wanted[i] = abs(s.size[batch[i], k])
            quantity = fill_batch(s, fair[k], k, side, batch, wanted, limits, filled, FORCED)
            unit = live.mark[k] * s.markets.tick_lot_uusd[k]
            for i in range(n):
                filled_uusd[chosen[i], 0] += filled[i] * unit
            s.tally.book[k] += quantity
            s.tally.book_uusd[k] += quantity * unit
            s.bars[minute, k].book += quantity
            if quantity < wanted.sum():
                absorb_rest(s, finder, k, side, batch, limits, step, minute)
    close_out(s, rows, filled_uusd)
