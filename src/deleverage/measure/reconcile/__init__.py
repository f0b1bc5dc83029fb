"""Who counted a night's liquidations, and why do the counts differ?"""

from __future__ import annotations

from deleverage.measure.reconcile.measure import MEASURE, compute

__all__ = ["MEASURE", "compute"]
