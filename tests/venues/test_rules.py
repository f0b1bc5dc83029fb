"""Rule books: tiers must increase, dates choose the rules, published deductions come out."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from deleverage.errors import InputError, RulesError
from deleverage.venues.binance import rules_at
from deleverage.venues.rules import MarginTier, TierTable

ONE = MarginTier(100, Fraction(1, 100), 50)


@pytest.mark.parametrize(
    "second",
    [
        MarginTier(100, Fraction(2, 100), 25),
        MarginTier(50, Fraction(2, 100), 25),
        MarginTier(200, Fraction(1, 100), 25),
        MarginTier(200, Fraction(1, 200), 25),
    ],
    ids=["equal cap", "lower cap", "equal rate", "lower rate"],
)
def test_tiers_that_do_not_increase_are_refused_with_their_number(second: MarginTier) -> None:
    with pytest.raises(RulesError, match="X: margin tiers must increase in cap and rate; tier 2") as caught:
        TierTable("X", (ONE, second), "test")
    assert isinstance(caught.value, InputError)
    assert caught.value.context == {"symbol": "X", "tier": 2}


@pytest.mark.parametrize(
    "tier",
    [
        MarginTier(100, Fraction(0), 50),
        MarginTier(100, Fraction(1), 50),
        MarginTier(0, Fraction(1, 100), 50),
        MarginTier(100, Fraction(1, 100), 0),
    ],
    ids=["rate 0", "rate 1", "cap 0", "leverage 0"],
)
def test_tier_out_of_bounds_is_refused(tier: MarginTier) -> None:
    with pytest.raises(RulesError, match="X: tier 1 needs 0 < rate < 1"):
        TierTable("X", (tier,), "test")


def test_table_without_tiers_is_refused() -> None:
    with pytest.raises(RulesError, match="X: expected at least one margin tier, found none"):
        TierTable("X", (), "test")


def test_a_day_before_the_first_rule_set_is_refused_with_the_first_day() -> None:
    with pytest.raises(RulesError, match="binance: expected a date from 2021-03-18 on, found 2021-03-17"):
        rules_at(date(2021, 3, 17))


def test_unknown_symbol_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(RulesError, match=r"expected one of \['BTCUSDT', .*\], found symbol 'NOPE'"):
        rules_at(date(2025, 10, 10)).tier_table("NOPE")


@pytest.mark.parametrize(
    ("symbol", "published"),
    [
        # Maintenance amounts that the venue printed beside its tiers on 2025-10-09.
        ("BTCUSDT", [0, 300, 1_500, 12_000, 132_000, 482_000, 2_982_000, 14_482_000, 26_482_000, 41_482_000,
                     121_482_000, 421_482_000]),
        ("ETHUSDT", [0, 300, 1_500, 12_000, 132_000, 382_000, 2_007_000, 9_507_000, 17_507_000, 27_507_000,
                     80_507_000, 280_507_000]),
        ("SOLUSDT", [0, 75, 1_475, 11_475, 31_475, 231_475, 2_231_475, 4_231_475, 16_731_475, 66_731_475]),
    ],
)  # fmt: skip
def test_deductions_of_the_night_are_the_published_maintenance_amounts(
    symbol: str, published: list[int]
) -> None:
    assert list(rules_at(date(2025, 10, 10)).tier_table(symbol).deductions_usd) == published
