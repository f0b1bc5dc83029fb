"""Does the throttle see exactly what a live detector sees?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deleverage.errors import InputError
from deleverage.measure.throttled.intensity import _more_than_one
from deleverage.measure.throttled.throttle import Rule, Throttle, cells_of, censor

SECOND = 1_000_000_000
TIMES = st.lists(st.integers(0, 30_000), min_size=1, max_size=200).map(sorted)


def ns(times_ms: list[int]) -> np.ndarray:
    return np.array(times_ms, dtype=np.int64) * 1_000_000


def test_first_shows_an_event_and_then_none_for_a_window() -> None:
    shown = censor(ns([0, 400, 999, 1000, 1500, 2600]), np.ones(6), Throttle(SECOND))
    assert shown.tolist() == [True, False, False, True, False, True]


def test_latest_and_largest_show_one_of_each_window_of_a_grid() -> None:
    times, sizes = ns([0, 400, 999, 1000, 1500, 2600]), np.array([1.0, 9.0, 2.0, 8.0, 3.0, 1.0])
    latest = censor(times, sizes, Throttle(SECOND, Rule.LATEST))
    largest = censor(times, sizes, Throttle(SECOND, Rule.LARGEST))
    assert latest.tolist() == [False, False, True, False, True, True]
    assert largest.tolist() == [False, True, False, True, False, True]
    half = censor(times, sizes, Throttle(SECOND, Rule.LATEST, phase_ns=SECOND // 2))
    assert half.tolist() == [False, True, False, True, True, True]


@given(TIMES)
def test_first_shows_nothing_within_a_window_and_hides_nothing_else(times_ms: list[int]) -> None:
    times = ns(times_ms)
    shown = censor(times, np.ones(times.size), Throttle(SECOND))
    assert (np.diff(times[shown]) >= SECOND).all()
    for hidden in times[~shown]:
        before = times[shown][times[shown] <= hidden]
        assert hidden - before[-1] < SECOND


@given(TIMES, st.sampled_from([Rule.FIRST, Rule.LATEST]), st.integers(0, 999))
@example([3_000, 3_000], Rule.LATEST, 0)  # both at the start of a window
def test_live_and_dead_time_fill_the_window_and_hidden_events_lie_in_dead_time(
    times_ms: list[int], rule: Rule, phase_ms: int
) -> None:
    times = ns(times_ms)
    throttle = Throttle(SECOND, rule, resolution_ns=1, phase_ns=phase_ms * 1_000_000)
    shown = censor(times, np.ones(times.size), throttle)
    cells = cells_of(times[shown], np.zeros(int(shown.sum()), dtype=np.int64), throttle, 0, 32 * SECOND)
    assert cells.live + cells.dead == pytest.approx(np.ones(cells.live.size), abs=1e-8)
    assert cells.events.sum() == shown.sum()
    origin = 0 if rule is Rule.FIRST else (0 - phase_ms * 1_000_000) // SECOND * SECOND + phase_ms * 1_000_000
    place = (times[~shown] - origin) // SECOND
    assert (cells.dead[place] > 0).all()


@pytest.mark.parametrize("rule", [Rule.LARGEST, Rule.ANY])
def test_without_a_place_an_occupied_window_is_dead(rule: Rule) -> None:
    cells = cells_of(ns([100, 2500]), np.array([0, 1]), Throttle(SECOND, rule), 0, 4 * SECOND)
    assert cells.dead.tolist() == [1.0, 0.0, 1.0, 0.0]
    assert cells.events.tolist() == [[1, 0], [0, 0], [0, 1], [0, 0]]


def test_an_event_before_the_start_makes_the_start_dead() -> None:
    throttle = Throttle(SECOND)
    cells = cells_of(ns([9_700, 10_900]), np.array([0, 0]), throttle, 10 * SECOND, 12 * SECOND)
    assert cells.dead == pytest.approx([0.8, 0.9])  # 10.0-10.7 and 10.9-11.0; 11.0-11.9
    assert cells.place.tolist() == [-1, 0]


def test_events_closer_than_the_window_cut_the_dead_time_short() -> None:
    # a venue that is early by 20 ms: the second event ends the first dead time
    cells = cells_of(ns([0, 980]), np.array([0, 0]), Throttle(SECOND), 0, 3 * SECOND)
    assert cells.dead == pytest.approx([1.0, 0.98, 0.0])


def test_a_window_without_length_is_refused() -> None:
    with pytest.raises(InputError, match="window > 0"):
        Throttle(0)
    with pytest.raises(InputError, match="resolution"):
        Throttle(SECOND, resolution_ns=2 * SECOND)


@given(st.floats(0.0, 50.0))
def test_bursts_beyond_the_first_are_never_fewer_than_none(mu: float) -> None:
    extra = float(_more_than_one(np.array([mu]))[0])
    assert extra >= 0.0
    assert extra == pytest.approx(mu / 2 if mu < 1e-5 else mu / (1 - np.exp(-mu)) - 1, rel=1e-5, abs=1e-12)


@pytest.mark.parametrize("mu", [0.0, 1e-300, 1e-17, 1e-13, 9.9e-6, 1.01e-5, 1e-3])
def test_a_rate_of_almost_nothing_hides_almost_nothing(mu: float) -> None:
    assert 0.0 <= float(_more_than_one(np.array([mu]))[0]) <= mu
