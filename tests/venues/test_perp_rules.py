"""Rule sets of the perpetual venues: which version holds on a day, policies as found, assumptions said."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest

from deleverage.errors import RulesError
from deleverage.venues import (
    binance,
    binance_coin,
    bitmex,
    bybit,
    bybit_inverse,
    gate,
    hyperliquid,
    okx,
)
from deleverage.venues.margin import tiers_record
from deleverage.venues.rules import (
    AdlPrice,
    AdlRank,
    AdlTrigger,
    CollateralPrice,
    Contract,
    Grade,
    OrderLimit,
    Slice,
    Takeover,
    Trigger,
    VenueRules,
    Waterfall,
)

MODULES = (binance, binance_coin, bitmex, bybit, bybit_inverse, gate, hyperliquid, okx)
ALL = [(module, rules) for module in MODULES for rules in module.VERSIONS]
NIGHT = date(2025, 10, 10)
DAY = timedelta(days=1)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rsplit(".", 1)[-1])
def test_versions_stand_newest_first_and_each_holds_from_its_first_day(module: object) -> None:
    versions: tuple[VenueRules, ...] = module.VERSIONS  # type: ignore[attr-defined]
    rules_at = module.rules_at  # type: ignore[attr-defined]
    firsts = [rules.valid_from for rules in versions]
    assert firsts == sorted(set(firsts), reverse=True)
    for number, rules in enumerate(versions):
        assert rules_at(rules.valid_from) is rules
        assert rules.venue == module.__name__.rsplit(".", 1)[-1]  # type: ignore[attr-defined]
        if number + 1 < len(versions):
            assert rules_at(rules.valid_from - DAY) is versions[number + 1]
    with pytest.raises(RulesError, match=f"{versions[0].venue}: expected a date from {firsts[-1]} on"):
        rules_at(firsts[-1] - DAY)
    assert rules_at(NIGHT)


@pytest.mark.parametrize("rules", [rules for _, rules in ALL], ids=lambda r: f"{r.venue}-{r.valid_from}")
def test_every_part_has_a_source_and_tables_fit_into_the_record_of_the_kernels(rules: VenueRules) -> None:
    parts = {"tiers", "mark", "funding", "fees", "waterfall"} | (
        {"collateral"} if rules.collateral else set()
    )
    assert parts <= rules.sources.keys()
    assert all(len(source) > 5 for source in rules.sources.values())
    for symbol, table in rules.tiers.items():
        assert table.symbol == symbol
        assert table.source
        tiers_record([table])
        leverages = [tier.max_leverage for tier in table.tiers]
        assert leverages == sorted(leverages, reverse=True)
        # At the largest leverage the initial margin is no less than the maintenance margin.
        assert all(tier.rate * tier.max_leverage <= 1 for tier in table.tiers)


def test_a_borrowed_table_says_so_and_is_binances_with_less_leverage() -> None:
    theirs = binance.rules_at(NIGHT).tiers
    for module, symbols in (
        (bybit, ("BTCUSDT", "ETHUSDT", "SOLUSDT")),
        (okx, ("BTC-USDT-SWAP", "ETH-USDT-SWAP", "SOL-USDT-SWAP")),
        (gate, ("BTC_USDT", "ETH_USDT", "SOL_USDT")),
    ):
        rules = module.rules_at(NIGHT)
        assert tuple(rules.tiers) == symbols
        assert rules.sources["tiers"].startswith("assumed: borrowed from Binance USD-M")
        for symbol, origin in zip(symbols, ("BTCUSDT", "ETHUSDT", "SOLUSDT"), strict=True):
            table = rules.tier_table(symbol)
            assert table.source.startswith("assumed: borrowed")
            assert table.as_of == date.min  # any table of the venue itself is newer
            assert table.deductions_usd == theirs[origin].deductions_usd
            assert max(tier.max_leverage for tier in table.tiers) == 100


def test_mark_window_and_funding_formula_of_binance_change_on_the_same_day() -> None:
    before, after = binance.rules_at(date(2025, 9, 17)), binance.rules_at(date(2025, 9, 18))
    assert (before.mark.window_s, before.funding.rate_of_8h) == (60, False)
    assert (after.mark.window_s, after.funding.rate_of_8h) == (30, True)
    assert before.tier_table("BTCUSDT").tiers[0].max_leverage == 125
    # The venue's own worked example of that time: 1,300 USDT at 500,000, 16,300 in the tier of 2.5 %.
    assert list(before.tier_table("BTCUSDT").deductions_usd[:4]) == [0, 50, 1_300, 16_300]


def test_wrapped_coins_are_priced_by_redemption_only_after_the_night() -> None:
    def prices(day: date) -> dict[str, CollateralPrice]:
        return {entry.asset: entry.price for entry in binance.rules_at(day).collateral}

    for asset in ("USDE", "WBETH", "BNSOL"):
        assert prices(date(2025, 10, 13))[asset] == CollateralPrice.OWN_BOOK
        assert prices(date(2025, 10, 14))[asset] == CollateralPrice.REDEMPTION
    assert prices(NIGHT)["BTC"] == CollateralPrice.INDEX
    assert binance.haircut(binance.rules_at(NIGHT), "btc") == Fraction(5, 100)
    with pytest.raises(RulesError, match="found collateral 'DOGE'"):
        binance.haircut(binance.rules_at(NIGHT), "DOGE")


def test_coin_margined_deductions_are_the_printed_ones() -> None:
    deductions = binance_coin.VERSIONS[0].tier_table("BTCUSD_PERP").deductions_usd
    assert deductions[3:5] == (Fraction("0.56"), Fraction("1.81"))
    assert deductions[6] == Fraction("11.81")


@pytest.mark.parametrize("module", [bybit, bybit_inverse])
def test_adl_trigger_of_bybit_changes_with_its_text(module: object) -> None:
    rules_at = module.rules_at  # type: ignore[attr-defined]
    assert rules_at(date(2025, 11, 4)).waterfall.adl_trigger == AdlTrigger.FUND_REFUSES
    assert rules_at(date(2025, 11, 5)).waterfall.adl_trigger == AdlTrigger.FUND_DRAWDOWN
    assert rules_at(date(2025, 11, 5)).waterfall.fund_window_s == 8 * 3600


def test_leverage_of_hyperliquid_was_cut_after_the_whale_of_march() -> None:
    before, after = hyperliquid.rules_at(date(2025, 3, 12)), hyperliquid.rules_at(date(2025, 3, 13))
    assert [before.tier_table(coin).tiers[0].max_leverage for coin in ("BTC", "ETH")] == [50, 50]
    assert [after.tier_table(coin).tiers[0].max_leverage for coin in ("BTC", "ETH")] == [40, 25]
    assert after.tier_table("BTC").tiers[0].rate == Fraction(125, 10_000)
    assert list(after.tier_table("SOL").deductions_usd) == [0, 1_750_000]
    assert len(after.tiers) == 4 + 22 + 13


def policies(waterfall: Waterfall) -> tuple[object, ...]:
    return (
        waterfall.trigger,
        waterfall.order_limit,
        waterfall.slice,
        waterfall.takeover,
        waterfall.adl_trigger,
        waterfall.adl_rank,
        waterfall.adl_price,
    )


def test_policies_of_the_night_are_those_of_the_help_pages() -> None:
    at_mark, bankruptcy = Trigger.MARK, OrderLimit.BANKRUPTCY
    assert policies(binance.rules_at(NIGHT).waterfall) == (
        at_mark, bankruptcy, Slice.WHOLE, Takeover.FUND, AdlTrigger.FUND_REFUSES,
        AdlRank.PROFIT_TIMES_MARGIN_RATIO, AdlPrice.BANKRUPTCY,
    )  # fmt: skip
    assert policies(bybit.rules_at(NIGHT).waterfall) == (
        at_mark, bankruptcy, Slice.LOWER_TIER, Takeover.FUND, AdlTrigger.FUND_REFUSES,
        AdlRank.LEVERAGED_RETURN, AdlPrice.BANKRUPTCY_NEAR_MARK,
    )  # fmt: skip
    assert policies(okx.rules_at(NIGHT).waterfall) == (
        at_mark, bankruptcy, Slice.LOWER_TIER, Takeover.FUND, AdlTrigger.FUND_BELOW_REFERENCE,
        AdlRank.PROFIT_RATIO_OVER_MARGIN_RATIO, AdlPrice.MARK,
    )  # fmt: skip
    assert policies(hyperliquid.rules_at(NIGHT).waterfall) == (
        at_mark, OrderLimit.NONE, Slice.SHARE_THEN_WHOLE, Takeover.VAULT, AdlTrigger.EQUITY_NEGATIVE,
        AdlRank.PRICE_RATIO_TIMES_LEVERAGE, AdlPrice.PREVIOUS_MARK,
    )  # fmt: skip
    assert policies(bitmex.rules_at(NIGHT).waterfall)[5] == AdlRank.PROFIT_TIMES_LEVERAGE


def test_who_keeps_what_is_left_is_the_venues_rule() -> None:
    keeps = {rules.venue: rules.waterfall.keeps_margin for _, rules in ALL}
    assert keeps["binance"]
    assert keeps["hyperliquid"]
    assert not keeps["bybit"]
    assert not keeps["okx"]
    assert all(rules.waterfall.rest_to_fund != rules.waterfall.keeps_margin for _, rules in ALL)


def test_grades_and_contracts() -> None:
    engine = {rules.venue for _, rules in ALL if rules.grade == Grade.ENGINE}
    assert engine == {"binance", "binance_coin", "bybit", "bybit_inverse", "okx", "hyperliquid"}
    inverse = {rules.venue for _, rules in ALL if rules.contract == Contract.INVERSE}
    assert inverse == {"binance_coin", "bybit_inverse", "bitmex"}


def test_a_version_is_changed_by_making_another() -> None:
    with pytest.raises(AttributeError):
        binance.VERSIONS[0].venue = "other"  # type: ignore[misc]
    assert replace(binance.VERSIONS[0], venue="other").venue == "other"
