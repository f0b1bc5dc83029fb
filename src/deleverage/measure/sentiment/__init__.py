"""How fearful is the market, by the published indices and by an own composite that is never revised?"""

from __future__ import annotations

from deleverage.measure.sentiment.measure import MEASURE, compute

__all__ = ["MEASURE", "compute"]
