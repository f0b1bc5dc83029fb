"""Which accounts are liquidatable now, found without looking at everybody.

Accounts in one market wait in a list sorted by their liquidation price; the mark moves a pointer along it.
Accounts in several markets wait in a list sorted by a certified safe radius: as long as no mark has moved
against
them by more than the radius times the market's beta since the reference, their health cannot be negative,
since
health is monotone in every mark and the bound takes the worst corner. Who changed, or used up the radius,
goes to
the watch list, where the exact trigger or a box of safe marks is kept. The result is that of a sweep over
everybody, and with ``s.params.check`` the sweep is made and compared.
"""

from __future__ import annotations

import math

import numpy as np

from deleverage.engine.ledger import (
    equity,
    gross_notional,
    halted,
    has_collateral,
    has_position,
    margin_owed,
)
from deleverage.engine.ranking import falling, rising
from deleverage.engine.state import FUND, LONG, NEWCOMER, SHORT, Finder, Setting
from deleverage.jit import allocating_kernel, kernel
from deleverage.units import Int64s
from deleverage.venues.inverse_margin import trigger_price
from deleverage.venues.margin import NEVER_TICKS, tier_of

KINDS = 4
"""Lists of accounts whose trigger is no single price: long, short, mixed; with collateral."""

WIDEST = 0.25
"""Largest move that a radius certifies: beyond it the tier of the bound might not hold."""


@kernel
def only_market(s: Setting, row: int) -> int:
    """The market of an account that is in one market, −1 if in several, −2 if in none.

    With collateral besides the settlement asset it counts as several: no single price decides.
    """
    found = -2
    for k in range(s.venues.first[s.venue[row]], s.venues.end[s.venue[row]]):
        if s.size[row, k] != 0:
            if found >= 0:
                return -1
            found = k
    return -1 if found >= 0 and has_collateral(s, row) else found


@kernel
def trigger_of(s: Setting, row: int, k: int) -> int:
    """Mark [ticks] at which an account whose only market is k becomes liquidatable."""
    return trigger_price(
        s.wallet[row], s.size[row, k], s.cost[row, k], s.markets.tick_lot_uusd[k],
        s.markets.inverse_unit[k], k, s.tiers,
    )  # fmt: skip


@kernel
def worst_loss(s: Setting, row: int, k: int, beta: float) -> float:
    """Health that market k can cost [uusd] per unit of adverse move, up to a move of `WIDEST`.

    A long loses its notional and owes less margin; a short loses it and owes more, at most at the rate of
    the tier that the notional reaches. An inverse long is a short whose notional grows by 1 ÷ (1 − move).
    """
    size = s.size[row, k]
    linear = s.markets.inverse_unit[k] == 0
    notional = float(abs(size)) * float(abs(s.live.unit[k]))
    if size > 0 and not linear:
        notional = notional / (1.0 - WIDEST)
    if (size < 0) == linear:
        tiers = s.tiers
        tier = tier_of(math.floor(notional * (1.0 + WIDEST)) + 1, k, tiers)
        notional = notional * (1.0 + float(tiers.rate_num[k, tier]) / float(tiers.rate_den[k, tier]))
    return notional * beta


@kernel
def safe_move(s: Setting, row: int, scaled: bool) -> float:
    """Certified move, same for all markets (times beta when ``scaled``), below which health stays ≥ 0."""
    health = equity(s, row) - margin_owed(s, row)
    # Margins are rounded up and collateral is rounded down, one uusd each.
    slack = float(health - 2 * (s.markets.count + s.assets.count) - 2)
    if slack <= 0.0:
        return 0.0
    loss = 0.0
    widest = WIDEST
    for k in range(s.venues.first[s.venue[row]], s.venues.end[s.venue[row]]):
        if s.size[row, k] != 0:
            beta = s.markets.beta[k] if scaled else 1.0
            loss += worst_loss(s, row, k, beta)
            if s.markets.inverse_unit[k] != 0:
                slack -= 2.0 * float(abs(s.size[row, k]))  # what a lot is worth is rounded up
            if WIDEST / beta < widest:
                widest = WIDEST / beta
    for a in range(s.assets.count):
        if s.pledged[row, a] > 0:
            beta = s.assets.beta[a] if scaled else 1.0
            loss += float(s.pledged[row, a]) * float(s.live.asset_price[a]) * beta
            if WIDEST / beta < widest:
                widest = WIDEST / beta
    if slack <= 0.0:
        return 0.0
    move = slack / loss * (1.0 - 1e-9)
    return move if move < widest else widest


