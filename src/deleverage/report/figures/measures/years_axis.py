"""Which dates stand on an axis of days?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from deleverage.report.figures.canvas import Size
from deleverage.report.figures.measures.day_ticks import day_ticks


def years_axis(axes: Any, first: float, last: float, size: Size) -> None:
    """Years where there are more than three, else months or days; both ends in days since 1970."""
    axes.set_xlim(first, last)
    start, end = (datetime.fromtimestamp(day * 86_400, UTC).year for day in (first, last))
    if last - first > 3 * 365:
        marks = [(_day(year), str(year)) for year in range(start, end + 1)]
        step = max(1, -(-len(marks) // int(size.pick(10, 5))))
        marks = marks[::-1][::step][::-1]
    else:
        day_ticks(axes, first, last, labels=int(size.pick(8, 4)))
        return
    marks = [(day, text) for day, text in marks if first <= day <= last]
    axes.set_xticks([day for day, _ in marks], [text for _, text in marks])


def _day(year: int) -> float:
    return datetime(year, 1, 1, tzinfo=UTC).timestamp() / 86_400
