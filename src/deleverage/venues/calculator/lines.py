"""At which price does a line of equity meet the margin of a tier table, exactly and by the engine's kernel?

Both kinds of contract are one straight line in a variable x (W wallet, x₀ the entry):

    linear     x = price [USD/coin],     S = ± size [coins],        money in USD
    inverse    x = 1/price [coin/USD],   S = ∓ contracts [USD],     money in coins

    equity E(x) = W + S·(x − x₀);   notional N(x) = |S|·x;   maintenance M(x) = N·r_k − d_k, k the tier of N

An inverse long (what it is worth in coins falls as the price falls) is a short in 1/price. So the kernels of
`venues.margin`, which the engine runs on a linear market, answer for both: one lot of |S|, ticks of 10⁻¹² x₀,
money in units of one tick times one lot. They find the tick, in whole numbers; the straight line of the tier
then gives the price within that tick as a fraction, and both are compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from deleverage.errors import TwinMismatch
from deleverage.units import MAX_UUSD
from deleverage.venues.margin import NEVER_TICKS, Tiers, bankruptcy_price, liquidation_price, tiers_record
from deleverage.venues.rules import TierTable

LARGEST_RATE_PART = 3_000_000_000
"""Bound of both parts of a rate in `units.mul_rate`."""
_DIGITS = 12
"""Digits of x that the kernels resolve."""


@dataclass(frozen=True)
class Line:
    """Equity of an account with one position as a line in x.

    Parameters
    ----------
    wallet : W [money of the contract: USD, or coins].
    slope : S, signed size in the units of x [coins, or USD]; not 0.
    start : x₀ > 0.
    """

    wallet: Fraction
    slope: Fraction
    start: Fraction

    def equity(self, x: Fraction) -> Fraction:
        """E(x) [money]."""
        return self.wallet + self.slope * (x - self.start)

    def notional(self, x: Fraction) -> Fraction:
        """N(x) [money]."""
        return abs(self.slope) * x


def margin_meets(line: Line, table: TierTable) -> Fraction | None:
    """The x at which E = M; None when no x > 0 makes the account liquidatable (E < M).

    Raises
    ------
    TwinMismatch
        kernel and straight line differ by more than their rounding: a bug of ours.
    """
    found = _straight_line(line, table)
    tick, wallet, size, cost = _whole_numbers(line)
    ticks = liquidation_price(wallet, size, cost, 1, 0, _record(table, tick * abs(line.slope)))
    # Wallet, cost and deduction are off by at most half a unit each, the margin by one and by what the kernel
    # cannot hold of a rate, the answer by a tick; equity less margin moves by at least 1 − r units a tick.
    unheld = max(abs(tier.rate - _held(tier.rate)) for tier in table.tiers)
    off = 5 + (found or 0) / tick * unheld
    _agree(found, ticks, tick, allowed=off / (1 - table.tiers[-1].rate))
    return found


def equity_meets(line: Line, amount: Fraction) -> Fraction | None:
    """The x at which E is a fixed amount [money]; None when that is at no x > 0."""
    found = line.start - (line.wallet - amount) / line.slope
    backed = replace(line, wallet=line.wallet - amount)
    tick, wallet, size, cost = _whole_numbers(backed)
    ticks = bankruptcy_price(wallet, size, cost, 1)
    _agree(found if found > 0 else None, ticks or -1, tick, allowed=Fraction(3))
    return found if found > 0 else None


def _straight_line(line: Line, table: TierTable) -> Fraction | None:
    """The zero of E − M on the one tier that holds it.

    W + S·(x − x₀) = |S|·x·r − d   ⇔   x = (S·x₀ − W − d) ÷ (S − |S|·r)
    """
    floor = 0
    for k, tier in enumerate(table.tiers):
        slope = line.slope - abs(line.slope) * tier.rate  # never 0: rates are below 1
        x = (line.slope * line.start - line.wallet - table.deductions_usd[k]) / slope
        above = line.notional(x) > floor
        below = line.notional(x) <= tier.cap_usd or k == len(table.tiers) - 1
        if x > 0 and above and below:
            return x
        floor = tier.cap_usd
    return None


def _whole_numbers(line: Line) -> tuple[Fraction, int, int, int]:
    """Tick, wallet, size and cost for the kernels: the size is one lot of |S|."""
    tick = Fraction(10) ** (math.floor(math.log10(line.start)) - _DIGITS)
    unit = tick * abs(line.slope)
    sign = 1 if line.slope > 0 else -1
    wallet = min(round(line.wallet / unit), MAX_UUSD // 2)  # more is more than any price reaches
    return tick, wallet, sign, sign * round(line.start / tick)


def _record(table: TierTable, unit: Fraction) -> Tiers:
    """The kernels' record with money in any unit; tiers that no price reaches end at the largest amount."""
    record = tiers_record([table])
    for k, (tier, deduction) in enumerate(zip(table.tiers, table.deductions_usd, strict=True)):
        rate = _held(tier.rate)
        record.rate_num[0, k], record.rate_den[0, k] = rate.numerator, rate.denominator
        record.cap_uusd[0, k] = min(math.floor(tier.cap_usd / unit), MAX_UUSD)
        record.deduction_uusd[0, k] = min(round(deduction / unit), MAX_UUSD)
    return record


def _held(rate: Fraction) -> Fraction:
    """A rate within the bounds of `units.mul_rate`; those of venues are so."""
    return rate.limit_denominator(LARGEST_RATE_PART)


def _agree(found: Fraction | None, ticks: int, tick: Fraction, allowed: Fraction) -> None:
    ticks = int(np.int64(ticks))
    if found is None:
        same = ticks < allowed or ticks == NEVER_TICKS
    elif ticks == NEVER_TICKS:
        same = found / tick > MAX_UUSD // 4
    else:
        same = abs(found / tick - ticks) <= allowed
    if not same:
        raise TwinMismatch(
            f"the kernel finds the price at {ticks} ticks of {float(tick):g}, the straight line at "
            f"{'none' if found is None else float(found)}"
        )
