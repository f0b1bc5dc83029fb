"""What does Binance's REST interface give of USD-margined contracts?

Endpoints of developers.binance.com, USD-M futures (read 2026-11): klines (1,000 a page used), fundingRate
(1,000), openInterestHist (500 a page, the last 30 days only), aggTrades (1,000, numbered without holes).
"""

from __future__ import annotations

from typing import Any, ClassVar

from deleverage.data.backfill.archive_rows import Series
from deleverage.data.backfill.ccxt_door import Venue
from deleverage.data.backfill.days import DAY_NS
from deleverage.data.backfill.paging import Page, Row, by_number, by_time
from deleverage.data.backfill.request import INTERVALS_S
from deleverage.data.backfill.rest.base import (
    HOUR_MS,
    INTEREST_S,
    Contract,
    amount,
    bar,
    bars_of,
    interest_of,
    interval_name,
    listed,
    missing_numbers,
    positive,
    rate,
    same,
    settlements,
    traded,
)

_PAGE = 1000
_INTEREST_PAGE = 500


class Binance:
    """USD-margined futures of Binance."""

    venue = "binance"
    intervals: ClassVar[dict[str, str]] = same(
        "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w"
    )

    def contract(self, symbol: str) -> Contract:
        """BTCUSDT, or BTCUSDT_260327 for a dated one."""
        series = Series("klines", "futures/um", symbol)
        return Contract(self.venue, series.contract, series.coin, symbol)

    def oldest_ns(self, kind: str, interval_s: int, now_ns: int) -> int | None:
        """Open interest of the last 30 days only; a day less, so that no answer is refused at the edge."""
        return now_ns - 29 * DAY_NS if kind == "open_interest" else None

    def fetch(
        self, venue: Venue, kind: str, contract: Contract, interval: str, start_ms: int, end_ms: int
    ) -> tuple[dict[str, list[Row]], list[str]]:
        """Rows of one kind."""
        if kind == "klines":
            return {"candles": self._klines(venue, contract, interval, start_ms, end_ms)}, []
        if kind == "funding":
            return {"funding": self._funding(venue, contract, start_ms, end_ms)}, []
        if kind == "open_interest":
            return {"open_interest": self._interest(venue, contract, start_ms, end_ms)}, []
        return self._trades(venue, contract, start_ms, end_ms)

    def _klines(self, venue: Venue, contract: Contract, interval: str, start: int, end: int) -> list[Row]:
        step = INTERVALS_S[interval] * 1000
        name = interval_name(self, interval)

        def page(low: int, high: int) -> Page:
            asked = {
                "symbol": contract.symbol,
                "interval": name,
                "startTime": low,
                "endTime": high - 1,
                "limit": _PAGE,
            }
            rows = venue.ask(
                "fapiPublicGetKlines", asked, lambda answer: [_kline(one) for one in listed(answer)]
            )
            return Page(rows, len(rows) >= _PAGE)

        rows = by_time(page, start, end, window=(_PAGE - 1) * step, least=step, what=contract.symbol)
        return bars_of(rows, contract, step // 1000)

    def _funding(self, venue: Venue, contract: Contract, start: int, end: int) -> list[Row]:
        def page(low: int, high: int) -> Page:
            asked = {"symbol": contract.symbol, "startTime": low, "endTime": high - 1, "limit": _PAGE}
            rows = venue.ask(
                "fapiPublicGetFundingRate",
                asked,
                lambda answer: [
                    {"time": int(one["fundingTime"]), "rate": rate(one["fundingRate"])}
                    for one in listed(answer)
                ],
            )
            return Page(rows, len(rows) >= _PAGE)

        return settlements(page, contract, start, end, _PAGE - 1)

    def _interest(self, venue: Venue, contract: Contract, start: int, end: int) -> list[Row]:
        def page(low: int, high: int) -> Page:
            asked = {
                "symbol": contract.symbol,
                "period": "5m",
                "startTime": low,
                "endTime": high - 1,
                "limit": _INTEREST_PAGE,
            }
            rows = venue.ask(
                "fapiDataGetOpenInterestHist", asked, lambda answer: [_interest(o) for o in listed(answer)]
            )
            return Page(rows, len(rows) >= _INTEREST_PAGE)

        step = INTEREST_S * 1000
        rows = by_time(page, start, end, window=(_INTEREST_PAGE - 1) * step, least=step, what=contract.symbol)
        return interest_of(rows, contract)

    def _trades(
        self, venue: Venue, contract: Contract, start: int, end: int
    ) -> tuple[dict[str, list[Row]], list[str]]:
        def ask(**asked: Any) -> list[Row]:
            found: list[Row] = venue.ask(
                "fapiPublicGetAggTrades",
                {"symbol": contract.symbol, **asked},
                lambda answer: [_trade(one) for one in listed(answer)],
            )
            return found

        # The first trade of the stretch: asked for hour by hour, as the venue wants it.
        first = None
        for low in range(start, end, HOUR_MS):
            rows = ask(startTime=low, endTime=min(low + HOUR_MS, end) - 1, limit=_PAGE)
            inside = [row["number"] for row in rows if low <= row["time"] < end]
            if inside:
                first = min(inside)
                break
        if first is None:
            return {"trades": []}, []

        def page(number: int) -> Page:
            rows = ask(fromId=number, limit=_PAGE)
            return Page(rows, len(rows) >= _PAGE)

        rows, holes = by_number(page, first, end, what=contract.symbol)
        found = [
            traded(row, contract, f"a{row['number']}", row["coins"], None)  # as `archive_rows.aggregated_id`
            for row in rows
            if row["time"] >= start
        ]
        return {"trades": found}, missing_numbers(holes)


def _kline(one: list[Any]) -> Row:
    return bar(
        one[0],
        (one[1], one[2], one[3], one[4]),
        volume_coins=amount(one[5], "volume"),
        taker_buy_coins=amount(one[9], "taker volume"),
        trades=int(one[8]),
    )


def _interest(one: dict[str, Any]) -> Row:
    return {
        "time": int(one["timestamp"]),
        "coins": amount(one["sumOpenInterest"], "open interest"),
        "usd": amount(one["sumOpenInterestValue"], "open interest"),
    }


def _trade(one: dict[str, Any]) -> Row:
    if str(one["m"]).lower() not in ("true", "false"):
        raise ValueError(f"maker side {one['m']!r}")
    return {
        "number": int(one["a"]),
        "time": int(one["T"]),
        "price": positive(one["p"], "price"),
        "coins": positive(one["q"], "quantity"),
        # The buyer's order was in the book: the taker sold.
        "side": "sell" if str(one["m"]).lower() == "true" else "buy",
    }
