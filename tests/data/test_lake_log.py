"""A log that is committed to each second for months stays short, and who slept meanwhile loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from deleverage.data.lake import Lake, log, place
from deleverage.data.lake.log import Conflict, DataFile, DeltaLog
from deleverage.data.lake.place import Place
from deleverage.schema import LAKE_TABLES
from tests.data.rows import trades

STATS = '{"numRecords": 5, "minValues": {"time_ns": 1}, "maxValues": {"time_ns": 9}, "nullCount": {}}'


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint every ten commits, and nothing before it is kept."""
    monkeypatch.setattr(log, "_CHECKPOINT_EVERY", 10)
    monkeypatch.setitem(log._PROPERTIES, "delta.logRetentionDuration", "interval 0 seconds")


def opened(folder: Path) -> DeltaLog:
    found = DeltaLog(Place.of(folder), LAKE_TABLES["trades"], by_venue=True)
    if not found.refresh():
        found.create()
    return found


def a_file(number: int) -> DataFile:
    return DataFile(f"venue-okx/part-{number}.parquet", 5, 100, 1, 9, "okx", 0, STATS)


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "trades" / "_delta_log").glob("*.json"))


def commits(made: DeltaLog, numbers: range) -> None:
    for number in numbers:
        made.refresh()
        made.commit([a_file(number)], app="collector", sequence=number)


@pytest.mark.usefixtures("short")
def test_the_log_stays_short_and_forgets_nothing(tmp_path: Path) -> None:
    writer, reader = opened(tmp_path), opened(tmp_path)
    commits(writer, range(65))
    assert len(entries(tmp_path)) < 30, "entries before the last checkpoint are cleaned up"
    assert reader.version == 0
    for late in (reader, opened(tmp_path)):
        assert late.refresh()
        assert late.version == writer.version == 65
        assert set(late.files) == {a_file(number).path for number in range(65)}
        assert late.sequence("collector") == 64


@pytest.mark.usefixtures("short")
def test_a_commit_on_a_state_whose_successors_were_cleaned_up_is_none(tmp_path: Path) -> None:
    sleeper, writer = opened(tmp_path), opened(tmp_path)
    sleeper.refresh()
    commits(writer, range(45))
    assert "00000000000000000001.json" not in entries(tmp_path)
    with pytest.raises(Conflict):
        sleeper.commit([a_file(900)])
    assert a_file(900).path not in opened(tmp_path).files
    sleeper.commit([a_file(900)])
    assert len(opened(tmp_path).files) == 46
    commits(writer, range(45, 70))
    assert len(opened(tmp_path).files) == 71


@pytest.mark.usefixtures("short")
def test_rows_of_who_slept_are_there_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper, other = Lake.create(tmp_path / "lake"), Lake.open(tmp_path / "lake")
    sleeper.append("trades", trades(range(5)), app="a", sequence=0)
    commit = DeltaLog.commit
    slept: list[bool] = []

    def sleeping(self: DeltaLog, *args: object, **named: object) -> None:
        if not slept and self is sleeper.table("trades").log:
            slept.append(True)
            for number in range(30):
                other.append("trades", trades(range(100 + number, 101 + number)), app="b", sequence=number)
        commit(self, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(DeltaLog, "commit", sleeping)
    monkeypatch.setattr(log, "_LONGEST_TURN_S", 0.01)  # both are one process, and the sleeper has the turn
    assert sleeper.append("trades", trades(range(5, 10)), app="a", sequence=1).rows == 5
    assert slept
    assert Lake.open(tmp_path / "lake").read("trades").height == 40


def test_a_table_of_an_earlier_version_takes_up_the_short_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_PROPERTIES", {})
    earlier = opened(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(log, "_CHECKPOINT_EVERY", 10)
    commits(earlier, range(12))
    assert (
        opened(tmp_path).delta.metadata().configuration["delta.logRetentionDuration"] == "interval 10 minutes"
    )
    assert len(opened(tmp_path).files) == 12


def test_a_checkpoint_is_on_the_disk_before_what_it_stands_for_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_CHECKPOINT_EVERY", 10)
    synced: list[str] = []
    real = place.sync

    def noted(path: Path) -> None:
        synced.append(path.name)
        real(path)

    monkeypatch.setattr(log, "sync", noted)
    writer = opened(tmp_path)
    cleaned: list[int] = []
    monkeypatch.setattr("deltalake.DeltaTable.cleanup_metadata", lambda self: cleaned.append(len(synced)))
    commits(writer, range(10))
    before = synced[: cleaned[0]]
    assert "00000000000000000010.checkpoint.parquet" in before and "_last_checkpoint" in before
