"""How does one WebSocket connection live: open, subscribe, read, notice that it died, come back?"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from deleverage.data.collect.gaps import Watch
from deleverage.data.collect.settings import Settings
from deleverage.data.sources.base import Parsed, Plan, State, Venue
from deleverage.errors import SourceChanged

if TYPE_CHECKING:
    import aiohttp

_LARGEST = 32 * 1024 * 1024


class Lost(Exception):
    """The connection is gone; the text is the reason that `gaps` gives."""

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(text or reason)
        self.reason = reason


class Taker(Protocol):
    """Who takes what a connection brings."""

    def took(self, connection: Connection, parsed: Parsed, payload: bytes, received_ns: int) -> None:
        """A message that could be read."""

    def malformed(
        self, connection: Connection, payload: bytes, received_ns: int, error: SourceChanged
    ) -> None:
        """A message that could not."""

    def connected(self, connection: Connection) -> None:
        """The venue granted the subscriptions."""

    def disconnected(self, connection: Connection, reason: str, text: str) -> None:
        """The connection ended."""

    def full(self) -> bool:
        """Whether nothing more can be taken now."""

    async def room(self) -> None:
        """Wait until more can be taken."""


@dataclass
class Connection:
    """One connection of a venue, for as long as the collection lasts."""

    session: aiohttp.ClientSession
    venue: Venue
    plan: Plan
    url: str
    state: State
    settings: Settings
    watch: Watch
    taker: Taker
    name: str
    clock: Callable[[], int] = time.time_ns
    attempts: int = 0
    sequence: int = 0
    granted: bool = False
    """The venue has granted every subscription of the current connection."""
    _socket: Any = None
    _heard: float = 0.0
    _paused: bool = False
    _dead: str = ""
    _data: float = 0.0
    _draws: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._draws.seed(f"{self.settings.seed}/{self.venue.name}/{self.plan.name}")

    @property
    def key(self) -> str:
        """Name in counts: 'venue/connection'."""
        return f"{self.venue.name}/{self.plan.name}"

    @property
    def id(self) -> str:
        """Name of the current connection beside raw payloads."""
        return f"{self.name}/{self.plan.name}/{self.attempts}"

    async def run(self) -> None:
        """Connect, read, reconnect, until cancelled."""
        failures = 0
        while True:
            self.attempts += 1
            self.sequence = 0
            self.granted = False
            try:
                await self._live()
            except Lost as lost:
                self._over(lost.reason, str(lost))
            failures = 1 if self.granted else failures + 1
            pause = min(self.settings.backoff_max_s, self.settings.backoff_s * 2 ** min(failures - 1, 16))
            await asyncio.sleep(pause * self._draws.uniform(0.5, 1.0))

    def _over(self, reason: str, text: str) -> None:
        self.watch.broke(reason, self.clock())
        self._socket = None
        self.taker.disconnected(self, reason, text)

    async def send(self, messages: tuple[str, ...]) -> None:
        """Send messages on the current connection; nothing happens where there is none."""
        socket = self._socket
        if socket is None or socket.closed:
            return
        try:
            for message in messages:
                await socket.send_str(message)
        except (ConnectionError, OSError):
            return  # the reader notices

    async def _live(self) -> None:
        import aiohttp

        try:
            socket = await self.session.ws_connect(
                self.url + self.plan.path,
                autoping=False,
                max_msg_size=_LARGEST,
                timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
                decode_text=False,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Lost("disconnected", f"no connection: {type(error).__name__}: {error}") from error
        self._socket = socket
        self._heard = self._data = time.monotonic()
        self._dead = ""
        guard = asyncio.create_task(self._guard(socket))
        try:
            for message in self.plan.subscribe:
                await socket.send_str(message)
            await self._read(socket)
        except (ConnectionError, OSError) as error:
            raise Lost("silent" if self._dead else "disconnected", self._dead or str(error)) from error
        finally:
            guard.cancel()
            await asyncio.gather(guard, return_exceptions=True)
            await _closed(socket)

    async def _read(self, socket: Any) -> None:
        import aiohttp

        text, binary = aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY
        missing = set(self.plan.acks)
        while True:
            message = await socket.receive()
            kind = message.type
            if kind is text or kind is binary:
                self._heard = time.monotonic()
                missing = self._take(message.data, missing)
                if self.taker.full():
                    self._paused = True
                    await self.taker.room()
                    self._paused = False
                    self._heard = self._data = time.monotonic()  # what was said meanwhile waits in the socket
            elif kind is aiohttp.WSMsgType.PING:
                self._heard = time.monotonic()
                await socket.pong(message.data)
            elif kind is aiohttp.WSMsgType.PONG:
                self._heard = time.monotonic()
            elif self._dead:
                raise Lost("silent", self._dead)
            else:
                raise Lost("disconnected", f"closed with code {socket.close_code}")

    def _take(self, payload: bytes, missing: set[str]) -> set[str]:
        received_ns = self.clock()
        self.sequence += 1
        try:
            parsed = self.venue.parse(payload, received_ns, self.state)
        except SourceChanged as error:
            self.taker.malformed(self, payload, received_ns, error)
            return missing
        if parsed.kind == "data":
            self._data = self._heard
            self.taker.took(self, parsed, payload, received_ns)
        elif parsed.kind == "ack" and not self.granted:
            missing.discard(parsed.text)
            if not missing:
                self.granted = True
                self.watch.granted(received_ns)
                self.taker.connected(self)
        elif parsed.kind == "refused":
            raise Lost("refused", parsed.text)
        return missing

    async def _guard(self, socket: Any) -> None:
        """Ping a quiet connection, close a dead one."""
        every = self.settings.heartbeat_s or self.venue.heartbeat_s
        begun, pinged = time.monotonic(), 0.0
        while True:
            await asyncio.sleep(every / 4)
            now = time.monotonic()
            if self._paused:
                continue
            why = ""
            if now - self._heard > 2 * every:
                why = f"nothing came for {now - self._heard:.1f} s, not even an answer to a ping"
            elif now - self._data > self.settings.stale_s:
                why = f"no data for {now - self._data:.1f} s"
            elif not self.granted and now - begun > self.settings.ack_s:
                why = f"subscriptions were not granted within {self.settings.ack_s:g} s"
            if why:
                self._dead = why
                socket._response.close()  # a silent peer would not answer a polite end
                return
            if now - max(self._heard, pinged) > every:
                pinged = now
                try:
                    if self.venue.ping_text:
                        await socket.send_str(self.venue.ping_text)
                    else:
                        await socket.ping()
                except (ConnectionError, OSError):
                    continue


async def _closed(socket: Any) -> None:
    if not socket.closed:
        try:
            await asyncio.wait_for(socket.close(), 3)
        except (TimeoutError, ConnectionError, OSError):
            return
