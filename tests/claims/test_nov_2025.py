"""Do the article's claims name measures, readings and units that there are?"""

from __future__ import annotations

from datetime import date

import pytest

from deleverage.claims.form import ClaimsFile, Kind, end_ns
from deleverage.claims.read import find_text, read_claims
from deleverage.claims.units import _UNITS
from deleverage.experiment.measures import ALL
from deleverage.measure.measure import time_ns

IDS = (
    "days per_day erased btc_from_high vs_oct10_low oct10_liquidations first_20k_candle daily_liquidations "
    "leverage_range wipeout_100x outflow_nov outflow_oct fear_greed btc_yoy btc_vs_gold eth_ytd "
    "eth_since_oct6 thin_liquidity high_open_interest mechanical bottom"
).split()
NEEDED = {
    "drawdown", "change", "candle", "market_value", "decoupling", "leverage", "liquidity", "reconcile",
    "liquidation_counts", "outflows", "sentiment", "exhaustion", "attribution", "liquidation_distance",
}  # fmt: skip


@pytest.fixture(scope="module")
def article() -> ClaimsFile:
    lacking = NEEDED - set(ALL)
    if lacking:
        pytest.skip(f"not registered yet: {', '.join(sorted(lacking))}")
    return read_claims(*find_text("nov-2025"), ALL, today=date(2026, 11, 22))[0]


def test_every_figure_of_the_article_is_a_claim(article: ClaimsFile) -> None:
    assert sorted(claim.id for claim in article.claim) == sorted(IDS)


def test_they_are_judged_at_the_close_of_day_41(article: ClaimsFile) -> None:
    assert {article.at_of(claim) for claim in article.claim} == {time_ns("2025-11-17T00:00:00Z")}
    assert end_ns(date(2025, 11, 16)) == time_ns("2025-11-17")


def test_only_the_bottom_is_about_the_future_and_only_a_day_is_arithmetic(article: ClaimsFile) -> None:
    kinds = {claim.id: claim.kind for claim in article.claim if claim.kind is not Kind.MEASURED}
    assert kinds == {"bottom": Kind.FUTURE, "per_day": Kind.ARITHMETIC, "mechanical": Kind.MECHANISM}


def test_known_units_are_of_readings_that_there_are(article: ClaimsFile) -> None:
    for measure, reading in _UNITS:
        names = ALL[measure].readings
        assert reading in names or any(n.endswith("*") and reading.startswith(n[:-1]) for n in names), reading
