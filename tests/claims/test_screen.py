"""Do screen, note and command tell judged claims so that they can be read, and end with the right code?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from deleverage.claims.answer import to_dict
from deleverage.claims.verdict import Verdict
from deleverage.cli import main
from deleverage.data.lake import Lake
from deleverage.errors import InputError
from deleverage.experiment import attribution, measures
from deleverage.report.claims import MARKS, quantity, screen
from deleverage.report.claims_note import note, write_note
from tests.claims.standin import CLOSE, HEAD, MEASURES, checked, frame, write
from tests.claims.test_check import FUTURE, RATIO, VENDOR

Out = pytest.CaptureFixture[str]
FALL = """
[[claim]]
id = "fall"
text = "It had fallen by <b>a half</b>."
kind = "measured"
measure = "level"
reading = "change"
stated = -0.50
unit = "share"
tolerance = 0.01
"""
ENGINE = """
[[claim]]
id = "forced"
text = "It was forced."
kind = "mechanism"
measure = "attribution"
reading = "mechanical_share"
stated = 0.5
unit = "share"
comparison = "at least"
tolerance = 0
"""


@pytest.fixture
def content(tmp_path: Path) -> dict[str, Any]:
    return to_dict(checked(tmp_path, CLOSE + RATIO + VENDOR + FUTURE + FALL))


def test_every_verdict_has_a_mark_of_one_cell() -> None:
    assert set(MARKS) == {word.value for word in Verdict}
    assert {cell_len(mark) for mark in MARKS.values()} == {1}
    assert len(set(MARKS.values())) == len(MARKS)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_screen_keeps_to_its_width_and_says_every_verdict_in_words(
    content: dict[str, Any], width: int
) -> None:
    text = screen(content, width=width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    words = " ".join(text.split())
    for claim in content["claims"]:
        assert claim["id"] in words
        assert claim["verdict"] in words
    assert "\x1b" not in text
    assert "nan" not in words.lower().split()


def test_the_screen_says_once_by_whose_count_each_measured_figure_is(content: dict[str, Any]) -> None:
    told = screen(content, width=100).partition("measured by the count of\n")[2].splitlines()
    for claim in content["claims"]:
        if claim["measured"] is not None:
            (line,) = [line for line in told if line.startswith(f"  {claim['by_whose_count']}: ")]
            assert claim["id"] in line


def test_a_run_of_its_own_tells_how_far_it_is(
    tmp_path: Path, lake: str, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: object, progress: Any, **__: object) -> None:
        for done in range(4):
            progress(done, 4, f"draw {done} of 4")
        raise InputError("expected an engine, found none")

    monkeypatch.setattr(measures, "ALL", {**MEASURES, "attribution": attribution.MEASURE})
    monkeypatch.setattr("deleverage.experiment.run.run", run)
    monkeypatch.setattr(attribution, "_check_over", lambda *_: None)
    assert main(["claims", str(write(tmp_path, CLOSE + ENGINE)), "--lake", lake]) == 2
    said = capsys.readouterr().err
    assert "forced: the engine runs its own eight seeds" in said
    assert " 50 %  the engine's own run: draw 2 of 4" in said


def test_colour_changes_no_letter(content: dict[str, Any]) -> None:
    import re

    plain = screen(content, width=80)
    assert re.sub(r"\x1b\[[0-9;]*m", "", screen(content, width=80, color=True)) == plain


def test_a_share_is_off_by_points_and_says_when_it_was_true(content: dict[str, Any]) -> None:
    # 100 to 60 is −40 %, stated −50 %; it closed at 50 on the 7th
    text = screen(content, width=120)
    assert "overstated by 10.0\N{NARROW NO-BREAK SPACE}points" in text
    assert "would have been true on 2025-11-07: −50.0" in text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "USD", "not observed"),
        (-0.00602, "share", "−0.60 %"),
        (-0.3, "share", "−30.0 %"),
        (20550.0, "USD", "$20,550"),
        (-1.208e9, "USD", "−$1.21 bn"),
        (20146.0, "date", "2025-02-27"),
        (150.0, "x", "150x"),
        (41.0, "days", "41 days"),
        (23.8e9, "USD/day", "$23.8 bn a day"),
    ],
)
def test_quantities_are_told_in_their_unit(value: float | None, unit: str, text: str) -> None:
    assert quantity(value, unit).replace("\N{NARROW NO-BREAK SPACE}", " ") == text


def test_the_note_holds_every_claim_escaped_and_fetches_nothing(
    content: dict[str, Any], tmp_path: Path
) -> None:
    text = note(content)
    for claim in content["claims"]:
        assert f'id="c-{claim["id"]}"' in text
    assert "&lt;b&gt;a half&lt;/b&gt;" in text
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")
    assert write_note(content, tmp_path / "note.html").read_text(encoding="utf-8") == text


def test_a_note_that_cannot_be_written_is_an_input_error_and_leaves_nothing(
    content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "note.html"
    target.write_text("the old one", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match="expected a file that can be written, found: No space"):
        write_note(content, target, option="--out")
    assert [path.name for path in tmp_path.glob("*note*")] == ["note.html"]
    assert target.read_text(encoding="utf-8") == "the old one"
    with pytest.raises(InputError, match="it is a folder"):
        write_note(content, tmp_path)


def test_hostile_text_is_escaped_wherever_a_file_can_put_it(tmp_path: Path) -> None:
    bad = "'\"><script>alert(1)</script><img src=x onerror=y>"
    literal = json.dumps(bad)
    text = CLOSE.replace('"close"\ntext', literal + "\ntext").replace('"It stood at 60."', literal)
    text += f"note = {literal}\nmeans = {literal}\nby_whose_count = {literal}\nsource = {literal}\n"
    head = HEAD.replace('"A test"', literal).replace('"nobody"', literal) + f"about = {literal}\n"
    told = note(to_dict(checked(tmp_path, text, head=head)))
    assert "<script" not in told
    assert "<img" not in told


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    text = CLOSE.replace('"It stood', '"It\\u001b[31m stood')
    with pytest.raises(InputError, match="without control characters"):
        checked(tmp_path, text)


def test_a_text_over_several_lines_is_shown_in_one(tmp_path: Path) -> None:
    text = CLOSE.replace('"It stood at 60."', '"""It\nstood\tat 60."""')
    assert to_dict(checked(tmp_path, text))["claims"][0]["text"] == "It stood at 60."


# --- the command -------------------------------------------------------------------------------------


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "lake"
    Lake.create(folder).append("candles", frame(), source_id="by hand")
    monkeypatch.setattr(measures, "ALL", MEASURES)
    return str(folder)


def test_the_command_prints_the_screen_and_ends_with_0(tmp_path: Path, lake: str, capsys: Out) -> None:
    file, target = str(write(tmp_path, CLOSE)), tmp_path / "note.html"
    assert main(["claims", file, "--lake", lake, "--out", str(target)]) == 0
    printed = capsys.readouterr()
    assert "✓ true" in printed.out
    assert "close" in printed.err  # progress
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_false_claim_ends_with_1_and_json_is_alone_on_stdout(
    tmp_path: Path, lake: str, capsys: Out
) -> None:
    file = str(write(tmp_path, CLOSE.replace("stated = 60", "stated = 600")))
    assert main(["claims", file, "--lake", lake, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["any_false"] is True
    assert found["claims"][0]["verdict"] == "false"
    over = str(write(tmp_path, CLOSE.replace("stated = 60", "stated = 80")))
    assert main(["claims", over, "--lake", lake, "--json"]) == 0


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ('"level"', '"levl"', 2, "line 9, close.measure"),
        ('"USD"', '"share"', 2, "line 12, close.unit"),
        ("tolerance = 1", "tolerance = 1\ndate = 2999-01-01", 2, "line 14, close.date"),
        ("tolerance = 1", "tolerance = 1\ndate = 2025-12-24", 3, "line 14, close"),
    ],
)
def test_a_file_that_cannot_be_judged_ends_with_2_or_3_and_the_line(
    tmp_path: Path, lake: str, capsys: Out, old: str, new: str, code: int, says: str
) -> None:
    file = str(write(tmp_path, CLOSE.replace(old, new)))
    assert main(["claims", file, "--lake", lake]) == code
    printed = capsys.readouterr()
    assert says in printed.err
    assert printed.out == ""


def test_a_lake_that_can_measure_no_claim_ends_with_3_after_the_answer(
    tmp_path: Path, lake: str, capsys: Out
) -> None:
    lacking = CLOSE.replace('"level"', '"absent"').replace('reading = "close"', 'reading = "depth"')
    assert main(["claims", str(write(tmp_path, lacking)), "--lake", lake, "--json"]) == 3
    printed = capsys.readouterr()
    assert json.loads(printed.out)["claims"][0]["verdict"] == "not knowable from this data"
    assert "(table depth)" in printed.err
    assert "deleverage backfill binance BTCUSDT --what depth" in printed.err
    one_known = str(write(tmp_path, CLOSE + lacking.replace('id = "close"', 'id = "deep"')))
    assert main(["claims", one_known, "--lake", lake, "--json"]) == 0


def test_at_judges_as_of_the_end_of_that_day(tmp_path: Path, lake: str, capsys: Out) -> None:
    file = str(write(tmp_path, CLOSE))
    assert main(["claims", file, "--lake", lake, "--json", "--at", "2025-11-03"]) == 0
    assert json.loads(capsys.readouterr().out)["claims"][0]["measured"] == 80


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--lake", "x"], "expected FILE or NAME"),
        (["nov-2025"], "expected --lake DIR"),
        (["nov-2025", "--lake", ".", "--out", "."], "found a folder"),
        (["nov-2025", "--lake", ".", "--out", "absent/note.html"], "that exists"),
        (["nov-2025", "--lake", ".", "--at", "soon"], "--at soon"),
        (["--show", "absent"], "Embedded: nov-2025"),
    ],
)
def test_bad_arguments_end_with_2_and_say_what_was_expected(
    capsys: Out, arguments: list[str], says: str
) -> None:
    assert main(["claims", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_told_before_the_work_and_not_as_a_fault_of_the_file(
    tmp_path: Path, lake: str, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "ALL", {**MEASURES, "attribution": attribution.MEASURE})
    file = str(write(tmp_path, CLOSE + ENGINE))
    assert main(["claims", file, "--lake", lake, "--run", str(tmp_path / "absent")]) == 2
    said = capsys.readouterr().err
    assert "deleverage: --run" in said
    assert "no such file" in said
    assert "close" not in said.split("deleverage:")[0]  # no other claim was looked at


def test_show_prints_the_embedded_file(capsys: Out) -> None:
    assert main(["claims", "--show", "nov-2025"]) == 0
    assert 'id = "wipeout_100x"' in capsys.readouterr().out
