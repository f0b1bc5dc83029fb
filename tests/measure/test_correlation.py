"""Do intervals, tests and breaks of correlations say what they should?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar  # type: ignore[import-untyped,unused-ignore]

from deleverage.measure.decoupling.breaks import cost, find_breaks, scaled
from deleverage.measure.decoupling.correlation import (
    correlate,
    difference,
    effective_count,
    fisher_interval,
    forbes_rigobon,
)
from deleverage.measure.drawdown.bootstrap import Floats, stream


def pairs(count: int, rho: float, name: str = "t") -> tuple[Floats, Floats]:
    a, b = stream(name).standard_normal((2, count))
    return a, rho * a + math.sqrt(1 - rho * rho) * b


def test_a_correlation_by_hand() -> None:
    found = correlate(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 4.0]))
    assert found is not None and found.r == pytest.approx(0.8) and found.count == 4
    assert correlate(np.ones(9), np.arange(9.0)) is None and correlate(np.arange(3.0), np.arange(3.0)) is None


def test_an_interval_needs_more_than_three_pairs_and_no_line() -> None:
    assert fisher_interval(0.5, 3.0) is None and fisher_interval(1.0, 30) is None
    low, high = fisher_interval(0.5, 30) or (0, 0)
    assert (low, high) == pytest.approx((0.170, 0.729), abs=1e-3)
    wide = fisher_interval(0.5, 30, 0.99) or (0, 0)
    assert wide[0] < low and high < wide[1]


def test_returns_that_remember_count_less_and_never_more() -> None:
    draw = stream("memory")
    a = np.cumsum(draw.standard_normal(200)) * 0.3 + draw.standard_normal(200)
    assert effective_count(a, a) < 100
    alternating = np.where(np.arange(200) % 2, 1.0, -1.0) + 0.1 * draw.standard_normal(200)
    assert effective_count(alternating, -alternating) <= 200
    x, y = pairs(200, 0.3)
    assert effective_count(x, y) > 150


def test_a_difference_is_zero_between_equals_and_turns_its_sign() -> None:
    same = difference(0.3, 50, 0.3, 80)
    assert same is not None and same.z == 0.0 and same.p == pytest.approx(1.0) and same.low < 0 < same.high
    one, other = difference(0.1, 30, 0.5, 30), difference(0.5, 30, 0.1, 30)
    assert one is not None and other is not None
    assert one.value == pytest.approx(0.4) and one.z == pytest.approx(-other.z) and one.p == other.p
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert difference(0.1, 3, 0.5, 30) is None


def test_forbes_rigobon_takes_the_growth_of_variance_out() -> None:
    assert forbes_rigobon(0.5, 0.0) == 0.5 and forbes_rigobon(-1.0, 3.0) == -1.0
    assert forbes_rigobon(0.5, 3.0) < 0.5 < forbes_rigobon(0.5, -0.5)
    # y = x + e with var x = 1: ρ² = 1/2; with var x = 4: 4/5. The correction brings the second to the first
    assert forbes_rigobon(math.sqrt(0.8), 3.0) == pytest.approx(math.sqrt(0.5))
    with pytest.raises(ValueError, match="above -1"):
        forbes_rigobon(0.5, -1.0)


def test_the_cost_of_a_stretch_is_the_least_over_the_correlation() -> None:
    for count, squares, products in ((50, 100.0, 20.0), (30, 50.0, -20.0), (40, 90.0, 0.5), (25, 70.0, 30.0)):

        def at(rho: float, n: int = count, s: float = squares, p: float = products) -> float:
            return n * math.log(1 - rho * rho) + (s - 2 * rho * p) / (1 - rho * rho)

        least = minimize_scalar(at, bounds=(-0.98, 0.98), method="bounded").fun
        assert cost(count, squares, products) == pytest.approx(float(least), abs=1e-4)


def test_a_break_is_found_and_one_that_is_not_there_is_not() -> None:
    x, y = pairs(240, 0.7)
    assert find_breaks(x, y) == []
    turned = np.concatenate((y[:120], -y[120:]))
    at = find_breaks(x, turned)
    assert len(at) == 1 and abs(at[0] - 120) <= 10
    assert find_breaks(x[:39], turned[:39]) == []


def test_a_wild_stretch_alone_is_no_break() -> None:
    x, y = pairs(240, 0.2, "wild")
    size = np.where((np.arange(240) > 100) & (np.arange(240) < 140), 6.0, 1.0)
    assert find_breaks(x * size, y * size) == []
    assert np.abs(scaled(x * size)).max() < 3.5
