"""Do the scores have the values of their definitions, and their intervals the width of dependent days?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deleverage.errors import InputError
from deleverage.measure.scoring import (
    block_sums,
    brier,
    crps_normal,
    crps_sample,
    log_loss,
    mean_interval,
    reliability,
    skill,
    skill_interval,
)
from deleverage.units import Floats
from verify.scoring import verdicts


def stream(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def floats(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)


def test_ps_1_holds() -> None:
    found = verdicts()
    assert [row.id for row in found if not row.holds] == []
    assert {row.expected for row in found} >= {0.0, 0.233695, 0.35 * 0.65}


def test_brier_and_log_loss_by_hand() -> None:
    p, y = floats(0.8, 0.3), floats(1, 1)
    assert brier(p, y) == pytest.approx([0.04, 0.49])
    assert log_loss(p, y) == pytest.approx([-math.log(0.8), -math.log(0.3)])
    assert log_loss(floats(1.0, 0.0, 0.0), floats(1, 0, 1)).tolist() == [0.0, 0.0, math.inf]


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_the_honest_probability_is_the_best_in_expectation(p: float, said: float) -> None:
    both = floats(1, 0)
    for score in (brier, log_loss):
        honest = score(floats(p, p), both) @ floats(p, 1 - p)
        assert score(floats(said, said), both) @ floats(p, 1 - p) >= honest - 1e-12


def test_crps_of_a_point_is_the_absolute_error_and_a_sample_nears_the_normal() -> None:
    assert crps_sample(floats(3.0), 5.0) == 2.0
    # E|X − y| = (1 + 3)/2 = 2, ½E|X − X′| = ½·(2/2) = 0.5
    assert crps_sample(floats(1.0, 3.0), 0.0) == pytest.approx(1.5)
    draws = 2.0 + 3.0 * stream().standard_normal(40_000)
    assert crps_sample(draws, 1.0) == pytest.approx(float(crps_normal(2.0, 3.0, 1.0)), abs=0.02)


def test_skill_of_a_perfect_forecast_is_one_and_of_no_reference_none() -> None:
    assert skill(floats(0, 0), floats(0.25, 0.25)) == 1.0
    assert skill(floats(0.5), floats(0.25)) == -1.0
    assert math.isnan(skill(floats(0.1), floats(0.0))) and math.isnan(skill(floats(), floats()))


def test_blocks_of_the_whole_series_leave_nothing_to_chance() -> None:
    values = np.arange(10.0)
    drawn = block_sums(values[:, None], stream(), block=10, draws=50)
    assert drawn == pytest.approx(np.full((50, 1), 45.0))  # every block is all days, turned round


def test_each_day_is_drawn_as_often() -> None:
    days = np.eye(7)
    assert block_sums(days, stream(), block=3, draws=20_000).mean(axis=0) == pytest.approx(
        np.full(7, 9 / 7), rel=0.03
    )


def test_days_that_hang_together_widen_the_interval() -> None:
    months = np.repeat(stream(2).standard_normal(60), 30)
    narrow = mean_interval(months, stream(), block=1)
    wide = mean_interval(months, stream(), block=90)
    # 60 months: standard error 1/√60 = 0.13; taken for 1,800 days it would be 0.024
    assert wide.high - wide.low > 4 * (narrow.high - narrow.low)
    assert wide.high - wide.low == pytest.approx(2 * 1.645 * months.std() / math.sqrt(60), rel=0.25)


def test_skill_without_skill_has_an_interval_about_zero() -> None:
    y = (stream(4).random(3000) < 0.4).astype(np.float64)
    noise = np.clip(0.4 + 0.05 * stream(5).standard_normal(3000), 0, 1)
    found = skill_interval(brier(noise, y), brier(np.full(3000, 0.4), y), stream(), block=30)
    assert found.low < 0.0 and found.value < 0.01
    again = skill_interval(brier(noise, y), brier(np.full(3000, 0.4), y), stream(), block=30)
    assert found == again


def test_reliability_of_an_honest_forecaster_lies_on_the_diagonal() -> None:
    p = stream(6).random(20_000)
    y = (stream(7).random(20_000) < p).astype(np.float64)
    bins = reliability(p, y, stream(), block=30, bins=4)
    assert [round(one.forecast, 1) for one in bins] == [0.1, 0.4, 0.6, 0.9]
    assert sum(one.days for one in bins) == 20_000
    for one in bins:
        assert one.observed.low <= one.observed.value <= one.observed.high
        assert one.observed.value == pytest.approx(one.forecast, abs=0.03)


def test_empty_bins_are_absent_and_one_belongs_to_the_last() -> None:
    bins = reliability(floats(1.0, 0.95), floats(1, 0), stream(), block=1, bins=5)
    assert [(one.days, one.observed.value) for one in bins] == [(2, 0.5)]


@pytest.mark.parametrize(
    ("p", "y"),
    [([1.2], [1.0]), ([0.5], [0.5]), ([math.nan], [1.0]), ([0.5, 0.5], [1.0]), ([0.5], [math.nan])],
)
def test_what_is_no_probability_or_no_outcome_is_refused(p: list[float], y: list[float]) -> None:
    with pytest.raises(InputError, match="probabilities"):
        brier(np.array(p), np.array(y))


def test_a_forecast_without_spread_and_a_bootstrap_of_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="spread"):
        crps_normal(0.0, 0.0, 1.0)
    with pytest.raises(InputError, match="days"):
        mean_interval(floats(), stream(), block=30)
    with pytest.raises(InputError, match="draws"):
        crps_sample(floats(math.nan), 0.0)
