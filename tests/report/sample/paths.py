"""A made-up night minute by minute, and what came of each draw."""

from __future__ import annotations

import numpy as np
import polars as pl

from tests.report.sample.case import (
    MARKETS,
    MINUTE_NS,
    MINUTES,
    START_NS,
    Case,
)


def paths(case: Case) -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(7)
    time = START_NS + MINUTE_NS * np.arange(MINUTES)
    clock = np.arange(MINUTES, dtype=float)
    frames, draws = [], []
    for seed in range(case.seeds):
        shock = float(rng.uniform(0.016, 0.035))
        fuel = float(np.exp(rng.uniform(np.log(0.05), np.log(0.6))))
        hidden = float(rng.uniform(1.4, 3.0))
        moment = float(rng.normal(27, 3.5))
        noise = rng.normal(size=MINUTES)
        for number, market in enumerate(case.markets):
            price, interest, depth, extra = MARKETS[market]
            beta = 1.0 + 0.25 * number
            strength = case.cascade * extra * (0.55 + 1.1 * fuel) * (2.4 / hidden) ** 0.5
            news = -beta * shock * np.clip(clock / 12, 0, 1) * (1 - 0.25 * np.clip((clock - 30) / 60, 0, 1))
            fall = 1 / (1 + np.exp(-(clock - moment) / 1.4))
            back = np.exp(-np.clip(clock - moment - 3, 0, None) / 14)
            walk = 0.0006 * beta * np.cumsum(noise) / np.sqrt(1 + clock / 20)
            pulse = -strength * fall * (0.28 + 0.72 * back)
            slow = -0.12 * strength * np.clip((clock - moment) / 70, 0, 1)
            for variant, x in (
                ("factual", news + pulse + walk),
                ("no_liquidations", news + slow + walk),
                ("news_only", news + walk),
            ):
                close = price * np.exp(x)
                opened = np.concatenate(([price], close[:-1]))
                wick = np.abs(rng.normal(0, 0.0008, MINUTES))
                dive = np.where(
                    variant == "factual", 0.2 * strength * np.exp(-(((clock - moment) / 2) ** 2)), 0
                )
                low = np.minimum(opened, close) * (1 - wick - dive)
                forced = np.maximum(-np.diff(np.log(close), prepend=np.log(price)), 0) * (
                    variant == "factual"
                )
                forced = np.where(forced > 0.002, forced, 0) * interest * 1.1 * case.cascade
                shorts = 0.12 * np.roll(forced, 9)
                thin = 1 - (
                    0.9 * np.exp(-(((clock - moment - 1) / 6) ** 2)) * (variant == "factual")
                    + 0.25 * np.exp(-(((clock - 8) / 8) ** 2))
                ) * min(1.0, 0.3 + case.cascade)
                auto = (0.06 if case.adl and variant == "factual" else 0.0) * forced * (clock > moment)
                taken = 0.08 * forced
                gone = np.cumsum(forced + shorts) + 0.03 * interest * np.clip(clock / 60, 0, 1)
                frames.append(
                    pl.DataFrame(
                        {
                            "variant": [variant] * MINUTES,
                            "seed": [seed] * MINUTES,
                            "market": [market] * MINUTES,
                            "time_ns": time,
                            "open": opened,
                            "high": np.maximum(opened, close) * (1 + wick),
                            "low": low,
                            "close": close,
                            "mark": close,
                            "index": close * 1.0004,
                            "liquidated_long_usd": forced * close,
                            "liquidated_short_usd": shorts * close,
                            "liquidated_long_coins": forced,
                            "liquidated_short_coins": shorts,
                            "book_coins": forced + shorts - auto - taken,
                            "takeover_coins": taken,
                            "adl_coins": auto,
                            "stop_coins": 0.2 * forced,
                            "depth_bid_usd": depth * thin,
                            "depth_ask_usd": 0.92 * depth * (0.3 + 0.7 * thin),
                            "spread_bps": (0.1 + 0.4 * number) / np.maximum(thin, 0.02) ** 1.6,
                            "open_interest_coins": interest - gone,
                            "fund_usd": 1.23e9 - np.cumsum(taken * close) * 0.4,
                        }
                    )
                )
                if variant != "factual":
                    continue
                bottom = int(np.argmin(low))
                draws.append(
                    {
                        "seed": seed,
                        "point": seed // 4,
                        "market": market,
                        "shock": shock,
                        "fuel": fuel,
                        "hidden_depth": hidden,
                        "start": price,
                        "trough": float(low[bottom]),
                        "trough_after_s": bottom * 60 + 20,
                        "end": float(close[-1]),
                        "drop": 1 - float(low[bottom]) / price,
                        "recovered_share": (float(close[-1]) - float(low[bottom]))
                        / (price - float(low[bottom])),
                        "open_interest_before_coins": interest,
                        "open_interest_after_coins": interest - float(gone[-1]),
                        "liquidated_long_usd": float((forced * close).sum()),
                        "liquidated_short_usd": float((shorts * close).sum()),
                        "book_usd": float(((forced + shorts - auto - taken) * close).sum()),
                        "takeover_usd": float((taken * close).sum()),
                        "adl_usd": float((auto * close).sum()),
                        "deficit_usd": 0.0,
                        "liquidated_accounts": int(forced.sum() / interest * 90_000),
                    }
                )
    return pl.concat(frames), pl.DataFrame(draws)
