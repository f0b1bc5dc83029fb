"""A small lake of every table that measures read: 500 days of two coins, made from one random walk each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from deleverage.schema import LAKE_TABLES, conform

DAY = 86_400 * 1_000_000_000
HOUR = 3_600 * 1_000_000_000
FIRST = 1_718_409_600_000_000_000 // DAY * DAY  # 2024-06-15
DAYS = 500
PRICES = {"BTC": 60_000.0, "ETH": 3_000.0}


def frame(name: str, columns: Mapping[str, Any]) -> pl.DataFrame:
    """A table of the lake from some of its columns; the others are null or ''."""
    made = pl.DataFrame(columns)
    for column in LAKE_TABLES[name].columns:
        if column.name not in made.columns:
            empty = None if column.nullable else {"Int64": 0, "Float64": 0.0, "String": ""}[column.dtype]
            made = made.with_columns(pl.lit(empty, getattr(pl, column.dtype)).alias(column.name))
    return conform(made, LAKE_TABLES[name])


def tables(seed: int = 1) -> dict[str, pl.DataFrame]:
    """The lake's tables as frames."""
    rng = np.random.default_rng(seed)
    parts: dict[str, list[pl.DataFrame]] = {}

    def add(name: str, **columns: Any) -> None:
        parts.setdefault(name, []).append(frame(name, columns))

    days = FIRST + DAY * np.arange(DAYS)
    hours = FIRST + HOUR * np.arange(24 * DAYS)
    for coin, first in PRICES.items():
        steps = 0.006 * rng.standard_t(4, 24 * DAYS)
        steps[[24 * 120, 24 * 300, 24 * 450]] = -0.12  # three falls that nobody can miss
        close = first * np.exp(np.cumsum(steps))
        open_ = np.concatenate([[first], close[:-1]])
        spread = np.abs(rng.normal(0, 0.002, close.size))
        high, low = np.maximum(open_, close) * (1 + spread), np.minimum(open_, close) * (1 - spread)
        volume = rng.lognormal(6, 0.5, close.size)
        for kind in ("spot", "perp"):
            add(
                "candles", time_ns=hours, venue="binance", kind=kind, coin=coin, symbol=f"{coin}USDT",
                interval_s=3_600, open=open_, high=high, low=low, close=close, volume_coins=volume,
            )  # fmt: skip
        by_day = close.reshape(DAYS, 24)
        add(
            "candles", time_ns=days, venue="binance", kind="spot", coin=coin, symbol=f"{coin}USDT",
            interval_s=86_400, open=open_[::24], high=high.reshape(DAYS, 24).max(1),
            low=low.reshape(DAYS, 24).min(1), close=by_day[:, -1],
            volume_coins=volume.reshape(DAYS, 24).sum(1),
        )  # fmt: skip
        four = hours[::4]
        coins = 2e5 * np.exp(np.cumsum(rng.normal(0, 0.003, four.size)))
        for venue in ("all", "binance"):
            add(
                "open_interest", time_ns=four, venue=venue, coin=coin, scope="all", coins=coins,
                usd=coins * close[::4], price=close[::4],
            )  # fmt: skip
        for bps in (100.0, 200.0):
            bid = 1e8 * np.exp(rng.normal(0, 0.2, four.size)) * bps / 100
            add(
                "depth", time_ns=four, venue="binance", kind="perp", coin=coin, range_bps=bps, taken="bar",
                bid_usd=bid, bid_coins=bid / close[::4], ask_usd=bid, ask_coins=bid / close[::4],
            )  # fmt: skip
        eight = hours[::8]
        add(
            "funding", time_ns=eight, venue="binance", coin=coin, symbol=f"{coin}USDT", interval_s=28_800,
            rate=rng.normal(1e-4, 1e-4, eight.size),
        )  # fmt: skip
        for side in ("long", "short"):
            add(
                "liquidation_totals", time_ns=four, venue="binance", coin=coin, interval_s=14_400, side=side,
                usd=rng.lognormal(14, 1.5, four.size), publisher="coinglass",
            )  # fmt: skip
        add(
            "snapshots", time_ns=days + 15 * HOUR, venue="binance", coin=coin, symbol=f"{coin}USDT",
            kind="perp", price=by_day[:, 15], index_price=by_day[:, 15],
            open_interest_usd=coins[3::6] * by_day[:, 15], open_interest_coins=coins[3::6],
            volume_usd_24h=rng.lognormal(22, 0.3, DAYS),
            long_liquidations_usd_24h=rng.lognormal(18, 1, DAYS),
            short_liquidations_usd_24h=rng.lognormal(18, 1, DAYS),
        )  # fmt: skip
        add(
            "market_caps", time_ns=days, publisher="somebody", coin=coin, usd=2e7 * by_day[:, -1],
            supply_coins=np.full(DAYS, 2e7),
        )  # fmt: skip
        working = days[(days // DAY + 3) % 7 < 5]
        for fund in ("total", "ONE"):
            add(
                "flows", time_ns=working, publisher="farside", coin=coin, fund=fund,
                usd=rng.normal(0, 2e8, working.size),
            )  # fmt: skip
        times = np.sort(rng.choice(DAYS * 86_400, 3_000, replace=False)) * 1_000_000_000 + FIRST
        size = rng.lognormal(0, 1, times.size)
        add(
            "liquidations", time_ns=times, received_ns=times + 2_000_000_000, venue="binance", kind="perp",
            coin=coin, symbol=f"{coin}USDT", event_id=[f"{coin}-{k}" for k in range(times.size)],
            side=rng.choice(["long", "short"], times.size), coins=size, price=np.full(times.size, first),
            usd=size * first, usd_at="fill", feed="forceOrder",
        )  # fmt: skip
        for k, day in enumerate(days[::60]):
            add(
                "tiers", time_ns=[int(day)] * 2, venue="binance", symbol=f"{coin}USDT", tier=[1, 2],
                floor_usd=[0.0, 3e5], cap_usd=[3e5, 5e7 + k], rate_ppm=[4_000, 5_000], rate_num=[4, 5],
                rate_den=[1_000, 1_000], max_leverage=[150.0, 100.0], deduction_usd=[0.0, 300.0],
            )  # fmt: skip
    working = days[(days // DAY + 3) % 7 < 5]
    gold = 2_400 * np.exp(np.cumsum(rng.normal(0, 0.01, working.size)))
    add(
        "macro", time_ns=working, publisher="yahoo", symbol="GC=F", interval_s=86_400, open=gold, high=gold,
        low=gold, close=gold, unit="USD/oz",
    )  # fmt: skip
    for publisher in ("alternative.me", "coinglass"):
        add("sentiment", time_ns=days, publisher=publisher, value=rng.integers(5, 95, DAYS))
    return {name: pl.concat(frames) for name, frames in parts.items()}
