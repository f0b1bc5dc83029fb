"""Will the price hold: how probable is it that no low of the next days lies below a share of today's close?

The model was written down before it was scored, and is deliberately small: a logistic regression on at most
four components. It is fitted on the past only and scored by walk-forward: a day is in the training set when
its outcome was known ``EMBARGO`` days before the block of days that is forecast, so no outcome reaches into
it. Its rival is climatology, the share of all earlier days with a known outcome on which the price held.

Overlapping outcomes are not independent: a day counts 1 ÷ horizon in the likelihood, and each coefficient of
a standardised component has the prior N(0, 1). A component that was not observed on a day stands at its
mean.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.optimize import minimize
from scipy.special import expit

from deleverage.units import Bools, Floats, Int64s

EMBARGO = 7
REFIT = 30
FEWEST = 365
"""Days with a known outcome before which nothing is forecast."""
_INTERCEPT_PRECISION = 1.0 / 25.0
_Z90 = 1.6448536269514722


class Fit(NamedTuple):
    """Coefficients of standardised components, the intercept first, and their covariance (Laplace)."""

    weights: Floats  # [K + 1]
    covariance: Floats  # [K + 1, K + 1]
    mean: Floats  # [K]
    sd: Floats  # [K]; 0 where a component was hardly ever seen


class Forecasts(NamedTuple):
    """Walk-forward forecasts by day, NaN where there is none; float64 [N]."""

    model: Floats
    climatology: Floats


def held(days: Int64s, low: Floats, close: Floats, horizon: int, floor: float) -> Floats:
    """1 where the lows of the next ``horizon`` days are all ≥ floor × close, 0 where one is not, float64 [N].

    NaN until all days that follow are there, also where the price has already fallen: else the newest
    outcomes that are known would all be falls.
    """
    found = np.full(days.size, np.nan)
    if days.size <= horizon:
        return found
    lowest = sliding_window_view(low[1:], horizon).min(axis=1)
    there = days[horizon:] - days[:-horizon] == horizon
    found[:-horizon] = np.where(there, lowest >= floor * close[:-horizon], np.nan)
    return found


def fit(components: Floats, happened: Floats, horizon: int) -> Fit:
    """The regression of known outcomes [M] on components [M, K]; every day counts 1 ÷ horizon."""
    seen = np.isfinite(components)
    count = seen.sum(axis=0)
    filled = np.where(seen, components, 0.0)
    mean = filled.sum(axis=0) / np.maximum(count, 1)
    sd = np.sqrt((np.where(seen, components - mean, 0.0) ** 2).sum(axis=0) / np.maximum(count, 1))
    sd = np.where((count >= 30) & (sd > 1e-12), sd, 0.0)
    design = _design(components, mean, sd)
    precision = np.concatenate([[_INTERCEPT_PRECISION], np.ones(components.shape[1])])

    def loss(w: Floats) -> tuple[float, Floats]:
        eta = design @ w
        value = float((np.logaddexp(0.0, eta) - happened * eta).sum()) / horizon
        slope = design.T @ (expit(eta) - happened) / horizon
        return value + 0.5 * float(precision @ (w * w)), slope + precision * w

    def bend(w: Floats) -> Floats:
        p = expit(design @ w)
        curvature: Floats = (design * (p * (1.0 - p))[:, None]).T @ design / horizon + np.diag(precision)
        return curvature

    start = np.zeros(precision.size)
    found = minimize(loss, start, jac=True, hess=bend, method="trust-exact", options={"gtol": 1e-8})
    covariance: Floats = np.linalg.inv(bend(found.x)).astype(np.float64)
    return Fit(np.asarray(found.x, dtype=np.float64), covariance, mean, sd)


def probability(fitted: Fit, components: Floats) -> Floats:
    """The probability that the price holds, float64 [M], from components [M, K]."""
    found: Floats = expit(_design(components, fitted.mean, fitted.sd) @ fitted.weights)
    return found


def probability_band(fitted: Fit, components: Floats) -> tuple[float, float]:
    """5 and 95 % points of one day's probability [K], from what is not known about the coefficients alone."""
    row = _design(components[None, :], fitted.mean, fitted.sd)[0]
    middle, width = float(row @ fitted.weights), _Z90 * math.sqrt(float(row @ fitted.covariance @ row))
    return float(expit(middle - width)), float(expit(middle + width))


def walk_forward(components: Floats, happened: Floats, horizon: int) -> Forecasts:
    """Forecasts of every day by what was known ``EMBARGO`` days before, and earlier; see the file's top.

    components : [N, K], one row a day in order; happened : [N], NaN where it is not known. Refitted every
    ``REFIT`` days, counted from the first day, so a forecast does not change when days are added.
    """
    days = happened.size
    known = np.isfinite(happened)
    wait = horizon + EMBARGO
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, happened, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    upto = np.maximum(np.arange(days) - wait + 1, 0)  # labels of days < upto were known
    with np.errstate(invalid="ignore", divide="ignore"):
        climatology = np.where(count[upto] >= FEWEST, sums[upto] / count[upto], np.nan)
    model = np.full(days, np.nan)
    for first in range(0, days, REFIT):
        if count[upto[first]] < FEWEST:
            continue
        past = np.flatnonzero(known[: upto[first]])
        fitted = fit(components[past], happened[past], horizon)
        block = slice(first, min(first + REFIT, days))
        model[block] = probability(fitted, components[block])
    climatology = np.where(np.isfinite(model), climatology, np.nan)
    return Forecasts(model, climatology)


def training_days(happened: Floats, horizon: int) -> Bools:
    """Days whose outcome was known ``EMBARGO`` days before the last day, [N]: what its own fit may use."""
    return np.isfinite(happened) & (np.arange(happened.size) + horizon + EMBARGO <= happened.size - 1)


def _design(components: Floats, mean: Floats, sd: Floats) -> Floats:
    z = np.where(np.isfinite(components) & (sd > 0.0), (components - mean) / np.where(sd > 0.0, sd, 1.0), 0.0)
    return np.column_stack([np.ones(z.shape[0]), z])
