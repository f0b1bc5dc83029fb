"""Kernel and twin side by side: where they first differ, and what the market went through."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np

from deleverage.engine.ledger import margin_owed
from deleverage.engine.simulate import Prepared, prepare_world
from deleverage.engine.state import Setting
from deleverage.engine.step import begin, run_steps
from deleverage.errors import Status
from deleverage.positions.population import ISOLATED
from deleverage.units import Int64s
from deleverage.venues.margin import lot_money
from reference.engine import Twin
from tests.strategies import Case

PRICES = ("mid", "index", "mark", "previous_mark", "funding_ppb", "last_fair", "premium_sum")
FLOATS = (
    "u", "spot_u", "bid_share", "ask_share", "revealed", "price_variance", "news_variance", "last_mid",
    "forced_flow", "other_flow", "ema_sum", "ema_weight",
)  # fmt: skip


class Stepper:
    """The kernels, one second at a time."""

    def __init__(self, case: Case) -> None:
        prepared: Prepared = prepare_world(case.world)
        self.setting, self.finder, self.deposits = prepared.setting, prepared.finder, prepared.deposits
        k = case.world.size.shape[1]
        self.path = np.zeros((0, k), dtype=np.int64)
        self.fair = np.zeros((self.setting.params.steps, k), dtype=np.int64)
        assert begin(self.setting, self.deposits) == Status.OK
        self.second = 0

    def step(self, fair: Int64s) -> Status:
        """One more second."""
        self.fair[self.second] = fair
        self.second += 1
        second = self.second
        return Status(
            run_steps(self.setting, self.finder, self.fair, self.path, self.deposits, second, second)
        )


def move_mark(s: Setting, k: int, price: int) -> None:
    """Put the mark of a market at a price [ticks], with what a lot is worth at it."""
    s.live.mark[k] = price
    s.live.unit[k] = lot_money(price, int(s.markets.tick_lot_uusd[k]), int(s.markets.inverse_unit[k]))


def bits(value: float) -> str:
    """A float so that two are the same text only if they are the same bits."""
    return float(value).hex()


def difference(kernel: Stepper, twin: Twin, order: Int64s) -> str:
    """The first thing that differs; empty when nothing does. ``order`` sorts rows by uid."""
    s = kernel.setting
    k_count = len(twin.markets)
    for name in ("wallet", "size", "cost", "pledged", "closed", "ordered"):
        theirs = getattr(s, name)[order].tolist()
        ours = [getattr(account, name) for account in twin.accounts]
        if theirs != ours:
            uid = next(i for i, (a, b) in enumerate(zip(theirs, ours, strict=True)) if a != b)
            return f"{name} of account {uid}: kernel {theirs[uid]}, twin {ours[uid]}"
    for name in PRICES:
        theirs, ours = s.live[name][:k_count].tolist(), [getattr(m, name) for m in twin.markets]
        if theirs != ours:
            return f"{name}: kernel {theirs}, twin {ours}"
    for name in FLOATS:
        theirs, ours = (
            [bits(x) for x in s.live[name][:k_count]],
            [bits(getattr(m, name)) for m in twin.markets],
        )
        if theirs != ours:
            return f"{name}: kernel {theirs}, twin {ours}"
    for number, asset in enumerate(twin.assets):
        theirs = [int(s.live[f"asset_{name}"][number]) for name in ("price", "pool", "cash")]
        if theirs != [asset.price, asset.pool, asset.cash]:
            return f"collateral {number}: kernel {theirs}, twin {asset}"
        if bits(s.live.asset_u[number]) != bits(asset.u):
            return f"displacement of collateral {number}: kernel {s.live.asset_u[number]}, twin {asset.u}"
    for a, arbitrageur in enumerate(twin.arbitrageurs):
        theirs = [*s.live.spot_lots[a, :k_count].tolist(), int(s.live.spot_cash[a])]
        theirs += s.live.cross_lots[a, :k_count].tolist()
        if theirs != [*arbitrageur.spot_lots, arbitrageur.spot_cash, *arbitrageur.cross_lots]:
            return f"spot of arbitrageur {a}: kernel {theirs}, twin {arbitrageur}"
    dead = s.live.dead_makers[: len(twin.dead_makers)].tolist()
    if (int(s.live.pool_cash), dead) != (twin.pool_cash, twin.dead_makers):
        return "spot pool or number of dead makers"
    for name, ours in vars(twin.sums).items():
        value = s.tally[name]
        count = len(ours[0] if ours and isinstance(ours[0], list) else ours) if isinstance(ours, list) else 0
        theirs = value[..., :count].tolist() if isinstance(value, np.ndarray) else int(value)
        if theirs != ours:
            return f"tally {name}: kernel {theirs}, twin {ours}"
    return ""


def margins_differ(kernel: Stepper, twin: Twin, order: Int64s) -> str:
    """The first account whose margin differs; a difference of one uusd seldom changes who is liquidated."""
    for row, account in zip(order.tolist(), twin.accounts, strict=True):
        if account.has_position:
            theirs, ours = margin_owed(kernel.setting, row), twin.margin_owed(account)
            if theirs != ours:
                return f"margin of account {account.uid}: kernel {theirs}, twin {ours}"
    return ""


def bars_differ(kernel: Stepper, twin: Twin) -> str:
    """The first field of a minute bar that differs; empty when none does."""
    for minute, row in enumerate(twin.minutes):
        for k, bar in enumerate(row):
            for name, ours in asdict(bar).items():
                theirs = kernel.setting.bars[minute, k][name].tolist()
                if theirs != ours or (isinstance(ours, float) and bits(theirs) != bits(ours)):
                    return f"bar {minute} of market {k}, {name}: kernel {theirs}, twin {ours}"
    return ""


def tiers_of(twin: Twin) -> list[list[int]]:
    """Margin tier of every account in every market; −1 where it holds nothing."""
    return [
        [m.margin.tier(twin.notional(a, m)) if a.size[m.number] else -1 for m in twin.markets]
        for a in twin.accounts
    ]


def run_both(case: Case) -> tuple[str, Counter[str]]:
    """Where kernel and twin first differ (empty: nowhere), and which situations the market went through."""
    kernel = Stepper(case)
    twin = Twin(case.world, case.tables)
    order = np.argsort(case.world.uid)
    seen: Counter[str] = Counter()
    status = Status.OK
    problem = difference(kernel, twin, order) or (
        "" if kernel.deposits.tolist() == twin.deposits else f"deposits: {kernel.deposits}, {twin.deposits}"
    )
    before = tiers_of(twin)
    pledged = [[*account.pledged] for account in twin.accounts]
    was_closed = [False] * len(twin.accounts)
    mode = case.world.mode[order].tolist()
    sides = np.sign(case.world.size[order]).tolist()
    for second, fair in enumerate(case.fair, start=1):
        if problem or status.is_failure:
            break
        previous: dict[str, Any] = {"book": [*twin.sums.book], "forced": count_forced(twin)}
        # Tiers at the end of a second; those of who is closed within the next one are of the second before.
        tiers = tiers_of(twin)
        status, other = kernel.step(fair), twin.step(fair.tolist())
        if status != other:
            problem = f"status: kernel {status.name}, twin {other.name}"
        if status == Status.OUT_OF_RANGE:
            break  # beyond the range the kernels' integers wrap, which is why they stop
        problem = problem or difference(kernel, twin, order)
        if problem:
            problem = f"second {second}: {problem}"
        for uid, account in enumerate(twin.accounts):
            if account.closed and not was_closed[uid]:
                was_closed[uid] = True
                several = sum(1 for side in sides[uid] if side) > 1
                if account.role == 0:
                    seen["isolated"] += mode[uid] == ISOLATED
                    seen["cross over several markets"] += several
                    seen["mixed sides"] += several and 1 in sides[uid] and -1 in sides[uid]
                    seen["tier changed on the way"] += any(
                        now >= 0 and was >= 0 and now != was
                        for now, was in zip(tiers[uid], before[uid], strict=True)
                    )
                seen["newcomer closed"] += account in twin.newcomers
        for k, forced in enumerate(count_forced(twin)):
            filled = twin.sums.book[k] - previous["book"][k]
            seen["partial fill"] += 0 < filled < forced - previous["forced"][k]
    if not problem and not status.is_failure:
        problem = bars_differ(kernel, twin) or margins_differ(kernel, twin, order)
    sums = twin.sums
    seen["takeover"] += any(sums.takeover)
    seen["adl"] += any(sums.adl)
    seen["socialised loss"] += sums.socialised_uusd > 0
    seen["maker liquidated"] += sums.makers_liquidated > 0
    seen["stops"] += any(sums.stops)
    seen["funding payment"] += sums.funding_payments > 0
    seen["slow exit"] += any(any(m.exit_assigned) for m in twin.markets)
    seen["never closed"] += case.params.liquidations == 2 and any(a.closed for a in twin.accounts)
    seen["shorts liquidated"] += any(sums.forced[1])
    seen["bankrupt wallet"] += sums.bankrupt_wallets > 0
    seen["spot hedged"] += any(sums.spot_sold)
    for name in ("trigger_last", "no_limit", "double_impact"):
        seen[f"{name} with liquidations"] += bool(case.params[name]) and any(sums.accounts_forced)
    seen["sliced"] += any(account.ordered >= 0 for account in twin.accounts)
    seen["margin kept by the venue"] += sums.forfeited_uusd > 0
    seen["between venues"] += any(any(a.cross_lots) for a in twin.arbitrageurs)
    seen["outage"] += sums.fired_outage > 0
    seen["collateral repriced"] += sums.fired_collateral > 0 and any(sums.accounts_forced)
    seen["collateral sold"] += any(sums.exchanged_lots)
    seen["collateral sold of an open account"] += any(
        any(a.pledged[i] < before for i, before in enumerate(first)) and not a.closed
        for a, first in zip(twin.accounts, pledged, strict=True)
    )
    seen["collateral seized"] += any(sums.seized_lots)
    for market in twin.markets:
        k = market.number
        seen["inverse liquidated"] += market.is_inverse and any(s[k] for s in sums.forced)
        seen["inverse long liquidated"] += market.is_inverse and sums.forced[0][k] > 0
        seen["inverse takeover"] += market.is_inverse and sums.takeover[k] > 0
        seen["inverse adl"] += market.is_inverse and sums.adl[k] > 0
        seen["inverse stops"] += market.is_inverse and sums.stops[k] > 0
        seen["inverse spot hedged"] += market.is_inverse and sums.spot_sold[k] != 0
        seen["inverse deficit"] += market.is_inverse and sums.deficit_uusd[k] > 0
        inverse = range(market.venue.first, market.venue.end) if market.is_inverse else ()
        seen["inverse several markets"] += len(inverse) > 1 and any(
            a.closed and a.role == 0 and sum(1 for j in inverse if sides[a.uid][j]) > 1 for a in twin.accounts
        )
    both = {market.is_inverse for market in twin.markets}
    seen["linear and inverse"] += len(both) == 2 and any(sums.accounts_forced)
    for venue in twin.venues:
        here = range(venue.first, venue.end)
        for name in ("trigger", "mark_rule", "order_limit", "slice", "takeover"):
            value = getattr(venue, name)
            seen[f"{name} {value}"] += any(sums.accounts_forced[k] for k in here)
        for name in ("adl_trigger", "adl_rank", "adl_price"):
            seen[f"{name} {getattr(venue, name)}"] += any(sums.adl[k] for k in here)
    seen["out of range"] += status == Status.OUT_OF_RANGE
    seen["seconds"] += twin.second
    # One draw counts once for each situation.
    return problem, Counter(
        {name: count if name == "seconds" else int(count > 0) for name, count in seen.items()}
    )


def count_forced(twin: Twin) -> list[int]:
    """Lots forced so far, by market."""
    return [long + short for long, short in zip(*twin.sums.forced, strict=True)]
