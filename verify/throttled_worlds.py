"""Full feeds whose truth is known, for the throttle test; nothing here knows the estimator.

Arrivals come from branching (every event begets others after a delay), from calm and panic that alternate,
from single floods, and in batches of one millisecond; sizes are lognormal, Pareto, or grow with the crowd.
The estimator assumes none of these: it knows local rates and burst sizes only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Floats = NDArray[np.float64]
SECOND = 1_000_000_000
MILLI = 1_000_000


@dataclass(frozen=True)
class World:
    """One kind of feed.

    rate : events per second that nothing caused; children : mean of those that an event causes; delay_s :
    time scale of that; power : true for a power-law delay; batch : mean size of a batch; panic : factor by
    which the rate rises in panic spells; tail : Pareto index of sizes, 0 for lognormal; sigma : of log sizes;
    crowd : sizes grow as local rate to this power; flip : longs and shorts alternate by spell instead of one
    side leading.
    """

    name: str
    rate: float
    children: float
    delay_s: float
    power: bool = False
    batch: float = 1.0
    panic: float = 1.0
    tail: float = 0.0
    sigma: float = 1.5
    crowd: float = 0.0
    flip: bool = False
    hostile: bool = False


@dataclass(frozen=True)
class Feed:
    """A full feed, in order of time: times [ns], sides (0 long, 1 short), sizes [USD]."""

    times_ns: Times
    sides: NDArray[np.int64]
    usd: Floats


WORLDS = (
    World("calm, no clusters", 0.02, 0.0, 1.0),
    World("calm, clusters of seconds", 0.01, 0.5, 3.0),
    World("calm, clusters below a second, batches", 0.01, 0.4, 0.2, batch=1.4, sigma=2.0),
    World("busy, clusters of seconds", 0.1, 0.6, 2.0, sigma=2.0),
    World("busy, batches, Pareto sizes", 0.1, 0.4, 1.0, batch=1.8, tail=1.5),
    World("busy, power-law clusters, batches", 0.08, 0.6, 0.3, power=True, batch=1.5, sigma=1.8),
    World("panic spells, batches", 0.05, 0.5, 1.0, batch=1.6, panic=30.0, sigma=1.8),
    World(
        "panic spells, Pareto sizes, sides flip", 0.08, 0.5, 0.5, batch=1.4, panic=20.0, tail=1.3, flip=True
    ),
    World("cascade: several a second", 2.0, 0.5, 1.0, batch=1.5, sigma=1.8),
    World("cascade: tens a second, Pareto sizes", 10.0, 0.6, 0.5, batch=1.5, tail=1.5),
    World("hostile: batches of eight", 0.1, 0.4, 1.0, batch=8.0, hostile=True),
    World("hostile: branching 0.9 within 50 ms", 0.05, 0.9, 0.05, hostile=True),
    World(
        "hostile: crowds are larger, index 1.1",
        0.1,
        0.6,
        1.0,
        batch=1.5,
        tail=1.1,
        crowd=0.5,
        panic=20.0,
        hostile=True,
    ),
)


def make(world: World, seconds: float, rng: np.random.Generator) -> Feed:
    """A full feed of so many seconds; the first tenth more is run beforehand and thrown away."""
    warm = 0.1 * seconds + 60.0
    length = seconds + warm
    level, edges = _spells(world, length, rng)
    per_spell = rng.poisson(world.rate * level * np.diff(edges))
    roots = np.concatenate(
        [
            low + (high - low) * rng.random(n)
            for low, high, n in zip(edges, edges[1:], per_spell, strict=False)
        ]
    )
    times, root_of = [roots], [np.arange(roots.size)]
    while times[-1].size:
        born = rng.poisson(world.children, times[-1].size)
        parents = np.repeat(times[-1], born)
        if world.power:
            wait = world.delay_s * (rng.random(parents.size) ** (-1.0 / 1.2) - 1.0)
        else:
            wait = rng.exponential(world.delay_s, parents.size)
        child = parents + wait
        keep = child < length
        times.append(child[keep])
        root_of.append(np.repeat(root_of[-1], born)[keep])
    at, root = np.concatenate(times), np.concatenate(root_of)
    if world.batch > 1.0:
        copies = rng.geometric(1.0 / world.batch, at.size)
        at, root = np.repeat(at, copies), np.repeat(root, copies)
        at = at + 1e-3 * rng.random(at.size) * 0.9
    order = np.argsort(at, kind="stable")
    at, root = at[order], root[order]
    spell_long = np.where(rng.random(level.size) < 0.5, 0.9, 0.1) if world.flip else np.full(level.size, 0.8)
    root_long = (
        rng.random(roots.size) < spell_long[np.clip(np.searchsorted(edges, roots) - 1, 0, level.size - 1)]
    )
    sides = np.where(root_long[root] ^ (rng.random(at.size) < 0.05), 0, 1)
    usd = _sizes(world, at, rng)
    keep = (at >= warm) & (at < length)
    times_ns = ((at[keep] - warm) * 1000.0).astype(np.int64) * MILLI
    return Feed(times_ns, sides[keep], usd[keep])


def _spells(world: World, length: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Calm and panic by turns: factors of the rate, and the moments between them."""
    if world.panic <= 1.0:
        return np.ones(1), np.array([0.0, length])
    edges, level, panic = [0.0], [], bool(rng.random() < 0.3)
    while edges[-1] < length:
        edges.append(edges[-1] + rng.exponential(90.0 if panic else 600.0))
        level.append(world.panic * rng.uniform(0.5, 1.5) if panic else 1.0)
        panic = not panic
    return np.array(level), np.minimum(np.array(edges), length)


def _sizes(world: World, at: Floats, rng: np.random.Generator) -> Floats:
    if world.tail:
        usd = 200.0 * rng.random(at.size) ** (-1.0 / world.tail)
    else:
        usd = 500.0 * np.exp(world.sigma * rng.standard_normal(at.size))
    if world.crowd and at.size:
        crowd = np.searchsorted(at, at + 5.0) - np.searchsorted(at, at - 5.0)
        usd = usd * crowd**world.crowd
    return np.minimum(usd, 5e7)
