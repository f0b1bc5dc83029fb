"""How good were stated probabilities, and is that more than chance?

Scores are losses: the lower, the better. Days whose outcomes overlap are not independent, so every interval
comes from whole blocks of days.
Sources: Brier, Monthly Weather Review 78 (1950); Gneiting & Raftery, JASA 102 (2007) for the log score and
the CRPS; Politis & Romano (1992) for the circular block bootstrap.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, xlogy

from deleverage.errors import InputError
from deleverage.units import Bools, Floats

LEVEL = 0.90
"""Of every interval, unless another is asked for."""


class Interval(NamedTuple):
    """A value and the ends of its interval; NaN where the draws have none."""

    value: float
    low: float
    high: float


class Bin(NamedTuple):
    """Forecasts of one size: how often did it happen?

    forecast : their mean; observed : share that happened, with its interval; days : how many.
    """

    forecast: float
    observed: Interval
    days: int


def brier(forecast: Floats, happened: Floats) -> Floats:
    """(p − y)² of each forecast, float64 [N]: 0 for a perfect one, 1 for a certain error.

    forecast : probabilities in [0, 1], [N]; happened : 1 where it did, else 0, [N].
    """
    _checked(forecast, happened)
    loss: Floats = (forecast - happened) ** 2
    return loss


def log_loss(forecast: Floats, happened: Floats) -> Floats:
    """−ln of the probability given to what happened, float64 [N]; infinite for a certain error."""
    _checked(forecast, happened)
    with np.errstate(divide="ignore"):
        loss: Floats = -(xlogy(happened, forecast) + xlogy(1.0 - happened, 1.0 - forecast))
    return loss


def crps_normal(mean: float | Floats, sd: float | Floats, seen: float | Floats) -> Floats:
    """CRPS of N(mean, sd²), in its unit: sd·(z(2Φ(z) − 1) + 2φ(z) − 1/√π), z = (seen − mean)/sd."""
    if np.any(np.asarray(sd) <= 0.0):
        raise InputError(f"expected a spread > 0, found {sd!r}", hint="a forecast without spread is a point")
    z = (np.asarray(seen, dtype=np.float64) - mean) / sd
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    found: Floats = np.asarray(sd * (z * (2.0 * ndtr(z) - 1.0) + 2.0 * density - 1.0 / math.sqrt(math.pi)))
    return found


def crps_sample(draws: Floats, seen: float) -> float:
    """CRPS of the distribution of ``draws`` [N]: E|X − y| − ½·E|X − X′|, both X from the draws.

    A sample of one is a point forecast, and its CRPS the absolute error.
    """
    if draws.size == 0 or not np.isfinite(draws).all():
        raise InputError(
            "expected draws that are finite numbers, found none or others", hint="leave them out"
        )
    ordered = np.sort(draws)
    count = ordered.size
    rank = np.arange(1, count + 1)
    spread = 2.0 * float(((2.0 * rank - count - 1.0) * ordered).sum()) / count**2
    return float(np.abs(ordered - seen).mean()) - 0.5 * spread


def skill(loss: Floats, reference: Floats) -> float:
    """1 − mean loss ÷ mean loss of the reference: 1 is perfect, ≤ 0 no better; NaN where there is none."""
    if loss.size == 0 or loss.shape != reference.shape:
        return math.nan
    return _one_less(float(loss.mean()), float(reference.mean()))


def skill_interval(
    loss: Floats,
    reference: Floats,
    rng: np.random.Generator,
    *,
    block: int,
    draws: int = 1000,
    level: float = LEVEL,
) -> Interval:
    """The skill and its interval from a circular block bootstrap of days, both losses of a day together.

    loss, reference : [N], one a day in order of time; block : days that stay together.
    """
    picked = block_sums(np.column_stack([loss, reference]), rng, block=block, draws=draws)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = 1.0 - picked[:, 0] / picked[:, 1]
    return Interval(skill(loss, reference), *_ends(drawn, level))


def mean_interval(
    values: Floats, rng: np.random.Generator, *, block: int, draws: int = 1000, level: float = LEVEL
) -> Interval:
    """The mean of ``values`` [N] and its interval by the same bootstrap."""
    picked = block_sums(np.column_stack([values, np.ones_like(values)]), rng, block=block, draws=draws)
    return Interval(float(values.mean()), *_ends(picked[:, 0] / picked[:, 1], level))


def reliability(
    forecast: Floats,
    happened: Floats,
    rng: np.random.Generator,
    *,
    bins: int = 5,
    block: int,
    draws: int = 1000,
    level: float = LEVEL,
) -> list[Bin]:
    """Forecasts in bins of equal width over [0, 1]: mean forecast against how often it happened.

    Empty bins are absent. The interval resamples blocks of days; a draw without a day of the bin is left out.
    """
    _checked(forecast, happened)
    which = np.minimum((forecast * bins).astype(np.int64), bins - 1)
    found = []
    for k in range(bins):
        inside = (which == k).astype(np.float64)
        count = int(inside.sum())
        if count == 0:
            continue
        picked = block_sums(np.column_stack([inside * happened, inside]), rng, block=block, draws=draws)
        there = picked[picked[:, 1] > 0.0]
        observed = float(happened[which == k].mean())
        ends = _ends(there[:, 0] / there[:, 1], level)
        found.append(Bin(float(forecast[which == k].mean()), Interval(observed, *ends), count))
    return found


def block_sums(columns: Floats, rng: np.random.Generator, *, block: int, draws: int) -> Floats:
    """Sums of each column over days drawn in blocks, float64 [draws, K].

    columns : [N, K], one row a day in order of time. Blocks of ``block`` days start anywhere and go on at the
    first day after the last (circular), so that every day is drawn as often; ⌈N / block⌉ blocks a draw.

    Raises
    ------
    InputError
        there are no days, or block or draws is no number of days.
    """
    days = columns.shape[0]
    if days == 0 or block < 1 or draws < 1:
        raise InputError(
            f"expected days, blocks of one day or more and draws, found {days}, {block} and {draws}",
            hint="a bootstrap needs something to draw from",
        )
    length = min(block, days)
    around = np.concatenate([columns, columns[:length]])
    before = np.vstack([np.zeros((1, columns.shape[1])), np.cumsum(around, axis=0)])
    sums = before[length : length + days] - before[:days]
    starts = rng.integers(0, days, size=(draws, -(-days // length)))
    drawn: Floats = sums[starts].sum(axis=1)
    return drawn


def _ends(drawn: Floats, level: float) -> tuple[float, float]:
    there = drawn[np.isfinite(drawn)]
    if there.size == 0:
        return math.nan, math.nan
    low, high = np.quantile(there, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def _one_less(loss: float, reference: float) -> float:
    return 1.0 - loss / reference if reference > 0.0 else math.nan


def _checked(forecast: Floats, happened: Floats) -> None:
    wrong: Bools = ~((forecast >= 0.0) & (forecast <= 1.0))
    other: Bools = (happened != 0.0) & (happened != 1.0)
    if forecast.shape != happened.shape or wrong.any() or other.any():
        raise InputError(
            "expected as many probabilities in [0, 1] as outcomes of 0 or 1, found others",
            hint="a day without a forecast or an outcome is left out before it is scored",
        )
