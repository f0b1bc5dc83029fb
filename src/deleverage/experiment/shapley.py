"""Shapley values of mechanisms, their shares of the drop, and how sure the shares are.

A subset of mechanisms is a bit mask: bit i is set when mechanism i is on. v(S) is the drop with exactly S on;
φᵢ = Σ_S |S|!(k−|S|−1)!/k! · [v(S∪i) − v(S)], so that v(N) = v(∅) + Σφᵢ.
Shares are ratios of means over seeds, never means of ratios.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

import numpy as np

from deleverage.units import Floats, Int64s


def shapley_values(values: Floats) -> Floats:
    """φ of every mechanism.

    Parameters
    ----------
    values : float64 [..., 2ᵏ], v(S) at index S.

    Returns
    -------
    float64 [..., k].
    """
    count = values.shape[-1].bit_length() - 1
    phi = np.zeros((*values.shape[:-1], count))
    for i in range(count):
        bit = 1 << i
        for subset in range(1 << count):
            if not subset & bit:
                size = subset.bit_count()
                weight = factorial(size) * factorial(count - size - 1) / factorial(count)
                phi[..., i] += weight * (values[..., subset | bit] - values[..., subset])
    return phi


@dataclass(frozen=True)
class Share:
    """A ratio of means with its Monte Carlo standard error; both None where the denominator is about 0."""

    mean: float | None
    se: float | None


SMALLEST_DROP = 1e-4
"""Mean drop below which a share of it is not computed."""


def ratio_of_means(part: Floats, whole: Floats, point: Int64s) -> Share:
    """Σ part ÷ Σ whole over seeds, with the standard error at given priors.

    The error counts the scatter of seeds that share a prior point, not the scatter between points (that
    is the prior
    band). With one seed a point both cannot be told apart, and the error is that of all seeds together.

    part, whole : float64 [seeds]; point : int64 [seeds].
    """
    if whole.mean() < SMALLEST_DROP:
        return Share(None, None)
    ratio = float(part.sum() / whole.sum())
    residual = part - ratio * whole
    points, counts = np.unique(point, return_counts=True)
    if counts.min() >= 2:
        groups = [residual[point == p] for p in points]
    else:
        groups = [residual]
    square = sum(len(g) * float(g.var(ddof=1)) for g in groups if len(g) > 1)
    return Share(ratio, float(np.sqrt(square)) / float(whole.sum()))


def prior_band(part: Floats, whole: Floats, point: Int64s) -> tuple[float, float] | None:
    """5 % and 95 % points over prior points of the ratio of means within a point; None without a drop."""
    ratios = []
    for p in np.unique(point):
        chosen = point == p
        if whole[chosen].mean() >= SMALLEST_DROP:
            ratios.append(part[chosen].sum() / whole[chosen].sum())
    if not ratios:
        return None
    low, high = np.quantile(ratios, (0.05, 0.95))
    return float(low), float(high)
