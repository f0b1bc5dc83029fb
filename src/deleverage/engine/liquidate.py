"""One round of liquidations: who is closed, by how much, at which limit, and in which order the venue tries.

What an account meets first depends on its equity and on the venue's policies (`venues/rules.py`):

    an order into the book    of the whole position or a slice of it, down to its limit; what the book did not
                              take goes to the fund, to winners, or waits for the next order
    the backstop              equity below a share of the maintenance margin: everything moves at mark
    deleveraging at once      venues whose ADL begins where equity is negative

Each contract is closed once: liquidated = filled in the book + taken over + deleveraged against winners.
"""

from __future__ import annotations

import numpy as np

from deleverage.engine.collateral import cover_closed, seize, surrender
from deleverage.engine.fills import fill_batch
from deleverage.engine.finder import only_market, watch_later
from deleverage.engine.ledger import (
    TRANSFER,
    equity,
    fund_of,
    gross_notional,
    has_position,
    in_usd,
    lot_uusd,
    margin_owed,
    pay,
    trade,
)
from deleverage.engine.state import (
    HOLDER,
    LIQUIDATE,
    LONG,
    MAKER,
    MINUTE_S,
    SELL_EVENLY,
    SHORT,
    Finder,
    Setting,
)
from deleverage.engine.waterfall import BACKSTOP, DELEVERAGE, ORDER, absorb_rest
from deleverage.jit import allocating_kernel, kernel
from deleverage.units import PPM, Int64s, mul_div, mul_rate, mul_rate_up
from deleverage.venues.inverse_margin import closing_price, highest_price, lowest_price
from deleverage.venues.margin import NEVER_TICKS, maintenance_margin, tier_of
from deleverage.venues.rules import AdlTrigger, OrderLimit, Slice, Takeover

NO_LIMIT, FILLABLE = int(OrderLimit.NONE), int(OrderLimit.FILLABLE)
LOWER_TIER, SHARE_A_STEP = int(Slice.LOWER_TIER), int(Slice.SHARE_A_STEP)
SHARE_THEN_WHOLE = int(Slice.SHARE_THEN_WHOLE)
VAULT, NOBODY = int(Takeover.VAULT), int(Takeover.NONE)
EQUITY_NEGATIVE, NOTHING_FILLED = int(AdlTrigger.EQUITY_NEGATIVE), int(AdlTrigger.NOTHING_FILLED)


@kernel
def plan_for(s: Setting, row: int, worth: int, owed: int) -> int:
    """What a liquidatable account meets first, from its equity and maintenance margin [uusd]."""
    venue = s.venue[row]
    trigger = s.venues.adl_trigger[venue]
    if s.params.adl and worth < 0 and (trigger == EQUITY_NEGATIVE or trigger == NOTHING_FILLED):
        return DELEVERAGE
    if s.venues.takeover[venue] == VAULT and worth < mul_rate(owed, s.venues.backstop_ppm[venue], PPM):
        return BACKSTOP
    return ORDER


