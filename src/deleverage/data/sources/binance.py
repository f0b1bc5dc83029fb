"""What does Binance publish on its perpetuals, USD-margined and coin-margined, and how is it read?

Sources, all read in November 2026 from stored copies of the venue's pages:

- "Liquidation Order Streams" (developers.binance.com, USDⓈ-M and COIN-M): `<symbol>@forceOrder`; **at most
  one order a second and symbol**, the latest of that second. So what is collected is a sample, and the lake
  says so (`feed`).
- "Important WebSocket Change Notice — Base URL Split" (2026): streams are routed, depth under `/public`, all
  others under `/market`; addresses without a route were retired on 2026-04-23.
- "How to manage a local order book correctly": `U`, `u`, `pu` and a snapshot of REST.
- COIN-M, the same pages: the same streams and questions at addresses of their own (`dstream`, `dapi`), which
  are not routed. Sizes are **contracts**: one of BTCUSD_PERP is 100 US dollars, one of the others 10
  (`contractSize` of "Exchange Information").
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
_ROUTE = {"events": "/market/stream", "depth": "/public/stream"}
_COIN_REST = "https://dapi.binance.com"
_COIN_SOCKET = "wss://dstream.binance.com"
_FUNDING_S = 8 * 3600


class Binance(Venue):
    """Binance perpetuals, USD-margined and coin-margined."""

    name: ClassVar[str] = "binance"
    version: ClassVar[int] = 2
    rest: ClassVar[str] = "https://fapi.binance.com"
    socket: ClassVar[str] = "wss://fstream.binance.com"
    heartbeat_s: ClassVar[float] = 20.0
    book: ClassVar[BookRule] = BookRule(snapshot_by_rest=True, levels=1000)
    feed: ClassVar[str] = "forceOrder"

    def symbols(self, coin: str) -> tuple[str, ...]:
        """BTC is BTCUSDT; BTCUSDC and BTCUSD_PERP (coin-margined) stand for themselves."""
        if _by_coin(coin) and coin.removesuffix("_PERP").isalnum():
            return (coin,)
        if not coin.isalnum():
            raise unknown_coin(self.name, coin)
        return (coin if coin.endswith(("USDT", "USDC")) and len(coin) > 4 else f"{coin}USDT",)

    def instrument_requests(self, symbols: tuple[str, ...]) -> list[Request]:
        """One list of all contracts, of each kind of margin that is wanted."""
        first = {_by_coin(symbol): symbol for symbol in reversed(symbols)}
        return [_ask("exchangeInfo", "instruments", symbol, every=True) for symbol in first.values()]

    def plans(self, symbols: tuple[str, ...], streams: tuple[str, ...]) -> list[Plan]:
        """Of each kind of margin: one connection for depth, which is routed apart, and one for the rest."""
        found = []
        kinds = dict.fromkeys(map(_by_coin, symbols))
        for by_coin in kinds:
            mine = tuple(symbol for symbol in symbols if _by_coin(symbol) == by_coin)
            carried = mine if len(kinds) > 1 else ()
            for name, here in apart(streams, _SUFFIX):
                params = [f"{symbol.lower()}@{_SUFFIX[stream]}" for stream in here for symbol in mine]
                message = json.dumps({"method": "SUBSCRIBE", "params": params, "id": 1})
                acks = frozenset({"1"})
                if by_coin:
                    plan = Plan(f"{name}-coin", "/stream", (message,), acks, here, carried, _COIN_SOCKET)
                else:
                    plan = Plan(name, _ROUTE[name], (message,), acks, here, carried)
                found.append(plan)
        return found

    def polls(self, symbols: tuple[str, ...], streams: tuple[str, ...]) -> list[Request]:
        """Open interest and settled funding have no stream."""
        found = []
        for symbol in symbols:
            if "open_interest" in streams:
                found.append(_ask("openInterest", "open_interest", symbol, every_s=10))
            if "funding" in streams:
                found.append(_ask("fundingRate", "funding", symbol, limit="8", every_s=600))
        return found

    def book_request(self, symbol: str) -> Request:
        """The snapshot that changes are applied to."""
        return _ask("depth", "depth", symbol, limit="1000")

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
            price = float(data["p"])
            coins, usd = instrument.amounts(float(data["q"]), price)
            row = self.trade(
                instrument,
                time_ns,
                received_ns,
                f"a{data['a']}",  # an aggregate trade, as in the archive and in recorded streams
                "sell" if data["m"] else "buy",
                price,
                coins,
                usd,
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
                    state.instruments[entry["symbol"]] = _instrument(entry)
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
            time_ns, size, mark = ms(answer["time"]), float(answer["openInterest"]), state.marks.get(symbol)
            if mark is None:  # dollars need a price; the next answer comes in seconds
                return Parsed("data", "open_interest", symbol, time_ns)
            row = self.interest(instrument, time_ns, received_ns, *instrument.amounts(size, mark), mark)
            return Parsed("data", "open_interest", symbol, time_ns, [("open_interest", [row])])
        if request == "fundingRate":
            rates = [(ms(one["fundingTime"]), float(one["fundingRate"])) for one in answer]
            return self.settlements(instrument, rates, received_ns, _FUNDING_S)
        raise ValueError(f"request '{request}'")


def _by_coin(symbol: str) -> bool:
    """Whether a contract is margined in the coin."""
    return symbol.endswith("USD_PERP")


def _instrument(entry: Any) -> Instrument:
    if "contractSize" in entry:  # only coin-margined ones are counted in contracts
        usd = float(entry["contractSize"])
        return Instrument(entry["symbol"], entry["baseAsset"], contract_coins=None, contract_usd=usd)
    return Instrument(entry["symbol"], entry["baseAsset"])


def _ask(
    kind: str, stream: str, symbol: str, *, limit: str = "", every_s: float = 0.0, every: bool = False
) -> Request:
    """A question about a contract, or about ``every`` one of its kind of margin."""
    by_coin = _by_coin(symbol)
    params = (("symbol", symbol), *((("limit", limit),) if limit else ()))
    return Request(
        kind,
        stream,
        f"/{'dapi' if by_coin else 'fapi'}/v1/{kind}",
        "" if every else symbol,
        () if every else params,
        every_s=every_s,
        base=_COIN_REST if by_coin else "",
    )
