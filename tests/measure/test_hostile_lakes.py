"""What nobody can have observed never becomes a figure, and no parameter ends in a traceback."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deleverage import measure as measure_room
from deleverage.errors import InputError, MissingDataError
from deleverage.experiment.exhaustion.days import weekly_funding
from deleverage.experiment.measures import ALL, OF_RUNS
from deleverage.measure.asof import AsOf, Frames
from deleverage.measure.measure import Measured
from deleverage.measure.prices import daily
from deleverage.measure.sentiment.components import Inputs, funding
from deleverage.report.measures import detail_screen, overview_screen
from deleverage.schema import LAKE_TABLES
from tests.measure.world import DAY, DAYS, FIRST, HOUR, frame, tables

WORLD = tables()
END = FIRST + DAYS * DAY
OF_THE_LAKE = [name for name in ALL if name not in OF_RUNS]
Change = Callable[[pl.Expr], pl.Expr]


def with_numbers(change: Change) -> dict[str, pl.DataFrame]:
    """The world with every number of every table changed."""
    made = {}
    for name, rows in WORLD.items():
        key = LAKE_TABLES[name].key
        numbers = [c for c, dtype in rows.schema.items() if dtype == pl.Float64 and c not in key]
        made[name] = rows.with_columns(change(pl.col(c)).alias(c) for c in numbers)
    return made


def one_in_30(value: float) -> Change:
    """Every 30th row becomes ``value``."""
    return lambda column: pl.when(pl.int_range(pl.len()) % 30 == 7).then(value).otherwise(column)


HOSTILE = {
    "one in 30 is NaN": with_numbers(one_in_30(float("nan"))),
    "one in 30 is inf": with_numbers(one_in_30(float("inf"))),
    "one in 30 is -inf": with_numbers(one_in_30(float("-inf"))),
    "one in 30 is 0": with_numbers(one_in_30(0.0)),
    "all are NaN": with_numbers(lambda column: column * float("nan")),
    "all are 0": with_numbers(lambda column: column * 0.0),
    "all are negative": with_numbers(lambda column: -column),
    "all are alike": with_numbers(lambda column: column * 0.0 + 100.0),
    "the last row alone": {name: rows.sort("time_ns").tail(1) for name, rows in WORLD.items()},
    "two days": {name: rows.filter(pl.col("time_ns") >= END - 2 * DAY) for name, rows in WORLD.items()},
    "every third week": {
        name: rows.filter(pl.col("time_ns") // (7 * DAY) % 3 == 0) for name, rows in WORLD.items()
    },
}


def answer(name: str, world: dict[str, pl.DataFrame], at_ns: int = END) -> Measured | None:
    try:
        return ALL[name].at(Frames(world), at_ns)
    except MissingDataError:
        return None


@pytest.mark.parametrize("world", HOSTILE)
@pytest.mark.parametrize("name", OF_THE_LAKE)
def test_a_hostile_lake_gives_figures_or_says_what_is_missing(name: str, world: str) -> None:
    found = answer(name, HOSTILE[world])
    if found is not None:
        for row in found.readings.iter_rows(named=True):
            if None not in (row["low"], row["high"]):
                assert row["low"] <= row["high"], row
        for column in ("value", "low", "high"):
            assert found.series[column].drop_nulls().is_finite().all()


@pytest.mark.parametrize("name", ["drawdown", "change", "candle", "market_value", "episodes"])
@pytest.mark.parametrize("world", ["all are NaN", "all are 0", "all are negative"])
def test_a_lake_of_impossible_prices_has_no_answer(name: str, world: str) -> None:
    assert answer(name, HOSTILE[world]) is None


def test_a_negative_price_is_a_day_that_was_not_observed() -> None:
    rows = WORLD["candles"].filter((pl.col("coin") == "BTC") & (pl.col("interval_s") == 86_400))
    bad = rows.with_columns(low=pl.when(pl.col("time_ns") == END - DAY).then(-1.0).otherwise(pl.col("low")))
    found = daily(AsOf(Frames({"candles": bad}), END), "BTC")
    assert found.height == rows.height - 1
    assert found["time_ns"].max() == END - 2 * DAY


def test_a_day_s_volume_of_which_an_hour_was_not_observed_is_null() -> None:
    hours = FIRST + HOUR * np.arange(24)
    one = frame("candles", {
        "time_ns": hours, "venue": "binance", "kind": "spot", "coin": "BTC", "symbol": "BTCUSDT",
        "interval_s": 3_600, "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0,
        "volume_coins": [None, *[1.0] * 23],
    })  # fmt: skip
    found = daily(AsOf(Frames({"candles": one}), END), "BTC")
    assert found["volume_coins"].to_list() == [None]


def test_weeks_of_the_same_funding_rate_rank_alike() -> None:
    """0.007 % every 8 h after wild weeks: what is left of them in a running sum must not order the weeks."""
    wild = np.random.default_rng(4).normal(1e-4, 1e-3, 3 * 100).round(8)
    rates = np.concatenate([wild, np.full(3 * 400, 7e-5)])
    rows = frame("funding", {
        "time_ns": FIRST + 8 * HOUR * np.arange(rates.size), "venue": "binance", "coin": "BTC",
        "symbol": "BTCUSDT", "interval_s": 28_800, "rate": rates,
    })  # fmt: skip
    days = FIRST // DAY + np.arange(110, 490)
    asof = AsOf(Frames({"funding": rows}), int(days[-1] + 2) * DAY)
    assert np.unique(weekly_funding(asof, "BTC", days)).size == 1
    assert np.unique(funding(Inputs(asof), days * DAY)).size == 1


def test_no_measure_adds_up_groups_in_the_order_of_threads() -> None:
    """polars adds the parts of a group as they come unless told otherwise: the last digits would differ."""
    found = []
    rooms = Path(measure_room.__file__).parent
    for path in sorted(rooms.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            groups = node.func.value
            if node.func.attr != "agg" or not isinstance(groups, ast.Call):
                continue
            ordered = any(word.arg == "maintain_order" for word in groups.keywords)
            adds = {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)} & {"sum", "mean"}
            if adds and not ordered:
                found.append(f"{path.name}:{node.lineno}")
    assert not found


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("change", {"since_days": 1e9}),
        ("drawdown", {"window": 1e300}),
        ("drawdown", {"block": 1e300}),
        ("decoupling", {"window": 1e12}),
        ("decoupling", {"breaks_days": 1e300}),
        ("episodes", {"window": 1e9}),
        ("episodes", {"quiet": 1e300}),
        ("leverage", {"max_age": 1e300}),
        ("leverage", {"base_days": 1e9}),
        ("liquidity", {"window": 1e300}),
        ("outflows", {"from": "1000-01-01"}),
        ("outflows", {"to": "9999-12-31"}),
        ("liquidation_counts", {"others_share": -1.0}),
        ("liquidity", {"crash_from": "2025-10-01", "crash_to": "2025-09-01"}),
        ("sentiment", {"level": -3.0}),
        ("sentiment", {"level": 101.0}),
    ],
)
def test_a_parameter_out_of_range_is_refused(name: str, given: dict[str, float | str]) -> None:
    with pytest.raises(InputError) as caught:
        ALL[name].at(Frames(WORLD), END, given)
    assert "expected" in caught.value.message and "found" in caught.value.message


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("at_ns", [-(2**62), 253_402_214_400 * 10**9])
def test_a_moment_that_nanoseconds_cannot_hold_is_refused(name: str, at_ns: int) -> None:
    with pytest.raises(InputError, match="1900 to 2199"):
        ALL[name].at(Frames({}), at_ns)


@pytest.mark.parametrize("window", [1e-9, 1e-4, 0.02])
def test_a_window_shorter_than_a_bar_looks_at_the_bar(window: float) -> None:
    found = ALL["episodes"].at(Frames(WORLD), END, {"window": window})
    assert found.reading("episodes") is not None


@pytest.mark.parametrize("name", ["drawdown", "change", "candle", "decoupling", "feedback", "outflows"])
def test_figures_of_old_data_are_told_to_be_old(name: str) -> None:
    now, later = answer(name, WORLD), answer(name, WORLD, END + 300 * DAY)
    assert now is not None and later is not None
    assert "rests on end" not in overview_screen([(ALL[name], now)], END, 100, False)
    for screen in (
        overview_screen([(ALL[name], later)], later.at_ns, 100, False),
        detail_screen(ALL[name], later, 100, False),
    ):
        assert "rests on end 2025-10" in screen
        assert "days before" in screen
