"""Appends happen once, whoever else writes and whatever is sent again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError
from hypothesis import given, settings
from hypothesis import strategies as st

from deleverage.data import Lake
from deleverage.data.lake import log as lake_log
from deleverage.data.lake.log import DeltaLog
from deleverage.errors import DataError, InputError
from tests.data.rows import T0_NS, rows, trades

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "lake")


def ids(lake: Lake) -> list[int]:
    return sorted(int(one) for one in lake.read("trades")["trade_id"])


def test_a_sequence_number_counts_once(lake: Lake, tmp_path: Path) -> None:
    first = lake.append("trades", trades(range(5)), app="c", sequence=1)
    again = lake.append("trades", trades(range(5, 9)), app="c", sequence=1)
    assert (first.rows, first.replayed, again.rows, again.replayed) == (5, False, 0, True)
    # A program that starts anew has a fresh view of the table: delta-rs would commit the number again.
    other = Lake.open(tmp_path / "lake")
    assert other.committed("trades", "c") == 1 and other.committed("trades", "d") is None
    assert other.append("trades", trades(range(5, 9)), app="c", sequence=1).replayed
    assert other.append("trades", trades(range(5, 9)), app="c", sequence=2).rows == 4
    assert lake.append("trades", trades(range(5, 9)), app="c", sequence=2).replayed
    assert ids(lake) == list(range(9))


def test_a_sequence_number_is_used_up_also_where_no_row_was_new(lake: Lake) -> None:
    lake.append("trades", trades(range(5)), app="c", sequence=1)
    again = lake.append("trades", trades(range(5)), app="c", sequence=2)
    assert (again.rows, again.repeated, again.replayed) == (0, 5, False)
    empty = lake.append("trades", trades([]), app="c", sequence=3)
    assert (empty.rows, empty.replayed) == (0, False)
    assert lake.committed("trades", "c") == 3


def test_a_number_without_a_name_is_refused(lake: Lake) -> None:
    wrongs: tuple[dict[str, Any], ...] = ({"app": "c"}, {"sequence": 1})
    for wrong in wrongs:
        with pytest.raises(InputError, match="sequence number together with the name"):
            lake.append("trades", trades([1]), **wrong)


def test_rows_are_not_compared_where_nobody_asks(lake: Lake) -> None:
    for _ in range(2):
        lake.append("trades", trades([1]), dedupe=False)
    assert ids(lake) == [1, 1]


def test_a_lone_writer_of_its_own_rows_is_not_slowed_and_a_second_one_brings_none_twice(
    lake: Lake, tmp_path: Path
) -> None:
    def send(writer: Lake, app: str, number: int, numbers: list[int]) -> int:
        return writer.append("trades", trades(numbers), app=app, sequence=number, dedupe="shared").rows

    assert send(lake, "collect/a", 0, [1]) == 1
    assert send(lake, "collect/a", 1, [1, 2]) == 2  # alone: it is believed that it repeats nothing
    other = Lake.open(tmp_path / "lake")
    assert send(other, "collect/b", 0, [2, 3]) == 1
    assert send(lake, "collect/a", 2, [3, 4]) == 1
    assert send(other, "collect/b", 1, [4, 5]) == 1
    assert ids(lake) == [1, 1, 2, 3, 4, 5]


def test_a_writer_that_comes_between_the_look_and_the_commit_brings_no_row_twice(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with intruder(monkeypatch, [trades([2, 3])], tmp_path / "lake"):
        lake.append("trades", trades([1, 2]), app="collect/a", sequence=0, dedupe="shared")
    assert ids(lake) == [1, 2, 3]


def test_files_that_compaction_made_are_of_no_other_writer(lake: Lake, tmp_path: Path) -> None:
    for number in range(3):
        lake.append("trades", trades([number]), app="collect/a", sequence=number, dedupe="shared")
    Lake.open(tmp_path / "lake").compact()
    again = lake.append("trades", trades([1]), app="collect/a", sequence=3, dedupe="shared")
    assert again.rows == 1  # still alone
    Lake.open(tmp_path / "lake").append("trades", trades([7]), app="collect/b", sequence=0)
    Lake.open(tmp_path / "lake").compact()  # puts both together before we look again
    again = lake.append("trades", trades([7, 8]), app="collect/a", sequence=4, dedupe="shared")
    assert again.rows == 1


@contextmanager
def intruder(monkeypatch: pytest.MonkeyPatch, what: list[pl.DataFrame], folder: Path) -> Iterator[None]:
    """Before each of our commits another writer, who takes no turns, commits first."""
    real = DeltaLog.commit
    busy = False

    def commit(self: DeltaLog, *args: Any, **kwargs: Any) -> None:
        nonlocal busy
        if what and not busy and self.table.name == "trades":
            busy = True
            Lake.open(folder).append("trades", what.pop(0))
            busy = False
        real(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(DeltaLog, "commit", commit)
        patch.setattr(DeltaLog, "turn", lambda self: nullcontext())
        yield


def test_who_commits_first_wins_and_the_other_adds_only_what_is_left(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.append("trades", trades([100]))
    others = [trades([1, 2], price=200.0), trades([8, 9]), trades([3, 20])]
    with intruder(monkeypatch, others, tmp_path / "lake"):
        done = lake.append("trades", trades(range(6)), app="c", sequence=1)
    assert (done.rows, done.repeated, done.conflicts) == (3, 3, 2)
    assert ids(lake) == [0, 1, 2, 3, 4, 5, 8, 9, 20, 100]
    assert lake.read("trades").filter(pl.col("trade_id") == "1")["price"].to_list() == [200.0]
    files = {path.name for path in (tmp_path / "lake" / "trades").rglob("*.parquet")}
    live = {Path(path).name for path in DeltaTable(str(tmp_path / "lake" / "trades")).file_uris()}
    assert files == live, "what was written again leaves nothing behind"


def test_the_same_number_of_the_same_writer_at_the_same_time_is_committed_once(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.append("trades", trades([100]))
    real = DeltaLog.commit
    other = Lake.open(tmp_path / "lake")
    started = False

    def commit(self: DeltaLog, *args: Any, **kwargs: Any) -> None:
        nonlocal started
        if not started:
            started = True
            assert other.append("trades", trades(range(3)), app="c", sequence=7).rows == 3
        real(self, *args, **kwargs)

    monkeypatch.setattr(DeltaLog, "commit", commit)
    monkeypatch.setattr(DeltaLog, "turn", lambda self: nullcontext())
    assert lake.append("trades", trades(range(3)), app="c", sequence=7).replayed
    assert ids(lake) == [0, 1, 2, 100]


def test_a_commit_that_was_made_and_not_reported_is_not_made_again(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.append("trades", trades([100]))
    real = DeltaTable.create_write_transaction
    calls = []

    def lost(self: DeltaTable, *args: Any, **kwargs: Any) -> None:
        from deltalake.exceptions import CommitFailedError

        real(self, *args, **kwargs)
        calls.append(1)
        if len(calls) == 1:
            raise CommitFailedError("the answer was lost")

    monkeypatch.setattr(DeltaTable, "create_write_transaction", lost)
    assert lake.append("trades", trades(range(3))).rows == 3
    assert ids(lake) == [0, 1, 2, 100] and len(calls) == 1


def test_delta_never_repeats_a_commit_by_itself(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.append("trades", trades([1]))
    seen = []
    real = DeltaTable.create_write_transaction

    def watched(self: DeltaTable, *args: Any, **kwargs: Any) -> None:
        seen.append(kwargs["commit_properties"])
        real(self, *args, **kwargs)

    monkeypatch.setattr(DeltaTable, "create_write_transaction", watched)
    lake.append("trades", trades([2]))
    (properties,) = seen
    assert isinstance(properties, CommitProperties) and properties.max_commit_retries == 0


@settings(max_examples=15, deadline=None)
@given(
    batches=st.lists(
        st.tuples(st.integers(0, 2), st.lists(st.integers(0, 30), max_size=10), st.booleans()), max_size=8
    )
)
def test_any_order_of_writers_and_compactions_gives_each_key_once(
    tmp_path_factory: pytest.TempPathFactory, batches: list[tuple[int, list[int], bool]]
) -> None:
    folder = tmp_path_factory.mktemp("lake") / "lake"
    writers = [Lake.create(folder) for _ in range(3)]
    for who, numbers, compacts in batches:
        writers[who].append("trades", trades(numbers))
        if compacts:
            writers[(who + 1) % 3].compact("trades")
    assert ids(writers[0]) == sorted({number for _, numbers, _ in batches for number in numbers})


def test_writers_in_threads_with_the_same_rows_and_a_compaction_in_between(
    lake: Lake, tmp_path: Path
) -> None:
    others = [Lake.open(tmp_path / "lake") for _ in range(2)]

    def write(number: int) -> int:
        who = [lake, *others][number % 3]
        if number == 5:
            who.compact("trades")
        return who.append("trades", trades(range(number * 3, number * 3 + 10))).rows

    with ThreadPoolExecutor(6) as pool:
        added = sum(pool.map(write, range(12)))
    assert ids(lake) == list(range(43)) and added == 43


_WRITER = """
import sys
from pathlib import Path
from deleverage.data import Lake
from tests.data.rows import trades
who, folder = int(sys.argv[1]), Path(sys.argv[2])
lake = Lake.open(folder)
for batch in range(6):
    own = [who * 1000 + batch * 50 + k for k in range(50)]
    shared = [9000 + batch * 20 + k for k in range(20)]
    lake.append("trades", trades(own + shared), app=f"writer-{who}", sequence=batch)
