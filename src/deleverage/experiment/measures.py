"""Which measures are there in all: those of the lake, and those that need positions or a run?"""

from __future__ import annotations

from deleverage.measure.catalogue import MEASURES
from deleverage.measure.measure import Measure

OF_RUNS: dict[str, Measure] = {}
"""They read no lake: a run's answer, or a venue's rules."""

ALL: dict[str, Measure] = {**MEASURES, **OF_RUNS}
"""By name, in the order of the screen."""
