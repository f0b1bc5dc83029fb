"""SHAP-1: the Shapley values of mechanisms, the error of their shares, and the band over the priors."""

from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deleverage.experiment.shapley import SMALLEST_DROP, prior_band, ratio_of_means, shapley_values
from deleverage.units import Floats, Int64s

PLAYERS = 5


def games(players: int = PLAYERS) -> st.SearchStrategy[Floats]:
    """Values of all subsets, as drops of a price are."""
    drop = st.floats(-0.5, 0.9, allow_nan=False, width=64)
    return st.lists(drop, min_size=1 << players, max_size=1 << players).map(np.array)


def by_permutations(values: Floats) -> Floats:
    """φ by its definition: what a player adds on arrival, averaged over all orders of arrival."""
    players = len(values).bit_length() - 1
    phi = np.zeros(players)
    for order in permutations(range(players)):
        present = 0
        for i in order:
            phi[i] += values[present | 1 << i] - values[present]
            present |= 1 << i
    return phi / factorial(players)


def test_two_players_by_hand() -> None:
    # v(∅)=1, v(a)=3, v(b)=2, v(ab)=7: a adds 2 first and 5 last, b adds 1 first and 4 last.
    assert shapley_values(np.array([1.0, 3.0, 2.0, 7.0])).tolist() == [3.5, 2.5]


def test_glove_game_of_three_gives_two_thirds_to_the_only_left_glove() -> None:
    # Player 0 holds the left glove, 1 and 2 a right one each; a pair is worth 1.
    values = np.array([float(bool(s & 1) and bool(s & 6)) for s in range(8)])
    assert shapley_values(values) == pytest.approx([2 / 3, 1 / 6, 1 / 6], abs=1e-15)


def test_additive_game_gives_everybody_what_he_adds() -> None:
    adds = np.array([0.25, -0.125, 0.5, 0.0, 1.0])
    values = np.array([sum(adds[i] for i in range(PLAYERS) if s >> i & 1) for s in range(1 << PLAYERS)])
    assert shapley_values(values) == pytest.approx(adds, abs=1e-15)


@given(games())
def test_equals_the_average_over_all_orders_of_arrival(values: Floats) -> None:
    assert shapley_values(values) == pytest.approx(by_permutations(values), abs=1e-12)


@given(games())
def test_efficiency_the_parts_add_up_to_the_whole(values: Floats) -> None:
    assert abs(shapley_values(values).sum() - (values[-1] - values[0])) < 1e-9


@given(games(), st.integers(0, PLAYERS - 1))
def test_a_dummy_gets_exactly_zero(values: Floats, dummy: int) -> None:
    subsets = np.arange(1 << PLAYERS)
    without = values[subsets & ~(1 << dummy)]  # the dummy changes no subset's value
    assert shapley_values(without)[dummy] == 0.0


@given(games(), st.integers(0, PLAYERS - 1), st.integers(0, PLAYERS - 1))
def test_symmetry_players_that_do_the_same_get_the_same(values: Floats, a: int, b: int) -> None:
    subsets = np.arange(1 << PLAYERS)
    bit_a, bit_b = subsets >> a & 1, subsets >> b & 1
    exchanged = subsets & ~(1 << a) & ~(1 << b) | bit_a << b | bit_b << a
    phi = shapley_values(values[np.minimum(subsets, exchanged)])
    assert phi[a] == pytest.approx(phi[b], abs=1e-12)


@given(games(), games(), st.floats(-3, 3), st.floats(-3, 3))
def test_linearity_the_value_of_a_sum_is_the_sum_of_values(v: Floats, w: Floats, a: float, b: float) -> None:
    joint = shapley_values(a * v + b * w)
    assert joint == pytest.approx(a * shapley_values(v) + b * shapley_values(w), abs=1e-12)


def test_draws_and_markets_are_attributed_one_by_one() -> None:
    values = np.random.Generator(np.random.PCG64(1)).random((3, 2, 32))
    phi = shapley_values(values)
    assert phi.shape == (3, 2, 5)
    assert np.array_equal(phi[2, 1], shapley_values(values[2, 1]))


# --- the share and its Monte Carlo error ---------------------------------------------------------

TRUE_SHARE = 0.6


