"""The server: what happens is sent to whoever subscribed, kept in an exact record, and disturbed on demand.

Faults: `drop` (the connection breaks), `half` (it breaks in the middle of a message), `silence` (nothing more
is sent, not even an answer to a ping), `lose` (a message is never sent), `malformed` (a message is no JSON),
`duplicate`, `reorder`, `delay`, `clock` (event times jump), `limit` (REST answers 429 with Retry-After).
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.venue_server.binance import Binance
from tests.venue_server.bitmex import Bitmex
from tests.venue_server.bybit import Bybit
from tests.venue_server.hyperliquid import Hyperliquid
from tests.venue_server.market import Event
from tests.venue_server.okx import Okx
from tests.venue_server.speaker import Client, Speaker

SPEAKERS: dict[str, type[Speaker]] = {one.venue: one for one in (Binance, Bybit, Okx, Hyperliquid, Bitmex)}
_BETWEEN_S = 0.05
"""What was sent before a break is given so long to arrive: a reset throws away what the client has not
read."""


@dataclass
class Link:
    """One connection of one client."""

    venue: str
    client: Client
    socket: web.WebSocketResponse
    transport: Any
    number: int
    alive: bool = True
    silent: bool = False
    held: list[Event] = field(default_factory=list)
    late: asyncio.Queue[tuple[float, str]] | None = None
    pings: int = 0


@dataclass
class Plan:
    """A fault that waits for its message."""

    kind: str
    stream: str
    left: int


@dataclass
class Asked:
    """One REST request."""

    at: float
    venue: str
    path: str
    status: int


class VenueServer:
    """Five venues on one port: `ws://127.0.0.1:<port>/<venue>`."""

    def __init__(self, venues: Sequence[str] = tuple(SPEAKERS), *, seed: int = 1, keep: bool = True) -> None:
        self.speakers = {name: SPEAKERS[name](random.Random(f"{seed}/{name}")) for name in venues}
        self.keep = keep
        self.links: list[Link] = []
        self.events: list[Event] = []
        self.asked: list[Asked] = []
        self.sent = 0
        self.trades = 0
        self.port = 0
        self.refuse: dict[str, float] = {}
        """Venues that accept no connection, until when (monotonic)."""
        self._plans: dict[str, list[Plan]] = {name: [] for name in venues}
        self._offset: dict[str, int] = dict.fromkeys(venues, 0)
        self._delay: dict[str, float] = dict.fromkeys(venues, 0.0)
        self._limits: dict[str, list[tuple[int, float]]] = {name: [] for name in venues}
        self._clock: dict[str, int] = dict.fromkeys(venues, 0)
        self._runner: web.AppRunner | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    # --- life ---------------------------------------------------------------------------------------

    async def start(self, port: int = 0) -> None:
        app = web.Application()
        app.router.add_post("/_control", self._control)
        app.router.add_get("/_record", self._record)
        app.router.add_route("*", "/{venue}/{rest:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        server = site._server
        assert isinstance(server, asyncio.Server)
        self.port = server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in list(self.links):
            link.transport.abort()
        if self._runner is not None:
            await self._runner.cleanup()

    def urls(self) -> dict[str, str]:
        return {venue: f"ws://127.0.0.1:{self.port}/{venue}" for venue in self.speakers}

    # --- what happens ---------------------------------------------------------------------------------

    def now(self, venue: str) -> int:
        """The venue's clock: no two events of one venue share a millisecond, as long as nobody hurries."""
        now = max(time.time_ns() + self._offset[venue], self._clock[venue] + 1_000_000)
        if self._offset[venue] < 0:
            now = time.time_ns() + self._offset[venue]
        else:
            self._clock[venue] = now
        return now

    async def happen(
        self,
        venue: str,
        *,
        trades: int = 1,
        forced: bool = False,
        depth: bool = True,
        marks: bool = False,
        symbols: Sequence[str] = (),
    ) -> None:
        """One moment of one venue, on all of its contracts (or those named)."""
        speaker = self.speakers[venue]
        for contract in speaker.contracts.values():
            if symbols and contract.symbol not in symbols:
                continue
            happened: list[Event] = []
            if trades:
                happened += speaker.trades(contract, self.now(venue), trades)
            if forced:
                happened += speaker.forced(contract, self.now(venue))
            if depth:
                happened += speaker.depth(contract, self.now(venue))
            if marks:
                happened += speaker.marks(contract, self.now(venue))
            self.trades += trades
            for event in happened:
                await self._deliver(event)

    async def play(
        self, seconds: float, *, every_s: float = 0.02, trades: int = 1, venues: Sequence[str] = ()
    ) -> None:
        """Moments one after another: now and then somebody is liquidated, marks come once in a while."""
        end, moment = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            begun = time.monotonic()
            for venue in venues or self.speakers:
                await self.happen(venue, trades=trades, forced=moment % 3 == 0, marks=moment % 5 == 0)
            moment += 1
            await asyncio.sleep(max(0.0, every_s - (time.monotonic() - begun)))

    # --- faults -----------------------------------------------------------------------------------------

    def disturb(self, venue: str, kind: str, stream: str = "", count: int = 1) -> None:
        """The next ``count`` messages of ``stream`` ('' for any) are lost, malformed, duplicated or
        reordered."""
        self._plans[venue].append(Plan(kind, stream, count))

    async def drop(self, venue: str, *, away_s: float = 0.0, path: str = "") -> None:
        """Break every connection of a venue (those of one ``path``); none is accepted for ``away_s``."""
        self.refuse[venue] = time.monotonic() + away_s
        links = [
            link
            for link in self.links
            if link.venue == venue and link.alive and link.client.path.startswith(path)
        ]
        for link in links:
            link.alive = False
        await asyncio.sleep(_BETWEEN_S)
        for link in links:
            link.transport.abort()

    async def half(self, venue: str, stream: str) -> None:
        """The next message of ``stream`` is sent in half, and the connection ends."""
        self.disturb(venue, "half", stream)

    def silence(self, venue: str) -> None:
        """Nothing more is sent on the connections there are."""
        for link in self.links:
            if link.venue == venue:
                link.silent = True

    def delay(self, venue: str, seconds: float) -> None:
        """Messages arrive ``seconds`` late from now on."""
        self._delay[venue] = seconds

    def jump(self, venue: str, seconds: float) -> None:
        """The venue's clock is off by ``seconds`` from now on."""
        self._offset[venue] = round(seconds * 1e9)

    def limit(self, venue: str, count: int, retry_after_s: float, status: int = 429) -> None:
        """The next ``count`` REST requests are refused."""
        self._limits[venue] += [(status, retry_after_s)] * count

    # --- the record ---------------------------------------------------------------------------------------

    def truths(self, venue: str, table: str, *, delivered: bool = True) -> list[dict[str, Any]]:
        """The rows that the lake must hold (or must not) of what was delivered (or was not)."""
        return [
            truth.values
            for event in self.events
            if event.venue == venue and event.delivered is delivered
            for truth in event.truths
            if truth.table == table
        ]

    def missed(self, venue: str) -> list[Event]:
        """Events that no client ever received whole."""
        return [event for event in self.events if event.venue == venue and not event.delivered]

    # --- delivering -----------------------------------------------------------------------------------------

    async def _deliver(self, event: Event) -> None:
        if self.keep:
            self.events.append(event)
        links = [
            link
            for link in self.links
            if link.venue == event.venue and link.alive and event.channel in link.client.channels
        ]
        for link in links:
            await self._send(link, event)

    async def _send(self, link: Link, event: Event) -> None:
        if link.silent:
            event.fault = "silence"
            return
        plan = next(
            (one for one in self._plans[link.venue] if one.left and one.stream in ("", event.stream)), None
        )
        if plan is not None:
            plan.left -= 1
            event.fault = plan.kind
            if plan.kind == "lose":
                return
            if plan.kind == "malformed":
                await self._write(link, event.text[: len(event.text) * 2 // 3] + "}]{")
                return
            if plan.kind == "half":
                await self._write_half(link, event.text)
                return
            if plan.kind == "reorder":
                link.held.append(event)
                return
            if plan.kind == "duplicate":
                await self._write(link, event.text)
        await self._write(link, event.text, event)
        for late in [one for one in link.held if (one.stream, one.symbol) == (event.stream, event.symbol)]:
            link.held.remove(late)
            await self._write(link, late.text, late)

    async def _write(self, link: Link, text: str, event: Event | None = None) -> None:
        if link.late is not None or self._delay[link.venue]:
            if link.late is None:
                link.late = asyncio.Queue()
                self._spawn(self._trickle(link))
            link.late.put_nowait((time.monotonic() + self._delay[link.venue], text))
        else:
            try:
                await link.socket.send_str(text)
            except ConnectionError:
                link.alive = False
                return
        self.sent += 1
        if event is not None:
            event.delivered = True

    async def _trickle(self, link: Link) -> None:
        assert link.late is not None
        while True:
            at, text = await link.late.get()
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            await link.socket.send_str(text)

    async def _write_half(self, link: Link, text: str) -> None:
        link.alive = False
        payload = text.encode()
        size = len(payload)
        head = bytes([0x81, size]) if size < 126 else bytes([0x81, 126]) + size.to_bytes(2, "big")
        link.transport.write(head + payload[: size // 2])
        await asyncio.sleep(_BETWEEN_S)
        link.transport.abort()

    # --- the protocol
    # -----------------------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        venue = request.match_info["venue"]
        speaker = self.speakers.get(venue)
        if speaker is None:
            raise web.HTTPNotFound
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request, venue, speaker)
        return await self._rest(request, venue, speaker)

    async def _rest(self, request: web.Request, venue: str, speaker: Speaker) -> web.Response:
        path = f"/{request.match_info['rest']}"
        if self._limits[venue]:
            status, wait = self._limits[venue].pop(0)
            self.asked.append(Asked(time.monotonic(), venue, path, status))
            return web.Response(status=status, headers={"Retry-After": f"{wait:g}"}, text="{}")
        body = await request.json() if request.method == "POST" else None
        try:
            answer = speaker.rest(path, dict(request.query), body)
        except KeyError:
            answer = None
        self.asked.append(Asked(time.monotonic(), venue, path, 404 if answer is None else 200))
        if answer is None:
            return web.Response(status=404, text="{}")
        return web.json_response(answer)

    async def _socket(self, request: web.Request, venue: str, speaker: Speaker) -> web.StreamResponse:
        if self.refuse.get(venue, 0.0) > time.monotonic():
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=0)
        await socket.prepare(request)
        link = Link(
            venue, Client(f"/{request.match_info['rest']}"), socket, request.transport, len(self.links)
        )
        self.links.append(link)
        try:
            async for message in socket:
                if link.silent or not link.alive:
                    continue
                if message.type is WSMsgType.PING:
                    link.pings += 1
                    await socket.pong(message.data)
                elif message.type is WSMsgType.TEXT:
                    if "ping" in message.data[:24]:
                        link.pings += 1
                    for said in speaker.hear(link.client, message.data):
                        await self._write(link, said)
        except ConnectionError:
            pass
        finally:
            link.alive = False
            self.links.remove(link)
        return socket

    # --- from another process
    # -----------------------------------------------------------------------------------

    async def _control(self, request: web.Request) -> web.Response:
        order = await request.json()
        done = getattr(self, order.pop("do"))(**order)
        if asyncio.iscoroutine(done):
            await done
        return web.json_response({"sent": self.sent, "trades": self.trades})

    async def _record(self, request: web.Request) -> web.Response:
        rows = [
            {"venue": event.venue, "delivered": event.delivered, "table": truth.table, **truth.values}
            for event in self.events
            for truth in event.truths
        ]
        return web.Response(text=json.dumps(rows), content_type="application/json")

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
