"""Linear positions in fractions: health is exactly zero at the liquidation price, and the kernel agrees."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deleverage.errors import InputError
from deleverage.venues import entry_margin, linear
from deleverage.venues import margin as kernels
from deleverage.venues.calculator import lines
from deleverage.venues.linear import Leg
from deleverage.venues.rules import MarginTier, TierTable, deductions
from reference import margin as twin

F = Fraction
UNIT = F(1, 10**6)  # one uusd, in which the kernels count


def fractions(low: int, high: int, unit: int = 1000) -> st.SearchStrategy[Fraction]:
    return st.integers(low * unit, high * unit).map(lambda n: F(n, unit))


SIDES = st.sampled_from((1, -1))
RATES = st.integers(1, 400).map(lambda n: F(n, 1000))


@st.composite
def legs(draw: st.DrawFn) -> Leg:
    return Leg(
        draw(SIDES),
        draw(fractions(1, 50)),
        draw(fractions(1, 5_000)),
        draw(RATES),
        draw(fractions(0, 100)),
    )


@st.composite
def tables(draw: st.DrawFn) -> TierTable:
    count = draw(st.integers(1, 5))
    caps = sorted(draw(st.sets(st.integers(1, 100_000), min_size=count, max_size=count)))
    rates = sorted(draw(st.sets(RATES, min_size=count, max_size=count)))
    tiers = tuple(MarginTier(cap, rate, 1) for cap, rate in zip(caps, rates, strict=True))
    return TierTable("drawn", tiers, "drawn")


@given(st.lists(legs(), min_size=1, max_size=3), fractions(0, 100_000), st.integers(0, 20))
def test_health_is_exactly_zero_at_the_liquidation_price(
    held: list[Leg], wallet: Fraction, fee_bps: int
) -> None:
    fee = F(fee_bps, 10_000)
    assume(sum(leg.size * (leg.rate + fee - leg.side) for leg in held))
    price = linear.liquidation_price(wallet, held, fee)
    assert linear.health(wallet, held, price, fee) == 0


@given(legs(), fractions(0, 100_000))
def test_equity_is_exactly_zero_at_the_bankruptcy_price(leg: Leg, wallet: Fraction) -> None:
    price = linear.bankruptcy_price(wallet, [leg])
    assert wallet + leg.profit(price) == 0


def price_in_tiers(wallet: Fraction, leg: Leg, table: TierTable) -> Fraction | None:
    return lines.margin_meets(lines.Line(wallet, leg.side * leg.size, leg.entry), table)


@given(legs(), tables(), fractions(0, 100_000))
def test_price_beyond_the_liquidation_price_and_negative_health_are_one_condition(
    leg: Leg, table: TierTable, wallet: Fraction
) -> None:
    edge = price_in_tiers(wallet, leg, table)

    def health(price: Fraction) -> Fraction:
        return wallet + leg.profit(price) - twin.margin_by_slices(leg.size * price, table)

    if edge is not None:
        assert health(edge) == 0
        step = edge / 10**9
        assert health(edge - leg.side * step) < 0 < health(edge + leg.side * step)
    elif leg.side > 0:
        assert health(F(0)) >= 0  # no price ends it
    else:
        assert health(F(0)) <= 0  # every price does


@given(legs(), tables(), fractions(0, 100_000))
def test_the_readable_twin_finds_the_same_price(leg: Leg, table: TierTable, wallet: Fraction) -> None:
    size = leg.side * leg.size
    held = [twin.Leg("X", size, size * leg.entry)]
    lowest, highest, _ = twin.liquidation_prices(wallet, held, "X", {}, {"X": table})
    edge = lowest if leg.side > 0 else highest
    assert price_in_tiers(wallet, leg, table) == (edge or None)


@settings(max_examples=200)
@given(legs(), tables(), fractions(0, 100_000))
def test_the_kernel_of_the_engine_finds_the_same_price_to_a_tick(
    leg: Leg, table: TierTable, wallet: Fraction
) -> None:
    # One tick is 10⁻³ USD and one lot 10⁻³ coins: one uusd. Rates are whole per mille, so margins differ
    # from the fractions by rounding to one uusd only.
    size, cost = int(leg.side * leg.size * 1000), int(leg.side * leg.size * leg.entry / UNIT)
    at = kernels.liquidation_price(int(wallet / UNIT), size, cost, 1, 0, kernels.tiers_record([table]))
    exact = price_in_tiers(wallet, leg, table)
    if at == -1:
        assert exact is None
    elif exact is None:
        assert at in (-1, 0, kernels.NEVER_TICKS)
    else:
        # Rounding of one uusd moves the price by at most 1/(q·(1 − r)) ticks besides the tick itself.
        slack = 1 + F(1) / (abs(size) * (1 - table.tiers[-1].rate))
        assert abs(at - exact * 1000) <= slack + 1


@given(tables())
def test_deductions_from_any_tier_on_are_those_of_the_table(table: TierTable) -> None:
    rates = [tier.rate for tier in table.tiers]
    floors = [F(tier.cap_usd) for tier in table.tiers[:-1]]
    whole = deductions(floors, rates)
    assert tuple(whole) == table.deductions_usd
    if len(rates) > 1:
        assert deductions(floors[1:], rates[1:], whole[1]) == whole[1:]
    for number, (rate, amount) in enumerate(zip(rates, whole, strict=True)):
        edge = F(table.tiers[number].cap_usd)
        assert twin.margin_by_slices(edge, table) == edge * rate - amount


def test_floors_that_do_not_fit_the_rates_are_refused() -> None:
    with pytest.raises(InputError, match="expected one floor for every rate after the first, found 2 floors"):
        deductions([F(1), F(2)], [F(1, 10), F(2, 10)])


@pytest.mark.parametrize(
    ("side", "leverage", "rate", "entry", "printed"),
    [
        # 100 × (1 − 1/10) / (1 − 0.0125)
        (1, 10, F(125, 10_000), 100, F("91.1392")),
        (1, 20, F(5, 1000), 50_000, F("47738.69")),
        (-1, 20, F(5, 1000), 50_000, F("52238.81")),
    ],
)
def test_textbook_prices_come_out(
    side: int, leverage: int, rate: Fraction, entry: int, printed: Fraction
) -> None:
    price = linear.liquidation_price(F(entry, leverage), [Leg(side, F(1), F(entry), rate)])
    assert abs(price - printed) <= F("0.005")


def test_both_legs_of_a_hedged_market_share_one_price() -> None:
    held = [Leg(1, F(2), F(50_000), F("0.004")), Leg(-1, F(1), F(52_000), F("0.004"))]
    price = linear.liquidation_price(F(10_000), held)
    assert abs(price - F("38461.53846154")) < F(1, 10**8)
    margin = sum(leg.margin(price) for leg in held)
    assert abs(margin - F("461.538")) < F("0.001")  # equity = margin there


def test_a_perfect_hedge_without_margin_has_no_liquidation_price() -> None:
    with pytest.raises(InputError, match="expected positions whose margin or profit moves with the price"):
        linear.liquidation_price(F(1), [Leg(1, F(1), F(10)), Leg(-1, F(1), F(12))])


def test_other_markets_add_their_profit_and_take_their_margin() -> None:
    # ETH of the venue's worked example: −448,192.89 of profit, 356,512.51 of margin.
    other = Leg(1, F("3683.979"), F("1456.84"), F("0.1"), F(135_365))
    assert abs(linear.left_by_others([(other, F("1335.18"))]) - F("-804705.40")) < F("0.01")


@given(SIDES, fractions(1, 50), fractions(1, 5_000), st.integers(1, 100), RATES, fractions(0, 100))
def test_margins_at_entry_are_used_up_at_the_liquidation_price(
    side: int, size: Fraction, entry: Fraction, leverage: int, rate: Fraction, extra: Fraction
) -> None:
    price = entry_margin.liquidation_price(side, size, entry, F(leverage), rate, F(0), extra)
    left = entry_margin.initial_margin(size, entry, F(leverage)) + extra + side * size * (price - entry)
    assert left == size * entry * rate
    bust = entry_margin.bankruptcy_price(side, size, entry, F(leverage), extra)
    assert side * (price - bust) == entry * rate  # the bankruptcy price is one margin further


def test_extra_margin_moves_a_long_down_and_a_short_up_by_margin_over_size() -> None:
    assert entry_margin.moved_by_margin(F(9_500), 1, F(1), F(1_000)) == 8_500
    assert entry_margin.moved_by_margin(F(10_500), -1, F(2), F(1_000)) == 11_000


@pytest.mark.parametrize(
    ("mark", "price"),
    [(400, 400), (480, 489), (F(489 * 100, 95), 489), (F(489 * 100, 95) + 1, None), (466, 489), (465, 465)],
    ids=["far below", "near", "5 % above", "beyond 5 %", "5 % below", "beyond 5 % below"],
)
def test_deleveraging_is_at_the_bankruptcy_price_until_it_is_five_percent_from_mark(
    mark: Fraction | int, price: Fraction | int | None
) -> None:
    bust = entry_margin.cross_bankruptcy_price(1, F(100), F(500), F(1_000), F(100))
    assert bust == 489
    assert entry_margin.adl_price(bust, F(mark), F(5, 100)) == (mark if price is None else price)


def test_a_cross_short_is_bankrupt_above_its_entry() -> None:
    assert entry_margin.cross_bankruptcy_price(-1, F(100), F(500), F(1_000), F(100)) == 511
