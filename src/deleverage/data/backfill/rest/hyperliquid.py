"""What does Hyperliquid's REST interface give?

The info endpoint of hyperliquid.gitbook.io (read 2026-11): candleSnapshot (the newest 5,000 bars of an
interval, no older ones) and fundingHistory (500 a page, oldest first, hourly since launch).
"""

from __future__ import annotations

from typing import Any, ClassVar

from deleverage.data.backfill.ccxt_door import Venue
from deleverage.data.backfill.paging import Page, Row, by_time
from deleverage.data.backfill.request import INTERVALS_S
from deleverage.data.backfill.rest.base import (
    Contract,
    amount,
    bar,
    bars_of,
    interval_name,
    listed,
    rate,
    same,
    settlements,
)
from deleverage.errors import InputError

_BARS = 5000
_PAGE = 500


class Hyperliquid:
    """Perpetuals of Hyperliquid."""

    venue = "hyperliquid"
    intervals: ClassVar[dict[str, str]] = same(
        "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w"
    )

    def contract(self, symbol: str) -> Contract:
        """A coin: BTC, kPEPE."""
        if not symbol.isalnum():
            raise InputError(
                f"{symbol}: expected a coin of hyperliquid like BTC, found another",
                hint="Use the venue's own name.",
            )
        return Contract(self.venue, "perp", symbol, symbol)

    def oldest_ns(self, kind: str, interval_s: int, now_ns: int) -> int | None:
        """The newest 5,000 bars."""
        return now_ns - (_BARS - 1) * interval_s * 1_000_000_000 if kind == "klines" else None

    def fetch(
        self, venue: Venue, kind: str, contract: Contract, interval: str, start_ms: int, end_ms: int
    ) -> tuple[dict[str, list[Row]], list[str]]:
        """Rows of one kind."""
        if kind == "klines":
            return {"candles": self._klines(venue, contract, interval, start_ms, end_ms)}, []
        return {"funding": self._funding(venue, contract, start_ms, end_ms)}, []

    def _klines(self, venue: Venue, contract: Contract, interval: str, start: int, end: int) -> list[Row]:
        step = INTERVALS_S[interval] * 1000
        name = interval_name(self, interval)

        def read(answer: Any) -> list[Row]:
            return [
                bar(
                    one["t"],
                    (one["o"], one["h"], one["l"], one["c"]),
                    volume_coins=amount(one["v"], "volume"),
                    trades=int(one["n"]),
                )
                for one in listed(answer)
            ]

        def page(low: int, high: int) -> Page:
            wanted = {"coin": contract.symbol, "interval": name, "startTime": low, "endTime": high - 1}
            rows = venue.ask("publicPostInfo", {"type": "candleSnapshot", "req": wanted}, read)
            return Page(rows, len(rows) >= _BARS)

        rows = by_time(page, start, end, window=(_BARS - 2) * step, least=step, what=contract.symbol)
        return bars_of(rows, contract, step // 1000)

    def _funding(self, venue: Venue, contract: Contract, start: int, end: int) -> list[Row]:
        def read(answer: Any) -> list[Row]:
            return [{"time": int(one["time"]), "rate": rate(one["fundingRate"])} for one in listed(answer)]

        def page(low: int, high: int) -> Page:
            asked = {"type": "fundingHistory", "coin": contract.symbol, "startTime": low, "endTime": high - 1}
            rows = venue.ask("publicPostInfo", asked, read)
            return Page(rows, len(rows) >= _PAGE)

        return settlements(page, contract, start, end, _PAGE - 2)
