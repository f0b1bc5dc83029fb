"""Hyperliquid's rules, dated: tiers by largest leverage, slices, backstop vault, mark, hourly funding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction

from deleverage.units import MAX_UUSD, UUSD_PER_USD
from deleverage.venues.rules import (
    AdlPrice,
    AdlRank,
    AdlTrigger,
    Contract,
    Fees,
    Funding,
    Grade,
    MarginTier,
    Mark,
    MarkRule,
    OrderLimit,
    Slice,
    Takeover,
    TierTable,
    VenueRules,
    Waterfall,
    rules_on,
)

FIRST_TABLE_OF_TIERS = 50
"""Margin tables with a smaller id are one tier whose largest leverage is the id itself."""
_NO_END_USD = MAX_UUSD // UUSD_PER_USD
"""Cap of the last tier: the venue prints none, and a table must have one that the integers hold."""

_TIER_SOURCE = "Hyperliquid docs, 'Margin tiers', as of 2025; maintenance rate is 1/(2 × largest leverage)"
_OLD_TIER_SOURCE = (
    "largest leverage of live positions recorded in autumn 2024 (BTC, ETH 50x; SOL, DOGE 20x); assumed: one "
    "tier each, since no tier table of that time was read"
)
_LIQUIDATION_SOURCE = (
    "Hyperliquid docs, 'Liquidations' and 'Auto-deleveraging': 20 % of positions above 100,000 USDC first, "
    "whole within 30 s after, no limit price, no clearance fee; backstop below 2/3 of maintenance margin; "
    "ADL at the previous mark. Older text: previous oracle price. The printed ADL index is mark/entry for "
    "everybody; for shorts it is implemented inverted, as profit grows. Since spring 2025 the liquidator "
    "vault has a capped share of HLP; the cap is not published: vault_loss_share is assumed"
)
_MARK_SOURCE = (
    "Hyperliquid docs, 'Robust price indices': 150 s EMA of mid − oracle, samples weighted by age; median "
    "with the own book and a weighted median of five venues"
)
_FUNDING_SOURCE = (
    "Hyperliquid docs, 'Funding': an eighth of the 8-hour rate every hour, at most 4 %; premium from impact "
    "prices; paid on size × oracle price"
)
_FEE_SOURCE = (
    "taker 0.045 % of the first fee tier: third-party copies of the fee page, 2026-05; no clearance fee"
)

# Lower bound in USDC and largest leverage from there on.
_WIDE = ((0, 10), (20_000_000, 5))
_NARROW = ((0, 10), (3_000_000, 5))
_NOW: Mapping[str, tuple[tuple[int, int], ...]] = {
    "BTC": ((0, 40), (150_000_000, 20)),
    "ETH": ((0, 25), (100_000_000, 15)),
    "SOL": ((0, 20), (70_000_000, 10)),
    "XRP": ((0, 20), (40_000_000, 10)),
    **dict.fromkeys(
        (
            "DOGE", "kPEPE", "SUI", "WLD", "TRUMP", "LTC", "ENA", "POPCAT", "WIF", "AAVE", "kBONK", "LINK",
            "CRV", "AVAX", "ADA", "UNI", "NEAR", "TIA", "APT", "BCH", "HYPE", "FARTCOIN",
        ),
        _WIDE,
    ),
    **dict.fromkeys(
        ("OP", "ARB", "LDO", "TON", "MKR", "ONDO", "JUP", "INJ", "kSHIB", "SEI", "TRX", "BNB", "DOT"), _NARROW
    ),
}  # fmt: skip
_BEFORE: Mapping[str, tuple[tuple[int, int], ...]] = {
    "BTC": ((0, 50),),
    "ETH": ((0, 50),),
    "SOL": ((0, 20),),
    "DOGE": ((0, 20),),
}


def tier_table(symbol: str, rows: Sequence[tuple[int | Fraction, int]], source: str) -> TierTable:
    """Tiers from (lower bound in USDC, largest leverage) rows: the rate is 1/(2 × leverage).

    Raises
    ------
    RulesError
        rows that do not increase in bound and fall in leverage.
    """
    caps = [*(int(bound) for bound, _ in rows[1:]), _NO_END_USD]
    return TierTable(
        symbol,
        tuple(
            MarginTier(cap, Fraction(1, 2 * leverage), leverage)
            for cap, (_, leverage) in zip(caps, rows, strict=True)
        ),
        source,
    )


_TODAY = VenueRules(
    venue="hyperliquid",
    product="perpetuals",
    grade=Grade.ENGINE,
    contract=Contract.LINEAR,
    # The day after the 50x ETH position of 2025-03-12 that cost the vault 4 million.
    valid_from=date(2025, 3, 13),
    tiers={symbol: tier_table(symbol, rows, _TIER_SOURCE) for symbol, rows in _NOW.items()},
    mark=Mark(MarkRule.MEDIAN_WITH_EMA, window_s=150),
    funding=Funding(
        interval_h=1, interest=Fraction(1, 10_000), clamp=Fraction(5, 10_000), cap=Fraction(4, 100)
    ),
    fees=Fees(taker=Fraction(45, 100_000), liquidation=Fraction(0)),
    waterfall=Waterfall(
        order_limit=OrderLimit.NONE,
        slice=Slice.SHARE_THEN_WHOLE,
        takeover=Takeover.VAULT,
        adl_trigger=AdlTrigger.EQUITY_NEGATIVE,
        adl_rank=AdlRank.PRICE_RATIO_TIMES_LEVERAGE,
        adl_price=AdlPrice.PREVIOUS_MARK,
        slice_share=Fraction(1, 5),
        slice_above_usd=100_000,
        cooldown_s=30,
        backstop_share=Fraction(2, 3),
    ),
    sources={
        "tiers": _TIER_SOURCE,
        "mark": _MARK_SOURCE,
        "funding": _FUNDING_SOURCE,
        "fees": _FEE_SOURCE,
        "waterfall": _LIQUIDATION_SOURCE,
    },
)

VERSIONS = (
    _TODAY,
    replace(
        _TODAY,
        valid_from=date(2024, 10, 1),
        tiers={symbol: tier_table(symbol, rows, _OLD_TIER_SOURCE) for symbol, rows in _BEFORE.items()},
        sources={**_TODAY.sources, "tiers": _OLD_TIER_SOURCE},
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
