"""The lake: rows are added once, conflicts are never overwritten, writes are whole or absent."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deleverage.data import Lake
from deleverage.data.lake import iso
from deleverage.errors import DataError, MissingDataError, SchemaError, SourceChanged
from deleverage.schema import ADL_TOTALS, FUNDING, LAKE_TABLES, empty

HOUR_NS = 3_600_000_000_000


def rates(*rows: tuple[int, str, float]) -> pl.DataFrame:
    """Funding rows out of (hour, coin, rate)."""
    return pl.DataFrame(
        {
            "time_ns": [hour * HOUR_NS for hour, _, _ in rows],
            "venue": ["binance"] * len(rows),
            "coin": [coin for _, coin, _ in rows],
            "symbol": [coin + "USDT" for _, coin, _ in rows],
            "interval_s": [28_800] * len(rows),
            "rate": [rate for _, _, rate in rows],
        },
        schema={
            c.name: getattr(pl, c.dtype) for c in FUNDING.columns if c.name not in ("source", "received_ns")
        },
    )


def test_rows_are_added_once_and_read_sorted_by_key(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    first = lake.append("funding", rates((2, "BTC", 0.1), (1, "ETH", 0.2), (1, "BTC", 0.3)), source_id="a")
    assert (first.rows, first.repeated, first.conflicts) == (3, 0, 0)
    second = lake.append("funding", rates((2, "BTC", 0.1), (3, "BTC", 0.4)), source_id="b")
    assert (second.rows, second.repeated, second.conflicts) == (1, 1, 0)
    rows = lake.read("funding")
    assert rows.select("time_ns", "symbol").rows() == [
        (HOUR_NS, "BTCUSDT"),
        (HOUR_NS, "ETHUSDT"),
        (2 * HOUR_NS, "BTCUSDT"),
        (3 * HOUR_NS, "BTCUSDT"),
    ]
    assert rows["source"].to_list() == ["a", "a", "a", "b"]


def test_the_same_rows_twice_in_one_frame_are_one_row(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    done = lake.append("funding", rates((1, "BTC", 0.1), (1, "BTC", 0.1)), source_id="a")
    assert (done.rows, done.repeated) == (1, 1)


@pytest.mark.parametrize("second", [0.2, 0.1 * (1 + 1e-6)])
def test_another_value_under_a_key_is_told_and_the_earlier_row_stays(tmp_path: Path, second: float) -> None:
    lake = Lake.create(tmp_path / "lake")
    lake.append("funding", rates((1, "BTC", 0.1)), source_id="a")
    done = lake.append("funding", rates((1, "BTC", second), (2, "BTC", 0.5)), source_id="b")
    assert (done.rows, done.repeated, done.conflicts, done.files) == (1, 1, 1, ("b",))
    assert re.fullmatch(r"1970-01-01T01:00:00Z binance, BTCUSDT: rate 0\.\d+, earlier 0\.1", done.example)
    assert lake.read("funding")["rate"].to_list() == [0.1, 0.5]


def test_the_same_observation_in_other_digits_or_received_again_is_no_conflict(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    lake.append("funding", rates((1, "BTC", 0.1)), source_id="a")
    again = rates((1, "BTC", 0.1 * (1 + 1e-12))).with_columns(received_ns=pl.lit(7))
    assert lake.append("funding", again, source_id="b").conflicts == 0


def test_a_value_where_there_was_none_is_a_conflict_too(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    row = {
        "time_ns": 1,
        "venue": "v",
        "coin": "BTC",
        "end_ns": 2,
        "coins": None,
        "usd": 1.0,
        "fills": 1,
        "source": "a",
    }
    schema = {c.name: getattr(pl, c.dtype) for c in ADL_TOTALS.columns if c.name != "received_ns"}
    lake.append("adl_totals", pl.DataFrame([row], schema=schema), source_id="a")
    done = lake.append("adl_totals", pl.DataFrame([row | {"coins": 5.0}], schema=schema), source_id="b")
    assert done.conflicts == 1 and "coins 5.0, earlier None" in done.example


def test_reading_by_time_and_value(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    lake.append("funding", rates(*[(h, c, h / 10) for h in range(5) for c in ("BTC", "ETH")]), source_id="a")
    found = lake.read("funding", start_ns=HOUR_NS, end_ns=2 * HOUR_NS, where={"coin": "ETH"})
    assert found["rate"].to_list() == [0.1, 0.2]
    assert lake.read("funding", where={"rate": 0.3})["coin"].to_list() == ["BTC", "ETH"]
    assert lake.read("candles").schema == empty(LAKE_TABLES["candles"]).schema


def test_asking_for_what_a_table_does_not_have_is_refused(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    with pytest.raises(SchemaError, match="expected a table of"):
        lake.read("prices")
    with pytest.raises(SchemaError, match="found 'colour'"):
        lake.append("funding", rates((1, "BTC", 0.1)), source_id="a")
        lake.read("funding", where={"colour": "red"})
    with pytest.raises(SchemaError, match="'coin' of table 'funding' is String, found 3"):
        lake.read("funding", where={"coin": 3})
    with pytest.raises(SchemaError, match="missing"):
        lake.append("funding", rates((1, "BTC", 0.1)).drop("rate"), source_id="a")
    with pytest.raises(SchemaError, match="not finite"):
        lake.append("funding", rates((1, "BTC", float("nan"))), source_id="a")


def test_status_has_a_row_a_table_with_iso_times(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    lake.append("funding", rates((1, "BTC", 0.1), (25, "BTC", 0.2)), source_id="a")
    status = {row.table: row for row in lake.status()}
    assert list(status) == list(LAKE_TABLES)
    assert status["funding"][1:4] == (2, "1970-01-01T01:00:00Z", "1970-01-02T01:00:00Z")
    assert status["funding"].bytes > 0 and status["funding"].files == 1
    assert status["funding"].written is not None and status["funding"].written[:2] == "20"
    assert status["candles"][1:] == (0, None, None, 0, 0, None)


def test_a_file_that_no_commit_names_is_not_read(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    lake.append("funding", rates((1, "BTC", 0.1)), source_id="a")
    (tmp_path / "lake" / "funding" / "part-0009.parquet").write_bytes(b"half")
    assert lake.read("funding").height == Lake.open(tmp_path / "lake").read("funding").height == 1


def test_a_live_file_that_is_gone_is_named(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    lake.append("funding", rates((1, "BTC", 0.1)), source_id="a")
    next((tmp_path / "lake" / "funding").glob("*.parquet")).unlink()
    with pytest.raises(DataError, match=r"file 'funding/part-.*it is not there"):
        lake.read("funding")


def test_a_live_file_that_is_cut_is_named(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    lake.append("funding", rates((1, "BTC", 0.1)), source_id="a")
    part = next((tmp_path / "lake" / "funding").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(DataError, match=r"'funding/part-.*it has 100 bytes instead of"):
        lake.read("funding")


def test_a_lake_of_an_earlier_version_says_to_import_again(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"format": 1}')
    with pytest.raises(SourceChanged, match=r"earlier version(.|\n)*import the files again"):
        Lake.open(tmp_path)
    with pytest.raises(SourceChanged, match="earlier version"):
        Lake.create(tmp_path)


def test_creating_an_existing_lake_opens_it(tmp_path: Path) -> None:
    Lake.create(tmp_path / "lake").append("funding", rates((1, "BTC", 0.1)), source_id="a")
    assert Lake.create(tmp_path / "lake").read("funding").height == 1
    with pytest.raises(MissingDataError):
        Lake.open(tmp_path)


def test_two_writers_take_turns_and_lose_nothing(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")

    def write(coin: str) -> None:
        for hour in range(5):
            lake.append("funding", rates((hour, coin, 0.1)), source_id=coin)

    threads = [threading.Thread(target=write, args=(coin,)) for coin in ("BTC", "ETH", "SOL")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lake.read("funding").group_by("coin").len().sort("coin").rows() == [
        ("BTC", 5),
        ("ETH", 5),
        ("SOL", 5),
    ]


def test_a_writer_that_waited_too_long_names_the_other(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    with (
        lake.write(),
        pytest.raises(DataError, match=r"another process \(id \d+\) writes into the lake"),
        lake.write(wait_s=0.1),
    ):
        pass
    lake.append("funding", rates((1, "BTC", 0.1)), source_id="a")  # and afterwards it is free again


def test_an_error_inside_a_first_write_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Lake(tmp_path / "lake").write() as writer:
        writer.append("funding", rates((1, "BTC", 0.1)), source_id="a")
        assert len(list((tmp_path / "lake" / "funding").glob("*.parquet"))) == 1
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


_ROWS = st.lists(st.tuples(st.integers(0, 20), st.sampled_from(["BTC", "ETH"])), max_size=12)


@settings(max_examples=25)
@given(batches=st.lists(_ROWS, max_size=4))
def test_any_split_into_appends_gives_the_distinct_rows(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[int, str]]]
) -> None:
    lake = Lake.create(tmp_path_factory.mktemp("lake") / "lake")
    added = sum(
        lake.append("funding", rates(*[(h, c, h / 100) for h, c in batch]), source_id=str(i)).rows
        for i, batch in enumerate(batches)
    )
    distinct = {row for batch in batches for row in batch}
    rows = lake.read("funding")
    assert added == rows.height == len(distinct)
    assert {(t // HOUR_NS, c) for t, c in rows.select("time_ns", "coin").rows()} == distinct


def test_iso_is_exact_to_the_microsecond() -> None:
    assert iso(1_760_126_400_000_000_000) == "2025-10-10T20:00:00Z"
    assert iso(1_760_130_903_127_372_999) == "2025-10-10T21:15:03.127372Z"


def test_the_room_is_cheap_to_enter() -> None:
    code = "import sys, deleverage.data; sys.exit('polars' in sys.modules or 'numpy' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
