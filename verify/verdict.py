"""What is a numeric verdict: a number that the program found, beside the one that theory or print demands?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


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

    @property
    def holds(self) -> bool:
        """True when the measured value lies within the tolerance; NaN never does."""
        return math.isfinite(self.measured) and abs(self.measured - self.expected) <= self.tolerance


def save(verdicts: Iterable[Verdict], path: Path) -> None:
    """Write them as JSON, in the order given."""
    rows = [asdict(verdict) | {"holds": verdict.holds} for verdict in verdicts]
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
