"""Every policy has a sentence, with its figures and no venue's name in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from fractions import Fraction
from itertools import product
from typing import Any

import pytest

from deleverage.report import rule_words as words
from deleverage.venues import catalogue
from deleverage.venues.rules import (
    AdlPrice,
    AdlRank,
    AdlTrigger,
    CollateralPrice,
    Funding,
    Mark,
    MarkRule,
    OrderLimit,
    Slice,
    Takeover,
    Trigger,
    Waterfall,
)

SENTENCES: dict[type[Enum], Mapping[Any, str]] = {
    Trigger: words.TRIGGERS,
    OrderLimit: words.LIMITS,
    Slice: words.SLICES,
    Takeover: words.TAKEOVERS,
    AdlTrigger: words.ADL_TRIGGERS,
    AdlRank: words.RANKS,
    AdlPrice: words.ADL_PRICES,
    MarkRule: words.MARKS,
    CollateralPrice: words.COLLATERAL,
}


@pytest.mark.parametrize("policy", SENTENCES, ids=lambda policy: policy.__name__)
def test_every_member_of_a_policy_has_its_own_sentence(policy: type[Enum]) -> None:
    sentences = SENTENCES[policy]
    assert set(sentences) == set(policy)
    assert len(set(sentences.values())) == len(sentences)


def test_sentences_hold_their_figures() -> None:
    rules = Waterfall(
        order_limit=OrderLimit.FILLABLE,
        slice=Slice.SHARE_A_STEP,
        takeover=Takeover.VAULT,
        adl_trigger=AdlTrigger.FUND_BELOW_REFERENCE,
        adl_price=AdlPrice.BANKRUPTCY_NEAR_MARK,
        slice_share=Fraction(1, 10),
        slice_minimum_usd=1_000,
        slice_maximum_usd=100_000,
        backstop_share=Fraction(2, 3),
        fund_drop_share=Fraction(3, 10),
        fund_drop_usd=50_000,
        price_bound=Fraction(1, 20),
        spread_to_maintenance=Fraction(3, 2),
    )
    said = {name: text.replace("\N{NARROW NO-BREAK SPACE}", " ") for _, name, text in words.policies(rules)}
    assert "spread 150 % of maintenance" in said["order limit"]
    assert "10 % of the position an order, at least $1.00 k, at most $100 k" in said["slice"]
    assert "66.6667 % of maintenance margin" in said["takeover"]
    assert "reference of 8 h by more than the larger of 30 % and $50.0 k" in said["ADL trigger"]
    assert "more than 5 % away" in said["ADL price"]


def test_no_sentence_keeps_a_gap_for_a_figure_or_names_a_venue() -> None:
    names = re.compile(rf"\b({'|'.join(catalogue.venues())})\b", re.IGNORECASE)
    for limit, slice_, takeover, trigger, price in product(OrderLimit, Slice, Takeover, AdlTrigger, AdlPrice):
        rules = Waterfall(
            order_limit=limit, slice=slice_, takeover=takeover, adl_trigger=trigger, adl_price=price
        )
        for _, _, text in words.policies(rules):
            assert "{" not in text and not names.search(text)
        assert words.remainder(rules)


def test_rest_of_the_margin_follows_the_rules() -> None:
    assert "stays with the account" in words.remainder(Waterfall(keeps_margin=True))
    assert "the venue" in words.remainder(Waterfall(keeps_margin=False))
    assert "to the fund" in words.remainder(Waterfall(rest_to_fund=True))
    assert "takeover" not in words.remainder(Waterfall(takeover=Takeover.NONE))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1, 80), "1.25 %"),
        (Fraction(1, 8000), "0.0125 %"),
        (Fraction(1, 5), "20 %"),
        (Fraction(1, 30), "3.3333 %"),
        (Fraction(0), "0 %"),
        (Fraction(1), "100 %"),
    ],
)
def test_shares_have_as_many_decimals_as_they_need(value: Fraction, text: str) -> None:
    assert words.percent(value).replace("\N{NARROW NO-BREAK SPACE}", " ") == text


def test_funding_and_mark_are_said_with_their_figures() -> None:
    hourly = Funding(1, Fraction(1, 10_000), Fraction(5, 10_000), cap=Fraction(4, 100))
    said = words.funding(hourly).replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert said.startswith("every 1 h:") and "÷ 8" in said and "at most ±4 %" in said
    eight = Funding(8, Fraction(1, 10_000), Fraction(5, 10_000))
    assert "÷" not in words.funding(eight) and "at most" not in words.funding(eight)
    assert "150" in words.mark(Mark(MarkRule.MEDIAN_WITH_EMA, 150))
