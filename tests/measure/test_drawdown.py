"""Is a drawdown counted from the highest trade, and is its chance that of the days before?"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from deleverage.errors import InputError, MissingDataError, exit_code
from deleverage.measure.asof import Frames
from deleverage.measure.drawdown.bootstrap import blocks, largest_falls, stream, wilson
from deleverage.measure.drawdown.brownian import log_depth, probability
from deleverage.measure.drawdown.measure import MEASURE
from deleverage.measure.measure import Measured
from deleverage.report.figures.measures.drawdown import draw
from tests.measure.bars import DAY, FIRST, Bar, candles, walk
from tests.measure.read import value
from tests.measure.truncated import no_look_ahead

BARS: list[Bar] = [(90, 95, 88, 92), (92, 100, 60, 96), (96, 98, 70, 75), (75, 85, 72, 80)]


def at(bars: list[Bar] = BARS, days: int | None = None, **given: object) -> Measured:
    moment = FIRST + (len(bars) if days is None else days) * DAY
    return MEASURE.at(Frames({"candles": candles(bars)}), moment, given)


def test_every_figure_by_hand() -> None:
    found = at()
    expected = {
        "high": 100,
        "high_day": 20_001, "days_since_high": 2, "from_high_close": -0.2, "from_high_low": -0.28,
        "worst_since_high": -0.30,
        "worst_day": 20_002, "recovered": 10 / 30, "high_close": 96,
        "from_high_close_to_close": 80 / 96 - 1,
    }  # fmt: skip
    for name, number in expected.items():
        assert value(found, name) == pytest.approx(number), name


def test_the_low_of_the_high_day_does_not_count_since_nobody_knows_what_came_first() -> None:
    assert value(at(), "worst_since_high") == pytest.approx(-0.30)  # not the 60 of the high's own day
    on_the_day = at(days=2)
    assert value(on_the_day, "days_since_high") == 0
    for name in (
        "from_high_low",
        "worst_since_high",
        "worst_day",
        "recovered",
        "p_brownian",
        "p_brownian_40",
    ):
        row = on_the_day.reading(name)
        assert row is not None and row["value"] is None and row["note"], name


def test_from_begins_the_search_for_the_high() -> None:
    found = at(BARS, None, **{"from": FIRST + 2 * DAY + 5})
    assert value(found, "high") == 98 and value(found, "days_since_high") == 1
    with pytest.raises(MissingDataError):
        at(BARS, None, **{"from": FIRST + 4 * DAY})


def test_too_few_days_before_the_high_say_nothing_about_chance_but_stated_volatilities_do() -> None:
    found = at()
    assert value(found, "volatility") is None and value(found, "p_brownian") is None
    assert value(found, "p_bootstrap") is None
    assert value(found, "p_brownian_40") == pytest.approx(probability(log_depth(0.3), 0.4, 2 / 365))


def long() -> list[Bar]:
    """A year of walk, a high, and a fall of a third in 20 days."""
    bars = walk(365, size=0.03)
    top = 1.2 * max(bar[1] for bar in bars)
    bars.append((bars[-1][3], top, bars[-1][3], top))
    closes = top * np.linspace(1.0, 2 / 3, 21)
    bars += [(float(a), float(a), float(b), float(b)) for a, b in pairwise(closes)]
    return bars


def test_volatility_is_that_of_the_days_before_the_high_alone() -> None:
    found = at(long())
    closes = np.log([bar[3] for bar in walk(365, size=0.03)])
    sigma = float(np.diff(closes).std(ddof=1) * math.sqrt(365))
    row = found.reading("volatility") or {}
    assert row["value"] == pytest.approx(sigma) and row["low"] < sigma < row["high"]
    p = found.reading("p_brownian") or {}
    assert p["value"] == pytest.approx(probability(log_depth(1 / 3), sigma, 20 / 365))
    assert p["low"] < p["value"] < p["high"]
    assert (value(found, "p_brownian_closes") or 1) < p["value"]


def test_the_bootstrap_agrees_with_brownian_motion_where_days_are_drawn_from_one() -> None:
    found = at(long(), stated=-0.25, block=1)
    p = value(found, "p_bootstrap") or 0.0
    # made bars have highs and lows beyond closes, but no continuous path: between both Brownian readings
    assert (value(found, "p_brownian_closes") or 0) * 0.7 < p < (value(found, "p_brownian") or 0) * 1.5
    row = found.reading("p_bootstrap") or {}
    assert row["low"] < p < row["high"] and "10,000 draws" in row["interval"]


def test_the_same_question_has_the_same_answer_and_a_stated_fall_is_asked_for() -> None:
    assert at(long()).readings.equals(at(long()).readings)
    deep, shallow = at(long(), stated=-0.5), at(long(), stated=-0.1)
    for name in ("p_brownian", "p_brownian_60", "p_bootstrap"):
        assert (value(deep, name) or 0) < (value(shallow, name) or 0)
    for wrong in (0.3, 0.0, -1.0):
        with pytest.raises(InputError, match="a fall between -1 and 0"):
            at(long(), stated=wrong)


def test_a_gap_in_the_bars_makes_no_return() -> None:
    bars = candles(long())
    holed = bars.filter(~pl.col("time_ns").is_in([FIRST + 100 * DAY]))
    found = MEASURE.at(Frames({"candles": holed}), FIRST + 400 * DAY)
    assert "362 of the 365" in (found.reading("volatility") or {})["note"]
    assert "14 d before the moment" in (found.reading("from_high_close") or {})["note"]


def test_no_bars_is_an_error_with_a_command() -> None:
    with pytest.raises(MissingDataError, match="daily bars of ETH") as caught:
        at(coin="ETH")
    assert exit_code(caught.value) == 3 and "backfill" in str(caught.value.hint)


def test_no_look_ahead() -> None:
    tables = {"candles": candles(walk(300, size=0.03))}
    assert no_look_ahead(MEASURE, tables, FIRST, FIRST + 310 * DAY, {}) >= 17


def test_blocks_are_days_in_a_row_and_falls_are_from_earlier_highs() -> None:
    picked = blocks(stream("t"), 50, 5, 12, 40)
    assert picked.shape == (40, 12) and picked.min() >= 0 and picked.max() < 50
    assert (np.diff(picked[:, :5], axis=1) == 1).all()
    closes, highs, lows = np.array([0.1, -0.2]), np.array([0.15, 0.0]), np.array([-0.3, -0.25])
    # day 1 has its high at .15, day 2 starts at .1 and falls to −.15: .30; the low of day 1 does not count
    assert largest_falls(closes, highs, lows, np.array([[0, 1]])) == pytest.approx([0.30])
    assert largest_falls(closes, highs, lows, np.array([[0]])) == pytest.approx([0.0])
    low, high = wilson(0, 100)
    assert low == 0.0 and 0.0 < high < 0.05


def test_the_figure_is_made_from_readings_with_and_without_chances() -> None:
    for measured in (at(long()), at(), at(days=2)):
        drawing = draw(measured)
        assert "BTC closed" in drawing.title and "binance spot" in drawing.source
        assert "USD per coin" in drawing.wide and "USD per coin" in drawing.narrow
    assert "not observed" in draw(at()).wide
