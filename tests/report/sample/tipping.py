"""A made-up map of what further falls would set off."""

from __future__ import annotations

import numpy as np
import polars as pl

from tests.report.sample.case import (
    MARKETS,
    Case,
)


def tipping(case: Case, draws: pl.DataFrame) -> pl.DataFrame:
    rng = np.random.default_rng(9)
    frames = []
    for depth in (0.25, 0.5, 1.0, 2.0, 4.0):
        factor = 1 + case.cascade * (depth**-0.55 - 1)
        jump = 1 + (1.2 * (rng.random(draws.height) < 0.45 / depth / 2) * case.cascade if depth < 1 else 0.0)
        frames.append(
            draws.select(
                pl.lit(depth).alias("depth"),
                "seed",
                "market",
                (pl.col("drop") * factor * jump).clip(0, 0.75).alias("drop"),
            )
        )
    return pl.concat(frames)


def liquidation_map(case: Case) -> pl.DataFrame:
    frames = []
    fall = np.linspace(0.0025, 0.25, 100)
    for number, market in enumerate(case.markets):
        price, _, depth, _ = MARKETS[market]
        rho = depth / price / 0.01 * 2.2
        n = (
            0.35
            + 1.05 * np.exp(-(((fall - 0.045) / 0.017) ** 2))
            + 0.7 * np.exp(-(((fall - 0.1) / 0.025) ** 2))
            - 1.1 * fall
        )
        n = n * (1.0 if case.tipping else 0.45) * max(case.cascade, 0.02) * (1 + 0.1 * number)
        middle = np.cumsum(n * rho * 0.0025)
        frames.append(
            pl.DataFrame(
                {
                    "market": [market] * 100,
                    "fall": fall,
                    "liquidated_coins_p50": middle,
                    "liquidated_coins_p05": middle * 0.45,
                    "liquidated_coins_p95": middle * 1.8,
                    "book_coins": rho * fall,
                    "n_p05": n * 0.45,
                    "n_p50": n,
                    "n_p95": n * 1.8,
                }
            )
        )
    return pl.concat(frames)
