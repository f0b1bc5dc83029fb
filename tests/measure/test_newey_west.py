"""Is the slope that of least squares, and does its interval hold errors that hang together?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from deleverage.measure.outflows.newey_west import slope


def test_slope_and_r2_are_those_of_least_squares() -> None:
    draws = np.random.Generator(np.random.PCG64(1))
    x = draws.normal(size=80)
    y = 3 - 2 * x + draws.normal(size=80)
    found = slope(x, y)
    theirs = stats.linregress(x, y)
    assert found is not None
    assert found.value == pytest.approx(theirs.slope)
    assert found.r2 == pytest.approx(theirs.rvalue**2)


def test_variance_by_hand() -> None:
    # n = 10: L = ⌊4·0.1^(2/9)⌋ = 2, weights 2/3 and 1/3
    x = np.array([0.0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    y = np.array([0.0, 2, 1, 3, 5, 4, 6, 8, 7, 9])
    found = slope(x, y, level=0.9)
    assert found is not None and found.lags == 2
    dx = x - 4.5
    errors = y - y.mean() - found.value * dx
    u = dx * errors
    s = (u * u).sum() + 2 * (2 / 3) * (u[1:] * u[:-1]).sum() + 2 * (1 / 3) * (u[2:] * u[:-2]).sum()
    half = stats.t.ppf(0.95, 8) * math.sqrt(s * 10 / 8) / 82.5
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half))


def test_interval_covers_a_slope_of_zero_as_often_as_it_says_when_errors_persist() -> None:
    draws = np.random.Generator(np.random.PCG64(5))
    inside = 0
    for _ in range(400):
        x, e = draws.normal(size=(2, 300))
        for k in range(1, 300):
            x[k] += 0.6 * x[k - 1]
            e[k] += 0.6 * e[k - 1]
        found = slope(x, e)
        assert found is not None
        inside += found.low <= 0 <= found.high
    # nominal 90 %; iid errors would hold it in about 74 %; a short kernel stays some points below 90
    assert 0.82 <= inside / 400 <= 0.93


def test_pairs_with_a_hole_are_left_out_and_a_constant_has_no_slope() -> None:
    x = np.arange(12.0)
    y = np.where(x == 3, np.nan, 2 * x)
    found = slope(x, y)
    assert found is not None and found.n == 11 and found.value == pytest.approx(2)
    assert slope(np.ones(50), np.arange(50.0)) is None
    assert slope(x[:9], x[:9]) is None
