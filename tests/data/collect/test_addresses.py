"""At which addresses are the venues' contracts asked for, where nobody names others?"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from deleverage.data.collect.settings import Settings
from deleverage.data.collect.stats import Stats
from deleverage.data.collect.venue_task import VenueTask
from deleverage.data.sources.registry import venue
from tests.data.collect.test_parsers import ANSWERS


class Recorder:
    """A session that opens nothing: questions get the list of contracts, connections are refused."""

    def __init__(self, name: str, wanted: int) -> None:
        self.answer = json.dumps(ANSWERS[name][2]).encode()
        self.wanted = wanted
        self.asked: list[str] = []
        self.opened: set[str] = set()
        self.all_opened = asyncio.Event()

    @asynccontextmanager
    async def request(self, method: str, url: str, **_: Any) -> Any:
        self.asked.append(url)

        async def read() -> bytes:
            return self.answer

        yield SimpleNamespace(status=200, headers={}, read=read)

    async def ws_connect(self, url: str, **_: Any) -> Any:
        self.opened.add(url)
        if len(self.opened) == self.wanted:
            self.all_opened.set()
        raise aiohttp.ClientError("refused")


@pytest.mark.parametrize(
    ("name", "symbols", "asked", "opened"),
    [
        (
            "binance",
            ("BTC", "BTCUSD_PERP"),
            {
                "https://fapi.binance.com/fapi/v1/exchangeInfo",
                "https://dapi.binance.com/dapi/v1/exchangeInfo",
            },
            {
                "wss://fstream.binance.com/market/stream",
                "wss://fstream.binance.com/public/stream",
                "wss://dstream.binance.com/stream",
            },
        ),
        (
            "bybit",
            ("BTC", "BTCUSD"),
            {"https://api.bybit.com/v5/market/instruments-info"},
            {"wss://stream.bybit.com/v5/public/linear", "wss://stream.bybit.com/v5/public/inverse"},
        ),
    ],
)
def test_linear_and_inverse_contracts_are_asked_for_where_the_venue_has_them(
    name: str, symbols: tuple[str, ...], asked: set[str], opened: set[str]
) -> None:
    async def main() -> Recorder:
        session: Any = Recorder(name, len(opened))
        sink: Any = SimpleNamespace(add=lambda table, rows, size=0: len(rows), pressure=0.0)
        settings = Settings((name,), symbols, ("trades", "depth"))
        task = VenueTask(venue(name), settings, session, sink, Stats(), lambda *a, **k: None, "run")
        running = asyncio.create_task(task.work())
        await asyncio.wait_for(session.all_opened.wait(), 15)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return session  # type: ignore[no-any-return]

    session = asyncio.run(main())
    assert set(session.asked) == asked and session.opened == opened
