"""How are pages put together so that nothing is skipped or taken twice at their edges?

Two ways. By time: a stretch is asked for; an answer with as many rows as a page holds may have been cut off,
at whichever end, so the stretch is halved and each half asked for, until no answer is full. By number: trades
are numbered without holes, so the next page begins with the number after the last one. Neither trusts the
order of rows, nor that a page holds none twice, nor that a short page is the last one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from deleverage.errors import SourceChanged

Row = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """Rows of one answer, and whether it is as long as an answer can be."""

    rows: list[Row]
    full: bool


def by_time(
    fetch: Callable[[int, int], Page],
    start: int,
    end: int,
    *,
    window: int,
    least: int,
    time: str = "time",
    key: tuple[str, ...] = ("time",),
    what: str = "",
) -> list[Row]:
    """Every row with start ≤ time < end, once each, in the order of time and key.

    Parameters
    ----------
    fetch : rows of start ≤ t < end, in any order; rows outside are dropped.
    window : longest stretch of one question.
    least : shortest one; if even that comes back full, there is more than can be asked for.
    key : fields whose values together name a row.

    Raises
    ------
    SourceChanged
        two rows of one key differ, or a stretch of ``least`` is full.
    """
    found: dict[tuple[Any, ...], Row] = {}
    waiting = [(at, min(at + window, end)) for at in range(start, end, window)]
    waiting.reverse()
    while waiting:
        low, high = waiting.pop()
        page = fetch(low, high)
        if page.full and high - low > least:
            steps = (high - low) // least
            middle = low + max(1, steps // 2) * least
            if low < middle < high:
                waiting += [(middle, high), (low, middle)]
                continue
        if page.full:
            raise SourceChanged(
                f"{what}: expected fewer rows than one answer holds between {low} and {high}, found "
                f"{len(page.rows)}",
                hint="the source has changed the size of its answers",
            )
        _merge(found, [row for row in page.rows if low <= row[time] < high], key, what)
    return [found[name] for name in sorted(found, key=lambda name: (found[name][time], name))]


def by_number(
    fetch: Callable[[int], Page],
    first: int,
    end: int,
    *,
    number: str = "number",
    time: str = "time",
    what: str = "",
) -> tuple[list[Row], list[tuple[Row, Row]]]:
    """Rows numbered from ``first`` on with time < end, once each; and where numbers are missing.

    Parameters
    ----------
    fetch : rows with numbers from the given one on.
    end : the first row at or after that time ends it, or a page without a new row.

    Returns
    -------
    rows in order of their numbers, and pairs of rows between which numbers are missing.
    """
    found: dict[tuple[Any, ...], Row] = {}
    following = first
    while True:
        page = fetch(following)
        fresh = [row for row in page.rows if row[number] >= following]
        if not fresh:
            if page.full:
                raise SourceChanged(
                    f"{what}: expected rows from number {following} on, found only earlier ones",
                    hint="the source has changed how its trades are asked for",
                )
            break
        _merge(found, fresh, (number,), what)
        # Rows may come out of order: past the end is only who has passed it with every row of its page.
        if min(row[time] for row in fresh) >= end:
            break
        following = max(row[number] for row in fresh) + 1
    rows = [found[name] for name in sorted(found)]
    holes = [
        (one, other) for one, other in pairwise(rows) if other[number] - one[number] > 1 and one[time] < end
    ]
    return [row for row in rows if row[time] < end], holes


def backwards(
    newest: Callable[[int], Page],
    before: Callable[[int], Page],
    start: int,
    end: int,
    *,
    number: str = "number",
    time: str = "time",
    what: str = "",
) -> tuple[list[Row], bool]:
    """Rows with start ≤ time < end of a source that only goes back in time, once each.

    Parameters
    ----------
    newest : the newest rows before a time.
    before : the newest rows with numbers below the given one.

    Returns
    -------
    rows in order of their numbers, and whether the source reached back to ``start``.
    """
    found: dict[tuple[Any, ...], Row] = {}
    page = newest(end)
    reached = False
    lowest: int | None = None
    while page.rows:
        _merge(found, page.rows, (number,), what)
        least = min(row[number] for row in page.rows)
        if max(row[time] for row in page.rows) < start:
            reached = True
            break
        if lowest is not None and least >= lowest:
            raise SourceChanged(
                f"{what}: expected trades with numbers below {lowest}, found none",
                hint="the source has changed how its trades are asked for",
            )
        lowest = least
        page = before(lowest)
    rows = [found[name] for name in sorted(found)]
    return [row for row in rows if start <= row[time] < end], reached or any(r[time] < start for r in rows)


def _merge(found: dict[tuple[Any, ...], Row], rows: list[Row], key: tuple[str, ...], what: str) -> None:
    for row in rows:
        name = tuple(row[part] for part in key)
        before = found.setdefault(name, row)
        if before != row:
            differs = [part for part in row if row[part] != before.get(part)]
            raise SourceChanged(
                f"{what}: expected one row of {dict(zip(key, name, strict=True))}, "
                f"found two that differ in {differs}",
                hint="a bar that was not final, or the source has changed",
            )
