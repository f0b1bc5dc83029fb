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

_INLINE = 28
"""A note of up to so many letters stands behind its value; a longer one below, by number."""

_DATED = 6
"""Of subjects that are days (episodes), the newest so many stand on the screen of one measure."""


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
        rows = _headline(measure, result)
        whose = "; ".join(dict.fromkeys(row["by"] for row in rows if row["by"]))
        lines += [[], *flow([Piece(measure.name, HEAD), Piece(measure.question, SOFT)], width, "  ")]
        lines += fold(f"by {whose}", width, SOFT, indent=2, hang=2) if whose else []
        lines += fold(_behind(result), width, "warning", indent=2, hang=2) if _behind(result) else []
        lines += _values(rows, width)
        lacking += [(measure.name, str(one), one.command) for one in result.missing]
    if lacking:
        lines += [[], [Piece("not in this lake", "warning")]]
        told: set[tuple[str, str]] = set()
        for name, message, command in lacking:
            if (message, command) not in told:
                told.add((message, command))
                lines += fold(f"{name}: {_said(message)}", width, indent=2, hang=2)
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
        f"{name} {text}"
        for name, value in found.parameters.items()
        if value is not None and (text := _parameter(value, measure, name))
    ]
    lines += flow([Piece(text, SOFT) for text in given], width, " · ")
    lines += fold(_behind(found), width, "warning") if _behind(found) else []
    kept, left_out = _newest(list(found.readings.iter_rows(named=True)))
    notes: dict[str, int] = {}
    for by, data, rows in _groups(kept):
        head = [Piece(by or "no source", HEAD), *([Piece(data, SOFT)] if data else [])]
        lines += [[], *flow(head, width, " · ")]
        lines += _values(rows, width, notes)
    if left_out:
        lines += fold(f"of {left_out} earlier days: see --json", width, SOFT, indent=2)
    lines += _interval_lines(kept, width)
    if notes:
        lines.append([])
        longest = len(str(len(notes)))
        for text, number in notes.items():
            folded = fold(text, width, SOFT, indent=longest + 2)
            folded[0][0] = Piece(f"{number:>{longest}}  ", SOFT)
            lines += folded
    for one in found.missing:
        lines += [
            [],
            *fold(_said(str(one)), width, "warning"),
            *fold(one.command, width, SOFT, indent=2, hang=2),
        ]
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
    if unit.startswith("share per ") and value is not None:
        return _rate(row, unit)
    if unit == "0 to 100":
        unit = "of 100"
    if unit in ("x", "points", "of 100") and value is not None and low is None:
        text = _bare(style.number(value, 1) if unit == "points" else style.significant(value))
        unit = "point" if (text, unit) == ("1", "points") else unit
        return f"{text}×" if unit == "x" else style.with_unit(text, unit)
    if unit == "share" and value is not None and low is None and abs(value) < 0.00995:
        return style.with_unit(style.significant(100 * value, 2), "%")
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
        text = style.quantity_interval({"p05": low, "p50": value, "p95": high}, _unit(unit))
        return _zeros(text, (value, low, high))
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
    cells = [(row["name"].replace("_", " "), row["subject"], _cell(row, notes)) for row in rows]
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


def _cell(row: Row, notes: dict[str, int] | None) -> str:
    """A value and its note: why it is null, a short one in brackets, a long one as a number."""
    text, note = reading_text(row), _said(row["note"])
    if row["unit"] == "date" and row["value"] is not None and note == _iso(row["value"]):
        note = ""
    if row["value"] is None and row["low"] is None and note:
        text = re.sub(r" from \d{4}-\d\d-\d\d to .*", "", re.split(r"[:;.](?:\s|$)", note)[0])
        note = "" if text == note else note
        return text if notes is None or not note else f"{text}  ({_numbered(note, notes)})"
    if notes is None:
        note = re.split(r"[:;](?:\s|$)", note)[0]
        return f"{text}  ({note})" if note and len(note) <= _INLINE else text
    if not note:
        return text
    return f"{text}  ({note if len(note) <= _INLINE else _numbered(note, notes)})"


def _numbered(note: str, notes: dict[str, int]) -> int:
    return notes.setdefault(note, len(notes) + 1)


def _said(note: str) -> str:
    """A note as people read it: `2025-11-14T00:00:00Z` is a day, `2025-11-14T16:11:00Z` has a blank."""
    note = re.sub(r"(\d{4}-\d\d-\d\d)T00:00(?::00)?(?:Z|\b)", r"\1", note)
    return re.sub(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::00)?(?:Z|\b)", r"\1 \2", note)


