"""Does the forecaster know the past only, say when it has no skill, and find skill where there is some?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.special import expit

from deleverage.data.known import known_from
from deleverage.errors import InputError, MissingDataError
from deleverage.experiment.exhaustion import MEASURE, fuel_left, outcome
from deleverage.experiment.exhaustion.floor_model import (
    EMBARGO,
    FEWEST,
    REFIT,
    fit,
    held,
    probability,
    probability_band,
    training_days,
    walk_forward,
)
from deleverage.measure.asof import DAY_NS, Frames
from deleverage.measure.measure import Measured
from deleverage.report.figures.measures import exhaustion as figure
from tests.measure.episode_rows import START, candles, depth, flat, funding, interest, sentiment, walk

DAYS = 800
WALK = candles(walk(DAYS, seed=2, sigma=0.02))


def everything() -> dict[str, pl.DataFrame]:
    rng = np.random.default_rng(3)
    return {
        "candles": WALK,
        "funding": funding(DAYS, list(rng.normal(1e-4, 1e-4, DAYS))),
        "sentiment": sentiment([int(v) for v in rng.integers(5, 95, DAYS)]),
        "open_interest": interest(
            [(k / 2, venue, 1000.0 + k % 11) for k in range(2 * DAYS) for venue in ("a", "cme")]
        ),
        "depth": depth([(k / 6, 100.0 + k % 5) for k in range(6 * DAYS)]),
    }


def at(day: float, frames: Mapping[str, pl.DataFrame], **given: Any) -> Measured:
    return MEASURE.at(Frames(frames), START + round(day * DAY_NS), given)


def row(found: Measured, name: str, subject: str = "BTC") -> dict[str, Any]:
    one = found.reading(name, subject)
    assert one is not None, name
    return one


# --- the target and the model ------------------------------------------------------------------------------


def test_the_target_by_hand() -> None:
    days = np.arange(6)
    close = np.array([100.0, 100.0, 100.0, 90.0, 90.0, 90.0])
    low = np.array([1.0, 99.0, 95.0, 89.0, 88.0, 85.5])
    # day 0 looks at 99 and 95, both at least 95; its own low of 1 is past. Day 3 at 88 and 85.5, 95 % is 85.5
    assert held(days, low, close, 2, 0.95).tolist()[:4] == [1.0, 0.0, 0.0, 1.0]
    assert np.isnan(held(days, low, close, 2, 0.95)[4:]).all()
    assert np.isnan(held(days, low, close, 6, 0.95)).all()


def test_a_hole_in_the_days_leaves_the_target_unknown() -> None:
    days = np.array([0, 1, 2, 4, 5])
    found = held(days, np.full(5, 99.0), np.full(5, 100.0), 1, 0.95)
    assert np.isnan(found).tolist() == [False, False, True, False, True]


def test_the_fit_recovers_odds_and_its_band_narrows_with_days() -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((40_000, 2))
    y = (rng.random(40_000) < expit(0.5 + 1.0 * x[:, 0])).astype(np.float64)
    many = fit(x, y, 1)
    assert many.weights == pytest.approx([0.5, 1.0, 0.0], abs=0.05)
    assert float(probability(many, np.array([[1.0, 0.0]]))[0]) == pytest.approx(expit(1.5), abs=0.02)
    few = fit(x[:400], y[:400], 1)
    today = np.array([1.0, 0.0])
    width = [high - low for low, high in (probability_band(f, today) for f in (many, few))]
    assert 0.0 < width[0] < 0.2 * width[1]


def test_overlapping_days_count_less() -> None:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((300, 1))
    y = (x[:, 0] > 0).astype(np.float64)
    assert abs(fit(x, y, 30).weights[1]) < abs(fit(x, y, 1).weights[1])
    assert fit(x, y, 30).covariance[1, 1] > fit(x, y, 1).covariance[1, 1]


def test_a_component_that_is_never_seen_weighs_nothing() -> None:
    rng = np.random.default_rng(6)
    x = np.column_stack([rng.standard_normal(500), np.full(500, math.nan)])
    fitted = fit(x, (rng.random(500) < 0.4).astype(np.float64), 1)
    assert fitted.weights[2] == pytest.approx(0.0) and fitted.sd[1] == 0.0
    assert np.isfinite(probability(fitted, x)).all()


def test_one_outcome_alone_gives_no_certainty() -> None:
    fitted = fit(np.random.default_rng(7).standard_normal((400, 2)), np.ones(400), 30)
    found = probability(fitted, np.zeros((1, 2)))[0]
    assert 0.9 < found < 1.0


def test_the_walk_uses_no_outcome_that_reaches_into_its_block() -> None:
    rng = np.random.default_rng(8)
    x, y = rng.standard_normal((700, 1)), (rng.random(700) < 0.4).astype(np.float64)
    horizon = 30
    base = walk_forward(x, y, horizon)
    first = 510  # a multiple of REFIT
    assert first % REFIT == 0 and np.isfinite(base.model[first])
    edge = first - horizon - EMBARGO  # the newest outcome that was known
    changed = y.copy()
    changed[edge + 1 :] = 1.0 - changed[edge + 1 :]
    again = walk_forward(x, changed, horizon)
    assert again.model[: first + REFIT] == pytest.approx(base.model[: first + REFIT], nan_ok=True)
    assert again.climatology[: first + 1] == pytest.approx(base.climatology[: first + 1], nan_ok=True)
    changed[edge] = 1.0 - changed[edge]
    other = walk_forward(x, changed, horizon)
    assert other.model[first] != base.model[first] and other.climatology[first] != base.climatology[first]


def test_nothing_is_forecast_before_enough_is_known() -> None:
    y = np.tile([1.0, 0.0], 300)
    found = walk_forward(np.zeros((600, 1)), y, 30)
    start = int(np.flatnonzero(np.isfinite(found.model))[0])
    assert FEWEST + 30 + EMBARGO - 1 <= start < FEWEST + 30 + EMBARGO + REFIT
    assert found.climatology[start] == pytest.approx(0.5, abs=0.01)
    assert training_days(y, 30).sum() == 600 - 30 - EMBARGO


# --- the measure -------------------------------------------------------------------------------------------


def test_a_random_walk_gives_no_number_but_the_reason() -> None:
    found = at(DAYS, everything())
    chance = row(found, "probability")
    assert chance["value"] is None and chance["note"].startswith("no skill: Brier ")
    skill = row(found, "skill")
    assert skill["low"] <= 0.0 and f"{skill['value']:.3f}" in chance["note"]
    brier, rival = row(found, "brier")["value"], row(found, "brier_climatology")["value"]
    assert skill["value"] == pytest.approx(1 - brier / rival)
    scored = row(found, "days_scored")["value"]
    assert row(found, "independent_windows")["value"] == scored // 30
    assert (
        row(found, "climatology")["low"]
        < row(found, "climatology")["value"]
        < row(found, "climatology")["high"]
    )
    held_days = found.series.filter((pl.col("name") == "held") & pl.col("value").is_not_null())
    assert held_days.height == DAYS - 30
    assert not found.readings["value"].is_nan().any()


def test_skill_is_found_where_the_future_follows_a_component() -> None:
    # calm and stormy seasons of 50 days: a calm price holds, one that swings by 12 % holds at its low alone
    quiet, loud = flat(50, step=0.001), flat(50, step=0.12)
    seasons = [bar for _ in range(10) for bar in (*quiet, *loud)]
    found = at(999, {"candles": candles(seasons)}, horizon=10, block=100)
    chance, skill = row(found, "probability"), row(found, "skill")
    assert skill["low"] > 0.3 and row(found, "log_skill")["low"] > 0.2
    assert 0.0 < chance["low"] < chance["value"] < chance["high"] < 0.3  # stormy, and not at the low
    assert row(found, "weight_volatility")["high"] < 0.0
    assert "not observed and set to the mean: funding, sentiment" in chance["note"]
    drawing = figure.draw(found)
    assert "holds with probability" in drawing.title and "not observed" in drawing.wide


def test_few_days_are_told_and_not_scored() -> None:
    found = at(450, {"candles": WALK})
    assert (
        row(found, "probability")["value"] is None
        and "days could be scored" in row(found, "probability")["note"]
    )
    assert row(found, "skill")["value"] is None and row(found, "days_scored")["value"] < 180
    assert row(found, "climatology")["value"] is not None
    assert "too few days" in figure.draw(found).title


def test_components_by_hand() -> None:
    # 60 days between 100 and 101, a day up to 120, then 20 days between 90 and 90.9
    prices = [*flat(60), (100.0, 120.0, 100.0, 90.0), *flat(20, price=90.0)]
    frames = {
        "candles": candles(prices),
        "funding": funding(81, [1e-4] * 74 + [2e-4] * 7),
        "sentiment": sentiment([50] * 80 + [12, 99]),
        "open_interest": interest(
            [(61.0, "a", 100.0), (61.0, "cme", 999.0), (80.0, "a", 70.0), (80.5, "b", 30.0), (81.2, "a", 1.0)]
        ),
        "depth": depth([(k, 200.0) for k in range(31, 60)] + [(k / 2, 50.0) for k in range(148, 162)]),
    }
    found = at(81, frames)
    assert row(found, "close")["value"] == 90.0
    assert row(found, "from_high")["value"] == pytest.approx(90 / 120 - 1)
    # 30 returns, all of ln 1.01
    sigma = math.log(1.01)
    month = [sigma] * 20 + [abs(math.log(0.9))] + [sigma] * 9
    assert row(found, "volatility")["value"] == pytest.approx(
        float(np.mean(month)) * math.sqrt(math.pi / 2) * math.sqrt(365)
    )
    # 0.02 % three times a day, 365.25 days
    assert row(found, "funding")["value"] == pytest.approx(2e-4 * 3 * 365.25)
    assert row(found, "funding_percentile")["value"] is None  # 81 days are less than 90
    assert row(found, "sentiment")["value"] == 12.0  # of the day that has ended, not of the one that begins
    assert row(found, "open_interest")["value"] == 100.0
    assert row(found, "open_interest_reset")["value"] == pytest.approx(70 / 100 - 1)
    assert row(found, "depth_recovery")["value"] == 0.25
    fuel = row(found, "fuel_13")
    share = fuel_left.band(0.13, fuel_left.embedded_prior())
    assert fuel["value"] == pytest.approx(share.middle * 100.0 * 90.0)
    assert row(found, "fuel_13_coins")["low"] == pytest.approx(share.low * 100.0)
    assert fuel["unit"] == "USD" and "prior" in fuel["interval"]


def test_what_the_lake_lacks_is_null_and_named() -> None:
    found = at(DAYS, {"candles": WALK})
    for name in ("fuel_5", "fuel_20_coins", "open_interest_reset", "funding", "sentiment", "depth_recovery"):
        assert row(found, name)["value"] is None and row(found, name)["note"], name
    assert {lack.table for lack in found.missing} == {"open_interest", "funding", "sentiment", "depth"}
    assert all(lack.command.startswith("deleverage ") for lack in found.missing)
    assert "open interest not observed" in figure.draw(found).wide


def test_old_open_interest_is_not_todays() -> None:
    frames = {"candles": WALK, "open_interest": interest([(DAYS - 3.5, "a", 100.0)])}
    assert row(at(DAYS, frames), "fuel_5")["value"] is None


def test_no_look_ahead() -> None:
    frames = everything()
    rng = np.random.default_rng(9)
    for moment in rng.integers(START + 380 * DAY_NS, START + DAYS * DAY_NS, 12):
        known = {name: frame.filter(known_from(name) <= int(moment)) for name, frame in frames.items()}
        full, cut = MEASURE.at(Frames(frames), int(moment)), MEASURE.at(Frames(known), int(moment))
        assert full.readings.equals(cut.readings) and full.series.equals(cut.series)
        assert full.readings["to_ns"].drop_nulls().max() <= moment


def test_forecasts_of_past_days_do_not_change() -> None:
    frames = everything()
    early, late = (at(day, frames).series.filter(pl.col("name") == "forecast") for day in (700, DAYS))
    assert late.head(early.height).equals(early)


def test_without_bars_or_with_old_ones_it_names_the_command() -> None:
    for frames, day in (({}, DAYS), ({"candles": WALK}, DAYS + 4)):
        with pytest.raises(MissingDataError, match="daily bars of BTC") as caught:
            at(day, frames)
        assert caught.value.context["table"] == "candles"
        assert "backfill binance-spot BTCUSDT --what klines" in str(caught.value.context["command"])


@pytest.mark.parametrize(
    "given", [{"horizon": 0.5}, {"horizon": 200}, {"block": 29}, {"horizon": 60, "block": 30}, {"floor": 1.1}]
)
def test_parameters_without_sense_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="exhaustion, parameter"):
        at(DAYS, {"candles": WALK}, **given)


# --- fuel and what happened --------------------------------------------------------------------------------


def test_fuel_at_its_own_fall_is_itself_and_grows_with_the_fall() -> None:
    assert float(fuel_left.liquidated_share(0.13, 0.3, 1.7)) == pytest.approx(0.3)
    # 1 − 0.7^((5/13)^2) = 1 − 0.7^0.148
    assert float(fuel_left.liquidated_share(0.05, 0.3, 2.0)) == pytest.approx(1 - 0.7 ** (25 / 169))
    bands = [fuel_left.band(fall, fuel_left.embedded_prior()) for fall in fuel_left.FALLS]
    for nearer, further in itertools.pairwise(bands):
        assert all(a < b for a, b in zip(nearer, further, strict=True))
    for one in bands:
        assert 0.0 < one.low < one.middle < one.high < 1.0


def test_the_median_fuel_is_that_of_the_log_uniform_prior() -> None:
    prior = fuel_left.embedded_prior()
    assert (prior.low, prior.high) == (0.05, 0.60)
    assert fuel_left.band(0.13, prior).middle == pytest.approx(math.sqrt(0.05 * 0.60), rel=0.01)


def test_the_outcome_reads_what_came_later() -> None:
    bars = [(100.0, 100.0, 100.0, 100.0)] * 10 + [(100.0, 100.0, 94.0, 99.0)] + [(99.0, 99.0, 90.0, 95.0)]
    source = Frames({"candles": candles(bars)})
    at_ns = START + 5 * DAY_NS  # the day that ended is the fifth
    later = outcome(source, at_ns, 5, 0.95, further=(6, 90))
    assert later.day_ns == START + 4 * DAY_NS and later.close == 100.0
    assert later.held is True and [one.days for one in later.lowest] == [5, 6, 90]
    assert later.lowest[1].low == 94.0 and later.lowest[1].low_day_ns == START + 10 * DAY_NS
    last = later.lowest[2]
    assert (last.share, last.seen, last.complete) == (0.9, 7, False)
    assert outcome(source, at_ns, 6, 0.95).held is False
    assert outcome(source, at_ns, 90, 0.95).held is False  # it fell, whatever is still to come
    assert outcome(source, at_ns, 90, 0.80).held is None
    end = outcome(source, START + 12 * DAY_NS, 5, 0.95)
    assert end.held is None and end.lowest[0].low is None
    with pytest.raises(MissingDataError, match="daily bar of BTC"):
        outcome(source, START + 20 * DAY_NS)
