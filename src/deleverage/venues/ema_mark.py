"""The mark price of Hyperliquid: a median whose first member leans on a mean of irregular samples.

    mark = median(oracle + EMA₁₅₀(mid − oracle), median(bid, ask, last), weighted median of others' mids)

and where exactly two of the three exist, the 30 s EMA of the book median is the third. A sample is weighted
by its own age t, the seconds since the one before:

    num ← num·exp(−t/τ) + x·t,   den ← den·exp(−t/τ) + t,   EMA = num/den

Source: Hyperliquid docs, "Robust price indices".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction

from deleverage.errors import InputError

BASIS_WINDOW_S = 150
BOOK_WINDOW_S = 30
EXTERNAL_WEIGHTS = (("Binance", 3), ("OKX", 2), ("Bybit", 2), ("Gate", 1), ("MEXC", 1))
ORACLE_WEIGHTS = (
    ("Binance", 3), ("OKX", 2), ("Bybit", 2), ("Kraken", 1), ("Kucoin", 1), ("Gate", 1), ("MEXC", 1),
    ("Hyperliquid", 1),
)  # fmt: skip


def decay(age_s: Fraction, window_s: Fraction) -> Fraction:
    """Exp(−t/τ) to thirty digits: the kernels take a number, not a function, so that bits do not vary."""
    with localcontext() as context:
        context.prec = 40
        power = -Decimal(age_s.numerator) / Decimal(age_s.denominator)
        power = power * Decimal(window_s.denominator) / Decimal(window_s.numerator)
        return Fraction(power.exp()).limit_denominator(10**30)


def ema(samples: Iterable[tuple[Fraction, Fraction]], window_s: Fraction) -> Fraction:
    """Mean of (value, age in seconds) samples, oldest first.

    Raises
    ------
    InputError
        no sample has an age above 0.
    """
    total = weight = Fraction(0)
    for value, age in samples:
        kept = decay(age, window_s)
        total = total * kept + value * age
        weight = weight * kept + age
    if weight == 0:
        raise InputError("moving average: expected at least one sample with an age above 0, found none")
    return total / weight


def weighted_median(pairs: Sequence[tuple[Fraction, Fraction]]) -> Fraction:
    """Of (value, weight): the lowest value at which half of the weight or more is reached.

    Raises
    ------
    InputError
        no value has a weight.
    """
    whole = sum((weight for _, weight in pairs), Fraction(0))
    if whole <= 0:
        raise InputError("weighted median: expected at least one price with a weight above 0, found none")
    reached = Fraction(0)
    ordered = sorted(pairs)
    for value, weight in ordered:
        reached += weight
        if 2 * reached >= whole:
            return value
    return ordered[-1][0]


def median(values: Sequence[Fraction]) -> Fraction:
    """The middle value; of an even number the mean of the middle two.

    Raises
    ------
    InputError
        there is none.
    """
    if not values:
        raise InputError("median: expected at least one price, found none")
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def mark_price(
    basis_price: Fraction | None,
    book: Fraction | None,
    external: Fraction | None,
    book_ema: Fraction | None = None,
) -> Fraction:
    """Mark from its members, None for one that is missing.

    Raises
    ------
    InputError
        none exists, or two do and the mean of the book that would be the third is not given.
    """
    members = [price for price in (basis_price, book, external) if price is not None]
    if len(members) == 2:
        if book_ema is None:
            raise InputError(
                "mark: two of three prices exist, expected the 30 s mean of the book as the third, found none"
            )
        members.append(book_ema)
    return median(members)
