"""Does a file that is not usable say where, what was expected, what was found, and what to do?"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from deleverage.claims.form import end_ns
from deleverage.claims.read import embedded_names, find_text, read_claims
from deleverage.errors import InputError, exit_code
from deleverage.experiment.measures import ALL
from tests.claims.standin import CLOSE, HEAD, MEASURES

TODAY = date(2026, 1, 1)
TWO = CLOSE + "\n" + CLOSE.replace('"close"\ntext', '"again"\ntext', 1)
PARTS = """[[claim]]
id = "parts"
text = "Two figures."
kind = "measured"

[[claim.figure]]
measure = "level"
reading = "close"
stated = 60
unit = "USD"
tolerance = 1

[[claim.figure]]
measure = "level"
reading = "day"
stated = 2025-11-06
unit = "date"
tolerance = 0
"""
RATIO = """[[claim]]
id = "ratio"
text = "One by the other."
kind = "arithmetic"
arithmetic = { operation = "ratio", of = ["close", "again"] }
stated = 1
unit = "count"
tolerance = 0
"""
FUTURE = """[[claim]]
id = "soon"
text = "It will rise."
kind = "future"
"""


def wrong(text: str, *, head: str = HEAD) -> InputError:
    with pytest.raises(InputError) as caught:
        read_claims(head + text, "mine.toml", MEASURES, today=TODAY)
    assert exit_code(caught.value) == 2
    assert caught.value.hint
    return caught.value


def changed(old: str, new: str, text: str = CLOSE) -> InputError:
    assert old in text
    return wrong(text.replace(old, new))


def test_every_form_of_claim_is_read() -> None:
    read, _ = read_claims(HEAD + TWO + PARTS + RATIO + FUTURE, "mine.toml", MEASURES, today=TODAY)
    assert [claim.id for claim in read.claim] == ["close", "again", "parts", "ratio", "soon"]
    assert [len(claim.figure) for claim in read.claim] == [1, 1, 2, 0, 0]
    assert read.at_of(read.claim[0]) == end_ns(date(2025, 11, 6))


# a claim's header stands on line 5, its keys from line 6 on; a case is a line
# ruff: noqa: E501
@pytest.mark.parametrize(
    ("old", "new", "line", "expected", "hint"),
    [
        ('measure = "level"', 'measure = "levl"', 9, "a measure of this program, found 'levl'", "Did you mean 'level'"),
        ('reading = "close"', 'reading = "clos"', 10, "a reading of level, found 'clos'", "Did you mean 'close'"),
        ('unit = "USD"', 'unit = "parsecs"', 12, "one of share, USD", "share"),
        ("stated = 60", 'stated = "60"', 11, "found '60'", "nov-2025"),
        ("stated = 60", "stated = true", 11, "close.stated: expected a number, or a day such as 2025-11-16, found true", "nov-2025"),
        ("stated = 60", "stated = nan", 11, "finite", "nov-2025"),
        ("stated = 60\n", "", 5, "the key 'stated', found nothing", "Add it"),
        ("tolerance = 1", "tolerance = -1", 13, "greater than or equal to 0", "nov-2025"),
        ("tolerance = 1", "tolerance = 1\nrounding = 2", 13, "at least the rounding, 2", "last printed digit"),
        ("tolerance = 1", "tolerence = 1", 13, "'tolerence'", "Did you mean 'tolerance'"),
        ('kind = "measured"', 'kind = "guess"', 8, "one of 'measured', 'arithmetic'", "nov-2025"),
        ('text = "It stood at 60."', 'text = " "', 7, "a text that is not empty", "nov-2025"),
        ("stated = 60", "stated = 2025-11-06", 11, "a number, found 2025-11-06", "'date'"),
        ("tolerance = 1", "tolerance = 1\ndate = 2026-01-02", 14, "not later than today, 2026-01-01", "as of the day"),
        ("tolerance = 1", "tolerance = 1\ndate = 9999-12-31", 14, "a year before 9999", "Correct"),
        ("tolerance = 1", "tolerance = 1\nat = 2025-11-07", 14, "not later than the claim's", "known"),
        ("tolerance = 1", "tolerance = 1\nparameters = { cion = 'BTC' }", 14, "found 'cion'", "--help"),
        ("tolerance = 1", "tolerance = 1\nparameters = { coin = 3 }", 14, "a coin like BTC", ""),
        ("tolerance = 1", "tolerance = 1\nrival = []\n[[claim.rival]]\n", 15, "TOML", "line"),
    ],
)  # fmt: skip
def test_a_wrong_key_is_told_with_its_line(old: str, new: str, line: int, expected: str, hint: str) -> None:
    error = changed(old, new)
    assert error.message.startswith(f"mine.toml, line {line}"), error.message
    assert expected in error.message, error.message
    assert hint in error.hint, error.hint


def test_the_line_is_that_of_the_second_figure_of_the_second_claim() -> None:
    error = wrong(CLOSE + PARTS.replace('unit = "date"', 'unit = "USD"'))
    text = (HEAD + CLOSE + PARTS.replace('unit = "date"', 'unit = "USD"')).splitlines()
    assert text[error.context["line"] - 1] == "stated = 2025-11-06"  # type: ignore[operator]
    unknown = wrong(CLOSE + PARTS.replace('reading = "day"', 'reading = "dy"'))
    assert text[unknown.context["line"] - 1] == 'reading = "day"'  # type: ignore[operator]


def test_a_missing_key_of_a_figure_points_to_that_figure() -> None:
    error = wrong(CLOSE + PARTS.replace("stated = 2025-11-06\n", ""))
    lines = (HEAD + CLOSE + PARTS).splitlines()
    second = [k for k, line in enumerate(lines, start=1) if line == "[[claim.figure]]"][1]
    assert error.context["line"] == second


def test_an_id_twice_names_both_lines() -> None:
    error = wrong(CLOSE + "\n" + CLOSE)
    assert "line 16" in error.message
    assert "first on line 6" in error.message


def test_a_file_dated_after_today_is_refused_on_its_line() -> None:
    error = wrong(CLOSE, head=HEAD.replace("2025-11-06", "2026-01-02"))
    assert error.message.startswith("mine.toml, line 3, close.date")
    read_claims(HEAD + CLOSE, "mine.toml", MEASURES)  # without a clock nobody can tell


def test_kinds_ask_for_what_they_need() -> None:
    assert (
        "a measure, since its kind is 'measured'"
        in changed('kind = "future"', 'kind = "measured"', FUTURE).message
    )
    assert "no figure" in changed('kind = "measured"', 'kind = "future"').message
    assert "the key 'stated'" in wrong(TWO + RATIO.replace("stated = 1\n", "")).message
    assert "ids of other claims" in wrong(TWO + RATIO.replace('"again"', '"agian"')).message
    assert (
        "one figure, that of the vendor"
        in wrong(PARTS.replace('"measured"', '"measured"\none_vendor = true')).message
    )


def test_text_that_is_no_toml_says_the_line() -> None:
    error = wrong("[[claim]]\nid = \n")
    assert error.message.startswith("mine.toml, line 6: expected valid TOML")


def test_several_problems_are_counted_and_the_first_leads() -> None:
    error = wrong(CLOSE.replace("stated = 60", "stated = true").replace("tolerance = 1", 'tolerance = "1"'))
    assert "line 11" in error.message
    assert "more: line 1" in error.message


def test_files_are_found_by_name_or_path_and_refused_by_what_they_are(tmp_path: Path) -> None:
    assert "nov-2025" in embedded_names()
    with pytest.raises(InputError, match=r"Did you mean 'nov-2025'"):
        find_text("nov-2052")
    with pytest.raises(InputError, match="no such file"):
        find_text(tmp_path / "absent.toml")
    with pytest.raises(InputError, match="a folder"):
        find_text(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(InputError, match="not UTF-8"):
        find_text(tmp_path / "bytes.toml")


def test_a_byte_order_mark_and_the_line_ends_of_windows_are_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + CLOSE).replace("\n", "\r\n").encode())
    read, _ = read_claims(*find_text(path), MEASURES, today=TODAY)
    assert read.claim[0].id == "close"


@pytest.mark.parametrize(
    ("measure", "reading", "stated", "expected"),
    [
        ("change", "change", "-30", "a share from -1 on, found -30"),
        ("drawdown", "from_high_close", "0.30", "a share from -1 to 0, found 0.3"),
        ("drawdown", "from_high_close", "-25", "a share from -1 to 0, found -25"),
        ("liquidation_counts", "share_of_days_above", "25", "a share from 0 to 1, found 25"),
    ],
)
def test_a_share_that_cannot_be_is_refused_and_not_called_false(
    measure: str, reading: str, stated: str, expected: str
) -> None:
    text = CLOSE.replace('"level"', f'"{measure}"').replace('reading = "close"', f'reading = "{reading}"')
    text = text.replace('"USD"', '"share"').replace("60\n", f"{stated}\n")
    with pytest.raises(InputError) as caught:
        read_claims(HEAD + text, "mine.toml", ALL, today=TODAY)
    assert expected in caught.value.message
    assert caught.value.context["line"] == 11
    assert "−30 % is -0.30" in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("stated = 60", f"stated = 1{'0' * 400}", 11),
        ("tolerance = 1", f"tolerance = 1{'0' * 400}", 13),
        ("stated = 60", f"stated = {'1' * 5000}", 1),
        ("tolerance = 1", f"tolerance = 1\nparameters = {{ coin = {'[' * 3000}{']' * 3000} }}", 1),
    ],
)
def test_what_no_machine_number_holds_is_the_files_fault_and_no_bug(old: str, new: str, line: int) -> None:
    assert changed(old, new).context["line"] == line


@pytest.mark.parametrize("given", ["since = 99999999999999999999999", "since_days = 1e30"])
def test_a_time_out_of_range_is_told_with_its_line(given: str) -> None:
    text = CLOSE.replace('"level"', '"change"').replace('reading = "close"', 'reading = "change"')
    text = text.replace('"USD"', '"share"').replace("60", "-0.3")
    with pytest.raises(InputError, match=r"line 14, close\.parameters"):
        read_claims(HEAD + text + f"parameters = {{ {given} }}\n", "mine.toml", ALL, today=TODAY)


def test_an_arithmetic_figure_is_a_day_only_if_its_unit_is() -> None:
    error = wrong(TWO + RATIO.replace("stated = 1\n", "stated = 2025-11-06\n"))
    assert "a day where its unit is 'date', else a number, found 2025-11-06" in error.message
