"""Where does a day's value stand among those of its trailing year?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DAYS = 365
LEAST = 180


def causal(values: Floats, *, days: int = DAYS, least: int = LEAST) -> Floats:
    """Mid-rank of each value among the ``days`` values that end with it, in (0, 1): shape as ``values``.

    values : one a day, NaN where there is none. The rank is (smaller + ½ equal) ÷ all, the value itself being
    one of the equal ones, so that a constant stands at ½. NaN where the value or ``least`` of the window are
    not there. Nothing later than the day enters, so a value stands for good.
    """
    if not values.size:
        return values.copy()
    padded = np.concatenate([np.full(days - 1, np.nan), values])
    windows = np.lib.stride_tricks.sliding_window_view(padded, days)
    own = values[:, None]
    smaller = np.count_nonzero(windows < own, axis=1)
    equal = np.count_nonzero(windows == own, axis=1)
    counted = np.concatenate([[0], np.cumsum(np.isfinite(padded))])
    there = counted[days:] - counted[:-days]
    enough = np.isfinite(values) & (there >= least)
    return np.where(enough, (smaller + 0.5 * equal) / np.maximum(there, 1), np.nan)
