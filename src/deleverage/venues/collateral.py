"""What is collateral worth as margin, and how much of it is sold when a balance is negative?

Symbols: h haircut (1 − collateral ratio), B balance [coins], p price [USD], d deficit [USD].

    margin value = B·p·(1 − h),    sold [USD of market value] = d / (1 − h)

Which price p is: `rules.CollateralPrice`, a rule of the venue, and the switch behind the USDe, wBETH and
BNSOL loop of 2025-10-10.

Source: Binance, "Multi-assets mode" information page (ratios, haircuts and thresholds of auto-exchange).
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from deleverage.jit import kernel
from deleverage.units import mul_rate, mul_rate_up


@kernel
def margin_value(value: int, haircut_num: int, haircut_den: int) -> int:
    """Worth as margin [money units] of a market value ≥ 0, rounded down: against the account."""
    return mul_rate(value, haircut_den - haircut_num, haircut_den)


@kernel
def sold_for(deficit: int, haircut_num: int, haircut_den: int) -> int:
    """Market value sold [money units] to cover a deficit ≥ 0, rounded up: the deficit must be covered.

    The divisor 1 − h must not be below 1/3·10⁻⁹ and the quotient must fit: h well below 1.
    """
    return mul_rate_up(deficit, haircut_den, haircut_den - haircut_num)


def collateral_value(assets: Iterable[tuple[Fraction, Fraction, Fraction]]) -> Fraction:
    """Sum of (balance [coins], price [USD], haircut) as margin [USD].

    A negative balance is a debt: it counts in full, without haircut.
    """
    return sum(
        (balance * price * (1 - haircut if balance > 0 else 1) for balance, price, haircut in assets),
        Fraction(0),
    )
