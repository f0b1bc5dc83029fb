"""What did a deleveraging cost whom? Needed budget, overshoot, severity, PTSR, PMR, regret: exact.

Symbols: w_i endowment (profit) of winner i, x_i what it gave up, U = Σ w_i, H = Σ x_i what was taken in all,
B the budget that was needed, D the deficit (Σ of losers' negative equities), Δ the largest single loss.
All money in one unit; results are fractions, or None where a denominator is not positive.

Which D stands under PTSR differs between places: the identity below needs the whole deficit D, the published
table divides by what the policy left uncovered, D − H, and for H ≥ D has no value. ``covered`` chooses.

Source: Chitra (arXiv 2512.01112, third version), and the published per-wave table, checked against its rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TypeAlias

Money: TypeAlias = int | Fraction


def needed_budget(fills: Iterable[tuple[Money, Money, Money]]) -> Fraction:
    """B = Σ |mark − execution|·|size| over the deleveraging trades (mark, execution, size)."""
    return sum((abs(Fraction(mark) - done) * abs(Fraction(size)) for mark, done, size in fills), Fraction(0))


def overshoot(taken: Money, needed: Money) -> Fraction:
    """O = H − B; < 0 when less was taken than needed."""
    return Fraction(taken) - needed


def severity(budget: Money, deficit: Money) -> Fraction:
    """θ = B ÷ D, at most 1; 0 without a deficit."""
    return min(Fraction(1), Fraction(budget) / deficit) if deficit > 0 else Fraction(0)


def top_survivor(endowment: Sequence[Money], seized: Sequence[Money]) -> Fraction:
    """max_i (w_i − x_i): the largest profit that is left."""
    return Fraction(max((w - x for w, x in zip(endowment, seized, strict=True)), default=0))


def ptsr(
    endowment: Sequence[Money], seized: Sequence[Money], deficit: Money, *, covered: Money = 0
) -> Fraction | None:
    """Profit to solvency: max_i (w_i − x_i) ÷ (D − covered), per event; the published PTSR is its mean.

    covered : 0 for the whole deficit, H for what the policy left of it.
    """
    left = Fraction(deficit) - covered
    return top_survivor(endowment, seized) / left if left > 0 else None


def pmr(
    endowment: Sequence[Money],
    seized: Sequence[Money],
    deficit: Money,
    largest_loss: Money,
    *,
    covered: Money = 0,
) -> Fraction | None:
    """Profit to largest loss: max_i (w_i − x_i) ÷ (Δ·(1 − covered ÷ D)), per event."""
    left = (Fraction(deficit) - covered) / deficit * largest_loss if deficit > 0 else Fraction(0)
    return top_survivor(endowment, seized) / left if left > 0 else None


def largest_share(seized: Sequence[Money], bases: Sequence[Money]) -> Fraction:
    """max_i x_i ÷ base_i, by endowments or equities; who has no base is left out."""
    return max(
        (Fraction(x) / base for x, base in zip(seized, bases, strict=True) if base > 0), default=Fraction(0)
    )


def regret(taken: Money, needed: Money, share: Fraction, least_share: Fraction) -> Fraction:
    """|H − B| + |max share − least max share|·B: money wrongly taken, and money for unfairness.

    The least max share is `min_max`'s. (In the published table a greedy rounding that is not the least stands
    in its place.)
    """
    return abs(overshoot(taken, needed)) + abs(share - least_share) * needed


def ptsr_gap(endowment: Sequence[Money], budget: Money, deficit: Money) -> Fraction:
    """PTSR(pro-rata) − PTSR(queue by endowment), over the whole deficit, for B ≤ w₍₁₎: exact.

    [w₍₁₎·(1 − B ÷ U) − max(w₍₁₎ − B, w₍₂₎)] ÷ D.
    """
    ranked = sorted((Fraction(w) for w in endowment), reverse=True)
    second = ranked[1] if len(ranked) > 1 else Fraction(0)
    return (ranked[0] * (1 - budget / sum(ranked, Fraction(0))) - max(ranked[0] - budget, second)) / deficit


def ptsr_identity(endowment: Sequence[Money], budget: Money, deficit: Money) -> Fraction | None:
    """θ·(1 − w₍₁₎ ÷ U), or None where the identity PTSR(pro-rata) − PTSR(queue) = this does not hold.

    It needs more than the printed conditions, a queue in order of endowments and B ≤ w₍₁₎: the largest winner
    must still be the largest after paying alone, w₍₁₎ − B ≥ w₍₂₎; and B ≤ D, and D and not D − H below
    (with D − H both sides are larger by 1 ÷ (1 − θ)).
    """
    ranked = sorted((Fraction(w) for w in endowment), reverse=True)
    second = ranked[1] if len(ranked) > 1 else Fraction(0)
    if not ranked or ranked[0] <= 0 or not 0 < budget <= deficit or ranked[0] - budget < second:
        return None
    return severity(budget, deficit) * (1 - ranked[0] / sum(ranked, Fraction(0)))
