"""The run beside the world: which bars are chosen, what they say, and the verdict on a published figure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from deleverage import schema
from deleverage.experiment import compare
from deleverage.experiment.answer import Answer
from deleverage.experiment.scenario import Published, Scenario
from tests.experiment.small import answer_of, pair

NS = 1_000_000_000


def at(clock: str, day: str = "2025-10-10") -> int:
    return round(datetime.fromisoformat(f"{day}T{clock}:00+00:00").astimezone(UTC).timestamp()) * NS


def bar(
    clock: str, kind: str = "perp", interval_s: int = 60, coin: str = "BTC", **values: Any
) -> dict[str, Any]:
    row = {
        "time_ns": at(clock),
        "venue": "binance",
        "kind": kind,
        "coin": coin,
        "symbol": f"{coin}USDT",
        "interval_s": interval_s,
        "open": 100.0,
        "high": 101.0,
        "low": 99.0,
        "close": 100.0,
        "volume_coins": 1.0,
        "taker_buy_coins": None,
        "trades": None,
        "source": f"{kind}-{interval_s}.csv",
    }
    return row | values


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    types = {column.name: getattr(pl, column.dtype) for column in schema.CANDLES.columns}
    return schema.conform(pl.DataFrame(list(rows), schema=types), schema.CANDLES)


class OneTable:
    """A lake that holds these bars."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = frame(*rows)

    def read(
        self,
        table_name: str,
        /,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        where: dict[str, str | float | int] | None = None,
    ) -> pl.DataFrame:
        assert table_name == "candles"
        found = self.rows.filter(pl.col("time_ns").is_between(start_ns, end_ns))
        for column, value in (where or {}).items():
            found = found.filter(pl.col(column) == value)
        return found


def clock_of(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / NS, UTC).strftime("%H:%M")


def chosen(*rows: dict[str, Any], scenario: Scenario | None = None) -> list[tuple[str, str, int]]:
    """Opening, kind and length of the bars that a run of the night is set against."""
    found = compare.read_candles(scenario or Scenario.load("oct-10-binance"), OneTable(*rows))
    return [(clock_of(row["time_ns"]), row["kind"], row["interval_s"]) for row in found.iter_rows(named=True)]


# --- which bars ------------------------------------------------------------------------------------------


def test_minutes_of_the_perpetual_then_five_minutes_of_spot_then_hours() -> None:
    minutes = [bar(f"21:{m:02}") for m in range(60)]
    spot = [bar(f"{h}:{m:02}", "spot", 300) for h in (21, 22) for m in range(0, 60, 5)]
    hours = [bar(f"{h}:00", kind, 3600) for h in (20, 21, 22) for kind in ("perp", "spot")]
    found = chosen(*hours, *spot, *minutes)
    assert found[:60] == [(f"21:{m:02}", "perp", 60) for m in range(60)]
    # From 22:00 on there are no minutes; the run ends at 22:30, and spot covers it.
    assert found[60:] == [(f"22:{m:02}", "spot", 300) for m in range(0, 30, 5)]


def test_where_there_is_nothing_finer_the_hours_of_the_perpetual_are_used() -> None:
    hours = [bar(f"{h}:00", kind, 3600, coin="ETH") for h in (20, 21, 22) for kind in ("spot", "perp")]
    # The hour of 20:00 began before the run: its low may be of before.
    assert chosen(*hours) == [("21:00", "perp", 3600), ("22:00", "perp", 3600)]


def test_without_the_perpetual_spot_is_used() -> None:
    assert chosen(bar("21:00", "spot", 3600, coin="SOL")) == [("21:00", "spot", 3600)]


def test_hours_follow_where_the_minutes_end() -> None:
    minutes = [bar(f"20:{m}") for m in range(49, 60)]
    assert chosen(*minutes, bar("20:00", "perp", 3600), bar("21:00", "perp", 3600))[-2:] == [
        ("20:59", "perp", 60),
        ("21:00", "perp", 3600),
    ]


def test_bars_of_other_venues_coins_and_times_are_left_out() -> None:
    assert chosen(
        bar("21:00", venue="bybit"),
        bar("21:01", coin="DOGE"),
        bar("20:48"),
        bar("22:30"),
        bar("20:49"),
    ) == [("20:49", "perp", 60)]


def test_an_empty_lake_gives_an_empty_table_of_the_schema() -> None:
    found = compare.read_candles(Scenario.load("oct-10-binance"), OneTable())
    assert found.equals(schema.empty(schema.CANDLES))


# --- what they say ---------------------------------------------------------------------------------------

BAND = {market: {"p05": 0.02, "p50": 0.05, "p95": 0.08} for market in ("BTC", "ETH", "SOL")}


def seen(*rows: dict[str, Any], market: str = "BTC") -> Any:
    return compare.observed(Scenario.load("oct-10-binance"), frame(*rows), BAND)[market]


