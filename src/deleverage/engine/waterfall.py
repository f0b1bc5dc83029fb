"""What happens to contracts that the book did not take: takeover, auto-deleveraging, socialised loss.

Fund or vault takes a position over as long as its venue's rule lets it; what it refuses is closed against
the winners of the other side in the venue's rank, at the venue's price and without a fee (ADL). What no
winner can take, it takes all the same; if that makes its equity negative, the loss is shared among winners at
the next settlement. The policies are those of `venues/rules.py`, (d) to (g).
"""

from __future__ import annotations

import numpy as np

from deleverage.engine.finder import KINDS, watch_later
from deleverage.engine.ledger import (
    DELEVERAGED,
    FORCED,
    ORDINARY,
    collateral_value,
    equity,
    fund_of,
    halted,
    in_usd,
    lot_uusd,
    margin_owed,
    pay,
    trade,
    unit,
)
from deleverage.engine.ranking import falling, rising
from deleverage.engine.state import FUND, HOLDER, LONG, MINUTE_S, Finder, Setting
from deleverage.jit import allocating_kernel, kernel
from deleverage.units import PPM, Floats, Int64s, mul_div, mul_rate
from deleverage.venues.adl.ranks import adl_rank_score
from deleverage.venues.rules import AdlPrice, AdlRank, AdlTrigger, Takeover

ORDER, BACKSTOP, DELEVERAGE = range(3)
"""What a liquidatable account meets first. See `engine/liquidate.py`."""

RANK_S = 10
"""Seconds for which a ranking holds."""

RANDOM_START = int(AdlRank.RANDOM_START)
AT_MARK, AT_PREVIOUS_MARK = int(AdlPrice.MARK), int(AdlPrice.PREVIOUS_MARK)
NEAR_MARK, AT_ORACLE = int(AdlPrice.BANKRUPTCY_NEAR_MARK), int(AdlPrice.ORACLE)
FUND_REFUSES, FUND_BELOW_REFERENCE = int(AdlTrigger.FUND_REFUSES), int(AdlTrigger.FUND_BELOW_REFERENCE)
EQUITY_NEGATIVE = int(AdlTrigger.EQUITY_NEGATIVE)
VAULT, NOBODY = int(Takeover.VAULT), int(Takeover.NONE)


@kernel
def adl_score(s: Setting, row: int, k: int, start: int) -> float:
    """Rank of a candidate in market k by the venue's rule; ≤ 0 when it is none.

    Winners at mark only, except where a venue draws lots. The engine knows no chosen leverage: where a rule
    asks for the return on initial margin, the return on entry value stands for it. An inverse long is a
    linear short in what a lot is worth.
    """
    live = s.live
    size = s.size[row, k]
    rank = s.venues.adl_rank[s.venue[row]]
    cost = s.cost[row, k]
    value = size * live.unit[k]
    profit = value - cost
    if profit <= 0 and rank != RANDOM_START:
        return 0.0
    worth = equity(s, row)
    if worth <= 0:
        return 0.0
    entry = max(abs(cost), 1)
    backing = max(s.wallet[row] + collateral_value(s, row), 1)
    long = size > 0 if s.markets.inverse_unit[k] == 0 else size < 0
    return adl_rank_score(
        rank, long, profit, entry, abs(value), backing, entry, margin_owed(s, row), worth,
        s.uid[row], start, s.uid.shape[0],
    )  # fmt: skip


@kernel
def ahead(s: Setting, rows: Int64s, score: Floats, a: int, b: int) -> bool:
    """True when candidate a ranks before b: higher score, then lower uid."""
    return bool(score[a] > score[b] or (score[a] == score[b] and s.uid[rows[a]] < s.uid[rows[b]]))


@kernel
def sift(s: Setting, heap: Int64s, length: int, at: int, rows: Int64s, score: Floats) -> None:
    """Restore the heap below one node: only the first few winners are ever needed, so no full sort."""
    while True:
        first = at
        for child in (2 * at + 1, 2 * at + 2):
            if child < length and ahead(s, rows, score, heap[child], heap[first]):
                first = child
        if first == at:
            return
        heap[at], heap[first] = heap[first], heap[at]
        at = first


@kernel
def add_candidate(
    s: Setting, row: int, k: int, side: int, start: int, rows: Int64s, score: Floats, count: int
) -> int:
    """Append an account to the candidates against liquidated positions of ``side``, if it is one."""
    size = s.size[row, k]
    opposite = size < 0 if side == LONG else size > 0
    if opposite and s.role[row] < FUND and not s.in_round[row] and not s.closed[row]:
        points = adl_score(s, row, k, start)
        if points > 0.0:
            rows[count] = row
            score[count] = points
            return count + 1
    return count


