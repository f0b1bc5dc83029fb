"""A writer that sends no row twice is compared with others alone, also after files were put together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deleverage.data.lake import Lake
from deleverage.data.lake.parts import read_files
from tests.data.rows import trades


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files that were read to compare rows with them."""
    read: list[str] = []
    real = read_files

    def noted(place: Any, table: Any, files: Any, **more: Any) -> Any:
        read.extend(file.path for file in files)
        return real(place, table, files, **more)

    monkeypatch.setattr("deleverage.data.lake.keys.read_files", noted)
    return read


def send(lake: Lake, app: str, number: int, numbers: range) -> int:
    return lake.append("trades", trades(numbers), app=app, sequence=number, dedupe="others").rows


def test_its_own_files_are_not_read_also_when_another_process_put_them_together(
    tmp_path: Path, asked: list[str]
) -> None:
    lake, house = Lake.create(tmp_path / "lake"), Lake.open(tmp_path / "lake")
    for number in range(12):
        assert send(lake, "a", number, range(number, 30 + number, 12)) > 0  # times that overlap
        if number % 4 == 3:
            house.compact("trades")
    assert asked == []
    live = lake.table("trades")
    live.log.refresh()
    assert list(live.own["a"].look(live.log.files)) == list(live.log.files)


def test_what_another_wrote_and_a_compaction_hid_is_compared_with(tmp_path: Path, asked: list[str]) -> None:
    lake, other = Lake.create(tmp_path / "lake"), Lake.open(tmp_path / "lake")
    assert send(lake, "a", 0, range(10)) == 10
    assert send(lake, "a", 1, range(10, 20)) == 10
    assert send(other, "b", 0, range(15, 30)) == 10
    other.compact("trades")  # before we have looked: its file came and went
    assert send(lake, "a", 2, range(20, 35)) == 5
    assert asked
    assert send(lake, "a", 3, range(40, 50)) == 10
    other.compact("trades")
    assert send(lake, "a", 4, range(25, 30)) == 0, "with what is mixed, too"
    assert lake.read("trades").height == 45


def test_rows_that_others_bring_while_it_waits_for_its_turn_are_compared_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, other = Lake.create(tmp_path / "lake"), Lake.open(tmp_path / "lake")
    live = lake.table("trades")
    real, came = live.stage, list[int]()

    def slow(*args: Any) -> Any:
        staged = real(*args)
        if not came:
            came.append(send(other, "b", 0, range(5, 15)))
        return staged

    monkeypatch.setattr(live, "stage", slow)
    assert send(lake, "a", 0, range(10)) == 5
    assert came == [10] and lake.read("trades").height == 15
