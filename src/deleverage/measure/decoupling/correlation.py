"""How surely are two series correlated, and did that change?

Fisher's z = atanh r is nearly normal with variance 1/(n − 3). For returns that depend on their own past, n is
replaced by the number of independent pairs that would say as much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Correlation:
    """A correlation r of ``count`` pairs that say as much as ``effective`` independent ones."""

    r: float
    count: int
    effective: float


@dataclass(frozen=True)
class Difference:
    """Of two correlations, the second less the first.

    z, p : Fisher's test of equality, two-sided. low, high : interval of ``value`` at the level asked for.
    """

    value: float
    z: float
    p: float
    low: float
    high: float


def correlate(x: Floats, y: Floats) -> Correlation | None:
    """Pearson's correlation; None for fewer than 4 pairs or a series that does not move."""
    if x.size < 4 or x.std() == 0.0 or y.std() == 0.0:
        return None
    r = float(np.clip(np.corrcoef(x, y)[0, 1], -1.0, 1.0))
    return Correlation(r, int(x.size), effective_count(x, y))


def effective_count(x: Floats, y: Floats) -> float:
    """Pairs n ÷ (1 + 2 Σ (1 − k/n) ρx(k) ρy(k)) for k up to 4 (n/100)^(2/9), at most n (Bartlett 1935)."""
    n = int(x.size)
    a, b = x - x.mean(), y - y.mean()
    spread = float(np.dot(a, a)), float(np.dot(b, b))
    if min(spread) <= 0.0:
        return float(n)
    total = 1.0
    for k in range(1, min(int(4 * (n / 100) ** (2 / 9)), n - 2) + 1):
        rho = float(np.dot(a[:-k], a[k:])) / spread[0] * float(np.dot(b[:-k], b[k:])) / spread[1]
        total += 2 * (1 - k / n) * rho
    return n / max(total, 1.0)


def fisher_interval(r: float, n: float, level: float = 0.95) -> tuple[float, float] | None:
    """tanh(atanh r ± z/√(n − 3)); None where n ≤ 3 or |r| = 1."""
    if n <= 3.0 or not abs(r) < 1.0:
        return None
    half = float(ndtri(0.5 + level / 2)) / math.sqrt(n - 3.0)
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def difference(r1: float, n1: float, r2: float, n2: float, level: float = 0.95) -> Difference | None:
    """r2 − r1 of two stretches that share no pair, with Fisher's test and Zou's interval (2007).

    z = (atanh r2 − atanh r1) ÷ √(1/(n1 − 3) + 1/(n2 − 3)). None where one of them has no interval.
    """
    first, second = fisher_interval(r1, n1, level), fisher_interval(r2, n2, level)
    if first is None or second is None:
        return None
    z = (math.atanh(r2) - math.atanh(r1)) / math.sqrt(1 / (n1 - 3) + 1 / (n2 - 3))
    value = r2 - r1
    return Difference(
        value,
        z,
        2 * float(ndtr(-abs(z))),
        value - math.hypot(r2 - second[0], first[1] - r1),
        value + math.hypot(second[1] - r2, r1 - first[0]),
    )


def forbes_rigobon(r: float, delta: float) -> float:
    """Correlation r ÷ √(1 + δ(1 − r²)): what r would be, had the variance not grown by the share δ (2002).

    δ > −1 is the variance of the series from which the shock comes, now ÷ before, less 1.
    """
    if delta <= -1.0:
        raise ValueError(f"a growth of the variance above -1 was expected, found {delta!r}")
    return r / math.sqrt(1.0 + delta * (1.0 - r * r))
