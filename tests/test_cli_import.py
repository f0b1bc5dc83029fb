"""The screen of `import`: rows by table, every kind of defect once, what was left out; at most 80 columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deleverage.cli import main
from deleverage.cli.importing import screen
from deleverage.data.import_report import ImportReport
from deleverage.data.importers.base import Defect
from tests.data import tiny

Printed = pytest.CaptureFixture[str]


def test_a_small_import_tells_each_defect_in_a_sentence(
    tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    tiny.klines(tmp_path / "data")
    tiny.put(tmp_path / "data" / "README.md", "words\n")
    monkeypatch.chdir(tmp_path)
    assert main(["import", "data", "--lake", "lake"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "1 file into lake"
    assert "candles     +3     3" in lines
    assert lines.count("microseconds  [1 file, 3 rows]") == 1
    assert "left out: 1 file" in lines
    assert "   1  a text, not data: README.md" in lines
    assert max(map(len, lines)) <= 80
    assert "%" in err and "Traceback" not in err
    assert main(["import", "data", "--lake", "lake"]) == 0
    assert capsys.readouterr().out.startswith("0 files into lake, 1 were there already")


def many(count: int) -> ImportReport:
    report = ImportReport(rows={f"table_{i}": 1_000_000 for i in range(20)}, added={"table_0": 1_000_000})
    for i in range(count):
        report.note(f"file-{i}", Defect(f"a-kind-of-defect-{i}", "wrong", "repaired", 5, "there"))
    report.skipped = [
        (f"folder/{'x' * 90}-{i}.parquet", "a table without columns and rows") for i in range(10)
    ]
    return report


def test_many_defects_stand_in_columns_each_once_on_one_screen() -> None:
    report = many(90)
    lines = screen(report, "lake", width=80, sentences=False)
    assert len(lines) < 60
    assert max(map(len, lines)) <= 80
    words = " ".join(lines).split()
    assert all(words.count(name) == 1 for name in report.noted)
    assert "left out: 10 files" in lines


def test_many_rows_keep_their_columns_apart_and_nothing_is_wider_than_the_window() -> None:
    report = many(30)
    for k, name in enumerate(("candles", "trades", "liquidations", "funding", "marks", "books", "depth")):
        report.rows[name] = report.added[name] = 12_345_678 * 10**k
    for width in (60, 80, 100):
        lines = screen(report, "lake", width=width, sentences=False)
        assert max(map(len, lines)) <= width
        (row,) = [line for line in lines if line.startswith("depth ")]
        assert row.split() == ["depth", "+12,345,678,000,000", "12,345,678,000,000"]


def test_sentences_are_given_when_asked_for() -> None:
    lines = screen(many(90), "lake", width=80, sentences=True)
    assert lines.count("    wrong; repaired. there") == 90
    assert max(map(len, lines)) <= 80


def test_json_has_tables_defects_and_what_was_left_out(tmp_path: Path, capsys: Printed) -> None:
    folder = tiny.whole_folder(tmp_path / "data")
    assert main(["import", str(folder), "--lake", str(tmp_path / "lake"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tables"]["candles"] == {"added": 13, "rows": 13}
    assert {"name", "defect", "handled", "file", "files", "rows", "example"} == set(found["defects"][0])
    assert {entry["file"] for entry in found["skipped"]} >= {"README.md", "other.csv"}


@pytest.mark.parametrize(
    ("name", "text", "code", "words"),
    [
        ("x.csv", "a,b\n1,2\n", 2, "mapping file"),
        ("x.csv.gz", "no gzip", 3, "empty or cut off"),
        ("fng.csv", "date,fng\n2025-10-10,400\n", 2, "line 2, field 'value'"),
    ],
)
def test_a_bad_file_ends_with_one_message_and_without_a_lake(
    name: str, text: str, code: int, words: str, tmp_path: Path, capsys: Printed
) -> None:
    path = tiny.put(tmp_path / name, text)
    assert main(["import", str(path), "--lake", str(tmp_path / "lake")]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err and "Traceback" not in err
    assert not (tmp_path / "lake").exists()
