"""Which draws an ensemble consists of: points of the prior, and seeds that share them.

Every prior dimension is stratified over the points (Latin hypercube). Seeds of one point differ in accounts
and noise
only: their scatter is Monte Carlo error; the scatter of points is the prior band.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

if TYPE_CHECKING:
    from deleverage.experiment.scenario import Scenario

PRIOR_STREAM = 0


@dataclass(frozen=True)
class Draw:
    """One draw: its number (names its random streams), its prior point, and the priors' values there."""

    number: int
    point: int
    values: dict[str, float]


def draw_priors(scenario: Scenario, seed: int, seeds: int, points: int) -> list[Draw]:
    """``seeds`` draws over ``points`` points (at most one point a seed)."""
    points = max(1, min(points, seeds))
    values: list[dict[str, float]] = [{} for _ in range(points)]
    for path, figure in scenario.priors():
        # A stream per figure: fixing one prior leaves the draws of the others as they were.
        rng = np.random.Generator(
            np.random.PCG64(np.random.SeedSequence([seed, PRIOR_STREAM, crc32(path.encode())]))
        )
        strata = rng.permutation(points)
        inside = rng.random(points)
        for p in range(points):
            values[p][path] = figure.quantile(float((strata[p] + inside[p]) / points))
    return [Draw(i, i * points // seeds, values[i * points // seeds]) for i in range(seeds)]
