"""Which self-exciting process made these events? Maximum likelihood, with an interval for the ratio.

The search is scipy's BFGS with exact gradients, and a soft wall at the bounds. Not L-BFGS-B: scipy 1.17
hands its
every step to LAPACK, whose threads wait for each other; on two busy cores that took 2 ms a step, and the
checks of
`verify/hawkes.py` minutes instead of seconds.

The surface has several maxima (Filimonov & Sornette 2015), so every fit begins in at least three places. The
interval of n is the profile likelihood's: all n for which the best fit with that n is not worse by more than
half the χ² quantile. A flexible baseline takes its knots from change points in counts (PELT at several
penalties) and the number of them from BIC of the whole likelihood, where a further level costs one parameter:
with two, for its place as well, a news rate that doubles and halves passed for n = 0.8 (verify/hawkes.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from ruptures import KernelCPD
from scipy.optimize import brentq, minimize
from scipy.stats import chi2

from deleverage.errors import InputError
from deleverage.measure.feedback.hawkes.kernels import Kernel, Shape, half_life
from deleverage.measure.feedback.hawkes.likelihood import Events, Likelihood, Model

Floats = NDArray[np.float64]

FEWEST = 20
"""Fewer events are not fitted."""

_START_RATIOS = (0.2, 0.6, 0.9)
_LOGIT = 9.0
"""n is sought between 1.2e-4 and 1 − 1.2e-4."""

_BINS = 400
_PENALTIES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_MOST_KNOTS = 64
_WALL = 1.0
"""Stiffness of the wall at the bounds."""


@dataclass(frozen=True)
class Fit:
    """The best process found.

    parameters : (log μ_1 …, logit n, free numbers of the kernel); log_likelihood : ℓ; n_low, n_high : 95 %
    profile interval, None where it was not asked for; at_bound : True where a number of the kernel ended at
    its limit, so that it is not identified.
    """

    events: Events = field(repr=False)
    model: Model
    parameters: Floats
    log_likelihood: float
    finest: float
    at_bound: bool
    n_low: float | None = None
    n_high: float | None = None

    @property
    def n(self) -> float:
        """Branching ratio."""
        return _ratio(float(self.parameters[self.model.levels]))

    @property
    def mu(self) -> Floats:
        """Levels of the baseline [1 ÷ unit of time]."""
        found: Floats = np.exp(self.parameters[: self.model.levels])
        return found

    @property
    def shape(self) -> Shape:
        """Shares and decays of the kernel."""
        return self.model.kernel.expand(self.parameters[self.model.levels + 1 :])

    @property
    def decay(self) -> float:
        """Ln 2 ÷ the median delay of an offspring [1 ÷ unit of time]; β where there is one decay."""
        return float(np.log(2.0)) / half_life(self.shape)

    @property
    def bic(self) -> float:
        """−2ℓ + parameters·ln N."""
        free = self.parameters.size * float(np.log(max(2, self.events.times.size)))
        return -2.0 * self.log_likelihood + free


def fit(
    events: Events,
    kernel: Kernel,
    *,
    edges: Floats | None = None,
    finest: float | None = None,
    near: Sequence[Floats] = (),
    interval: bool = False,
) -> Fit:
    """The likeliest process with one baseline.

    edges : of the baseline's stretches, default one stretch; finest : the shortest delay that the stamps tell
    apart, default a thousandth of the median gap; near : parameters to begin from instead of the three
    places; interval : find the 95 % profile interval of n.

    Raises
    ------
    InputError
        there are fewer than 20 events.
    """
    if events.times.size < FEWEST:
        raise InputError(
            f"expected at least {FEWEST} events, found {events.times.size}",
            hint="take a longer time or a coin with more liquidations",
        )
    edges = np.array([0.0, events.span]) if edges is None else edges
    gaps = np.diff(events.times)
    typical = float(np.median(gaps[gaps > 0.0])) if (gaps > 0.0).any() else events.span
    finest = typical / 1_000.0 if finest is None else finest
    likelihood = Likelihood(events, Model(edges, kernel))
    bounds = _bounds(likelihood, finest)
    found = [_best(likelihood, start, bounds, rough=True) for start in near or _starts(likelihood, typical)]
    value, parameters = _best(likelihood, min(found, key=lambda pair: pair[0])[1], bounds)
    levels = likelihood.model.levels
    # a share that ends at nothing is an answer; a decay or a tail at its limit is none
    at_bound = kernel.name != "multi-exponential" and any(
        min(abs(x - low), abs(high - x)) < 1e-6
        for x, (low, high) in zip(parameters[levels + 1 :], bounds[levels + 1 :], strict=True)
    )
    done = Fit(events, likelihood.model, parameters, -value * events.times.size, finest, at_bound)
    return with_interval(done) if interval else done


def flexible(events: Events, constant: Fit, *, interval: bool = False) -> Fit:
    """The process with the number of knots that BIC prefers; the constant baseline is one of the candidates.

    constant : the fit with one level, of the same kernel.
    """
    best = constant
    seen = {constant.model.edges.size}
    for edges in candidate_edges(events):
        if edges.size in seen:
            continue
        seen.add(edges.size)
        kernel_part = best.parameters[best.model.levels + 1 :]
        length = np.diff(edges)
        counts = np.histogram(events.times, edges)[0]
        starts = []
        for n in (best.n, 0.2):
            mu = np.log(np.maximum(counts * (1.0 - n), 0.3) / length)
            starts.append(np.concatenate([mu, [_logit(n)], kernel_part]))
        here = fit(events, constant.model.kernel, edges=edges, finest=constant.finest, near=starts)
        if here.bic < best.bic:
            best = here
    return with_interval(best) if interval else best


def candidate_edges(events: Events) -> list[Floats]:
    """Edges of piecewise constant baselines, coarse ones first, all from 0 to the span."""
    bins = int(np.clip(events.times.size // 4, 8, _BINS))
    counts = np.histogram(events.times, bins, (0.0, events.span))[0]
    # Anscombe: the variance of 2·√(c + 3/8) is one for a Poisson count
    level = 2.0 * np.sqrt(counts + 0.375)
    search = KernelCPD(kernel="linear", min_size=2).fit(level[:, None])
    found = []
    for penalty in sorted(_PENALTIES, reverse=True):
        ends = np.array(search.predict(pen=penalty * np.log(bins)))
        if 1 < ends.size <= _MOST_KNOTS:
            found.append(np.concatenate([[0.0], ends[:-1] * (events.span / bins), [events.span]]))
    return found


def with_interval(found: Fit, level: float = 0.95) -> Fit:
    """The same with the profile-likelihood interval of n."""
    events, levels = found.events, found.model.levels
    likelihood = Likelihood(events, found.model)
    bounds = _bounds(likelihood, found.finest)
    allowed = float(chi2.ppf(level, 1)) / 2.0
    top = float(found.parameters[levels])

    def loss(logit: float, warm: list[Floats]) -> float:
        value, at = _best(likelihood, np.where(_at(levels, bounds), logit, warm[0]), bounds, held=logit)
        warm[0] = at
        return found.log_likelihood + value * events.times.size - allowed

    ends = []
    for side in (-1.0, 1.0):
        warm, near, step = [found.parameters], top, 0.25
        far = float(np.clip(near + side * step, -_LOGIT, _LOGIT))
        while loss(far, warm) < 0.0 and abs(far) < _LOGIT:
            near, step = far, step * 2.0
            far = float(np.clip(near + side * step, -_LOGIT, _LOGIT))
        inside = abs(far) >= _LOGIT and loss(far, warm) < 0.0
        if inside:
            ends.append(0.0 if side < 0.0 else 1.0)
        else:
            near_loss = loss(near, warm)
            if near_loss >= 0.0:  # the maximum was not quite reached: the interval is empty on this side
                ends.append(_ratio(near))
            else:
                ends.append(_ratio(float(brentq(loss, near, far, args=(warm,), xtol=0.01))))
    return Fit(
        events, found.model, found.parameters, found.log_likelihood, found.finest, found.at_bound,
        min(ends[0], found.n), max(ends[1], found.n),
    )  # fmt: skip


def _at(levels: int, bounds: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.arange(len(bounds)) == levels
    return found


def _best(
    likelihood: Likelihood,
    start: Floats,
    bounds: Sequence[tuple[float, float]],
    *,
    held: float | None = None,
    rough: bool = False,
) -> tuple[float, Floats]:
    """Lowest −ℓ ÷ N from a start, with n held where that is asked for; rough ones end early."""
    levels = likelihood.model.levels
    low, high = np.array(bounds).T
    base = np.clip(start, low, high)
    free = np.ones(base.size, dtype=np.bool_)
    if held is not None:
        base[levels], free[levels] = held, False

    def walled(x: Floats) -> tuple[float, Floats]:
        at = base.copy()
        at[free] = x
        inside = np.clip(at, low, high)
        over = at - inside
        value, slope = likelihood(inside)
        slope = np.where(over == 0.0, slope, _WALL * over)
        return value + 0.5 * _WALL * float(over @ over), slope[free]

    done = minimize(
        walled,
        base[free],
        jac=True,
        method="BFGS",
        options={"maxiter": 30 if rough else 200, "gtol": 1e-4 if rough else 1e-6},
    )
    base[free] = done.x
    inside = np.clip(base, low, high)
    return likelihood(inside)[0], inside


def _starts(likelihood: Likelihood, typical: float) -> list[Floats]:
    events, edges = likelihood.events, likelihood.model.edges
    counts = np.histogram(events.times, edges)[0]
    starts = []
    for n, free in zip(_START_RATIOS, likelihood.model.kernel.starts(typical), strict=True):
        mu = np.log(np.maximum(counts * (1.0 - n), 0.3) / np.diff(edges))
        starts.append(np.concatenate([mu, [_logit(n)], free]))
    return starts


def _bounds(likelihood: Likelihood, finest: float) -> list[tuple[float, float]]:
    events = likelihood.events
    least = np.log(1e-3 / events.span)
    most = np.log(10.0 * max(1, events.times.size) / np.diff(likelihood.model.edges).min())
    levels = [(float(least), float(most))] * likelihood.model.levels
    return [*levels, (-_LOGIT, _LOGIT), *likelihood.model.kernel.bounds(events.span, finest)]


def _logit(n: float) -> float:
    n = min(max(n, 1e-4), 1.0 - 1e-4)
    return float(np.log(n / (1.0 - n)))


def _ratio(logit: float) -> float:
    return float(1.0 / (1.0 + np.exp(-logit)))
