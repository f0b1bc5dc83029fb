"""How likely is a drawdown of a given size, if days come as the days before it came?

Whole days are drawn in blocks of consecutive days, each with its close, high and low against the close of the
day before. Blocks keep quiet and wild stretches together; a day's high and low keep what closes do not show.
"""

from __future__ import annotations

import math
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def stream(*names: str | int) -> np.random.Generator:
    """The stream of randomness of a subject: same names, same draws."""
    parts = [crc32(str(name).encode()) for name in names]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(parts)))


def blocks(rng: np.random.Generator, count: int, length: int, days: int, draws: int) -> NDArray[np.int64]:
    """Which of ``count`` days stands on each day, int64 [draws, days]: ``length`` days in a row a block, each
    start equally likely (moving blocks; Künsch 1989).
    """
    length = min(length, count)
    number = -(-days // length)
    starts = rng.integers(0, count - length + 1, size=(draws, number))
    return (starts[:, :, None] + np.arange(length)).reshape(draws, -1)[:, :days]


def largest_falls(closes: Floats, highs: Floats, lows: Floats, picked: NDArray[np.int64]) -> Floats:
    """The largest fall [log, ≥ 0] of every row of ``picked``.

    closes, highs, lows : of each day that can be drawn, log against the close of the day before.
    A low is set against the highs of the days before it: within a day, bars do not say what came first.
    """
    moves = closes[picked]
    ends = np.cumsum(moves, axis=1)
    starts = ends - moves
    top = np.maximum.accumulate(starts + highs[picked], axis=1)
    fall = top[:, :-1] - (starts + lows[picked])[:, 1:]
    found: Floats = np.maximum(fall.max(axis=1, initial=0.0), 0.0)
    return found


def volatilities(closes: Floats, picked: NDArray[np.int64]) -> Floats:
    """Standard deviation of the drawn daily returns of every row [1/√day]."""
    found: Floats = closes[picked].std(axis=1, ddof=1)
    return found


def wilson(hits: int, draws: int, z: float = 1.6449) -> tuple[float, float]:
    """Wilson's interval of a share, by default 90 %: what the number of draws leaves open."""
    share = hits / draws
    centre = share + z * z / (2 * draws)
    half = z * math.sqrt(share * (1 - share) / draws + z * z / (4 * draws * draws))
    scale = 1 + z * z / draws
    return max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0)
