"""Does the page of the lake still run, and show what it says?"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from deleverage.cli import main
from tests.docs.pages import DOCS, blocks

PAGE = DOCS / "lake.md"


def test_the_page_runs_and_shows_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    session: dict[str, Any] = {}
    ran = 0
    for block in blocks(PAGE):
        if block.language == "python":
            exec(compile(block.text, f"lake.md, line {block.line}", "exec"), session)
            said = capsys.readouterr().out
            for line in block.text.splitlines():
                if line.startswith("print(") and "  # " in line:
                    assert line.split("  # ", 1)[1] in said.splitlines(), line
                    ran += 1
        if block.language == "console":
            said, code, told_code = "", 0, 0
            for line in [*block.text.splitlines(), "$"]:
                if line.startswith("$"):
                    assert code == told_code, said
                    code = told_code = 0
                    if line != "$":
                        code = main(shlex.split(line.removeprefix("$ deleverage ")))
                        shown = capsys.readouterr()
                        said, ran = shown.out + shown.err, ran + 1
                elif line.startswith("exit code "):
                    told_code = int(line.removeprefix("exit code "))
                else:
                    assert [word for word in line.split() if word not in said] == [], (line, said)
    assert ran == 7
