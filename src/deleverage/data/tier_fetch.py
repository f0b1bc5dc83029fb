"""How are margin tiers fetched from a venue itself? Through ccxt, an optional dependency.

What a venue answers becomes a file in the layout of `data.tier_store.FORMATS` and goes in through the same
door as a file that the user gives: recognised, checked, there whole or not at all.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deleverage.data.backfill.patience import retry_after_s
from deleverage.data.tier_store import TierImport, import_tiers
from deleverage.errors import DeleverageError, InputError, RateLimited, SourceChanged, SourceUnavailable

WAITS_S = (1.0, 4.0)
"""Pauses before another try when the venue does not answer, or asks for fewer calls."""
TIMEOUT_MS = 20_000
LONGEST_WAIT_S = 60.0
"""A venue that asks for a longer pause is left alone."""
_UNREAD = (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError)
_CCXT_NAMES = {"binance": "binanceusdm", "bybit": "bybit", "gate": "gate", "hyperliquid": "hyperliquid"}
_SIGNED = ("binance",)  # the bracket endpoint of Binance answers only to a key (reading rights are enough)


def update_tiers(
    venue: str,
    folder: Path,
    *,
    symbols: Sequence[str] = (),
    url: str = "",
    now: datetime | None = None,
    waits_s: Sequence[float] = WAITS_S,
) -> TierImport:
    """Fetch the tiers of a venue and keep them in the store at ``folder``, as of this moment.

    Parameters
    ----------
    symbols : contracts by the venue's own name or ccxt's; all of them by default.
    url : scheme and host of a server that speaks the venue's endpoints, instead of the venue's own.

    Raises
    ------
    InputError
        ccxt is not installed, the venue's tiers cannot be fetched so, a key is missing, an unknown contract.
    SourceError
        the venue does not answer, or not in a way that can be used; nothing was written.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    ccxt = _ccxt(venue)
    exchange = _exchange(ccxt, venue, url)
    content = _patiently(
        ccxt, exchange, venue, lambda: _fetched(ccxt, exchange, venue, tuple(symbols)), tuple(waits_s)
    )
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "ccxt" / f"{venue}_{moment:%Y-%m-%dT%H%M%SZ}.json"
        file.parent.mkdir()
        try:
            file.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")
            return import_tiers(file, folder, venue=venue, day=moment)
        except (InputError, TypeError, ValueError) as error:
            # The venue's words, not the caller's: what was answered is not what is documented.
            text = error.message if isinstance(error, DeleverageError) else str(error)
            raise SourceChanged(
                f"{venue}: expected an answer with usable tiers; {text}",
                hint="nothing was written; try again later, or import a file",
                venue=venue,
            ) from error


def _ccxt(venue: str) -> Any:
    if venue not in _CCXT_NAMES:
        raise InputError(
            f"expected a venue of {sorted(_CCXT_NAMES)} to fetch tiers from, found '{venue}'",
            hint="other venues' brackets are no notional in dollars; `deleverage rules import` reads files",
            venue=venue,
        )
    try:
        import ccxt
    except ImportError:
        raise InputError(
            "expected ccxt to be installed, found no such package",
            hint='Install it with the extra "collect": pip install "deleverage[collect]".',
        ) from None
    return ccxt


def _exchange(ccxt: Any, venue: str, url: str) -> Any:
    settings: dict[str, Any] = {"enableRateLimit": True, "timeout": TIMEOUT_MS}
    if venue in _SIGNED:
        names = {"apiKey": f"DELEVERAGE_{venue.upper()}_KEY", "secret": f"DELEVERAGE_{venue.upper()}_SECRET"}
        missing = [name for name in names.values() if not os.environ.get(name)]
        if missing:
            raise InputError(
                f"{venue}: expected a key in the environment, found no {' and no '.join(missing)}",
                hint="the venue gives its brackets to keys only (reading rights are enough); "
                "or import a file with `deleverage rules import`",
                venue=venue,
            )
        settings |= {key: os.environ[name] for key, name in names.items()}
    exchange = getattr(ccxt, _CCXT_NAMES[venue])(settings)
    # Only the contracts are asked for: lists of currencies and spot markets need other servers and rights.
    exchange.has["fetchCurrencies"] = False
    if venue == "bybit":
        exchange.options["fetchMarkets"] = {"types": ["linear"]}
    if venue == "gate":
        exchange.options |= {"defaultType": "swap", "fetchMarkets": {"types": ["swap"]}}
    if url:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise InputError(
                f"--url {url}: expected scheme and host, like http://127.0.0.1:8080, found {url!r}",
                hint="Leave it out to ask the venue itself.",
            )
        exchange.urls["api"] = _redirected(exchange.urls["api"], url.rstrip("/"))
    return exchange


