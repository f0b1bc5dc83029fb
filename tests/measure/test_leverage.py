"""Leverage: contracts and price are told apart, tiers answer by size, and nothing unseen becomes zero."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deleverage.errors import InputError, MissingDataError
from deleverage.measure.asof import AsOf, Frames
from deleverage.measure.leverage import MEASURE, notional_of
from deleverage.measure.tier_sets import TierSet, latest_tiers
from tests.measure.market_rows import DAY, HOUR, assert_no_look_ahead, at, contracts, table, tier

BASE, NOW = at("2025-10-06"), at("2025-11-14")
TIERS = [
    tier("BTCUSDT", at("2025-10-09"), 1, 0.0, 300_000.0, 4_000, 150.0, 0.0),
    tier("BTCUSDT", at("2025-10-09"), 2, 300_000.0, 800_000.0, 5_000, 100.0, 300.0),
    tier("BTCUSDT", at("2025-10-09"), 3, 800_000.0, None, 6_500, 75.0, 1_500.0),
]


def _lists(**more: Any) -> dict[str, pl.DataFrame]:
    rows = [
        *contracts(BASE, "BTC", 100.0, [200.0] * 5),
        *contracts(BASE, "ETH", 10.0, [100.0] * 5),
        *contracts(NOW, "BTC", 80.0, [120.0] * 5),
        *contracts(NOW, "ETH", 5.0, [50.0] * 5),
    ]
    return {"snapshots": table("snapshots", rows), **more}


def _value(found: Any, name: str, subject: str) -> Any:
    row = found.reading(name, subject)
    assert row is not None
    return row["value"]


def test_a_change_in_usd_is_split_into_contracts_and_price() -> None:
    found = MEASURE.at(Frames(_lists()), NOW, {"coin": "BTC", "base": BASE})
    # 5 × $200 / $100 = 10 coins before; 5 × $120 / $80 = 7.5 coins now
    assert _value(found, "open_interest_coins", "BTC") == pytest.approx(7.5)
    assert _value(found, "change_usd", "BTC") == pytest.approx(600 / 1000 - 1)
    assert _value(found, "change_coins", "BTC") == pytest.approx(7.5 / 10 - 1)
    assert _value(found, "change_price", "BTC") == pytest.approx(80 / 100 - 1)


def test_all_coins_are_added_in_usd_and_compared_at_the_prices_of_the_base() -> None:
    found = MEASURE.at(Frames(_lists()), NOW, {"base": BASE})
    assert _value(found, "open_interest_usd", "ALL") == pytest.approx(600 + 250)
    assert _value(found, "open_interest_coins", "ALL") is None
    # BTC 10 → 7.5 coins at $100, ETH 50 → 50 coins at $10: (750 + 500) / 1500 − 1
    assert _value(found, "change_coins", "ALL") == pytest.approx(1250 / 1500 - 1)
    assert _value(found, "open_interest_percentile", "ALL") == pytest.approx(0.5)
    assert _value(found, "change_from_peak_usd", "ALL") == pytest.approx(850 / 1500 - 1)


def test_a_list_of_few_venues_is_not_the_market() -> None:
    frames = _lists()
    lone = table("snapshots", contracts(NOW + HOUR, "BTC", 80.0, [120.0] * 4))
    found = MEASURE.at(
        Frames({"snapshots": pl.concat([frames["snapshots"], lone])}), NOW + DAY, {"coin": "BTC"}
    )
    row = found.reading("open_interest_usd", "BTC")
    assert row is not None and row["value"] == pytest.approx(600) and row["to_ns"] == NOW


def test_contracts_without_open_interest_are_said_and_a_market_of_them_is_null() -> None:
    some = table("snapshots", contracts(NOW, "BTC", 80.0, [None, 1.0, 2.0, 3.0, 4.0]))
    row = MEASURE.at(Frames({"snapshots": some}), NOW, {"coin": "BTC"}).reading("open_interest_usd", "BTC")
    assert row is not None and row["value"] == 10.0 and "1 of 5 contracts showed none" in row["note"]
    none = table("snapshots", contracts(NOW, "BTC", 80.0, [None] * 5))
    tiers = table("tiers", TIERS)
    found = MEASURE.at(Frames({"snapshots": none, "tiers": tiers}), NOW, {"coin": "BTC"})
    assert _value(found, "open_interest_usd", "BTC") is None


def test_sums_by_venue_leave_out_moments_with_few_venues() -> None:
    rows = [
        {"time_ns": moment, "venue": f"venue{k}", "coin": "BTC", "scope": "all", "coins": 2.0, "usd": 200.0,
         "price": 100.0, "source": "made/oi.parquet"}
        for moment, venues in ((NOW - HOUR, 10), (NOW, 6))
        for k in range(venues)
    ]  # fmt: skip
    found = MEASURE.at(
        Frames({"open_interest": table("open_interest", rows)}), NOW, {"coin": "BTC", "count": "venues"}
    )
    row = found.reading("open_interest_usd", "BTC")
    assert row is not None and row["value"] == 2000.0 and row["to_ns"] == NOW - HOUR


def test_tiers_answer_by_size_as_of_their_day() -> None:
    found = MEASURE.at(Frames(_lists(tiers=table("tiers", TIERS))), NOW, {"notionals": "300k,0.8m,1bn"})
    subject = "binance BTCUSDT"
    assert _value(found, "max_leverage", subject) == 150.0
    assert [_value(found, f"max_leverage_at_{size}", subject) for size in ("300k", "0.8m", "1bn")] == [
        150,
        100,
        75,
    ]
    assert _value(found, "notional_at_100x", subject) == 800_000.0
    assert _value(found, "notional_at_50x", subject) is None  # at every size
    early = MEASURE.at(Frames(_lists(tiers=table("tiers", TIERS))), at("2025-10-08"), {"coin": "BTC"})
    assert _value(early, "max_leverage", subject) is None


def test_a_hundredfold_long_ends_at_six_tenths_of_a_percent() -> None:
    found = MEASURE.at(Frames(_lists(tiers=table("tiers", TIERS))), NOW, {"coin": "BTC"})
    row = found.reading("move_to_liquidation_100x", "binance BTCUSDT")
    assert row is not None
    # tier 1: 1 − (1 − 0.01) / (1 − 0.004); largest of tier 2: 1 − (0.99 − 300/800,000) / 0.995
    assert row["value"] == pytest.approx(1 - 0.99 / 0.996, rel=1e-6)
    assert row["low"] == pytest.approx(1 - (0.99 - 300 / 800_000) / 0.995)
    # a fall of 2 % ends 1 / (1 − 0.98 · 0.996) = 41.8×, not 100×
    assert _value(found, "leverage_ended_by_move", "binance BTCUSDT") == pytest.approx(41.806, abs=1e-3)


def _set() -> TierSet:
    tiers = latest_tiers(AsOf(Frames({"tiers": table("tiers", TIERS)}), NOW), "binance", "BTCUSDT")
    assert tiers is not None
    return tiers


@given(st.floats(1.0, 5e6), st.floats(1.5, 75.0))
def test_where_a_long_ends_its_margin_is_what_the_tier_asks(notional: float, leverage: float) -> None:
    tiers = _set()
    move, tier_ = tiers.move(leverage, notional), tiers.at(notional)
    assert move is not None and tier_ is not None
    equity = notional / leverage - notional * move
    asked = tier_.rate * notional * (1 - move) - tier_.deduction_usd
    assert equity == pytest.approx(asked, abs=1e-6 * notional)


@given(st.floats(1.0, 800_000.0))
def test_the_range_of_moves_holds_every_size(notional: float) -> None:
    tiers = _set()
    found, move = tiers.move_range(100), tiers.move(100, notional)
    assert found is not None and move is not None
    assert found[1] - 1e-9 <= move <= found[2] + 1e-9


def test_funding_is_a_year_of_the_mean_rate_and_basis_is_perp_over_spot() -> None:
    funding = [
        {"time_ns": NOW - k * 8 * HOUR, "venue": "binance", "coin": "BTC", "symbol": "BTCUSDT",
         "interval_s": 28_800, "rate": 0.0001 if k % 2 else 0.0002, "source": "made/f.csv"}
        for k in range(10)
    ]  # fmt: skip
    bars = [
        {"time_ns": NOW - (k + 1) * HOUR, "venue": "binance", "kind": kind, "coin": "BTC", "interval_s": 3600,
         "symbol": f"BTC{kind}", "open": 1.0, "high": 1.0, "low": 1.0, "close": close, "source": "made/c.csv"}
        for k in range(3) for kind, close in (("perp", 101.0), ("spot", 100.0))
    ]  # fmt: skip
    frames = _lists(funding=table("funding", funding), candles=table("candles", bars))
    found = MEASURE.at(Frames(frames), NOW, {"coin": "BTC"})
    row = found.reading("funding_annualised", "BTC")
    assert row is not None and row["value"] == pytest.approx(0.00015 * 1095)
    assert row["low"] <= row["value"] <= row["high"]
    assert _value(found, "basis", "BTC") == pytest.approx(0.01)


def test_what_is_not_there_is_null_and_named() -> None:
    found = MEASURE.at(Frames(_lists()), NOW, {"coin": "BTC"})
    for name in ("effective_leverage", "oi_to_market_cap", "funding_annualised", "basis"):
        row = found.reading(name, "BTC")
        assert row is not None and row["value"] is None and row["note"]
    assert {one.table for one in found.missing} >= {"market_caps", "funding", "candles", "tiers"}
    assert found.readings["value"].is_nan().sum() == 0


def test_an_empty_lake_names_table_range_and_command() -> None:
    with pytest.raises(MissingDataError) as caught:
        MEASURE.at(Frames({}), NOW)
    assert caught.value.context["table"] == "snapshots"
    assert caught.value.context["end_ns"] == NOW
    assert "deleverage import" in str(caught.value.context["command"])


@pytest.mark.parametrize("given_", [{"notionals": "much"}, {"count": "mine"}, {"base_days": 0}, {"foo": 1}])
def test_wrong_parameters_are_refused(given_: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        MEASURE.at(Frames(_lists(tiers=table("tiers", TIERS))), NOW, given_)


@pytest.mark.parametrize(
    ("text", "usd"), [("300k", 3e5), ("12M", 1.2e7), ("1.5bn", 1.5e9), ("250000", 2.5e5)]
)
def test_sizes_are_read(text: str, usd: float) -> None:
    assert notional_of(text) == usd


def test_nothing_later_is_looked_at() -> None:
    rows = []
    for day in range(40):
        rows += contracts(BASE + day * DAY + 5 * HOUR, "BTC", 100.0 + day, [100.0 + day**2 % 37] * 6)
    frames = {"snapshots": table("snapshots", rows), "tiers": table("tiers", TIERS)}
    assert_no_look_ahead(MEASURE, frames, BASE, BASE + 45 * DAY, {"coin": "BTC"})


def _held(notional: float, accounts: int = 4) -> dict[str, pl.DataFrame]:
    held = [
        {"time_ns": NOW - HOUR, "venue": "hyperliquid", "account": f"0x{k}", "coin": coin, "symbol": coin,
         "coins": 1.0, "notional_usd": notional, "account_value_usd": 50.0, "source": "made/h.json"}
        for k in range(accounts) for coin in ("BTC", "ETH")
    ]  # fmt: skip
    interest = {"time_ns": NOW - HOUR, "venue": "hyperliquid", "coin": "BTC", "scope": "all", "usd": 1000.0,
                "source": "made/oi.parquet"}  # fmt: skip
    return {"holdings": table("holdings", held), "open_interest": table("open_interest", [interest])}


def test_effective_leverage_is_notional_over_equity_of_accounts_that_matter() -> None:
    # 4 accounts × 2 positions × $100 on 4 × $50; both sides of $1,000 are $2,000
    row = MEASURE.at(Frames(_lists(**_held(100.0))), NOW, {"coin": "BTC"}).reading(
        "effective_leverage", "hyperliquid accounts"
    )
    assert row is not None and row["value"] == pytest.approx(800 / 200) and "40%" in row["note"]


def test_a_handful_of_accounts_says_nothing_about_a_venue() -> None:
    found = MEASURE.at(Frames(_lists(**_held(10.0))), NOW, {"coin": "BTC"})
    assert found.reading("effective_leverage", "hyperliquid accounts") is None
    assert _value(found, "effective_leverage", "BTC") is None
