"""Does a stated figure hold beside a measured one? Rules on plain numbers; `docs/claims.md` explains them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

SAME_ORDER = 4.0
"""A figure of the right sign that is off by more than this factor is false, not over- or understated."""
_ROUND_OFF = 1e-9
"""Part of the larger of both figures that binary fractions may be off; no claim is decided by it."""


class Verdict(StrEnum):
    """What is said of a claim."""

    TRUE = "true"
    ROUNDED = "true within rounding"
    OVERSTATED = "overstated"
    UNDERSTATED = "understated"
    FALSE = "false"
    ARITHMETIC = "arithmetic only"
    ONE_COUNT = "one vendor's count"
    NOT_KNOWABLE = "not knowable from this data"
    NO_CHECK = "cannot be checked"


HOLDS = (Verdict.TRUE, Verdict.ROUNDED)


class Comparison(StrEnum):
    """How the stated figure is meant."""

    EQUAL = "equal"
    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True)
class Judged:
    """A verdict, and for figures that do not hold by how much [unit of the figure, > 0]."""

    verdict: Verdict
    off_by: float | None = None


@dataclass(frozen=True)
class Stated:
    """A figure as it was stated.

    value : in its unit. rounding : half a unit of the last digit that was printed; tolerance : up to which
    difference the figure is taken as the same, at least the rounding; both ≥ 0 in the unit of value.
    is_date : it is a day, which has no size to be overstated: it is met or false.
    """

    value: float
    comparison: Comparison = Comparison.EQUAL
    tolerance: float = 0.0
    rounding: float = 0.0
    is_date: bool = False


def judge(
    stated: Stated, measured: float | None, low: float | None = None, high: float | None = None
) -> Judged:
    """The verdict on one figure.

    Without a measured value nothing is known. A value alone is judged by `_of_point`. An interval is looked
    at, too: where one end of it would fail a claim that the value passes, or the other way round, this data
    cannot decide; but a value that equals the stated one stands as long as no end of its interval is false.

    Parameters
    ----------
    measured : value in the unit of ``stated``; None or NaN where it was not observed.
    low, high : ends of its interval, None where it has none.
    """
    if measured is None or not math.isfinite(measured):
        return Judged(Verdict.NOT_KNOWABLE)
    point = _of_point(stated, measured)
    ends = [end for end in (low, high) if end is not None and math.isfinite(end)]
    if not ends:
        return point
    others = [_of_point(stated, end).verdict for end in ends]
    if point.verdict in HOLDS:
        one_sided = stated.comparison is not Comparison.EQUAL
        doubt = any(other not in HOLDS if one_sided else other is Verdict.FALSE for other in others)
    else:
        doubt = any(other in HOLDS for other in others) or (
            stated.comparison is Comparison.EQUAL and min(ends) <= stated.value <= max(ends)
        )
    return Judged(Verdict.NOT_KNOWABLE) if doubt else point


def combine(parts: Sequence[Judged]) -> Judged:
    """The verdict on a claim of several figures that all must hold.

    All hold: true, within rounding where one is. One cannot be known and none fails: not knowable. All that
    are known are false: false. Otherwise something of it stands and something does not: overstated (or
    understated, where the failing figures are so), by the amount of the first that is off by an amount.

    Raises
    ------
    ValueError
        there are none.
    """
    if not parts:
        raise ValueError("expected at least one figure, found none")
    if len(parts) == 1:
        return parts[0]
    words = [part.verdict for part in parts]
    failing = [part for part in parts if part.verdict not in (*HOLDS, Verdict.NOT_KNOWABLE)]
    if not failing:
        for word in (Verdict.NOT_KNOWABLE, Verdict.ROUNDED):
            if word in words:
                return Judged(word)
        return Judged(Verdict.TRUE)
    known = [word for word in words if word is not Verdict.NOT_KNOWABLE]
    if all(word is Verdict.FALSE for word in known):
        return failing[0]
    off = next((part for part in failing if part.verdict is not Verdict.FALSE), None)
    return off or Judged(Verdict.OVERSTATED)


def one_count(own: Judged, rivals: Sequence[Judged]) -> Judged:
    """The verdict on a figure that a named vendor published.

    own : of the figure beside what that vendor published; rivals : of the same stated figure beside what
    others counted. A figure that the vendor did publish is true where another count comes to the same, and
    one vendor's count where none does or nobody else counted. So is one that this data cannot decide.
    """
    if own.verdict not in (*HOLDS, Verdict.NOT_KNOWABLE):
        return own
    if any(rival.verdict in HOLDS for rival in rivals):
        return own
    return Judged(Verdict.ONE_COUNT)


def follows(stated: Stated, computed: float | None, inputs: Sequence[Verdict]) -> Judged:
    """The verdict on a figure that is computed from other stated figures.

    computed : from the figures as stated; inputs : the verdicts on those. One that follows from figures
    that hold, holds; from others it is arithmetic only.
    """
    found = judge(stated, computed)
    if found.verdict in HOLDS and not all(verdict in HOLDS for verdict in inputs):
        return Judged(Verdict.ARITHMETIC)
    return found


def _of_point(stated: Stated, measured: float) -> Judged:
    """Without an interval: within the rounding true, within the tolerance so too, else by how much."""
    gap = measured - stated.value
    room = _ROUND_OFF * max(abs(measured), abs(stated.value))
    short = {Comparison.EQUAL: abs(gap), Comparison.AT_LEAST: -gap, Comparison.AT_MOST: gap}[
        stated.comparison
    ]
    if short <= stated.rounding + room:
        return Judged(Verdict.TRUE)
    if short <= stated.tolerance + room:
        return Judged(Verdict.ROUNDED)
    if stated.is_date or _is_another(stated.value, measured):
        return Judged(Verdict.FALSE, abs(gap))
    larger = abs(stated.value) > abs(measured)
    return Judged(Verdict.OVERSTATED if larger else Verdict.UNDERSTATED, abs(gap))


def _is_another(stated: float, measured: float) -> bool:
    """True where both differ in sign or by more than `SAME_ORDER`."""
    if stated == 0 or measured == 0 or (stated > 0) != (measured > 0):
        return True
    small, large = sorted((abs(stated), abs(measured)))
    return large > SAME_ORDER * small
