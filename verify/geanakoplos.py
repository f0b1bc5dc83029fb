"""Does the leverage cycle of Geanakoplos have the printed prices and leverages? GEA-1.

Agents h in [0, 1] give the good news the probability h at each node; each has one asset and one unit of cash.
The asset pays 1, or 0.2 after bad news; loans are backed by the worst case, so that nobody defaults.

    static, cash only    (1 − b)(1 + p) = p                    b the marginal buyer, p = b + 0.2·(1 − b)
    static, loans        (1 − b)(1 + p) + 0.2 = p
    dynamic, short loans (1 − a)(1 + p0) + pD = p0             buyers above a spend all, and borrow pD
                         ((a − b)/a)(1 + pD) + 0.2 = pD        after bad news those are gone: buyers above b
                         pD = b + 0.2·(1 − b)
                         a(1 − pD)/(p0 − pD) = a + (1 − a)·a·0.8/(pD − 0.2)     a is indifferent at the start

Source: Geanakoplos, "The Leverage Cycle", NBER Macroeconomics Annual 2010; equations and figures to four
digits: design notes, `science.md` §1.2 (the paper rounds to .95, .69, .87, .61).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scipy.optimize import root

from verify.verdict import Verdict

SOURCE = "design notes §1.2; model: Geanakoplos 2010"
WORST = 0.2


def solve(equations: Callable[[Sequence[float]], Sequence[float]], start: Sequence[float]) -> list[float]:
    """The point at which all equations are zero, to 10⁻¹²."""
    found = root(equations, start, tol=1e-14)
    if max(abs(x) for x in equations(found.x)) > 1e-12:
        raise ArithmeticError(f"expected a solution of the equations, found {found.message}")
    return [float(x) for x in found.x]


def static(borrowed: float) -> tuple[float, float]:
    """Marginal buyer and price in one period, when each asset carries a loan of ``borrowed``."""
    b, p = solve(
        lambda x: ((1 - x[0]) * (1 + x[1]) + borrowed - x[1], x[0] + WORST * (1 - x[0]) - x[1]), (0.6, 0.7)
    )
    return b, p


def dynamic() -> tuple[float, float, float, float]:
    """First and second marginal buyer, price at the start and after bad news."""

    def equations(x: Sequence[float]) -> tuple[float, float, float, float]:
        a, b, p0, down = x
        return (
            (1 - a) * (1 + p0) + down - p0,
            (a - b) / a * (1 + down) + WORST - down,
            b + WORST * (1 - b) - down,
            a * (1 - down) / (p0 - down) - a - (1 - a) * a * (1 - WORST) / (down - WORST),
        )

    a, b, p0, down = solve(equations, (0.87, 0.61, 0.95, 0.69))
    return a, b, p0, down


def verdicts() -> list[Verdict]:
    """Marginal buyers, prices, margins and leverages of the three economies."""
    cash_b, cash_p = static(0.0)
    loan_b, loan_p = static(WORST)
    a, b, p0, down = dynamic()
    half = 5e-4
    return [
        Verdict("GEA-1", f"{case}: {what}", expected, measured, tolerance, unit, SOURCE)
        for case, what, expected, measured, tolerance, unit in (
            ("static, cash only", "marginal buyer b", 0.596, cash_b, half, "1"),
            ("static, cash only", "price p", 0.677, cash_p, half, "1"),
            ("static, loans", "marginal buyer b", 0.686, loan_b, half, "1"),
            ("static, loans", "price p", 0.749, loan_p, half, "1"),
            ("static, loans", "margin (p − 0.2)/p", 0.733, (loan_p - WORST) / loan_p, half, "1"),
            ("static, loans", "leverage p/(p − 0.2)", 1.36, loan_p / (loan_p - WORST), 5e-3, "x"),
            ("dynamic", "first marginal buyer a", 0.8699, a, half, "1"),
            ("dynamic", "second marginal buyer b", 0.6165, b, half, "1"),
            ("dynamic", "price at the start", 0.9465, p0, half, "1"),
            ("dynamic", "price after bad news", 0.6932, down, half, "1"),
            ("dynamic", "fall of the price", 0.268, 1 - down / p0, half, "share"),
            ("dynamic", "leverage at the start", 3.74, p0 / (p0 - down), 5e-3, "x"),
            ("dynamic", "leverage after bad news", 1.41, down / (down - WORST), 5e-3, "x"),
        )
    ]
