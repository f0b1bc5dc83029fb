"""Does the book hold what was imported, bend like the square-root law, and cost what Obizhaeva and Wang say?

SQ-1 and OW-1 of the design notes, and the depth of the start.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from deleverage.engine.book import absorbed, average_price, displacement
from deleverage.engine.fills import walk
from deleverage.engine.makers import requote
from deleverage.engine.setup import above, below, build_markets, per_step
from deleverage.engine.simulate import prepare_world
from deleverage.engine.state import HOLDER, copied
from deleverage.positions.liqmap import branching_ratio, liquidation_levels
from deleverage.units import Floats
from tests.science.worlds import (
    NIGHT_BOOK,
    NIGHT_FUNDS,
    NIGHT_PARTIES,
    night_specs,
    night_world,
    uniform_map_world,
)

VOLUME = 1e9
SIGMA_DAY = 0.025
LATENT = 2.0 * VOLUME / SIGMA_DAY**2


def slope(low: float, high: float, density: float) -> float:
    """Exponent fitted by least squares to u(Q) over Q from ``low`` to ``high`` shares of a day's volume."""
    quantity = np.geomspace(low, high, 41) * VOLUME
    u = np.array([displacement(float(q), density, density, LATENT) for q in quantity])
    fitted: float = np.polyfit(np.log(quantity), np.log(u), 1)[0]
    return fitted


def test_sq_1_exponents_of_the_fully_revealed_book() -> None:
    # A book whose first percent holds 2 % of a day's volume: linear up to some 10⁻⁵ of it.
    density = 2.0 * VOLUME
    assert slope(1e-6, 3e-6, density) == pytest.approx(1.0, abs=0.01)
    assert slope(0.3, 1.0, density) == pytest.approx(0.5, abs=0.02)
    # The law itself at its far end: I = Y σ √(Q/V) with Y = 1.
    assert displacement(VOLUME, density, density, LATENT) == pytest.approx(SIGMA_DAY, rel=0.03)


def test_a_walk_does_not_depend_on_how_it_is_cut() -> None:
    density = 0.25 * VOLUME
    whole = displacement(0.2 * VOLUME, density, density, LATENT)
    u, paid = 0.0, 0.0
    for _ in range(1_000):
        lots = 0.2 * VOLUME / 1_000
        paid += average_price(u, lots, density, density, LATENT) / 1_000
        u = displacement(absorbed(u, density, density, LATENT) + lots, density, density, LATENT)
    assert u == pytest.approx(whole, rel=1e-9)
    at_once = average_price(0.0, 0.2 * VOLUME, density, density, LATENT)
    assert 1.0 - at_once == pytest.approx(1.0 - paid, rel=1e-4)
    flat = [average_price(0.0, share * 0.05 * density, density, density, 0.0) for share in (1.0, 0.5)]
    rest = average_price(0.025, 0.025 * density, density, density, 0.0)
    assert flat[0] == pytest.approx((flat[1] + rest) / 2.0, rel=1e-8)


def shortfall(trades: Floats, resilience: float) -> float:
    """Cost of selling one unit in these parts over one unit of time, with impact 1 per unit, by the engine.

    Impact is scaled to 10⁻⁴ of the price so that the log price of the book is as good as linear.
    """
    lots, impact = 10**9, 1e-4
    world = uniform_map_world(1.0, accounts=4, reach=0.5, steps=1)
    world = replace(world, markets=copied(world.markets))
    world.markets.bid_density[0] = world.markets.ask_density[0] = lots / impact
    setting = prepare_world(world).setting
    steps = len(trades) - 1
    setting.params.resilience = per_step(math.log(2.0) * steps / resilience)
    fair = int(world.markets.start_fair_ticks[0])
    cost = 0.0
    for number, part in enumerate(trades):
        if number > 0:
            requote(setting)
        cost += float(part) * (1.0 - walk(setting, fair, 0, round(float(part) * lots)) / fair) / impact
    return cost


