"""What does a table hold, out of its log alone?"""

from __future__ import annotations

from typing import NamedTuple

from deleverage.data.lake.append import LiveTable
from deleverage.data.lake.times import iso


class TableStatus(NamedTuple):
    """One line of `lake status`; times are ISO, None in an empty table."""

    table: str
    rows: int
    first: str | None
    last: str | None
    bytes: int
    files: int = 0
    written: str | None = None


def table_status(live: LiveTable) -> TableStatus:
    """Rows, span of event times, bytes, files and the time of the last commit that added rows."""
    with live.lock:
        files = list(live.log.files.values()) if live.log.refresh() else []
    first = min((file.first_ns for file in files if file.first_ns is not None), default=None)
    last = max((file.last_ns for file in files if file.last_ns is not None), default=None)
    written = max((file.written_ms for file in files), default=None)
    return TableStatus(
        live.table.name,
        sum(file.rows for file in files),
        None if first is None else iso(first),
        None if last is None else iso(last),
        sum(file.bytes for file in files),
        len(files),
        None if not written else iso(written * 1_000_000),
    )
