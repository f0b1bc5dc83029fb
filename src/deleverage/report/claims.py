"""How do judged claims look on one screen: what was said, what was measured, and the verdict in words?

What comes in is the content of `deleverage claims --json`; the note (`claims_note`) tells the same at length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from rich.cells import cell_len

from deleverage.report import style
from deleverage.report.lines import HEAD, SOFT, Line, Piece, flow, fold, render
from deleverage.report.style import MISSING, THIN

Content = Mapping[str, Any]

MARKS = {
    "true": "✓",
    "true within rounding": "≈",
    "overstated": "▲",
    "understated": "▼",
    "false": "✗",
    "arithmetic only": "∑",
    "one vendor's count": "◆",
    "not knowable from this data": "?",
    "cannot be checked": "–",
}
"""A mark beside each verdict; the words say the same."""
_LOOKS = {"false": "warning", "overstated": "bold", "understated": "bold"}
_SIGNS = {"equal": "", "at least": "≥ ", "at most": "≤ "}
_EPOCH = date(1970, 1, 1)


def screen(content: Content, *, width: int = 100, color: bool = False, note: str = "") -> str:
    """The screen as text.

    content : as `deleverage claims --json` prints it; width : columns, from 40 to 120; note : path of the
    note, named at the end where there is one.
    """
    width = max(40, min(width, 120))
    claims = content["claims"]
    when = f"as of {moments_text(claims)}"
    lines = flow(
        [Piece(content["title"], HEAD), Piece(f"{len(claims)} claims"), Piece(when)], width, " · "
    )  # fmt: skip
    lines += [[], *_table(claims, width), []]
    lines += flow(
        [Piece(f"{MARKS[word]} {number} {word}") for word, number in content["counts"].items()], width, " · "
    )  # fmt: skip
    lines += _by_whose_count(claims, width)
    lacking = [(claim, lacks) for claim in claims for lacks in claim["lacks"]]
    lines += [[]] if lacking else []
    for claim, lacks in lacking:
        lines += fold(f"{claim['id']}: {lacks['what']}. {lacks['command']}", width, SOFT, hang=2)
    if note:
        lines += [[], *fold(f"the note: {note}", width, SOFT)]
    return render(lines, width, color)


def _table(claims: list[Content], width: int) -> list[Line]:
    rows = [(claim, stated_text(claim), measured_text(claim)) for claim in claims]
    names = max(cell_len(claim["id"]) for claim, _, _ in rows)
    said = max(6, *(cell_len(stated) for _, stated, _ in rows))
    found = max(8, *(cell_len(measured) for _, _, measured in rows))
    wide = 2 + names + said + found + 3 * 2 + 24 <= width
    lines: list[Line] = []
    if wide:
        head = f"  {'claim':<{names}}  {'stated':>{said}}  {'measured':>{found}}  verdict"
        lines.append([Piece(head, SOFT)])
    for claim, stated, measured in rows:
        verdict, look = verdict_text(claim), _LOOKS.get(claim["verdict"], "")
        marked = f"{MARKS[claim['verdict']]} {verdict}"
        if wide:
            row = f"  {_left(claim['id'], names)}  {_right(stated, said)}  {_right(measured, found)}  "
            room = width - cell_len(row)
            told = fold(marked, room, look, hang=2)
            lines.append([Piece(row), *told[0]])
            lines += [[Piece(" " * cell_len(row)), *line] for line in told[1:]]
        else:
            lines += fold(f"{claim['id']}: {marked}", width, look, indent=2, hang=2)
            lines += fold(f"stated {stated}, measured {measured}", width, indent=4)
        for text in remarks(claim):
            lines += fold(text, width, SOFT, indent=4, hang=2)
    return lines


def _by_whose_count(claims: Sequence[Content], width: int) -> list[Line]:
    """Who counted what was measured, once for all claims that the same one counted."""
    counted: dict[str, list[str]] = {}
    for claim in claims:
        if claim["measured"] is not None and claim["by_whose_count"]:
            counted.setdefault(claim["by_whose_count"], []).append(claim["id"])
    if not counted:
        return []
    lines: list[Line] = [[], [Piece("measured by the count of", SOFT)]]
    for whose, names in counted.items():
        lines += fold(f"{whose}: {', '.join(names)}", width, indent=2, hang=2)
    return lines


def remarks(claim: Content) -> list[str]:
    """What must stand below a claim's row: interval, other figures, another day, what followed."""
    out = []
    if claim["interval"]:
        low, high = (quantity(end, claim["unit"]) for end in claim["interval"])
        out.append(f"[{low}, {high}] {claim['interval_of']}")
    if len(claim["figures"]) > 1:
        out += [figure_text(figure) for figure in claim["figures"]]
    if claim["true_on"]:
        out.append(f"would have been true on {true_on_text(claim)}")
    out += [f"{other['means']}: {quantity(other['measured'], other['unit'])}" for other in claim["rivals"]]
    for other in claim["also"]:
        if other["measured"] is None and claim["verdict"] == "cannot be checked":
            out.append(f"{other['means']}: {MISSING}; {other['note'] or other['lacks']}")
    known = [other for other in claim["also"] if other["measured"] is not None]
    if known:
        told = (f"{other['means']} {quantity(other['measured'], other['unit'])}" for other in known)
        out.append(f"also: {'; '.join(told)}")
    if claim["happened_next"] is not None:
        out.append(f"what followed: {plain(claim['happened_next'])}")
    return out


