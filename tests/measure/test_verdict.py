"""Does the band hold what a throttle hid, in a short version of `verify/throttle.py`?

Coverage itself is measured there, with a hundred draws a case; a dozen draws must not contradict it.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

from deleverage.measure.throttled.throttle import Rule
from verify import throttled_worlds
from verify.throttle import Answer, real, recordings, row_of, synthetic, waiting
from verify.throttled_worlds import SECOND, WORLDS, make

DRAWS = 12
# Were each draw covered with 85 %, fewer than 8 of 12 would be in one run of a hundred.
ENOUGH = 8

BY_NAME = {world.name: world for world in WORLDS}


def test_the_generator_does_not_know_the_estimator() -> None:
    assert "deleverage" not in inspect.getsource(throttled_worlds).replace("``deleverage``", "")


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_worlds_are_what_they_claim(world: throttled_worlds.World) -> None:
    feed = make(world, 600.0, np.random.default_rng(3))
    again = make(world, 600.0, np.random.default_rng(3))
    assert np.array_equal(feed.times_ns, again.times_ns) and np.array_equal(feed.usd, again.usd)
    assert (np.diff(feed.times_ns) >= 0).all() and (feed.usd > 0).all()
    assert feed.times_ns.size == 0 or (0 <= feed.times_ns[0] and feed.times_ns[-1] < 600 * SECOND)


@pytest.mark.slow
@pytest.mark.parametrize("taught", [False, True])
@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("busy, clusters of seconds", Rule.FIRST),
        ("busy, batches, Pareto sizes", Rule.LATEST),
        ("panic spells, batches", Rule.FIRST),
        ("busy, power-law clusters, batches", Rule.ANY),
    ],
)
def test_the_band_holds_the_truth(name: str, rule: Rule, taught: bool) -> None:
    for answers in synthetic(BY_NAME[name], rule, DRAWS, taught=taught):
        assert sum(answer.inside for answer in answers) >= ENOUGH


def test_the_truth_is_far_from_what_was_shown() -> None:
    # or a band about the published number would do
    counts, _ = synthetic(BY_NAME["cascade: several a second"], Rule.FIRST, 1, taught=False)
    assert counts[0].truth > 5 * counts[0].shown and counts[0].inside


def test_bursts_beyond_the_prior_are_missed_without_full_feeds_and_found_with_them() -> None:
    world = BY_NAME["hostile: batches of eight"]
    alone, _ = synthetic(world, Rule.FIRST, 3, taught=False)
    taught, _ = synthetic(world, Rule.FIRST, 3, taught=True)
    assert not any(answer.inside for answer in alone) and all(answer.truth > answer.high for answer in alone)
    assert all(answer.inside for answer in taught)


def test_a_row_counts_what_it_says() -> None:
    answers = [
        Answer(10, 5, 8, 12),
        Answer(10, 5, 11, 12),
        Answer(10, 5, 2, 9),
        Answer(10, 5, 5, float("inf")),
    ]
    row = row_of("case", "first", "prior", False, "number", answers)
    assert (row.covered, row.above, row.below, row.without_upper) == (2, 1, 1, 1)
    assert row.width == pytest.approx(1.5) and row.truth_by_shown == 2.0


@pytest.mark.slow
@pytest.mark.parametrize("rule", [Rule.FIRST, Rule.LATEST])
def test_real_events_one_in_ten_seconds(test_data: Path, rule: Rule) -> None:
    recorded = recordings(test_data)
    for answers in real(recorded, rule, 6, taught=False):
        assert sum(answer.inside for answer in answers) >= 4


def test_binances_stream_is_a_dead_time_of_a_second(test_data: Path) -> None:
    found = waiting(recordings(test_data))
    # a grid whose latest order is shown would have some two hundred waiting times below a second
    assert found["waiting_times"] > 3_000 and found["below_1_s"] < 10 < 100 < found["from_1_to_1.1_s"]
    assert found["shortest_s"] > 0.9
