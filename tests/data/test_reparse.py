"""A parser's mistake is repaired out of the stored messages: exactly the rows that change do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from deleverage.data import Lake
from deleverage.data.parsers import Row, Stored, forget, register
from deleverage.errors import InputError, MissingDataError
from tests.data.rows import SECOND_NS, T0_NS, rows, trades


class Told(NamedTuple):
    parser: str
    rows: list[tuple[str, list[Row]]]
    error: str


def reader(
    version: int, factor: float = 1.0, leave_out: str = "", repeat: bool = False
) -> Callable[..., Iterator[Told]]:
    """A parser of messages ``{"id": ..., "coins": ...}`` after one ``{"size": ...}``, which it remembers."""

    def read(payloads: Iterable[Stored]) -> Iterator[Told]:
        size = None
        for one in payloads:
            parser = f"tiny/{version}"
            try:
                message = json.loads(one.payload)
            except ValueError:
                yield Told(parser, [], "no JSON")
                continue
            if "size" in message:
                size = message["size"]
                yield Told(parser, [], "")
                continue
            given: list[Row] = []
            if message["id"] != leave_out:
                coins = message["coins"] * size * factor
                made = [message["id"], *([f"{message['id']}-b"] if repeat else [])]
                given = [
                    (
                        one.received_ns - 1000, one.received_ns, "tiny", "perp", "BTC", "B", name, "buy",
                        10.0, coins, 10 * coins, None, "collect/tiny",
                    )
                    for name in made
                ]  # fmt: skip
            yield Told(parser, [("trades", given)], "")

    return read


MESSAGES = [
    {"size": 2.0},
    *({"id": str(number), "coins": float(number)} for number in range(1, 6)),
]


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    register("tiny", reader(1))
    yield
    forget("tiny")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Messages of one connection, read by version 1; a venue beside it; rows that came from a file."""
    lake = Lake.create(tmp_path / "lake")
    stored: list[dict[str, Any]] = [
        {
            "time_ns": T0_NS + k * SECOND_NS, "received_ns": T0_NS + k * SECOND_NS, "venue": "tiny",
            "stream": "trades", "sequence": k, "connection": "run/1", "payload": json.dumps(message).encode(),
            "encoding": "plain", "parser": "tiny/1", "rows": 1, "source": "collect/tiny",
        }
        for k, message in enumerate([*MESSAGES, "not json"])
    ]  # fmt: skip
    stored[-1]["payload"] = b"{"
    lake.append("payloads", rows("payloads", *stored[:4]))
    lake.append("payloads", rows("payloads", *stored[4:]))
    inputs = [Stored("tiny", one["received_ns"], "run/1", one["payload"]) for one in stored]
    for told in reader(1)(inputs):
        for table, part in told.rows:
            schema = dict(lake.read(table).schema)
            lake.append(table, pl.DataFrame(part, schema=schema, orient="row"))
    lake.append("trades", trades(range(3)))
    file = trades([77]).with_columns(
        venue=pl.lit("tiny"), received_ns=pl.lit(None, dtype=pl.Int64), source=pl.lit("f")
    )
    lake.append("trades", file)
    return lake


def coins(lake: Lake) -> dict[str, float]:
    found = lake.read("trades", where={"venue": "tiny", "source": "collect/tiny"})
    return dict(zip(found["trade_id"], found["coins"], strict=True))


def others(lake: Lake) -> pl.DataFrame:
    return lake.read("trades").filter(pl.col("source") != "collect/tiny")


def placed(number: int, venue: str, received_ns: int, source: str) -> pl.DataFrame:
    return trades([number], venue).with_columns(
        received_ns=pl.lit(received_ns, dtype=pl.Int64), source=pl.lit(source)
    )


def counts(lake: Lake, **wanted: Any) -> tuple[int, int, dict[str, tuple[int, int, int, int]]]:
    done = lake.reparse("tiny", **wanted)
    return done.payloads, done.failed, {one.table: one[1:] for one in done.tables}


def test_messages_of_the_newest_parser_are_not_read_again(lake: Lake) -> None:
    assert counts(lake) == (0, 0, {})
    assert counts(lake, again=True) == (7, 1, {"trades": (0, 0, 0, 5)})


def test_what_the_newer_parser_gives_otherwise_is_replaced_and_the_rest_untouched(lake: Lake) -> None:
    before = others(lake)
    register("tiny", reader(2, factor=0.5, leave_out="3"))
    assert counts(lake, dry_run=True) == (7, 1, {"trades": (0, 4, 1, 0)})
    assert coins(lake) == {"1": 2.0, "2": 4.0, "3": 6.0, "4": 8.0, "5": 10.0}
    assert counts(lake) == (7, 1, {"trades": (0, 4, 1, 0)})
    assert coins(lake) == {"1": 1.0, "2": 2.0, "4": 4.0, "5": 5.0}
    assert others(lake).equals(before)
    stored = lake.read("payloads")
    assert set(stored["parser"]) == {"tiny/2"} and stored["rows"].to_list() == [0, 1, 1, 0, 1, 1, None]
    assert stored["error"].to_list()[-1] == "no JSON" and stored.height == 7
    assert counts(lake) == (0, 0, {})


