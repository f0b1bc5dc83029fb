"""Which markets do the science tests run on: one with an exact answer, three like those of a real night."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from fractions import Fraction

import numpy as np

from deleverage.engine.news import NewsSpec, fair_path
from deleverage.engine.setup import (
    BookSpec,
    FundSpec,
    MarketSpec,
    MarketWorld,
    PartiesSpec,
    RulesSpec,
    build_world,
    find_parties,
    switched,
)
from deleverage.engine.simulate import Prepared, Run, prepare_world, simulate
from deleverage.engine.state import (
    EXIT_LONG,
    EXIT_SHORT,
    FUND,
    HOLDER,
    NEWCOMER,
    SELL_EVENLY,
    Params,
)
from deleverage.positions.population import CROSS, PopulationPrior, least_wallets
from deleverage.units import Floats, Int64s, uusd
from deleverage.venues.binance import rules_at
from deleverage.venues.rules import MarginTier, TierTable

ONE_TIER = TierTable("FLAT", (MarginTier(10**12, Fraction(1, 200), 100),), "made up: one rate for every size")

NO_PARTIES = PartiesSpec(
    makers=0,
    maker_depth_share=0.0,
    maker_fill_share=0.0,
    arbitrageurs=0,
    arbitrage_short_share=0.0,
    arbitrage_fill_share=0.0,
    arbitrage_latency_s=1,
    hedge_latency_s=1,
    profit_takers=0,
    profit_short_share=0.0,
    profit_fill_share=0.0,
    dip_buyers=0,
    newcomer_capital_usd=1e12,
)
"""Nobody but the holders and one newcomer of unlimited means, who takes every fill."""

FLAT_BOOK = BookSpec(
    hidden_depth=1.0,
    latent_y=math.inf,
    resilience_half_life_s=math.inf,
    spot_resilience_half_life_s=math.inf,
    volatility_elasticity=0.0,
    inventory_elasticity=0.0,
    down_s=math.inf,
    up_s=math.inf,
)
"""Displayed depth only: no hidden or latent part, no decay, no withdrawal."""

LAST_PRICE = RulesSpec(mark_window_s=1, socialise=False, trigger_last=True, no_limit=True)
"""Liquidation at the last price, without an order limit: the fast layer's rules."""


def flat_market(density: float, *, open_interest_coins: float = 1.0) -> MarketSpec:
    """One perpetual at 100,000 USD, lots of 0.001 coins, ``density`` lots per unit of log price."""
    one_percent = density * 0.001
    return MarketSpec(
        name="FLAT",
        tick_usd=Fraction(1, 10),
        lot_coins=Fraction(1, 1000),
        start_price=100_000.0,
        start_index=100_000.0,
        open_interest_coins=open_interest_coins,
        depth_bid_coins=one_percent * -math.log1p(-0.01),
        depth_ask_coins=one_percent * math.log1p(0.01),
        depth_range=0.01,
        half_spread_bps=0.0,
        spot_bid_coins=one_percent,
        spot_ask_coins=one_percent,
        spot_range=0.01,
        volatility_annual=0.5,
        volume_24h_coins=1e6,
        news_beta=1.0,
        last_funding_rate=0.0,
        fund="fund",
        tiers=ONE_TIER,
    )


