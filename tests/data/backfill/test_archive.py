"""Binance's archive: which files are fetched, which days are missing, what is not fetched again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from deleverage.data.backfill.days import DAY_NS, start_ns
from deleverage.data.backfill.patience import Patience
from deleverage.data.lake import Lake
from deleverage.errors import InputError
from tests.data.backfill import made
from tests.data.backfill.asking import DAY, KLINES, MONTHLY, ask, days_of
from tests.data.backfill.serving import Server


def test_second_backfill_fetches_nothing(server: Server, lake_folder: Path, hasty: Patience) -> None:
    days_of(server, DAY, 3)
    last = DAY + timedelta(days=2)
    assert ask(server, lake_folder, hasty, last=last).series[0].added == 72
    server.asked.clear()
    again = ask(server, lake_folder, hasty, last=last)
    assert server.asked == [] and again.requests == 0
    assert (again.series[0].complete_before, again.series[0].fetched) == (3, [])


def test_wider_backfill_fetches_only_the_new_days(server: Server, lake_folder: Path, hasty: Patience) -> None:
    days_of(server, DAY, 5)
    ask(server, lake_folder, hasty, first=DAY + timedelta(days=2), last=DAY + timedelta(days=2))
    server.asked.clear()
    report = ask(server, lake_folder, hasty, last=DAY + timedelta(days=4))
    assert len(report.series[0].fetched) == 4 and len(server.asked_for(".zip")) == 8
    assert not server.asked_for(str(DAY + timedelta(days=2)))
    assert Lake.open(lake_folder).read("candles").height == 120


def test_whole_month_is_one_file_and_the_rest_are_days(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    server.add_zip(MONTHLY, "BTCUSDT-1h-2025-09", made.klines(date(2025, 9, 1), days=30))
    days_of(server, date(2025, 10, 1), 2)
    report = ask(server, lake_folder, hasty, first=date(2025, 9, 1), last=date(2025, 10, 2))
    assert len(server.asked_for("monthly")) == 2 and len(server.asked_for("daily")) == 4
    assert len(report.series[0].fetched) == 32 and report.series[0].added == 32 * 24


def test_month_that_is_not_published_comes_day_by_day(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    days_of(server, date(2025, 9, 1), 30)
    report = ask(server, lake_folder, hasty, first=date(2025, 9, 1), last=date(2025, 9, 30))
    assert len(report.series[0].fetched) == 30 and report.series[0].added == 720


def test_hole_of_a_monthly_file_is_filled_from_the_daily_one(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    first = date(2025, 9, 1)
    server.add_zip(MONTHLY, "BTCUSDT-1h-2025-09", made.klines(first, days=30, skip=(30, 31)))
    server.add_zip(
        KLINES, "BTCUSDT-1h-2025-09-02", made.klines(date(2025, 9, 2)).replace("100006,", "100036,")
    )
    daily = made.klines(first, days=2).splitlines(keepends=True)
    server.add_zip(KLINES, "BTCUSDT-1h-2025-09-02", daily[0] + "".join(daily[25:]))
    report = ask(server, lake_folder, hasty, first=first, last=date(2025, 9, 30))
    assert report.series[0].added == 720 and report.series[0].gaps == []


def test_missing_bars_are_gaps_in_the_result_and_in_the_lake(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", made.klines(DAY, skip=(3, 4, 20)))
    report = ask(server, lake_folder, hasty)
    gaps = Lake.open(lake_folder).read("gaps")
    hour = 3_600_000_000_000
    assert gaps.select("time_ns", "end_ns", "events_lost").rows() == [
        (start_ns(DAY) + 3 * hour, start_ns(DAY) + 5 * hour, 2),
        (start_ns(DAY) + 20 * hour, start_ns(DAY) + 21 * hour, 1),
    ]
    assert gaps.select("venue", "stream", "symbol", "reason").unique().rows() == [
        ("binance", "klines_1h", "BTCUSDT", "backfill-missing")
    ]
    assert [gap["rows_missing"] for gap in report.to_json()["series"][0]["gaps"]] == [2, 1]
    assert report.series[0].fetched == [DAY]  # the source has no more: it is complete


def test_day_that_the_archive_lacks_is_a_gap_and_is_asked_for_again(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    days_of(server, DAY, 3)
    lost = DAY + timedelta(days=1)
    for name in (f"/{KLINES}/BTCUSDT-1h-{lost}.zip", f"/{KLINES}/BTCUSDT-1h-{lost}.zip.CHECKSUM"):
        del server.files[name]
    report = ask(server, lake_folder, hasty, last=DAY + timedelta(days=2))
    assert report.series[0].missing == [lost] and len(report.series[0].fetched) == 2
    assert Lake.open(lake_folder).read("gaps").select("time_ns", "end_ns", "events_lost").rows() == [
        (start_ns(lost), start_ns(lost) + DAY_NS, 24)
    ]
    server.add_zip(KLINES, f"BTCUSDT-1h-{lost}", made.klines(lost))
    assert ask(server, lake_folder, hasty, last=DAY + timedelta(days=2)).series[0].fetched == [lost]


def test_days_before_the_first_file_are_no_gaps_and_cost_no_question_each(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    days_of(server, DAY, 2)
    report = ask(server, lake_folder, hasty, first=DAY - timedelta(days=40), last=DAY + timedelta(days=1))
    one = report.series[0]
    assert (len(one.before_first), one.missing, one.gaps, len(one.fetched)) == (40, [], [], 2)
    assert len(server.asked_for("CHECKSUM")) < 20  # the listing tells the rest


def test_unknown_symbol_is_refused_with_those_that_are_close(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    days_of(server, DAY, 1)
    with pytest.raises(InputError, match="BTCXUSDT") as error:
        ask(server, lake_folder, hasty, symbol="BTCXUSDT")
    assert "BTCUSDT" in error.value.hint


def test_symbol_that_no_listing_has_is_a_failure_and_no_gap(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    report = ask(server, lake_folder, hasty, symbol="TYPOUSDT")
    one = report.series[0]
    assert report.failed and "TYPOUSDT" in one.failures[0] and (one.missing, one.gaps) == ([], [])
    assert Lake.open(lake_folder).read("gaps").is_empty()


def test_funding_that_is_missing_is_no_gap_beyond_the_last_day(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    folder = f"{made.UM}/monthly/fundingRate/BTCUSDT"
    server.add_zip(folder, "BTCUSDT-fundingRate-2025-01", "")
    report = ask(server, lake_folder, hasty, "funding", date(2025, 3, 4), date(2025, 3, 5))
    assert report.series[0].missing == [date(2025, 3, 4), date(2025, 3, 5)]


def test_day_that_is_not_over_is_never_complete(server: Server, lake_folder: Path, hasty: Patience) -> None:
    today = datetime.now(UTC).date()
    days_of(server, today, 1)
    report = ask(server, lake_folder, hasty, first=today, last=today)
    assert report.series[0].not_yet == [today] and report.series[0].fetched == []
    assert Lake.open(lake_folder).read("candles").is_empty()


def test_funding_of_a_month_that_is_not_over_is_not_published_yet(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    folder = f"{made.UM}/monthly/fundingRate/BTCUSDT"
    server.add_zip(folder, "BTCUSDT-fundingRate-2025-10", made.funding(date(2025, 10, 1), 31))
    today = datetime.now(UTC).date()
    report = ask(server, lake_folder, hasty, "funding", first=today, last=today)
    one = report.series[0]
    assert today in one.not_yet and (one.missing, one.gaps, one.fetched, one.failures) == ([], [], [], [])


def test_usd_margined_liquidations_are_refused_with_the_reason(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    with pytest.raises(InputError, match="BTCUSD_PERP") as error:
        ask(server, lake_folder, hasty, "liquidations")
    assert "2024-03-31" in error.value.hint and server.asked == [] and not lake_folder.exists()