def test_the_real_drop_is_from_the_first_open_to_the_lowest_low() -> None:
    found = seen(bar("20:49", open=200.0, low=198.0), bar("20:50", low=190.0), bar("20:51", low=195.0))
    assert (found["start"], found["low"], found["low_at"]) == (200.0, 190.0, "2025-10-10T20:50:00Z")
    assert found["drop"] == pytest.approx(0.05)
    assert found["inside"] is True
    assert (found["bar_s"], found["source"]) == (60, "perp-60.csv")


@pytest.mark.parametrize(
    ("low", "inside"), [(98.0, True), (98.001, False), (92.0, True), (91.999, False), (95.0, True)]
)
def test_inside_means_within_the_band_its_ends_included(low: float, inside: bool) -> None:
    assert seen(bar("20:49", low=low))["inside"] is inside


def test_a_first_bar_long_after_the_start_leaves_the_start_to_the_scenario() -> None:
    found = seen(bar("21:00", "perp", 3600, coin="ETH", open=3900.0, low=3400.0), market="ETH")
    assert found["start"] == Scenario.load("oct-10-binance").market["ETH"].start_price.number == 4000.59
    assert found["drop"] == pytest.approx(1 - 3400.0 / 4000.59)


def test_the_low_of_an_hour_that_outlasts_the_run_is_not_its_low() -> None:
    hours = [
        bar("21:00", "perp", 3600, coin="ETH", low=3400.0),
        bar("22:00", "perp", 3600, coin="ETH", low=3000.0),  # the run ends at 22:30
    ]
    assert seen(*hours, market="ETH")["low"] == 3400.0


def test_spot_says_nothing_about_the_low_of_a_perpetual_that_was_observed() -> None:
    assert seen(bar("20:49", low=98.0), bar("22:00", "spot", 300, low=50.0))["low"] == 98.0
    assert seen(bar("22:00", "spot", 300, low=50.0))["low"] == 50.0


def test_a_market_without_bars_is_null() -> None:
    assert seen(bar("20:49"), market="SOL") is None


def factual(closes: dict[str, list[float]], variant: str = "factual", market: str = "BTC") -> pl.DataFrame:
    rows = [
        (variant, seed, market, at(clock), close)
        for clock, values in closes.items()
        for seed, close in enumerate(values)
    ]
    return pl.DataFrame(rows, schema=["variant", "seed", "market", "time_ns", "close"], orient="row")


HUNDRED = [float(i) for i in range(101)]
"""Closes of 101 draws: the 5 % point is 5, the 95 % point is 95."""


def test_a_close_is_compared_with_the_band_at_the_end_of_its_bar() -> None:
    scenario = Scenario.load("oct-10-binance")
    minutes = factual({"21:00": HUNDRED, "21:01": HUNDRED, "21:04": [c + 1000 for c in HUNDRED]})
    inside = compare.closes_inside(
        scenario, frame(bar("21:00", close=5.0), bar("21:01", close=95.1)), minutes, "BTC"
    )
    assert inside == 0.5
    # A bar of five minutes that opened at 21:00 ends with the minute of 21:04.
    five = frame(bar("21:00", "spot", 300, close=1050.0))
    assert compare.closes_inside(scenario, five, minutes, "BTC") == 1.0


@pytest.mark.parametrize(("close", "share"), [(5.0, 1.0), (4.9, 0.0), (95.0, 1.0), (95.1, 0.0)])
def test_the_band_of_closes_is_the_same_ninety_percent_as_everywhere(close: float, share: float) -> None:
    found = compare.closes_inside(
        Scenario.load("oct-10-binance"), frame(bar("21:00", close=close)), factual({"21:00": HUNDRED}), "BTC"
    )
    assert found == share


def test_the_band_lies_between_draws_where_they_are_few() -> None:
    # Of 0 and 100 the 5 % point is 5: between them, as in the summary's intervals, not one of the two.
    two = factual({"21:00": [0.0, 100.0]})
    scenario = Scenario.load("oct-10-binance")
    assert compare.closes_inside(scenario, frame(bar("21:00", close=4.0)), two, "BTC") == 0.0
    assert compare.closes_inside(scenario, frame(bar("21:00", close=6.0)), two, "BTC") == 1.0


def test_only_the_factual_runs_and_the_market_itself_make_the_band() -> None:
    scenario = Scenario.load("oct-10-binance")
    other = pl.concat(
        [
            factual({"21:00": HUNDRED}),
            factual({"21:00": [9e9] * 101}, variant="no_liquidations"),
            factual({"21:00": [9e9] * 101}, market="ETH"),
        ]
    )
    assert compare.closes_inside(scenario, frame(bar("21:00", close=95.1)), other, "BTC") == 0.0
    assert compare.closes_inside(scenario, frame(bar("21:00", close=50.0)), other, "BTC") == 1.0
    assert compare.closes_inside(scenario, frame(bar("19:00", close=50.0)), other, "BTC") is None