def uniform_map_world(
    n: float,
    *,
    accounts: int,
    reach: float,
    steps: int,
    levels: Floats | None = None,
    book: BookSpec = FLAT_BOOK,
    rules: RulesSpec = LAST_PRICE,
) -> MarketWorld:
    """A world whose map is uniform in log price on (0, reach], with the branching ratio n everywhere.

    ``accounts`` longs of the same size, liquidated at (i + ½)·reach/accounts or at the given ``levels``
    (log price, rising); one short on the other side.
    """
    lots_each = 1_000
    density = lots_each * accounts / reach / n
    spec = flat_market(density)
    seed_world = build_world(
        [spec],
        book,
        NO_PARTIES,
        [FundSpec("fund", 1e9)],
        rules,
        replace(NIGHT_HOLDERS, accounts=4, multi_market_share=0.0, stop_share=0.0, largest_share=1.0),
        steps=steps,
        start_s=0,
        rng=np.random.default_rng(0),
    )
    unit = seed_world.markets.tick_lot_uusd[:1].copy()
    mark = int(seed_world.markets.start_fair_ticks[0])
    n_rows = accounts + 5
    role = np.full(n_rows, HOLDER, dtype=np.int64)
    role[accounts + 1 :] = (NEWCOMER, FUND, EXIT_LONG, EXIT_SHORT)
    size = np.zeros((n_rows, 1), dtype=np.int64)
    size[:accounts, 0] = lots_each
    size[accounts, 0] = -lots_each * accounts
    cost = size * mark * unit
    wallet = np.zeros(n_rows, dtype=np.int64)
    level = (np.arange(accounts) + 0.5) * (reach / accounts) if levels is None else levels
    worst = np.rint(mark * np.exp(-level)).astype(np.int64)[:, None]
    first = np.empty(accounts, dtype=np.int64)
    least_wallets(size[:accounts], cost[:accounts], worst, unit, np.zeros_like(unit), seed_world.tiers, first)
    wallet[:accounts] = first
    wallet[accounts : accounts + 3] = (uusd(1e12), uusd(1e12), uusd(1e9))
    weight = np.zeros(n_rows, dtype=np.int64)
    return replace(
        seed_world,
        parties=find_parties(np.arange(n_rows), role, weight, np.zeros(n_rows, dtype=np.int64)),
        uid=np.arange(n_rows),
        owner=np.arange(n_rows),
        role=role,
        venue=np.zeros(n_rows, dtype=np.int64),
        mode=np.full(n_rows, CROSS, dtype=np.int64),
        weight_ppm=weight,
        stop_ticks=np.zeros(n_rows, dtype=np.int64),
        wallet=wallet,
        size=size,
        cost=cost,
        pledged=np.zeros((n_rows, 0), dtype=np.int64),
    )


# --- three markets like those of 10 October 2025 -----------------------------------------------------------

NIGHT_HOLDERS = PopulationPrior(
    accounts=3_000,
    fuel=0.3,
    short_fuel=0.3,
    fuel_shape=1.2,
    isolated_share=0.45,
    multi_market_share=0.2,
    mixed_side_share=0.2,
    size_tail=1.2,
    largest_share=0.01,
    entry_offset=0.02,
    entry_sd=0.03,
    stop_share=0.15,
    stop_distance=0.04,
)
NIGHT_BOOK = BookSpec(hidden_depth=1.7, latent_reveal_s=1800.0)
NIGHT_PARTIES = PartiesSpec(
    makers=4,
    maker_capital_usd=1e8,
    maker_fill_share=0.35,
    maker_limit_usd=2.5e8,
    arbitrageurs=6,
    arbitrage_capital_usd=3e8,
    arbitrage_fill_share=0.25,
    arbitrage_short_share=0.2,
    arbitrage_latency_s=2,
    arbitrage_capacity_usd_per_s=2e6,
    profit_takers=8,
    profit_short_share=0.15,
    profit_fill_share=0.25,
    profit_capital_usd=3e8,
    dip_buyers=20,
    dip_capital_usd=1e8,
    dip_threshold=0.02,
)
NIGHT_FUNDS = [FundSpec("house", 3e8)]

# name, price, lot, open interest, bid, ask, spot bid, spot ask, volatility, daily volume, beta; coins.
# Rounded figures of Binance before the night (pairs and depth snapshots of 20:00 to 20:05 UTC).
_MILLI, _CENTI = Fraction(1, 1000), Fraction(1, 100)
_NIGHT = (
    ("BTCUSDT", 116_837.0, _MILLI, 92_603.0, 1_748.0, 1_603.0, 290.0, 140.0, 0.436, 188_628.0, 1.0),
    ("ETHUSDT", 4_001.0, _MILLI, 1.983e6, 19_275.0, 19_968.0, 4_080.0, 2_508.0, 0.99, 6.816e6, 1.9),
    ("SOLUSDT", 206.0, _CENTI, 1.018e7, 171_165.0, 217_399.0, 36_263.0, 36_477.0, 1.015, 3.401e7, 2.1),
)


