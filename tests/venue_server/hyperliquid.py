"""Hyperliquid, as its documentation describes it: liquidations come as fills of accounts only."""

from __future__ import annotations

import json
import time
from typing import Any, ClassVar

from tests.venue_server.binance import lots
from tests.venue_server.market import MS, Contract, Event, Truth, forced_truth, price, trade_truth
from tests.venue_server.speaker import Client, Speaker

LIQUIDATOR = "0x2e3d94f0562703b25c83308a05046ddaf9a8dd14"
_TRADER = "0x1111111111111111111111111111111111111111"
_OTHER = "0x2222222222222222222222222222222222222222"


class Hyperliquid(Speaker):
    venue: ClassVar[str] = "hyperliquid"

    def listed(self) -> list[Contract]:
        return [Contract("BTC", "BTC", 1_000_000, levels=20), Contract("ETH", "ETH", 4_000, levels=20)]

    def hear(self, client: Client, text: str) -> list[str]:
        message = json.loads(text)
        if message["method"] == "ping":
            return [json.dumps({"channel": "pong"})]
        wanted = message["subscription"]
        name = f"{wanted['type']}:{wanted.get('coin') or wanted.get('user')}"
        if wanted["type"] not in ("trades", "l2Book", "activeAssetCtx", "userFills"):
            return [json.dumps({"channel": "error", "data": f"Invalid subscription {text}"})]
        client.channels.add(name)
        said = [json.dumps({"channel": "subscriptionResponse", "data": message})]
        if wanted["type"] == "userFills":
            said.append(
                json.dumps(
                    {
                        "channel": "userFills",
                        "data": {"isSnapshot": True, "user": wanted["user"], "fills": []},
                    }
                )
            )
        if wanted["type"] == "l2Book":
            contract, now = self.contracts[wanted["coin"]], time.time_ns()
            said.append(self._book(contract, now))
        return said

    def trades(self, contract: Contract, time_ns: int, count: int) -> list[Event]:
        data, truths = [], []
        for _ in range(count):
            contract.trade += 1
            side, size = self.side(), self.draws.randint(1, 3_000)
            data.append(self._trade(contract, time_ns, side, size))
            truths.append(
                trade_truth(contract, str(contract.trade), time_ns // MS * MS, side, contract.mid, size)
            )
        return [self._event(contract, "trades", "trades", time_ns, data, truths)]

    def forced(self, contract: Contract, time_ns: int) -> list[Event]:
        contract.trade += 1
        long, size = self.draws.random() < 0.7, self.draws.randint(100, 9_000)
        fill = {
            "coin": contract.symbol, "px": price(contract.mid), "sz": lots(size),
            "side": "B" if long else "A",
            "time": time_ns // MS, "startPosition": "0.0", "dir": "Open Long" if long else "Open Short",
            "closedPnl": "0.0", "hash": f"0x{contract.trade:064x}", "oid": contract.trade, "crossed": True,
            "fee": "0.0", "tid": contract.trade,
            "liquidation": {"liquidatedUser": _TRADER, "markPx": price(contract.mid), "method": "backstop"},
        }  # fmt: skip
        plain = dict(fill, tid=contract.trade + 10**12)
        del plain["liquidation"]  # fills that close nobody by force come in the same message
        text = json.dumps(
            {
                "channel": "userFills",
                "data": {"isSnapshot": False, "user": LIQUIDATOR, "fills": [plain, fill]},
            }
        )
        truth = forced_truth(
            contract, time_ns // MS * MS, "long" if long else "short", size, fill=contract.mid, order=None,
            event_id=str(contract.trade),
        )  # fmt: skip
        return [
            Event(
                self.venue, f"userFills:{LIQUIDATOR}", "liquidations", contract.symbol, time_ns, text, [truth]
            )
        ]

    def depth(self, contract: Contract, time_ns: int) -> list[Event]:
        contract.move(self.draws)
        return [
            Event(
                self.venue, f"l2Book:{contract.symbol}", "depth", contract.symbol, time_ns,
                self._book(contract, time_ns),
            )
        ]  # fmt: skip

    def marks(self, contract: Contract, time_ns: int) -> list[Event]:
        context = {
            "dayNtlVlm": "1", "prevDayPx": "1", "markPx": price(contract.mid), "midPx": price(contract.mid),
            "funding": "0.0000125", "openInterest": lots(contract.interest),
            "oraclePx": price(contract.mid + 4),
        }  # fmt: skip
        text = json.dumps({"channel": "activeAssetCtx", "data": {"coin": contract.symbol, "ctx": context}})
        values = {"symbol": contract.symbol, "time_ns": None, "mark_price": contract.mid / 10}
        return [
            Event(
                self.venue, f"activeAssetCtx:{contract.symbol}", "marks", contract.symbol, time_ns, text,
                [Truth("marks", values)],
            )
        ]  # fmt: skip

    def rest(self, path: str, query: dict[str, str], body: Any) -> Any:
        if path != "/info":
            return None
        if body["type"] == "meta":
            return {
                "universe": [
                    {"name": one.symbol, "szDecimals": 5, "maxLeverage": 40}
                    for one in self.contracts.values()
                ]
            }
        if body["type"] == "fundingHistory":
            last = time.time_ns() // MS // 3_600_000 * 3_600_000
            return [
                {
                    "coin": body["coin"], "fundingRate": "0.0000125", "premium": "0.0",
                    "time": last - back * 3_600_000 + 57,
                }
                for back in (2, 1, 0)
                if last - back * 3_600_000 >= body["startTime"]
            ]  # fmt: skip
        return None

    def _trade(self, contract: Contract, time_ns: int, side: str, size: int) -> dict[str, Any]:
        return {
            "coin": contract.symbol, "side": "B" if side == "buy" else "A", "px": price(contract.mid),
            "sz": lots(size), "hash": f"0x{contract.trade:064x}", "time": time_ns // MS,
            "tid": contract.trade,
            "users": [_TRADER, _OTHER],
        }  # fmt: skip

    def _book(self, contract: Contract, time_ns: int) -> str:
        self.note(contract, time_ns // MS * MS)
        sides = (sorted(contract.bids.items(), reverse=True), sorted(contract.asks.items()))
        levels = [[{"px": price(tick), "sz": lots(size), "n": 1} for tick, size in side] for side in sides]
        return json.dumps(
            {"channel": "l2Book", "data": {"coin": contract.symbol, "time": time_ns // MS, "levels": levels}}
        )

    def _event(
        self, contract: Contract, kind: str, stream: str, time_ns: int, data: Any, truths: list[Truth]
    ) -> Event:
        text = json.dumps({"channel": kind, "data": data})
        return Event(self.venue, f"{kind}:{contract.symbol}", stream, contract.symbol, time_ns, text, truths)