@kernel
def set_bounds(s: Setting, finder: Finder, row: int) -> None:
    """Bring the watch bounds of an account up to date with its position and the marks."""
    k0 = only_market(s, row)
    for k in range(s.venues.first[s.venue[row]], s.venues.end[s.venue[row]]):
        finder.box[row, 0, k] = -1
        finder.box[row, 1, k] = NEVER_TICKS
    for a in range(s.assets.count):
        finder.asset_box[row, a] = -1
    if k0 == -2:
        return
    if k0 >= 0:
        trigger = trigger_of(s, row, k0)
        if s.size[row, k0] > 0:
            finder.box[row, 0, k0] = trigger
        else:
            finder.box[row, 1, k0] = trigger
        return
    move = safe_move(s, row, False)
    for k in range(s.venues.first[s.venue[row]], s.venues.end[s.venue[row]]):
        if s.size[row, k] != 0 and move <= 0.0:
            # Nothing is certified: it may be waiting for its next order, so it is looked at every time.
            finder.box[row, 0, k] = NEVER_TICKS
        elif s.size[row, k] > 0:
            finder.box[row, 0, k] = math.ceil(float(s.live.mark[k]) * (1.0 - move))
        elif s.size[row, k] < 0:
            finder.box[row, 1, k] = math.floor(float(s.live.mark[k]) * (1.0 + move))
    for a in range(s.assets.count):
        if s.pledged[row, a] > 0:
            finder.asset_box[row, a] = math.ceil(float(s.live.asset_price[a]) * (1.0 - move))


@kernel
def narrow(s: Setting, finder: Finder, row: int) -> None:
    """Let the nearest bounds of the watch list include this account's."""
    for k in range(s.venues.first[s.venue[row]], s.venues.end[s.venue[row]]):
        if finder.box[row, 0, k] > finder.found.nearest_low[k]:
            finder.found.nearest_low[k] = finder.box[row, 0, k]
        if finder.box[row, 1, k] < finder.found.nearest_high[k]:
            finder.found.nearest_high[k] = finder.box[row, 1, k]
    for a in range(s.assets.count):
        if finder.asset_box[row, a] > finder.found.nearest_asset[a]:
            finder.found.nearest_asset[a] = finder.asset_box[row, a]


@kernel
def watch(s: Setting, finder: Finder, row: int) -> None:
    """Put an account on the watch list, or refresh it there: its position or wallet has changed."""
    set_bounds(s, finder, row)
    if not finder.watched[row]:
        finder.watched[row] = True
        finder.watch[finder.found.watch_count] = row
        finder.found.watch_count += 1
    narrow(s, finder, row)


@kernel
def watch_later(s: Setting, finder: Finder, row: int, k: int) -> None:
    """Put an account on the watch list unseen: the next search looks at it and sets its bounds, once.

    For who may change many times before that, in market ``k`` among others.
    """
    finder.box[row, 0, k] = NEVER_TICKS
    finder.found.nearest_low[k] = NEVER_TICKS
    if not finder.watched[row]:
        finder.watched[row] = True
        finder.watch[finder.found.watch_count] = row
        finder.found.watch_count += 1


@kernel
def liquidatable(s: Setting, row: int) -> bool:
    """Exact: health < 0 at the marks, and the venue may order now; one that is out orders nothing.

    Margin never exceeds notional, so equity ≥ notional settles most cases. An account that has had its order
    may have to wait for the next step.
    """
    if s.waits[row] and s.ordered[row] == s.live.step:
        return False
    if halted(s, s.venue[row]):
        return False
    worth = equity(s, row)
    return worth < gross_notional(s, row) and worth < margin_owed(s, row)


