"""How is a whole amount shared out exactly? Queue, water-filling and projection, in integers.

All amounts are whole units (uusd, or lots); lists stand in the order of ids, so that "by id" is "by number".
Python's integers are used where products could wrap an int64: nothing here is rounded before the last step,
and that step (`round_shares`) hands out the budget to the last unit.

    Σ x_i = min(B, Σ c_i)   and   0 ≤ x_i ≤ c_i          B budget, c_i what i can give at most

hold for each of the three.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def round_shares(total: int, numerators: Sequence[int], denominator: int) -> list[int]:
    """Whole shares of ``total`` = Σ numerator ÷ denominator: floor, then one unit each by largest remainder.

    Equal remainders go by number. No share is off by a whole unit; by that unit, a share may fall where the
    total rises (the exact share never does).

    >>> round_shares(10, [10, 10, 10], 3)
    [4, 3, 3]
    """
    # Rounded down first: the exact share is never exceeded by a whole unit, and what is left is < n units.
    shares = [number // denominator for number in numerators]
    left = total - sum(shares)
    if left:
        order = sorted(range(len(shares)), key=lambda i: (-(numerators[i] % denominator), i))
        for i in order[:left]:
            shares[i] += 1
    return shares


def fill_queue(budget: int, order: Sequence[int], caps: Sequence[int]) -> list[int]:
    """Each in its turn gives all it can until the budget is covered: x_i = min(c_i, what is left).

    >>> fill_queue(75, [1, 0, 2], [80, 40, 5])
    [35, 40, 0]
    """
    seized = [0] * len(caps)
    left = budget
    for i in order:
        seized[i] = min(caps[i], left)
        left -= seized[i]
    return seized


def fill_water(budget: int, loads: Sequence[int], caps: Sequence[int]) -> list[int]:
    """Weighted water-filling: x_i = min(c_i, τ·a_i) with the τ at which Σ x_i = B.

    loads : a_i ≥ 0, any scale. What those with a load cannot give is filled from those without one, in
    proportion to what they can give.

    >>> fill_water(750, [800, 400, 50], [400, 400, 50])
    [400, 311, 39]
    """
    left = min(budget, sum(caps))
    seized = [0] * len(caps)
    loaded = [i for i, load in enumerate(loads) if load > 0]
    weight = sum(loads[i] for i in loaded)
    free: list[int] = []
    # By the level at which each is full; the first that is not full at the level of the rest ends the search.
    order = sorted(loaded, key=lambda i: (Fraction(caps[i], loads[i]), i))
    for place, i in enumerate(order):
        if caps[i] * weight <= left * loads[i]:
            seized[i] = caps[i]
            left -= caps[i]
            weight -= loads[i]
        else:
            free = sorted(order[place:])
            break
    if free:
        for i, share in zip(free, round_shares(left, [left * loads[i] for i in free], weight), strict=True):
            seized[i] = share
    elif left:
        rest = [cap if load <= 0 else 0 for cap, load in zip(caps, loads, strict=True)]
        seized = [a + b for a, b in zip(seized, fill_water(left, rest, rest), strict=True)]
    return seized


def project(budget: int, costs: Sequence[int], point: Sequence[int], unit: int) -> list[int]:
    """Money c_i·x_i of the nearest x to a point y on {cᵀx = B, 0 ≤ x ≤ 1}: x_i = clip(y_i − λ·c_i, 0, 1).

    costs : c_i ≥ 0 [units]. point : y_i in 1 ÷ ``unit`` (so y = point ÷ unit). The multiplier λ is found
    exactly by walking over the 2n values at which a share leaves 1 or reaches 0. From y = 0 the projection
    is x_i = min(1, μ·c_i): it takes by the *square* of the endowment.

    >>> project(75, [80, 40, 5], [0, 0, 0], 1)
    [60, 15, 0]
    """
    left = min(budget, sum(costs))
    given = [i for i, cost in enumerate(costs) if cost > 0]
    if left == 0 or not given:
        return [0] * len(costs)
    # Towards larger λ: i leaves 1 at (y_i − 1)/c_i, reaches 0 at y_i/c_i; between, its money falls by λ·c_i².
    leaves = [(Fraction(point[i] - unit, unit * costs[i]), 0, i) for i in given]
    ends = [(Fraction(point[i], unit * costs[i]), 1, i) for i in given]
    full = sum(costs[i] for i in given)  # money of those at 1
    level = 0  # Σ c_i·y_i·unit of those between
    slope = 0  # Σ c_i² of those between
    multiplier = Fraction(0)
    for at, ending, i in sorted(leaves + ends):
        # Money at λ = at; it only falls, and is 0 at the last of these values.
        money = full + Fraction(level, unit) - slope * at
        if money <= left:
            multiplier = at - (left - money) / slope if slope else at
            break
        if ending:
            level -= costs[i] * point[i]
            slope -= costs[i] * costs[i]
        else:
            full -= costs[i]
            level += costs[i] * point[i]
            slope += costs[i] * costs[i]
    scale = unit * multiplier.denominator
    numerators = [0] * len(costs)
    for i in given:
        share = point[i] * multiplier.denominator - unit * multiplier.numerator * costs[i]
        numerators[i] = costs[i] * min(max(share, 0), scale)
    return round_shares(left, numerators, scale)
