"""Binance USD-M rules, dated: margin tiers, mark price window, funding formula, collateral."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction

from deleverage.errors import RulesError
from deleverage.venues.rules import (
    AutoExchange,
    CollateralAsset,
    CollateralPrice,
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
_OLD_TIER_SOURCE = (
    "Binance notice of 2021-03-18 (BTCUSDT only); changed many times before 2025-10-09: on 2024-10-24 the "
    "first tier was still 50,000 USDT at 125x. Other symbols of that time are not carried"
)
_MARK_SOURCE = (
    "Binance notice of 2025-09-16, in force 2025-09-18 08:01 UTC: mean of the basis over 30 s, 1 s samples"
)
_OLD_MARK_SOURCE = "Binance FAQ 360033525071: mean of the basis over 1 minute, until 2025-09-18 08:01 UTC"
_FUNDING_SOURCE = (
    "Binance notice of 2025-09-16: [P + clamp(I − P, ±0.05 %)] / (8 / N). Interest 0.01 % per 8 h is widely "
    "stated, not read in a source"
)
_OLD_FUNDING_SOURCE = "the same notice, on what it replaced: P + clamp(I − P, ±0.05 %), whatever the interval"
_FEE_SOURCE = (
    "taker of the first fee tier and liquidationFee of BTCUSDT (0.0125) as the exchange's API reports it; "
    "widely stated, not read in a dated source"
)
_WATERFALL_SOURCE = (
    "Binance FAQ 360033525471: cancel orders, IOC limit at the bankruptcy price, clearance fee, insurance "
    "fund takes the rest, ADL at the bankruptcy price without fee; ranked by profit over collateral times "
    "margin ratio"
)
_COLLATERAL_SOURCE = (
    "Binance multi-assets information page: table of 2021 and FDUSD from a later text. USDE, WBETH, BNSOL "
    "of 2025-10-10: in no page found; assumed: WBETH as ETH, BNSOL as SOL, USDE as FDUSD (a third party "
    "says 90 to 95 % for the staked coins)"
)
_OWN_BOOK_SOURCE = (
    "index of WBETH and BNSOL made of Binance's own books until 2025-10-14 08:00 UTC (WBETHUSDT 20 %, "
    "WBETHETH × ETHUSDT 80 %; BNSOLUSDT 30 %, BNSOLSOL × SOLUSDT 70 %): copies of the "
    "notice that ended it"
)
_REDEMPTION_SOURCE = (
    "copies of Binance's notice of October 2025: WBETH and BNSOL by its own staking rate from 2025-10-14 "
    "08:00 UTC; USDE: redemption price added to the index and a minimum price, date not printed, taken as "
    "the same day"
)

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

# The table of 2021-03-18.
_BTC_2021 = (
    (50_000, 4_000, 125), (250_000, 5_000, 100), (1_000_000, 10_000, 50), (10_000_000, 25_000, 20),
    (20_000_000, 50_000, 10), (50_000_000, 100_000, 5), (100_000_000, 125_000, 4),
    (200_000_000, 150_000, 3), (300_000_000, 250_000, 2), (500_000_000, 500_000, 1),
)  # fmt: skip

# Haircut in ppm of assets whose price is an index of several venues.
_HAIRCUTS = {
    "USDT": 100, "USDC": 100, "BUSD": 0, "FDUSD": 11_000, "BTC": 50_000, "ETH": 50_000, "BNB": 50_000,
    "XRP": 100_000, "ADA": 100_000, "DOT": 100_000, "SOL": 100_000,
}  # fmt: skip
_WRAPPED = {"USDE": 11_000, "WBETH": 50_000, "BNSOL": 100_000}

AUTO_EXCHANGE = AutoExchange(
    limit_usd=10_000,
    loan_to_value=Fraction(995, 1000),
    haircut=Fraction(25, 1000),
    source="Binance multi-assets information page: negative balance of 10,000 USD (regular, VIP 1: 5,000), "
    "on liquidation, or loan to value of 0.995 (older text: 1); haircut of BTC 2.5 %",
)
"""When and how multi-assets mode sells collateral for a negative balance."""


def _tables(
    rows: Mapping[str, tuple[tuple[int, int, int], ...]], source: str, as_of: date
) -> dict[str, TierTable]:
    return {
        symbol: TierTable(
            symbol,
            tuple(MarginTier(cap, Fraction(ppm, 1_000_000), lev) for cap, ppm, lev in tiers),
            source,
            as_of,
        )
        for symbol, tiers in rows.items()
    }


def _collateral(wrapped: CollateralPrice) -> tuple[CollateralAsset, ...]:
    """Assets of multi-assets mode; ``wrapped`` is how those are priced that redeem into another asset."""
    prices = {asset: CollateralPrice.INDEX for asset in _HAIRCUTS} | dict.fromkeys(_WRAPPED, wrapped)
    return tuple(
        CollateralAsset(asset, Fraction(ppm, 1_000_000), prices[asset])
        for asset, ppm in {**_HAIRCUTS, **_WRAPPED}.items()
    )


_OF_THE_NIGHT = VenueRules(
    venue="binance",
    product="USD-M",
    grade=Grade.ENGINE,
    contract=Contract.LINEAR,
    valid_from=date(2025, 9, 18),
    tiers=_tables(_ROWS, _TIER_SOURCE, date(2025, 10, 9)),
    mark=Mark(MarkRule.MEDIAN, window_s=30),
    funding=Funding(interval_h=8, interest=Fraction(1, 10_000), clamp=Fraction(5, 10_000)),
    fees=Fees(taker=Fraction(5, 10_000), liquidation=Fraction(125, 10_000)),
    waterfall=Waterfall(),
    collateral=_collateral(CollateralPrice.OWN_BOOK),
    exchange=AUTO_EXCHANGE,
    sources={
        "tiers": _TIER_SOURCE,
        "mark": _MARK_SOURCE,
        "funding": _FUNDING_SOURCE,
        "fees": _FEE_SOURCE,
        "waterfall": _WATERFALL_SOURCE,
        "collateral": f"{_COLLATERAL_SOURCE}; {_OWN_BOOK_SOURCE}",
    },
)

VERSIONS = (
    replace(
        _OF_THE_NIGHT,
        valid_from=date(2025, 10, 14),
        collateral=_collateral(CollateralPrice.REDEMPTION),
        sources={**_OF_THE_NIGHT.sources, "collateral": f"{_COLLATERAL_SOURCE}; {_REDEMPTION_SOURCE}"},
    ),
    _OF_THE_NIGHT,
    replace(
        _OF_THE_NIGHT,
        valid_from=date(2021, 3, 18),
        tiers=_tables({"BTCUSDT": _BTC_2021}, _OLD_TIER_SOURCE, date(2021, 3, 18)),
        mark=Mark(MarkRule.MEDIAN, window_s=60),
        funding=replace(_OF_THE_NIGHT.funding, rate_of_8h=False),
        sources={
            **_OF_THE_NIGHT.sources,
            "tiers": _OLD_TIER_SOURCE,
            "mark": _OLD_MARK_SOURCE,
            "funding": _OLD_FUNDING_SOURCE,
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


def haircut(rules: VenueRules, asset: str) -> Fraction:
    """Share by which an asset counts for less than its price.

    Raises
    ------
    RulesError
        the asset is no collateral in this rule set.
    """
    for entry in rules.collateral:
        if entry.asset == asset.upper():
            return entry.haircut
    raise RulesError(
        f"{rules.venue}: expected one of {sorted(entry.asset for entry in rules.collateral)}, "
        f"found collateral '{asset}'",
        hint="give the collateral ratio of the asset",
        venue=rules.venue,
    )