@kernel
def take(s: Setting, hits: Int64s, count: int, row: int) -> int:
    """Append a row to the hits of this round."""
    s.in_round[row] = True
    hits[count] = row
    return count + 1


@kernel
def find_single(s: Setting, finder: Finder, hits: Int64s, count: int) -> int:
    """Advance the sorted triggers of every market and side to the mark."""
    for k in range(s.markets.count):
        if halted(s, s.markets.venue_of[k]):
            continue
        mark = s.live.mark[k]
        for side in range(2):
            i = finder.found.single_next[k, side]
            end = finder.found.single_end[k, side]
            while i < end:
                trigger = finder.single_trigger[i]
                if (side == LONG and trigger < mark) or (side == SHORT and trigger > mark):
                    break
                row = finder.single_rows[i]
                i += 1
                if not s.closed[row] and not finder.watched[row] and s.size[row, k] != 0:
                    count = take(s, hits, count, row)
            finder.found.single_next[k, side] = i
    return count


@kernel
def find_many(s: Setting, finder: Finder, hits: Int64s, count: int) -> int:
    """Look at accounts in several markets whose safe radius is used up."""
    found = finder.found
    for venue in range(s.venues.count):
        if halted(s, venue):
            continue
        fall = 0.0
        rise = 0.0
        for k in range(s.venues.first[venue], s.venues.end[venue]):
            mark = s.live.mark[k]
            if mark < found.lowest[k]:
                found.lowest[k] = mark
            if mark > found.highest[k]:
                found.highest[k] = mark
            scale = float(found.reference[k]) * s.markets.beta[k]
            fall = max(fall, float(found.reference[k] - found.lowest[k]) / scale)
            rise = max(rise, float(found.highest[k] - found.reference[k]) / scale)
        worse = max(fall, rise)
        for a in range(s.assets.count):
            if s.assets.venue_of[a] == venue:
                if s.live.asset_price[a] < found.asset_lowest[a]:
                    found.asset_lowest[a] = s.live.asset_price[a]
                scale = float(found.asset_reference[a]) * s.assets.beta[a]
                worse = max(worse, float(found.asset_reference[a] - found.asset_lowest[a]) / scale)
        for kind in range(KINDS):
            moved = fall if kind == 0 else (rise if kind == 1 else max(fall, rise))
            if kind == 3:
                moved = worse
            i = found.many_next[venue, kind]
            while i < found.many_end[venue, kind] and finder.many_radius[i] <= moved:
                row = finder.many_rows[i]
                i += 1
                if not s.closed[row] and not finder.watched[row] and has_position(s, row):
                    if liquidatable(s, row):
                        count = take(s, hits, count, row)
                    else:
                        watch(s, finder, row)
            found.many_next[venue, kind] = i
    return count


@kernel
def find_watched(s: Setting, finder: Finder, hits: Int64s, count: int) -> int:
    """Go through the watch list, if any mark has reached the nearest of its bounds."""
    reached = False
    for k in range(s.markets.count):
        if s.live.mark[k] <= finder.found.nearest_low[k] or s.live.mark[k] >= finder.found.nearest_high[k]:
            reached = True
    for a in range(s.assets.count):
        if s.live.asset_price[a] <= finder.found.nearest_asset[a]:
            reached = True
    if not reached:
        return count
    for a in range(s.assets.count):
        finder.found.nearest_asset[a] = -1
    for k in range(s.markets.count):
        finder.found.nearest_low[k] = -1
        finder.found.nearest_high[k] = NEVER_TICKS
    kept = 0
    for i in range(finder.found.watch_count):
        row = finder.watch[i]
        if s.closed[row] or s.in_round[row] or not has_position(s, row):
            finder.watched[row] = False
            continue
        outside = False
        for k in range(s.venues.first[s.venue[row]], s.venues.end[s.venue[row]]):
            if s.live.mark[k] <= finder.box[row, 0, k] or s.live.mark[k] >= finder.box[row, 1, k]:
                outside = True
        for a in range(s.assets.count):
            if s.live.asset_price[a] <= finder.asset_box[row, a]:
                outside = True
        if outside:
            # For one market the box is the exact trigger; the health says the same.
            if liquidatable(s, row):
                count = take(s, hits, count, row)
                finder.watched[row] = False
                continue
            set_bounds(s, finder, row)
        narrow(s, finder, row)
        finder.watch[kept] = row
        kept += 1
    finder.found.watch_count = kept
    return count


