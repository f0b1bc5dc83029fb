"""The short version of scripts/kill_writers: a few kills of each kind, and a judge that can find fault."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deleverage.data import Lake
from tests.data.rows import trades
from verify import kill_writers
from verify.kill_writers import batch, judge, one_import, run

ROOT = Path(__file__).resolve().parents[2]
ROWS = 400


@pytest.mark.slow
def test_killed_writers_lose_nothing_and_repeat_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'src'}")
    monkeypatch.setattr(kill_writers, "_FRESH_AFTER", 3)
    tally = run(9, 5, tmp_path / "lake", rows=2_000, say=lambda _: None)
    assert tally.faults == [] and tally.kills == sum(tally.hits.values()) == 9
    assert {hit.split("/")[0] for hit in tally.hits} == {"append", "import", "compact"}


def appended(folder: Path, *numbers: int) -> Lake:
    lake = Lake.create(folder)
    for number in numbers:
        lake.append("trades", batch(number, ROWS), app="collector", sequence=number)
    return lake


def test_the_judge_is_content_with_a_whole_lake(tmp_path: Path) -> None:
    appended(tmp_path / "lake", 1, 2)
    assert judge("append", tmp_path / "lake", {1}, ROWS) == ([], {2}, set())
    assert judge("append", tmp_path / "lake", {1, 2}, ROWS) == ([], set(), set())
    lake = Lake.create(tmp_path / "imports")
    one_import(lake, 1, ROWS)
    assert judge("import", tmp_path / "imports", {1}, ROWS)[0] == []


def test_the_judge_finds_a_lost_batch(tmp_path: Path) -> None:
    appended(tmp_path / "lake", 1)
    assert judge("append", tmp_path / "lake", {1, 2}, ROWS)[0] == ["acknowledged batch 2 is lost"]


def test_the_judge_finds_a_repeated_batch(tmp_path: Path) -> None:
    lake = appended(tmp_path / "lake", 1)
    lake.append("trades", batch(1, ROWS), dedupe=False)
    assert judge("append", tmp_path / "lake", {1}, ROWS)[0] == [
        f"{ROWS} keys twice",
        f"batch 1 has {2 * ROWS} of {ROWS} rows",
    ]


def test_the_judge_finds_half_a_batch_and_half_an_import(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    one_import(lake, 1, ROWS)
    lake.append("trades", batch(2, ROWS // 2))
    faults = judge("import", tmp_path / "lake", {1}, ROWS)[0]
    assert f"batch 2 has {ROWS // 2} of {ROWS} rows" in faults
    assert "an import is in one table and not in the other" in faults


def test_the_judge_finds_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    lake = appended(tmp_path / "lake", 1, 2)
    shutil.rmtree(next(lake.folder.glob("trades/venue-*")))
    (fault,) = judge("append", tmp_path / "lake", {1, 2}, ROWS)[0]
    assert "not readable" in fault and "'trades/venue-v/part-" in fault


def test_a_torn_file_is_seen_and_disturbs_nobody(tmp_path: Path) -> None:
    lake = appended(tmp_path / "lake", 1)
    torn = lake.folder / "trades" / "venue-v" / "part-torn.parquet"
    torn.write_bytes(b"PAR1 and then nothing")
    assert judge("append", tmp_path / "lake", {1}, ROWS) == ([], set(), {torn})
    assert lake.append("trades", trades([1])).rows == 1
