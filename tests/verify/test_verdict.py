"""Can a verdict fail, and is nothing that was not compared counted as one that holds?"""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from verify.verdict import Departure, NotRun, Verdict, as_row, passes, save


def verdict(measured: float, tolerance: float = 0.01) -> Verdict:
    return Verdict("T-1", "a number", 1.0, measured, tolerance, "1", "made up")


def departure(measured: float) -> Departure:
    return Departure("T-2", "a printed number", 12.0, measured, 1.0, "x", "made up", "because")


@pytest.mark.parametrize(
    ("measured", "holds"),
    [(1.0, True), (1.0099, True), (0.9901, True), (1.0101, False), (0.98, False), (-1.0, False)],
)
def test_holds_within_the_tolerance_only(measured: float, holds: bool) -> None:
    assert verdict(measured).holds is holds
    assert passes(verdict(measured)) is holds


@pytest.mark.parametrize("measured", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_never_holds(measured: float) -> None:
    assert not Verdict("T-1", "a number", 1.0, measured, math.inf, "1", "made up").holds
    assert not passes(departure(measured))


def test_a_tolerance_of_zero_wants_the_number_itself() -> None:
    assert verdict(1.0, 0.0).holds
    assert not verdict(math.nextafter(1.0, 2.0), 0.0).holds


def test_a_departure_stands_only_while_it_departs() -> None:
    assert departure(1.8).stands
    assert not departure(11.5).stands
    assert not passes(departure(12.0))


def test_not_run_is_no_verdict_and_holds_nothing() -> None:
    row = as_row(NotRun("T-3", "a number", "no data"))
    assert row == {"kind": "NotRun", "id": "T-3", "what": "a number", "why": "no data", "holds": None}
    assert passes(NotRun("T-3", "a number", "no data"))


def test_saved_file_is_json_without_nan(tmp_path: Path) -> None:
    path = tmp_path / "saved.json"
    save([verdict(math.nan), verdict(1.0), departure(1.8)], path)
    rows = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert [row["holds"] for row in rows] == [False, True, None]
    assert rows[0]["measured"] is None


def test_numbers_of_arrays_are_written_as_plain_ones(tmp_path: Path) -> None:
    import numpy as np

    verdict = Verdict("X-1", "a mean", 1.0, np.float64(1.0), 0.1, "", "by hand")
    assert type(verdict.measured) is float and type(verdict.holds) is bool
    save([verdict], tmp_path / "verdicts.json")
    assert json.loads((tmp_path / "verdicts.json").read_text())[0]["holds"] is True
