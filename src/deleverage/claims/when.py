"""On which other day would a stated figure have been true?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deleverage.claims.verdict import HOLDS, Comparison, Stated, judge
from deleverage.data.lake.times import iso
from deleverage.measure.asof import DAY_NS

Seen = tuple[float, float | None, float | None]
"""A value and the ends of its interval, None where that is no doubt or there is none."""


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
    stated: Stated,
    at_ns: int,
    days: int,
    last_ns: int,
    value: Callable[[int], Seen | None],
    *,
    moves: bool = True,
) -> Otherwise | None:
    """The nearest day on which the figure would have been true; None where no day within reach is one.

    Days are looked at outward from the claim's, the later of two equally far ones first. A day counts where
    the figure is within its tolerance, and for 'equal' also where it passed the stated value since the day
    before: then it was true at some hour of that day.

    Parameters
    ----------
    at_ns : the moment of the claim [ns UTC]; days end at midnight, whatever its hour.
    days : how far is looked on either side; last_ns : no moment later than this [ns UTC].
    value : the figure as of a moment, None where it was not observed; moves : False for what jumps from day
    to day, such as a count of days or a published index, and passes nothing in between.
    """
    seen: dict[int, Seen | None] = {}
    at_ns = at_ns // DAY_NS * DAY_NS

    def of(number: int) -> Seen | None:
        moment = at_ns + number * DAY_NS
        if moment > last_ns:
            return None
        if number not in seen:
            seen[number] = value(moment)
        return seen[number]

    for distance in range(1, days + 1):
        for number in (distance, -distance):
            found = of(number)
            if found is None:
                continue
            there = found[0]
            day = _day(at_ns + number * DAY_NS)
            if judge(stated, *found).verdict in HOLDS:
                return Otherwise(day, there)
            if stated.comparison is not Comparison.EQUAL or not moves:
                continue
            # the neighbour towards the claim has been looked at; between both the value may have passed by
            beside = of(number - 1 if number > 0 else number + 1)
            if beside is not None and (beside[0] - stated.value) * (there - stated.value) < 0:
                later = day if number > 0 else _day(at_ns + (number + 1) * DAY_NS)
                before, after = (beside[0], there) if number > 0 else (there, beside[0])
                return Otherwise(later, after, before)
    return None


def all_true_on(
    at_ns: int, days: int, last_ns: int, values: Callable[[int], Sequence[tuple[Stated, Seen | None]]]
) -> str | None:
    """The nearest day at whose end every figure of a claim would have held; None where none is within reach.

    values : the figures as of a moment, None where one was not observed.
    """
    at_ns = at_ns // DAY_NS * DAY_NS
    for distance in range(1, days + 1):
        for number in (distance, -distance):
            moment = at_ns + number * DAY_NS
            if moment <= last_ns and all(
                seen is not None and judge(stated, *seen).verdict in HOLDS for stated, seen in values(moment)
            ):
                return _day(moment)
    return None


def _day(end_ns: int) -> str:
    return iso(end_ns - 1)[:10]
