"""What followed the moment of a claim about the future, where the lake knows it by now?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from deleverage.data.lake.times import iso
from deleverage.measure.asof import Tables

if TYPE_CHECKING:
    from deleverage.experiment.exhaustion import Lowest


def happened(source: Tables, at_ns: int, horizon: int, floor: float) -> dict[str, Any]:
    """What `experiment.exhaustion` reads of the days after ``at_ns`` [ns UTC]: plain values, and ``text``.

    horizon : days that are looked at; floor : share of the close below which no low may lie.
    """
    from deleverage.experiment.exhaustion import outcome

    found = outcome(source, at_ns, horizon, floor)
    told = [
        f"from the close of {iso(found.day_ns)[:10]} at ${found.close:,.0f}",
        *(_words(one) for one in found.lowest),
    ]
    end = {
        True: f"no low of {horizon} days was below {100 * floor:g}\u202f% of it",
        False: f"a low within {horizon} days was below {100 * floor:g}\u202f% of it: it did not hold",
        None: f"whether it held for {horizon} days is not known yet",
    }[found.held]
    return {**asdict(found), "text": "; ".join([*told, end])}


def _words(one: Lowest) -> str:
    if one.low is None or one.share is None or one.low_day_ns is None:
        return f"the lake knows none of the next {one.days} days"
    over = f"{one.days} days" if one.complete else f"the {one.seen} days that the lake knows"
    change = f"{100 * (one.share - 1):+.1f}\u202f%".replace("-", "−")
    return f"lowest within {over} ${one.low:,.0f} ({change}, {iso(one.low_day_ns)[:10]})"
