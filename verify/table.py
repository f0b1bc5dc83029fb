"""How does a finding look as a row of at most 100 columns, its note below it?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap

from verify.verdict import Departure, Finding, NotRun, Verdict, passes

WIDTH = 100
_PLAIN = ("", "1", "share", "money")
_ID, _WHAT, _NUMBER, _TOLERANCE = 11, 43, 12, 9


def number(value: float, tolerance: float = 1.0) -> str:
    """A value in at most twelve signs, more of them for a small tolerance; 'none' for what is no number."""
    if not math.isfinite(value):
        return "none"
    if value != 0.0 and (abs(value) < 1e-4 or abs(value) >= 1e9):
        return f"{value:.2e}"
    if abs(value) >= 1e5:
        return f"{value:,.0f}"
    return f"{value:.{10 if tolerance < 1e-6 else 8 if abs(value) >= 1e3 else 6}g}"


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


def note_of(finding: Finding) -> str:
    """What must be known of it."""
    return finding.note if isinstance(finding, Verdict) else finding.why


def body(findings: Iterable[Finding]) -> Iterator[str]:
    """Lines of the table; a note that several rows in turn share stands below the last of them."""
    rows = list(findings)
    for finding, after in zip_longest(rows, rows[1:]):
        yield from lines(finding)
        if after is None or note_of(after) != note_of(finding):
            yield from _below(note_of(finding))


def lines(finding: Finding) -> list[str]:
    """The row without its note."""
    if isinstance(finding, NotRun):
        return _row(short_id(finding.id), finding.what, ("", "", ""), "not run")
    measured = number(finding.measured, finding.tolerance)
    if isinstance(finding, Verdict):
        expected, word = finding.expected, "yes" if finding.holds else "NO"
    else:
        expected, word = finding.printed, "departs" if passes(finding) else "NO MORE"
    cells = (number(expected, finding.tolerance), measured, f"{finding.tolerance:.2g}")
    return _row(short_id(finding.id), _what(finding), cells, word)


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
    return "\n".join(("─" * WIDTH, *wrap(f"{'; '.join(parts)}; {seconds:.0f} s", WIDTH)))
