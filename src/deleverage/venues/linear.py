"""Where do positions settled in the quote asset end? Exact fractions, any number of legs.

Symbols: W wallet [USD], s side (+1 long, −1 short), q size [coins, > 0], E entry, p price [USD per coin],
r maintenance rate, D deduction [USD], f fee that the venue adds to the rate (0 for most).

    equity(p)  = W + Σ s·q·(p − E)
    margin(p)  = Σ q·p·(r + f) − D
    health(p)  = equity − margin

Every leg stays in the tier that it names; `calculator.lines` and `portfolio` follow a position from tier to
tier. The integer kernels of `margin.py` ask for the same zero in whole ticks; tests hold the two together.

Source: Binance, "How to calculate the liquidation price of USD-M futures" (one-way and hedge mode); the
fee in the margin is how the rules of OKX and Gate are coded in open-source bots.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from deleverage.errors import InputError

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
