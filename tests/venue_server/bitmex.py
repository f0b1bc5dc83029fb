"""BitMEX, as its page on the WebSocket API describes it: tables with partial, insert, update and delete."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from tests.venue_server.market import MS, Contract, Event, Truth, forced_truth, trade_truth
from tests.venue_server.speaker import Client, Speaker


def iso(time_ns: int) -> str:
    at = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{time_ns // MS % 1000:03d}Z"


class Bitmex(Speaker):
    venue: ClassVar[str] = "bitmex"
    page: int = 1000

    def listed(self) -> list[Contract]:
        self.orders: dict[str, list[dict[str, Any]]] = {"XBTUSD": [], "XBTUSDT": [], "ETHUSDT": []}
        self.times: dict[str, int] = {}
        return [  # a contract of XBTUSD is a dollar; a million contracts of XBTUSDT are a bitcoin
            Contract("XBTUSD", "BTC", 1_000_000, lot_coins=0, lot_usd=1.0, levels=25),
            Contract("XBTUSDT", "BTC", 1_000_200, lot_coins=1e-6, levels=25),
            Contract("ETHUSDT", "ETH", 4_000, lot_coins=1e-5, levels=25),
        ]

    def hear(self, client: Client, text: str) -> list[str]:
        if text == "ping":
            return ["pong"]
        message = json.loads(text)
        said = []
        for topic in message["args"]:
            table, _, symbol = topic.partition(":")
            contract = self.contracts.get(symbol)
            if contract is None or table not in _TABLES:
                said.append(json.dumps({"status": 400, "error": f"Unknown table: {topic}", "meta": {}}))
                continue
            if message["op"] == "unsubscribe":
                client.channels.discard(topic)
                said.append(json.dumps({"success": True, "unsubscribe": topic, "request": message}))
                continue
            client.channels.add(topic)
            said.append(json.dumps({"success": True, "subscribe": topic, "request": message}))
            said.append(self._partial(table, contract))
        return said

    def trades(self, contract: Contract, time_ns: int, count: int) -> list[Event]:
        data, truths = [], []
        for _ in range(count):
            contract.trade += 1
            side, size, name = (
                self.side(),
                self.draws.randint(1, 30_000),
                f"m-{contract.symbol}-{contract.trade}",
            )
            data.append(
                {
                    "timestamp": iso(time_ns), "symbol": contract.symbol, "side": side.capitalize(),
                    "size": size,
                    "price": contract.mid / 10, "tickDirection": "PlusTick", "trdMatchID": name,
                    "grossValue": 1,
                    "homeNotional": 1.0, "foreignNotional": 1.0, "trdType": "Regular",
                }
            )  # fmt: skip
            self.past[contract.symbol].append(data[-1])
            truths.append(trade_truth(contract, name, time_ns // MS * MS, side, contract.mid, size))
        return [self._event(contract, "trade", "trades", time_ns, "insert", data, truths)]

    def forced(self, contract: Contract, time_ns: int) -> list[Event]:
        """An order appears, is filled in part, sometimes grows, and goes."""
        contract.trade += 1
        name, long = f"o-{contract.symbol}-{contract.trade}", self.draws.random() < 0.7
        size = self.draws.randint(1_000, 900_000)
        order = contract.mid + (-40 if long else 40)
        side = "long" if long else "short"

        def said(action: str, truths: list[Truth], **more: Any) -> Event:
            data = [{"orderID": name, "symbol": contract.symbol, **more}]
            return self._event(contract, "liquidation", "liquidations", time_ns, action, data, truths)

        def truth(lots: int, event_id: str) -> Truth:
            return forced_truth(contract, None, side, lots, fill=None, order=order, event_id=event_id)

        found = [
            said(
                "insert", [truth(size, name)], side="Sell" if long else "Buy", price=order / 10,
                leavesQty=size
            ),
            said("update", [], leavesQty=size // 2),
        ]  # fmt: skip
        if self.draws.random() < 0.5:
            found.append(said("update", [truth(500, f"{name}:1")], leavesQty=size + 500))
        found.append(said("delete", []))
        return found

    def depth(self, contract: Contract, time_ns: int) -> list[Event]:
        before = {side: dict(levels) for side, levels in (("Buy", contract.bids), ("Sell", contract.asks))}
        bids, asks = contract.move(self.draws)
        actions: dict[str, list[dict[str, Any]]] = {"delete": [], "update": [], "insert": []}
        for side, changes in (("Buy", bids), ("Sell", asks)):
            for tick, size in changes:
                row: dict[str, Any] = {"symbol": contract.symbol, "id": _id(side, tick), "side": side}
                if not size:
                    actions["delete"].append(row | {"tick": tick})
                elif tick in before[side]:
                    actions["update"].append(row | {"size": size, "tick": tick})
                else:
                    actions["insert"].append(row | {"size": size, "price": tick / 10, "tick": tick})
        # Every state of the book needs a name of its own, also those between two messages: a time in ms.
        found = []
        between = replace(contract, bids=before["Buy"], asks=before["Sell"])
        for action, data in actions.items():
            if not data:
                continue
            stamp = max(time_ns // MS * MS, self.times.get(contract.symbol, 0) + MS)
            self.times[contract.symbol] = stamp
            for row in data:
                levels = between.bids if row["side"] == "Buy" else between.asks
                tick = row.pop("tick")
                row["timestamp"] = iso(stamp)
                if action == "delete":
                    del levels[tick]
                else:
                    levels[tick] = row["size"]
            self.note(between, stamp)
            found.append(self._event(contract, "orderBookL2_25", "depth", time_ns, action, data, []))
        return found

    def marks(self, contract: Contract, time_ns: int) -> list[Event]:
        data = {"symbol": contract.symbol, "markPrice": contract.mid / 10, "timestamp": iso(time_ns)}
        values = {"symbol": contract.symbol, "time_ns": time_ns // MS * MS, "mark_price": contract.mid / 10}
        truths = [Truth("marks", values)]
        return [self._event(contract, "instrument", "marks", time_ns, "update", [data], truths)]

    def rest(self, path: str, query: dict[str, str], body: Any) -> Any:
        if path == "/api/v1/trade":
            low, high, start = query["startTime"], query["endTime"], int(query["start"])
            found = [row for row in self.past[query["symbol"]] if low <= row["timestamp"] <= high]
            return found[start : start + min(int(query["count"]), self.page)]
        if path == "/api/v1/funding":
            settled = [
                row for row in self._settled(query["symbol"]) if query["startTime"] <= row["timestamp"]
            ]
            return [row for row in settled if row["timestamp"] <= query["endTime"]]
        if path != "/api/v1/instrument":
            return None
        contract = self.contracts.get(query["symbol"])
        return [] if contract is None else [self._instrument(contract)]

    def _instrument(self, contract: Contract) -> dict[str, Any]:
        inverse = bool(contract.lot_usd)
        found: dict[str, Any] = {
            "symbol": contract.symbol, "underlying": "XBT" if contract.coin == "BTC" else contract.coin,
            "isInverse": inverse, "isQuanto": False, "markPrice": contract.mid / 10,
            "lastPrice": contract.mid / 10, "indicativeSettlePrice": (contract.mid + 1) / 10,
            "fundingRate": 0.0001, "fundingTimestamp": iso(time.time_ns() + 3_600_000_000_000),
            "openInterest": contract.interest, "timestamp": iso(time.time_ns()),
        }  # fmt: skip
        if not inverse:
            found["underlyingToPositionMultiplier"] = round(1 / contract.lot_coins)
        else:
            found["quoteToPositionMultiplier"] = 1
        return found

    def _settled(self, symbol: str) -> list[dict[str, Any]]:
        last = time.time_ns() // (28_800 * 10**9) * 28_800 * 10**9
        return [
            {
                "timestamp": iso(last - back * 28_800 * 10**9), "symbol": symbol,
                "fundingInterval": "2000-01-01T08:00:00.000Z", "fundingRate": 0.0001,
                "fundingRateDaily": 0.0003,
            }
            for back in (2, 1, 0)
        ]  # fmt: skip

    def _partial(self, table: str, contract: Contract) -> str:
        data: list[dict[str, Any]] = []
        if table == "orderBookL2_25":
            stamp = self.times.get(contract.symbol, time.time_ns() // MS * MS)
            self.times[contract.symbol] = stamp
            self.note(contract, stamp)
            data = [
                {
                    "symbol": contract.symbol, "id": _id(side, tick), "side": side, "size": size,
                    "price": tick / 10,
                    "timestamp": iso(stamp),
                }
                for side, levels in (("Buy", contract.bids), ("Sell", contract.asks))
                for tick, size in levels.items()
            ]  # fmt: skip
        if table == "instrument":
            data = [self._instrument(contract)]
        if table == "funding":
            data = self._settled(contract.symbol)[-1:]
        return json.dumps(
            {
                "table": table, "action": "partial", "keys": ["symbol", "id"], "types": {},
                "filter": {"symbol": contract.symbol}, "data": data,
            }
        )  # fmt: skip

    def _event(
        self,
        contract: Contract,
        table: str,
        stream: str,
        time_ns: int,
        action: str,
        data: list[dict[str, Any]],
        truths: list[Truth],
    ) -> Event:
        text = json.dumps({"table": table, "action": action, "data": data})
        return Event(self.venue, f"{table}:{contract.symbol}", stream, contract.symbol, time_ns, text, truths)


def _id(side: str, tick: int) -> int:
    return 8_800_000_000 + tick * 2 + (side == "Sell")


_TABLES = ("liquidation", "trade", "orderBookL2_25", "instrument", "funding")
