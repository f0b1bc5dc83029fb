"""Bybit's rules for linear contracts, dated: ladder of risk limits, takeover at bankruptcy, ADL trigger."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction

from deleverage.venues import borrowed
from deleverage.venues.rules import (
    AdlPrice,
    AdlRank,
    AdlTrigger,
    Contract,
    Fees,
    Funding,
    Grade,
    Maintenance,
    Mark,
    MarkRule,
    Slice,
    VenueRules,
    Waterfall,
    rules_on,
)

_LARGEST = 100
_SYMBOLS = {"BTCUSDT": "BTCUSDT", "ETHUSDT": "ETHUSDT", "SOLUSDT": "SOLUSDT"}

MARK_SOURCE = (
    "Bybit help, 'Mark Price Calculation (Perpetual Contract)', 2024-10-16: median of index with funding, "
    "index with the mean basis of 5 minutes in 1 s samples, last price"
)
FUNDING_SOURCE = "assumed: Binance's formula and figures (interest 0.01 % per 8 h, clamp ±0.05 %); not read"
FEE_SOURCE = (
    "taker 0.055 % of the first fee tier: third-party copies of the fee page, 2024-07; no clearance fee"
)
_LADDER_SOURCE = (
    "Bybit help, liquidation process: lowest tier taken over at the bankruptcy price; from a higher tier "
    "first a fill-or-kill order down to the tier that the margin satisfies; a better fill and the rest "
    "margin go to the fund"
)
_PRICE_SOURCE = (
    "ADL at the bankruptcy price, at mark where that is more than 5 % away (third-party copies of the ADL "
    "article); ranked by leveraged return"
)
OLD_TRIGGER_SOURCE = (
    f"{_LADDER_SOURCE}. ADL text of 2024-25: fund + margin + profit of the position ≤ 0. {_PRICE_SOURCE}"
)
TRIGGER_SOURCE = (
    f"{_LADDER_SOURCE}. ADL text of 2025-11-05: the fund's drawdown over 8 hours reaches 100 % of its "
    f"highest balance in them. {_PRICE_SOURCE}"
)

OLD_WATERFALL = Waterfall(
    slice=Slice.LOWER_TIER,
    adl_trigger=AdlTrigger.FUND_REFUSES,
    adl_rank=AdlRank.LEVERAGED_RETURN,
    adl_price=AdlPrice.BANKRUPTCY_NEAR_MARK,
    price_bound=Fraction(5, 100),
    keeps_margin=False,
    rest_to_fund=True,
)
"""Policies until 2025-11-05, of linear and inverse contracts."""
WATERFALL = replace(OLD_WATERFALL, adl_trigger=AdlTrigger.FUND_DRAWDOWN, fund_window_s=8 * 3600)
"""Policies from 2025-11-05 on."""
TRIGGER_DAY = date(2025, 11, 5)

_BEFORE = VenueRules(
    venue="bybit",
    product="USDT perpetuals",
    grade=Grade.ENGINE,
    contract=Contract.LINEAR,
    valid_from=date(2024, 10, 16),
    tiers=borrowed.tiers("Bybit", _SYMBOLS, _LARGEST),
    mark=Mark(MarkRule.MEDIAN, window_s=300),
    funding=Funding(interval_h=8, interest=Fraction(1, 10_000), clamp=Fraction(5, 10_000)),
    fees=Fees(taker=Fraction(55, 100_000), liquidation=Fraction(0)),
    waterfall=OLD_WATERFALL,
    maintenance=Maintenance(isolated_at_entry=True),
    sources={
        "tiers": borrowed.source("Bybit", _LARGEST),
        "mark": MARK_SOURCE,
        "funding": FUNDING_SOURCE,
        "fees": FEE_SOURCE,
        "waterfall": OLD_TRIGGER_SOURCE,
    },
)

VERSIONS = (
    replace(
        _BEFORE,
        valid_from=TRIGGER_DAY,
        waterfall=WATERFALL,
        sources={**_BEFORE.sources, "waterfall": TRIGGER_SOURCE},
    ),
    _BEFORE,
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
