"""How sure is a share or a median: Wilson's interval and a bootstrap of pairs."""

from __future__ import annotations

import math

import numpy as np

from deleverage.units import Floats


def wilson(hits: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson interval of a share."""
    share = hits / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return max(0.0, middle - half), min(1.0, middle + half)


def ratio_of_medians(upper: Floats, lower: Floats, draws: int = 2_000) -> tuple[float, float, float]:
    """median(upper) ÷ median(lower) with its 95 % interval, seeds drawn again in pairs."""
    rng = np.random.default_rng(0)
    pick = rng.integers(0, upper.shape[0], (draws, upper.shape[0]))
    ratios = np.median(upper[pick], axis=1) / np.median(lower[pick], axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(np.median(upper) / np.median(lower)), float(high)
