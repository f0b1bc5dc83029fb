"""How is a JSON document read so that a refusal says where it stops being one?"""

from __future__ import annotations

import json
from typing import Any

from deleverage.data.importers.base import SourceFile, refusal
from deleverage.data.importers.content import read
from deleverage.errors import SchemaError, SourceChanged


def read_document(source: SourceFile) -> Any:
    """The document, numbers as floats and integers.

    Raises
    ------
    SourceChanged
        it is no JSON, holds NaN or an infinity, or an object has a name twice.
    """
    raw = read(source)
    try:
        return json.loads(raw.decode("utf-8-sig"), parse_constant=_no_number, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        place, found = f"line {error.lineno}, column {error.colno}", error.msg
    except UnicodeDecodeError as error:
        place, found = f"byte {error.start}", "a byte that is no UTF-8"
    except (ValueError, RecursionError) as error:
        place, found = "", str(error)
    raise refusal(
        SourceChanged,
        source,
        place=place,
        expected="a file that parses as JSON",
        found=found,
        todo="get the file again: it looks cut off or changed",
    )


def number(source: SourceFile, place: str, column: str, value: object) -> float:
    """A finite number, or a text that is one."""
    try:
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            result = float(value)
            if result == result and abs(result) != float("inf"):
                return result
    except ValueError:
        pass
    raise refusal(
        SchemaError,
        source,
        place=place,
        column=column,
        expected="a number",
        found=repr(value)[:40],
        todo="get the file again",
    )


def optional(source: SourceFile, place: str, column: str, value: object) -> float | None:
    """The same; None where nothing was observed."""
    return None if value is None or value == "" else number(source, place, column, value)


def listed(source: SourceFile, place: str, column: str, value: object) -> list[Any]:
    """A list."""
    if isinstance(value, list):
        return value
    raise refusal(
        SchemaError,
        source,
        place=place,
        column=column,
        expected="a list",
        found=repr(value)[:40],
        todo="get the file again",
    )


def _no_number(constant: str) -> None:
    raise ValueError(f"a number that is {constant}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name '{twice}' twice in one object")
    return found
