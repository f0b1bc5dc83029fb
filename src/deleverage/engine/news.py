"""The exogenous path: where fair value goes when nobody is forced to do anything.

A shock of a given size arrives between two times, fast at first and fading, on top of a random walk at the
volatility of the hours before. Nothing of it depends on what the market does: every variant of a seed sees
the same path.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deleverage.units import Floats, Int64s


@dataclass(frozen=True)
class NewsSpec:
    """The shock and its noise.

    Parameters
    ----------
    shock : net fall of the first market's fair value [share], > 0 is down.
    starts_s, ends_s : when it arrives, seconds from the start.
    correlation : of the noise between any two markets.
    """

    shock: float
    starts_s: float
    ends_s: float
    correlation: float


def fair_path(
    news: NewsSpec,
    start_ticks: Int64s,
    sigma_step: Floats,
    beta: Floats,
    steps: int,
    rng: np.random.Generator,
) -> Int64s:
    """Fair value of every market at the end of every second [ticks], int64 [steps, K].

    ``sigma_step`` is the volatility per √second, ``beta`` the fall per unit of shock.
    """
    markets = start_ticks.shape[0]
    common = rng.standard_normal((steps, 1))
    own = rng.standard_normal((steps, markets))
    noise = np.sqrt(news.correlation) * common + np.sqrt(1.0 - news.correlation) * own
    t = np.arange(1, steps + 1, dtype=np.float64)
    span = max(news.ends_s - news.starts_s, 1.0)
    progress = np.clip((t - news.starts_s) / span, 0.0, 1.0)
    arrived = 1.0 - (1.0 - progress) ** 2
    log_shock = np.log1p(-np.minimum(news.shock * beta, 0.9))
    log_path = arrived[:, None] * log_shock[None, :] + np.cumsum(noise * sigma_step[None, :], axis=0)
    path: Int64s = np.maximum(np.rint(start_ticks[None, :] * np.exp(log_path)), 1.0).astype(np.int64)
    return path
