"""Who closes how many whole lots? Contract pro-rata, and the min-max integer programme.

A lot closed at the execution price costs its owner the gap d = abs(mark − execution) per lot [uusd]; a
budget B needs Q = ceil(B ÷ d) lots, so that up to one lot's gap more than B is moved.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from fractions import Fraction

from deleverage.venues.adl.allocate import fill_water


def lots_needed(budget: int, gap: int) -> int:
    """Q = ceil(B ÷ d) lots of gap d > 0: rounded up, since the budget must be covered."""
    return -(-budget // gap)


def pro_rata_lots(needed: int, lots: Sequence[int], most: Sequence[int]) -> list[int]:
    """Lots closed in proportion to lots held, at most ``most`` each; their sum is exact.

    What a full account cannot close goes to the others, again in proportion (the published program hands out
    only one remaining lot each, and falls short of the budget).

    >>> pro_rata_lots(10, [6, 3, 3], [6, 3, 1])
    [6, 3, 1]
    """
    return fill_water(needed, lots, most)


def min_max_lots(
    budget: int, gaps: Sequence[int], most: Sequence[int], bases: Sequence[int]
) -> tuple[list[int], Fraction]:
    """Lots k_i and the least M with Σ k_i·d_i ≥ B, 0 ≤ k_i ≤ most_i, k_i·d_i ≤ M·base_i: the exact optimum.

    gaps, bases : d_i > 0 and base_i > 0 [uusd]; one position an account. Under a bound M everybody closes
    floor(M·base_i ÷ d_i) lots, at most ``most``; what that covers is a rising step function of M, so the
    least M is found by search among the finitely many k·d_i ÷ base_i: halving while many are left, then one
    by one from a heap. (Over several markets an account's best under a bound is a knapsack, and no such
    search exists.) Where the budget is beyond what all lots cover, all are closed. What the last lot covers
    too much is given back in smaller lots where there are any, highest number first.

    >>> min_max_lots(7, [2, 2, 3], [5, 5, 5], [10, 4, 10])
    ([2, 0, 1], Fraction(2, 5))
    """
    count = len(gaps)
    if budget <= 0:
        return [0] * count, Fraction(0)

    def closed(bound: Fraction) -> list[int]:
        return [
            min(most[i], bound.numerator * bases[i] // (bound.denominator * gaps[i])) for i in range(count)
        ]

    def covered(lots: Sequence[int]) -> int:
        return sum(k * gap for k, gap in zip(lots, gaps, strict=True))

    low = Fraction(0)
    high = max((Fraction(most[i] * gaps[i], bases[i]) for i in range(count)), default=Fraction(0))
    chosen = closed(high)
    if covered(chosen) > budget:
        below = [0] * count
        # Steps still between the two bounds; each halving leaves about half of them.
        while sum(chosen) - sum(below) > 4 * count + 4:
            middle = (low + high) / 2
            lots = closed(middle)
            if covered(lots) >= budget:
                high, chosen = middle, lots
            else:
                low, below = middle, lots
        chosen = below
        steps = [
            (Fraction((chosen[i] + 1) * gaps[i], bases[i]), i) for i in range(count) if chosen[i] < most[i]
        ]
        heapq.heapify(steps)
        left = budget - covered(chosen)
        while left > 0:
            _, i = heapq.heappop(steps)
            chosen[i] += 1
            left -= gaps[i]
            if chosen[i] < most[i]:
                heapq.heappush(steps, (Fraction((chosen[i] + 1) * gaps[i], bases[i]), i))
    bound = max((Fraction(chosen[i] * gaps[i], bases[i]) for i in range(count)), default=Fraction(0))
    surplus = covered(chosen) - budget
    for i in range(count - 1, -1, -1):
        back = min(chosen[i], max(surplus, 0) // gaps[i])
        chosen[i] -= back
        surplus -= back * gaps[i]
    return chosen, bound
