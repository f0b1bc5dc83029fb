"""What are the rules of a liquidation on Aave v3, and what do its formulas give in whole tokens?

A lending market: an account has collateral and debt in several tokens, no position and no mark. Tokens are in
10^−decimals, prices and values in 10⁻⁸ USD (the venue's base currency), thresholds, bonuses and fees in 10⁻⁴
(a bonus of 5 % is 10,500), the health factor in 10⁻¹⁸.

    health factor    H = Σ value_i·threshold_i / debt,   liquidatable when H < 1
    close factor     all of the reserve's debt where H ≤ 0.95 or its collateral or debt is small, else half
    no dust          what is left of collateral and debt is nothing, or worth at least half of "small", each
    deficit          no collateral left and some debt: the debt is written off and owed by the reserve

Source: aave-dao/aave-v3-origin at commit fd1fbd91, docs/3.3/Aave-v3.3-features.md, protocol/libraries/logic/
LiquidationLogic.sol and tests/protocol/pool/Pool.Liquidations.CloseFactor.t.sol; rounding is that of v3.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from deleverage.errors import InputError
from deleverage.venues.rules import Grade, rules_on

BASE_UNIT = 100_000_000
"""10⁻⁸ USD in a dollar."""
PERCENT_UNIT = 10_000
HEALTH_UNIT = 10**18

_SOURCE = (
    "aave-dao/aave-v3-origin at commit fd1fbd91, docs/3.3/Aave-v3.3-features.md and LiquidationLogic.sol"
)


@dataclass(frozen=True)
class LendingRules:
    """What decides a liquidation, as it stood from a date on.

    Parameters
    ----------
    close_factor : share of the debt that one liquidation may repay.
    of_all_debt : true when that is a share of the account's whole debt, repaid in one reserve; false when it
        is a share of the reserve's own.
    full_close_health : health factor up to which all of a reserve's debt may be repaid.
    small_usd : collateral or debt in the reserve below which all of it may be repaid; 0 is never.
    leftover_usd : least that may be left of collateral and debt, where something is left of both; 0 is none.
    writes_off : true when debt without any collateral is written off as the reserve's deficit.
    """

    venue: str
    product: str
    grade: Grade
    valid_from: date
    close_factor: Fraction
    of_all_debt: bool
    full_close_health: Fraction
    small_usd: int
    leftover_usd: int
    writes_off: bool
    sources: Mapping[str, str]


LENDING_VERSIONS = (
    LendingRules(
        venue="aave",
        product="v3.3+",
        grade=Grade.CALCULATOR,
        valid_from=date(2025, 2, 25),
        close_factor=Fraction(1, 2),
        of_all_debt=True,
        full_close_health=Fraction(95, 100),
        small_usd=2_000,
        leftover_usd=1_000,
        writes_off=True,
        sources={"liquidation": _SOURCE, "valid_from": "release reported on 2025-02-25"},
    ),
    LendingRules(
        venue="aave",
        product="v3",
        grade=Grade.CALCULATOR,
        valid_from=date(2022, 4, 1),
        close_factor=Fraction(1, 2),
        of_all_debt=False,
        full_close_health=Fraction(95, 100),
        small_usd=0,
        leftover_usd=0,
        writes_off=False,
        sources={
            "liquidation": f"{_SOURCE}, section 2: what held before v3.3",
            "valid_from": "first deployments in March 2022, after the venue's forum",
        },
    ),
)
"""Newest first; the first one that is not later than the date holds. A lending market has no tiers and no
mark, so that these are no rule sets of contracts."""


def rules_at(day: date) -> LendingRules:
    """Rules in force on a day (UTC).

    Raises
    ------
    RulesError
        none are known for so early a day.
    """
    return rules_on(LENDING_VERSIONS, day)


# --- health and how much may be closed --------------------------------------------------------------


def health_factor(collateral: Iterable[tuple[Fraction, Fraction]], debt: Fraction) -> Fraction:
    """H = Σ value_i·threshold_i / debt, rounded down to 10⁻¹⁸.

    ``collateral`` : value and liquidation threshold [share] of each asset; ``debt`` in the values' unit.

    Raises
    ------
    InputError
        no debt, or a value or threshold below 0.
    """
    assets = list(collateral)
    if debt <= 0:
        raise InputError(f"expected some debt, found {float(debt):g}: without it there is no health factor")
    if any(value < 0 or not 0 <= threshold <= 1 for value, threshold in assets):
        raise InputError("expected collateral of at least 0 with a threshold from 0 to 1")
    weighed = sum((value * threshold for value, threshold in assets), Fraction(0))
    # Down, against the account.
    return Fraction(weighed * HEALTH_UNIT // debt, HEALTH_UNIT)


def is_liquidatable(health: Fraction) -> bool:
    """True below 1; an account at exactly 1 is safe."""
    return health < 1


def close_factor(
    health: Fraction,
    collateral_usd: Fraction,
    debt_usd: Fraction,
    rules: LendingRules = LENDING_VERSIONS[0],
    small_usd: Fraction | None = None,
) -> Fraction:
    """Share of the debt that one liquidation may repay: 0 for a healthy account, else 1 or the usual share.

    ``collateral_usd``, ``debt_usd`` : what the account has in the two reserves concerned; ``small_usd``
    instead of the rules' own.
    """
    if not is_liquidatable(health):
        return Fraction(0)
    small = rules.small_usd if small_usd is None else small_usd
    if health <= rules.full_close_health or min(collateral_usd, debt_usd) < small:
        return Fraction(1)
    return rules.close_factor


@dataclass(frozen=True)
class Reserve:
    """What an account has or owes of one token: amount [10^−decimals], price [10⁻⁸ USD]."""

    amount: int
    price: int
    decimals: int

    @property
    def unit(self) -> int:
        """10^decimals."""
        return int(10**self.decimals)

    def value(self, amount: int) -> int:
        """Value [10⁻⁸ USD] of an amount of collateral, rounded down."""
        return amount * self.price // self.unit

    def owed(self, amount: int) -> int:
        """Value [10⁻⁸ USD] of an amount of debt, rounded up."""
        return -(-amount * self.price // self.unit)


def largest_repayment(
    health: Fraction,
    collateral: Reserve,
    debt: Reserve,
    total_debt: int,
    rules: LendingRules = LENDING_VERSIONS[0],
) -> int:
    """Debt [10^−decimals] of one reserve that one liquidation may repay.

    All of it with a close factor of 1; else the usual share, of ``total_debt`` [10⁻⁸ USD] in all reserves or
    of this one's as the rules say, and never more than there is.
    """
    share = close_factor(
        health,
        Fraction(collateral.value(collateral.amount), BASE_UNIT),
        Fraction(debt.owed(debt.amount), BASE_UNIT),
        rules,
    )
    if share in (0, 1):
        return debt.amount if share else 0
    if not rules.of_all_debt:
        return _percent_mul(debt.amount, int(share * PERCENT_UNIT))
    allowed = _percent_mul(total_debt, int(share * PERCENT_UNIT))
    return debt.amount if debt.owed(debt.amount) <= allowed else allowed * debt.unit // debt.price


# --- what a liquidation moves -----------------------------------------------------------------------


def _percent_mul(value: int, percent: int) -> int:
    """Product of value and percent, rounded to the nearest, halves up, as the venue does."""
    return (value * percent + PERCENT_UNIT // 2) // PERCENT_UNIT


def _percent_div(value: int, percent: int) -> int:
    """Quotient of value and percent, rounded to the nearest, halves up."""
    return (value * PERCENT_UNIT + percent // 2) // percent


@dataclass(frozen=True)
class Seizure:
    """What a liquidator repays and gets [10^−decimals of each token].

    ``seized`` leaves the account; of it ``protocol_fee`` goes to the treasury and the rest to the liquidator.
    ``bonus`` is what is seized beyond the value repaid, before the fee.
    """

    repaid: int
    seized: int
    bonus: int
    protocol_fee: int

    @property
    def to_liquidator(self) -> int:
        """Seized less the fee."""
        return self.seized - self.protocol_fee


def seizure(repaid: int, collateral: Reserve, debt: Reserve, bonus: int, protocol_fee: int = 0) -> Seizure:
    """Collateral that pays for a repayment at a ``bonus`` [10⁻⁴, 10,500 for 5 %].

        base   = floor(repaid·p_d·unit_c / (p_c·unit_d))
        seized = base·bonus; where there is less: all of it, and repaid = ceil(floor(worth) / bonus)
        fee    = (seized − seized / bonus)·protocol fee, out of the bonus

    Raises
    ------
    InputError
        a bonus below 10,000, a fee outside 0 to 10,000, or no price.
    """
    if bonus < PERCENT_UNIT or not 0 <= protocol_fee <= PERCENT_UNIT:
        raise InputError(
            f"expected a bonus from 10,000 e-4 on, a fee up to it, found {bonus}, {protocol_fee}"
        )
    if collateral.price <= 0 or debt.price <= 0 or repaid < 0:
        raise InputError("expected prices above 0 and a repayment of at least 0")
    base = debt.price * repaid * collateral.unit // (collateral.price * debt.unit)
    seized = _percent_mul(base, bonus)
    if seized > collateral.amount:
        seized = collateral.amount
        worth = collateral.price * seized * debt.unit // (debt.price * collateral.unit)
        # Up, after the worth was rounded down: what is got is paid for, but for a unit of debt.
        repaid = -(-worth * PERCENT_UNIT // bonus)
    reward = seized - _percent_div(seized, bonus)
    return Seizure(repaid, seized, reward, _percent_mul(reward, protocol_fee))


@dataclass(frozen=True)
class Liquidation:
    """A seizure, and what is left of the two reserves; ``deficit`` of the debt was written off."""

    seizure: Seizure
    collateral_left: int
    debt_left: int
    deficit: int


def liquidate(
    wanted: int,
    health: Fraction,
    collateral: Reserve,
    debt: Reserve,
    bonus: int,
    *,
    total_debt: int | None = None,
    other_collateral: int = 0,
    protocol_fee: int = 0,
    rules: LendingRules = LENDING_VERSIONS[0],
) -> Liquidation:
    """One liquidation of ``wanted`` debt [10^−decimals], of which at most what the close factor allows.

    Parameters
    ----------
    total_debt : debt of the account in all reserves [10⁻⁸ USD]; that of this reserve by default.
    other_collateral : value of collateral in other reserves [10⁻⁸ USD].

    Raises
    ------
    InputError
        the account is healthy, or dust would be left of collateral and debt.
    """
    if not is_liquidatable(health):
        raise InputError(f"expected a health factor below 1, found {float(health):g}")
    everything = debt.owed(debt.amount) if total_debt is None else total_debt
    allowed = min(wanted, largest_repayment(health, collateral, debt, everything, rules))
    moved = seizure(allowed, collateral, debt, bonus, protocol_fee)
    collateral_left, debt_left = collateral.amount - moved.seized, debt.amount - moved.repaid
    least = rules.leftover_usd * BASE_UNIT
    if collateral_left and debt_left:
        values = collateral.value(collateral_left), debt.owed(debt_left)
        if min(values) < least:
            raise InputError(
                f"expected nothing or at least {rules.leftover_usd:,} USD to be left of collateral and debt, "
                f"found {values[0] / BASE_UNIT:,.2f} and {values[1] / BASE_UNIT:,.2f} USD",
                hint="repay all of the debt, or less of it",
            )
    deficit = debt_left if rules.writes_off and not collateral_left and not other_collateral else 0
    return Liquidation(moved, collateral_left, debt_left - deficit, deficit)
