"""One second of the market: the order of phases, in one place.

     1  news moves the fair value (given path)
     2  displacement decays, makers re-quote from the volatility of the steps before; outside holders of
        collateral sell
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

import math

import numpy as np

from deleverage.engine.behaviour import Orders, discretionary
from deleverage.engine.book import exp_neg
from deleverage.engine.collateral import cover_balances, sell_outside, set_collateral_prices
from deleverage.engine.fills import anchor, refresh_mid
from deleverage.engine.finder import build, find_liquidatable, find_stops, sweep
from deleverage.engine.funding import pay_funding, sample_premium
from deleverage.engine.index import median_market, move_spot, renew_indices
from deleverage.engine.ledger import (
    add_up,
    collateral_imbalance,
    equity,
    fund_of,
    halted,
    in_usd,
    moved_nothing,
    spot_imbalance,
)
from deleverage.engine.liquidate import liquidate
from deleverage.engine.makers import half_spread, learn_flow, learn_volatility, presence, requote
from deleverage.engine.state import MINUTE_S, Finder, Setting
from deleverage.engine.waterfall import socialise
from deleverage.jit import allocating_kernel, kernel
from deleverage.units import PPM, Int64s
from deleverage.venues.margin import lot_money
from deleverage.venues.mark import median_mark, middle
from deleverage.venues.rules import MarkRule, Trigger

LAST, ORACLE = int(Trigger.LAST), int(Trigger.ORACLE)
INDEX_ALONE, INDEX_WITH_BASIS = int(MarkRule.ORACLE), int(MarkRule.INDEX_WITH_BASIS)
MEDIAN_WITH_EMA = int(MarkRule.MEDIAN_WITH_EMA)

FARTHEST = 50
"""Times its start that a price may rise to, or an inverse market's fall to a share of, before a run ends."""

OK = 0
OUT_OF_RANGE = 10
NOT_CONSERVED = 11
MAX_ROUNDS = 12
SWEEP_MISMATCH = 13


