"""Cross accounts: a mark is beyond the liquidation price exactly where health is below zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deleverage.errors import InputError
from deleverage.venues.margin import NEVER_TICKS, liquidation_price, tier_of, tiers_record
from deleverage.venues.portfolio import (
    Account,
    LiquidationRange,
    Marks,
    Position,
    bankruptcy_mark,
    equity,
    health,
    liquidation_range,
)
from deleverage.venues.rules import MarginTier, TierTable
from reference import margin as twin

USD = 1_000_000


@st.composite
def tables(draw: st.DrawFn, around_usd: int) -> TierTable:
    """Two to six tiers with caps on both sides of a notional, so that positions change tier as marks move."""
    count = draw(st.integers(2, 6))
    caps = sorted(
        draw(
            st.sets(st.integers(max(1, around_usd // 3), 3 * around_usd + 10), min_size=count, max_size=count)
        )
    )
    unit = draw(st.sampled_from((1_000, 10_000, 30)))
    rates = sorted(draw(st.sets(st.integers(1, unit // 2), min_size=count, max_size=count)))
    return TierTable(
        "drawn",
        tuple(MarginTier(cap, Fraction(n, unit), 1) for cap, n in zip(caps, rates, strict=True)),
        "drawn",
    )


@st.composite
def portfolios(draw: st.DrawFn, hedged: bool) -> tuple[Account, Marks, list[TierTable], int, int]:
    """(account, marks, tables, market, target): the wallet is such that health is about 0 at the target.

    Five to eight markets, long and short. The target is a mark of ``market`` with a tier edge of its position
    between the mark and the target.
    """
    count = draw(st.integers(5, 8))
    marks = [draw(st.integers(200, 10**6)) for _ in range(count)]
    units = [draw(st.sampled_from((10, 100, 10**4))) for _ in range(count)]
    positions: list[Position] = []
    books: list[TierTable] = []
    for k in range(count):
        size = draw(st.integers(10**3, 10**6)) * draw(st.sampled_from((1, -1)))
        value = abs(size) * marks[k] * units[k]
        books.append(draw(tables(value // USD)))
        positions.append(Position(k, size, size * units[k] * draw(st.integers(marks[k] // 2, 2 * marks[k]))))
        if hedged and draw(st.booleans()):
            other = -draw(st.integers(1, 2 * abs(size))) * (1 if size > 0 else -1)
            positions.append(Position(k, other, other * units[k] * marks[k]))
    market = draw(st.integers(0, count - 1))
    (leg, *_) = [p for p in positions if p.market == market]
    edges = [tier.cap_usd * USD // (abs(leg.size) * units[market]) for tier in books[market].tiers[:-1]]
    edge = draw(st.sampled_from(edges))
    target = edge + draw(st.integers(2, edge // 2 + 2)) * (1 if edge >= marks[market] else -1)
    state = Marks(marks, units, tiers_record(books))
    bare = Account(0, tuple(positions))
    there = health(bare, Marks(moved(marks, market, target), units, state.tiers))
    account = replace(bare, wallet=-there + draw(st.integers(-1_000, 1_000)))
    return account, state, books, market, target


def moved(marks: Sequence[int], market: int, to: int) -> list[int]:
    return [to if k == market else mark for k, mark in enumerate(marks)]


def at(account: Account, state: Marks, market: int, mark: int) -> int:
    return health(account, replace(state, mark=moved(state.mark, market, mark)))


def tried(data: st.DataObject, found: LiquidationRange, target: int) -> list[int]:
    """Marks at and around the prices and the target, and anywhere."""
    ends = [end for end in (found.below, found.above) if -1 <= end < NEVER_TICKS]
    near = [end + step for end in (*ends, target) for step in (-2, -1, 0, 1, 2) if end + step >= 0]
    return [*near, *data.draw(st.lists(st.integers(0, 4 * target + 10), min_size=2, max_size=4))]


@settings(max_examples=150)
@given(portfolios(hedged=False), st.data())
def test_mark_beyond_the_liquidation_price_is_health_below_zero_across_tier_changes(
    drawn: tuple[Account, Marks, list[TierTable], int, int], data: st.DataObject
) -> None:
    account, state, _, market, target = drawn
    found = liquidation_range(account, market, state)
    for mark in tried(data, found, target):
        assert (at(account, state, market, mark) < 0) == found.holds(mark)
    (position,) = [p for p in account.positions if p.market == market]
    value = abs(position.size) * state.tick_lot_uusd[market]
    price = found.below if position.size > 0 else found.above
    # The way from the mark to the price leads through a change of tier.
    tiers = {tier_of(value * mark, market, state.tiers) for mark in (state.mark[market], price)}
    assert len(tiers) == 2 and abs(price - target) <= 2_000


@settings(max_examples=150)
@given(portfolios(hedged=True), st.data())
def test_legs_of_a_hedge_have_a_price_on_each_side_and_health_below_zero_beyond_them(
    drawn: tuple[Account, Marks, list[TierTable], int, int], data: st.DataObject
) -> None:
    account, state, _, market, target = drawn
    found = liquidation_range(account, market, state)
    for mark in tried(data, found, target):
        assert (at(account, state, market, mark) < 0) == found.holds(mark)


@settings(max_examples=150)
@given(portfolios(hedged=True))
def test_prices_are_the_closed_form_per_tier_rounded_to_the_tick(
    drawn: tuple[Account, Marks, list[TierTable], int, int],
) -> None:
    account, state, books, market, _ = drawn
    found = liquidation_range(account, market, state)
    # In the twin, prices are money per lot, so that ticks are of size v.
    unit = [Fraction(v, USD) for v in state.tick_lot_uusd]
    legs = [twin.Leg(str(p.market), Fraction(p.size), Fraction(p.cost, USD)) for p in account.positions]
    marks = {str(k): mark * unit[k] for k, mark in enumerate(state.mark)}
    by_name = {str(k): table for k, table in enumerate(books)}
    wallet = Fraction(account.wallet, USD)
    lower, upper, ever = twin.liquidation_prices(wallet, legs, str(market), marks, by_name)
    # Every leg's margin is rounded up by less than one uusd, and its deduction to the nearest.
    slack = Fraction(2 * len(legs), USD)

    def exactly(mark: int) -> Fraction:
        return twin.health(wallet, legs, {**marks, str(market): mark * unit[market]}, by_name)

    for root in (lower, upper):
        if root is not None:
            assert twin.health(wallet, legs, {**marks, str(market): root}, by_name) == 0
    assert ever or (found.below == NEVER_TICKS and found.above == 0)
    if 0 <= found.below < NEVER_TICKS:
        assert lower is not None and exactly(found.below) < slack and exactly(found.below + 1) > -slack
    if 0 < found.above < NEVER_TICKS:
        assert upper is not None and exactly(found.above) < slack and exactly(found.above - 1) > -slack


@settings(max_examples=200)
@given(tables(10**4), st.integers(1, 10**5), st.booleans(), st.integers(2, 10**4), st.integers(0, 10**11))
def test_account_with_one_position_has_the_price_of_the_kernel(
    table: TierTable, lots: int, long: bool, entry: int, wallet: int
) -> None:
    tiers, unit = tiers_record([table]), 100
    size = lots if long else -lots
    account = Account(wallet, (Position(0, size, size * entry * unit),))
    found = liquidation_range(account, 0, Marks([entry], [unit], tiers))
    price = liquidation_price(wallet, size, size * entry * unit, unit, 0, tiers)
    assert (found.below if long else found.above) == price
    assert (found.above if long else found.below) == (NEVER_TICKS if long else -1)


def test_hedged_account_that_lost_its_wallet_is_liquidatable_on_both_sides() -> None:
    # 100 lots long and 90 short at 1,000, margin rates of 1 % and, above 2 USD, 30 %.
    table = TierTable("X", (MarginTier(2, Fraction(1, 100), 50), MarginTier(9, Fraction(3, 10), 3)), "test")
    state = Marks([1_000], [10], tiers_record([table]))
    account = Account(40_000, (Position(0, 100, 1_000_000), Position(0, -90, -900_000)))
    found = liquidation_range(account, 0, state)
    assert 0 <= found.below < 1_000 < found.above < NEVER_TICKS
    for price, inwards in ((found.below, 1), (found.above, -1)):
        assert at(account, state, 0, price) < 0 <= at(account, state, 0, price + inwards)


def test_market_without_a_position_decides_nothing() -> None:
    table = TierTable("X", (MarginTier(10, Fraction(1, 100), 50),), "test")
    state = Marks([1_000, 1_000], [10, 10], tiers_record([table, table]))
    healthy = Account(100_000, (Position(0, 1, 10_000),))
    assert liquidation_range(healthy, 1, state) == LiquidationRange(-1, NEVER_TICKS)
    broke = replace(healthy, wallet=-100_000)
    assert all(liquidation_range(broke, 1, state).holds(mark) for mark in (0, 1, 10**9))
    assert liquidation_range(broke, 0, state).holds(1_000)
    assert bankruptcy_mark(healthy, 1, state) == NEVER_TICKS


def test_short_that_is_never_healthy_is_liquidatable_at_every_mark() -> None:
    table = TierTable("X", (MarginTier(10, Fraction(1, 100), 50),), "test")
    state = Marks([1_000], [10], tiers_record([table]))
    found = liquidation_range(Account(-(10**9), (Position(0, -1, -10_000),)), 0, state)
    assert found.holds(0) and found.holds(10**12)


@settings(max_examples=150)
@given(portfolios(hedged=True))
def test_equity_is_zero_at_the_bankruptcy_mark_and_below_one_tick_further(
    drawn: tuple[Account, Marks, list[TierTable], int, int],
) -> None:
    account, state, _, market, _ = drawn
    net = sum(p.size for p in account.positions if p.market == market)
    mark = bankruptcy_mark(account, market, state)
    if net == 0:
        assert mark == NEVER_TICKS
        return

    def left(to: int) -> int:
        return equity(account, replace(state, mark=moved(state.mark, market, to)))

    further = mark - 1 if net > 0 else mark + 1
    assert further < 0 or left(further) < 0
    assert left(mark) >= 0 or (mark == 0 and net < 0)


def test_position_without_a_size_is_refused() -> None:
    with pytest.raises(InputError, match="position 2: expected a size other than 0"):
        Account(0, (Position(0, 1, 1), Position(0, 0, 0)))
