"""Do exact fractions and the engine's integer kernels answer an example alike? If so, the fractions count.

The kernels know no dollars: they count units. Here one unit is 10⁻¹⁶ of the largest amount in the example,
and the whole position is one lot, so that they answer to about that share. An example may be printed to more
digits, so what is handed out is the formula in fractions, once the kernel has said the same to its last unit.
"""

from __future__ import annotations

from fractions import Fraction

from deleverage.errors import InputError, TwinMismatch
from deleverage.units import mul_rate_up
from deleverage.venues import collateral, linear
from deleverage.venues import margin as kernels
from deleverage.venues.calculator.lines import LARGEST_RATE_PART, Line, margin_meets
from deleverage.venues.linear import ZERO, Leg
from deleverage.venues.mark import funding_rate_ppb, median_mark
from deleverage.venues.rules import MarginTier, TierTable

SHARE = Fraction(1, 10**16)
_ANY = TierTable("example", (MarginTier(1, Fraction(1, 2), 1),), "example")
_FLATTEST = Fraction(1, 50)
"""Health that moves by less of a unit a tick is zero beyond the kernel's integers."""
_SCALE = 8 * 10**15
"""Parts of a funding rate that the kernel counts in."""


def unit_of(*amounts: Fraction) -> Fraction:
    """Unit of money for these amounts."""
    return max((abs(amount) for amount in amounts), default=ZERO) * SHARE or SHARE


def limited(rate: Fraction) -> Fraction:
    """A rate within the bounds of `units.mul_rate`."""
    return rate.limit_denominator(LARGEST_RATE_PART)


def confirmed(exact: Fraction, counted: Fraction, allowed: Fraction) -> Fraction:
    """The exact answer, which the kernel's must equal but for its rounding.

    Raises
    ------
    TwinMismatch
        they differ by more: a bug of ours.
    """
    if abs(exact - counted) > allowed:
        raise TwinMismatch(f"the kernel finds {float(counted)}, the formula {float(exact)}")
    return exact


def one_tier(rate: Fraction, deduction: Fraction, unit: Fraction) -> kernels.Tiers:
    """A record with the rate and deduction of an example, whatever the notional.

    Raises
    ------
    InputError
        a rate outside 0 ≤ r < 1.
    """
    if not 0 <= rate < 1:
        raise InputError(f"rate: expected a share from 0 to below 1, found {float(rate):g}")
    tiers = kernels.tiers_record([_ANY])
    rate = limited(rate)
    tiers.rate_num[0, 0], tiers.rate_den[0, 0] = rate.numerator, rate.denominator
    tiers.deduction_uusd[0, 0] = round(deduction / unit)
    return tiers


def liquidation_price(wallet: Fraction, leg: Leg, fee: Fraction = ZERO) -> Fraction:
    """Liquidation price of an account's only position.

    Where no mark ends the account the kernel has no answer: then it is the formula's, which is not above 0.
    """
    exact = linear.liquidation_price(wallet, [leg], fee)
    unit = unit_of(wallet, leg.size * leg.entry, leg.deduction)
    tick = unit / leg.size
    at = kernels.liquidation_price(
        round(wallet / unit),
        leg.side,
        leg.side * round(leg.entry / tick),
        1,
        0,
        one_tier(leg.rate + fee, leg.deduction, unit),
    )
    rate = leg.rate + fee
    slope = 1 - leg.side * rate
    if at not in (-1, kernels.NEVER_TICKS) and slope > _FLATTEST:
        # Wallet, cost, deduction and margin are off by a unit each; health moves by 1 ∓ r of them a tick.
        rounding = 4 / slope + 2 + abs(exact / tick) * abs(rate - limited(rate)) / slope
        confirmed(max(exact, ZERO), at * tick, rounding * tick)
    return exact


def tiered_liquidation_price(wallet: Fraction, leg: Leg, table: TierTable) -> Fraction | None:
    """The same in the tier of the notional at that price; None where no price above 0 ends the account."""
    return margin_meets(Line(wallet, leg.side * leg.size, leg.entry), table)


