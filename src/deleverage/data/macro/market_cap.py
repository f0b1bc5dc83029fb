"""What do CoinGecko and CoinMarketCap answer about market capitalisation?

CoinGecko: `coins/{id}/market_chart/range` (lists of [ms, value]); the whole market only for a paid key.
CoinMarketCap: `quotes/historical` of coins and of the whole market, for a key. Values at 00:00 UTC are kept;
the one of this moment, which both append, is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from deleverage.data.backfill.days import DAY_NS, end_ns, start_ns
from deleverage.data.backfill.web import Web
from deleverage.errors import InputError

if TYPE_CHECKING:
    import polars as pl

TABLE = "market_caps"
TOTAL = "total"
_LATE_NS = 600_000_000_000  # a day's value is stamped within ten minutes of midnight
_IDS = {
    "BTC": "bitcoin",
    "ETH": "ethereum",
    "SOL": "solana",
    "XRP": "ripple",
    "BNB": "binancecoin",
    "DOGE": "dogecoin",
    "ADA": "cardano",
    "LINK": "chainlink",
    "HYPE": "hyperliquid",
    "TRX": "tron",
    "AVAX": "avalanche-2",
    "LTC": "litecoin",
    "DOT": "polkadot",
    "PAXG": "pax-gold",
    "XAUT": "tether-gold",
    "USDT": "tether",
    "USDC": "usd-coin",
}


@dataclass(frozen=True)
class CoinGecko:
    """CoinGecko's interface, with or without a paid key."""

    key: str = ""
    name = "coingecko"

    @property
    def base(self) -> str:
        """Its address."""
        return "https://pro-api.coingecko.com" if self.key else "https://api.coingecko.com"

    @property
    def headers(self) -> dict[str, str]:
        """What goes with a call."""
        return {"x-cg-pro-api-key": self.key} if self.key else {}

    @property
    def apart_s(self) -> float:
        """Shortest time between two calls [s]."""
        return 0.2 if self.key else 12.0

    def oldest_ns(self, now_ns: int) -> int | None:
        """Without a paid key the last 365 days; one less, so that no answer is refused at the edge."""
        return None if self.key else now_ns - 364 * DAY_NS

    def fetch(self, web: Web, base: str, symbol: str, first: date, last: date) -> pl.DataFrame:
        """Days of a coin (BTC, or NAME=coingecko-id) or of 'total'."""
        coin, _, given = symbol.partition("=")
        if coin == TOTAL:
            if not self.key:
                raise InputError(
                    "coingecko: expected a paid key for the whole market, found none",
                    hint="Set DELEVERAGE_COINGECKO_KEY, or ask coinmarketcap.",
                )
            days = max(1, (datetime.now(UTC).date() - first).days + 1)
            url = f"{base}/api/v3/global/market_cap_chart?{urlencode({'vs_currency': 'usd', 'days': days})}"
            return _between(
                web.get_json(url, read=lambda a: parse_gecko(a["market_cap_chart"], coin)), first, last
            )
        number = given or _IDS.get(coin)
        if number is None:
            raise InputError(
                f"coingecko: expected a coin of {', '.join(_IDS)}, or NAME=id, found '{symbol}'",
                hint="The id is the last part of the coin's address on the publisher's site, like bitcoin.",
            )
        asked = {
            "vs_currency": "usd",
            "from": start_ns(first) // 1_000_000_000,
            "to": end_ns(last) // 1_000_000_000,
            "interval": "daily",
        }
        url = f"{base}/api/v3/coins/{number}/market_chart/range?{urlencode(asked)}"
        return _between(web.get_json(url, read=lambda answer: parse_gecko(answer, coin)), first, last)


