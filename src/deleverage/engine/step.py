"""One second of the market: the order of phases, in one place.

     1  news moves the fair value (given path)
     2  displacement decays, makers re-quote from the volatility of the steps before
     3  own orders: stops, arbitrage, dip buyers, exits, the fund's unwinding — netted, one walk of the book
     4  spot gives the index; index, moving average and contract price give the mark
     5  margin of everybody at mark
     6  the liquidatable are collected: limits are set before anything trades
     7  IOC into the book, one VWAP per market and side
     8  takeover by the insurance fund
     9  auto-deleveraging
        4–9 again within the second, with the new contract price in the mark, until nobody is liquidatable
    10  funding at the venue's hours, settlement of a negative fund every minute
    11  the ledger's deltas must be zero; recounted in full every minute (``params.recount_every``)
    12  record, learn volatility

Two-phase throughout: decisions are taken on what was, then applied, so the order of accounts cannot matter.
The moving average of the mark takes one sample a second; rounds refresh only the contract price.
"""

from __future__ import annotations

import numpy as np

from deleverage.engine.behaviour import Orders, discretionary
from deleverage.engine.book import exp_neg
from deleverage.engine.fills import anchor, refresh_mid
from deleverage.engine.finder import build, find_liquidatable, find_stops, sweep
from deleverage.engine.funding import pay_funding, sample_premium
from deleverage.engine.ledger import (
    contracts_imbalance,
    equity,
    fund_of,
    money_held,
    moved_nothing,
    open_interest,
)
from deleverage.engine.liquidate import liquidate
from deleverage.engine.makers import half_spread, learn_flow, learn_volatility, presence, requote
from deleverage.engine.state import Finder, Setting
from deleverage.engine.waterfall import socialise
from deleverage.jit import kernel
from deleverage.units import Int64s
from deleverage.venues.mark import median_mark

OK = 0
OUT_OF_RANGE = 10
NOT_CONSERVED = 11
MAX_ROUNDS = 12
SWEEP_MISMATCH = 13

MINUTE_S = 60


@kernel
def set_marks(s: Setting, t: int) -> None:
    """Phase 4: mark of every market at second ``t`` of the run."""
    live = s.live
    interval = s.params.funding_interval_s
    left = interval - (s.params.start_s + t) % interval
    for k in range(s.markets.count):
        if s.params.trigger_last:
            live.mark[k] = live.mid[k]
        else:
            live.mark[k] = median_mark(
                live.index[k], live.basis_sum[k], s.params.mark_window, live.mid[k],
                live.funding_ppb[k], left,
                interval,
            )  # fmt: skip


@kernel
def sample_basis(s: Setting, t: int) -> None:
    """Once a second: the newest (mid − index) replaces the oldest in the window of the mark price."""
    live = s.live
    slot = t % s.params.mark_window
    for k in range(s.markets.count):
        sample = live.mid[k] - live.index[k]
        live.basis_sum[k] += sample - live.basis_ring[k, slot]
        live.basis_ring[k, slot] = sample


@kernel
def recount(s: Setting, deposits: int) -> bool:
    """Add up everybody: deposits and contracts must be what they were. Records the differences."""
    residual = money_held(s) - deposits
    imbalance = contracts_imbalance(s)
    s.tally.checks += 1
    s.tally.residual_uusd = residual
    s.tally.interest_imbalance = imbalance
    good = residual == 0 and imbalance == 0
    tally = s.tally
    for k in range(s.markets.count):
        held = open_interest(s, k)
        for side in range(2):
            # Each contract closes once: open interest = opened − forced − deleveraged −
            # voluntary, side by side.
            closed = tally.forced[side, k] + tally.deleveraged[side, k] + tally.voluntary[side, k]
            difference = held - tally.interest_before[k] - tally.opened[side, k] + closed
            if difference != 0:
                tally.interest_imbalance += abs(difference)
                good = False
        if tally.forced[0, k] + tally.forced[1, k] != tally.book[k] + tally.takeover[k] + tally.adl[k]:
            tally.interest_imbalance += 1
            good = False
    return good


@kernel
def record_minute(s: Setting, minute: int, complete: bool) -> None:
    """Phase 12: prices and depth at the end of a step, into the minute's bar; sums when it is complete."""
    live = s.live
    alive = presence(s)
    for k in range(s.markets.count):
        bar = s.bars[minute, k]
        bar.close = live.mid[k]
        bar.mark = live.mark[k]
        bar.index = live.index[k]
        bar.bid_share = live.bid_share[k] * alive
        bar.ask_share = live.ask_share[k] * alive
        bar.spread = 2.0 * half_spread(s, k)
        if complete:
            closed = s.tally.forced[0, k] + s.tally.deleveraged[0, k] + s.tally.voluntary[0, k]
            bar.open_interest = s.tally.interest_before[k] + s.tally.opened[0, k] - closed
            bar.fund_uusd = equity(s, fund_of(s, k))


@kernel
def touch_range(s: Setting, minute: int) -> None:
    """Let the minute's high and low include the mid."""
    for k in range(s.markets.count):
        bar = s.bars[minute, k]
        mid = s.live.mid[k]
        if bar.open == 0:
            bar.open = mid
            bar.high = mid
            bar.low = mid
        if mid > bar.high:
            bar.high = mid
        if mid < bar.low:
            bar.low = mid


