"""Bybit's rules for inverse contracts, dated: formula of 2024 and of 2026, risk limits in coins."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction

from deleverage.venues import bybit
from deleverage.venues.inverse import IsolatedText
from deleverage.venues.rules import (
    Contract,
    Fees,
    Funding,
    Grade,
    Maintenance,
    MarginTier,
    Mark,
    MarkRule,
    TierTable,
    VenueRules,
    rules_on,
)

_TIER_SOURCE = (
    "assumed: steps of 150 BTC and 3,000 ETH that each add the base rate, ten of them; no table of October "
    "2025 was found. Base rates of 0.5 % for BTC and 1 % for ETH: Bybit help, 'Risk limit'. Caps are in coins"
)
_FORMULA_2024 = "Bybit help, liquidation price under isolated mode (unified account), 2024: margins at entry"
_FORMULA_2026 = (
    "the same article as updated on 2026-05-27 (copy): margin at the liquidation price, added margin less fee"
)
_STEPS = 10

ISOLATED_TEXTS = (
    (date(2026, 5, 27), IsolatedText.OF_2026),
    (date(2024, 1, 1), IsolatedText.OF_2024),
)
"""Texts of the formula of isolated margin, newest first."""


def _ladder(symbol: str, step_coins: int, base: Fraction) -> TierTable:
    """Risk limits of equal steps in coins; the initial margin rate is twice the maintenance rate."""
    tiers = (MarginTier(k * step_coins, k * base, int(1 / (2 * k * base))) for k in range(1, _STEPS + 1))
    # Assumed, so that any table of the venue's own counts as newer.
    return TierTable(symbol, tuple(tiers), _TIER_SOURCE, date.min)


_FIRST = VenueRules(
    venue="bybit_inverse",
    product="inverse perpetuals",
    grade=Grade.ENGINE,
    contract=Contract.INVERSE,
    valid_from=date(2024, 10, 16),
    tiers={
        "BTCUSD": _ladder("BTCUSD", 150, Fraction(5, 1000)),
        "ETHUSD": _ladder("ETHUSD", 3_000, Fraction(10, 1000)),
    },
    mark=Mark(MarkRule.MEDIAN, window_s=300),
    funding=Funding(interval_h=8, interest=Fraction(1, 10_000), clamp=Fraction(5, 10_000)),
    fees=Fees(taker=Fraction(55, 100_000), liquidation=Fraction(0)),
    waterfall=bybit.OLD_WATERFALL,
    maintenance=Maintenance(isolated_at_entry=True),
    sources={
        "tiers": _TIER_SOURCE,
        "mark": bybit.MARK_SOURCE,
        "funding": bybit.FUNDING_SOURCE,
        "fees": bybit.FEE_SOURCE,
        "waterfall": bybit.OLD_TRIGGER_SOURCE,
        "liquidation price": _FORMULA_2024,
    },
)
_SECOND = replace(
    _FIRST,
    valid_from=bybit.TRIGGER_DAY,
    waterfall=bybit.WATERFALL,
    sources={**_FIRST.sources, "waterfall": bybit.TRIGGER_SOURCE},
)

VERSIONS = (
    replace(
        _SECOND,
        valid_from=ISOLATED_TEXTS[0][0],
        maintenance=Maintenance(extra_pays_fee=True),
        sources={**_SECOND.sources, "liquidation price": _FORMULA_2026},
    ),
    _SECOND,
    _FIRST,
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


def isolated_text(day: date) -> IsolatedText:
    """Which text of the isolated formula holds on a day; the first one for earlier days."""
    for since, text in ISOLATED_TEXTS:
        if since <= day:
            return text
    return ISOLATED_TEXTS[-1][1]
