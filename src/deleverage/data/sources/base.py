"""What does every venue's adapter have in common? A pure parser, the plan of its connections, and its
requests.

A parser turns one payload into rows: `parse(payload, received_ns, state) -> Parsed`. It opens nothing, reads
no clock and knows nothing but its arguments; what it must remember between payloads (contract sizes, the open
orders of a table feed, the ticker that deltas change) is in the `State` that the caller hands in, and the
same payloads in the same order give the same rows again: that is what `lake reparse` does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf, isfinite
from typing import Any, ClassVar

from deleverage.errors import InputError, SourceChanged

try:  # three times as fast; part of the extra "collect"
    from orjson import loads as _orjson_loads

    _loads: Callable[[bytes], Any] = _orjson_loads
except ImportError:  # pragma: no cover
    _loads = json.loads

Row = tuple[Any, ...]
Level = tuple[str, str]
"""Price and size as the venue wrote them: a checksum is over the text."""

STREAMS = ("liquidations", "trades", "depth", "marks", "open_interest", "funding")
"""What can be collected, in the order of importance."""
MS = 1_000_000
SECOND = 1_000_000_000
MARKS_NS = SECOND
"""Marks are written at most once in so long, a contract."""
INTEREST_NS = 10 * SECOND
"""Open interest that comes with a ticker is written at most once in so long, a contract."""
_BESIDE_NS = 2 * SECOND
_INTERVALS_S = tuple(hours * 3600 for hours in (1, 2, 4, 8))


@dataclass(frozen=True)
class Instrument:
    """One contract: how the venue's sizes become coins.

    Parameters
    ----------
    symbol, coin, kind : the venue's name, the base asset ('BTC', also where the venue writes 'XBT'), 'perp'.
    contract_coins : coins of one unit of size; 1.0 where the venue counts in coins. None for inverse
    contracts.
    contract_usd : dollars of one unit of size, for inverse contracts.
    """

    symbol: str
    coin: str
    kind: str = "perp"
    contract_coins: float | None = 1.0
    contract_usd: float | None = None

    def amounts(self, size: float, price: float) -> tuple[float, float]:
        """Coins and USD of ``size`` at ``price``."""
        if self.contract_usd is not None:
            usd = size * self.contract_usd
            return usd / price, usd
        coins = size * (self.contract_coins or 0.0)
        return coins, coins * price


@dataclass
class State:
    """What a venue's parser remembers between payloads."""

    instruments: dict[str, Instrument] = field(default_factory=dict)
    marks: dict[str, float] = field(default_factory=dict)
    memory: dict[str, dict[str, Any]] = field(default_factory=dict)

    def notes(self, name: str) -> dict[str, Any]:
        """The notes that a parser keeps under ``name``."""
        return self.memory.setdefault(name, {})


@dataclass(slots=True)
class BookChange:
    """A snapshot of a book, or what changed in it; sizes are the venue's units, '0' removes a level.

    ``previous`` is the id that the book must have for the change to apply, None where the venue gives none;
    ``first`` and ``last`` are the ids that the change covers; ``checksum`` is None or 0 where there is none.
    """

    symbol: str
    time_ns: int
    snapshot: bool
    bids: list[Level]
    asks: list[Level]
    first: int | None = None
    last: int | None = None
    previous: int | None = None
    checksum: int | None = None
    broken: str = ""
    """Why the parser itself saw that the book cannot be continued; empty otherwise."""


@dataclass(slots=True)
class Parsed:
    """What one payload says.

    ``kind`` is 'data', 'ack' (``text`` names what was granted), 'refused' (``text`` says why), 'pong' or
    'other'. ``numbers`` are first and last number of consecutive trades, where the venue numbers them without
    holes.
    """

    kind: str
    stream: str = ""
    symbol: str = ""
    time_ns: int | None = None
    rows: list[tuple[str, list[Row]]] = field(default_factory=list)
    books: list[BookChange] = field(default_factory=list)
    numbers: tuple[int, int] | None = None
    text: str = ""

    @property
    def count(self) -> int:
        """Number of rows of all tables."""
        return sum(len(rows) for _, rows in self.rows)