def moment_text(claim: Content) -> str:
    """As of when a claim was judged: a day, whose end is meant, or the hour that was asked for."""
    at: str = claim["at"]
    if at[10:] == "T00:00:00Z":
        return f"{claim['date']}, end of the day (UTC)"
    return f"{at[:16].replace('T', ' ')} UTC"


def moments_text(claims: Sequence[Content]) -> str:
    """As of when all of them were judged."""
    first, last = min(claims, key=lambda claim: claim["at"]), max(claims, key=lambda claim: claim["at"])
    if first["at"] == last["at"]:
        return moment_text(first)
    return f"{first['date']} to {moment_text(last)}"


def true_on_text(claim: Content) -> str:
    """The day on which it would have been true, and the figure of that day."""
    value = quantity(claim["true_on_value"], claim["unit"])
    if claim["true_on_passed_from"] is not None:
        value = f"passed on the way from {quantity(claim['true_on_passed_from'], claim['unit'])} to {value}"
    return f"{claim['true_on']}: {value}"


def figure_text(figure: Content) -> str:
    """One of several figures of a claim, in a line."""
    return (
        f"{figure['means']}: stated {_SIGNS[figure['comparison']]}"
        f"{quantity(figure['stated'], figure['unit'])}, "
        f"measured {quantity(figure['measured'], figure['unit'])}: {_verdict(figure)}"
    )


def stated_text(claim: Content) -> str:
    """What was stated, with its sign of comparison; a dash where no figure was."""
    if claim["stated"] is None:
        return style.DASH
    return f"{_SIGNS[claim['comparison'] or 'equal']}{quantity(claim['stated'], claim['unit'])}"


def measured_text(claim: Content) -> str:
    """What was measured; a dash where there is no measure."""
    if claim["measured"] is None and not claim["figures"]:
        return style.DASH
    return quantity(claim["measured"], claim["unit"])


def verdict_text(claim: Content) -> str:
    """'overstated by 4.7 points', 'true'; for a claim of which a part holds, 'overstated in part'."""
    figures = claim["figures"]
    fails = ("overstated", "understated", "false")
    in_part = claim["verdict"] in fails[:2] and any(figure["verdict"] not in fails for figure in figures)
    if len(figures) > 1 and in_part:
        return f"{claim['verdict']} in part"
    return _verdict(claim)


def _verdict(of: Content) -> str:
    verdict: str = of["verdict"]
    if of["off_by"] is None:
        return verdict
    gap = of["off_by"]
    if verdict == "false":
        verdict = "false, off"
    if of["unit"] == "share":
        return f"{verdict} by {style.with_unit(style.number(100 * gap, 1), 'points')}"
    if of["unit"] == "date":
        return f"{verdict} by {style.with_unit(style.number(gap), 'days')}"
    return f"{verdict} by {quantity(gap, of['unit'])}"


def quantity(value: float | None, unit: str) -> str:
    """A figure of a claim in its unit."""
    if value is None:
        return MISSING
    match unit:
        case "share":
            return style.percent(value, 2 if 0 < abs(value) < 0.01 else 1)
        case "USD" if abs(value) < 1e6:
            text = f"${style.number(abs(value))}"
            return f"{style.MINUS}{text}" if value < 0 else text
        case "USD":
            return style.usd(value)
        case "date":
            return (_EPOCH + timedelta(days=round(value))).isoformat()
        case "x":
            return f"{style.significant(value)}x"
        case "days" | "points" | "count":
            places = 0 if value == round(value) else 1
            return style.with_unit(style.number(value, places), "" if unit == "count" else unit)
        case "USD/day":
            return f"{style.usd(value)} a day"
        case _:
            return style.quantity(value, unit)


def plain(value: Any) -> str:
    """Words or plain values of what followed, in a line."""
    if isinstance(value, Mapping) and "text" in value:
        return str(value["text"])
    if isinstance(value, Mapping):
        told = (
            f"{str(name).replace('_', ' ')} {plain(item)}" for name, item in value.items() if item is not None
        )
        return ", ".join(told)
    if isinstance(value, float):
        return style.significant(value, 4)
    return str(value)


def _left(text: str, room: int) -> str:
    return text + " " * (room - cell_len(text))


def _right(text: str, room: int) -> str:
    return " " * (room - cell_len(text)) + text


__all__ = [
    "MARKS",
    "THIN",
    "figure_text",
    "measured_text",
    "moment_text",
    "moments_text",
    "quantity",
    "remarks",
    "screen",
    "stated_text",
    "true_on_text",
    "verdict_text",
]
