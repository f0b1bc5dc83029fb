"""OKX v5 perpetual swaps, as its documentation describes it; sizes are contracts."""

from __future__ import annotations

import json
import time
import zlib
from typing import Any, ClassVar

from tests.venue_server.market import MS, Contract, Event, Truth, forced_truth, price, trade_truth
from tests.venue_server.speaker import Client, Speaker


def contracts(lots: int) -> str:
    """A lot is a hundredth of a contract."""
    return f"{lots / 100:.2f}"


class Okx(Speaker):
    venue: ClassVar[str] = "okx"
    with_checksum: bool = True

    def listed(self) -> list[Contract]:
        return [  # a contract of BTC-USDT-SWAP is 0.01 BTC, of ETH-USDT-SWAP 0.1 ETH, of BTC-USD-SWAP 100 USD
            Contract("BTC-USDT-SWAP", "BTC", 1_000_000, lot_coins=0.0001),
            Contract("ETH-USDT-SWAP", "ETH", 4_000, lot_coins=0.001),
            Contract("BTC-USD-SWAP", "BTC", 1_000_100, lot_coins=0, lot_usd=1.0),
        ]

    def hear(self, client: Client, text: str) -> list[str]:
        if text == "ping":
            return ["pong"]
        message = json.loads(text)
        said = []
        for argument in message["args"]:
            name = argument.get("instId") or argument.get("instType", "")
            channel = f"{argument['channel']}:{name}"
            known = argument["channel"] in _CHANNELS and (
                name in self.contracts or name == "SWAP" or f"{name}-SWAP" in self.contracts
            )
            if not known:
                said.append(
                    json.dumps({"event": "error", "code": "60018", "msg": f"wrong {argument}", "connId": "a"})
                )
                continue
            said.append(json.dumps({"event": message["op"], "arg": argument, "connId": "a"}))
            if message["op"] == "unsubscribe":
                client.channels.discard(channel)
                continue
            client.channels.add(channel)
            if argument["channel"] == "books":
                contract = self.contracts[name]
                bids, asks = sorted(contract.bids.items(), reverse=True), sorted(contract.asks.items())
                said.append(self._book(contract, "snapshot", time.time_ns(), bids, asks, -1))
            if argument["channel"] == "funding-rate":
                said.append(self._funding(self.contracts[name]))
            if argument["channel"] == "index-tickers":
                said.append(self._index(self.contracts[f"{name}-SWAP"], time.time_ns()))
        return said

    def trades(self, contract: Contract, time_ns: int, count: int) -> list[Event]:
        data, truths = [], []
        for _ in range(count):
            # What one order took at one price is one message of the stream, and single trades of REST.
            parts = contract.trade % 3 + 1
            side, size = self.side(), self.draws.randint(parts, 3_000)
            for part in range(parts):
                contract.trade += 1
                lots = size // parts if part else size - size // parts * (parts - 1)
                self.past[contract.symbol].append(
                    {
                        "instId": contract.symbol, "tradeId": str(contract.trade), "px": price(contract.mid),
                        "sz": contracts(lots), "side": side, "source": "0", "ts": str(time_ns // MS),
                    }
                )  # fmt: skip
            data.append(
                {
                    "instId": contract.symbol, "tradeId": str(contract.trade), "px": price(contract.mid),
                    "sz": contracts(size), "side": side, "ts": str(time_ns // MS), "count": str(parts),
                    "seqId": 1,
                }
            )  # fmt: skip
            truths.append(
                trade_truth(contract, str(contract.trade), time_ns // MS * MS, side, contract.mid, size)
            )
        return [self._event(contract, "trades", "trades", time_ns, data, truths)]

    def forced(self, contract: Contract, time_ns: int) -> list[Event]:
        long, size = self.draws.random() < 0.7, self.draws.randint(100, 90_000)
        order = contract.mid + (-40 if long else 40)
        hedged = self.draws.random() < 0.5
        side = "long" if long else "short"
        detail = {
            "side": "sell" if long else "buy", "posSide": side if hedged else "net", "bkPx": price(order),
            "sz": contracts(size), "bkLoss": "0", "ccy": "", "ts": str(time_ns // MS),
        }  # fmt: skip
        data = [
            {"instType": "SWAP", "instId": "DOGE-USDT-SWAP", "instFamily": "DOGE-USDT", "details": [detail]},
            {"instType": "SWAP", "instId": contract.symbol, "instFamily": "", "uly": "", "details": [detail]},
        ]
        truth = forced_truth(contract, time_ns // MS * MS, side, size, fill=None, order=order)
        text = json.dumps({"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": data})
        return [
            Event(
                self.venue, "liquidation-orders:SWAP", "liquidations", contract.symbol, time_ns, text, [truth]
            )
        ]  # fmt: skip

    def depth(self, contract: Contract, time_ns: int) -> list[Event]:
        before = contract.update
        bids, asks = contract.move(self.draws)
        contract.update += self.draws.randint(0, 9)
        self.note(contract, contract.update)
        text = self._book(contract, "update", time_ns, bids, asks, before)
        return [Event(self.venue, f"books:{contract.symbol}", "depth", contract.symbol, time_ns, text)]

    def marks(self, contract: Contract, time_ns: int) -> list[Event]:
        mark = [
            {
                "instType": "SWAP",
                "instId": contract.symbol,
                "markPx": price(contract.mid),
                "ts": str(time_ns // MS),
            }
        ]
        values = {"symbol": contract.symbol, "time_ns": time_ns // MS * MS, "mark_price": contract.mid / 10}
        interest = [
            {
                "instType": "SWAP", "instId": contract.symbol, "oi": contracts(contract.interest),
                "oiCcy": str(contract.amounts(contract.interest, contract.mid)[0]),
                "oiUsd": str(contract.amounts(contract.interest, contract.mid)[1]), "ts": str(time_ns // MS),
            }
        ]  # fmt: skip
        index = f"{contract.symbol.removesuffix('-SWAP')}"
        return [
            Event(
                self.venue,
                f"index-tickers:{index}",
                "marks",
                contract.symbol,
                time_ns,
                self._index(contract, time_ns),
            ),
            self._event(contract, "mark-price", "marks", time_ns, mark, [Truth("marks", values)]),
            self._event(contract, "open-interest", "open_interest", time_ns, interest, []),
        ]

    def rest(self, path: str, query: dict[str, str], body: Any) -> Any:
        contract = self.contracts.get(query.get("instId", ""))
        if path == "/api/v5/public/instruments":
            if contract is None:
                return {"code": "51001", "msg": "Instrument ID does not exist", "data": []}
            inverse = bool(contract.lot_usd)
            entry = {
                "instId": contract.symbol, "uly": contract.symbol.removesuffix("-SWAP"),
                "instFamily": contract.symbol.removesuffix("-SWAP"),
                "ctType": "inverse" if inverse else "linear",
                "ctVal": f"{contract.lot_usd * 100:g}" if inverse else f"{contract.lot_coins * 100:g}",
                "ctMult": "1", "ctValCcy": "USD" if inverse else contract.coin,
            }  # fmt: skip
            return {"code": "0", "msg": "", "data": [entry]}
        if path == "/api/v5/market/history-trades" and contract:
            first = {"instId": contract.symbol, "tradeId": "1", "px": price(contract.mid), "sz": "1"}
            first |= {"side": "buy", "source": "0", "ts": str(time.time_ns() // MS - 3_600_000)}
            name = "ts" if query.get("type") == "2" else "tradeId"
            below = int(query["after"])
            found = [row for row in [first, *self.past[contract.symbol]] if int(row[name]) < below]
            return {"code": "0", "msg": "", "data": found[::-1][: int(query["limit"])]}
        if path == "/api/v5/public/funding-rate-history" and contract:
            last = time.time_ns() // MS // 28_800_000 * 28_800_000
            return {
                "code": "0",
                "msg": "",
                "data": [
                    {
                        "instId": contract.symbol, "fundingRate": "0.0001", "realizedRate": "0.0002",
                        "fundingTime": str(last - back * 28_800_000),
                    }
                    for back in (0, 1, 2)
                ],
            }  # fmt: skip
        return None

    def _index(self, contract: Contract, time_ns: int) -> str:
        name = contract.symbol.removesuffix("-SWAP")
        return json.dumps(
            {
                "arg": {"channel": "index-tickers", "instId": name},
                "data": [{"instId": name, "idxPx": price(contract.mid + 5), "ts": str(time_ns // MS)}],
            }
        )

    def _funding(self, contract: Contract) -> str:
        now = time.time_ns() // MS
        data = {
            "instId": contract.symbol, "instType": "SWAP", "fundingRate": "0.0001",
            "fundingTime": str((now // 28_800_000 + 1) * 28_800_000), "ts": str(now),
        }  # fmt: skip
        return json.dumps({"arg": {"channel": "funding-rate", "instId": contract.symbol}, "data": [data]})

    def _book(self, contract: Contract, action: str, time_ns: int, bids: Any, asks: Any, before: int) -> str:
        if action == "snapshot":
            self.note(contract, contract.update)
        data = {
            "bids": [[price(tick), contracts(size) if size else "0", "0", "1"] for tick, size in bids],
            "asks": [[price(tick), contracts(size) if size else "0", "0", "1"] for tick, size in asks],
            "ts": str(time_ns // MS), "prevSeqId": before, "seqId": contract.update,
            "checksum": self._checksum(contract) if self.with_checksum else 0,
        }  # fmt: skip
        return json.dumps(
            {"arg": {"channel": "books", "instId": contract.symbol}, "action": action, "data": [data]}
        )

    def _checksum(self, contract: Contract) -> int:
        parts: list[str] = []
        bids, asks = sorted(contract.bids.items(), reverse=True), sorted(contract.asks.items())
        for bid, ask in zip(bids[:25], asks[:25], strict=True):
            for tick, size in (bid, ask):
                parts += [price(tick), contracts(size)]
        return int.from_bytes(
            zlib.crc32(":".join(parts).encode()).to_bytes(4, "big"), "big", signed=True
        )  # as a signed number

    def _event(
        self, contract: Contract, channel: str, stream: str, time_ns: int, data: Any, truths: list[Truth]
    ) -> Event:
        text = json.dumps({"arg": {"channel": channel, "instId": contract.symbol}, "data": data})
        return Event(
            self.venue, f"{channel}:{contract.symbol}", stream, contract.symbol, time_ns, text, truths
        )


_CHANNELS = (
    "liquidation-orders", "trades", "books", "mark-price", "index-tickers", "open-interest", "funding-rate",
)  # fmt: skip