@dataclass(frozen=True)
class Plan:
    """One WebSocket connection: where, what is subscribed, which acknowledgements must come, what it
    carries.

    ``symbols`` are its contracts where another connection carries the same streams of others, and empty where
    it carries all; ``base`` is the address of these contracts where it is not the venue's.
    """

    name: str
    path: str
    subscribe: tuple[str, ...]
    acks: frozenset[str]
    streams: tuple[str, ...]
    symbols: tuple[str, ...] = ()
    base: str = ""

    def carries(self, symbol: str) -> bool:
        """Whether ``symbol`` is one of its contracts."""
        return not self.symbols or symbol in self.symbols


@dataclass(frozen=True)
class Request:
    """One REST request: ``kind`` tells the parser what the answer is; repeated every ``every_s`` where > 0;
    asked at ``base`` where that is not the venue's address.
    """

    kind: str
    stream: str
    path: str
    symbol: str = ""
    params: tuple[tuple[str, str], ...] = ()
    body: str = ""
    every_s: float = 0.0
    base: str = ""


@dataclass(frozen=True)
class BookRule:
    """How a venue's book is kept: where a snapshot comes from, and how changes chain."""

    snapshot_by_rest: bool = False
    levels: int = 0
    """Levels a side that the venue keeps for us; 0 where it does not say."""


