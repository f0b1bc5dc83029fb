"""Are rows that repeat soon known without the lake, and is the lake asked about older ones?"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from deleverage.data.collect import sink as room
from deleverage.data.collect.sink import Sink, Written, framed
from deleverage.data.sources.base import Row
from deleverage.schema import LAKE_TABLES, conform
from tests.data.collect.double import MemoryLake

SECOND = 1_000_000_000


def trade(number: int, time_ns: int) -> Row:
    contract = ("bybit", "perp", "BTC", "BTCUSDT")
    return (time_ns, time_ns, *contract, f"t{number}", "buy", 100.0, 1.0, 100.0, None, "test")


class Asked(MemoryLake):
    """A lake that notes whether it was asked to look for repeated rows."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[bool | str] = []

    def append(self, table_name: str, frame: Any, **more: Any) -> Any:
        self.asked.append(more["dedupe"])
        return super().append(table_name, frame, **more)


def made(lake: MemoryLake, started_ns: int = 0) -> tuple[Sink, list[Written]]:
    written: list[Written] = []
    return Sink(
        lake, "collect/test", 1_000, 1_000_000, started_ns, written.append, lambda *a, **k: None
    ), written


def flushed(sink: Sink) -> None:
    assert asyncio.run(sink.flush(lambda: False))


def test_a_repeated_row_is_left_out_before_it_is_written() -> None:
    sink, _ = made(MemoryLake())
    assert sink.add("trades", [trade(1, SECOND), trade(2, SECOND), trade(1, SECOND)]) == 2
    assert sink.add("trades", [trade(2, SECOND)]) == 0
    assert (sink.waiting, sink.repeated) == (2, 2)


def test_the_lake_is_asked_only_where_a_row_may_be_older_than_what_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "KEPT_KEYS", 3)
    lake = Asked()
    sink, written = made(lake, started_ns=10 * SECOND)
    for number in range(20, 32):
        sink.add("trades", [trade(number, number * SECOND)])
    flushed(sink)
    sink.add("trades", [trade(31, 31 * SECOND), trade(32, 32 * SECOND)])  # 31 is remembered
    flushed(sink)
    sink.add("trades", [trade(20, 20 * SECOND)])  # forgotten, and so old that the lake is asked
    sink.add("trades", [trade(5, 5 * SECOND)])  # from before this run
    flushed(sink)
    assert lake.asked == [True, "shared", True]
    assert sorted(lake.read("trades")["trade_id"]) == sorted(["t5", *(f"t{n}" for n in range(20, 33))])
    assert [one.rows for one in written] == [12, 1, 1] and [one.sequence for one in written] == [0, 1, 2]


@pytest.mark.parametrize("table", ["trades", "gaps", "payloads"])
def test_rows_become_frames_of_the_declared_types(table: str) -> None:
    gap: Row = (1, 2, 3, "okx", "trades", "", "malformed", None, "test")
    payload: Row = (1, 2, "okx", "trades", 1, "run/events/1", b"{}", "plain", "okx/1", None, "why", "test")
    row = {"trades": trade(1, 1), "gaps": gap, "payloads": payload}[table]
    assert conform(framed(table, [row]), LAKE_TABLES[table]).row(0) == row
