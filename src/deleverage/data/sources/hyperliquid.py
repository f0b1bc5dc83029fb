"""What does Hyperliquid publish on its perpetuals, and how is it read?

Sources, read in November 2026 from stored copies of the venue's documentation ("Websocket", "Subscriptions",
"Timeouts and heartbeats", "Info endpoint", "Vaults"):

- **There is no public feed of liquidations.** A fill carries `liquidation` (who was liquidated, the mark
  price, 'market' or 'backstop'), but fills come by account (`userFills`). So the accounts of the venue's own
  vault are followed, which takes over what the book does not close and is often the other side of what it
  does: what is collected is a lower bound. A mirror whose `trades` carry `liquidation` is understood as well.
- `trades` name buyer and seller; `side` is the taker's, 'B' bought, 'A' sold. `l2Book` is a snapshot of 20
  levels a side each time, so nothing has to be chained. `activeAssetCtx` has no time: the receive time stands
  for it.
- A client sends `{"method": "ping"}`; a connection without traffic for 60 s is closed.
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
    Request,
    State,
    Venue,
    apart,
    ms,
    number,
    unknown_coin,
)

VAULTS = (
    "0xdfc24b077bc1425ad1dea75bcb6f8158e10df303",
    "0x010461c14e146ac35fe42271bdc1134ee31c703a",
    "0x2e3d94f0562703b25c83308a05046ddaf9a8dd14",
    "0x31ca8395cf837de08b24da3f660e77761dfb974b",
)
"""The venue's own vault and its three first children, as its documentation of `vaultDetails` lists them."""
_HOUR_S = 3600
_TAKER = {"B": "buy", "A": "sell"}
_OF = {"trades": "trades", "marks": "activeAssetCtx", "open_interest": "activeAssetCtx", "depth": "l2Book"}


