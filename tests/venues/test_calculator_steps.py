"""Are the steps those of the seven policies, with the right prices and quantities for this position?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deleverage.venues.calculator.assess import Assessment, assess
from deleverage.venues.calculator.position import Position, Side
from deleverage.venues.calculator.steps import coins_text, dollars_text, price_text, share_text
from deleverage.venues.rules import (
    AdlPrice,
    AdlRank,
    AdlTrigger,
    OrderLimit,
    Slice,
    Takeover,
    Trigger,
    VenueRules,
)
from tests.venues import houses


def found(
    rules: VenueRules, size: str = "1", leverage: int = 40, side: Side = Side.LONG, priced: bool = True
) -> Assessment:
    entry = Fraction(100_000)
    return assess(
        rules, Position("BTC", side, entry, Fraction(size), entry, Fraction(leverage), priced=priced)
    )


def does(assessment: Assessment, policy: str) -> list[str]:
    return [step.does for step in assessment.steps if step.policy == policy]


def test_vault_closes_a_fifth_then_the_rest_then_takes_over_then_deleverages() -> None:
    answer = found(houses.VAULT, size="2")
    trigger, first, rest, filled, takeover, adl = answer.steps
    assert trigger.price == answer.liquidation_price == Fraction(97_500) / Fraction(79, 80)
    assert (first.size_coins, first.limit) == (Fraction(2, 5), None)
    assert (
        "sells 0.4 BTC at market, without a limit: 20 % first, since $197,468 is above $100,000" == first.does
    )
    assert rest.size_coins == Fraction(8, 5) and "within 30 s" in rest.does
    # the account is taken where equity is two thirds of maintenance: EP(1 − 1/L) ÷ (1 − 2/3·1/80)
    assert takeover.price == Fraction(97_500) / (1 - Fraction(1, 120))
    assert "2/3 of the maintenance margin" in takeover.does and "vault" in takeover.does
    assert adl.price == answer.bankruptcy_price == 97_500 and adl.limit is None
    assert "price gain × leverage" in adl.does and adl.does.endswith("at the mark before")
    assert "the vault has lost 25 % of its equity" in adl.does
    assert "the account keeps" in filled.does


def test_small_position_of_that_venue_is_closed_whole() -> None:
    answer = found(houses.VAULT, size="1")  # 98,734 at the trigger
    assert does(answer, "order") == [
        "sells all 1 BTC at market, without a limit: $98,734 is not above $100,000"
    ]


def test_lower_tier_first_and_all_in_the_lowest() -> None:
    two = found(houses.ENTRY, size="30", side=Side.SHORT)
    first, rest = (step for step in two.steps if step.policy == "order")
    assert two.liquidation_price is not None
    assert first.size_coins == 30 - Fraction(2_000_000) / two.liquidation_price
    assert first.does.startswith("buys back") and "end of tier 1 ($2,000,000)" in first.does
    assert rest.size_coins == Fraction(2_000_000) / two.liquidation_price
    assert first.limit == two.bankruptcy_price == 102_500
    assert len(does(found(houses.ENTRY), "order")) == 1


def test_lower_tier_of_an_inverse_contract_is_counted_in_coins() -> None:
    rules = replace(houses.COIN, waterfall=replace(houses.COIN.waterfall, slice=Slice.LOWER_TIER))
    (first, _) = (step for step in found(rules, size="10").steps if step.policy == "order")
    assert "end of tier 1 (5 coins of value)" in first.does
    answer = found(rules, size="10")
    assert answer.liquidation_price is not None
    assert first.size_coins == 10 - 5 * answer.liquidation_price / 100_000  # 5 coins then are fewer now


def test_share_a_block_with_least_and_largest() -> None:
    answer = found(houses.CHAIN, size="25")
    assert answer.liquidation_price is not None
    value = 25 * answer.liquidation_price
    first, rest = (step for step in answer.steps if step.policy == "order")
    assert first.size_coins == 100_000 / value * 25 and "in the first block" in first.does
    left, blocks = value, 0
    while left > 0:
        left -= min(max(left / 10, Fraction(1_000)), Fraction(100_000), left)
        blocks += 1
    assert f"at most {blocks} blocks" in rest.does
    assert answer.bankruptcy_price is not None
    fillable = answer.bankruptcy_price * (1 - Fraction(3, 2) * Fraction(12, 1000))
    assert first.limit == answer.liquidation_price and price_text(fillable, up=True) in first.does
    assert not does(answer, "takeover") and "from a random one of the shorts on" in does(answer, "adl")[0]


@given(st.integers(1, 3 * 10**6))
def test_blocks_are_those_of_a_loop(thousandths: int) -> None:
    answer = found(houses.CHAIN, size=f"{thousandths}/1000")
    orders = [step for step in answer.steps if step.policy == "order"]
    assert sum((step.size_coins or Fraction(0) for step in orders), Fraction(0)) == Fraction(
        thousandths, 1000
    )
    assert answer.liquidation_price is not None
    left, blocks = Fraction(thousandths, 1000) * answer.liquidation_price, 0
    while left >= Fraction(1_000_000):  # all of the largest, as long as a tenth is more
        left, blocks = left - 100_000, blocks + 1
    while left > 0:
        left, blocks = left - min(max(left / 10, Fraction(1_000)), left), blocks + 1
    assert len(orders) == 1 if blocks == 1 else f"at most {blocks} blocks" in orders[1].does


def test_adl_at_the_bankruptcy_price_near_the_mark_says_where_near_ends() -> None:
    for side, far in (
        (Side.LONG, Fraction(97_500) / Fraction("1.05")),
        (Side.SHORT, Fraction(102_500) / Fraction("0.95")),
    ):
        (said,) = does(found(houses.ENTRY, side=side), "adl")
        assert price_text(far, up=side is Side.LONG) in said and "(5 % away)" in said


def test_fund_below_its_reference() -> None:
    (said,) = does(found(houses.FEE), "adl")
    assert "more than 30 % (at least $50,000) below its reference of 8 h" in said
    assert said.endswith("at the mark of that moment")


def test_what_is_left_goes_where_the_rules_say() -> None:
    (kept,) = does(found(houses.COIN), "rest")
    (fund,) = does(found(houses.ENTRY), "rest")
    (fee,) = does(found(houses.PLAIN), "rest")
    answer = found(houses.COIN)
    assert answer.maintenance_at_liquidation is not None and answer.liquidation_price is not None
    left = answer.maintenance_at_liquidation * answer.liquidation_price
    assert kept.endswith(f"the account keeps {dollars_text(left)}")
    assert fund.endswith("goes to the insurance fund")
    assert "liquidation fee (up to 1.25 %) takes" in fee and fee.endswith("nothing comes back")


def test_fee_takes_no_more_than_its_share() -> None:
    cheap = replace(houses.PLAIN, fees=replace(houses.PLAIN.fees, liquidation=Fraction(1, 1000)))
    (said,) = does(found(cheap), "rest")
    answer = found(cheap)
    assert answer.liquidation_price is not None and answer.maintenance_at_liquidation is not None
    left = answer.maintenance_at_liquidation - answer.liquidation_price / 1000
    assert said.endswith(f"the account keeps {dollars_text(left)}")


def test_without_an_entry_price_sizes_are_shares() -> None:
    said = " ".join(step.does for step in found(houses.VAULT, size="2", priced=False).steps)
    assert "sells 20.00 % of it" in said and "BTC" not in said


@given(
    st.sampled_from(Trigger),
    st.sampled_from(OrderLimit),
    st.sampled_from(Slice),
    st.sampled_from(Takeover),
    st.sampled_from(AdlTrigger),
    st.sampled_from(AdlRank),
    st.sampled_from(AdlPrice),
    st.sampled_from(Side),
)
def test_every_configuration_has_steps_that_move_on_against_the_position(
    trigger: Trigger,
    limit: OrderLimit,
    part: Slice,
    takeover: Takeover,
    adl: AdlTrigger,
    rank: AdlRank,
    price: AdlPrice,
    side: Side,
) -> None:
    for like in (houses.VAULT, houses.COIN, houses.ENTRY):
        policies = replace(
            houses.VAULT.waterfall,
            trigger=trigger,
            order_limit=limit,
            slice=part,
            takeover=takeover,
            adl_trigger=adl,
            adl_rank=rank,
            adl_price=price,
            slice_minimum_usd=1_000,
            price_bound=Fraction(1, 20),
        )
        answer = found(replace(like, waterfall=policies), size="2.5", leverage=20, side=side)
        prices = [side.sign * step.price for step in answer.steps]
        assert prices == sorted(prices, reverse=True)
        assert answer.steps[0].policy == "trigger"
        assert answer.steps[-1].policy == "adl"
        closed = sum((s.size_coins or Fraction(0) for s in answer.steps if s.policy == "order"), Fraction(0))
        assert closed == Fraction("2.5")
        assert all(step.does and "None" not in step.does for step in answer.steps)


@pytest.mark.parametrize(
    ("price", "up", "text"),
    [
        ("116295.180722", True, "116,295.19"),
        ("116295.180722", False, "116,295.18"),
        ("116295.18", True, "116,295.18"),
        ("2.790418", False, "2.79041"),
        ("0.00001234567", False, "0.0000123456"),
    ],
)
def test_prices_are_rounded_against_the_position(price: str, up: bool, text: str) -> None:
    assert price_text(Fraction(price), up=up) == text


def test_sizes_amounts_and_shares_in_words() -> None:
    assert coins_text(Fraction("0.1")) == "0.1" and coins_text(Fraction(24156, 1000)) == "24.156"
    assert coins_text(Fraction(100)) == "100"
    assert dollars_text(Fraction("46.518")) == "$46.52" and dollars_text(Fraction(11_700)) == "$11,700"
    assert share_text(Fraction(2, 3)) == "2/3" and share_text(Fraction(125, 10_000)) == "1.25 %"
