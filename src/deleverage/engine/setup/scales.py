"""How do half lives, shares and depths become numbers per second, per lot and per unit of log price?"""

from __future__ import annotations

import math
from fractions import Fraction

from deleverage.errors import UnitError
from deleverage.venues.margin import NEVER_TICKS


def per_step(half_life_s: float) -> float:
    """Share that decays in one second for a half-life; 0 for an infinite one."""
    return 0.0 if math.isinf(half_life_s) else 1.0 - 0.5 ** (1.0 / half_life_s)


def gap_per_step(time_s: float) -> float:
    """Share of a gap that closes in one second for a time constant."""
    return 0.0 if math.isinf(time_s) else 1.0 - math.exp(-1.0 / time_s)


def below(coins: float, lot: float, reach: float) -> float:
    """Lots per unit of log price of a flat book that holds ``coins`` within a price move of ``reach``."""
    return coins / lot / -math.log1p(-reach)


def above(coins: float, lot: float, reach: float) -> float:
    """The same above the price, where a move of ``reach`` is a smaller step of log price."""
    return coins / lot / math.log1p(reach)


def whole(value: Fraction, what: str) -> int:
    """A positive number of units that must be whole and fit into an integer.

    Raises
    ------
    UnitError
        it is not, or does not.
    """
    if value.denominator != 1 or not 0 < value < NEVER_TICKS:
        raise UnitError(f"{what} must be a whole number between 1 and 2⁶⁰, found {float(value)}")
    return int(value)
