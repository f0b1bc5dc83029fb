"""What does OKX publish on its perpetual swaps, and how is it read?

Sources, read in November 2026 from stored copies: the venue's v5 documentation ("Liquidation orders channel",
"Order book channel", "Trades channel", "Open interest channel", "Funding rate channel", "Mark price channel")
and its notice of 21 May 2026 on order book checksums.

- `liquidation-orders` shows at most one order a second and contract; `posSide` is the position, `side` the
  order that closes it, `bkPx` the bankruptcy price (no fill is known). **`sz` is a number of contracts**: a
  contract of BTC-USDT-SWAP is 0.01 BTC (`ctVal` × `ctMult`), of BTC-USD-SWAP 100 USD.
- `books`: a snapshot, then updates; `prevSeqId` must be the `seqId` before. The checksum is 0 since 23 June
  2026 and then says nothing; where it is not 0 it is checked.
- A client sends the text `ping` when nothing came for less than 30 s, the answer is the text `pong`.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from deleverage.data.sources.base import (
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
    opposite,
    unknown_coin,
)

_FUNDING_S = 8 * 3600


class Okx(Venue):
    """OKX perpetual swaps."""

    name: ClassVar[str] = "okx"
    version: ClassVar[int] = 2
    rest: ClassVar[str] = "https://www.okx.com"
    socket: ClassVar[str] = "wss://ws.okx.com:8443"
    ping_text: ClassVar[str] = "ping"
    pong: ClassVar[bytes] = b"pong"
    book: ClassVar[BookRule] = BookRule(levels=400)
    feed: ClassVar[str] = "liquidation-orders"

    def symbols(self, coin: str) -> tuple[str, ...]:
        """BTC is BTC-USDT-SWAP; BTC-USD-SWAP stands for itself."""
        if coin.endswith("-SWAP"):
            return (coin,)
        if not coin.isalnum():
            raise unknown_coin(self.name, coin)
        return (f"{coin}-USDT-SWAP",)

    def instrument_requests(self, symbols: tuple[str, ...]) -> list[Request]:
        """One request a contract: its value in coins or dollars."""
        return [
            Request(
                "instruments",
                "instruments",
                "/api/v5/public/instruments",
                symbol,
                (("instType", "SWAP"), ("instId", symbol)),
            )
            for symbol in symbols
        ]

    def plans(self, symbols: tuple[str, ...], streams: tuple[str, ...]) -> list[Plan]:
        """One connection for the books, one for the rest."""
        channels: dict[str, list[dict[str, str]]] = {
            "liquidations": [{"channel": "liquidation-orders", "instType": "SWAP"}],
            "trades": [{"channel": "trades", "instId": symbol} for symbol in symbols],
            "marks": [
                *({"channel": "mark-price", "instId": symbol} for symbol in symbols),
                *(
                    {"channel": "index-tickers", "instId": index}
                    for index in dict.fromkeys(map(_index, symbols))
                ),
                *({"channel": "funding-rate", "instId": symbol} for symbol in symbols),
            ],
            "open_interest": [{"channel": "open-interest", "instId": symbol} for symbol in symbols],
            "depth": [{"channel": "books", "instId": symbol} for symbol in symbols],
        }
        found = []
        for name, here in apart(streams, channels):
            wanted = [channel for stream in here for channel in channels[stream]]
            message = json.dumps({"op": "subscribe", "args": wanted})
            found.append(Plan(name, "/ws/v5/public", (message,), frozenset(map(_token, wanted)), here))
        return found

    def polls(self, symbols: tuple[str, ...], streams: tuple[str, ...]) -> list[Request]:
        """Settled funding has no stream."""
        return [
            Request(
                "funding-rate-history",
                "funding",
                "/api/v5/public/funding-rate-history",
                symbol,
                (("instId", symbol), ("limit", "8")),
                every_s=600,
            )
            for symbol in symbols
            if "funding" in streams
        ]

    def resubscribe(self, symbol: str) -> tuple[str, ...]:
        """Leaving and joining the channel brings a snapshot."""
        argument = {"channel": "books", "instId": symbol}
        return tuple(json.dumps({"op": op, "args": [argument]}) for op in ("unsubscribe", "subscribe"))

    def read(self, message: Any, received_ns: int, state: State) -> Parsed:
        """Read a message of a channel or an answer to a subscription."""
        event = message.get("event")
        if event == "subscribe":
            return Parsed("ack", text=_token(message["arg"]))
        if event == "error":
            return Parsed("refused", text=f"{message.get('code')}: {message.get('msg')}")
        if event is not None:
            return Parsed("other")
        channel, data = message["arg"]["channel"], message["data"]
        if channel == "liquidation-orders":
            return self._forced(data, received_ns, state)
        if channel == "index-tickers":
            for one in data:
                state.notes("index")[one["instId"]] = number(one["idxPx"])
            return Parsed("data", "marks", "", ms(data[-1]["ts"]))
        symbol = message["arg"]["instId"]
        instrument = state.instruments.get(symbol)
        if instrument is None:
            return Parsed("other")
        time_ns = ms(data[-1]["ts"])
        if channel == "trades":
            rows = [self._trade(instrument, one, received_ns) for one in data]
            return Parsed("data", "trades", symbol, time_ns, [("trades", rows)])
        if channel == "books":
            return Parsed(
                "data", "depth", symbol, time_ns, books=[_change(symbol, message, one) for one in data]
            )
        if channel == "mark-price":
            return self._mark(instrument, data[-1], time_ns, received_ns, state)
        if channel == "funding-rate":
            state.notes("funding")[symbol] = data[-1]
            return Parsed("data", "marks", symbol, time_ns)
        if channel == "open-interest":
            rows = []
            for one in data:
                coins, usd = number(one.get("oiCcy")), number(one.get("oiUsd"))
                mark = state.marks.get(symbol)
                if mark is not None:
                    by_mark = instrument.amounts(float(one["oi"]), mark)
                    coins, usd = (
                        (coins if coins is not None else by_mark[0]),
                        (usd if usd is not None else by_mark[1]),
                    )
                if coins is not None and usd is not None:
                    rows.append(self.interest(instrument, ms(one["ts"]), received_ns, coins, usd, mark))
            return Parsed("data", "open_interest", symbol, time_ns, [("open_interest", rows)] if rows else [])
        return Parsed("other")

    def _trade(self, instrument: Instrument, one: Any, received_ns: int) -> Row:
        price = float(one["px"])
        coins, usd = instrument.amounts(float(one["sz"]), price)
        side = one["side"]
        if side not in ("buy", "sell"):
            raise ValueError(f"side '{side}'")
        return self.trade(instrument, ms(one["ts"]), received_ns, one["tradeId"], side, price, coins, usd)

    def _forced(self, data: Any, received_ns: int, state: State) -> Parsed:
        names, rows, symbol = Repeats(), [], ""
        for entry in data:
            instrument = state.instruments.get(entry["instId"])
            if instrument is None:  # the channel carries every swap
                continue
            symbol = instrument.symbol
            for one in entry["details"]:
                side = one.get("posSide")
                closed = side if side in ("long", "short") else opposite(one["side"])
                name = names.named(symbol, one["ts"], one["side"], closed, one["sz"], one["bkPx"])
                rows.append(
                    self.liquidation(
                        instrument,
                        ms(one["ts"]),
                        received_ns,
                        name,
                        closed,
                        float(one["sz"]),
                        None,
                        float(one["bkPx"]),
                    )
                )
        if not rows:
            return Parsed("other")
        return Parsed("data", "liquidations", symbol, max(row[0] for row in rows), [("liquidations", rows)])

    def _mark(self, instrument: Instrument, one: Any, time_ns: int, received_ns: int, state: State) -> Parsed:
        symbol, mark = instrument.symbol, float(one["markPx"])
        state.marks[symbol] = mark
        last = state.notes("marks")
        parsed = Parsed("data", "marks", symbol, time_ns)
        if abs(time_ns - last.get(symbol, 0)) >= MARKS_NS:
            last[symbol] = time_ns
            funding = state.notes("funding").get(symbol, {})
            due = funding.get("fundingTime")
            row = self.mark(
                instrument,
                time_ns,
                received_ns,
                mark=mark,
                index=state.notes("index").get(_index(symbol)),
                funding_rate=number(funding.get("fundingRate")),
                next_funding_ns=ms(due) if due else None,
            )
            parsed.rows.append(("marks", [row]))
        return parsed

    def read_answer(self, request: str, symbol: str, answer: Any, received_ns: int, state: State) -> Parsed:
        """Read contracts or settled funding."""
        if answer["code"] != "0":
            raise ValueError(f"code {answer['code']}: {answer.get('msg')}")
        if request == "instruments":
            for entry in answer["data"]:
                state.instruments[entry["instId"]] = _instrument(entry)
            return Parsed("data", "instruments")
        if request == "funding-rate-history":
            rates = [
                (ms(one["fundingTime"]), float(one.get("realizedRate") or one["fundingRate"]))
                for one in answer["data"]
            ]
            return self.settlements(state.instruments[symbol], rates, received_ns, _FUNDING_S)
        raise ValueError(f"request '{request}'")


def _instrument(entry: Any) -> Instrument:
    coin = (entry.get("uly") or entry["instFamily"]).split("-")[0]
    value = float(entry["ctVal"]) * float(entry.get("ctMult") or 1)
    if entry["ctType"] == "inverse":
        return Instrument(entry["instId"], coin, contract_coins=None, contract_usd=value)
    return Instrument(entry["instId"], coin, contract_coins=value)


def _change(symbol: str, message: Any, one: Any) -> BookChange:
    last, previous = int(one["seqId"]), int(one["prevSeqId"])
    snapshot = message["action"] == "snapshot"
    return BookChange(
        symbol,
        ms(one["ts"]),
        snapshot,
        [(level[0], level[1]) for level in one["bids"]],
        [(level[0], level[1]) for level in one["asks"]],
        last,
        last,
        None if snapshot else previous,
        one.get("checksum") or None,
    )


def _index(symbol: str) -> str:
    return symbol.removesuffix("-SWAP")


def _token(argument: Any) -> str:
    return f"{argument['channel']}:{argument.get('instId') or argument.get('instType', '')}"
