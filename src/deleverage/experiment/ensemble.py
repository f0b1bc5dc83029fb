"""One draw, run with every subset of mechanisms: what an ensemble is made of.

Subsets are walked from all mechanisms on downwards. A mechanism that was never consulted in the run with
S∪{i}
cannot matter there, so v(S) = v(S∪{i}) exactly and S is not run again: an exact dummy, draw by draw.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from deleverage.engine.setup import MarketWorld, switched
from deleverage.engine.simulate import Prepared, Run, prepare_world, simulate
from deleverage.engine.state import LIQUIDATE, NEVER_CLOSE, SELL_EVENLY, Bars, Params
from deleverage.experiment.answer import MECHANICAL, MECHANISMS
from deleverage.experiment.draws import Draw
from deleverage.experiment.flows import Flow, who_paid_whom
from deleverage.experiment.world import news_of, with_depth, world_of
from deleverage.positions import liqmap
from deleverage.positions.population import LotMoney
from deleverage.units import UUSD_PER_USD, Bools, Floats, Int64s

if TYPE_CHECKING:
    from deleverage.experiment.scenario import Scenario

ALL = (1 << len(MECHANISMS)) - 1
MECHANICAL_BITS = sum(1 << MECHANISMS.index(name) for name in MECHANICAL)
LIQUIDATIONS = 1 << MECHANISMS.index("liquidations")

RECOUNT_FACTUAL = 60
RECOUNT_OTHERS = 600
"""Steps between full recounts of the ledger.

Every run also recounts at its start and end, and asserts deltas always.
"""

FALLS = np.round(np.arange(0.0, 0.4001, 0.0025), 4)
"""Grid of the map: falls of the mark from the start [share]."""


@dataclass(frozen=True)
class Task:
    """One draw to compute; carries all that it needs to any worker."""

    scenario: Scenario
    draw: Draw
    seed: int
    accounts: int
    check: bool
    never_closed: bool
    placebo: bool
    depths: tuple[float, ...]
    shocks: tuple[float, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What is kept of a run."""

    drop: Floats  # [K]
    bars: Bars | None
    tally: dict[str, np.ndarray]


@dataclass(frozen=True)
class DrawMap:
    """Map against book of one draw, per market.

    On the grid of falls, and its three figures (None: none found).
    """

    liquidated_coins: Floats  # [K, G]
    book_coins: Floats
    n: Floats
    summaries: list[liqmap.MapSummary]


@dataclass(frozen=True)
class DrawResult:
    """Everything that one draw contributes to an answer."""

    draw: Draw
    values: Floats  # [S, K], S subsets
    simulated: Bools  # [S]
    never_closed: Floats | None  # [4, K], as by_shock
    placebo: Floats | None  # [S, K], S subsets
    by_depth: dict[float, Floats]
    by_shock: dict[float, Floats]  # [4, K]: v(N), v(N without the mechanical ones), v(mechanical), v(∅)
    factual: Outcome
    no_liquidations: Outcome
    news_only: Outcome
    owners_liquidated: int
    flows: list[Flow]
    map: DrawMap
    world: dict[str, Floats]
    fund_names: tuple[str, ...]
    checks: int
    runs: int


def switches(subset: int, off: int) -> dict[str, int]:
    """Switches of the engine for a subset of mechanisms; ``off`` is what liquidations off means."""
    on = {name: int(bool(subset >> i & 1)) for i, name in enumerate(MECHANISMS)}
    on["liquidations"] = LIQUIDATE if on["liquidations"] else off
    return on


def fired(run: Run) -> int:
    """Mechanisms that mattered in a run, as a bit mask."""
    t = run.tally
    flags = (
        t.fired_liquidations, t.fired_adl, t.fired_news, t.fired_cascade, t.fired_stops, t.fired_collateral,
        t.fired_outage,
    )  # fmt: skip
    return sum(1 << i for i, flag in enumerate(flags) if flag)


def drops(run: Run) -> Floats:
    """1 − trough ÷ start of every market."""
    k = len(run.world.names)
    start = run.tally.start_mid[:k]
    return (start - run.tally.trough[:k]) / start


