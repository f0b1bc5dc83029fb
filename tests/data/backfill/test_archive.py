"""Binance's archive: what is fetched, checked, kept, said to be missing, and not fetched again."""

from __future__ import annotations

import hashlib
import io
import json
import re
import signal
import subprocess
import sys
import time
import zipfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from deleverage.cli import main
from deleverage.data.backfill import archive_run
from deleverage.data.backfill.days import DAY_NS, Month, day_of_ns, start_ns
from deleverage.data.backfill.patience import Patience
from deleverage.data.backfill.request import BackfillReport, Request
from deleverage.data.backfill.run import backfill
from deleverage.data.backfill.series import TABLES
from deleverage.data.lake import Lake
from deleverage.errors import InputError, RateLimited, SourceUnavailable
from tests.data.backfill import made
from tests.data.backfill.serving import Fault, Server

DAY = date(2025, 10, 10)
KLINES = f"{made.UM}/daily/klines/BTCUSDT/1h"
MONTHLY = f"{made.UM}/monthly/klines/BTCUSDT/1h"


def ask(
    server: Server,
    lake: Path,
    patience: Patience,
    kinds: str = "klines",
    first: date = DAY,
    last: date = DAY,
    symbol: str = "BTCUSDT",
    source: str = "binance",
    interval: str = "1h",
) -> BackfillReport:
    request = Request(source, (symbol,), tuple(kinds.split(",")), first, last, interval)
    return backfill(request, lake, url=server.url, patience=patience)


def days_of(server: Server, first: date, count: int, folder: str = KLINES) -> None:
    for day in (first + timedelta(days=n) for n in range(count)):
        server.add_zip(folder, f"BTCUSDT-1h-{day}", made.klines(day))


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("micro", [True, False])
def test_bars_come_with_or_without_header_in_either_unit(
    server: Server, lake_folder: Path, hasty: Patience, header: bool, micro: bool
) -> None:
    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", made.klines(DAY, header=header, micro=micro))
    report = ask(server, lake_folder, hasty)
    rows = Lake.open(lake_folder).read("candles")
    assert (report.series[0].added, rows.height, report.series[0].gaps) == (24, 24, [])
    assert rows["time_ns"].to_list() == [start_ns(DAY) + n * 3_600_000_000_000 for n in range(24)]
    first = rows.row(0, named=True)
    assert (first["open"], first["high"], first["low"], first["close"]) == (100_000, 100_005, 99_995, 100_001)
    assert (first["volume_coins"], first["taker_buy_coins"], first["trades"]) == (10.5, 4.5, 42)
    assert (first["venue"], first["kind"], first["coin"], first["interval_s"]) == (
        "binance",
        "perp",
        "BTC",
        3600,
    )
    name = f"{KLINES}/BTCUSDT-1h-{DAY}.zip"
    digest = hashlib.sha256(server.files[f"/{name}"]).hexdigest()
    assert first["source"] == f"backfill/binance/{name}#{digest[:12]}" and first["received_ns"] > start_ns(
        DAY
    )


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


def test_metrics_become_open_interest_and_ratios(server: Server, lake_folder: Path, hasty: Patience) -> None:
    server.add_zip(f"{made.UM}/daily/metrics/BTCUSDT", f"BTCUSDT-metrics-{DAY}", made.metrics(DAY))
    report = ask(server, lake_folder, hasty, "metrics")
    lake = Lake.open(lake_folder)
    interest, ratios = lake.read("open_interest"), lake.read("indicators")
    assert interest.height == 288 and report.series[0].gaps == []
    first = interest.row(0, named=True)
    assert (first["time_ns"], first["scope"], first["coins"]) == (
        start_ns(DAY) + 300_000_000_000,
        "BTCUSDT",
        80_000.5,
    )
    assert first["price"] == pytest.approx(8_000_000_000 / 80_000.5)
    # An empty field is not observed: no row, and no zero.
    assert dict(ratios["name"].value_counts().rows()) == dict.fromkeys(
        ("top_accounts_long_short_ratio", "top_positions_long_short_ratio", "taker_buy_sell_ratio"), 288
    )
    assert ratios.height == 3 * 288 and ratios["interval_s"].unique().to_list() == [300]


