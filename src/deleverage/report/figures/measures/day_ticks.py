"""Which days are written below an axis of days?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DAY_NS = 86_400 * 1_000_000_000
_MONTHS = (1, 2, 3, 4, 6, 12)


def day_ticks(axes: Axes, first: float, last: float, *, labels: int) -> None:
    """Firsts of months, or every so many days, on an axis in days since 1970; at most ``labels`` of them."""
    ticks = next((found for step in _MONTHS if 2 <= len(found := _firsts(first, last, step)) <= labels), None)
    if ticks is None:
        step = max(1, -(-int(last - first) // labels))
        ticks = [float(day) for day in range(-int(-first // 1), int(last) + 1, step)]
        axes.set_xticks(ticks, [_day(tick) for tick in ticks])
        return
    axes.set_xticks(ticks, [_month(tick, k == 0) for k, tick in enumerate(ticks)])


def _firsts(first: float, last: float, step: int) -> list[float]:
    """Firsts of every ``step``-th month."""
    found = []
    for number in range(int(first), int(last) + 1):
        moment = _moment(number)
        if moment.day == 1 and (moment.month - 1) % step == 0 and number >= first:
            found.append(float(number))
    return found


def _moment(day: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)


def _day(day: float) -> str:
    moment = _moment(day)
    return f"{moment.day} {moment.strftime('%b')}"


def _month(day: float, first: bool) -> str:
    """`Oct`, and with its year where it is the first label or a January: `Jan 2025`."""
    moment = _moment(day)
    return moment.strftime("%b %Y" if first or moment.month == 1 else "%b")
