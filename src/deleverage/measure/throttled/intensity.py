"""How many bursts of events did a throttled feed not publish, given those that it did?

In its live time the feed sees every event, so the rate near a moment is *events ÷ live seconds* about it; the
hidden ones are that rate × dead seconds. With a kernel K_h(u) = exp(−|u| ÷ h) over cells,

    λ_side(c) = (a₀ + Σ_j≠c K_h(c−j)·d_j,side) ÷ (b₀ + Σ_j K_h(c−j)·live_j)        hidden_c = λ(c) · dead_c

where the event that made the cell dead does not count for its own rate: seen from an event there is one event
too many. The width h is learnt: each cell is predicted from the others, at every scale, and the scales are
weighted by how likely they made what was seen. For rules without a known place in the window only the share
of empty windows tells: λ = ln(1 + occupied ÷ empty) ÷ window, and with no empty window near by nothing does.

Source: dead-time correction of counters (Müller 1973, "Dead-time problems"), made local; conjugate
gamma-Poisson prediction; weighted likelihood bootstrap (Newton & Raftery 1994).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deleverage.measure.throttled.throttle import Cells, Floats, Rule, Throttle

SCALES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0)
"""Kernel widths h [cells]: from less than a window to a quarter of an hour."""

_PRIOR_EVENTS = 0.5
"""a₀: weight of the mean rate of the whole stretch, in events."""

_FEWEST_EMPTY = 0.05
"""Rules without a place: a smaller share of empty windows within the kernel does not bound the rate."""


@dataclass(frozen=True)
class Hidden:
    """Draws of what was not published.

    by_side : bursts not published, float64 [draws, 2]; by_cell : expected hidden bursts of each cell, float64
    [cells]; unidentified : share of them that stands where the data bound the rate from below only; scale_s :
    likeliest width of the kernel [s].
    """

    by_side: Floats
    by_cell: Floats
    unidentified: float
    scale_s: float


_FEW = 400
"""Up to so many published events a sum over them is faster than a Fourier transform."""


def hidden_bursts(
    cells: Cells, throttle: Throttle, wanted: NDArray[np.bool_], rng: np.random.Generator, draws: int
) -> Hidden:
    """Draws of the hidden bursts of the ``wanted`` cells; the other cells are context.

    wanted : bool [cells]. rng : the stream of this estimate; equal streams give equal draws.
    """
    window_s = throttle.window_ns / 1e9
    counts = cells.events.sum(axis=1)
    placed = throttle.rule in (Rule.FIRST, Rule.LATEST)
    busy = np.flatnonzero((cells.dead > 0.0) & wanted)
    if not busy.size or not counts.sum():
        return Hidden(np.zeros((draws, 2)), np.zeros(counts.size), 0.0, window_s)
    exposure = cells.live if placed else (counts == 0).astype(np.float64)
    mean_rate = counts.sum() / max(float(exposure.sum()), 1e-9)
    weights = _scale_weights(counts, exposure, mean_rate, placed)
    chosen = rng.choice(len(SCALES), size=draws, p=weights)
    hidden = np.zeros((draws, 2))
    by_cell = np.zeros(counts.size)
    loose = total = 0.0
    side_share = (cells.events.sum(axis=0) + 0.5) / (counts.sum() + 1.0)
    seen = np.flatnonzero(counts)
    known = counts[busy] > 0
    here = np.minimum(np.searchsorted(seen, busy), seen.size - 1)
    for k in np.unique(chosen):
        rows = np.flatnonzero(chosen == k)
        kernel = _kernel(SCALES[k], counts.size)
        below = np.maximum(_smooth(exposure, kernel), 0.0)[busy]
        b = below + _PRIOR_EVENTS / mean_rate
        # weighted likelihood bootstrap: one standard exponential weight a published event
        shaken = cells.events[seen] * rng.standard_exponential((rows.size, seen.size, 1))
        a = _at(shaken, seen, busy, SCALES[k], kernel, counts.size) - shaken[:, here] * known[None, :, None]
        prior = rng.gamma(_PRIOR_EVENTS, 1.0, (rows.size, 1, 1)) * side_share
        a = np.maximum(a, 0.0) + prior
        if placed:
            mean = a / b[None, :, None] * cells.dead[busy][None, :, None]
            # mean waiting times below the resolution are not told apart
            loose_here = b * 1e9 < throttle.resolution_ns * a.sum(axis=2).mean(axis=0)
        else:
            # the cells that were left out of the numerator are occupied all the same
            both = a.sum(axis=2)
            mu = np.log1p(both / b[None])
            extra = _more_than_one(mu)
            mean = extra[:, :, None] * a / both[:, :, None]
            beside = np.maximum(_smooth(counts, kernel)[busy] - counts[busy], 0.0)
            loose_here = (beside > _PRIOR_EVENTS) & (below < _FEWEST_EMPTY * (beside + below))
        expected = mean.sum(axis=2).mean(axis=0)
        by_cell[busy] += expected * rows.size / draws
        loose += float(expected[loose_here].sum()) * rows.size
        total += float(expected.sum()) * rows.size
        hidden[rows] = rng.poisson(np.minimum(mean.sum(axis=1), 1e15))
    best = SCALES[int(np.argmax(weights))] * window_s
    return Hidden(hidden, by_cell, loose / total if total > 0 else 0.0, best)


def _more_than_one(mu: Floats) -> Floats:
    """Expected bursts beyond the first of a window that has one, at mean ``mu``: μ ÷ (1 − exp −μ) − 1 ≥ 0."""
    small = mu < 1e-5  # there the difference is lost in rounding, and could come out below zero
    extra: Floats = np.where(small, mu / 2.0, mu / -np.expm1(-np.maximum(mu, 1e-5)) - 1.0)
    return extra


def _scale_weights(counts: Floats, exposure: Floats, mean_rate: float, placed: bool) -> Floats:
    """Weight of each scale: how well every cell is foretold by the others (leave one out)."""
    scores = np.zeros(len(SCALES))
    occupied = counts > 0
    for k, scale in enumerate(SCALES):
        kernel = _kernel(scale, counts.size)
        a = np.maximum(_smooth(counts, kernel) - counts, 0.0) + _PRIOR_EVENTS
        b = np.maximum(_smooth(exposure, kernel) - exposure, 0.0) + _PRIOR_EVENTS / mean_rate
        if placed:
            # gamma rate: waiting `exposure` without an event, then one or none
            score = -a * np.log1p(exposure / b) + np.where(occupied, np.log(a / (b + exposure)), 0.0)
        else:
            score = np.where(occupied, np.log(a / (a + b)), np.log(b / (a + b)))
        scores[k] = score.sum()
    weights = np.exp(scores - scores.max())
    share: Floats = weights / weights.sum()
    return share


def _at(
    values: Floats, seen: NDArray[np.int64], busy: NDArray[np.int64], scale: float, kernel: Floats, cells: int
) -> Floats:
    """Values [draws, seen, 2] smoothed to the busy cells [draws, busy, 2]; by FFT where there are many."""
    if seen.size <= _FEW:
        near = np.exp(-np.abs(busy[:, None] - seen[None, :]) / scale)
        return np.stack([values[:, :, side] @ near.T for side in (0, 1)], axis=-1)
    sides = []
    for side in (0, 1):
        spread = np.zeros((values.shape[0], cells))
        spread[:, seen] = values[:, :, side]
        sides.append(_smooth(spread, kernel)[:, busy])
    return np.stack(sides, axis=-1)


def _kernel(scale: float, cells: int) -> Floats:
    """exp(−|u| ÷ scale), cut where it is below 1e-7; entry i stands at distance i."""
    reach = min(cells - 1, int(16.0 * scale) + 1)
    kernel: Floats = np.exp(-np.arange(reach + 1) / scale)
    return kernel


def _smooth(values: Floats, kernel: Floats) -> Floats:
    """Two-sided convolution along the last axis, by FFT."""
    count = values.shape[-1]
    size = 1 << (count + 2 * kernel.size - 1).bit_length()
    full = np.concatenate([kernel[:0:-1], kernel])
    spectrum = np.fft.rfft(values, size) * np.fft.rfft(full, size)
    smooth: Floats = np.fft.irfft(spectrum, size)[..., kernel.size - 1 : kernel.size - 1 + count]
    return smooth
