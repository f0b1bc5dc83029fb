"""What was not observed, from when to when, and how many events are missing?

Boundaries are event times where one is known, so that a reader can ask of any moment whether it was seen. A
gap begins at the last event before it and ends at the first one after, or when the venue granted the
subscription again; where an event time differs from our clock by more than a minute, our clock is taken,
because then the venue's clock is what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from deleverage.data.sources.base import SECOND, Row

CLOCK_LIMIT_NS = 60 * SECOND
_LOOK_BACK_NS = 5 * SECOND
"""A stream that is mostly silent (liquidations) was alive while its connection brought anything else."""
_GRACE_NS = 2 * SECOND


@dataclass
class Gaps:
    """Gaps of one venue; ``emit`` takes each row of `gaps` when its end is known."""

    venue: str
    source: str
    emit: Callable[[Row], None]
    count: int = 0
    lost: int = 0
    given: set[tuple[object, ...]] = field(default_factory=set)
    """Start, stream, symbol and reason of what is recorded already."""

    def add(
        self,
        start_ns: int,
        end_ns: int,
        received_ns: int,
        stream: str,
        symbol: str,
        reason: str,
        lost: int | None,
    ) -> None:
        """Record a gap; two that begin at one moment for one reason differ by a nanosecond."""
        end_ns = max(start_ns, end_ns)
        while (start_ns, stream, symbol, reason) in self.given:
            start_ns += 1
        self.given.add((start_ns, stream, symbol, reason))
        if len(self.given) > 10_000:
            self.given.clear()
        self.count += 1
        self.lost += lost or 0
        self.emit(
            (
                start_ns,
                max(start_ns, end_ns),
                received_ns,
                self.venue,
                stream,
                symbol,
                reason,
                lost,
                self.source,
            )
        )


@dataclass
class Watch:
    """What one connection has brought by stream, and what is missing since it broke.

    The first connection of a run has nothing before it and leaves no gap. A gap is one row a stream, or one
    for each of ``symbols`` where the connection carries only these contracts of it.
    """

    gaps: Gaps
    streams: tuple[str, ...]
    symbols: tuple[str, ...] = ()
    granted_ns: int = 0
    """When the venue granted the subscriptions of the current connection; 0 while it has not."""
    unready: set[str] = field(default_factory=set)
    """Streams whose gap stays open although events come: a book needs its snapshot first."""
    _last: dict[str, int] = field(default_factory=dict)
    _newest: int = 0
    _open: dict[str, tuple[int, str, int]] = field(default_factory=dict)

    def saw(self, stream: str, time_ns: int | None, received_ns: int) -> None:
        """An event of ``stream`` came."""
        at = plausible(time_ns, received_ns)
        if stream in self._open and self.granted_ns and stream not in self.unready:
            self._close(stream, max(at, self.granted_ns), received_ns)
        if at > self._newest:
            self._newest = at
        if at > self._last.get(stream, 0):
            self._last[stream] = at

    def since(self, stream: str, received_ns: int) -> int:
        """The last moment up to which nothing of ``stream`` is missing."""
        if not self._newest:
            return received_ns
        return max(self._last.get(stream, 0), self._newest - _LOOK_BACK_NS)

    def broke(self, reason: str, received_ns: int) -> None:
        """The connection ended: every stream of it is missing from here on."""
        self.granted_ns = 0
        if not self._newest:
            return
        for stream in self.streams:
            self._open.setdefault(stream, (self.since(stream, received_ns), reason, received_ns))

    def before(self, start_ns: int, reason: str) -> None:
        """Something was missing before this run began."""
        for stream in self.streams:
            self._open[stream] = (start_ns, reason, start_ns)

    def granted(self, received_ns: int) -> None:
        """The venue granted the subscriptions: from now on everything is expected."""
        self.granted_ns = received_ns
        self._newest = max(self._newest, received_ns)

    def settle(self, received_ns: int, final: bool = False) -> None:
        """Close gaps of streams that stay silent though granted; all of them at the ``final`` end."""
        for stream, (_, _, opened_ns) in list(self._open.items()):
            alive_ns = max(opened_ns, self.granted_ns)
            waited = self.granted_ns and received_ns - alive_ns > _GRACE_NS and stream not in self.unready
            if final or waited:
                self._close(stream, alive_ns if self.granted_ns else received_ns, received_ns)

    def malformed(self, received_ns: int) -> None:
        """A message could not be read, so nobody knows of which stream it was."""
        for stream in self.streams:
            self._open.setdefault(stream, (self.since(stream, received_ns), "malformed", received_ns))

    def _close(self, stream: str, end_ns: int, received_ns: int) -> None:
        start_ns, reason, _ = self._open.pop(stream)
        for symbol in self.symbols or ("",):
            self.gaps.add(start_ns, end_ns, received_ns, stream, symbol, reason, None)


@dataclass
class Numbers:
    """Trades that the venue numbers without holes: which numbers are missing?

    A hole is held back for ``late_ns``, because a message may come late; what is then still missing is
    recorded with its exact count.
    """

    gaps: Gaps
    late_ns: int
    _next: dict[str, tuple[int, int]] = field(default_factory=dict)
    _holes: list[tuple[int, str, int, int, set[int], str]] = field(default_factory=list)
    _again: set[str] = field(default_factory=set)

    def saw(self, symbol: str, first: int, last: int, time_ns: int, received_ns: int) -> None:
        """Numbers ``first`` to ``last`` of a symbol came with an event time."""
        expected, before_ns = self._next.get(symbol, (first, time_ns))
        reason = "disconnected" if symbol in self._again else "sequence"
        self._again.discard(symbol)
        if first > expected:
            missing = set(range(expected, min(first, expected + 1_000_000)))
            self._holes.append((received_ns + self.late_ns, symbol, before_ns, time_ns, missing, reason))
        elif self._holes and first < expected:
            for hole in self._holes:
                if hole[1] == symbol:
                    hole[4].difference_update(range(first, last + 1))
        if last + 1 > expected:
            self._next[symbol] = (last + 1, time_ns)

    def broke(self, carried: Callable[[str], bool]) -> None:
        """The connection ended: the next hole of each symbol that it ``carried`` is its doing."""
        self._again.update(filter(carried, self._next))

    def settle(self, received_ns: int, final: bool = False) -> None:
        """Record holes that nobody filled in time."""
        due = [hole for hole in self._holes if final or hole[0] <= received_ns]
        self._holes = [hole for hole in self._holes if not (final or hole[0] <= received_ns)]
        for _, symbol, start_ns, end_ns, missing, reason in due:
            if missing:
                self.gaps.add(start_ns, end_ns, received_ns, "trades", symbol, reason, len(missing))


def plausible(time_ns: int | None, received_ns: int) -> int:
    """The event time, or our clock where the venue gives none or one that is off by more than a minute."""
    if time_ns is None or abs(time_ns - received_ns) > CLOCK_LIMIT_NS:
        return received_ns
    return time_ns
