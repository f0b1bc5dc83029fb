"""What does OKX's REST interface give?

Endpoints of www.okx.com/docs-v5 (read 2026-11), newest rows first, edges exclusive: history-candles (100 a
page; coins are in the seventh field, the sixth counts contracts), funding-rate-history (100 a page, about
three months), open-interest-history (100 a page, contracts, coins and dollars), history-trades (100 a page,
about three months).
"""

from __future__ import annotations

from typing import Any, ClassVar

from deleverage.data.backfill.ccxt_door import Venue
from deleverage.data.backfill.days import DAY_NS
from deleverage.data.backfill.paging import Page, Row, backwards, by_time
from deleverage.data.backfill.request import INTERVALS_S
from deleverage.data.backfill.rest.base import (
    INTEREST_S,
    Contract,
    amount,
    bar,
    bars_of,
    interest_of,
    interval_name,
    listed,
    positive,
    rate,
    same,
    settlements,
    traded,
)
from deleverage.data.sources.base import Instrument
from deleverage.errors import InputError

_PAGE = 100


class Okx:
    """Swaps and futures of OKX."""

    venue = "okx"
    intervals: ClassVar[dict[str, str]] = {
        **same("1m", "3m", "5m", "15m", "30m"),
        **{f"{n}h": f"{n}H" for n in (1, 2, 4)},
        **{f"{n}h": f"{n}Hutc" for n in (6, 12)},
        "1d": "1Dutc",
        "1w": "1Wutc",
    }

    def __init__(self) -> None:
        self._units: dict[str, Instrument] = {}

    def contract(self, symbol: str) -> Contract:
        """BTC-USDT-SWAP, or BTC-USD-261225."""
        parts = symbol.split("-")
        if len(parts) != 3 or parts[1] not in ("USDT", "USDC", "USD"):
            raise InputError(
                f"{symbol}: expected a contract of okx like BTC-USDT-SWAP, found another",
                hint="Use the venue's own name of the contract.",
            )
        return Contract(self.venue, "perp" if parts[2] == "SWAP" else "future", parts[0], symbol)

    def oldest_ns(self, kind: str, interval_s: int, now_ns: int) -> int | None:
        """Funding and trades of about three months; open interest every five minutes of 1,440 rows."""
        days = {"funding": 90, "trades": 90, "open_interest": 5}.get(kind)
        return None if days is None else now_ns - days * DAY_NS

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

        def read(answer: Any) -> list[Row]:
            return [
                bar(r[0], (r[1], r[2], r[3], r[4]), volume_coins=amount(r[6], "volume"), final=str(r[8]))
                for r in _rows(answer)
            ]

        def page(low: int, high: int) -> Page:
            asked = {"instId": contract.symbol, "bar": name, "after": high, "before": low - 1, "limit": _PAGE}
            rows = venue.ask("publicGetMarketHistoryCandles", asked, read)
            return Page([row for row in rows if row["final"] == "1"], len(rows) >= _PAGE)

        rows = by_time(page, start, end, window=(_PAGE - 1) * step, least=step, what=contract.symbol)
        return bars_of(rows, contract, step // 1000)

    def _funding(self, venue: Venue, contract: Contract, start: int, end: int) -> list[Row]:
        def read(answer: Any) -> list[Row]:
            # The settled rate; the other one is what was predicted.
            return [
                {"time": int(one["fundingTime"]), "rate": rate(one["realizedRate"] or one["fundingRate"])}
                for one in _rows(answer)
            ]

        def page(low: int, high: int) -> Page:
            asked = {"instId": contract.symbol, "after": high, "before": low - 1, "limit": _PAGE}
            rows = venue.ask("publicGetPublicFundingRateHistory", asked, read)
            return Page(rows, len(rows) >= _PAGE)

        return settlements(page, contract, start, end, _PAGE - 1)

    def _interest(self, venue: Venue, contract: Contract, start: int, end: int) -> list[Row]:
        def read(answer: Any) -> list[Row]:
            return [
                {
                    "time": int(row[0]),
                    "coins": amount(row[2], "open interest"),
                    "usd": amount(row[3], "open interest"),
                }
                for row in _rows(answer)
            ]

        def page(low: int, high: int) -> Page:
            asked = {"instId": contract.symbol, "period": "5m", "begin": low - 1, "end": high, "limit": _PAGE}
            rows = venue.ask("publicGetRubikStatContractsOpenInterestHistory", asked, read)
            return Page(rows, len(rows) >= _PAGE)

        step = INTEREST_S * 1000
        rows = by_time(page, start, end, window=(_PAGE - 2) * step, least=step, what=contract.symbol)
        return interest_of(rows, contract)

    def _trades(
        self, venue: Venue, contract: Contract, start: int, end: int
    ) -> tuple[dict[str, list[Row]], list[str]]:
        unit = self._unit(venue, contract)

        def read(answer: Any) -> list[Row]:
            return [_trade(one) for one in _rows(answer)]

        def newest(before_ms: int) -> Page:
            asked = {"instId": contract.symbol, "type": "2", "after": before_ms, "limit": _PAGE}
            rows = venue.ask("publicGetMarketHistoryTrades", asked, read)
            return Page(rows, len(rows) >= _PAGE)

        def before(number: int) -> Page:
            asked = {"instId": contract.symbol, "type": "1", "after": number, "limit": _PAGE}
            rows = venue.ask("publicGetMarketHistoryTrades", asked, read)
            return Page(rows, len(rows) >= _PAGE)

        rows, reached = backwards(newest, before, start, end, what=contract.symbol)
        notes = (
            [] if reached or not rows else ["the venue's trades begin within the stretch that was asked for"]
        )
        found = []
        for row in rows:
            coins, usd = unit.amounts(row["size"], row["price"])
            found.append(traded(row, contract, str(row["number"]), coins, None, usd))
        return {"trades": found}, notes

    def _unit(self, venue: Venue, contract: Contract) -> Instrument:
        """What one contract is in coins or, where inverse, in dollars: as the collector takes it."""
        if contract.symbol not in self._units:
            asked = {"instType": "SWAP" if contract.kind == "perp" else "FUTURES", "instId": contract.symbol}

            def read(answer: Any) -> Instrument:
                (one,) = _rows(answer)
                if one["ctType"] not in ("linear", "inverse"):
                    raise ValueError(f"contract type {one['ctType']!r}")
                times = positive(one.get("ctMult") or "1", "multiple")
                size = positive(one["ctVal"], "size of a contract") * times
                if one["ctType"] == "inverse":
                    return Instrument(contract.symbol, contract.coin, contract_coins=None, contract_usd=size)
                return Instrument(contract.symbol, contract.coin, contract_coins=size)

            self._units[contract.symbol] = venue.ask("publicGetPublicInstruments", asked, read)
        return self._units[contract.symbol]


def _rows(answer: Any) -> list[Any]:
    return listed(answer["data"])


def _trade(one: dict[str, Any]) -> Row:
    if one["side"] not in ("buy", "sell"):
        raise ValueError(f"side {one['side']!r}")
    return {
        "number": int(one["tradeId"]),
        "time": int(one["ts"]),
        "price": positive(one["px"], "price"),
        "size": positive(one["sz"], "size"),
        "side": one["side"],
    }
