"""Where does an account become liquidatable? The readable twin of the margin maths, in fractions.

Symbols: W wallet, q size (long > 0), P mark, C signed cost of the position (what was paid for it; < 0 for a
short), all in one unit of money; k a tier with rate r_k up to the notional cap_k.

    cum_1 = 0,  cum_k = cum_{k-1} + cap_{k-1}·(r_k − r_{k-1})
    margin       M(N) = N·r_k − cum_k,  k the tier of N
    health       H = W + Σ (q·P − C) − Σ M(|q|·P),  liquidatable when H < 0

M is continuous, so within the markets' tiers H is one straight line after the other, and the mark at which it
is zero is solved line by line: the root of a line counts where it lies between the line's two ends.

Source: Binance, "How to calculate the liquidation price of USD-M futures": per tier, for one leg and two,
LP = (W − Σ_other + cum − s·q·EP) / (q·r − s·q) is the root of such a line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from deleverage.venues.rules import TierTable


def cums(table: TierTable) -> list[Fraction]:
    """What each tier takes off so that the margin does not jump at its floor."""
    found = [Fraction(0)]
    for below, tier in pairwise(table.tiers):
        found.append(found[-1] + below.cap_usd * (tier.rate - below.rate))
    return found


def tier_number(notional: Fraction, table: TierTable) -> int:
    """Tier of a notional: the first whose cap it does not exceed, else the last (from 0)."""
    for number, tier in enumerate(table.tiers):
        if notional <= tier.cap_usd:
            return number
    return len(table.tiers) - 1


def margin(notional: Fraction, table: TierTable) -> Fraction:
    """M of a notional: rate of its tier, less what the tier takes off."""
    k = tier_number(notional, table)
    return notional * table.tiers[k].rate - cums(table)[k]


def margin_by_slices(notional: Fraction, table: TierTable) -> Fraction:
    """The same as a sum: each tier's rate on its own slice of the notional."""
    owed, floor = Fraction(0), Fraction(0)
    for tier in table.tiers[:-1]:
        owed += max(Fraction(0), min(notional, Fraction(tier.cap_usd)) - floor) * tier.rate
        floor = Fraction(tier.cap_usd)
    return owed + max(Fraction(0), notional - floor) * table.tiers[-1].rate


@dataclass(frozen=True)
class Leg:
    """A position: market, size (long > 0), what was paid for it (< 0 for a short). Two may share a market."""

    market: str
    size: Fraction
    cost: Fraction


def health(
    wallet: Fraction, legs: Sequence[Leg], marks: Mapping[str, Fraction], tables: Mapping[str, TierTable]
) -> Fraction:
    """H of a cross account; each leg owes its own margin, the two of a hedge as well."""
    found = wallet
    for leg in legs:
        value = leg.size * marks[leg.market]
        found += value - leg.cost - margin(abs(value), tables[leg.market])
    return found


def liquidation_prices(
    wallet: Fraction,
    legs: Sequence[Leg],
    market: str,
    marks: Mapping[str, Fraction],
    tables: Mapping[str, TierTable],
) -> tuple[Fraction | None, Fraction | None, bool]:
    """Marks of one market at which H = 0, the others held: (from below, from above, ever healthy).

    H < 0 below the first and above the second; None where no mark of 0 or more is. H is concave (a margin
    only ever grows faster), so there are at most two, and two only for the legs of a hedge.
    """
    table = tables[market]
    taken = cums(table)
    here = [leg for leg in legs if leg.market == market]
    rest = health(wallet, [leg for leg in legs if leg.market != market], marks, tables)
    # The marks at which a leg changes tier: between two of them every margin is one straight line.
    edges = sorted(
        {Fraction(0), *(tier.cap_usd / abs(leg.size) for leg in here for tier in table.tiers[:-1])}
    )
    lower: Fraction | None = None
    upper: Fraction | None = None
    ever = False
    for start, end in pairwise([*edges, None]):
        assert start is not None
        inside = start + 1 if end is None else (start + end) / 2
        # H(P) = a + b·P on this stretch, from the tier that each leg has inside it.
        a, b = rest, Fraction(0)
        for leg in here:
            k = tier_number(abs(leg.size) * inside, table)
            a += taken[k] - leg.cost
            b += leg.size - abs(leg.size) * table.tiers[k].rate
        ever = ever or a + b * start >= 0
        root = -a / b if b else None
        if root is not None and start <= root and (end is None or root <= end):
            ever = True
            if b > 0:
                lower = root or None
            else:
                upper = root
    return lower, upper, ever
