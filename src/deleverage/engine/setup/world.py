"""A market with its accounts at the first second, and the same with other rows or switches."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from deleverage.engine.setup.collateral import build_assets, pledge
from deleverage.engine.setup.markets import (
    Money,
    build_markets,
    fill_market,
    join_venues,
    order_funds,
    settle,
)
from deleverage.engine.setup.parties import find_parties
from deleverage.engine.setup.specs import (
    AssetSpec,
    BookSpec,
    FundSpec,
    MarketSpec,
    PartiesSpec,
    RulesSpec,
    VenueSpec,
)
from deleverage.engine.setup.venues import build_params, build_venues
from deleverage.engine.state import (
    ARBITRAGEUR,
    DIP_BUYER,
    EXIT_LONG,
    EXIT_SHORT,
    FUND,
    MAKER,
    NEWCOMER,
    PROFIT_TAKER,
    Assets,
    Markets,
    Params,
    Parties,
    Venues,
    copied,
)
from deleverage.errors import InputError
from deleverage.positions.population import CROSS, LotMoney, PopulationPrior, draw_holders
from deleverage.units import PPM, Floats, Int64s, to_int
from deleverage.venues.margin import Tiers, slice_tiers, tiers_record
from deleverage.venues.rules import Mark, MarkRule


@dataclass(frozen=True)
class MarketWorld:
    """Everything that a run starts from, in the units of kernels; seeds differ in accounts and news.

    Arrays are [N] or [N, K]; rows may stand in any order, ``uid`` names the accounts.
    """

    names: tuple[str, ...]
    venue_names: tuple[str, ...]
    fund_names: tuple[str, ...]
    asset_names: tuple[str, ...]
    tick_usd: Floats
    lot_coins: Floats  # of an inverse market at the start's price
    asset_lot_coins: Floats
    markets: Markets
    venues: Venues
    assets: Assets
    params: Params
    tiers: Tiers
    parties: Parties
    uid: Int64s = field(repr=False)
    owner: Int64s = field(repr=False)  # several isolated positions may belong to one owner
    role: Int64s = field(repr=False)
    venue: Int64s = field(repr=False)
    mode: Int64s = field(repr=False)
    weight_ppm: Int64s = field(repr=False)  # share of passive fills
    stop_ticks: Int64s = field(repr=False)
    wallet: Int64s = field(repr=False)
    size: Int64s = field(repr=False)
    cost: Int64s = field(repr=False)
    pledged: Int64s = field(repr=False)  # [N, A] lots of collateral
    spot_lots: Int64s = field(repr=False)  # [arbitrageurs, K]


def _named_groups(parties: PartiesSpec) -> list[tuple[int, int, float, float]]:
    """(role, how many, capital of each [USD], share of passive fills of all) of the named accounts."""
    return [
        (MAKER, parties.makers, parties.maker_capital_usd, parties.maker_fill_share),
        (ARBITRAGEUR, parties.arbitrageurs, parties.arbitrage_capital_usd, parties.arbitrage_fill_share),
        (PROFIT_TAKER, parties.profit_takers, parties.profit_capital_usd, parties.profit_fill_share),
        (DIP_BUYER, parties.dip_buyers, parties.dip_capital_usd, 0.0),
        (NEWCOMER, 1, parties.newcomer_capital_usd, 0.0),
    ]


@dataclass(frozen=True)
class Contracts:
    """Everything of a market that is no account: its parameters in the units of kernels."""

    several: list[VenueSpec]
    markets: Markets
    funds: list[FundSpec]
    moneys: list[Money]
    venues: Venues
    tiers: Tiers
    params: Params
    assets: Assets


def build_contracts(
    specs: list[MarketSpec],
    book: BookSpec,
    parties: PartiesSpec,
    funds: list[FundSpec],
    rules: RulesSpec,
    population: PopulationPrior,
    *,
    steps: int,
    start_s: int,
    venues: list[VenueSpec] | None = None,
    collateral: list[AssetSpec] | None = None,
    draw: int = 0,
) -> Contracts:
    """Markets, venues, tiers and collateral, as `build_world` takes them; nobody is drawn.

    Raises
    ------
    InputError
        figures that no market can have, or that do not go together.
    """
    several = venues or [
        VenueSpec(
            specs[0].venue or "venue", parties, population, rules.waterfall,
            Mark(MarkRule.MEDIAN, rules.mark_window_s), rules.funding_interval_h, rules.interest,
            rules.funding_clamp, liquidation_fee=rules.liquidation_fee,
            exchange_limit_usd=rules.exchange_limit_usd,
        )
    ]  # fmt: skip
    markets = build_markets(specs, book, parties, funds)
    fund_names = [fund.name for fund in funds]
    if len(several) > 1:
        by_name = {venue.name: venue for venue in several}
        for k, spec in enumerate(specs):
            if spec.venue not in by_name:
                raise InputError(
                    f"market {spec.name}: expected a venue among {sorted(by_name)}, found '{spec.venue}'"
                )
            fund = funds[fund_names.index(spec.fund)]
            fill_market(markets, k, spec, book, by_name[spec.venue].parties, fund)
    join_venues(markets, specs, several)
    ordered = order_funds(markets, funds)
    moneys = settle(markets, specs, len(several))
    return Contracts(
        several=several,
        markets=markets,
        funds=ordered,
        moneys=moneys,
        venues=build_venues(several, markets, moneys),
        tiers=tiers_record(
            [spec.tiers for spec in specs], [moneys[v].units for v in markets.venue_of[: len(specs)]]
        ),
        params=build_params(book, parties, rules, steps=steps, start_s=start_s, draw=draw),
        assets=build_assets(collateral or [], specs, [venue.name for venue in several]),
    )


def build_world(
    specs: list[MarketSpec],
    book: BookSpec,
    parties: PartiesSpec,
    funds: list[FundSpec],
    rules: RulesSpec,
    population: PopulationPrior,
    *,
    steps: int,
    start_s: int,
    rng: np.random.Generator,
    venues: list[VenueSpec] | None = None,
    collateral: list[AssetSpec] | None = None,
    collateral_rng: np.random.Generator | None = None,
    draw: int = 0,
) -> MarketWorld:
    """Markets with their accounts: holders drawn from the prior, then named accounts, funds and vehicles.

    Arbitrageurs start short the perpetual and long spot, profit takers start short; the holders' shorts are
    the rest, so that every contract has two sides.

    Parameters
    ----------
    parties, population : of the only venue; with ``venues`` each has its own, and ``parties`` gives what all
        share (thresholds, latencies, leverage of dip buyers, share of depth of makers).
    venues : several venues in the order of ``specs``, which stand venue by venue.
    collateral, collateral_rng : assets that holders pledge besides the settlement asset, and the stream that
        says who does.
    draw : number of the draw, where a venue draws lots.
    """
    c = build_contracts(
        specs, book, parties, funds, rules, population, steps=steps, start_s=start_s, venues=venues,
        collateral=collateral, draw=draw,
    )  # fmt: skip
    markets = c.markets
    k_count = len(specs)
    blocks = [
        _venue_block(v, spec, specs, markets, c.tiers, c.venues, c.funds, c.moneys[v], rng)
        for v, spec in enumerate(c.several)
    ]
    columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    offsets = np.cumsum([0] + [block["role"].shape[0] for block in blocks])
    owner = np.concatenate([block["owner"] + offset for block, offset in zip(blocks, offsets, strict=False)])
    spot_lots = columns["spot_lots"][columns["role"] == ARBITRAGEUR]
    del columns["owner"], columns["spot_lots"]
    pledges = collateral or []
    pledged = pledge(pledges, c.assets, columns, collateral_rng or rng)
    n = columns["role"].shape[0]
    return MarketWorld(
        names=tuple(s.name for s in specs),
        venue_names=tuple(s.name for s in c.several),
        fund_names=tuple(f.name for f in c.funds),
        asset_names=tuple(a.name for a in pledges),
        tick_usd=_floats([float(s.tick_usd) for s in specs]),
        lot_coins=_floats([float(s.coins_per_lot) for s in specs]),
        asset_lot_coins=_floats([float(a.lot_coins) for a in pledges]),
        markets=markets,
        venues=c.venues,
        assets=c.assets,
        params=c.params,
        tiers=c.tiers,
        parties=find_parties(np.arange(n), columns["role"], columns["weight_ppm"], columns["venue"]),
        uid=np.arange(n),
        owner=owner,
        pledged=pledged,
        spot_lots=spot_lots.reshape(-1, k_count),
        **columns,
    )


def _venue_block(
    v: int,
    venue: VenueSpec,
    specs: list[MarketSpec],
    markets: Markets,
    tiers: Tiers,
    rules_of: Venues,
    funds: list[FundSpec],
    money: Money,
    rng: np.random.Generator,
) -> dict[str, Int64s]:
    """The accounts of one venue, column by column; ``size``, ``cost`` and ``spot_lots`` over all markets."""
    first, end, k_count = int(rules_of.first[v]), int(rules_of.end[v]), len(specs)
    here = slice(first, end)
    own = specs[here]
    parties, population = venue.parties, venue.population
    unit = LotMoney(markets.tick_lot_uusd[here].copy(), markets.inverse_unit[here].copy())
    mark = np.rint(markets.start_fair_ticks[here] * markets.basis[here]).astype(np.int64)
    oi = _ints([to_int(s.open_interest_coins, s.coins_per_lot, "open interest") for s in own])
    arb_each = _shares(oi, parties.arbitrage_short_share, parties.arbitrageurs)
    take_each = _shares(oi, parties.profit_short_share, parties.profit_takers)
    short = oi - arb_each * parties.arbitrageurs - take_each * parties.profit_takers
    beta = markets.beta[here].copy()
    holders = draw_holders(population, oi, short, mark, unit, beta, slice_tiers(tiers, first, end), rng)
    groups = _named_groups(parties)
    elsewhere = {int(f) for k, f in enumerate(markets.fund_of[:k_count]) if not first <= k < end}
    used = {int(f) for f in markets.fund_of[here]}
    # A fund behind no market stands at the first venue.
    behind = [f for f in range(len(funds)) if f in used or (v == 0 and f not in elsewhere)]
    n_holders = population.accounts
    n = n_holders + sum(count for _, count, _, _ in groups) + len(behind) + 2
    role, weight, wallet, stop = (np.zeros(n, dtype=np.int64) for _ in range(4))
    mode = np.full(n, CROSS, dtype=np.int64)
    size, cost, spot = (np.zeros((n, k_count), dtype=np.int64) for _ in range(3))
    wallet[:n_holders] = holders.wallet
    size[:n_holders, here], cost[:n_holders, here] = holders.size, holders.cost
    stop[:n_holders], mode[:n_holders] = holders.stop_ticks, holders.mode
    row = n_holders
    for kind, count, capital, fill in groups:
        for _ in range(count):
            role[row] = kind
            wallet[row] = money.of(capital)
            weight[row] = int(fill / count * PPM)
            if kind in (ARBITRAGEUR, PROFIT_TAKER):
                size[row, here] = -(arb_each if kind == ARBITRAGEUR else take_each)
                cost[row, here] = size[row, here] * unit.at(mark)
            if kind == ARBITRAGEUR and money.price_usd == 0.0:
                spot[row, here] = arb_each
            elif kind == ARBITRAGEUR:
                wallet[row] = cost[row, here].sum()  # as many coins as the short owes, so it needs no spot
            row += 1
    for f in behind:
        role[row] = FUND
        wallet[row] = money.of(funds[f].usd)
        row += 1
    role[row], role[row + 1] = EXIT_LONG, EXIT_SHORT
    return {
        "role": role, "venue": np.full(n, v, dtype=np.int64), "mode": mode, "weight_ppm": weight,
        "stop_ticks": stop, "wallet": wallet, "size": size, "cost": cost, "spot_lots": spot,
        "owner": np.concatenate([holders.owner, np.arange(n_holders, n)]),
    }  # fmt: skip


def _shares(lots: Int64s, share: float, count: int) -> Int64s:
    """Lots of each of ``count`` accounts that together hold ``share`` of a market."""
    return np.floor(lots * share).astype(np.int64) // count if count else np.zeros_like(lots)


def _ints(values: list[int]) -> Int64s:
    return np.array(values, dtype=np.int64)


def _floats(values: list[float]) -> Floats:
    return np.array(values, dtype=np.float64)


def permuted(world: MarketWorld, order: Int64s) -> MarketWorld:
    """The same market with its account rows in another order; uids stay with their accounts."""
    moved = {
        name: getattr(world, name)[order].copy()
        for name in (
            "uid", "owner", "role", "venue", "mode", "weight_ppm", "stop_ticks", "wallet", "size", "cost",
            "pledged",
        )
    }  # fmt: skip
    parties = find_parties(moved["uid"], moved["role"], moved["weight_ppm"], moved["venue"])
    return replace(world, **moved, parties=parties)


def switched(params: Params, **switches: float) -> Params:
    """A copy of the parameters with other values, usually other switches."""
    changed = copied(params)
    for name, value in switches.items():
        if name not in (changed.dtype.names or ()):
            raise InputError(f"expected a parameter of the engine, found '{name}'")
        changed[name] = value
    return changed
