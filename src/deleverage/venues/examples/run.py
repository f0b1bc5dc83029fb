"""Does the program give the venues' own answers? Runs examples and compares every figure that is expected.

A figure a agrees with the expected b when |a − b| ≤ abs + rel·|b|, in fractions; in lists and objects each
member is compared so. Texts and booleans must be the same, and a boolean is no number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from deleverage.errors import DataError, InputError, RunError
from deleverage.venues.examples import answers_by_kind
from deleverage.venues.examples.file import Example, Tolerance
from deleverage.venues.examples.registry import Answer

# What a function may raise on inputs that make no sense to it. A bug of ours in money (InternalError) is none
# of these and ends the program.
_REFUSALS = (
    InputError,
    DataError,
    RunError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Check:
    """One expected value of an example beside what was found.

    ``difference`` is found − expected and ``allowed`` the tolerance, where both are single numbers.
    """

    key: str
    passed: bool
    expected: Any
    found: Any
    difference: Fraction | None
    allowed: Fraction | None
    why: str


@dataclass(frozen=True)
class Result:
    """What came of one example: passed only if every check passed; ``why`` says what went wrong."""

    example: Example
    passed: bool
    why: str
    checks: tuple[Check, ...]


def run_examples(examples: Iterable[Example]) -> tuple[Result, ...]:
    """One result an example, in the order of the file."""
    known = answers_by_kind()
    return tuple(_run(example, known) for example in examples)


def run_example(example: Example) -> Result:
    """The result of one example. Never raises for what stands in the example."""
    return _run(example, answers_by_kind())


def _run(example: Example, known: Mapping[tuple[str, str], Answer]) -> Result:
    function = known.get((example.venue, example.kind))
    if function is None:
        return _refused(example, _unknown(example, known))
    try:
        answer = function(example.inputs)
    except _REFUSALS as error:
        return _refused(example, _reason(error))
    if not isinstance(answer, Mapping):
        return _refused(example, f"the function gave {type(answer).__name__} in place of named values")
    checks = tuple(
        _check(key, expected, answer, example.tolerance) for key, expected in example.expected.items()
    )
    failed = [f"{check.key}: {check.why}" for check in checks if not check.passed]
    return Result(example, not failed, "; ".join(failed), checks)


def _refused(example: Example, why: str) -> Result:
    checks = (Check(key, False, value, None, None, None, why) for key, value in example.expected.items())
    return Result(example, False, why, tuple(checks))


def _unknown(example: Example, known: Mapping[tuple[str, str], Answer]) -> str:
    kinds = sorted(kind for venue, kind in known if venue == example.venue)
    if kinds:
        return f"unknown kind '{example.kind}' of venue '{example.venue}'; known are {', '.join(kinds)}"
    venues = sorted({venue for venue, _ in known})
    return f"unknown venue '{example.venue}'; known are {', '.join(venues)}"


def _reason(error: Exception) -> str:
    """Why a function refused its inputs, on one line."""
    if isinstance(error, KeyError):
        return f"the function asks for {error.args[0]!r}, which the inputs do not have"
    if isinstance(error, ZeroDivisionError):
        return "these inputs lead to a division by zero"
    text = " ".join(str(error).split())
    if isinstance(error, InputError | DataError | RunError):
        return text
    return f"the function refused the inputs: {type(error).__name__}: {text}"


# --- comparing --------------------------------------------------------------------------------------


def _check(key: str, expected: Any, answer: Mapping[str, Any], tolerance: Tolerance) -> Check:
    if key not in answer:
        return Check(key, False, expected, None, None, None, f"the answer has no '{key}'")
    found = answer[key]
    why = difference_between(expected, found, tolerance)
    a, b = number(found), number(expected)
    if a is None or b is None:
        return Check(key, not why, expected, found, None, None, why)
    return Check(key, not why, expected, found, a - b, tolerance.allowed(b), why)


def difference_between(expected: Any, found: Any, tolerance: Tolerance) -> str:
    """Why what was found is not what was expected; empty when it is."""
    b = number(expected)
    if b is not None:
        a = number(found)
        if a is None:
            return f"expected a number, found {found!r}"
        return "" if abs(a - b) <= tolerance.allowed(b) else "outside the tolerance"
    if isinstance(expected, list):
        if not isinstance(found, list | tuple) or len(found) != len(expected):
            return f"expected a list of {len(expected)}"
        pairs: Iterable[tuple[Any, Any]] = zip(expected, found, strict=True)
    elif isinstance(expected, Mapping):
        if not isinstance(found, Mapping) or found.keys() != expected.keys():
            return f"expected the names {', '.join(expected)}"
        pairs = ((expected[name], found[name]) for name in expected)
    else:
        found = found.item() if hasattr(found, "item") else found
        return "" if type(found) is type(expected) and found == expected else "not the same"
    reasons = [why for b, a in pairs if (why := difference_between(b, a, tolerance))]
    return reasons[0] if reasons else ""


def number(value: Any) -> Fraction | None:
    """A finite number as a fraction; None for anything else, booleans included."""
    value = value.item() if hasattr(value, "item") else value  # scalars of numpy
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction | Decimal):
        return None
    return Fraction(value) if isinstance(value, Fraction) or math.isfinite(value) else None
