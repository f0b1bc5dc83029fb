"""Which events would a self-exciting process make? Exact draws, family by family.

Immigrants come at the baseline's rate; each event of weight w has Poisson(n·w) children, delayed by the
kernel. Children of children follow until none is left (Hawkes & Oakes 1974, the cluster form of the process).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deleverage.errors import InputError
from deleverage.measure.feedback.hawkes.likelihood import Events

Floats = NDArray[np.float64]

MOST_EVENTS = 5_000_000


def draw(
    edges: Floats,
    mu: Floats,
    n: float,
    shares: Floats,
    decays: Floats,
    rng: np.random.Generator,
    *,
    marks: Floats | None = None,
) -> Events:
    """One draw on [edges[0] = 0, edges[-1]], begun empty.

    mu : float64 [J], rate of each stretch between edges; n : branching ratio in [0, 1); shares, decays :
    float64 [K] of the kernel; rng : the stream; marks : weights with mean one to draw from, else ones.

    Raises
    ------
    InputError
        the process would not end: n outside [0, 1), or too many events.
    """
    span = float(edges[-1])
    expected = float(mu @ np.diff(edges)) / max(1.0 - n, 1e-12)
    if not 0.0 <= n < 1.0 or expected > MOST_EVENTS:
        raise InputError(
            f"expected a branching ratio in [0, 1) and at most {MOST_EVENTS:,} events, found n = {n:g} and "
            f"{expected:,.0f} events",
            hint="take a smaller ratio or a shorter time",
        )
    first = [
        rng.uniform(low, high, rng.poisson(rate * (high - low)))
        for low, high, rate in zip(edges[:-1], edges[1:], mu, strict=True)
    ]
    parents = np.concatenate(first)
    every, weights = [parents], [_weights(marks, parents.size, rng)]
    while parents.size:
        children = rng.poisson(n * weights[-1])
        born = np.repeat(parents, children)
        which = (
            rng.choice(shares.size, size=born.size, p=shares) if shares.size > 1 else np.zeros(born.size, int)
        )
        parents = born + rng.standard_exponential(born.size) / decays[which]
        parents = parents[parents < span]
        every.append(parents)
        weights.append(_weights(marks, parents.size, rng))
    times, weight = np.concatenate(every), np.concatenate(weights)
    order = np.argsort(times, kind="stable")
    return Events(times[order], weight[order], span)


def _weights(marks: Floats | None, count: int, rng: np.random.Generator) -> Floats:
    return np.ones(count) if marks is None else marks[rng.integers(0, marks.size, count)]
