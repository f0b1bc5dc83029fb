"""Is no row of any table known before the world could know it, and none kept back without a reason?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from deleverage.data.known import NEVER_NS, known_from
from deleverage.schema import LAKE_TABLES, Table

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
_BLANK: dict[str, Any] = {"Int64": 0, "Float64": 1.0, "String": "", "Binary": b""}


def at(text: str) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return int(moment.timestamp()) * SECOND


def row(table: str, **given: Any) -> pl.DataFrame:
    """One row of the table; what is not given is blank, or null where that may be."""
    declared: Table = LAKE_TABLES[table]
    values = {c.name: None if c.nullable else _BLANK[c.dtype] for c in declared.columns} | given
    schema = {c.name: getattr(pl, c.dtype) for c in declared.columns}
    return pl.DataFrame([values], schema=schema)


def known(table: str, **given: Any) -> int:
    return int(row(table, **given).select(known_from(table)).item())


@pytest.mark.parametrize("table", sorted(LAKE_TABLES))
def test_no_row_is_known_before_its_stamp(table: str) -> None:
    stamp = at("2025-11-14")
    end = {"end_ns": stamp + 60 * SECOND} if "end_ns" in LAKE_TABLES[table].names else {}
    assert known(table, time_ns=stamp, **end) >= stamp


@pytest.mark.parametrize("table", sorted(set(LAKE_TABLES) - {"revisions"}))
def test_what_was_collected_live_was_known_when_it_came(table: str) -> None:
    stamp, came = at("2025-11-14"), at("2025-11-20")
    assert known(table, time_ns=stamp, received_ns=came, source="stream") == came


@pytest.mark.parametrize("table", sorted(set(LAKE_TABLES) - {"revisions", "gaps", "adl_totals"}))
def test_what_was_fetched_afterwards_was_known_when_it_was_published(table: str) -> None:
    stamp = at("2025-11-14")
    fetched = known(table, time_ns=stamp, received_ns=at("2026-08-01"), source="backfill/x/y")
    assert fetched == known(table, time_ns=stamp) < stamp + 2 * DAY


@pytest.mark.parametrize("table", ["candles", "liquidation_totals", "macro", "indicators"])
def test_a_bar_is_known_at_its_end(table: str) -> None:
    assert known(table, time_ns=at("2025-10-10T20:00"), interval_s=14_400) == at("2025-10-11T00:00")


def test_a_funding_rate_is_known_at_its_settlement() -> None:
    assert known("funding", time_ns=at("2025-10-10T16:00"), interval_s=28_800) == at("2025-10-10T16:00")


@pytest.mark.parametrize("table", ["open_interest", "depth", "snapshots", "tiers", "liquidations", "trades"])
def test_a_level_or_an_event_is_known_at_its_own_time(table: str) -> None:
    assert known(table, time_ns=at("2025-10-10T20:00")) == at("2025-10-10T20:00")


@pytest.mark.parametrize("table", ["adl_totals", "gaps"])
def test_a_sum_or_a_gap_is_known_at_the_end_of_its_stretch(table: str) -> None:
    end = at("2025-10-10T21:27")
    assert known(table, time_ns=at("2025-10-10T21:15"), end_ns=end) == end


def test_a_flow_is_known_before_the_next_session_opens() -> None:
    friday = known("flows", time_ns=at("2025-11-14"))
    assert friday == at("2025-11-15T14:30")
    assert friday <= at("2025-11-17")  # the end of day 41 knows it


def test_a_sentiment_index_is_not_known_at_the_very_moment_at_which_its_data_end() -> None:
    published = known("sentiment", time_ns=at("2025-11-17"))
    assert at("2025-11-17") < published <= at("2025-11-17T00:10")


def test_a_capitalisation_is_known_after_its_day() -> None:
    assert known("market_caps", time_ns=at("2025-11-14")) == at("2025-11-15")


@pytest.mark.parametrize(
    ("name", "interval_s"),
    [
        ("funding_rate_stablecoin_margined_accumulated_365d", 31_536_000),
        ("funding_rate_stablecoin_margined_running", 28_800),
        ("taker_buy_usd_24h", 86_400),
        ("etf_price_usd_now", 0),
        ("liquidated_long_usd_recent", 0),
    ],
)
def test_what_a_vendor_showed_of_the_past_is_known_when_it_was_shown(name: str, interval_s: int) -> None:
    shown = at("2025-11-14T16:11")
    assert (
        known("indicators", time_ns=shown, publisher="coinglass", name=name, interval_s=interval_s) == shown
    )


def test_a_name_that_only_looks_like_it_waits_for_its_end() -> None:
    row = {"publisher": "coinglass", "name": "funding_rate_close", "interval_s": 28_800}
    assert known("indicators", time_ns=at("2025-11-14"), **row) == at("2025-11-14T08:00")


def test_a_funds_holdings_are_known_on_the_morning_after() -> None:
    row = {"publisher": "coinglass", "name": "etf_holdings_coins", "interval_s": 86_400}
    assert known("indicators", time_ns=at("2025-11-13"), **row) == at("2025-11-14T14:30")


@pytest.mark.parametrize("publisher", ["HyperReplay", "pluriholonomic"])
def test_sums_of_the_night_are_not_known_at_its_beginning(publisher: str) -> None:
    first = at("2025-10-10T21:15:03")
    assert known("indicators", time_ns=first, publisher=publisher, name="total_adl_notional") == at(
        "2025-10-10T21:27"
    )


def test_a_score_against_later_days_is_known_after_these() -> None:
    row = {"publisher": "Jamster187", "name": "day_zscore", "interval_s": 86_400}
    assert known("indicators", time_ns=at("2025-10-10"), **row) == at("2025-12-09")


def test_a_revision_is_known_when_it_was_seen_even_in_a_backfill() -> None:
    stamp, seen = at("2025-11-14"), at("2026-08-01")
    assert known("revisions", time_ns=stamp, received_ns=seen, source="backfill/farside/flows") == seen
    assert known("revisions", time_ns=stamp) == NEVER_NS
