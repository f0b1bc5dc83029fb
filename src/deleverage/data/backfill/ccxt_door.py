"""How is a venue asked through ccxt, and what do its errors mean?

ccxt knows the venues' addresses, weights and error codes; rows are read by us from the raw answer, because
its unified ones leave out what we keep (taker volume, numbers of trades, contracts). Imported here and
nowhere else in the backfill, when a venue is asked: it takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from deleverage.data.backfill.patience import Patience, retry_after_s, settled
from deleverage.data.backfill.web import base_url
from deleverage.errors import DeleverageError, InputError, RateLimited, SourceChanged, SourceUnavailable

TIMEOUT_MS = 20_000
NAMES = {
    "binance-rest": "binanceusdm",
    "bybit": "bybit",
    "okx": "okx",
    "hyperliquid": "hyperliquid",
    "deribit": "deribit",
    "gold-binance": "binance",
    "gold-okx": "okx",
}


def ccxt_or_refuse() -> Any:
    """The package. Raises `InputError` where it is not installed."""
    try:
        import ccxt
    except ImportError:
        raise InputError(
            "expected ccxt to be installed, found no such package",
            hint='Install it with the extra "collect": pip install "deleverage[collect]".',
        ) from None
    return ccxt


def redirected(urls: Any, base: str) -> Any:
    """Every address of ccxt's with the same path at another server."""
    if isinstance(urls, dict):
        return {name: redirected(one, base) for name, one in urls.items()}
    if not isinstance(urls, str):
        return urls
    return base + urlsplit(urls).path


@dataclass
class Venue:
    """A venue behind ccxt; every call is patient.

    Parameters
    ----------
    url : another server that speaks the venue's endpoints; '' for the venue's own.
    server_ns : the venue's clock at its last answer [ns UTC].
    """

    source: str
    url: str = ""
    patience: Patience = field(default_factory=Patience)
    requests: int = 0
    server_ns: int | None = None

    def __post_init__(self) -> None:
        self._ccxt = ccxt_or_refuse()
        self._exchange = getattr(self._ccxt, NAMES[self.source])(
            {"enableRateLimit": True, "timeout": TIMEOUT_MS}
        )
        self._status = 0
        self._exchange.on_rest_response = self._seen
        if self.url:
            self._exchange.urls["api"] = redirected(self._exchange.urls["api"], base_url(self.url))
            self._exchange.rateLimit = min(self._exchange.rateLimit, 1)

    def _seen(self, status: int, *rest: Any) -> Any:
        """Keep the status: where a body has a code of its own, ccxt's error does not tell it."""
        self._status = status
        return type(self._exchange).on_rest_response(self._exchange, status, *rest)

    def ask(self, method: str, params: dict[str, Any], read: Callable[[Any], Any]) -> Any:
        """What ``read`` makes of the raw answer to one of ccxt's endpoint methods.

        A malformed answer is asked for again: half a message may be whole the next time. If it stays
        malformed the source has changed.
        """
        try:
            return self.patience.ask(lambda attempt: self._once(method, params, read, attempt))
        except SourceUnavailable as error:
            raise settled(error) from error

    def _once(self, method: str, params: dict[str, Any], read: Callable[[Any], Any], attempt: int) -> Any:
        ccxt = self._ccxt
        self.requests += 1
        self._exchange.last_response_headers, self._status = None, 0
        try:
            answer = getattr(self._exchange, method)(dict(params))
        except ccxt.BaseError as error:
            raise self._meant(error, method, params, attempt) from error
        self._note_clock()
        try:
            return read(answer)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise SourceUnavailable(
                f"{self.source}: expected the documented answer to {method}, found {str(answer)[:120]!r} "
                f"({type(error).__name__}: {error})",
                hint="nothing of it was kept; if it stays so, the venue has changed",
                source=self.source,
                attempt=attempt,
                unread=str(self._exchange.last_http_response or answer).encode(),
            ) from error

    def _meant(self, error: Any, method: str, params: dict[str, Any], attempt: int) -> DeleverageError:
        """One of our errors for one of ccxt's."""
        ccxt = self._ccxt
        found = f"{self.source}: expected an answer, found {short(error)}"
        said: dict[str, Any] = {"source": self.source, "status": self._status, "attempt": attempt}
        if self._status in (418, 429) or isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection):
            return RateLimited(
                f"{found} (try {attempt})",
                hint="repeat the command later: it goes on where it was",
                retry_after_s=self._header_wait(),
                **said,
            )
        # NetworkError and BadResponse with all their kinds, and a failure of the venue's own.
        if self._status >= 500 or isinstance(error, ccxt.OperationFailed):
            return SourceUnavailable(
                f"{found} (try {attempt})", hint="try again later; what was fetched before is kept", **said
            )
        if isinstance(error, ccxt.AuthenticationError | ccxt.RestrictedLocation):
            return SourceUnavailable(
                found, hint="the venue does not serve this address or country", final=True, **said
            )
        if isinstance(error, ccxt.BadSymbol):
            return InputError(
                f"{self.source}: expected a contract of the venue, found one that it refuses: {short(error)}",
                hint="Use the venue's own name of the contract.",
                **said,
            )
        return SourceChanged(  # the venue understood the question and said no
            f"{self.source}: expected an answer to {method} {params}, found {short(error)}",
            hint="nothing of it was kept; check the symbol, or the venue has changed",
            **said,
        )

    def _header_wait(self) -> float | None:
        headers = self._exchange.last_response_headers or {}
        return retry_after_s(headers.get("Retry-After"))

    def _note_clock(self) -> None:
        headers = self._exchange.last_response_headers or {}
        try:
            moment = parsedate_to_datetime(headers.get("Date", ""))
        except (TypeError, ValueError):
            return
        self.server_ns = int(moment.timestamp()) * 1_000_000_000


def short(error: Exception) -> str:
    """An error in one line of at most some 200 letters."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}"