def test_open_interest_alone_leaves_the_ratios(server: Server, lake_folder: Path, hasty: Patience) -> None:
    text = made.metrics(DAY, at_end=False, skip=(5, 6))
    server.add_zip(f"{made.UM}/daily/metrics/BTCUSDT", f"BTCUSDT-metrics-{DAY}", text)
    report = ask(server, lake_folder, hasty, "open_interest")
    lake = Lake.open(lake_folder)
    assert lake.read("open_interest").height == 286 and lake.read("indicators").is_empty()
    assert [(gap.start_ns - start_ns(DAY), gap.lost) for gap in report.series[0].gaps] == [
        (5 * 300_000_000_000, 2)
    ]


def test_zero_open_interest_is_not_observed(server: Server, lake_folder: Path, hasty: Patience) -> None:
    text = made.metrics(DAY).replace("80003.5,8000000003", "0,0")
    server.add_zip(f"{made.UM}/daily/metrics/BTCUSDT", f"BTCUSDT-metrics-{DAY}", text)
    report = ask(server, lake_folder, hasty, "open_interest")
    assert Lake.open(lake_folder).read("open_interest").height == 287
    assert any("not observed" in note for note in report.series[0].notes)


def test_funding_is_stamped_on_the_hour(server: Server, lake_folder: Path, hasty: Patience) -> None:
    folder = f"{made.UM}/monthly/fundingRate/BTCUSDT"
    server.add_zip(folder, "BTCUSDT-fundingRate-2025-10", made.funding(date(2025, 10, 1), 31))
    report = ask(server, lake_folder, hasty, "funding")
    rows = Lake.open(lake_folder).read("funding")
    assert rows.height == 93 and report.series[0].asked == 31  # these files are monthly only
    assert set(rows["time_ns"] % (8 * 3_600_000_000_000)) == {0}
    assert rows["rate"].unique().to_list() == [0.0001] and rows["interval_s"].unique().to_list() == [28_800]


