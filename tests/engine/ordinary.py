"""An ordinary market for looking at one mechanism at a time: BTC-like figures, 600 holders, three minutes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from deleverage.engine.news import NewsSpec, fair_path
from deleverage.engine.setup import (
    AssetSpec,
    BookSpec,
    FundSpec,
    MarketSpec,
    MarketWorld,
    PartiesSpec,
    RulesSpec,
    build_world,
)
from deleverage.positions.population import PopulationPrior
from deleverage.venues.rules import MarginTier, TierTable
from tests.strategies import Case

STEPS = 180
TIERS = TierTable(
    "M",
    (
        MarginTier(300_000, Fraction(4, 1000), 150),
        MarginTier(3_000_000, Fraction(65, 10_000), 75),
        MarginTier(70_000_000, Fraction(2, 100), 25),
        MarginTier(800_000_000, Fraction(15, 100), 3),
    ),
    "test",
)
SPEC = MarketSpec(
    name="M", tick_usd=Fraction(1, 10), lot_coins=Fraction(1, 1000), start_price=100_000.0,
    start_index=100_000.0, open_interest_coins=20_000.0, depth_bid_coins=1_500.0,
    depth_ask_coins=1_500.0, depth_range=0.01,
    half_spread_bps=0.5, spot_bid_coins=500.0, spot_ask_coins=500.0, spot_range=0.01, volatility_annual=0.4,
    volume_24h_coins=300_000.0, news_beta=1.0, last_funding_rate=1e-4, fund="F", tiers=TIERS,
)  # fmt: skip
INVERSE = replace(
    SPEC,
    contract_usd=Fraction(100),  # a lot of 0.001 coin at 100,000: the same lots, and tiers in coins
    tiers=TierTable(
        "M",
        tuple(replace(tier, cap_usd=cap) for tier, cap in zip(TIERS.tiers, (3, 30, 700, 8_000), strict=True)),
        "test",
    ),
)
PRIOR = PopulationPrior(
    accounts=600, fuel=0.35, short_fuel=0.2, fuel_shape=1.5, isolated_share=0.6, multi_market_share=0.0,
    mixed_side_share=0.0, size_tail=1.6, largest_share=0.02, entry_offset=0.0, entry_sd=0.01, stop_share=0.1,
    stop_distance=0.04,
)  # fmt: skip


def ordinary(
    seed: int = 1,
    *,
    shock: float = 0.05,
    ends_s: float = 105.0,
    spec: MarketSpec = SPEC,
    fund_usd: float = 1e9,
    parties: PartiesSpec | None = None,
    rules: RulesSpec | None = None,
    prior: PopulationPrior = PRIOR,
    collateral: list[AssetSpec] | None = None,
) -> Case:
    """The market of a seed; the news falls by ``shock`` from the fifth second to ``ends_s``."""
    world: MarketWorld = build_world(
        [spec],
        BookSpec(),
        parties or PartiesSpec(),
        [FundSpec("F", fund_usd)],
        rules or RulesSpec(),
        prior,
        steps=STEPS,
        start_s=3600,
        rng=np.random.default_rng(seed),
        collateral=collateral,
        collateral_rng=np.random.default_rng(seed + 20_000),
    )
    start, sigma = world.markets.start_fair_ticks[:1].copy(), world.markets.sigma[:1].copy()
    path = fair_path(
        NewsSpec(shock, 5.0, ends_s, 0.0),
        start,
        sigma,
        np.ones(1),
        STEPS,
        np.random.default_rng(seed + 10_000),
    )
    return Case(world, [spec.tiers], path, seed)