def synthetic(
    rng: np.random.Generator, points: int, each: int, between: float
) -> tuple[Floats, Floats, Int64s]:
    """Drops of ``points`` prior points with ``each`` seeds; ``between``: how far the share differs.

    The mean share over points is `TRUE_SHARE` for every draw of the noise.
    """
    point = np.repeat(np.arange(points), each).astype(np.int64)
    share = TRUE_SHARE + between * np.linspace(-1, 1, points)[point]
    size = 0.1
    whole = size * (1 + 0.2 * rng.standard_normal(points * each))
    part = share * size + 0.02 * rng.standard_normal(points * each)
    return part, whole, point


def test_ratio_of_means_is_not_a_mean_of_ratios() -> None:
    share = ratio_of_means(np.array([1.0, 0.0]), np.array([1.0, 3.0]), np.array([0, 0]))
    assert share.mean == 0.25  # 1 / 4, not (1/1 + 0/3) / 2 = 0.5


@pytest.mark.parametrize("between", [0.0, 0.3])
def test_standard_error_agrees_with_the_scatter_of_new_ensembles(between: float) -> None:
    rng = np.random.Generator(np.random.PCG64(7))
    shares = [ratio_of_means(*synthetic(rng, 8, 4, between)) for _ in range(2000)]
    means = np.array([s.mean for s in shares])
    stated = np.sqrt(np.mean(np.array([s.se for s in shares]) ** 2))
    assert abs(means.mean() - TRUE_SHARE) < 4 * means.std() / np.sqrt(len(means))
    # The points stay where they are, so their scatter is no error; 2000 ensembles know it to 5 % (3 σ).
    assert stated == pytest.approx(means.std(ddof=1), rel=0.05)


def test_standard_error_agrees_with_a_bootstrap_within_the_points() -> None:
    rng = np.random.Generator(np.random.PCG64(11))
    part, whole, point = synthetic(rng, 8, 16, 0.3)
    groups = [np.flatnonzero(point == p) for p in range(8)]
    replicates = np.empty(4000)
    for i in range(len(replicates)):
        chosen = np.concatenate([rng.choice(g, len(g)) for g in groups])
        replicates[i] = part[chosen].sum() / whole[chosen].sum()
    # A bootstrap of groups of 16 is short by √(15/16): 3 %; 4000 replicates know a standard deviation to 1 %.
    stated = ratio_of_means(part, whole, point).se
    assert stated == pytest.approx(replicates.std() * np.sqrt(16 / 15), rel=0.06)


def test_scatter_between_points_is_left_out_of_the_error() -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    part, whole, point = synthetic(rng, 8, 8, 0.5)
    strata = ratio_of_means(part, whole, point).se
    pooled = ratio_of_means(part, whole, np.zeros_like(point)).se
    assert strata is not None
    assert pooled is not None
    assert strata < 0.8 * pooled


def test_one_seed_a_point_counts_all_scatter() -> None:
    part, whole, _ = synthetic(np.random.Generator(np.random.PCG64(3)), 16, 1, 0.3)
    alone = ratio_of_means(part, whole, np.arange(16))
    pooled = ratio_of_means(part, whole, np.zeros(16, dtype=np.int64))
    assert alone == pooled
    assert pooled.se is not None
    assert pooled.se > 0


@pytest.mark.parametrize("drop", [0.0, SMALLEST_DROP * 0.99, -0.05])
def test_without_a_drop_there_is_no_share(drop: float) -> None:
    share = ratio_of_means(np.array([0.1, 0.2]), np.full(2, drop), np.array([0, 0]))
    assert (share.mean, share.se) == (None, None)
    assert prior_band(np.array([0.1, 0.2]), np.full(2, drop), np.array([0, 1])) is None


# --- the band over the priors ----------------------------------------------------------------------


def test_prior_band_spans_the_points_and_not_their_seeds() -> None:
    point = np.repeat(np.arange(21), 2).astype(np.int64)
    of_point = np.linspace(0.2, 0.8, 21)[point]
    noise = np.tile([0.5, -0.5], 21)  # large, and 0 in the mean of each point
    band = prior_band((of_point + noise) * 0.1, np.full(42, 0.1), point)
    # 5 % and 95 % of 21 points are the second from either end.
    assert band == pytest.approx((0.23, 0.77), abs=1e-12)


def test_prior_band_leaves_out_points_without_a_drop() -> None:
    part, whole = np.array([0.05, 0.05, 9.0]), np.array([0.1, 0.1, 0.0])
    assert prior_band(part, whole, np.array([0, 1, 2])) == pytest.approx((0.5, 0.5))
