"""What is complete is written down with the rows: by month, once, also when several do it at a time."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deleverage.data.backfill.days import (
    DAY_NS,
    Month,
    by_month,
    day_of_ns,
    each_day,
    end_ns,
    mask_of,
    over,
    runs,
    start_ns,
)
from deleverage.data.backfill.gaps import missing
from deleverage.data.backfill.ledger import Ledger
from deleverage.data.backfill.patience import Patience
from deleverage.data.backfill.request import Gap, Request, joined
from deleverage.data.backfill.run import backfill
from deleverage.data.lake import Lake
from deleverage.schema import LAKE_TABLES, empty
from tests.data.backfill import made
from tests.data.backfill.serving import Server

MONTH = Month(2025, 10)


def rows(day: date) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "time_ns": [start_ns(day)],
            "venue": ["binance"],
            "coin": ["BTC"],
            "symbol": ["BTCUSDT"],
            "interval_s": [28_800],
            "rate": [0.0001],
        }
    )


def ledger(lake: Path) -> Ledger:
    return Ledger(Lake.create(lake), "binance", "funding", "BTCUSDT", ("funding",))


def test_days_are_complete_in_any_order_and_only_with_their_rows(tmp_path: Path) -> None:
    one = ledger(tmp_path / "lake")
    for number in (20, 3, 31):
        day = date(2025, 10, number)
        assert one.commit("funding", [rows(day)], MONTH, mask_of([day])).rows == 1
    assert [day.day for day in MONTH.days(one.complete(MONTH))] == [3, 20, 31]
    assert ledger(tmp_path / "lake").complete(MONTH) == one.complete(MONTH)
    assert one.commit("funding", [rows(date(2025, 10, 3))], MONTH, mask_of([date(2025, 10, 3)])).rows == 0


def test_day_without_rows_can_be_complete(tmp_path: Path) -> None:
    one = ledger(tmp_path / "lake")
    day = date(2025, 10, 5)
    one.commit("funding", [empty(LAKE_TABLES["funding"])], MONTH, mask_of([day]))
    assert MONTH.days(one.complete(MONTH)) == [day]


def test_series_of_two_tables_is_complete_when_both_are(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    both = Ledger(lake, "binance", "metrics", "BTCUSDT", ("indicators", "open_interest"))
    both.commit("indicators", [empty(LAKE_TABLES["indicators"])], MONTH, 0b11)
    assert both.complete(MONTH) == 0
    both.commit("open_interest", [empty(LAKE_TABLES["open_interest"])], MONTH, 0b10)
    assert both.complete(MONTH) == 0b10


def test_writers_at_one_time_lose_no_row_and_complete_nothing_that_is_not_there(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    Lake.create(folder)
    days = list(each_day(date(2025, 10, 1), date(2025, 10, 24)))
    start = threading.Barrier(3)
    failures: list[BaseException] = []

    def write(mine: list[date]) -> None:
        try:
            own = ledger(folder)
            start.wait()
            for day in mine:
                own.commit("funding", [rows(day)], MONTH, mask_of([day]))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(days[n::3],)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert Lake.open(folder).read("funding")["time_ns"].to_list() == [start_ns(day) for day in days]
    # One may have made another's day forgotten; that one is fetched again, and adds nothing.
    after = ledger(folder)
    assert after.complete(MONTH) | mask_of(days) == mask_of(days)
    assert sum(after.commit("funding", [rows(day)], MONTH, mask_of([day])).rows for day in days) == 0
    assert after.complete(MONTH) == mask_of(days)


def test_two_backfills_of_the_same_days_at_one_time_leave_every_row_once(
    server: Server, tmp_path: Path
) -> None:
    first = date(2025, 10, 1)
    for day in each_day(first, first + timedelta(days=9)):
        server.add_zip(f"{made.UM}/daily/klines/BTCUSDT/1h", f"BTCUSDT-1h-{day}", made.klines(day))
    request = Request("binance", ("BTCUSDT",), ("klines",), first, first + timedelta(days=9), "1h")
    added: list[int] = []

    def run() -> None:
        report = backfill(request, tmp_path / "lake", url=server.url, patience=Patience(first_s=0.001))
        added.append(report.series[0].added)

    Lake.create(tmp_path / "lake")
    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = Lake.open(tmp_path / "lake").read("candles")
    assert found.height == found["time_ns"].n_unique() == 240 and sum(added) == 240


@given(st.dates(date(2010, 1, 1), date(2035, 1, 1)), st.integers(0, 100))
def test_months_hold_every_day_once(first: date, length: int) -> None:
    last = first + timedelta(days=length)
    found = [day for month, mask in by_month(first, last).items() for day in month.days(mask)]
    assert found == list(each_day(first, last)) and runs(found) == [(first, last)]
    assert all(mask <= month.whole < 2**31 for month, mask in by_month(first, last).items())
    assert day_of_ns(start_ns(first)) == first == day_of_ns(end_ns(first) - 1)


def test_day_is_over_when_its_last_values_have_settled() -> None:
    day = date(2025, 10, 10)
    assert not over(day, end_ns(day) + 59_000_000_000, 60)
    assert over(day, end_ns(day) + 60_000_000_000, 60)


@given(st.sets(st.integers(0, 23)))
def test_gaps_are_exactly_the_steps_without_a_row(there: set[int]) -> None:
    day = date(2025, 10, 10)
    hour = DAY_NS // 24
    gaps = missing([start_ns(day) + n * hour for n in there], day, hour)
    lost = {
        n
        for gap in gaps
        for n in range((gap.start_ns - start_ns(day)) // hour, (gap.end_ns - start_ns(day)) // hour)
    }
    assert lost == set(range(24)) - there and sum(gap.lost or 0 for gap in gaps) == 24 - len(there)
    assert all(one.end_ns < other.start_ns for one, other in pairwise(gaps))


@pytest.mark.parametrize(("step_days", "opens"), [(1, True), (3, False), (7, False)])
def test_long_bars_are_missing_on_the_day_they_open(step_days: int, opens: bool) -> None:
    tuesday = date(2025, 10, 7)  # no Monday; and 1970-01-01 + 20,368 days is no multiple of three
    assert bool(missing([], tuesday, step_days * DAY_NS)) == opens
    monday = date(2025, 10, 6)
    assert bool(missing([], monday, 7 * DAY_NS)) and not missing([start_ns(monday)], monday, 7 * DAY_NS)


def test_gaps_that_touch_are_shown_as_one() -> None:
    assert joined([Gap(5, 9, 1), Gap(0, 5, 2), Gap(10, 11, None)]) == [Gap(0, 9, 3), Gap(10, 11, None)]
