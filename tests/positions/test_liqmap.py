"""Does the fast layer say exactly where a shock ends, and does it agree with the engine's own triggers?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deleverage.engine.state import HOLDER
from deleverage.positions.liqmap import (
    book_absorbs,
    book_distance,
    branching_ratio,
    build_map,
    crosses_one_at,
    forced_out,
    liquidation_levels,
    map_on_grid,
    summarise,
)
from deleverage.units import Floats, Int64s
from deleverage.venues.margin import health_single, liquidation_price, maintenance_margin
from tests.science.worlds import NIGHT_HOLDERS, night_world

Case = tuple[Floats, Int64s, float, float, float]


@st.composite
def small_maps(draw: st.DrawFn) -> Case:
    """Levels with ties, lots, book and shock: few accounts, so that every ordering is met."""
    count = draw(st.integers(1, 30))
    levels = np.sort(np.array(draw(st.lists(st.integers(0, 40), min_size=count, max_size=count))) / 100.0)
    lots = np.array(draw(st.lists(st.integers(1, 50), min_size=count, max_size=count)), dtype=np.int64)
    density = draw(st.floats(20.0, 5_000.0))
    latent = draw(st.sampled_from([0.0, 1e3, 1e5]))
    return levels, lots, density, latent, draw(st.integers(0, 3_000)) / 7_919.0


def slow_clearing(levels: Floats, lots: Int64s, density: float, latent: float, shock: float) -> float:
    """Least fixed point by its definition: let everybody whom the price has reached sell, again and again."""
    u = shock
    while True:
        sold = float(lots[levels <= u].sum())
        farther = shock + float(book_distance(np.array([sold]), density, latent)[0])
        if farther <= u:
            return u
        u = farther


@given(small_maps())
def test_clearing_is_the_least_fixed_point(case: Case) -> None:
    levels, lots, density, latent, shock = case
    got = build_map(levels, lots, density, latent).clear(shock)
    assert got.u == pytest.approx(slow_clearing(levels, lots, density, latent, shock), abs=1e-12)
    assert got.accounts == int((levels <= got.u).sum())
    taken = book_absorbs(np.array([got.u - shock]), density, latent)
    assert taken == pytest.approx(got.forced, abs=1e-7)


@given(small_maps())
def test_waves_add_up_to_what_is_forced(case: Case) -> None:
    levels, lots, density, latent, shock = case
    prepared = build_map(levels, lots, density, latent)
    assert prepared.waves(shock).sum() == pytest.approx(prepared.clear(shock).forced)


@given(small_maps())
def test_nothing_jumps_before_the_tipping_distance(case: Case) -> None:
    levels, lots, density, latent, _ = case
    prepared = build_map(levels, lots, density, latent)
    tips = prepared.tipping_distance(runaway=0.05, largest=1.0)
    # u* jumps at records of `need` only, so looking just before and at each of them sees every jump.
    jumps = [
        (float(need), prepared.clear(float(need)).u - prepared.clear(math.nextafter(float(need), -1.0)).u)
        for need in np.unique(prepared.need)
        if need > 0.0
    ]
    big = [need for need, jump in jumps if jump > 0.05 + 1e-9]
    if tips is None:
        assert not big
    elif tips > 0.0:
        assert min(big, default=tips) == pytest.approx(tips)


@given(small_maps())
def test_clearing_rises_with_shock_and_falls_with_depth(case: Case) -> None:
    levels, lots, density, latent, shock = case
    shallow, deep = build_map(levels, lots, density, latent), build_map(levels, lots, 2 * density, latent)
    assert deep.clear(shock).u <= shallow.clear(shock).u + 1e-12
    assert shallow.clear(shock).u <= shallow.clear(shock + 0.01).u


def test_levels_are_the_engine_triggers() -> None:
    world = night_world(1)
    markets = world.markets
    mark = markets.start_fair_ticks[:3].copy()
    unit = markets.tick_lot_uusd[:3].copy()
    rows = np.flatnonzero((world.role == HOLDER) & (world.size[:, 0] > 0))
    single = rows[(world.size[rows] != 0).sum(axis=1) == 1]
    levels, lots = liquidation_levels(
        world.wallet[single], world.size[single], world.cost[single], mark, unit, world.tiers,
        markets.beta[:3].copy(), 0,
    )  # fmt: skip
    assert (np.diff(levels) >= 0).all()
    assert lots.sum() == world.size[single, 0].sum()
    triggers = np.array(
        [
            liquidation_price(
                int(world.wallet[r]),
                int(world.size[r, 0]),
                int(world.cost[r, 0]),
                int(unit[0]),
                0,
                world.tiers,
            )
            for r in single
        ]
    )
    # The integer trigger is the last tick with health < 0: at most one tick below where health is 0.
    gap = np.sort(mark[0] * np.exp(-levels)) - np.sort(triggers)
    assert gap.min() >= -1e-6
    assert gap.max() <= 1.0 + 1e-6


def test_levels_of_accounts_in_several_markets_have_no_health_left() -> None:
    world = night_world(2)
    markets = world.markets
    mark, unit = markets.start_fair_ticks[:3].copy(), markets.tick_lot_uusd[:3].copy()
    beta = markets.beta[:3].copy()
    several = (world.role == HOLDER) & (world.size[:, 0] > 0) & ((world.size != 0).sum(axis=1) > 1)
    found = 0
    for row in np.flatnonzero(several)[:200]:
        one = slice(row, row + 1)
        levels, _ = liquidation_levels(
            world.wallet[one], world.size[one], world.cost[one], mark, unit, world.tiers, beta, 0
        )
        if levels.shape[0] == 0:
            continue
        found += 1
        gross = float((np.abs(world.size[row]) * mark * unit).sum())
        fall = -math.expm1(-float(levels[0]))

        def health(share: float, row: int = int(row)) -> float:
            total = float(world.wallet[row])
            for j in range(3):
                size = int(world.size[row, j])
                value = size * int(mark[j]) * int(unit[j]) * (1.0 - share * float(beta[j] / beta[0]))
                total += value - float(world.cost[row, j])
                total -= maintenance_margin(int(abs(value)), j, world.tiers)
            return total

        assert abs(health(fall)) <= 1e-9 * gross + 10
        assert min(health(fall * part) for part in (0.0, 0.25, 0.5, 0.75, 0.99)) >= -10
    assert found > 50


def test_who_is_liquidatable_already_stands_at_zero() -> None:
    world = night_world(3)
    mark = world.markets.start_fair_ticks[:1].copy()
    unit = world.markets.tick_lot_uusd[:1].copy()
    size = np.array([[1_000]])
    cost = size * (mark + 5_000) * unit
    wallet = np.array([0])
    assert health_single(0, 1_000, int(cost[0, 0]), int(mark[0]), int(unit[0]), 0, world.tiers) < 0
    levels, lots = liquidation_levels(wallet, size, cost, mark, unit, world.tiers, np.ones(1), 0)
    assert levels.tolist() == [0.0]
    assert lots.tolist() == [1_000]
    assert forced_out(levels, lots, np.array([0.0])).tolist() == [1_000.0]


def test_no_leverage_has_no_map() -> None:
    world = night_world(4, markets=1)
    mark = world.markets.start_fair_ticks[:1].copy()
    unit = world.markets.tick_lot_uusd[:1].copy()
    size = np.array([[1_000], [-1_000]])
    cost = size * mark * unit
    wallet = np.abs(cost[:, 0]) * 2
    levels, lots = liquidation_levels(wallet, size, cost, mark, unit, world.tiers, np.ones(1), 0)
    assert levels.shape == lots.shape == (0,)
    summary = summarise(levels, lots, 1e5)
    assert summary == (0.0, None, None)
    assert build_map(levels, lots, 1e5).clear(0.1).u == 0.1


def test_map_on_a_grid() -> None:
    levels = (np.arange(10_000) + 0.5) / 10_000 * 0.5
    lots = np.full(10_000, 3, dtype=np.int64)
    falls = np.linspace(0.0, 0.3, 31)
    density = 100_000.0
    coins, book, n = map_on_grid(levels, lots, falls, density)
    u = -np.log1p(-falls)
    assert coins == pytest.approx(60_000 * u, abs=3)
    assert book == pytest.approx(density * u)
    assert n == pytest.approx(0.6, rel=0.02)
    with_latent = map_on_grid(levels, lots, falls, density, latent=1e6)
    assert with_latent[1] == pytest.approx(density * u + 0.5e6 * u**2)
    assert (with_latent[2][1:] < n[1:]).all()


def test_half_the_depth_doubles_n() -> None:
    rng = np.random.default_rng(0)
    levels = np.sort(rng.weibull(1.2, 5_000) * 0.2)
    lots = rng.integers(1, 100, 5_000)
    u = np.linspace(0.0, 0.3, 50)
    deep = branching_ratio(levels, lots, u, 2e5)
    assert branching_ratio(levels, lots, u, 1e5) == pytest.approx(2.0 * deep)


def test_the_integral_of_the_density_is_the_map() -> None:
    rng = np.random.default_rng(1)
    levels = np.sort(rng.weibull(1.2, 5_000) * 0.2)
    lots = rng.integers(1, 100, 5_000)
    u = np.arange(0.005, 0.3, 0.01)  # windows that tile [0, 0.3]
    n = branching_ratio(levels, lots, u, 1e5, bandwidth=0.01)
    assert (n * 1e5 * 0.01).sum() == pytest.approx(forced_out(levels, lots, np.array([0.3]))[0])


def test_tipping_and_crossing_of_a_wall() -> None:
    """A thin map with a dense wall from 10 % to 20 %: n = 0.5 outside, 3 within, known in closed form."""
    thin = np.arange(0.0005, 0.4, 0.001)
    wall = np.arange(0.1, 0.2, 0.0001)
    levels = np.concatenate([thin, wall])
    lots = np.concatenate([np.full(thin.shape[0], 500), np.full(wall.shape[0], 250)])
    order = np.argsort(levels)
    levels, lots = levels[order], lots[order]
    density = 1e6
    prepared = build_map(levels, lots, density)
    tips = prepared.tipping_distance()
    assert tips is not None
    # u = 0.1 is reached when the shock is 0.1·(1 − 0.5), give or take one account of the thin map.
    assert tips == pytest.approx(0.05, abs=1e-3)
    assert prepared.clear(tips - 1e-6).u < 0.11
    assert prepared.clear(tips).u > 0.2
    crosses = crosses_one_at(levels, lots, density)
    # The window of 1 % sees the wall from half its width away: n ≥ 1 once a fifth of it lies within.
    assert crosses is not None and 0.095 < crosses < 0.105


def test_summary_is_the_same_for_permuted_accounts() -> None:
    world = night_world(5, markets=1, holders=NIGHT_HOLDERS)
    mark, unit = world.markets.start_fair_ticks[:1].copy(), world.markets.tick_lot_uusd[:1].copy()
    rows = np.flatnonzero(world.role == HOLDER)
    answers = []
    for order in (rows, np.random.default_rng(0).permutation(rows)):
        levels, lots = liquidation_levels(
            world.wallet[order], world.size[order], world.cost[order], mark, unit, world.tiers, np.ones(1), 0
        )
        answers.append(summarise(levels, lots, float(world.markets.bid_density[0])))
    assert answers[0] == answers[1]