class Venue:
    """A venue: what it is asked for, and how its answers are read. One instance a run; holds no
    connection.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    rest: ClassVar[str]
    """Base address of REST."""
    socket: ClassVar[str]
    """Base address of WebSockets."""
    streams: ClassVar[tuple[str, ...]] = STREAMS
    ping_text: ClassVar[str] = ""
    """What is sent to keep a connection; empty where frames of the protocol do it."""
    pong: ClassVar[bytes] = b""
    """The answer to it where it is no JSON."""
    heartbeat_s: ClassVar[float] = 15.0
    """A ping is due when nothing came for so long; after as long again the connection is dead."""
    book: ClassVar[BookRule] = BookRule()
    feed: ClassVar[str] = ""
    """Name of the feed of liquidations."""

    @property
    def parser(self) -> str:
        """Name and version of the parser, as stored beside raw payloads."""
        return f"{self.name}/{self.version}"

    @property
    def source(self) -> str:
        """Source of the rows."""
        return f"collect/{self.name}"

    def symbols(self, coin: str) -> tuple[str, ...]:
        """The venue's contracts on a coin, the main one first; a name of the venue stands for itself."""
        raise NotImplementedError

    def instrument_requests(self, symbols: tuple[str, ...]) -> list[Request]:
        """What to ask so that the sizes of ``symbols`` are known."""
        raise NotImplementedError

    def plans(self, symbols: tuple[str, ...], streams: tuple[str, ...]) -> list[Plan]:
        """The connections that carry ``streams`` of ``symbols``."""
        raise NotImplementedError

    def polls(self, symbols: tuple[str, ...], streams: tuple[str, ...]) -> list[Request]:
        """What is asked again and again because no stream carries it."""
        raise NotImplementedError

    def book_request(self, symbol: str) -> Request:
        """The request for a snapshot of a book."""
        raise NotImplementedError

    def resubscribe(self, symbol: str) -> tuple[str, ...]:
        """What to send so that the stream of a book starts anew with a snapshot."""
        raise NotImplementedError

    def parse(self, payload: bytes, received_ns: int, state: State) -> Parsed:
        """Read a message of a connection.

        Raises
        ------
        SourceChanged
            the message is no JSON, or not of the documented shape.
        """
        if self.pong and payload == self.pong:
            return Parsed("pong")
        try:
            message = _loads(payload)
        except ValueError as error:
            raise SourceChanged(
                f"{self.name}: expected JSON, found {shown(payload)}: {error}", venue=self.name
            ) from error
        try:
            return self.read(message, received_ns, state)
        except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError, AttributeError) as error:
            raise SourceChanged(
                f"{self.name}: expected the documented shape, found {shown(payload)} "
                f"({type(error).__name__}: {error})",
                venue=self.name,
            ) from error

    def parse_answer(
        self, request: str, symbol: str, payload: bytes, received_ns: int, state: State
    ) -> Parsed:
        """Read the answer to a REST request of kind ``request``; raises as `parse` does."""
        try:
            return self.read_answer(request, symbol, _loads(payload), received_ns, state)
        except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError, AttributeError) as error:
            raise SourceChanged(
                f"{self.name}: expected the documented answer to '{request}', found {shown(payload)} "
                f"({type(error).__name__}: {error})",
                venue=self.name,
            ) from error

    def read(self, message: Any, received_ns: int, state: State) -> Parsed:
        """Read a decoded message; any shape that was not documented raises one of Python's own errors."""
        raise NotImplementedError

    def read_answer(self, request: str, symbol: str, answer: Any, received_ns: int, state: State) -> Parsed:
        """Read a decoded answer of REST."""
        raise NotImplementedError

    # --- rows, in the order of the tables' columns -----------------------------------------------

    def trade(
        self,
        instrument: Instrument,
        time_ns: int,
        received_ns: int,
        trade_id: str,
        side: str,
        price: float,
        coins: float,
        usd: float,
        liquidation: bool | None = None,
    ) -> Row:
        """A row of `trades`."""
        if not 0 < price < inf or not 0 < coins < inf:
            raise ValueError(f"a trade of {coins} coins at {price}")
        return (
            time_ns,
            received_ns,
            self.name,
            instrument.kind,
            instrument.coin,
            instrument.symbol,
            trade_id,
            side,
            price,
            coins,
            usd,
            liquidation,
            self.source,
        )

    def liquidation(
        self,
        instrument: Instrument,
        time_ns: int,
        received_ns: int,
        event_id: str,
        side: str,
        size: float,
        price: float | None,
        order_price: float | None,
    ) -> Row:
        """A row of `liquidations`; ``size`` in the venue's units, ``side`` the position that was closed."""
        at = price if price is not None else order_price
        if at is None or not 0 < at < inf or not 0 < size < inf:
            raise ValueError(f"a liquidation of {size} at {at}")
        coins, usd = instrument.amounts(size, at)
        return (
            time_ns,
            received_ns,
            self.name,
            instrument.kind,
            instrument.coin,
            instrument.symbol,
            event_id,
            side,
            coins,
            price,
            order_price,
            usd,
            "order" if price is None else "fill",
            self.feed,
            self.source,
        )

    def mark(
        self,
        instrument: Instrument,
        time_ns: int,
        received_ns: int,
        *,
        mark: float | None = None,
        index: float | None = None,
        last: float | None = None,
        funding_rate: float | None = None,
        next_funding_ns: int | None = None,
    ) -> Row:
        """A row of `marks`."""
        return (
            time_ns,
            received_ns,
            self.name,
            instrument.coin,
            instrument.symbol,
            mark,
            index,
            last,
            funding_rate,
            next_funding_ns,
            self.source,
        )

    def interest(
        self,
        instrument: Instrument,
        time_ns: int,
        received_ns: int,
        coins: float,
        usd: float,
        price: float | None,
    ) -> Row:
        """A row of `open_interest` for one contract."""
        return (
            time_ns,
            received_ns,
            self.name,
            instrument.coin,
            instrument.symbol,
            coins,
            usd,
            price,
            self.source,
        )

    def settled(
        self, instrument: Instrument, time_ns: int, received_ns: int, interval_s: int, rate: float
    ) -> Row:
        """A row of `funding`; ``time_ns`` as the venue stamps it."""
        return (
            settlement_ns(time_ns),
            received_ns,
            self.name,
            instrument.coin,
            instrument.symbol,
            interval_s,
            rate,
            self.source,
        )

    def settlements(
        self, instrument: Instrument, rates: list[tuple[int, float]], received_ns: int, usual_s: int
    ) -> Parsed:
        """Settled funding as times and rates; intervals are theirs, ``usual_s`` where there is only one."""
        times = sorted({settlement_ns(at) for at, _ in rates})
        lengths = dict(zip(times, intervals_s(times, usual_s), strict=True))
        rows = [
            self.settled(instrument, at, received_ns, lengths[settlement_ns(at)], rate) for at, rate in rates
        ]
        newest = max(times, default=None)
        return Parsed("data", "funding", instrument.symbol, newest, [("funding", rows)])


