"""Invented venues, one for each way of reckoning margin and each policy: no test hangs on real tiers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from fractions import Fraction

from deleverage.errors import RulesError
from deleverage.venues.calculator.compare import Book
from deleverage.venues.rules import (
    AdlPrice,
    AdlRank,
    AdlTrigger,
    Contract,
    Fees,
    Funding,
    Grade,
    Maintenance,
    MarginTier,
    Mark,
    MarkRule,
    OrderLimit,
    Slice,
    Takeover,
    TierTable,
    Trigger,
    VenueRules,
    Waterfall,
    rules_on,
)

NO_END = 10**12


def tiers(symbol: str, *rows: tuple[int, Fraction | str, int]) -> TierTable:
    """Rows of (cap, rate, largest leverage)."""
    return TierTable(
        symbol, tuple(MarginTier(cap, Fraction(rate), leverage) for cap, rate, leverage in rows), "test"
    )


def house(venue: str, *tables: TierTable, **changes: object) -> VenueRules:
    """A linear venue with the default policies, changed as told."""
    plain = VenueRules(
        venue=venue,
        product="perpetuals",
        grade=Grade.ENGINE,
        contract=Contract.LINEAR,
        valid_from=date(2025, 1, 1),
        tiers={table.symbol: table for table in tables},
        mark=Mark(MarkRule.MEDIAN, window_s=30),
        funding=Funding(interval_h=8, interest=Fraction(1, 10_000), clamp=Fraction(5, 10_000)),
        fees=Fees(taker=Fraction(6, 10_000), liquidation=Fraction(0)),
        waterfall=Waterfall(),
        sources={"tiers": "test"},
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


TWO_TIERS = (300_000, "0.004", 150), (3_000_000, "0.01", 50)

PLAIN = house("plain", tiers("BTCUSDT", *TWO_TIERS), fees=Fees(Fraction(5, 10_000), Fraction(125, 10_000)))
"""Maintenance at the mark, whole at the bankruptcy price, fund, ADL at the bankruptcy price."""

ENTRY = house(
    "entry",
    tiers("BTCUSDT", (2_000_000, "0.005", 100), (10_000_000, "0.01", 50)),
    maintenance=Maintenance(isolated_at_entry=True),
    waterfall=Waterfall(
        slice=Slice.LOWER_TIER,
        adl_trigger=AdlTrigger.FUND_DRAWDOWN,
        adl_rank=AdlRank.LEVERAGED_RETURN,
        adl_price=AdlPrice.BANKRUPTCY_NEAR_MARK,
        price_bound=Fraction(1, 20),
        keeps_margin=False,
        rest_to_fund=True,
    ),
)

FEE = house(
    "fee",
    tiers("BTC-USDT-SWAP", (1_000_000, "0.004", 125), (5_000_000, "0.01", 50)),
    maintenance=Maintenance(with_taker_fee=True),
    waterfall=Waterfall(
        trigger=Trigger.LAST,
        adl_trigger=AdlTrigger.FUND_BELOW_REFERENCE,
        adl_rank=AdlRank.PROFIT_RATIO_OVER_MARGIN_RATIO,
        adl_price=AdlPrice.MARK,
        fund_drop_share=Fraction(3, 10),
        fund_drop_usd=50_000,
        keeps_margin=False,
    ),
)

VAULT = house(
    "vault",
    tiers("BTC", (150_000_000, Fraction(1, 80), 40), (NO_END, Fraction(1, 40), 20)),
    waterfall=Waterfall(
        order_limit=OrderLimit.NONE,
        slice=Slice.SHARE_THEN_WHOLE,
        slice_share=Fraction(1, 5),
        slice_above_usd=100_000,
        cooldown_s=30,
        takeover=Takeover.VAULT,
        backstop_share=Fraction(2, 3),
        vault_loss_share=Fraction(1, 4),
        adl_trigger=AdlTrigger.EQUITY_NEGATIVE,
        adl_rank=AdlRank.PRICE_RATIO_TIMES_LEVERAGE,
        adl_price=AdlPrice.PREVIOUS_MARK,
    ),
)

CHAIN = house(
    "chain",
    tiers("BTC-USD", (NO_END, "0.012", 50)),
    fees=Fees(Fraction(5, 10_000), Fraction(15, 1000)),
    waterfall=Waterfall(
        trigger=Trigger.ORACLE,
        order_limit=OrderLimit.FILLABLE,
        slice=Slice.SHARE_A_STEP,
        slice_share=Fraction(1, 10),
        slice_minimum_usd=1_000,
        slice_maximum_usd=100_000,
        takeover=Takeover.NONE,
        adl_trigger=AdlTrigger.NOTHING_FILLED,
        adl_rank=AdlRank.RANDOM_START,
        adl_price=AdlPrice.ORACLE,
        spread_to_maintenance=Fraction(3, 2),
    ),
)

COIN = house(
    "coin",
    tiers("BTCUSD", (5, "0.004", 125), (50, "0.01", 50)),
    contract=Contract.INVERSE,
    product="inverse",
    waterfall=Waterfall(adl_rank=AdlRank.PROFIT_TIMES_LEVERAGE),
)

ALL = (CHAIN, COIN, ENTRY, FEE, PLAIN, VAULT)


def books(*rules: VenueRules) -> Callable[[date | None], list[Book]]:
    """What stands for `compare.rule_books`: one book for each rule set; all of them by default."""

    def of(one: VenueRules, day: date | None) -> Book:
        try:
            return Book(one.venue, one.product, one, rules_on((one,), day or date.max))
        except RulesError as refusal:
            return Book(one.venue, one.product, one, None, refusal)

    return lambda day: [of(one, day) for one in rules or ALL]
