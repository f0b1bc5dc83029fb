"""Liquidity: medians against a window, thinness by hand, and a half-life only where samples can tell it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deleverage.errors import InputError, MissingDataError
from deleverage.measure.asof import Frames
from deleverage.measure.blocks import block_draws, stream
from deleverage.measure.liquidity.measure import MEASURE
from deleverage.measure.liquidity.recovery import half_life
from tests.measure.market_rows import DAY, HOUR, assert_no_look_ahead, at, depth, table

NOW = at("2025-11-14")
BASE = at("2025-09-01")


def _book(*, seed: int = 1) -> list[dict[str, Any]]:
    """Four-hourly samples: about 300 m in September, about 150 m in November, 50 m once."""
    rng = np.random.Generator(np.random.PCG64(seed))
    rows = []
    for k in range(30 * 6):
        rows.append(depth(BASE + k * 4 * HOUR, 300e6 * float(np.exp(0.2 * rng.standard_normal()))))
    for k in range(14 * 6):
        moment = NOW - (14 * 6 - k) * 4 * HOUR
        bid = 50e6 if k == 10 else 150e6 * float(np.exp(0.2 * rng.standard_normal()))
        rows.append(depth(moment, bid))
    return rows


def _at(rows: list[dict[str, Any]], **given: Any) -> Any:
    return MEASURE.at(Frames({"depth": table("depth", rows)}), NOW, given)


def test_the_window_is_compared_with_the_month_two_months_before() -> None:
    found = _at(_book())
    change, base = found.reading("change", "BTC"), found.reading("base_depth_bid", "BTC")
    assert base["from_ns"] == BASE and base["to_ns"] < at("2025-10-01")
    assert change["value"] == pytest.approx(-0.5, abs=0.06)
    assert change["low"] < change["value"] < change["high"] < -0.3
    assert found.reading("depth_bid", "BTC")["value"] == found.reading("depth_bid_100bp", "BTC")["value"]


def test_thinness_is_the_range_over_the_depth() -> None:
    rows = [depth(NOW - k * 4 * HOUR, 200e6) for k in range(1, 30)]
    found = _at(rows)
    # 1 % takes $200 m, so $1 m moves it by 0.01 / 200
    assert found.reading("thinness", "BTC")["value"] == pytest.approx(0.01 / 200)
    assert found.reading("change", "BTC")["value"] is None  # no base
    assert any(one.table == "depth" for one in found.missing)


def test_the_lowest_and_the_fall_into_it_are_told_with_how_common_such_falls_are() -> None:
    rows = [depth(NOW - (20 - k) * 4 * HOUR, bid) for k, bid in enumerate([200e6, 100e6] * 9 + [150e6, 60e6])]
    found = _at(rows)
    assert found.reading("lowest", "BTC")["value"] == 60e6
    through = found.reading("through_crash", "BTC")
    assert through["value"] == pytest.approx(60 / 150 - 1)
    assert "1 of 19 steps" in through["note"]
    # a fall by half happened nine times: with the lowest at 90 m, ten steps are as large
    rows[-1] = depth(NOW - 4 * HOUR, 75e6)
    assert "10 of 19 steps" in _at(rows).reading("through_crash", "BTC")["note"]


def test_samples_taken_at_a_fetch_are_left_out() -> None:
    rows = [depth(NOW - k * 4 * HOUR, 200e6) for k in range(1, 30)]
    rows.append(depth(NOW - HOUR, 1e6, taken="fetch"))
    assert _at(rows).reading("lowest", "BTC")["value"] == 200e6


def test_distances_that_the_lake_lacks_are_null() -> None:
    found = _at(_book())
    for distance in (10, 50, 200):
        row = found.reading(f"depth_bid_{distance}bp", "BTC")
        assert row["value"] is None and "100 bp" in row["note"]
    row = found.reading("spread", "BTC")
    assert row["value"] is None and "best quotes" in row["note"]


def test_a_side_that_the_book_does_not_reach_is_null_and_not_zero() -> None:
    rows = [depth(NOW - k * 4 * HOUR, 200e6, ask_usd=None, ask_coins=None) for k in range(1, 30)]
    found = _at(rows)
    assert found.reading("depth_ask", "BTC")["value"] is None
    assert found.readings["value"].is_nan().sum() == 0


def test_the_spread_is_the_median_over_seconds() -> None:
    quotes = [
        {"time_ns": NOW - k * 1_000_000_000, "venue": "binance", "kind": "perp", "coin": "BTC",
         "symbol": "BTCUSDT", "bid_price": 99_995.0,
         "bid_coins": 1.0, "ask_price": 100_005.0, "ask_coins": 1.0, "update_id": k,
         "source": "made/q.gz"}
        for k in range(1, 200)
    ]  # fmt: skip
    frames = {"depth": table("depth", _book()), "best_quotes": table("best_quotes", quotes)}
    row = MEASURE.at(Frames(frames), NOW).reading("spread", "BTC")
    assert row is not None and row["value"] == pytest.approx(1.0)  # $10 of $100,000


def test_a_clean_way_back_gives_its_half_life_and_the_interval_holds_it() -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    hours = np.arange(0.0, 168.0, 4.0)
    held = 0
    for _ in range(20):
        levels = 200.0 - 150.0 * 2 ** (-hours / 16.0) + 8 * rng.standard_normal(hours.size)
        fit = half_life(hours, levels, rng)
        assert fit.hours == pytest.approx(16.0, rel=0.5)
        assert fit.low is not None and fit.high is not None
        held += fit.low <= 16.0 <= fit.high
    assert held >= 14


def test_a_way_back_faster_than_the_samples_is_only_bounded() -> None:
    hours = np.arange(0.0, 168.0, 4.0)
    levels = np.where(hours == 0, 50.0, 200.0) + np.sin(hours)
    fit = half_life(hours, levels, np.random.Generator(np.random.PCG64(4)))
    assert fit.hours is None and fit.low is None and "shorter than the steps" in fit.why


def test_noise_and_further_falls_have_no_half_life() -> None:
    rng = np.random.Generator(np.random.PCG64(5))
    hours = np.arange(0.0, 168.0, 4.0)
    falling = half_life(hours, 200.0 - hours, rng)
    assert falling.hours is None and "did not come back" in falling.why
    assert half_life(hours[:5], hours[:5], rng).hours is None


def test_blocks_keep_neighbours_and_draw_every_value() -> None:
    values = np.arange(100.0)
    draws = block_draws(values, 10, 200, stream("x"))
    assert draws.shape == (200, 100)
    steps = np.diff(draws[:, :10], axis=1) % 100
    assert (steps == 1).all()
    assert np.unique(draws).size == 100
    assert (draws == block_draws(values, 10, 200, stream("x"))).all()


def test_an_empty_lake_names_table_range_and_command() -> None:
    with pytest.raises(MissingDataError) as caught:
        MEASURE.at(Frames({}), NOW)
    assert caught.value.context["table"] == "depth"
    assert caught.value.context["start_ns"] == BASE
    assert "backfill binance BTCUSDT --what depth" in str(caught.value.context["command"])


@pytest.mark.parametrize("given_", [{"range_bps": 0}, {"window": -1}, {"base_from": NOW, "base_to": BASE}])
def test_wrong_parameters_are_refused(given_: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        _at(_book(), **given_)


def test_nothing_later_is_looked_at() -> None:
    frames = {"depth": table("depth", _book())}
    assert_no_look_ahead(MEASURE, frames, BASE + DAY, NOW + 10 * DAY)
