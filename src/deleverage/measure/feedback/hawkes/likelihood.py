"""How likely are events under a self-exciting process, and in which direction does that grow?

    λ(t) = μ(t) + n·Σ_{t_j<t} w_j·Σ_k p_k·β_k·e^{−β_k(t − t_j)}
    ℓ = Σ_i log λ(t_i) − ∫μ − n·Σ_i w_i·Σ_k p_k·(1 − e^{−β_k(T − t_i)})

μ is constant between edges; w are mark weights with mean one. One pass over the events for each decay.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deleverage.errors import InputError
from deleverage.measure.feedback.hawkes.kernels import Kernel
from deleverage.measure.feedback.hawkes.recursion import excite

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Events:
    """Events on [0, span].

    times : float64 [N], rising; weights : float64 [N], mean one; span : end of the observation, in the same
    unit of time.
    """

    times: Floats
    weights: Floats
    span: float

    @staticmethod
    def of(times: Floats, span: float, weights: Floats | None = None) -> Events:
        """Events with equal weights unless given.

        Raises
        ------
        InputError
            times fall, lie outside [0, span], or are no numbers.
        """
        times = np.ascontiguousarray(times, dtype=np.float64)
        good = bool(np.isfinite(times).all()) and bool((np.diff(times) >= 0.0).all())
        if not good or (times.size and (times[0] < 0.0 or times[-1] > span)) or not span > 0.0:
            raise InputError(
                f"expected {times.size} rising times within 0 to {span}",
                hint="sort the events; measure times from the start of the observation",
            )
        marks = np.ones(times.size) if weights is None else np.ascontiguousarray(weights, dtype=np.float64)
        return Events(times, marks, float(span))


@dataclass(frozen=True)
class Model:
    """Edges of the baseline and the family of the kernel.

    edges : float64 [J + 1] from 0 to span; J levels. The parameters are (log μ_1 … log μ_J, logit n, the
    kernel's free numbers).
    """

    edges: Floats
    kernel: Kernel

    @property
    def levels(self) -> int:
        """Number of levels J of the baseline."""
        return self.edges.size - 1


def mark_weights(sizes: Floats, eta: float) -> Floats:
    """w(q) = q^η ÷ mean of q^η; η = 0 gives ones.

    Raises
    ------
    InputError
        a size is not above zero.
    """
    if not (sizes > 0.0).all():
        raise InputError("expected sizes above zero as marks", hint="leave out events without a size")
    raised = (sizes / np.median(sizes)) ** eta if sizes.size else sizes
    weights: Floats = raised / raised.mean() if sizes.size else raised
    return weights


def log_likelihood(
    events: Events, edges: Floats, mu: Floats, n: float, shares: Floats, decays: Floats
) -> float:
    """ℓ of given levels μ [1 ÷ time], branching ratio n, and shares and decays of the kernel."""
    place = segments(events, edges)
    alive, slope = np.empty(events.times.size), np.empty(events.times.size)
    rate = mu[place].copy()
    ended = 0.0
    for share, decay in zip(shares, decays, strict=True):
        excite(events.times, events.weights, float(decay), alive, slope)
        rate += n * share * decay * alive
        ended += float(share * (events.weights @ -np.expm1(-decay * (events.span - events.times))))
    return float(np.log(rate).sum() - mu @ np.diff(edges) - n * ended)


def segments(events: Events, edges: Floats) -> NDArray[np.int64]:
    """Which level of the baseline holds at each event, int64 [N]."""
    inside = np.searchsorted(edges, events.times, side="right") - 1
    return np.clip(inside, 0, edges.size - 2).astype(np.int64)


class Likelihood:
    """ℓ ÷ N and its gradient for one set of events; buffers are kept between calls."""

    def __init__(self, events: Events, model: Model) -> None:
        self.events, self.model = events, model
        self._place = segments(events, model.edges)
        self._length = np.diff(model.edges)
        self._left = events.span - events.times
        self._fixed: tuple[bytes, Floats, Floats, Floats, Floats] | None = None

    def parts(self, decays: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """A and dA/dβ [K, N], what has ended Σ w(1 − e^{−β(T−t)}) and its slope [K].

        They are kept for equal decays.
        """
        key = decays.tobytes()
        if self._fixed is not None and self._fixed[0] == key:
            return self._fixed[1:]
        k, count = decays.size, self.events.times.size
        alive, slope = np.empty((k, count)), np.empty((k, count))
        ended, d_ended = np.empty(k), np.empty(k)
        for i, decay in enumerate(decays.tolist()):
            excite(self.events.times, self.events.weights, decay, alive[i], slope[i])
            gone = self.events.weights * np.exp(-decay * self._left)
            ended[i] = float((self.events.weights * -np.expm1(-decay * self._left)).sum())
            d_ended[i] = float(gone @ self._left)
        self._fixed = (key, alive, slope, ended, d_ended)
        return alive, slope, ended, d_ended

    def __call__(self, parameters: Floats) -> tuple[float, Floats]:
        """−ℓ ÷ N and its gradient in (log μ_j, logit n, free numbers)."""
        levels = self.model.levels
        mu = np.exp(parameters[:levels])
        n = float(1.0 / (1.0 + np.exp(-parameters[levels])))
        shape = self.model.kernel.expand(parameters[levels + 1 :])
        alive, slope, ended, d_ended = self.parts(shape.decays)
        excited = (shape.shares * shape.decays) @ alive
        rate = mu[self._place] + n * excited
        inverse = 1.0 / rate
        all_ended = float(shape.shares @ ended)
        value = float(np.log(rate).sum() - mu @ self._length - n * all_ended)
        count = max(1, self.events.times.size)
        d_mu = mu * (np.bincount(self._place, inverse, minlength=levels) - self._length)
        d_n = n * (1.0 - n) * (float(excited @ inverse) - all_ended)
        over = alive @ inverse
        d_share = n * (shape.decays * over - ended)
        d_decay = n * shape.shares * (over + shape.decays * (slope @ inverse) - d_ended)
        d_free = shape.d_shares @ d_share + shape.d_decays @ d_decay
        return -value / count, -np.concatenate([d_mu, [d_n], d_free]) / count

    def compensator(self, parameters: Floats) -> Floats:
        """Λ(t_i) = ∫₀^{t_i} λ at every event, float64 [N]."""
        levels = self.model.levels
        mu = np.exp(parameters[:levels])
        n = float(1.0 / (1.0 + np.exp(-parameters[levels])))
        shape = self.model.kernel.expand(parameters[levels + 1 :])
        alive = self.parts(shape.decays)[0]
        before = np.concatenate([[0.0], np.cumsum(mu * self._length)])
        inside = self.events.times - self.model.edges[self._place]
        given = np.concatenate([[0.0], np.cumsum(self.events.weights)[:-1]])
        found: Floats = before[self._place] + mu[self._place] * inside + n * (given - shape.shares @ alive)
        return found
