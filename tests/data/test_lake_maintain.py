"""Compaction keeps the rows, vacuum what may still be read, and SQL reads the lake and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from deleverage.data import Lake
from deleverage.data.lake import log, maintain
from deleverage.data.lake.append import LiveTable
from deleverage.errors import DataError, InputError, SchemaError
from tests.data.rows import T0_NS, candle, rows, trades


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Three venues with twenty files, none in order of time."""
    lake = Lake.create(tmp_path / "lake")
    for number in range(20):
        venue = ("binance", "okx", "bybit")[number % 3]
        lake.append(
            "trades", trades(range(1000 - number * 10, 1010 - number * 10), venue), app="c", sequence=number
        )
    return lake


def files(lake: Lake) -> list[Path]:
    return sorted(lake.folder.glob("trades/venue-*/*.parquet"))


def test_compaction_keeps_every_row_and_sorts_each_venue_by_time(lake: Lake, tmp_path: Path) -> None:
    before = lake.read("trades")
    (done,) = lake.compact("trades")
    assert (done.files_before, done.files_after, done.rows) == (20, 3, 200)
    for one in (lake, Lake.open(tmp_path / "lake")):
        assert one.read("trades").equals(before)
    live = {file.path for file in lake.table("trades").log.files.values()}
    for path in live:
        rows = pl.read_parquet(lake.folder / "trades" / path)
        assert rows["time_ns"].is_sorted() and rows["venue"].n_unique() == 1
    assert lake.committed("trades", "c") == 19
    assert [one.files_before for one in lake.compact()] == [one.files_after for one in lake.compact()]


def test_files_of_the_wanted_size_are_left_alone(lake: Lake) -> None:
    size = max(path.stat().st_size for path in files(lake))
    (done,) = lake.compact("trades", target_bytes=size)
    assert done.files_before == done.files_after == 20
    with pytest.raises(InputError, match="above 0 bytes"):
        lake.compact("trades", target_bytes=0)


def test_two_compactions_at_the_same_time_keep_each_row_once(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = lake.read("trades")
    other = Lake.open(tmp_path / "lake")
    real = maintain._together
    done: list[bool] = []

    def first_the_other(*args: Any) -> Any:
        if not done:
            done.append(True)
            other.compact("trades")
        return real(*args)

    monkeypatch.setattr(maintain, "_together", first_the_other)
    lake.compact("trades")
    assert lake.read("trades").equals(before)
    live = {file.path for file in lake.table("trades").log.files.values()}
    left = {path.relative_to(lake.folder / "trades").as_posix() for path in files(lake)}
    assert {path for path in left if "compact-" in path} == live, (
        "the one that came second took its files back"
    )


def test_vacuum_deletes_what_is_old_and_not_live(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    orphan = lake.folder / "trades" / "venue-okx" / "part-of-a-killed-writer.parquet"
    orphan.write_bytes(b"half a file")
    lake.compact("trades")
    assert len(files(lake)) == 24
    (kept,) = lake.vacuum("trades", keep_hours=1)
    assert kept.files == 0 and len(files(lake)) == 24, "nothing is so old"
    monkeypatch.setattr(maintain, "LEAST_KEEP_HOURS", 0)
    (told,) = lake.vacuum("trades", keep_hours=0, dry_run=True)
    assert told.files == 21 and (told.bytes or 0) > 11 and len(files(lake)) == 24
    before = lake.read("trades")
    (done,) = lake.vacuum("trades", keep_hours=0)
    assert done.files == 21 and len(files(lake)) == 3
    assert Lake.open(lake.folder).read("trades").equals(before)
    assert lake.append("trades", trades(range(2000, 2005)), app="c", sequence=20).rows == 5


def test_an_orphan_of_yesterday_goes_and_one_of_now_stays(lake: Lake) -> None:
    old, young = (lake.folder / "trades" / name for name in ("part-old.parquet", "part-young.parquet"))
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 90_000, time.time() - 90_000))
    lake.vacuum("trades", keep_hours=24)
    assert not old.exists() and young.exists()


def aged(folder: Path, hours: float) -> None:
    """Let everything in a table's folder be that old, as after a night of sleep."""
    for path in folder.rglob("*.parquet"):
        os.utime(path, (time.time() - hours * 3600,) * 2)


