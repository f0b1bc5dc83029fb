"""Binance USD-M rules, dated: margin tiers, mark price window, funding formula."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

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
    "Binance leverage and margin brackets as fetched on 2025-10-09 03:15 UTC (exchange's own table)"
)
_MARK_SOURCE = "Binance notice of 2025-09-18: moving average of the basis over 30 s, one sample a second"

# cap in USDT, rate in ppm, largest leverage
_LARGE = ((300_000, 4_000, 150), (800_000, 5_000, 100), (3_000_000, 6_500, 75), (12_000_000, 10_000, 50))
_ROWS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "BTCUSDT": (
        *_LARGE,
        (70_000_000, 20_000, 25),
        (100_000_000, 25_000, 20),
        (230_000_000, 50_000, 10),
        (480_000_000, 100_000, 5),
        (600_000_000, 125_000, 4),
        (800_000_000, 150_000, 3),
        (1_200_000_000, 250_000, 2),
        (1_800_000_000, 500_000, 1),
    ),
    "ETHUSDT": (
        *_LARGE,
        (50_000_000, 20_000, 25),
        (65_000_000, 25_000, 20),
        (150_000_000, 50_000, 10),
        (320_000_000, 100_000, 5),
        (400_000_000, 125_000, 4),
        (530_000_000, 150_000, 3),
        (800_000_000, 250_000, 2),
        (1_200_000_000, 500_000, 1),
    ),
    "SOLUSDT": (
        (50_000, 5_000, 100),
        (400_000, 6_500, 75),
        (1_000_000, 10_000, 50),
        (4_000_000, 20_000, 25),
        (8_000_000, 25_000, 20),
        (40_000_000, 50_000, 10),
        (80_000_000, 100_000, 5),
        (100_000_000, 125_000, 4),
        (200_000_000, 250_000, 2),
        (400_000_000, 500_000, 1),
    ),
}

VERSIONS = (
    VenueRules(
        venue="binance",
        product="USD-M",
        grade=Grade.ENGINE,
        contract=Contract.LINEAR,
        valid_from=date(2025, 9, 18),
        tiers={
            symbol: TierTable(
                symbol,
                tuple(MarginTier(cap, Fraction(ppm, 1_000_000), lev) for cap, ppm, lev in rows),
                _TIER_SOURCE,
            )
            for symbol, rows in _ROWS.items()
        },
        mark=Mark(MarkRule.MEDIAN, window_s=30),
        funding=Funding(interval_h=8, interest=Fraction(1, 10_000), clamp=Fraction(5, 10_000)),
        fees=Fees(taker=Fraction(5, 10_000), liquidation=Fraction(125, 10_000)),
        waterfall=Waterfall(),
        sources={"tiers": _TIER_SOURCE, "mark": _MARK_SOURCE, "funding": _MARK_SOURCE},
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
