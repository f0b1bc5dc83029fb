"""Are likelihood, gradients, fits, draws and tests of self-exciting processes right?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from deleverage.errors import InputError
from deleverage.measure.feedback.hawkes.counts import binned, hardiman_bouchaud, spectrum
from deleverage.measure.feedback.hawkes.fit import candidate_edges, fit, flexible
from deleverage.measure.feedback.hawkes.kernels import (
    Exponential,
    Kernel,
    MultiExponential,
    PowerLaw,
    density,
    half_life,
    log_spaced,
)
from deleverage.measure.feedback.hawkes.likelihood import (
    Events,
    Likelihood,
    Model,
    log_likelihood,
    mark_weights,
)
from deleverage.measure.feedback.hawkes.recursion import excite
from deleverage.measure.feedback.hawkes.residuals import look, residuals, waits_of
from deleverage.measure.feedback.hawkes.simulate import draw

ONE = np.ones(1)
TIMES = st.lists(st.floats(0.0, 50.0), min_size=1, max_size=25).map(sorted)


def stream(*seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


def sample(n: float, beta: float, span: float, mu: float = 0.5, seed: int = 1) -> Events:
    return draw(np.array([0.0, span]), np.array([mu]), n, ONE, np.array([beta]), stream(seed))


def test_hk_0_is_exact() -> None:
    events = Events.of(np.array([1.0, 2.0, 4.0, 4.5]), 5.0)
    loss = -log_likelihood(events, np.array([0.0, 5.0]), np.array([0.5]), 0.6, ONE, np.array([2.0]))
    assert loss == pytest.approx(6.396482957784446, abs=1e-12)


@given(TIMES, st.floats(0.01, 20.0), st.data())
def test_the_recursion_equals_brute_force_for_any_times_ties_and_weights(
    times: list[float], beta: float, data: st.DataObject
) -> None:
    weights = np.array(data.draw(st.lists(st.floats(0.1, 5.0), min_size=len(times), max_size=len(times))))
    t = np.array(times)
    alive, slope = np.empty(t.size), np.empty(t.size)
    excite(t, weights, beta, alive, slope)
    for i in range(t.size):
        left = weights[:i] * np.exp(-beta * (t[i] - t[:i]))
        assert alive[i] == pytest.approx(left.sum(), rel=1e-9, abs=1e-12)
        assert slope[i] == pytest.approx(-(left * (t[i] - t[:i])).sum(), rel=1e-9, abs=1e-12)


@given(TIMES, st.floats(0.05, 0.95), st.floats(0.1, 5.0))
@settings(max_examples=40)
def test_the_compensator_is_the_integral_of_the_rate(times: list[float], n: float, beta: float) -> None:
    events = Events.of(np.array(times), 60.0)
    edges = np.array([0.0, 20.0, 60.0])
    model = Likelihood(events, Model(edges, Exponential()))
    at = np.log([0.3, 1.1, n / (1.0 - n), beta])
    mu = np.array([0.3, 1.1])
    found = model.compensator(at)
    for i, t in enumerate(times):
        base = mu[0] * min(t, 20.0) + mu[1] * max(0.0, t - 20.0)
        fed = sum(1.0 - np.exp(-beta * (t - s)) for s in times[:i])
        assert found[i] == pytest.approx(base + n * fed, abs=1e-9)


@pytest.mark.parametrize(
    ("kernel", "free"),
    [(Exponential(), [0.3]), (MultiExponential((0.1, 1.0, 10.0)), [0.2, 0.5]), (PowerLaw(), [0.2, -0.4])],
)
def test_gradients_are_those_of_finite_differences(kernel: Kernel, free: list[float]) -> None:
    events = sample(0.5, 2.0, 300.0)
    weights = mark_weights(stream(2).lognormal(size=events.times.size), 0.5)
    likelihood = Likelihood(
        Events.of(events.times, events.span, weights), Model(np.array([0.0, 100.0, 300.0]), kernel)
    )
    at = np.array([-0.7, -0.9, 0.2, *free])
    slope = approx_fprime(at, lambda x: likelihood(x)[0], 1e-6)
    assert likelihood(at)[1] == pytest.approx(slope, abs=2e-6)


@pytest.mark.parametrize("tail", [0.3, 0.5, 1.0, 2.0])
def test_the_sum_of_exponentials_is_the_power_law_within_what_is_stated(tail: float) -> None:
    shape = PowerLaw().expand(np.log([1.0, tail]))
    delays = np.append(0.0, np.geomspace(1e-3, 1e4, 60))
    exact = tail * (1.0 + delays) ** (-1.0 - tail)
    stated = 0.01 if tail < 0.5 else 0.001
    assert density(shape, delays) / exact == pytest.approx(np.ones(delays.size), abs=stated)
    assert shape.shares.sum() == pytest.approx(1.0)


def test_half_life_is_that_of_the_kernel() -> None:
    assert half_life(Exponential().expand(np.log([2.0]))) == pytest.approx(np.log(2.0) / 2.0)
    # (1 + t/c)^−1 = ½ at t = c
    assert half_life(PowerLaw().expand(np.log([3.0, 1.0]))) == pytest.approx(3.0, rel=1e-2)


@pytest.mark.parametrize("n", [0.0, 0.5, 0.9])
def test_a_fit_finds_the_ratio_it_was_drawn_with_inside_its_interval(n: float) -> None:
    found = fit(sample(n, 2.0, 1_500.0), Exponential(), interval=True)
    assert found.n_low is not None
    assert found.n_high is not None
    assert found.n_low <= n + 1e-3
    assert found.n_high >= n
    # without feedback a very slow memory is not told from a steady rate: the interval is wide there
    assert found.n_high - found.n_low < (0.5 if n == 0.0 else 0.2)


def test_a_flexible_baseline_unmasks_a_changing_rate_and_spares_true_feedback() -> None:
    edges = np.arange(0.0, 4_001.0, 500.0)
    news = draw(edges, np.where(np.arange(8) % 2 == 0, 0.4, 2.0), 0.0, ONE, ONE, stream(5))
    constant = fit(news, Exponential())
    assert constant.n > 0.85
    assert flexible(news, constant).n < 0.15
    true = sample(0.6, 1.0, 2_000.0, seed=8)
    constant = fit(true, Exponential())
    assert flexible(true, constant).n == pytest.approx(constant.n, abs=0.1)
    assert all(edges[0] == 0.0 and edges[-1] == true.span for edges in candidate_edges(true))


def test_marks_have_mean_one_and_need_sizes_above_zero() -> None:
    weights = mark_weights(np.array([1.0, 4.0, 9.0]), 0.5)
    assert weights == pytest.approx([0.5, 1.0, 1.5])
    assert mark_weights(np.array([1.0, 4.0]), 0.0).tolist() == [1.0, 1.0]
    with pytest.raises(InputError):
        mark_weights(np.array([1.0, 0.0]), 0.5)


def test_the_sampler_has_the_mean_of_theory_and_refuses_what_does_not_end() -> None:
    sizes = [sample(0.5, 10.0, 1_000.0, mu=0.2, seed=k).times.size for k in range(30)]
    # sd of the mean: √(400 ÷ 0.25 ÷ 30) = 7.3
    assert np.mean(sizes) == pytest.approx(400.0, abs=25.0)
    with pytest.raises(InputError, match=r"\[0, 1\)"):
        sample(1.0, 1.0, 10.0)


def test_residuals_accept_the_true_family_and_reject_a_clock() -> None:
    right = residuals(fit(sample(0.5, 2.0, 400.0), Exponential()), stream(1), 19)
    assert right.passes()
    even = fit(Events.of(np.arange(0.5, 300.0), 300.0), Exponential())
    wrong = residuals(even, stream(1), 39)
    assert wrong.ks_p <= 0.05
    assert not wrong.passes()
    assert waits_of(even).size == 299


def test_looks_of_standard_exponentials_are_near_their_null() -> None:
    seen = look(stream(4).standard_exponential(2_000))
    assert seen.ks < 0.04
    assert abs(seen.dispersion) < 3.0
    assert seen.ljung_box < 45.0  # χ² with 20 degrees: 99.9 % at 45.3


def test_counts_that_vary_like_poisson_have_no_ratio() -> None:
    flat = hardiman_bouchaud(stream(1).poisson(50.0, 400))
    assert flat.low < 0.0 < flat.high
    assert hardiman_bouchaud(np.array([2, 4] * 10)).n < 0.0  # less than Poisson: below zero, and said
    with pytest.raises(InputError, match="at least 10 windows"):
        hardiman_bouchaud(np.array([1, 2, 3]))


def test_the_spectrum_sums_to_the_variance_of_the_counts() -> None:
    theta = 2.0 * np.pi * (np.arange(20_000) + 0.5) / 20_000
    n, beta, width = 0.6, 2.0, 5.0
    a = beta * (1.0 - n)
    c = n * beta * (2.0 - n) / (2.0 * (1.0 - n))
    variance = width + 2.0 * c * (a * width - 1.0 + np.exp(-a * width)) / a**2
    assert spectrum(theta, 1.0, n, beta, width).mean() == pytest.approx(variance, rel=1e-6)
    # far below the memory's frequency every family is whole: variance ÷ mean = 1 ÷ (1 − n)²
    assert spectrum(np.array([1e-9]), 1.0, n, beta, width)[0] / width == pytest.approx(1.0 / 0.16, rel=1e-6)


@pytest.mark.parametrize("width", [0.5, 5.0])
def test_counts_in_bins_give_the_ratio_although_stamps_are_tied(width: float) -> None:
    events = sample(0.6, 1.0, 4_000.0)
    counts = np.histogram(events.times, int(4_000.0 / width), (0.0, 4_000.0))[0]
    found = binned(counts, width)
    assert found.low < 0.6 < found.high
    assert found.n == pytest.approx(0.6, abs=0.06)
    assert found.fit_p > 0.01
    with pytest.raises(InputError, match="at least 64 bins"):
        binned(counts[:10], width)


def test_decays_are_on_a_log_grid_within_what_was_observed() -> None:
    decays = np.array(log_spaced(10_000.0, 0.01).decays)
    assert decays[0] == pytest.approx(20.0 / 10_000.0)
    assert np.diff(np.log(decays)) == pytest.approx(np.full(decays.size - 1, np.log(decays[1] / decays[0])))


@pytest.mark.parametrize("times", [[2.0, 1.0], [-1.0, 1.0], [1.0, 11.0], [float("nan"), 1.0]])
def test_events_out_of_order_or_range_are_refused(times: list[float]) -> None:
    with pytest.raises(InputError, match="rising times"):
        Events.of(np.array(times), 10.0)


def test_few_events_are_not_fitted() -> None:
    with pytest.raises(InputError, match="at least 20"):
        fit(Events.of(np.arange(5.0), 10.0), Exponential())
