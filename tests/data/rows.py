"""Rows for tests of the lake."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from deleverage.schema import LAKE_TABLES, empty

T0_NS = 1_760_126_400_000_000_000
"""2025-10-10 20:00 UTC."""
SECOND_NS = 1_000_000_000


def rows(table: str, *values: dict[str, Any]) -> pl.DataFrame:
    """Rows of a table out of what matters; the rest is null."""
    columns = LAKE_TABLES[table].names
    return pl.DataFrame(
        [dict.fromkeys(columns) | value for value in values], schema=dict(empty(LAKE_TABLES[table]).schema)
    )


def trades(numbers: Iterable[int], venue: str = "binance", *, price: float = 100.0) -> pl.DataFrame:
    """Trades by their number, one a millisecond."""
    return rows(
        "trades",
        *(
            {
                "time_ns": T0_NS + number * 1_000_000,
                "received_ns": T0_NS + number * 1_000_000 + 5_000_000,
                "venue": venue,
                "kind": "perp",
                "coin": "BTC",
                "symbol": "BTCUSDT",
                "trade_id": str(number),
                "side": "buy",
                "price": price,
                "coins": 2.0,
                "usd": 2 * price,
                "source": f"collect/{venue}",
            }
            for number in numbers
        ),
    )


def candle(time_ns: int, venue: str = "binance", coin: str = "BTC", **changed: Any) -> dict[str, Any]:
    """One hourly bar."""
    bar: dict[str, Any] = {
        "time_ns": time_ns,
        "venue": venue,
        "kind": "perp",
        "coin": coin,
        "symbol": f"{coin}USDT",
        "interval_s": 3600,
        "open": 100.0,
        "high": 110.0,
        "low": 90.0,
        "close": 105.0,
        "volume_coins": 10.0,
        "source": "a",
    }
    return bar | changed
