"""How far is a price below its high, and how rare would that be by chance?"""

from __future__ import annotations

from deleverage.measure.drawdown.measure import MEASURE, compute

__all__ = ["MEASURE", "compute"]
