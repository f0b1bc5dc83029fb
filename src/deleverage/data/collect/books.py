"""Is our copy of an order book still the venue's, and what stands in it?"""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from deleverage.data.sources.base import BookChange, BookRule, Instrument, Row, Venue

_KEPT_WHILE_WAITING = 5_000
_CHECKED_LEVELS = 25


@dataclass
class Book:
    """A full copy of one contract's book, and whether it is one.

    `apply` returns '' while the copy is (or will be) the venue's, else why it no longer is. A broken book
    ignores changes until a snapshot makes it whole; nothing is written of it meanwhile.
    """

    instrument: Instrument
    rule: BookRule
    bids: dict[str, str] = field(default_factory=dict)
    asks: dict[str, str] = field(default_factory=dict)
    last: int | None = None
    time_ns: int = 0
    whole: bool = False
    _waiting: deque[BookChange] = field(default_factory=deque)
    _anchor: int | None = None
    """With snapshots by REST: the snapshot's id until a change that covers it has come."""

    def apply(self, change: BookChange) -> str:
        """Take a snapshot or a change; '' or why the copy is broken."""
        if change.broken:
            return self._break(change.broken)
        if change.snapshot:
            return self._start(change)
        if not self.whole:
            if self.rule.snapshot_by_rest:
                self._waiting.append(change)
                if len(self._waiting) > _KEPT_WHILE_WAITING:
                    self._waiting.popleft()
            return ""
        return self._follow(change)

    def _start(self, change: BookChange) -> str:
        if self.whole and change.last is None and change.time_ns < self.time_ns:
            return ""  # an older picture than ours, late
        self.bids = {price: size for price, size in change.bids if float(size)}
        self.asks = {price: size for price, size in change.asks if float(size)}
        self.last, self.time_ns, self.whole = change.last, change.time_ns, True
        self._anchor = change.last if self.rule.snapshot_by_rest else None
        waiting, self._waiting = self._waiting, deque()
        for one in waiting:
            broken = self._follow(one)
            if broken:
                return broken
        return self._checked(change)

    def _follow(self, change: BookChange) -> str:
        if self._anchor is not None and change.last is not None and change.first is not None:
            # Binance's rule: drop what ends before the snapshot; the first one that stays must cover it.
            if change.last < self._anchor:
                return ""
            if change.first > self._anchor and change.previous != self._anchor:
                return self._break(
                    f"the snapshot {self._anchor} is older than the first change {change.first}"
                )
            self._anchor = None
        elif change.previous is not None and change.previous != self.last:
            if change.last is not None and self.last is not None and change.last <= self.last:
                return ""  # there already
            return self._break(f"expected the change after {self.last}, found one after {change.previous}")
        for levels, changes in ((self.bids, change.bids), (self.asks, change.asks)):
            for price, size in changes:
                if float(size):
                    levels[price] = size
                else:
                    levels.pop(price, None)
        self.last = change.last
        self.time_ns = max(self.time_ns, change.time_ns)
        return self._checked(change)

    def _checked(self, change: BookChange) -> str:
        if change.checksum and change.checksum != self.checksum():
            return self._break(f"expected the checksum {change.checksum}, found {self.checksum()}")
        return ""

    def _break(self, why: str) -> str:
        self.whole = False
        self._anchor = None
        self._waiting.clear()
        return why

    def lose(self) -> None:
        """The connection is gone: nothing is known until the next snapshot."""
        self._break("")

    def checksum(self) -> int:
        """CRC32 over the 25 best levels of both sides as OKX defines it, as a signed 32-bit number."""
        bids = sorted(self.bids.items(), key=lambda one: -float(one[0]))[:_CHECKED_LEVELS]
        asks = sorted(self.asks.items(), key=lambda one: float(one[0]))[:_CHECKED_LEVELS]
        parts = []
        for index in range(max(len(bids), len(asks))):
            for side in (bids, asks):
                if index < len(side):
                    parts.append(f"{side[index][0]}:{side[index][1]}")
        value = zlib.crc32(":".join(parts).encode())
        return value - 2**32 if value >= 2**31 else value

    def sorted(self) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """Bids from the best down and offers from the best up: price and size in the venue's units."""
        bids = sorted(((float(p), float(s)) for p, s in self.bids.items()), reverse=True)
        asks = sorted((float(p), float(s)) for p, s in self.asks.items())
        return bids, asks


def level_rows(
    venue: Venue, book: Book, received_ns: int, levels: int, sides: tuple[list[Any], list[Any]]
) -> list[Row]:
    """Rows of `books`: the best ``levels`` of each side."""
    one, rows = book.instrument, []
    for side, found in (("bid", sides[0]), ("ask", sides[1])):
        for level, (price, size) in enumerate(found[:levels], 1):
            rows.append(
                (
                    book.time_ns,
                    received_ns,
                    venue.name,
                    one.kind,
                    one.coin,
                    one.symbol,
                    side,
                    level,
                    price,
                    one.amounts(size, price)[0],
                    book.last,
                    venue.source,
                )
            )
    return rows


def band_rows(
    venue: Venue,
    book: Book,
    received_ns: int,
    bands_bps: tuple[float, ...],
    sides: tuple[list[Any], list[Any]],
) -> list[Row]:
    """Rows of `depth`: what rests within each distance of mid.

    A side that our copy does not reach across (its last level is nearer than the band's edge) is null: what
    stands beyond is not known, and it is not zero.
    """
    bids, asks = sides
    if not bids or not asks:
        return []
    one, mid, rows = book.instrument, (bids[0][0] + asks[0][0]) / 2, []
    for band in bands_bps:
        amounts: list[float | None] = []
        for found, sign in ((bids, -1), (asks, 1)):
            edge = mid * (1 + sign * band / 10_000)
            if sign * (found[-1][0] - edge) < 0:
                amounts += [None, None]
                continue
            coins = usd = 0.0
            for price, size in found:
                if sign * (price - edge) > 0:
                    break
                more = one.amounts(size, price)
                coins, usd = coins + more[0], usd + more[1]
            amounts += [usd, coins]
        if amounts != [None] * 4:
            rows.append(
                (
                    book.time_ns,
                    received_ns,
                    venue.name,
                    one.kind,
                    one.coin,
                    band,
                    "live",
                    *amounts,
                    venue.source,
                )
            )
    return rows
