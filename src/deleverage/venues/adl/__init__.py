"""Auto-deleveraging as pure policies: who gives up how much of what was won.

`compare` puts winners and a budget before every policy; `policies` holds them by name; `ranks` holds the
venues' scores as kernels; `metrics` says what a deleveraging cost whom. Money in whole uusd, exact.
"""

from deleverage.venues.adl import metrics
from deleverage.venues.adl.compare import Comparison, Outcome, compare
from deleverage.venues.adl.policies import Policy, policies
from deleverage.venues.adl.winners import Claims, Winner, claims_of

__all__ = [
    "Claims",
    "Comparison",
    "Outcome",
    "Policy",
    "Winner",
    "claims_of",
    "compare",
    "metrics",
    "policies",
]
