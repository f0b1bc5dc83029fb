"""How thick is the book, and how did it come through a crash?"""

from __future__ import annotations

from deleverage.measure.liquidity.measure import MEASURE, compute

__all__ = ["MEASURE", "compute"]
