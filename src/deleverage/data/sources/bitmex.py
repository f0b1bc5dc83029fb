"""What does BitMEX publish on its perpetuals, and how is it read?

Sources, read in November 2026 from stored copies: the venue's page on its WebSocket API (tables with
`partial`, `insert`, `update`, `delete`; the text `ping`), its catalogue of instruments, and messages that
users have posted.

- `liquidation` is the table of forced **orders that rest in the book**. An `insert` is a new order, with its
  size in `leavesQty`; an `update` that lowers it is a fill, one that raises it is more to close; a `delete`
  is the end. Rows have no time: the receive time stands for it. A liquidation is counted when it appears, at
  the order's price. `side` is the order's: 'Sell' closes a long.
- Sizes are contracts: one of XBTUSD is 1 USD (inverse), one of XBTUSDT is 1 /
  `underlyingToPositionMultiplier` BTC.
- `orderBookL2_25` names levels by id and has no sequence numbers: a change of an unknown id, or a time that
  goes back, is what shows that something is missing.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, ClassVar

from deleverage.data.sources.base import (
    INTEREST_NS,
    MARKS_NS,
    MS,
    SECOND,
    BookChange,
    BookRule,
    Instrument,
    Level,
    Parsed,
    Plan,
    Request,
    Row,
    State,
    Venue,
    apart,
    number,
    opposite,
    unknown_coin,
)

_TABLES = {
    "liquidations": "liquidation",
    "trades": "trade",
    "marks": "instrument",
    "open_interest": "instrument",
    "funding": "funding",
    "depth": "orderBookL2_25",
}
_COINS = {"XBT": "BTC"}
_KEPT_ORDERS = 20_000


class Bitmex(Venue):
    """BitMEX perpetuals, inverse and linear."""

    name: ClassVar[str] = "bitmex"
    version: ClassVar[int] = 1
    rest: ClassVar[str] = "https://www.bitmex.com"
    socket: ClassVar[str] = "wss://ws.bitmex.com"
    ping_text: ClassVar[str] = "ping"
    pong: ClassVar[bytes] = b"pong"
    heartbeat_s: ClassVar[float] = 5.0
    book: ClassVar[BookRule] = BookRule(levels=25)
    feed: ClassVar[str] = "liquidation"

    def symbols(self, coin: str) -> tuple[str, ...]:
        """BTC is XBTUSD (inverse) and XBTUSDT (linear); other coins are linear."""
        if not coin.isalnum():
            raise unknown_coin(self.name, coin)
        if coin in ("BTC", "XBT"):
            return ("XBTUSD", "XBTUSDT")
        return (coin if coin.endswith(("USD", "USDT")) and len(coin) > 4 else f"{coin}USDT",)

    def instrument_requests(self, symbols: tuple[str, ...]) -> list[Request]:
        """One request a contract."""
        return [
            Request("instrument", "instruments", "/api/v1/instrument", symbol, (("symbol", symbol),))
            for symbol in symbols
        ]

    def plans(self, symbols: tuple[str, ...], streams: tuple[str, ...]) -> list[Plan]:
        """One connection for the books, one for the rest."""
        found = []
        for name, here in apart(streams, _TABLES):
            topics = list(
                dict.fromkeys(f"{_TABLES[stream]}:{symbol}" for stream in here for symbol in symbols)
            )
            message = json.dumps({"op": "subscribe", "args": topics})
            found.append(Plan(name, "/realtime", (message,), frozenset(topics), here))
        return found

    def polls(self, symbols: tuple[str, ...], streams: tuple[str, ...]) -> list[Request]:
        """Everything has a stream."""
        return []

    def resubscribe(self, symbol: str) -> tuple[str, ...]:
        """Leaving and joining the table brings a partial."""
        topic = f"{_TABLES['depth']}:{symbol}"
        return tuple(json.dumps({"op": op, "args": [topic]}) for op in ("unsubscribe", "subscribe"))

    def read(self, message: Any, received_ns: int, state: State) -> Parsed:
        """Read a change of a table or an answer to a subscription."""
        table = message.get("table")
        if table is None:
            if "error" in message:
                return Parsed("refused", text=str(message["error"]))
            return Parsed("ack", text=message["subscribe"]) if message.get("subscribe") else Parsed("other")
        action, data = message["action"], message["data"]
        if table == "liquidation":
            return self._orders(action, data, received_ns, state)
        if table == "orderBookL2_25":
            return self._book(message, action, data, received_ns, state)
        rows: list[Row] = []
        if table == "trade":
            for one in data:
                instrument = state.instruments.get(one["symbol"])
                if instrument is not None:
                    rows.append(self._trade(instrument, one, received_ns))
            return _data("trades", data, "trades", rows)
        if table == "funding":
            for one in data:
                instrument = state.instruments.get(one["symbol"])
                if instrument is not None:
                    at, length = moment(one["timestamp"]), moment(one["fundingInterval"]) - moment(_ZERO)
                    rows.append(
                        self.settled(instrument, at, received_ns, length // SECOND, float(one["fundingRate"]))
                    )
            return _data("funding", data, "funding", rows)
        if table == "instrument":
            return self._ticker(data, received_ns, state)
        return Parsed("other")

    def _trade(self, instrument: Instrument, one: Any, received_ns: int) -> Row:
        price = float(one["price"])
        coins, usd = instrument.amounts(float(one["size"]), price)
        side = one["side"].lower()
        if side not in ("buy", "sell"):
            raise ValueError(f"side '{side}'")
        return self.trade(
            instrument, moment(one["timestamp"]), received_ns, one["trdMatchID"], side, price, coins, usd
        )

    def _orders(self, action: str, data: Any, received_ns: int, state: State) -> Parsed:
        orders = state.notes("orders")  # id -> side, price, largest size seen, times raised
        rows, symbol = [], ""
        for one in data:
            name = one["orderID"]
            if action == "delete":
                continue
            instrument = state.instruments.get(one["symbol"])
            if instrument is None:
                continue
            symbol = instrument.symbol
            known = orders.get(name)
            if known is None:
                if "price" not in one:  # an order that was there before we were, and not in the partial
                    continue
                size, price = float(one["leavesQty"]), float(one["price"])
                orders[name] = {"side": one["side"], "price": price, "size": size, "raised": 0}
                if len(orders) > _KEPT_ORDERS:
                    del orders[next(iter(orders))]
                event, more = name, size
            else:
                known["price"] = number(one.get("price")) or known["price"]
                more = (number(one.get("leavesQty")) or 0.0) - known["size"]
                if not more > 0 or known["price"] is None:
                    continue
                known["size"] += more
                known["raised"] += 1
                event = f"{name}:{known['raised']}"
            order = orders[name]
            rows.append(
                self.liquidation(
                    instrument,
                    received_ns,
                    received_ns,
                    event,
                    opposite(order["side"]),
                    more,
                    None,
                    order["price"],
                )
            )
        return Parsed("data", "liquidations", symbol, None, [("liquidations", rows)] if rows else [])

    def _book(self, message: Any, action: str, data: Any, received_ns: int, state: State) -> Parsed:
        symbol = data[0]["symbol"] if data else (message.get("filter") or {}).get("symbol", "")
        if symbol not in state.instruments:
            return Parsed("other")
        books = state.notes("levels")
        if action == "partial":
            books[symbol] = {"time": 0, "ids": {}}
        if symbol not in books:  # changes before the partial say nothing yet
            return Parsed("other")
        ids: dict[int, tuple[str, str]] = books[symbol]["ids"]
        bids: list[Level] = []
        asks: list[Level] = []
        broken, time_ns = "", 0
        for one in data:
            key = one["id"]
            time_ns = max(time_ns, moment(one["timestamp"]) if "timestamp" in one else 0)
            if action in ("partial", "insert"):
                ids[key] = (one["side"], str(one["price"]))
            elif key not in ids:
                broken = f"{action} of the unknown level {key}"
                continue
            side, price = ids.pop(key) if action == "delete" else ids[key]
            size = "0" if action == "delete" else str(one["size"])
            (bids if side == "Buy" else asks).append((price, size))
        if time_ns and time_ns < books[symbol]["time"]:
            broken = "a change that is older than the one before"
        books[symbol]["time"] = time_ns = max(time_ns, books[symbol]["time"]) or received_ns
        change = BookChange(symbol, time_ns, action == "partial", bids, asks, broken=broken)
        if broken:
            del books[symbol]
        return Parsed("data", "depth", symbol, time_ns, books=[change])

    def _ticker(self, data: Any, received_ns: int, state: State) -> Parsed:
        marks, interest, symbol, time_ns = [], [], "", None
        for one in data:
            instrument = state.instruments.get(one["symbol"])
            if instrument is None:
                continue
            symbol = instrument.symbol
            now: dict[str, Any] = state.notes("tickers").setdefault(symbol, {"marks": 0, "interest": 0})
            now.update(one)
            mark = number(now.get("markPrice"))
            if mark is None:
                continue
            state.marks[symbol] = mark
            time_ns = at = moment(one["timestamp"]) if "timestamp" in one else received_ns
            if abs(at - now["marks"]) >= MARKS_NS:
                now["marks"] = at
                due = now.get("fundingTimestamp")
                marks.append(
                    self.mark(
                        instrument,
                        at,
                        received_ns,
                        mark=mark,
                        index=number(now.get("indicativeSettlePrice")),
                        last=number(now.get("lastPrice")),
                        funding_rate=number(now.get("fundingRate")),
                        next_funding_ns=moment(due) if due else None,
                    )
                )
            contracts = number(now.get("openInterest"))
            if contracts is not None and abs(at - now["interest"]) >= INTEREST_NS:
                now["interest"] = at
                interest.append(
                    self.interest(instrument, at, received_ns, *instrument.amounts(contracts, mark), mark)
                )
        rows = [(name, rows) for name, rows in (("marks", marks), ("open_interest", interest)) if rows]
        return Parsed("data", "marks", symbol, time_ns, rows)

    def read_answer(self, request: str, symbol: str, answer: Any, received_ns: int, state: State) -> Parsed:
        """Read contracts."""
        for entry in answer:
            coin = _COINS.get(entry["underlying"], entry["underlying"])
            if entry.get("isQuanto"):  # settled in a third coin: its sizes are neither coins nor dollars
                continue
            if entry["isInverse"]:
                usd = 1 / float(entry.get("quoteToPositionMultiplier") or 1)
                found = Instrument(entry["symbol"], coin, contract_coins=None, contract_usd=usd)
            else:
                coins = 1 / float(entry["underlyingToPositionMultiplier"])
                found = Instrument(entry["symbol"], coin, contract_coins=coins)
            state.instruments[entry["symbol"]] = found
        return Parsed("data", "instruments")


_ZERO = "2000-01-01T00:00:00.000Z"


def moment(text: str) -> int:
    """A time as the venue writes it, '2026-01-02T03:04:05.678Z', as ns UTC."""
    at = datetime.fromisoformat(text)
    return (int(at.timestamp()) * 1000 + at.microsecond // 1000) * MS


def _data(stream: str, data: Any, table: str, rows: list[Row]) -> Parsed:
    symbol = data[0]["symbol"] if data else ""
    times = [row[0] for row in rows]
    return Parsed("data", stream, symbol, max(times, default=None), [(table, rows)] if rows else [])
