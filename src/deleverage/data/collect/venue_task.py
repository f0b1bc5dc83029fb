"""What does collecting from one venue consist of? Its instruments, connections, books and repeated
questions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deleverage.data.collect.books import Book, band_rows, level_rows
from deleverage.data.collect.connection import Connection
from deleverage.data.collect.gaps import Gaps, Numbers, Watch
from deleverage.data.collect.rest import Rest
from deleverage.data.collect.settings import BANDS_BPS, Settings
from deleverage.data.collect.sink import THIN, Sink
from deleverage.data.collect.stats import Stats, add
from deleverage.data.sources.base import SECOND, Parsed, Request, Row, State, Venue
from deleverage.data.sources.registry import ANSWERS
from deleverage.errors import DataError, InputError, SourceChanged

if TYPE_CHECKING:
    import aiohttp

_RESYNC_S = (0.2, 1.0, 2.0, 5.0, 10.0)
_TICK_S = 0.25
_AGAIN_S = 5.0
_DETAILS = "instruments"


@dataclass
class VenueTask:
    """The collection from one venue; takes what its connections bring."""

    venue: Venue
    settings: Settings
    session: aiohttp.ClientSession
    sink: Sink
    stats: Stats
    log: Callable[..., None]
    run: str
    """Name of this run, first part of the names of connections."""
    before_ns: int | None = None
    """When an earlier run last received something of this venue."""
    known_orders: tuple[dict[str, Any], ...] = ()
    """Liquidations of an earlier run whose ids may come again without a time of their own."""
    state: State = field(default_factory=State)
    symbols: tuple[str, ...] = ()
    reached: bool = False
    """A connection was granted what it asked for."""
    books: dict[str, Book] = field(default_factory=dict)
    connections: list[Connection] = field(default_factory=list)
    _main: set[str] = field(default_factory=set)
    """Of each coin the contract that was named first."""
    _broken: dict[str, tuple[int, str, int]] = field(default_factory=dict)
    """Books that are being made whole: since when, why, attempts."""
    _written_ns: dict[str, int] = field(default_factory=dict)
    _clock: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    _thin: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By stream: since when something is left out for want of room, and how many."""
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    _asked: int = 0

    def __post_init__(self) -> None:
        self.gaps = Gaps(self.venue.name, self.venue.source, self._gap)
        self.numbers = Numbers(self.gaps, int(self.settings.late_s * SECOND))
        self.streams = tuple(one for one in self.settings.streams if one in self.venue.streams)
        base = self.settings.urls.get(self.venue.name, "").rstrip("/")
        self.socket_base = _scheme(base, "ws")
        self.rest = Rest(
            self.session,
            self.venue,
            _scheme(base, "http"),
            self.log,
            lambda: add(self.stats.limited, self.venue.name),
        )

    # --- the life of it ---------------------------------------------------------------------------

    async def work(self) -> None:
        """Collect until cancelled."""
        await self._learn()
        loops = [self._beat()]
        for plan in self.venue.plans(self.symbols, self.streams):
            watch = Watch(self.gaps, plan.streams, plan.symbols)
            if self.before_ns is not None:
                watch.before(self.before_ns, "stopped")
            connection = Connection(
                self.session,
                self.venue,
                plan,
                self.socket_base or plan.base or self.venue.socket,
                self.state,
                self.settings,
                watch,
                self,
                self.run,
            )
            self.connections.append(connection)
            self.stats.connected[connection.key] = False
            loops.append(connection.run())
        loops += [self._poll(request) for request in self.venue.polls(self.symbols, self.streams)]
        try:
            async with asyncio.TaskGroup() as group:
                for loop in loops:
                    group.create_task(loop)
        finally:
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._end()

    async def _learn(self) -> None:
        """Ask for the contracts: no size means anything before."""
        wanted = self.settings.wanted(self.venue.name)
        found: list[str] = []
        for coin in wanted:
            found += self.venue.symbols(coin)
        self.symbols = tuple(dict.fromkeys(found))
        if not self.symbols:
            raise InputError(
                f"{self.venue.name}: expected a symbol to collect, found none",
                hint="see --symbols",
                venue=self.venue.name,
            )
        for request in self.venue.instrument_requests(self.symbols):
            while not await self._answered(request):
                await asyncio.sleep(_AGAIN_S)
        missing = [symbol for symbol in self.symbols if symbol not in self.state.instruments]
        if missing:
            raise InputError(
                f"{self.venue.name}: expected contracts of the venue, found no {', '.join(missing)}",
                hint="--symbols takes coins ('BTC') and the venue's own names ('okx:BTC-USD-SWAP')",
                venue=self.venue.name,
            )
        self.books = {
            symbol: Book(self.state.instruments[symbol], self.venue.book) for symbol in self.symbols
        }
        first: dict[str, str] = {}
        for symbol, book in self.books.items():
            first.setdefault(book.instrument.coin, symbol)
        self._main = set(first.values())

    def _end(self) -> None:
        now = time.time_ns()
        for connection in self.connections:
            connection.watch.settle(now, final=True)
        self.numbers.settle(now, final=True)
        for stream in list(self._thin):
            self._thicken(stream, now)
        for symbol, (since, why, _) in self._broken.items():
            if since:
                self.gaps.add(since, now, now, "depth", symbol, why, None)
        for stream in list(self._clock):
            self._clock_back(stream, now)

    async def _beat(self) -> None:
        """What happens by the clock: books are written, gaps that nobody filled are recorded."""
        due = time.monotonic()
        while True:
            await asyncio.sleep(_TICK_S if self.settings.book_s >= 1 else self.settings.book_s / 4 or _TICK_S)
            now = time.time_ns()
            for connection in self.connections:
                if connection.granted:
                    connection.watch.settle(now)
            self.numbers.settle(now)
            if self.sink.pressure < THIN:
                for stream in list(self._thin):
                    self._thicken(stream, now)
            if self.settings.book_levels and "depth" in self.streams and time.monotonic() >= due:
                due = time.monotonic() + self.settings.book_s
                self._write_books(now)

    # --- what connections bring -------------------------------------------------------------------

    def took(self, connection: Connection, parsed: Parsed, payload: bytes, received_ns: int) -> None:
        """Take a message: its rows, its books, its raw bytes."""
        stream, size = parsed.stream, len(payload)
        if parsed.numbers is not None and parsed.time_ns is not None:
            self.numbers.saw(parsed.symbol, *parsed.numbers, parsed.time_ns, received_ns)
        # What comes with a subscription may be old: the newest trades of a quiet contract, settled funding.
        fresh_ns = connection.watch.granted_ns + int(self.settings.late_s * SECOND)
        current = connection.granted and received_ns > fresh_ns and stream != "funding"
        if current:
            self._check_clock(stream, parsed.time_ns, received_ns)
        fresh = 0
        for table, rows in parsed.rows:
            new = self.sink.add(table, rows)
            if table in self.streams and table != stream:  # open interest comes with the ticker
                self.stats.stream(self.venue.name, table).saw(new, 0, rows[0][0], received_ns)
            else:
                fresh += new
        for change in parsed.books:
            book = self.books.get(change.symbol)
            if book is None:
                continue
            why = book.apply(change)
            if why:
                self._lose_book(connection, book, why, received_ns)
            elif change.snapshot and book.whole:
                self._book_back(book, received_ns)
        connection.watch.saw(stream, parsed.time_ns, received_ns)
        self.stats.stream(self.venue.name, stream).saw(
            fresh, size, parsed.time_ns if current else None, received_ns
        )
        self._keep(connection.id, connection.sequence, stream, payload, parsed, received_ns, "")

    def malformed(
        self, connection: Connection, payload: bytes, received_ns: int, error: SourceChanged
    ) -> None:
        """Keep what could not be read, and say that something is missing."""
        add(self.stats.malformed, self.venue.name)
        self.log("malformed message", level="warning", venue=self.venue.name, error=error.message)
        connection.watch.malformed(received_ns)
        self._keep(connection.id, connection.sequence, "unknown", payload, None, received_ns, error.message)

    def connected(self, connection: Connection) -> None:
        """Books with snapshots by REST are asked for once changes come."""
        self.stats.connected[connection.key] = True
        self.reached = True
        self.log(
            "connected", venue=self.venue.name, connection=connection.plan.name, attempt=connection.attempts
        )
        if "depth" in connection.plan.streams and self.venue.book.snapshot_by_rest:
            for symbol in filter(connection.plan.carries, self.symbols):
                self._spawn(self._snapshot(symbol, connection.attempts))

    def disconnected(self, connection: Connection, reason: str, text: str) -> None:
        """Books that the connection kept are unknown from here on."""
        self.stats.connected[connection.key] = False
        if connection.granted:  # attempts that fail are in the log
            add(self.stats.reconnects, connection.key)
        self.log(
            "disconnected",
            level="warning",
            venue=self.venue.name,
            connection=connection.plan.name,
            reason=reason,
            text=text,
        )
        if "depth" in connection.plan.streams:
            connection.watch.unready.add("depth")
            for symbol, book in self.books.items():
                if connection.plan.carries(symbol):
                    book.lose()
                    self._broken.pop(symbol, None)  # the gap of the connection says it all
        if "trades" in connection.plan.streams:
            self.numbers.broke(connection.plan.carries)

    def full(self) -> bool:
        """Whether the lake is so far behind that no more may be read."""
        return self.sink.pressure >= 1

    async def room(self) -> None:
        """Wait for the lake."""
        await self.sink.room()

    # --- books --------------------------------------------------------------------------------------

    def _lose_book(self, connection: Connection, book: Book, why: str, received_ns: int) -> None:
        symbol = book.instrument.symbol
        since, _, attempts = self._broken.get(symbol, (book.time_ns, "", 0))
        self._broken[symbol] = (since, "sequence", attempts + 1)
        add(self.stats.resyncs, self.venue.name)
        self.log("book lost", level="warning", venue=self.venue.name, symbol=symbol, why=why)
        pause = _RESYNC_S[min(attempts, len(_RESYNC_S) - 1)]
        if self.venue.book.snapshot_by_rest:
            self._spawn(self._snapshot(symbol, connection.attempts, pause))
        else:
            self._spawn(self._again(connection, symbol, pause))

    def _book_back(self, book: Book, received_ns: int) -> None:
        lost = self._broken.pop(book.instrument.symbol, None)
        for connection in self.connections:
            if all(one.whole for symbol, one in self.books.items() if connection.plan.carries(symbol)):
                connection.watch.unready.discard("depth")
        if lost is not None and lost[0]:
            since, why, _ = lost
            self.gaps.add(since, book.time_ns, received_ns, "depth", book.instrument.symbol, why, None)

    async def _again(self, connection: Connection, symbol: str, pause: float) -> None:
        await asyncio.sleep(pause)
        if not self.books[symbol].whole:
            await connection.send(self.venue.resubscribe(symbol))

    async def _snapshot(self, symbol: str, attempt: int, pause: float = 0.0) -> None:
        await asyncio.sleep(pause)
        request, book = self.venue.book_request(symbol), self.books[symbol]
        while True:
            try:
                payload = await self.rest.ask(request)
                received_ns = time.time_ns()
                parsed = self.venue.parse_answer(request.kind, symbol, payload, received_ns, self.state)
                break
            except DataError as error:  # asked again: without a snapshot there is no book
                self.log(
                    "no snapshot", level="warning", venue=self.venue.name, symbol=symbol, error=error.message
                )
                await asyncio.sleep(_AGAIN_S)
        depth = self._depth_of(symbol)
        if depth is None or depth.attempts != attempt or book.whole:
            return
        self._keep_answer(request, payload, parsed, received_ns)
        for change in parsed.books:
            why = book.apply(change)
            if why:
                self._lose_book(depth, book, why, received_ns)
            else:
                self._book_back(book, received_ns)

    def _depth_of(self, symbol: str) -> Connection | None:
        """The connection that carries the book of ``symbol``."""
        for one in self.connections:
            if "depth" in one.plan.streams and one.plan.carries(symbol):
                return one
        return None

    def _write_books(self, now: int) -> None:
        for symbol, book in self.books.items():
            if not book.whole or book.time_ns == self._written_ns.get(symbol):
                continue
            if self.sink.pressure >= THIN:
                self._leave_out("depth", now)
                continue
            self._written_ns[symbol] = book.time_ns
            sides = book.sorted()
            if sides[0] and sides[1] and sides[0][0][0] >= sides[1][0][0]:
                depth = self._depth_of(symbol)
                assert depth is not None  # a whole book came over it
                self._lose_book(depth, book, book.apply(_crossed(book)), now)
                continue
            self.sink.add("books", level_rows(self.venue, book, now, self.settings.book_levels, sides))
            if symbol in self._main:  # `depth` knows coins, not contracts: two of one coin would be one row
                self.sink.add("depth", band_rows(self.venue, book, now, BANDS_BPS, sides))

    # --- repeated questions ---------------------------------------------------------------------------

    async def _poll(self, request: Request) -> None:
        every = self.settings.poll_every_s or request.every_s
        unanswered_ns, last_ns = 0, time.time_ns()
        while True:
            if await self._answered(request):
                now = time.time_ns()
                if unanswered_ns:
                    self.gaps.add(last_ns, now, now, request.stream, request.symbol, "unanswered", None)
                    unanswered_ns = 0
                last_ns = now
            elif not unanswered_ns:
                unanswered_ns = time.time_ns()
            await asyncio.sleep(every)

    async def _answered(self, request: Request) -> bool:
        try:
            payload = await self.rest.ask(request)
            received_ns = time.time_ns()
            parsed = self.venue.parse_answer(request.kind, request.symbol, payload, received_ns, self.state)
        except SourceChanged as error:
            self._asked += 1
            connection = f"{self.run}/{ANSWERS}{request.kind}/{request.symbol}"
            add(self.stats.malformed, self.venue.name)
            self._keep(connection, self._asked, request.stream, payload, None, received_ns, error.message)
            self.log("unreadable answer", level="warning", venue=self.venue.name, error=error.message)
            return False
        except DataError as error:
            self.log("no answer", level="warning", venue=self.venue.name, error=error.message)
            return False
        fresh = sum(self.sink.add(table, rows) for table, rows in parsed.rows)
        if request.stream != _DETAILS:
            self.stats.stream(self.venue.name, request.stream).saw(
                fresh,
                len(payload),
                parsed.time_ns if request.stream == "open_interest" else None,
                received_ns,
            )
        self._keep_answer(request, payload, parsed, received_ns)
        return True

    # --- raw payloads, clocks, room -----------------------------------------------------------------

    def _keep_answer(self, request: Request, payload: bytes, parsed: Parsed, received_ns: int) -> None:
        self._asked += 1
        connection = f"{self.run}/{ANSWERS}{request.kind}/{request.symbol}"
        self._keep(connection, self._asked, request.stream, payload, parsed, received_ns, "")

    def _keep(
        self,
        connection: str,
        sequence: int,
        stream: str,
        payload: bytes,
        parsed: Parsed | None,
        received_ns: int,
        error: str,
    ) -> None:
        if not self.settings.raw:
            return
        if stream == "depth" and self.sink.pressure >= THIN:
            self._leave_out("payloads", received_ns)
            return
        time_ns = received_ns if parsed is None or parsed.time_ns is None else parsed.time_ns
        row: Row = (
            time_ns,
            received_ns,
            self.venue.name,
            stream,
            sequence,
            connection,
            payload,
            "plain",
            self.venue.parser,
            None if parsed is None else parsed.count,
            error or None,
            self.venue.source,
        )
        self.sink.add("payloads", [row], len(payload))

    def _leave_out(self, stream: str, now: int) -> None:
        since, count = self._thin.get(stream, (now, 0))
        self._thin[stream] = (since, count + 1)
        self.stats.thinned += 1

    def _thicken(self, stream: str, now: int) -> None:
        since, count = self._thin.pop(stream)
        self.gaps.add(since, now, now, stream, "", "overflow", count)

    def _check_clock(self, stream: str, time_ns: int | None, received_ns: int) -> None:
        """Rows keep the venue's time; where it is off by more than a minute, a gap of reason 'clock' says
        so.
        """
        off = time_ns is not None and abs(time_ns - received_ns) > 60 * SECOND
        if off:
            since, _, count = self._clock.get(stream, (received_ns, 0, 0))
            self._clock[stream] = (since, received_ns, count + 1)
        elif stream in self._clock:
            self._clock_back(stream, received_ns)

    def _clock_back(self, stream: str, received_ns: int) -> None:
        since, last, count = self._clock.pop(stream)
        self.gaps.add(since, last, received_ns, stream, "", "clock", 0)
        self.log("clock was off", level="warning", venue=self.venue.name, stream=stream, messages=count)

    def _gap(self, row: Row) -> None:
        key = (self.venue.name, row[4])
        self.stats.gaps[key] = self.stats.gaps.get(key, 0) + 1
        if row[7]:
            self.stats.lost[key] = self.stats.lost.get(key, 0) + row[7]
        self.sink.add("gaps", [row])
        self.log(
            "gap",
            level="warning",
            venue=self.venue.name,
            stream=row[4],
            symbol=row[5],
            reason=row[6],
            seconds=round((row[1] - row[0]) / SECOND, 3),
            lost=row[7],
        )

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _scheme(base: str, kind: str) -> str:
    """The same address for sockets or for REST."""
    if not base:
        return ""
    head, _, rest = base.partition("://")
    secure = head in ("wss", "https")
    return f"{kind}{'s' if secure else ''}://{rest}"


def _crossed(book: Book) -> Any:
    from deleverage.data.sources.base import BookChange

    return BookChange(
        book.instrument.symbol, book.time_ns, False, [], [], broken="the best bid is above the best offer"
    )
