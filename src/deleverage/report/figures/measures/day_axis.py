"""How does an axis of days look: months or days by name, never more labels than fit?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DAY_NS = 86_400 * 1_000_000_000

_EDGE = 0.05
"""A label nearer to the right end than this share of the axis would be cut there."""


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
        _label(axes, ticks, "%-d %b")
        return
    months = [day for day in range(int(np.ceil(first)), int(last) + 1) if _moment(day).day == 1]
    every = max(1, -(-len(months) // labels))
    chosen = months[::every]
    _label(axes, [float(day) for day in chosen], "%b %Y")


def _label(axes: Axes, ticks: list[float], form: str) -> None:
    """Names below the ticks; one that would stick out on the right ends at its tick."""
    axes.set_xticks(ticks, [_name(tick, form) for tick in ticks])
    first, last = axes.get_xlim()
    if ticks and ticks[-1] > last - _EDGE * (last - first):
        axes.get_xticklabels()[-1].set_horizontalalignment("right")


def date_of(time_ns: int) -> str:
    """`6 Oct 2025`."""
    return _name(time_ns / DAY_NS, "%-d %b %Y")


def _moment(day: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=float(day))


def _name(day: float, form: str) -> str:
    when = _moment(day)
    return when.strftime(form.replace("%-d", str(when.day)))
