"""What followed the moment of a claim about the future, where the lake knows it by now?"""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from importlib import import_module
from typing import Any

from deleverage.measure.asof import Tables


def happened(source: Tables, at_ns: int, horizon: float, floor: float) -> Any:
    """What `experiment.exhaustion` reads of the time after ``at_ns`` [ns UTC], as plain values.

    horizon : days that are looked at; floor : share by which the price had to stay above. None where the
    horizon has not passed in the lake.
    """
    found = import_module("deleverage.experiment.exhaustion").outcome(source, at_ns, horizon, floor)
    if is_dataclass(found) and not isinstance(found, type):
        return asdict(found)
    return found
