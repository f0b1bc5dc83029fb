"""A lake in an object store: the same rows, the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deleverage.data import Lake
from deleverage.data.lake.place import Place
from deleverage.errors import InputError, MissingDataError
from tests.data.object_store import Objects, object_store
from tests.data.rows import trades

Store = tuple[Objects, dict[str, str]]


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


def test_sql_says_that_it_is_for_folders(store: Store) -> None:
    lake = Lake.create("s3://bucket/lake", storage_options=store[1])
    with pytest.raises(InputError, match=r"SQL over a lake in a folder(.|\n)*scan"):
        lake.sql("select 1")
