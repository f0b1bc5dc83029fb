"""What is asked of a backfill, and what came of it?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from deleverage.data.backfill.days import runs
from deleverage.errors import InputError

KINDS = ("klines", "metrics", "funding", "open_interest", "trades", "depth", "liquidations")
INTERVALS_S = {
    "1s": 1,
    **{f"{n}m": 60 * n for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": 3600 * n for n in (1, 2, 4, 6, 8, 12)},
    **{f"{n}d": 86400 * n for n in (1, 3)},
    "1w": 7 * 86400,
}
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Request:
    """What to fetch: from whom, of what, from which day to which (UTC, both included)."""

    source: str
    symbols: tuple[str, ...]
    kinds: tuple[str, ...]
    first: date
    last: date
    interval: str = "1m"

    @property
    def interval_s(self) -> int:
        """Length of a bar [s]."""
        return INTERVALS_S[self.interval]


@dataclass(frozen=True)
class Gap:
    """A stretch that the source does not have: start ≤ t < end [ns UTC], and how many rows that is."""

    start_ns: int
    end_ns: int
    lost: int | None


@dataclass
class SeriesReport:
    """What became of one kind of one symbol.

    Parameters
    ----------
    asked, complete_before : days asked for, and how many of them were complete.
    fetched : days that are complete now and were not before.
    partial : days that are not over: what is final of them was kept, they are not complete.
    missing : days that the source does not have; `before_first`: those before its first day;
        `too_old`: those that it no longer gives; `not_yet`: those that it has not published yet.
    """

    kind: str
    symbol: str
    asked: int = 0
    complete_before: int = 0
    fetched: list[date] = field(default_factory=list)
    partial: list[date] = field(default_factory=list)
    missing: list[date] = field(default_factory=list)
    before_first: list[date] = field(default_factory=list)
    too_old: list[date] = field(default_factory=list)
    not_yet: list[date] = field(default_factory=list)
    added: int = 0
    repeated: int = 0
    conflicts: int = 0
    example: str = ""
    gaps: list[Gap] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """One more time that this was met."""
        self.notes[text] = self.notes.get(text, 0) + 1

    def to_json(self) -> dict[str, Any]:
        """Plain values; days as stretches, gaps joined where one follows the other."""
        return {
            "kind": self.kind,
            "symbol": self.symbol,
            "days": {
                "asked": self.asked,
                "complete_before": self.complete_before,
                "fetched": len(self.fetched),
                **{
                    name: [[str(a), str(b)] for a, b in runs(sorted(getattr(self, name)))]
                    for name in ("partial", "missing", "before_first", "too_old", "not_yet")
                },
            },
            "rows": {"added": self.added, "repeated": self.repeated, "conflicts": self.conflicts},
            "conflict_example": self.example,
            "gaps": [
                {"start_ns": gap.start_ns, "end_ns": gap.end_ns, "rows_missing": gap.lost}
                for gap in joined(self.gaps)
            ],
            "notes": [{"note": text, "times": times} for text, times in self.notes.items()],
            "failures": self.failures,
        }


@dataclass
class BackfillReport:
    """What a backfill did, series by series, and what it cost."""

    source: str
    series: list[SeriesReport] = field(default_factory=list)
    requests: int = 0
    retries: int = 0
    waited_s: float = 0.0
    received_bytes: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether something that the source has could not be used."""
        return any(one.failures for one in self.series)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "source": self.source,
            "series": [one.to_json() for one in self.series],
            "requests": self.requests,
            "retries": self.retries,
            "waited_s": round(self.waited_s, 3),
            "received_bytes": self.received_bytes,
            "notes": self.notes,
        }


def joined(gaps: list[Gap]) -> list[Gap]:
    """Gaps in order, those that touch as one."""
    found: list[Gap] = []
    for gap in sorted(gaps, key=lambda one: one.start_ns):
        if found and found[-1].end_ns >= gap.start_ns:
            last = found[-1]
            lost = None if last.lost is None or gap.lost is None else last.lost + gap.lost
            found[-1] = Gap(last.start_ns, max(last.end_ns, gap.end_ns), lost)
        else:
            found.append(gap)
    return found


def checked_kinds(kinds: tuple[str, ...], served: dict[str, str], source: str) -> None:
    """Refuse kinds that are none, or that the source does not serve.

    Parameters
    ----------
    served : kind to '' where the source serves it, else the reason why it does not.

    Raises
    ------
    InputError
        says which kind, and why.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise InputError(
                f"--what {kind}: expected one of {', '.join(KINDS)}, found '{kind}'",
                hint="Give names with commas between them, like klines,funding.",
            )
        reason = served.get(kind, "it has no such series")
        if reason:
            able = [name for name, why in served.items() if not why]
            raise InputError(
                f"{source}: expected one of {', '.join(able)} for --what, found '{kind}': {reason}",
                hint="`deleverage backfill --sources` says what each source has.",
                source=source,
                kind=kind,
            )


def checked_interval(interval: str) -> None:
    """Refuse an interval that is none."""
    if interval not in INTERVALS_S:
        raise InputError(
            f"--interval {interval}: expected one of {', '.join(INTERVALS_S)}, found '{interval}'",
            hint="Give the length of a bar, like 1m or 1h.",
        )
