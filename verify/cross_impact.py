"""Does the Kyle form of cross-impact have the properties that it is chosen for? X-1.

With the covariance Σ of returns and Ω = L·Lᵀ of order flow, K = L^(−T)·(Lᵀ·Σ·L)^½·L^(−1): symmetric, positive
semi-definite, K·Ω·K = Σ, and the same market after a split of the shares of any asset. The engine has no
cross-impact matrix (coins move together through the index and through cross-margin accounts); this keeps the
formula of the notes checked for whoever adds one.

Source: Garcia del Molino, Mastromatteo, Benzaquen and Bouchaud, "The multivariate Kyle model", 2020; design
notes, `science.md` §2.6.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import sqrtm

from deleverage.units import Floats
from verify.verdict import Verdict

SOURCE = "design notes §2.6 (properties)"
DRAWS = 200


def kyle(sigma: Floats, omega: Floats) -> Floats:
    """K of a covariance of returns and one of flow [n, n]."""
    low = np.linalg.cholesky(omega)
    inverse = np.linalg.inv(low)
    k: Floats = inverse.T @ np.real(sqrtm(low.T @ sigma @ low)) @ inverse
    return k


def covariance(rng: np.random.Generator, n: int) -> Floats:
    """A random covariance that is far from singular."""
    x = rng.standard_normal((n, 4 * n))
    c: Floats = x @ x.T / (4 * n)
    return c


def verdicts() -> list[Verdict]:
    """The largest violation of each property over random markets of two to six assets."""
    rng = np.random.Generator(np.random.PCG64(26))
    worst = np.zeros(4)
    for draw in range(DRAWS):
        n = 2 + draw % 5
        sigma, omega = covariance(rng, n), covariance(rng, n)
        k = kyle(sigma, omega)
        split = np.diag(rng.uniform(0.1, 10.0, n))  # prices × split, shares ÷ split
        whole = np.linalg.inv(split)
        again = kyle(split @ sigma @ split, whole @ omega @ whole)
        errors = (
            np.abs(k - k.T).max() / np.abs(k).max(),
            max(0.0, -float(np.linalg.eigvalsh((k + k.T) / 2).min())),
            np.abs(k @ omega @ k.T - sigma).max() / np.abs(sigma).max(),
            np.abs(again - split @ k @ split).max() / np.abs(again).max(),
        )
        worst = np.maximum(worst, errors)
    names = ("K is symmetric", "K has no negative eigenvalue", "KΩKᵀ = Σ", "K after a split of shares")
    return [
        Verdict("X-1", f"largest violation: {name}", 0.0, float(x), 1e-10, "1", SOURCE)
        for name, x in zip(names, worst, strict=True)
    ]
