"""OKX's rules for linear swaps: partial liquidation by tiers, the fund's reference balance, ADL at mark."""

from __future__ import annotations

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
_SYMBOLS = {"BTCUSDT": "BTC-USDT-SWAP", "ETHUSDT": "ETH-USDT-SWAP", "SOLUSDT": "SOL-USDT-SWAP"}

_MARK_SOURCE = (
    "OKX: mark = spot index + moving average of the basis (mid of the best quotes − index); its window is "
    "in no page found, assumed: 60 s"
)
_FUNDING_SOURCE = "assumed: Binance's formula and figures (interest 0.01 % per 8 h, clamp ±0.05 %); not read"
_FEE_SOURCE = (
    "taker 0.05 % of the first fee tier: widely stated, not read in a source; it counts as maintenance "
    "margin, as open-source bots code the rule"
)
_WATERFALL_SOURCE = (
    "OKX help 360020411711, legacy swaps: from tier 3 on orders are cancelled and the position closed down "
    "by tiers, about a minute a round; tiers 1 and 2 whole at the bankruptcy price. The order limit of a "
    "partial closing ('slightly better than the market') is taken as the bankruptcy price, which bounds it. "
    "OKX help on auto-deleveraging, 2025: ADL when the fund is below its 8-hour reference less the larger "
    "of 30 % and 50,000 USD, or empty (another page: 30 % below the 8-hour peak), matched at mark outside "
    "the book"
)

VERSIONS = (
    VenueRules(
        venue="okx",
        product="USDT swaps",
        grade=Grade.ENGINE,
        contract=Contract.LINEAR,
        valid_from=date(2025, 1, 1),
        tiers=borrowed.tiers("OKX", _SYMBOLS, _LARGEST),
        mark=Mark(MarkRule.INDEX_WITH_BASIS, window_s=60),
        funding=Funding(interval_h=8, interest=Fraction(1, 10_000), clamp=Fraction(5, 10_000)),
        fees=Fees(taker=Fraction(5, 10_000), liquidation=Fraction(0)),
        waterfall=Waterfall(
            slice=Slice.LOWER_TIER,
            adl_trigger=AdlTrigger.FUND_BELOW_REFERENCE,
            adl_rank=AdlRank.PROFIT_RATIO_OVER_MARGIN_RATIO,
            adl_price=AdlPrice.MARK,
            fund_window_s=8 * 3600,
            fund_drop_share=Fraction(30, 100),
            fund_drop_usd=50_000,
            keeps_margin=False,
            rest_to_fund=True,
        ),
        maintenance=Maintenance(with_taker_fee=True),
        sources={
            "tiers": borrowed.source("OKX", _LARGEST),
            "mark": _MARK_SOURCE,
            "funding": _FUNDING_SOURCE,
            "fees": _FEE_SOURCE,
            "waterfall": _WATERFALL_SOURCE,
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
