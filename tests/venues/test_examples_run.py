"""The runner passes what agrees and nothing else; what a function cannot do is a failure with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deleverage.errors import InputError, LedgerError
from deleverage.venues.examples import answers_by_kind
from deleverage.venues.examples.file import Example, Tolerance
from deleverage.venues.examples.registry import ANSWERS
from deleverage.venues.examples.run import Result, difference_between, run_example, run_examples

EXACT = Tolerance(Fraction(0), Fraction(0))
Answering = Callable[[Callable[[Mapping[str, Any]], Any]], None]


def example(
    expected: dict[str, Any], tolerance: Tolerance = EXACT, venue: str = "Test", kind: str = "k"
) -> Example:
    return Example("e", venue, kind, {"x": 1}, expected, tolerance)


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Answering:
    """``answering(function)``: what venue 'Test' answers to kind 'k'."""
    answers_by_kind()

    def register(function: Callable[[Mapping[str, Any]], Any]) -> None:
        monkeypatch.setitem(ANSWERS, ("Test", "k"), function)

    return register


def test_every_adapter_file_is_found_without_a_list() -> None:
    venues = {venue for venue, _ in answers_by_kind()}
    assert {"dYdX v4", "Drift v2", "Aave v3.3+"} <= venues


def test_each_expected_value_must_be_in_the_answer(answering: Answering) -> None:
    answering(lambda inputs: {"a": inputs["x"], "more": 9})
    assert run_example(example({"a": 1})).passed
    result = run_example(example({"a": 1, "b": 2}))
    assert not result.passed
    assert result.why == "b: the answer has no 'b'"
    assert [check.passed for check in result.checks] == [True, False]


@pytest.mark.parametrize(
    ("found", "passed"),
    [
        (Fraction("10.31"), True),  # 0.01 + 3 % of 10
        (Fraction("9.69"), True),
        (Fraction("10.3100000000000000001"), False),
        (Fraction("9.6899999999999999999"), False),
        (10, True),
        (Decimal("10.31"), True),
        (np.int64(10), True),
        (float("nan"), False),
        (float("inf"), False),
        (True, False),
        ("10", False),
        (None, False),
        ([10], False),
    ],
)
def test_a_number_passes_up_to_abs_plus_rel_times_expected(
    answering: Answering, found: Any, passed: bool
) -> None:
    answering(lambda inputs: {"a": found})
    tolerance = Tolerance(Fraction("0.01"), Fraction("0.03"))
    assert run_example(example({"a": 10}, tolerance)).passed is passed


def test_the_reach_grows_with_the_size_of_a_negative_number(answering: Answering) -> None:
    answering(lambda inputs: {"a": Fraction(-101)})
    assert run_example(example({"a": -100}, Tolerance(Fraction(0), Fraction("0.01")))).passed
    assert not run_example(example({"a": 100}, Tolerance(Fraction(0), Fraction("0.01")))).passed


def test_a_result_says_difference_and_tolerance(answering: Answering) -> None:
    answering(lambda inputs: {"a": Fraction("1155.61")})
    (check,) = run_example(
        example({"a": Fraction("1114.78")}, Tolerance(Fraction("0.006"), Fraction(0)))
    ).checks
    assert (check.difference, check.allowed) == (Fraction("40.83"), Fraction("0.006"))
    assert check.why == "outside the tolerance"


@pytest.mark.parametrize(
    ("expected", "found", "passed"),
    [
        (True, True, True),
        (True, np.bool_(True), True),
        (True, 1, False),
        (1, True, False),
        (False, 0, False),
        ("B", "B", True),
        ("B", "b", False),
        (["B", "A"], ["B", "A"], True),
        (["B", "A"], ("B", "A"), True),
        (["B", "A"], ["A", "B"], False),
        (["B"], ["B", "A"], False),
        (["B"], "B", False),
        ([1, [Fraction(1, 2)]], [1, [Fraction(1, 2)]], True),
        ([1, [Fraction(1, 2)]], [1, [Fraction(1, 3)]], False),
        ({"p": 1}, {"p": 1}, True),
        ({"p": 1}, {"p": 1, "q": 2}, False),
        (None, None, True),
        (None, 0, False),
    ],
)
def test_what_is_no_number_must_be_the_same(expected: Any, found: Any, passed: bool) -> None:
    assert (difference_between(expected, found, EXACT) == "") is passed


def test_an_unknown_kind_or_venue_has_failed_and_says_what_is_known(answering: Answering) -> None:
    answering(lambda inputs: {"a": 1})
    kind = run_example(example({"a": 1}, kind="other"))
    assert not kind.passed and kind.why == "unknown kind 'other' of venue 'Test'; known are k"
    venue = run_example(example({"a": 1}, venue="Nowhere"))
    assert not venue.passed and venue.why.startswith("unknown venue 'Nowhere'; known are ")
    assert [check.passed for check in venue.checks] == [False]


def raising(error: BaseException) -> Callable[[Mapping[str, Any]], Any]:
    def function(inputs: Mapping[str, Any]) -> Any:
        raise error

    return function


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (raising(InputError("expected a, found b", hint="Do c.")), "expected a, found b Do c."),
        (lambda inputs: {"a": inputs["size"]}, "the function asks for 'size', which the inputs do not have"),
        (lambda inputs: {"a": 1 / Fraction(inputs["x"] - 1)}, "these inputs lead to a division by zero"),
        (lambda inputs: {"a": inputs["x"] + "1"}, "the function refused the inputs: TypeError: "),
        (lambda inputs: {"a": inputs["x"].side}, "the function refused the inputs: AttributeError: "),
        (lambda inputs: {"a": Fraction("one")}, "the function refused the inputs: ValueError: "),
        (lambda inputs: 7, "the function gave int in place of named values"),
    ],
)
def test_a_function_that_raises_has_failed_with_the_reason_on_one_line(
    answering: Answering, function: Callable[[Mapping[str, Any]], Any], reason: str
) -> None:
    answering(function)
    result = run_example(example({"a": 1, "b": 2}))
    assert not result.passed and result.why.startswith(reason) and "\n" not in result.why
    assert len(result.checks) == 2 and not any(check.passed for check in result.checks)


def test_a_bug_of_ours_is_not_hidden_in_a_result(answering: Answering) -> None:
    answering(raising(LedgerError("1 USD is missing")))
    with pytest.raises(LedgerError):
        run_example(example({"a": 1}))


@given(
    expected=st.fractions(), error=st.fractions(), reach=st.fractions(min_value=0), share=st.fractions(0, 1)
)
def test_passing_is_being_within_reach(
    expected: Fraction, error: Fraction, reach: Fraction, share: Fraction
) -> None:
    why = difference_between(expected, expected + error, Tolerance(reach, share))
    assert (why == "") is (abs(error) <= reach + share * abs(expected))


def test_results_stand_in_the_order_of_the_file(answering: Answering) -> None:
    answering(lambda inputs: {"a": inputs["x"]})
    results: tuple[Result, ...] = run_examples([example({"a": 2}), example({"a": 1})])
    assert [result.passed for result in results] == [False, True]