@dataclass(frozen=True)
class CoinMarketCap:
    """CoinMarketCap's interface; it wants a key."""

    key: str
    name = "coinmarketcap"
    base = "https://pro-api.coinmarketcap.com"
    apart_s = 2.0

    @property
    def headers(self) -> dict[str, str]:
        """What goes with a call."""
        return {"X-CMC_PRO_API_KEY": self.key}

    def oldest_ns(self, now_ns: int) -> int | None:
        """As the plan allows: the publisher says so itself."""
        return None

    def fetch(self, web: Web, base: str, symbol: str, first: date, last: date) -> pl.DataFrame:
        """Days of a coin or of 'total'."""
        asked: dict[str, str] = {
            "time_start": f"{first}T00:00:00Z",
            "time_end": datetime.fromtimestamp(end_ns(last) // 1_000_000_000, UTC).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            ),
            "interval": "1d",
            "convert": "USD",
        }
        path = "/v1/global-metrics/quotes/historical"
        if symbol != TOTAL:
            path, asked = "/v2/cryptocurrency/quotes/historical", {**asked, "symbol": symbol}
        url = f"{base}{path}?{urlencode(asked)}"
        return _between(web.get_json(url, read=lambda answer: parse_cmc(answer, symbol)), first, last)


def parse_gecko(answer: Any, coin: str) -> pl.DataFrame:
    """Rows of CoinGecko's lists; those of the whole market have names of their own."""
    caps = answer.get("market_caps") or answer["market_cap"]
    volumes = {int(time): value for time, value in answer.get("total_volumes") or answer["volume"]}
    prices = {int(time): value for time, value in answer.get("prices") or []}
    rows = []
    for time, cap in caps:
        at = _midnight(int(time) * 1_000_000)
        if at is None or not cap:
            continue  # a capitalisation of zero is one that nobody computed
        price = prices.get(int(time))
        supply = _number(cap) / _number(price) if price else None
        rows.append((at, "coingecko", coin, _number(cap), _optional(volumes.get(int(time))), supply))
    return _frame(rows)


def parse_cmc(answer: Any, symbol: str) -> pl.DataFrame:
    """Rows of CoinMarketCap's quotes."""
    status = answer["status"]
    if int(status["error_code"]):
        raise ValueError(f"the publisher says {status['error_message']!r}")
    data = answer["data"]
    if symbol != TOTAL:
        coins = [one for one in data[symbol] if one["quotes"]]
        if len(coins) != 1:
            raise ValueError(f"{len(coins)} coins are called {symbol}")
        data = coins[0]
    rows = []
    for quote in data["quotes"]:
        moment = datetime.fromisoformat(quote["timestamp"].replace("Z", "+00:00"))
        at = _midnight(int(moment.timestamp() * 1000) * 1_000_000)
        usd = quote["quote"]["USD"]
        cap = usd["total_market_cap" if symbol == TOTAL else "market_cap"]
        if at is None or not cap:
            continue
        volume = usd.get("total_volume_24h" if symbol == TOTAL else "volume_24h")
        supply = None if symbol == TOTAL else usd.get("circulating_supply")
        rows.append((at, "coinmarketcap", symbol, _number(cap), _optional(volume), _optional(supply)))
    return _frame(rows)


def _frame(rows: list[tuple[int, str, str, float, float | None, float | None]]) -> pl.DataFrame:
    import polars as pl

    once: dict[int, tuple[int, str, str, float, float | None, float | None]] = {}
    for row in rows:
        if once.setdefault(row[0], row) != row:
            raise ValueError(f"two values for {row[0]} ns")
    return pl.DataFrame(
        [once[time] for time in sorted(once)],
        schema={
            "time_ns": pl.Int64,
            "publisher": pl.String,
            "coin": pl.String,
            **dict.fromkeys(("usd", "volume_usd_24h", "supply_coins"), pl.Float64),
        },
        orient="row",
    )


def _between(frame: pl.DataFrame, first: date, last: date) -> pl.DataFrame:
    import polars as pl

    return frame.filter(pl.col("time_ns").is_between(start_ns(first), start_ns(last)))


def _midnight(time_ns: int) -> int | None:
    day = time_ns // DAY_NS * DAY_NS
    return day if time_ns - day <= _LATE_NS else None


def _number(value: Any) -> float:
    number = float(value)
    if not 0 <= number < 1e16:
        raise ValueError(f"{value!r} is no amount in dollars")
    return number


def _optional(value: Any) -> float | None:
    return None if value is None else _number(value)
