"""How much market value was erased?"""

from __future__ import annotations

from deleverage.measure.market_value.measure import MEASURE, compute

__all__ = ["MEASURE", "compute"]
