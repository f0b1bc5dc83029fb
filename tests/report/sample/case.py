"""Which nights are made up, and from what prices?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

START_NS = 1_760_129_340_000_000_000
"""2025-10-10T20:49:00Z."""
MINUTE_NS = 60_000_000_000
MINUTES = 101
MARKETS = {
    # start price, open interest in coins, displayed bids within 1 % in USD, extra fall of a full cascade
    "BTC": (116_836.7, 128_739.0, 203.0e6, 0.105),
    "ETH": (4_000.6, 2_703_824.0, 76.7e6, 0.11),
    "SOL": (205.96, 12_006_426.0, 35.0e6, 0.13),
    "XRP": (2.79, 1.31e9, 12.0e6, 0.12),
}


@dataclass(frozen=True)
class Case:
    """Which night to make up."""

    markets: tuple[str, ...] = ("BTC", "ETH", "SOL")
    seeds: int = 16
    candles: bool = True
    adl: bool = True
    tipping: bool = True
    cascade: float = 1.0
    """1 for a night like the real one, 0 for one on which nothing is liquidated."""
    placebo: float = 0.0
    residual: int = 0
    undefined: bool = False
    """True when the fall is so small that no share of it exists: the shares are null."""


FULL = Case()
NONE = Case(candles=False, adl=False, tipping=False, cascade=0.0)
"""Nothing is liquidated, nothing was observed, no tipping point: the answer is 'none'."""
UNDEFINED = Case(
    markets=("BTC", "ETH"), seeds=4, candles=False, adl=False, tipping=False, cascade=0.0, undefined=True
)
"""Shares are null, and there are too few seeds for thirds."""
SMALL = Case(markets=("BTC",), candles=False, adl=False, tipping=False, cascade=0.35, placebo=0.06)
"""One market, no candles, a placebo that is not zero."""


def quantiles(values: np.ndarray) -> dict[str, float]:
    """The interval of the --json contract."""
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    return {"p05": float(low), "p50": float(middle), "p95": float(high)}
