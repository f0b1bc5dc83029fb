"""What do counts alone say about the branching ratio? For stamps too coarse for the likelihood.

- `hardiman_bouchaud`: n = 1 − √(mean ÷ variance) of counts in windows much longer than the memory. It sees
  only that counts vary: a changing news rate passes for feedback.
- `binned`: the counts of bins of any width have a spectrum that is known exactly for an exponential kernel,
  ties and all; Whittle's likelihood of their periodogram gives n and the decay. With a = β(1 − n), mean
  rate m
  and C = m·n·β·(2 − n) ÷ (2(1 − n)),

      γ_0 = m·Δ + 2C·(aΔ − 1 + e^{−aΔ}) ÷ a²,   γ_k = C·e^{−a(k−1)Δ}·((1 − e^{−aΔ}) ÷ a)²,   k ≥ 1,
      f(θ) = γ_0 + 2γ_1·(cos θ − ρ) ÷ (1 − 2ρ·cos θ + ρ²),   ρ = e^{−aΔ}.

  Frequencies below a cut can be left out: what varies more slowly than that is then baseline, not feedback.

Sources: Hawkes (1971) for the covariance; Hardiman & Bouchaud (2014); Cheysson & Lang (2022), "Spectral
estimation of Hawkes processes from count data".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import chi2, kstest, norm

from deleverage.errors import InputError

Floats = NDArray[np.float64]

_FEWEST_WINDOWS = 10
_FEWEST_BINS = 64
_LOGIT = 9.0


@dataclass(frozen=True)
class CountRatio:
    """n from mean and variance; low, high : 90 % jackknife interval over windows."""

    n: float
    low: float
    high: float
    windows: int


@dataclass(frozen=True)
class BinnedRatio:
    """n and decay [1 ÷ unit of time] from the spectrum; low, high : 95 % profile interval of n.

    fit_p : Kolmogorov–Smirnov of periodogram ÷ spectrum against Exp(1); small where the exponential kernel
    with a constant baseline does not explain the counts. A decay far above 1 ÷ width only says that the
    memory
    is shorter than a bin; n is then what the counts' dispersion says.
    """

    n: float
    low: float
    high: float
    decay: float
    fit_p: float
    frequencies: int


def hardiman_bouchaud(counts: NDArray[np.int64]) -> CountRatio:
    """N = 1 − √(mean ÷ variance) of counts in equal windows; below zero where they vary less than Poisson.

    Raises
    ------
    InputError
        there are fewer than ten windows, or no events.
    """
    if counts.size < _FEWEST_WINDOWS or not counts.any():
        raise InputError(
            f"expected at least {_FEWEST_WINDOWS} windows with events, found {counts.size} windows with "
            f"{int(counts.sum())} events",
            hint="take a longer time or a shorter window",
        )
    c = counts.astype(np.float64)
    count = c.size
    n = _from_moments(c.mean(), c.var(ddof=1))
    mean = (c.sum() - c) / (count - 1)
    variance = np.maximum((float(c @ c) - c**2) / (count - 1) - mean**2, 0.0) * (count - 1) / (count - 2)
    left_out = np.array([_from_moments(m, v) for m, v in zip(mean, variance, strict=True)])
    error = float(np.sqrt((count - 1) / count * ((left_out - left_out.mean()) ** 2).sum()))
    wide = float(norm.ppf(0.95)) * error
    return CountRatio(n, n - wide, n + wide, count)


def _from_moments(mean: float, variance: float) -> float:
    return 1.0 - float(np.sqrt(mean / variance)) if variance > 0.0 else float("-inf")


def spectrum(theta: Floats, mean_rate: float, n: float, decay: float, width: float) -> Floats:
    """f(θ) of the counts of bins of ``width``, normalised so that white noise of variance v has f = v."""
    a = decay * (1.0 - n)
    x = a * width
    c = mean_rate * n * decay * (2.0 - n) / (2.0 * (1.0 - n))
    rho = np.exp(-x)
    # (x − 1 + e^{−x}) ÷ a² loses its digits for small x
    inner = x**2 / 2.0 - x**3 / 6.0 if x < 1e-4 else x + np.expm1(-x)
    g0 = mean_rate * width + 2.0 * c * inner / a**2
    g1 = c * (-np.expm1(-x) / a) ** 2
    found: Floats = g0 + 2.0 * g1 * (np.cos(theta) - rho) / (1.0 - 2.0 * rho * np.cos(theta) + rho**2)
    return found


def binned(counts: NDArray[np.int64], width: float, *, slowest: float | None = None) -> BinnedRatio:
    """N and decay from the counts of equal bins.

    width : of a bin; slowest : longest period that counts as feedback, same unit; default all of them.

    Raises
    ------
    InputError
        there are fewer than 64 bins, or no events.
    """
    if counts.size < _FEWEST_BINS or not counts.any():
        raise InputError(
            f"expected at least {_FEWEST_BINS} bins with events, found {counts.size} bins with "
            f"{int(counts.sum())} events",
            hint="take a longer time or narrower bins",
        )
    size = counts.size
    power = np.abs(np.fft.rfft(counts - counts.mean())) ** 2 / size
    theta = 2.0 * np.pi * np.arange(power.size) / size
    # neither the mean nor, where the size is even, the highest frequency, which has half the freedom
    chosen = np.arange(1, (size - 1) // 2 + 1)
    if slowest is not None:
        chosen = chosen[theta[chosen] * slowest >= 2.0 * np.pi * width]
    power, theta = power[chosen], theta[chosen]
    mean_rate = float(counts.mean()) / width
    span = size * width
    limits = [(-_LOGIT, _LOGIT), (float(np.log(0.5 / span)), float(np.log(1e5 / width)))]

    def loss(x: Floats) -> float:
        n = 1.0 / (1.0 + np.exp(-x[0]))
        f = spectrum(theta, mean_rate, n, float(np.exp(x[1])), width)
        return float((np.log(f) + power / f).mean())

    def fastest(held: float) -> float:
        """Lowest loss with n held, over all decays."""
        done = minimize_scalar(lambda d: loss(np.array([held, d])), bounds=limits[1], method="bounded")
        return min(float(done.fun), loss(np.array([held, at[1]])))

    # slopes are flat where the memory is shorter than a bin, so the last steps are taken without them
    starts = [
        np.array([g, np.log(d)]) for g in (-1.0, 0.5, 2.5) for d in (1e4 / width, 1.0 / width, 0.05 / width)
    ]
    rough = [minimize(loss, start, method="L-BFGS-B", bounds=limits) for start in starts]
    near = min(rough, key=lambda done: float(done.fun)).x
    done = minimize(loss, near, method="Nelder-Mead", bounds=limits, options={"xatol": 1e-3, "fatol": 1e-9})
    value, at = float(done.fun), np.asarray(done.x, dtype=np.float64)
    allowed = float(chi2.ppf(0.95, 1)) / (2.0 * theta.size)
    ends = []
    for side in (-1.0, 1.0):
        inside, outside = float(at[0]), side * _LOGIT
        if fastest(outside) - value <= allowed:
            ends.append(0.0 if side < 0.0 else 1.0)
            continue
        while abs(outside - inside) > 0.005:
            middle = 0.5 * (inside + outside)
            inside, outside = (middle, outside) if fastest(middle) - value <= allowed else (inside, middle)
        ends.append(float(1.0 / (1.0 + np.exp(-inside))))
    n, decay = float(1.0 / (1.0 + np.exp(-at[0]))), float(np.exp(at[1]))
    ratio = power / spectrum(theta, mean_rate, n, decay, width)
    fit_p = float(kstest(ratio, "expon", method="asymp").pvalue)
    return BinnedRatio(n, ends[0], ends[1], decay, fit_p, int(theta.size))
