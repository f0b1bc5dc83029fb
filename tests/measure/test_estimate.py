"""Does the estimate of one stream find rates that are known, and say where it cannot?"""

from __future__ import annotations

import numpy as np
import pytest

from deleverage.measure.throttled.bursts import (
    PRIOR,
    Bursts,
    Stretch,
    burst_events,
    common_draws,
    learn,
    mean_bursts,
)
from deleverage.measure.throttled.censoring import DRAWS, Stream, Totals, band, estimate, learn_bursts
from deleverage.measure.throttled.sizes import LARGEST, sum_of_hidden, unseen_below
from deleverage.measure.throttled.throttle import Rule, Throttle, censor

SECOND = 1_000_000_000
SINGLE = Bursts(np.linspace(-9.0, 6.0, 61), np.zeros(61), 1e-6)
"""As if full feeds had shown bursts of one event, whatever the rate."""


def poisson(rate: float, seconds: float, seed: int) -> Stream:
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, int(seconds * 1000), rng.poisson(rate * seconds))) * 1_000_000
    usd = 1000.0 * np.exp(rng.standard_normal(times.size))
    return Stream(times, (rng.random(times.size) < 0.3).astype(np.int64), usd, usd / 50.0)


def totals(
    full: Stream, throttle: Throttle, end_s: float, *, bursts: Bursts = SINGLE, seed: int = 1
) -> Totals:
    thin = full.only(censor(full.times_ns, full.usd, throttle))
    rng = np.random.default_rng(seed)
    return estimate(thin, throttle, 0, int(end_s * SECOND), rng, common_draws(rng, DRAWS), bursts=bursts)


@pytest.mark.parametrize("rule", [Rule.FIRST, Rule.LATEST])
@pytest.mark.parametrize("rate", [0.1, 1.0, 20.0])
def test_a_constant_rate_is_found_however_full_the_windows(rule: Rule, rate: float) -> None:
    full = poisson(rate, 1800.0, 3)
    found = totals(full, Throttle(SECOND, rule), 1800.0)
    plain = found.plain.sum(axis=1)
    assert np.median(plain) == pytest.approx(full.times_ns.size, rel=0.12)
    assert np.quantile(plain, 0.005) < full.times_ns.size < np.quantile(plain, 0.995)
    assert found.upper


@pytest.mark.parametrize("rule", [Rule.LARGEST, Rule.ANY])
def test_without_a_place_the_share_of_empty_windows_tells(rule: Rule) -> None:
    full = poisson(0.5, 1800.0, 4)
    plain = totals(full, Throttle(SECOND, rule), 1800.0).plain.sum(axis=1)
    assert np.median(plain) == pytest.approx(full.times_ns.size, rel=0.12)


@pytest.mark.parametrize("rule", [Rule.LARGEST, Rule.ANY])
def test_without_empty_windows_there_is_a_lower_end_only(rule: Rule) -> None:
    full = poisson(30.0, 600.0, 5)
    found = totals(full, Throttle(SECOND, rule), 600.0)
    assert found.occupied == 1.0 and not found.upper
    ends = band(found.count.sum(axis=1), found.plain.sum(axis=1), 600.0, learnt=True, upper=found.upper)
    assert ends == (600.0, None, None)


def test_waiting_times_below_the_resolution_bound_nothing() -> None:
    full = poisson(200.0, 120.0, 6)
    assert not totals(full, Throttle(SECOND, Rule.FIRST, resolution_ns=100_000_000), 120.0).upper
    assert totals(full, Throttle(SECOND, Rule.FIRST, resolution_ns=1_000_000), 120.0).upper


def test_sides_share_the_hidden_ones_as_they_share_the_shown() -> None:
    full = poisson(3.0, 1800.0, 7)
    found = np.median(totals(full, Throttle(SECOND), 1800.0).plain, axis=0)
    assert found[1] / found.sum() == pytest.approx(0.3, abs=0.04)


def test_nothing_shown_is_nothing_hidden() -> None:
    empty = Stream(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0))
    found = totals(empty, Throttle(SECOND), 600.0)
    assert not found.count.any() and not found.usd.any() and found.occupied == 0.0


def test_what_comes_after_the_end_changes_nothing() -> None:
    full = poisson(1.0, 1800.0, 8)
    early = full.only(full.times_ns < 900 * SECOND)
    one, other = (totals(stream, Throttle(SECOND), 900.0) for stream in (full, early))
    assert np.array_equal(one.count, other.count) and np.array_equal(one.usd, other.usd)


