"""Is what we say of each feed dated, sourced and complete, and is the unknown unknown?"""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from deleverage.data.feeds import FEEDS, Feed, Publishes, feed_at, feeds_on
from deleverage.errors import InputError
from deleverage.measure.throttled.liquidations import throttle_of
from deleverage.measure.throttled.throttle import Rule


def ns(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, 12, tzinfo=UTC).timestamp()) * 1_000_000_000


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: f"{feed.venue}-{feed.feed}-{feed.since}")
def test_every_statement_has_a_source_and_the_day_it_was_read(feed: Feed) -> None:
    assert feed.sources and feed.note
    assert all(source.text and source.link and source.read >= date(2026, 1, 1) for source in feed.sources)


@pytest.mark.parametrize(
    "feed",
    [f for f in FEEDS if f.publishes is Publishes.THROTTLED],
    ids=lambda f: f"{f.venue}-{f.feed}-{f.since}",
)
def test_a_throttled_feed_says_how(feed: Feed) -> None:
    throttle = throttle_of(feed)
    assert throttle.window_ns == 1_000_000_000
    assert throttle.rule in Rule and feed.documented in ("", "latest", "largest")


def test_rows_of_one_feed_follow_one_another() -> None:
    for venue, name in {(feed.venue, feed.feed) for feed in FEEDS}:
        rows = [feed for feed in FEEDS if (feed.venue, feed.feed) == (venue, name)]
        assert rows[-1].until is None
        assert all(one.until == other.since for one, other in pairwise(rows))


@pytest.mark.parametrize(
    ("venue", "feed", "moment", "publishes", "rule"),
    [
        ("binance", "forceOrder", ns(2021, 4, 26), Publishes.ALL, ""),
        ("binance", "forceOrder", ns(2021, 4, 27), Publishes.THROTTLED, "first"),
        ("binance", "forceOrder", ns(2025, 10, 10), Publishes.THROTTLED, "first"),
        ("binance", "forceOrder", ns(2026, 5, 1), Publishes.THROTTLED, "largest"),
        ("bybit", "liquidation", ns(2024, 8, 5), Publishes.THROTTLED, "any"),
        ("bybit", "allLiquidation", ns(2025, 10, 10), Publishes.ALL, ""),
        ("bybit", "allLiquidation", ns(2025, 2, 19), Publishes.UNKNOWN, ""),
        ("okx", "liquidation-orders", ns(2025, 10, 10), Publishes.THROTTLED, "any"),
        ("hyperliquid", "onchain", ns(2025, 10, 10), Publishes.ALL, ""),
        ("hyperliquid", "userFills", ns(2025, 10, 10), Publishes.UNKNOWN, ""),
        ("coinglass", "aggregate", ns(2025, 10, 10), Publishes.INHERITED, ""),
        ("nowhere", "hearsay", ns(2025, 10, 10), Publishes.UNKNOWN, ""),
    ],
)
def test_what_held_on_a_day(venue: str, feed: str, moment: int, publishes: Publishes, rule: str) -> None:
    found = feed_at(venue, feed, moment)
    assert (found.publishes, found.behaves) == (publishes, rule)


def test_a_list_of_one_venue_and_day() -> None:
    assert [feed.feed for feed in feeds_on("bybit", date(2025, 10, 10))] == ["liquidation", "allLiquidation"]
    assert len(feeds_on("binance")) == 3 and feeds_on() == list(FEEDS)
    with pytest.raises(InputError, match="expected a venue of"):
        feeds_on("mtgox")
