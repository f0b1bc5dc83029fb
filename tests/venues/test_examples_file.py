"""A file of worked examples is read as printed, or refused with every place that is wrong."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from deleverage.errors import InputError, MissingDataError
from deleverage.venues.examples.file import Tolerance, examples_of, read_examples

GOOD: dict[str, Any] = {
    "id": "one",
    "venue": "V",
    "kind": "k",
    "inputs": {"x": 1},
    "expected": {"y": 2},
    "tolerance": {"abs": 0.01, "rel": 0},
}


def text(**changes: Any) -> str:
    """A file with one good example and one with changes; a change to None leaves the key out."""
    row = {key: value for key, value in {**GOOD, "id": "two", **changes}.items() if value is not None}
    return json.dumps([GOOD, row])


def test_numbers_are_what_was_printed() -> None:
    written = """[{"id": "a", "venue": "V", "kind": "k", "tolerance": {"abs": 5e-08}, "expected": {"y": 0.3},
                  "inputs": {"x": 0.1, "n": 7, "deep": [1e-7, {"z": 2.0}]}}]"""
    (example,) = examples_of(written, "f")
    assert example.inputs == {
        "x": Fraction(1, 10),
        "n": 7,
        "deep": [Fraction(1, 10**7), {"z": Fraction(2)}],
    }
    assert type(example.inputs["n"]) is int
    assert example.expected == {"y": Fraction(3, 10)}
    assert example.tolerance == Tolerance(Fraction(5, 10**8), Fraction(0))
    assert example.source == example.note == ""


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"venue": None}, "venue: expected a text, found nothing"),
        ({"venue": 12}, "venue: expected a text, found the number 12"),
        ({"kind": ""}, "kind: expected a text, found the text ''"),
        ({"id": True}, "id: expected a text, found true"),
        ({"inputs": [1]}, "inputs: expected an object, found a list"),
        ({"expected": {}}, "expected: expected at least one value, found none"),
        ({"expected": "2"}, "expected: expected an object, found the text '2'"),
        ({"tolerance": None}, "tolerance: expected an object with abs or rel, found nothing"),
        ({"tolerance": {}}, "tolerance: expected an object with abs or rel, found an object"),
        (
            {"tolerance": {"abs": -0.5}},
            "tolerance.abs: expected a number of at least 0, found the number -0.5",
        ),
        ({"tolerance": {"rel": "1%"}}, "tolerance.rel: expected a number of at least 0, found the text '1%'"),
        ({"tolerance": {"abs": True}}, "tolerance.abs: expected a number of at least 0, found true"),
        ({"source": 3}, "source: expected a text, found the number 3"),
    ],
)
def test_an_example_that_is_not_complete_is_named(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError) as caught:
        examples_of(text(**changes), "mine.json")
    label = "" if "id" in changes else " ('two')"
    assert f"mine.json, example 2{label}: {problem}" in caught.value.message
    assert "example 1" not in caught.value.message


def test_every_wrong_place_is_named_and_a_long_list_is_cut() -> None:
    rows = [{**GOOD, "venue": 1, "kind": 2} for _ in range(8)]
    with pytest.raises(InputError) as caught:
        examples_of(json.dumps(rows), "f")
    assert len(caught.value.context["problems"]) == 16  # type: ignore[arg-type]
    assert caught.value.message.endswith("and 6 more")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("[{", "f, line 1, column 3: expected JSON"),
        ('[\n {"id": 1,}\n]', "f, line 2"),
        ("", "f, line 1, column 1: expected JSON"),
        ("[]", "f: expected a list of worked examples, found an empty list"),
        ("{}", "f: expected a list of worked examples, found an object"),
        ("null", "f: expected a list of worked examples, found null"),
        ("7", "f: expected a list of worked examples, found the number 7"),
        ("[7]", "f, example 1: expected an object, found the number 7"),
        ('[{"x": NaN}]', "f: expected a finite number, found NaN"),
        ('[{"x": -Infinity}]', "f: expected a finite number, found -Infinity"),
        ('[{"x": 1e999999999}]', "f: expected a number between"),
        ('[{"x": 1e-99999999999999999999}]', "f: expected a number between"),
        ('[{"x": 1, "x": 2}]', "f: expected every key once in an object, found 'x' twice"),
        ('[{"x": 1' + "0" * 5000 + "}]", "f: "),
        ("[" * 100_000 + "]" * 100_000, "f: lists within lists too deep"),
    ],
)
def test_what_is_no_list_of_examples_is_refused(written: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        examples_of(written, "f")
    assert caught.value.message.startswith(message)


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="found no such file"):
        read_examples(tmp_path / "none.json")
    with pytest.raises(InputError, match="found a folder"):
        read_examples(tmp_path)
    (tmp_path / "bytes.json").write_bytes(b'[{"id": "\xff"}]')
    with pytest.raises(InputError, match="expected text in UTF-8, found byte 9"):
        read_examples(tmp_path / "bytes.json")