def apart(streams: tuple[str, ...], offered: Iterable[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Connections and what they carry of ``streams``, in the order of ``offered``.

    Books have a connection of their own, so that they hold up nothing else.
    """
    here = [stream for stream in offered if stream in streams]
    events = tuple(stream for stream in here if stream != "depth")
    books = tuple(stream for stream in here if stream == "depth")
    return [(name, carried) for name, carried in (("events", events), ("depth", books)) if carried]


def event_id(*content: object, repeat: int = 0) -> str:
    """A name for an event that the venue gives none: 16 hex digits of its content.

    ``repeat`` counts events of equal content inside one message, so that two of them stay two.
    """
    text = "|".join(map(str, content)) + (f"#{repeat}" if repeat else "")
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class Repeats:
    """Counts events of equal content inside one message."""

    def __init__(self) -> None:
        self._seen: dict[tuple[object, ...], int] = {}

    def named(self, *content: object) -> str:
        """The event's name; the second of the same content gets another."""
        count = self._seen.get(content, 0)
        self._seen[content] = count + 1
        return event_id(*content, repeat=count)


def number(value: object) -> float | None:
    """A number as venues write it ('1.5', 1.5, '' for none)."""
    if value is None or value == "":
        return None
    found = float(value)  # type: ignore[arg-type]
    if not isfinite(found):
        raise ValueError(f"the number {value}")
    return found


def ms(value: object) -> int:
    """Milliseconds since 1970, text or number, as ns."""
    return int(value) * MS  # type: ignore[call-overload, no-any-return]


def opposite(side: str) -> str:
    """The position that an order closes: a sale closes a long."""
    folded = side.lower()
    if folded in ("sell", "a"):
        return "long"
    if folded in ("buy", "b"):
        return "short"
    raise ValueError(f"side '{side}'")


def shown(payload: bytes, width: int = 120) -> str:
    """The start of a payload, for a message."""
    text = payload[: width + 1].decode("utf-8", "replace")
    return repr(text[:width] + ("..." if len(text) > width else ""))


def intervals_s(times_ns: list[int], usual_s: int) -> list[int]:
    """Length of the funding interval that each settlement ends: the time since the one before.

    Where that is no interval that venues have (1, 2, 4 or 8 hours), the time to the next one stands for it,
    then the shortest of all, then ``usual_s``.

    Parameters
    ----------
    times_ns : settlements in order, as `settlement_ns` gives them.
    """
    steps = [(later - earlier) // SECOND for earlier, later in pairwise(times_ns)]
    usual = [step for step in steps if step in _INTERVALS_S]
    around = [(steps[at - 1 : at] if at else []) + steps[at : at + 1] for at in range(len(times_ns))]
    return [next((one for one in near if one in usual), min(usual, default=usual_s)) for near in around]


def settlement_ns(time_ns: int) -> int:
    """The full hour that a settlement belongs to, where its stamp is within 2 s of one; else the stamp.

    Binance stamps some milliseconds beside the hour, Hyperliquid some tens of them after it. Everything that
    brings settlements (the collector, the backfill, the importers) takes this rule, so that a settlement is
    one row whoever brings it.
    """
    hour = 3600 * SECOND
    nearest = (time_ns + hour // 2) // hour * hour
    return nearest if abs(time_ns - nearest) <= _BESIDE_NS else time_ns


def unknown_coin(venue: str, coin: str) -> InputError:
    """The refusal of a coin or contract that the venue does not have."""
    return InputError(
        f"{venue}: expected a coin or a contract of the venue, found '{coin}'",
        hint="give coins ('BTC'), or a contract of one venue as 'venue:SYMBOL'",
        venue=venue,
        symbol=coin,
    )


Loader = Callable[[bytes], Any]
