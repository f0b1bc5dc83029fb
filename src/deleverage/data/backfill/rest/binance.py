"""What does Binance's REST interface give of USD-margined contracts and of coin-margined perpetuals?

Endpoints of developers.binance.com, USD-M and COIN-M futures (read 2026-11): klines (1,000 a page used; of
COIN-M at most 200 days a question), fundingRate (1,000), openInterestHist (500 a page, the last 30 days only;
COIN-M asks for a pair and a kind of contract), aggTrades (1,000, numbered without holes). COIN-M counts
contracts, whose dollars exchangeInfo states; its bars have coins in the eighth and eleventh field, its open
interest in `sumOpenInterestValue`.
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
from deleverage.data.sources.base import Instrument, State
from deleverage.data.sources.binance import Binance as Stream
from deleverage.errors import InputError, SourceChanged

_PAGE = 1000
_INTEREST_PAGE = 500
_LONGEST_MS = 199 * 24 * HOUR_MS
"""Of bars of coin-margined contracts at most 200 days may be asked for at once."""


class Binance:
    """USD-margined futures and coin-margined perpetuals of Binance."""

    venue = "binance"
    intervals: ClassVar[dict[str, str]] = same(
        "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w"
    )

    def __init__(self) -> None:
        self._units: dict[str, Instrument] = {}

    def contract(self, symbol: str) -> Contract:
        """BTCUSDT, BTCUSDT_260327 (dated), or BTCUSD_PERP (coin-margined)."""
        if _by_coin(symbol):
            coin = Series("klines", "futures/cm", symbol).coin
            return Contract(self.venue, "perp", coin, symbol)
        series = Series("klines", "futures/um", symbol)
        pair = symbol.partition("_")[0]
        if pair == f"{series.coin}USD":
            raise InputError(
                f"{symbol}: expected a contract of Binance like BTCUSDT or {pair}_PERP, found another",
                hint="Of coin-margined contracts only the perpetuals are read, not the dated ones.",
            )
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
            rows = venue.ask(method, asked, lambda answer: [_kline(one, fields) for one in listed(answer)])
            return Page(rows, len(rows) >= _PAGE)

        by_coin = _by_coin(contract.symbol)
        method = _method(contract, "GetKlines")
        fields = (7, 10) if by_coin else (5, 9)
        window = min((_PAGE - 1) * step, _LONGEST_MS) if by_coin else (_PAGE - 1) * step
        rows = by_time(page, start, end, window=window, least=step, what=contract.symbol)
        return bars_of(rows, contract, step // 1000)

    def _funding(self, venue: Venue, contract: Contract, start: int, end: int) -> list[Row]:
        def page(low: int, high: int) -> Page:
            asked = {"symbol": contract.symbol, "startTime": low, "endTime": high - 1, "limit": _PAGE}
            rows = venue.ask(
                _method(contract, "GetFundingRate"),
                asked,
                lambda answer: [
                    {"time": int(one["fundingTime"]), "rate": rate(one["fundingRate"])}
                    for one in listed(answer)
                ],
            )
            return Page(rows, len(rows) >= _PAGE)

        return settlements(page, contract, start, end, _PAGE - 1)

    def _interest(self, venue: Venue, contract: Contract, start: int, end: int) -> list[Row]:
        of: dict[str, Any]
        if _by_coin(contract.symbol):
            unit = self._unit(venue, contract)
            of = {"pair": contract.symbol.partition("_")[0], "contractType": "PERPETUAL"}
            method = "dapiDataGetOpenInterestHist"
        else:
            unit = None
            of, method = {"symbol": contract.symbol}, "fapiDataGetOpenInterestHist"

        def page(low: int, high: int) -> Page:
            asked = {**of, "period": "5m", "startTime": low, "endTime": high - 1, "limit": _INTEREST_PAGE}
            rows = venue.ask(method, asked, lambda answer: [_interest(one, unit) for one in listed(answer)])
            return Page(rows, len(rows) >= _INTEREST_PAGE)

        step = INTEREST_S * 1000
        rows = by_time(page, start, end, window=(_INTEREST_PAGE - 1) * step, least=step, what=contract.symbol)
        return interest_of(rows, contract)

    def _trades(
        self, venue: Venue, contract: Contract, start: int, end: int
    ) -> tuple[dict[str, list[Row]], list[str]]:
        method = _method(contract, "GetAggTrades")
        unit = self._unit(venue, contract)

        def ask(**asked: Any) -> list[Row]:
            found: list[Row] = venue.ask(
                method,
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
        found = []
        for row in rows:
            if row["time"] >= start:
                coins, usd = unit.amounts(row["size"], row["price"])
                name = f"a{row['number']}"  # as `archive_rows.aggregated_id`
                found.append(traded(row, contract, name, coins, None, usd))
        return {"trades": found}, missing_numbers(holes)

    def _unit(self, venue: Venue, contract: Contract) -> Instrument:
        """What one of the venue's sizes is, as the collector takes it: a coin, or a contract in dollars."""
        if not _by_coin(contract.symbol):
            return Instrument(contract.symbol, contract.coin)
        if contract.symbol not in self._units:

            def read(answer: Any) -> dict[str, Instrument]:
                state = State()
                Stream().read_answer("exchangeInfo", "", answer, 0, state)
                return state.instruments

            self._units |= venue.ask("dapiPublicGetExchangeInfo", {}, read)
        unit = self._units.get(contract.symbol)
        if unit is None:
            raise InputError(
                f"{contract.symbol}: expected a coin-margined perpetual that Binance lists, found none",
                hint="Use the venue's own name of the contract, like BTCUSD_PERP.",
            )
        if unit.contract_usd is None:
            raise SourceChanged(
                f"binance-rest: expected the dollars of a contract of {contract.symbol}, found none",
                hint="nothing of it was kept; the venue has changed",
            )
        return unit


def _by_coin(symbol: str) -> bool:
    """Whether a contract is margined in the coin, as the collector asks."""
    return symbol.endswith("USD_PERP")


def _method(contract: Contract, question: str) -> str:
    """The name that ccxt gives to a question about a contract."""
    return f"{'dapi' if _by_coin(contract.symbol) else 'fapi'}Public{question}"


def _kline(one: list[Any], fields: tuple[int, int]) -> Row:
    volume, taker = fields
    return bar(
        one[0],
        (one[1], one[2], one[3], one[4]),
        volume_coins=amount(one[volume], "volume"),
        taker_buy_coins=amount(one[taker], "taker volume"),
        trades=int(one[8]),
    )


def _interest(one: dict[str, Any], unit: Instrument | None) -> Row:
    """Open interest in coins and dollars; ``unit`` of a coin-margined contract, whose value is in coins."""
    size = amount(one["sumOpenInterest"], "open interest")
    value = amount(one["sumOpenInterestValue"], "open interest")
    coins, usd = (size, value) if unit is None else (value, size * (unit.contract_usd or 0.0))
    return {"time": int(one["timestamp"]), "coins": coins, "usd": usd}


def _trade(one: dict[str, Any]) -> Row:
    if str(one["m"]).lower() not in ("true", "false"):
        raise ValueError(f"maker side {one['m']!r}")
    return {
        "number": int(one["a"]),
        "time": int(one["T"]),
        "price": positive(one["p"], "price"),
        "size": positive(one["q"], "quantity"),
        # The buyer's order was in the book: the taker sold.
        "side": "sell" if str(one["m"]).lower() == "true" else "buy",
    }
