"""Integers that money and contracts are counted in, and the only ways to multiply and divide them.

Prices are ticks, sizes are lots (long > 0), money is uusd = 10⁻⁶ USD, rates are pairs
(numerator, denominator); all int64. One tick times one lot is a whole number of uusd
(``tick_lot_uusd`` of a market), so a notional is exact.

An int64 product that does not fit wraps without a sign, so every product of two large numbers goes
through `mul_rate` or `mul_div`, and sizes are bounded at the edge by `MAX_LOTS`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from deleverage.errors import UnitError
from deleverage.jit import kernel

Int64s: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

UUSD_PER_USD = 1_000_000
PPM = 1_000_000
PPB = 1_000_000_000
MAX_LOTS = 3_000_000_000
"""Largest |size| of one account [lots]: below √2⁶³, so that lots × lots cannot wrap."""
MAX_UUSD = 4_000_000_000_000_000_000
"""Largest amount of money that one sum may hold [uusd]: $4 trillion, half of what int64 holds."""


@kernel
def mul_rate(amount: int, numerator: int, denominator: int) -> int:
    """floor(amount × numerator / denominator) without wrapping; numerator ≥ 0, denominator > 0, both ≤ 3·10⁹.

    amount may have either sign; floor is towards minus infinity, as in Python.
    """
    return (amount // denominator) * numerator + ((amount % denominator) * numerator) // denominator


@kernel
def mul_rate_up(amount: int, numerator: int, denominator: int) -> int:
    """ceil(amount × numerator / denominator), bounds as in `mul_rate`: what an account owes is rounded up."""
    return -mul_rate(-amount, numerator, denominator)


@kernel
def mul_div(amount: int, part: int, whole: int) -> int:
    """floor(amount × part / whole) for 0 ≤ part ≤ whole < 2⁶², exact whatever the size of the product.

    Long division bit by bit where the short way could wrap. The sign of amount is free.
    """
    if whole <= 3_000_000_000:
        return (amount // whole) * part + ((amount % whole) * part) // whole
    # amount = a·whole + b with 0 ≤ b < whole: the first term is whole numbers of part.
    times = amount // whole
    rest = amount % whole
    quotient = 0
    remainder = 0
    # Shift-and-add: rest × part / whole, one bit of `rest` at a time; remainder stays below whole.
    for bit in range(61, -1, -1):
        quotient = quotient * 2
        remainder = remainder * 2
        if remainder >= whole:
            remainder -= whole
            quotient += 1
        if (rest >> bit) & 1:
            remainder += part
            if remainder >= whole:
                remainder -= whole
                quotient += 1
    return times * part + quotient


def to_int(value: float | Fraction, unit: Fraction, what: str) -> int:
    """Express ``value`` as a whole number of ``unit``, to the nearest; says what is out of bounds.

    Raises
    ------
    UnitError
        the number does not fit into 2⁶² units.
    """
    count = round(Fraction(value) / unit)
    if abs(count) >= 1 << 62:
        raise UnitError(f"{what}: {value} in units of {float(unit)} does not fit into an integer of 62 bits")
    return count


def uusd(value_usd: float | Fraction) -> int:
    """Whole micro-dollars nearest to an amount in USD."""
    return to_int(value_usd, Fraction(1, UUSD_PER_USD), "amount in USD")


def tick_lot_uusd(tick_usd: Fraction, lot_coins: Fraction, market: str) -> int:
    """Money of one tick times one lot [uusd]; must be a whole number.

    Raises
    ------
    UnitError
        the product is finer than 10⁻⁶ USD, so that a notional would not be exact.
    """
    product = tick_usd * lot_coins * UUSD_PER_USD
    if product.denominator != 1 or product <= 0:
        raise UnitError(
            f"market {market}: tick × lot must be a whole number of 10⁻⁶ USD, found {float(product)}",
            hint="choose a larger lot",
            market=market,
        )
    return int(product)
