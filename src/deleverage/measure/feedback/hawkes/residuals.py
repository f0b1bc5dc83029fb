"""Does the fitted process explain the events? Time rescaling, with p-values from refits of its own draws.

With the true intensity the waiting times τ_i = Λ(t_i) − Λ(t_{i−1}) are independent standard exponentials
(Ogata 1988). Three looks at them: Kolmogorov–Smirnov against Exp(1), Ljung–Box for memory that is left, and
the excess dispersion √(N ÷ 8)·(var τ − 1) (Engle & Russell 1998). With estimated parameters textbook
p-values are
too large, so the fitted process is drawn and refitted, and p is the share of draws that look worse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kstest

from deleverage.measure.feedback.hawkes.fit import FEWEST, Fit, fit
from deleverage.measure.feedback.hawkes.likelihood import Likelihood
from deleverage.measure.feedback.hawkes.simulate import draw

Floats = NDArray[np.float64]

LAGS = 20
"""Lags of Ljung–Box, or a fifth of the waiting times where there are few."""


@dataclass(frozen=True)
class Looks:
    """The three statistics; large ks and ljung_box are bad, dispersion is bad on either side of zero."""

    ks: float
    ljung_box: float
    dispersion: float


@dataclass(frozen=True)
class Residuals:
    """Waiting times in rescaled time, and how unusual they are.

    waits : float64 [N − 1], Exp(1) where the process is right; variance : of them, 1 where it is right; p of
    each look : share of refitted draws at least as bad, (1 + worse) ÷ (1 + draws).
    """

    waits: Floats
    looks: Looks
    variance: float
    ks_p: float
    ljung_box_p: float
    dispersion_p: float
    draws: int

    def passes(self, level: float = 0.05) -> bool:
        """True where no look rejects at ``level`` in sum (each at a third of it, where the draws allow)."""
        each = max(level / 3.0, 1.0 / (1 + self.draws))
        return min(self.ks_p, self.ljung_box_p, self.dispersion_p) > each


def waits_of(found: Fit) -> Floats:
    """τ_i = Λ(t_i) − Λ(t_{i−1}), float64 [N − 1]."""
    waits: Floats = np.diff(Likelihood(found.events, found.model).compensator(found.parameters))
    return waits


def look(waits: Floats) -> Looks:
    """The three statistics of waiting times."""
    count = waits.size
    lags = max(1, min(LAGS, count // 5))
    centred = waits - waits.mean()
    total = float(centred @ centred) or 1.0
    r = np.array([float(centred[lag:] @ centred[:-lag]) / total for lag in range(1, lags + 1)])
    box = count * (count + 2.0) * float((r**2 / (count - np.arange(1, lags + 1))).sum())
    ks = float(kstest(waits, "expon", method="asymp").statistic)
    return Looks(ks, box, float(np.sqrt(count / 8.0) * (waits.var() - 1.0)))


def residuals(found: Fit, rng: np.random.Generator, draws: int = 99) -> Residuals:
    """Test a fit by ``draws`` draws of itself, each refitted from where it was drawn."""
    waits = waits_of(found)
    seen = look(waits)
    marks = None if (found.events.weights == 1.0).all() else found.events.weights
    worse = np.zeros(3)
    done = 0
    for _ in range(draws):
        events = draw(
            found.model.edges, found.mu, found.n, found.shape.shares, found.shape.decays, rng, marks=marks
        )
        if events.times.size < FEWEST:
            continue
        again = fit(
            events, found.model.kernel, edges=found.model.edges, finest=found.finest, near=[found.parameters]
        )
        other = look(waits_of(again))
        worse += (
            other.ks >= seen.ks,
            other.ljung_box >= seen.ljung_box,
            abs(other.dispersion) >= abs(seen.dispersion),
        )
        done += 1
    p = (1.0 + worse) / (1.0 + done)
    return Residuals(waits, seen, float(waits.var()), float(p[0]), float(p[1]), float(p[2]), done)
