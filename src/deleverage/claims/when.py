"""On which other day would a stated figure have been true?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deleverage.claims.verdict import HOLDS, Comparison, Stated, judge
from deleverage.data.lake.times import iso
from deleverage.measure.asof import DAY_NS


@dataclass(frozen=True)
class Otherwise:
    """A day on which the figure would have held.

    value : of the figure at its end (00:00 UTC of the next); passed_from : the value at the end of the day
    before, where the stated one lay between both and was passed in the course of the day.
    """

    day: str
    value: float
    passed_from: float | None = None


def true_on(
    stated: Stated, at_ns: int, days: int, last_ns: int, value: Callable[[int], float | None]
) -> Otherwise | None:
    """The nearest day on which the figure would have been true; None where no day within reach is one.

    Days are looked at outward from the claim's, the later of two equally far ones first. A day counts where
    the figure is within its tolerance, and for 'equal' also where it passed the stated value since the day
    before: then it was true at some hour of that day.

    Parameters
    ----------
    at_ns : the moment of the claim [ns UTC]; the days end at this hour.
    days : how far is looked on either side; last_ns : no moment later than this [ns UTC].
    value : the figure as of a moment, None where it was not observed.
    """
    seen: dict[int, float | None] = {}

    def of(number: int) -> float | None:
        moment = at_ns + number * DAY_NS
        if moment > last_ns:
            return None
        if number not in seen:
            seen[number] = value(moment)
        return seen[number]

    for distance in range(1, days + 1):
        for number in (distance, -distance):
            there = of(number)
            if there is None:
                continue
            day = iso(at_ns + number * DAY_NS - 1)[:10]
            if judge(stated, there).verdict in HOLDS:
                return Otherwise(day, there)
            if stated.comparison is not Comparison.EQUAL:
                continue
            # the neighbour towards the claim has been looked at; between both the value may have passed by
            nearer = of(number - 1 if number > 0 else number + 1)
            if nearer is not None and (nearer - stated.value) * (there - stated.value) < 0:
                later = day if number > 0 else iso(at_ns + (number + 1) * DAY_NS - 1)[:10]
                before, after = (nearer, there) if number > 0 else (there, nearer)
                return Otherwise(later, after, before)
    return None
