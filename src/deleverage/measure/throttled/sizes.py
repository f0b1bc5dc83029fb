"""How much do events sum to whose number is known and whose sizes are not, given the sizes of others?

Where the rule does not look at sizes (`first`, `latest`) the published sizes are a fair sample of all. The
body of the sample is drawn again; above its 90 % point a Pareto tail takes over, whose index is drawn from
its posterior, so that the largest of many hidden events may exceed every published one. Where the rule
publishes the `largest`, sizes are maxima: F is recovered from them by the reversed hazard, F(x) = exp(−Σ_{x_j
> x} 1 ÷ Σ_{x_k ≤ x_j} n_k), with n_k the events of the window, and a hidden one is not larger than the one
that was published.

Source: Hill (1975) for the index; proportional reversed hazards for F (Lehmann alternatives, F_k = F^n_k).
"""

from __future__ import annotations

import numpy as np

from deleverage.measure.throttled.throttle import Floats

_TAIL = 0.9
_INDEX_EVENTS, _INDEX = 4.0, 1.0
"""Prior of the tail index: as if four exceedances had shown 1.0. Sizes in logs of Binance's stream (2024 and
2025) have log deviations of 1.7 to 2.6; a lognormal law of 2.0 falls like an index of 0.9 at its 90 %
point."""

LARGEST = 10.0
"""No hidden event is larger than ten times the largest published one. Assumed: positions have limits."""

_ONE_BY_ONE = 400_000
"""Up to so many hidden events over all draws each is drawn; beyond, the sample is drawn by multiplicity."""


def sum_of_hidden(counts: Floats, pool: Floats, weights: Floats, rng: np.random.Generator) -> Floats:
    """Draws of the sum of ``counts`` unseen sizes, float64 [draws].

    counts : number of events of each draw. pool : published sizes [USD or coins], > 0. weights : how near
    each is to the hidden ones; they sum to 1.
    """
    if not pool.size:
        return np.where(counts > 0, np.nan, 0.0)
    order = np.argsort(pool)
    sizes, p = pool[order], weights[order]
    cut = min(int(np.searchsorted(np.cumsum(p), _TAIL)), sizes.size - 1)
    threshold, largest = float(sizes[cut]), LARGEST * float(sizes[-1])
    logs = np.log(sizes[cut:] / threshold)
    if counts.sum() <= _ONE_BY_ONE and counts.max(initial=0.0) <= pool.size:
        exceedances = float(p[cut:].sum()) * sizes.size
        heavy = float(p[cut:] @ logs) * sizes.size
        index = rng.gamma(_INDEX_EVENTS + exceedances, size=counts.size) / (_INDEX_EVENTS / _INDEX + heavy)
        draw = np.repeat(np.arange(counts.size), counts.astype(np.int64))
        place = np.minimum(np.searchsorted(np.cumsum(p), rng.random(draw.size)), sizes.size - 1)
        drawn = np.where(
            place < cut, sizes[place], _pareto(threshold, largest, index[draw], rng.random(draw.size))
        )
        summed: Floats = np.bincount(draw, weights=drawn, minlength=counts.size).astype(np.float64)
        return summed
    sums = np.zeros(counts.size)
    for k, count in enumerate(counts):
        if count <= 0:
            continue
        # bootstrap of the sample itself, then of the hidden events from it
        again = rng.gamma(np.maximum(p * sizes.size, 1e-9))
        times = rng.multinomial(int(min(count, 2e9)), again / again.sum())
        many = int(times[cut:].sum())
        sums[k] = float(times[:cut] @ sizes[:cut])
        if many:
            exceedances, heavy = float(again[cut:].sum()), float(again[cut:] @ logs)
            tail = rng.gamma(_INDEX_EVENTS + exceedances) / (_INDEX_EVENTS / _INDEX + heavy)
            each = min(many, 100_000)
            sums[k] += float(_pareto(threshold, largest, tail, rng.random(each)).sum()) * (many / each)
    return sums


def unseen_below(maxima: Floats, events: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of one unseen size below each published maximum, float64 [windows] each.

    maxima : published sizes, each the largest of its window; events : expected events of that window, ≥ 1.
    """
    order = np.argsort(maxima)
    sizes = maxima[order]
    log_f = -np.concatenate([np.cumsum((1.0 / np.cumsum(events[order]))[::-1])[::-1][1:], [0.0]])
    f = np.exp(log_f)
    step = np.diff(f, prepend=0.0)
    mean = np.cumsum(step * sizes) / f
    square = np.cumsum(step * sizes**2) / f
    back = np.argsort(order)
    return mean[back], np.maximum(square - mean**2, 0.0)[back]


def _pareto(threshold: float, largest: float, index: Floats | float, uniform: Floats) -> Floats:
    """Pareto sizes above ``threshold``, none above ``largest``."""
    kept = 1.0 - (threshold / largest) ** index
    drawn: Floats = threshold * (1.0 - kept * uniform) ** (-1.0 / np.asarray(index))
    return drawn
