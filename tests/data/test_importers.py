"""Each family of files: recognised by its content, converted to the table's units, its defects named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from deleverage.data import FigureQuery, ImportReport, Lake, import_paths
from deleverage.data.importers import IMPORTERS
from deleverage.data.importers.base import SourceFile
from deleverage.data.importers.layout import layout_of
from deleverage.errors import DataError, InputError
from tests.data import tiny


def imported(tmp_path: Path, *paths: Path) -> tuple[Lake, ImportReport]:
    report = import_paths(list(paths), tmp_path / "lake")
    return Lake.open(tmp_path / "lake"), report


def defects(report: ImportReport) -> str:
    return "\n".join(
        f"{name}: {one.rows} rows, {one.defect.defect} -> {one.defect.handled} ({one.example})"
        for name, one in report.noted.items()
    )


def recognised(path: Path) -> list[str]:
    layout = layout_of(SourceFile(path, path.name))
    return [importer.name for importer in IMPORTERS if importer.recognise(layout)]


def test_a_folder_with_one_file_of_every_family_is_imported_and_the_rest_listed(tmp_path: Path) -> None:
    lake, report = imported(tmp_path, tiny.whole_folder(tmp_path / "data"))
    rows = {row.table: row.rows for row in lake.status() if row.rows}
    assert rows == {
        "candles": 13,
        "open_interest": 4,
        "depth": 1,
        "funding": 2,
        "snapshots": 2,
        "tiers": 2,
        "adl_totals": 1,
    }
    assert {file for file, _ in report.skipped} == {
        "README.md",
        "other.csv",
        "adl/cascade_timing_results.json",
        "adl/realtime_analysis_summary.json",
    }
    assert dict(report.skipped)["other.csv"] == "no importer knows this layout (csv: a, b)"


def test_the_same_files_again_add_nothing(tmp_path: Path) -> None:
    folder = tiny.whole_folder(tmp_path / "data")
    import_paths([folder], tmp_path / "lake")
    before = tiny.commits(tmp_path / "lake")
    again = import_paths([folder], tmp_path / "lake").to_json()
    assert {table["added"] for table in again["tables"].values()} == {0}
    assert tiny.commits(tmp_path / "lake") == before


def test_every_family_has_its_own_layout(tmp_path: Path) -> None:
    folder = tiny.whole_folder(tmp_path / "data")
    for path in folder.rglob("*"):
        if path.is_file():
            layout = layout_of(SourceFile(path, path.name))
            assert sum(importer.recognise(layout) for importer in IMPORTERS) <= 1


def test_recognition_is_by_content_and_not_by_name(tmp_path: Path) -> None:
    path = tiny.put(
        tmp_path / "notes-perp-1m-.txt", "\n".join([tiny.MINUTE_HEADER, *tiny.minute_rows()]) + "\n"
    )
    assert recognised(path) == []  # not a CSV by its name
    assert recognised(path.rename(tmp_path / "x.csv")) == ["binance-perp-minutes"]


def test_minutes_become_perpetual_candles_in_coins(tmp_path: Path) -> None:
    lake, report = imported(tmp_path, tiny.minutes(tmp_path))
    row = lake.read("candles").row(0, named=True)
    assert (row["kind"], row["coin"], row["symbol"], row["interval_s"]) == ("perp", "BTC", "BTCUSDT", 60)
    assert (row["time_ns"], row["volume_coins"], row["trades"]) == (
        tiny.ns("2025-10-10T20:00:00Z"),
        10.5,
        100,
    )
    assert row["source"] == "perp_1m/BTCUSDT-perp-1m-2025-10-10.csv"
    assert not report.defects


def test_a_minute_that_is_missing_is_a_hole_and_named(tmp_path: Path) -> None:
    rows = tiny.minute_rows(4)
    lake, report = imported(tmp_path, tiny.minutes(tmp_path, [rows[0], rows[1], rows[3]]))
    assert lake.read("candles").height == 3
    assert "1 rows, bars are missing inside a series -> left as a hole" in defects(report)


@pytest.mark.parametrize("unit", [1, 1000])
def test_klines_in_milliseconds_and_microseconds_give_the_same_times(tmp_path: Path, unit: int) -> None:
    lake, report = imported(tmp_path, tiny.klines(tmp_path, unit=unit))
    assert lake.read("candles")["time_ns"].to_list() == [
        tiny.ns(f"2025-10-10T20:{minute:02d}:00Z") for minute in (0, 5, 10)
    ]
    assert ("microseconds" in defects(report)) == (unit == 1000)
    assert set(lake.read("candles")["kind"]) == {"spot"}


def test_klines_whose_path_does_not_say_spot_or_perp_are_listed_with_the_reason(tmp_path: Path) -> None:
    tiny.klines(tmp_path / "data", place="bars")
    tiny.minutes(tmp_path / "data")
    _, report = imported(tmp_path, tmp_path / "data")
    assert "says 'spot' or 'perp'" in report.skipped[0][1]


def test_klines_with_a_header_are_the_same_family(tmp_path: Path) -> None:
    path = tiny.klines(tmp_path, unit=1, place="futures_um")
    names = IMPORTERS[0].columns
    path.write_text(",".join(names) + "\n" + path.read_text())
    lake, _ = imported(tmp_path, path)
    assert lake.read("candles")["kind"].unique().to_list() == ["perp"]


def test_hours_too_thin_for_the_venue_in_the_path_are_kept_under_no_venue(tmp_path: Path) -> None:
    tiny.spot_hourly(tmp_path / "data", "HYPE", 40.0, hours=800)  # 300 USD an hour
    tiny.spot_hourly(tmp_path / "data", "BTC")
    lake, report = imported(tmp_path, tmp_path / "data")
    venues = dict(lake.read("candles").select("coin", "venue").unique().rows())
    assert venues == {"HYPE": "unnamed", "BTC": "binance"}
    assert "HYPE: 300 USD in the median hour" in defects(report)


def test_okx_contracts_become_coins_and_an_unknown_size_is_null(tmp_path: Path) -> None:
    path = tiny.venue_candles(tmp_path, coins=("BTC", "ETH", "DOGE", "HYPE"))
    lake, report = imported(tmp_path, path)
    volume = dict(
        lake.read("candles", where={"venue": "okx"})
        .group_by("coin")
        .agg(pl.col("volume_coins").first())
        .rows()
    )
    assert volume == {"BTC": 10.0, "ETH": 100.0, "DOGE": 1_000_000.0, "HYPE": None}  # 1,000 contracts each
    binance = lake.read("candles", where={"venue": "binance", "coin": "BTC"})
    assert binance["volume_coins"].unique().to_list() == [10.0]
    assert "OKX volume is in contracts" in defects(report)
    assert "an OKX contract whose size is not known" in defects(report)


def test_okx_volume_that_is_in_coins_already_is_left_alone(tmp_path: Path) -> None:
    path = tiny.venue_candles(tmp_path, coins=("BTC", "ETH", "DOGE"))
    frame = pl.read_parquet(path)
    coins = frame.filter(pl.col("venue") == "binance").with_columns(pl.lit("okx").alias("venue"))
    pl.concat([frame.filter(pl.col("venue") == "binance"), coins]).write_parquet(path)
    lake, report = imported(tmp_path, path)
    assert lake.read("candles", where={"venue": "okx", "coin": "BTC"})["volume_coins"].unique().to_list() == [
        10.0
    ]
    assert "okx-contracts" not in report.noted


def daily(folder: Path, name: str, price: float, *, days: int = 40) -> Path:
    """Daily bars whose close is the price plus the number of the day."""
    start = tiny.ns("2025-09-01T00:00:00Z") // 1_000_000
    if name.endswith(".json"):
        bars = [
            [opens, *[f"{price + i:.8f}"] * 4, "1.0", opens + 86_399_999, "0", 1, "0.5", "0", "0"]
            for i, opens in ((i, start + 86_400_000 * i) for i in range(days))
        ]
        return tiny.put(folder / "binance" / name, json.dumps(bars))
    dates = pl.date_range(pl.date(2025, 9, 1), pl.date(2025, 9, 1) + pl.duration(days=days - 1), eager=True)
    rows = "".join(
        f"{day},{price + i},{price + i},{price + i},{price + i},1\n" for i, day in enumerate(dates)
    )
    return tiny.put(folder / "copies" / name, f"date,open,high,low,close,volume\n{rows}")


def test_bars_without_a_venue_are_of_the_one_whose_closes_they_have(tmp_path: Path) -> None:
    daily(tmp_path / "in", "btc-1d.json", 110_000)
    daily(tmp_path / "in", "BTCUSDT.csv", 110_000, days=60)
    daily(tmp_path / "in", "LTCUSDT.csv", 100)
    lake, report = imported(tmp_path, tmp_path / "in")
    rows = lake.read("candles").group_by("coin", "venue").len().sort("coin")
    assert rows.rows() == [("BTC", "binance", 59), ("LTC", "unnamed", 39)]
    assert "BTCUSDT: 100.0% of 39 days" in defects(report)


def test_bars_that_differ_from_the_venue_keep_none(tmp_path: Path) -> None:
    daily(tmp_path / "in", "btc-1d.json", 110_000)
    daily(tmp_path / "in", "BTCUSDT.csv", 110_003)
    lake, report = imported(tmp_path, tmp_path / "in")
    assert set(lake.read("candles")["venue"]) == {"binance", "unnamed"}
    assert "venue-by-agreement" not in report.noted


def test_the_venue_is_told_by_bars_of_an_earlier_import_too(tmp_path: Path) -> None:
    import_paths([daily(tmp_path, "btc-1d.json", 110_000)], tmp_path / "lake")
    lake, _ = imported(tmp_path, daily(tmp_path, "BTCUSDT.csv", 110_000, days=60))
    assert set(lake.read("candles")["venue"]) == {"binance"}


def test_funding_is_stamped_on_the_full_hour_and_agrees_across_files(tmp_path: Path) -> None:
    tiny.venue_funding(tmp_path / "data", (0.0001, 0.0001, 0.00001013))
    tiny.settled_funding(tmp_path / "data")  # 08:00 and 16:00 of the same day, the same rates
    lake, report = imported(tmp_path, tmp_path / "data")
    rows = lake.read("funding")
    assert rows["time_ns"].to_list() == [tiny.ns(f"2025-10-10T{hour:02d}:00:00Z") for hour in (0, 8, 16)]
    assert rows["rate"].to_list() == [0.0001, 0.0001, 0.00001013]
    assert rows["interval_s"].unique().to_list() == [28_800]
    assert "stamped up to 2 s beside the full hour" in defects(report)
    assert "earlier row" not in defects(report)


def test_open_interest_in_coins_is_usd_over_the_rows_price_and_zero_is_not_observed(tmp_path: Path) -> None:
    lake, report = imported(tmp_path, tiny.chart(tmp_path))
    rows = lake.read("open_interest", where={"venue": "binance"})
    assert rows["time_ns"].to_list()[-1] == tiny.ns("2025-10-10T19:59:30Z")
    assert rows["coins"].to_list()[-1] == pytest.approx(120.0)  # 13.92 m USD / 116,000
    assert lake.read("open_interest", where={"venue": "crypto.com"}).height == 1
    assert "an open interest of exactly 0" in defects(report)


def test_pairs_are_unswapped_stamped_with_the_fetch_and_funding_becomes_a_share(tmp_path: Path) -> None:
    tiny.chart(tmp_path)
    lake, report = imported(tmp_path, tiny.pairs(tmp_path))
    perp, dated = (
        lake.read("snapshots", where={"symbol": s}).row(0, named=True) for s in ("BTCUSDT", "BTCUSDT_251226")
    )
    assert perp["time_ns"] == tiny.ns("2025-10-10T20:00:00Z")  # fetched at 19:59:30
    assert (perp["long_liquidations_usd_24h"], perp["short_liquidations_usd_24h"]) == (9e6, 1e6)
    assert perp["funding_rate"] == pytest.approx(0.0001)
    assert (perp["kind"], dated["kind"], dated["open_interest_coins"]) == ("perp", "future", None)
    for words in ("swapped", "in percent", "carry no time"):
        assert words in defects(report)


def test_pairs_without_the_charts_of_their_day_are_not_dated_by_guess(tmp_path: Path) -> None:
    tiny.pairs(tmp_path / "data")
    tiny.minutes(tmp_path / "data")
    lake, report = imported(tmp_path, tmp_path / "data")
    assert lake.read("snapshots").is_empty()
    assert "carries no time" in report.skipped[0][1]


PLAIN = "api_futures_orderbook_ask_bids_history.parquet"
AGGREGATED = "api_futures_orderbook_aggregated_ask_bids_history_BTC.parquet"


def test_the_newest_bar_of_the_fetch_is_stamped_with_the_fetch(tmp_path: Path) -> None:
    # The chart says 118,320 at 16:00 and 116,000 at the fetch; the row implies 116,050.
    tiny.chart(tmp_path)
    path = tiny.depth(
        tmp_path, (121_000.0, 119_480.0, 116_050.0), name=AGGREGATED, hours=8, prefix="aggregated_"
    )
    lake, report = imported(tmp_path, path)
    rows = lake.read("depth")
    assert rows["taken"].to_list() == ["bar", "fetch"]
    assert rows["time_ns"].to_list() == [tiny.ns("2025-10-10T00:00:00Z"), tiny.ns("2025-10-10T20:00:00Z")]
    assert "the newest bar is unfinished" in defects(report)
    assert "the newest bars are provisional" in defects(report)


def test_the_newest_bar_with_the_price_of_its_opening_is_left_out(tmp_path: Path) -> None:
    tiny.chart(tmp_path)
    lake, report = imported(tmp_path, tiny.depth(tmp_path, (119_000.0, 119_480.0, 118_300.0), name=PLAIN))
    assert lake.read("depth")["time_ns"].to_list() == [tiny.ns("2025-10-10T08:00:00Z")]
    assert "the newest bar is unfinished" not in defects(report)
    assert lake.read("depth")["coin"].to_list() == ["BTC"]  # told by the price alone
    assert lake.read("depth")["range_bps"].to_list() == [100.0]


def test_depth_that_does_not_name_its_coin_is_not_guessed(tmp_path: Path) -> None:
    tiny.depth(tmp_path / "data", (119_000.0, 119_480.0, 118_300.0), name=PLAIN)
    tiny.minutes(tmp_path / "data")
    _, report = imported(tmp_path, tmp_path / "data")
    assert "of which coin" in report.skipped[0][1]


@pytest.mark.parametrize("reverse", [False, True])
def test_a_settled_bar_answers_before_the_one_of_the_fetch_in_either_order(
    tmp_path: Path, reverse: bool
) -> None:
    two_days = 48 * tiny.HOUR_MS
    tiny.chart(tmp_path)
    tiny.chart(tmp_path, day="20251012", later_ms=two_days)
    fetch = tiny.depth(
        tmp_path, (121_000.0, 119_480.0, 116_050.0), name=AGGREGATED, hours=8, prefix="aggregated_"
    )
    settled = tiny.depth(
        tmp_path, (118_900.0,) * 12, name=PLAIN, coins=2000.0, day="20251012", later_ms=two_days
    )
    for path in sorted([fetch, settled], reverse=reverse):
        import_paths([path], tmp_path / "lake")
    lake = Lake.open(tmp_path / "lake")
    query = FigureQuery("depth", "2025-10-10T20:00:00Z", "bid_coins", {"coin": "BTC"})
    assert lake.figure(query).value == 2000.0
    assert lake.figure(replace(query, where={"coin": "BTC", "taken": "fetch"})).value == 1000.0


def test_tiers_are_dollars_ppm_and_dated_by_the_name(tmp_path: Path) -> None:
    lake, report = imported(tmp_path, tiny.tiers(tmp_path))
    first = lake.read("tiers").row(0, named=True)
    assert (first["symbol"], first["tier"], first["cap_usd"]) == ("BTCUSDT", 1, 300_000.0)
    assert (first["rate_ppm"], first["max_leverage"], first["deduction_usd"]) == (4000, 150.0, 0.0)
    assert (first["rate_num"], first["rate_den"]) == (1, 250)
    assert first["time_ns"] == tiny.ns("2025-10-09T00:00:00Z")
    assert "notional is not in dollars -> left out (ETH/BTC:BTC)" in defects(report)


def test_hyperliquid_margin_tables_are_dated_by_the_name_or_left_out(tmp_path: Path) -> None:
    coins = '[{"name": "X", "maxLeverage": 3, "marginTableId": 3}]'
    text = f'[{{"universe": {coins}, "marginTables": []}}, [{{}}]]'
    lake, report = imported(tmp_path, tiny.put(tmp_path / "m" / "hyperliquid_meta_2026-03-01.json", text))
    row = lake.read("tiers").row(0, named=True)
    assert (row["venue"], row["symbol"], row["cap_usd"]) == ("hyperliquid", "X", None)
    assert (row["rate_num"], row["rate_den"], row["rate_ppm"]) == (1, 6, 166_667)
    assert row["time_ns"] == tiny.ns("2026-03-01T00:00:00Z")
    assert "margin tiers without a date in the file" in defects(report)
    with pytest.raises(InputError, match="does not say of which date"):
        imported(tmp_path, tiny.put(tmp_path / "m" / "hyperliquid_meta.json", text))


def test_lake_of_another_version_says_so(tmp_path: Path) -> None:
    lake, _ = imported(tmp_path, tiny.tiers(tmp_path))
    (part,) = (lake.folder / "tiers").rglob("*.parquet")
    pl.read_parquet(part).drop("rate_num").write_parquet(part)
    with pytest.raises(DataError, match="another version of the program wrote"):
        lake.read("tiers")


def test_adl_sums_take_their_window_from_the_files_beside_them_with_the_zone_undone(tmp_path: Path) -> None:
    lake, report = imported(tmp_path, tiny.adl(tmp_path))
    row = lake.read("adl_totals").row(0, named=True)
    assert row["time_ns"] == tiny.ns("2025-10-10T21:15:03Z") + 127_372_000
    assert row["end_ns"] == tiny.ns("2025-10-10T21:27:00Z")  # 17:27 local
    assert (row["coins"], row["usd"], row["fills"]) == (10.0, 1_100_000.0, 3)
    assert "UTC-4" in defects(report)


def test_changed_bytes_under_a_known_path_keep_their_own_source(tmp_path: Path) -> None:
    path = tiny.minutes(tmp_path)
    import_paths([path], tmp_path / "lake")
    tiny.minutes(tmp_path, tiny.minute_rows(4))
    lake, report = imported(tmp_path, path)
    sources = lake.read("candles")["source"].to_list()
    assert report.added == {"candles": 1}
    assert sources[0] == "perp_1m/BTCUSDT-perp-1m-2025-10-10.csv"
    assert sources[3].startswith(sources[0] + "#")
    assert {entry["path"] for entry in lake.sources} == {sources[0], sources[3]}


def test_another_value_under_a_known_key_is_a_defect_and_never_overwrites(tmp_path: Path) -> None:
    path = tiny.minutes(tmp_path)
    import_paths([path], tmp_path / "lake")
    tiny.minutes(tmp_path, [tiny.minute_rows()[0].replace("116050.0", "116060.0")])
    lake, report = imported(tmp_path, path)
    assert lake.read("candles")["close"].to_list() == [116_050.0] * 3
    assert "the earlier rows stay" in defects(report)
    assert "close 116060.0, earlier 116050.0" in defects(report)


def test_no_path_of_the_machine_is_written(tmp_path: Path) -> None:
    lake, _ = imported(tmp_path, tiny.whole_folder(tmp_path / "data"))
    text = json.dumps(lake.imports)
    sources = {s for table in ("candles", "depth", "tiers") for s in lake.read(table)["source"]}
    assert str(tmp_path) not in text
    assert not any(source.startswith("/") or "\\" in source for source in sources)
    assert all(len(entry["sha256"]) == 64 and entry["bytes"] > 0 for entry in lake.sources)
    versions = {importer.name: importer.version for importer in IMPORTERS}
    assert all(entry["version"] == versions[entry["importer"]] for entry in lake.sources)


def test_bytes_other_than_listed_are_imported_and_reported(tmp_path: Path) -> None:
    path = tiny.minutes(tmp_path / "data")
    listing = '[{"file": "perp_1m/BTCUSDT-perp-1m-2025-10-10.csv", "sha256": "00"}]'
    tiny.put(tmp_path / "data" / "MANIFEST.json", listing)
    _, report = imported(tmp_path, path)
    assert "bytes that are not those that MANIFEST.json lists" in defects(report)


def test_progress_counts_to_the_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    import_paths(
        [tiny.whole_folder(tmp_path / "data")],
        tmp_path / "lake",
        progress=lambda i, n, _: seen.append((i, n)),
    )
    assert seen[0][0] == 0
    assert seen[-1] == (10, 10)


def test_the_report_is_plain_json(tmp_path: Path) -> None:
    _, report = imported(tmp_path, tiny.whole_folder(tmp_path / "data"))
    found = report.to_json()
    assert set(found["tables"]["candles"]) == {"added", "rows"}
    assert {"file", "defect", "handled"} <= set(found["defects"][0])
    assert set(found["skipped"][0]) == {"file", "reason"}


def test_forced_orders_keep_the_contract_they_name(tmp_path: Path) -> None:
    rows = [
        f"{symbol},SELL,LIMIT,IOC,1,100.0,101.0,FILLED,1,1,{tiny.T0_MS + i * 2000},100.0"
        for i, symbol in enumerate(("AVAX", "AVAXUSDT", "AVAXUSDC", "1000PEPE", "AVAX_250627", "textADA"))
    ]
    log = tiny.put(tmp_path / "logs" / "events.csv", "\n".join(rows) + "\n")
    lake, _ = imported(tmp_path, log)
    found = lake.read("liquidations").sort("time_ns").select("symbol", "coin", "kind").rows()
    assert found == [
        ("AVAXUSDT", "AVAX", "perp"),
        ("AVAXUSDT", "AVAX", "perp"),
        ("AVAXUSDC", "AVAX", "perp"),
        ("1000PEPEUSDT", "1000PEPE", "perp"),
        ("AVAXUSDT_250627", "AVAX", "future"),
        ("ADAUSDT", "ADA", "perp"),
    ]


def test_an_archive_file_by_its_own_path_is_of_the_market_that_the_path_says(tmp_path: Path) -> None:
    path = tiny.klines(tmp_path / "data" / "futures" / "um" / "daily" / "klines", place="BTCUSDT/5m")
    lake, _ = imported(tmp_path, path)
    assert set(lake.read("candles")["kind"]) == {"perp"}


def test_bars_of_another_date_than_the_name_says_are_refused(tmp_path: Path) -> None:
    path = tiny.klines(tmp_path)
    other = path.rename(path.with_name("BTCUSDT-5m-2025-10-11.csv"))
    with pytest.raises(InputError, match=r"line 1.*bars of 2025-10-11.*2025-10-10 20:00"):
        imported(tmp_path, other)
