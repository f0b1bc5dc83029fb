"""Drift v2: the programme's own figures, and that a partial liquidation ends exactly at the requirement."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deleverage.errors import InputError, RulesError
from deleverage.venues import drift
from deleverage.venues.drift import PerpTerms, SpotTerms
from deleverage.venues.examples.file import Example, Tolerance
from deleverage.venues.examples.run import run_example
from deleverage.venues.rules import Grade
from tests.venues.printed import printed

F = Fraction
PRINTED = printed("Drift v2")


@pytest.mark.skipif(not PRINTED, reason="no worked examples beside the market data (DELEVERAGE_TEST_DATA)")
@pytest.mark.parametrize("example", PRINTED, ids=lambda example: str(example.id))
def test_printed_example(example: Example) -> None:
    result = run_example(example)
    assert result.passed, result.why


def test_rules_are_dated_and_calculate_only() -> None:
    rules = drift.rules_at(date(2025, 10, 10))
    assert (rules.grade, dict(rules.tiers)) == (Grade.CALCULATOR, {})
    with pytest.raises(RulesError, match="expected contracts, of which none is known"):
        rules.tier_table("SOL-PERP")
    with pytest.raises(RulesError, match="expected a date from"):
        drift.rules_at(date(2022, 1, 1))


def answer(kind: str, inputs: dict[str, Any], expected: dict[str, Any]) -> str:
    """Why an example fails; empty when it passes exactly."""
    return run_example(Example("e", "Drift v2", kind, inputs, expected, Tolerance(F(0), F(0)))).why


PERP = {"shortage_usd": 10, "margin_ratio": F("0.1"), "oracle": 100}
FEE = {"base": 10, "px": 100, "margin_ratio": F("0.05"), "liq_fee": F("0.01"), "max_fee": F("0.05")}
SPOT_FEE = {
    "liab": 1,
    "px": 100,
    "asset_weight": 1,
    "asset_mult": F("1.01"),
    "liab_weight": F("1.1"),
    "liab_mult": 1,
    "max_fee": F("0.05"),
}


@pytest.mark.parametrize(
    ("kind", "inputs", "expected"),
    [
        # Figures of the programme's tests beyond the printed ones.
        ("partial_liquidation_size", PERP, {"base_1e9": 10**9}),
        (
            "partial_liquidation_size",
            {**PERP, "liq_fee": F("0.01"), "if_fee": F("0.01"), "quote_oracle": 1},
            {"base_1e9": 1_250_000_000},
        ),
        (  # the fund's part is of the price in the quote asset: 10 / (9.9 − 1)
            "partial_liquidation_size",
            {**PERP, "if_fee": F("0.01"), "quote_oracle": F("0.99")},
            {"base_1e9": 1_123_595_505},
        ),
        ("partial_liquidation_size", {**PERP, "position": F("-0.3")}, {"base_1e9": 300_000_000}),
        ("insurance_fund_fee", {**FEE, "shortage_usd": 1}, {"fee_1e6": 37_050}),
        ("insurance_fund_fee", {**FEE, "shortage_usd": 20, "liq_fee": F("0.1")}, {"fee_1e6": 0}),
        ("insurance_fund_fee", {**FEE, "shortage_usd": 20, "px": 0}, {"fee_1e6": 0}),
        ("insurance_fund_fee", {**FEE, "shortage_usd": 20, "base": 0}, {"fee_1e6": 0}),
        ("insurance_fund_fee", {**FEE, "shortage_usd": 20, "base": -10}, {"fee_1e6": 19_000}),
        ("insurance_fund_fee", {**FEE, "shortage_usd": 0, "max_fee": F("0.03")}, {"fee_1e6": 30_000}),
        ("insurance_fund_fee", {**SPOT_FEE, "shortage_usd": 5}, {"fee_1e6": 36_363}),
        ("insurance_fund_fee", {**SPOT_FEE, "shortage_usd": 100}, {"fee_1e6": 0}),
        ("insurance_fund_fee", {**SPOT_FEE, "shortage_usd": 1}, {"fee_1e6": 50_000}),
        ("insurance_fund_fee", {**SPOT_FEE, "shortage_usd": 1, "asset_weight": 2}, {"fee_1e6": 0}),
        ("insurance_fund_fee", {**SPOT_FEE, "shortage_usd": 5, "liab": 0}, {"fee_1e6": 0}),
        (
            "spot_liquidation_size",
            {"asset_usd": 10, "asset_mult": F("1.01"), "liab_mult": F("0.99"), "liab_px": 100},
            {"liability_1e9": 98_019_802},
        ),
        (
            "spot_liquidation_size",
            {"liab": 1, "asset_mult": F("1.01"), "liab_mult": F("0.99"), "liab_px": 100},
            {"asset_1e6": 102_020_202},
        ),
        (
            "spot_liquidation_size",  # less than a dollar apart: the whole deposit
            {"liab": 1, "asset_mult": 1, "liab_mult": 1, "liab_px": 100, "deposit": F("100.99")},
            {"asset_1e6": 100_990_000},
        ),
        (
            "spot_liquidation_size",
            {"liab": 1, "asset_mult": 1, "liab_mult": 1, "liab_px": 100, "deposit": 101},
            {"asset_1e6": 100_000_000},
        ),
        (
            "spot_liquidation_size",  # a borrow of six decimals, paid by a coin of nine at 50
            {"liab": 7, "liab_decimals": 6, "liab_px": 1, "asset_decimals": 9, "asset_px": 50},
            {"asset_1e9": 140_000_000},
        ),
        ("socialised_loss", {"loss_usd": -100, "long": 7, "short": -4}, {"delta_1e9": 9_090_910_000}),
        ("socialised_loss", {"loss_usd": 100, "long": 0, "short": -4}, {"delta_1e9": 25_000_000_000}),
        ("socialised_loss", {"loss": 100, "deposits": 0, "cum_interest": F("1.111")}, {"delta_1e10": 0}),
    ],
)
def test_further_figures(kind: str, inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    assert answer(kind, inputs, expected) == ""


@pytest.mark.parametrize(
    ("kind", "inputs", "reason"),
    [
        ("partial_liquidation_size", {**PERP, "liq_fee": F("0.1")}, "closing frees nothing"),
        ("partial_liquidation_size", {**PERP, "oracle": 0}, "closing frees nothing"),
        ("partial_liquidation_size", {**PERP, "if_fee": F("0.1")}, "closing frees nothing"),
        ("partial_liquidation_size", {**PERP, "shortage_usd": -1}, "expected an amount of at least 0"),
        (
            "partial_liquidation_size",
            {**PERP, "oracle": F(1, 3)},
            "expected a whole number of 1/1000000 for 'oracle'",
        ),
        ("socialised_loss", {"loss_usd": 1, "long": 0, "short": 0}, "somebody holds a position"),
        (
            "spot_liquidation_size",
            {"shortage_usd": 10, "asset_weight": 1, "liab_weight": 1, "px": 100, "liab_mult": F("0.75")},
            "repaying frees nothing",
        ),
        ("spot_liquidation_size", {"liab_px": 100}, "expected input 'asset_usd', found only"),
    ],
)
def test_what_no_liquidation_can_mend_is_refused(kind: str, inputs: dict[str, Any], reason: str) -> None:
    assert reason in answer(kind, inputs, {"base_1e9": 0, "delta_1e9": 0, "liability_1e9": 0})


# --- a partial liquidation --------------------------------------------------------------------------


@st.composite
def terms(draw: st.DrawFn) -> PerpTerms:
    """Ratios from 1 % to all, fees below them, prices from a cent to a million."""
    ratio = draw(st.integers(100, 10_000))
    liquidator = draw(st.integers(0, ratio * 100 - 1))
    fund = draw(st.integers(0, (ratio * 100 - liquidator) * 9 // 10))
    return PerpTerms(
        ratio,
        liquidator,
        fund,
        draw(st.integers(10_000, 10**12)),
        draw(st.integers(900_000, 1_100_000)),
    )


shortages = st.integers(0, 10**15)


@given(terms(), shortages)
def test_what_is_taken_frees_the_shortage_and_not_one_unit_more_would(
    market: PerpTerms, shortage: int
) -> None:
    assume(market.freed_by_a_coin > 0)
    base = drift.base_to_cover(shortage, market)
    freed = market.freed_by_a_coin
    assert base * freed <= shortage * drift.BASE_UNIT < (base + 1) * freed


@given(terms(), shortages, st.integers(1, 10**6), st.sampled_from((-1, 1)))
def test_after_it_the_account_is_exactly_at_its_margin_requirement(
    market: PerpTerms, shortage: int, dollars: int, side: int
) -> None:
    # Whole dollars per coin at a quote of 1, so that the price of a coin's margin is not rounded.
    market = PerpTerms(market.margin_ratio, market.liquidator_fee, market.fund_fee, dollars * 10**6)
    assume(market.freed_by_a_coin > 0)
    assert market.freed_by_a_coin == dollars * (market.spare - market.fund_fee)
    price, ratio = F(dollars), F(market.margin_ratio, 10**4)
    fees = F(market.liquidator_fee + market.fund_fee, 10**6)
    needed = F(shortage, 10**6) / (price * (ratio - fees))  # coins, exact
    size = drift.base_to_cover(shortage, market) + 10**9  # a coin more than is needed
    equity = F(size, 10**9) * price * ratio - F(shortage, 10**6)

    def health(closed: Fraction) -> Fraction:
        """Equity less requirement after a takeover at the oracle price, less fees."""
        left = F(size, 10**9) - closed
        return equity - closed * price * fees - left * price * ratio

    assert health(F(0)) == -F(shortage, 10**6)
    assert health(needed) == 0
    taken = F(drift.liquidation_size(side * size, shortage, market), 10**9)
    one_unit = F(1, 10**9) * price * (ratio - fees)
    assert -one_unit < health(taken) <= 0 <= health(taken + F(1, 10**9))


@given(terms(), shortages, st.integers(-(10**15), 10**15), st.integers(1, 10**9))
def test_a_liquidator_takes_enough_or_all(market: PerpTerms, shortage: int, position: int, step: int) -> None:
    taken = drift.liquidation_size(position, shortage, market, step)
    assert 0 <= taken <= abs(position)
    if taken < abs(position):
        assert taken % step == 0
        assert (taken + 1) * market.freed_by_a_coin > shortage * drift.BASE_UNIT
        assert drift.liquidation_size(-position, shortage, market, step) == taken


def test_where_closing_frees_nothing_all_is_taken() -> None:
    assert drift.liquidation_size(-5, 1, PerpTerms(500, 50_000, 0, 10**8)) == 5
    assert drift.liquidation_size(5, 1, PerpTerms(500, 10_000, 0, 0)) == 5


@given(terms(), shortages, st.integers(1, 10**14), st.integers(0, 10**6))
def test_the_funds_fee_never_makes_the_position_insolvent(
    market: PerpTerms, shortage: int, position: int, largest: int
) -> None:
    assume(market.price > 0)
    fee = drift.perp_fund_fee(shortage, position, market, largest)
    assert 0 <= fee <= largest
    # Closing all of it still frees what is missing, up to the rounding of the share that is.
    value = F(position, 10**9) * F(market.price, 10**6)
    if fee:
        assert value * F(market.spare - fee, 10**6) > F(shortage, 10**6) - value * 2 / 10**6
    assert drift.perp_fund_fee(shortage + 10**6, position, market, largest) <= fee


@given(st.integers(1, 10**15), st.integers(0, 10**15), st.integers(-(10**15), 0))
def test_a_shared_loss_is_covered_and_no_more_than_rounding_beyond(loss: int, long: int, short: int) -> None:
    assume(long or short)
    delta = drift.funding_delta_for_loss(-loss, long, short)
    holders = long - short
    collected = F(delta * holders, 10**9 * 1000)  # 10⁻⁶ USDC
    assert loss <= collected < loss + F(holders, 10**9)


@given(st.integers(0, 10**15), st.integers(1, 10**16), st.integers(10**10, 10**12))
def test_depositors_carry_the_whole_loss(loss: int, deposits: int, interest: int) -> None:
    delta = drift.interest_delta_for_loss(loss, deposits, interest)
    assert loss * interest <= delta * deposits < loss * interest + deposits


# --- spot -------------------------------------------------------------------------------------------


@st.composite
def pairs(draw: st.DrawFn) -> SpotTerms:
    """An asset that weighs less than the liability, multipliers about 1."""
    asset = draw(st.integers(1_000, 9_999))
    return SpotTerms(
        asset,
        draw(st.integers(1_000_000, 1_100_000)),
        draw(st.integers(asset + 1, 15_000)),
        draw(st.integers(900_000, 1_000_000)),
        draw(st.integers(1, 10**11)),
        draw(st.integers(2, 12)),
        draw(st.integers(0, 10_000)),
    )


@given(pairs(), st.integers(0, 10**14))
def test_repaying_covers_the_shortage_up_to_one_token_unit(pair: SpotTerms, shortage: int) -> None:
    try:
        amount = drift.liability_to_cover(shortage, pair)
    except InputError:
        assume(False)
    price, unit = F(pair.liability_price, 10**6), 10**pair.liability_decimals
    worth = F(pair.asset_weight * 10 * pair.asset_multiplier // pair.liability_multiplier, 10**5)
    fund = F(pair.liability_price * pair.fund_fee // 10**6, 10**6) * F(pair.liability_weight, 10**4)
    freed = price * (F(pair.liability_weight, 10**4) - worth) - fund
    assert F(amount, unit) * freed <= F(shortage, 10**6) < F(amount + 1, unit) * freed


@given(pairs(), st.integers(0, 10**15), st.integers(1, 10**9), st.integers(2, 12))
def test_an_asset_never_repays_less_than_it_is_worth_and_back(
    pair: SpotTerms, asset: int, price: int, decimals: int
) -> None:
    here = (pair.asset_multiplier, decimals, price)
    there = (pair.liability_multiplier, pair.liability_decimals, pair.liability_price)
    liability = drift.liability_for_asset(asset, *here, *there)
    worth = F(asset * price * there[0], 10**decimals) / (there[2] * here[0])
    assert 0 <= liability - worth * 10 ** there[1] < 2
    back = drift.asset_for_liability(liability, there[0], there[1], there[2], *here)
    assert back >= asset - 1
