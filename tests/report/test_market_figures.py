"""Figures of the market-state measures: a sentence from the data, both sizes, words for what is not there."""

from __future__ import annotations

import re
from typing import Any

import pytest

from deleverage.measure import leverage, liquidation_counts
from deleverage.measure.asof import Frames
from deleverage.measure.liquidity import measure as liquidity
from deleverage.measure.reconcile import measure as reconcile
from deleverage.report.figures.measures import leverage as draw_leverage
from deleverage.report.figures.measures import liquidation_counts as draw_counts
from deleverage.report.figures.measures import liquidity as draw_liquidity
from deleverage.report.figures.measures import reconcile as draw_reconcile
from tests.measure.market_rows import DAY, HOUR, at, contracts, depth, table, tier

NOW = at("2025-11-14")


def _lists() -> Any:
    rows: list[dict[str, Any]] = []
    for day in range(20):
        rows += contracts(NOW - (20 - day) * DAY, "BTC", 100.0, [1e9 * (30 - day)] * 5, 1e8 * (day % 7), 1e8)
    return table("snapshots", rows)


def _sound(drawing: Any, *words: str) -> None:
    for svg in (drawing.wide, drawing.narrow):
        assert svg.startswith("<svg") and not re.search(r"\bnan\b", svg, re.I)
    for word in words:
        assert word in f"{drawing.title} {drawing.wide} {drawing.source}".replace("\u202f", " ")


def test_leverage_says_how_far_open_interest_is_below_its_peak() -> None:
    tiers = table("tiers", [tier("BTCUSDT", at("2025-10-09"), 1, 0.0, None, 4_000, 150.0, 0.0)])
    found = leverage.MEASURE.at(Frames({"snapshots": _lists(), "tiers": tiers}), NOW, {"coin": "BTC"})
    drawing = draw_leverage.draw(found)
    # 150 bn twenty days before, 55 bn now
    _sound(drawing, "Open interest in BTC is $55.0 bn, 63 % below that of 25 Oct 2025", "150×", "made")


def test_leverage_without_open_interest_draws_the_tiers_and_says_so() -> None:
    tiers = table("tiers", [tier("BTCUSDT", at("2025-10-09"), 1, 0.0, 1e6, 4_000, 150.0, 0.0)])
    found = leverage.MEASURE.at(Frames({"tiers": tiers}), NOW, {"coin": "BTC"})
    _sound(draw_leverage.draw(found), "not observed", "not allowed")


def test_liquidity_says_the_change_against_the_base_window() -> None:
    rows = [depth(at("2025-09-01") + k * 4 * HOUR, 200e6) for k in range(180)]
    rows += [depth(NOW - (60 - k) * 4 * HOUR, 100e6) for k in range(60)]
    drawing = draw_liquidity.draw(liquidity.MEASURE.at(Frames({"depth": table("depth", rows)}), NOW))
    _sound(drawing, "$100 m in the median, 50 %", "less than from 1 Sep 2025 to 30 Sep 2025", "made")


def test_counts_say_on_how_many_days_the_threshold_was_passed() -> None:
    found = liquidation_counts.MEASURE.at(Frames({"snapshots": _lists()}), NOW, {"from": NOW - 21 * DAY})
    # 100 m more than 100 m × (day mod 7): above 500 m where day mod 7 is 5 or 6
    _sound(draw_counts.draw(found), "More than $500 m in BTC were liquidated on 5 of 20 days observed")


def test_the_night_names_both_vendors_and_their_ratio() -> None:
    drawing = draw_reconcile.draw(reconcile.MEASURE.at(Frames({}), NOW))
    _sound(drawing, "CoinGlass counted $19.1 bn, Amberdata $9.89 bn: 1.9 times", "hyperliquid adl")


@pytest.mark.parametrize("narrow", [False, True])
def test_no_word_stands_outside_of_the_drawing(narrow: bool) -> None:
    drawing = draw_reconcile.draw(reconcile.MEASURE.at(Frames({}), NOW))
    assert f'viewBox="0 0 {352 if narrow else 760} ' in (drawing.narrow if narrow else drawing.wide)
