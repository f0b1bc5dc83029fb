"""How much is forced out as the price falls, how much the book takes, and where the one outruns the other.

The map of a market is a sorted list of (level, lots): the fall of log price u at which each long account is
liquidated, and what it then sells. With B(u) = ρ·u + ½·Λ·u² for what the book absorbs:

    Λmap(u)  lots forced out down to u                       n(u) = Λmap′(u) / B′(u)   the branching ratio
    u*(s) = min{u ≥ s : B(u − s) ≥ Λmap(u)}                  where a shock s ends

u* is the *least* fixed point, the one that a fall reaches from above (other crossings are not reached). It is
exact: level j is reached from a shock s when every level before it is, and when what lies before it moves
the price that far, that is when s ≥ need_j = level_j − B⁻¹(Σ lots before j). So the number of accounts
reached is the first j at which the running maximum of need exceeds s: one sort, then O(log N) a shock.

Conventions: last-price trigger, no order limit, no decay, no withdrawal (the engine adds these). u is a fall
of log price, > 0 below the start; a *fall* is a share of price, 1 − e^(−u). Quantities have the unit of
``lots``, densities that unit per unit of log price.
Source: design notes, `science.md` §0.2–0.3 and §8 "Fast layer".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from deleverage.jit import kernel
from deleverage.positions.population import LotMoney
from deleverage.units import Floats, Int64s
from deleverage.venues.margin import Tiers

BANDWIDTH = 0.01
"""Width of the window over which the map's density is averaged [log price]: one percent."""

RUNAWAY = 0.05
"""A jump of u* beyond this [log price], for no more shock, counts as running away: five percent."""

RANGE = 0.30
"""Largest shock that is looked at for running away [log price]."""

FARTHEST_RISE = 49.0
"""Largest rise of the coins in an inverse lot that is looked at: the price has then fallen by 98 %."""

START_OVER = 0.02
"""The n of the start is the mean over the first two percent: nearer, too few accounts stand to divide by."""


@kernel
def _health(
    row: int,
    fall: float,
    wallet: Int64s,
    size: Int64s,
    cost: Int64s,
    worth: Floats,
    ratio: Floats,
    tiers: Tiers,
) -> tuple[float, float]:
    """Health [uusd] of an account when market j has fallen by ``fall × ratio[j]``, and its slope in ``fall``.

    worth : value of one lot at the start [uusd, K].
    """
    health = float(wallet[row])
    slope = 0.0
    for j in range(size.shape[1]):
        if size[row, j] == 0:
            continue
        side = 1.0 if size[row, j] > 0 else -1.0
        start = abs(size[row, j]) * worth[j]
        now = start * (1.0 - fall * ratio[j])
        k = 0
        while k < tiers.last[j] and now > tiers.cap_uusd[j, k]:
            k += 1
        rate = float(tiers.rate_num[j, k]) / float(tiers.rate_den[j, k])
        health += (side - rate) * now + float(tiers.deduction_uusd[j, k]) - float(cost[row, j])
        slope -= (side - rate) * start * ratio[j]
    return health, slope


@kernel
def _falls(
    market: int,
    wallet: Int64s,
    size: Int64s,
    cost: Int64s,
    worth: Floats,
    ratio: Floats,
    tiers: Tiers,
    fall: Floats,
) -> None:
    """Write the fall [share of ``market``'s price] at which each long account of it is liquidated, or inf.

    Notionals are linear in the fall and margins convex in notional, so health is concave and piecewise
    linear: it crosses zero once on the way down, for hedged accounts too, and Newton's steps from the far end
    reach the crossing in as many steps as there are pieces.
    """
    for row in range(wallet.shape[0]):
        fall[row] = np.inf
        if size[row, market] <= 0:
            continue
        far = 1.0
        for j in range(size.shape[1]):
            if size[row, j] != 0 and far * ratio[j] > 1.0:
                far = 1.0 / ratio[j]
        health, slope = _health(row, 0.0, wallet, size, cost, worth, ratio, tiers)
        if health < 0.0:
            fall[row] = 0.0
            continue
        at = far
        health, slope = _health(row, at, wallet, size, cost, worth, ratio, tiers)
        if health >= 0.0:
            continue
        for _ in range(64):
            lower = at - health / slope if slope < 0.0 else at
            if not lower < at:
                break
            at = lower
            health, slope = _health(row, at, wallet, size, cost, worth, ratio, tiers)
            if health >= 0.0:
                break
        fall[row] = at if at > 0.0 else 0.0