def maintenance_margin(notional: Fraction, rate: Fraction, deduction: Fraction) -> Fraction:
    """M = N·r − D."""
    unit = unit_of(notional, deduction)
    counted = kernels.maintenance_margin(round(notional / unit), 0, one_tier(rate, deduction, unit)) * unit
    exact = notional * rate - deduction if notional else ZERO
    return confirmed(exact, counted, 3 * unit + notional * abs(rate - limited(rate)))


def funding_rate(premium: Fraction, interest: Fraction, clamp: Fraction, interval_h: Fraction) -> Fraction:
    """F = [P + clamp(I − P, ±c)]·N/8 per interval of N hours."""
    exact = (premium + max(-clamp, min(clamp, interest - premium))) * interval_h / 8
    if interval_h.denominator == 1 and abs(premium) <= 1 and abs(interest) <= 1:
        p, i, c = (round(rate * _SCALE) for rate in (premium, interest, min(clamp, Fraction(2))))
        counted = funding_rate_ppb(p, i, c, interval_h.numerator)
        confirmed(exact, Fraction(counted, _SCALE), (3 * interval_h / 8 + 1) / _SCALE)
    return exact


def funding_received(side: int, size: Fraction, mark: Fraction, rate: Fraction) -> Fraction:
    """Funding that an account receives (> 0) or pays, as the engine pays it: −s·q·m·F."""
    exact = -side * size * mark * rate
    if abs(rate) > 1:
        return exact  # beyond what the kernel multiplies
    unit = unit_of(size * mark)
    value, used = round(side * size * mark / unit), limited(rate)
    sign = -1 if rate < 0 else 1
    counted = -mul_rate_up(sign * value, sign * used.numerator, used.denominator) * unit
    return confirmed(exact, counted, 2 * unit + size * mark * abs(rate - used))


def mark_price(
    index: Fraction,
    basis: Fraction,
    contract: Fraction,
    funding: Fraction,
    left: Fraction,
    interval: Fraction,
) -> Fraction:
    """Median of index with funding, index with the mean basis, and contract price; times are in hours."""
    p1, p2 = index * (1 + funding * left / interval), index + basis
    ppb, seconds = round(funding * 10**9), (round(left * 3600), round(interval * 3600))
    # The kernel multiplies index and rate: the tick stays so coarse that the product fits.
    tick = max(index, abs(basis), contract) * max(abs(ppb), 1) / 10**17
    counted = median_mark(round(index / tick), round(basis / tick), 1, round(contract / tick), ppb, *seconds)
    # Rates and times are rounded too.
    coarse = index * (Fraction(1, 10**9) * left + abs(funding) / 3600) / interval
    return confirmed(sorted((p1, p2, contract))[1], counted * tick, 4 * tick + 2 * coarse)


def margin_value(value: Fraction, haircut: Fraction) -> Fraction:
    """Worth of collateral as margin: value·(1 − h); of a debt (value < 0) the whole."""
    if value < 0:
        return value
    unit, used = unit_of(value), limited(haircut)
    counted = collateral.margin_value(round(value / unit), used.numerator, used.denominator) * unit
    return confirmed(value * (1 - haircut), counted, 2 * unit + value * abs(haircut - used))


def sold_for(deficit: Fraction, haircut: Fraction) -> Fraction:
    """Collateral sold for a deficit: d / (1 − h).

    Raises
    ------
    InputError
        a haircut outside 0 ≤ h < 1.
    """
    if not 0 <= haircut < 1:
        raise InputError(f"haircut: expected a share from 0 to below 1, found {float(haircut)}")
    exact, used = deficit / (1 - haircut), limited(haircut)
    unit = unit_of(exact)
    counted = collateral.sold_for(round(deficit / unit), used.numerator, used.denominator) * unit
    return confirmed(exact, counted, 2 * exact * SHARE + 2 * unit + exact * abs(haircut - used) / (1 - used))
