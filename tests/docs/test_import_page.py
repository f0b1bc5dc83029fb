"""The page on importing: its example runs, and it has every family, every defect and no others."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from deleverage.data import Lake, import_paths
from deleverage.data.importers import IMPORTERS
from tests.docs.pages import DOCS, ROOT, blocks

PAGE = DOCS / "import.md"
_MADE = {"bars-missing", "days-missing", "flows-differ", "sentiment-differ"}  # named from a part at run time


def named_defects() -> set[str]:
    """The names of defects in the code."""
    found = set(_MADE)
    for path in (ROOT / "src" / "deleverage" / "data").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Defect":
                if node.args and isinstance(node.args[0], ast.Constant):
                    found.add(str(node.args[0].value))
    return found


def section(name: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def test_the_page_has_every_defect_of_the_code_and_no_other() -> None:
    rows = [line.split("|")[1] for line in section("Defects").splitlines() if line.startswith("| `")]
    listed = [name for row in rows for name in re.findall(r"`([\w-]+)`", row)]
    assert len(listed) == len(set(listed))
    assert set(listed) == named_defects()


def test_the_page_has_every_family_in_the_order_of_trust() -> None:
    listed = re.findall(r"^\| `([\w-]+)` \|", section("Families"), re.MULTILINE)
    assert listed == [importer.name for importer in IMPORTERS]


def test_the_example_of_a_mapping_gives_the_rows_that_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from deleverage.cli import main

    page = blocks(PAGE)
    mapping = next(block.text for block in page if block.language == "toml")
    rows = next(block.text for block in page if block.language == "csv")
    console = next(block.text for block in page if block.language == "console")
    (tmp_path / "oi.toml").write_text(mapping, encoding="utf-8")
    (tmp_path / "oi.csv").write_text(rows, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    command, *lines = [line.strip() for line in console.splitlines()]
    assert main(command.removeprefix("$ deleverage ").split()) == 0
    printed = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for line in lines:
        assert line in printed
    frame = Lake.open(tmp_path / "lake").read("open_interest")
    assert frame["usd"].to_list() == [pytest.approx(13_978_000.0), 14_000_000.0]
    assert import_paths([tmp_path / "oi.csv"], tmp_path / "lake", mapping=tmp_path / "oi.toml").known
