"""How does a test write down bars, funding, an index, open interest and depth? By hand, in a line each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from deleverage.measure.asof import DAY_NS
from deleverage.schema import (
    DEPTH,
    FUNDING,
    LAKE_CANDLES,
    LIQUIDATION_TOTALS,
    OPEN_INTEREST,
    SENTIMENT,
)
from tests.measure.events import table

START = 19_000 * DAY_NS
"""2022-01-08 00:00 UTC."""
Floats = np.ndarray[Any, np.dtype[np.float64]]


def candles(
    prices: Sequence[tuple[float, float, float, float]],
    *,
    start_ns: int = START,
    interval_s: int = 86_400,
    coin: str = "BTC",
    venue: str = "binance",
    kind: str = "spot",
    symbol: str | None = None,
) -> pl.DataFrame:
    """Bars of (open, high, low, close), one after the other."""
    return table(
        LAKE_CANDLES,
        [
            {
                "time_ns": start_ns + k * interval_s * 1_000_000_000, "venue": venue, "kind": kind,
                "coin": coin, "symbol": symbol or f"{coin}USDT", "interval_s": interval_s,
                "open": o, "high": h, "low": low, "close": c, "volume_coins": 1.0, "source": "by hand",
            }
            for k, (o, h, low, c) in enumerate(prices)
        ],
    )  # fmt: skip


def flat(days: int, price: float = 100.0, step: float = 0.01) -> list[tuple[float, float, float, float]]:
    """Days that go up and down by ``step`` in turn: the mean absolute log return is ln(1 + step)."""
    closes = [price * (1 + step) ** (k % 2) for k in range(days + 1)]
    return [(a, max(a, b), min(a, b), b) for a, b in itertools.pairwise(closes)]


def walk(
    days: int, seed: int = 1, sigma: float = 0.03, price: float = 100.0
) -> list[tuple[float, float, float, float]]:
    """Days of a random walk."""
    moves = np.random.default_rng(seed).standard_normal((days, 3)) * sigma
    closes = price * np.exp(np.cumsum(moves[:, 0]))
    opens = np.concatenate([[price], closes[:-1]])
    highs = np.maximum(opens, closes) * np.exp(np.abs(moves[:, 1]) / 2)
    lows = np.minimum(opens, closes) * np.exp(-np.abs(moves[:, 2]) / 2)
    return [tuple(map(float, row)) for row in zip(opens, highs, lows, closes, strict=True)]  # type: ignore[misc]


def funding(
    days: int, rates: Sequence[float] | float = 1e-4, *, start_ns: int = START, coin: str = "BTC"
) -> pl.DataFrame:
    """Three settlements a day of an 8-hour rate; one rate for all days, or one a day."""
    each = [float(rates)] * days if isinstance(rates, float | int) else list(rates)
    rows = [
        {
            "time_ns": start_ns + day * DAY_NS + hour * 3_600_000_000_000, "venue": "binance", "coin": coin,
            "symbol": f"{coin}USDT", "interval_s": 28_800, "rate": each[day], "source": "by hand",
        }
        for day in range(days)
        for hour in (0, 8, 16)
    ]  # fmt: skip
    return table(FUNDING, rows)


def sentiment(
    values: Sequence[int], *, start_ns: int = START, publisher: str = "alternative.me"
) -> pl.DataFrame:
    """One value a day."""
    return table(
        SENTIMENT,
        [
            {"time_ns": start_ns + k * DAY_NS, "publisher": publisher, "value": value, "source": "by hand"}
            for k, value in enumerate(values)
        ],
    )


def interest(
    rows: Sequence[tuple[float, str, float]], *, start_ns: int = START, coin: str = "BTC"
) -> pl.DataFrame:
    """Open coins of a venue at so many days after the start."""
    return table(
        OPEN_INTEREST,
        [
            {
                "time_ns": start_ns + round(day * DAY_NS), "venue": venue, "coin": coin, "scope": "all",
                "coins": coins, "usd": coins * 100.0, "price": 100.0, "source": "by hand",
            }
            for day, venue, coins in rows
        ],
    )  # fmt: skip


def depth(rows: Sequence[tuple[float, float]], *, start_ns: int = START, coin: str = "BTC") -> pl.DataFrame:
    """Bids within 100 bp [USD] at so many days after the start."""
    return table(
        DEPTH,
        [
            {
                "time_ns": start_ns + round(day * DAY_NS), "venue": "binance", "kind": "perp", "coin": coin,
                "range_bps": 100.0, "taken": "bar", "bid_usd": usd, "ask_usd": usd, "source": "by hand",
            }
            for day, usd in rows
        ],
    )  # fmt: skip


def totals(
    rows: Sequence[tuple[float, str, float]], *, interval_s: int = 14_400, start_ns: int = START,
    coin: str = "BTC", venue: str = "binance", publisher: str = "a vendor",
) -> pl.DataFrame:  # fmt: skip
    """Sums of a side [USD] over windows that begin so many days after the start."""
    return table(
        LIQUIDATION_TOTALS,
        [
            {
                "time_ns": start_ns + round(day * DAY_NS), "venue": venue, "coin": coin,
                "interval_s": interval_s, "side": side, "usd": usd, "publisher": publisher,
                "source": "by hand",
            }
            for day, side, usd in rows
        ],
    )  # fmt: skip
