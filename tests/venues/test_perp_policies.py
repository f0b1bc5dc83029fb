"""Ranks, funds, slices, collateral and Hyperliquid's mark: small rules, each with its own arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deleverage.errors import InputError
from deleverage.venues import binance, collateral, ema_mark, fund, hyperliquid, mark, okx, slices
from deleverage.venues.adl.ranks import lights, order
from deleverage.venues.rules import MarginTier, TierTable
from reference import ranks

F = Fraction
POSITIVE = st.integers(1, 10**6).map(lambda n: F(n, 100))


# --- ranks ------------------------------------------------------------------------------------------


@given(POSITIVE, POSITIVE, POSITIVE, POSITIVE)
def test_rank_of_a_long_and_of_the_short_that_gained_as_much_are_the_same(
    low: Fraction, rise: Fraction, notional: Fraction, equity: Fraction
) -> None:
    high = low + rise
    long = ranks.price_ratio_times_leverage(1, high, low, notional, equity)
    short = ranks.price_ratio_times_leverage(-1, low, high, notional, equity)
    assert long == short > notional / equity  # a winner ranks above its leverage alone


def test_printed_index_would_put_the_losing_short_first_and_ours_does_not() -> None:
    winner = ranks.price_ratio_times_leverage(-1, F(90), F(100), F(1_000), F(100))
    loser = ranks.price_ratio_times_leverage(-1, F(90), F(80), F(1_000), F(100))
    assert winner > loser
    assert F(90, 100) < F(90, 80)  # mark/entry, as printed, says the opposite


def test_ranks_of_profit_by_hand() -> None:
    assert ranks.profit_times_margin_ratio(F(50), F(100), F(2, 10)) == F(1, 10)
    assert ranks.leveraged_return(F(50), F(1_000), F(1, 100)) == 5
    assert ranks.profit_ratio_over_margin_ratio(F(1, 2), F(4)) == F(1, 8)
    assert ranks.profit_ratio_over_margin_ratio(F(-1, 2), F(4)) == -2
    assert ranks.profit_times_leverage(F(-95, 100), F(-1), F(-1)) == F(5, 100) * 19
    assert ranks.profit_times_leverage(F(-102, 100), F(-110, 100), F(-1)) == F(-2, 100) / F(51, 4)


@given(st.integers(1, 500))
def test_lights_fall_from_five_to_one_a_fifth_of_the_side_each(count: int) -> None:
    shown = [lights(rank, count) for rank in range(count)]
    assert shown == sorted(shown, reverse=True)
    assert shown[0] == 5
    assert set(shown) <= {1, 2, 3, 4, 5}
    assert max(shown.count(light) for light in shown) <= count // 5 + 1
    with pytest.raises(InputError, match=f"rank: expected 0 to {count - 1}, found {count}"):
        lights(count, count)


def test_equal_scores_are_ordered_by_name() -> None:
    assert order([("B", 1.0), ("A", 1.0), ("C", 2.0)]) == ["C", "A", "B"]


# --- funds ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("balance", "reference", "threshold", "due"),
    [
        (280_000, 400_000, 280_000, False),
        (279_999, 400_000, 280_000, True),
        (50_001, 100_000, 50_000, False),  # 30 % would be 70,000: the floor of 50,000 is larger
        (49_999, 100_000, 50_000, True),
        (1, 40_000, 0, False),
        (0, 40_000, 0, True),  # empty
    ],
)
def test_a_fund_below_its_reference_by_share_or_floor_deleverages(
    balance: int, reference: int, threshold: int, due: bool
) -> None:
    rules = okx.VERSIONS[0].waterfall
    share, floor = rules.fund_drop_share, F(rules.fund_drop_usd)
    assert fund.threshold_below_reference(F(reference), share, floor) == threshold
    assert fund.below_reference(F(balance), F(reference), share, floor) == due


def test_a_fund_that_lost_its_highest_balance_deleverages_and_one_that_lost_less_does_not() -> None:
    assert fund.drawn_down(F(1_000), F(0))
    assert fund.drawn_down(F(1_000), F(-1))
    assert not fund.drawn_down(F(1_000), F(1))
    assert fund.drawn_down(F(0), F(0))
    assert fund.drawdown(F(1_000), F(250)) == F(3, 4)


def test_older_trigger_adds_up_fund_margin_and_profit() -> None:
    assert fund.exhausted_by(F(100), F(50), F(-150))
    assert not fund.exhausted_by(F(100), F(50), F(-149))


@given(st.sampled_from((1, -1)), POSITIVE, POSITIVE, POSITIVE)
def test_a_fill_better_than_bankruptcy_pays_the_fund_what_the_account_no_longer_has(
    side: int, size: Fraction, bust: Fraction, better: Fraction
) -> None:
    assert fund.change(side, size, bust + side * better, bust) == size * better
    assert fund.change(side, size, bust - side * better, bust) == -size * better


# --- slices -----------------------------------------------------------------------------------------

TABLE = TierTable(
    "X", tuple(MarginTier(cap, F(rate, 100), 1) for cap, rate in ((100, 1), (200, 2), (400, 5))), "test"
)


@pytest.mark.parametrize(
    ("equity", "notional", "closed"),
    [
        (F(3), F(300), F(100)),  # margin of 200 is 3: one tier down is enough
        (F("2.99"), F(300), F(200)),  # only the lowest tier is satisfied
        (F("0.5"), F(300), F(300)),  # no tier is: all of it
        (F("0.5"), F(80), F(80)),  # lowest tier: all of it
        (F(3), F(200), F(100)),  # exactly on an edge: down to the tier below
    ],
)
def test_a_ladder_closes_down_to_the_tier_that_equity_satisfies(
    equity: Fraction, notional: Fraction, closed: Fraction
) -> None:
    assert slices.down_to_lower_tier(equity, notional, TABLE) == closed
    left = notional - closed
    assert left == 0 or TABLE.maintenance_margin(left) <= equity


@pytest.mark.parametrize(
    ("held", "tier", "closed"), [(15_000, None, 13_000), (15_000, 2, 15_000), (2_000, None, 2_000), (9, 1, 9)]
)
def test_legacy_swaps_close_down_to_the_first_tier_from_the_third_on(
    held: int, tier: int | None, closed: int
) -> None:
    assert slices.down_to_first_tier(held, 2_000, tier) == closed


@pytest.mark.parametrize(
    ("notional", "since", "order"),
    [
        (F(100_000), None, F(100_000)),
        (F(100_001), None, F(100_001, 5)),
        (F(500_000), F(30), F(500_000)),
        (F(500_000), F(31), F(100_000)),
    ],
)
def test_a_fifth_of_a_large_position_first_and_all_of_it_within_thirty_seconds(
    notional: Fraction, since: Fraction | None, order: Fraction
) -> None:
    assert slices.share_then_whole(notional, hyperliquid.VERSIONS[0].waterfall, since) == order


# --- collateral -------------------------------------------------------------------------------------


@given(st.integers(0, 10**15), st.integers(0, 900_000))
def test_what_is_sold_covers_the_deficit_with_not_a_unit_to_spare(deficit: int, ppm: int) -> None:
    sold = collateral.sold_for(deficit, ppm, 10**6)
    exact = F(deficit) / (1 - F(ppm, 10**6))
    assert 0 <= sold - exact < 1
    assert collateral.margin_value(sold, ppm, 10**6) >= deficit
    assert sold == 0 or collateral.margin_value(sold - 1, ppm, 10**6) < deficit + 1


def test_a_debt_counts_in_full() -> None:
    value = collateral.collateral_value([(F(2), F(100), F(5, 100)), (F(-1), F(50), F(5, 100))])
    assert value == 190 - 50


@pytest.mark.parametrize(
    ("balance", "lent", "due"),
    [(-9_999, "0", False), (-10_000, "0", True), (0, "0.995", True), (0, "0.99", False)],
)
def test_auto_exchange_is_due_at_the_limit_or_at_the_share_lent(balance: int, lent: str, due: bool) -> None:
    assert binance.AUTO_EXCHANGE.due(F(balance), F(lent)) == due


# --- mark of Hyperliquid ----------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(-1000, 1000).map(F), st.integers(1, 60).map(F)), min_size=1, max_size=20)
)
def test_a_mean_of_aged_samples_lies_between_them_and_follows_the_docs(
    samples: list[tuple[Fraction, Fraction]],
) -> None:
    found = ema_mark.ema(samples, F(150))
    assert min(value for value, _ in samples) <= found <= max(value for value, _ in samples)
    total = weight = 0.0
    for value, age in samples:
        total = total * math.exp(-float(age) / 150) + float(value) * float(age)
        weight = weight * math.exp(-float(age) / 150) + float(age)
    assert abs(float(found) - total / weight) < 1e-9


def test_a_later_sample_weighs_more_and_an_older_age_too() -> None:
    even = ema_mark.ema([(F(0), F(3)), (F(10), F(3))], F(150))
    assert even > 5
    assert ema_mark.ema([(F(0), F(3)), (F(10), F(6))], F(150)) > even
    with pytest.raises(InputError, match="expected at least one sample with an age above 0"):
        ema_mark.ema([], F(150))


def test_mark_is_the_median_and_two_prices_need_the_mean_of_the_book() -> None:
    assert ema_mark.mark_price(F(10_020), F(10_010), F(9_990)) == 10_010
    assert ema_mark.mark_price(F(10_020), F(10_010), None, F(10_015)) == 10_015
    assert ema_mark.mark_price(None, F(10_010), None) == 10_010
    with pytest.raises(InputError, match="two of three prices exist, expected the 30 s mean of the book"):
        ema_mark.mark_price(F(10_020), F(10_010), None)
    with pytest.raises(InputError, match="expected at least one price, found none"):
        ema_mark.mark_price(None, None, None)


@given(st.integers(-100, 100), st.integers(-100, 100), st.integers(-100, 100))
def test_kernel_median_is_the_middle_one(a: int, b: int, c: int) -> None:
    assert mark.middle(a, b, c) == sorted((a, b, c))[1] == ema_mark.median([F(a), F(b), F(c)])


def test_a_weighted_median_follows_the_weights_of_the_docs() -> None:
    weights = [F(weight) for _, weight in ema_mark.EXTERNAL_WEIGHTS]
    assert ema_mark.weighted_median([(F(n), w) for n, w in enumerate(weights)]) == 1  # 3 + 2 of 9
    assert ema_mark.weighted_median([(F(1), F(1)), (F(2), F(5)), (F(9), F(1))]) == 2
    with pytest.raises(InputError, match="expected at least one price with a weight above 0"):
        ema_mark.weighted_median([])
