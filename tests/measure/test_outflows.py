"""Are outflows summed, ranked and set beside the price as by hand, and never ahead of their time?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from deleverage.data.known import known_from
from deleverage.errors import InputError, MissingDataError
from deleverage.measure.asof import DAY_NS, Frames
from deleverage.measure.measure import Measured, time_ns
from deleverage.measure.outflows.measure import MEASURE, percentile_before
from deleverage.schema import LAKE_TABLES, empty
from verify.fear_greed import market, until

M = 1e6
MONDAY = time_ns("2025-11-03")
SUNDAY = time_ns("2025-11-09")


def flows(
    coin: str, usd_m: Sequence[float | None], *, start: int = MONDAY, publisher: str = "farside"
) -> pl.DataFrame:
    """One figure a weekday from ``start``; None is a closed day."""
    times = [start + k * DAY_NS for k in range(2 * len(usd_m)) if (start // DAY_NS + k + 3) % 7 < 5]
    rows = [
        {"time_ns": t, "publisher": publisher, "coin": coin, "fund": "total", "usd": v * M, "source": "f"}
        for t, v in zip(times, usd_m, strict=False)
        if v is not None
    ]
    schema = {c.name: getattr(pl, c.dtype) for c in LAKE_TABLES["flows"].columns}
    return pl.DataFrame(rows, schema=schema)


def week(**given: Any) -> Measured:
    """The made-up week: −100, +50, −300, 0, −20; Ether +10 on each day."""
    rows = [flows("BTC", [-100, 50, -300, 0, -20]), flows("ETH", [10.0] * 5)]
    return MEASURE.at(Frames({"flows": pl.concat(rows)}), SUNDAY, given)


def value(measured: Measured, name: str, subject: str | None = None) -> Any:
    row = measured.reading(name, subject)
    assert row is not None, name
    return row["value"]


def test_a_week_by_hand() -> None:
    found = week()
    assert value(found, "flow") == pytest.approx(-370 * M)
    assert value(found, "flow_ETH") == pytest.approx(50 * M)
    assert value(found, "days_observed") == 5
    assert value(found, "days_of_outflow") == 3  # a day of exactly 0 is none
    assert value(found, "largest_outflow_day") == -300 * M
    assert value(found, "largest_outflow_day_date") * DAY_NS == time_ns("2025-11-05")
    assert value(found, "cumulative") == pytest.approx(-370 * M)
    assert value(found, "cumulative_from_peak") == pytest.approx(-370 * M)  # it was never above zero


def test_every_coin_together_is_their_sum() -> None:
    found = week(coin="ALL")
    assert value(found, "flow", "ALL") == pytest.approx(-320 * M)
    assert value(found, "flow_BTC") == pytest.approx(-370 * M)
    assert value(found, "elasticity") is None


def test_both_ends_of_the_window_are_included() -> None:
    found = week(**{"from": "2025-11-04", "to": "2025-11-05"})
    assert value(found, "flow") == pytest.approx(-250 * M)
    assert value(found, "cumulative") == pytest.approx(-350 * M)
    # highest after Tuesday: −50; still below the 0 of the start
    assert value(found, "cumulative_from_peak") == pytest.approx(-350 * M)


def test_a_flow_is_not_seen_before_the_morning_after() -> None:
    rows = {"flows": flows("BTC", [-100, 50, -300, 0, -20])}
    evening = MEASURE.at(Frames(rows), time_ns("2025-11-06"))
    assert value(evening, "flow") == pytest.approx(-50 * M)
    morning = MEASURE.at(Frames(rows), time_ns("2025-11-06T14:30"))
    assert value(morning, "flow") == pytest.approx(-350 * M)


def test_a_closed_day_is_no_zero() -> None:
    found = MEASURE.at(Frames({"flows": flows("BTC", [-100, None, -300])}), SUNDAY)
    assert value(found, "days_observed") == 2
    row = found.reading("flow")
    assert row is not None and "1 weekdays without a figure" in row["note"] and "2025-11-04" in row["note"]


def test_days_that_should_be_known_and_are_not_there_are_told_as_missing() -> None:
    found = MEASURE.at(Frames({"flows": flows("BTC", [-100, 50])}), SUNDAY, {"to": "2025-11-07"})
    (lacking,) = [one for one in found.missing if one.table == "flows"]
    assert lacking.start_ns == time_ns("2025-11-05")
    assert "backfill farside --from 2025-11-05 --to 2025-11-07" in lacking.command


def test_another_publisher_stands_beside_and_is_not_added() -> None:
    rows = [flows("BTC", [-100, 50]), flows("BTC", [-90, 50], publisher="coinglass")]
    found = MEASURE.at(Frames({"flows": pl.concat(rows)}), SUNDAY)
    assert value(found, "flow") == pytest.approx(-50 * M)
    assert value(found, "flow_published", "coinglass") == pytest.approx(-40 * M)
    assert value(found, "flow_published", "farside") == pytest.approx(-50 * M)


def test_rank_among_earlier_windows_that_share_no_day_with_it() -> None:
    # windows of 2 before the last two: (1,2) (2,3) (3,4) → 3, 5, 7; the last: 5, one below and one equal
    ranked = percentile_before(np.array([1.0, 2, 3, 4, 5, 0]), 2)
    assert ranked is not None
    assert ranked[0] == pytest.approx(1.5 / 3)
    assert ranked[1] == 3
    assert percentile_before(np.array([1.0, 2, 3]), 2) is None


def test_rank_of_the_worst_week_is_low_and_its_interval_holds_it() -> None:
    rows = {
        "flows": flows("BTC", [float(k % 7) for k in range(200)] + [-50.0] * 5, start=MONDAY - 308 * DAY_NS)
    }
    row = MEASURE.at(Frames(rows), SUNDAY).reading("percentile")
    assert row is not None and row["value"] == 0.0
    assert row["low"] <= row["value"] <= row["high"] <= 0.2


def test_few_earlier_windows_give_no_rank() -> None:
    row = week().reading("percentile")
    assert row is not None and row["value"] is None and "0 earlier windows" in row["note"]


def prices(returns: list[float], *, start: int) -> pl.DataFrame:
    close = 100 * np.exp(np.cumsum([0.0, *returns]))
    rows = [
        {
            "time_ns": start + k * DAY_NS, "venue": "binance", "kind": "spot", "coin": "BTC",
            "symbol": "BTCUSDT", "interval_s": 86_400, "open": c, "high": c, "low": c, "close": c,
            "source": "c",
        }
        for k, c in enumerate(close)
    ]  # fmt: skip
    schema = {c.name: getattr(pl, c.dtype) for c in LAKE_TABLES["candles"].columns}
    return pl.DataFrame(rows, schema=schema)


def test_elasticity_is_found_on_the_day_on_which_it_was_put() -> None:
    draws = np.random.Generator(np.random.PCG64(4))
    weekdays = 150
    start = MONDAY - 210 * DAY_NS
    usd = flows("BTC", list(draws.normal(0, 300, weekdays)), start=start)
    by_day = dict(zip(usd["time_ns"], usd["usd"], strict=True))
    # 2 % a billion, on the same day, and nothing else but a little noise
    moved = [
        0.02 * by_day.get(start + k * DAY_NS, 0.0) / 1e9 + 1e-4 * float(draws.normal()) for k in range(214)
    ]
    found = MEASURE.at(Frames({"flows": usd, "candles": prices(moved, start=start - DAY_NS)}), SUNDAY)
    same = found.reading("elasticity")
    assert same is not None and same["low"] <= 0.02 <= same["high"] and same["high"] - same["low"] < 0.001
    for name in ("elasticity_next_day", "elasticity_day_before"):
        other = found.reading(name)
        assert other is not None and other["low"] < 0 < other["high"]


def test_without_prices_the_elasticity_is_null_and_says_what_fetches_them() -> None:
    found = week()
    row = found.reading("elasticity")
    assert row is not None and row["value"] is None and row["low"] is None
    assert [one.table for one in found.missing] == ["candles"]
    assert "backfill binance-spot BTCUSDT" in found.missing[0].command


def test_a_revision_is_counted_from_when_it_was_seen() -> None:
    schema = {c.name: getattr(pl, c.dtype) for c in LAKE_TABLES["revisions"].columns}
    change = {
        "time_ns": MONDAY, "received_ns": SUNDAY, "table": "flows", "publisher": "farside",
        "series": "BTC/IBIT", "column": "usd", "revision": 1, "before": 1.0, "value": 2.0,
        "source": "backfill/f",
    }  # fmt: skip
    tables = {"flows": flows("BTC", [-100, 50]), "revisions": pl.DataFrame([change], schema=schema)}
    assert value(MEASURE.at(Frames(tables), SUNDAY - 1), "revisions") == 0
    assert value(MEASURE.at(Frames(tables), SUNDAY), "revisions") == 1


def test_nothing_of_the_publisher_is_an_error_with_table_and_command() -> None:
    with pytest.raises(MissingDataError) as caught:
        MEASURE.at(Frames({"flows": flows("BTC", [-100])}), SUNDAY, {"coin": "SOL", "from": "2025-11-03"})
    assert caught.value.context["table"] == "flows"
    assert "backfill farside" in str(caught.value.context["command"])
    with pytest.raises(MissingDataError):
        MEASURE.at(Frames({"flows": empty(LAKE_TABLES["flows"])}), SUNDAY)


def test_a_window_without_a_figure_is_an_error_and_not_zero() -> None:
    with pytest.raises(MissingDataError):
        week(**{"from": "2025-11-08", "to": "2025-11-09"})


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InputError, match="not after"):
        week(**{"from": "2025-11-07", "to": "2025-11-03"})


def test_no_look_ahead() -> None:
    tables = market(7, days=400)
    tables = {name: tables[name] for name in ("flows", "candles")}
    last = int(tables["candles"]["time_ns"].max())  # type: ignore[arg-type]
    draws = np.random.Generator(np.random.PCG64(2))
    for days in draws.uniform(0, 300, 20):
        at_ns = int(last - days * DAY_NS)
        whole, then = MEASURE.at(Frames(tables), at_ns), MEASURE.at(Frames(until(tables, at_ns)), at_ns)
        assert whole.readings.equals(then.readings)
        assert whole.series.equals(then.series)


def test_no_reading_is_nan_and_every_one_says_by_whose_count() -> None:
    readings = week().readings
    assert not any(math.isnan(v) for v in readings["value"].drop_nulls())
    assert readings["by"].str.len_chars().min() > 0  # type: ignore[operator]
    assert readings.filter(pl.col("value").is_null())["note"].str.len_chars().min() > 0  # type: ignore[operator]


def test_flows_of_one_fund_alone() -> None:
    one = flows("BTC", [-5, 5, -7]).with_columns(fund=pl.lit("IBIT"))
    both = {"flows": pl.concat([one, flows("BTC", [-100, 50, -300])])}
    found = MEASURE.at(Frames(both), SUNDAY, {"fund": "IBIT"})
    assert value(found, "flow") == pytest.approx(-7 * M)
    assert both["flows"].filter(known_from("flows") <= SUNDAY).height == 6
