"""Auto-deleveraging policies, as plainly as they can be written: fractions, one line of thought at a time.

Who reads only one file about a policy reads this one. Money is whole units; rows stand in the order of ids.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor


def rounded(total: int, shares: list[Fraction]) -> list[int]:
    """Round down, then hand what is left out one by one: largest remainder first, then lowest number."""
    whole = [floor(share) for share in shares]
    while sum(whole) < total:
        at = max(range(len(shares)), key=lambda i: (shares[i] - whole[i], -i))
        whole[at] += 1
    return whole


def queue(budget: int, scores: list[float], caps: list[int]) -> list[int]:
    """The highest score gives all it can, then the next."""
    seized = [0] * len(caps)
    waiting = list(range(len(caps)))
    while waiting and sum(seized) < budget:
        first = max(waiting, key=lambda i: (scores[i], -i))
        waiting.remove(first)
        seized[first] = min(caps[first], budget - sum(seized))
    return seized


def water_level(budget: Fraction, loads: list[int], caps: list[int]) -> list[Fraction]:
    """Exact shares x = min(cap, level·load) that sum to the budget: pour, stop who is full, pour again."""
    full: set[int] = set()
    while True:
        left = budget - sum(caps[i] for i in full)
        open_loads = sum(load for i, load in enumerate(loads) if i not in full)
        if open_loads == 0:
            break
        level = left / open_loads
        newly = {
            i for i in range(len(caps)) if i not in full and loads[i] > 0 and level * loads[i] >= caps[i]
        }
        if not newly:
            return [Fraction(caps[i]) if i in full else level * loads[i] for i in range(len(caps))]
        full |= newly
    # Everybody with a load is full: the others share what is left by what they can give.
    room = [0 if load > 0 else cap for cap, load in zip(caps, loads, strict=True)]
    part = left / sum(room) if sum(room) else Fraction(0)
    return [Fraction(caps[i]) if i in full else part * room[i] for i in range(len(caps))]


def water(budget: int, loads: list[int], caps: list[int]) -> list[int]:
    """`water_level` in whole units."""
    budget = min(budget, sum(caps))
    return rounded(budget, water_level(Fraction(budget), loads, caps))


def projected(budget: int, costs: list[int], point: list[Fraction]) -> list[int]:
    """Money of the point of {Σ cost·x = budget, 0 ≤ x ≤ 1} that is nearest to ``point``."""
    budget = min(budget, sum(costs))

    def shares(price: Fraction) -> list[Fraction]:
        return [
            min(Fraction(1), max(Fraction(0), y - price * cost)) if cost else Fraction(0)
            for y, cost in zip(point, costs, strict=True)
        ]

    def money(price: Fraction) -> Fraction:
        return sum((x * cost for x, cost in zip(shares(price), costs, strict=True)), Fraction(0))

    kinks = [(y - edge) / cost for y, cost in zip(point, costs, strict=True) if cost for edge in (0, 1)]
    if not kinks:
        return [0] * len(costs)
    above = max(price for price in kinks if money(price) >= budget)
    below = min((price for price in kinks if money(price) <= budget and price >= above), default=above)
    price = above
    if money(above) > budget:
        # Between two kinks the money is a straight line.
        price += (money(above) - budget) / (money(above) - money(below)) * (below - above)
    return rounded(budget, [x * cost for x, cost in zip(shares(price), costs, strict=True)])


def least_largest_share(
    budget: int, gaps: list[int], most: list[int], bases: list[int]
) -> tuple[list[int], Fraction]:
    """Close the lot after which its owner's share is smallest, and again, until the budget is covered."""
    lots = [0] * len(gaps)
    while sum(k * gap for k, gap in zip(lots, gaps, strict=True)) < budget:
        can = [i for i in range(len(gaps)) if lots[i] < most[i]]
        if not can:
            break
        lots[min(can, key=lambda i: (Fraction((lots[i] + 1) * gaps[i], bases[i]), i))] += 1
    share = max((Fraction(k * gaps[i], bases[i]) for i, k in enumerate(lots)), default=Fraction(0))
    for i in reversed(range(len(gaps))):
        while lots[i] and sum(k * gap for k, gap in zip(lots, gaps, strict=True)) - gaps[i] >= budget:
            lots[i] -= 1
    return lots, share


def scores(
    long: bool,
    profit: Fraction,
    entry_value: Fraction,
    notional: Fraction,
    collateral: Fraction,
    initial_margin: Fraction,
    margin: Fraction,
    equity: Fraction,
) -> list[Fraction]:
    """Score of a linear winner by Binance, Bybit, OKX, Hyperliquid and BitMEX, in this order."""
    sign = 1 if long else -1
    mark_value = entry_value + sign * profit
    price_ratio = mark_value / entry_value if long else entry_value / mark_value
    return [
        profit / collateral * (margin / equity),
        profit / entry_value * (notional / equity),
        profit / initial_margin / (equity / margin),
        price_ratio * (notional / equity),
        profit / entry_value * (mark_value / (profit + collateral)),
    ]
