"""How much money left the funds?"""

from __future__ import annotations

from deleverage.measure.outflows.measure import MEASURE, compute

__all__ = ["MEASURE", "compute"]
