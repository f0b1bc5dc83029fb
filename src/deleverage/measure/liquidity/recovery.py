"""How fast does a level come back after a fall: what is its half-life?

Least squares of  level(t) = usual − gap · exp(−t ln 2 / h)  with gap > 0: for each half-life h of a grid the
other two follow linearly (variable projection, Golub & Pereyra 1973), so nothing can get stuck. The interval
is the middle 90 % of refits to the fitted curve plus blocks of the residuals. What is shorter than half a
step of the series, or longer than half of what was seen, cannot be told from it, and is not given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deleverage.measure.blocks import block_draws, middle

Floats = NDArray[np.float64]
FEWEST = 12
"""Points after the fall below which nothing is fitted."""

_GRID = 80
_DRAWS = 400


@dataclass(frozen=True)
class HalfLife:
    """A fit.

    hours : the half-life, None where it is not identified, and ``why`` says so; low, high : ends of its
    interval that are identified, else None. usual : level to which it returns, in the units of the levels;
    points : how many.
    """

    hours: float | None
    low: float | None
    high: float | None
    usual: float | None
    points: int
    why: str = ""


def half_life(hours: Floats, levels: Floats, rng: np.random.Generator, *, block: int = 6) -> HalfLife:
    """The half-life of the way back.

    hours : since the lowest level, rising, the first 0; levels : there.
    """
    points = int(hours.size)
    if points < FEWEST:
        return HalfLife(None, None, None, None, points, f"{points} points after it, {FEWEST} are needed")
    step, seen = float(np.median(np.diff(hours))), float(hours[-1])
    grid = np.geomspace(step / 16, seen * 2, _GRID)
    curves = 2.0 ** (-hours[None, :] / grid[:, None])
    best, usual, gap, fitted = _fit(curves, levels[None, :])
    if gap[0] <= 0:
        return HalfLife(None, None, None, None, points, "it did not come back within what was seen")
    noise = levels - fitted[0]
    draws = fitted[0] + block_draws(noise - noise.mean(), block, _DRAWS, rng)
    again, _, _, _ = _fit(curves, draws)
    low, high = middle(grid[again])
    shortest, longest = step / 2, seen / 2
    found_low, found_high = low if low >= shortest else None, high if high <= longest else None
    why = ""
    if found_low is None and found_high is None:
        why = f"anything from below {shortest:g} to above {longest:g} h fits: too noisy"
    elif found_low is None:
        why = f"shorter than the steps of {step:g} h can tell; at most {high:.1f} h (95 %)"
    elif found_high is None:
        why = f"longer than half of the {seen:g} h seen can tell; at least {low:.1f} h (95 %)"
    hours_found = None if why else float(grid[best[0]])
    return HalfLife(hours_found, found_low, found_high, float(usual[0]), points, why)


def _fit(curves: Floats, levels: Floats) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """Best curve of each row of levels: its number, usual level, gap, fitted values."""
    centred = curves - curves.mean(axis=1, keepdims=True)
    power = np.maximum((centred**2).sum(axis=1), 1e-300)
    mean = levels.mean(axis=1, keepdims=True)
    slopes = (levels - mean) @ centred.T / power
    gain = slopes**2 * power
    gain[slopes >= 0] = 0.0  # a level that falls further is no way back
    best = gain.argmax(axis=1)
    rows = np.arange(levels.shape[0])
    slope = np.minimum(slopes[rows, best], 0.0)
    usual = mean[:, 0] - slope * curves[best].mean(axis=1)
    fitted = usual[:, None] + slope[:, None] * curves[best]
    return best, usual, -slope, fitted