def test_made_up_bars_reach_the_summary_and_change_no_simulated_number(small_answer: Answer) -> None:
    scenario = pair()
    rows = [
        bar(
            "12:00",
            coin="ALPHA",
            time_ns=scenario.start_ns + 60 * NS * i,
            open=10_000.0,
            low=9_000.0,
            close=9_900.0,
        )
        for i in range(10)
    ]
    with_bars = answer_of(scenario, candles=frame(*rows))
    found = with_bars.summary["observed"]["ALPHA"]
    assert found["drop"] == pytest.approx(0.1)
    assert 0.0 <= found["closes_inside"] <= 1.0
    assert with_bars.summary["observed"]["BETA"] is None
    skip = ("observed", "wall_s")
    assert {k: v for k, v in with_bars.summary.items() if k not in skip} == {
        k: v for k, v in small_answer.summary.items() if k not in skip
    }


# --- published figures ----------------------------------------------------------------------------------

SUMMARY = {
    "liquidations": {"total_usd": {"p05": 1.0, "p50": 2.0, "p95": 3.0}},
    "adl": {"usd": {"p05": 0.0, "p50": 0.0, "p95": 9.0}, "first_after_s": None, "runs_reached": 4},
    "open_interest": {"BTC": {"before_coins": 92_603.27}},
}


def verdict(quantity: str, value: float | None, comparable: bool = True) -> dict[str, Any]:
    item = Published(
        id="one",
        text="a figure",
        quantity=quantity,
        market="",
        value=value,
        unit="USD",
        by_whose_count="somebody",
        venue_set="one venue",
        comparable=comparable,
        used_to_fit=False,
        source="amberdata",
    )
    scenario = Scenario.load("oct-10-binance").model_copy(update={"published": (item,)})
    (row,) = compare.published(scenario, SUMMARY)
    assert compare.published_table([row]).height == 1
    return row


@pytest.mark.parametrize(
    ("value", "expected"),
    [(2.5, "inside"), (1.0, "inside"), (3.0, "inside"), (0.999, "outside"), (3.001, "outside")],
)
def test_a_comparable_figure_is_inside_or_outside_the_band(value: float, expected: str) -> None:
    row = verdict("liquidations.total_usd", value)
    assert row["verdict"] == expected
    assert (row["p05"], row["p50"], row["p95"], row["published"]) == (1.0, 2.0, 3.0, value)


def test_a_figure_of_other_venues_is_never_judged_even_where_it_would_fit() -> None:
    row = verdict("liquidations.total_usd", 2.0, comparable=False)
    assert row["verdict"] == "different venue set"
    assert row["p50"] == 2.0  # what the run has is still shown beside it


@pytest.mark.parametrize(
    "quantity",
    [
        "",
        "liquidations.by_the_moon",
        "price.BTC.drop",
        "liquidations",
        "adl.first_after_s",
        "adl.runs_reached.p05",
    ],
)
def test_what_the_run_has_no_quantity_for_is_not_simulated(quantity: str) -> None:
    row = verdict(quantity, 2.0)
    assert row["verdict"] == "not simulated"
    assert (row["p05"], row["p50"], row["p95"]) == (None, None, None)


def test_a_figure_without_a_value_is_not_judged() -> None:
    assert verdict("liquidations.total_usd", None)["verdict"] == "not simulated"


def test_a_plain_number_of_the_run_is_a_band_of_no_width() -> None:
    assert verdict("open_interest.BTC.before_coins", 92_603.27)["verdict"] == "inside"
    assert verdict("open_interest.BTC.before_coins", 128_759.0)["verdict"] == "outside"


def test_every_published_figure_of_the_night_has_its_row_and_only_figures_of_binance_are_judged(
    night_answer: Answer,
) -> None:
    scenario = Scenario.load("oct-10-binance")
    rows = night_answer.summary["published"]
    assert [row["id"] for row in rows] == [item.id for item in scenario.published]
    judged = [row for row in rows if row["verdict"] in ("inside", "outside")]
    assert len(judged) >= 5
    assert all(row["venue_set"].startswith("Binance") for row in judged)
    assert {row["id"] for row in rows if row["verdict"] == "different venue set"} == {
        item.id for item in scenario.published if not item.comparable
    }
    assert night_answer.tables["published"].height == len(rows)


def test_quantities_that_published_figures_ask_for_exist_in_the_summary(night_answer: Answer) -> None:
    scenario = Scenario.load("oct-10-binance")
    never = {"adl.first_after_s"}  # null where no draw reaches deleveraging
    for item in scenario.published:
        if item.quantity and item.quantity not in never:
            assert compare.quantity(night_answer.summary, item.quantity) is not None, item.id