def test_funding_of_a_month_that_is_not_over_is_not_published_yet(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    folder = f"{made.UM}/monthly/fundingRate/BTCUSDT"
    server.add_zip(folder, "BTCUSDT-fundingRate-2025-10", made.funding(date(2025, 10, 1), 31))
    today = datetime.now(UTC).date()
    report = ask(server, lake_folder, hasty, "funding", first=today, last=today)
    one = report.series[0]
    assert today in one.not_yet and (one.missing, one.gaps, one.fetched, one.failures) == ([], [], [], [])


def test_trades_have_the_takers_side(server: Server, lake_folder: Path, hasty: Patience) -> None:
    server.add_zip(f"{made.UM}/daily/aggTrades/BTCUSDT", f"BTCUSDT-aggTrades-{DAY}", made.trades(DAY, 40))
    ask(server, lake_folder, hasty, "trades")
    rows = Lake.open(lake_folder).read("trades").sort("time_ns")
    assert rows["trade_id"].to_list() == [f"a{1000 + n}" for n in range(40)]
    assert rows["side"].to_list() == ["buy", "sell"] * 20  # the second one's buyer was the maker
    assert rows["usd"].to_list() == [100_000.5 * 0.25] * 40 and rows["liquidation"].null_count() == 40


def test_large_files_are_read_block_by_block(
    server: Server, lake_folder: Path, hasty: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_run, "_BLOCK_BYTES", 5_000)
    monkeypatch.setattr("deleverage.data.backfill.unzip._BLOCK", 1_000)
    monkeypatch.setattr("deleverage.data.backfill.series._PART_ROWS", 300)
    server.add_zip(f"{made.UM}/daily/aggTrades/BTCUSDT", f"BTCUSDT-aggTrades-{DAY}", made.trades(DAY, 2_000))
    assert ask(server, lake_folder, hasty, "trades").series[0].added == 2_000
    assert Lake.open(lake_folder).read("trades")["trade_id"].n_unique() == 2_000


def test_banded_depth_has_both_sides_in_a_row(server: Server, lake_folder: Path, hasty: Patience) -> None:
    server.add_zip(f"{made.UM}/daily/bookDepth/BTCUSDT", f"BTCUSDT-bookDepth-{DAY}", made.depth(DAY))
    ask(server, lake_folder, hasty, "depth")
    rows = Lake.open(lake_folder).read("depth")
    assert rows.select("range_bps", "bid_usd", "bid_coins", "ask_usd", "ask_coins").rows()[:2] == [
        (100.0, 10_000_000.0, 100.5, 10_000_000.0, 100.5),
        (200.0, 20_000_000.0, 200.5, 20_000_000.0, 200.5),
    ]
    assert rows.height == 4


def test_coin_margined_liquidations_become_coins(server: Server, lake_folder: Path, hasty: Patience) -> None:
    day = date(2024, 3, 5)
    folder = "data/futures/cm/daily/liquidationSnapshot/BTCUSD_PERP"
    server.add_zip(folder, f"BTCUSD_PERP-liquidationSnapshot-{day}", made.liquidations(day))
    report = ask(server, lake_folder, hasty, "liquidations", day, day, "BTCUSD_PERP")
    rows = Lake.open(lake_folder).read("liquidations")
    # 50 contracts of 100 USD at 70,000: 0.0714 coins
    assert rows.select("side", "usd", "price", "order_price", "usd_at").rows() == [
        ("long", 5_000.0, 70_000.0, 69_000.0, "fill"),
        ("short", 1_400.0, 70_000.0, 71_000.0, "fill"),
    ]
    assert rows["coins"].to_list() == pytest.approx([5_000 / 70_000, 0.02])
    assert any("repeat" in note for note in report.series[0].notes)


def test_usd_margined_liquidations_are_refused_with_the_reason(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    with pytest.raises(InputError, match="BTCUSD_PERP") as error:
        ask(server, lake_folder, hasty, "liquidations")
    assert "2024-03-31" in error.value.hint and server.asked == [] and not lake_folder.exists()


def test_spot_has_microseconds_and_its_own_folder(server: Server, lake_folder: Path, hasty: Patience) -> None:
    server.add_zip(
        "data/spot/daily/klines/PAXGUSDT/1h", f"PAXGUSDT-1h-{DAY}", made.klines(DAY, header=False, micro=True)
    )
    ask(server, lake_folder, hasty, symbol="PAXGUSDT", source="binance-spot")
    assert Lake.open(lake_folder).read("candles")["kind"].unique().to_list() == ["spot"]


def test_spot_trades_have_a_field_more_and_no_header(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    lines = made.trades(DAY, 10).splitlines()[1:]
    fields = [line.split(",") for line in lines]
    text = "".join(",".join([*f[:5], f[5] + "000", f[6].title(), "True"]) + "\n" for f in fields)
    server.add_zip("data/spot/daily/aggTrades/BTCUSDT", f"BTCUSDT-aggTrades-{DAY}", text)
    report = ask(server, lake_folder, hasty, "trades", source="binance-spot")
    rows = Lake.open(lake_folder).read("trades").sort("time_ns")
    assert report.series[0].failures == [] and rows["side"].to_list() == ["buy", "sell"] * 5
    assert rows["time_ns"][1] == start_ns(DAY) + DAY_NS // 10


@pytest.mark.parametrize(
    ("kind", "folder", "name", "text"),
    [
        ("klines", "klines/BTCUSDT/1h", "BTCUSDT-1h", made.klines(DAY)),
        ("metrics", "metrics/BTCUSDT", "BTCUSDT-metrics", made.metrics(DAY)),
        ("trades", "aggTrades/BTCUSDT", "BTCUSDT-aggTrades", made.trades(DAY, 50)),
        ("depth", "bookDepth/BTCUSDT", "BTCUSDT-bookDepth", made.depth(DAY)),
    ],
)
def test_backfill_and_import_read_the_same_file_as_the_same_rows(
    server: Server,
    lake_folder: Path,
    tmp_path: Path,
    hasty: Patience,
    kind: str,
    folder: str,
    name: str,
    text: str,
) -> None:
    from deleverage.data.importing import import_paths

    server.add_zip(f"{made.UM}/daily/{folder}", f"{name}-{DAY}", text)
    ask(server, lake_folder, hasty, kind)
    file = tmp_path / "files" / "futures" / "um" / folder / f"{name}-{DAY}.csv"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    import_paths([tmp_path / "files"], tmp_path / "other")
    for table in TABLES[kind]:
        one, other = (Lake.open(lake).read(table) for lake in (lake_folder, tmp_path / "other"))
        assert one.height and one.drop("received_ns", "source").equals(other.drop("received_ns", "source")), (
            table
        )


# --- faults -------------------------------------------------------------------------------------


def test_wrong_checksum_is_refused_before_the_zip_is_opened(
    server: Server, lake_folder: Path, hasty: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []

    class Watched(zipfile.ZipFile):
        def __init__(self, path: Path) -> None:
            opened.append(path)
            super().__init__(path)

    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", made.klines(DAY), checksum="0" * 64)
    monkeypatch.setattr("deleverage.data.backfill.unzip.zipfile.ZipFile", Watched)
    report = ask(server, lake_folder, hasty)
    assert report.failed and "checksum" in report.series[0].failures[0]
    assert opened == [] and Lake.open(lake_folder).read("candles").is_empty()


def test_damaged_file_does_not_stop_the_others_and_is_asked_for_again(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    days_of(server, DAY, 3)
    bad = DAY + timedelta(days=1)
    server.add_zip(KLINES, f"BTCUSDT-1h-{bad}", made.klines(bad).replace("100003", "abc", 1))
    report = ask(server, lake_folder, hasty, last=DAY + timedelta(days=2))
    (failure,) = report.series[0].failures
    assert "line 4" in failure and "abc" in failure and len(report.series[0].fetched) == 2
    server.add_zip(KLINES, f"BTCUSDT-1h-{bad}", made.klines(bad))
    assert ask(server, lake_folder, hasty, last=DAY + timedelta(days=2)).series[0].fetched == [bad]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.replace(",99995,", ",120000,", 1), "high at or above low"),
        (lambda t: t.replace("100005", "-5", 1), "price above 0"),
        (lambda t: t.replace("100005", "NaN", 1), "a number"),
        (lambda t: t[:-40], "fields"),
        (lambda t: t.replace("100000,", "100000,7,", 1), "fields"),
        (lambda t: t.replace("100000,", "100000,7,", 1).replace("450000,0", "450000", 1), "a whole number"),
        (lambda t: t.replace("100001,", "100001,7,", 1).replace("100007,", "", 1), "fields"),
        (lambda t: t.replace("42,4.5", "\udcff,4.5", 1), "lines of text"),
        (lambda t: t + t.splitlines()[-1].replace("100023", "100024", 1) + "\n", "one row of each key"),
        (lambda t: t.replace("open_time,open", "open_time,first", 1), "columns"),
        (lambda t: t.replace("000,100000,", ",100000,", 1), "digits"),
        (lambda t: t.replace("42,4.5", "42,11.5", 1), "no more bought by takers"),
    ],
    ids=[
        "crossed",
        "negative",
        "nan",
        "cut off",
        "field too many",
        "moved",
        "long and short",
        "no text",
        "two of one key",
        "header",
        "unit",
        "taker",
    ],
)
def test_file_that_is_not_as_documented_is_refused_with_the_place(
    server: Server, lake_folder: Path, hasty: Patience, change: object, words: str
) -> None:
    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", change(made.klines(DAY)))  # type: ignore[operator]
    report = ask(server, lake_folder, hasty)
    assert words in report.series[0].failures[0] and f"BTCUSDT-1h-{DAY}" in report.series[0].failures[0]
    assert Lake.open(lake_folder).read("candles").is_empty()


def test_repeated_and_reordered_rows_are_taken_once_in_order(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    head, *lines = made.klines(DAY).splitlines(keepends=True)
    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", head + "".join([*reversed(lines), lines[3]]))
    report = ask(server, lake_folder, hasty)
    assert report.series[0].added == 24 and len(report.series[0].notes) == 2


def bomb(name: str, size: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"0" * size)
    return buffer.getvalue()


@pytest.mark.parametrize("member", ["../../evil.csv", "/etc/evil.csv", "other.csv"])
def test_member_with_another_name_or_a_path_is_refused(
    server: Server, lake_folder: Path, hasty: Patience, member: str
) -> None:
    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", made.klines(DAY), member=member)
    assert "one member" in ask(server, lake_folder, hasty).series[0].failures[0]


def test_zip_bomb_is_refused_unread(server: Server, lake_folder: Path, hasty: Patience) -> None:
    body = bomb(f"BTCUSDT-1h-{DAY}.csv", 40 << 20)
    server.files[f"/{KLINES}/BTCUSDT-1h-{DAY}.zip"] = body
    digest = hashlib.sha256(body).hexdigest()
    server.files[f"/{KLINES}/BTCUSDT-1h-{DAY}.zip.CHECKSUM"] = f"{digest}  BTCUSDT-1h-{DAY}.zip".encode()
    assert "times its packed size" in ask(server, lake_folder, hasty).series[0].failures[0]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(".zip", status=429, headers={"Retry-After": "0"}),
        Fault(".zip", status=429),
        Fault(".zip", status=500),
        Fault(".zip", status=503, body=b"<html>"),
        Fault("1h-2025-10-10.zip", half=True, times=2),
    ],
    ids=["429 with a time", "429 without", "500", "503", "half a body"],
)
def test_fault_on_the_way_is_asked_again(
    server: Server, lake_folder: Path, hasty: Patience, fault: Fault
) -> None:
    server.faults = [fault]
    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", made.klines(DAY))
    report = ask(server, lake_folder, hasty)
    assert report.series[0].added == 24 and report.retries >= 1
    assert fault.times == 0


def test_silence_ends_with_the_time_limit_and_is_asked_again(tmp_path: Path, server: Server) -> None:
    from deleverage.data.backfill.web import Web

    server.files["/x"] = b"whole"
    server.faults = [Fault("/x", silent_s=1.5)]
    web = Web(Patience(attempts=2, first_s=0.001), timeout_s=0.2)
    assert web.get(f"{server.url}/x").body == b"whole" and web.requests == 2


def test_answer_that_trickles_ends_with_the_limit_for_one_answer(server: Server) -> None:
    from deleverage.data.backfill.web import Web

    server.files["/x"] = b"whole"
    web = Web(Patience(attempts=2, first_s=0.001), slowest_s=-1.0)
    with pytest.raises(SourceUnavailable, match="not whole after"):
        web.get(f"{server.url}/x")


def test_source_that_wants_a_long_pause_is_left_alone_at_once(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    server.faults = [Fault("CHECKSUM", status=429, headers={"Retry-After": "3600"})]
    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", made.klines(DAY))
    with pytest.raises(RateLimited, match="asks to wait 3600 s") as error:
        ask(server, lake_folder, hasty)
    assert error.value.retry_after_s == 3600 and len(server.asked) == 1


def test_source_that_stays_away_ends_it_and_what_was_read_is_kept(
    server: Server, lake_folder: Path, hasty: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_run, "AHEAD", 1)
    monkeypatch.setattr(archive_run, "FLUSH_ROWS", 1)
    days_of(server, DAY, 4)
    last = DAY + timedelta(days=3)
    server.faults = [Fault(str(DAY + timedelta(days=2)), status=500, times=99)]
    with pytest.raises(SourceUnavailable, match="status 500"):
        ask(server, lake_folder, hasty, last=last)
    server.faults = []
    server.asked.clear()
    report = ask(server, lake_folder, hasty, last=last)
    assert report.series[0].complete_before == 2 and len(report.series[0].fetched) == 2
    assert Lake.open(lake_folder).read("candles").height == 96


def test_redirect_from_https_or_to_a_file_is_not_followed(server: Server) -> None:
    from deleverage.data.backfill.web import Web

    server.faults = [Fault("/x", status=302, headers={"Location": "file:///etc/hostname"}, times=9)]
    with pytest.raises(SourceUnavailable, match="status 302"):
        Web(Patience(attempts=1)).get(f"{server.url}/x")


# --- killed and stopped ----------------------------------------------------------------------------


EVERY_DAY = (  # each day is written down by itself, so that a kill finds some written and some not
    "import sys\n"
    "from deleverage.data.backfill import archive_run\n"
    "archive_run.FLUSH_ROWS = 1\n"
    "from deleverage.cli import main\n"
    "raise SystemExit(main(sys.argv[1:]))"
)


def command(server: Server, lake: Path, last: date) -> list[str]:
    return [
        *(sys.executable, "-c", EVERY_DAY, "backfill", "binance", "BTCUSDT", "--what", "klines"),
        *(
            "--from",
            str(DAY),
            "--to",
            str(last),
            "--interval",
            "1h",
            "--lake",
            str(lake),
            "--url",
            server.url,
        ),
    ]


def test_killed_at_any_point_it_goes_on_and_ends_with_every_row_once(
    server: Server, lake_folder: Path
) -> None:
    count = 14
    days_of(server, DAY, count)
    last = DAY + timedelta(days=count - 1)
    server.slow_s = 0.01
    killed = 0
    for delay in (0.9, 1.1, 1.3):
        process = subprocess.Popen(
            command(server, lake_folder, last), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(delay)
        if process.poll() is None:
            process.kill()
            killed += 1
        process.wait()
        if lake_folder.exists():
            lake = Lake.create(lake_folder)
            rows = lake.read("candles")
            assert rows["time_ns"].n_unique() == rows.height
            mask = lake.committed("candles", "backfill/binance/klines/BTCUSDT/1h/2025-10") or 0
            # Rows and record are there together: days with rows are those that are complete.
            assert {day_of_ns(time).day for time in rows["time_ns"]} == {
                day.day for day in Month(2025, 10).days(mask)
            }
    assert killed
    server.slow_s = 0.0
    done = subprocess.run(
        [*command(server, lake_folder, last), "--json"], capture_output=True, text=True, check=True
    )
    one = json.loads(done.stdout)["series"][0]
    assert one["days"]["fetched"] + one["days"]["complete_before"] == count
    rows = Lake.open(lake_folder).read("candles")
    assert rows.height == rows["time_ns"].n_unique() == count * 24


def test_stopped_by_the_user_it_ends_cleanly(server: Server, lake_folder: Path) -> None:
    days_of(server, DAY, 8)
    server.slow_s = 0.3
    process = subprocess.Popen(
        command(server, lake_folder, DAY + timedelta(days=7)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 20
    while not server.asked and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=20)
    assert process.returncode == 130 and "Traceback" not in words and "stopped" in words


# --- the command -----------------------------------------------------------------------------------


def run(server: Server, lake: Path, *more: str) -> int:
    return main(
        [
            *("backfill", "binance", "BTCUSDT", "--from", str(DAY), "--to", str(DAY), "--lake", str(lake)),
            *("--interval", "1h", "--url", server.url),
            *more,
        ]
    )


def test_command_says_what_it_did(
    server: Server, lake_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", made.klines(DAY, skip=(3,)))
    assert run(server, lake_folder, "--what", "klines") == 0
    shown = capsys.readouterr().out
    assert "1 days fetched" in shown and "23 rows added" in shown
    assert "gap 2025-10-10T03:00:00Z to 2025-10-10T04:00:00Z, 1 rows" in shown


def test_command_ends_with_3_where_a_file_could_not_be_used(
    server: Server, lake_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", made.klines(DAY), checksum="1" * 64)
    assert run(server, lake_folder, "--what", "klines", "--json") == 3
    assert len(json.loads(capsys.readouterr().out)["series"][0]["failures"]) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["backfill"], "expected SOURCE, --from, --to, --lake"),
        (["backfill", "nobody", "X"], "expected a source of binance"),
        (["backfill", "binance", "BTCUSDT"], "expected --what"),
        (["backfill", "binance", "--what", "klines"], "expected at least one symbol"),
        (["backfill", "binance", "BTCUSDT", "--what", "candles"], "expected one of klines"),
        (["backfill", "binance", "BTCUSDT", "--what", "klines", "--interval", "7m"], "--interval 7m"),
        (["backfill", "binance", "BTCEUR", "--what", "klines"], "expected a symbol in"),
        (["backfill", "binance", "../BTCUSDT", "--what", "klines"], "found '../BTCUSDT'"),
        (["backfill", "binance", "btcusdt", "--what", "klines"], "expected a symbol like"),
        (["backfill", "binance-spot", "BTCUSDT", "--what", "metrics"], "the spot market has none"),
        (["backfill", "bybit", "BTCUSDT", "--what", "trades"], "last 1,000 trades"),
        (["backfill", "farside", "XRP"], "expected coins of BTC"),
        (["backfill", "fear-greed", "--what", "klines"], "expected no --what"),
        (["backfill", "coinmarketcap", "BTC"], "DELEVERAGE_COINMARKETCAP_KEY"),
        (
            ["backfill", "binance", "BTCUSDT", "--what", "klines", "--url", "localhost"],
            "expected scheme and host",
        ),
    ],
)
def test_bad_input_costs_nothing_and_says_what_to_do(
    lake_folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.delenv("DELEVERAGE_COINMARKETCAP_KEY", raising=False)
    days = ["--from", str(DAY), "--to", str(DAY), "--lake", str(lake_folder)] if len(arguments) > 1 else []
    assert main([*arguments, *days]) == 2
    told = capsys.readouterr().err
    assert words in told and "Traceback" not in told and not lake_folder.exists()


def test_days_must_be_days_in_order(lake_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rest = ["binance", "BTCUSDT", "--what", "klines", "--lake", str(lake_folder)]
    assert main(["backfill", *rest, "--from", "2025-10-11", "--to", "2025-10-10"]) == 2
    assert main(["backfill", *rest, "--from", "2099-10-10", "--to", "2099-10-11"]) == 2
    assert main(["backfill", *rest, "--from", "10.10.2025", "--to", "2025-10-10"]) == 2
    assert main(["backfill", *rest, "--from", "1999-10-10", "--to", "2025-10-10"]) == 2
    assert "expected a day like 2025-10-10" in capsys.readouterr().err and not lake_folder.exists()


def test_sources_say_terms_delay_and_revisions(capsys: pytest.CaptureFixture[str]) -> None:
    from deleverage.data.backfill.sources import SOURCES

    assert main(["backfill", "--sources", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["sources"]
    assert [one["name"] for one in told] == list(SOURCES)
    for one in told:
        assert all(
            one[name] for name in ("holds", "since", "limits", "interval", "delay", "revisions", "terms")
        )
    assert main(["backfill", "--sources"]) == 0
    assert "terms" in capsys.readouterr().out


def test_archive_needs_neither_ccxt_nor_aiohttp(server: Server, lake_folder: Path) -> None:
    days_of(server, DAY, 1)
    asked = command(server, lake_folder, DAY)[3:]
    code = (
        "import sys\nfrom deleverage.cli import main\nassert main(sys.argv[1:]) == 0\n"
        "print(sorted({'ccxt', 'aiohttp', 'requests'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, *asked], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_ccxt_is_imported_where_sources_are_asked_and_nowhere_else() -> None:
    import deleverage

    root = Path(deleverage.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(r"^\s*(import|from) ccxt", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    allowed = ("data/backfill/", "data/collect/", "data/sources/", "data/tier_fetch.py")
    assert "data/backfill/ccxt_door.py" in found and all(name.startswith(allowed) for name in found), found


def test_real_months_of_spot_bars_come_whole_through_the_archives_layout(
    server: Server, lake_folder: Path, hasty: Patience, test_data: Path
) -> None:
    folder = test_data / "binance_spot_btcusdt_5m_2025"
    for path in sorted(folder.glob("BTCUSDT-5m-2025-*.csv")):
        server.add_zip("data/spot/monthly/klines/BTCUSDT/5m", path.stem, path.read_text(encoding="utf-8"))
    report = ask(
        *(server, lake_folder, hasty, "klines", date(2025, 1, 1), date(2025, 12, 31)),
        source="binance-spot",
        interval="5m",
    )
    one = report.series[0]
    assert (one.added, one.gaps, one.failures, len(one.fetched)) == (105_120, [], [], 365)
    low = Lake.open(lake_folder).read("candles", start_ns=start_ns(DAY), end_ns=start_ns(DAY) + DAY_NS - 1)[
        "low"
    ]
    assert low.min() == 102_000.0  # the low of the night
