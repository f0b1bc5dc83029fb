"""Made-up candles of the night, as if they were observed."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from deleverage import schema
from tests.report.sample.case import (
    MINUTE_NS,
    MINUTES,
    START_NS,
    Case,
)


def candles(case: Case) -> pl.DataFrame:
    if not case.candles:
        return schema.empty(schema.CANDLES)
    rng = np.random.default_rng(3)
    clock = np.arange(MINUTES, dtype=float)
    path = -0.028 * np.clip(clock / 10, 0, 1) - 0.105 / (1 + np.exp(-(clock - 28) / 2)) * (
        0.3 + 0.7 * np.exp(-np.clip(clock - 31, 0, None) / 10)
    )
    path = path + 0.0012 * np.cumsum(rng.normal(size=MINUTES)) / 3
    close = 116_830 * np.exp(path)
    opened = np.concatenate(([116_836.7], close[:-1]))
    rows: list[tuple[Any, ...]] = []
    for k in range(70):
        rows.append(
            (
                START_NS + k * MINUTE_NS,
                "binance",
                "perp",
                "BTC",
                "BTCUSDT",
                60,
                opened[k],
                max(opened[k], close[k]) * 1.001,
                min(opened[k], close[k]) * 0.998,
                close[k],
                900.0,
                420.0,
                9000,
                "binance_perp_btcusdt_1m_20251010_window",
            )
        )
    for k in range(71, MINUTES, 5):
        piece = close[k : k + 5]
        rows.append(
            (
                START_NS + k * MINUTE_NS,
                "binance",
                "spot",
                "BTC",
                "BTCUSDT",
                300,
                opened[k],
                float(piece.max()) * 1.001,
                float(piece.min()) * 0.999,
                piece[-1],
                400.0,
                190.0,
                5000,
                "binance_spot_btcusdt_5m_2025",
            )
        )
    for coin, start, end in (("ETH", 3_994.99, 3_760.0), ("SOL", 205.16, 181.0)):
        for hour, (a, b) in enumerate(((start, start * 0.96), (start * 0.96, end), (end, end * 1.02))):
            rows.append(
                (
                    1_760_126_400_000_000_000 + hour * 60 * MINUTE_NS,
                    "binance",
                    "perp",
                    coin,
                    f"{coin}USDT",
                    3600,
                    a,
                    max(a, b) * 1.01,
                    min(a, b) * (0.9 if hour == 1 else 0.99),
                    b,
                    1e5,
                    None,
                    None,
                    "multi_venue_perps_1h",
                )
            )
    return pl.DataFrame(rows, schema=list(schema.CANDLES.names), orient="row", infer_schema_length=None)
