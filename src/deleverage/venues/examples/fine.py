"""How do the engine's integer kernels answer to more digits than an engine needs? With a finer unit of money.

The kernels know no dollars: they count units. Here one unit is 10⁻¹⁶ of the largest amount in the example,
and the whole position is one lot, so that the answer is exact to about that share.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm

from deleverage.errors import InputError
from deleverage.units import mul_rate_up
from deleverage.venues import collateral, linear
from deleverage.venues import margin as kernels
from deleverage.venues.calculator.lines import LARGEST_RATE_PART, Line, margin_meets
from deleverage.venues.linear import ZERO, Leg
from deleverage.venues.mark import funding_rate_ppb, median_mark
from deleverage.venues.rules import MarginTier, TierTable

SHARE = Fraction(1, 10**16)
_ANY = TierTable("example", (MarginTier(1, Fraction(1, 2), 1),), "example")


def unit_of(*amounts: Fraction) -> Fraction:
    """Unit of money for these amounts."""
    return max((abs(amount) for amount in amounts), default=ZERO) * SHARE or SHARE


def one_tier(rate: Fraction, deduction: Fraction, unit: Fraction) -> kernels.Tiers:
    """A record with the rate and deduction of an example, whatever the notional."""
    tiers = kernels.tiers_record([_ANY])
    rate = rate.limit_denominator(LARGEST_RATE_PART)
    tiers.rate_num[0, 0], tiers.rate_den[0, 0] = rate.numerator, rate.denominator
    tiers.deduction_uusd[0, 0] = round(deduction / unit)
    return tiers


def liquidation_price(wallet: Fraction, leg: Leg, fee: Fraction = ZERO) -> Fraction:
    """Liquidation price of an account's only position, by the kernel.

    Where no mark ends the account the kernel has no answer: then it is the formula's, which is below 0.
    """
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
    if at in (-1, kernels.NEVER_TICKS):
        return linear.liquidation_price(wallet, [leg], fee)
    return at * tick


def tiered_liquidation_price(wallet: Fraction, leg: Leg, table: TierTable) -> Fraction | None:
    """The same in the tier of the notional at that price; None where no price above 0 ends the account."""
    return margin_meets(Line(wallet, leg.side * leg.size, leg.entry), table)


def maintenance_margin(notional: Fraction, rate: Fraction, deduction: Fraction) -> Fraction:
    """Maintenance margin by the kernel."""
    unit = unit_of(notional, deduction)
    return kernels.maintenance_margin(round(notional / unit), 0, one_tier(rate, deduction, unit)) * unit


def tier_of(notional: Fraction, table: TierTable) -> int:
    """Tier by the kernel: the first whose cap is not exceeded."""
    return kernels.tier_of(round(notional * 1_000_000), 0, kernels.tiers_record([table]))


def funding_rate(premium: Fraction, interest: Fraction, clamp: Fraction, interval_h: int) -> Fraction:
    """Funding rate of an interval by the kernel, in a unit that all of it is a whole number of."""
    scale = 8 * lcm(premium.denominator, interest.denominator, clamp.denominator)
    rate = funding_rate_ppb(int(premium * scale), int(interest * scale), int(clamp * scale), interval_h)
    return Fraction(rate, scale)


def funding_received(side: int, size: Fraction, mark: Fraction, rate: Fraction) -> Fraction:
    """Funding that an account receives (> 0) or pays, by the multiplication that the engine pays it with."""
    unit = unit_of(size * mark)
    value = round(side * size * mark / unit)
    rate = rate.limit_denominator(LARGEST_RATE_PART)
    if rate < 0:
        value, rate = -value, -rate
    return -mul_rate_up(value, rate.numerator, rate.denominator) * unit


def mark_price(
    index: Fraction,
    basis: Fraction,
    contract: Fraction,
    funding: Fraction,
    left: Fraction,
    interval: Fraction,
) -> Fraction:
    """Mark by the kernel, from the mean basis; times are in hours."""
    funded = index * (1 + funding * left / interval)
    tick = Fraction(1, lcm(*(price.denominator for price in (index, basis, contract, funded))))
    ppb = funding * 10**9
    # The kernel multiplies index and rate: the tick stays so coarse that the product fits.
    tick = max(tick, index * max(abs(ppb.numerator), 1) / 10**18)
    seconds = Fraction(3600)
    more = lcm((left * seconds).denominator, (interval * seconds).denominator)
    mark = median_mark(
        round(index / tick),
        round(basis / tick),
        1,
        round(contract / tick),
        ppb.numerator,
        int(left * seconds * more),
        int(interval * seconds * more) * ppb.denominator,
    )
    return mark * tick


def margin_value(value: Fraction, haircut: Fraction) -> Fraction:
    """Worth of collateral as margin, by the kernel; of a debt (value < 0) the whole."""
    if value < 0:
        return value
    unit, haircut = unit_of(value), haircut.limit_denominator(LARGEST_RATE_PART)
    return collateral.margin_value(round(value / unit), haircut.numerator, haircut.denominator) * unit


def sold_for(deficit: Fraction, haircut: Fraction) -> Fraction:
    """Collateral sold for a deficit, by the kernel.

    Raises
    ------
    InputError
        a haircut outside 0 ≤ h < 1.
    """
    if not 0 <= haircut < 1:
        raise InputError(f"haircut: expected a share from 0 to below 1, found {float(haircut)}")
    unit, haircut = unit_of(deficit), haircut.limit_denominator(LARGEST_RATE_PART)
    return collateral.sold_for(round(deficit / unit), haircut.numerator, haircut.denominator) * unit
