"""How do measures look on a screen: all of them at a glance, and one in detail?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from deleverage.errors import MissingDataError
from deleverage.measure.asof import DAY_NS
from deleverage.measure.measure import Measure, Measured
from deleverage.report import style
from deleverage.report.lines import HEAD, SOFT, Line, Piece, flow, fold, render
from deleverage.report.style import MISSING

Row = dict[str, Any]

_SUBJECTS = 2
"""So many subjects of a figure stand on the screen of all measures."""

_LATE_NS = 5 * DAY_NS
"""Older data than that are told of; a long weekend without sessions is not."""

_INLINE = 24
"""A note of up to so many letters stands behind its value; a longer one below, by number."""


def overview_screen(
    found: Sequence[tuple[Measure, Measured | MissingDataError]], at_ns: int, width: int, color: bool
) -> str:
    """Main figures of every measure; what the lake cannot answer is said with the command that fetches it."""
    width = max(40, min(width, 120))
    lines: list[Line] = flow(
        [Piece("measures", HEAD), Piece(f"as known at {_when(at_ns)} UTC")], width, " · "
    )
    lacking: list[tuple[str, str, str]] = []
    for measure, result in found:
        if isinstance(result, MissingDataError):
            lacking.append((measure.name, result.message, result.hint))
            continue
        lines += [[], *flow([Piece(measure.name, HEAD), Piece(measure.question, SOFT)], width, "  ")]
        lines += fold(_behind(result), width, "warning", indent=2, hang=2) if _behind(result) else []
        rows = _headline(measure, result)
        lines += _values(rows, width)
        lacking += [(measure.name, str(one), one.command) for one in result.missing]
    if lacking:
        lines += [[], [Piece("not in this lake", "warning")]]
        told: set[tuple[str, str]] = set()
        for name, message, command in lacking:
            if (message, command) not in told:
                told.add((message, command))
                lines += fold(f"{name}: {message}", width, indent=2, hang=2)
                lines += fold(command, width, SOFT, indent=4, hang=2)
    lines += [
        [],
        *fold(
            "`deleverage measure NAME` has all figures of one, whose they are and from where.", width, SOFT
        ),
    ]
    return render(lines, width, color)


def detail_screen(measure: Measure, found: Measured, width: int, color: bool) -> str:
    """Every reading of one measure with its interval, by whose count, from which data, and what to know."""
    width = max(40, min(width, 120))
    head = [Piece(measure.name, HEAD)]
    head.append(Piece(f"as known at {_when(found.at_ns)} UTC"))
    lines: list[Line] = [*flow(head, width, " · "), *fold(measure.question, width, SOFT)]
    given = [
        f"{name} {_parameter(value, measure, name)}"
        for name, value in found.parameters.items()
        if value is not None
    ]
    lines += flow([Piece(text, SOFT) for text in given], width, " · ")
    lines += fold(_behind(found), width, "warning") if _behind(found) else []
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in found.readings.iter_rows(named=True):
        groups.setdefault((row["by"], row["data"]), []).append(row)
    notes: dict[str, int] = {}
    for (by, data), rows in groups.items():
        lines += [[], *flow([Piece(by or "no source", HEAD), Piece(data, SOFT)], width, " · ")]
        lines += _values(rows, width, notes)
    kinds = sorted({row["interval"] for row in found.readings.iter_rows(named=True) if row["interval"]})
    if kinds:
        lines += [[], *fold(f"[low, high]: {'; '.join(kinds)}", width, SOFT)]
    if notes:
        lines.append([])
        for text, number in notes.items():
            lines += fold(f"{number}  {text}", width, SOFT, hang=3)
    for one in found.missing:
        lines += [[], *fold(str(one), width, "warning"), *fold(one.command, width, SOFT, indent=2, hang=2)]
    return render(lines, width, color)


def _behind(found: Measured) -> str:
    """What must be said where all that a measure used is old; '' where some of it is not."""
    ends = found.readings.filter(pl.col("value").is_not_null())["to_ns"].drop_nulls()
    if "night" in found.parameters:  # it is of that night, whenever it is asked
        return ""
    asked = found.parameters.get("to")  # who asks for an earlier stretch knows that it is over
    moment = found.at_ns if asked is None else min(found.at_ns, int(asked))
    if ends.is_empty() or moment - int(ends.max()) <= _LATE_NS:  # type: ignore[arg-type]
        return ""
    last = int(ends.max())  # type: ignore[arg-type]
    return f"the data that this rests on end {_when(last)} UTC, {(moment - last) // DAY_NS} days before"


def parameter_lines(measure: Measure) -> list[tuple[str, str]]:
    """Name and meaning of each parameter, with its default."""
    rows = []
    for parameter in measure.parameters:
        default = "" if parameter.default is None else f" [default: {_plain(parameter.default)}]"
        unit = f" [{parameter.unit}]" if parameter.unit else ""
        choices = f" ({', '.join(parameter.choices)})" if parameter.choices else ""
        rows.append((parameter.name, f"{parameter.meaning}{unit}{choices}{default}"))
    return rows


def reading_lines(measure: Measure) -> list[tuple[str, str]]:
    """Name and meaning of each reading."""
    return list(measure.readings.items())


def reading_text(row: Row) -> str:
    """A reading with its unit and interval: `−25.3 %`, `0.31 [0.12, 0.48]`, `10 October 2025`."""
    value, low, high, unit = row["value"], row["low"], row["high"], row["unit"]
    if unit == "share per $m":
        value, low, high = (None if x is None else 1e4 * x for x in (value, low, high))
        unit = "bp per $m"
    if unit == "date":
        return MISSING if value is None else _date(value)
    if unit == "probability":
        unit = "share"
    if unit in ("days", "count") and value is not None and low is None:
        text = style.number(value) if value == int(value) else style.significant(value)
        return style.with_unit(text, {"days": "day" if value == 1 else "days"}.get(unit, ""))
    if unit == "USD" and value is not None and low is None and 1e3 <= abs(value) < 1e6:
        text = style.number(value)
        return f"{style.MINUS}${text[1:]}" if text.startswith(style.MINUS) else f"${text}"
    if unit.startswith("USD/") and unit != "USD/coin":
        dollars = reading_text({**row, "unit": "USD"})
        return dollars if dollars == MISSING else f"{dollars} a {unit.removeprefix('USD/')}"
    if value is not None and low is not None and high is not None:
        return style.quantity_interval({"p05": low, "p50": value, "p95": high}, _unit(unit))
    if value is None and low is not None and high is not None:
        return f"{style.quantity(low, _unit(unit))} to {style.quantity(high, _unit(unit))}"
    return style.quantity(value, _unit(unit))


def _headline(measure: Measure, found: Measured) -> list[Row]:
    rows = list(found.readings.iter_rows(named=True))
    if not measure.headline:
        return rows[:3]
    chosen = []
    for name in measure.headline:
        chosen += [row for row in rows if row["name"] == name][:_SUBJECTS]
    return chosen


def _values(rows: Sequence[Row], width: int, notes: dict[str, int] | None = None) -> list[Line]:
    """Names, subjects and values in columns; a note's number stands behind its value."""
    cells = []
    for row in rows:
        text = reading_text(row)
        if notes is not None and row["note"]:
            short = len(row["note"]) <= _INLINE
            text += f"  ({row['note'] if short else notes.setdefault(row['note'], len(notes) + 1)})"
        elif notes is None and row["value"] is None and row["low"] is None and row["note"]:
            text = re.split(r"[:;.(]", row["note"])[0].strip()
        cells.append((row["name"].replace("_", " "), row["subject"], text))
    first = max((len(name) for name, _, _ in cells), default=0)
    second = max((len(subject) for _, subject, _ in cells), default=0)
    if 2 + first + 2 + second + 2 + 16 > width:
        lines: list[Line] = []
        for name, subject, text in cells:
            lines += fold(f"{name}, {subject}: {text}", width, indent=2, hang=2)
        return lines
    made: list[Line] = []
    for name, subject, text in cells:
        room = width - 2 - first - 2 - second - 2
        for k, line in enumerate(fold(text, room)):
            label = f"  {name:<{first}}  {subject:<{second}}  " if k == 0 else " " * (first + second + 6)
            made.append([Piece(label, SOFT), *line])
    return made


def _unit(unit: str) -> str:
    return "" if unit in ("count", "correlation", "z", "ratio", "score") else unit


def _date(days: float) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=days)
    day = style.day(moment.isoformat())
    return day if days == int(days) else f"{day}, {moment:%H:%M}"


def _when(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M")


def _parameter(value: Any, measure: Measure, name: str) -> str:
    kind = next((one.kind for one in measure.parameters if one.name == name), "")
    return _when(value) if kind == "time" else _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e15 else str(value)
