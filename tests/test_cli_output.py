"""Is an answer's folder whole or absent whatever happens, and can a run be repeated from it?"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from deleverage.errors import InputError, InternalError, RunError
from deleverage.experiment import output
from deleverage.experiment.answer import Answer
from deleverage.experiment.scenario import Scenario
from tests.cli_driver import quick_note
from tests.report.sample import sample

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return Scenario.load("double-trouble")


@pytest.fixture(scope="module")
def answer() -> Answer:
    return sample(seeds=2, markets=("BTC",))


def is_whole(folder: Path) -> bool:
    """True when the folder holds what its `run.json` says; fails when it holds anything else."""
    content = json.loads((folder / output.RUN_FILE).read_text(encoding="utf-8"))
    names = {table["file"] for table in content["tables"].values()} | {output.RUN_FILE, output.NOTE_FILE}
    assert {path.name for path in folder.iterdir()} == names
    for table in content["tables"].values():
        path = folder / table["file"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == table["sha256"]
        assert pl.read_parquet(path).height == table["rows"]
    return True


# --- writing ----------------------------------------------------------------------------------------


def test_everything_is_there(answer: Answer, scenario: Scenario, tmp_path: Path) -> None:
    written = output.write_answer(answer, tmp_path / "out", scenario=scenario, note=quick_note)
    assert is_whole(written)
    assert os.listdir(tmp_path) == ["out"]
    for name, table in answer.tables.items():
        assert pl.read_parquet(written / f"{name}.parquet").equals(table)


def test_an_earlier_answer_is_replaced(answer: Answer, scenario: Scenario, tmp_path: Path) -> None:
    target = tmp_path / "out"
    output.write_answer(answer, target, scenario=scenario, note=quick_note)
    other = Answer({**answer.summary, "seed": 77}, answer.tables)
    output.write_answer(other, target, scenario=scenario, note=quick_note)
    assert is_whole(target) and output.read_replay(target).seed == 77
    assert os.listdir(tmp_path) == ["out"]


def test_an_empty_folder_is_used(answer: Answer, scenario: Scenario, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    output.write_answer(answer, tmp_path / "out", scenario=scenario, note=quick_note)
    assert is_whole(tmp_path / "out")


def test_what_is_not_ours_is_refused_and_untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work", encoding="utf-8")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run.json").write_text('{"format": "something else"}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for target, found in [
        ("thesis", "a folder with other files"),
        ("other", "a folder with other files"),
        ("file", "a file"),
        ("file/out", "a file"),
        ("no/out", "no such folder"),
        (".", "the current folder"),
    ]:
        with pytest.raises(InputError, match=f"found {found}"):
            output.check_target(target)
    assert (tmp_path / "thesis" / "chapter.txt").read_text(encoding="utf-8") == "years of work"


def test_an_unwritable_parent_is_found_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *args: False)  # whoever runs the tests may be root
    with pytest.raises(InputError, match=r"may be written, found permission denied"):
        output.check_target(tmp_path / "out")


def test_a_full_disk_leaves_nothing(
    answer: Answer, scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match="No space left"):
        output.write_answer(answer, tmp_path / "out", scenario=scenario, note=full)
    assert os.listdir(tmp_path) == []


def test_a_number_that_is_not_finite_is_our_bug(answer: Answer, scenario: Scenario, tmp_path: Path) -> None:
    broken = Answer({**answer.summary, "deficit_usd": float("nan")}, answer.tables)
    with pytest.raises(InternalError, match="finite"):
        output.write_answer(broken, tmp_path / "out", scenario=scenario, note=quick_note)
    assert os.listdir(tmp_path) == []


# --- killed at any moment ----------------------------------------------------------------------------


def drive(folder: Path, signal: str, **environment: str) -> int:
    """One run --out in its own process, which sends itself ``signal``; returns its exit code."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.cli_driver", "run", "double-trouble", "--out", str(folder / "out")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "DRIVER_SIGNAL": signal, **environment},
        timeout=60,
    )
    assert "Traceback" not in ended.stderr
    return ended.returncode


NEW = ["4", "20", "os.rename 1"]
REPLACING = ["9", "os.rename 1", "os.rename 2", "shutil.rmtree 1"]
EVERYWHERE = [str(number) for number in range(1, 36, 3)]


@pytest.mark.parametrize(
    ("existing", "moments"),
    [
        pytest.param(False, NEW, id="new"),
        pytest.param(True, REPLACING, id="replacing"),
        pytest.param(False, EVERYWHERE, id="new-everywhere", marks=pytest.mark.slow),
        pytest.param(True, EVERYWHERE, id="replacing-everywhere", marks=pytest.mark.slow),
    ],
)
def test_sigkill_leaves_the_folder_whole_or_absent(
    answer: Answer, scenario: Scenario, tmp_path: Path, existing: bool, moments: list[str]
) -> None:
    killed = 0
    for order in [f"SIGKILL {moment}" for moment in moments]:
        folder = tmp_path / order.replace(" ", "-")
        folder.mkdir()
        if existing:
            output.write_answer(answer, folder / "out", scenario=scenario, note=quick_note)
        killed += drive(folder, order) == -9
        assert not (folder / "out").exists() or is_whole(folder / "out")
        # the next write sweeps what was left, and an earlier answer that stood aside is not lost
        output._sweep(folder / "out")
        assert (folder / "out").exists() or not existing
        output.write_answer(answer, folder / "out", scenario=scenario, note=quick_note)
        assert os.listdir(folder) == ["out"] and is_whole(folder / "out")
    assert killed >= min(len(moments), 10)


@pytest.mark.parametrize("order", ["SIGINT 2", "SIGINT 12", "SIGINT os.rename 1"])
def test_ctrl_c_leaves_nothing_beside_a_whole_or_absent_folder(tmp_path: Path, order: str) -> None:
    assert drive(tmp_path, order) == 130
    assert os.listdir(tmp_path) in ([], ["out"])
    assert not (tmp_path / "out").exists() or is_whole(tmp_path / "out")


def test_a_folder_that_another_process_is_writing_is_not_swept(tmp_path: Path) -> None:
    with output._beside(tmp_path / "out") as partial:
        output._sweep(tmp_path / "out")
        assert partial.exists()
    assert not partial.exists()


# --- back again ---------------------------------------------------------------------------------------


def test_a_replay_holds_scenario_seed_and_candles(answer: Answer, scenario: Scenario, tmp_path: Path) -> None:
    changed = scenario.with_settings({"news.shock": 0.05})
    output.write_answer(answer, tmp_path / "out", scenario=changed)
    replay = output.read_replay(tmp_path / "out" / "run.json")
    assert replay.scenario == changed
    assert (replay.seed, replay.seeds, replay.accounts) == tuple(
        answer.summary[key] for key in ("seed", "seeds", "accounts")
    )
    assert replay.candles is not None and replay.candles.equals(answer.tables["candles"])


def test_a_replayed_answer_has_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tests.cli_driver as driver
    from deleverage.cli import main

    for name, module in driver.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(["run", "quiet", "--seed", "3", "--set", "news.shock=0.01", "--out", str(first)]) == 0
    assert main(["run", "--replay", str(first / "run.json"), "--out", str(second)]) == 0
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("{", "no JSON"),
        ("[]", "another kind of JSON"),
        ('{"format": "deleverage run", "format_version": 99}', "format version 99"),
        ('{"format": "deleverage run", "format_version": 1}', "no usable 'scenario_toml'"),
    ],
)
def test_a_file_that_is_no_run_is_refused(tmp_path: Path, content: str, found: str) -> None:
    file = tmp_path / "run.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=found):
        output.read_replay(file)