def test_a_lone_event_hides_little() -> None:
    lone = Stream(np.array([300 * SECOND]), np.array([0]), np.array([500.0]), np.array([5.0]))
    found = totals(lone, Throttle(SECOND), 600.0)
    assert np.mean(found.plain.sum(axis=1) == 1) > 0.9
    assert (found.usd.sum(axis=1) >= 500.0).all()


# --- bursts ------------------------------------------------------------------------------------------------


def test_bursts_are_learnt_from_a_full_feed() -> None:
    rng = np.random.default_rng(9)
    roots = np.sort(rng.random(4000) * 40_000.0)
    times = np.repeat((roots * 1000).astype(np.int64) * 1_000_000, 3)  # three at the same millisecond
    full = Stream(times, np.zeros(times.size, np.int64), np.ones(times.size), np.ones(times.size))
    throttle = Throttle(SECOND)
    stretches = learn_bursts([full], throttle, 0, 40_000 * SECOND, 1_000 * SECOND, rng)
    found = learn(stretches)
    assert found.learnt
    assert np.median(found.excess) == pytest.approx(np.log(3.0), abs=0.05)
    mean = mean_bursts(found, 0.1, common_draws(rng, 2000), rng)
    assert np.median(mean) == pytest.approx(3.0, rel=0.05)
    assert 1.5 < np.quantile(mean, 0.95) / np.quantile(mean, 0.05) < 2.6  # venues differ, streams differ


def test_far_from_what_was_learnt_the_prior_comes_back() -> None:
    rng = np.random.default_rng(10)
    pairs = Bursts(np.linspace(-3.0, -2.0, 30), np.full(30, np.log(3.0)), 0.1)
    common = common_draws(rng, 4000)
    near, far = (mean_bursts(pairs, np.exp(x), common, rng) for x in (-2.5, 4.0))
    prior = mean_bursts(PRIOR, 1.0, common, rng)
    assert np.median(near) == pytest.approx(3.0, rel=0.05)
    assert np.median(far) == pytest.approx(np.median(prior), rel=0.1)


def test_too_few_events_teach_nothing() -> None:
    assert learn([Stretch(0.01, 5, 5.0, 0.1, 9)]) is PRIOR
    assert learn([]) is PRIOR


def test_a_burst_has_at_least_one_event_and_none_has_none() -> None:
    rng = np.random.default_rng(11)
    bursts = np.array([0.0, 5.0, 400.0])
    events = np.array([burst_events(bursts, np.full(3, 2.0), rng) for _ in range(500)])
    assert (events[:, 0] == 0).all() and (events[:, 1] >= 5).all()
    assert events[:, 2].mean() == pytest.approx(800.0, rel=0.03)


def test_without_full_feeds_the_lower_end_supposes_one_event_each() -> None:
    draws, plain = np.linspace(150.0, 400.0, 401), np.linspace(100.0, 120.0, 401)
    alone = band(draws, plain, 90.0, learnt=False, upper=True)
    assert alone.low == pytest.approx(101.0) and alone.high == pytest.approx(387.5)
    assert band(draws, plain, 90.0, learnt=True, upper=True).low == pytest.approx(162.5)


# --- sizes -------------------------------------------------------------------------------------------------


def test_sums_of_hidden_sizes_have_the_mean_of_the_shown() -> None:
    rng = np.random.default_rng(12)
    pool = rng.uniform(50.0, 150.0, 300)
    even = np.full(300, 1 / 300)
    for count in (40, 5_000):  # one by one, and by multiplicity
        sums = sum_of_hidden(np.full(400, float(count)), pool, even, rng)
        assert np.median(sums) == pytest.approx(100.0 * count, rel=0.08)


def test_a_hidden_event_may_exceed_every_shown_one_but_not_by_far() -> None:
    rng = np.random.default_rng(13)
    pool = 100.0 * rng.random(200) ** (-1 / 1.2)
    sums = sum_of_hidden(np.ones(20_000), pool, np.full(200, 1 / 200), rng)
    assert pool.max() < sums.max() <= LARGEST * pool.max()


def test_sizes_that_nobody_showed_are_not_invented() -> None:
    sums = sum_of_hidden(np.array([0.0, 2.0]), np.empty(0), np.empty(0), np.random.default_rng(14))
    assert sums[0] == 0.0 and np.isnan(sums[1])


def test_below_the_largest_the_law_of_all_is_recovered() -> None:
    rng = np.random.default_rng(15)
    events = rng.integers(1, 6, 4000)
    full = [rng.random(n) for n in events]
    mean, variance = unseen_below(np.array([max(part) for part in full]), events.astype(float))
    maxima = np.array([max(part) for part in full])
    assert mean == pytest.approx(maxima / 2, abs=0.05)  # uniform: half of the bound
    assert np.median(variance / (maxima**2 / 12)) == pytest.approx(1.0, abs=0.1)
