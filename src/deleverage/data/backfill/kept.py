"""Which raw answers are kept, so that nothing is lost where a reader of them is wrong?

Answers that could not be read, and those of macro sources that brought something new: a publisher's page of a
past day cannot be fetched again. Files of the archive and past bars of venues can, so their rows name the
bytes instead.
"""

from __future__ import annotations

from deleverage.data.backfill.days import now_ns
from deleverage.data.lake import Lake
from deleverage.schema import LAKE_TABLES

READER = 1
"""Version of the readers of answers; raised when one gives other rows."""
_LONGEST = 8 << 20


def keep_answer(
    lake: Lake, source: str, symbol: str, body: bytes, *, rows: int | None = None, error: str | None = None
) -> None:
    """Put an answer into the table `payloads`; of a huge one the beginning."""
    import polars as pl

    now = now_ns()
    declared = LAKE_TABLES["payloads"]
    row = {
        "time_ns": now,
        "received_ns": now,
        "venue": source,
        "stream": f"backfill/{symbol}" if symbol else "backfill",
        "sequence": 0,
        "connection": f"backfill-{now}",
        "payload": body[:_LONGEST],
        "encoding": "plain",
        "parser": f"{source}/{READER}",
        "rows": rows,
        "error": error,
        "source": f"backfill/{source}",
    }
    schema = {column.name: getattr(pl, column.dtype) for column in declared.columns}
    lake.append("payloads", pl.DataFrame([row], schema=schema), source_id=f"backfill/{source}")
