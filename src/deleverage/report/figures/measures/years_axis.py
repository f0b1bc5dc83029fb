"""Which dates stand on an axis of days?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from deleverage.report.figures.canvas import Size


def years_axis(axes: Any, first: float, last: float, size: Size) -> None:
    """Years where there are more than three of them, else days; ``first`` and ``last`` in days since 1970."""
    axes.set_xlim(first, last)
    start, end = (datetime.fromtimestamp(day * 86_400, UTC).year for day in (first, last))
    if last - first > 3 * 365:
        marks = [(_day(year), str(year)) for year in range(start, end + 1)]
        step = max(1, -(-len(marks) // int(size.pick(10, 5))))
        marks = marks[::-1][::step][::-1]
    else:
        count = int(min(size.pick(6, 3), max(last - first, 1)))
        days = np.unique(np.floor(np.linspace(first, last, count + 2)[1:-1]))
        marks = [(float(day), datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")) for day in days]
    marks = [(day, text) for day, text in marks if first <= day <= last]
    axes.set_xticks([day for day, _ in marks], [text for _, text in marks])


def _day(year: int) -> float:
    return datetime(year, 1, 1, tzinfo=UTC).timestamp() / 86_400
