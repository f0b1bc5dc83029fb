"""What is a perpetual future worth when funding is κ·(f − S) + ι·S? AHJ-1.

Without arbitrage the future is the expected discounted value of what funding pays against the spot: with spot
growing at r_a − r_b under the pricing measure,

    f = (κ − ι)·∫₀^∞ e^(−κt)·E[S_t] dt = S·(κ − ι) ÷ (κ + r_b − r_a)

The integral is done numerically here, and the closed form is the notes'. At ι = r_a − r_b the future equals
the spot: f is then the spot at a random time of mean 1/κ, discounted.

Source: Ackerer, Hugonnier and Jermann, "Perpetual futures pricing", Mathematical Finance 2025; value: design
notes, `science.md` §3 and §10.
"""

from __future__ import annotations

import math

from scipy.integrate import quad

from verify.verdict import Verdict

SOURCE = "design notes §10; formula: Ackerer, Hugonnier, Jermann 2025"


def ratio(kappa: float, iota: float, growth: float) -> float:
    """F ÷ S by quadrature: rates a year, growth = r_a − r_b."""
    integral = quad(
        lambda x: math.exp(-x * (1.0 - growth / kappa)), 0.0, math.inf, epsabs=1e-13, epsrel=1e-13
    )[0]  # x = κ·t
    return (1.0 - iota / kappa) * float(integral)


def verdicts() -> list[Verdict]:
    """Funding every eight hours (κ = 1095 a year) at 0.01 % (ι = 0.1095), and the case where f = S."""
    return [
        Verdict(
            "AHJ-1",
            "f/S: κ = 1095, ι = .1095, r_a − r_b = .05",
            0.9999456596,
            ratio(1095.0, 0.1095, 0.05),
            1e-9,
            "1",
            SOURCE,
        ),
        Verdict("AHJ-1", "f/S where ι = r_a − r_b", 1.0, ratio(1095.0, 0.05, 0.05), 1e-9, "1", SOURCE),
    ]