def test_what_a_long_import_has_written_is_no_orphan(lake: Lake) -> None:
    collector = Lake.open(lake.folder)
    orphan = lake.folder / "trades" / "venue-okx" / "part-of-a-killed-writer.parquet"
    orphan.write_bytes(b"half a file")
    with lake.write() as into:
        into.append("trades", trades(range(5000, 5010)))
        aged(lake.folder / "trades", 30)
        assert [one.files for one in collector.vacuum("trades", keep_hours=3)] == [1]
    assert not orphan.exists()
    assert Lake.open(lake.folder).read("trades").height == 210
    killed = lake.folder / "trades" / "venue-okx" / "import-of-a-killed-one.parquet"
    killed.write_bytes(b"half a file")
    aged(lake.folder / "trades", 30)
    assert [one.files for one in collector.vacuum("trades", keep_hours=3)] == [1], "nobody imports now"


def test_an_import_whose_files_are_gone_is_refused_and_the_lake_stays_whole(lake: Lake) -> None:
    before = lake.read("trades")
    with pytest.raises(DataError, match="import again"), lake.write() as into:
        into.append("trades", trades(range(5000, 5010)))
        for path in lake.folder.glob("trades/*/import-*"):
            path.unlink()
    assert Lake.open(lake.folder).read("trades").equals(before)


def test_rows_of_who_slept_for_a_night_before_the_commit_are_written_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, real = Lake.open(lake.folder), LiveTable.land
    live, deleted = lake.table("trades"), list[maintain.Vacuumed]()

    def slept(self: LiveTable, *args: Any, **named: Any) -> None:
        if self is live and not deleted:
            aged(lake.folder / "trades", 9)
            deleted.extend(other.vacuum("trades", keep_hours=3))
        real(self, *args, **named)

    monkeypatch.setattr(LiveTable, "land", slept)
    assert lake.append("trades", trades(range(5000, 5010)), app="c", sequence=20).rows == 10
    assert deleted[0].files == 1
    assert Lake.open(lake.folder).read("trades").height == 210


