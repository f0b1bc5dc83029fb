"""Which falls were cascades, one coin or several?"""

from __future__ import annotations

from deleverage.measure.episodes.measure import MEASURE, compute

__all__ = ["MEASURE", "compute"]
