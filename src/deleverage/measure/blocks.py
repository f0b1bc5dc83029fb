"""How uncertain is a statistic of a series whose neighbours are alike?

The moving-block bootstrap: blocks of neighbours are drawn with replacement and laid end to end, so that what
goes on inside a block is kept (Künsch 1989, 10.1214/aos/1176347265). Blocks wrap around the end (Politis &
Romano 1992), so that every value is drawn equally often.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEVEL = 0.90
"""Share of the draws inside an interval."""


def stream(*names: str | int) -> np.random.Generator:
    """The stream of randomness of a subject: same names, same draws."""
    parts = [crc32(str(name).encode()) for name in names]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(parts)))


def block_draws(values: Floats, block: int, draws: int, rng: np.random.Generator) -> Floats:
    """``draws`` × ``values.size`` values, each row made of blocks of ``block`` neighbours."""
    size = values.size
    block = max(1, min(block, size))
    pieces = -(-size // block)
    starts = rng.integers(0, size, (draws, pieces))
    picked = (starts[:, :, None] + np.arange(block)[None, None, :]) % size
    return np.asarray(values[picked.reshape(draws, pieces * block)[:, :size]], np.float64)


def middle(draws: Floats) -> tuple[float, float]:
    """Both ends of the middle 90 % of the draws."""
    low, high = np.quantile(draws, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)
