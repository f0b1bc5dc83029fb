"""Has a coin come apart from gold, in price and in correlation?"""

from __future__ import annotations

from deleverage.measure.decoupling.measure import MEASURE, compute

__all__ = ["MEASURE", "compute"]