@kernel
def _inverse_falls(
    market: int,
    wallet: Int64s,
    size: Int64s,
    cost: Int64s,
    worth: Floats,
    ratio: Floats,
    tiers: Tiers,
    fall: Floats,
) -> None:
    """`_falls` of an inverse venue, whose markets are of one coin and fall together.

    By the price 1 ÷ (1 + g) every lot is worth 1 + g as many coins, and a long is a short of them: the rise g
    is a fall of −g, and health is concave in it as well. ``size`` is that of the mirrored positions.
    """
    for row in range(wallet.shape[0]):
        fall[row] = np.inf
        if size[row, market] >= 0:
            continue
        health, slope = _health(row, 0.0, wallet, size, cost, worth, ratio, tiers)
        if health < 0.0:
            fall[row] = 0.0
            continue
        at = -FARTHEST_RISE
        health, slope = _health(row, at, wallet, size, cost, worth, ratio, tiers)
        if health >= 0.0:
            continue
        for _ in range(64):
            higher = at - health / slope if slope > 0.0 else at
            if not higher > at:
                break
            at = higher
            health, slope = _health(row, at, wallet, size, cost, worth, ratio, tiers)
            if health >= 0.0:
                break
        fall[row] = at / (at - 1.0) if at < 0.0 else 0.0


def liquidation_levels(
    wallet: Int64s,
    size: Int64s,
    cost: Int64s,
    mark: Int64s,
    tick_lot_uusd: Int64s,
    tiers: Tiers,
    beta: Floats,
    market: int,
    inverse_unit: Int64s | None = None,
) -> tuple[Floats, Int64s]:
    """Levels of the accounts that are long ``market``, sorted, and the lots that each then sells.

    The other markets fall along: when this one has fallen by the share f, market j has fallen by
    f·β_j/β_market, as the shock of a run does (and as distances are drawn). Falls that would bring a market
    of the account below zero are not looked at. Only what is sold in ``market`` counts; accounts short in it,
    who would buy, are left out.

    Parameters
    ----------
    wallet : int64 [N], uusd. size, cost : int64 [N, K], signed lots and uusd. Rows are the accounts that
        can be liquidated, in any order.
    mark, tick_lot_uusd : int64 [K], ticks and uusd. beta : float64 [K], > 0. market : column.
    inverse_unit : int64 [K], as in `LotMoney`; without it all markets are linear.

    Returns
    -------
    (levels, lots) : float64 and int64 [M], levels rising; M counts those with a level at all. A level
    is within one tick of the integer trigger of the engine, which rounds margins up.
    """
    ratio = beta / beta[market]
    unit = LotMoney(tick_lot_uusd, np.zeros_like(mark) if inverse_unit is None else inverse_unit)
    worth = np.abs(unit.at(mark)).astype(np.float64)
    fall = np.empty(wallet.shape[0])
    if unit.inverse_unit[market] > 0:
        _inverse_falls(market, wallet, -size, cost, worth, np.ones_like(ratio), tiers, fall)
    else:
        _falls(market, wallet, size, cost, worth, ratio, tiers, fall)
    rows = np.flatnonzero(fall < 1.0)
    levels = -np.log1p(-fall[rows])
    lots = size[rows, market]
    order = np.argsort(levels, kind="stable")
    return levels[order], lots[order]


def book_absorbs(u: Floats, density: float, latent: float = 0.0) -> Floats:
    """B(u): what the bids take down to a log distance u ≥ 0."""
    return u * (density + 0.5 * latent * u)


def book_distance(quantity: Floats, density: float, latent: float = 0.0) -> Floats:
    """B⁻¹: how far in log price a quantity ≥ 0 moves the book."""
    return 2.0 * quantity / (density + np.sqrt(density * density + 2.0 * latent * quantity))


def forced_out(levels: Floats, lots: Int64s | Floats, u: Floats) -> Floats:
    """Λmap(u): lots of all levels ≤ u, cumulative."""
    sums = np.concatenate([[0], np.cumsum(lots)])
    return sums[np.searchsorted(levels, u, side="right")].astype(np.float64)


def branching_ratio(
    levels: Floats,
    lots: Int64s | Floats,
    u: Floats,
    density: float,
    latent: float = 0.0,
    bandwidth: float = BANDWIDTH,
) -> Floats:
    """n(u): the map's density in a window of ``bandwidth`` about u (cut off at 0) ÷ the book's density."""
    near = np.maximum(u - 0.5 * bandwidth, 0.0)
    far = u + 0.5 * bandwidth
    # What is liquidatable at once stands at level 0 and belongs to the first window.
    inside = forced_out(levels, lots, far) - np.where(near > 0.0, forced_out(levels, lots, near), 0.0)
    return inside / (far - near) / (density + latent * u)


