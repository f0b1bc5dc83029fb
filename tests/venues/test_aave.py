"""Aave v3: branches of the close factor, no dust, deficit, and every token of a liquidation accounted for."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deleverage.errors import InputError, RulesError
from deleverage.venues import aave
from deleverage.venues.aave import BASE_UNIT, Reserve
from deleverage.venues.examples.file import Example, Tolerance
from deleverage.venues.examples.run import run_example
from tests.venues.printed import printed

F = Fraction
PRINTED = printed("Aave", "Aave v3", "Aave v3.3+")
NEW, OLD = aave.LENDING_VERSIONS
LOW = F(9, 10)  # a health factor at which all may be repaid
HIGH = F(97, 100)  # one at which half may


@pytest.mark.skipif(not PRINTED, reason="no worked examples beside the market data (DELEVERAGE_TEST_DATA)")
@pytest.mark.parametrize("example", PRINTED, ids=lambda example: str(example.id))
def test_printed_example(example: Example) -> None:
    result = run_example(example)
    assert result.passed, result.why


def answer(venue: str, kind: str, inputs: dict[str, Any], expected: dict[str, Any]) -> str:
    """Why an example fails; empty when it passes exactly."""
    return run_example(Example("e", venue, kind, inputs, expected, Tolerance(F(0), F(0)))).why


def test_rules_are_dated() -> None:
    assert aave.rules_at(date(2025, 2, 25)) is NEW
    assert aave.rules_at(date(2025, 2, 24)) is OLD
    with pytest.raises(RulesError, match="aave: expected a date from 2022-04-01 on"):
        aave.rules_at(date(2021, 1, 1))


@pytest.mark.parametrize(
    ("health", "collateral", "debt", "share"),
    [
        ("0.9499", 10_000, 10_000, 1),
        ("0.95", 10_000, 10_000, 1),  # at the bound
        ("0.9501", 10_000, 10_000, F(1, 2)),
        ("0.97", 2_000, 2_000, F(1, 2)),  # not below the bound
        ("0.97", F("1999.99"), 5_000, 1),
        ("0.97", 5_000, F("1999.99"), 1),
        ("0.9999", 10**6, 10**6, F(1, 2)),
        ("1", 10_000, 10_000, 0),
        ("1.5", 100, 100, 0),
        ("0", 0, 5_000, 1),
    ],
)
def test_close_factor_by_health_and_size(health: str, collateral: Any, debt: Any, share: Any) -> None:
    inputs = {"hf": F(health), "collateral_usd": collateral, "debt_usd": debt}
    assert answer("Aave v3.3+", "close_factor", inputs, {"close_factor": share}) == ""
    # Before v3.3 size did not matter.
    before = 0 if F(health) >= 1 else (1 if F(health) <= F("0.95") else F(1, 2))
    assert answer("Aave v3", "close_factor", inputs, {"close_factor": before}) == ""


def test_health_factor_of_several_assets_is_rounded_down() -> None:
    inputs = {"collateral": [[10_000, F("0.8")], [5_000, F("0.5")]], "debt": 9_000}
    assert answer("Aave v3", "health_factor", inputs, {"hf": F(1_166_666_666_666_666_666, 10**18)}) == ""
    lists = {
        "collateral_usd": [10_000, 5_000],
        "liq_threshold": [F("0.8"), F("0.5")],
        "debt_usd": [4_000, 5_000],
    }
    assert answer("Aave v3", "health_factor", lists, {"liquidatable": False}) == ""
    assert "found 0: without it" in answer("Aave v3", "health_factor", {**lists, "debt_usd": 0}, {"hf": 1})
    assert "threshold from 0 to 1" in answer(
        "Aave v3", "health_factor", {**lists, "liq_threshold": F("82.5")}, {"hf": 1}
    )


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"debt_eth": 5, "close_factor": 1, "bonus": F("0.05")}, {"repaid": 5, "seized": F("5.25")}),
        ({"debt_usd": 7, "close_factor": F("0.5"), "bonus": 0}, {"repaid": F("3.5"), "seized_bonus": 0}),
        (  # less collateral than the bonus asks for: all of it, and the repayment shrinks
            {"debt_eth": 5, "close_factor": 1, "bonus": F("0.05"), "collateral_eth": F("4.2")},
            {"repaid": 4, "seized": F("4.2"), "seized_bonus": F("0.2")},
        ),
        (
            {"debt_eth": 5, "close_factor": F("0.5"), "bonus": F("0.05"), "protocol_fee": F("0.1")},
            {"seized": F("2.625"), "protocol_fee": F("0.0125")},
        ),
        ({"debt_eth": 0, "close_factor": 1, "bonus": F("0.05")}, {"repaid": 0, "seized": 0}),
    ],
)
def test_bonus_of_a_repayment(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    assert answer("Aave", "liquidation_bonus", inputs, expected) == ""


def test_half_of_all_debt_may_be_repaid_in_one_reserve() -> None:
    # The release notes' account: three debts of 3,000 against 9,000 of collateral.
    collateral, debt = Reserve(3 * 10**18, 3_000 * BASE_UNIT, 18), Reserve(3_000 * 10**6, BASE_UNIT, 6)
    total = 9_000 * BASE_UNIT
    assert aave.largest_repayment(HIGH, collateral, debt, total, NEW) == debt.amount
    assert aave.largest_repayment(HIGH, collateral, debt, total, OLD) == debt.amount // 2
    assert aave.largest_repayment(HIGH, collateral, debt, 3_000 * BASE_UNIT, NEW) == debt.amount // 2
    assert aave.largest_repayment(LOW, collateral, debt, total, OLD) == debt.amount
    assert aave.largest_repayment(F(1), collateral, debt, total, NEW) == 0


# --- liquidations of drawn accounts -------------------------------------------------------------------


@st.composite
def reserves(draw: st.DrawFn) -> Reserve:
    """A token of 6 to 18 decimals at a cent to 100,000 USD, worth up to 20,000 USD."""
    decimals = draw(st.integers(6, 18))
    price = draw(st.integers(10**6, 10**13))
    value = draw(st.integers(1, 20_000 * BASE_UNIT))
    amount = value * 10**decimals // price
    assume(amount > 0)
    return Reserve(amount, price, decimals)


drawn = {
    "collateral": reserves(),
    "debt": reserves(),
    "bonus": st.integers(10_000, 12_000),
    "fee": st.integers(0, 10_000),
    "health": st.sampled_from((LOW, HIGH)),
    "permille": st.integers(1, 1000),
    "other": st.sampled_from((0, 1, 10**12)),
}


@given(**drawn)
def test_every_token_is_accounted_for_and_no_dust_is_left(
    collateral: Reserve, debt: Reserve, bonus: int, fee: int, health: Fraction, permille: int, other: int
) -> None:
    wanted = max(1, debt.amount * permille // 1000)
    try:
        done = aave.liquidate(
            wanted, health, collateral, debt, bonus, protocol_fee=fee, other_collateral=other
        )
    except InputError as refusal:
        # Only dust is refused: something is left of both, and one of it is small.
        allowed = min(wanted, aave.largest_repayment(health, collateral, debt, debt.owed(debt.amount)))
        moved = aave.seizure(allowed, collateral, debt, bonus, fee)
        left = (
            collateral.value(collateral.amount - moved.seized),
            debt.owed(debt.amount - moved.repaid),
        )
        assert moved.seized < collateral.amount and moved.repaid < debt.amount
        assert min(left) < 1_000 * BASE_UNIT and "to be left of collateral and debt" in refusal.message
        return
    moved = done.seizure
    assert collateral.amount == done.collateral_left + moved.to_liquidator + moved.protocol_fee
    assert debt.amount == done.debt_left + done.deficit + moved.repaid
    assert 0 <= moved.protocol_fee <= moved.bonus <= moved.seized
    assert min(done.collateral_left, done.debt_left, done.deficit, moved.repaid) >= 0
    if done.collateral_left and done.debt_left:
        assert collateral.value(done.collateral_left) >= 1_000 * BASE_UNIT
        assert debt.owed(done.debt_left) >= 1_000 * BASE_UNIT
    if done.collateral_left or other:
        assert done.deficit == 0
    else:
        assert done.debt_left == 0  # a debt without any collateral is written off whole


@given(**drawn)
def test_a_liquidator_gets_what_it_repaid_and_at_most_the_bonus(
    collateral: Reserve, debt: Reserve, bonus: int, fee: int, health: Fraction, permille: int, other: int
) -> None:
    wanted = max(1, debt.amount * permille // 1000)
    moved = aave.seizure(wanted, collateral, debt, bonus, fee)
    paid = F(moved.repaid * debt.price, debt.unit)
    got = F(moved.seized * collateral.price, collateral.unit)
    unit = F(collateral.price, collateral.unit)  # one unit of the seized token
    assert moved.repaid <= max(wanted, 1)
    # The worth of all the collateral is rounded down to a unit of the debt before the bonus is taken off.
    debt_unit = F(debt.price, debt.unit)
    assert got <= (paid + debt_unit) * F(bonus, 10_000) + unit
    if moved.seized < collateral.amount:
        assert moved.repaid == wanted and got >= paid * F(bonus, 10_000) - 2 * unit


@given(**drawn)
def test_before_v33_dust_and_debt_without_collateral_stay(
    collateral: Reserve, debt: Reserve, bonus: int, fee: int, health: Fraction, permille: int, other: int
) -> None:
    wanted = max(1, debt.amount * permille // 1000)
    done = aave.liquidate(wanted, health, collateral, debt, bonus, protocol_fee=fee, rules=OLD)
    assert done.deficit == 0
    assert done.debt_left == debt.amount - done.seizure.repaid
    if health > OLD.full_close_health:
        assert done.seizure.repaid <= (debt.amount + 1) // 2


def test_debt_is_valued_up_and_collateral_down() -> None:
    token = Reserve(10**18, 3 * BASE_UNIT, 18)
    assert (token.owed(1), token.value(1)) == (1, 0)
    assert token.owed(10**18) == token.value(10**18) == 3 * BASE_UNIT
    # A debt that is worth 1,000 USD less a hundred-millionth of a cent is no dust.
    debt = Reserve(4_000 * 10**18, BASE_UNIT, 18)
    collateral = Reserve(10**18, 5_000 * BASE_UNIT, 18)
    done = aave.liquidate(3_000 * 10**18 + 1, LOW, collateral, debt, 10_500)
    assert done.debt_left == 1_000 * 10**18 - 1


def test_a_deficit_is_what_no_collateral_is_left_for() -> None:
    collateral, debt = Reserve(10**18, 1_000 * BASE_UNIT, 18), Reserve(1_500 * 10**6, BASE_UNIT, 6)
    done = aave.liquidate(debt.amount, F("0.5"), collateral, debt, 10_500)
    assert done.seizure.repaid == 952_380_953  # 1,000 / 1.05, up
    assert (done.collateral_left, done.debt_left, done.deficit) == (0, 0, 1_500 * 10**6 - 952_380_953)
    kept = aave.liquidate(debt.amount, F("0.5"), collateral, debt, 10_500, other_collateral=1)
    assert (kept.debt_left, kept.deficit) == (1_500 * 10**6 - 952_380_953, 0)


def test_what_is_no_liquidation_is_refused() -> None:
    collateral, debt = Reserve(10**18, 5_000 * BASE_UNIT, 18), Reserve(4_000 * 10**6, BASE_UNIT, 6)
    with pytest.raises(InputError, match="a health factor below 1, found 1"):
        aave.liquidate(1, F(1), collateral, debt, 10_500)
    with pytest.raises(InputError, match="at least 1,000 USD to be left"):
        aave.liquidate(3_000_000_001, LOW, collateral, debt, 10_500)
    aave.liquidate(3_000_000_000, LOW, collateral, debt, 10_500)  # exactly 1,000 is left of the debt
    for bonus, fee in ((9_999, 0), (10_500, 10_001), (10_500, -1)):
        with pytest.raises(InputError, match="a bonus from 10,000"):
            aave.seizure(1, collateral, debt, bonus, fee)
    with pytest.raises(InputError, match="prices above 0"):
        aave.seizure(1, Reserve(1, 0, 0), debt, 10_500)
