"""From figures that people know (USD, coins, shares, seconds) to the arrays that kernels take."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from deleverage.engine.state import (
    ARBITRAGEUR,
    ARBITRAGEURS_MAX,
    DIP_BUYER,
    EXIT_LONG,
    EXIT_SHORT,
    FUND,
    FUNDS_MAX,
    LATENCY_MAX,
    MAKER,
    NEWCOMER,
    PARTIES_MAX,
    PROFIT_TAKER,
    WINDOW_MAX,
    Markets,
    Params,
    Parties,
    copied,
    new,
)
from deleverage.errors import InputError
from deleverage.positions.population import CROSS, PopulationPrior, draw_holders
from deleverage.units import PPB, PPM, Floats, Int64s, tick_lot_uusd, to_int, uusd
from deleverage.venues.margin import Tiers, tiers_record
from deleverage.venues.rules import TierTable

SECONDS_PER_YEAR = 31_557_600
_DAY_S = 86_400


@dataclass(frozen=True)
class MarketSpec:
    """One perpetual and its spot market as they stood at the start.

    Parameters
    ----------
    tick_usd, lot_coins : smallest price step [USD/coin] and size step [coins], exact.
    start_price, start_index : perpetual and index [USD/coin].
    open_interest_coins : one side counted [coins].
    depth_bid_coins, depth_ask_coins : displayed within ±``depth_range`` of mid [coins].
    spot_bid_coins, spot_ask_coins : the same of the spot venue, within ±``spot_range``.
    volatility_annual : before the night [share per √year].
    volume_24h_coins : sets the latent depth through the square-root law [coins].
    news_beta : fall of this market's news per unit of shock.
    last_funding_rate : last settled rate [share per interval].
    fund : name of the insurance fund behind it.
    """

    name: str
    tick_usd: Fraction
    lot_coins: Fraction
    start_price: float
    start_index: float
    open_interest_coins: float
    depth_bid_coins: float
    depth_ask_coins: float
    depth_range: float
    half_spread_bps: float
    spot_bid_coins: float
    spot_ask_coins: float
    spot_range: float
    volatility_annual: float
    volume_24h_coins: float
    news_beta: float
    last_funding_rate: float
    fund: str
    tiers: TierTable


@dataclass(frozen=True)
class BookSpec:
    """How books take and give back quantity. See `engine/book.py` and `engine/makers.py`."""

    hidden_depth: float = 1.7
    latent_y: float = 1.0
    latent_reveal_s: float = 900.0
    latent_reference: float = 0.01
    resilience_half_life_s: float = 200.0
    spot_breadth: float = 5.0
    spot_resilience_half_life_s: float = 600.0
    volatility_elasticity: float = 0.15
    inventory_elasticity: float = 1.0
    down_s: float = 10.0
    up_s: float = 600.0
    volatility_half_life_s: float = 30.0
    floor: float = 0.02


@dataclass(frozen=True)
class PartiesSpec:
    """Named accounts and what they may do; shares of passive fills are of 1, newcomers take the rest."""

    makers: int = 3
    maker_depth_share: float = 0.6
    maker_capital_usd: float = 3e8
    maker_fill_share: float = 0.45
    maker_limit_usd: float = 4e8
    arbitrageurs: int = 2
    arbitrage_capital_usd: float = 1e9
    arbitrage_fill_share: float = 0.2
    arbitrage_short_share: float = 0.1
    arbitrage_latency_s: int = 3
    arbitrage_capacity_usd_per_s: float = 1e6
    arbitrage_threshold_bps: float = 5.0
    hedge_latency_s: int = 2
    profit_takers: int = 2
    profit_short_share: float = 0.1
    profit_fill_share: float = 0.15
    profit_capital_usd: float = 1e9
    dip_buyers: int = 2
    dip_capital_usd: float = 5e8
    dip_threshold: float = 0.01
    dip_rate_usd_per_s: float = 2e5
    dip_leverage: int = 2
    newcomer_capital_usd: float = 5e9


@dataclass(frozen=True)
class FundSpec:
    """An insurance fund: balance [USD], and how it carries what it takes over."""

    name: str
    usd: float
    inventory_multiple: float = 1.0
    unwind_half_life_s: float = 600.0


@dataclass(frozen=True)
class RulesSpec:
    """Rules of the venue that the run needs beyond the tiers."""

    mark_window_s: int = 30
    funding_interval_h: int = 8
    interest: float = 1e-4
    funding_clamp: float = 5e-4
    liquidation_fee: float = 0.0125
    exit_hours: float = 6.0
    socialise: bool = True
    trigger_last: bool = False
    no_limit: bool = False
    double_impact: bool = False


@dataclass(frozen=True)
class MarketWorld:
    """Everything that a run starts from, in the units of kernels; seeds differ in accounts and news.

    Arrays are [N] or [N, K]; rows may stand in any order, ``uid`` names the accounts.
    """

    names: tuple[str, ...]
    fund_names: tuple[str, ...]
    tick_usd: Floats
    lot_coins: Floats
    markets: Markets
    params: Params
    tiers: Tiers
    parties: Parties
    uid: Int64s = field(repr=False)
    owner: Int64s = field(repr=False)  # several isolated positions may belong to one owner
    role: Int64s = field(repr=False)
    mode: Int64s = field(repr=False)
    weight_ppm: Int64s = field(repr=False)  # share of passive fills
    stop_ticks: Int64s = field(repr=False)
    wallet: Int64s = field(repr=False)
    size: Int64s = field(repr=False)
    cost: Int64s = field(repr=False)
    spot_lots: Int64s = field(repr=False)  # [arbitrageurs, K]


def per_step(half_life_s: float) -> float:
    """Share that decays in one second for a half-life; 0 for an infinite one."""
    return 0.0 if math.isinf(half_life_s) else 1.0 - 0.5 ** (1.0 / half_life_s)


def gap_per_step(time_s: float) -> float:
    """Share of a gap that closes in one second for a time constant."""
    return 0.0 if math.isinf(time_s) else 1.0 - math.exp(-1.0 / time_s)


def below(coins: float, lot: float, reach: float) -> float:
    """Lots per unit of log price of a flat book that holds ``coins`` within a price move of ``reach``."""
    return coins / lot / -math.log1p(-reach)


def above(coins: float, lot: float, reach: float) -> float:
    """The same above the price, where a move of ``reach`` is a smaller step of log price."""
    return coins / lot / math.log1p(reach)


def _ints(values: list[int]) -> Int64s:
    return np.array(values, dtype=np.int64)


def _floats(values: list[float]) -> Floats:
    return np.array(values, dtype=np.float64)


def build_markets(
    specs: list[MarketSpec], book: BookSpec, parties: PartiesSpec, funds: list[FundSpec]
) -> Markets:
    """Kernel parameters of every market.

    Raises
    ------
    InputError
        a market names a fund that is not there, or a figure that must be positive is not.
    """
    fund_names = [fund.name for fund in funds]
    for spec in specs:
        if spec.fund not in fund_names:
            raise InputError(f"market {spec.name}: expected a fund among {fund_names}, found '{spec.fund}'")
        for name in (
            "start_price", "start_index", "open_interest_coins", "depth_bid_coins", "depth_ask_coins",
            "spot_bid_coins", "spot_ask_coins", "volatility_annual",
        ):  # fmt: skip
            if not getattr(spec, name) > 0:
                raise InputError(f"market {spec.name}: {name} must be > 0, found {getattr(spec, name)}")
    markets = new(Markets)
    markets.count = len(specs)
    for k, spec in enumerate(specs):
        lot = float(spec.lot_coins)
        usd_per_lot = spec.start_price * lot
        sigma_day = spec.volatility_annual * math.sqrt(_DAY_S / SECONDS_PER_YEAR)
        markets.tick_lot_uusd[k] = tick_lot_uusd(spec.tick_usd, spec.lot_coins, spec.name)
        markets.fund_of[k] = fund_names.index(spec.fund)
        markets.start_fair_ticks[k] = to_int(spec.start_index, spec.tick_usd, "index")
        markets.basis[k] = spec.start_price / spec.start_index
        markets.displayed_bid[k] = below(spec.depth_bid_coins, lot, spec.depth_range)
        markets.displayed_ask[k] = above(spec.depth_ask_coins, lot, spec.depth_range)
        markets.bid_density[k] = book.hidden_depth * markets.displayed_bid[k]
        markets.ask_density[k] = book.hidden_depth * markets.displayed_ask[k]
        # The square-root law I = Y σ √(Q/V) is a book of slope 2V/(Yσ)²; an infinite Y means no latent depth.
        if math.isfinite(book.latent_y):
            markets.latent_slope[k] = 2.0 * spec.volume_24h_coins / lot / (book.latent_y * sigma_day) ** 2
        markets.half_spread[k] = spec.half_spread_bps / 1e4
        markets.spot_bid_density[k] = book.spot_breadth * below(spec.spot_bid_coins, lot, spec.spot_range)
        markets.spot_ask_density[k] = book.spot_breadth * above(spec.spot_ask_coins, lot, spec.spot_range)
        markets.sigma[k] = spec.volatility_annual / math.sqrt(SECONDS_PER_YEAR)
        markets.beta[k] = max(0.2, spec.news_beta)
        markets.funding_ppb[k] = round(spec.last_funding_rate * PPB)
        markets.arbitrage_cap_lots[k] = int(parties.arbitrage_capacity_usd_per_s / usd_per_lot)
        shorts = parties.arbitrage_short_share * spec.open_interest_coins / lot
        markets.arbitrage_limit_lots[k] = int(1.5 * shorts / max(parties.arbitrageurs, 1))
        fund = funds[markets.fund_of[k]]
        markets.inventory_ppm[k] = round(fund.inventory_multiple * PPM)
        markets.fund_unwind[k] = per_step(fund.unwind_half_life_s)
        markets.maker_limit_lots[k] = int(parties.maker_limit_usd / usd_per_lot)
        markets.dip_lots[k] = parties.dip_rate_usd_per_s / usd_per_lot * 100.0
    return markets


def build_params(
    book: BookSpec,
    parties: PartiesSpec,
    rules: RulesSpec,
    *,
    steps: int,
    start_s: int,
    max_rounds: int = 2000,
) -> Params:
    """Kernel parameters that all markets share, with every mechanism on."""
    for name, value, most in (
        ("the mark window", rules.mark_window_s, WINDOW_MAX),
        ("the latency of arbitrage", parties.arbitrage_latency_s, LATENCY_MAX),
        ("the latency of hedges", parties.hedge_latency_s, LATENCY_MAX),
    ):
        if not 1 <= value <= most:
            raise InputError(f"{name} must be between 1 and {most} s, found {value}")
    fee = Fraction(rules.liquidation_fee).limit_denominator(PPM)
    params = new(Params)
    params.steps = steps
    params.start_s = start_s
    params.funding_interval_s = rules.funding_interval_h * 3600
    params.interest_ppb = round(rules.interest * PPB)
    params.clamp_ppb = round(rules.funding_clamp * PPB)
    params.mark_window = rules.mark_window_s
    params.resilience = per_step(book.resilience_half_life_s)
    params.spot_resilience = per_step(book.spot_resilience_half_life_s)
    params.latent_reveal = gap_per_step(book.latent_reveal_s)
    params.latent_reference = book.latent_reference
    params.volatility_weight = per_step(book.volatility_half_life_s)
    params.elasticity = book.volatility_elasticity
    params.inventory_elasticity = book.inventory_elasticity
    params.depth_floor = book.floor
    params.down = gap_per_step(book.down_s)
    params.up = gap_per_step(book.up_s)
    params.maker_depth_share = parties.maker_depth_share
    params.arbitrage_threshold = parties.arbitrage_threshold_bps / 1e4
    params.arbitrage_latency = parties.arbitrage_latency_s
    params.hedge_latency = parties.hedge_latency_s
    params.dip_threshold = parties.dip_threshold
    params.dip_leverage = parties.dip_leverage
    params.fee_num = fee.numerator
    params.fee_den = fee.denominator
    params.exit_steps = max(1, round(rules.exit_hours * 3600))
    params.max_rounds = max_rounds
    params.recount_every = 60
    params.adl = 1
    params.news_withdrawal = 1
    params.cascade_withdrawal = 1
    params.stops = 1
    params.socialise = int(rules.socialise)
    params.trigger_last = int(rules.trigger_last)
    params.no_limit = int(rules.no_limit)
    params.double_impact = int(rules.double_impact)
    return params


def _named_groups(parties: PartiesSpec) -> list[tuple[int, int, float, float]]:
    """(role, how many, capital of each [USD], share of passive fills of all) of the named accounts."""
    return [
        (MAKER, parties.makers, parties.maker_capital_usd, parties.maker_fill_share),
        (ARBITRAGEUR, parties.arbitrageurs, parties.arbitrage_capital_usd, parties.arbitrage_fill_share),
        (PROFIT_TAKER, parties.profit_takers, parties.profit_capital_usd, parties.profit_fill_share),
        (DIP_BUYER, parties.dip_buyers, parties.dip_capital_usd, 0.0),
        (NEWCOMER, 1, parties.newcomer_capital_usd, 0.0),
    ]


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
) -> MarketWorld:
    """Markets with their accounts: holders drawn from the prior, then named accounts, funds and vehicles.

    Arbitrageurs start short the perpetual and long spot, profit takers start short; the holders' shorts
    are the rest, so that
    every contract has two sides.
    """
    markets = build_markets(specs, book, parties, funds)
    tiers = tiers_record([spec.tiers for spec in specs])
    params = build_params(book, parties, rules, steps=steps, start_s=start_s)
    k_count = len(specs)
    unit = markets.tick_lot_uusd[:k_count].copy()
    mark = np.rint(markets.start_fair_ticks[:k_count] * markets.basis[:k_count]).astype(np.int64)
    oi = _ints([to_int(s.open_interest_coins, s.lot_coins, "open interest") for s in specs])
    arb_each = _shares(oi, parties.arbitrage_short_share, parties.arbitrageurs)
    take_each = _shares(oi, parties.profit_short_share, parties.profit_takers)
    short = oi - arb_each * parties.arbitrageurs - take_each * parties.profit_takers
    holders = draw_holders(population, oi, short, mark, unit, markets.beta[:k_count], tiers, rng)

    groups = _named_groups(parties)
    n_holders = population.accounts
    n = n_holders + sum(count for _, count, _, _ in groups) + len(funds) + 2
    role, weight, wallet, stop = (np.zeros(n, dtype=np.int64) for _ in range(4))
    mode = np.full(n, CROSS, dtype=np.int64)
    size, cost = (np.zeros((n, k_count), dtype=np.int64) for _ in range(2))
    wallet[:n_holders], size[:n_holders], cost[:n_holders] = holders.wallet, holders.size, holders.cost
    stop[:n_holders], mode[:n_holders] = holders.stop_ticks, holders.mode
    row = n_holders
    for kind, count, capital, fill in groups:
        for _ in range(count):
            role[row] = kind
            wallet[row] = uusd(capital)
            weight[row] = int(fill / count * PPM)
            if kind in (ARBITRAGEUR, PROFIT_TAKER):
                size[row] = -(arb_each if kind == ARBITRAGEUR else take_each)
                cost[row] = size[row] * mark * unit
            row += 1
    for fund in funds:
        role[row] = FUND
        wallet[row] = uusd(fund.usd)
        row += 1
    role[row], role[row + 1] = EXIT_LONG, EXIT_SHORT
    return MarketWorld(
        names=tuple(s.name for s in specs),
        fund_names=tuple(f.name for f in funds),
        tick_usd=_floats([float(s.tick_usd) for s in specs]),
        lot_coins=_floats([float(s.lot_coins) for s in specs]),
        markets=markets,
        params=params,
        tiers=tiers,
        parties=find_parties(np.arange(n), role, weight),
        uid=np.arange(n),
        owner=np.concatenate([holders.owner, np.arange(n_holders, n)]),
        role=role,
        mode=mode,
        weight_ppm=weight,
        stop_ticks=stop,
        wallet=wallet,
        size=size,
        cost=cost,
        spot_lots=np.tile(arb_each, (parties.arbitrageurs, 1)).reshape(parties.arbitrageurs, k_count),
    )


def _shares(lots: Int64s, share: float, count: int) -> Int64s:
    """Lots of each of ``count`` accounts that together hold ``share`` of a market."""
    return np.floor(lots * share).astype(np.int64) // count if count else np.zeros_like(lots)


def find_parties(uid: Int64s, role: Int64s, weight_ppm: Int64s) -> Parties:
    """Rows of the named accounts by group, in order of uid, whatever the order of rows.

    Raises
    ------
    InputError
        more named accounts than a record holds.
    """
    by_uid = np.argsort(uid, kind="stable")

    def rows(*kinds: int) -> Int64s:
        found: Int64s = by_uid[np.isin(role[by_uid], kinds)].astype(np.int64)
        return found

    parties = new(Parties)
    named = rows(MAKER, ARBITRAGEUR, PROFIT_TAKER, DIP_BUYER, NEWCOMER)
    for what, found, most in (
        ("named accounts", named, PARTIES_MAX),
        ("arbitrageurs", rows(ARBITRAGEUR), ARBITRAGEURS_MAX),
        ("insurance funds", rows(FUND), FUNDS_MAX),
    ):
        if found.shape[0] > most:
            raise InputError(f"expected at most {most} {what}, found {found.shape[0]}")
    parties.named_count = named.shape[0]
    parties.named[: named.shape[0]] = named
    parties.named_weight_ppm[: named.shape[0]] = weight_ppm[named]
    parties.maker_count = rows(MAKER).shape[0]
    parties.makers[: parties.maker_count] = rows(MAKER)
    parties.arbitrageur_count = rows(ARBITRAGEUR).shape[0]
    parties.arbitrageurs[: parties.arbitrageur_count] = rows(ARBITRAGEUR)
    parties.dip_count = rows(DIP_BUYER).shape[0]
    parties.dip_buyers[: parties.dip_count] = rows(DIP_BUYER)
    parties.newcomer = rows(NEWCOMER)[0]
    parties.fund_count = rows(FUND).shape[0]
    parties.funds[: parties.fund_count] = rows(FUND)
    parties.exit_long = rows(EXIT_LONG)[0]
    parties.exit_short = rows(EXIT_SHORT)[0]
    return parties


def permuted(world: MarketWorld, order: Int64s) -> MarketWorld:
    """The same market with its account rows in another order; uids stay with their accounts."""
    moved = {
        name: getattr(world, name)[order].copy()
        for name in ("uid", "owner", "role", "mode", "weight_ppm", "stop_ticks", "wallet", "size", "cost")
    }
    return replace(world, **moved, parties=find_parties(moved["uid"], moved["role"], moved["weight_ppm"]))


def switched(params: Params, **switches: float) -> Params:
    """A copy of the parameters with other values, usually other switches."""
    changed = copied(params)
    for name, value in switches.items():
        if name not in (changed.dtype.names or ()):
            raise InputError(f"expected a parameter of the engine, found '{name}'")
        changed[name] = value
    return changed
