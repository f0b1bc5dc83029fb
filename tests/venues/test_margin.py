"""Margin of one position: health changes sign at the liquidation price, equity at the bankruptcy price."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deleverage.errors import InputError
from deleverage.venues.margin import (
    MARKETS_MAX,
    NEVER_TICKS,
    TIERS_MAX,
    Tiers,
    bankruptcy_price,
    health_single,
    liquidation_price,
    maintenance_margin,
    tier_of,
    tiers_record,
)
from deleverage.venues.rules import MarginTier, TierTable

USD = 1_000_000


@st.composite
def tables(draw: st.DrawFn, largest_usd: int = 10**9) -> TierTable:
    """Up to six tiers; a third of the rates are no decimal fractions."""
    count = draw(st.integers(1, 6))
    caps = sorted(draw(st.sets(st.integers(1, largest_usd), min_size=count, max_size=count)))
    unit = draw(st.sampled_from((1000, 10_000, 30)))
    numerators = sorted(draw(st.sets(st.integers(1, unit - 1), min_size=count, max_size=count)))
    return TierTable(
        "drawn",
        tuple(MarginTier(cap, Fraction(n, unit), 1) for cap, n in zip(caps, numerators, strict=True)),
        "drawn",
    )


@st.composite
def positions(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """(wallet, size, cost, tick_lot_uusd) of an account in one market."""
    size = draw(st.integers(1, 10**6)) * draw(st.sampled_from((1, -1)))
    unit = draw(st.sampled_from((1, 100, 10**4)))
    entry = draw(st.integers(1, 10**5))
    value = abs(size) * entry * unit
    return draw(st.integers(-value // 4, value)), size, size * entry * unit, unit


def exact_margin(notional: int, table: TierTable) -> Fraction:
    """Each tier's rate on its own slice of the notional [uusd]."""
    owed, floor = Fraction(0), 0
    for number, tier in enumerate(table.tiers):
        last = number == len(table.tiers) - 1
        top = notional if last else min(notional, tier.cap_usd * USD)
        owed += max(0, top - floor) * tier.rate
        floor = tier.cap_usd * USD
    return owed


@settings(max_examples=500)
@given(tables(), st.integers(0, 3 * 10**15))
def test_maintenance_margin_is_the_sum_over_the_slices_rounded_up(table: TierTable, notional: int) -> None:
    owed = maintenance_margin(notional, 0, tiers_record([table]))
    exact = exact_margin(notional, table)
    decimal = all((tier.rate * USD).denominator == 1 for tier in table.tiers)
    if decimal:
        assert owed == ceil(exact)
    else:
        assert exact - 1 <= owed <= exact + 2  # the deduction is rounded to a uusd as well


@settings(max_examples=300)
@given(tables(), st.data())
def test_tier_is_the_first_whose_cap_is_not_exceeded(table: TierTable, data: st.DataObject) -> None:
    tiers = tiers_record([table])
    number = data.draw(st.integers(0, len(table.tiers) - 1))
    cap = table.tiers[number].cap_usd * USD
    last = len(table.tiers) - 1
    assert tier_of(cap, 0, tiers) == number
    assert tier_of(cap + 1, 0, tiers) == min(number + 1, last)
    assert tier_of(0, 0, tiers) == 0


def short_of_money(position: tuple[int, int, int, int], mark: int, tiers: Tiers) -> bool:
    wallet, size, cost, unit = position
    return health_single(wallet, size, cost, mark, unit, 0, tiers) < 0


@settings(max_examples=1_000)
@given(tables(), positions(), st.data())
def test_mark_beyond_the_liquidation_price_is_the_same_as_health_below_zero(
    table: TierTable, position: tuple[int, int, int, int], data: st.DataObject
) -> None:
    tiers = tiers_record([table])
    wallet, size, cost, unit = position
    price = liquidation_price(wallet, size, cost, unit, 0, tiers)
    near = st.integers(max(0, price - 2), price + 2) if -1 <= price < 10**12 else st.nothing()
    for mark in data.draw(st.lists(near | st.integers(0, 10**7), min_size=1, max_size=6)):
        beyond = mark <= price if size > 0 else mark >= price
        assert short_of_money(position, mark, tiers) == beyond


@settings(max_examples=300)
@given(
    tables(largest_usd=500), st.integers(1, 400), st.integers(1, 400), st.integers(0, 10**8), st.booleans()
)
def test_liquidation_price_is_what_a_scan_over_all_marks_finds(
    table: TierTable, lots: int, entry: int, wallet: int, long: bool
) -> None:
    tiers = tiers_record([table])
    size, unit = (lots if long else -lots), 1000
    position = (wallet, size, size * entry * unit, unit)
    price = liquidation_price(*position, 0, tiers)
    marks = [mark for mark in range(2_000) if short_of_money(position, mark, tiers)]
    if price >= 2_000:
        assert len(marks) == (2_000 if long else 0)
    elif long:
        assert price == (max(marks) if marks else -1)
    else:
        assert price == min(marks)


def test_account_that_no_mark_can_liquidate_has_no_liquidation_price() -> None:
    tiers = tiers_record([TierTable("X", (MarginTier(1, Fraction(1, 100), 1),), "test")])
    assert liquidation_price(0, 0, 0, 1, 0, tiers) == NEVER_TICKS
    assert liquidation_price(1_000, 10, 1_000, 1, 0, tiers) == -1  # long, paid in full
    assert liquidation_price(-1, -10, -5, 1, 0, tiers) == 1  # short: value 10 and margin 1 against 4
    assert liquidation_price(-10, -10, -5, 1, 0, tiers) == 0  # short without money at any price


@settings(max_examples=1_000)
@given(positions())
def test_bankruptcy_price_leaves_equity_and_one_tick_worse_does_not(
    position: tuple[int, int, int, int],
) -> None:
    wallet, size, cost, unit = position
    price = bankruptcy_price(wallet, size, cost, unit)

    def left(at: int) -> int:
        return wallet + size * at * unit - cost

    if size > 0:
        assert left(price) >= 0
        assert price == 0 or left(price - 1) < 0
    else:
        assert left(price + 1) < 0
        assert left(price) >= 0 or (price == 0 and wallet < cost)  # no price is low enough


def test_record_refuses_more_markets_or_tiers_than_it_holds() -> None:
    one = TierTable("X", (MarginTier(1, Fraction(1, 100), 1),), "test")
    many = TierTable(
        "Y", tuple(MarginTier(i + 1, Fraction(i + 1, 100), 1) for i in range(TIERS_MAX + 1)), "test"
    )
    tiers_record([one] * MARKETS_MAX)
    with pytest.raises(InputError, match=f"at most {MARKETS_MAX} markets"):
        tiers_record([one] * (MARKETS_MAX + 1))
    with pytest.raises(InputError, match=f"at most {TIERS_MAX} tiers, found 1 and {TIERS_MAX + 1}"):
        tiers_record([many])


def test_record_keeps_the_tables_as_they_are() -> None:
    table = TierTable("X", (MarginTier(10, Fraction(1, 30), 20), MarginTier(20, Fraction(1, 10), 5)), "test")
    tiers = tiers_record([table])
    assert tiers.last[0] == 1
    assert tiers.cap_uusd[0, :2].tolist() == [10 * USD, 20 * USD]
    assert (tiers.rate_num[0, 0], tiers.rate_den[0, 0]) == (1, 30)
    assert tiers.deduction_uusd[0, :2].tolist() == [0, 666_667]  # 10 USD × (1/10 − 1/30)
    assert not np.any(tiers.cap_uusd[1:])
