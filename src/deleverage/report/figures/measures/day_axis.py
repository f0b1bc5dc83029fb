"""How does an axis of days look: months or days by name, never more labels than fit?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DAY_NS = 86_400 * 1_000_000_000


def days(time_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Moments as days since 1970."""
    return np.asarray(time_ns, np.float64) / DAY_NS


def day_axis(axes: Axes, first: float, last: float, labels: int) -> None:
    """Dates on the x axis from ``first`` to ``last`` (days since 1970): `6 Oct`, or `Oct 2025` for months."""
    span = max(last - first, 1.0)
    axes.set_xlim(first - span * 0.01, last + span * 0.01)
    step = next((s for s in (1, 2, 7, 14) if span / s <= labels), 0)
    if step:
        start = int(np.ceil(first))
        ticks = [float(day) for day in range(start, int(last) + 1, step)]
        axes.set_xticks(ticks, [_name(tick, "%-d %b") for tick in ticks])
        return
    months = [day for day in range(int(np.ceil(first)), int(last) + 1) if _moment(day).day == 1]
    every = max(1, -(-len(months) // labels))
    chosen = months[::every]
    axes.set_xticks([float(day) for day in chosen], [_name(day, "%b %Y") for day in chosen])


def date_of(time_ns: int) -> str:
    """`6 Oct 2025`."""
    return _name(time_ns / DAY_NS, "%-d %b %Y")


def _moment(day: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=float(day))


def _name(day: float, form: str) -> str:
    when = _moment(day)
    return when.strftime(form.replace("%-d", str(when.day)))
