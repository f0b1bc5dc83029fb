"""Are the indices told as published, and does the own composite rank as by hand and never change its past?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deleverage.errors import InputError, MissingDataError
from deleverage.measure.asof import DAY_NS, AsOf, Frames
from deleverage.measure.measure import Measured, time_ns
from deleverage.measure.sentiment import MEASURE
from deleverage.measure.sentiment.agreement import agreement
from deleverage.measure.sentiment.components import (
    COMPONENTS,
    Inputs,
    as_known,
    drawdown,
    funding,
    in_order,
)
from deleverage.measure.sentiment.composite import left_out, score, weigh
from deleverage.measure.sentiment.percentile import causal
from deleverage.measure.sentiment.published import present_run
from deleverage.schema import LAKE_TABLES
from verify.fear_greed import (
    DAYS,
    SHOWN,
    START_NS,
    hindsight,
    market,
    measured,
    replayed,
    revision_of_hindsight,
    until,
    verdicts,
)

LAST = time_ns("2025-11-16")
END = START_NS + DAYS * DAY_NS


def index(values: list[int], *, publisher: str = "alternative.me", last: int = LAST) -> pl.DataFrame:
    """One value a day, the last of them on ``last``."""
    rows = [
        {"time_ns": last - (len(values) - 1 - k) * DAY_NS, "publisher": publisher, "value": v, "source": "s"}
        for k, v in enumerate(values)
    ]
    schema = {c.name: getattr(pl, c.dtype) for c in LAKE_TABLES["sentiment"].columns}
    return pl.DataFrame(rows, schema=schema)


def told(values: list[int], **parameters: Any) -> Measured:
    return MEASURE.at(Frames({"sentiment": index(values)}), LAST + DAY_NS, parameters)


def value(found: Measured, name: str, subject: str | None = None) -> Any:
    row = found.reading(name, subject)
    assert row is not None, name
    return row["value"]


def day(found: Measured, name: str) -> int:
    return int(value(found, name) * DAY_NS)


def test_last_value_and_the_days_at_or_below_it() -> None:
    found = told([9, 10, 40, 12, 10, 10])
    assert value(found, "published") == 10
    assert value(found, "days_at_or_below") == 4
    assert value(found, "lowest") == 9
    assert day(found, "lowest_day") == LAST - 5 * DAY_NS


def test_the_last_equal_day_is_sought_before_the_present_run() -> None:
    found = told([9, 10, 40, 12, 10, 10])
    assert day(found, "last_equal_day") == LAST - 4 * DAY_NS
    assert day(found, "last_lower_day") == LAST - 5 * DAY_NS


def test_a_level_is_looked_for_when_the_index_stands_above_it() -> None:
    found = told([10, 30, 10, 11], level=10)
    assert day(found, "last_equal_day") == LAST - DAY_NS
    assert value(found, "days_at_or_below") == 2
    assert value(found, "last_lower_day") is None


def test_a_last_value_below_the_level_is_itself_the_last_lower_day() -> None:
    assert day(told([30, 9], level=10), "last_lower_day") == LAST


def test_no_earlier_day_is_null_and_says_so() -> None:
    row = told([50, 40, 30]).reading("last_equal_day")
    assert row is not None and row["value"] is None and "no earlier day" in row["note"]


def test_days_count_over_one_year_back_only() -> None:
    assert value(told([10] * 400 + [20]), "days_at_or_below", "alternative.me") == 365
    assert value(told([10] * 400 + [20], level=10), "days_at_or_below") == 364


@given(st.lists(st.integers(0, 100), max_size=12), st.integers(0, 100))
def test_the_present_run_holds_nothing_above_the_level_and_cannot_be_longer(
    values: list[int], level: int
) -> None:
    numbers = [float(v) for v in values]
    start = present_run(numbers, level)
    assert all(v <= level for v in numbers[start:])
    assert start == 0 or numbers[start - 1] > level


def test_publishers_stand_side_by_side_with_their_difference() -> None:
    both = pl.concat([index([50, 20, 10]), index([50, 26, 13], publisher="coinglass", last=LAST - DAY_NS)])
    found = MEASURE.at(Frames({"sentiment": both}), LAST + DAY_NS)
    assert value(found, "published", "alternative.me") == 10
    assert value(found, "published", "coinglass") == 13
    # days in common: 14th and 15th; 50 − 26 and 20 − 13
    assert value(found, "difference") == 7
    assert value(found, "difference_mean") == pytest.approx((24 + 7) / 2)


def test_a_value_that_is_too_old_does_not_stand_for_today() -> None:
    both = pl.concat([index([50, 20]), index([44], publisher="coinglass", last=LAST - 30 * DAY_NS)])
    found = MEASURE.at(Frames({"sentiment": both}), LAST + DAY_NS)
    row = found.reading("published", "coinglass")
    assert row is not None and row["value"] is None and "44 of 2025-10-17" in row["note"]


def test_a_difference_that_is_too_old_does_not_stand_for_today() -> None:
    then = index([44] * 30, publisher="coinglass", last=LAST - 20 * DAY_NS)
    both = pl.concat([index([50] * 40), then])
    row = MEASURE.at(Frames({"sentiment": both}), LAST + DAY_NS).reading("difference")
    assert row is not None and row["value"] is None and "+6 on 2025-10-27" in row["note"]


def test_the_index_of_a_day_is_not_known_as_the_day_begins() -> None:
    rows = {"sentiment": index([40, 10])}
    assert value(MEASURE.at(Frames(rows), LAST), "published") == 40
    assert value(MEASURE.at(Frames(rows), LAST + 600 * 10**9), "published") == 10


def test_without_prices_the_composite_is_null_and_what_fetches_them_is_told() -> None:
    found = told([20, 10])
    row = found.reading("composite")
    assert row is not None and row["value"] is None and row["low"] is None
    assert value(found, "coverage") == 0
    assert {one.table for one in found.missing} == {"candles", "funding", "flows"}
    assert value(found, "component_volatility") is None


def test_nothing_at_all_is_an_error_with_table_and_command() -> None:
    with pytest.raises(MissingDataError) as caught:
        MEASURE.at(Frames({}), LAST)
    assert caught.value.context["table"] == "sentiment"
    assert "backfill fear-greed" in str(caught.value.context["command"])


def test_an_unknown_publisher_is_null_where_the_composite_is_there() -> None:
    found = MEASURE.at(Frames(market(2)), END, {"publisher": "nobody"})
    assert value(found, "published", "nobody") is None
    assert value(found, "composite") is not None
    assert "sentiment" in {one.table for one in found.missing}


def test_a_level_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError):
        told([10], level="low")


# --- the composite ---


def test_percentile_by_hand() -> None:
    # windows of 3: (3) ½; (3,1) ½·1/2; (3,1,2) (1+½)/3; (1,2,2) (1+½·2)/3
    found = causal(np.array([3.0, 1, 2, 2]), days=3, least=1)
    assert found == pytest.approx([0.5, 0.25, 0.5, 2 / 3])


def test_percentile_leaves_holes_and_short_histories_null() -> None:
    found = causal(np.array([1.0, np.nan, 2.0, 3.0]), days=4, least=3)
    assert np.isnan(found[:3]).all() and found[3] == pytest.approx(2.5 / 3)
    assert causal(np.array([])).size == 0


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=30), st.integers(0, 29))
def test_percentiles_do_not_change_when_days_are_appended(values: list[int], cut: int) -> None:
    numbers = np.array(values, dtype=np.float64)
    cut = min(cut, numbers.size)
    assert np.array_equal(causal(numbers[:cut], days=7, least=1), causal(numbers, days=7, least=1)[:cut])


def test_a_missing_part_gives_its_weight_to_the_others() -> None:
    weights = np.array([0.5, 0.3, 0.2])
    scored = np.array([[10.0, np.nan], [50.0, 50.0], [90.0, 90.0]])
    value, coverage = weigh(scored, weights)
    assert value == pytest.approx([5 + 15 + 18, (15 + 18) / 0.5])
    assert coverage == pytest.approx([1, 0.5])
    none, _ = weigh(np.array([[np.nan], [50.0], [np.nan]]), weights)
    assert np.isnan(none).all()  # 30 % of the weight is too little


def test_range_with_one_part_left_out() -> None:
    low, high = left_out(np.array([[0.0], [50.0], [100.0]]), np.array([0.5, 0.25, 0.25]))
    # without the first 75, without the second 100·.25/.75, without the third 50·.25/.75
    assert (low[0], high[0]) == pytest.approx((50 / 3, 75))


def test_weights_sum_to_one_and_no_part_is_a_published_index() -> None:
    assert math.fsum(one.weight for one in COMPONENTS) == pytest.approx(1)
    assert not any("sentiment" in one.data for one in COMPONENTS)


def test_more_volatility_is_fear_and_more_of_the_others_is_greed() -> None:
    rising = np.arange(400.0)
    for one in COMPONENTS:
        assert (score(rising, one.greed)[-1] > 50) == (one.name != "volatility")


def test_a_market_that_falls_at_the_end_is_more_fearful_than_one_that_rises() -> None:
    calm = market(4)
    ends = {}
    for name, step in (("falls", -0.04), ("rises", 0.04)):
        drift = pl.max_horizontal(pl.lit(0), (pl.col("time_ns") - (END - 15 * DAY_NS)) / DAY_NS) * step
        moved = calm["candles"].with_columns(close=pl.col("close") * drift.exp())
        ends[name] = float(measured(calm | {"candles": moved}, END).value[-1])
    assert ends["falls"] < ends["rises"] - 20


def test_fg_1_holds_in_numbers() -> None:
    found = verdicts()
    assert len(found) >= 6
    assert [one.id for one in found if not one.holds] == []


def test_a_composite_with_hindsight_would_be_caught() -> None:
    assert revision_of_hindsight() > 1
    assert not np.allclose(hindsight(measured(market(2), END).raw), measured(market(2), END).value)


def test_a_row_that_comes_late_does_not_change_the_days_that_went_before() -> None:
    tables = market(6)
    late = END - 40 * DAY_NS
    came = END - 20 * DAY_NS
    for name in ("candles", "funding", "flows"):
        tables[name] = tables[name].with_columns(
            received_ns=pl.when(pl.col("time_ns").is_between(late, late + DAY_NS)).then(came)
        )
    assert replayed(tables, [came - DAY_NS, came, came + DAY_NS, END - 5 * DAY_NS]) == 0


def test_rows_that_were_known_after_a_later_one_are_left_out() -> None:
    rows = pl.DataFrame({"time_ns": [1, 2, 3, 4], "known": [2, 9, 4, 5]})
    assert in_order(rows)["time_ns"].to_list() == [1, 3, 4]


def test_a_value_grows_stale() -> None:
    stamps = np.array([0, 1], dtype=np.int64) * DAY_NS
    known = stamps + DAY_NS
    midnights = np.array([0, 1, 2, 4, 5], dtype=np.int64) * DAY_NS
    found = as_known(stamps, known, np.array([7.0, 8.0]), midnights, fresh_ns=3 * DAY_NS)
    assert np.array_equal(found, [np.nan, 7, 8, 8, np.nan], equal_nan=True)


def test_drawdown_and_funding_by_hand() -> None:
    tables = market(2, days=400)
    asof = AsOf(Frames(tables), START_NS + 400 * DAY_NS)
    midnights = np.array([asof.at_ns], dtype=np.int64)
    close = tables["candles"].filter(pl.col("coin") == "BTC")["close"].to_numpy()
    inputs = Inputs(asof)
    assert drawdown(inputs, midnights)[0] == pytest.approx(math.log(close[-1] / close[-365:].max()))
    assert funding(inputs, midnights)[0] == pytest.approx(tables["funding"]["rate"][-21:].mean())
    found = inputs.bars("BTC")
    assert found is not None and found.close.size == 400


def test_no_look_ahead() -> None:
    tables = market(9)
    draws = np.random.Generator(np.random.PCG64(1))
    for days in draws.uniform(0, 300, 20):
        at_ns = int(END - days * DAY_NS)
        whole, then = MEASURE.at(Frames(tables), at_ns), MEASURE.at(Frames(until(tables, at_ns)), at_ns)
        assert whole.readings.equals(then.readings)
        assert whole.series.equals(then.series)


def test_correlation_of_persistent_series_has_few_independent_days() -> None:
    draws = np.random.Generator(np.random.PCG64(8))
    walk = np.cumsum(draws.normal(size=500))
    found = agreement(walk, walk + draws.normal(size=500))
    loose = agreement(draws.normal(size=500), draws.normal(size=500))
    assert found is not None and loose is not None
    assert found.independent < 100 < loose.independent
    assert loose.low is not None and loose.high is not None and loose.low < 0 < loose.high
    assert agreement(np.ones(50), np.arange(50.0)) is None


def test_the_series_are_those_of_the_readings() -> None:
    found = MEASURE.at(Frames(market(2)), END)
    own = found.series.filter(pl.col("name") == "composite")
    assert own["value"][-1] == value(found, "composite")
    assert own.height > SHOWN
    assert own["time_ns"][-1] == END
    assert value(found, "coverage") == 1
    assert (own["low"] <= own["value"]).drop_nulls().all()