def test_ow_1_costs_of_block_even_and_optimal_selling() -> None:
    steps, resilience = 1_000, 2.0
    block = np.zeros(steps + 1)
    block[0] = 1.0
    weight = np.full(steps + 1, 1.0 / steps)
    weight[[0, -1]] /= 2.0  # trapezoid: a rate in continuous time
    end = 1.0 / (resilience + 2.0)
    optimal = weight * resilience * end
    optimal[[0, -1]] += end
    assert optimal.sum() == pytest.approx(1.0)
    assert shortfall(block, resilience) == pytest.approx(0.5, abs=2e-4)
    # Even selling costs (ρT − 1 + e^(−ρT))/(ρT)² = 0.28383; the design notes print 0.2835.
    exact = (resilience - 1.0 + math.exp(-resilience)) / resilience**2
    assert shortfall(weight, resilience) == pytest.approx(exact, abs=2e-4)
    assert shortfall(weight, resilience) == pytest.approx(0.2835, abs=1e-3)
    assert shortfall(optimal, resilience) == pytest.approx(0.25, abs=2e-4)


@pytest.mark.parametrize("shift", [-0.05, -0.01, 0.01, 0.05])
def test_ow_1_no_other_split_is_cheaper(shift: float) -> None:
    steps, resilience = 400, 2.0
    end = 1.0 / (resilience + 2.0)
    costs = []
    for first in (end, end + shift):
        trades = np.full(steps + 1, (1.0 - 2.0 * first) / steps)
        trades[[0, -1]] = (1.0 - 2.0 * first) / steps / 2.0 + first
        costs.append(shortfall(trades, resilience))
    assert costs[1] > costs[0]


def test_the_book_at_the_start_holds_exactly_what_was_imported() -> None:
    specs = night_specs()
    for hidden in (1.0, 1.7):
        markets = build_markets(specs, replace(NIGHT_BOOK, hidden_depth=hidden), NIGHT_PARTIES, NIGHT_FUNDS)
        for k, spec in enumerate(specs):
            lot = float(spec.lot_coins)
            low, high = -math.log1p(-spec.depth_range), -math.log1p(spec.depth_range)
            displayed_bid, displayed_ask = float(markets.displayed_bid[k]), float(markets.displayed_ask[k])
            bids = absorbed(low, displayed_bid, displayed_ask, 0.0) * lot
            asks = -absorbed(high, displayed_bid, displayed_ask, 0.0) * lot
            assert bids == pytest.approx(spec.depth_bid_coins, rel=1e-12)
            assert asks == pytest.approx(spec.depth_ask_coins, rel=1e-12)
            assert markets.bid_density[k] == hidden * markets.displayed_bid[k]
            assert markets.ask_density[k] == hidden * markets.displayed_ask[k]


def test_declaring_twice_the_range_halves_density_and_doubles_n() -> None:
    # 2 to first order; exactly ln(0.99)/ln(0.98) = 0.49748 below and ln(1.01)/ln(1.02) = 0.50248 above.
    bids = below(100.0, 1.0, 0.02) / below(100.0, 1.0, 0.01)
    asks = above(100.0, 1.0, 0.02) / above(100.0, 1.0, 0.01)
    assert bids == pytest.approx(math.log1p(-0.01) / math.log1p(-0.02), rel=1e-12)
    assert bids == pytest.approx(0.49748, abs=1e-5)
    assert asks == pytest.approx(0.50248, abs=1e-5)
    world = night_world(0, markets=1)
    specs = [replace(spec, depth_range=0.02) for spec in night_specs(markets=1)]
    wide = build_markets(specs, NIGHT_BOOK, NIGHT_PARTIES, NIGHT_FUNDS)
    holders = world.role == HOLDER
    levels, lots = liquidation_levels(
        world.wallet[holders], world.size[holders], world.cost[holders],
        world.markets.start_fair_ticks[:1].copy(), world.markets.tick_lot_uusd[:1].copy(), world.tiers,
        np.ones(1), 0,
    )  # fmt: skip
    u = np.linspace(0.01, 0.2, 20)
    n = branching_ratio(levels, lots, u, float(world.markets.bid_density[0]))
    doubled = branching_ratio(levels, lots, u, float(wide.bid_density[0]))
    assert doubled == pytest.approx(n / bids, rel=1e-12)
    assert doubled == pytest.approx(2.0 * n, rel=0.006)
