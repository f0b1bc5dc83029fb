"""Which days are asked for, by month, and which of them are over?

A month's days are kept as the bits of one integer: bit 0 is its first day. So that what is complete in a
month only ever grows, and one number says it.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from deleverage.errors import InputError

DAY_NS = 86_400_000_000_000
DAY_MS = 86_400_000
FIRST_DAY = date(2009, 1, 3)


@dataclass(frozen=True, order=True)
class Month:
    """A calendar month (UTC)."""

    year: int
    month: int

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def length(self) -> int:
        """Its number of days."""
        return calendar.monthrange(self.year, self.month)[1]

    @property
    def whole(self) -> int:
        """The mask with all its days."""
        return (1 << self.length) - 1

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, self.month, 1)

    def days(self, mask: int) -> list[date]:
        """The days of a mask, in order."""
        return [date(self.year, self.month, i + 1) for i in range(self.length) if mask >> i & 1]


def mask_of(days: Iterable[date]) -> int:
    """The mask of days, which must be of one month."""
    mask = 0
    for day in days:
        mask |= 1 << (day.day - 1)
    return mask


def month_of(day: date) -> Month:
    """The month of a day."""
    return Month(day.year, day.month)


def by_month(first: date, last: date) -> dict[Month, int]:
    """Every month that has a day from ``first`` to ``last`` (both included), with the mask of those days."""
    asked: dict[Month, int] = {}
    for day in each_day(first, last):
        month = month_of(day)
        asked[month] = asked.get(month, 0) | mask_of([day])
    return asked


def each_day(first: date, last: date) -> Iterator[date]:
    """Every day from ``first`` to ``last``, both included."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def runs(days: Iterable[date]) -> list[tuple[date, date]]:
    """Days in order as stretches without a hole, (first, last)."""
    found: list[tuple[date, date]] = []
    for day in days:
        if found and day - found[-1][1] == timedelta(days=1):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def start_ns(day: date) -> int:
    """00:00 UTC of a day [ns UTC]."""
    return (day - date(1970, 1, 1)).days * DAY_NS


def end_ns(day: date) -> int:
    """00:00 UTC of the next day [ns UTC]."""
    return start_ns(day) + DAY_NS


def day_of_ns(time_ns: int) -> date:
    """The day (UTC) of a time [ns UTC]."""
    return date(1970, 1, 1) + timedelta(days=time_ns // DAY_NS)


def over(day: date, now_ns: int, settle_s: float) -> bool:
    """Whether a day ended at least ``settle_s`` ago, so that its last values are final."""
    return end_ns(day) + int(settle_s * 1e9) <= now_ns


def parse_day(text: str, option: str) -> date:
    """A day out of an option.

    Raises
    ------
    InputError
        it is no day, or one before the first block of Bitcoin.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{option} {text}: expected a day like 2025-10-10, found {text!r}",
            hint="Give year, month and day.",
        ) from None
    if day < FIRST_DAY:
        raise InputError(f"{option} {text}: expected a day from {FIRST_DAY} on, found {day}")
    return day


def now_ns() -> int:
    """The clock of this machine [ns UTC]."""
    return int(datetime.now(UTC).timestamp() * 1_000_000) * 1_000
