"""Do the laws of the largest drawdown hang together?"""

from __future__ import annotations

import math

import pytest

from deleverage.measure.drawdown.brownian import expected, log_depth, probability, quantile


def test_without_drift_the_law_is_that_of_the_largest_absolute_value() -> None:
    # P(sup|B| ≥ h) = 4 (1 − Φ(h)) − 4 (1 − Φ(3h)) + ...
    for h in (1.0, 1.5, 2.5, 4.0):
        tails = [2 * math.erfc(k * h / math.sqrt(2)) * (-1) ** (k // 2) for k in (1, 3, 5)]
        assert probability(h, 1.0, 1.0) == pytest.approx(sum(tails), abs=1e-10)
    assert expected(1.0, 1.0) == pytest.approx(math.sqrt(math.pi / 2), abs=1e-6)


def test_only_depth_over_volatility_root_time_counts() -> None:
    assert probability(0.3, 0.5, 0.25) == pytest.approx(probability(1.2, 1.0, 1.0), abs=1e-12)
    assert expected(0.5, 0.25) == pytest.approx(0.25 * expected(1.0, 1.0))
    assert probability(0.3, 0.5, 0.25, 0.4) == pytest.approx(probability(1.2, 1.0, 1.0, 0.4), abs=1e-12)


def test_deeper_is_rarer_and_a_rising_price_falls_less() -> None:
    depths = [0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 9.0]
    for drift in (-2.0, -1.0, 0.0, 1.0, 2.0, 6.0):
        chances = [probability(h, 1.0, 1.0, drift) for h in depths]
        assert chances == sorted(chances, reverse=True) and 0.0 <= chances[-1] < 1e-9
    slopes = [probability(1.5, 1.0, 1.0, drift) for drift in (-2.0, -1.0, 0.0, 1 / 1.5, 1.0, 3.0)]
    assert slopes == sorted(slopes, reverse=True)


def test_the_law_is_smooth_where_the_first_eigenvalue_changes_its_kind() -> None:
    for h in (0.5, 1.0, 2.0):
        below, at, above = (probability(h, 1.0, 1.0, 1 / h + e) for e in (-1e-4, 0.0, 1e-4))
        assert below > at > above and below - 2 * at + above == pytest.approx(0.0, abs=1e-7)


def test_quantile_turns_the_law_around() -> None:
    for level in (0.05, 0.5, 0.99):
        for drift in (-1.0, 0.0, 1.0):
            assert probability(quantile(level, 0.5, 0.3, drift), 0.5, 0.3, drift) == pytest.approx(1 - level)


def test_points_show_less_than_the_path() -> None:
    assert probability(1.0, 1.0, 1.0, samples=40) < probability(1.0, 1.0, 1.0)
    assert expected(1.0, 1.0, samples=250) == pytest.approx(1.2533 - 2 * 0.5826 / math.sqrt(250), abs=1e-4)


def test_what_has_no_sense_is_refused() -> None:
    assert probability(0.0, 1.0, 1.0) == 1.0
    assert log_depth(-0.3) == log_depth(0.3) == pytest.approx(0.356675)
    for bad in (0.0, 1.0, -1.5, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            log_depth(bad)
    with pytest.raises(ValueError, match="a level"):
        quantile(1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="a drift"):
        probability(1.0, 1.0, 1.0, -4.0)
