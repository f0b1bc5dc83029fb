"""Is the answer right where it is known beforehand: no impact, no leverage, or both and no effect?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deleverage.engine.simulate import prepare_world, simulate
from tests.science.worlds import (
    NIGHT_HOLDERS,
    drop,
    everything_off,
    night_news,
    night_world,
    prepared_night,
    run_off,
    run_on,
)

BYSTANDER_SHOCK = 0.13


def test_without_impact_the_path_is_the_news_to_the_tick() -> None:
    prepared = prepared_night(1, depth=1e9, steps=600)
    path = night_news(prepared.world, 1, BYSTANDER_SHOCK)
    for params in (prepared.world.params, everything_off(prepared.world.params)):
        run = simulate(prepared, path, params, record_path=True)
        assert np.array_equal(run.path, path)
    # It was not for want of liquidations.
    assert run_on(prepared, path).tally.forced_uusd.sum() / 1e6 >= 1e9


def test_a_bystander_is_not_blamed() -> None:
    """Liquidations of more than a billion, in books a thousand times as deep: the news did it."""
    on, off, liquidated = [], [], []
    for seed in range(4):
        prepared = prepared_night(seed, depth=1_000.0)
        path = night_news(prepared.world, seed, BYSTANDER_SHOCK)
        factual = run_on(prepared, path)
        on.append(drop(factual))
        off.append(drop(run_off(prepared, path)))
        liquidated.append(factual.tally.forced_uusd.sum() / 1e6)
    assert min(liquidated) >= 1e9
    mechanical = 1.0 - np.mean(off, axis=0) / np.mean(on, axis=0)
    assert (mechanical <= 0.02).all()
    assert (mechanical >= -0.001).all()


def test_without_leverage_liquidations_and_adl_change_nothing() -> None:
    unlevered = replace(NIGHT_HOLDERS, max_leverage=1.0, mixed_side_share=0.0)
    for seed in range(2):
        prepared = prepare_world(night_world(seed, holders=unlevered))
        path = night_news(prepared.world, seed, BYSTANDER_SHOCK)
        run = run_on(prepared, path)
        assert run.tally.fired_liquidations == run.tally.fired_adl == 0
        assert run.tally.accounts_forced.sum() == 0
        for switches in ({"liquidations": 1.0}, {"liquidations": 2.0}, {"adl": 0.0}):
            assert run_on(prepared, path, **switches).bars.tobytes() == run.bars.tobytes()


def test_no_news_no_liquidations() -> None:
    prepared = prepared_night(2, steps=300)
    start = prepared.world.markets.start_fair_ticks[:3]
    run = run_on(prepared, np.tile(start, (300, 1)))
    assert run.tally.accounts_forced.sum() == 0
    assert drop(run) == pytest.approx(0.0, abs=1e-4)
