"""When did an earlier run last hear of a venue? Asked at each start, since the gap begins there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from deleverage.data.collect.collector import _last_heard
from deleverage.data.lake import Lake
from deleverage.data.sources.base import SECOND
from deleverage.data.sources.registry import venue as adapter
from deleverage.errors import DataError
from deleverage.schema import LAKE_TABLES
from tests.data.rows import trades

DAY = 86_400 * SECOND
NOW = 20_000 * DAY


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "lake")


def traded(lake: Lake, at: int, **changed: Any) -> None:
    given = {"time_ns": at, "received_ns": at + SECOND, "source": adapter("okx").source} | changed
    rows = trades([at // SECOND], "okx").with_columns(
        **{name: pl.lit(value) for name, value in given.items()}
    )
    lake.append("trades", rows)


def messaged(lake: Lake, at: int) -> None:
    row = {
        "time_ns": at, "received_ns": at, "venue": "okx", "stream": "trades", "sequence": at, "rows": 1,
        "connection": "run/events/1", "payload": b"{}", "encoding": "plain", "parser": "okx/1",
        "error": None, "source": adapter("okx").source,
    }  # fmt: skip
    schema = {column.name: getattr(pl, column.dtype) for column in LAKE_TABLES["payloads"].columns}
    lake.append("payloads", pl.DataFrame([row], schema=schema))


@pytest.mark.parametrize("ago", [1, 200, 2_000, 80_000, 29 * 86_400, 400 * 86_400])
def test_the_newest_row_answers_however_long_ago(lake: Lake, ago: int) -> None:
    assert _last_heard(lake, "okx", NOW) is None
    traded(lake, NOW - 500 * DAY)
    traded(lake, NOW - ago * SECOND)
    assert _last_heard(lake, "okx", NOW) == NOW - ago * SECOND + SECOND
    assert _last_heard(lake, "bybit", NOW) is None


def test_messages_of_a_run_before_the_last_do_not_hide_the_last(lake: Lake) -> None:
    """The first run kept its messages, the second did not (`--no-raw`)."""
    messaged(lake, NOW - 250 * SECOND)
    traded(lake, NOW - 50 * SECOND)
    assert _last_heard(lake, "okx", NOW) == NOW - 49 * SECOND


def test_what_was_backfilled_or_imported_says_nothing(lake: Lake) -> None:
    traded(lake, NOW - 50 * SECOND)
    traded(lake, NOW - 20 * SECOND, source="backfill/okx/rest")
    assert _last_heard(lake, "okx", NOW) == NOW - 49 * SECOND


def test_a_clock_that_was_set_back_does_not_let_a_gap_begin_in_the_future(lake: Lake) -> None:
    traded(lake, NOW + 3600 * SECOND)
    assert _last_heard(lake, "okx", NOW) == NOW


def test_a_damaged_file_is_named(lake: Lake) -> None:
    traded(lake, NOW - 50 * SECOND)
    next(lake.folder.glob("trades/*/*.parquet")).write_bytes(b"PAR1 damaged PAR1")
    with pytest.raises(DataError, match=r"readable file 'trades/venue-okx/part-"):
        _last_heard(lake, "okx", NOW)
