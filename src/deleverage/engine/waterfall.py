"""What happens to contracts that the book did not take: insurance fund, auto-deleveraging, socialised loss.

The fund takes a position over at its bankruptcy price as long as its equity stays ≥ 0 and its inventory
within a
multiple of that equity. What it refuses is closed against the best-placed winners of the other side, at the
bankruptcy price and without a fee (ADL). What no winner can take, the fund takes all the same; if that makes
its
equity negative, the loss is shared among winners at the next settlement.

ADL rank (Binance): unrealised profit ÷ collateral × margin ratio, where margin ratio = maintenance margin ÷
equity.
"""

from __future__ import annotations

import numpy as np

from deleverage.engine.finder import watch
from deleverage.engine.ledger import DELEVERAGED, FORCED, ORDINARY, equity, fund_of, margin_owed, pay, trade
from deleverage.engine.ranking import falling, rising
from deleverage.engine.state import FUND, HOLDER, LONG, Finder, Setting
from deleverage.jit import kernel
from deleverage.units import PPM, Floats, Int64s, mul_div, mul_rate


@kernel
def adl_score(s: Setting, row: int, k: int) -> float:
    """Rank of a winner in market k; ≤ 0 when it does not win at mark."""
    live = s.live
    size = s.size[row, k]
    profit = size * live.mark[k] * s.markets.tick_lot_uusd[k] - s.cost[row, k]
    worth = equity(s, row)
    if profit <= 0 or worth <= 0:
        return 0.0
    collateral = max(s.wallet[row], 1)
    owed = margin_owed(s, row)
    return float(profit) / float(collateral) * (float(owed) / float(worth))


@kernel
def ahead(score: Floats, uid: Int64s, a: int, b: int) -> bool:
    """True when candidate a ranks before b: higher score, then lower uid."""
    return bool(score[a] > score[b] or (score[a] == score[b] and uid[a] < uid[b]))


@kernel
def sift(heap: Int64s, length: int, at: int, score: Floats, uid: Int64s) -> None:
    """Restore the heap below one node: only the first few winners are ever needed, so no full sort."""
    while True:
        first = at
        for child in (2 * at + 1, 2 * at + 2):
            if child < length and ahead(score, uid, heap[child], heap[first]):
                first = child
        if first == at:
            return
        heap[at], heap[first] = heap[first], heap[at]
        at = first


