"""What is the own Fear & Greed on each midnight, and how much of it was there?

composite = 100 · Σ w·p ÷ Σ w over the components that are there, p being the causal percentile, turned so
that fear is low. A missing component gives its weight to the others, and `coverage` says how much is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deleverage.measure.asof import DAY_NS, AsOf
from deleverage.measure.sentiment.components import COMPONENTS, Component, Inputs, Ints
from deleverage.measure.sentiment.percentile import DAYS, causal

Floats = NDArray[np.float64]

VERSION = "1"
SHOWN_DAYS = 730
LEAST_COVERAGE = 0.5


@dataclass(frozen=True)
class Composite:
    """midnights : [n] in ns UTC; the rest in their order, NaN where there is none.

    raw, scored : [components, n], as measured, and 0 (fear) to 100 (greed); value : [n], 0 to 100;
    low, high : [n], least and most with one component left out; coverage : [n], share of the weight there.
    """

    components: tuple[Component, ...]
    midnights: Ints
    raw: Floats
    scored: Floats
    value: Floats
    low: Floats
    high: Floats
    coverage: Floats


def composite(asof: AsOf, *, shown: int = SHOWN_DAYS) -> Composite:
    """The composite on the last ``shown`` midnights up to the moment that was asked for."""
    last = asof.at_ns // DAY_NS * DAY_NS
    midnights = last - np.arange(shown + DAYS - 1, -1, -1, dtype=np.int64) * DAY_NS
    inputs = Inputs(asof)
    raw = np.array([component.at(inputs, midnights) for component in COMPONENTS])
    scored = np.array([score(values, one.greed) for values, one in zip(raw, COMPONENTS, strict=True)])
    kept = slice(DAYS, None)
    weights = np.array([component.weight for component in COMPONENTS])
    value, coverage = weigh(scored[:, kept], weights)
    low, high = (np.where(np.isfinite(value), end, np.nan) for end in left_out(scored[:, kept], weights))
    return Composite(COMPONENTS, midnights[kept], raw[:, kept], scored[:, kept], value, low, high, coverage)


def score(raw: Floats, greed: int) -> Floats:
    """Causal percentile × 100, turned round where more is fear (``greed`` < 0)."""
    share = causal(raw)
    return 100 * (share if greed > 0 else 1 - share)


def weigh(scored: Floats, weights: Floats, least: float = LEAST_COVERAGE) -> tuple[Floats, Floats]:
    """Weighted mean of what is there, and the share of the weight that is: [components, n] to [n] each."""
    there = np.isfinite(scored)
    present = (there * weights[:, None]).sum(axis=0)
    summed = (np.where(there, scored, 0.0) * weights[:, None]).sum(axis=0)
    coverage = present / weights.sum()
    enough = coverage >= least - 1e-12
    return np.where(enough, summed / np.where(present > 0, present, 1.0), np.nan), coverage


def left_out(scored: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Least and most of the weighted mean when any one component that is there is left out."""
    ends = []
    for k in range(weights.size):
        others = np.delete(np.arange(weights.size), k)
        value, _ = weigh(scored[others], weights[others], least=0.0)
        ends.append(np.where(np.isfinite(scored[k]) & np.isfinite(scored[others]).any(axis=0), value, np.nan))
    table = np.array(ends)
    none = ~np.isfinite(table).any(axis=0)
    low = np.min(np.where(np.isfinite(table), table, np.inf), axis=0)
    high = np.max(np.where(np.isfinite(table), table, -np.inf), axis=0)
    return np.where(none, np.nan, low), np.where(none, np.nan, high)


def weights_in_words(components: Sequence[Component] = COMPONENTS) -> str:
    """'volatility 20 %, momentum 20 %, ...'."""
    return ", ".join(f"{one.name} {100 * one.weight:.0f} %" for one in components)
