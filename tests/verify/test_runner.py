"""Does `python -m verify` say what failed, what did not run, and exit 1 when it must?"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from verify.__main__ import MODULES, asked, main
from verify.studies import STUDIES, TOOLS, stored
from verify.table import WIDTH, body
from verify.verdict import Departure, Finding, NotRun, Verdict

ROOT = Path(__file__).resolve().parents[2]
GOOD = Verdict("T-1", "a number that agrees", 1.0, 1.0, 0.01, "1", "made up", "a note")
BAD = Verdict("T-2 of a kind", "a number that does not", 1.0, 2.0, 0.01, "1", "made up")
WAITS = NotRun("T-3", "a number of data that are not here", "no such folder: set DELEVERAGE_TEST_DATA")
DEPARTS = Departure("T-4", "a printed number", 12.0, 1.8, 1.0, "x", "made up", "another market")

Say = Callable[..., dict[str, str]]


@pytest.fixture
def say() -> Iterator[Say]:
    """Make modules of `verify` that find these things; names to be run."""
    made: list[str] = []

    def make(**modules: list[Finding] | Exception) -> dict[str, str]:
        for name, content in modules.items():
            module = ModuleType(f"verify.{name}")

            def verdicts(content: list[Finding] | Exception = content) -> list[Finding]:
                if isinstance(content, Exception):
                    raise content
                return content

            module.verdicts = verdicts  # type: ignore[attr-defined]
            sys.modules[f"verify.{name}"] = module
            made.append(f"verify.{name}")
        return dict.fromkeys(modules, "T")

    yield make
    for name in made:
        del sys.modules[name]


def run(modules: dict[str, str], folder: Path, *more: str) -> int:
    return main(["--verdicts", str(folder), *more], modules)


def test_all_hold_exits_0_and_writes_a_file_a_module(
    say: Say, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(say(made_up=[GOOD, DEPARTS, WAITS]), tmp_path) == 0
    shown = capsys.readouterr()
    assert "1 of 1 verdicts hold; 1 printed values depart from ours, with reasons; 1 not run" in shown.out
    assert "made_up" in shown.err
    saved = json.loads((tmp_path / "made_up.json").read_text(encoding="utf-8"))
    assert [row["kind"] for row in saved["findings"]] == ["Verdict", "Departure", "NotRun"]
    assert saved["version"]


def test_one_that_does_not_hold_exits_1_and_is_shown(
    say: Say, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(say(made_up=[GOOD, BAD]), tmp_path) == 1
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("T-2"))
    assert row.endswith("NO")
    assert "of a kind" in row


def test_a_departure_that_agrees_exits_1(say: Say, tmp_path: Path) -> None:
    agrees = Departure("T-4", "a printed number", 12.0, 12.0, 1.0, "x", "made up", "another market")
    assert run(say(made_up=[agrees]), tmp_path) == 1


def test_not_run_is_shown_with_its_reason_and_leaves_the_stored_file(
    say: Say, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored_before = tmp_path / "made_up.json"
    stored_before.write_text('{"version": "0.0.7"}', encoding="utf-8")
    assert run(say(made_up=[WAITS]), tmp_path) == 0
    out = capsys.readouterr().out
    assert "not run" in out
    assert "set DELEVERAGE_TEST_DATA" in out
    assert "0 of 0 verdicts hold" in out
    assert "Last numbers, of version 0.0.7: made_up.json" in " ".join(out.split())
    assert stored_before.read_text(encoding="utf-8") == '{"version": "0.0.7"}'


@pytest.mark.parametrize("content", [RuntimeError("no root"), []])
def test_a_module_that_fails_or_says_nothing_exits_1_and_the_others_are_run(
    content: list[Finding] | Exception, say: Say, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(say(broken=content, whole=[GOOD]), tmp_path) == 1
    out = capsys.readouterr().out
    assert "BROKEN     verify.broken" in out
    assert "1 of 1 verdicts hold" in out


def test_a_module_that_is_not_there_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run({"nobody_wrote_this": "T"}, tmp_path) == 1
    assert "BROKEN     verify.nobody_wrote_this: ModuleNotFoundError" in capsys.readouterr().out


def test_only_chooses_ids_and_modules(say: Say, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    modules = say(made_up=[GOOD, BAD])
    out = tmp_path / "out" / "all.json"
    assert run(modules, tmp_path, "--only", "t-1", "--out", str(out)) == 0
    assert "T-2" not in capsys.readouterr().out
    assert [row["id"] for row in json.loads(out.read_text(encoding="utf-8"))["findings"]] == ["T-1"]
    assert run(modules, tmp_path, "--only", "made_up") == 1
    assert run(modules, tmp_path, "--only", "T-9") == 1  # no such id: nothing was verified
    with pytest.raises(SystemExit, match="found 'U'"):
        run(modules, tmp_path, "--only", "U")


def test_ids_of_the_index_lead_to_their_modules() -> None:
    assert list(asked(["TFG", "ADL-3", "adl_toy"], MODULES)) == ["thurner", "adl_toy", "adl_waves"]
    assert list(asked(["ADL"], MODULES)) == ["adl_toy", "adl_waves"]
    assert asked([], MODULES).keys() == MODULES.keys()


def test_rows_are_at_most_a_hundred_columns() -> None:
    long = Verdict("T-5", "many words " * 20, -123_456.789, 1e-30, 1e-9, "USD", "made up", "and more " * 40)
    text = list(body([GOOD, BAD, WAITS, DEPARTS, long]))
    assert max(map(len, text)) <= WIDTH


def test_a_note_that_rows_share_stands_once() -> None:
    assert [line.strip() for line in body([GOOD, GOOD, BAD])].count("a note") == 1


def test_study_is_shown_with_the_date_of_its_file_or_how_to_run_it(tmp_path: Path) -> None:
    assert [study.date for study in stored(tmp_path)] == [None, None]
    assert all("python -m verify." in study.sentence for study in stored(tmp_path))
    for date, covered in (("2025-01-02", 80), ("2025-03-04", 95)):
        row = {"case": "calm", "hostile": False, "covered": covered, "draws": 100}
        content = {"rows": [row], "short": [], "required_of_100": 85, "met": covered > 85}
        (tmp_path / f"throttle-{date}.json").write_text(json.dumps(content), encoding="utf-8")
    newest = stored(tmp_path)[0]
    assert (newest.date, newest.met) == ("2025-03-04", True)
    assert "stored verdict of 2025-03-04: met" in newest.lines()[0]


def test_every_file_of_the_folder_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    shown = capsys.readouterr().out
    machinery = {"__main__", "data", "studies", "table", "verdict"}
    studies = {study.id for study in STUDIES}
    files = {path.stem for path in (ROOT / "verify").glob("*.py")} - machinery
    assert files <= set(MODULES) | set(TOOLS) | studies
    for name in (*MODULES, *TOOLS, *studies):
        assert name in shown
