"""What does Deribit's REST interface give?

Endpoints of docs.deribit.com (read 2026-11): get_tradingview_chart_data (volume in coins),
get_funding_rate_history (hourly, 744 a page; funding itself is continuous, the hour's interest is taken as
the rate), get_last_trades_by_ instrument (1,000 a page, numbered without holes). Forced trades are marked:
which side of them was liquidated. Inverse contracts count dollars: they become coins here.
"""

from __future__ import annotations

from typing import Any, ClassVar

from deleverage.data.backfill.ccxt_door import Venue
from deleverage.data.backfill.paging import Page, Row, by_number, by_time
from deleverage.data.backfill.request import INTERVALS_S
from deleverage.data.backfill.rest.base import (
    HOUR_MS,
    Contract,
    amount,
    bar,
    bars_of,
    interval_name,
    missing_numbers,
    named,
    positive,
    rate,
    traded,
)
from deleverage.errors import InputError

_BARS = 1000
_FUNDING_PAGE = 744
_PAGE = 1000
_TRADES = "publicGetGetLastTradesByInstrument"
_OPPOSITE = {"buy": "sell", "sell": "buy"}


class Deribit:
    """Perpetuals and dated futures of Deribit."""

    venue = "deribit"
    intervals: ClassVar[dict[str, str]] = {
        **{f"{n}m": str(n) for n in (1, 3, 5, 15, 30)},
        **{f"{n}h": str(60 * n) for n in (1, 2, 6, 12)},
        "1d": "1D",
    }

    def contract(self, symbol: str) -> Contract:
        """BTC-PERPETUAL (inverse), BTC_USDC-PERPETUAL (linear), BTC-26DEC25."""
        head, _, tail = symbol.partition("-")
        if not tail or "-" in tail:
            raise InputError(
                f"{symbol}: expected a future of deribit like BTC-PERPETUAL, found another",
                hint="Use the venue's own name of the contract; options are not read.",
            )
        return Contract(
            self.venue, "perp" if tail == "PERPETUAL" else "future", head.partition("_")[0], symbol
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
        rows, notes = self._trades(venue, contract, start_ms, end_ms)
        if kind == "trades":
            found = [
                traded(row, contract, row["id"], _coins(row, contract), bool(row["forced"])) for row in rows
            ]
            return {"trades": found}, notes
        return {"liquidations": [forced for row in rows for forced in _forced(row, contract)]}, notes

    def _klines(self, venue: Venue, contract: Contract, interval: str, start: int, end: int) -> list[Row]:
        step = INTERVALS_S[interval] * 1000
        name = interval_name(self, interval)

        def read(answer: Any) -> list[Row]:
            result = answer["result"]
            if result["status"] not in ("ok", "no_data"):
                raise ValueError(f"status {result['status']!r}")
            columns = [result[one] for one in ("ticks", "open", "high", "low", "close", "volume")]
            return [
                bar(t, (o, h, low, c), volume_coins=amount(v, "volume"))
                for t, o, h, low, c, v in zip(*columns, strict=True)
            ]

        def page(low: int, high: int) -> Page:
            asked = {
                "instrument_name": contract.symbol,
                "resolution": name,
                "start_timestamp": low,
                "end_timestamp": high - 1,
            }
            rows = venue.ask("publicGetGetTradingviewChartData", asked, read)
            return Page(rows, False)  # far below the longest answer: whole, or the hole is seen as a gap

        rows = by_time(page, start, end, window=_BARS * step, least=step, what=contract.symbol)
        return bars_of(rows, contract, step // 1000)

    def _funding(self, venue: Venue, contract: Contract, start: int, end: int) -> list[Row]:
        def read(answer: Any) -> list[Row]:
            return [{"time": int(o["timestamp"]), "rate": rate(o["interest_1h"])} for o in answer["result"]]

        def page(low: int, high: int) -> Page:
            asked = {"instrument_name": contract.symbol, "start_timestamp": low, "end_timestamp": high - 1}
            rows = venue.ask("publicGetGetFundingRateHistory", asked, read)
            return Page(rows, len(rows) >= _FUNDING_PAGE)

        window = (_FUNDING_PAGE - 2) * HOUR_MS
        rows = by_time(page, start, end, window=window, least=1000, what=contract.symbol)
        return [
            {
                "time_ns": row["time"] * 1_000_000,
                **named(contract, kind=False),
                "interval_s": 3600,
                "rate": row["rate"],
            }
            for row in rows
        ]

    def _trades(self, venue: Venue, contract: Contract, start: int, end: int) -> tuple[list[Row], list[str]]:
        def read(answer: Any) -> list[Row]:
            return [_trade(one) for one in answer["result"]["trades"]]

        asked = {
            "instrument_name": contract.symbol,
            "start_timestamp": start,
            "end_timestamp": end - 1,
            "count": 1,
            "sorting": "asc",
        }
        first = venue.ask("publicGetGetLastTradesByInstrumentAndTime", asked, read)
        if not first:
            return [], []

        def page(number: int) -> Page:
            wanted = {
                "instrument_name": contract.symbol,
                "start_seq": number,
                "count": _PAGE,
                "sorting": "asc",
            }
            rows = venue.ask(_TRADES, wanted, read)
            return Page(rows, len(rows) >= _PAGE)

        rows, holes = by_number(page, min(row["number"] for row in first), end, what=contract.symbol)
        return [row for row in rows if row["time"] >= start], missing_numbers(holes)


def _trade(one: dict[str, Any]) -> Row:
    if one["direction"] not in ("buy", "sell"):
        raise ValueError(f"direction {one['direction']!r}")
    forced = one.get("liquidation") or ""
    if forced not in ("", "M", "T", "MT"):
        raise ValueError(f"liquidation {forced!r}")
    return {
        "number": int(one["trade_seq"]),
        "id": str(one["trade_id"]),
        "time": int(one["timestamp"]),
        "price": positive(one["price"], "price"),
        "size": positive(one["amount"], "amount"),
        "side": one["direction"],
        "forced": forced,
    }


def _coins(row: Row, contract: Contract) -> float:
    linear = "_" in contract.symbol.partition("-")[0]
    size, price = float(row["size"]), float(row["price"])
    return size if linear else size / price


def _forced(row: Row, contract: Contract) -> list[Row]:
    """The positions that a trade closed by force: the maker's, the taker's, or both."""
    coins = _coins(row, contract)
    found = []
    for party in row["forced"]:
        order = row["side"] if party == "T" else _OPPOSITE[row["side"]]
        found.append(
            {
                "time_ns": row["time"] * 1_000_000,
                **named(contract),
                "event_id": f"{row['id']}-{party}",
                "side": "long" if order == "sell" else "short",
                "coins": coins,
                "price": row["price"],
                "order_price": None,
                "usd": coins * row["price"],
                "usd_at": "fill",
                "feed": "trades",
            }
        )
    return found