@kernel
def find_named(s: Setting, hits: Int64s, count: int) -> int:
    """Look at makers, arbitrageurs and the other named accounts: they change with every fill, so always."""
    for i in range(s.parties.named_count):
        row = s.parties.named[i]
        if s.role[row] == NEWCOMER:
            continue
        if not s.closed[row] and has_position(s, row) and liquidatable(s, row):
            count = take(s, hits, count, row)
    return count


@kernel
def sweep(s: Setting, hits: Int64s) -> int:
    """Look at everybody. The slow way, which the fast one must equal."""
    count = 0
    for row in range(s.wallet.shape[0]):
        exempt = s.role[row] >= FUND or s.role[row] == NEWCOMER
        if not exempt and not s.closed[row] and has_position(s, row):
            if liquidatable(s, row):
                hits[count] = row
                count += 1
    return count


@allocating_kernel
def sort_hits(s: Setting, hits: Int64s, count: int) -> None:
    """Bring the first ``count`` rows of ``hits`` into the order of their uids."""
    uids = np.empty(count, dtype=np.int64)
    rows = np.empty(count, dtype=np.int64)
    for i in range(count):
        rows[i] = hits[i]
        uids[i] = s.uid[rows[i]]
    order = rising(uids)
    for i in range(count):
        hits[i] = rows[order[i]]


@kernel
def find_liquidatable(s: Setting, finder: Finder, hits: Int64s) -> int:
    """Write the rows that are liquidatable at the marks to ``hits``, in order of uid; returns how many."""
    if s.params.brute:
        count = sweep(s, hits)
        for i in range(count):
            s.in_round[hits[i]] = True
    else:
        count = find_single(s, finder, hits, 0)
        count = find_many(s, finder, hits, count)
        count = find_watched(s, finder, hits, count)
        count = find_named(s, hits, count)
    if count > 1:
        sort_hits(s, hits, count)
    return count


@kernel
def find_stops(s: Setting, finder: Finder) -> None:
    """Fire the voluntary stops that the last price has reached; they trade in the next step."""
    if not s.params.stops:
        return
    for k in range(s.markets.count):
        if halted(s, s.markets.venue_of[k]):
            continue
        for side in range(2):
            i = finder.found.stop_next[k, side]
            while i < finder.found.stop_end[k, side]:
                trigger = finder.stop_trigger[i]
                if (side == LONG and trigger < s.live.mid[k]) or (side == SHORT and trigger > s.live.mid[k]):
                    break
                row = finder.stop_rows[i]
                i += 1
                if not s.closed[row] and s.size[row, k] != 0:
                    s.stop_list[s.live.stop_count] = row
                    s.live.stop_count += 1
            finder.found.stop_next[k, side] = i


@kernel
def group_of(s: Setting, row: int, venue: int) -> int:
    """The list of its venue in which an account waits: 2·market + side, then the kinds; or −1."""
    if s.role[row] != 0 or s.closed[row]:
        return -1
    only = only_market(s, row)
    if only == -2:
        return -1
    if only >= 0:
        return int(2 * (only - s.venues.first[venue])) + (LONG if s.size[row, only] > 0 else SHORT)
    longs = False
    shorts = False
    for k in range(s.venues.first[venue], s.venues.end[venue]):
        longs = longs or s.size[row, k] > 0
        shorts = shorts or s.size[row, k] < 0
    kind = 2 if longs and shorts else (0 if longs else 1)
    if has_collateral(s, row):
        kind = 3
    return int(2 * (s.venues.end[venue] - s.venues.first[venue]) + kind)


