"""What is a numeric verdict: a number that the program found, beside the one that theory or print demands?

Three things can be said: a `Verdict` holds or does not; a `NotRun` says why nothing could be said, and never
counts as one that holds; a `Departure` is a printed value that we could not reproduce, with ours and the
reason, and stands only as long as ours really differs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias


@dataclass(frozen=True)
class Verdict:
    """One comparison.

    id : of the index of acceptance, 'HK-1', with what it is of: 'HK-1 n, true .8'. expected, measured : in
    ``unit``; tolerance : |measured − expected| up to which it holds, absolute. source : where the expected
    value is from. note : what must be known; for a documented bias, what it warns of.
    """

    id: str
    what: str
    expected: float
    measured: float
    tolerance: float
    unit: str
    source: str
    note: str = ""

    def __post_init__(self) -> None:
        """Numbers of arrays become plain ones, so that a verdict can be written."""
        for name in ("expected", "measured", "tolerance"):
            object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def holds(self) -> bool:
        """True when the measured value lies within the tolerance; NaN never does."""
        return math.isfinite(self.measured) and abs(self.measured - self.expected) <= self.tolerance


@dataclass(frozen=True)
class NotRun:
    """A comparison that could not be made, and why: what was missing, and how to get it."""

    id: str
    what: str
    why: str


@dataclass(frozen=True)
class Departure:
    """A printed value that the program does not give, on record.

    printed, measured : in ``unit``; tolerance : |measured − printed| up to which it would be reproduced.
    why : the reason, as far as it is known.
    """

    id: str
    what: str
    printed: float
    measured: float
    tolerance: float
    unit: str
    source: str
    why: str

    @property
    def stands(self) -> bool:
        """True while there is a number and it differs; one that agrees is a record that is out of date."""
        return math.isfinite(self.measured) and abs(self.measured - self.printed) > self.tolerance


Finding: TypeAlias = Verdict | NotRun | Departure


def passes(finding: Finding) -> bool:
    """False for a verdict that does not hold and for a departure that does not stand."""
    if isinstance(finding, Verdict):
        return finding.holds
    return not isinstance(finding, Departure) or finding.stands


def as_row(finding: Finding) -> dict[str, object]:
    """The finding as plain values: its fields, its ``kind``, and ``holds`` (None where nothing was compared).

    A measured value that is no number is None: JSON has no NaN.
    """
    row: dict[str, object] = {"kind": type(finding).__name__} | asdict(finding)
    if not isinstance(finding, NotRun) and not math.isfinite(finding.measured):
        row["measured"] = None
    return row | {"holds": finding.holds if isinstance(finding, Verdict) else None}


def save(findings: Iterable[Finding], path: Path) -> None:
    """Write them as JSON, in the order given."""
    rows = [as_row(finding) for finding in findings]
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
