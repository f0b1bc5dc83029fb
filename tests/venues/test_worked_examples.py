"""Do the rules give every venue's own worked examples, each within its tolerance, none left out?"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from deleverage.venues.examples import answers_by_kind
from deleverage.venues.examples.file import read_examples
from deleverage.venues.examples.run import Result, run_examples

# Examples of each venue that are there at least: a reader that dropped some would be seen.
FEWEST = {
    "Aave": 2,
    "Aave v3": 1,
    "Aave v3.3+": 3,
    "BTCMEX (BitMEX-like)": 1,
    "Binance COIN-M": 2,
    "Binance USD-M": 28,
    "Binance linear": 3,
    "Binance/Gate linear": 13,
    "BitMEX inverse": 4,
    "Bybit": 1,
    "Bybit inverse": 6,
    "Bybit linear": 10,
    "Drift v2": 13,
    "Gate": 4,
    "Hyperliquid": 34,
    "OKX": 4,
    "dYdX v4": 51,
}


@pytest.fixture(scope="module")
def file(test_data: Path) -> Path:
    """The shared file of worked examples."""
    found = test_data.parent / "vectors" / "venue_vectors.json"
    if not found.is_file():
        pytest.skip(f"no worked examples in {found}")
    return found


@pytest.fixture(scope="module")
def rows(file: Path) -> list[dict[str, Any]]:
    """The examples as they stand in the file, read by somebody else's reader."""
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def results(file: Path) -> tuple[Result, ...]:
    """What came of each."""
    return run_examples(read_examples(file))


def test_every_worked_example_passes(results: tuple[Result, ...]) -> None:
    assert [f"{result.example.id}: {result.why}" for result in results if not result.passed] == []


def test_none_is_left_out_and_every_expected_value_is_checked(
    rows: list[dict[str, Any]], results: tuple[Result, ...]
) -> None:
    assert [result.example.id for result in results] == [row["id"] for row in rows]
    for row, result in zip(rows, results, strict=True):
        assert [check.key for check in result.checks] == list(row["expected"])
        assert all(check.passed for check in result.checks) is result.passed


def test_every_venue_and_kind_of_the_file_has_its_function(rows: list[dict[str, Any]]) -> None:
    kinds = Counter((row["venue"], row["kind"]) for row in rows)
    assert kinds.keys() <= answers_by_kind().keys()
    assert len(kinds) >= 46 and kinds.total() >= 180
    venues = Counter(row["venue"] for row in rows)
    assert {venue: venues[venue] for venue in FEWEST if venues[venue] < FEWEST[venue]} == {}


def test_an_example_that_is_off_by_more_than_its_tolerance_fails(file: Path) -> None:
    # Each numeric answer, moved by a thousandth of itself and twice its tolerance, must be seen.
    moved = []
    for example in read_examples(file):
        key, value = next(iter(example.expected.items()))
        if isinstance(value, bool | list):
            continue
        off = value + 3 * example.tolerance.allowed(value) + abs(value) / 1000 + 1
        moved.append(type(example)(**{**vars(example), "expected": {key: off}}))
    assert len(moved) > 170
    assert [result.example.id for result in run_examples(moved) if result.passed] == []
