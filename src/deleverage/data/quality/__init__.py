"""What is wrong with the rows of a lake?

Each check is a function that takes the lake and returns findings; a new one is a function and a line in
`CHECKS`. An unusual value is not corrected here: the finding says what was expected, what is there and what
to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from deleverage.data.quality import bars, books, clock, duplicates, files, holes, units, values
from deleverage.data.quality.findings import Finding, Span, table_of

if TYPE_CHECKING:
    import polars as pl

    from deleverage.data.lake import Lake

Check = Callable[["Lake", Span], Iterable[Finding]]

CHECKS: dict[str, Check] = {
    "duplicates": duplicates.check,
    "values": values.check,
    "bars": bars.check,
    "books": books.check,
    "clock": clock.check,
    "units": units.check,
    "gaps": holes.check,
}


def check(
    lake: Lake, tables: Iterable[str], *, start_ns: int | None = None, end_ns: int | None = None
) -> pl.DataFrame:
    """Run every check on tables; findings as `schema.FINDINGS`, errors first."""
    import polars as pl

    span = Span(frozenset(tables), start_ns, end_ns, time.time_ns())
    try:
        return table_of(finding for one in CHECKS.values() for finding in one(lake, span))
    except (pl.exceptions.PolarsError, OSError):
        broken = list(files.check(lake, span))
        if not broken:
            raise
    # What can be read is checked without the files that cannot.
    span = replace(span, damaged=frozenset(path for path, _ in broken))
    others = (finding for one in CHECKS.values() for finding in one(lake, span))
    return table_of([*(finding for _, finding in broken), *others])
