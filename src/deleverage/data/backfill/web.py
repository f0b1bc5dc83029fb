"""How is one address asked over HTTP, so that half an answer is never taken for a whole one?

Only the standard library: the archive needs no extra package. Proxies of the environment are used.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, NoReturn
from urllib.parse import urlsplit

from deleverage.data.backfill.patience import Pace, Patience, Stopped, retry_after_s, settled
from deleverage.errors import DeleverageError, InputError, RateLimited, SourceChanged, SourceUnavailable

AGENT = "deleverage-backfill"
_BLOCK = 1 << 18
_LIMITED = (418, 429)  # 418: Binance's word for a ban after 429s that were not heeded


@dataclass(frozen=True)
class Reply:
    """An answer: status 200 or 404, its bytes, and the server's own clock [ns UTC]."""

    status: int
    body: bytes
    server_ns: int | None


@dataclass
class Web:
    """Asks addresses, each patiently.

    Parameters
    ----------
    timeout_s : longest silence of the server [s].
    slowest_s : longest time for one whole answer [s].
    pace : shortest time between two calls.
    """

    patience: Patience = field(default_factory=Patience)
    timeout_s: float = 30.0
    slowest_s: float = 900.0
    pace: Pace = field(default_factory=lambda: Pace(0.0))
    headers: Mapping[str, str] = field(default_factory=dict)
    requests: int = 0
    received_bytes: int = 0
    server_ns: int | None = None
    last_body: bytes = b""
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        plain = [
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.UnknownHandler(),
            _SameScheme(),
        ]
        self._opener = urllib.request.OpenerDirector()
        for handler in [*plain, urllib.request.ProxyHandler()]:
            self._opener.add_handler(handler)

    def get(self, url: str, *, limit_bytes: int = 64 << 20) -> Reply:
        """The answer to a GET: 200 with a whole body, or 404.

        Raises
        ------
        SourceUnavailable
            no such answer after every try; `RateLimited` where the source asks for fewer calls.
        SourceChanged
            the answer is larger than ``limit_bytes``.
        """
        return self.patience.ask(lambda attempt: self._once(url, limit_bytes, attempt))

    def get_json(self, url: str, *, read: Callable[[Any], Any] = lambda answer: answer) -> Any:
        """What ``read`` makes of an answer in JSON; one that it cannot read is asked for again."""
        return self.get_read(url, lambda body: read(json.loads(body)))

    def get_read(self, url: str, read: Callable[[bytes], Any], *, limit_bytes: int = 64 << 20) -> Any:
        """What ``read`` makes of an answer.

        Raises
        ------
        SourceChanged
            ``read`` could make nothing of it, at every try.
        """

        def once(attempt: int) -> Any:
            reply = self._once(url, limit_bytes, attempt)
            if reply.status == 404:
                raise SourceUnavailable(
                    f"{url}: expected an answer, found status 404",
                    hint="the source has changed, or --url leads to another server",
                    url=url,
                    final=True,
                )
            self.last_body = reply.body
            try:
                return read(reply.body)
            except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
                raise SourceUnavailable(
                    f"{_host(url)}: expected the documented answer, found {reply.body[:80]!r} "
                    f"({type(error).__name__}: {error})",
                    hint="nothing of it was kept; if it stays so, the source has changed",
                    url=url,
                    attempt=attempt,
                    unread=reply.body,
                ) from error

        try:
            return self.patience.ask(once)
        except SourceUnavailable as error:
            raise settled(error) from error

    def download(self, url: str, target: Path, *, limit_bytes: int) -> str | None:
        """Write the answer to ``target`` and return its sha256 in hex; None for 404."""
        return self.patience.ask(lambda attempt: self._save(url, target, limit_bytes, attempt))

    def _save(self, url: str, target: Path, limit_bytes: int, attempt: int) -> str | None:
        digest = hashlib.sha256()
        with target.open("wb") as stream:
            status, _ = self._read(url, limit_bytes, attempt, _Sink(stream, digest))
        return digest.hexdigest() if status == 200 else None

    def _once(self, url: str, limit_bytes: int, attempt: int) -> Reply:
        sink = _Sink(None, None)
        status, server_ns = self._read(url, limit_bytes, attempt, sink)
        return Reply(status, b"".join(sink.blocks), server_ns)

    def _read(self, url: str, limit_bytes: int, attempt: int, sink: _Sink) -> tuple[int, int | None]:
        self.pace.keep()
        with self._guard:
            self.requests += 1
        request = urllib.request.Request(url, headers={"User-Agent": AGENT, **self.headers})
        started = time.monotonic()
        try:
            with self._opener.open(request, timeout=self.timeout_s) as response:
                server_ns = self._clock(response.headers)
                self._copy(response, url, limit_bytes, started, sink)
                return 200, server_ns
        except urllib.error.HTTPError as error:
            with error:
                return self._refused(error, url, attempt)
        except (OSError, http.client.HTTPException) as error:
            # OSError holds URLError, timeouts and resets; HTTPException holds IncompleteRead.
            reason = getattr(error, "reason", None) or error
            raise SourceUnavailable(
                f"{_host(url)}: expected an answer, found {type(error).__name__}: {reason} (try {attempt})",
                hint="try again later; what was fetched before is kept",
                url=url,
                attempt=attempt,
            ) from error

    def _copy(self, response: Any, url: str, limit_bytes: int, started: float, sink: _Sink) -> None:
        size = 0
        while block := response.read(_BLOCK):
            size += len(block)
            if size > limit_bytes:
                raise SourceChanged(
                    f"{url}: expected at most {limit_bytes:,} bytes, found more",
                    hint="the source has changed, or this is not its file",
                    url=url,
                )
            sink.take(block)
            if self.patience.stop.is_set():
                raise Stopped
            if time.monotonic() - started > self.slowest_s:
                raise TimeoutError(f"not whole after {self.slowest_s:g} s")
        promised = response.headers.get("Content-Length", "")
        if promised.isdigit() and size != int(promised):
            # The standard library reads a short body in blocks without a word.
            raise http.client.IncompleteRead(b"", int(promised) - size)
        with self._guard:
            self.received_bytes += size

    def _clock(self, headers: Any) -> int | None:
        try:
            moment = parsedate_to_datetime(headers.get("Date", ""))
        except (TypeError, ValueError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        self.server_ns = int(moment.timestamp()) * 1_000_000_000
        return self.server_ns

    def _refused(self, error: urllib.error.HTTPError, url: str, attempt: int) -> tuple[int, int | None]:
        server_ns = self._clock(error.headers)
        if error.code == 404:
            return 404, server_ns
        if error.code in _LIMITED:
            wait = retry_after_s(error.headers.get("Retry-After"))
            raise _limited(_host(url), error.code, wait, url, attempt)
        if error.code in (408, 425) or error.code >= 500:
            raise SourceUnavailable(
                f"{_host(url)}: expected an answer, found status {error.code} (try {attempt})",
                hint="try again later; what was fetched before is kept",
                url=url,
                status=error.code,
                attempt=attempt,
            )
        self._not_for_us(error, url)

    def _not_for_us(self, error: urllib.error.HTTPError, url: str) -> NoReturn:
        hints = {
            401: "the source wants a key",
            403: "the source refuses this address or country, or wants a key",
            451: "the source does not serve this country",
        }
        raise SourceUnavailable(
            f"{_host(url)}: expected an answer, found status {error.code} for {url}",
            hint=hints.get(error.code, "the source has changed, or --url leads to another server"),
            url=url,
            status=error.code,
            final=True,
        )


def _limited(host: str, status: int, wait: float | None, url: str, attempt: int) -> DeleverageError:
    said = "did not say for how long" if wait is None else f"asks to wait {wait:g} s"
    return RateLimited(
        f"{host}: expected an answer, found status {status}: it wants fewer calls and {said} (try {attempt})",
        hint="repeat the command later: it goes on where it was",
        retry_after_s=wait,
        url=url,
        status=status,
        attempt=attempt,
    )


def base_url(text: str) -> str:
    """Scheme, host and path of ``--url`` without a slash at its end.

    Raises
    ------
    InputError
        it is no http address.
    """
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputError(
            f"--url {text}: expected scheme and host, like http://127.0.0.1:8080, found {text!r}",
            hint="Leave it out to ask the source itself.",
        )
    return text.rstrip("/")


def _host(url: str) -> str:
    return urlsplit(url).netloc


@dataclass
class _Sink:
    """Where blocks go: a file and a digest, or memory."""

    stream: BinaryIO | None
    digest: Any
    blocks: list[bytes] = field(default_factory=list)

    def take(self, block: bytes) -> None:
        if self.stream is None:
            self.blocks.append(block)
            return
        self.stream.write(block)
        self.digest.update(block)


class _SameScheme(urllib.request.HTTPRedirectHandler):
    """Follows a redirect within its scheme; never from https to http, nor to a file."""

    max_redirections = 5

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme != urlsplit(req.full_url).scheme:
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)
