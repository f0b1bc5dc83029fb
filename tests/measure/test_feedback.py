"""Is a branching ratio given where the feed allows it, and refused with the reason where not?"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from deleverage.errors import InputError, MissingDataError
from deleverage.measure.asof import Frames
from deleverage.measure.feedback.hawkes.simulate import draw
from deleverage.measure.feedback.measure import MEASURE, stamp, tie_share
from deleverage.measure.measure import Measured, time_ns
from deleverage.report.figures.measures.feedback import draw as draw_figure
from deleverage.schema import LAKE_TABLES, conform

SECOND_NS = 1_000_000_000
START = time_ns("2025-10-10")
RATIOS = (
    "branching",
    "branching_constant",
    "branching_flexible",
    "baseline_effect",
    "branching_counts",
    "branching_binned",
)


def stream(*seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


def table(times_ns: list[int], *, venue: str = "bybit", feed: str = "allLiquidation") -> pl.DataFrame:
    """Rows of table `liquidations` at these times, one contract, sizes all different."""
    count = len(times_ns)
    schema = LAKE_TABLES["liquidations"]
    columns = {
        "time_ns": times_ns,
        "received_ns": [None] * count,
        "venue": [venue] * count,
        "kind": ["perp"] * count,
        "coin": ["BTC"] * count,
        "symbol": ["BTCUSDT"] * count,
        "event_id": [f"e{k}" for k in range(count)],
        "side": ["long"] * count,
        "coins": [1.0 + k for k in range(count)],
        "price": [100.0] * count,
        "order_price": [100.0] * count,
        "usd": [100.0 + k for k in range(count)],
        "usd_at": ["fill"] * count,
        "feed": [feed] * count,
        "source": ["test"] * count,
    }
    types = {column.name: getattr(pl, column.dtype) for column in schema.columns}
    return conform(pl.DataFrame(columns, schema=types).select(schema.names), schema)


def hawkes(n: float, span: float = 1_500.0, seed: int = 1) -> list[int]:
    events = draw(np.array([0.0, span]), np.array([0.2]), n, np.ones(1), np.array([1.0]), stream(seed))
    return [START + round(at * 1e3) * 1_000_000 for at in events.times.tolist()]


def value(found: Measured, name: str) -> float:
    row = found.reading(name, "BTC")
    assert row is not None
    assert row["value"] is not None, row["note"]
    return float(row["value"])


def at(times: list[int], given: dict[str, object] | None = None, **kwargs: str) -> Measured:
    frames = Frames({"liquidations": table(times, **kwargs)})
    return MEASURE.at(
        frames, START + 86_400 * SECOND_NS, {"venue": kwargs.get("venue", "bybit"), **(given or {})}
    )


@pytest.fixture(scope="module")
def full() -> Measured:
    return at(hawkes(0.6, span=900.0))


def test_a_full_feed_of_a_known_ratio_gives_it_with_an_interval_that_holds_it(full: Measured) -> None:
    row = full.reading("branching", "BTC")
    assert row is not None
    assert row["low"] < 0.6 < row["high"]
    assert abs(row["value"] - 0.6) < 0.15
    assert row["low"] <= value(full, "branching_constant") <= row["high"]
    effect = value(full, "branching_constant") - value(full, "branching_flexible")
    assert value(full, "baseline_effect") == pytest.approx(effect)
    assert value(full, "decay") == pytest.approx(1.0, rel=0.5)
    assert value(full, "ks_p") > 0.02
    assert value(full, "dispersion") == pytest.approx(1.0, abs=0.3)


def test_equal_tables_give_equal_figures() -> None:
    times = hawkes(0.5, span=120.0)
    assert at(times).readings.equals(at(times).readings)


def test_a_throttled_feed_gives_no_ratio_and_says_what_one_would_be_off_by() -> None:
    found = at([START + k * 7 * SECOND_NS for k in range(60)], venue="binance", feed="forceOrder")
    for name in RATIOS:
        row = found.reading(name, "BTC")
        assert row is not None
        assert row["value"] is None
        assert "at most one event" in row["note"]
        assert "0.5 comes out as 0.0 to 0.03" in row["note"]
    assert value(found, "events") == 60.0
    assert found.series.filter(pl.col("name") == "gap")["value"].to_list() == [7.0] * 59


def test_before_its_change_the_same_feed_published_all_and_is_fitted() -> None:
    shift = time_ns("2020-03-12") - START
    times = [one + shift for one in hawkes(0.5, span=150.0)]
    found = MEASURE.at(Frames({"liquidations": table(times, venue="binance", feed="forceOrder")}), START)
    assert 0.0 < value(found, "branching_constant") < 1.0


def test_a_feed_that_nobody_describes_is_withheld() -> None:
    row = at(hawkes(0.5), venue="nowhere", feed="liq").reading("branching")
    assert row is not None
    assert row["value"] is None
    assert "nobody says" in row["note"]


def test_too_few_events_give_null_with_the_number_needed() -> None:
    row = at([START + k * 10**10 for k in range(5)]).reading("branching")
    assert row is not None
    assert row["value"] is None
    assert "at least 20" in row["note"]


def test_a_process_that_fails_its_test_gives_no_headline_but_says_so_beside_the_others() -> None:
    # a clock: every five seconds one, with a little dither; no self-exciting process is so even
    times = [START + 5 * k * SECOND_NS + (k * 7919 % 11) * 1_000_000 for k in range(400)]
    found = at(times)
    head = found.reading("branching")
    assert head is not None
    assert head["value"] is None
    assert "fails its residual test" in head["note"]
    beside = found.reading("branching_flexible")
    assert beside is not None
    assert beside["value"] is not None
    assert "fails its residual test" in beside["note"]


def test_no_events_at_all_is_an_error_with_table_range_and_command() -> None:
    with pytest.raises(MissingDataError) as caught:
        MEASURE.at(Frames({}), START, {"from": "2025-10-01"})
    assert "table liquidations" in str(caught.value)
    assert "deleverage collect" in str(caught.value.hint)


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(InputError, match="'to' after 'from'"):
        MEASURE.at(Frames({}), START, {"from": "2025-10-02", "to": "2025-10-01"})


@pytest.mark.parametrize("given", [{"kernel": "gamma"}, {"baseline": "some"}, {"coin": ""}, {"shape": 1}])
def test_parameters_of_another_kind_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(InputError):
        MEASURE.at(Frames({}), START, given)


@pytest.mark.parametrize(
    ("venue", "feed", "dates"), [("binance", "forceOrder", 20), ("bybit", "allLiquidation", 2)]
)
def test_no_moment_sees_later_rows(venue: str, feed: str, dates: int) -> None:
    times = hawkes(0.5, span=120.0, seed=4)
    rows = table(times, venue=venue, feed=feed)
    for k in stream(9).integers(24, len(times), dates).tolist():
        known = rows.filter(pl.col("time_ns") <= times[k])
        given = {"venue": venue, "baseline": "constant"}
        before = MEASURE.at(Frames({"liquidations": known}), times[k], given)
        after = MEASURE.at(Frames({"liquidations": rows}), times[k], given)
        assert before.readings.equals(after.readings)
        assert before.series.equals(after.series)


def test_ties_are_events_that_share_their_second() -> None:
    assert tie_share(np.array([0, 1, 1_500_000_000, 3_000_000_000])) == pytest.approx(0.5)
    assert tie_share(np.array([], dtype=np.int64)) == 0.0


def test_shared_stamps_are_spread_within_their_grid_and_no_further() -> None:
    times = np.array([0, 1, 1, 4, 9]) * SECOND_NS
    found = stamp(times, 0, 10 * SECOND_NS, stream(3))
    assert found.same == pytest.approx(0.4)
    assert found.resolution_s == 1.0
    assert np.floor(found.events.times).tolist() == [0.0, 1.0, 1.0, 4.0, 9.0]
    apart = stamp(times[[0, 1, 3]], 0, 10 * SECOND_NS, stream(3))
    assert apart.events.times.tolist() == [0.0, 1.0, 4.0]


@pytest.mark.parametrize("kernel", ["multi", "power"])
def test_other_kernels_find_a_ratio_near_the_same(kernel: str) -> None:
    found = at(hawkes(0.6, span=400.0), {"kernel": kernel, "baseline": "constant"})
    assert 0.35 < value(found, "branching_constant") < 0.9


def test_figures_are_drawn_of_a_ratio_and_of_a_refusal(full: Measured) -> None:
    drawn = draw_figure(full)
    assert "calls forth" in drawn.title
    assert "liquidations per hour" in drawn.wide
    refused = draw_figure(
        at([START + k * 7 * SECOND_NS for k in range(60)], venue="binance", feed="forceOrder")
    )
    assert refused.title.startswith("0 of 59 gaps")
    assert "not shown" in refused.wide