def night_specs(*, depth: float = 1.0, markets: int = 3) -> list[MarketSpec]:
    """BTC, ETH and SOL perpetuals with the depth of both books multiplied by ``depth``."""
    table = rules_at(date(2025, 10, 10)).tiers
    chosen = _NIGHT[:markets]
    return [
        MarketSpec(
            name=name,
            tick_usd=Fraction(1, 10) if name == "BTCUSDT" else Fraction(1, 100),
            lot_coins=lot,
            start_price=price,
            start_index=price,
            open_interest_coins=interest,
            depth_bid_coins=bid * depth,
            depth_ask_coins=ask * depth,
            depth_range=0.01,
            half_spread_bps=0.05,
            spot_bid_coins=spot_bid * depth,
            spot_ask_coins=spot_ask * depth,
            spot_range=0.01,
            volatility_annual=volatility,
            volume_24h_coins=volume,
            news_beta=beta,
            last_funding_rate=0.0,
            fund="house",
            tiers=table[name],
        )
        for name, price, lot, interest, bid, ask, spot_bid, spot_ask, volatility, volume, beta in chosen
    ]


def night_world(
    seed: int,
    *,
    depth: float = 1.0,
    markets: int = 3,
    steps: int = 1200,
    holders: PopulationPrior = NIGHT_HOLDERS,
    rules: RulesSpec | None = None,
) -> MarketWorld:
    """A population of ``holders`` on the night's markets; draws depend on the seed, not on the depth."""
    return build_world(
        night_specs(depth=depth, markets=markets),
        NIGHT_BOOK,
        NIGHT_PARTIES,
        NIGHT_FUNDS,
        rules or RulesSpec(),
        holders,
        steps=steps,
        start_s=0,
        rng=np.random.default_rng([seed, 1]),
    )


def night_news(world: MarketWorld, seed: int, shock: float, *, noise: float = 1.0) -> Int64s:
    """The news path of a seed: ``shock`` between seconds 30 and 300, on noise times ``noise``."""
    k = world.size.shape[1]
    return fair_path(
        NewsSpec(shock, 30.0, 300.0, 0.7),
        world.markets.start_fair_ticks[:k].copy(),
        world.markets.sigma[:k] * noise,
        world.markets.beta[:k].copy(),
        int(world.params.steps),
        np.random.default_rng([seed, 2]),
    )


def everything_off(params: Params) -> Params:
    """No mechanism: liquidations are sold evenly over hours, no ADL, no withdrawal, no stops."""
    return switched(params, liquidations=SELL_EVENLY, adl=0, news_withdrawal=0, cascade_withdrawal=0, stops=0)


def drop(run: Run) -> Floats:
    """Fall of every market's mid from the start to its trough [share, K]."""
    k = run.world.size.shape[1]
    fall: Floats = 1.0 - run.tally.trough[:k] / run.tally.start_mid[:k]
    return fall


def run_on(prepared: Prepared, path: Int64s, **switches: float) -> Run:
    """Run with every mechanism on and the named switches."""
    return simulate(prepared, path, switched(prepared.world.params, **switches))


def run_off(prepared: Prepared, path: Int64s, **switches: float) -> Run:
    """Run with every mechanism off and the named switches."""
    return simulate(prepared, path, switched(everything_off(prepared.world.params), **switches))


def prepared_night(seed: int, *, depth: float = 1.0, markets: int = 3, steps: int = 1200) -> Prepared:
    """`night_world` at its first second."""
    return prepare_world(night_world(seed, depth=depth, markets=markets, steps=steps))
