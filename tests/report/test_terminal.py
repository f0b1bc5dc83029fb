"""Does the screen hold its columns at every width, and its letters with and without colour?"""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from rich.text import Text

from deleverage.report.lines import fold, render
from deleverage.report.style import THIN
from deleverage.report.terminal import screen
from tests.report.sample import FULL, NONE, SMALL, UNDEFINED, Case, sample


@pytest.mark.parametrize("case", [FULL, NONE, SMALL, UNDEFINED], ids=["full", "none", "small", "undefined"])
@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(case: Case, width: int) -> None:
    for line in screen(sample(case), width=width, note="out/note.html").splitlines():
        assert cell_len(line) <= width
        assert line == line.rstrip()


def test_colour_changes_no_letter() -> None:
    answer = sample(FULL)
    plain, coloured = screen(answer, width=100), screen(answer, width=100, color=True)
    assert "\x1b[" in coloured and "\x1b[" not in plain
    assert Text.from_ansi(coloured).plain.rstrip() == plain.rstrip()


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_the_table_of_markets_lines_up(width: int) -> None:
    lines = screen(sample(FULL), width=width).splitlines()
    head = next(line for line in lines if line.strip().startswith("drop"))
    rows = [
        line
        for line in lines
        if line.startswith(("  BTC ", "  ETH ", "  SOL ")) and "[" in line and "n(x)" not in line
    ]
    assert len(rows) == 3
    at = head.index("low at")
    for row in rows:
        assert row[at - 1] == " " and row[at] != " "


def test_the_screen_says_what_a_reader_needs() -> None:
    text = screen(sample(FULL), width=120, note="out/note.html").replace(THIN, " ")
    for needed in (
        "oct-10-binance",
        "16 seeds × 64 subsets",
        "100,000 accounts",
        "20:49–22:30 UTC",
        "observed BTC −13.1 % at 21:20",
        "inside the 90 % band",
        "over priors",
        "Monte Carlo",
        "first 4, last 51",
        "placebo",
        "n(x) near the start",
        "tipping distance",
        "4 of a different venue set",
        "ledger: residual 0",
        "→ out/note.html",
    ):
        assert needed in text, needed


def test_the_screen_is_free_to_answer_none() -> None:
    text = screen(sample(NONE), width=100)
    assert "nothing was closed by force" in text
    assert "does not show that any of it was" in text
    assert "no tipping point found" in text


def test_folding_keeps_intervals_and_units_together() -> None:
    lines = [
        "".join(piece.text for piece in line).strip()
        for line in fold(f"a fall of 13.1{THIN}% [11.2, 15.8] it is", 18)
    ]
    assert any("[11.2, 15.8]" in line for line in lines)
    assert any(f"13.1{THIN}%" in line for line in lines)


def test_text_is_not_folded_between_a_number_and_its_unit() -> None:
    words = "at the ends of the volatility's 90 % interval, blocks of 10 d of 365 d"
    for width in range(24, 60):
        for line in render(fold(words, width), width, False).splitlines():
            assert not line.strip().startswith(("%", "d ")), (width, line)
            assert len(line) <= width
