"""What has been collected so far, for the screen, the metrics and the summary?"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from deleverage.data.sources.base import SECOND

_LAGS = 2_048


@dataclass
class StreamStats:
    """One stream of one venue. Lag is receive time minus event time, of the newest messages."""

    messages: int = 0
    rows: int = 0
    bytes: int = 0
    first_ns: int = 0
    received_ns: int = 0
    lags_s: deque[float] = field(default_factory=lambda: deque(maxlen=_LAGS))
    _marks: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=16))

    def saw(self, rows: int, size: int, time_ns: int | None, received_ns: int) -> None:
        """A message came."""
        self.messages += 1
        self.rows += rows
        self.bytes += size
        self.received_ns = received_ns
        if not self.first_ns:
            self.first_ns = received_ns
        if time_ns is not None:
            self.lags_s.append((received_ns - time_ns) / SECOND)

    def tick(self, now_ns: int) -> None:
        """Remember where the count stands, for rates."""
        self._marks.append((now_ns, self.messages))

    def rate(self) -> float:
        """Messages a second over the last ticks."""
        if len(self._marks) < 2 or self._marks[-1][0] == self._marks[0][0]:
            return 0.0
        (start, before), (end, after) = self._marks[0], self._marks[-1]
        return (after - before) * SECOND / (end - start)

    def lag(self, share: float) -> float | None:
        """The lag in seconds that ``share`` of the newest messages stay below; None before the first."""
        if not self.lags_s:
            return None
        ordered = sorted(self.lags_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass
class Stats:
    """Everything that is counted; streams by (venue, stream)."""

    streams: dict[tuple[str, str], StreamStats] = field(default_factory=dict)
    connected: dict[str, bool] = field(default_factory=dict)
    """By 'venue/connection'."""
    reconnects: dict[str, int] = field(default_factory=dict)
    malformed: dict[str, int] = field(default_factory=dict)
    resyncs: dict[str, int] = field(default_factory=dict)
    limited: dict[str, int] = field(default_factory=dict)
    gaps: dict[tuple[str, str], int] = field(default_factory=dict)
    lost: dict[tuple[str, str], int] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    transactions: int = 0
    repeated: int = 0
    write_s: deque[float] = field(default_factory=lambda: deque(maxlen=_LAGS))
    behind_s: deque[float] = field(default_factory=lambda: deque(maxlen=_LAGS))
    waiting: int = 0
    waiting_bytes: int = 0
    pressure: float = 0.0
    thinned: int = 0

    def stream(self, venue: str, stream: str) -> StreamStats:
        """The counts of one stream."""
        key = (venue, stream)
        found = self.streams.get(key)
        if found is None:
            found = self.streams[key] = StreamStats()
        return found


def quantile(values: deque[float], share: float) -> float | None:
    """The value that ``share`` of ``values`` stay below; None where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def add(counts: dict[str, int], name: str, more: int = 1) -> None:
    """Count ``more`` under ``name``."""
    counts[name] = counts.get(name, 0) + more
