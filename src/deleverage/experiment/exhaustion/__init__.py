"""Has the selling exhausted itself, and what happened then?"""

from __future__ import annotations

from deleverage.experiment.exhaustion.measure import MEASURE, compute
from deleverage.experiment.exhaustion.outcome import Lowest, Outcome, outcome

__all__ = ["MEASURE", "Lowest", "Outcome", "compute", "outcome"]