@kernel
def order_lots(s: Setting, row: int, k: int, worth: int, owed: int) -> int:
    """Lots of one liquidation order by the venue's slice rule, at least one."""
    venue = s.venue[row]
    rule = s.venues.slice[venue]
    size: int = abs(s.size[row, k])
    usd = lot_uusd(s, k)
    if rule == SHARE_THEN_WHOLE:
        since = s.live.step - s.ordered[row]
        small = size * usd <= s.venues.slice_above_uusd[venue]
        if small or (s.ordered[row] >= 0 and since <= s.venues.cooldown_s[venue]):
            return size
        return mul_rate_up(size, s.venues.slice_ppm[venue], PPM)
    if rule == SHARE_A_STEP and usd > 0:
        lots = max(
            mul_rate(size, s.venues.slice_ppm[venue], PPM), -(-s.venues.slice_minimum_uusd[venue] // usd)
        )
        if s.venues.slice_maximum_uusd[venue] > 0:
            lots = min(lots, s.venues.slice_maximum_uusd[venue] // usd)
        return int(min(size, max(lots, 1)))
    now = abs(s.live.unit[k])
    if rule == LOWER_TIER and now > 0:
        value = size * now
        others = owed - maintenance_margin(value, k, s.tiers)
        for tier in range(tier_of(value, k, s.tiers) - 1, -1, -1):
            kept = s.tiers.cap_uusd[k, tier] // now
            if worth >= others + maintenance_margin(kept * now, k, s.tiers):
                return int(size - kept)
    return size


@kernel
def coins_beyond(s: Setting, k: int, size: int, money: int) -> int:
    """Price [ticks] of an inverse market that is ``money`` a lot worse than the mark for who closes ``size``.

    Rounded so that no more than that is given up; less than 0 is a better price.
    """
    worth = abs(s.live.unit[k])
    coins = s.markets.inverse_unit[k]
    return lowest_price(worth + money, coins) if size > 0 else highest_price(worth - money, coins)


@kernel
def bankruptcy_limit(s: Setting, row: int, k: int, worth: int, gross: int, only: bool) -> int:
    """Price [ticks] of market k at which an account closes with equity 0.

    In one market it is exact. Over several, equity is spread over the markets in proportion to notional: the
    move, the same share of every mark (inverse: of the coins of a lot), that leaves equity 0; rounded so that
    equity does not fall below 0.
    """
    live = s.live
    size = s.size[row, k]
    coins = s.markets.inverse_unit[k]
    if only:
        return closing_price(s.wallet[row], size, s.cost[row, k], s.markets.tick_lot_uusd[k], coins)
    share = min(abs(worth), gross)
    room = mul_div(live.mark[k] if coins == 0 else abs(s.live.unit[k]), share, gross)
    if worth < 0:
        room = -(room + 1)
    if coins != 0:
        return coins_beyond(s, k, size, room)
    price = live.mark[k] - room if size > 0 else live.mark[k] + room
    return price if price > 0 else 0


@kernel
def order_limit(s: Setting, row: int, k: int, worth: int, owed: int, bust: int) -> int:
    """Worst price [ticks] of a liquidation order by the venue's rule; 0 (long) or `NEVER_TICKS` is none.

    Fillable price: mark − A·spread·M_k ÷ q for a long, with A = adjustment · (1 − E/M) between 0 and 1, E
    and M equity and maintenance margin of the account, M_k that of the position: the deeper, the further.
    Of an inverse market the same in the coins of a lot.
    """
    venue = s.venue[row]
    size = s.size[row, k]
    if s.params.no_limit or s.venues.order_limit[venue] == NO_LIMIT:
        return 0 if size > 0 else NEVER_TICKS
    if s.venues.order_limit[venue] == FILLABLE:
        mark = s.live.mark[k]
        own = maintenance_margin(abs(size) * abs(s.live.unit[k]), k, s.tiers)
        lack = min(mul_rate(max(owed - worth, 0), s.venues.adjustment_ppm[venue], PPM), owed)
        beyond = mul_div(mul_rate(own, s.venues.spread_ppm[venue], PPM), lack, owed)
        if s.markets.inverse_unit[k] != 0:
            return coins_beyond(s, k, size, beyond // abs(size))
        ticks = beyond // (abs(size) * s.markets.tick_lot_uusd[k])
        return int(max(1, mark - ticks) if size > 0 else mark + ticks)
    return bust


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
            money = live.unit[k]
            venue = s.venue[row]
            vehicle = s.parties.exit_long[venue] if size > 0 else s.parties.exit_short[venue]
            trade(s, row, k, -size, money, TRANSFER)
            trade(s, vehicle, k, size, money, TRANSFER)
            live.exit_assigned[LONG if size > 0 else SHORT, k] += abs(size)


@kernel
def count_account(s: Setting, row: int) -> None:
    """Record an account's first order; a liquidated maker's quotes leave before anything trades."""
    venue = s.venue[row]
    if s.tally.first_liquidation_step[venue] < 0:
        s.tally.first_liquidation_step[venue] = s.live.step
    if s.ordered[row] >= 0:
        return
    if s.role[row] == MAKER:
        s.live.dead_makers[venue] += 1
        s.tally.makers_liquidated += 1
    for k in range(s.venues.first[venue], s.venues.end[venue]):
        if s.size[row, k] != 0:
            s.tally.accounts_forced[k] += 1


@kernel
def lots_held(s: Setting, row: int) -> int:
    """Σ |size| over all markets: smaller after a round in which anything was closed."""
    total = 0
    for k in range(s.venues.first[s.venue[row]], s.venues.end[s.venue[row]]):
        total += abs(s.size[row, k])
    return total


@kernel
def close_out(s: Setting, finder: Finder, row: int, plan: int, due: int, first: int, before: int) -> None:
    """After the orders of a round: the clearance fee ``due`` on what the book filled, if there is money.

    With nothing left open the account is done: the venue keeps the rest of the margin where its rule says so
    (always after a backstop), and the fund pays a deficit. Otherwise it is looked at again: in this step, or
    in the next one where the venue sends one order a block or the order found nobody. ``before`` is what it
    held.
    """
    venue = s.venue[row]
    fund = fund_of(s, first)
    if has_position(s, row):
        s.in_round[row] = False
        s.ordered[row] = s.live.step
        s.waits[row] = s.venues.slice[venue] == SHARE_A_STEP or lots_held(s, row) == before
        fee = min(due, max(0, equity(s, row)))
        pay(s, row, -fee)
        pay(s, fund, fee)
        s.tally.fees_uusd += in_usd(s, first, fee)
        if s.role[row] == HOLDER:
            watch_later(s, finder, row, first)
        return
    s.closed[row] = True
    left = s.wallet[row]
    if plan == BACKSTOP:
        surrender(s, row, fund)
    if left > 0:
        fee = min(left, due)
        kept = left - fee if plan == BACKSTOP or s.venues.rest_to_fund[venue] else 0
        pay(s, row, -fee - kept)
        pay(s, fund, fee + kept)
        s.tally.fees_uusd += in_usd(s, first, fee)
        s.tally.forfeited_uusd += in_usd(s, first, kept)
    elif left < 0:
        pay(s, row, -left)
        pay(s, fund, left)
        seize(s, row, fund, -left)
        s.tally.deficit_uusd[first] -= in_usd(s, first, left)
        s.tally.bankrupt_wallets += 1


@allocating_kernel
def liquidate(s: Setting, finder: Finder, fair: Int64s, hits: Int64s, count: int) -> None:
    """Send the first ``count`` accounts of ``hits`` (by uid) through one round.

    Two-phase: what each meets, its lots and its limits are set before the first fill, so the order of
    accounts cannot matter.
    """
    live = s.live
    markets = s.markets.count
    rows = hits[:count]
    s.tally.fired_liquidations = 1
    if s.params.liquidations != LIQUIDATE:
        leave_alone(s, rows)
        return
    plan = np.zeros(count, dtype=np.int64)
    lots = np.zeros((count, markets), dtype=np.int64)
    bust = np.zeros((count, markets), dtype=np.int64)
    limit = np.zeros((count, markets), dtype=np.int64)
    filled_uusd = np.zeros(count, dtype=np.int64)
    first = np.zeros(count, dtype=np.int64)  # the first market that the account was in
    before = np.zeros(count, dtype=np.int64)
    for i in range(count):
        row = rows[i]
        count_account(s, row)
        only = only_market(s, row) >= 0
        worth = equity(s, row)
        owed = margin_owed(s, row)
        gross = gross_notional(s, row)
        before[i] = lots_held(s, row)
        plan[i] = plan_for(s, row, worth, owed)
        for k in range(s.venues.end[s.venue[row]] - 1, s.venues.first[s.venue[row]] - 1, -1):
            if s.size[row, k] != 0:
                first[i] = k
                bust[i, k] = bankruptcy_limit(s, row, k, worth, gross, only)
                limit[i, k] = order_limit(s, row, k, worth, owed, bust[i, k])
                lots[i, k] = order_lots(s, row, k, worth, owed) if plan[i] == ORDER else 0
    for k in range(markets):
        venue = s.markets.venue_of[k]
        kill = s.venues.slice[venue] == LOWER_TIER
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
            batch = np.empty(n, dtype=np.int64)
            limits = np.empty(n, dtype=np.int64)
            wanted = np.empty(n, dtype=np.int64)
            filled = np.zeros(n, dtype=np.int64)
            busts = np.empty(n, dtype=np.int64)
            plans = np.empty(n, dtype=np.int64)
            for i in range(n):
                batch[i] = rows[chosen[i]]
                limits[i] = limit[chosen[i], k]
                wanted[i] = lots[chosen[i], k]
                busts[i] = bust[chosen[i], k]
                plans[i] = plan[chosen[i]]
            quantity = fill_batch(s, fair[k], k, side, batch, wanted, limits, filled, kill)
            now = abs(s.live.unit[k])
            s.tally.book[k] += quantity
            s.tally.book_uusd[k] += quantity * lot_uusd(s, k)
            s.bars[(live.step - 1) // MINUTE_S, k].book += quantity
            rest = np.zeros(n, dtype=np.int64)
            any_rest = False
            for i in range(n):
                filled_uusd[chosen[i]] += filled[i] * now
                if plans[i] != ORDER:
                    rest[i] = abs(s.size[batch[i], k])
                elif s.venues.takeover[venue] == NOBODY:
                    rest[i] = wanted[i] if filled[i] == 0 else 0
                elif filled[i] < wanted[i] and s.venues.takeover[venue] != VAULT:
                    # A killed order is not repeated: the venue takes the whole position.
                    rest[i] = abs(s.size[batch[i], k])
                any_rest = any_rest or rest[i] > 0
            if any_rest:
                absorb_rest(s, finder, k, side, batch, rest, busts, plans)
    due = np.zeros(count, dtype=np.int64)
    for i in range(count):
        venue = s.venue[rows[i]]
        due[i] = mul_rate_up(filled_uusd[i], s.venues.fee_num[venue], s.venues.fee_den[venue])
    cover_closed(s, rows, due)
    for i in range(count):
        close_out(s, finder, rows[i], plan[i], due[i], first[i], before[i])
