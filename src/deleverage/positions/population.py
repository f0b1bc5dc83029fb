"""Who holds what before the night: accounts drawn so that the market's observed totals hold exactly.

The prior speaks of what matters, and is not observed: the share of long open interest that a fall of 13 %
would liquidate ("fuel"). Distances to liquidation are Weibull,

    P(D ≤ d) = 1 − exp(−(d/s)^shape),   s so that P(D ≤ 13 %) = fuel,

weighted by open interest; wallets follow from the distance (the smallest wallet whose account survives down
to it), leverage
from the wallet, never the other way round. Sizes are Pareto. Both sides of every contract are there:
Σ size = 0 and the long side equals the stated open interest, to the lot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from deleverage.errors import InputError
from deleverage.jit import kernel
from deleverage.units import MAX_LOTS, Floats, Int64s
from deleverage.venues.margin import Tiers, lot_money, maintenance_margin

FUEL_AT = 0.13
"""Fall (or rise, for shorts) at which the fuel is stated [share]."""

ISOLATED, CROSS = 0, 1


@dataclass(frozen=True)
class PopulationPrior:
    """What the population is drawn from; shares are of 1.

    Parameters
    ----------
    accounts : number of holders.
    fuel, short_fuel : share of long (short) open interest liquidated by a fall (rise) of 13 %.
    fuel_shape : Weibull shape of the liquidation distance.
    isolated_share : of accounts in one market, those with isolated margin.
    multi_market_share : accounts with positions in several markets under one cross margin.
    mixed_side_share : of these, those whose other markets may be on the other side.
    size_tail : Pareto exponent of sizes.
    largest_share : largest position ÷ open interest.
    entry_offset, entry_sd : mean and spread of entry price ÷ mark − 1.
    stop_share, stop_distance : accounts in one market with a voluntary stop, and its median distance
        [share of price] where beta is 1; it grows with beta.
    max_leverage : cap on notional ÷ wallet; 1 makes the placebo without leverage. 0 means none.
    """

    accounts: int
    fuel: float
    short_fuel: float
    fuel_shape: float
    isolated_share: float
    multi_market_share: float
    mixed_side_share: float
    size_tail: float
    largest_share: float
    entry_offset: float
    entry_sd: float
    stop_share: float
    stop_distance: float
    max_leverage: float = 0.0


class LotMoney(NamedTuple):
    """What money one lot of each market is worth: `venues.margin.lot_money` of whole arrays."""

    tick_lot_uusd: Int64s  # [K]
    inverse_unit: Int64s  # [K] 0: linear

    def at(self, ticks: Int64s) -> Int64s:
        """Money of one lot long at prices [ticks], int64 [..., K]."""
        coins = -self.inverse_unit // np.maximum(ticks, 1)
        money: Int64s = np.where(self.inverse_unit > 0, coins, ticks * self.tick_lot_uusd)
        return money


class Holders(NamedTuple):
    """Accounts as drawn, in order of uid."""

    owner: Int64s  # [N]
    mode: Int64s  # [N] ISOLATED or CROSS
    wallet: Int64s  # [N] uusd
    size: Int64s  # [N, K] lots
    cost: Int64s  # [N, K] uusd
    stop_ticks: Int64s  # [N] 0 = none


def liquidation_distance(uniform: Floats, fuel: float, shape: float) -> Floats:
    """Weibull distances [share of price] whose distribution has P(D ≤ 13 %) = fuel.

    Fuel 0 gives no fuel at all.
    """
    if fuel <= 0.0:
        return np.full(uniform.shape, 0.95)
    scale = FUEL_AT / (-np.log1p(-fuel)) ** (1.0 / shape)
    distance: Floats = np.clip(scale * (-np.log1p(-uniform)) ** (1.0 / shape), 0.002, 0.95)
    return distance


def apportion(weight: Floats, lots: int, largest: int) -> Int64s:
    """Split ``lots`` in proportion to weights, at least 1 and at most ``largest`` each, to the lot.

    Raises
    ------
    InputError
        there are fewer lots than accounts, or the cap leaves no room for all of them.
    """
    count = weight.shape[0]
    if lots < count or largest * count < lots:
        raise InputError(
            f"expected between {count} and {largest * count} lots for {count} accounts of at most "
            f"{largest} lots each, "
            f"found {lots}",
            hint="use fewer accounts, or a larger population.largest_share",
        )
    share = np.ones(count, dtype=np.int64)
    free = np.ones(count, dtype=bool)
    left = lots - count
    # A few passes: what the cap cuts off is offered to the others again.
    while left > 0:
        total = weight[free].sum()
        part = np.floor(weight * free * (left / total)).astype(np.int64)
        if part.sum() == 0:
            rank = np.argsort(-(weight * (share < largest)), kind="stable")[: min(left, count)]
            rank = rank[share[rank] < largest]
            share[rank] += 1
            left -= rank.shape[0]
        else:
            room = np.minimum(part, largest - share)
            share += room
            left -= int(room.sum())
        free = share < largest
    return share


@kernel
def least_wallets(
    size: Int64s,
    cost: Int64s,
    worst: Int64s,
    tick_lot_uusd: Int64s,
    inverse_unit: Int64s,
    tiers: Tiers,
    wallet: Int64s,
) -> None:
    """Smallest wallet [uusd] with health ≥ 0 when every mark stands at ``worst`` [ticks, N × K].

    Written to ``wallet``.
    """
    for row in range(size.shape[0]):
        owed = 0
        for k in range(size.shape[1]):
            if size[row, k] != 0:
                value = size[row, k] * lot_money(worst[row, k], tick_lot_uusd[k], inverse_unit[k])
                owed += cost[row, k] - value + maintenance_margin(abs(value), k, tiers)
        wallet[row] = owed


def draw_holders(
    prior: PopulationPrior,
    long_lots: Int64s,
    short_lots: Int64s,
    mark_ticks: Int64s,
    unit: LotMoney,
    beta: Floats,
    tiers: Tiers,
    rng: np.random.Generator,
) -> Holders:
    """Draw the accounts that hold ``long_lots`` and ``short_lots`` [lots, K] of each market in total.

    Returns
    -------
    Holders with Σ of positive sizes = long_lots and of negative sizes = −short_lots, exactly.
    """
    n, markets = prior.accounts, mark_ticks.shape[0]
    # Every account's draws, in one block: what one account draws does not depend on another.
    u = rng.random((n, 8 + 3 * markets))
    z = rng.standard_normal((n, 1 + markets))
    worth = np.abs(long_lots * unit.at(mark_ticks)).astype(np.float64)
    home_share = np.sqrt(worth) / np.sqrt(worth).sum()
    home = np.minimum(np.searchsorted(np.cumsum(home_share), u[:, 0]), markets - 1)
    side = np.where(u[:, 1] < 0.5, 1, -1)
    # The first accounts make sure that every market has somebody on both sides.
    first = min(n, 4 * markets)
    home[:first] = np.arange(first) % markets
    side[:first] = np.where((np.arange(first) // markets) % 2 == 0, 1, -1)
    multi = u[:, 2] < prior.multi_market_share
    multi[:first] = False
    if markets == 1:
        multi[:] = False
    isolated = (u[:, 3] < prior.isolated_share) & ~multi
    mixed = multi & (u[:, 4] < prior.mixed_side_share)

    held = np.zeros((n, markets), dtype=np.int64)
    rows = np.arange(n)
    held[rows, home] = side
    for k in range(markets):
        joins = multi & (home != k) & (u[:, 8 + k] < 0.5)
        other = np.where(mixed & (u[:, 8 + markets + k] < 0.5), -side, side)
        held[joins, k] = other[joins]
    alone = multi & (np.abs(held).sum(axis=1) == 1)
    partner = (home + 1) % markets
    held[rows[alone], partner[alone]] = np.where(
        mixed[alone] & (u[alone, 8 + markets] < 0.5), -side[alone], side[alone]
    )

    weight = (1.0 - u[:, 5]) ** (-1.0 / prior.size_tail)
    size = np.zeros((n, markets), dtype=np.int64)
    for k in range(markets):
        for sign, lots in ((1, int(long_lots[k])), (-1, int(short_lots[k]))):
            chosen = rows[held[:, k] == sign]
            if lots == 0:
                continue
            largest = min(MAX_LOTS, max(int(prior.largest_share * lots), -(-lots // max(len(chosen), 1)) + 1))
            size[chosen, k] = sign * apportion(weight[chosen], lots, largest)

    fuel = np.where(side > 0, prior.fuel, prior.short_fuel)
    distance = np.where(
        side > 0,
        liquidation_distance(u[:, 6], prior.fuel, prior.fuel_shape),
        liquidation_distance(u[:, 6], prior.short_fuel, prior.fuel_shape),
    )
    distance = np.where(fuel > 0, distance, 0.95)
    scale = np.where(multi[:, None], beta[None, :], 1.0)
    reach = np.clip(distance[:, None] * scale, 0.002, 0.95)
    signs = np.sign(size)
    worst = np.rint(mark_ticks[None, :] * (1.0 - signs * reach)).astype(np.int64)
    entry = mark_ticks[None, :] * (1.0 + prior.entry_offset + prior.entry_sd * z[:, 1:])
    # An entry beyond the liquidation price would need a wallet below zero.
    entry = np.where(signs >= 0, np.maximum(entry, worst), np.minimum(entry, worst))
    entry = np.maximum(entry, 1.0)
    cost = size * unit.at(np.rint(entry).astype(np.int64))
    wallet = np.zeros(n, dtype=np.int64)
    least_wallets(size, cost, worst, unit.tick_lot_uusd, unit.inverse_unit, tiers, wallet)
    if prior.max_leverage > 0.0:
        notional = np.abs(size * unit.at(mark_ticks)).sum(axis=1)
        # Leverage is notional ÷ equity: enter at mark, so that the wallet is the equity.
        cost = size * unit.at(mark_ticks)
        wallet = np.maximum(wallet, np.ceil(notional / prior.max_leverage).astype(np.int64))

    stop = np.zeros(n, dtype=np.int64)
    # Distances follow the market's own moves: a stop that is far in one is near in a wilder one.
    far = prior.stop_distance * beta[home] * np.exp(0.6 * z[:, 0])
    stops = (u[:, 7] < prior.stop_share) & ~multi & (far < distance) & (far < 0.9)
    level = np.rint(mark_ticks[home] * (1.0 - side * far)).astype(np.int64)
    stop[stops] = level[stops]

    # Some owners hold two isolated positions: the second takes the owner of the one before.
    owner = rows.copy()
    second = isolated[1:] & isolated[:-1] & (u[1:, 8 + 2 * markets] < 0.1) & (home[1:] != home[:-1])
    owner[1:][second] = owner[:-1][second]
    mode = np.where(isolated, ISOLATED, CROSS).astype(np.int64)
    return Holders(owner, mode, wallet, size, cost, stop)