@allocating_kernel
def build(s: Setting, finder: Finder, venue: int) -> None:
    """Sort a venue's accounts anew at the present marks (at the start, after funding or a socialised loss).

    Its lists lie one after the other from the number of its first account on: there is room for all of them.
    """
    first_row = s.venues.row_first[venue]
    n = s.venues.row_end[venue] - first_row
    first_market = s.venues.first[venue]
    singles = 2 * (s.venues.end[venue] - first_market)
    groups = singles + KINDS
    found = finder.found
    keys = np.empty(n, dtype=np.int64)
    radius = np.empty(n, dtype=np.float64)
    # Bits of a float ≥ 0, read as an integer, are in its order: one sort serves triggers and radii.
    bits = radius.view(np.int64)
    group = np.empty(n, dtype=np.int64)
    begins = np.zeros(groups + 1, dtype=np.int64)
    for i in range(n):
        row = s.rows[first_row + i]
        finder.watched[row] = False
        g = group_of(s, row, venue)
        group[i] = g
        if g < 0:
            continue
        begins[g + 1] += 1
        if g < singles:
            k = first_market + g // 2
            keys[i] = trigger_of(s, row, k)
        else:
            radius[i] = safe_move(s, row, True)
    for g in range(groups):
        begins[g + 1] += begins[g]
    place = begins.copy()
    grouped = np.empty(begins[groups], dtype=np.int64)
    for i in range(n):
        if group[i] >= 0:
            grouped[place[group[i]]] = i
            place[group[i]] += 1
    for g in range(groups):
        members = grouped[begins[g] : begins[g + 1]]
        length = members.shape[0]
        start = first_row + begins[g]
        key = np.empty(length, dtype=np.int64)
        for i in range(length):
            key[i] = keys[members[i]] if g < singles else bits[members[i]]
        if g < singles:
            k, side = first_market + g // 2, g % 2
            found.single_first[k, side] = start
            found.single_next[k, side] = start
            found.single_end[k, side] = start + length
            # Longs by falling, shorts by rising trigger.
            order = falling(key) if side == LONG else rising(key)
            for i in range(length):
                finder.single_rows[start + i] = s.rows[first_row + members[order[i]]]
                finder.single_trigger[start + i] = keys[members[order[i]]]
        else:
            kind = g - singles
            found.many_first[venue, kind] = start
            found.many_next[venue, kind] = start
            found.many_end[venue, kind] = start + length
            order = rising(key)
            for i in range(length):
                finder.many_rows[start + i] = s.rows[first_row + members[order[i]]]
                finder.many_radius[start + i] = radius[members[order[i]]]
    s.live.sort_again[venue] = 0
    kept = 0
    for i in range(found.watch_count):
        row = finder.watch[i]
        if s.venue[row] != venue:
            finder.watch[kept] = row
            kept += 1
    found.watch_count = kept
    for k in range(first_market, s.venues.end[venue]):
        found.reference[k] = s.live.mark[k]
        found.lowest[k] = s.live.mark[k]
        found.highest[k] = s.live.mark[k]
        found.nearest_low[k] = -1
        found.nearest_high[k] = NEVER_TICKS
    for a in range(s.assets.count):
        if s.assets.venue_of[a] == venue:
            found.asset_reference[a] = s.live.asset_price[a]
            found.asset_lowest[a] = s.live.asset_price[a]
            found.nearest_asset[a] = -1


@allocating_kernel
def build_stops(s: Setting, finder: Finder, stop_ticks: Int64s) -> None:
    """Sort the voluntary stops by their triggers, once."""
    n = s.wallet.shape[0]
    start = 0
    for k in range(s.markets.count):
        for side in range(2):
            count = 0
            for row in range(n):
                if stop_ticks[row] > 0 and (
                    (side == LONG and s.size[row, k] > 0) or (side == SHORT and s.size[row, k] < 0)
                ):
                    finder.stop_rows[start + count] = row
                    count += 1
            rows = np.empty(count, dtype=np.int64)
            triggers = np.empty(count, dtype=np.int64)
            for i in range(count):
                rows[i] = finder.stop_rows[start + i]
                triggers[i] = stop_ticks[rows[i]]
            order = falling(triggers) if side == LONG else rising(triggers)
            for i in range(count):
                finder.stop_rows[start + i] = rows[order[i]]
                finder.stop_trigger[start + i] = triggers[order[i]]
            finder.found.stop_end[k, side] = start + count
            finder.found.stop_next[k, side] = start
            start += count
