"""Inverse positions: exact in fractions, and in whole units of the coin where the engine counts."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deleverage.errors import InputError
from deleverage.venues import bybit_inverse, inverse
from deleverage.venues import inverse_margin as kernels
from deleverage.venues.calculator import lines
from deleverage.venues.inverse import IsolatedText
from deleverage.venues.linear import Leg
from deleverage.venues.margin import NEVER_TICKS, lot_money, maintenance_margin, tiers_record
from deleverage.venues.rules import MarginTier, TierTable
from reference import margin as twin

F = Fraction
UNITS = 10**12  # in one coin
UNIT = 10 * UNITS  # of one contract of $1 at a price of one tick of $0.1

SIDES = st.sampled_from((1, -1))
RATES = st.integers(1, 400).map(lambda n: F(n, 1000))


@st.composite
def legs(draw: st.DrawFn) -> Leg:
    """Q dollars entered at 1,000 to 100,000."""
    return Leg(
        draw(SIDES),
        F(draw(st.integers(1, 10**7))),
        F(draw(st.integers(10_000, 1_000_000)), 10),
        draw(RATES),
        F(draw(st.integers(0, 100)), 1000),
    )


@st.composite
def tables(draw: st.DrawFn) -> TierTable:
    """Caps in coins; rates in whole per mille, so that deductions are whole satoshi."""
    count = draw(st.integers(1, 4))
    caps = sorted(draw(st.sets(st.integers(1, 2_000), min_size=count, max_size=count)))
    rates = sorted(draw(st.sets(RATES, min_size=count, max_size=count)))
    return TierTable("drawn", tuple(MarginTier(c, r, 1) for c, r in zip(caps, rates, strict=True)), "drawn")


COINS = st.integers(0, 10**11).map(lambda n: F(n, 10**8))


@given(st.lists(legs(), min_size=1, max_size=2), COINS)
def test_health_is_exactly_zero_at_the_liquidation_price(held: list[Leg], wallet: Fraction) -> None:
    assume(sum(leg.size * (leg.rate + leg.side) for leg in held))
    price = inverse.liquidation_price(wallet, held)
    if price is not None:
        assert inverse.health(wallet, held, price) == 0


def price_in_tiers(wallet: Fraction, leg: Leg, table: TierTable) -> Fraction | None:
    """Price whose inverse is where the straight line of the coins meets the margin."""
    found = lines.margin_meets(lines.Line(wallet, -leg.side * leg.size, 1 / leg.entry), table)
    return None if found is None else 1 / found


@given(legs(), tables(), COINS)
def test_health_changes_sign_at_the_price_in_tiers(leg: Leg, table: TierTable, wallet: Fraction) -> None:
    def health(price: Fraction) -> Fraction:
        value = inverse.position_value(leg.side, leg.size, price)
        profit = value - inverse.position_value(leg.side, leg.size, leg.entry)
        return wallet + profit - twin.margin_by_slices(abs(value), table)

    edge = price_in_tiers(wallet, leg, table)
    if edge is None:
        assert leg.side < 0
        assert health(F(10**15)) >= 0
    else:
        assert health(edge) == 0
        assert health(edge * (1 - leg.side * F(1, 10**6))) < 0 < health(edge * (1 + leg.side * F(1, 10**6)))


def value_of(size: int, mark: int) -> int:
    """Signed value of a position in the engine [units of the coin]."""
    return size * lot_money(mark, 0, UNIT)


@settings(max_examples=200)
@given(legs(), tables(), COINS)
def test_in_whole_units_health_changes_sign_between_two_ticks(
    leg: Leg, table: TierTable, wallet: Fraction
) -> None:
    size, coins = int(leg.side * leg.size), int(wallet * UNITS)
    tiers = tiers_record([table], [UNITS])
    cost = value_of(size, int(leg.entry * 10))

    def health(mark: int) -> int:
        value = value_of(size, mark)
        return coins + value - cost - maintenance_margin(abs(value), 0, tiers)

    at = kernels.trigger_price(coins, size, cost, 0, UNIT, 0, tiers)
    if at == 0:
        assert size > 0
        assert health(1) >= 0
    elif at == NEVER_TICKS:
        # A short that no price ends, or a long that has less than the last unit of each lot.
        assert health(UNIT) >= 0 if size < 0 else health(UNIT) < 0
    elif size > 0:
        assert health(at) < 0 <= health(at + 1)
    else:
        assert health(at) < 0
        assert at == 1 or health(at - 1) >= 0
    edge = price_in_tiers(wallet, leg, table)
    if edge is not None and 10 < at < 10**8:
        # A unit a lot at entry and at the mark, out of what a lot is worth at that price, and one for margin.
        lot = UNITS / edge
        assert abs(at - edge * 10) <= 2 + edge * 10 * 4 / ((1 - table.tiers[-1].rate) * lot)


@given(legs(), COINS)
def test_in_whole_units_equity_is_not_negative_at_the_bankruptcy_price_and_is_one_tick_on(
    leg: Leg, wallet: Fraction
) -> None:
    size, coins = int(leg.side * leg.size), int(wallet * UNITS)
    cost = value_of(size, int(leg.entry * 10))

    def equity(mark: int) -> int:
        return coins + value_of(size, mark) - cost

    at = kernels.closing_price(coins, size, cost, 0, UNIT)
    if at == NEVER_TICKS:
        assert size < 0
        assert equity(UNIT) >= 0
    elif at > 0:
        assert equity(at) >= 0
        assert at == 1 or equity(at - leg.side) < 0


@given(legs())
def test_a_lot_is_worth_less_than_a_unit_more_than_its_coins(leg: Leg) -> None:
    size, mark = int(leg.side * leg.size), int(leg.entry * 10)
    exact = inverse.position_value(leg.side, leg.size, leg.entry) * UNITS
    assert 0 <= leg.side * (exact - value_of(size, mark)) < leg.size  # a unit is 10⁻¹² coin


@given(st.integers(-5, 10**8), st.integers(2, 10**9))
def test_the_price_of_an_amount_of_coins_is_the_last_tick_at_which_a_lot_is_worth_it(
    value: int, unit: int
) -> None:
    def worth(mark: int) -> int:
        return -lot_money(mark, 0, unit)

    high, low = kernels.highest_price(value, unit), kernels.lowest_price(value, unit)
    if value <= 1:  # it is worth at least one unit at every price
        assert high == NEVER_TICKS
        assert worth(10 * unit) == 1
    else:
        assert worth(high + 1) < value
        assert high == 0 or worth(high) >= value
    if value <= 0:
        assert low == NEVER_TICKS
    else:
        assert worth(low) <= value
        assert low == 1 or worth(low - 1) > value


@pytest.mark.parametrize(("side", "printed"), [(1, F("47857.14")), (-1, F("52368.42"))])
def test_textbook_prices_come_out(side: int, printed: Fraction) -> None:
    # 20x at 50,000 with 0.5 %: 50,000 × 1.005/1.05 and 50,000 × 0.995/0.95
    leg = Leg(side, F(50_000), F(50_000), F(5, 1000))
    price = inverse.liquidation_price(inverse.initial_margin(leg.size, leg.entry, F(20)), [leg])
    assert price is not None
    assert abs(price - printed) <= F("0.005")
    later = inverse.isolated_liquidation_price(
        side, leg.size, leg.entry, F(20), leg.rate, text=IsolatedText.OF_2026
    )
    assert later == price  # Bybit's text of 2026 is the exact condition


@given(legs(), st.integers(1, 100))
def test_the_texts_of_2024_and_2026_differ_by_the_product_of_two_small_shares(
    leg: Leg, leverage: int
) -> None:
    assume(leg.side > 0 or leverage > 1)
    assume(leg.rate < F(1, leverage))
    old, new = (
        inverse.isolated_liquidation_price(leg.side, leg.size, leg.entry, F(leverage), leg.rate, text=text)
        for text in IsolatedText
    )
    assert old is not None
    assert new is not None
    # E/(1 + s(1/L − r)) and E(1 + s·r)/(1 + s/L): their ratio is 1 − r(r − 1/L)… to second order
    ratio = old / new
    inner = F(1, leverage)
    assert ratio == (1 + leg.side * inner) / ((1 + leg.side * (inner - leg.rate)) * (1 + leg.side * leg.rate))
    assert abs(ratio - 1) <= 4 * leg.rate * inner / (1 - inner if leg.side < 0 else 1) ** 2


def test_the_text_of_the_isolated_formula_changes_on_its_day() -> None:
    assert bybit_inverse.isolated_text(date(2026, 5, 27)) == IsolatedText.OF_2026
    assert bybit_inverse.isolated_text(date(2026, 5, 26)) == IsolatedText.OF_2024
    assert bybit_inverse.isolated_text(date(2020, 1, 1)) == IsolatedText.OF_2024


def test_a_short_at_leverage_one_has_no_end() -> None:
    assert inverse.isolated_bankruptcy_price(-1, F(8_000), F(1)) is None
    assert inverse.cross_bankruptcy_price(-1, F(8_000), F(8_000), F(2), F(0)) is None
    assert inverse.liquidation_price(F(1), [Leg(-1, F(8_000), F(8_000), F(5, 1000))]) is None
    for text in IsolatedText:
        found = inverse.isolated_liquidation_price(-1, F(8_000), F(8_000), F(1), F(0), text=text)
        assert found is None


def test_isolated_margin_is_lost_at_the_bankruptcy_price() -> None:
    price = inverse.isolated_bankruptcy_price(1, F("7890.08"), F(50))
    assert price is not None
    lost = 5_000 / price - 5_000 / F("7890.08")
    assert lost == inverse.initial_margin(F(5_000), F("7890.08"), F(50))
    assert inverse.against_account(price, 1, F("0.5")) == F("7735.5")


@pytest.mark.parametrize(
    ("price", "side", "ticked"),
    [("7735.01", 1, "7735.5"), ("7735.01", -1, "7735"), ("7735.5", 1, "7735.5"), ("7735.5", -1, "7735.5")],
)
def test_ticks_are_rounded_so_that_the_price_is_reached_sooner(price: str, side: int, ticked: str) -> None:
    assert inverse.against_account(F(price), side, F("0.5")) == F(ticked)


def test_added_margin_moves_the_end_away_and_in_2026_by_less_since_a_fee_comes_off() -> None:
    def price(text: IsolatedText, extra: str, taker: str) -> Fraction:
        found = inverse.isolated_liquidation_price(
            1, F(60_000), F(50_000), F(10), F("0.005"), text=text, extra=F(extra), taker=F(taker)
        )
        assert found is not None
        return found

    assert price(IsolatedText.OF_2024, "0.1", "0") < price(IsolatedText.OF_2024, "0", "0")
    assert (
        price(IsolatedText.OF_2026, "0.1", "0")
        < price(IsolatedText.OF_2026, "0.1", "0.00055")
        < price(IsolatedText.OF_2026, "0", "0.00055")
    )


def test_average_entry_of_nothing_is_refused() -> None:
    assert inverse.average_entry([(F(50), F(10_000)), (F(50), F(15_000))]) == 12_000
    with pytest.raises(InputError, match="expected at least one fill with a size, found none"):
        inverse.average_entry([])


def test_bitmex_prints_are_rounded_to_the_nearest_satoshi() -> None:
    assert inverse.satoshi(inverse.position_value(1, F(1_000), F(98_500))) == -1_015_228
    assert inverse.satoshi(inverse.position_value(1, F(100), F(98_000))) == -102_041
    assert inverse.satoshi(inverse.position_value(-1, F(100), F(98_000))) == 102_041
    # The engine rounds the coins of one lot up, for both sides of a contract alike.
    assert value_of(1_000, 985_000) == -1_000 * 10_152_285  # 10¹³ ÷ 985,000 = 10,152,284.26
    assert value_of(-100, 980_000) == 100 * 10_204_082


def test_bitmex_support_formula_ends_a_long_above_and_a_short_below_its_bankruptcy() -> None:
    for side in (1, -1):
        bust, price = inverse.bitmex_prices(side, F(10_000), F(25), F("0.005"), F("0.00075"), F("0.0001"))
        assert side * (price - bust) > 0
        assert side * (F(10_000) - price) > 0
