"""What does Binance publish on USD-margined perpetuals, and how is it read?

Sources, all read in November 2026 from stored copies of the venue's pages:

- "Liquidation Order Streams" (developers.binance.com, USDⓈ-M): `<symbol>@forceOrder`; **at most one order a
  second and symbol**, the latest of that second. So what is collected is a sample, and the lake says so
  (`feed`).
- "Important WebSocket Change Notice — Base URL Split" (2026): streams are routed, depth under `/public`, all
  others under `/market`; addresses without a route were retired on 2026-04-23.
- "How to manage a local order book correctly": `U`, `u`, `pu` and a snapshot of REST.
- "Websocket Market Streams": the server pings every 3 minutes and disconnects after 24 h.

The size of a forced order is `z`, what was filled in all; `l` is the last fill only and `q` what was asked
for.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from deleverage.data.sources.base import (
    BookChange,
    BookRule,
    Instrument,
    Parsed,
    Plan,
    Request,
    State,
    Venue,
    apart,
    event_id,
    ms,
    number,
    opposite,
    unknown_coin,
)

_SUFFIX = {
    "liquidations": "forceOrder",
    "trades": "aggTrade",
    "marks": "markPrice@1s",
    "depth": "depth@100ms",
}
_ROUTE = {"events": "market", "depth": "public"}
_FUNDING_S = 8 * 3600


class Binance(Venue):
    """Binance USD-margined perpetuals."""

    name: ClassVar[str] = "binance"
    version: ClassVar[int] = 1
    rest: ClassVar[str] = "https://fapi.binance.com"
    socket: ClassVar[str] = "wss://fstream.binance.com"
    heartbeat_s: ClassVar[float] = 20.0
    book: ClassVar[BookRule] = BookRule(snapshot_by_rest=True, levels=1000)
    feed: ClassVar[str] = "forceOrder"

    def symbols(self, coin: str) -> tuple[str, ...]:
        """BTC is BTCUSDT; a name that ends in a quote currency stands for itself."""
        if not coin.isalnum():
            raise unknown_coin(self.name, coin)
        return (coin if coin.endswith(("USDT", "USDC")) and len(coin) > 4 else f"{coin}USDT",)

    def instrument_requests(self, symbols: tuple[str, ...]) -> list[Request]:
        """One list of all contracts."""
        return [Request("exchangeInfo", "instruments", "/fapi/v1/exchangeInfo")]

    def plans(self, symbols: tuple[str, ...], streams: tuple[str, ...]) -> list[Plan]:
        """One connection for depth, which is routed apart, and one for the rest."""
        found = []
        for name, here in apart(streams, _SUFFIX):
            params = [f"{symbol.lower()}@{_SUFFIX[stream]}" for stream in here for symbol in symbols]
            message = json.dumps({"method": "SUBSCRIBE", "params": params, "id": 1})
            found.append(Plan(name, f"/{_ROUTE[name]}/stream", (message,), frozenset({"1"}), here))
        return found

    def polls(self, symbols: tuple[str, ...], streams: tuple[str, ...]) -> list[Request]:
        """Open interest and settled funding have no stream."""
        found = []
        for symbol in symbols:
            if "open_interest" in streams:
                found.append(
                    Request(
                        "openInterest",
                        "open_interest",
                        "/fapi/v1/openInterest",
                        symbol,
                        (("symbol", symbol),),
                        every_s=10,
                    )
                )
            if "funding" in streams:
                found.append(
                    Request(
                        "fundingRate",
                        "funding",
                        "/fapi/v1/fundingRate",
                        symbol,
                        (("symbol", symbol), ("limit", "8")),
                        every_s=600,
                    )
                )
        return found

    def book_request(self, symbol: str) -> Request:
        """The snapshot that changes are applied to."""
        return Request("depth", "depth", "/fapi/v1/depth", symbol, (("symbol", symbol), ("limit", "1000")))

    def read(self, message: Any, received_ns: int, state: State) -> Parsed:
        """Read a message of a combined stream: `{"stream": ..., "data": ...}`."""
        data = message.get("data")
        if data is None:
            if "error" in message or "code" in message:
                return Parsed("refused", text=json.dumps(message.get("error", message)))
            return Parsed("ack", text=str(message["id"])) if "id" in message else Parsed("other")
        event = data["e"]
        if event == "forceOrder":
            return self._forced(data["o"], received_ns, state)
        instrument = state.instruments.get(data["s"])
        if instrument is None:
            return Parsed("other")
        time_ns = ms(data["T"] if "T" in data and event != "markPriceUpdate" else data["E"])
        if event == "aggTrade":
            price, coins = float(data["p"]), float(data["q"])
            row = self.trade(
                instrument,
                time_ns,
                received_ns,
                f"a{data['a']}",  # an aggregate trade, as in the archive and in recorded streams
                "sell" if data["m"] else "buy",
                price,
                coins,
                coins * price,
            )
            return Parsed(
                "data",
                "trades",
                instrument.symbol,
                time_ns,
                [("trades", [row])],
                numbers=(int(data["a"]), int(data["a"])),
            )
        if event == "depthUpdate":
            change = BookChange(
                instrument.symbol,
                time_ns,
                False,
                [(p, q) for p, q in data["b"]],
                [(p, q) for p, q in data["a"]],
                int(data["U"]),
                int(data["u"]),
                int(data["pu"]),
            )
            return Parsed("data", "depth", instrument.symbol, time_ns, books=[change])
        if event == "markPriceUpdate":
            mark = number(data["p"])
            if mark is not None:
                state.marks[instrument.symbol] = mark
            row = self.mark(
                instrument,
                time_ns,
                received_ns,
                mark=mark,
                index=number(data.get("i")),
                funding_rate=number(data.get("r")),
                next_funding_ns=ms(data["T"]) if data.get("T") else None,
            )
            return Parsed("data", "marks", instrument.symbol, time_ns, [("marks", [row])])
        return Parsed("other")

    def _forced(self, order: Any, received_ns: int, state: State) -> Parsed:
        instrument = state.instruments.get(order["s"])
        if instrument is None:
            return Parsed("other")
        time_ns, filled = ms(order["T"]), float(order["z"])
        fill = number(order["ap"]) if filled > 0 else None
        name = event_id(*(order[key] for key in ("s", "S", "T", "q", "p", "ap", "z")))
        row = self.liquidation(
            instrument,
            time_ns,
            received_ns,
            name,
            opposite(order["S"]),
            filled if filled > 0 else float(order["q"]),
            fill or None,
            number(order["p"]) or None,
        )
        return Parsed("data", "liquidations", instrument.symbol, time_ns, [("liquidations", [row])])

    def read_answer(self, request: str, symbol: str, answer: Any, received_ns: int, state: State) -> Parsed:
        """Read exchangeInfo, a book, open interest or settled funding."""
        if request == "exchangeInfo":
            for entry in answer["symbols"]:
                if entry.get("contractType", "PERPETUAL") == "PERPETUAL":
                    state.instruments[entry["symbol"]] = Instrument(entry["symbol"], entry["baseAsset"])
            return Parsed("data", "instruments")
        instrument = state.instruments[symbol]
        if request == "depth":
            time_ns, last = ms(answer["T"]), int(answer["lastUpdateId"])
            change = BookChange(
                symbol,
                time_ns,
                True,
                [(p, q) for p, q in answer["bids"]],
                [(p, q) for p, q in answer["asks"]],
                last,
                last,
            )
            return Parsed("data", "depth", symbol, time_ns, books=[change])
        if request == "openInterest":
            time_ns, coins, mark = ms(answer["time"]), float(answer["openInterest"]), state.marks.get(symbol)
            if mark is None:  # dollars need a price; the next answer comes in seconds
                return Parsed("data", "open_interest", symbol, time_ns)
            row = self.interest(instrument, time_ns, received_ns, coins, coins * mark, mark)
            return Parsed("data", "open_interest", symbol, time_ns, [("open_interest", [row])])
        if request == "fundingRate":
            rates = [(ms(one["fundingTime"]), float(one["fundingRate"])) for one in answer]
            return self.settlements(instrument, rates, received_ns, _FUNDING_S)
        raise ValueError(f"request '{request}'")