def test_a_compaction_that_slept_for_a_night_is_left_undone(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, real, other = lake.read("trades"), maintain._together, Lake.open(lake.folder)

    def slept(*args: Any) -> Any:
        staged = real(*args)
        aged(lake.folder / "trades", 9)
        other.vacuum("trades", keep_hours=3)
        return staged

    monkeypatch.setattr(maintain, "_together", slept)
    (done,) = lake.compact("trades")
    assert done.files_before == done.files_after == 20
    assert Lake.open(lake.folder).read("trades").equals(before)


def test_nothing_is_deleted_while_a_writer_has_the_turn(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.compact("trades")
    aged(lake.folder / "trades", 9)
    monkeypatch.setattr(log, "_LONGEST_TURN_S", 0.01)
    monkeypatch.setattr(maintain, "LEAST_KEEP_HOURS", 0)
    with lake.table("trades").log.turn() as ours:
        assert ours
        (none,) = Lake.open(lake.folder).vacuum("trades", keep_hours=0)
    assert none.files == 0 and len(files(lake)) == 23
    (done,) = lake.vacuum("trades", keep_hours=0)
    assert done.files == 20


def test_a_file_is_kept_as_long_as_was_asked_although_the_log_has_forgotten_it(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written three days ago, put together just now: it was live just now."""
    monkeypatch.setattr(log, "_CHECKPOINT_EVERY", 2)
    monkeypatch.setattr(
        log,
        "_PROPERTIES",
        dict.fromkeys(
            ("delta.logRetentionDuration", "delta.deletedFileRetentionDuration"), "interval 0 seconds"
        ),
    )
    aged(lake.folder / "trades", 72)
    lake.compact("trades")
    for number in range(20, 26):
        lake.append("trades", trades(range(5000 + number, 5001 + number)), app="c", sequence=number)
    assert len(files(lake)) == 29
    assert Lake.open(lake.folder).vacuum("trades", keep_hours=24)[0].files == 0
    aged(lake.folder / "trades", 30)
    assert Lake.open(lake.folder).vacuum("trades", keep_hours=24)[0].files == 20


def test_less_than_an_hour_is_refused(lake: Lake) -> None:
    with pytest.raises(InputError, match=r"at least 1 hours.*found 0\.5"):
        lake.vacuum(keep_hours=0.5)


def test_deltas_own_readers_see_the_same_rows(lake: Lake) -> None:
    lake.compact("trades")
    found = pl.read_delta(str(lake.folder / "trades")).select(lake.read("trades").columns)
    assert found.sort("venue", "symbol", "trade_id").equals(lake.read("trades"))


def test_read_takes_times_values_and_columns(lake: Lake) -> None:
    found = lake.read(
        "trades",
        start_ns=T0_NS + 995_000_000,
        end_ns=T0_NS + 1_001_000_000,
        where={"venue": "okx"},
        columns=["trade_id"],
    )
    assert found.columns == ["trade_id"] and found["trade_id"].to_list() == [str(n) for n in range(995, 1000)]
    assert lake.scan("trades").filter(pl.col("venue") == "okx").select(pl.len()).collect().item() == 70
    with pytest.raises(SchemaError, match="found 'colour'"):
        lake.read("trades", columns=["colour"])


# --- SQL ---------------------------------------------------------------------------------------------


def test_sql_answers_over_live_rows_with_integer_buckets(lake: Lake) -> None:
    found = lake.sql(
        "select venue, bucket(time_ns, 3600) as hour, utc(min(time_ns)) as first, count(*) as n, "
        "sum(coins) as coins from trades group by venue, hour order by venue"
    )
    assert found["n"].to_list() == [70, 60, 70] and found["coins"].sum() == 400.0
    assert found["hour"].unique().to_list() == [T0_NS] and found["first"][0] == "2025-10-10T20:00:00Z"
    assert found.schema["n"] == pl.Int64 and found.schema["coins"] == pl.Float64


def test_sql_sees_tables_without_rows_joins_nulls_and_one_name_twice(lake: Lake) -> None:
    assert lake.sql("select count(*) as n from candles").rows() == [(0,)]
    found = lake.sql(
        "select t.price, c.close, t.price, t.liquidation, sum(t.coins)::hugeint as h, 1.5 as d "
        "from trades t left join candles c using (time_ns) group by all"
    )
    assert found.columns == ["price", "close", "price_2", "liquidation", "h", "d"]
    assert found.rows() == [(100.0, None, 100.0, None, 400, 1.5)]


@pytest.mark.parametrize(
    "query",
    [
        "copy trades to '{outside}/x.csv'",
        "copy (select 1) to '{lake}/trades/x.parquet' (format parquet)",
        "delete from trades",
        "insert into trades select * from trades",
        "update trades set price = 1",
        "create table x as select * from trades",
        "drop view trades",
        "attach '{outside}/x.db'",
        "install httpfs",
        "set enable_external_access = true",
        "pragma database_list",
        "call pragma_version()",
        "select 1; drop view trades",
        "",
        "-- only a remark",
        "export database '{outside}/e'",
        "with x as (delete from trades returning *) select * from x",
    ],
)
def test_sql_that_is_no_single_select_is_refused(lake: Lake, tmp_path: Path, query: str) -> None:
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(InputError):
        lake.sql(query.format(outside=tmp_path, lake=lake.folder))
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "query",
    [
        "select * from read_csv('{outside}/secret.csv')",
        "select * from read_text('{outside}/secret.csv')",
        "select * from '{outside}/secret.csv'",
        "select * from glob('{outside}/*')",
        "select * from read_parquet('{lake}/trades/**/*.parquet')",
        "select * from read_json('{lake}/trades/_delta_log/00000000000000000000.json')",
        "select * from trades where price > (select count(*) from read_blob('{outside}/secret.csv'))",
        "select * from read_csv('https://example.org/x.csv')",
    ],
)
def test_sql_that_reaches_outside_the_tables_is_refused(lake: Lake, tmp_path: Path, query: str) -> None:
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError):
        lake.sql(query.format(outside=tmp_path, lake=lake.folder))


def test_variables_of_the_program_are_no_tables(lake: Lake) -> None:
    frame = pl.DataFrame({"a": [1]})
    assert frame.height
    with pytest.raises(InputError, match="frame does not exist"):
        lake.sql("select * from frame")


def test_a_quoted_name_in_a_folder_is_only_a_name(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "o'hara's lake")
    lake.append("candles", rows("candles", candle(T0_NS)))
    assert lake.sql("select close from candles").rows() == [(105.0,)]
