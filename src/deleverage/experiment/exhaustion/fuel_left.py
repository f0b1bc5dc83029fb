"""How much open interest would a further fall liquidate, by the prior on hidden positions?

Nobody sees the positions. The prior speaks of the share of long open interest that a fall of 13 % liquidates
(log-uniform, 5 to 60 %) and of the shape of the distances around it; both are read from the embedded
scenario of 10 October 2025, so that there is one prior. With fuel F and shape k a fall d liquidates 1 − (1 −
F)^((d ÷ 13 %)^k) (Weibull distances, `positions.population`). It does not know what was liquidated before:
after a deep fall the near part is more likely empty than it says.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from deleverage.errors import InternalError
from deleverage.positions.population import FUEL_AT
from deleverage.units import Floats

FALLS = (0.05, 0.13, 0.20)
_GRID = 400


class Band(NamedTuple):
    """5, 50 and 95 % points of a share."""

    low: float
    middle: float
    high: float


class FuelPrior(NamedTuple):
    """Ends of the log-uniform fuel and of the uniform shape."""

    low: float
    high: float
    shape_low: float
    shape_high: float


@lru_cache(maxsize=1)
def embedded_prior() -> FuelPrior:
    """The prior of the scenario 'oct-10'."""
    from deleverage.experiment.scenario import Scenario

    population = Scenario.load("oct-10").population
    fuel, shape = population.fuel, population.fuel_shape
    ends = (fuel.low, fuel.high, shape.low, shape.high)
    if fuel.prior != "loguniform" or shape.prior != "uniform" or None in ends:
        raise InternalError(
            "scenario oct-10: expected fuel log-uniform and fuel_shape uniform, found others",
            hint="the band of fuel is worked out for these two; change `fuel_left.band` with the scenario",
        )
    return FuelPrior(*(float(end) for end in ends if end is not None))


def liquidated_share(fall: float, fuel: float | Floats, shape: float | Floats) -> Floats:
    """Share of long open interest that a fall [share] liquidates, for a fuel at 13 % and a Weibull shape."""
    found: Floats = -np.expm1(np.log1p(-np.asarray(fuel)) * (fall / FUEL_AT) ** np.asarray(shape))
    return found


def band(fall: float, prior: FuelPrior) -> Band:
    """5, 50 and 95 % points of that share over the prior, on a grid of its quantiles (no draws)."""
    u = (np.arange(_GRID) + 0.5) / _GRID
    fuel = prior.low * (prior.high / prior.low) ** u
    shape = prior.shape_low + (prior.shape_high - prior.shape_low) * u
    shares = liquidated_share(fall, fuel[:, None], shape[None, :])
    low, middle, high = np.quantile(shares, [0.05, 0.5, 0.95])
    return Band(float(low), float(middle), float(high))
