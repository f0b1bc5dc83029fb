"""Does the tour still run, and show what it says?"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.docs.pages import DOCS, ROOT, blocks

TOUR = DOCS / "tour.md"
_NUMBER = re.compile(r"[−-]?\d[\d,.]*")


class Step(NamedTuple):
    """One command of a console block, with the lines that are shown below it."""

    words: list[str]
    target: str
    shown: list[str]


def steps() -> list[Step]:
    found: list[Step] = []
    for block in blocks(TOUR):
        if block.language != "console":
            continue
        for line in block.text.splitlines():
            if line.startswith("$ "):
                command, _, target = line[2:].partition(" > ")
                found.append(Step(shlex.split(command), target.strip(), []))
            elif line.strip() not in ("", "..."):
                found[-1].shown.append(line.strip())
    return found


def wanted_code(step: Step) -> int:
    told = [line for line in step.shown if line.startswith("exit code ")]
    return int(told[0].removeprefix("exit code ")) if told else 0


def key_words(line: str) -> list[str]:
    """The words of a shown line, without its figures and bars: what must be on the screen in some order."""
    plain = re.sub(r"[▏▎▍▌▋▊▉█]+|\[.*?\]|\(.*?\)", " ", line)
    return re.findall(r"[A-Za-z][A-Za-z_.'/-]+", _NUMBER.sub(" ", plain))


@pytest.mark.slow
def test_tour_runs_and_shows_what_it_says(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1", "COLUMNS": "100"}
    for step in steps():
        assert step.words[0] == "deleverage", step
        done = subprocess.run(
            [sys.executable, "-m", "deleverage.cli", *step.words[1:]],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        said = done.stdout + done.stderr
        assert done.returncode == wanted_code(step), (step, said)
        if step.target:
            (tmp_path / step.target).write_text(done.stdout, encoding="utf-8")
        for line in step.shown:
            if not line.startswith("exit code "):
                missing = [word for word in key_words(line) if word not in said]
                assert not missing, f"the tour shows {line!r}; without {missing} in\n{said}"
    assert (tmp_path / "out" / "note.html").exists()
    for table in sorted((tmp_path / "out").glob("*.parquet")):
        assert table.read_bytes() == (tmp_path / "again" / table.name).read_bytes(), table.name


@pytest.mark.filterwarnings("default")
def test_python_of_the_tour_is_one_session_that_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    session: dict[str, Any] = {}
    for block in blocks(TOUR):
        if block.language != "python":
            continue
        exec(compile(block.text, f"tour.md, line {block.line}", "exec"), session)
        said = capsys.readouterr().out
        for line in block.text.splitlines():
            if line.lstrip().startswith("print(") and "  # " in line:
                told = line.split("  # ", 1)[1].removesuffix(" ...")
                assert told in said, f"line {block.line}: told {told!r}, said {said!r}"
    assert (tmp_path / "shallow.html").exists()


def test_tour_is_short_enough_for_ten_minutes() -> None:
    words = len(TOUR.read_text(encoding="utf-8").split())
    assert words < 1_800, (
        f"{words} words; at 200 a minute and with eight commands that is more than ten minutes"
    )
