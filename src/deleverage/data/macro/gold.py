"""Where is gold traded day and night: PAXG and XAUT, tokens of an ounce each, on exchanges?

Bars through ccxt: PAXG on Binance (PAXGUSDT), XAUT on OKX (XAUT-USDT), both in USDT by the ounce. They go to
the table of macro series, beside the futures that daily files give, which do not trade at night and on
weekends.
"""

from __future__ import annotations

from typing import Any, ClassVar

from deleverage.data.backfill.ccxt_door import Venue
from deleverage.data.backfill.paging import Page, Row, by_time
from deleverage.data.backfill.request import INTERVALS_S
from deleverage.data.backfill.rest.base import Contract, amount, bar, interval_name, same
from deleverage.errors import InputError

_PAGE = 1000
_OKX_PAGE = 100
MARKETS = {"PAXG": ("binance", "PAXGUSDT"), "XAUT": ("okx", "XAUT-USDT")}
"""Token to the exchange by ccxt's name, and the exchange's name of the market."""


class Gold:
    """Bars of one token."""

    intervals: ClassVar[dict[str, str]] = {
        **same("1m", "3m", "5m", "15m", "30m"),
        **{f"{n}h": f"{n}h" for n in (1, 2, 4)},
        "1d": "1d",
    }
    venue: str

    def __init__(self, token: str) -> None:
        if token not in MARKETS:
            raise InputError(
                f"gold: expected one of {', '.join(MARKETS)}, found '{token}'", hint="Give a token."
            )
        self.venue, self.market = MARKETS[token]

    def contract(self, symbol: str) -> Contract:
        """The token's market."""
        return Contract(self.venue, "spot", symbol, self.market)

    def oldest_ns(self, kind: str, interval_s: int, now_ns: int) -> int | None:
        """Everything since listing."""
        return None

    def fetch(
        self, venue: Venue, kind: str, contract: Contract, interval: str, start_ms: int, end_ms: int
    ) -> tuple[dict[str, list[Row]], list[str]]:
        """Bars as rows of the table of macro series."""
        step = INTERVALS_S[interval] * 1000
        ask = self._okx if self.venue == "okx" else self._binance
        size = _OKX_PAGE if self.venue == "okx" else _PAGE

        def page(low: int, high: int) -> Page:
            return ask(venue, interval, low, high)

        rows = by_time(page, start_ms, end_ms, window=(size - 1) * step, least=step, what=contract.symbol)
        return {
            "macro": [
                {
                    "time_ns": row["time"] * 1_000_000,
                    "publisher": self.venue,
                    "symbol": self.market,
                    "interval_s": step // 1000,
                    **{name: row[name] for name in ("open", "high", "low", "close", "volume")},
                    "unit": "USDT/oz",
                }
                for row in rows
            ]
        }, []

    def _binance(self, venue: Venue, interval: str, low: int, high: int) -> Page:
        asked = {
            "symbol": self.market,
            "interval": interval_name(self, interval),
            "startTime": low,
            "endTime": high - 1,
            "limit": _PAGE,
        }

        def read(answer: Any) -> list[Row]:
            if not isinstance(answer, list):
                raise TypeError("a list was expected")
            return [bar(o[0], (o[1], o[2], o[3], o[4]), volume=amount(o[5], "volume")) for o in answer]

        rows = venue.ask("publicGetKlines", asked, read)
        return Page(rows, len(rows) >= _PAGE)

    def _okx(self, venue: Venue, interval: str, low: int, high: int) -> Page:
        name = {"1h": "1H", "2h": "2H", "4h": "4H", "1d": "1Dutc"}.get(interval, interval)
        asked = {"instId": self.market, "bar": name, "after": high, "before": low - 1, "limit": _OKX_PAGE}

        def read(answer: Any) -> list[Row]:
            return [
                bar(o[0], (o[1], o[2], o[3], o[4]), volume=amount(o[5], "volume"), final=str(o[8]))
                for o in answer["data"]
            ]

        rows = venue.ask("publicGetMarketHistoryCandles", asked, read)
        return Page([row for row in rows if row["final"] == "1"], len(rows) >= _OKX_PAGE)
