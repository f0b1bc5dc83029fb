"""In which order do accounts come? One stable sort for everything that the engine ranks.

Every form of numpy's sort that a kernel uses is compiled anew, at more than a second each.
"""

from __future__ import annotations

import numpy as np

from deleverage.jit import allocating_kernel
from deleverage.units import Int64s


@allocating_kernel
def rising(keys: Int64s) -> Int64s:
    """Numbers of the keys from the smallest to the largest; equal keys keep their order."""
    return np.argsort(keys, kind="mergesort")


@allocating_kernel
def falling(keys: Int64s) -> Int64s:
    """Numbers of the keys from the largest to the smallest; equal keys keep their order."""
    negated = np.empty(keys.shape[0], dtype=np.int64)
    for i in range(keys.shape[0]):
        negated[i] = -keys[i]
    return rising(negated)
