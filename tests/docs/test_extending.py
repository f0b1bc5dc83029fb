"""Does the page on adding a venue do what it says? Its files are written beside ours, and all is run."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import shlex
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from deleverage import venues as room
from deleverage.cli import app, main
from tests.docs.pages import DOCS, blocks

PAGE = DOCS / "extending.md"
VENUE = "lagoon"
_HAS_RUNNER = importlib.util.find_spec("deleverage.venues.examples") is not None
_PATH = re.compile(r"# ([\w/]+\.py)\n")

pytestmark = pytest.mark.filterwarnings("default")
with_runner = pytest.mark.skipif(not _HAS_RUNNER, reason="the runner of worked examples is not there yet")


def files() -> dict[str, str]:
    """The Python blocks by the path on their first line."""
    found = {}
    for block in blocks(PAGE):
        if block.language == "python":
            match = _PATH.match(block.text)
            assert match, f"line {block.line}: a block of Python begins with the path of its file"
            found[match[1]] = block.text
    return found


RULES, ANSWERS, TEST = files()


def commands() -> list[tuple[list[str], list[str]]]:
    """Words of each command of a console block, with the lines that are shown below it."""
    found: list[tuple[list[str], list[str]]] = []
    for block in blocks(PAGE):
        for line in block.text.splitlines() if block.language == "console" else ():
            if line.startswith("$ "):
                found.append((shlex.split(line[2:])[1:], []))
            else:
                found[-1][1].append(line)
    return found


def known(command: str) -> bool:
    groups = {group.name for group in app.registered_groups}
    return command in groups | {one.name for one in app.registered_commands}


@pytest.fixture
def lagoon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The page's files in folders that Python takes for part of ours."""
    for name, text in files().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("DELEVERAGE_RULES_DIR", str(tmp_path / "rules"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    (examples,) = [block.text for block in blocks(PAGE) if block.language == "json"]
    (tmp_path / "lagoon.json").write_text(examples, encoding="utf-8")
    added = {room: tmp_path / RULES}
    if _HAS_RUNNER:
        added[importlib.import_module("deleverage.venues.examples")] = tmp_path / ANSWERS
    for package, file in added.items():
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(file.parent)])
    try:
        if _HAS_RUNNER:
            importlib.import_module(f"deleverage.venues.examples.{VENUE}")
        yield tmp_path
    finally:
        for package in added:
            sys.modules.pop(f"{package.__name__}.{VENUE}", None)
            vars(package).pop(VENUE, None)
        for key in [key for key in registered() if key[0].lower() == VENUE]:
            del registered()[key]


def registered() -> dict[Any, Any]:
    """The functions that answer, by venue and kind; none where there is no runner."""
    if not _HAS_RUNNER:
        return {}
    found: dict[Any, Any] = importlib.import_module("deleverage.venues.examples.registry").ANSWERS
    return found


def test_page_shows_one_rules_file_one_answers_file_and_a_short_test() -> None:
    assert RULES == f"src/deleverage/venues/{VENUE}.py"
    assert ANSWERS == f"src/deleverage/venues/examples/{VENUE}.py"
    assert TEST == f"tests/venues/test_{VENUE}.py"
    assert len(files()[TEST].splitlines()) < 50


def test_test_of_the_page_passes(lagoon: Path) -> None:
    spec = importlib.util.spec_from_file_location("test_of_the_page", lagoon / TEST)
    assert spec is not None and spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tests = [function for name, function in vars(module).items() if name.startswith("test_")]
    assert len(tests) == 3
    for function in tests:
        function()


@with_runner
def test_every_example_of_the_page_has_the_answer_that_is_printed(lagoon: Path) -> None:
    examples = json.loads((lagoon / "lagoon.json").read_text(), parse_float=Fraction)
    assert len(examples) >= 3
    for example in examples:
        found = registered()[example["venue"], example["kind"]](example["inputs"])
        for name, printed in example["expected"].items():
            allowed = Fraction(example["tolerance"]["abs"]) + Fraction(example["tolerance"]["rel"]) * printed
            assert abs(found[name] - printed) <= allowed, example["id"]


@pytest.mark.parametrize(("words", "shown"), commands(), ids=[" ".join(words[:2]) for words, _ in commands()])
def test_command_of_the_page_shows_what_it_says(
    lagoon: Path, capsys: pytest.CaptureFixture[str], words: list[str], shown: list[str]
) -> None:
    if not known(words[0]):
        pytest.skip(f"there is no command `{words[0]}` yet")
    assert main(words) == 0
    said = capsys.readouterr().out
    for line in shown:
        missing = [word for word in line.split() if word not in said]
        assert not missing, f"the page shows {line!r}; without {missing} in\n{said}"


@with_runner
def test_an_example_that_is_off_is_found(lagoon: Path) -> None:
    if not known("vectors"):
        pytest.skip("there is no command `vectors` yet")
    text = (lagoon / "lagoon.json").read_text().replace("45454.55", "45454.57")
    (lagoon / "off.json").write_text(text)
    assert main(["vectors", "off.json"]) == 1
    assert main(["vectors", "lagoon.json"]) == 0
