"""How far does a loss of the speculators move the price when they are at their margin? BP-1.

Two customers of risk aversion γ hold 2·(v − p₁)/(γσ₂²) in all, the speculators the rest, x₁ = z − that; at
the constraint their wealth pays the margin of it:

    m(p₁)·x₁(p₁) = b + p₁·x₀ + η        m = σ̄ + θ̄·|p₁ − p₀|

    ∂p₁/∂η = 1 ÷ [2m/(γσ₂²) + (∂m/∂p₁)·x₁ − x₀]

x₀ > 0 (a loss on what they hold) and θ̄ > 0 (margins that rise as the price falls) both make the denominator
smaller. p₁ is solved here from the constraint alone, and its finite difference held against the formula.

Source: Brunnermeier and Pedersen, "Market liquidity and funding liquidity", Review of Financial Studies 2009;
formula: design notes, `science.md` §1.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

from scipy.optimize import brentq

from verify.verdict import Verdict

SOURCE = "design notes §1.1; Brunnermeier, Pedersen 2009"
STEP = 1e-4


@dataclass(frozen=True)
class Market:
    """One constrained market; ``wealth`` is such that p₁ = ``at`` at η = 0."""

    x0: float
    theta: float
    base: float = 20.0
    gamma: float = 1.0
    sigma: float = 10.0
    value: float = 120.0
    before: float = 100.0
    supply: float = 1.0
    at: float = 95.0

    def held(self, p: float) -> float:
        """What the speculators must hold, x₁."""
        return self.supply - 2.0 * (self.value - p) / (self.gamma * self.sigma**2)

    def margin(self, p: float) -> float:
        """Margin of a unit after the price went from ``before`` to p."""
        return self.base + self.theta * abs(p - self.before)

    def price(self, eta: float) -> float:
        """p₁ at which the constraint binds, after the wealth shock η."""
        wealth = self.margin(self.at) * self.held(self.at) - self.at * self.x0

        def short(p: float) -> float:
            return self.margin(p) * self.held(p) - wealth - p * self.x0 - eta

        return float(brentq(short, self.at - 1.0, self.at + 1.0, xtol=1e-13, rtol=1e-15))

    def denominator(self) -> float:
        """Of the formula, at p₁ = ``at`` below ``before``."""
        slope = -self.theta
        own = 2.0 / (self.gamma * self.sigma**2) * self.margin(self.at)
        return own + slope * self.held(self.at) - self.x0


def difference(price: Callable[[float], float]) -> float:
    """Central difference of p₁ at η = 0."""
    return (price(STEP) - price(-STEP)) / (2.0 * STEP)


def verdicts() -> list[Verdict]:
    """Largest gap of solver and formula over a grid; no amplification without either spiral, and both."""
    grid = [
        Market(x0, theta, base) for x0, theta, base in product((0.0, 0.1, 0.2), (0.0, 0.1, 0.2), (20.0, 40.0))
    ]
    if min(market.denominator() for market in grid) <= 0.0:
        raise ArithmeticError(
            "expected a grid of stable markets, found one whose denominator is not positive"
        )
    worst = max(abs(difference(m.price) * m.denominator() - 1.0) for m in grid)
    calm = Market(0.0, 0.0)
    alone = 1.0 / (2.0 / (calm.gamma * calm.sigma**2) * calm.base)
    both = Market(0.2, 0.1)
    loss, margin = replace(both, theta=0.0), replace(both, x0=0.0)
    more = difference(both.price) - max(difference(loss.price), difference(margin.price))
    return [
        Verdict(
            "BP-1",
            f"largest relative gap, solver to formula, {len(grid)} markets",
            0.0,
            worst,
            1e-6,
            "1",
            SOURCE,
        ),
        Verdict(
            "BP-1",
            "amplification with x₀ = 0 and θ̄ = 0",
            1.0,
            difference(calm.price) / alone,
            1e-6,
            "x",
            SOURCE,
        ),
        Verdict(
            "BP-1",
            "both spirals together move more than either: 1 if so",
            1.0,
            float(more > 0.0),
            0.0,
            "1",
            SOURCE,
        ),
    ]
