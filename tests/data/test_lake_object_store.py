"""A lake in an object store: the same rows, the same promises."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deleverage.data import Lake
from deleverage.data.lake import fetch
from deleverage.data.lake import query as query_room
from deleverage.data.lake.needs import Need
from deleverage.data.lake.place import Place
from deleverage.errors import DataError, InputError, MissingDataError, RunError
from tests.data.object_store import Objects, object_store
from tests.data.rows import T0_NS, candle, rows, trades

Store = tuple[Objects, dict[str, str]]
Both = tuple[Lake, Lake, Objects]


@pytest.fixture
def store() -> Iterator[Store]:
    with object_store() as found:
        yield found


def ids(lake: Lake) -> list[int]:
    return sorted(int(one) for one in lake.read("trades")["trade_id"])


def test_a_url_is_told_from_a_folder_also_after_it_was_a_path() -> None:
    for given in ("s3://bucket/lake", "s3://bucket/lake/", Path("s3://bucket/lake")):
        place = Place.of(given)
        assert (place.uri, place.folder, place.at("trades/x")) == (
            "s3://bucket/lake",
            None,
            "s3://bucket/lake/trades/x",
        )
    assert Place.of("file:///a%20b/lake").folder == Path("/a b/lake")
    assert Place.of("C:/lakes/one").folder == Path("C:/lakes/one")
    for nothing in ("s3://", "s3:", Path("s3://")):
        with pytest.raises(InputError, match="like s3://bucket/lake"):
            Place.of(nothing)


def test_rows_imports_compaction_and_numbers_work_as_in_a_folder(store: Store) -> None:
    objects, options = store
    with pytest.raises(MissingDataError, match="no lake in 's3://bucket/lake'"):
        Lake.open("s3://bucket/lake", storage_options=options)
    lake = Lake.create("s3://bucket/lake", storage_options=options)
    assert lake.append("trades", trades(range(5)), app="c", sequence=1).rows == 5
    assert lake.append("trades", trades(range(3, 9), "okx"), app="c", sequence=2).rows == 6
    other = Lake.open(Path("s3://bucket/lake"), storage_options=options)
    assert other.append("trades", trades(range(99)), app="c", sequence=2).replayed
    assert other.append("trades", trades(range(7)), app="c", sequence=3).rows == 2
    with other.write() as writer:
        writer.append("trades", trades(range(5, 12)))
    assert lake.read("trades", where={"venue": "binance"})["trade_id"].len() == 12
    before = lake.read("trades")
    assert lake.compact("trades")[0].files_after == 2
    assert other.read("trades").equals(before)
    assert [row.rows for row in other.status() if row.table == "trades"] == [18]
    assert other.check().is_empty()
    assert all(key.startswith("lake/") for key in objects)


def test_writers_without_a_lock_repeat_their_commits_and_add_each_row_once(store: Store) -> None:
    _, options = store
    Lake.create("s3://bucket/lake", storage_options=options)

    def write(who: int) -> int:
        lake = Lake.open("s3://bucket/lake", storage_options=options)
        return sum(lake.append("trades", trades(range(at, at + 20))).rows for at in range(who, who + 40, 10))

    with ThreadPoolExecutor(4) as pool:
        added = sum(pool.map(write, range(0, 20, 5)))
    lake = Lake.open("s3://bucket/lake", storage_options=options)
    assert ids(lake) == list(range(65)) and added == 65


QUERIES = [
    "select count(*) as n from trades",
    "select * from trades limit 7",
    "select venue, price * 2 as twice from trades limit 4 offset 8",
    "select venue, count(*) as n, sum(coins) as coins, utc(min(time_ns)) as first from trades "
    "group by venue order by venue",
    f"select trade_id from trades where time_ns >= {T0_NS + 5_000_000} and time_ns < {T0_NS + 9_000_000} "
    "and venue = 'okx' order by trade_id",
    "select max(price) from trades where venue in ('okx', 'nobody')",
    "select count(*) as n from trades where venue = 'no''body' or side = 'buy'",
    "select trades from trades order by time_ns, venue limit 2",
    "select columns('time.*|venue') from trades order by all",
    "select t.trade_id, c.close from trades t left join candles c using (time_ns) order by all",
    "with late as (select * from trades where time_ns > "
    f"{T0_NS}) select (select count(*) from late) as l, (select count(*) from trades) as n",
    "select column_name, min, max, count from (summarize trades)",
    "describe candles",
    "show tables",
    "select table_name, table_type from information_schema.tables order by all",
    "select count(*) as n from trades where time_ns > 1e30",
    "select 1.5 as d, 2::hugeint as h, true as b, 'x'::blob as y, date '2025-10-10' as day",
    "-- a remark\nselect min(close) from candles where false",
]


@pytest.fixture(scope="module")
def same(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """The same rows in a folder and in an object store; made once."""
    with object_store() as (objects, options):
        folder = Lake.create(tmp_path_factory.mktemp("same") / "lake")
        remote = Lake.create("s3://bucket/lake", storage_options=options)
        for lake in (folder, remote):
            for number, venue in enumerate(("binance", "okx", "binance")):
                lake.append("trades", trades(range(number * 5, number * 5 + 10), venue), dedupe=False)
            lake.append("candles", rows("candles", candle(T0_NS), candle(T0_NS + 3_600_000_000_000)))
        yield folder, remote, objects


@pytest.fixture
def both(same: Both) -> Iterator[Both]:
    """The lakes, whose objects are afterwards what they were before."""
    before = dict(same[2])
    yield same
    same[2].clear()
    same[2].update(before)


def test_sql_gives_the_answer_of_a_folder_and_leaves_nothing_behind(
    both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = temporary(tmp_path, monkeypatch)
    folder, remote, _ = both
    for query in QUERIES:
        expected, found = folder.sql(query), remote.sql(query)
        assert found.schema == expected.schema and found.equals(expected), query
    assert [name for name, *_ in remote.sql("explain select venue from trades").rows()]
    assert not list(kept.iterdir())


@pytest.mark.parametrize(
    "query",
    [
        "delete from trades",
        "select 1; select 2",
        "select * from read_csv('{secret}')",
        "select count(*) from trades, read_text('{secret}')",
        "select * from '{secret}'",
        "select * from glob('{above}/*')",
        "select * from read_parquet('s3://bucket/lake/trades/**/*.parquet')",
        "select nonsense from trades",
        "select 1 from trades where",
        "select error('is not on this machine')",
    ],
)
def test_sql_refuses_what_it_refuses_in_a_folder(
    both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    kept = temporary(tmp_path, monkeypatch)
    folder, remote, _ = both
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    query = query.format(secret=secret, above=tmp_path)
    said = []
    for lake in (folder, remote):
        with pytest.raises(InputError) as refused:
            lake.sql(query)
        said.append(str(refused.value))
    assert said[0] == said[1] and not list(kept.iterdir())


def test_sql_brings_only_files_and_columns_that_the_query_needs(both: Both) -> None:
    _, lake, objects = both
    okx = [file.path for file in lake.table("trades").log.files.values() if file.venue == "okx"]
    for key in [key for key in objects if key.endswith(".parquet") and "/imports/" not in key]:
        if not key.endswith(okx[0]):
            del objects[key]
    assert lake.sql("select sum(coins) from trades where venue = 'okx'").item() == 20.0
    assert lake.sql(f"select count(*) from trades where time_ns = {T0_NS - 1}").item() == 0
    assert lake.sql("select count(*) from trades where false").item() == 0
    assert lake.sql("describe trades").height == 13
    with pytest.raises(DataError, match=r"'trades/venue-binance/.*parquet' in the lake 's3.*is not there"):
        lake.sql("select sum(coins) from trades")


@pytest.mark.parametrize("damage", ["cut", "spoilt"])
def test_sql_names_an_object_that_is_damaged(
    both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    kept = temporary(tmp_path, monkeypatch)
    _, lake, objects = both
    (key,) = [key for key in objects if "/candles/" in key and key.endswith(".parquet")]
    body = objects[key]
    middle = len(body) // 2
    objects[key] = body[:middle] if damage == "cut" else b"PAR1" + b"x" * (middle - 4) + body[middle:]
    with pytest.raises(DataError, match=key.removeprefix("lake/")):
        lake.sql("select * from candles")
    assert lake.sql("select count(*) from trades").item() == 30
    assert not list(kept.iterdir())


def test_what_a_plan_did_not_tell_is_brought_in_a_second_turn(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, lake, _ = both
    for short in ({"trades": Need(frozenset({"venue"}))}, {}):
        monkeypatch.setattr(query_room, "needs", lambda *given, told=short: told)
        for query in ("select max(price) from trades", "select count(*) from trades, candles"):
            assert lake.sql(query).equals(folder.sql(query))


def test_what_is_brought_ends_with_any_error_and_what_a_killed_one_left_is_removed(
    both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = temporary(tmp_path, monkeypatch)
    _, lake, _ = both
    (kept / "deleverage-sql-killed").mkdir()
    (kept / "deleverage-sql-killed" / "lock").touch()
    (kept / "deleverage-sql-killed" / "trades-000000.parquet").touch()
    (kept / "deleverage-sql-begun").mkdir()  # somebody who has only just begun
    with fetch.temporary_folder() as held:
        assert lake.sql("select count(*) from trades").item() == 30
        assert {path.name for path in kept.iterdir()} == {"deleverage-sql-begun", held.name}

    def stop(done: int, total: int, what: str) -> None:
        seen.append((done > 0, what))
        if done:
            raise KeyboardInterrupt

    seen: list[tuple[bool, str]] = []
    monkeypatch.setattr(fetch, "_TOLD_FROM_BYTES", 0)
    with pytest.raises(KeyboardInterrupt):
        lake.sql("select max(price) from trades", progress=stop)
    assert seen[0][1].endswith("MB of trades in 3 files from s3://bucket/lake") and seen[-1][0]
    monkeypatch.setattr(fetch, "_SPARE_BYTES", 1 << 62)
    with pytest.raises(RunError, match=r"expected room in (.|\n)*TMPDIR"):
        lake.sql("select max(price) from trades")
    assert [path.name for path in kept.iterdir()] == ["deleverage-sql-begun"]


def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made from now on."""
    kept = tmp_path / "temporary"
    kept.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(kept))
    return kept