def map_on_grid(
    levels: Floats,
    lots: Int64s | Floats,
    falls: Floats,
    density: float,
    latent: float = 0.0,
    bandwidth: float = BANDWIDTH,
) -> tuple[Floats, Floats, Floats]:
    """The map against the book at given falls [share of price, rising, < 1].

    Returns
    -------
    (cumulative, book, n), float64 [len(falls)]: forced out down to there, absorbed down to there (both in
    the unit of ``lots``), and the branching ratio there.
    """
    u = -np.log1p(-falls)
    n = branching_ratio(levels, lots, u, density, latent, bandwidth)
    return forced_out(levels, lots, u), book_absorbs(u, density, latent), n


@dataclass(frozen=True)
class Clearing:
    """Where a shock ends: the least fixed point u* [log price], what was forced out, of how many accounts."""

    shock: float
    u: float
    forced: float
    accounts: int

    @property
    def amplification(self) -> float:
        """u* ÷ shock, ≥ 1."""
        return self.u / self.shock if self.shock > 0.0 else 1.0


@dataclass(frozen=True)
class LiquidationMap:
    """A market's map against its book, sorted once, asked often. Build it with `build_map`."""

    levels: Floats = field(repr=False)  # [M] rising
    before: Floats = field(repr=False)  # [M + 1] sold before level j; the last entry is everything
    moved: Floats = field(repr=False)  # [M + 1] B⁻¹ of it
    need: Floats = field(repr=False)  # [M] smallest shock that reaches level j
    density: float
    latent: float

    def clear(self, shock: float) -> Clearing:
        """Where a shock [log price, ≥ 0] ends; O(log M)."""
        reached = int(np.searchsorted(self.need, shock, side="right"))
        return Clearing(shock, shock + float(self.moved[reached]), float(self.before[reached]), reached)

    def waves(self, shock: float, most: int = 1_000) -> Floats:
        """Lots of each of at most ``most`` rounds: all whom the price has reached sell, then the next."""
        sold: list[float] = []
        reached, total = 0, 0.0
        while len(sold) < most:
            u = shock + float(self.moved[reached])
            reached = int(np.searchsorted(self.levels, u, side="right"))
            more = float(self.before[reached]) - total
            if more <= 0.0:
                break
            sold.append(more)
            total += more
        return np.array(sold)

    def tipping_distance(self, runaway: float = RUNAWAY, largest: float = RANGE) -> float | None:
        """Smallest shock at which u* jumps by more than ``runaway``; None if there is none up to ``largest``.

        All in log price. u* jumps wherever a shock just reaches an account whose sale reaches the next, and
        so on; the jump at a record of `need` runs to where the next record stops it.
        """
        if self.need.shape[0] == 0:
            return None
        first = np.flatnonzero(np.diff(self.need, prepend=-1.0) > 0.0)
        end = np.append(first[1:], self.need.shape[0])
        jump = self.moved[end] - self.moved[first]
        found = np.flatnonzero((jump > runaway) & (self.need[first] <= largest))
        return float(self.need[first[found[0]]]) if found.shape[0] else None


def build_map(levels: Floats, lots: Int64s | Floats, density: float, latent: float = 0.0) -> LiquidationMap:
    """Prepare a map for queries: levels rising [M], lots > 0 [M], density > 0, revealed slope ≥ 0."""
    before = np.concatenate([[0], np.cumsum(lots)]).astype(np.float64)
    moved = book_distance(before, density, latent)
    need = np.maximum(np.maximum.accumulate(levels - moved[:-1]), 0.0)
    return LiquidationMap(levels, before, moved, need, density, latent)


def crosses_one_at(
    levels: Floats,
    lots: Int64s | Floats,
    density: float,
    latent: float = 0.0,
    *,
    largest: float = RANGE,
    bandwidth: float = BANDWIDTH,
) -> float | None:
    """First log distance with n ≥ 1, in steps of a tenth of the bandwidth up to ``largest``, or None."""
    u = np.arange(0.0, largest, 0.1 * bandwidth)
    found = np.flatnonzero(branching_ratio(levels, lots, u, density, latent, bandwidth) >= 1.0)
    return float(u[found[0]]) if found.shape[0] else None


class MapSummary(NamedTuple):
    """One population's map in three figures; falls are shares of price, None where there is none."""

    n_start: float  # mean n over the first `START_OVER` of fall
    crosses_one_at: float | None  # first fall with n ≥ 1
    tipping_distance: float | None  # smallest shock that runs away


def summarise(levels: Floats, lots: Int64s | Floats, density: float, latent: float = 0.0) -> MapSummary:
    """The three figures of a map against a book, with the stated bandwidth, jump and range."""
    u = np.array([-np.log1p(-START_OVER)])
    n_start = float((forced_out(levels, lots, u) / book_absorbs(u, density, latent))[0])
    crosses = crosses_one_at(levels, lots, density, latent)
    tips = build_map(levels, lots, density, latent).tipping_distance()

    def share(distance: float | None) -> float | None:
        return None if distance is None else float(-np.expm1(-distance))

    return MapSummary(n_start, share(crosses), share(tips))