class Hyperliquid(Venue):
    """Hyperliquid perpetuals."""

    name: ClassVar[str] = "hyperliquid"
    version: ClassVar[int] = 1
    rest: ClassVar[str] = "https://api.hyperliquid.xyz"
    socket: ClassVar[str] = "wss://api.hyperliquid.xyz"
    ping_text: ClassVar[str] = '{"method":"ping"}'
    book: ClassVar[BookRule] = BookRule(levels=20)
    feed: ClassVar[str] = "userFills"

    def symbols(self, coin: str) -> tuple[str, ...]:
        """A contract has the name of its coin."""
        if not coin.isalnum():
            raise unknown_coin(self.name, coin)
        return (coin,)

    def instrument_requests(self, symbols: tuple[str, ...]) -> list[Request]:
        """The list of all coins."""
        return [Request("meta", "instruments", "/info", body='{"type":"meta"}')]

    def plans(self, symbols: tuple[str, ...], streams: tuple[str, ...]) -> list[Plan]:
        """One connection for the books, one for the rest."""
        found = []
        for name, here in apart(streams, ("liquidations", *_OF)):
            topics: dict[str, dict[str, str]] = {}
            for stream in here:
                if stream == "liquidations":
                    topics |= {f"userFills:{user}": {"type": "userFills", "user": user} for user in VAULTS}
                else:
                    kind = _OF[stream]
                    topics |= {f"{kind}:{symbol}": {"type": kind, "coin": symbol} for symbol in symbols}
            messages = tuple(
                json.dumps({"method": "subscribe", "subscription": one}) for one in topics.values()
            )
            found.append(Plan(name, "/ws", messages, frozenset(topics), here))
        return found

    def polls(self, symbols: tuple[str, ...], streams: tuple[str, ...]) -> list[Request]:
        """Settled funding has no stream; `$START` is six hours ago in ms."""
        return [
            Request(
                "fundingHistory",
                "funding",
                "/info",
                symbol,
                every_s=600,
                body=f'{{"type":"fundingHistory","coin":"{symbol}","startTime":$START}}',
            )
            for symbol in symbols
            if "funding" in streams
        ]

    def read(self, message: Any, received_ns: int, state: State) -> Parsed:
        """Read a message of a channel, an answer to a subscription, or a pong."""
        channel = message["channel"]
        if channel == "pong":
            return Parsed("pong")
        if channel == "subscriptionResponse":
            one = message["data"]["subscription"]
            return Parsed("ack", text=f"{one['type']}:{one.get('coin') or one.get('user')}")
        data = message["data"]
        if channel == "error":
            return Parsed("refused", text=str(data))
        if channel == "trades":
            return self._trades(data, received_ns, state)
        if channel == "userFills":
            return self._fills(data, received_ns, state)
        if channel == "l2Book":
            if data["coin"] not in state.instruments:
                return Parsed("other")
            bids, asks = data["levels"]
            time_ns = ms(data["time"])
            change = BookChange(
                data["coin"],
                time_ns,
                True,
                [(one["px"], one["sz"]) for one in bids],
                [(one["px"], one["sz"]) for one in asks],
            )
            return Parsed("data", "depth", data["coin"], time_ns, books=[change])
        if channel == "activeAssetCtx":
            return self._context(data, received_ns, state)
        return Parsed("other")

    def _trades(self, data: Any, received_ns: int, state: State) -> Parsed:
        trades, forced, symbol, time_ns = [], [], "", 0
        for one in data:
            instrument = state.instruments.get(one["coin"])
            if instrument is None:
                continue
            symbol, at = instrument.symbol, ms(one["time"])
            time_ns = max(time_ns, at)
            price, coins = float(one["px"]), float(one["sz"])
            mark = one.get("liquidation")
            trades.append(
                self.trade(
                    instrument,
                    at,
                    received_ns,
                    str(one["tid"]),
                    _TAKER[one["side"]],
                    price,
                    coins,
                    coins * price,
                    True if mark else None,
                )
            )
            if mark:
                buyer = one["users"][0]
                closed = "short" if mark["liquidatedUser"] == buyer else "long"
                forced.append(
                    self.liquidation(instrument, at, received_ns, str(one["tid"]), closed, coins, price, None)
                )
        if not trades:
            return Parsed("other")
        rows = [("trades", trades)] + ([("liquidations", forced)] if forced else [])
        return Parsed("data", "trades", symbol, time_ns, rows)

    def _fills(self, data: Any, received_ns: int, state: State) -> Parsed:
        """Fills of an account we follow: those that carry a liquidation, once each."""
        rows, symbol, user = [], "", data["user"]
        for one in data["fills"]:
            mark, instrument = one.get("liquidation"), state.instruments.get(one["coin"])
            if not mark or instrument is None:
                continue
            liquidated = mark.get("liquidatedUser") or user
            if liquidated in VAULTS and liquidated != user:
                continue  # the vault passes on what it took over: counted when it took it
            if liquidated == user and user in VAULTS and one.get("dir") == "Auto-Deleveraging":
                continue
            bought = _TAKER[one["side"]] == "buy"
            closed = "long" if bought != (liquidated == user) else "short"
            symbol = instrument.symbol
            rows.append(
                self.liquidation(
                    instrument,
                    ms(one["time"]),
                    received_ns,
                    str(one["tid"]),
                    closed,
                    float(one["sz"]),
                    float(one["px"]),
                    None,
                )
            )
        if not rows:
            return Parsed("data", "liquidations")
        return Parsed("data", "liquidations", symbol, max(row[0] for row in rows), [("liquidations", rows)])

    def _context(self, data: Any, received_ns: int, state: State) -> Parsed:
        instrument = state.instruments.get(data["coin"])
        if instrument is None:
            return Parsed("other")
        context, symbol = data["ctx"], instrument.symbol
        mark = float(context["markPx"])
        state.marks[symbol] = mark
        last = state.notes("contexts").setdefault(symbol, {"marks": 0, "interest": 0})
        parsed = Parsed("data", "marks", symbol)
        if abs(received_ns - last["marks"]) >= MARKS_NS:
            last["marks"] = received_ns
            row = self.mark(
                instrument,
                received_ns,
                received_ns,
                mark=mark,
                index=number(context.get("oraclePx")),
                funding_rate=number(context.get("funding")),
            )
            parsed.rows.append(("marks", [row]))
        coins = number(context.get("openInterest"))
        if coins is not None and abs(received_ns - last["interest"]) >= INTEREST_NS:
            last["interest"] = received_ns
            row = self.interest(instrument, received_ns, received_ns, coins, coins * mark, mark)
            parsed.rows.append(("open_interest", [row]))
        return parsed

    def read_answer(self, request: str, symbol: str, answer: Any, received_ns: int, state: State) -> Parsed:
        """Read the list of coins or settled funding."""
        if request == "meta":
            for entry in answer["universe"]:
                if not entry.get("isDelisted"):
                    state.instruments[entry["name"]] = Instrument(entry["name"], entry["name"])
            return Parsed("data", "instruments")
        if request == "fundingHistory":
            instrument = state.instruments[symbol]
            rows = [
                self.settled(instrument, ms(one["time"]), received_ns, _HOUR_S, float(one["fundingRate"]))
                for one in answer
            ]
            return Parsed(
                "data", "funding", symbol, max((row[0] for row in rows), default=None), [("funding", rows)]
            )
        raise ValueError(f"request '{request}'")
