"""Which shapes can the memory of an event have? Sums of exponentials with shares that add up to one.

φ(t) = n·Σ_k p_k·β_k·e^{−β_k t}: n is the branching ratio, whatever the shape. A shape has free numbers s
(unbounded reals); `expand` turns them into shares and decays, with slopes for the gradient.

- exponential: one decay, s = log β.
- multi-exponential: decays fixed on a log grid, shares free. In (μ, n·p_k) the likelihood is concave, and the
  softmax that is used here for the shares has no maximum of its own inside.
- power law: φ(t) = n·(θ ÷ c)·(1 + t ÷ c)^{−1−θ}, a gamma(θ) mixture of exponentials with decays x ÷ c. The
  mixture is cut into steps of `STEP` in log x between `LEAST` and `MOST`.

Accuracy of the sum, for θ in 0.3 … 2 and delays up to 10⁴·c: within 1 % of the power law, most of it (θ =
0.3)
memory longer than c ÷ LEAST that is cut off; within 0.1 % from θ = 0.5 on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

Floats = NDArray[np.float64]

STEP = 0.7
LEAST, MOST = 1e-7, 30.0


@dataclass(frozen=True)
class Shape:
    """Shares and decays, and their slopes in the free numbers.

    shares, decays : float64 [K]; d_shares, d_decays : float64 [S, K].
    """

    shares: Floats
    decays: Floats
    d_shares: Floats
    d_decays: Floats


class Kernel(Protocol):
    """A family of shapes."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def expand(self, free: Floats) -> Shape:
        """Shares and decays of the free numbers."""
        ...

    def starts(self, scale: float) -> list[Floats]:
        """Free numbers to begin from; ``scale`` : a typical gap between events."""
        ...

    def bounds(self, span: float, finest: float) -> list[tuple[float, float]]:
        """Limits of the free numbers.

        span : time observed; finest : the shortest delay that is told apart.
        """
        ...


@dataclass(frozen=True)
class Exponential:
    """One decay."""

    name: str = "exponential"

    def expand(self, free: Floats) -> Shape:
        """As `Kernel.expand`."""
        decay = np.exp(free)
        return Shape(np.ones(1), decay, np.zeros((1, 1)), decay[None, :])

    def starts(self, scale: float) -> list[Floats]:
        """A fast, a middle and a slow memory."""
        return [np.log([factor / scale]) for factor in (3.0, 0.3, 0.03)]

    def bounds(self, span: float, finest: float) -> list[tuple[float, float]]:
        """From one decay in the whole span to one within the finest delay."""
        return [(float(np.log(0.5 / span)), float(np.log(3.0 / finest)))]


@dataclass(frozen=True)
class MultiExponential:
    """Decays fixed on a log grid; the shares are free (softmax, the last one's number is 0)."""

    decays: tuple[float, ...]
    name: str = "multi-exponential"

    def expand(self, free: Floats) -> Shape:
        """As `Kernel.expand`."""
        raised = np.exp(np.append(free, 0.0) - max(0.0, float(free.max(initial=0.0))))
        shares = raised / raised.sum()
        slope = np.diag(shares)[:-1] - np.outer(shares[:-1], shares)
        return Shape(shares, np.array(self.decays), slope, np.zeros_like(slope))

    def starts(self, scale: float) -> list[Floats]:
        """All alike, the fast ones, the slow ones; ``scale`` is in the decays already."""
        place = np.linspace(-1.0, 1.0, len(self.decays))
        return [(tilt * (place - place[-1]))[:-1] for tilt in (0.0, 2.0, -2.0)]

    def bounds(self, span: float, finest: float) -> list[tuple[float, float]]:
        """Shares from e⁻¹² to e¹² of the last one."""
        return [(-12.0, 12.0)] * (len(self.decays) - 1)


@dataclass(frozen=True)
class PowerLaw:
    """(1 + t ÷ c)^{−1−θ} as a sum of exponentials; free: log c, log θ."""

    name: str = "power law"

    def expand(self, free: Floats) -> Shape:
        """As `Kernel.expand`."""
        scale, tail = np.exp(free[0]), np.exp(free[1])
        u = np.arange(np.log(LEAST), np.log(MOST) + STEP, STEP)
        log_share = tail * u - np.exp(u)
        shares = np.exp(log_share - log_share.max())
        shares /= shares.sum()
        decays = np.exp(u) / scale
        d_tail = tail * shares * (u - float(shares @ u))
        return Shape(
            shares, decays, np.stack([np.zeros_like(u), d_tail]), np.stack([-decays, np.zeros_like(u)])
        )

    def starts(self, scale: float) -> list[Floats]:
        """A short, a middle and a long memory."""
        return [np.log([c * scale, tail]) for c, tail in ((0.1, 0.5), (1.0, 1.0), (10.0, 1.5))]

    def bounds(self, span: float, finest: float) -> list[tuple[float, float]]:
        """Limits: c between the finest delay and the span; θ between 0.05 and 5."""
        low = np.log(finest / 3.0)
        return [(float(low), float(max(np.log(span), low + 1.0))), (float(np.log(0.05)), float(np.log(5.0)))]


def log_spaced(span: float, finest: float, *, least: int = 2, most: int = 6) -> MultiExponential:
    """Decays a factor of about ten apart, from twenty memories in the span to one in three finest delays."""
    low, high = 20.0 / span, max(1.0 / (3.0 * finest), 200.0 / span)
    count = int(np.clip(np.ceil(np.log10(high / low)) + 1, least, most))
    return MultiExponential(tuple(float(decay) for decay in np.geomspace(low, high, count)))


def density(shape: Shape, delays: Floats) -> Floats:
    """Σ p_k·β_k·e^{−β_k t} [1 ÷ unit of time] at the delays."""
    found: Floats = (shape.shares * shape.decays * np.exp(-np.outer(delays, shape.decays))).sum(axis=1)
    return found


def half_life(shape: Shape) -> float:
    """The delay before which half of the offspring come."""

    def missing(log_delay: float) -> float:
        return float(shape.shares @ np.exp(-shape.decays * np.exp(log_delay))) - 0.5

    low = np.log(np.log(2.0) / shape.decays.max()) - 1.0
    high = np.log(np.log(2.0) / shape.decays.min()) + 1.0
    return float(np.exp(brentq(missing, low, high)))