def _newest(rows: list[Row]) -> tuple[list[Row], int]:
    """The rows without those of days before the newest ``_DATED``, and how many days that leaves out."""
    days = sorted({row["subject"] for row in rows if re.match(r"\d{4}-\d\d-\d\d", row["subject"])})
    old = set(days[:-_DATED])
    return [row for row in rows if row["subject"] not in old], len(old)


def _groups(rows: Sequence[Row]) -> list[tuple[str, str, list[Row]]]:
    """By whose count, from which data, and the rows; neighbours whose data differ in one word are one."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["by"], row["data"]), []).append(row)
    made: list[tuple[str, str, list[Row]]] = []
    for (by, data), part in found.items():
        joined = _joined(made[-1][1], data) if made and made[-1][0] == by else None
        if joined is None:
            made.append((by, data, part))
        else:
            made[-1] = (by, joined, [*made[-1][2], *part])
    return made


def _joined(one: str, other: str) -> str | None:
    """`candles: BTC, ETH, 1 d` of `candles: BTC, 1 d` and `candles: ETH, 1 d`; None where more differs."""
    b = other.split(" ")
    a = re.sub(r", (?=[A-Z])", ",\N{NO-BREAK SPACE}", one).split(" ")
    differ = [k for k in range(len(a)) if k < len(b) and a[k] != b[k]]
    if len(a) != len(b) or len(a) < 2 or len(differ) != 1:
        return None
    k = differ[0]
    a[k] = f"{a[k].rstrip(',')}, {b[k]}"
    return " ".join(a).replace("\N{NO-BREAK SPACE}", " ")


def _interval_lines(rows: Sequence[Row], width: int) -> list[Line]:
    """What the brackets are, and of which readings where there is more than one kind."""
    kinds: dict[str, dict[str, None]] = {}
    for row in rows:
        if row["interval"]:
            kinds.setdefault(row["interval"], {})[row["name"].replace("_", " ")] = None
    lines: list[Line] = [[]] if kinds else []
    for kind, names in kinds.items():
        named = list(names)
        more = f" and {len(named) - 3} more" if len(named) > 4 else ""
        of = "" if len(kinds) == 1 else f" of {', '.join(named[: 3 if more else 4])}{more}"
        lines += fold(f"[low, high]{of}: {_said(kind)}", width, SOFT, hang=2)
    return lines


def _zeros(text: str, values: tuple[float, float, float]) -> str:
    """Zeros without decimals: `0 % [0, 0.073]`, not `0.000 % [0.000, 0.073]`."""
    exact = iter(values)
    return re.sub(
        r"\d[\d,]*(?:\.\d+)?", lambda m: "0" if next(exact, 1.0) == 0 and "." in m[0] else m[0], text
    )


def _rate(row: Row, unit: str) -> str:
    """A share per something as a percentage: `43 % per √year [38, 49]`."""
    per = {"sqrt(year)": "per √year", "year": "a year"}
    what = unit.removeprefix("share per ")
    text, bracket, ends = reading_text({**row, "unit": "share"}).partition(" [")
    return f"{text} {per.get(what, f'per {what}')}{bracket}{ends}"


def _bare(text: str) -> str:
    """Without zeros behind the point: `75.0` is `75`."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _iso(days: float) -> str:
    """`2025-10-10`, `2025-10-10 21:15`."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=days)
    return moment.strftime("%Y-%m-%d" if days == int(days) else "%Y-%m-%d %H:%M")


def _unit(unit: str) -> str:
    return {"x": "×"}.get(unit, "" if unit in ("count", "correlation", "z", "ratio", "score") else unit)


def _date(days: float) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=days)
    day = style.day(moment.isoformat())
    return day if days == int(days) else f"{day}, {moment:%H:%M}"


def _when(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M")


def _parameter(value: Any, measure: Measure, name: str) -> str:
    kind = next((one.kind for one in measure.parameters if one.name == name), "")
    if isinstance(value, float) and value == int(value) and 1e4 <= abs(value) < 1e15:
        return style.number(value)
    return _when(value) if kind == "time" else _plain(value)


def _plain(value: Any) -> str:
    """As it can be given to --set."""
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return f"{value:.0f}"
    return f"{value:g}" if isinstance(value, float) else str(value)
