"""Gate's rules for linear contracts, to the grade of a calculator: the taker's fee counts as margin."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from deleverage.venues import borrowed
from deleverage.venues.rules import (
    Contract,
    Fees,
    Funding,
    Grade,
    Maintenance,
    Mark,
    MarkRule,
    VenueRules,
    Waterfall,
    rules_on,
)

_LARGEST = 100
_SYMBOLS = {"BTCUSDT": "BTC_USDT", "ETHUSDT": "ETH_USDT", "SOLUSDT": "SOL_USDT"}
_ASSUMED = "assumed: as Binance's, not read in a source"

VERSIONS = (
    VenueRules(
        venue="gate",
        product="USDT perpetuals",
        grade=Grade.CALCULATOR,
        contract=Contract.LINEAR,
        valid_from=date(2025, 1, 1),
        tiers=borrowed.tiers("Gate", _SYMBOLS, _LARGEST),
        mark=Mark(MarkRule.MEDIAN, window_s=60),
        funding=Funding(interval_h=8, interest=Fraction(1, 10_000), clamp=Fraction(5, 10_000)),
        fees=Fees(taker=Fraction(6, 10_000), liquidation=Fraction(0)),
        waterfall=Waterfall(),
        maintenance=Maintenance(with_taker_fee=True),
        sources={
            "tiers": borrowed.source("Gate", _LARGEST),
            "mark": _ASSUMED,
            "funding": _ASSUMED,
            "fees": "taker 0.06 %, counted as maintenance margin: as the rule is coded in open-source bots",
            "waterfall": _ASSUMED,
        },
    ),
)
"""Newest first; the first one that is not later than the date holds."""


def rules_at(day: date) -> VenueRules:
    """Rule set in force on a day (UTC).

    Raises
    ------
    RulesError
        no rule set is known for so early a day.
    """
    return rules_on(VERSIONS, day)
