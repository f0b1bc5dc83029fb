"""Which rows of a regular series are not there?

A stretch that is missing begins at the first row that should be there and ends where the next one is there
again. Stretches do not cross midnight, so that a later backfill of other days writes the same rows down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from deleverage.data.backfill.days import DAY_NS, end_ns, start_ns
from deleverage.data.backfill.request import Gap

if TYPE_CHECKING:
    import polars as pl

REASON = "backfill-missing"


def missing(times_ns: Iterable[int], day: date, step_ns: int, until_ns: int | None = None) -> list[Gap]:
    """Stretches of a day without a row of a series that has one in each step.

    Parameters
    ----------
    times_ns : times of the rows [ns UTC], in any order.
    step_ns : a row is expected in every [k·step, (k+1)·step).
    until_ns : no row is expected from here on [ns UTC]; the day's end by default.
    """
    begin, end = start_ns(day), end_ns(day)
    if step_ns >= DAY_NS:
        return _missing_long(times_ns, begin, step_ns)
    end = min(end, until_ns if until_ns is not None else end)
    there = {(time - begin) // step_ns for time in times_ns if begin <= time < end}
    found: list[Gap] = []
    for slot in range(max(0, (end - begin) // step_ns)):
        if slot in there:
            continue
        at = begin + slot * step_ns
        if found and found[-1].end_ns == at:
            found[-1] = Gap(found[-1].start_ns, at + step_ns, (found[-1].lost or 0) + 1)
        else:
            found.append(Gap(at, at + step_ns, 1))
    return found


def _missing_long(times_ns: Iterable[int], begin: int, step_ns: int) -> list[Gap]:
    """Bars of a day or more: missing on the day on which they would open."""
    monday = 4 * DAY_NS if step_ns == 7 * DAY_NS else 0
    if (begin - monday) % step_ns or begin in set(times_ns):
        return []
    return [Gap(begin, begin + step_ns, 1)]


def missing_settlements(times_ns: Sequence[int], interval_s: int, day: date, until_ns: int) -> list[Gap]:
    """Settlements of a day that are not there; venues settle on whole multiples of the interval."""
    return missing(times_ns, day, interval_s * 1_000_000_000, until_ns)


def gap_rows(gaps: Sequence[Gap], venue: str, stream: str, symbol: str, received_ns: int) -> pl.DataFrame:
    """Gaps as rows of the lake's table."""
    import polars as pl

    return pl.DataFrame(
        {
            "time_ns": [gap.start_ns for gap in gaps],
            "end_ns": [gap.end_ns for gap in gaps],
            "received_ns": [received_ns] * len(gaps),
            "venue": [venue] * len(gaps),
            "stream": [stream] * len(gaps),
            "symbol": [symbol] * len(gaps),
            "reason": [REASON] * len(gaps),
            "events_lost": [gap.lost for gap in gaps],
        },
        schema={
            **dict.fromkeys(("time_ns", "end_ns", "received_ns"), pl.Int64),
            **dict.fromkeys(("venue", "stream", "symbol", "reason"), pl.String),
            "events_lost": pl.Int64,
        },
    )