def _redirected(urls: Any, base: str) -> Any:
    """The same paths at another server."""
    if isinstance(urls, dict):
        return {name: _redirected(one, base) for name, one in urls.items()}
    return base + urlsplit(urls).path if isinstance(urls, str) else urls


def _patiently(
    ccxt: Any, exchange: Any, venue: str, fetch: Callable[[], Any], waits_s: tuple[float, ...]
) -> Any:
    """What ``fetch`` gives; errors of the line are tried again, all others become one of ours."""
    for wait in (*waits_s, None):
        try:
            return fetch()
        except DeleverageError:  # an InputError of ours is a ValueError too
            raise
        except ccxt.NetworkError as error:  # with RateLimitExceeded, RequestTimeout and the like
            asked = retry_after_s((exchange.last_response_headers or {}).get("Retry-After"))
            if wait is None or (asked or 0) > LONGEST_WAIT_S:
                raise _unavailable(ccxt, venue, error, asked, len(waits_s) + 1) from error
            time.sleep(max(wait, asked or 0))
        except ccxt.AuthenticationError as error:  # with PermissionDenied
            raise InputError(
                f"{venue}: expected a key that may read, found {_short(error)}",
                hint=f"check DELEVERAGE_{venue.upper()}_KEY and DELEVERAGE_{venue.upper()}_SECRET",
                venue=venue,
            ) from error
        except ccxt.BadSymbol as error:
            raise InputError(
                f"{venue}: expected a contract of the venue, found one that it refuses: {_short(error)}",
                hint="Use the venue's own name of the contract.",
                venue=venue,
            ) from error
        except ccxt.ExchangeError as error:
            raise SourceChanged(
                f"{venue}: expected tiers, found that the venue refuses the question: {_short(error)}",
                hint="nothing was written; a newer ccxt may ask as the venue wants it, or import a file",
                venue=venue,
            ) from error
        except (ccxt.BaseError, *_UNREAD) as error:
            # ccxt reads answers without checking them: a missing field ends in an error of Python.
            raise SourceChanged(
                f"{venue}: expected the documented answer, found {_short(error)}",
                hint="nothing was written; try again later, or import a file",
                venue=venue,
            ) from error
    raise AssertionError("unreachable")


def _unavailable(
    ccxt: Any, venue: str, error: Exception, asked: float | None, tries: int
) -> SourceUnavailable:
    """The venue did not answer, or wants fewer calls."""
    text = f"{venue}: expected an answer, found {_short(error)}, {tries} times"
    hint = "nothing was written; try again later, or import a file"
    if isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection):
        return RateLimited(text, hint=hint, retry_after_s=asked, venue=venue)
    return SourceUnavailable(text, hint=hint, venue=venue)


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}"


def _fetched(ccxt: Any, exchange: Any, venue: str, symbols: tuple[str, ...]) -> Any:
    if venue == "hyperliquid":
        return _of_coins(exchange.publicPostInfo({"type": "metaAndAssetCtxs"}), symbols)
    exchange.load_markets()
    wanted = [_market(ccxt, exchange, venue, symbol) for symbol in symbols]
    if wanted and exchange.has.get("fetchMarketLeverageTiers") is True:
        content = {market: exchange.fetch_market_leverage_tiers(market) for market in wanted}
    else:
        content = exchange.fetch_leverage_tiers()
    missing = [market for market in wanted if not content.get(market)]
    if missing:
        raise SourceChanged(f"{venue}: expected tiers of {missing}, found none in the answer", venue=venue)
    return {
        market: [{**tier, "tier": position} for position, tier in enumerate(tiers, start=1)]
        for market, tiers in content.items()
        if not wanted or market in wanted
    }


def _market(ccxt: Any, exchange: Any, venue: str, symbol: str) -> str:
    """Name that ccxt has for a contract, which may be called by that or by the venue's own."""
    for candidate in [*exchange.markets_by_id.get(symbol, []), *filter(None, [exchange.markets.get(symbol)])]:
        if candidate.get("contract"):
            return str(candidate["symbol"])
    raise InputError(
        f"{venue}: expected a contract of the venue, found '{symbol}'",
        hint="Use the venue's own name, like BTCUSDT, or ccxt's, like BTC/USDT:USDT.",
        venue=venue,
        symbol=symbol,
    )


def _of_coins(content: Any, symbols: tuple[str, ...]) -> Any:
    """The reply of Hyperliquid with some of its coins only."""
    if not symbols:
        return content
    meta = content[0]
    universe = [coin for coin in meta["universe"] if coin.get("name") in symbols]
    missing = sorted(set(symbols) - {coin["name"] for coin in universe})
    if missing:
        raise InputError(
            f"hyperliquid: expected coins of the venue, found {missing}", hint="Use its names, like BTC."
        )
    return [{**meta, "universe": universe}]
