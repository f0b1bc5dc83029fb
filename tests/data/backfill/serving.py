"""A server on this machine that answers as sources do, with faults on demand.

Bodies are made by hand after the documented shapes. What is asked is kept; a fault is given once, before the
real answer, to the first call whose path and query contain its words.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from aiohttp import web

Answer = Callable[[str, dict[str, str], Any], Any]
PAGE_NAMES = 4  # names on a page of a listing: few, so that tests turn pages


@dataclass
class Fault:
    """What goes wrong: a status, silence, half a body, other bytes, or another clock."""

    words: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    silent_s: float = 0.0
    half: bool = False
    times: int = 1


@dataclass
class Server:
    """Files by path, and functions that answer below a path."""

    files: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    slow_s: float = 0.0
    url: str = ""

    def asked_for(self, words: str) -> list[str]:
        """Calls whose path and query contain some words."""
        return [one for one in self.asked if words in one]

    def add_zip(self, folder: str, stem: str, text: str, *, member: str = "", checksum: str = "") -> None:
        """A file of the archive with its checksum."""
        body = packed(member or f"{stem}.csv", text.encode("utf-8", "surrogateescape"))
        name = f"{stem}.zip"
        self.files[f"/{folder}/{name}"] = body
        digest = checksum or hashlib.sha256(body).hexdigest()
        self.files[f"/{folder}/{name}.CHECKSUM"] = f"{digest}  {name}\n".encode()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        where = request.path_qs
        payload = await request.read()
        posted = json.loads(payload) if payload else None
        line = where + (" " + json.dumps(posted) if posted is not None else "")
        self.asked.append(line)
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        date = self.clock().strftime("%a, %d %b %Y %H:%M:%S GMT")
        fault = next((one for one in self.faults if one.words in line and one.times > 0), None)
        status, headers, body = 200, {"Date": date}, b""
        if fault is not None:
            fault.times -= 1
            headers |= fault.headers
            if fault.silent_s:
                await asyncio.sleep(fault.silent_s)
            status = fault.status
            body = fault.body if fault.body is not None else b""
        if fault is None or (fault.status == 200 and fault.body is None):
            status, body = self.body(request, posted)
        kind = "application/json" if body[:1] in (b"{", b"[") else "text/html"
        if fault is not None and fault.half:
            response = web.StreamResponse(
                headers={**headers, "Content-Length": str(len(body)), "Content-Type": kind}
            )
            await response.prepare(request)
            await response.write(body[: len(body) // 2])
            if request.transport is not None:
                request.transport.close()
            return response
        return web.Response(status=status, body=body, headers={**headers, "Content-Type": kind})

    def body(self, request: web.Request, posted: Any) -> tuple[int, bytes]:
        if "prefix" in request.query:
            return 200, self.listing(request.query["prefix"], request.query.get("marker", ""))
        if request.path in self.files:
            return 200, self.files[request.path]
        for path, answer in self.answers.items():
            if request.path == path:
                found = answer(request.path, dict(request.query), posted)
                if isinstance(found, tuple):
                    return found[0], json.dumps(found[1]).encode()
                return 200, found if isinstance(found, bytes) else json.dumps(found).encode()
        return 404, b""

    def listing(self, prefix: str, marker: str) -> bytes:
        """A page of an S3-style listing, with '/' as the delimiter."""
        below = [path[1:] for path in self.files if path[1:].startswith(prefix)]
        names = sorted(
            {
                prefix + rest.split("/")[0] + ("/" if "/" in rest else "")
                for rest in (n[len(prefix) :] for n in below)
            }
        )
        names = [name for name in names if name > marker]
        page, more = names[:PAGE_NAMES], len(names) > PAGE_NAMES
        entries = "".join(
            f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"
            if name.endswith("/")
            else f"<Contents><Key>{name}</Key><Size>1</Size></Contents>"
            for name in page
        )
        following = f"<NextMarker>{page[-1]}</NextMarker>" if more else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>data</Name><Prefix>{prefix}</Prefix>{following}"
            f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>{entries}</ListBucketResult>"
        ).encode()


def packed(member: str, data: bytes) -> bytes:
    """A zip of one member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, data)
    return buffer.getvalue()


@contextmanager
def serving() -> Iterator[Server]:
    """A running server; gone at the end."""
    server = Server()
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def main() -> None:
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", server.handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        server.url = f"http://127.0.0.1:{port}"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(main())
        left = asyncio.all_tasks(loop)  # who is silent on purpose
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


def in_query(text: str) -> str:
    """A text as it stands in a query."""
    return quote(text)