def keep(run: Run, bars: bool) -> Outcome:
    """Copy what is kept of a run into plain arrays, which travel between processes."""
    tally = {name: np.array(run.tally[name]) for name in run.tally.dtype.names or ()}
    world = run.world
    for f in range(int(world.parties.fund_count)):
        k = int(world.venues.first[world.venue[world.parties.funds[f]]])
        if world.markets.inverse_unit[k]:
            # A fund of coins at the start's price throughout, so that its change is what it won and lost.
            coins = -(-int(world.markets.inverse_unit[k]) // int(run.tally.start_mid[k]))
            for name in ("fund_before", "fund_after"):
                tally[name][f] = round(int(tally[name][f]) * int(world.markets.contract_uusd[k]) / coins)
    return Outcome(drops(run), np.array(run.bars) if bars else None, tally)


class Subsets:
    """Values of all subsets of one prepared draw, each run at most once."""

    def __init__(
        self, prepared: Prepared, path: Int64s, params: Params, off: int, known: dict[int, Run] | None
    ) -> None:
        self.prepared, self.path, self.params, self.off = prepared, path, params, off
        self.runs: dict[int, Run] = dict(known or {})
        self.own: set[int] = set()

    def run(self, subset: int) -> Run:
        """The run of a subset, or of a larger one that is equal to it."""
        if subset not in self.runs:
            self.runs[subset] = self._equal_to(subset) or self._simulate(subset)
        return self.runs[subset]

    def _equal_to(self, subset: int) -> Run | None:
        """A run already made in which the mechanisms that it has more than ``subset`` never mattered."""
        for i in range(len(MECHANISMS)):
            larger = subset | 1 << i
            if larger != subset and larger in self.runs and not fired(self.runs[larger]) >> i & 1:
                return self.runs[larger]
        return None

    def _simulate(self, subset: int) -> Run:
        every = RECOUNT_FACTUAL if subset == ALL else RECOUNT_OTHERS
        params = switched(self.params, recount_every=every, **switches(subset, self.off))
        self.own.add(subset)
        return _lean(simulate(self.prepared, self.path, params), subset == ALL)

    def values(self) -> Floats:
        """v(S) of every subset and market, float64 [S, K]."""
        order = sorted(range(ALL + 1), key=lambda s: (-s.bit_count(), s))
        table = np.zeros((ALL + 1, len(self.prepared.world.names)))
        for subset in order:
            table[subset] = drops(self.run(subset))
        return table

    def together(self) -> Floats:
        """v(N), v(N without the mechanical ones), v(mechanical alone), v(∅), float64 [4, K].

        For the share of the mechanical ones as one player, at a tenth of the runs.
        """
        return np.array([drops(self.run(s)) for s in (ALL, ALL ^ MECHANICAL_BITS, MECHANICAL_BITS, 0)])


def _lean(run: Run, whole: bool) -> Run:
    """Forget the accounts at the end of a run, unless they are needed.

    Thousands of runs are kept for a moment.
    """
    if whole:
        return run
    empty = np.zeros(0, dtype=np.int64)
    setting = run.setting._replace(wallet=empty, size=empty, cost=empty, closed=empty.astype(bool))
    return replace(run, setting=setting._replace(in_round=empty.astype(bool), stop_list=empty))


def compute(task: Task) -> DrawResult:
    """Run one draw with every subset of mechanisms, and what else the task asks for."""
    scenario = task.scenario.at(task.draw.values)
    world = world_of(scenario, task.seed, task.draw.number, task.accounts)
    path = news_of(scenario, world, task.seed, task.draw.number)
    prepared = prepare_world(world)
    params = switched(world.params, check=int(task.check))
    main = Subsets(prepared, path, params, SELL_EVENLY, None)
    values = main.values()
    simulated = np.isin(np.arange(ALL + 1), list(main.own))
    factual = main.run(ALL)
    runs = len(main.own)

    never = None
    if task.never_closed:
        on = {s: run for s, run in main.runs.items() if s & LIQUIDATIONS}
        other = Subsets(prepared, path, params, NEVER_CLOSE, on)
        never = other.together()
        runs += len(other.own)
    placebo = None
    if task.placebo:
        calm = prepare_world(world_of(scenario, task.seed, task.draw.number, task.accounts, max_leverage=1.0))
        without = Subsets(calm, path, params, SELL_EVENLY, None)
        placebo = without.values()
        runs += len(without.own)
    by_depth = {}
    for depth in task.depths:
        if depth == 1.0:
            by_depth[depth] = values[ALL]
        else:
            other_depth = with_depth(prepared, depth)
            by_depth[depth] = drops(
                simulate(other_depth, path, switched(params, recount_every=RECOUNT_OTHERS))
            )
            runs += 1
    by_shock = {}
    for shock in task.shocks:
        shocked = news_of(scenario.at({"news.shock": shock}), world, task.seed, task.draw.number)
        game = Subsets(prepared, shocked, params, SELL_EVENLY, None)
        by_shock[shock] = game.together()
        runs += len(game.own)
    return DrawResult(
        draw=task.draw,
        values=values,
        simulated=simulated,
        never_closed=never,
        placebo=placebo,
        by_depth=by_depth,
        by_shock=by_shock,
        factual=keep(factual, True),
        no_liquidations=keep(main.run(ALL ^ LIQUIDATIONS), True),
        news_only=keep(main.run(0), True),
        owners_liquidated=_owners_liquidated(factual),
        flows=who_paid_whom(factual),
        map=_map_of(prepared),
        world=_figures(world),
        fund_names=world.fund_names,
        checks=sum(int(main.runs[s].tally.checks) for s in main.own),
        runs=runs,
    )


def _owners_liquidated(run: Run) -> int:
    closed = run.setting.closed if run.tally.fired_liquidations else np.zeros_like(run.setting.closed)
    return int(np.unique(run.world.owner[closed]).shape[0])


def _figures(world: MarketWorld) -> dict[str, Floats]:
    """Scales and depths of a draw's world that tables need, per market."""
    k = len(world.names)
    m = world.markets
    return {
        "tick_usd": world.tick_usd,
        "lot_coins": world.lot_coins,
        "contract_usd": m.contract_uusd[:k] / UUSD_PER_USD,
        "displayed_bid": m.displayed_bid[:k].copy(),
        "displayed_ask": m.displayed_ask[:k].copy(),
        "fund_of": m.fund_of[:k].astype(np.float64),
        "asset_lot_coins": world.asset_lot_coins,
    }


def _map_of(prepared: Prepared) -> DrawMap:
    """Map of the longs at the start against the consolidated book.

    The perpetual's, with hidden coins, and spot's.
    """
    world, k = prepared.world, len(prepared.world.names)
    rows = world.role == 0
    mark = prepared.setting.live.mark[:k].copy()
    coins = world.markets.inverse_unit[:k].copy()
    unit = LotMoney(world.markets.tick_lot_uusd[:k].copy(), coins)
    # Lots of the perpetual in one lot of its spot: 1 of a linear one.
    lot = np.abs(unit.at(mark))
    lots_of_spot = np.where(coins > 0, world.markets.coin_unit[:k], lot) / lot
    beta = world.markets.beta[:k].copy()
    grids: list[tuple[Floats, Floats, Floats]] = []
    summaries: list[liqmap.MapSummary] = []
    # Collateral counts at its price of the start: the map moves marks, not collateral.
    count = int(world.assets.count)
    num, den = world.assets.haircut_num[:count], world.assets.haircut_den[:count]
    backing = (world.pledged * world.assets.start_uusd[:count] * (den - num) // den).sum(axis=1)
    wallet, size, cost = (world.wallet + backing)[rows], world.size[rows], world.cost[rows]
    for market in range(k):
        levels, lots = liqmap.liquidation_levels(
            wallet, size, cost, mark, unit.tick_lot_uusd, world.tiers, beta, market, coins
        )
        spot = world.markets.spot_bid_density[market] * lots_of_spot[market]
        density = float(world.markets.bid_density[market] + spot)
        grids.append(liqmap.map_on_grid(levels, lots, FALLS, density))
        summaries.append(liqmap.summarise(levels, lots, density))
    scale = world.lot_coins[:, None]
    return DrawMap(
        liquidated_coins=np.array([g[0] for g in grids]) * scale,
        book_coins=np.array([g[1] for g in grids]) * scale,
        n=np.array([g[2] for g in grids]),
        summaries=summaries,
    )
