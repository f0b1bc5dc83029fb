"""Which worked examples does a file hold? Reads it strictly: a line that is wrong is said, never left out.

The file is a JSON list of objects with ``id``, ``venue``, ``kind``, ``inputs``, ``expected`` and
``tolerance`` (``abs`` and ``rel``, either may be absent); ``formula``, ``source``, ``provenance`` and
``note`` are texts that may be absent. Numbers are read as they are printed: whole ones as integers, others
as fractions, none through a binary float.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any

from deleverage.errors import InputError, MissingDataError

_DIGITS_MAX = 400
"""Numbers beyond 10^±400 are refused: as exact fractions they would fill the memory."""
_SHOWN_MAX = 10
_HINT = "A worked example has id, venue, kind, inputs, expected and tolerance {abs, rel}."


@dataclass(frozen=True)
class Tolerance:
    """Largest |found − expected| = ``absolute`` + ``relative``·|expected|."""

    absolute: Fraction
    relative: Fraction

    def allowed(self, expected: Fraction) -> Fraction:
        """Largest distance from an expected number."""
        return self.absolute + self.relative * abs(expected)


@dataclass(frozen=True)
class Example:
    """One worked example: what a venue says comes of some inputs."""

    id: str
    venue: str
    kind: str
    inputs: Mapping[str, Any]
    expected: Mapping[str, Any]
    tolerance: Tolerance
    formula: str = ""
    source: str = ""
    provenance: str = ""
    note: str = ""


def read_examples(file: Path | str) -> tuple[Example, ...]:
    """The examples of a file, in its order.

    Raises
    ------
    MissingDataError
        there is no such file.
    InputError
        it cannot be read, is no JSON, or an example in it is not complete; names each place.
    """
    path = Path(file)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingDataError(
            f"{path}: expected a file of worked examples, found no such file", hint="Check the path."
        ) from None
    except IsADirectoryError:
        raise InputError(
            f"{path}: expected a file of worked examples, found a folder", hint="Name the file in it."
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected text in UTF-8, found byte {error.start} that is none") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    return examples_of(text, str(path))


def examples_of(text: str, name: str) -> tuple[Example, ...]:
    """The examples of a text; ``name`` stands in messages. Raises `InputError` as `read_examples` does."""
    try:
        rows = json.loads(
            text, parse_float=_exact, parse_constant=_refuse_constant, object_pairs_hook=_once_each
        )
    except json.JSONDecodeError as error:
        raise InputError(
            f"{name}, line {error.lineno}, column {error.colno}: expected JSON, found: {error.msg}",
            hint=_HINT,
        ) from None
    except (ValueError, RecursionError) as error:
        why = "lists within lists too deep" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"{name}: {why}", hint=_HINT) from None
    if not isinstance(rows, list) or not rows:
        found = "an empty list" if rows == [] else _kind(rows)
        raise InputError(f"{name}: expected a list of worked examples, found {found}", hint=_HINT)
    examples = []
    problems: list[str] = []
    for k, row in enumerate(rows, start=1):
        found_here: list[str] = []
        example = _example(row, found_here)
        label = f" ('{row['id']}')" if isinstance(row, dict) and isinstance(row.get("id"), str) else ""
        problems += [f"{name}, example {k}{label}: {problem}" for problem in found_here]
        if example is not None:
            examples.append(example)
    if problems:
        shown = problems[:_SHOWN_MAX]
        if len(problems) > len(shown):
            shown.append(f"and {len(problems) - len(shown)} more")
        raise InputError("\n".join(shown), hint=_HINT, file=name, problems=problems)
    return tuple(examples)


def _example(row: Any, problems: list[str]) -> Example | None:
    if not isinstance(row, dict):
        problems.append(f"expected an object, found {_kind(row)}")
        return None
    for key in ("id", "venue", "kind"):
        if not isinstance(row.get(key), str) or not row[key]:
            problems.append(f"{key}: expected a text, found {_found(row, key)}")
    for key in ("inputs", "expected"):
        if not isinstance(row.get(key), dict):
            problems.append(f"{key}: expected an object, found {_found(row, key)}")
    if row.get("expected") == {}:
        problems.append("expected: expected at least one value, found none")
    for key in ("formula", "source", "provenance", "note"):
        if not isinstance(row.get(key, ""), str):
            problems.append(f"{key}: expected a text, found {_found(row, key)}")
    tolerance = _tolerance(row, problems)
    if problems or tolerance is None:
        return None
    return Example(
        **{key: row[key] for key in ("id", "venue", "kind", "inputs", "expected")},
        **{key: row.get(key, "") for key in ("formula", "source", "provenance", "note")},
        tolerance=tolerance,
    )


def _tolerance(row: dict[str, Any], problems: list[str]) -> Tolerance | None:
    given = row.get("tolerance")
    if not isinstance(given, dict) or not {"abs", "rel"} & given.keys():
        problems.append(f"tolerance: expected an object with abs or rel, found {_found(row, 'tolerance')}")
        return None
    parts = []
    for key in ("abs", "rel"):
        part = given.get(key, 0)
        if isinstance(part, bool) or not isinstance(part, int | Fraction) or part < 0:
            problems.append(f"tolerance.{key}: expected a number of at least 0, found {_found(given, key)}")
            return None
        parts.append(Fraction(part))
    return Tolerance(*parts)


# --- numbers and words ------------------------------------------------------------------------------


def _exact(text: str) -> Fraction:
    try:
        printed = Decimal(text)
    except InvalidOperation:  # an exponent that even Decimal does not hold
        raise ValueError(f"expected a number between 10^±{_DIGITS_MAX}, found {text[:40]}") from None
    if len(text) > 2 * _DIGITS_MAX or (printed and abs(printed.adjusted()) > _DIGITS_MAX):
        raise ValueError(f"expected a number between 10^±{_DIGITS_MAX}, found {text[:40]}")
    return Fraction(printed)


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"expected a finite number, found {text}")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"expected every key once in an object, found '{twice}' twice")
    return content


def _found(row: dict[str, Any], key: str) -> str:
    return _kind(row[key]) if key in row else "nothing"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"the number {str(value)[:40]}"
    if isinstance(value, Fraction):
        return f"the number {float(value):g}" if abs(value) < Fraction(10**300) else "a number"
    if isinstance(value, str):
        return f"the text '{value[:40]}'"
    return "a list" if isinstance(value, list) else "an object"
