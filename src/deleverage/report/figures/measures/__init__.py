"""How is each measure drawn? One file a measure; every one of the catalogue has one."""

from __future__ import annotations

from collections.abc import Callable

from deleverage.measure.measure import Measured
from deleverage.report.figures.canvas import Drawing

DRAWINGS: dict[str, Callable[[Measured], Drawing]] = {}
"""By the measure's name."""


def draw(measured: Measured) -> Drawing:
    """The figure of a measure, from its readings and series alone."""
    return DRAWINGS[measured.measure](measured)