"""


def test_four_processes_on_one_table_each_event_once(lake: Lake, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "POLARS_MAX_THREADS": "1"}
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(who), str(tmp_path / "lake")], env=environment)
        for who in range(4)
    ]
    assert [writer.wait(120) for writer in writers] == [0] * 4
    expected = [who * 1000 + k for who in range(4) for k in range(300)] + [9000 + k for k in range(120)]
    assert ids(lake) == sorted(expected)
    assert [lake.committed("trades", f"writer-{who}") for who in range(4)] == [5] * 4


def test_a_large_file_is_compared_only_around_the_asked_times(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deleverage.data.lake.keys._WHOLE_FILE_ROWS", 10)
    monkeypatch.setattr("deleverage.data.lake.keys._MARGIN_NS", 2_000_000)
    lake.append("trades", trades(range(100)))
    lake.compact("trades")
    for numbers, novel in (([50, 51, 200], 1), ([0, 1], 0), ([52, 201], 1), ([99, 202], 1), ([200, 201], 0)):
        assert lake.append("trades", trades(numbers)).rows == novel
    assert ids(lake) == [*range(100), 200, 201, 202]


def test_keys_that_are_forgotten_are_looked_up_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deleverage.data.lake.keys._REMEMBERED_ROWS", 15)
    for start in range(0, 40, 10):
        lake.append("trades", trades(range(start, start + 10)))
    assert lake.append("trades", trades(range(45))).rows == 5
    assert ids(lake) == list(range(45))


def test_files_and_log_are_synced_before_an_append_returns(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.append("trades", trades([1]))
    synced: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        real(handle)

    if not Path("/proc/self/fd").exists():
        pytest.skip("no /proc on this system: what a handle belongs to cannot be told")
    monkeypatch.setattr(os, "fsync", fsync)
    lake.append("trades", trades([2]))
    folder = tmp_path / "lake" / "trades"
    assert [Path(path).suffix for path in synced] == [".parquet", "", ".json", ""]
    assert Path(synced[0]).parent == Path(synced[1]) == folder / "venue-binance"
    assert Path(synced[2]).parent == Path(synced[3]) == folder / "_delta_log"


def test_an_append_between_the_files_of_an_import_keeps_its_rows_once(lake: Lake) -> None:
    with lake.write() as writer:
        assert writer.append("trades", trades(range(10))).rows == 10
        assert lake.append("trades", trades(range(5, 15))).rows == 10
    assert ids(lake) == list(range(15))
    assert all(record["complete"] for record in lake.imports)


def test_a_table_may_be_named_by_a_url_of_files(tmp_path: Path) -> None:
    Lake.create(f"file://{tmp_path}/lake").append("funding", _rate(), source_id="a")
    assert Lake.open(tmp_path / "lake").read("funding")["rate"].to_list() == [0.1]


def _rate() -> pl.DataFrame:
    return rows(
        "funding",
        {
            "time_ns": T0_NS, "venue": "v", "coin": "BTC", "symbol": "B", "interval_s": 60, "rate": 0.1,
            "source": "a",
        },
    )  # fmt: skip


def test_a_turn_that_is_not_given_back_only_delays(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    lake.append("trades", trades([1]))
    monkeypatch.setattr(lake_log, "_LONGEST_TURN_S", 0.01)
    with (lake.folder / ".locks" / "trades").open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert lake.append("trades", trades([2])).rows == 1


def test_a_commit_that_cannot_be_written_is_an_error_and_not_tried_again(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.append("trades", trades(range(5)), app="c", sequence=1)
    tries = []

    def full(*_: object, **__: object) -> None:
        tries.append(1)
        raise CommitFailedError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(DeltaTable, "create_write_transaction", full)
        with pytest.raises(DataError, match="no space left"):
            lake.append("trades", trades(range(5, 9)), app="c", sequence=2)
    assert len(tries) == 1
    assert ids(lake) == list(range(5))
    lake.append("trades", trades(range(5, 9)), app="c", sequence=2)
    assert ids(lake) == list(range(9))


def test_a_full_disk_is_told_leaves_nothing_and_is_over_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polars says it in an error of its own, with half a file written."""
    lake = Lake.create(tmp_path / "lake")
    lake.append("trades", trades(range(5)), app="a", sequence=0)
    real = pl.DataFrame.write_parquet

    def full(self: pl.DataFrame, target: Path, **how: Any) -> None:
        if "venue-okx" in str(target):
            target.write_bytes(b"PAR1")
            raise pl.exceptions.ComputeError("parquet: underlying IO error: No space left on device")
        real(self, target, **how)

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    both = pl.concat([trades(range(5, 10)), trades(range(5), "okx")])
    for _ in range(3):
        with pytest.raises(DataError, match="No space left on device") as told:
            lake.append("trades", both, app="a", sequence=1)
    assert "free space" in (told.value.hint or "")
    assert len(list((tmp_path / "lake").glob("trades/*/*.parquet"))) == 1
    monkeypatch.undo()
    assert lake.append("trades", both, app="a", sequence=1).rows == 10
    assert Lake.open(tmp_path / "lake").read("trades").height == 15
