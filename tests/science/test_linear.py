"""Does a market with a constant branching ratio n end where theory says: shock ÷ (1 − n), wave by wave?

LIN-1 and LIN-2 of the design notes: last-price trigger, no order limit, flat book.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from deleverage.engine.setup import FundSpec, build_world
from deleverage.engine.simulate import prepare_world
from deleverage.positions.liqmap import build_map, liquidation_levels
from tests.science.worlds import (
    FLAT_BOOK,
    LAST_PRICE,
    NIGHT_HOLDERS,
    NO_PARTIES,
    drop,
    flat_market,
    run_on,
    uniform_map_world,
)

SHOCK = 0.02
LIN_1 = [(0.2, 0.025), (0.5, 0.04), (0.8, 0.10), (0.9, 0.20)]


@pytest.mark.parametrize(("n", "expected"), LIN_1)
def test_lin_1_on_the_fast_layer(n: float, expected: float) -> None:
    accounts, reach = 200_000, 0.5
    levels = (np.arange(accounts, dtype=np.float64) + 0.5) * (reach / accounts)
    prepared = build_map(levels, np.full(accounts, n * reach / accounts), 1.0)
    assert prepared.clear(SHOCK).u == pytest.approx(expected, abs=1e-4)
    waves = prepared.waves(SHOCK)
    assert waves[1:4] / waves[:3] == pytest.approx(n, abs=1e-3)
    assert prepared.tipping_distance() is None


def test_lin_2_on_the_fast_layer() -> None:
    accounts = 200_000
    levels = (np.arange(accounts) + 1.0) / accounts
    prepared = build_map(levels, np.full(accounts, 1.05 / accounts), 1.0)
    end = prepared.clear(SHOCK)
    assert end.accounts == accounts
    assert end.u == pytest.approx(1.07, abs=1e-9)
    # Above n = 1 any shock that reaches the first account reaches all.
    assert prepared.tipping_distance() == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize(("n", "expected"), LIN_1)
def test_lin_1_on_the_engine(n: float, expected: float) -> None:
    world = uniform_map_world(n, accounts=200_000, reach=0.5, steps=3)
    prepared = prepare_world(world)
    start = int(world.markets.start_fair_ticks[0])
    path = np.full((3, 1), round(start * math.exp(-SHOCK)), dtype=np.int64)
    run = run_on(prepared, path, news_withdrawal=0, cascade_withdrawal=0)
    assert -math.log1p(-drop(run)[0]) == pytest.approx(expected, abs=1e-4)
    # Everything went into the book: nothing was taken over or deleveraged.
    assert run.tally.book[0] == run.tally.forced[0, 0] > 0
    assert run.tally.takeover[0] == run.tally.adl[0] == 0


def test_lin_2_on_the_engine() -> None:
    world = uniform_map_world(1.05, accounts=50_000, reach=1.0, steps=3)
    path = np.full((3, 1), round(int(world.markets.start_fair_ticks[0]) * math.exp(-SHOCK)), dtype=np.int64)
    run = run_on(prepare_world(world), path, news_withdrawal=0, cascade_withdrawal=0)
    assert run.tally.forced[0, 0] == 50_000 * 1_000
    # e^(−u) is rational in the engine, within 2·10⁻⁶.
    assert -math.log1p(-drop(run)[0]) == pytest.approx(1.07, abs=2e-5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shock", [0.01, 0.03, 0.08])
def test_engine_and_fast_layer_end_at_the_same_price(seed: int, shock: float) -> None:
    """Any population, not only a uniform map: with the fast layer's rules the engine ends at u*."""
    density = 4e6
    world = build_world(
        [flat_market(density, open_interest_coins=1_000.0)],
        FLAT_BOOK,
        NO_PARTIES,
        [FundSpec("fund", 1e9)],
        LAST_PRICE,
        replace(NIGHT_HOLDERS, accounts=4_000, stop_share=0.0, multi_market_share=0.0, max_leverage=0.0),
        steps=3,
        start_s=0,
        rng=np.random.default_rng(seed),
    )
    mark, unit = world.markets.start_fair_ticks[:1].copy(), world.markets.tick_lot_uusd[:1].copy()
    levels, lots = liquidation_levels(
        world.wallet[:4_000], world.size[:4_000], world.cost[:4_000], mark, unit, world.tiers, np.ones(1), 0
    )
    expected = build_map(levels, lots, float(world.markets.bid_density[0])).clear(shock)
    path = np.full((3, 1), round(int(mark[0]) * math.exp(-shock)), dtype=np.int64)
    run = run_on(prepare_world(world), path, news_withdrawal=0, cascade_withdrawal=0)
    assert -math.log1p(-drop(run)[0]) == pytest.approx(expected.u, abs=5e-6)
    assert run.tally.forced[0, 0] == expected.forced
