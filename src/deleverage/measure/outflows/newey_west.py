"""How steep is one series on another, when the errors hang together in time?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Slope:
    """value, low, high : y per unit of x; r2 : share of the variance; n : pairs; lags : of the errors."""

    value: float
    low: float
    high: float
    r2: float
    n: int
    lags: int


def slope(x: Floats, y: Floats, *, level: float = 0.9) -> Slope | None:
    """Least squares of y on x with a constant; the interval holds errors that correlate over time.

    x, y : of the same length, in order of time; pairs in which one is not finite are left out. None with
    fewer than ten pairs, or where x does not vary.

    Source: Newey and West (Econometrica 55, 1987): Bartlett weights 1 − l/(L+1); L = ⌊4(n/100)^(2/9)⌋, the
    rule of thumb of Newey and West (1994); times n/(n−2), and Student's t with n−2 degrees of freedom.
    """
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    n = int(x.size)
    if n < 10 or float(np.ptp(x)) == 0.0:
        return None
    centred = x - x.mean()
    moved = y - y.mean()
    squares = float(centred @ centred)
    value = float(centred @ moved) / squares
    errors = moved - value * centred
    scores = centred * errors
    lags = math.floor(4 * (n / 100) ** (2 / 9))
    variance = float(scores @ scores)
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(scores[lag:] @ scores[:-lag])
    half = float(stats.t.ppf((1 + level) / 2, n - 2)) * math.sqrt(variance * n / (n - 2)) / squares
    total = float(moved @ moved)
    r2 = 1 - float(errors @ errors) / total if total > 0 else 0.0
    return Slope(value, value - half, value + half, r2, n, lags)
