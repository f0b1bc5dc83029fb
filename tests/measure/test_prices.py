"""Are daily bars put together from what is there, and from nothing else?"""

from __future__ import annotations

import polars as pl
import pytest

from deleverage.errors import MissingDataError, exit_code
from deleverage.measure.asof import AsOf, Frames
from deleverage.measure.prices import daily, last_day_note, need_daily
from tests.measure.bars import DAY, FIRST, candles

HOURS = [(10.0 + k, 12.0 + k, 9.0 + k, 11.0 + k) for k in range(24)]


def asof(*frames: pl.DataFrame, days: float = 30) -> AsOf:
    return AsOf(Frames({"candles": pl.concat(frames)}), FIRST + int(days * DAY))


def test_a_day_of_hours_has_first_open_extremes_last_close_and_the_sum() -> None:
    row = daily(asof(candles(HOURS, interval_s=3600)), "BTC").row(0, named=True)
    assert (row["open"], row["high"], row["low"], row["close"]) == (10.0, 35.0, 9.0, 34.0)
    assert row["volume_coins"] == 24.0 and row["time_ns"] == FIRST


def test_a_day_that_is_not_covered_whole_is_absent() -> None:
    assert daily(asof(candles(HOURS[:23], interval_s=3600)), "BTC").is_empty()
    assert daily(asof(candles(HOURS, interval_s=3600), days=0.99), "BTC").is_empty()


def test_published_days_come_before_made_ones_and_each_day_is_there_once() -> None:
    published = candles([(1, 2, 1, 2)], start_ns=FIRST + DAY)
    fives = candles([(50, 60, 40, 55)] * 288, interval_s=300)
    found = daily(asof(published, candles(HOURS * 2, interval_s=3600), fives), "BTC")
    assert found["time_ns"].to_list() == [FIRST, FIRST + DAY]
    assert found["close"].to_list() == [34.0, 2.0]  # hours are the coarsest below a day


def test_other_venues_kinds_coins_and_vendors_series_are_left_out() -> None:
    others = [
        candles([(1, 2, 1, 2)], venue="bybit"), candles([(1, 2, 1, 2)], kind="perp"),
        candles([(1, 2, 1, 2)], coin="ETH"), candles([(1, 2, 1, 2)], symbol="BTC:vendor"),
    ]  # fmt: skip
    assert daily(asof(*others), "BTC").is_empty()
    assert daily(asof(*others), "BTC", venue="bybit").height == 1
    assert daily(asof(*others), "BTC", kind="perp").height == 1


def test_no_bars_is_an_error_that_says_what_fetches_them() -> None:
    with pytest.raises(MissingDataError, match=r"no daily bars of SOL \(perp\) at bybit") as caught:
        need_daily(asof(candles(HOURS)), "SOL", venue="bybit", kind="perp")
    assert exit_code(caught.value) == 3


def test_bars_that_end_early_are_said_so() -> None:
    moment = AsOf(Frames({}), FIRST + 5 * DAY + DAY // 2)
    assert last_day_note(moment, FIRST + 4 * DAY) == ""
    assert "end 2024-10-05, 3 d before" in last_day_note(moment, FIRST + DAY)
