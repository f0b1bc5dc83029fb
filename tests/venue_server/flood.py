"""Trades faster than anybody trades: messages made of parts, so that the server is not what is slow."""

from __future__ import annotations

import asyncio
import random
import time

from tests.venue_server.server import VenueServer


class Flood:
    """Trades of one venue's first contract, ``batch`` a message, as many a second as asked."""

    def __init__(self, server: VenueServer, venue: str, batch: int, seed: int = 1) -> None:
        self.server, self.venue, self.batch = server, venue, batch
        draws = random.Random(seed)
        self.first = 1_000_000_000
        self.count = 0
        self.parts = [
            (
                draws.choice(("buy", "sell")),
                f"{draws.randint(1, 3000) / 1000:.3f}",
                f"{draws.randint(99_000, 101_000)}.5",
            )
            for _ in range(997)
        ]

    def message(self) -> tuple[str, str]:
        """The next message and the channel it belongs to."""
        now, parts, number = time.time_ns() // 1_000_000, self.parts, self.first + self.count
        self.count += self.batch if self.venue != "binance" else 1
        size = len(parts)
        rows = [(number + step, *parts[(number + step) % size]) for step in range(self.batch)]
        if self.venue == "binance":
            name, side, coins, price = rows[0]
            maker = "true" if side == "sell" else "false"
            return "btcusdt@aggTrade", (
                f'{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":{now},"s":"BTCUSDT","a":{name},'
                f'"p":"{price}","q":"{coins}","f":1,"l":1,"T":{now},"m":{maker}}}}}'
            )
        if self.venue == "bybit":
            body = ",".join(
                f'{{"T":{now},"s":"BTCUSDT","S":"{side.capitalize()}","v":"{coins}","p":"{price}","L":"PlusTick",'
                f'"i":"f-{name}","BT":false}}'
                for name, side, coins, price in rows
            )
            return (
                "publicTrade.BTCUSDT",
                f'{{"topic":"publicTrade.BTCUSDT","ts":{now},"type":"snapshot","data":[{body}]}}',
            )
        if self.venue == "okx":
            body = ",".join(
                f'{{"instId":"BTC-USDT-SWAP","tradeId":"{name}","px":"{price}","sz":"{coins}","side":"{side}","ts":"{now}"}}'
                for name, side, coins, price in rows
            )
            return "trades:BTC-USDT-SWAP", (
                f'{{"arg":{{"channel":"trades","instId":"BTC-USDT-SWAP"}},"data":[{body}]}}'
            )
        if self.venue == "hyperliquid":
            body = ",".join(
                f'{{"coin":"BTC","side":"{"B" if side == "buy" else "A"}","px":"{price}",'
                f'"sz":"{coins}","hash":"0x0",'
                f'"time":{now},"tid":{name},"users":["0x1","0x2"]}}'
                for name, side, coins, price in rows
            )
            return "trades:BTC", f'{{"channel":"trades","data":[{body}]}}'
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1000))
        body = ",".join(
            f'{{"timestamp":"{stamp}.{now % 1000:03d}Z","symbol":"XBTUSD",'
            f'"side":"{side.capitalize()}","size":100,'
            f'"price":{price},"trdMatchID":"f-{name}"}}'
            for name, side, coins, price in rows
        )
        return "trade:XBTUSD", f'{{"table":"trade","action":"insert","data":[{body}]}}'

    async def run(self, per_second: float, seconds: float) -> None:
        """Send to whoever subscribed; waits where the client reads more slowly."""
        begun = time.monotonic()
        start = self.count
        while (spent := time.monotonic() - begun) < seconds:
            behind = spent * per_second - (self.count - start)
            if behind < self.batch:
                await asyncio.sleep(0.002)
                continue
            links = [link for link in self.server.links if link.venue == self.venue and link.alive]
            channel, text = self.message()
            taking = [link for link in links if channel in link.client.channels]
            for link in taking:
                await link.socket.send_str(text)
            if not taking:
                await asyncio.sleep(0.01)
            self.server.sent += bool(taking)
            await asyncio.sleep(0)
