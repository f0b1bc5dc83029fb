"""How is a venue asked over REST without being asked too often?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deleverage.data.sources.base import Request, Venue, shown
from deleverage.errors import DataError

if TYPE_CHECKING:
    import aiohttp

_LIMITED = (418, 429)
"""Too many requests; 418 is Binance's word for a client that went on after 429."""
_SPACING_S = 0.12
_TIMEOUT_S = 20.0
_UNSAID_S = 5.0
"""Pause after a refusal that does not say how long."""
_LONGEST_S = 3_600.0
_RETRIES_S = (0.5, 1.0, 2.0, 4.0)
_HOURS_BACK_NS = 6 * 3600 * 1_000_000_000


@dataclass
class Rest:
    """Requests to one venue, one after another.

    After a refusal for too many requests nothing is asked before the time that `Retry-After` names. ``base``
    is another address than the venue's, empty for its own.
    """

    session: aiohttp.ClientSession
    venue: Venue
    base: str
    log: Callable[..., None]
    on_limited: Callable[[], None]
    _free_at: float = 0.0
    _silent: bool = False
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ask(self, request: Request) -> bytes:
        """The body of the answer.

        Raises
        ------
        DataError
            the venue does not answer, or refuses for another reason than too many requests.
        """
        import aiohttp

        attempt = 0
        while True:
            async with self._turn:
                await asyncio.sleep(max(0.0, self._free_at - time.monotonic()))
                self._free_at = time.monotonic() + _SPACING_S
                try:
                    status, wait, body = await self._once(request)
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    status, wait, body = 0, None, f"{type(error).__name__}: {error}".encode()
                if status in _LIMITED:
                    pause = min(_LONGEST_S, _UNSAID_S if wait is None else wait)
                    self._free_at = time.monotonic() + pause
                    self.on_limited()
                    self.log(
                        "rate limited", level="warning", venue=self.venue.name, status=status, wait_s=pause
                    )
                    continue
            if status == 200:
                self._silent = False
                return body
            if 400 <= status < 500 or attempt >= len(_RETRIES_S):
                found = f"status {status}: {shown(body)}" if status else body.decode()
                raise DataError(
                    f"{self.venue.name}: expected an answer to {request.path}, found {found}",
                    hint="it is asked again later",
                    venue=self.venue.name,
                    url=self._url(request),
                    status=status,
                )
            if not self._silent:  # once, and at once; the next word comes when it is given up
                self._silent = True
                found = f"status {status}" if status else body.decode()
                self.log("no answer yet", level="warning", venue=self.venue.name, error=found)
            await asyncio.sleep(_RETRIES_S[attempt])
            attempt += 1

    def _url(self, request: Request) -> str:
        return (self.base or request.base or self.venue.rest) + request.path

    async def _once(self, request: Request) -> tuple[int, float | None, bytes]:
        import aiohttp

        body = request.body.replace("$START", str((time.time_ns() - _HOURS_BACK_NS) // 1_000_000))
        async with self.session.request(
            "POST" if body else "GET",
            self._url(request),
            params=dict(request.params) or None,
            data=body or None,
            headers={"Content-Type": "application/json"} if body else None,
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
        ) as answer:
            return answer.status, _seconds(answer.headers.get("Retry-After")), await answer.read()


def _seconds(text: str | None) -> float | None:
    """`Retry-After` as seconds; None where it is not said in seconds."""
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None
