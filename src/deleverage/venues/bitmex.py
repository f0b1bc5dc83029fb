"""BitMEX's rules for XBTUSD, to the grade of a calculator: margins in satoshi, fee of closing included."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from deleverage.venues.rules import (
    AdlRank,
    Contract,
    Fees,
    Funding,
    Grade,
    Maintenance,
    MarginTier,
    Mark,
    MarkRule,
    Slice,
    TierTable,
    VenueRules,
    Waterfall,
    rules_on,
)

_TIER_SOURCE = (
    "BitMEX XBTUSD: base maintenance 0.5 %, initial 1 %, risk limit 200 XBT (caps are in coins), as "
    "positions in an open-source adapter's recordings show; later steps are not carried"
)

VERSIONS = (
    VenueRules(
        venue="bitmex",
        product="inverse perpetuals",
        grade=Grade.CALCULATOR,
        contract=Contract.INVERSE,
        valid_from=date(2024, 1, 1),
        tiers={"XBTUSD": TierTable("XBTUSD", (MarginTier(200, Fraction(5, 1000), 100),), _TIER_SOURCE)},
        mark=Mark(MarkRule.INDEX_WITH_BASIS, window_s=60),
        funding=Funding(interval_h=8, interest=Fraction(1, 10_000), clamp=Fraction(5, 10_000)),
        fees=Fees(taker=Fraction(75, 100_000), liquidation=Fraction(0)),
        waterfall=Waterfall(
            slice=Slice.LOWER_TIER,
            adl_rank=AdlRank.PROFIT_TIMES_LEVERAGE,
            keeps_margin=False,
            rest_to_fund=True,
        ),
        maintenance=Maintenance(isolated_at_entry=True, with_taker_fee=True),
        sources={
            "tiers": _TIER_SOURCE,
            "mark": "assumed: index with a basis; BitMEX's fair price takes the basis from funding",
            "funding": "assumed: as Binance's, which took it over from BitMEX; not read",
            "fees": "taker 0.075 %: recordings of positions (commission 0.00075)",
            "waterfall": "BitMEX support, 'Liquidation' and 'What is Auto-Deleveraging': cancel orders on "
            "the contract, step down the risk limit, fill-or-kill reduction, engine at the bankruptcy "
            "price, fund, ADL by profit times leverage on signed values",
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
