"""Which measures are there in all: those of the lake, and those that need positions or a run?"""

from __future__ import annotations

from deleverage.measure.catalogue import MEASURES
from deleverage.measure.measure import Measure

ALL: dict[str, Measure] = dict(MEASURES)
"""By name, in the order of the screen."""
