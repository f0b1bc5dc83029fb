"""Are figures judged by the rules of `docs/claims.md`, also where they stand exactly on an edge?"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deleverage.claims.verdict import (
    HOLDS,
    SAME_ORDER,
    Comparison,
    Judged,
    Stated,
    Verdict,
    combine,
    follows,
    judge,
    one_count,
)

TRUE, ROUNDED = Judged(Verdict.TRUE), Judged(Verdict.ROUNDED)
UNKNOWN = Judged(Verdict.NOT_KNOWABLE)
FALL = Stated(-0.30, tolerance=0.015, rounding=0.005)
numbers = st.floats(-1e12, 1e12).filter(lambda value: value == 0 or abs(value) > 1e-6)
comparisons = st.sampled_from(list(Comparison))


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (-0.30, Verdict.TRUE),
        (-0.305, Verdict.TRUE),  # exactly on the rounding, 0.005 in binary or not
        (-0.295, Verdict.TRUE),
        (-0.3051, Verdict.ROUNDED),
        (-0.315, Verdict.ROUNDED),  # exactly on the tolerance
        (-0.285, Verdict.ROUNDED),
        (-0.2849, Verdict.OVERSTATED),
        (-0.3151, Verdict.UNDERSTATED),
        (-0.075, Verdict.OVERSTATED),  # a fourth of it is the last of the same order
        (-0.0749, Verdict.FALSE),
        (0.01, Verdict.FALSE),
        (0.0, Verdict.FALSE),
    ],
)
def test_a_fall_of_30_percent_beside_measured_falls(measured: float, verdict: Verdict) -> None:
    assert judge(FALL, measured).verdict is verdict


def test_what_is_off_is_off_by_the_difference() -> None:
    # 30 % stated, 25.3 % measured: 4.7 points too much
    found = judge(FALL, -0.253)
    assert found.verdict is Verdict.OVERSTATED
    assert found.off_by == pytest.approx(0.047)


@pytest.mark.parametrize("measured", [None, math.nan, math.inf])
@pytest.mark.parametrize("comparison", list(Comparison))
def test_nothing_measured_is_not_knowable_and_never_false(
    measured: float | None, comparison: Comparison
) -> None:
    assert judge(Stated(0.0, comparison), measured) == UNKNOWN


@pytest.mark.parametrize(
    ("comparison", "measured", "verdict"),
    [
        (Comparison.AT_LEAST, 20_000, Verdict.TRUE),
        (Comparison.AT_LEAST, 1e9, Verdict.TRUE),
        (Comparison.AT_LEAST, 19_000, Verdict.ROUNDED),
        (Comparison.AT_LEAST, 18_999, Verdict.OVERSTATED),
        (Comparison.AT_LEAST, 4_999, Verdict.FALSE),
        (Comparison.AT_MOST, -3, Verdict.TRUE),
        (Comparison.AT_MOST, 21_000, Verdict.ROUNDED),
        (Comparison.AT_MOST, 22_000, Verdict.UNDERSTATED),
        (Comparison.AT_MOST, 80_001, Verdict.FALSE),
    ],
)
def test_bounds_hold_on_one_side_only(comparison: Comparison, measured: float, verdict: Verdict) -> None:
    assert judge(Stated(20_000, comparison, tolerance=1_000), measured).verdict is verdict


def test_an_interval_across_a_bound_decides_nothing_on_either_side() -> None:
    half = Stated(0.5, Comparison.AT_LEAST)
    assert judge(half, 0.45, 0.30, 0.59) == UNKNOWN
    assert judge(half, 0.55, 0.30, 0.59) == UNKNOWN
    assert judge(half, 0.55, 0.50, 0.59) == TRUE
    assert judge(half, 0.40, 0.30, 0.49).verdict is Verdict.OVERSTATED


def test_an_interval_that_holds_the_stated_figure_does_not_let_it_fail() -> None:
    assert judge(FALL, -0.25, -0.31, -0.20) == UNKNOWN
    assert judge(FALL, -0.25, -0.27, -0.23).verdict is Verdict.OVERSTATED
    # wider than the tolerance on both sides, the stated figure inside
    assert judge(Stated(10.0), 20.0, 5.0, 30.0) == UNKNOWN


def test_a_figure_that_is_met_stands_unless_an_end_of_its_interval_is_another_figure() -> None:
    assert judge(FALL, -0.30, -0.35, -0.25) == TRUE
    assert judge(FALL, -0.30, -0.70, 0.10) == UNKNOWN


def test_a_date_is_met_or_false_since_it_has_no_size() -> None:
    february = Stated(20_133.0, tolerance=14, rounding=14, is_date=True)
    assert judge(february, 20_147.0) == TRUE
    assert judge(february, 20_148.0) == Judged(Verdict.FALSE, 15.0)


@given(numbers, numbers, comparisons, st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_wider_tolerance_never_makes_a_claim_worse(
    stated: float, measured: float, comparison: Comparison, tolerance: float, more: float
) -> None:
    narrow = judge(Stated(stated, comparison, tolerance), measured)
    wide = judge(Stated(stated, comparison, tolerance + more), measured)
    assert narrow.verdict not in HOLDS or wide.verdict in HOLDS


@given(numbers, numbers)
def test_the_sign_of_both_changes_nothing(stated: float, measured: float) -> None:
    assert judge(Stated(stated), measured) == judge(Stated(-stated), -measured)


@given(numbers, numbers, comparisons)
def test_an_interval_of_one_point_is_that_point(
    stated: float, measured: float, comparison: Comparison
) -> None:
    claim = Stated(stated, comparison)
    assert judge(claim, measured, measured, measured) == judge(claim, measured)


@given(st.floats(0.01, 1e9), st.floats(0.1, 10))
def test_the_same_order_is_a_factor_either_way(stated: float, factor: float) -> None:
    verdict = judge(Stated(stated), stated * factor).verdict
    if factor > SAME_ORDER * 1.001 or factor * SAME_ORDER < 0.999:
        assert verdict is Verdict.FALSE
    elif 0.26 < factor < 0.99:
        assert verdict is Verdict.OVERSTATED
    elif 1.01 < factor < 3.99:
        assert verdict is Verdict.UNDERSTATED


def test_a_claim_of_several_figures_is_as_good_as_its_worst() -> None:
    over, false = Judged(Verdict.OVERSTATED, 3.0), Judged(Verdict.FALSE, 9.0)
    assert combine([TRUE, TRUE]) == TRUE
    assert combine([TRUE, ROUNDED]) == ROUNDED
    assert combine([ROUNDED, UNKNOWN]) == UNKNOWN
    assert combine([over, false]) == over
    assert combine([false, false]) == false
    assert combine([false, UNKNOWN]) == false
    with pytest.raises(ValueError, match="at least one"):
        combine([])


def test_where_a_part_holds_the_claim_is_overstated_and_not_false() -> None:
    assert combine([TRUE, Judged(Verdict.FALSE, 9.0)]) == Judged(Verdict.OVERSTATED)


def test_a_vendors_figure_is_its_count_until_somebody_else_comes_to_the_same() -> None:
    other = Judged(Verdict.OVERSTATED, 1.0)
    assert one_count(TRUE, []).verdict is Verdict.ONE_COUNT
    assert one_count(TRUE, [other]).verdict is Verdict.ONE_COUNT
    assert one_count(ROUNDED, [other, TRUE]) == ROUNDED
    assert one_count(UNKNOWN, []).verdict is Verdict.ONE_COUNT
    assert one_count(other, [TRUE]) == other  # the vendor did not say that


def test_arithmetic_is_as_good_as_what_it_is_made_of() -> None:
    a_day = Stated(27e9, tolerance=1e9, rounding=0.5e9)
    computed = 1.1e12 / 41  # 26.8 bn
    assert follows(a_day, computed, [Verdict.NOT_KNOWABLE, Verdict.TRUE]).verdict is Verdict.ARITHMETIC
    assert follows(a_day, computed, [Verdict.TRUE, Verdict.ROUNDED]) == TRUE
    assert follows(a_day, 20e9, [Verdict.TRUE, Verdict.TRUE]).verdict is Verdict.OVERSTATED
    assert follows(a_day, None, [Verdict.TRUE]) == UNKNOWN
