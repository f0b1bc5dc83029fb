"""Are cascades found where they are, named once for all coins, and never before they were known?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest

from deleverage.data.known import known_from
from deleverage.errors import InputError, MissingDataError
from deleverage.measure.asof import DAY_NS, AsOf, Frames
from deleverage.measure.episodes.cascades import Rules, cascades, finest_bars, volatility_before
from deleverage.measure.episodes.measure import MEASURE
from deleverage.measure.measure import Measured
from deleverage.report.figures.measures import episodes as figure
from tests.measure.episode_rows import START, candles, flat, interest, totals, walk

HOUR_NS = 3_600_000_000_000
FALL = [(100.0, 100.0, 85.0, 90.0)]  # after 60 days between 100 and 101
AFTER = [(90.0, 92.0, 88.0, 90.0)] * 5
ONE = candles([*flat(60), *FALL, *AFTER])
BTC = {"coins": ["BTC"]}


def at(day: float, frames: Mapping[str, pl.DataFrame], **given: Any) -> Measured:
    return MEASURE.at(Frames(frames), START + round(day * DAY_NS), BTC | given)


def value(found: Measured, name: str, subject: str = "all") -> float | None:
    row = found.reading(name, subject)
    assert row is not None, (name, subject)
    return None if row["value"] is None else float(row["value"])


def test_a_fall_by_hand() -> None:
    found = at(66, {"candles": ONE})
    assert value(found, "episodes") == 1.0 and value(found, "open") == 0.0
    name = "2022-03-09"  # START + 60 days
    # from the high of the day before, 101, to 85
    assert value(found, "fall", name) == pytest.approx(1 - 85 / 101)
    assert value(found, "start", name) == 19_000 + 60
    assert value(found, "trough", name) == value(found, "known", name) == 19_000 + 61
    # half of the fall, 93, was never seen again; so it is over three days without a lower low later
    assert value(found, "end", name) == 19_000 + 64
    assert value(found, "coins", name) == 1.0


def test_it_is_open_until_its_end_was_known() -> None:
    found = at(63.99, {"candles": ONE})
    assert value(found, "open") == 1.0 and value(found, "end", "2022-03-09") is None
    note = found.reading("trough", "2022-03-09")
    assert note is not None and "so far" in note["note"]
    assert value(at(60.99, {"candles": ONE}), "episodes") == 0.0


def test_half_of_it_back_ends_it_at_once() -> None:
    rows = candles([*flat(60), *FALL, (90.0, 93.1, 90.0, 93.0), *AFTER])
    assert value(at(68, {"candles": rows}), "end", "2022-03-09") == 19_000 + 62


def test_a_lower_low_prolongs_it() -> None:
    rows = candles([*flat(60), *FALL, (90.0, 90.0, 89.0, 89.0), (89.0, 89.0, 80.0, 82.0), *AFTER])
    found = at(70, {"candles": rows})
    assert value(found, "episodes") == 1.0
    assert value(found, "fall", "2022-03-09") == pytest.approx(1 - 80 / 101)
    # the day after reaches 92, and 90.5 is half of the way back from 80 to 101
    assert value(found, "end", "2022-03-09") == 19_000 + 64


def test_the_threshold_follows_the_volatility_before() -> None:
    # 4 % a day: σ = ln 1.04 · √(π/2) = 0.0492; needed is 1 − exp(−2.241·0.0492·√2) = 14.4 %
    loud = flat(60, step=0.04)
    assert 1 - math.exp(-2.241 * math.log(1.04) * math.sqrt(math.pi / 2) * math.sqrt(2)) == pytest.approx(
        0.144, abs=0.001
    )
    for low, count in ((90.0, 0), (88.0, 1)):  # from 104: 13.5 and 15.4 %
        rows = candles([*loud, (100.0, 100.0, low, low), *AFTER])
        assert value(at(66, {"candles": rows}), "episodes") == count


def test_nothing_is_found_where_the_volatility_is_not_known() -> None:
    assert value(at(40, {"candles": candles([*flat(20), *FALL, *AFTER])}), "episodes") == 0.0


def test_a_fall_within_one_bar_is_measured_from_its_open() -> None:
    # the high of 130 may have come after the low: from 101 it is 4 %, no cascade
    rows = candles([*flat(60), (100.0, 130.0, 97.0, 100.0), *flat(3)])
    assert value(at(61, {"candles": rows}), "episodes") == 0.0


def test_volatility_is_the_mean_absolute_return_of_earlier_days() -> None:
    bars = finest_bars(
        AsOf(Frames({"candles": ONE}), START + 66 * DAY_NS), "BTC", venue="binance", kind="spot"
    )
    days, sigma = volatility_before(bars, 60)
    assert days[0] == 19_000 and np.isnan(sigma[:31]).all()
    assert sigma[60] == pytest.approx(math.log(1.01) * math.sqrt(math.pi / 2))
    assert sigma[61] > sigma[60]  # the fall counts from the day after


def test_finer_bars_are_taken_where_they_cover_the_day_whole() -> None:
    start = START + 60 * DAY_NS
    hours = (
        [(100.0, 100.0, 100.0, 100.0)] * 12 + [(100.0, 100.0, 85.0, 90.0)] + [(90.0, 90.0, 90.0, 90.0)] * 11
    )
    fine = candles(hours, start_ns=start, interval_s=3_600)
    rows = pl.concat([ONE, fine])
    found = at(66, {"candles": rows})
    assert value(found, "trough", "2022-03-09") == pytest.approx(19_060 + 13 / 24)
    # at one o'clock the hour that fell has ended and the day has not
    early = at(60 + 13 / 24, {"candles": rows})
    assert value(early, "open") == 1.0
    # with an hour missing the day is taken from its daily bar
    holed = pl.concat([ONE, fine.filter(pl.col("time_ns") != start + 5 * HOUR_NS)])
    assert value(at(66, {"candles": holed}), "trough", "2022-03-09") == 19_061.0


def test_one_identity_for_several_coins_and_another_for_another_time() -> None:
    deeper = [(100.0, 100.0, 70.0, 80.0)]
    later = [(80.0, 82.0, 78.0, 80.0)] * 6
    other = candles([*flat(60), *deeper, *later, *later, *later, (80.0, 80.0, 50.0, 52.0)], coin="ETH")
    found = MEASURE.at(
        Frames({"candles": pl.concat([ONE, other])}), START + 90 * DAY_NS, {"coins": ["btc", "ETH", "SOL"]}
    )
    assert value(found, "episodes") == 2.0
    assert value(found, "coins", "2022-03-09") == 2.0
    assert value(found, "fall", "2022-03-09") == pytest.approx(1 - 85 / 101)  # the first coin's
    assert value(found, "fall_ETH", "2022-03-09") == pytest.approx(1 - 70 / 101)
    second = START + (60 + 1 + 18) * DAY_NS
    name = str(np.datetime64(second, "ns"))[:10]
    assert value(found, "coins", name) == 1.0
    assert value(found, "independent") == 1.0  # 15 days later is not 30
    assert [lack.table for lack in found.missing] == ["candles", "open_interest", "liquidation_totals"]
    assert "SOL" in found.missing[0].what


def test_open_interest_and_forced_sales_by_hand() -> None:
    frames = {
        "candles": ONE,
        "open_interest": interest(
            [
                (59.9, "a", 60.0),
                (60.0, "a", 100.0),
                (61.0, "a", 70.0),
                (61.2, "a", 10.0),
                (60.0, "b", 50.0),
                (61.1, "b", 50.0),
                (60.0, "gone", 500.0),
                (61.0, "unnamed", 9.0),
            ]
        ),
        "liquidation_totals": pl.concat(
            [
                totals([(60 + k / 6, side, usd) for k in range(6)])
                for side, usd in (("long", 5.0), ("short", 99.0))
            ]
        ),
    }
    found = at(66, frames)
    # a and b, seen at both ends: 150 coins before, 120 after
    assert value(found, "open_interest_change", "2022-03-09") == pytest.approx(120 / 150 - 1)
    assert value(found, "liquidated_usd", "2022-03-09") == 30.0
    row = found.reading("liquidated_usd", "2022-03-09")
    assert row is not None and row["by"] == "binance, summed by a vendor over windows of 4 h"
    short = frames | {
        "liquidation_totals": frames["liquidation_totals"].slice(1)
    }  # the first window is missing
    row = at(66, short).reading("liquidated_usd", "2022-03-09")
    assert row is not None and row["value"] is None and "nobody's count" in row["note"]


def test_unobserved_is_null_and_says_so() -> None:
    found = at(66, {"candles": ONE})
    for name in ("open_interest_change", "liquidated_usd"):
        row = found.reading(name, "2022-03-09")
        assert (
            row is not None and row["value"] is None and "are none" in row["note"] and row["by"] == "nobody"
        )
    assert not found.readings["value"].is_nan().any()


def test_cascades_of_a_coin_follow_one_another() -> None:
    rows = candles(walk(900, seed=3, sigma=0.04))
    bars = finest_bars(
        AsOf(Frames({"candles": rows}), START + 900 * DAY_NS), "BTC", venue="binance", kind="spot"
    )
    found = cascades("BTC", bars, Rules())
    assert len(found) > 10
    for one, after in itertools.pairwise(found):
        assert one.start_ns < one.trough_ns <= (one.end_ns or 0) <= after.start_ns
    for one in found:
        assert one.fall > one.threshold >= 0.05 and one.trigger_ns <= one.trough_ns


def test_no_look_ahead() -> None:
    daily = candles(walk(420, seed=5, sigma=0.05))
    hours = candles(walk(24 * 30, seed=6, sigma=0.012), start_ns=START + 420 * DAY_NS, interval_s=3_600)
    other = candles(walk(450, seed=8, sigma=0.06), coin="ETH")
    frames = {
        "candles": pl.concat([daily, hours, other]),
        "open_interest": interest([(k / 4, "a", 100.0 + k % 7) for k in range(4 * 450)]),
        "liquidation_totals": totals([(k / 6, "long", 1.0 + k % 5) for k in range(6 * 450)]),
    }
    given = {"coins": ["BTC", "ETH"]}
    rng = np.random.default_rng(1)
    for moment in rng.integers(START + 60 * DAY_NS, START + 450 * DAY_NS, 20):
        known = {name: frame.filter(known_from(name) <= int(moment)) for name, frame in frames.items()}
        full = MEASURE.at(Frames(frames), int(moment), given)
        cut = MEASURE.at(Frames(known), int(moment), given)
        assert full.readings.equals(cut.readings) and full.series.equals(cut.series)
        assert full.readings["to_ns"].drop_nulls().max() <= moment


def test_without_bars_it_names_table_range_and_command() -> None:
    with pytest.raises(MissingDataError, match="daily bars of BTC") as caught:
        at(66, {})
    assert caught.value.context["table"] == "candles" and "backfill" in str(caught.value.context["command"])


@pytest.mark.parametrize(
    "given", [{"sigmas": 0.0}, {"floor": 1.0}, {"back": 1.5}, {"window": 0}, {"coins": ""}, {"sigma": 1}]
)
def test_parameters_without_sense_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="episodes"):
        at(66, {"candles": ONE}, **given)


def test_the_figure_says_what_it_shows() -> None:
    drawing = figure.draw(at(66, {"candles": ONE}))
    assert drawing.title.startswith("1 cascade of BTC since 8 January 2022")
    for text in (drawing.wide, drawing.narrow):
        assert "2022-03-09" in text and "USD per coin" in text
    assert "No fall" in figure.draw(at(59, {"candles": ONE})).title
