"""Bybit v5, linear and inverse contracts, as `bybit-exchange.github.io/docs/v5` describes it."""

from __future__ import annotations

import json
import time
from typing import Any, ClassVar

from tests.venue_server.binance import lots
from tests.venue_server.market import MS, Contract, Event, Truth, forced_truth, price, trade_truth
from tests.venue_server.speaker import Client, Speaker


def category(contract: Contract) -> str:
    return "inverse" if contract.lot_usd else "linear"


def sizes(contract: Contract, size: int) -> str:
    """Coins of a linear contract, whole dollars of an inverse one."""
    return str(size) if contract.lot_usd else lots(size)


class Bybit(Speaker):
    venue: ClassVar[str] = "bybit"

    def listed(self) -> list[Contract]:
        return [
            Contract("BTCUSDT", "BTC", 1_000_000),
            Contract("ETHUSDT", "ETH", 4_000),
            Contract("BTCUSD", "BTC", 1_000_100, lot_coins=0, lot_usd=1.0),
        ]

    def hear(self, client: Client, text: str) -> list[str]:
        message = json.loads(text)
        operation = message["op"]
        if operation == "ping":
            return [
                json.dumps({"success": True, "ret_msg": "pong", "conn_id": "c", "req_id": "", "op": "ping"})
            ]
        topics = message["args"]
        here = [one.symbol for one in self.contracts.values() if client.path == f"/v5/public/{category(one)}"]
        stray = [topic for topic in topics if topic.rpartition(".")[2] not in here]
        if stray:
            refusal = {"success": False, "ret_msg": f"error:handler not found,topic:{stray[0]}"}
            return [json.dumps(refusal | {"conn_id": "c", "req_id": "", "op": operation})]
        said = [
            json.dumps(
                {
                    "success": True,
                    "ret_msg": "",
                    "conn_id": "c",
                    "req_id": message.get("req_id", ""),
                    "op": operation,
                }
            )
        ]
        if operation == "unsubscribe":
            client.channels.difference_update(topics)
            return said
        client.channels.update(topics)
        for topic in topics:
            head, _, symbol = topic.rpartition(".")
            contract = self.contracts[symbol]
            now = time.time_ns()
            if head.startswith("orderbook."):
                said.append(
                    self._book(
                        contract,
                        "snapshot",
                        now,
                        sorted(contract.bids.items()),
                        sorted(contract.asks.items()),
                    )
                )
            if head == "tickers":
                said.append(self._ticker(contract, "snapshot", now))
        return said

    def trades(self, contract: Contract, time_ns: int, count: int) -> list[Event]:
        data, truths = [], []
        for _ in range(count):
            contract.trade += 1
            side, size, name = (
                self.side(),
                self.draws.randint(1, 3_000),
                f"b-{contract.symbol}-{contract.trade}",
            )
            data.append(
                {
                    "T": time_ns // MS, "s": contract.symbol, "S": side.capitalize(),
                    "v": sizes(contract, size), "p": price(contract.mid), "L": "ZeroPlusTick", "i": name,
                    "BT": False, "RPI": False,
                    "seq": contract.trade,
                }
            )  # fmt: skip
            truths.append(trade_truth(contract, name, time_ns // MS * MS, side, contract.mid, size))
        return [
            self._event(
                contract, "publicTrade", "trades", time_ns, {"type": "snapshot", "data": data}, truths
            )
        ]

    def forced(self, contract: Contract, time_ns: int) -> list[Event]:
        data, truths = [], []
        for _ in range(self.draws.randint(1, 4)):  # everything of half a second, equal ones too
            long, size = self.draws.random() < 0.7, self.draws.choice((100, 100, 250, 3_000))
            order = contract.mid + (-40 if long else 40)
            data.append(
                {
                    "T": time_ns // MS, "s": contract.symbol, "S": "Buy" if long else "Sell",
                    "v": sizes(contract, size), "p": price(order),
                }
            )  # fmt: skip
            side = "long" if long else "short"
            truths.append(forced_truth(contract, time_ns // MS * MS, side, size, fill=None, order=order))
        return [
            self._event(
                contract,
                "allLiquidation",
                "liquidations",
                time_ns,
                {"type": "snapshot", "data": data},
                truths,
            )
        ]

    def depth(self, contract: Contract, time_ns: int) -> list[Event]:
        bids, asks = contract.move(self.draws)
        self.note(contract, contract.update)
        text = self._book(contract, "delta", time_ns, bids, asks)
        return [
            Event(self.venue, f"orderbook.200.{contract.symbol}", "depth", contract.symbol, time_ns, text)
        ]

    def marks(self, contract: Contract, time_ns: int) -> list[Event]:
        text = self._ticker(contract, "delta", time_ns)
        values = {"symbol": contract.symbol, "time_ns": time_ns // MS * MS, "mark_price": contract.mid / 10}
        return [
            Event(
                self.venue, f"tickers.{contract.symbol}", "marks", contract.symbol, time_ns, text,
                [Truth("marks", values)],
            )
        ]  # fmt: skip

    def rest(self, path: str, query: dict[str, str], body: Any) -> Any:
        contract = self.contracts.get(query.get("symbol", ""))
        if contract and category(contract) != query.get("category"):
            contract = None
        entries: list[dict[str, Any]] = []
        if path == "/v5/market/instruments-info":
            if contract:
                kind = f"{category(contract).capitalize()}Perpetual"
                entries = [{"symbol": contract.symbol, "baseCoin": contract.coin, "contractType": kind}]
        elif path == "/v5/market/funding/history" and contract:
            last = time.time_ns() // MS // 28_800_000 * 28_800_000
            entries = [
                {
                    "symbol": contract.symbol,
                    "fundingRate": "0.0001",
                    "fundingRateTimestamp": str(last - b * 28_800_000),
                }
                for b in (0, 1, 2)
            ]
        else:
            return None
        result = {"category": query.get("category", ""), "list": entries}
        return {"retCode": 0, "retMsg": "OK", "result": result, "time": 1}

    def _book(self, contract: Contract, kind: str, time_ns: int, bids: Any, asks: Any) -> str:
        if kind == "snapshot":
            self.note(contract, contract.update)
        return json.dumps(
            {
                "topic": f"orderbook.200.{contract.symbol}", "type": kind, "ts": time_ns // MS + 1,
                "data": {
                    "s": contract.symbol,
                    "b": [[price(tick), sizes(contract, size) if size else "0"] for tick, size in bids],
                    "a": [[price(tick), sizes(contract, size) if size else "0"] for tick, size in asks],
                    "u": contract.update, "seq": contract.update * 7,
                },
                "cts": time_ns // MS,
            }
        )  # fmt: skip

    def _ticker(self, contract: Contract, kind: str, time_ns: int) -> str:
        data = {
            "symbol": contract.symbol,
            "markPrice": price(contract.mid),
            "indexPrice": price(contract.mid + 2),
        }
        if kind == "snapshot":
            coins, usd = contract.amounts(contract.interest, contract.mid)
            data |= {
                "lastPrice": price(contract.mid), "openInterest": sizes(contract, contract.interest),
                "openInterestValue": f"{coins if contract.lot_usd else usd:.2f}",
                "fundingRate": "0.0001",
                "nextFundingTime": str((time_ns // MS // 28_800_000 + 1) * 28_800_000),
            }  # fmt: skip
        return json.dumps(
            {"topic": f"tickers.{contract.symbol}", "type": kind, "data": data, "cs": 1, "ts": time_ns // MS}
        )

    def _event(
        self,
        contract: Contract,
        head: str,
        stream: str,
        time_ns: int,
        body: dict[str, Any],
        truths: list[Truth],
    ) -> Event:
        topic = f"{head}.{contract.symbol}"
        text = json.dumps({"topic": topic, "ts": time_ns // MS + 2, **body})
        return Event(self.venue, topic, stream, contract.symbol, time_ns, text, truths)