@kernel
def rank_adl(s: Setting, finder: Finder, k: int, side: int) -> None:
    """Rank who could be deleveraged against liquidated positions of ``side`` in market k, now and then.

    Venues renew their ranks every second to every day; here they hold `RANK_S` seconds, or until the list is
    used up. Who was liquidated since is passed over.
    """
    found = finder.found
    age = s.live.step - found.adl_step[k, side]
    ranked = found.adl_step[k, side] > 0
    if ranked and (age == 0 or (age < RANK_S and found.adl_length[k, side] > 0)):
        return
    n = s.wallet.shape[0]
    venue = s.markets.venue_of[k]
    rows = finder.adl_rows[2 * k + side]
    score = finder.adl_score[2 * k + side]
    heap = finder.adl_heap[2 * k + side]
    # A draw that every variant of the same run repeats, and that no other draw depends on.
    start = (s.params.draw % 1_000_003 * 7_919 + s.live.step * 104_729 + k * 1_299_709 + side) % n
    # Who holds the other side is in one of the lists of the search, or named: nobody opens anything else.
    count = 0
    for i in range(found.single_first[k, 1 - side], found.single_end[k, 1 - side]):
        count = add_candidate(s, finder.single_rows[i], k, side, start, rows, score, count)
    for kind in range(KINDS):
        for i in range(found.many_first[venue, kind], found.many_end[venue, kind]):
            count = add_candidate(s, finder.many_rows[i], k, side, start, rows, score, count)
    for i in range(s.parties.named_count):
        count = add_candidate(s, s.parties.named[i], k, side, start, rows, score, count)
    for i in range(count):
        heap[i] = i
    for at in range(count // 2 - 1, -1, -1):
        sift(s, heap, count, at, rows, score)
    found.adl_step[k, side] = s.live.step
    found.adl_length[k, side] = count


@kernel
def deleverage(s: Setting, finder: Finder, k: int, side: int, row: int, lots: int, price: int) -> int:
    """Close ``lots`` of a liquidated position of ``side`` at ``price`` against winners; lots closed."""
    rows = finder.adl_rows[2 * k + side]
    score = finder.adl_score[2 * k + side]
    heap = finder.adl_heap[2 * k + side]
    length = finder.found.adl_length[k, side]
    money = unit(s, k, price)
    sign = 1 if side == LONG else -1
    left = lots
    drawn = 1 if s.venues.adl_rank[s.venue[row]] == RANDOM_START else 0
    while left > 0 and length > 0:
        winner = rows[heap[0]]
        held = -sign * s.size[winner, k]
        # A winner at mark that would lose at the price of the trade is passed over, and who has been
        # liquidated since the ranking.
        loses = drawn == 0 and s.size[winner, k] * money - s.cost[winner, k] <= 0
        part = 0
        if held > 0 and not loses and not s.in_round[winner] and not s.closed[winner]:
            part = min(left, held)
            trade(s, row, k, -sign * part, money, FORCED)
            trade(s, winner, k, sign * part, money, DELEVERAGED)
            left -= part
            if s.role[winner] == HOLDER:
                watch_later(s, finder, winner, k)
        if part == 0 or part == held:
            length -= 1
            heap[0] = heap[length]
            sift(s, heap, length, 0, rows, score)
    finder.found.adl_length[k, side] = length
    return lots - left


@kernel
def acceptable(s: Setting, k: int, side: int, lots: int, price: int) -> int:
    """Lots that fund or vault can take over at ``price`` [ticks] before the venue's ADL begins.

    Its equity at mark must stay at or above a floor: 0, what the reference balance leaves, or what the vault
    may not lose; where the fund may refuse, its inventory must stay within a multiple of its equity too.
    """
    live = s.live
    if not s.params.adl:
        return lots
    venue = s.markets.venue_of[k]
    trigger = s.venues.adl_trigger[venue]
    fund = fund_of(s, k)
    worth = equity(s, fund)
    floor = 0
    if trigger == FUND_BELOW_REFERENCE:
        high = max(live.fund_high[s.markets.fund_of[k]], 0)
        drop = max(mul_rate(high, s.venues.fund_drop_ppm[venue], PPM), s.venues.fund_drop_uusd[venue])
        floor = max(0, high - drop)
    elif trigger == EQUITY_NEGATIVE:
        before = max(s.tally.fund_before[s.markets.fund_of[k]], 0)
        floor = before - mul_rate(before, s.venues.vault_loss_ppm[venue], PPM)
    if worth <= floor:
        return 0
    room = lots
    if trigger == FUND_REFUSES:
        now = abs(s.live.unit[k])
        size = s.size[fund, k] if side == LONG else -s.size[fund, k]
        if now > 0:
            room = min(room, mul_rate(worth, s.markets.inventory_ppm[k], PPM) // now - size)
    gap = unit(s, k, price) - live.unit[k]
    if side != LONG:
        gap = -gap
    if gap > 0:
        room = min(room, (worth - floor) // gap)
    return room if room > 0 else 0


@kernel
def take_over(s: Setting, k: int, row: int, lots: int, price: int) -> None:
    """Move ``lots`` of a liquidated position to fund or vault at ``price`` [ticks]."""
    live = s.live
    money = unit(s, k, price)
    sign = 1 if s.size[row, k] > 0 else -1
    fund = fund_of(s, k)
    trade(s, row, k, -sign * lots, money, FORCED)
    trade(s, fund, k, sign * lots, money, ORDINARY)
    s.tally.takeover[k] += lots
    s.tally.takeover_uusd[k] += lots * lot_uusd(s, k)
    s.bars[(live.step - 1) // MINUTE_S, k].takeover += lots
    beyond = sign * (money - live.unit[k])
    if beyond > 0:
        s.tally.deficit_uusd[k] += in_usd(s, k, beyond * lots)


@kernel
def adl_price(s: Setting, k: int, bust: int) -> int:
    """Price [ticks] of a deleveraging trade by the venue's rule, ``bust`` the bankruptcy price."""
    live = s.live
    venue = s.markets.venue_of[k]
    rule = s.venues.adl_price[venue]
    if rule == AT_MARK:
        return int(live.mark[k])
    if rule == AT_PREVIOUS_MARK:
        return int(live.previous_mark[k])
    if rule == AT_ORACLE:
        return int(live.index[k])
    if rule == NEAR_MARK and abs(bust - live.mark[k]) > mul_rate(
        live.mark[k], s.venues.price_bound_ppm[venue], PPM
    ):
        return int(live.mark[k])
    return bust


@allocating_kernel
def absorb_rest(
    s: Setting,
    finder: Finder,
    k: int,
    side: int,
    rows: Int64s,
    rest: Int64s,
    bust: Int64s,
    plan: Int64s,
) -> None:
    """What the book did not take of a market's liquidated positions: ``rest`` lots of each of ``rows``.

    Takeover, then ADL, then takeover of what is left all the same. A venue without takeover leaves it with
    the account, unless ADL is switched off. Those whose bankruptcy price is best for fund and winners go
    first (a long's lowest, a short's highest), equal ones by uid: who would lose at one price would lose at
    all later ones too.
    """
    live = s.live
    venue = s.markets.venue_of[k]
    taker = s.venues.takeover[venue]
    order = rising(bust) if side == LONG else falling(bust)
    for i in order:
        row = rows[i]
        left = rest[i]
        if left == 0:
            continue
        price = live.mark[k] if taker == VAULT else bust[i]
        if s.params.adl == 0 or (taker != NOBODY and plan[i] != DELEVERAGE):
            accepted = acceptable(s, k, side, left, price)
            if accepted > 0:
                take_over(s, k, row, accepted, price)
                left -= accepted
        if left > 0:
            s.tally.fired_adl = 1
            rank_adl(s, finder, k, side)
            done = deleverage(s, finder, k, side, row, left, adl_price(s, k, bust[i]))
            if done > 0:
                if s.tally.first_adl_step[venue] < 0:
                    s.tally.first_adl_step[venue] = live.step
                s.tally.adl[k] += done
                s.tally.adl_uusd[k] += done * lot_uusd(s, k)
                s.bars[(live.step - 1) // MINUTE_S, k].adl += done
                left -= done
        if left > 0 and taker != NOBODY:
            take_over(s, k, row, left, price)


@allocating_kernel
def socialise(s: Setting) -> None:
    """Settlement: who holds unrealised profit in its markets makes a fund with negative equity whole.

    Each pays floor(loss · profit / all profits), at most its profit; what rounding leaves stays with the
    fund.
    """
    live = s.live
    n = s.wallet.shape[0]
    for f in range(s.parties.fund_count):
        fund = s.parties.funds[f]
        loss = -equity(s, fund)
        if loss <= 0 or halted(s, s.venue[fund]):
            continue
        profits = np.zeros(n, dtype=np.int64)
        total = 0
        venue = s.venue[fund]
        for i in range(s.venues.row_first[venue], s.venues.row_end[venue]):
            row = s.rows[i]
            if s.role[row] >= FUND or s.closed[row]:
                continue
            gain = 0
            for k in range(s.venues.first[venue], s.venues.end[venue]):
                if s.markets.fund_of[k] == f and s.size[row, k] != 0:
                    gain += s.size[row, k] * live.unit[k] - s.cost[row, k]
            if gain > 0:
                profits[row] = gain
                total += gain
        if total == 0:
            continue
        s.tally.fired_adl = 1
        shared = min(loss, total)
        for row in range(n):
            if profits[row] > 0:
                part = mul_div(shared, profits[row], total)
                pay(s, row, -part)
                pay(s, fund, part)
                s.tally.socialised_uusd += in_usd(s, s.venues.first[venue], part)
        s.live.sort_again[venue] = 1
