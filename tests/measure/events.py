"""How does a test write down liquidations? By hand, in a line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deleverage.schema import LIQUIDATIONS, OPEN_INTEREST, TRADES, Table, conform

SECOND = 1_000_000_000
HOUR = 3_600 * SECOND
NOON = 1_737_979_200 * SECOND
"""2025-01-27 12:00 UTC: Binance shows one a second, Bybit's old feed too."""

SUMMER = 1_751_371_200 * SECOND
"""2025-07-01 12:00 UTC: Bybit shows all, Binance one a second."""


def table(declared: Table, rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    """Rows of a lake's table; columns that are left out are null."""
    frame = pl.DataFrame(
        [{name: row.get(name) for name in declared.names} for row in rows], infer_schema_length=None
    )
    typed = [pl.col(column.name).cast(getattr(pl, column.dtype)) for column in declared.columns]
    return conform(frame.select(typed), declared)


def liquidations(
    times_s: Sequence[float] | NDArray[np.floating[Any]],
    *,
    start_ns: int = NOON,
    venue: str = "binance",
    feed: str = "forceOrder",
    coin: str = "BTC",
    side: str | Sequence[str] = "long",
    coins: float | Sequence[float] | NDArray[np.floating[Any]] = 0.1,
    price: float = 100_000.0,
    received_s: Sequence[float] | None = None,
    source: str = "by hand",
) -> pl.DataFrame:
    """Events of one contract at seconds after ``start_ns``."""
    count = len(times_s)
    sides = [side] * count if isinstance(side, str) else list(side)
    sizes = [float(coins)] * count if isinstance(coins, float | int) else [float(c) for c in coins]
    times = [start_ns + round(float(at) * 1000) * 1_000_000 for at in times_s]
    return table(
        LIQUIDATIONS,
        [
            {
                "time_ns": times[k],
                "received_ns": None if received_s is None else start_ns + round(received_s[k] * 1e9),
                "venue": venue, "kind": "perp", "coin": coin, "symbol": f"{coin}USDT",
                "event_id": f"{times[k]}-{k}", "side": sides[k], "coins": sizes[k], "order_price": price,
                "usd": sizes[k] * price, "usd_at": "order", "feed": feed, "source": source,
            }
            for k in range(count)
        ],
    )  # fmt: skip


def trades(
    rows: Sequence[tuple[float, str, float]], *, start_ns: int = NOON, venue: str = "binance"
) -> pl.DataFrame:
    """Trades of BTC: second, side of the taker, coins."""
    return table(
        TRADES,
        [
            {
                "time_ns": start_ns + round(at * 1e9), "venue": venue, "kind": "perp", "coin": "BTC",
                "symbol": "BTCUSDT", "trade_id": str(k), "side": side, "price": 100_000.0, "coins": coins,
                "usd": coins * 100_000.0, "source": "by hand",
            }
            for k, (at, side, coins) in enumerate(rows)
        ],
    )  # fmt: skip


def open_interest(
    rows: Sequence[tuple[float, float]], *, start_ns: int = NOON, venue: str = "binance"
) -> pl.DataFrame:
    """Open interest of BTC: second, coins."""
    return table(
        OPEN_INTEREST,
        [
            {
                "time_ns": start_ns + round(at * 1e9), "venue": venue, "coin": "BTC", "scope": "all",
                "coins": coins, "usd": coins * 100_000.0, "price": 100_000.0, "source": "by hand",
            }
            for at, coins in rows
        ],
    )  # fmt: skip