@kernel
def rank_adl(s: Setting, k: int, side: int) -> tuple[Int64s, Int64s, Floats, Int64s]:
    """Winners who could be deleveraged against liquidated positions of ``side`` in market k.

    Returns a heap of candidate numbers, their rows, scores and uids.
    """
    n = s.wallet.shape[0]
    rows = np.empty(n, dtype=np.int64)
    score = np.empty(n, dtype=np.float64)
    count = 0
    for row in range(n):
        size = s.size[row, k]
        opposite = size < 0 if side == 0 else size > 0
        if opposite and s.role[row] < FUND and not s.in_round[row] and not s.closed[row]:
            points = adl_score(s, row, k)
            if points > 0.0:
                rows[count] = row
                score[count] = points
                count += 1
    rows = rows[:count]
    score = score[:count]
    uid = s.uid[rows]
    heap = np.arange(count)
    for at in range(count // 2 - 1, -1, -1):
        sift(heap, count, at, score, uid)
    return heap, rows, score, uid


@kernel
def deleverage(
    s: Setting,
    finder: Finder,
    k: int,
    row: int,
    lots: int,
    price: int,
    heap: Int64s,
    length: int,
    rows: Int64s,
    score: Floats,
    uid: Int64s,
) -> tuple[int, int]:
    """Close ``lots`` of a liquidated position at ``price`` against winners in rank.

    Returns lots closed and the heap's length.
    """
    unit = price * s.markets.tick_lot_uusd[k]
    sign = 1 if s.size[row, k] > 0 else -1
    left = lots
    while left > 0 and length > 0:
        winner = rows[heap[0]]
        held = -sign * s.size[winner, k]
        # A winner at mark that would lose at the bankruptcy price is passed over.
        if held <= 0 or s.size[winner, k] * unit - s.cost[winner, k] <= 0:
            length -= 1
            heap[0] = heap[length]
            sift(heap, length, 0, score, uid)
            continue
        part = min(left, held)
        trade(s, row, k, -sign * part, unit, FORCED)
        trade(s, winner, k, sign * part, unit, DELEVERAGED)
        left -= part
        if s.role[winner] == HOLDER:
            watch(s, finder, winner)
        if part == held:
            length -= 1
            heap[0] = heap[length]
            sift(heap, length, 0, score, uid)
    return lots - left, length


@kernel
def acceptable(s: Setting, k: int, side: int, lots: int, price: int) -> int:
    """Lots that the fund can take over at ``price`` [ticks] within equity ≥ 0 and its inventory multiple."""
    live = s.live
    if not s.params.adl:
        return lots
    fund = fund_of(s, k)
    worth = equity(s, fund)
    if worth <= 0:
        return 0
    unit = live.mark[k] * s.markets.tick_lot_uusd[k]
    size = s.size[fund, k] if side == 0 else -s.size[fund, k]
    room = lots
    if unit > 0:
        room = min(room, mul_rate(worth, s.markets.inventory_ppm[k], PPM) // unit - size)
    gap = price - live.mark[k] if side == 0 else live.mark[k] - price
    if gap > 0:
        room = min(room, worth // (gap * s.markets.tick_lot_uusd[k]))
    return room if room > 0 else 0


@kernel
def take_over(s: Setting, k: int, row: int, lots: int, price: int, minute: int) -> None:
    """Move ``lots`` of a liquidated position to the fund at ``price`` [ticks]."""
    live = s.live
    v = s.markets.tick_lot_uusd[k]
    sign = 1 if s.size[row, k] > 0 else -1
    fund = fund_of(s, k)
    trade(s, row, k, -sign * lots, price * v, FORCED)
    trade(s, fund, k, sign * lots, price * v, ORDINARY)
    s.tally.takeover[k] += lots
    s.tally.takeover_uusd[k] += lots * live.mark[k] * v
    s.bars[minute, k].takeover += lots
    beyond = sign * (price - live.mark[k])
    if beyond > 0:
        s.tally.deficit_uusd[k] += beyond * v * lots


@kernel
def absorb_rest(
    s: Setting, finder: Finder, k: int, side: int, rows: Int64s, limit: Int64s, step: int, minute: int
) -> None:
    """Takeover, then ADL, then forced takeover of what is left of a market's liquidated positions.

    Those whose bankruptcy price is best for fund and winners go first (a long's lowest, a short's highest),
    equal ones by uid: who would lose at one price would lose at all later ones too.
    """
    live = s.live
    ranked = False
    length = 0
    heap = np.empty(0, dtype=np.int64)
    winners = np.empty(0, dtype=np.int64)
    score = np.empty(0, dtype=np.float64)
    uid = np.empty(0, dtype=np.int64)
    order = rising(limit) if side == LONG else falling(limit)
    for i in order:
        row = rows[i]
        rest = abs(s.size[row, k])
        if rest == 0:
            continue
        accepted = acceptable(s, k, side, rest, limit[i])
        if accepted > 0:
            take_over(s, k, row, accepted, limit[i], minute)
            rest -= accepted
        if rest > 0:
            s.tally.fired_adl = 1
            if not ranked:
                heap, winners, score, uid = rank_adl(s, k, side)
                length = heap.shape[0]
                ranked = True
            done, length = deleverage(s, finder, k, row, rest, limit[i], heap, length, winners, score, uid)
            if done > 0:
                if s.tally.first_adl_step < 0:
                    s.tally.first_adl_step = step
                s.tally.adl[k] += done
                s.tally.adl_uusd[k] += done * live.mark[k] * s.markets.tick_lot_uusd[k]
                s.bars[minute, k].adl += done
                rest -= done
        if rest > 0:
            take_over(s, k, row, rest, limit[i], minute)


@kernel
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
        if loss <= 0:
            continue
        profits = np.zeros(n, dtype=np.int64)
        total = 0
        for row in range(n):
            if s.role[row] >= FUND or s.closed[row]:
                continue
            gain = 0
            for k in range(s.markets.count):
                if s.markets.fund_of[k] == f and s.size[row, k] != 0:
                    gain += s.size[row, k] * live.mark[k] * s.markets.tick_lot_uusd[k] - s.cost[row, k]
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
                s.tally.socialised_uusd += part
        s.live.sort_again = 1
