"""Binance's archive: does each layout of its files become the right rows?"""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import pytest

from deleverage.data.backfill import archive_run
from deleverage.data.backfill.days import DAY_NS, start_ns
from deleverage.data.backfill.patience import Patience
from deleverage.data.backfill.series import TABLES
from deleverage.data.lake import Lake
from deleverage.errors import InputError
from tests.data.backfill import made
from tests.data.backfill.asking import DAY, KLINES, ask
from tests.data.backfill.serving import Server


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


def test_coin_margined_bars_and_trades_become_coins(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    cm = "data/futures/cm"
    bars = (
        made.klines(DAY).replace(",10.5,", ",1050,").replace(",1050000,42,4.5,450000,", ",10.5,42,450,4.5,")
    )
    server.add_zip(f"{cm}/daily/klines/BNBUSD_PERP/1h", f"BNBUSD_PERP-1h-{DAY}", bars)
    server.add_zip(f"{cm}/daily/aggTrades/BNBUSD_PERP", f"BNBUSD_PERP-aggTrades-{DAY}", made.trades(DAY, 4))
    report = ask(server, lake_folder, hasty, "klines,trades", symbol="BNBUSD_PERP")
    assert not report.failed and not [asked for asked in server.asked if "futures/um" in asked]
    lake = Lake.open(lake_folder)
    candles, rows = lake.read("candles"), lake.read("trades")
    assert candles.height == 24
    assert candles.select("coin", "kind", "volume_coins", "taker_buy_coins").unique().rows() == [
        ("BNB", "perp", 10.5, 4.5)
    ]
    # A quarter of a contract of 10 USD at 100,000.5.
    assert rows.select("coin", "usd", "coins").unique().rows() == [("BNB", 2.5, 2.5 / 100_000.5)]


def test_what_is_not_read_of_coin_margined_contracts_is_refused_with_who_has_it(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    with pytest.raises(InputError, match="expected a USD-margined symbol for open_interest") as error:
        ask(server, lake_folder, hasty, "open_interest", symbol="BTCUSD_PERP")
    assert "binance-rest" in error.value.hint and server.asked == [] and not lake_folder.exists()


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
