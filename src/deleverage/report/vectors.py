"""What does `deleverage vectors` print? One screen: a row a venue and kind, and every example that is off."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

from deleverage.report.lines import HEAD, SOFT, Line, Piece, flow, fold, render, table
from deleverage.venues.examples.run import Check, Result, number

_NARROWEST = 40
_DIGITS = Context(prec=15)


def screen(
    results: Sequence[Result], name: str, *, width: int = 100, color: bool = False, only_failed: bool = False
) -> str:
    """The screen as text, from 40 to 120 columns.

    Parameters
    ----------
    name : the file, for the first line.
    only_failed : leave out rows in which every example passed.
    """
    width = max(_NARROWEST, min(width, 120))
    failed = [result for result in results if not result.passed]
    facts = [
        Piece(name, HEAD),
        Piece(f"{len(results)} worked example{'s' if len(results) > 1 else ''}"),
        Piece(f"{len(results) - len(failed)} passed"),
        Piece(f"{len(failed)} failed", "warning" if failed else ""),
    ]
    lines = flow(facts, width, " · ")
    rows = [row for row in counts(results) if row["failed"] or not only_failed]
    if rows:
        lines += [[], *_table(rows, width)]
    for result in failed:
        lines += [[], *_failure(result, width)]
    return render(lines, width, color)


def counts(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Passed and failed by venue and kind, in alphabetical order."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for result in results:
        venue, kind = result.example.venue, result.example.kind
        row = rows.setdefault((venue, kind), {"venue": venue, "kind": kind, "passed": 0, "failed": 0})
        row["passed" if result.passed else "failed"] += 1
    return [rows[key] for key in sorted(rows, key=lambda key: (key[0].casefold(), key[1]))]


def plain_results(results: Sequence[Result], name: str, *, only_failed: bool = False) -> dict[str, Any]:
    """The same as values for JSON: totals, counts, and one entry an example."""
    failed = sum(not result.passed for result in results)
    shown = [result for result in results if not (only_failed and result.passed)]
    return {
        "file": name,
        "examples": len(results),
        "passed": len(results) - failed,
        "failed": failed,
        "counts": counts(results),
        "results": [_plain_result(result) for result in shown],
    }


def _plain_result(result: Result) -> dict[str, Any]:
    example = result.example
    return {
        "id": example.id,
        "venue": example.venue,
        "kind": example.kind,
        "passed": result.passed,
        "why": result.why,
        "checks": [
            {
                "key": check.key,
                "passed": check.passed,
                "expected": _json(check.expected),
                "found": _json(check.found),
                "difference": _json(check.difference),
                "allowed": _json(check.allowed),
                "why": check.why,
            }
            for check in result.checks
        ],
        "tolerance": {"abs": _json(example.tolerance.absolute), "rel": _json(example.tolerance.relative)},
        "formula": example.formula,
        "source": example.source,
        "provenance": example.provenance,
    }


def _json(value: Any) -> Any:
    exact = number(value)
    if exact is not None:
        if exact.denominator == 1:
            return exact.numerator
        return float(exact) if 1e-300 < abs(exact) < 1e300 else text(exact)
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items()}
    return value if value is None or isinstance(value, bool | str) else str(value)


def _table(rows: Sequence[dict[str, Any]], width: int) -> list[Line]:
    cells = []
    last = ""
    for row in rows:
        venue = row["venue"] if row["venue"] != last else ""
        last = row["venue"]
        cells.append([venue, row["kind"], f"{row['passed']:>6}", f"{row['failed'] or '':>6}"])
    found = table(["venue", "kind", "passed", "failed"], cells, width)
    if found is not None:
        return found
    lines: list[Line] = []
    for row in rows:
        values = [row["venue"], row["kind"], f"{row['passed']} passed", f"{row['failed']} failed"]
        lines += flow([Piece(value) for value in values[: 4 if row["failed"] else 3]], width, " · ", indent=2)
    return lines


def _failure(result: Result, width: int) -> list[Line]:
    example = result.example
    lines = flow([Piece(example.id, HEAD), Piece(example.venue), Piece(example.kind)], width, " · ")
    if all(check.why == result.why for check in result.checks):
        lines += fold(result.why, width, "warning", indent=2, hang=2)
        expected = ", ".join(f"{check.key} {text(check.expected)}" for check in result.checks)
        return [*lines, *fold(f"expected {expected}", width, indent=2, hang=2)]
    for check in result.checks:
        if not check.passed:
            lines += fold(f"{check.key}: {_check_text(check)}", width, indent=2, hang=4)
    if example.formula:
        lines += fold(example.formula, width, SOFT, indent=2, hang=2)
    return lines


def _check_text(check: Check) -> str:
    said = f"expected {text(check.expected)}, found {text(check.found)}"
    if check.found is None:
        return f"expected {text(check.expected)}; {check.why}"
    if check.difference is None or check.allowed is None:
        return f"{said}; {check.why}"
    return f"{said}; off by {text(check.difference)}, allowed {text(check.allowed)}"


def text(value: Any) -> str:
    """A value as the examples print it; numbers in decimals, to 15 digits where they do not end."""
    exact = number(value)
    if exact is not None:
        return _decimal(exact)
    if isinstance(value, list | tuple):
        return f"[{', '.join(text(item) for item in value)}]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)


def _decimal(value: Fraction) -> str:
    if value.denominator == 1 and abs(value) < 10**18:
        return str(value.numerator)
    rounded = _DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator)).normalize(_DIGITS)
    return format(rounded, "f" if -18 <= rounded.adjusted() < 18 else "g")
