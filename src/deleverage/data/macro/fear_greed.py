"""What does alternative.me's Fear & Greed interface answer?

One call gives every day since February 2018, newest first, times in seconds at 00:00 UTC, numbers as text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deleverage.data.backfill.days import DAY_NS
from deleverage.data.backfill.web import Web

if TYPE_CHECKING:
    import polars as pl

BASE = "https://api.alternative.me"
PATH = "/fng/?limit=0&format=json"
PUBLISHER = "alternative.me"
TABLE = "sentiment"


def fetch(web: Web, base: str) -> pl.DataFrame:
    """Every day that the publisher has, as rows of the table of sentiment."""
    url = base + PATH
    return web.get_json(url, read=parse)  # type: ignore[no-any-return]


def parse(answer: Any) -> pl.DataFrame:
    """Rows of an answer. Raises `ValueError`, `KeyError` or `TypeError` where it is not as documented."""
    import polars as pl

    if answer["metadata"]["error"]:
        raise ValueError(f"the publisher says {answer['metadata']['error']!r}")
    rows: dict[int, tuple[int, str]] = {}
    for one in answer["data"]:
        time, value = int(one["timestamp"]) * 1_000_000_000, int(one["value"])
        if not 0 <= value <= 100:
            raise ValueError(f"value {value} is not between 0 and 100")
        if not DAY_NS <= time < 2**62:
            raise ValueError(f"time {one['timestamp']!r} is none in seconds")
        day = time // DAY_NS * DAY_NS
        if rows.setdefault(day, (value, str(one["value_classification"]))) != (
            value,
            str(one["value_classification"]),
        ):
            raise ValueError(f"two values for the day of {one['timestamp']}")
    if not rows:
        raise ValueError("no day")
    return pl.DataFrame(
        [(day, PUBLISHER, value, name) for day, (value, name) in sorted(rows.items())],
        schema={"time_ns": pl.Int64, "publisher": pl.String, "value": pl.Int64, "class": pl.String},
        orient="row",
    )
