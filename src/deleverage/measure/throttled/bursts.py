"""How many liquidations stand behind each one that a throttled feed could have shown?

Liquidations come in bursts shorter than any throttle: one fall of the mark closes many accounts within
milliseconds. A throttled feed shows the first (or the last) of a burst and is blind for the others, so
**nothing in it tells their number**: the mean burst M̄ ≥ 1 comes from elsewhere. Either from full feeds,
which we throttle ourselves and compare with the truth, or from a stated prior; the answer says which.

From full feeds: stretches of streams are sorted by their rate of bursts and pooled until they have enough;
each pool is a pair x = log(bursts per second), y = log(true count ÷ bursts). At the target's x,

    log M̄ = Σ K(x−x_i)·y_i ÷ Σ K  +  (error of that, and ``TRANSFER`` between venues) · Z  +  τ · z

with K(u) = exp(−½u²), Z shared by all streams of a venue and τ, the scatter of single streams about the
pools, each stream's own. n pairs leave the prior a weight of exp(−n÷2), and more where x lies outside of
theirs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from deleverage.measure.throttled.throttle import Floats

PRIOR_NONE = 0.2
"""Prior: probability that bursts have one event each."""

PRIOR_MEDIAN, PRIOR_SPREAD = 0.6, 1.0
"""Prior otherwise: M̄ − 1 is lognormal, median 0.6, log deviation 1.0 (5 to 95 %: 0.12 to 3.1). Assumed. Of
Bybit's full feed a study (min66633, liquidation-cascade-research, August 2026; read by us second hand) says
that 32.3 % of the time there are several in a second; a logarithmic law with that share of bursts has M̄ =
1.5."""

TRANSFER = 0.2
"""Log deviation between the burst sizes of two venues at the same rate. Assumed."""

OVERDISPERSION = 0.5
"""Shape of the gamma weights by which bursts differ in size: variance (M̄−1) + (M̄−1)² ÷ 0.5. Assumed."""

_POOLED = 30
"""Published events of a pool."""

_SCATTER, _SCATTER_WEIGHT = 0.2, 4.0
"""τ where nothing is known, and how many streams that is worth. Assumed."""


class Stretch(NamedTuple):
    """One stretch of a full feed, throttled by us: bursts [1/s], published, bursts, the truth."""

    rate: float
    shown: int
    bursts: float
    noise: float
    truth: int


@dataclass(frozen=True)
class Bursts:
    """What is known of burst sizes; no pairs for the prior alone.

    rate : log bursts per second, float64 [pairs]; excess : log M̄ found there; scatter : τ of single streams.
    """

    rate: Floats
    excess: Floats
    scatter: float = _SCATTER

    @property
    def learnt(self) -> bool:
        """True where full feeds say anything."""
        return self.rate.size > 0


PRIOR = Bursts(np.empty(0), np.empty(0))


class Common(NamedTuple):
    """Draws that all streams of a venue share, float64 [draws]: ignorance of bursts is common to them."""

    uniform: Floats
    normal: Floats
    also: Floats


def common_draws(rng: np.random.Generator, draws: int) -> Common:
    """The shared draws, from the venue's own stream of randomness."""
    return Common(rng.random(draws), rng.standard_normal(draws), rng.random(draws))


def learn(stretches: Sequence[Stretch]) -> Bursts:
    """Pairs of rate and burst size from stretches of full feeds."""
    rows = sorted(stretch for stretch in stretches if stretch.shown > 0)
    rate, excess = [], []
    pool: list[Stretch] = []
    for row in rows:
        pool.append(row)
        if sum(part.shown for part in pool) >= _POOLED:
            rate.append(math.log(float(np.mean([part.rate for part in pool]))))
            excess.append(math.log(sum(part.truth for part in pool) / sum(part.bursts for part in pool)))
            pool = []
    found = Bursts(np.array(rate), np.array(excess))
    if not found.learnt:
        return PRIOR
    single = [row for row in rows if row.shown >= 10]
    off = [
        (math.log(row.truth / row.bursts) - _middle(found, math.log(row.rate))[0]) ** 2 - row.noise**2
        for row in single
    ]
    variance = (max(sum(off), 0.0) + _SCATTER_WEIGHT * _SCATTER**2) / (len(off) + _SCATTER_WEIGHT)
    return Bursts(found.rate, found.excess, math.sqrt(variance))


def mean_bursts(bursts: Bursts, rate: float, common: Common, rng: np.random.Generator) -> Floats:
    """Draws of the mean burst M̄ ≥ 1 of one stream at a rate of bursts [1/s], float64 [draws]."""
    prior = np.where(
        common.uniform < PRIOR_NONE, 0.0, np.log1p(PRIOR_MEDIAN * np.exp(PRIOR_SPREAD * common.normal))
    )
    if not bursts.learnt:
        return np.exp(prior)
    x = math.log(max(rate, 1e-9))
    middle, error, size = _middle(bursts, x)
    outside = max(0.0, float(bursts.rate.min()) - x, x - float(bursts.rate.max()))
    shared = math.hypot(error, TRANSFER, 0.2 * outside)
    found = middle + shared * common.normal + bursts.scatter * rng.standard_normal(prior.size)
    ignorance = 1.0 - (1.0 - math.exp(-0.5 * size)) * math.exp(-0.5 * max(outside - 1.0, 0.0) ** 2)
    return np.exp(np.maximum(np.where(common.also < ignorance, prior, found), 0.0))


def burst_events(bursts: Floats, mean: Floats, rng: np.random.Generator) -> Floats:
    """Events of so many bursts of mean size ``mean``: each has one, the others are a gamma-Poisson sum."""
    shape = np.maximum(bursts * OVERDISPERSION, 1e-12)
    extra = rng.poisson(np.minimum(rng.gamma(shape) * (mean - 1.0) / OVERDISPERSION, 1e15))
    events: Floats = bursts + np.where(bursts > 0, extra, 0)
    return events


def _middle(bursts: Bursts, x: float) -> tuple[float, float, float]:
    """Weighted mean of log M̄ at log rate x, its standard error, and how many pairs it rests on."""
    weights = np.exp(-0.5 * (bursts.rate - x) ** 2) + 1e-12
    total = float(weights.sum())
    middle = float(weights @ bursts.excess) / total
    size = total**2 / float(weights @ weights)
    variance = float(weights @ (bursts.excess - middle) ** 2) / total
    variance = (variance * size + 0.15**2 * 3.0) / (size + 3.0)
    # pairs far from x count for what they weigh, not for what they are
    size *= min(1.0, float(weights.max()))
    return middle, math.sqrt(variance / max(size, 1e-3)) if size > 0.5 else math.sqrt(2.0 * variance), size
