"""What came of every recorded gap that was to be filled?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from deleverage.data.fills import DONE


@dataclass(frozen=True)
class RecordedGap:
    """A row of `gaps`, and whether it is filled already."""

    time_ns: int
    venue: str
    stream: str
    symbol: str
    reason: str
    end_ns: int
    events_lost: int | None
    closed: bool

    @property
    def key(self) -> tuple[Any, ...]:
        """Its key in the table."""
        return self.time_ns, self.venue, self.stream, self.symbol, self.reason


@dataclass
class Ask:
    """One contract of a gap.

    Parameters
    ----------
    state : 'closed', 'coarser' or 'open'; '' where nobody was asked.
    rows : fetched rows that the lake holds inside the gap.
    missing : how many events are still missing; None where that is not known.
    notes : why it is not closed.
    failure : why the venue could not be asked.
    """

    contract: str
    attempt: int
    state: str = ""
    rows: int = 0
    missing: int | None = None
    notes: list[str] = field(default_factory=list)
    failure: str = ""


@dataclass
class GapReport:
    """One gap: of how many contracts it is, those that were done before, those that were asked for now, or
    ``why`` nobody was.
    """

    gap: RecordedGap
    contracts: int = 0
    done_before: int = 0
    asks: list[Ask] = field(default_factory=list)
    why: str = ""

    @property
    def state(self) -> str:
        """'before' (filled or nothing missing), 'never' (cannot be had), 'open', 'closed' or 'planned'."""
        if self.gap.closed or self.gap.reason == "clock":
            return "before"
        if not self.asks:
            return "never" if self.why else "open"
        if all(not ask.state and not ask.failure for ask in self.asks):
            return "planned"
        done = self.done_before + sum(ask.state in DONE for ask in self.asks)
        return "closed" if done >= self.contracts else "open"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        gap = self.gap
        return {
            "venue": gap.venue,
            "stream": gap.stream,
            "symbol": gap.symbol,
            "reason": gap.reason,
            "start_ns": gap.time_ns,
            "end_ns": gap.end_ns,
            "events_lost": gap.events_lost,
            "state": self.state,
            "why": self.why,
            "contracts": [
                {
                    "contract": ask.contract,
                    "attempt": ask.attempt,
                    "state": ask.state,
                    "rows": ask.rows,
                    "events_missing": ask.missing,
                    "notes": ask.notes,
                    "failure": ask.failure,
                }
                for ask in self.asks
            ],
        }


@dataclass
class FillReport:
    """What a filling of gaps did, gap by gap, and what it cost."""

    dry_run: bool
    gaps: list[GapReport]
    added: int = 0
    repeated: int = 0
    conflicts: int = 0
    example: str = ""
    requests: int = 0
    retries: int = 0
    waited_s: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether a venue could not be asked."""
        return any(ask.failure for one in self.gaps for ask in one.asks)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        states = [one.state for one in self.gaps]
        return {
            "dry_run": self.dry_run,
            "counts": {name: states.count(name) for name in ("closed", "open", "never", "before", "planned")},
            "rows": {"added": self.added, "repeated": self.repeated, "conflicts": self.conflicts},
            "conflict_example": self.example,
            "gaps": [one.to_json() for one in self.gaps],
            "requests": self.requests,
            "retries": self.retries,
            "waited_s": round(self.waited_s, 3),
        }
