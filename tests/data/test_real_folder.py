"""The whole folder of real data in one call: the figures of the night come out of the lake."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from deleverage.data import FigureQuery, ImportReport, Lake, import_paths
from tests.data.tiny import ns

pytestmark = pytest.mark.slow
AT = "2025-10-10T20:00:00Z"


@pytest.fixture(scope="session")
def imported(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, ImportReport]:
    folder = tmp_path_factory.mktemp("real") / "lake"
    return Lake(folder), import_paths([test_data], folder)


def depth(coin: str, kind: str = "perp") -> dict[str, str | float]:
    return {"venue": "binance", "kind": kind, "coin": coin, "range_bps": 100}


def pair(venue: str, symbol: str) -> dict[str, str | float]:
    return {"venue": venue, "symbol": symbol}


def bar(venue: str, kind: str, coin: str, interval_s: int = 3600) -> dict[str, str | float]:
    return {"venue": venue, "kind": kind, "coin": coin, "interval_s": interval_s}


# table, column, where, time, value as the state of the night gives it, digits it gives
FIGURES: list[tuple[str, str, dict[str, str | float], str, float, int]] = [
    ("snapshots", "price", pair("binance", "BTCUSDT"), AT, 116730.0, 1),
    ("snapshots", "index_price", pair("binance", "BTCUSDT"), AT, 116764.38, 2),
    ("snapshots", "open_interest_coins", pair("binance", "BTCUSDT"), AT, 92_603, 0),
    ("snapshots", "open_interest_coins", pair("bybit", "BTCUSDT"), AT, 70_823, 0),
    ("snapshots", "open_interest_coins", pair("okx", "BTC-USDT-SWAP"), AT, 27_137, 0),
    ("snapshots", "open_interest_coins", pair("hyperliquid", "BTC-USD"), AT, 37_676, 0),
    ("snapshots", "open_interest_coins", pair("binance", "ETHUSDT"), AT, 1_983_015, 0),
    ("snapshots", "open_interest_coins", pair("binance", "SOLUSDT"), AT, 10_180_403, 0),
    ("snapshots", "funding_rate", pair("binance", "BTCUSDT"), AT, 0.00004123, 8),
    ("snapshots", "funding_rate", pair("okx", "ETH-USDT-SWAP"), AT, -0.00010452, 8),
    ("candles", "open", bar("binance", "perp", "BTC", 60), "2025-10-10T20:49:00Z", 116836.7, 1),
    ("candles", "open", bar("binance", "perp", "BTC", 60), "2025-10-10T20:50:00Z", 116830.3, 1),
    ("candles", "open", bar("binance", "spot", "BTC", 300), "2025-10-10T20:45:00Z", 117034.61, 2),
    ("candles", "open", bar("binance", "spot", "BTC", 300), "2025-10-10T20:50:00Z", 116890.80, 2),
    ("candles", "open", bar("binance", "perp", "BTC"), AT, 116605.2, 1),
    ("candles", "open", bar("binance", "perp", "ETH"), AT, 3994.99, 2),
    ("candles", "open", bar("binance", "perp", "SOL"), AT, 205.16, 2),
    ("candles", "open", bar("bybit", "perp", "BTC"), AT, 116606.5, 1),
    ("candles", "open", bar("binance", "spot", "BTC"), AT, 116661.5, 1),
    ("candles", "open", bar("binance", "spot", "SOL"), AT, 205.31, 2),
    ("depth", "bid_usd", depth("BTC"), AT, 202_989_593, 0),
    ("depth", "bid_coins", depth("BTC"), AT, 1747.991, 3),
    ("depth", "ask_coins", depth("BTC"), AT, 1603.485, 3),
    ("depth", "bid_coins", depth("BTC") | {"taken": "fetch"}, AT, 1740.106, 3),
    ("depth", "bid_coins", depth("ETH"), AT, 19275.305, 3),
    ("depth", "ask_usd", depth("ETH"), AT, 80_009_556, 0),
    ("depth", "bid_coins", depth("SOL"), AT, 171164.720, 3),
    ("depth", "bid_coins", depth("BTC", "spot"), AT, 289.879, 3),
    ("depth", "ask_coins", depth("BTC", "spot"), AT, 139.852, 3),
    ("depth", "bid_coins", depth("ETH", "spot"), AT, 4080.201, 3),
    ("depth", "bid_coins", depth("SOL", "spot"), AT, 36263.474, 3),
    ("funding", "rate", {"venue": "binance", "symbol": "BTCUSDT"}, "2025-10-10T16:00:00Z", 0.00001013, 8),
    ("funding", "rate", {"venue": "binance", "symbol": "ETHUSDT"}, "2025-10-10T16:00:00Z", -0.00005147, 8),
    ("funding", "rate", {"venue": "binance", "symbol": "SOLUSDT"}, "2025-10-10T16:00:00Z", 0.00000306, 8),
    ("funding", "rate", {"venue": "hyperliquid", "coin": "BTC"}, AT, 0.000011167, 9),
    ("tiers", "cap_usd", {"symbol": "BTCUSDT", "tier": 1}, "2025-10-09T00:00:00Z", 300_000, 0),
    ("tiers", "rate_ppm", {"symbol": "BTCUSDT", "tier": 1}, "2025-10-09T00:00:00Z", 4000, 0),
    ("tiers", "max_leverage", {"symbol": "BTCUSDT", "tier": 1}, "2025-10-09T00:00:00Z", 150, 0),
    ("tiers", "cap_usd", {"symbol": "BTCUSDT", "tier": 12}, "2025-10-09T00:00:00Z", 1_800_000_000, 0),
    ("open_interest", "coins", {"venue": "binance", "coin": "BTC"}, AT, 128_759, 0),
    ("open_interest", "coins", {"venue": "hyperliquid", "coin": "BTC"}, "2025-10-11T00:00:00Z", 19_572, 0),
    ("open_interest", "coins", {"venue": "bybit", "coin": "ETH"}, AT, 1_272_021, 0),
    ("adl_totals", "fills", {"coin": "BTC"}, "2025-10-10T21:15:03.127372Z", 2443, 0),
]


@pytest.mark.parametrize(
    "figure", FIGURES, ids=lambda f: f"{f[0]}-{f[1]}-{'-'.join(map(str, f[2].values()))}-{f[3]}"
)
def test_a_figure_of_the_night(
    imported: tuple[Lake, ImportReport], figure: tuple[str, str, dict[str, str | float], str, float, int]
) -> None:
    table, column, where, at, value, digits = figure
    found = imported[0].figure(FigureQuery(table, at, column, where))
    assert round(found.value, digits) == value
    assert len(found.sha256) == 64


def test_open_interest_of_all_venues_falls_as_published(imported: tuple[Lake, ImportReport]) -> None:
    def total(coin: str, at: str) -> float:
        rows = imported[0].read("open_interest", start_ns=ns(at), end_ns=ns(at), where={"coin": coin})
        return float(rows["coins"].sum())

    assert round(total("BTC", AT)) == 735_509
    assert round(total("BTC", "2025-10-11T00:00:00Z")) == 625_330
    assert round(total("SOL", AT) / 1e6, 3) == 68.018


def test_sums_of_contracts_by_venue(imported: tuple[Lake, ImportReport]) -> None:
    rows = imported[0].read(
        "snapshots", start_ns=ns(AT), end_ns=ns(AT), where={"venue": "binance", "coin": "BTC"}
    )
    assert round(rows.filter(pl.col("kind") == "perp")["open_interest_coins"].sum()) == 124_031
    assert round(rows["open_interest_coins"].sum()) == 128_739


def test_liquidated_longs_go_with_falls_once_unswapped(imported: tuple[Lake, ImportReport]) -> None:
    rows = imported[0].read("snapshots", start_ns=ns(AT), end_ns=ns(AT), where={"symbol": "BTCUSDT"})
    binance = rows.filter(pl.col("venue") == "binance")  # BTC had fallen 3.4 % in those 24 hours
    assert binance["long_liquidations_usd_24h"][0] > binance["short_liquidations_usd_24h"][0]


def test_the_minutes_aggregate_to_the_hour_of_the_other_source(imported: tuple[Lake, ImportReport]) -> None:
    lake, start = imported[0], ns("2025-10-10T21:00:00Z")
    end = start + 3_599_999_999_999
    minutes = lake.read("candles", start_ns=start, end_ns=end, where=bar("binance", "perp", "BTC", 60))
    hour = lake.read("candles", start_ns=start, end_ns=start, where=bar("binance", "perp", "BTC")).row(
        0, named=True
    )
    assert minutes.height == 60
    assert (minutes["open"][0], minutes["high"].max(), minutes["low"].min(), minutes["close"][-1]) == (
        hour["open"],
        hour["high"],
        hour["low"],
        hour["close"],
    )
    assert minutes["volume_coins"].sum() == pytest.approx(hour["volume_coins"], abs=1e-6)


def test_adl_sums_to_the_published_total(imported: tuple[Lake, ImportReport]) -> None:
    rows = imported[0].read("adl_totals")
    assert (rows.height, rows["fills"].sum()) == (162, 34_983)
    assert round(rows["usd"].sum()) == 2_103_111_431


def test_the_folder_gives_these_rows_and_again_none(
    imported: tuple[Lake, ImportReport], test_data: Path
) -> None:
    lake, report = imported
    added = {name: table["added"] for name, table in report.to_json()["tables"].items()}
    assert {name: rows for name, rows in added.items() if rows} == {
        "candles": 305_235,
        "open_interest": 38_635,
        "depth": 7_579,
        "funding": 333_772,
        "snapshots": 12_620,
        "tiers": 16_525,
        "adl_totals": 162,
    }
    again = import_paths(
        [test_data / "coinglass_2025" / "20251010", test_data / "leverage_tiers"], lake.folder
    )
    assert set(again.added.values()) == {0}


def test_known_defects_are_found_and_every_other_file_is_listed(
    imported: tuple[Lake, ImportReport], test_data: Path
) -> None:
    report = imported[1]
    found = "\n".join(defect for defect, _ in report.defects)
    for words in (
        "liquidation_usd_24h are swapped",
        "funding_rate is in percent",
        "OKX volume is in contracts",
        "times are in microseconds",
        "the newest bar is unfinished",
        "UTC-4",
        "notional is not in dollars",
    ):
        assert words in found
    files = {p.relative_to(test_data).as_posix() for p in test_data.rglob("*") if p.is_file()}
    assert {file for file, _ in report.skipped} | set(report.imported) == files - {"MANIFEST.json"}
