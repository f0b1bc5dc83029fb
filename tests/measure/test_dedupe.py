"""Is every event counted once, and no two events as one?"""

from __future__ import annotations

import polars as pl

from deleverage.data.feeds import Publishes
from deleverage.measure.throttled.dedupe import each_once, fullest_feeds
from tests.measure.events import liquidations


def test_two_collectors_saw_one_event() -> None:
    one = liquidations([1.0, 2.0], source="home", received_s=[1.1, 2.1])
    other = liquidations([1.0, 2.0, 3.0], source="abroad", received_s=[1.2, 2.05, 3.1])
    once = each_once(pl.concat([one, other]).with_columns(event_id=pl.col("source") + pl.col("event_id")))
    assert once["time_ns"].n_unique() == once.height == 3
    assert once["source"].to_list() == ["home", "abroad", "abroad"]  # the first that was received


def test_orders_without_a_time_of_their_own_are_told_apart_by_their_number() -> None:
    one, other = (
        liquidations([1.0, 2.0], received_s=[1.0, 2.0]),
        liquidations([1.2, 2.1], received_s=[1.2, 2.1]),
    )
    ids = pl.Series("event_id", ["order-1", "order-2"])
    once = each_once(pl.concat([one.with_columns(ids), other.with_columns(ids)]))
    assert once["event_id"].to_list() == ["order-1", "order-2"]
    assert (once["time_ns"] == once["received_ns"]).all() and once["time_ns"].to_list() == one[
        "time_ns"
    ].to_list()


def test_a_batch_of_equal_orders_stays_a_batch() -> None:
    batch = liquidations([1.0, 1.0, 1.0])
    assert each_once(batch).height == 3
    twice = pl.concat([batch, batch.with_columns(source=pl.lit("abroad"))])
    assert each_once(twice).height == 3


def test_one_source_that_wrote_a_row_twice_wrote_one_event() -> None:
    rows = liquidations([1.0, 2.0])
    assert each_once(pl.concat([rows, rows])).height == 2


def test_the_row_with_a_fill_is_kept() -> None:
    rows = liquidations([1.0])
    filled = rows.with_columns(price=pl.lit(99_000.0), source=pl.lit("abroad"))
    assert each_once(pl.concat([rows, filled]))["price"].to_list() == [99_000.0]


def test_another_size_is_another_event() -> None:
    assert each_once(pl.concat([liquidations([1.0], coins=0.1), liquidations([1.0], coins=0.2)])).height == 2


def test_of_two_feeds_the_fuller_one_is_counted() -> None:
    streams = {
        ("bybit", "BTCUSDT", "allLiquidation"): Publishes.ALL,
        ("bybit", "BTCUSDT", "liquidation"): Publishes.THROTTLED,
        ("bybit", "ETHUSDT", "liquidation"): Publishes.THROTTLED,
        ("nowhere", "BTCUSDT", "a"): Publishes.UNKNOWN,
        ("nowhere", "BTCUSDT", "b"): Publishes.UNKNOWN,
    }
    assert fullest_feeds(streams) == {
        ("bybit", "BTCUSDT", "allLiquidation"),
        ("bybit", "ETHUSDT", "liquidation"),
        ("nowhere", "BTCUSDT", "a"),
    }
