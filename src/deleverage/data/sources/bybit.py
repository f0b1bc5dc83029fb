"""What does Bybit publish on its perpetuals, linear and inverse, and how is it read?

Sources, read in November 2026 from stored copies of the venue's pages (bybit-exchange.github.io/docs/v5):

- "All Liquidation" (`allLiquidation.{symbol}`, pushed every 500 ms): **all** liquidations. `S` is the side of
  the **position**, and `Buy` means that a long was liquidated; `v` is the executed size, `p` the bankruptcy
  price, so no fill price is known. It covers USDT, USDC and inverse contracts. The older topic
  `liquidation.{symbol}` gave at most one a second and is not read.
- "Orderbook": a snapshot, then deltas whose `u` grows by one; `u` = 1 is a snapshot after a restart of the
  service.
- "Ticker": a snapshot, then deltas; a field that is not there has not changed.
- "Connect": each category has a path of its own, `/v5/public/linear` and `/v5/public/inverse`, with the same
  topics; a client pings with `{"op": "ping"}` every 20 s.
- "Get Tickers", "Get Open Interest", by their examples of BTCUSD: sizes of an inverse contract are **US
  dollars** (a contract is one) and `openInterestValue` is coins. Of a linear one it is the other way about.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from deleverage.data.sources.base import (
    INTEREST_NS,
    MARKS_NS,
    BookChange,
    BookRule,
    Instrument,
    Parsed,
    Plan,
    Repeats,
    Request,
    Row,
    State,
    Venue,
    apart,
    ms,
    number,
    unknown_coin,
)

_TOPIC = {
    "liquidations": "allLiquidation",
    "trades": "publicTrade",
    "marks": "tickers",
    "open_interest": "tickers",
    "depth": "orderbook.200",
}
_FUNDING_S = 8 * 3600
_CLOSED = {"Buy": "long", "Sell": "short"}
_TAKER = {"Buy": "buy", "Sell": "sell"}


class Bybit(Venue):
    """Bybit perpetuals, linear and inverse."""

    name: ClassVar[str] = "bybit"
    version: ClassVar[int] = 2
    rest: ClassVar[str] = "https://api.bybit.com"
    socket: ClassVar[str] = "wss://stream.bybit.com"
    ping_text: ClassVar[str] = '{"op":"ping"}'
    book: ClassVar[BookRule] = BookRule(levels=200)
    feed: ClassVar[str] = "allLiquidation"

    def symbols(self, coin: str) -> tuple[str, ...]:
        """BTC is BTCUSDT; BTCUSDT, BTCPERP (in USDC) and BTCUSD (inverse) stand for themselves."""
        if not coin.isalnum():
            raise unknown_coin(self.name, coin)
        return (coin if coin.endswith(("USDT", "PERP", "USD")) and len(coin) > 4 else f"{coin}USDT",)

    def instrument_requests(self, symbols: tuple[str, ...]) -> list[Request]:
        """One request a contract."""
        return [
            Request(
                "instruments-info",
                "instruments",
                "/v5/market/instruments-info",
                symbol,
                (("category", _category(symbol)), ("symbol", symbol)),
            )
            for symbol in symbols
        ]

    def plans(self, symbols: tuple[str, ...], streams: tuple[str, ...]) -> list[Plan]:
        """Of each category, which has a path of its own: a connection for the books, one for the rest."""
        found = []
        categories = dict.fromkeys(map(_category, symbols))
        for category in categories:
            mine = tuple(symbol for symbol in symbols if _category(symbol) == category)
            for kind, here in apart(streams, _TOPIC):
                name = kind if category == "linear" else f"{kind}-{category}"
                topics = dict.fromkeys(f"{_TOPIC[stream]}.{symbol}" for stream in here for symbol in mine)
                message = json.dumps({"req_id": name, "op": "subscribe", "args": list(topics)})
                carried = mine if len(categories) > 1 else ()
                path = f"/v5/public/{category}"
                found.append(Plan(name, path, (message,), frozenset({name}), here, carried))
        return found

    def polls(self, symbols: tuple[str, ...], streams: tuple[str, ...]) -> list[Request]:
        """Settled funding has no stream."""
        return [
            Request(
                "funding-history",
                "funding",
                "/v5/market/funding/history",
                symbol,
                (("category", _category(symbol)), ("symbol", symbol), ("limit", "8")),
                every_s=600,
            )
            for symbol in symbols
            if "funding" in streams
        ]

    def resubscribe(self, symbol: str) -> tuple[str, ...]:
        """Leaving and joining the topic brings a snapshot."""
        topic = f"{_TOPIC['depth']}.{symbol}"
        return tuple(
            json.dumps({"req_id": f"{op}-{symbol}", "op": op, "args": [topic]})
            for op in ("unsubscribe", "subscribe")
        )

    def read(self, message: Any, received_ns: int, state: State) -> Parsed:
        """Read a message of a topic, an answer to a subscription, or a pong."""
        topic = message.get("topic")
        if topic is None:
            return _answer(message)
        head, _, symbol = topic.rpartition(".")
        instrument = state.instruments.get(symbol)
        if instrument is None:
            return Parsed("other")
        data, time_ns = message["data"], ms(message["ts"])
        if head == "publicTrade":
            rows = [self._trade(instrument, one, received_ns) for one in data]
            return Parsed("data", "trades", symbol, max(row[0] for row in rows), [("trades", rows)])
        if head == "allLiquidation":
            names = Repeats()
            rows = [
                self.liquidation(
                    instrument,
                    ms(one["T"]),
                    received_ns,
                    names.named(message["ts"], one["T"], one["s"], one["S"], one["v"], one["p"]),
                    _CLOSED[one["S"]],
                    float(one["v"]),
                    None,
                    float(one["p"]),
                )
                for one in data
            ]
            return Parsed(
                "data", "liquidations", symbol, max(row[0] for row in rows), [("liquidations", rows)]
            )
        if head.startswith("orderbook."):
            last = int(data["u"])
            change = BookChange(
                symbol,
                ms(message.get("cts", message["ts"])),
                message["type"] == "snapshot" or last == 1,
                [(p, q) for p, q in data["b"]],
                [(p, q) for p, q in data["a"]],
                last,
                last,
                last - 1,
            )
            return Parsed("data", "depth", symbol, time_ns, books=[change])
        if head == "tickers":
            return self._ticker(instrument, message["type"], data, time_ns, received_ns, state)
        return Parsed("other")

    def _trade(self, instrument: Instrument, one: Any, received_ns: int) -> Row:
        price = float(one["p"])
        coins, usd = instrument.amounts(float(one["v"]), price)
        return self.trade(
            instrument, ms(one["T"]), received_ns, one["i"], _TAKER[one["S"]], price, coins, usd
        )

    def _ticker(
        self, instrument: Instrument, kind: str, data: Any, time_ns: int, received_ns: int, state: State
    ) -> Parsed:
        symbol = instrument.symbol
        notes = state.notes("tickers")
        if kind == "snapshot" or symbol not in notes:
            notes[symbol] = {"marks": 0, "interest": 0}
        now: dict[str, Any] = notes[symbol]
        now.update(data)
        parsed = Parsed("data", "marks", symbol, time_ns)
        mark = number(now.get("markPrice"))
        if mark is None:  # deltas before the snapshot
            return parsed
        state.marks[symbol] = mark
        if abs(time_ns - now["marks"]) >= MARKS_NS:
            now["marks"] = time_ns
            due = now.get("nextFundingTime")
            row = self.mark(
                instrument,
                time_ns,
                received_ns,
                mark=mark,
                index=number(now.get("indexPrice")),
                last=number(now.get("lastPrice")),
                funding_rate=number(now.get("fundingRate")),
                next_funding_ns=ms(due) if due else None,
            )
            parsed.rows.append(("marks", [row]))
        size = number(now.get("openInterest"))
        if size is not None and abs(time_ns - now["interest"]) >= INTEREST_NS:
            now["interest"] = time_ns
            coins, usd = instrument.amounts(size, mark)
            value = number(now.get("openInterestValue"))
            if (
                value is not None and instrument.contract_usd is None
            ):  # of an inverse one it is coins, rounded
                usd = value
            parsed.rows.append(
                ("open_interest", [self.interest(instrument, time_ns, received_ns, coins, usd, mark)])
            )
        return parsed

    def read_answer(self, request: str, symbol: str, answer: Any, received_ns: int, state: State) -> Parsed:
        """Read the list of contracts or settled funding."""
        if answer["retCode"] != 0:
            raise ValueError(f"retCode {answer['retCode']}: {answer.get('retMsg')}")
        entries = answer["result"]["list"]
        if request == "instruments-info":
            for entry in entries:
                state.instruments[entry["symbol"]] = _instrument(entry)
            return Parsed("data", "instruments")
        if request == "funding-history":
            rates = [(ms(one["fundingRateTimestamp"]), float(one["fundingRate"])) for one in entries]
            return self.settlements(state.instruments[symbol], rates, received_ns, _FUNDING_S)
        raise ValueError(f"request '{request}'")


def _category(symbol: str) -> str:
    """The venue's word for the kind of contract, part of paths and of questions."""
    return "inverse" if symbol.endswith("USD") else "linear"


def _instrument(entry: Any) -> Instrument:
    if entry["contractType"].startswith("Inverse"):
        return Instrument(entry["symbol"], entry["baseCoin"], contract_coins=None, contract_usd=1.0)
    return Instrument(entry["symbol"], entry["baseCoin"])


def _answer(message: Any) -> Parsed:
    if message.get("op") in ("ping", "pong") or message.get("ret_msg") == "pong":
        return Parsed("pong")
    if message.get("op") in ("subscribe", "unsubscribe"):
        if message["success"]:
            return Parsed("ack", text=str(message.get("req_id", "")))
        return Parsed("refused", text=str(message.get("ret_msg")))
    return Parsed("other")
