"""Binance futures as `developers.binance.com` describes them: USD-margined (streams routed since 2026) and
coin-margined (not routed, sizes in contracts).
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from tests.venue_server.market import MS, Contract, Event, Truth, forced_truth, price, trade_truth
from tests.venue_server.speaker import Client, Speaker

_PUBLIC = ("depth", "bookTicker")


def lots(count: int) -> str:
    return f"{count / 1000:.3f}"


def sizes(contract: Contract, count: int) -> str:
    """Coins, or whole contracts of a coin-margined one."""
    return str(count) if contract.lot_usd else lots(count)


class Binance(Speaker):
    venue: ClassVar[str] = "binance"

    def listed(self) -> list[Contract]:
        return [
            Contract("BTCUSDT", "BTC", 1_000_000),
            Contract("ETHUSDT", "ETH", 4_000),
            Contract("BTCUSD_PERP", "BTC", 1_000_100, lot_coins=0, lot_usd=100.0),
        ]

    def hear(self, client: Client, text: str) -> list[str]:
        message = json.loads(text)
        if message["method"] != "SUBSCRIBE":
            return [json.dumps({"error": {"code": 2, "msg": "Invalid request"}, "id": message.get("id")})]
        route = client.path.strip("/").split("/")[0]
        for name in message["params"]:
            wanted = "public" if name.split("@")[1].startswith(_PUBLIC) else "market"
            if name.split("@")[0].endswith("_perp"):
                wanted = "stream"
            if route == wanted:  # a stream on another route is granted, and never sends
                client.channels.add(name)
        return [json.dumps({"result": None, "id": message["id"]})]

    def trades(self, contract: Contract, time_ns: int, count: int) -> list[Event]:
        found = []
        for _ in range(count):
            contract.trade += 1
            side, size = self.side(), self.draws.randint(1, 3_000)
            data = {
                "e": "aggTrade", "E": time_ns // MS + 3, "s": contract.symbol, "a": contract.trade,
                "p": price(contract.mid), "q": sizes(contract, size), "f": contract.trade * 2,
                "l": contract.trade * 2 + 1,
                "T": time_ns // MS, "m": side == "sell",
            }  # fmt: skip
            self.past[contract.symbol].append(
                {name: data[name] for name in ("a", "p", "q", "f", "l", "T", "m")}
            )
            truth = trade_truth(contract, f"a{contract.trade}", time_ns // MS * MS, side, contract.mid, size)
            found.append(self._event(contract, "aggTrade", "trades", time_ns, data, [truth]))
        return found

    def forced(self, contract: Contract, time_ns: int) -> list[Event]:
        long, size = self.draws.random() < 0.7, self.draws.randint(100, 9_000)
        order = contract.mid + (-40 if long else 40)
        data = {
            "e": "forceOrder", "E": time_ns // MS + 5,
            "o": {
                "s": contract.symbol, "S": "SELL" if long else "BUY", "o": "LIMIT", "f": "IOC",
                "q": sizes(contract, size), "p": price(order), "ap": price(contract.mid), "X": "FILLED",
                "l": sizes(contract, 1), "z": sizes(contract, size), "T": time_ns // MS,
            },
        }  # fmt: skip
        truth = forced_truth(
            contract, time_ns // MS * MS, "long" if long else "short", size, fill=contract.mid, order=order
        )
        return [self._event(contract, "forceOrder", "liquidations", time_ns, data, [truth])]

    def depth(self, contract: Contract, time_ns: int) -> list[Event]:
        before = contract.update
        bids, asks = contract.move(self.draws)
        contract.update += self.draws.randint(0, 6)  # one message covers several updates
        self.note(contract, contract.update)
        data = {
            "e": "depthUpdate", "E": time_ns // MS + 2, "T": time_ns // MS, "s": contract.symbol,
            "U": before + 1, "u": contract.update, "pu": before,
            "b": [[price(tick), sizes(contract, size)] for tick, size in bids],
            "a": [[price(tick), sizes(contract, size)] for tick, size in asks],
        }  # fmt: skip
        return [self._event(contract, "depth@100ms", "depth", time_ns, data, [])]

    def marks(self, contract: Contract, time_ns: int) -> list[Event]:
        data = {
            "e": "markPriceUpdate", "E": time_ns // MS, "s": contract.symbol, "p": price(contract.mid),
            "i": price(contract.mid + 3), "P": price(contract.mid), "r": "0.00010000",
            "T": (time_ns // MS // 28_800_000 + 1) * 28_800_000,
        }  # fmt: skip
        values = {"symbol": contract.symbol, "time_ns": time_ns // MS * MS, "mark_price": contract.mid / 10}
        return [self._event(contract, "markPrice@1s", "marks", time_ns, data, [Truth("marks", values)])]

    def rest(self, path: str, query: dict[str, str], body: Any) -> Any:
        api, _, question = path.strip("/").partition("/v1/")
        mine = {one.symbol: one for one in self.contracts.values() if bool(one.lot_usd) == (api == "dapi")}
        if api not in ("fapi", "dapi"):
            return None
        if question == "exchangeInfo":
            entries: list[dict[str, Any]] = [
                {"symbol": one.symbol, "baseAsset": one.coin, "contractType": "PERPETUAL"}
                | ({"contractSize": one.lot_usd, "contractStatus": "TRADING"} if one.lot_usd else {})
                for one in mine.values()
            ]
            return {"symbols": entries}
        contract = mine[query["symbol"]]
        now = self.now_ms()
        if question == "depth":
            self.note(contract, contract.update)
            return {
                "lastUpdateId": contract.update, "E": now, "T": now,
                "bids": [
                    [price(tick), sizes(contract, size)]
                    for tick, size in sorted(contract.bids.items(), reverse=True)
                ],
                "asks": [
                    [price(tick), sizes(contract, size)] for tick, size in sorted(contract.asks.items())
                ],
            }  # fmt: skip
        if question == "aggTrades":
            rows = self.past[contract.symbol]
            if "fromId" in query:
                rows = [row for row in rows if row["a"] >= int(query["fromId"])]
            else:
                low, high = int(query["startTime"]), int(query["endTime"])
                rows = [row for row in rows if low <= row["T"] <= high]
            return rows[: int(query["limit"])]
        if question == "openInterest":
            interest = sizes(contract, contract.interest)
            return {"openInterest": interest, "symbol": contract.symbol, "time": now}
        if question == "fundingRate":
            last = now // 28_800_000 * 28_800_000
            return [
                {
                    "symbol": contract.symbol,
                    "fundingRate": "0.00010000",
                    "fundingTime": last - back * 28_800_000,
                }
                for back in (2, 1, 0)
            ]
        return None

    def now_ms(self) -> int:
        import time

        return time.time_ns() // MS

    def _event(
        self, contract: Contract, suffix: str, stream: str, time_ns: int, data: Any, truths: list[Truth]
    ) -> Event:
        channel = f"{contract.symbol.lower()}@{suffix}"
        text = json.dumps({"stream": channel, "data": data})
        return Event(self.venue, channel, stream, contract.symbol, time_ns, text, truths)
