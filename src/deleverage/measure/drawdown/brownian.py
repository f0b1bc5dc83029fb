"""How likely is a drawdown of a given size, if the log price is a Brownian motion?

The drawdown D = running maximum − log price is a Brownian motion with the drift −µ, reflected at 0. The
largest drawdown until T stays below h as long as D does not reach h, which is solved by the eigenfunctions of
that motion on [0, h]. Magdon-Ismail, Atiya, Pratap, Abu-Mostafa, *On the maximum drawdown of a
Brownian motion*, J. Appl. Prob. 41 (2004). Everything here is in log terms: a fall of 30 % is h = −ln 0.7.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

Floats = NDArray[np.float64]

SAMPLING = 0.5826
"""−ζ(½)/√(2π): a maximum seen at n points lies so many σ√(T/n) below the true one (Broadie, Glasserman and
Kou 1997)."""

_NEGLIGIBLE = 38.0
_EDGE = 1e-6
_FAR = 8.5
"""From that many σ√T on the chance is taken as 0; it is below 1e-15, and 1e-7 at the steepest fall."""
_STEEPEST = 3.0
"""The series alternates with e^{|µ|h/σ²}: for a steeper fall doubles do not hold its sum."""


def log_depth(share: float) -> float:
    """A fall as a share (−0.3) or its size (0.3) as a depth h in log terms: −ln 0.7 = 0.357."""
    size = abs(share)
    if not 0.0 < size < 1.0:
        raise ValueError(f"a fall between 0 and 1 was expected, found {share!r}")
    return -math.log1p(-size)


def probability(depth: float, volatility: float, years: float, drift: float = 0.0, samples: int = 0) -> float:
    """P(largest drawdown within ``years`` ≥ ``depth``).

    depth : h > 0 [log]. volatility : σ [1/√year]. drift : µ of the log price [1/year], 0 for none. Errors are
    below 1e-6. samples : 0 where the path is watched all the time; n where only n + 1 equidistant points are
    seen, which shifts the depth by 2·0.5826·σ√(T/n), since high and low are both missed.

    Raises
    ------
    ValueError
        a drift of the log price below −3 σ/√T.
    """
    scale = volatility * math.sqrt(years)
    if depth <= 0.0:
        return 1.0
    if samples > 0:
        depth += 2 * SAMPLING * scale / math.sqrt(samples)
    return min(max(1.0 - _below(depth / scale, drift * years / scale), 0.0), 1.0)


def expected(volatility: float, years: float, drift: float = 0.0, samples: int = 0) -> float:
    """E[largest drawdown within ``years``] [log]; without drift √(π/2)·σ√T = 1.2533·σ√T.

    samples : as in `probability`; the result is then what n + 1 points show on average.
    """
    scale = volatility * math.sqrt(years)
    slope = drift * years / scale
    nodes, weights = np.polynomial.legendre.leggauss(12)
    edges = np.concatenate(([0.0], np.linspace(0.05, _FAR, 30)))
    total = 0.0
    for low, high in pairwise(edges):
        at = 0.5 * (high - low) * nodes + 0.5 * (high + low)
        above = [1.0 - _below(float(h), slope) for h in at]
        total += 0.5 * (high - low) * float(np.dot(weights, above))
    short = 2 * SAMPLING / math.sqrt(samples) if samples > 0 else 0.0
    return scale * (total - short)


def quantile(level: float, volatility: float, years: float, drift: float = 0.0) -> float:
    """The depth [log] that the largest drawdown exceeds with probability 1 − level."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"a level between 0 and 1 was expected, found {level!r}")
    scale = volatility * math.sqrt(years)
    slope = drift * years / scale
    found = brentq(lambda h: _below(h, slope) - level, 1e-3, _FAR, xtol=1e-12)
    return scale * float(found)


def _below(h: float, slope: float) -> float:
    """P(D stays below h until 1) for unit volatility and log price drift ``slope``.

    With m = −slope, the drift of D: u(x) = e^{−mx} v(x), v'' = −(θ/h)² v, v(h) = 0 and v'(0) = m v(0), so
    v = sin(θ(1 − x/h)) with mh sin θ + θ cos θ = 0; for mh < −1 the first one is sinh(η(1 − x/h)).
    """
    m = -slope
    a = m * h
    if h * h < 1.0 / _NEGLIGIBLE and abs(a) < 1.0:
        return 0.0  # the first term is below e^{−38}
    if m > _STEEPEST:
        raise ValueError(f"a drift of −{_STEEPEST:g} σ/√T or more was expected, found {slope:g} σ/√T")
    if h > _FAR:
        return 1.0
    count = math.ceil(2.8 * h) + 4
    theta = _roots(a, count)
    start = 1 if a <= -1.0 + _EDGE else 0
    theta = theta[start:]
    rate = 0.5 * (theta**2 / h**2 + m * m)
    norm = 0.5 * h * (1.0 - np.sin(2 * theta) / (2 * theta))
    terms = np.sin(theta) * (theta / h) / (m * m + theta**2 / h**2) / norm * np.exp(a - rate)
    total = float(np.sum(terms))
    if start:
        if abs(a + 1.0) <= _EDGE:
            total += 3.0 * math.exp(a - 0.5 * m * m) / (a * a)
        else:
            eta = float(brentq(lambda x: a * math.tanh(x) + x, 1e-9, -a + 1.0, xtol=1e-14))
            q = eta / h
            # m² − q² = q² / sinh² η; sinh and its square are divided by e^η, so that nothing overflows
            size = 0.5 * (1.0 - math.exp(-2 * eta))
            square = 0.5 * h * ((1.0 - math.exp(-4 * eta)) / (4 * eta) - math.exp(-2 * eta))
            slow = 0.5 * (q * math.exp(-eta) / size) ** 2
            total += size**3 / (q * square) * math.exp(a + eta - slow)
    return min(max(total, 0.0), 1.0)


def _roots(a: float, count: int) -> Floats:
    """Roots θ > 0 of a sin θ + θ cos θ, one in each (kπ, (k + 1)π), by bisection; the first is only there for
    a > −1.
    """
    k = np.arange(count, dtype=np.float64)
    if a >= 0.0:
        low, high = (k + 0.5) * np.pi, (k + 1.0) * np.pi
    else:
        low, high = k * np.pi, (k + 0.5) * np.pi
        low[0] = 1e-9
    rising = (a * np.sin(high) + high * np.cos(high)) > 0.0
    for _ in range(58):
        middle = 0.5 * (low + high)
        above = (a * np.sin(middle) + middle * np.cos(middle)) > 0.0
        high = np.where(above == rising, middle, high)
        low = np.where(above == rising, low, middle)
    return 0.5 * (low + high)