@kernel
def set_mark(s: Setting, k: int, venue: int) -> None:
    """Mark of one market by its venue's rule [ticks]."""
    live = s.live
    rules = s.venues
    index = live.index[k]
    mid = live.mid[k]
    mean_basis = live.basis_sum[k] // rules.mark_window[venue]
    if s.params.trigger_last or rules.trigger[venue] == LAST:
        live.mark[k] = mid
    elif rules.trigger[venue] == ORACLE or rules.mark_rule[venue] == INDEX_ALONE:
        live.mark[k] = index
    elif rules.mark_rule[venue] == INDEX_WITH_BASIS:
        live.mark[k] = index + mean_basis
    elif rules.mark_rule[venue] == MEDIAN_WITH_EMA:
        own = math.floor(live.ema_sum[k] / live.ema_weight[k] + 0.5) if live.ema_weight[k] > 0.0 else 0
        peer = median_market(s, k, s.markets.peer_weight[k], live.mid)
        live.mark[k] = middle(index + own, mid, live.mid[peer] if peer >= 0 else index + mean_basis)
    else:
        interval = rules.funding_interval_s[venue]
        left = interval - (s.params.start_s + live.step) % interval
        live.mark[k] = median_mark(
            index, live.basis_sum[k], rules.mark_window[venue], mid, live.funding_ppb[k], left, interval
        )
    # Index plus a mean basis can fall below zero in a collapse; margin is linear only above it.
    live.mark[k] = max(live.mark[k], 1)
    coins = s.markets.inverse_unit[k]
    if coins != 0:
        live.mark[k] = max(live.mark[k], s.markets.start_fair_ticks[k] // FARTHEST)
    live.unit[k] = lot_money(live.mark[k], s.markets.tick_lot_uusd[k], coins)


@kernel
def set_marks(s: Setting) -> None:
    """Phase 4: marks and prices of collateral. Those of a venue that is out stand still."""
    for k in range(s.markets.count):
        venue = s.markets.venue_of[k]
        if not halted(s, venue):
            set_mark(s, k, venue)
    set_collateral_prices(s)


@kernel
def sample_basis(s: Setting) -> None:
    """Once a second: the newest (mid − index) enters the means of the mark price."""
    live = s.live
    for k in range(s.markets.count):
        slot = live.step % s.venues.mark_window[s.markets.venue_of[k]]
        sample = live.mid[k] - live.index[k]
        live.basis_sum[k] += sample - live.basis_ring[k, slot]
        live.basis_ring[k, slot] = sample
        live.ema_sum[k] = live.ema_sum[k] * s.params.ema_decay + float(sample)
        live.ema_weight[k] = live.ema_weight[k] * s.params.ema_decay + 1.0


@allocating_kernel
def recount(s: Setting, deposits: Int64s) -> bool:
    """Add up everybody: deposits of every venue and contracts must be what they were. Records differences."""
    money = np.empty(s.venues.count + 1, dtype=np.int64)
    held = np.empty(s.markets.count, dtype=np.int64)
    net = np.empty(s.markets.count, dtype=np.int64)
    tally = s.tally
    add_up(s, money, held, net)
    tally.residual_uusd = 0
    for v in range(s.venues.count + 1):
        tally.residual_uusd += abs(money[v] - deposits[v])
    tally.interest_imbalance = 0
    tally.checks += 1
    for k in range(s.markets.count):
        tally.interest_imbalance += abs(net[k]) + abs(spot_imbalance(s, k))
        for side in range(2):
            # Each contract closes once: open interest = opened − forced − deleveraged −
            # voluntary, side by side.
            closed = tally.forced[side, k] + tally.deleveraged[side, k] + tally.voluntary[side, k]
            tally.interest_imbalance += abs(
                held[k] - tally.interest_before[k] - tally.opened[side, k] + closed
            )
        if tally.forced[0, k] + tally.forced[1, k] != tally.book[k] + tally.takeover[k] + tally.adl[k]:
            tally.interest_imbalance += 1
    for a in range(s.assets.count):
        tally.interest_imbalance += abs(collateral_imbalance(s, a))
    return tally.residual_uusd == 0 and tally.interest_imbalance == 0


@kernel
def record_minute(s: Setting, minute: int) -> None:
    """Phase 12: prices, depth and sums at the end of a minute, into its bar."""
    live = s.live
    for k in range(s.markets.count):
        bar = s.bars[minute, k]
        alive = presence(s, s.markets.venue_of[k])
        bar.close = live.mid[k]
        bar.mark = live.mark[k]
        bar.index = live.index[k]
        bar.bid_share = live.bid_share[k] * alive
        bar.ask_share = live.ask_share[k] * alive
        bar.spread = 2.0 * half_spread(s, k)
        closed = s.tally.forced[0, k] + s.tally.deleveraged[0, k] + s.tally.voluntary[0, k]
        bar.open_interest = s.tally.interest_before[k] + s.tally.opened[0, k] - closed
        bar.fund_uusd = in_usd(s, k, equity(s, fund_of(s, k)))


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
        if s.live.mid[k] <= 0 or s.live.index[k] <= 0 or s.live.mid[k] > FARTHEST * s.tally.start_mid[k]:
            return False
        # Coins grow without bound as their price falls.
        lowest = FARTHEST * min(s.live.mid[k], s.live.index[k])
        if s.markets.inverse_unit[k] != 0 and lowest < s.tally.start_mid[k]:
            return False
    return True


@kernel
def cascade(
    s: Setting, finder: Finder, fair: Int64s, hits: Int64s, other: Int64s, step: int, minute: int
) -> int:
    """Phases 4–9 until quiet. Returns a status."""
    for k in range(s.markets.count):
        s.live.previous_mark[k] = s.live.mark[k]
    set_marks(s)
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
        liquidate(s, finder, fair, hits, count)
        for k in range(s.markets.count):
            refresh_mid(s, fair[k], k, step)
        touch_range(s, minute)
        if not in_range(s):
            return OUT_OF_RANGE
        set_marks(s)
    return MAX_ROUNDS


@allocating_kernel
def start(s: Setting) -> Int64s:
    """Bring index, mid, mark and windows to the start; returns the deposits of every venue, and of spot."""
    live = s.live
    for k in range(s.markets.count):
        move_spot(s, k, 0.0)
    for k in range(s.markets.count):
        renew_indices(s, k)
    for k in range(s.markets.count):
        fair = s.markets.start_fair_ticks[k]
        window = s.venues.mark_window[s.markets.venue_of[k]]
        refresh_mid(s, fair, k, 0)
        basis = live.mid[k] - live.index[k]
        for i in range(window):
            live.basis_ring[k, i] = basis
        live.basis_sum[k] = basis * window
        live.ema_sum[k] = float(basis)
        live.ema_weight[k] = 1.0
        live.last_mid[k] = anchor(s, fair, k) * exp_neg(live.u[k])
        live.last_fair[k] = fair
        live.funding_ppb[k] = s.markets.funding_ppb[k]
    for a in range(s.assets.count):
        s.tally.asset_lowest_ppm[a] = PPM
        s.tally.asset_lowest_uusd[a] = s.assets.start_uusd[a]
    set_marks(s)
    held = np.empty(s.markets.count, dtype=np.int64)
    net = np.empty(s.markets.count, dtype=np.int64)
    deposits = np.empty(s.venues.count + 1, dtype=np.int64)
    add_up(s, deposits, held, net)
    for k in range(s.markets.count):
        live.previous_mark[k] = live.mark[k]
        s.tally.start_mid[k] = live.mid[k]
        s.tally.trough[k] = live.mid[k]
        s.tally.trough_step[k] = 0
        s.tally.interest_before[k] = held[k]
    return deposits


@kernel
def begin(s: Setting, deposits: Int64s) -> int:
    """What a run remembers of its start, and the first recount. Returns a status."""
    for v in range(s.venues.count):
        s.tally.first_liquidation_step[v] = -1
        s.tally.first_adl_step[v] = -1
    for f in range(s.parties.fund_count):
        s.tally.fund_before[f] = equity(s, s.parties.funds[f])
        s.live.fund_high[f] = s.tally.fund_before[f]
    return OK if recount(s, deposits) else NOT_CONSERVED


@kernel
def one_second(
    s: Setting,
    finder: Finder,
    fair: Int64s,
    path: Int64s,
    orders: Orders,
    hits: Int64s,
    other: Int64s,
    step: int,
    deposits: Int64s,
) -> int:
    """Step ``step`` with the news' fair values ``fair`` [ticks, K]. Returns a status."""
    live = s.live
    live.step = step
    minute = (step - 1) // MINUTE_S
    if (step - 1) % MINUTE_S == 0:
        touch_range(s, minute)
    requote(s)
    sell_outside(s)
    discretionary(s, fair, orders, step, minute)
    touch_range(s, minute)
    if not in_range(s):
        return OUT_OF_RANGE
    status = cascade(s, finder, fair, hits, other, step, minute)
    if status != OK:
        return status
    sample_basis(s)
    sample_premium(s)
    find_stops(s, finder)
    cover_balances(s, finder)
    for v in range(s.venues.count):
        due = (s.params.start_s + step) % s.venues.funding_interval_s[v] == 0
        if due and not halted(s, v):
            pay_funding(s, v)
    settlement = step % MINUTE_S == 0 or step == s.params.steps
    if settlement and s.params.adl and s.params.socialise:
        socialise(s)
    for v in range(s.venues.count):
        if live.sort_again[v]:
            build(s, finder, v)
    if not moved_nothing(s):
        return NOT_CONSERVED
    if step % s.params.recount_every == 0 or step == s.params.steps or s.params.check:
        if not recount(s, deposits):
            return NOT_CONSERVED
    for k in range(s.markets.count):
        learn_flow(s, k)
        if not halted(s, s.markets.venue_of[k]):
            learn_volatility(s, k, anchor(s, fair[k], k) * exp_neg(live.u[k]), fair[k])
    if settlement:
        for f in range(s.parties.fund_count):
            live.fund_high[f] = max(live.fund_high[f], equity(s, s.parties.funds[f]))
        record_minute(s, minute)
    if path.shape[0] > 0:
        for k in range(s.markets.count):
            path[step - 1, k] = live.mid[k]
    return OK


@allocating_kernel
def run_steps(
    s: Setting, finder: Finder, fair_path: Int64s, path: Int64s, deposits: Int64s, first: int, last: int
) -> int:
    """Steps ``first`` to ``last`` of a run that has begun (1 is the first second). Returns a status.

    ``fair_path`` is int64 [steps, K] in ticks; ``path`` int64 [steps or 0, K] is written with the mid.
    """
    n = s.wallet.shape[0]
    orders = Orders(np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64), np.zeros(1, dtype=np.int64))
    hits = np.empty(n, dtype=np.int64)
    other = np.empty(n, dtype=np.int64)
    for step in range(first, last + 1):
        status = one_second(s, finder, fair_path[step - 1], path, orders, hits, other, step, deposits)
        if status != OK:
            return status
    for f in range(s.parties.fund_count):
        s.tally.fund_after[f] = equity(s, s.parties.funds[f])
    for k in range(s.markets.count):
        s.tally.end_mid[k] = s.live.mid[k]
        closed = s.tally.forced[0, k] + s.tally.deleveraged[0, k] + s.tally.voluntary[0, k]
        s.tally.interest_after[k] = s.tally.interest_before[k] + s.tally.opened[0, k] - closed
    return OK
