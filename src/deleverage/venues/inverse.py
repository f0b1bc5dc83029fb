"""Where do positions settled in the coin end? Exact fractions.

Symbols: W wallet [coins], s side, Q size [quote units, > 0], E entry, p price [quote per coin], V = Q/E value
at entry [coins], r maintenance rate, D deduction [coins], L leverage setting, X margin added by hand [coins].

    equity(p) = W + Σ s·(Q/E − Q/p),   margin(p) = Σ (Q/p)·r − D

In x = 1/p both are straight lines: an inverse position is a linear one of the other side at the inverse
price. Tiers on the way are followed by `calculator.lines`.

Rounding: what a venue prints in whole satoshi (10⁻⁸ coin) is rounded to the nearest (BitMEX's own figures
show it); prices of liquidation and bankruptcy are rounded to a tick against the account. The integer
kernels of `inverse_margin.py` count in units of the coin that are finer.

Sources: Bybit help centre (the texts of 2024 and of 2026-05-27 for isolated margin differ slightly, both are
here; the legacy articles on liquidation price, bankruptcy price and average entry of inverse contracts),
Binance COIN-M help, BitMEX contract pages and its support formula.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from fractions import Fraction

from deleverage.errors import InputError
from deleverage.venues import linear
from deleverage.venues.linear import ZERO, Leg

SATOSHI = 100_000_000


class IsolatedText(IntEnum):
    """Which text of Bybit's formula for isolated margin holds."""

    OF_2024 = 2024  # margins at entry
    OF_2026 = 2026  # maintenance margin at the liquidation price, fee of closing in added margin


def satoshi(coins: Fraction) -> int:
    """Nearest whole number of 10⁻⁸ coin."""
    return round(coins * SATOSHI)


def position_value(side: int, size: Fraction, price: Fraction) -> Fraction:
    """Signed value [coins], negative for a long: −s·Q/p, so that profit = value at mark − value at entry."""
    return -side * size / price


def average_entry(fills: Iterable[tuple[Fraction, Fraction]]) -> Fraction:
    """Average entry price of (size, price) fills: ΣQ / Σ(Q/P).

    Raises
    ------
    InputError
        nothing was filled.
    """
    fills = list(fills)
    value = sum((size / price for size, price in fills), ZERO)
    if value == 0:
        raise InputError("average entry: expected at least one fill with a size, found none")
    return sum((size for size, _ in fills), ZERO) / value


def initial_margin(size: Fraction, price: Fraction, leverage: Fraction) -> Fraction:
    """IM [coins] = Q/(p·L)."""
    return size / (price * leverage)


def _mirrored(leg: Leg) -> Leg:
    """The linear position in x = 1/p that gains and owes the same coins."""
    return Leg(-leg.side, leg.size, 1 / leg.entry, leg.rate, leg.deduction)


def health(wallet: Fraction, legs: Iterable[Leg], price: Fraction) -> Fraction:
    """Equity less maintenance margin [coins]."""
    return linear.health(wallet, [_mirrored(leg) for leg in legs], 1 / price)


def liquidation_price(wallet: Fraction, legs: Sequence[Leg]) -> Fraction | None:
    """Price at which health is zero: p = Σ Q·(s + r) / (W + ΣD + Σ s·Q/E); None where no price is.

    ``size`` of a leg is in quote units, ``deduction`` and ``wallet`` in coins.

    Raises
    ------
    InputError
        no leg, or a price that moves nothing.
    """
    inverse = linear.liquidation_price(wallet, [_mirrored(leg) for leg in legs])
    return 1 / inverse if inverse > 0 else None


def bankruptcy_price(wallet: Fraction, legs: Sequence[Leg]) -> Fraction | None:
    """Price at which equity is zero; None where no price is."""
    return liquidation_price(wallet, [Leg(leg.side, leg.size, leg.entry) for leg in legs])


def isolated_liquidation_price(
    side: int,
    size: Fraction,
    entry: Fraction,
    leverage: Fraction,
    rate: Fraction,
    *,
    text: IsolatedText,
    deduction: Fraction = ZERO,
    extra: Fraction = ZERO,
    taker: Fraction = ZERO,
) -> Fraction | None:
    """Bybit's liquidation price of an isolated inverse position; None for a short that no price ends.

    2024: Q / [V + s·(V/L + X − (V·r − D))].
    2026: Q·(1 + s·r) / [V + s·(V/L + X/(1 + s·taker) + D)].
    """
    value = size / entry
    if text == IsolatedText.OF_2024:
        top = size
        bottom = value + side * (value / leverage + extra - (value * rate - deduction))
    else:
        top = size * (1 + side * rate)
        bottom = value + side * (value / leverage + extra / (1 + side * taker) + deduction)
    return top / bottom if bottom > 0 else None


def isolated_bankruptcy_price(side: int, entry: Fraction, leverage: Fraction) -> Fraction | None:
    """Price at which V/L is lost: E·L/(L + s); None for a short at leverage 1."""
    return entry * leverage / (leverage + side) if leverage + side > 0 else None


def cross_bankruptcy_price(
    side: int, size: Fraction, entry: Fraction, balance: Fraction, taker: Fraction
) -> Fraction | None:
    """Legacy cross margin: (1 + s·taker)·Q / (Q/E + s·balance); None for a short that no price ends."""
    bottom = size / entry + side * balance
    return (1 + side * taker) * size / bottom if bottom > 0 else None


def cross_liquidation_price(
    side: int,
    size: Fraction,
    entry: Fraction,
    balance: Fraction,
    rate: Fraction,
    taker: Fraction,
    bankruptcy: Fraction,
) -> Fraction | None:
    """Legacy cross margin: s·Q·(1/E − 1/LP) = −(balance − V·r − Q·taker/bankruptcy).

    ``balance`` is what is left after the margin of open orders [coins].
    """
    value = size / entry
    bottom = value + side * (balance - value * rate - size * taker / bankruptcy)
    return size / bottom if bottom > 0 else None


def against_account(price: Fraction, side: int, tick: Fraction) -> Fraction:
    """The price in whole ticks: up for a long, down for a short, so that it is reached sooner."""
    ticks = price / tick
    whole = -((-ticks.numerator) // ticks.denominator) if side > 0 else ticks.numerator // ticks.denominator
    return whole * tick


def bitmex_margins(
    cost: Fraction, initial_rate: Fraction, maintenance_rate: Fraction, taker: Fraction
) -> dict[str, Fraction]:
    """BitMEX margins of a position from the size of its cost, in the unit of the cost.

    The fee of closing is part of both: init = r₀·|cost|, comm = taker·|cost|, margin = init + comm,
    maint = r·|cost| + comm.
    """
    size = abs(cost)
    fee = taker * size
    return {
        "init": initial_rate * size,
        "comm": fee,
        "margin": initial_rate * size + fee,
        "maint": maintenance_rate * size + fee,
    }


def bitmex_prices(
    side: int, entry: Fraction, leverage: Fraction, maintenance: Fraction, taker: Fraction, funding: Fraction
) -> tuple[Fraction, Fraction]:
    """BitMEX's support formula: (bankruptcy, liquidation) price of an isolated position.

    bankruptcy = E / (1 + s·(1/L − 2·taker)), liquidation = bankruptcy + s·E·(maintenance + s·funding).
    A third party prints it and calls it good to a dollar: it adds a linear margin to an inverse price.
    """
    bankruptcy = entry / (1 + side * (1 / leverage - 2 * taker))
    return bankruptcy, bankruptcy + side * entry * (maintenance + side * funding)