def test_rows_that_the_older_parser_overlooked_are_added_once(lake: Lake) -> None:
    register("tiny", reader(2, repeat=True))
    assert counts(lake) == (7, 1, {"trades": (5, 0, 0, 5)})
    assert len(coins(lake)) == 10
    assert lake.check("trades").is_empty()


def test_a_time_range_reads_what_came_before_only_to_remember_it(lake: Lake) -> None:
    register("tiny", reader(2, factor=3.0))
    done = counts(lake, start_ns=T0_NS + 2 * SECOND_NS, end_ns=T0_NS + 3 * SECOND_NS)
    assert done == (2, 0, {"trades": (0, 2, 0, 0)})
    assert coins(lake) == {"1": 2.0, "2": 12.0, "3": 18.0, "4": 8.0, "5": 10.0}
    assert lake.read("payloads")["parser"].to_list() == ["tiny/1"] * 2 + ["tiny/2"] * 2 + ["tiny/1"] * 3


def test_a_collector_that_writes_meanwhile_loses_nothing(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deleverage.data.lake.append import LiveTable

    other, real, more = Lake.open(tmp_path / "lake"), LiveTable.swap, [trades(range(50, 60))]

    def swap(self: LiveTable, *args: Any, **kwargs: Any) -> bool:
        if more:
            other.append("trades", more.pop())
        return real(self, *args, **kwargs)

    monkeypatch.setattr(LiveTable, "swap", swap)
    register("tiny", reader(2, factor=0.5))
    assert counts(lake)[2] == {"trades": (0, 5, 0, 0)}
    assert coins(lake)["5"] == 5.0 and others(lake).height == 14
    assert lake.check("trades").is_empty()


def test_killed_after_the_rows_it_is_done_again_and_changes_nothing_twice(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    register("tiny", reader(2, factor=0.5))
    with monkeypatch.context() as patch:
        patch.setattr(
            "deleverage.data.lake.reparse._mark", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            lake.reparse("tiny")
    assert counts(lake) == (7, 1, {"trades": (0, 0, 0, 5)})
    assert coins(lake)["5"] == 5.0


def test_a_venue_without_reader_or_messages_is_told(lake: Lake) -> None:
    with pytest.raises(InputError, match=r"messages can be read again, .*'tiny'.*found 'nobody'"):
        lake.reparse("nobody")
    register("silent", reader(1))
    with pytest.raises(MissingDataError, match="no raw messages of 'silent'"):
        lake.reparse("silent")
    forget("silent")


def test_messages_that_an_importer_has_read_are_left_alone_with_their_rows(lake: Lake) -> None:
    message: dict[str, Any] = {
        "time_ns": T0_NS, "received_ns": T0_NS, "venue": "tiny", "stream": "depth", "sequence": 1,
        "connection": "file", "payload": b"{}", "encoding": "plain", "parser": "files/1",
        "source": "folder/file.gz",
    }  # fmt: skip
    lake.append("payloads", rows("payloads", message))
    lake.append("trades", placed(78, "tiny", T0_NS, "folder/file.gz"))
    before = others(lake)
    done = lake.reparse("tiny", again=True)
    assert (done.payloads, done.left_alone) == (7, 1) and others(lake).equals(before)
    assert lake.reparse("tiny", stream="depth", again=True)[:3] == (0, 0, "the newest parser")
    assert set(lake.read("payloads")["parser"]) == {"tiny/1", "files/1"}


def test_rows_belong_to_a_message_by_venue_source_and_time_together(lake: Lake) -> None:
    # Each of these shares two of the three with a message, or its source with another message.
    message: dict[str, Any] = {
        "time_ns": T0_NS + 90, "received_ns": T0_NS + 90, "venue": "tiny", "stream": "trades",
        "sequence": 90, "connection": "run/1", "payload": b"{", "encoding": "plain", "parser": "tiny/1",
        "source": "collect/other",
    }  # fmt: skip
    lake.append("payloads", rows("payloads", message))
    at = T0_NS + 2 * SECOND_NS
    lake.append("trades", placed(81, "other", at, "collect/tiny"))
    lake.append("trades", placed(82, "tiny", at, "collect/other"))
    register("tiny", reader(2, factor=0.5))
    assert counts(lake) == (8, 2, {"trades": (0, 5, 0, 0)})
    assert {"81", "82"} <= set(lake.read("trades")["trade_id"])