@kernel
def same_accounts(s: Setting, count: int, other: Int64s, expected: int) -> bool:
    """True when the sweep found ``count`` accounts too, each of them among those of the fast search."""
    if count != expected:
        return False
    for i in range(count):
        if not s.in_round[other[i]]:
            return False
    return True


@kernel
def in_range(s: Setting) -> bool:
    """False when a price has left the range in which integers stay exact.

    To be asked before anything depends on it.
    """
    for k in range(s.markets.count):
        if s.live.mid[k] <= 0 or s.live.index[k] <= 0 or s.live.mid[k] > 50 * s.tally.start_mid[k]:
            return False
    return True


@kernel
def cascade(
    s: Setting, finder: Finder, fair: Int64s, hits: Int64s, other: Int64s, step: int, minute: int
) -> int:
    """Phases 4–9 until quiet. Returns a status."""
    set_marks(s, step)
    for _ in range(s.params.max_rounds):
        expected = sweep(s, other) if s.params.check else -1
        count = find_liquidatable(s, finder, hits)
        if expected >= 0:
            s.tally.sweeps += 1
            if not same_accounts(s, count, other, expected):
                return SWEEP_MISMATCH
        if count == 0:
            return OK
        s.tally.rounds += 1
        liquidate(s, finder, fair, hits[:count].copy(), step, minute)
        for k in range(s.markets.count):
            refresh_mid(s, fair[k], k, step)
        touch_range(s, minute)
        if not in_range(s):
            return OUT_OF_RANGE
        set_marks(s, step)
    return MAX_ROUNDS


@kernel
def start(s: Setting) -> int:
    """Bring index, mid, mark and windows to the start; returns the deposits [uusd]."""
    live = s.live
    for k in range(s.markets.count):
        fair = s.markets.start_fair_ticks[k]
        refresh_mid(s, fair, k, 0)
        basis = live.mid[k] - live.index[k]
        for i in range(s.params.mark_window):
            live.basis_ring[k, i] = basis
        live.basis_sum[k] = basis * s.params.mark_window
        live.last_mid[k] = anchor(s, fair, k) * exp_neg(live.u[k])
        live.last_fair[k] = fair
        live.funding_ppb[k] = s.markets.funding_ppb[k]
    set_marks(s, 0)
    for k in range(s.markets.count):
        s.tally.start_mid[k] = live.mid[k]
        s.tally.trough[k] = live.mid[k]
        s.tally.trough_step[k] = 0
        s.tally.interest_before[k] = open_interest(s, k)
    return money_held(s)


@kernel
def begin(s: Setting, deposits: int) -> int:
    """What a run remembers of its start, and the first recount. Returns a status."""
    s.tally.first_liquidation_step = -1
    s.tally.first_adl_step = -1
    for f in range(s.parties.fund_count):
        s.tally.fund_before[f] = equity(s, s.parties.funds[f])
    return OK if recount(s, deposits) else NOT_CONSERVED


@kernel
def run_steps(
    s: Setting, finder: Finder, fair_path: Int64s, path: Int64s, deposits: int, first: int, last: int
) -> int:
    """Steps ``first`` to ``last`` of a run that has begun (1 is the first second). Returns a status.

    ``fair_path`` is int64 [steps, K] in ticks; ``path`` int64 [steps or 0, K] is written with the mid.
    """
    live = s.live
    n = s.wallet.shape[0]
    orders = Orders(np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64), np.zeros(1, dtype=np.int64))
    hits = np.empty(n, dtype=np.int64)
    other = np.empty(n, dtype=np.int64)
    for step in range(first, last + 1):
        fair = fair_path[step - 1]
        minute = (step - 1) // MINUTE_S
        if (step - 1) % MINUTE_S == 0:
            touch_range(s, minute)
        requote(s)
        discretionary(s, fair, orders, step, minute)
        touch_range(s, minute)
        if not in_range(s):
            return OUT_OF_RANGE
        status = cascade(s, finder, fair, hits, other, step, minute)
        if status != OK:
            return status
        sample_basis(s, step)
        sample_premium(s)
        find_stops(s, finder)
        if (s.params.start_s + step) % s.params.funding_interval_s == 0:
            pay_funding(s)
        settlement = step % MINUTE_S == 0 or step == s.params.steps
        if settlement and s.params.adl and s.params.socialise:
            socialise(s)
        if live.sort_again:
            build(s, finder)
        if not moved_nothing(s):
            return NOT_CONSERVED
        if step % s.params.recount_every == 0 or step == s.params.steps or s.params.check:
            if not recount(s, deposits):
                return NOT_CONSERVED
        for k in range(s.markets.count):
            learn_flow(s, k)
            learn_volatility(s, k, anchor(s, fair[k], k) * exp_neg(live.u[k]), fair[k])
        record_minute(s, minute, settlement)
        if path.shape[0] > 0:
            for k in range(s.markets.count):
                path[step - 1, k] = live.mid[k]
    for f in range(s.parties.fund_count):
        s.tally.fund_after[f] = equity(s, s.parties.funds[f])
    for k in range(s.markets.count):
        s.tally.end_mid[k] = live.mid[k]
        s.tally.interest_after[k] = open_interest(s, k)
    return OK
