"""What does `deleverage claims --json` hold? Plain values by the contract of `docs/claims.md`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from deleverage import __version__
from deleverage.claims.check import Checked, CheckedFile, Part
from deleverage.claims.form import number_of
from deleverage.claims.values import Value, span_text
from deleverage.claims.verdict import Verdict
from deleverage.data.lake.times import iso

FORMAT = "deleverage claims"
FORMAT_VERSION = 1


def to_dict(checked: CheckedFile) -> dict[str, Any]:
    """All claims as plain values, numbers in the unit that stands beside them."""
    counts: dict[str, int] = {}
    for claim in checked.claims:
        counts[claim.judged.verdict.value] = counts.get(claim.judged.verdict.value, 0) + 1
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "version": __version__,
        "file": checked.file,
        "title": checked.read.title,
        "source": checked.read.source,
        "about": checked.read.about,
        "newest_data": iso(checked.newest_ns),
        "any_false": checked.any_false,
        "counts": {word.value: counts[word.value] for word in Verdict if word.value in counts},
        "claims": [_claim(claim, checked) for claim in checked.claims],
    }


def _claim(checked: Checked, file: CheckedFile) -> dict[str, Any]:
    claim = checked.claim
    parts = [_part(part) for part in checked.parts]
    lead = checked.lead
    first = parts[checked.parts.index(lead)] if lead is not None else None
    stated = first["stated"] if first else None if claim.stated is None else number_of(claim.stated)
    others = [_value(value) for value in (*checked.also, *checked.rivals)]
    measured, by, data = checked.computed, "", ""
    interval: list[float | None] | None = None
    interval_of = ""
    lacks: list[dict[str, str]] = []
    if first:
        measured, by, data = first["measured"], first["by_whose_count"], first["data"]
        interval, interval_of = first["interval"], first["interval_of"]
        for part in parts:
            lack = {"what": part["lacks"], "command": part["command"]}
            if part["lacks"] and lack not in lacks:
                lacks.append(lack)
    elif claim.arithmetic is not None:
        by = "arithmetic on the article's own figures"
        data = f"{claim.arithmetic.operation} of {' and '.join(claim.arithmetic.of)}, as stated"
    elif others:
        measured, by, data = others[0]["measured"], others[0]["by_whose_count"], others[0]["data"]
        interval, interval_of = others[0]["interval"], others[0]["interval_of"]
    true_on = checked.otherwise
    return {
        "id": claim.id,
        "text": claim.text,
        "source": claim.source or file.read.source,
        "kind": claim.kind.value,
        "stated": stated,
        "unit": first["unit"] if first else (claim.unit or (others[0]["unit"] if others else "")),
        "comparison": first["comparison"] if first else "equal" if claim.stated is not None else None,
        "stated_by": claim.by_whose_count,
        "measured": measured,
        "interval": interval,
        "interval_of": interval_of,
        "verdict": checked.judged.verdict.value,
        "off_by": checked.judged.off_by,
        "by_whose_count": by or claim.by_whose_count,
        "date": iso(checked.at_ns - 1)[:10],
        "at": iso(checked.at_ns),
        "true_on": true_on.day if true_on else None,
        "true_on_value": true_on.value if true_on else None,
        "true_on_passed_from": true_on.passed_from if true_on else None,
        "data": data,
        "note": claim.note,
        "lacks": lacks,
        "happened_next": checked.happened,
        "figures": parts,
        "also": [_value(value) for value in checked.also],
        "rivals": [_value(value) for value in checked.rivals],
    }


def _part(part: Part) -> dict[str, Any]:
    figure = part.figure
    return {
        "means": figure.name(),
        "stated": number_of(figure.stated),
        "comparison": figure.comparison.value,
        "tolerance": float(figure.tolerance),
        "rounding": float(figure.rounding),
        "verdict": part.judged.verdict.value,
        "off_by": part.judged.off_by,
        "true_on": part.otherwise.day if part.otherwise else None,
        "parameters": {name: str(value) for name, value in figure.parameters.items()},
        **_value(part.value),
        "unit": figure.unit,
    }


def _value(value: Value) -> dict[str, Any]:
    known = asdict(value)
    interval = None if value.low is None and value.high is None else [value.low, value.high]
    data = value.data + (f", {span}" if (span := span_text(value)) and value.data else "")
    return {
        "means": value.name,
        **{
            name: known[name]
            for name in ("measure", "reading", "subject", "unit", "note", "lacks", "command")
        },
        "measured": value.value,
        "interval": interval,
        "interval_of": value.interval,
        "by_whose_count": value.by,
        "data": data,
        "at": iso(value.at_ns),
    }
