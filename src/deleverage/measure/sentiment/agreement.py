"""How closely do two daily series go together, when each is much like its day before?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """r, low, high : correlation and its interval; n : pairs; independent : those that count as such."""

    r: float
    low: float | None
    high: float | None
    n: int
    independent: float


def agreement(x: Floats, y: Floats, *, level: float = 0.9) -> Agreement | None:
    """Pearson's correlation with Fisher's interval; None with fewer than ten pairs or a constant.

    The number of pairs is corrected for autocorrelation: n ÷ (1 + 2 Σ (1−k/n) ρx(k) ρy(k)), summed to the
    first lag at which the product is below 0.05, at most n/4 (Bartlett 1946). No interval where no more than
    four are left.
    """
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    n = int(x.size)
    if n < 10 or float(np.ptp(x)) == 0.0 or float(np.ptp(y)) == 0.0:
        return None
    r = float(np.clip(np.corrcoef(x, y)[0, 1], -1.0, 1.0))
    inflation = 1.0
    for lag in range(1, n // 4 + 1):
        product = _lagged(x, lag) * _lagged(y, lag)
        if product < 0.05:
            break
        inflation += 2 * (1 - lag / n) * product
    independent = n / inflation
    if independent <= 4 or abs(r) >= 1:
        return Agreement(r, None, None, n, independent)
    half = float(stats.norm.ppf((1 + level) / 2)) / math.sqrt(independent - 3)
    middle = math.atanh(r)
    return Agreement(r, math.tanh(middle - half), math.tanh(middle + half), n, independent)


def _lagged(values: Floats, lag: int) -> float:
    moved = values - values.mean()
    return float(moved[lag:] @ moved[:-lag] / (moved @ moved))
