"""dYdX v4: the chain's own figures, and what must hold for every account, to the quantum."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deleverage.errors import InputError, RulesError
from deleverage.venues import dydx
from deleverage.venues.dydx import Position, Subaccount
from deleverage.venues.examples.file import Example, Tolerance
from deleverage.venues.examples.run import run_example
from deleverage.venues.rules import AdlRank, Grade, OrderLimit
from tests.venues.printed import printed

F = Fraction
PRINTED = printed("dYdX v4")
WATERFALL = dydx.VERSIONS[0].waterfall


@pytest.mark.skipif(not PRINTED, reason="no worked examples beside the market data (DELEVERAGE_TEST_DATA)")
@pytest.mark.parametrize("example", PRINTED, ids=lambda example: str(example.id))
def test_printed_example(example: Example) -> None:
    result = run_example(example)
    assert result.passed, result.why


def test_rules_are_dated_and_run_in_the_market() -> None:
    rules = dydx.rules_at(date(2025, 10, 10))
    assert rules.grade is Grade.ENGINE
    assert rules.tier_table("BTC-USD").tiers[0].rate == F(12, 1000)
    assert rules.tier_table("BTC-USD").tiers[0].max_leverage == 50
    assert rules.tier_table("SOL-USD").tiers[0].rate == F(3, 100)
    assert (rules.waterfall.order_limit, rules.waterfall.adl_rank) == (
        OrderLimit.FILLABLE,
        AdlRank.RANDOM_START,
    )
    with pytest.raises(RulesError):
        dydx.rules_at(date(2023, 1, 1))


# --- drawn accounts ---------------------------------------------------------------------------------

quanta = st.integers(-(10**13), 10**13)


@st.composite
def positions(draw: st.DrawFn) -> Position:
    """Sizes of 10⁻¹⁰ coins, prices of 10⁻⁵ USD; notional from nothing to some millions."""
    size = F(draw(st.integers(1, 10**12)) * draw(st.sampled_from((-1, 1))), 10**10)
    price = F(draw(st.integers(1, 10**10)), 10**5)
    initial = F(draw(st.integers(1, 10**6)), 10**6)
    return Position(size, price, initial, F(draw(st.integers(1, 10**6)), 10**6))


@st.composite
def accounts(draw: st.DrawFn) -> Subaccount:
    """One to four markets, a balance about what leaves the account near its margin."""
    held = {f"M{k}": p for k, p in enumerate(draw(st.lists(positions(), min_size=1, max_size=4)))}
    value = sum(p.notional for p in held.values())
    owed = sum(p.maintenance_margin for p in held.values())
    share = F(draw(st.integers(-300, 300)), 100)
    return Subaccount(-value + int(owed * share) + draw(st.integers(-5, 5)), held)


@given(accounts(), st.fractions(0, 3), st.fractions(0, 10))
def test_fillable_price_stands_on_the_losing_side_of_the_oracle_and_within_the_spread(
    account: Subaccount, spread: Fraction, adjustment: Fraction
) -> None:
    position = account.position("M0")
    assume(account.maintenance_margin > 0)
    value = F(abs(position.notional))
    widest = spread * position.maintenance_margin
    if position.size > 0:
        assume(widest <= value)
    price = dydx.fillable_price(account, "M0", adjustment, spread)
    quote = price * abs(position.size) * 1_000_000
    if position.size > 0:
        assert value - widest <= quote <= value
    else:
        assert value <= quote <= value + widest
    if not account.is_liquidatable:
        assert quote == value  # nothing below the margin, no concession
    if account.net_collateral <= 0 and adjustment >= 1:
        assert abs(quote - value) == widest


@given(accounts(), st.integers(1, 10**9))
def test_less_collateral_never_asks_for_less_of_a_concession(account: Subaccount, lost: int) -> None:
    assume(account.maintenance_margin > 0)
    poorer = Subaccount(account.quote - lost, account.positions)
    before, after = (dydx.fillable_price(a, "M0", F(1), F(1, 10)) for a in (account, poorer))
    assert after <= before if account.position("M0").size > 0 else after >= before


@given(accounts(), st.integers(1, 1000))
def test_a_close_at_the_bankruptcy_price_keeps_the_ratio_of_collateral_to_margin_to_the_quantum(
    account: Subaccount, permille: int
) -> None:
    position = account.position("M0")
    owed = account.maintenance_margin
    assume(owed > 0)
    delta = -position.size * F(permille, 1000)
    quote = dydx.bankruptcy_quote(account, "M0", delta)
    rest = position.resized(position.size + delta)
    after = Subaccount(account.quote + quote, {**account.positions, "M0": rest})
    # C'·M ≥ C·M' (rounded for the account), and by less than one quantum of it.
    have, keep = after.net_collateral * owed, account.net_collateral * after.maintenance_margin
    assert keep <= have < keep + owed


@given(positions(), quanta)
def test_closing_the_only_position_at_its_bankruptcy_price_leaves_exactly_nothing(
    position: Position, quote: int
) -> None:
    account = Subaccount(quote, {"M": position})
    assume(account.maintenance_margin > 0)
    assert quote + dydx.bankruptcy_quote(account, "M", -position.size) == 0


@given(quanta, quanta, st.fractions(0, 1))
def test_fund_pays_what_is_missing_and_gets_at_most_the_fee(
    quote: int, bankruptcy: int, fee: Fraction
) -> None:
    gained = dydx.insurance_fund_delta(quote, bankruptcy, fee)
    kept = quote - gained  # what the account gets for its contracts
    if quote <= bankruptcy:
        assert gained == quote - bankruptcy <= 0 and kept == bankruptcy
    else:
        assert 0 <= gained <= abs(quote) * fee and kept >= bankruptcy
        assert kept == bankruptcy or gained + 1 > abs(quote) * fee  # all of it, or the whole fee


@given(positions(), st.integers(1, 10**8), st.integers(0, 10**11))
def test_an_order_keeps_to_the_limits_of_position_and_block(
    position: Position, step_units: int, before: int
) -> None:
    step = F(step_units, 10**10)
    order = dydx.largest_order(position, step, WATERFALL, before)
    size, value = abs(position.size), abs(position.notional)
    assert 0 < order <= size
    assert order == size or order % step == 0
    limit = min(max(10**9, value // 10), 10**11 - before)
    if order not in (size, step):
        assert dydx.notional(order, position.price) <= limit
        assert dydx.notional(order + step, position.price) >= limit - 1
    assert (order == size) or value > limit


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (F("0.01"), F("0.01")),  # 500 USDC: below the minimum, so all of it
        (F("0.05"), F("0.02")),  # 2,500: the minimum of 1,000
        (F(1), F("0.1")),  # 50,000: a tenth
        (F(-1), F("0.1")),
        (F(100), F(2)),  # 5,000,000: 100,000 a block
    ],
)
def test_orders_of_the_genesis_limits(size: Fraction, expected: Fraction) -> None:
    assert dydx.largest_order(Position(size, F(50_000), F(1, 50)), F("0.0001"), WATERFALL) == expected


@pytest.mark.parametrize(("before", "expected"), [(0, F(2)), (60_000, F("0.8")), (99_999, F("0.0001"))])
def test_what_was_closed_in_the_block_counts(before: int, expected: Fraction) -> None:
    position = Position(F(-100), F(50_000), F(1, 50))
    assert dydx.largest_order(position, F("0.0001"), WATERFALL, before * 10**6) == expected


def test_notional_is_truncated_towards_zero_on_both_sides() -> None:
    size, price = F(1, 10**4), F("1234567.89123")  # a figure of the chain's tests
    assert dydx.notional(size, price) == 123_456_789
    assert dydx.notional(-size, price) == -123_456_789


@given(st.integers(0, 10**6), st.integers(0, 10**13), st.integers(0, 10**13), st.integers(0, 2 * 10**13))
def test_initial_rate_rises_from_base_to_all_between_the_caps(
    base: int, lower: int, width: int, interest: int
) -> None:
    rate = dydx.initial_margin_ppm(base, lower, lower + width, interest)
    assert base <= rate <= 10**6
    assert dydx.initial_margin_ppm(base, lower, lower + width, interest + 1) >= rate
    if interest <= lower or lower + width == 0:
        assert rate == base
    elif interest >= lower + width:
        assert rate == 10**6


@given(st.integers(-(10**18), 10**18), st.integers(-12, 3), st.integers(0, 10**10), st.integers(-9, 3))
def test_amounts_are_truncated_towards_zero_on_both_sides(q: int, resolution: int, p: int, e: int) -> None:
    found = dydx.base_to_quote(q, resolution, p, e)
    assert found == -dydx.base_to_quote(-q, resolution, p, e)
    exact = F(q) * p * F(10) ** (resolution + e + 6)
    assert abs(found) <= abs(exact) < abs(found) + 1


@given(st.integers(0, 10**15), st.fractions(0, 1), st.fractions(0, 1))
def test_margin_is_rounded_up_and_a_position_owes_it_on_either_side(
    notional: int, initial: Fraction, fraction: Fraction
) -> None:
    owed = dydx.margin(notional, initial, fraction)
    assert owed == dydx.margin(-notional, initial, fraction)
    assert notional * initial * fraction <= owed < notional * initial * fraction + 2


@given(st.fractions(F(1, 100), 10**5), st.fractions(F(1, 1000), 100))
def test_a_limit_on_a_tick_is_never_worse_than_the_exact_one(price: Fraction, tick: Fraction) -> None:
    sell = dydx.on_tick(price, tick, closes_long=True)
    buy = dydx.on_tick(price, tick, closes_long=False)
    assert sell % tick == buy % tick == 0 and min(sell, buy) >= tick
    assert price <= sell < price + tick or sell == tick
    assert price - tick < buy <= price or buy == tick


def test_an_account_exactly_at_its_margin_is_safe() -> None:
    position = Position(F(1), F(50_000), F(1, 10))
    at = Subaccount(-45_000_000_000, {"BTC": position})
    assert at.net_collateral == at.maintenance_margin == 5_000_000_000
    assert not at.is_liquidatable
    assert Subaccount(at.quote - 1, at.positions).is_liquidatable
    assert not Subaccount(-1, {}).is_liquidatable  # no margin is owed, so there is nothing to liquidate


@pytest.mark.parametrize("delta", [F("0.2"), F("-0.3"), F(0)])
def test_a_change_that_does_not_close_is_refused(delta: Fraction) -> None:
    account = Subaccount(-5_000_000_000, {"BTC": Position(F("0.2"), F(50_000), F(1, 10))})
    with pytest.raises(InputError, match=r"closes at most the position of 0\.2 BTC"):
        dydx.bankruptcy_quote(account, "BTC", delta)


def test_what_an_account_does_not_hold_is_refused() -> None:
    account = Subaccount(0, {"BTC": Position(F(1), F(50_000), F(0)), "ETH": Position(F(0), F(1), F(1))})
    with pytest.raises(InputError, match="an account with some maintenance margin"):
        dydx.bankruptcy_quote(account, "BTC", F(-1))
    for market in ("ETH", "SOL"):
        with pytest.raises(InputError, match="a market with an open position"):
            dydx.fillable_price(account, market, F(1), F(1))
    with pytest.raises(InputError, match="a spread below the position's value"):
        dydx.fillable_price(Subaccount(-9_000_000, {"B": Position(F(1), F(9), F(1))}), "B", F(1), F(2))


# --- further figures of the chain's tests -----------------------------------------------------------


def answer(kind: str, inputs: dict[str, Any], expected: dict[str, Any]) -> str:
    """Why an example fails; empty when it passes exactly."""
    return run_example(Example("e", "dYdX v4", kind, inputs, expected, Tolerance(F(0), F(0)))).why


@pytest.mark.parametrize(
    ("kind", "inputs", "expected"),
    [
        (
            "funding",
            {"atomic_resolution": -4, "exponent": 2, "price": 1000, "rate_8h_ppm": -1001999, "dt_s": 14400},
            {"index_delta": -5_009_995_000_000},
        ),
        (
            "funding",
            {"index_now": 100, "index_pos": -100, "size_quantums": -30_000},
            {"settlement_ppm": 6_000_000},
        ),
        ("funding", {"index_now": 100, "index_pos": 100, "size_quantums": 9}, {"settlement_ppm": 0}),
        ("funding_clamp", {"clamp_ppm": 6_000_000, "im_ppm": 0, "maint_fraction_ppm": 10**6}, {"max_ppm": 0}),
        (
            "funding_clamp",
            {"clamp_ppm": 2**32 - 1, "im_ppm": 10**6, "maint_fraction_ppm": 0},
            {"max_ppm": 2**32 - 1},
        ),
        ("initial_margin", {"base_ppm": 500_000, "notional_quantums": 10**6}, {"im_quantums": 500_000}),
        (
            "initial_margin",
            {"base_ppm": 200_000, "notional_quantums": -500_000, "custom_imf_ppm": 250_000},
            {"im_quantums": 125_000},
        ),
        (
            "insurance_fund_delta",
            {
                "side": 1,
                "size": F("0.1"),
                "usdc": -5100,
                "fill_price": 50_490,
                "max_liquidation_fee": F(1, 200),
            },
            {"delta_usdc": -51},
        ),
        (
            "insurance_fund_delta",
            {
                "side": -1,
                "size": F("0.1"),
                "usdc": 4900,
                "fill_price": 49_490,
                "max_liquidation_fee": F(1, 200),
            },
            {"delta_usdc": -49},
        ),
        (
            "insurance_fund_delta",  # half of it: the bankruptcy price of the whole account counts
            {
                "usdc": -5100,
                "positions": {"BTC": [F("0.1"), 50_000]},
                "close": ["BTC", F("-0.05")],
                "mmr": F("0.1"),
                "fill_price": 51_051,
                "max_liquidation_fee": F("0.005"),
            },
            {"delta_usdc": F("2.55")},
        ),
        (
            "bankruptcy_price",  # margins of their own: ETH carries 3/4 of the 200 owed
            {
                "usdc": 110,
                "positions": {"BTC": [F("0.004"), 50_000], "ETH": [F("-0.1"), 3_000]},
                "close": ["ETH", F("0.1")],
                "mmr": {"BTC": F("0.25"), "ETH": F("0.5")},
            },
            {"bankruptcy_quote_quantums": -307_500_000, "bankruptcy_price": 3_075},
        ),
    ],
)
def test_further_figures(kind: str, inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    assert answer(kind, inputs, expected) == ""


def test_an_amount_finer_than_a_quantum_is_refused() -> None:
    inputs = {"side": 1, "size": 1, "usdc": F(1, 3), "fill_price": 1}
    assert "expected a whole number of 1/1000000 for 'usdc'" in answer(
        "insurance_fund_delta", inputs, {"delta_usdc": 0}
    )
