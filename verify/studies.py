"""What did the studies that take long last find, and when?

A study is run by its own command and keeps its own form; here its stored result is read, shown with the date
in its file's name, and never counted as a verdict of this run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from verify.table import WIDTH


def _throttle(content: Any) -> tuple[str, bool]:
    rows = [row for row in content["rows"] if not row["hostile"]]
    short = len(content["short"])
    least = min(rows, key=lambda row: row["covered"] / row["draws"])
    return (
        f"90 % band of what a throttled feed hides: {len(rows) - short} of {len(rows)} cases hold at least "
        f"{content['required_of_100']} in 100, the least {least['covered']} of {least['draws']}",
        bool(content["met"]),
    )


def _known_truth(content: Any) -> tuple[str, bool]:
    total = content["rows"][-1]
    return str(content["sentence"]), total["coverage_low"] <= content["level"] <= total["coverage_high"]


@dataclass(frozen=True)
class Study:
    """A study: name of its module, what it asks, its command, how its result is read."""

    id: str
    what: str
    command: str
    read: Callable[[Any], tuple[str, bool]]


STUDIES = (
    Study(
        "throttle",
        "does the band hold what a throttled feed did not show?",
        "python -m verify.throttle --draws 100 --out verify/verdicts/throttle-YYYY-MM-DD.json",
        _throttle,
    ),
    Study(
        "known_truth",
        "does the 90 % interval hold the true mechanical share of an outside market?",
        "python -m verify.known_truth --out verify/verdicts/known_truth-YYYY-MM-DD.json",
        _known_truth,
    ),
)

TOOLS = {
    "kill_backfill": "kills backfills and judges what they leave",
    "kill_writers": "kills writers of a lake and judges what they leave (scripts/kill_writers)",
    "look_ahead": "asks of every measure, over a lake, whether it feels what became known later",
    "throttled_worlds": "the outside generator of `verify.throttle`",
}
"""Files of this folder that are neither: commands about a lake, and parts of a study."""


@dataclass(frozen=True)
class Stored:
    """The stored result of a study; ``met`` is its own judgement, None where there is no result."""

    id: str
    what: str
    date: str | None
    met: bool | None
    sentence: str

    def as_row(self) -> dict[str, object]:
        """Plain values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The row of the table, wrapped."""
        state = "study, not run" if self.date is None else f"stored verdict of {self.date}"
        judged = "" if self.met is None else (": met" if self.met else ": NOT met")
        head = f"{self.id:<11} {state}{judged}. {self.sentence}"
        return wrap(head, WIDTH, subsequent_indent=" " * 14)


def stored(folder: Path) -> list[Stored]:
    """The newest result of every study; one that was never stored says how to get it."""
    found = []
    for study in STUDIES:
        dated = {
            match[1]: path
            for path in folder.glob(f"{study.id}-*.json")
            if (match := re.fullmatch(rf"{study.id}-(\d{{4}}-\d\d-\d\d)\.json", path.name))
        }
        if not dated:
            found.append(Stored(study.id, study.what, None, None, f"{study.what} {study.command}"))
            continue
        date = max(dated)
        sentence, met = study.read(json.loads(dated[date].read_text(encoding="utf-8")))
        found.append(Stored(study.id, study.what, date, met, sentence))
    return found
