"""Is there a tipping point in our model, and what do two well-known mistakes do to it?

TIP-1 of the design notes, in this engine: an ensemble of seeds on one market near tipping. A seed fixes the
accounts and the news; depth and switches are then compared seed by seed.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from deleverage.engine.simulate import prepare_world
from deleverage.engine.state import HOLDER
from deleverage.positions.liqmap import liquidation_levels, summarise
from deleverage.units import Floats
from tests.science.stats import ratio_of_medians, wilson
from tests.science.worlds import NIGHT_HOLDERS, drop, night_news, night_world, run_off, run_on

SEEDS = 24
SHOCK = 0.02
# No stops: they sell like liquidations but are not a mechanism of the venue.
HOLDERS = replace(NIGHT_HOLDERS, accounts=20_000, fuel=0.2, short_fuel=0.2, stop_share=0.0)
VARIANTS: dict[str, dict[str, float]] = {
    "as it is": {},
    "double impact": {"double_impact": 1},
    "last price": {"trigger_last": 1},
    "no limit": {"no_limit": 1},
    "no limit, double impact": {"no_limit": 1, "double_impact": 1},
}

pytestmark = pytest.mark.slow


@cache
def drops(depth: float) -> dict[str, Floats]:
    """Drop of the market per seed [share], by variant, at a multiple of the depth."""
    table: dict[str, list[float]] = {name: [] for name in (*VARIANTS, "off")}
    for seed in range(SEEDS):
        prepared = prepare_world(night_world(seed, depth=depth, markets=1, holders=HOLDERS))
        path = night_news(prepared.world, seed, SHOCK)
        for name, switches in VARIANTS.items():
            table[name].append(float(drop(run_on(prepared, path, **switches))[0]))
        table["off"].append(float(drop(run_off(prepared, path))[0]))
    return {name: np.array(values) for name, values in table.items()}


def deeper(depth: float, variant: str, than: str = "as it is") -> tuple[float, float]:
    """Wilson interval of the share of seeds in which a variant falls deeper than another."""
    here = drops(depth)
    return wilson(int((here[variant] > here[than]).sum()), SEEDS)


def test_tip_1_half_the_depth_multiplies_the_drop() -> None:
    low, middle, high = ratio_of_medians(drops(0.5)["as it is"], drops(1.0)["as it is"])
    assert 1.5 < low < middle < high
    # It is the forced selling: without it depth does not matter.
    low, middle, high = ratio_of_medians(drops(0.5)["off"], drops(1.0)["off"])
    assert middle == pytest.approx(1.0, abs=0.05)


def test_double_counted_impact_deepens_the_fall_where_orders_have_no_limit() -> None:
    low, _, _ = ratio_of_medians(drops(1.0)["no limit, double impact"], drops(1.0)["no limit"])
    assert low > 1.1
    assert deeper(1.0, "no limit, double impact", "no limit")[0] > 0.5
    # Above tipping everything that can go goes, however the price got there.
    middle = ratio_of_medians(drops(0.5)["no limit, double impact"], drops(0.5)["no limit"])[1]
    assert middle == pytest.approx(1.0, abs=0.03)


def test_the_limit_at_the_bankruptcy_price_hides_double_counted_impact() -> None:
    """Below tipping it still shows; above, orders end at their limits and the fund takes the rest."""
    assert deeper(1.0, "double impact")[0] > 0.5
    assert ratio_of_medians(drops(0.5)["double impact"], drops(0.5)["as it is"])[1] < 1.05


def test_last_price_triggers_change_the_fall_without_a_fixed_sign() -> None:
    """The window of the mark delays liquidations, into a refilled book or one that has withdrawn."""
    here = drops(1.0)
    assert (here["last price"] != here["as it is"]).mean() > 0.8
    assert 0 < int((here["last price"] > here["as it is"]).sum()) < SEEDS
    low, _, high = ratio_of_medians(here["last price"], here["as it is"])
    assert low < 1.0 < high
    assert ratio_of_medians(drops(0.5)["last price"], drops(0.5)["as it is"])[1] == pytest.approx(
        1.0, abs=0.03
    )


def test_the_fast_layer_sees_it_coming() -> None:
    """Halving the depth doubles n and brings the tipping distance nearer, in every seed."""
    for seed in range(4):
        world = night_world(seed, markets=1, holders=HOLDERS)
        mark, unit = world.markets.start_fair_ticks[:1].copy(), world.markets.tick_lot_uusd[:1].copy()
        rows = world.role == HOLDER
        levels, lots = liquidation_levels(
            world.wallet[rows], world.size[rows], world.cost[rows], mark, unit, world.tiers, np.ones(1), 0
        )
        density = float(world.markets.bid_density[0])
        full, half = (summarise(levels, lots, density * depth) for depth in (1.0, 0.5))
        assert half.n_start == pytest.approx(2.0 * full.n_start)
        if full.tipping_distance is not None:
            assert half.tipping_distance is not None
            assert half.tipping_distance < full.tipping_distance
