"""Where does a position end whose margins are counted at its entry price, as on Bybit?

Symbols: s side, q size [coins], E entry, L leverage setting, r maintenance rate, D deduction [USD],
X margin added by hand [USD].

    IM = q·E/L,  MM = q·E·r − D,  liquidation price = E − s·(IM − MM + X)/q

The maintenance margin does not move with the mark, so that the price has no 1/(1 − s·r) in it.

Source: Bybit help centre, "Liquidation Price (USDT Contract)", "Bankruptcy Price (USDT Contract)"; the
5 % rule of the ADL price is printed in copies of its article on auto-deleveraging.
"""

from __future__ import annotations

from fractions import Fraction

from deleverage.venues.linear import ZERO


def initial_margin(size: Fraction, entry: Fraction, leverage: Fraction) -> Fraction:
    """IM [USD] of a position."""
    return size * entry / leverage


def liquidation_price(
    side: int,
    size: Fraction,
    entry: Fraction,
    leverage: Fraction,
    rate: Fraction,
    deduction: Fraction = ZERO,
    extra: Fraction = ZERO,
) -> Fraction:
    """Mark at which an isolated position is liquidated."""
    maintenance = size * entry * rate - deduction
    return entry - side * (initial_margin(size, entry, leverage) - maintenance + extra) / size


def moved_by_margin(price: Fraction, side: int, size: Fraction, added: Fraction) -> Fraction:
    """Price (liquidation or bankruptcy) after margin was added [USD]: further away by added/size."""
    return price - side * added / size


def bankruptcy_price(
    side: int, size: Fraction, entry: Fraction, leverage: Fraction, extra: Fraction = ZERO
) -> Fraction:
    """Price at which an isolated position has lost its margin: E·(1 − s/L) − s·X/q."""
    return moved_by_margin(entry * (1 - side / leverage), side, size, extra)


def cross_bankruptcy_price(
    side: int, size: Fraction, entry: Fraction, position_margin: Fraction, wallet: Fraction
) -> Fraction:
    """Price at which a cross position has lost its own margin and the wallet behind it."""
    return entry - side * (position_margin + wallet) / size


def adl_price(bankruptcy: Fraction, mark: Fraction, bound: Fraction) -> Fraction:
    """Price of the deleveraging trade: bankruptcy, or mark when that is further than ``bound`` from it."""
    return mark if abs(bankruptcy - mark) > bound * mark else bankruptcy
