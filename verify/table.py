"""How does a finding look as a row of at most 100 columns, its reason below it?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import wrap

from verify.verdict import Departure, Finding, NotRun, Verdict, passes

WIDTH = 100
_PLAIN = ("", "1", "share", "money")
_ID, _WHAT, _NUMBER, _TOLERANCE = 11, 43, 12, 9


def number(value: float) -> str:
    """A value in at most twelve signs; 'none' for what is no number."""
    if not math.isfinite(value):
        return "none"
    if value != 0.0 and (abs(value) < 1e-4 or abs(value) >= 1e9):
        return f"{value:.2e}"
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:.6g}"


def _row(id_: str, what: str, cells: Sequence[str], word: str) -> list[str]:
    first, *rest = wrap(what, _WHAT) or [""]
    expected, measured, tolerance = cells
    line = (
        f"{id_[:_ID]:<{_ID}} {first:<{_WHAT}} {expected:>{_NUMBER}} {measured:>{_NUMBER}} "
        f"{tolerance:>{_TOLERANCE}} {word}"
    )
    return [line.rstrip(), *(f"{'':<{_ID}} {more}" for more in rest)]


def _below(text: str) -> list[str]:
    return [f"{'':<{_ID}}   {line}" for line in wrap(text, WIDTH - _ID - 3)]


def heading() -> str:
    """Names of the columns."""
    row = _row("id", "what", ("expected", "measured", "±"), "holds")[0]
    return f"{row}\n{'─' * WIDTH}"


def short_id(id_: str) -> str:
    """The id of the index of acceptance: 'HK-1' of 'HK-1 n, true .8'."""
    return id_.split(" ")[0]


def _what(finding: Verdict | Departure) -> str:
    tail = finding.id.partition(" ")[2]
    what = finding.what if not tail or tail in finding.what else f"{tail}: {finding.what}"
    return what if finding.unit in _PLAIN else f"{what} [{finding.unit}]"


def lines(finding: Finding) -> list[str]:
    """The row, and below it what must be known."""
    if isinstance(finding, NotRun):
        return [*_row(short_id(finding.id), finding.what, ("", "", ""), "not run"), *_below(finding.why)]
    what = _what(finding)
    tolerance = f"{finding.tolerance:.2g}"
    if isinstance(finding, Verdict):
        cells = (number(finding.expected), number(finding.measured), tolerance)
        word = "yes" if finding.holds else "NO"
        return [*_row(short_id(finding.id), what, cells, word), *_below(finding.note)]
    cells = (number(finding.printed), number(finding.measured), tolerance)
    word = "departs" if passes(finding) else "NO MORE"
    return [*_row(short_id(finding.id), what, cells, word), *_below(finding.why)]


def summary(findings: Sequence[Finding], broken: int, seconds: float) -> str:
    """Counts in one line."""
    held = [x for x in findings if isinstance(x, Verdict)]
    departures = [x for x in findings if isinstance(x, Departure)]
    stale = sum(not passes(x) for x in departures)
    waiting = sum(isinstance(x, NotRun) for x in findings)
    parts = [f"{sum(map(passes, held))} of {len(held)} verdicts hold"]
    parts.append(f"{len(departures)} printed values depart from ours, with reasons")
    if stale:
        parts.append(f"{stale} of them no longer")
    parts.append(f"{waiting} not run")
    if broken:
        parts.append(f"{broken} modules BROKEN")
    return f"{'─' * WIDTH}\n{'; '.join(parts)} ({seconds:.0f} s)"
