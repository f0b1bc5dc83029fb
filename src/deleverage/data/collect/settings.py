"""What can be said about a collection before it starts?"""

from __future__ import annotations

from dataclasses import dataclass, field

from deleverage.data.sources.base import STREAMS
from deleverage.errors import InputError

BANDS_BPS = (10.0, 25.0, 50.0, 100.0, 200.0)
"""Distances from mid within which depth is summed."""


@dataclass(frozen=True)
class Settings:
    """One collection; times in seconds.

    Parameters
    ----------
    venues, symbols, streams : what is collected; symbols are coins ('BTC') or 'venue:SYMBOL'.
    urls : other addresses by venue, 'ws://127.0.0.1:8080' (REST is asked at the same host over http).
    name : names this collector in the lake's transactions; two that run at once must differ.
    for_s : stop after so long; 0 runs until told.
    flush_s : how often rows are written.
    book_s, book_levels : how often a book is written, and how many levels a side; 0 levels writes none.
    max_rows, max_bytes : what may wait in memory for the lake. Beyond half of it depth is thinned (and said
        so in `gaps`), beyond all of it no message is read until there is room: trades and liquidations are
        never dropped.
    stale_s : a connection without data for so long is given up, even where it answers pings.
    backoff_s, backoff_max_s : first and longest pause before a new attempt; each is drawn up to the half.
    seed : of those draws.
    raw : keep raw payloads.
    compact_s, vacuum_s : how often the lake is compacted and vacuumed; 0 never.
    """

    venues: tuple[str, ...]
    symbols: tuple[str, ...]
    streams: tuple[str, ...] = STREAMS
    urls: dict[str, str] = field(default_factory=dict)
    name: str = ""
    for_s: float = 0.0
    flush_s: float = 1.0
    book_s: float = 5.0
    book_levels: int = 20
    max_rows: int = 400_000
    max_bytes: int = 192 * 1024 * 1024
    stale_s: float = 60.0
    ack_s: float = 10.0
    heartbeat_s: float = 0.0
    backoff_s: float = 0.5
    backoff_max_s: float = 30.0
    late_s: float = 2.0
    poll_every_s: float = 0.0
    drain_s: float = 20.0
    seed: int = 0
    raw: bool = True
    compact_s: float = 120.0
    vacuum_s: float = 3600.0

    def __post_init__(self) -> None:
        unknown = [stream for stream in self.streams if stream not in STREAMS]
        if unknown or not self.streams:
            raise InputError(
                f"expected streams of {', '.join(STREAMS)}, found {', '.join(unknown) or 'none'}",
                hint="leave --streams out for all of them",
            )
        if not self.venues or not self.symbols:
            missing = "venue" if not self.venues else "symbol"
            hint = "see `deleverage collect --help`"
            raise InputError(f"expected at least one {missing}, found none", hint=hint)
        for name, value in (("--for", self.for_s), ("--flush", self.flush_s), ("--book-every", self.book_s)):
            if value < 0 or value != value:
                raise InputError(f"{name}: expected a time of 0 s or more, found {value:g}")
        stray = [name for name in self.urls if name not in self.venues]
        if stray:
            raise InputError(
                f"--url: expected the address of a venue that is collected ({', '.join(self.venues)}), "
                f"found '{stray[0]}'",
                hint="for example --url binance=ws://127.0.0.1:8080",
            )
        for one in self.symbols:
            named, colon, symbol = one.partition(":")
            if not (symbol if colon else named) or (colon and named not in self.venues):
                raise InputError(
                    f"--symbols: expected a coin or 'venue:SYMBOL' of {', '.join(self.venues)}, "
                    f"found '{one}'",
                    hint="for example --symbols BTC,ETH,okx:BTC-USD-SWAP",
                )

    @property
    def collector(self) -> str:
        """The collector's name in the lake."""
        return self.name or "+".join(sorted(self.venues))

    def wanted(self, venue: str) -> tuple[str, ...]:
        """Coins and contracts that are asked of a venue."""
        here = []
        for one in self.symbols:
            named, colon, symbol = one.partition(":")
            if not colon:
                here.append(one)
            elif named == venue:
                here.append(symbol)
        return tuple(dict.fromkeys(here))
