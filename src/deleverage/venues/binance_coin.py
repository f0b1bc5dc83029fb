"""Binance COIN-M rules: tiers with caps in coins, a mark of 2.5 minutes, and USD-M's waterfall."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from deleverage.venues import binance
from deleverage.venues.rules import (
    Contract,
    Fees,
    Funding,
    Grade,
    MarginTier,
    Mark,
    MarkRule,
    TierTable,
    VenueRules,
    Waterfall,
    rules_on,
)

_TIER_SOURCE = (
    "caps and leverage: Binance FAQ be2c7d9d95b04a7e8044ed02dd7dfe5c (2020-06-11), in BTC; rates 2.5, 5 and "
    "12.5 % and deductions 0.56, 1.81 and 11.81 BTC: its FAQ ceccfcfb4e3a45e3b48b0b1bb1a8ae46. Other rates "
    "are inferred: they are those of BTCUSDT at the same leverage and reproduce the three deductions. Above "
    "1,000 BTC the FAQ prints no edge between 2x and 1x, assumed: 1,500; last cap assumed: 5,000"
)
_MARK_SOURCE = "Binance COIN-M page on mark price: mean of the basis over 2.5 minutes, a sample every 5 s"

# cap in BTC, rate in ppm, largest leverage
_ROWS = (
    (10, 4_000, 125), (20, 5_000, 100), (30, 10_000, 50), (50, 25_000, 20), (100, 50_000, 10),
    (200, 100_000, 5), (400, 125_000, 4), (1_000, 150_000, 3), (1_500, 250_000, 2), (5_000, 500_000, 1),
)  # fmt: skip

VERSIONS = (
    VenueRules(
        venue="binance_coin",
        product="COIN-M",
        grade=Grade.ENGINE,
        contract=Contract.INVERSE,
        valid_from=date(2021, 3, 18),
        tiers={
            "BTCUSD_PERP": TierTable(
                "BTCUSD_PERP",
                tuple(MarginTier(cap, Fraction(ppm, 1_000_000), lev) for cap, ppm, lev in _ROWS),
                _TIER_SOURCE,
            )
        },
        mark=Mark(MarkRule.MEDIAN, window_s=150),
        funding=Funding(interval_h=8, interest=Fraction(1, 10_000), clamp=Fraction(5, 10_000)),
        fees=Fees(taker=Fraction(5, 10_000), liquidation=Fraction(15, 1000)),
        waterfall=Waterfall(),
        sources={
            "tiers": _TIER_SOURCE,
            "mark": _MARK_SOURCE,
            "funding": "assumed: as USD-M",
            "fees": "taker 0.05 %, clearance 1.5 %: widely stated, not read in a source",
            "waterfall": f"as USD-M: {binance.VERSIONS[0].sources['waterfall']}",
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
