"""Are rows that repeat soon known without the lake, and is the lake asked about older ones?"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deleverage.data.collect import sink as room
from deleverage.data.collect.sink import Sink, Written, framed
from deleverage.data.lake import Lake
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
        self.asked.append(more["dedupe"] is True)
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
    assert lake.asked == [True, False, True]
    assert sorted(lake.read("trades")["trade_id"]) == sorted(["t5", *(f"t{n}" for n in range(20, 33))])
    assert [one.rows for one in written] == [12, 1, 1] and [one.sequence for one in written] == [0, 1, 2]


def test_two_collectors_of_one_venue_and_a_backfill_write_each_row_once(tmp_path: Path) -> None:
    lake, now = Lake.create(tmp_path / "lake"), 10**9 * SECOND

    def one(name: str) -> Sink:
        own = Lake.open(tmp_path / "lake")
        return Sink(own, name, 1_000, 10**6, now, lambda _: None, lambda *a, **k: None)

    first, second = one("collect/a"), one("collect/b")
    for number in range(12):
        at = now + number * SECOND
        first.add("trades", [trade(number, at), trade(number + 100, at)])
        second.add("trades", [trade(number - 1, at - SECOND), trade(number, at), trade(number + 200, at)])
        flushed(first)
        lake.append("trades", framed("trades", [trade(number + 200, at), trade(number + 300, at)]))
        if number % 4 == 1:
            lake.compact("trades")
        flushed(second)
    found = lake.read("trades")["trade_id"].to_list()
    numbers = [-1, *range(12), *range(100, 112), *range(200, 212), *range(300, 312)]
    assert sorted(found) == sorted(f"t{n}" for n in numbers)
    assert second.repeated == 11 + 12 + 12, "what another has written is told as repeated"


MINUTE = 60 * SECOND


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """What happens: rows that are new (their clock off by so much) or come again, writes, restarts, time."""
    offset = st.sampled_from([0, 0, 0, -SECOND, 2 * SECOND, 9 * SECOND, -400 * SECOND, 86_400 * SECOND])
    one = st.one_of(
        st.tuples(st.just("new"), st.integers(1, 4), offset),
        st.tuples(st.just("again"), st.integers(0, 60), st.just(0)),
        st.tuples(st.just("both"), st.integers(0, 60), offset),
        st.tuples(st.just("write"), st.just(0), st.just(0)),
        st.tuples(
            st.just("pass"),
            st.just(0),
            st.sampled_from([SECOND, MINUTE, 7 * MINUTE, -2 * MINUTE, -MINUTE * 60]),
        ),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
    )
    return draw(st.lists(one, min_size=1, max_size=40))


@given(lives())
@example([("new", 1, 9 * SECOND), ("write", 0, 0), ("restart", 0, 0), ("again", 0, 0)])
@example(
    [("new", 1, 9 * SECOND), ("new", 4, 0), ("new", 4, 0), ("new", 4, 0), ("write", 0, 0), ("again", 0, 0)]
)
def test_each_row_is_there_once_whatever_the_clocks_do(life: list[tuple[str, int, int]]) -> None:
    lake, now, sent = MemoryLake(), 10**9 * SECOND, list[Row]()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(room, "KEPT_KEYS", 4)
        patched.setattr(room, "AHEAD_KEYS", 3)
        sink, _ = made(lake, started_ns=now)
        for what, number, amount in life:
            if what in ("new", "both"):
                fresh = [
                    (now + amount, now, *trade(len(sent) + n, 0)[2:])
                    for n in range(number if what == "new" else 1)
                ]
                again = [sent[number % len(sent)]] if what == "both" and sent else []
                sent += fresh
                sink.add("trades", [*fresh, *again])
            elif what == "again" and sent:
                row = sent[number % len(sent)]
                sink.add("trades", [(row[0], now, *row[2:])])
            elif what == "pass":
                now += amount
            elif what == "write":
                flushed(sink)
            elif what == "restart":
                flushed(sink)
                sink, _ = made(lake, started_ns=now)
        flushed(sink)
    found = lake.read("trades")["trade_id"].to_list()
    assert sorted(found) == sorted(row[6] for row in sent)


def test_one_row_of_the_far_future_does_not_have_the_lake_asked_for_ever() -> None:
    lake = Asked()
    sink, _ = made(lake, started_ns=10 * SECOND)
    for number in range(20):
        at = (10 + number * 400) * SECOND
        sink.add("trades", [(at, at, *trade(number, 0)[2:])])
        if number == 5:
            sink.add("trades", [(10**9 * SECOND, at, *trade(999, 0)[2:])])
        if number == 15:  # it is still known
            assert sink.add("trades", [(10**9 * SECOND, at, *trade(999, 0)[2:])]) == 0
        flushed(sink)
    assert not any(lake.asked[1:])
    recent = sink._recent["trades"]
    assert len(recent.new) + len(recent.old) <= 3


@pytest.mark.parametrize("table", ["trades", "gaps", "payloads"])
def test_rows_become_frames_of_the_declared_types(table: str) -> None:
    gap: Row = (1, 2, 3, "okx", "trades", "", "malformed", None, "test")
    payload: Row = (1, 2, "okx", "trades", 1, "run/events/1", b"{}", "plain", "okx/1", None, "why", "test")
    row = {"trades": trade(1, 1), "gaps": gap, "payloads": payload}[table]
    assert conform(framed(table, [row]), LAKE_TABLES[table]).row(0) == row
