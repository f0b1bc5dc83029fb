"""Acceptance 8: ten times as many accounts give the same medians, within what the draws can tell."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from deleverage.engine.setup import switched
from deleverage.engine.simulate import prepare_world, simulate
from deleverage.experiment.draws import draw_priors
from deleverage.experiment.scenario import Scenario
from deleverage.experiment.world import news_of, world_of
from deleverage.units import Floats

SEEDS = 32
FEW, MANY = 10_000, 100_000
DROP_CAUGHT = 0.03
"""A difference of medians that the comparison must be able to see [share of price]."""
MARKETS = ("BTC", "ETH", "SOL")


@lru_cache
def factual(accounts: int, **settings: float) -> Floats:
    """Drop of every market in every draw of the night up to 21:12, float64 [seeds, 3]."""
    changes: dict[str, object] = {key.replace("__", "."): value for key, value in settings.items()}
    scenario = Scenario.load("oct-10-binance").with_settings({"end": "2025-10-10T21:12:00Z"} | changes)
    drops = []
    for draw in draw_priors(scenario, 0, SEEDS, scenario.run.points):
        fixed = scenario.at(draw.values)
        world = world_of(fixed, 0, draw.number, accounts)
        params = switched(world.params, recount_every=600)
        run = simulate(prepare_world(world), news_of(fixed, world, 0, draw.number), params)
        start = run.tally.start_mid[:3]
        drops.append((start - run.tally.trough[:3]) / start)
    return np.array(drops)


def difference_of_medians(one: Floats, two: Floats) -> tuple[float, float]:
    """99 % interval of median(two) − median(one), by a bootstrap of the draws, which both share."""
    rng = np.random.Generator(np.random.PCG64(0))
    chosen = rng.integers(0, len(one), (4000, len(one)))
    differences = np.median(two[chosen], axis=1) - np.median(one[chosen], axis=1)
    low, high = np.quantile(differences, (0.005, 0.995))
    return float(low), float(high)


@pytest.mark.parametrize("market", MARKETS)
def test_ten_times_as_many_accounts_give_the_same_median_drop(market: str) -> None:
    k = MARKETS.index(market)
    low, high = difference_of_medians(factual(FEW)[:, k], factual(MANY)[:, k])
    assert low <= 0.0 <= high
    # Its power: half of the interval is what it takes to be seen.
    assert (high - low) / 2 < DROP_CAUGHT


@pytest.mark.parametrize("market", MARKETS)
def test_the_comparison_sees_another_market(market: str) -> None:
    k = MARKETS.index(market)
    low, high = difference_of_medians(factual(FEW)[:, k], factual(FEW, news__shock=0.06)[:, k])
    assert low > 0.0
    assert high > DROP_CAUGHT


def test_the_accounts_are_others_and_the_news_is_the_same() -> None:
    assert not np.array_equal(factual(FEW), factual(MANY))
    scenario = Scenario.load("oct-10-binance").with_settings({"end": "2025-10-10T20:59:00Z"}).fixed()
    few, many = (world_of(scenario, 0, 0, n) for n in (FEW, MANY))
    assert np.array_equal(news_of(scenario, few, 0, 0), news_of(scenario, many, 0, 0))
    assert np.array_equal(
        np.abs(few.size).sum(axis=0), np.abs(many.size).sum(axis=0)
    )  # open interest, to the lot
