"""How long is a source waited for, and how often is it asked again?

One policy for every source: what failed on the way is asked again after a pause that doubles up to a cap, a
source that names a pause gets that pause, and nobody waits longer than a stated time.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from deleverage.errors import RateLimited, SourceChanged, SourceError, SourceUnavailable

T = TypeVar("T")
Sleep = Callable[[float], None]


class Stopped(KeyboardInterrupt):
    """The user stopped the command while another thread was at work."""


@dataclass
class Patience:
    """How a source is asked again.

    Parameters
    ----------
    attempts : how often one thing is asked for in all.
    first_s, cap_s : first pause and longest one [s]; each is twice the one before, less up to a quarter by
        chance.
    longest_s : the longest pause that a source may ask for [s]; if it asks for more, we give up at once.
    stop : set by the main thread; whoever waits then ends with `Stopped`.
    """

    attempts: int = 6
    first_s: float = 1.0
    cap_s: float = 60.0
    longest_s: float = 300.0
    stop: threading.Event = field(default_factory=threading.Event)
    retries: int = 0
    waited_s: float = 0.0
    _dice: random.Random = field(default_factory=random.Random)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def pause_s(self, attempt: int) -> float:
        """Pause after try number ``attempt`` (from 1) [s]."""
        whole = min(self.cap_s, self.first_s * 2.0 ** (attempt - 1))
        return whole * (1 - 0.25 * self._dice.random())

    def wait(self, seconds: float) -> None:
        """Sleep, or end with `Stopped` when the command was stopped."""
        with self._guard:
            self.waited_s += seconds
        if self.stop.wait(seconds):
            raise Stopped

    def ask(self, fetch: Callable[[int], T]) -> T:
        """What ``fetch`` gives; `SourceUnavailable` is asked again, every other error goes through.

        Parameters
        ----------
        fetch : called with the number of the try, from 1.

        Raises
        ------
        RateLimited
            the source asked for a longer pause than ``longest_s``, or for a pause at every try.
        SourceUnavailable
            no try gave an answer.
        """
        for attempt in range(1, self.attempts + 1):
            if self.stop.is_set():
                raise Stopped
            try:
                return fetch(attempt)
            except SourceUnavailable as error:
                asked = error.retry_after_s if isinstance(error, RateLimited) else None
                if attempt == self.attempts or (asked or 0) > self.longest_s or error.context.get("final"):
                    raise
                with self._guard:
                    self.retries += 1
                self.wait(max(asked or 0.0, self.pause_s(attempt)))
        raise AssertionError("unreachable")


def settled(error: SourceUnavailable) -> SourceError:
    """The error after the last try: an answer that stays unreadable means that the source has changed."""
    if "unread" in error.context:
        return SourceChanged(error.message, hint=error.hint, **error.context)
    return error


def retry_after_s(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a 'Retry-After' header asks for, as seconds or as a date; None where it says nothing."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


@dataclass
class Pace:
    """No two calls closer than ``apart_s`` [s], whichever thread makes them."""

    apart_s: float
    sleep: Sleep = time.sleep
    clock: Callable[[], float] = time.monotonic
    _next: float = 0.0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def keep(self) -> None:
        """Wait until the next call may be made."""
        with self._guard:
            now = self.clock()
            pause = self._next - now
            self._next = max(now, self._next) + self.apart_s
        if pause > 0:
            self.sleep(pause)
