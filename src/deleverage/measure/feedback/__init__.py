"""How many liquidations does one liquidation call forth?"""

from __future__ import annotations

from deleverage.measure.feedback.measure import MEASURE, compute

__all__ = ["MEASURE", "compute"]
