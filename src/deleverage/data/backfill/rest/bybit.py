"""What does Bybit's REST interface give?

Endpoints of bybit-exchange.github.io/docs/v5 (read 2026-11), newest rows first: kline (1,000 a page),
funding/history (200), open-interest (200, every 5 minutes), mark-price-kline for the price at which open
interest is valued. Trades: the last 1,000 only, which is no history. Inverse contracts count dollars: they
become coins here.
"""

from __future__ import annotations

from typing import Any, ClassVar

from deleverage.data.backfill.ccxt_door import Venue
from deleverage.data.backfill.paging import Page, Row, by_time
from deleverage.data.backfill.request import INTERVALS_S
from deleverage.data.backfill.rest.base import (
    INTEREST_S,
    Contract,
    amount,
    bar,
    bars_of,
    interest,
    interval_name,
    listed,
    positive,
    rate,
    settlements,
)
from deleverage.errors import InputError

_PAGE = 1000
_SHORT_PAGE = 200
_QUOTES = ("USDT", "USDC", "PERP", "USD")


class Bybit:
    """Linear and inverse contracts of Bybit."""

    venue = "bybit"
    intervals: ClassVar[dict[str, str]] = {
        **{f"{n}m": str(n) for n in (1, 3, 5, 15, 30)},
        **{f"{n}h": str(60 * n) for n in (1, 2, 4, 6, 12)},
        "1d": "D",
        "1w": "W",
    }

    def contract(self, symbol: str) -> Contract:
        """BTCUSDT, BTCPERP (both linear) or BTCUSD (inverse); dated ones have a tail: BTCUSDT-26DEC25."""
        head, _, tail = symbol.partition("-")
        for quote in _QUOTES:
            if head.endswith(quote) and len(head) > len(quote):
                return Contract(self.venue, "future" if tail else "perp", head[: -len(quote)], symbol)
        raise InputError(
            f"{symbol}: expected a contract of bybit like BTCUSDT or BTCUSD, found another",
            hint="Use the venue's own name of the contract.",
        )

    def oldest_ns(self, kind: str, interval_s: int, now_ns: int) -> int | None:
        """Everything since listing."""
        return None

    def fetch(
        self, venue: Venue, kind: str, contract: Contract, interval: str, start_ms: int, end_ms: int
    ) -> tuple[dict[str, list[Row]], list[str]]:
        """Rows of one kind."""
        if kind == "klines":
            return {"candles": self._klines(venue, contract, interval, start_ms, end_ms)}, []
        if kind == "funding":
            return {"funding": self._funding(venue, contract, start_ms, end_ms)}, []
        return self._interest(venue, contract, start_ms, end_ms)

    def _klines(self, venue: Venue, contract: Contract, interval: str, start: int, end: int) -> list[Row]:
        step = INTERVALS_S[interval] * 1000
        size = 6 if _inverse(contract) else 5  # of an inverse contract the turnover is in coins

        def read(answer: Any) -> list[Row]:
            return [
                bar(r[0], (r[1], r[2], r[3], r[4]), volume_coins=amount(r[size], "volume"))
                for r in _rows(answer)
            ]

        rows = self._bars(venue, contract, "publicGetV5MarketKline", interval, start, end, read)
        return bars_of(rows, contract, step // 1000)

    def _bars(
        self, venue: Venue, contract: Contract, method: str, interval: str, start: int, end: int, read: Any
    ) -> list[Row]:
        step = INTERVALS_S[interval] * 1000
        name = interval_name(self, interval)

        def page(low: int, high: int) -> Page:
            asked = {**_of(contract), "interval": name, "start": low, "end": high - 1, "limit": _PAGE}
            rows = venue.ask(method, asked, read)
            return Page(rows, len(rows) >= _PAGE)

        return by_time(page, start, end, window=(_PAGE - 1) * step, least=step, what=contract.symbol)

    def _funding(self, venue: Venue, contract: Contract, start: int, end: int) -> list[Row]:
        def read(answer: Any) -> list[Row]:
            return [
                {"time": int(one["fundingRateTimestamp"]), "rate": rate(one["fundingRate"])}
                for one in _rows(answer)
            ]

        def page(low: int, high: int) -> Page:
            asked = {**_of(contract), "startTime": low, "endTime": high - 1, "limit": _SHORT_PAGE}
            rows = venue.ask("publicGetV5MarketFundingHistory", asked, read)
            return Page(rows, len(rows) >= _SHORT_PAGE)

        return settlements(page, contract, start, end, _SHORT_PAGE - 1)

    def _interest(
        self, venue: Venue, contract: Contract, start: int, end: int
    ) -> tuple[dict[str, list[Row]], list[str]]:
        def read(answer: Any) -> list[Row]:
            return [
                {"time": int(one["timestamp"]), "size": amount(one["openInterest"], "open interest")}
                for one in _rows(answer)
            ]

        def page(low: int, high: int) -> Page:
            asked = {
                **_of(contract),
                "intervalTime": "5min",
                "startTime": low,
                "endTime": high - 1,
                "limit": _SHORT_PAGE,
            }
            rows = venue.ask("publicGetV5MarketOpenInterest", asked, read)
            return Page(rows, len(rows) >= _SHORT_PAGE)

        def mark(answer: Any) -> list[Row]:
            return [{"time": int(row[0]), "price": positive(row[1], "mark price")} for row in _rows(answer)]

        step = INTEREST_S * 1000
        rows = by_time(page, start, end, window=(_SHORT_PAGE - 1) * step, least=step, what=contract.symbol)
        marks = self._bars(venue, contract, "publicGetV5MarketMarkPriceKline", "5m", start, end, mark)
        price = {row["time"]: row["price"] for row in marks}
        found = [
            _interest(row, price[row["time"]], contract)
            for row in rows
            if row["time"] in price and row["size"] > 0
        ]
        notes = (
            []
            if len(found) == len(rows)
            else [f"{len(rows) - len(found)} rows have no mark price or are zero: left out"]
        )
        return {"open_interest": found}, notes


def _inverse(contract: Contract) -> bool:
    head = contract.symbol.partition("-")[0]
    return head.endswith("USD")


def _of(contract: Contract) -> dict[str, Any]:
    return {"category": "inverse" if _inverse(contract) else "linear", "symbol": contract.symbol}


def _rows(answer: Any) -> list[Any]:
    return listed(answer["result"]["list"])


def _interest(row: Row, price: float, contract: Contract) -> Row:
    size = row["size"]
    if _inverse(contract):  # counted in dollars, else in coins
        return interest(contract, row["time"], size / price, size, price)
    return interest(contract, row["time"], size, size * price, price)
