"""Multiplying and dividing without wrapping: equal to exact fractions, at the edges too."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deleverage.errors import UnitError
from deleverage.units import MAX_UUSD, mul_div, mul_rate, mul_rate_up, tick_lot_uusd, to_int, uusd

LARGEST_RATE = 3_000_000_000
amounts = st.integers(-MAX_UUSD, MAX_UUSD)


@st.composite
def rates(draw: st.DrawFn, largest: int) -> tuple[int, int]:
    """A pair 0 ≤ part ≤ whole."""
    whole = draw(st.integers(1, largest) | st.sampled_from((1, 2, largest - 1, largest)))
    return draw(st.integers(0, whole) | st.sampled_from((0, whole))), whole


@settings(max_examples=1_000)
@given(amounts, rates(LARGEST_RATE))
@example(MAX_UUSD, (LARGEST_RATE, LARGEST_RATE))
@example(-MAX_UUSD, (LARGEST_RATE - 1, LARGEST_RATE))
@example(-1, (1, 3))
def test_rate_of_an_amount_is_the_exact_product_rounded_down_or_up(
    amount: int, rate: tuple[int, int]
) -> None:
    exact = Fraction(amount) * Fraction(*rate)
    assert mul_rate(amount, *rate) == floor(exact)
    assert mul_rate_up(amount, *rate) == ceil(exact)


@settings(max_examples=1_000)
@given(amounts, rates((1 << 62) - 1) | rates(LARGEST_RATE + 2))
@example(MAX_UUSD, ((1 << 62) - 1, (1 << 62) - 1))
@example(-MAX_UUSD, ((1 << 62) - 2, (1 << 62) - 1))
@example(-1, (1, LARGEST_RATE + 1))
@example(LARGEST_RATE + 1, (LARGEST_RATE, LARGEST_RATE + 1))
def test_share_of_an_amount_is_the_exact_product_rounded_down(amount: int, share: tuple[int, int]) -> None:
    assert mul_div(amount, *share) == amount * share[0] // share[1]


@given(st.fractions(-(10**9), 10**9))
def test_amount_in_usd_becomes_the_nearest_uusd(value: Fraction) -> None:
    assert abs(uusd(value) - value * 1_000_000) <= Fraction(1, 2)


def test_amount_of_62_bits_is_refused_by_name() -> None:
    assert to_int(Fraction((1 << 62) - 1), Fraction(1), "wallet") == (1 << 62) - 1
    with pytest.raises(UnitError, match=r"wallet: .* does not fit"):
        to_int(Fraction(1 << 62), Fraction(1), "wallet")


def test_tick_times_lot_is_a_whole_number_of_uusd() -> None:
    assert tick_lot_uusd(Fraction(1, 10), Fraction(1, 1000), "BTC") == 100  # 0.1 USD × 0.001 BTC


@pytest.mark.parametrize(("tick", "lot"), [("1/1000", "1/10000"), ("1/10", "0"), ("1/30", "1")])
def test_tick_times_lot_finer_than_a_uusd_is_refused(tick: str, lot: str) -> None:
    with pytest.raises(UnitError, match="market X: tick × lot must be a whole number") as caught:
        tick_lot_uusd(Fraction(tick), Fraction(lot), "X")
    assert caught.value.hint == "choose a larger lot"
