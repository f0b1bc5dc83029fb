"""How does a test write down daily bars? By hand, in a line each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deleverage.schema import LAKE_CANDLES, MACRO, MARKET_CAPS, empty
from tests.measure.events import table

DAY = 86_400_000_000_000
FIRST = 20_000 * DAY
"""2024-10-04, a Friday."""

Bar = tuple[float, float, float, float]


def candles(
    bars: Sequence[Bar],
    *,
    start_ns: int = FIRST,
    coin: str = "BTC",
    venue: str = "binance",
    kind: str = "spot",
    interval_s: int = 86_400,
    symbol: str | None = None,
    received_ns: int | None = None,
    source: str = "by hand",
) -> pl.DataFrame:
    """Bars one after the other: open, high, low, close."""
    return table(
        LAKE_CANDLES,
        [
            {
                "time_ns": start_ns + k * interval_s * 1_000_000_000, "received_ns": received_ns,
                "venue": venue,
                "kind": kind, "coin": coin, "symbol": symbol or f"{coin}USDT", "interval_s": interval_s,
                "open": bar[0], "high": bar[1], "low": bar[2], "close": bar[3], "volume_coins": 1.0,
                "source": source,
            }
            for k, bar in enumerate(bars)
        ],
    )  # fmt: skip


def walk(days: int, seed: int = 1, *, size: float = 0.02, start: float = 100.0) -> list[Bar]:
    """A made price: normal daily log returns, highs and lows beyond open and close."""
    draw = np.random.Generator(np.random.PCG64(seed))
    close = start * np.exp(np.cumsum(size * draw.standard_normal(days)))
    opens = np.concatenate(([start], close[:-1]))
    up, down = 1 + size * np.abs(draw.standard_normal((2, days))) / 2
    return [
        (float(o), float(max(o, c) * u), float(min(o, c) / d), float(c))
        for o, c, u, d in zip(opens, close, up, down, strict=True)
    ]


def macro(
    days: Sequence[int] | NDArray[np.int64], closes: Sequence[float], *, symbol: str = "GC=F"
) -> pl.DataFrame:
    """Daily closes of a series on dates given as days since 1970."""
    return table(
        MACRO,
        [
            {
                "time_ns": int(day) * DAY, "publisher": "yahoo", "symbol": symbol, "interval_s": 86_400,
                "close": float(close), "unit": "USD/oz", "source": "by hand",
            }
            for day, close in zip(days, closes, strict=True)
        ],
    )  # fmt: skip


def caps(rows: Sequence[tuple[int, str, float]]) -> pl.DataFrame:
    """Capitalisations: day since 1970, coin or 'total', USD."""
    if not rows:
        return empty(MARKET_CAPS)
    return table(
        MARKET_CAPS,
        [
            {"time_ns": day * DAY, "publisher": "made", "coin": coin, "usd": usd, "source": "by hand"}
            for day, coin, usd in rows
        ],
    )
