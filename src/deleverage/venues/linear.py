"""Where do positions settled in the quote asset end? Exact fractions, any number of legs.

Symbols: W wallet [USD], s side (+1 long, −1 short), q size [coins, > 0], E entry, p price [USD per coin],
r maintenance rate, D deduction [USD], f fee that the venue adds to the rate (0 for most).

    equity(p)  = W + Σ s·q·(p − E)
    margin(p)  = Σ q·p·(r + f) − D
    health(p)  = equity − margin, a concave function of p made of straight pieces

The integer kernels of `margin.py` ask for the same zero in whole ticks; tests hold the two together.

Source: Binance, "How to calculate the liquidation price of USD-M futures" (one-way and hedge mode); the
fee in the margin is how the rules of OKX and Gate are coded in open-source bots.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from deleverage.errors import InputError
from deleverage.venues.rules import TierTable

ZERO = Fraction(0)


@dataclass(frozen=True)
class Leg:
    """One position, and the tier that it is charged by.

    Parameters
    ----------
    side : +1 long, −1 short.
    size : coins, > 0.
    entry : average entry price [USD per coin].
    rate : maintenance margin rate [share of notional].
    deduction : amount that is taken off the margin [USD].
    """

    side: int
    size: Fraction
    entry: Fraction
    rate: Fraction = ZERO
    deduction: Fraction = ZERO

    def profit(self, price: Fraction) -> Fraction:
        """Unrealised profit [USD] at a price."""
        return self.side * self.size * (price - self.entry)

    def margin(self, price: Fraction, fee: Fraction = ZERO) -> Fraction:
        """Maintenance margin [USD] at a price."""
        return self.size * price * (self.rate + fee) - self.deduction


def health(wallet: Fraction, legs: Iterable[Leg], price: Fraction, fee: Fraction = ZERO) -> Fraction:
    """Equity less maintenance margin [USD]; liquidatable below 0."""
    return wallet + sum((leg.profit(price) - leg.margin(price, fee) for leg in legs), ZERO)


def left_by_others(positions: Iterable[tuple[Leg, Fraction]]) -> Fraction:
    """What positions in other markets add to the wallet, each at its own mark [USD].

    Their unrealised profit less their maintenance margin: UPNL₁ − TMM₁ of the venue's formula.
    """
    return sum((leg.profit(mark) - leg.margin(mark) for leg, mark in positions), ZERO)


def liquidation_price(wallet: Fraction, legs: Sequence[Leg], fee: Fraction = ZERO) -> Fraction:
    """Price at which health is zero while every leg stays in the tier it names.

    p = (W + ΣD − Σ s·q·E) / (Σ q·(r + f) − Σ s·q). All legs of one market share it (hedge mode). Below 0
    there is no such price; the venue then shows none.

    Raises
    ------
    InputError
        no leg, or a price that moves nothing.
    """
    owed = wallet + sum((leg.deduction - leg.side * leg.size * leg.entry for leg in legs), ZERO)
    slope = sum((leg.size * (leg.rate + fee - leg.side) for leg in legs), ZERO)
    if slope == 0:
        raise InputError(
            "liquidation price: expected positions whose margin or profit moves with the price, found none",
            hint="give a size, or a maintenance margin rate above 0 for a fully hedged account",
        )
    return owed / slope


def bankruptcy_price(wallet: Fraction, legs: Sequence[Leg]) -> Fraction:
    """Price at which equity is zero: the liquidation price with rate and deduction 0."""
    return liquidation_price(wallet, [Leg(leg.side, leg.size, leg.entry) for leg in legs])


def tier_at_floor(notional: Fraction, table: TierTable) -> int:
    """Number of the tier, counted from 0, whose floor is the last one not above the notional.

    Exactly on an edge this is the upper tier, where the kernel `margin.tier_of` says the lower one: tables
    print floors or caps. The margin is the same.
    """
    above = sum(1 for tier in table.tiers[:-1] if notional >= tier.cap_usd)
    return above


def deductions(
    floors: Sequence[Fraction], rates: Sequence[Fraction], first: Fraction = ZERO
) -> list[Fraction]:
    """D of consecutive tiers: D_k = D_{k−1} + floor_k·(r_k − r_{k−1}).

    ``floors`` are those of the tiers after the first, ``rates`` of all, ``first`` is D of the first. The
    same recursion as `rules.TierTable.deductions_usd`, from any tier on and with floors in coins.

    Raises
    ------
    InputError
        not one floor fewer than rates.
    """
    if len(rates) != len(floors) + 1:
        raise InputError(
            f"tiers: expected one floor for every rate after the first, found {len(floors)} floors and "
            f"{len(rates)} rates"
        )
    sums = [first]
    for floor, (low, high) in zip(floors, pairwise(rates), strict=True):
        sums.append(sums[-1] + floor * (high - low))
    return sums


def tiered_margin(notional: Fraction, table: TierTable) -> Fraction:
    """Maintenance margin [USD]: each tier's rate on its own slice of the notional."""
    owed, floor = ZERO, 0
    for number, tier in enumerate(table.tiers):
        last = number == len(table.tiers) - 1
        top = notional if last else min(notional, Fraction(tier.cap_usd))
        owed += max(ZERO, top - floor) * tier.rate
        floor = tier.cap_usd
    return owed


@dataclass(frozen=True)
class SafePrices:
    """Prices between which an account is not liquidatable, ends included; None where there is no end."""

    lowest: Fraction | None
    highest: Fraction | None


def safe_prices(
    wallet: Fraction, legs: Sequence[tuple[Leg, TierTable]], fee: Fraction = ZERO
) -> SafePrices | None:
    """Prices at which health ≥ 0, every leg in the tier of its notional at that price; None: there are none.

    A leg's own rate and deduction are not read. Health is concave in the price, so that the prices are one
    stretch: the lower end is where a long account ends, the upper end where a short one does, and a
    hedged account can have both.
    """

    def at(price: Fraction) -> Fraction:
        equity = wallet + sum((leg.profit(price) for leg, _ in legs), ZERO)
        return equity - sum(
            (tiered_margin(leg.size * price, table) + leg.size * price * fee for leg, table in legs), ZERO
        )

    edges = {Fraction(tier.cap_usd) / leg.size for leg, table in legs for tier in table.tiers[:-1]}
    knots = [ZERO, *sorted(edges)]
    far = knots[-1] + 1
    values = [at(knot) for knot in knots]
    slope = at(far) - values[-1]  # of the last piece, which goes on for ever
    lowest = highest = None
    if values[0] < 0:
        for (a, b), (low, high) in zip(pairwise(knots), pairwise(values), strict=True):
            if low < 0 <= high:
                lowest = a + (b - a) * -low / (high - low)
                break
        else:
            if slope <= 0:
                return None
            lowest = knots[-1] - values[-1] / slope
    if slope < 0:
        if values[-1] >= 0:
            highest = knots[-1] - values[-1] / slope
        else:
            for (a, b), (low, high) in zip(pairwise(knots), pairwise(values), strict=True):
                if low >= 0 > high:
                    highest = a + (b - a) * low / (low - high)
    return SafePrices(lowest, highest)


def tiered_liquidation_price(
    wallet: Fraction, leg: Leg, table: TierTable, fee: Fraction = ZERO
) -> Fraction | None:
    """Price at which a single position becomes liquidatable, in the tier of its notional at that price.

    None where no price above 0 does (long), or every price does.
    """
    prices = safe_prices(wallet, [(leg, table)], fee)
    if prices is None:
        return None
    return prices.lowest if leg.side > 0 else prices.highest
