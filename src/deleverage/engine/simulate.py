"""simulate: THE entry to the engine. One prepared market, one news path, one set of switches → one run."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from deleverage.engine.finder import build, build_stops
from deleverage.engine.setup import MarketWorld
from deleverage.engine.state import (
    MINUTE_S,
    Bars,
    Finder,
    Found,
    Live,
    Params,
    Setting,
    Tally,
    Venues,
    copied,
    new,
    new_bars,
)
from deleverage.engine.step import begin, run_steps, start
from deleverage.errors import InternalError, LedgerError, RunError, Status
from deleverage.units import MAX_LOTS, MAX_UUSD, Int64s


@dataclass(frozen=True)
class Prepared:
    """A world at its first second, sorted; every run copies what changes and shares the rest."""

    world: MarketWorld
    setting: Setting = field(repr=False)
    finder: Finder = field(repr=False)
    deposits: Int64s  # of every venue in its money, and of spot


@dataclass(frozen=True)
class Run:
    """What one run left: status, sums, minute bars, the path if asked for, the accounts at the end."""

    world: MarketWorld = field(repr=False)
    params: Params
    status: Status
    tally: Tally = field(repr=False)
    bars: Bars = field(repr=False)
    path: Int64s = field(repr=False)
    setting: Setting = field(repr=False)


def _new_live(world: MarketWorld) -> Live:
    live = new(Live)
    k = world.size.shape[1]
    live.spot_level[:] = 1.0
    live.asset_pool[: world.pledged.shape[1]] = -world.pledged.sum(axis=0)
    live.spot_lots[: world.spot_lots.shape[0], :k] = world.spot_lots
    live.pool_lots[:k] = -world.spot_lots.sum(axis=0)
    live.bid_share[:] = 1.0
    live.ask_share[:] = 1.0
    live.price_variance[:] = world.markets.sigma**2
    live.news_variance[:] = world.markets.sigma**2
    return live


def _setting(world: MarketWorld, params: Params) -> Setting:
    n, k = world.size.shape
    venues = copied(world.venues)
    rows = np.argsort(world.venue, kind="stable")
    edges = np.searchsorted(world.venue[rows], np.arange(int(venues.count) + 1))
    venues.row_first[: int(venues.count)], venues.row_end[: int(venues.count)] = edges[:-1], edges[1:]
    return Setting(
        markets=world.markets,
        venues=venues,
        assets=world.assets,
        params=params,
        tiers=world.tiers,
        parties=world.parties,
        live=_new_live(world),
        tally=new(Tally),
        uid=world.uid,
        role=world.role,
        venue=world.venue,
        rows=rows,
        wallet=world.wallet.copy(),
        size=world.size.copy(),
        cost=world.cost.copy(),
        pledged=world.pledged.copy(),
        pledgers=_pledgers(world),
        closed=np.zeros(n, dtype=np.bool_),
        in_round=np.zeros(n, dtype=np.bool_),
        ordered=np.full(n, -1, dtype=np.int64),
        waits=np.zeros(n, dtype=np.bool_),
        stop_list=np.empty(n, dtype=np.int64),
        bars=new_bars(max(1, -(-int(params.steps) // MINUTE_S)), k),
    )


def _pledgers(world: MarketWorld) -> Int64s:
    """Rows that pledge anything, in order of uid."""
    rows = np.flatnonzero((world.pledged != 0).any(axis=1))
    return rows[np.argsort(world.uid[rows], kind="stable")]


def _new_finder(n: int, k: int, assets: int, most: int) -> Finder:
    """``most`` : accounts of the largest venue."""
    return Finder(
        found=new(Found),
        single_rows=np.empty(n, dtype=np.int64),
        single_trigger=np.empty(n, dtype=np.int64),
        stop_rows=np.empty(n, dtype=np.int64),
        stop_trigger=np.empty(n, dtype=np.int64),
        many_rows=np.empty(n, dtype=np.int64),
        many_radius=np.empty(n),
        watched=np.zeros(n, dtype=np.bool_),
        watch=np.empty(n, dtype=np.int64),
        box=np.empty((n, 2, k), dtype=np.int64),
        asset_box=np.empty((n, assets), dtype=np.int64),
        adl_rows=np.empty((2 * k, most), dtype=np.int64),
        adl_score=np.empty((2 * k, most)),
        adl_heap=np.empty((2 * k, most), dtype=np.int64),
    )


HIGHEST_RISE = 50
"""Price ÷ start beyond which a run ends as out of range."""


def check_bounds(world: MarketWorld) -> None:
    """Refuse sizes and sums within which integers would not stay exact.

    Raises
    ------
    RunError
        a position above 3·10⁹ lots, sums of money above $4 trillion, or a stop over several markets.
    LedgerError
        the two sides of a market differ.
    InternalError
        the columns of the accounts differ in length.
    """
    n, k = world.size.shape
    for name, wanted in (
        ("uid", (n,)), ("role", (n,)), ("venue", (n,)), ("mode", (n,)), ("weight_ppm", (n,)),
        ("stop_ticks", (n,)), ("wallet", (n,)), ("cost", (n, k)), ("pledged", (n, int(world.assets.count))),
    ):  # fmt: skip
        found = getattr(world, name).shape
        if found != wanted:  # kernels do not look at bounds
            raise InternalError(f"expected '{name}' of shape {wanted}, found {found}")
    if np.abs(world.size).max(initial=0) > MAX_LOTS:
        raise RunError(
            f"a position is larger than {MAX_LOTS} lots", hint="choose a larger lot for the market"
        )
    # Money of different venues is never added up: it may be of different assets.
    money = np.abs(world.cost).astype(np.float64).sum(axis=1) + np.abs(world.wallet)
    gross = float(np.bincount(world.venue, weights=money).max(initial=0.0))
    if gross > MAX_UUSD:
        raise RunError(
            f"accounts of a venue hold {gross / 1e6:.3g} USD in sum; integers are exact up to "
            f"{MAX_UUSD / 1e6:.3g} USD"
        )
    start = np.rint(world.markets.start_fair_ticks * world.markets.basis)[: world.size.shape[1]]
    unit = start * world.markets.tick_lot_uusd[: world.size.shape[1]]
    coins = world.markets.inverse_unit[: world.size.shape[1]]
    unit = np.where(coins > 0, coins / np.maximum(start, 1.0), unit)
    worth = (np.abs(world.size).astype(np.float64) * unit).sum(axis=1)
    most = 2.0 * MAX_UUSD / HIGHEST_RISE
    if worth.max(initial=0.0) > most:
        raise RunError(
            f"positions of {worth.max() / 1e6:.3g} USD in one account; integers are exact up to "
            f"{HIGHEST_RISE} times the start's price, so {most / 1e6:.3g} USD is the most"
        )
    several = (world.size != 0).sum(axis=1) > 1
    if (several & (world.stop_ticks > 0)).any():
        raise RunError("an account in several markets has a stop; a stop has one trigger, in one market")
    if world.size.sum(axis=0).any():
        raise LedgerError(f"long and short sides differ: {world.size.sum(axis=0).tolist()} lots")


def prepare_world(world: MarketWorld) -> Prepared:
    """Bring a world to its first second and sort its accounts: once per population."""
    check_bounds(world)
    setting = _setting(world, world.params)
    rows, columns = world.size.shape
    finder = _new_finder(rows, columns, int(world.assets.count), int(np.bincount(world.venue).max(initial=1)))
    deposits = start(setting)
    for venue in range(int(world.venues.count)):
        build(setting, finder, venue)
    build_stops(setting, finder, world.stop_ticks)
    return Prepared(world, setting, finder, deposits)


def _sorts_again(params: Params, venues: Venues) -> bool:
    """True when a run may sort its accounts anew: at funding, or when a loss is shared out."""
    pays = any(
        interval - params.start_s % interval <= params.steps
        for interval in venues.funding_interval_s[: venues.count].tolist()
    )
    return pays or bool(params.socialise and params.adl)


def _copy_finder(finder: Finder, sorts_again: bool) -> Finder:
    """Copy what a run changes; the sorted lists are shared unless the run may sort anew."""
    n, _, k = finder.box.shape
    fresh = _new_finder(0, k, 0, finder.adl_rows.shape[1])._replace(
        found=copied(finder.found),
        watched=np.zeros(n, dtype=np.bool_),
        watch=np.empty(n, dtype=np.int64),
        box=np.empty_like(finder.box),
        asset_box=np.empty_like(finder.asset_box),
    )
    lists = ("single_rows", "single_trigger", "stop_rows", "stop_trigger", "many_rows", "many_radius")
    chosen = {name: getattr(finder, name) for name in lists}
    if sorts_again:
        chosen = {name: array.copy() for name, array in chosen.items()}
    return fresh._replace(**chosen)


def simulate(
    prepared: Prepared, fair_path: Int64s, params: Params, *, record_path: bool = False, throw: bool = True
) -> Run:
    """Run all steps.

    Parameters
    ----------
    prepared : a world at its first second; not changed.
    fair_path : int64 [steps, K], the news' fair value at the end of each second [ticks].
    params : switches and parameters; latencies and the window must be those of the world.
    record_path : keep the mid of every second, int64 [steps, K] in ticks.
    throw : raise on a failed status instead of returning it.

    Raises
    ------
    RunError
        a price left the range of integers, or rounds did not end.
    LedgerError, InternalError
        money or contracts were not conserved; the fast search and the sweep differ (``params.check``).
    """
    world = prepared.world
    start = prepared.setting
    setting = _setting(world, params)._replace(live=copied(start.live), tally=copied(start.tally))
    finder = _copy_finder(prepared.finder, _sorts_again(params, world.venues))
    path = np.zeros((int(params.steps) if record_path else 0, world.size.shape[1]), dtype=np.int64)
    deposits = prepared.deposits
    fair_path = np.ascontiguousarray(fair_path)  # another layout would compile everything once more
    status = Status(begin(setting, deposits))
    if status == Status.OK:
        status = Status(run_steps(setting, finder, fair_path, path, deposits, 1, int(params.steps)))
    if throw:
        raise_for(status, setting.tally)
    return Run(world, params, status, setting.tally, setting.bars, path, setting)


def raise_for(status: Status, tally: Tally) -> None:
    """Turn a failed status into its error."""
    if status == Status.NOT_CONSERVED:
        raise LedgerError(
            f"money or contracts were not conserved: residual {tally.residual_uusd} uusd, open "
            f"interest off by "
            f"{tally.interest_imbalance} lots, moved {tally.moved_uusd.tolist()} uusd by venue"
        )
    if status == Status.SWEEP_MISMATCH:
        raise InternalError("the sorted search and the sweep over all accounts found different accounts")
    if status == Status.OUT_OF_RANGE:
        raise RunError(
            "a price reached zero or fifty times its start (an inverse market's: a fiftieth of it)",
            hint="use a smaller shock or a deeper book",
        )
    if status == Status.MAX_ROUNDS:
        raise RunError("liquidations within one second did not come to an end")
