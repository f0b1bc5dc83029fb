"""Who paid whom over a run: gains and losses of every party, matched.

Each party's gain is its equity at the end less its equity at the start, at the marks, spot included. The sums
are
exact and add up to zero. Which loser paid which winner is not defined by a market, only the totals are:
losses are
spread over the winners in proportion to what they won.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deleverage.engine.simulate import Run
from deleverage.engine.state import HOLDER, ROLE_NAMES
from deleverage.positions.population import LotMoney
from deleverage.units import UUSD_PER_USD, Int64s


class Flow(NamedTuple):
    """A payment between two parties [USD, ≥ 0]."""

    payer: str
    receiver: str
    usd: float


def party_names(run: Run) -> list[str]:
    """Party of every account: its role, and for holders what became of them."""
    world, setting = run.world, run.setting
    net = np.sign(world.size).sum(axis=1)
    long = net >= 0
    names = np.array(ROLE_NAMES, dtype=object)[world.role]
    holder = world.role == HOLDER
    flat = ~setting.size.any(axis=1)
    names[holder & long] = "other longs"
    names[holder & ~long] = "other shorts"
    names[holder & flat & (world.stop_ticks > 0) & ~setting.closed] = "stopped out"
    names[holder & setting.closed & long] = "liquidated longs"
    names[holder & setting.closed & ~long] = "liquidated shorts"
    return [str(name) for name in names]


def gains(run: Run) -> dict[str, int]:
    """Gain of every party over the run [uusd]; they sum to 0.

    Where a coin is the money, what is gained is coins, at the last mark: that all coins are worth less is no
    payment.
    """
    world, setting = run.world, run.setting
    k = len(world.names)
    unit = world.markets.tick_lot_uusd[:k]
    lot = LotMoney(unit, world.markets.inverse_unit[:k])
    start: Int64s = world.wallet + (world.size * lot.at(run.tally.start_mid[:k]) - world.cost).sum(axis=1)
    end: Int64s = setting.wallet + (setting.size * lot.at(setting.live.mark[:k]) - setting.cost).sum(axis=1)
    change = end - start
    live = setting.live
    for v in range(int(world.venues.count)):
        market = int(world.venues.first[v])
        contract = int(world.markets.contract_uusd[market])
        if contract:
            rows = np.flatnonzero(world.venue == v)
            coins = -int(lot.at(live.mark[:k])[market])
            in_usd = np.array([int(money) * contract // coins for money in change[rows]], dtype=np.int64)
            in_usd[np.argmax(np.abs(in_usd))] -= in_usd.sum()  # what the rounding leaves
            change[rows] = in_usd
    # Collateral at the price that margin sees, without haircut; those outside are on the other side.
    count = int(world.assets.count)
    price = live.asset_price[:count]
    before = world.assets.start_uusd[:count]
    change += setting.pledged @ price - world.pledged @ before
    pool_before = -world.pledged.sum(axis=0)
    outside = int((live.asset_cash[:count] + live.asset_pool[:count] * price - pool_before * before).sum())
    # The spot leg: what the arbitrageurs hold beside the perpetual, and the spot market on its other side.
    spot_start = world.markets.start_fair_ticks[:k] * unit
    spot_end = live.index[:k] * unit
    totals: dict[str, int] = {}
    spot = 0
    for a in range(world.spot_lots.shape[0]):
        gain = int(
            live.spot_cash[a] + (live.spot_lots[a, :k] * spot_end - world.spot_lots[a] * spot_start).sum()
        )
        change[world.parties.arbitrageurs[a]] += gain
        spot -= gain
    for name, value in zip(party_names(run), change.tolist(), strict=True):
        totals[name] = totals.get(name, 0) + value
    totals["spot market"] = spot
    if count:
        totals["holders of collateral outside"] = outside
    return totals


def who_paid_whom(run: Run) -> list[Flow]:
    """Losses spread over winners in proportion to their gains; flows below one dollar are left out."""
    totals = gains(run)
    won = {name: value for name, value in totals.items() if value > 0}
    all_won = sum(won.values())
    flows = []
    for payer, value in sorted(totals.items()):
        if value >= 0:
            continue
        for receiver, gain in sorted(won.items()):
            usd = -value * (gain / all_won) / UUSD_PER_USD
            if usd >= 1.0:
                flows.append(Flow(payer, receiver, usd))
    return flows
