"""How a scenario is read from and written to TOML text, and on which line each key stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from deleverage.errors import ScenarioError

Path = tuple[str | int, ...]

_KEY_PART = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_AT_LINE = re.compile(r"\(at line (\d+), column (\d+)\)")


def parse(text: str, file: str) -> dict[str, Any]:
    """The tables of the TOML text.

    Raises
    ------
    ScenarioError
        the text is not TOML; says the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _AT_LINE.search(str(error))
        line = int(place[1]) if place else max(text.count("\n"), 1)
        reason = _AT_LINE.sub("", str(error)).replace("(at end of document)", "").strip()
        lines = text.splitlines() or [""]
        found = lines[min(line, len(lines)) - 1].strip()
        raise ScenarioError(
            f"{file}, line {line}: expected valid TOML, found {found!r} ({reason})",
            hint="Correct that line; `deleverage scenario show quiet` prints a complete example.",
            file=file,
            line=line,
            expected="valid TOML",
            found=found,
        ) from None
    except (RecursionError, ValueError) as error:  # brackets without end, a number of thousands of digits
        raise ScenarioError(
            f"{file}, line 1: expected TOML of some depth and length, found a value that goes beyond: "
            f"{str(error).split(';')[0]}",
            hint="Correct that value; `deleverage scenario show quiet` prints a complete example.",
            file=file,
            line=1,
        ) from None


def line_of(text: str, path: Path) -> int:
    """Line (from 1) of the deepest part of ``path`` that stands in the text; 1 if none does.

    Keys inside an inline table are on the line where the table starts.
    """
    lines = key_lines(text)
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 1


def key_lines(text: str) -> dict[Path, int]:
    """Line of every table header and key of a TOML text, by path; table arrays are numbered from 0."""
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    prefix: Path = ()
    position = 0
    while position < len(text):
        end = _line_end(text, position)
        statement = text[position:end].strip()
        line = text.count("\n", 0, position) + 1
        if statement.startswith("[["):
            name = _key(statement[2:])[0]
            counts[name] = counts.get(name, -1) + 1
            prefix = (*name, counts[name])
            lines.setdefault(name, line)
            lines[prefix] = line
        elif statement.startswith("["):
            prefix = _key(statement[1:])[0]
            lines.setdefault(prefix, line)
        elif statement and not statement.startswith("#"):
            name, after = _key(text[position:end])
            for length in range(1, len(name) + 1):
                lines.setdefault((*prefix, *name[:length]), line)
            end = _line_end(text, _value_end(text, position + after))
        position = end + 1
    return lines


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _key(text: str) -> tuple[Path, int]:
    """A dotted key at the start of ``text`` and the position after it."""
    parts: list[str] = []
    position = 0
    while match := _KEY_PART.match(text, position):
        parts.append(next(group for group in match.groups() if group is not None))
        position = match.end()
        if text[position : position + 1] != ".":
            break
        position += 1
    return tuple(parts), position


def _value_end(text: str, position: int) -> int:
    """Position where the value that starts at ``position`` ends: over strings, arrays and inline tables."""
    depth = 0
    while position < len(text):
        char = text[position]
        if char in "\"'":
            position = _string_end(text, position)
            continue
        if char == "#":
            position = _line_end(text, position)
            continue
        if char in "[{":
            depth += 1
        elif char in "]}":
            depth -= 1
        elif char == "\n" and depth <= 0:
            return position
        position += 1
    return position


def _string_end(text: str, position: int) -> int:
    quote = text[position]
    closing = quote * 3 if text.startswith(quote * 3, position) else quote
    position += len(closing)
    while position < len(text) and not text.startswith(closing, position):
        position += 2 if text[position] == "\\" and quote == '"' else 1
    return position + len(closing)


# --- writing ------------------------------------------------------------------------------------


def write(tables: Mapping[str, Any]) -> str:
    """Canonical TOML of plain dicts, lists, strings, numbers, booleans and times, in the order given.

    Dicts of dicts become sections; a dict that holds a plain value becomes an inline table.
    """
    lines: list[str] = []
    _section((), tables, lines)
    return "\n".join(lines).strip() + "\n"


def _section(name: tuple[str, ...], table: Mapping[str, Any], lines: list[str]) -> None:
    plain = {key: value for key, value in table.items() if not _is_section(key, value, name)}
    if name and plain:
        lines += ["", f"[{'.'.join(_key_text(part) for part in name)}]"]
    lines += [f"{_key_text(key)} = {value_text(value)}" for key, value in plain.items()]
    for key, value in table.items():
        if key in plain:
            continue
        if isinstance(value, Mapping):
            _section((*name, key), value, lines)
        else:
            for element in value:
                lines += ["", f"[[{'.'.join(_key_text(part) for part in (*name, key))}]]"]
                lines += [f"{_key_text(inner)} = {value_text(item)}" for inner, item in element.items()]


def _is_section(key: str, value: object, parent: tuple[str, ...]) -> bool:
    if isinstance(value, Mapping):
        return not parent or (
            "unit" not in value and any(isinstance(inner, Mapping) for inner in value.values())
        )
    return (
        isinstance(value, list | tuple) and bool(value) and all(isinstance(item, Mapping) for item in value)
    )


def _key_text(key: str) -> str:
    return key if _BARE.fullmatch(key) else value_text(key)


def value_text(value: object) -> str:
    """One TOML value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string_text(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return (
            "{ " + ", ".join(f"{_key_text(key)} = {value_text(item)}" for key, item in value.items()) + " }"
        )
    if isinstance(value, Sequence):
        return "[" + ", ".join(value_text(item) for item in value) + "]"
    raise TypeError(f"no TOML form of {type(value).__name__}")


def _string_text(value: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    body = "".join(
        escapes.get(char) or (f"\\u{ord(char):04X}" if ord(char) < 32 or ord(char) == 127 else char)
        for char in value
    )
    return f'"{body}"'
