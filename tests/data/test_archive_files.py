"""Layouts of Binance's archive and of others, made by hand: rows, units, sides, and what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from deleverage.data import ImportReport, Lake, import_paths
from deleverage.errors import DeleverageError, InputError, SchemaError, UnitError
from tests.data import tiny

T = tiny.T0_MS


def imported(tmp_path: Path, path: Path) -> tuple[Lake, ImportReport]:
    report = import_paths([path], tmp_path / "lake")
    return Lake.open(tmp_path / "lake"), report


def test_metrics_are_open_interest_of_a_contract_and_ratios(tmp_path: Path) -> None:
    header = (
        "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
        "sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio"
    )
    rows = (
        "2025-10-10 20:00:00,BTCUSDT,90000.5,10440058000,1.5,1.2,0.9,\n"
        "2025-10-10 20:05:00,BTCUSDT,0,0,1,1,1,1\n"
    )
    lake, report = imported(
        tmp_path, tiny.put(tmp_path / "um" / "BTCUSDT-metrics-2025-10-10.csv", f"{header}\n{rows}")
    )
    row = lake.read("open_interest").row(0, named=True)
    assert (row["scope"], row["coins"], row["usd"]) == ("BTCUSDT", 90000.5, 10440058000.0)
    assert row["time_ns"] == tiny.ns("2025-10-10T20:00:00Z")
    assert lake.read("open_interest").height == 1  # the zero is not observed
    ratios = lake.read("indicators", start_ns=row["time_ns"], end_ns=row["time_ns"])
    assert dict(ratios.select("name", "value").rows()) == {
        "top_accounts_long_short_ratio": 1.5,
        "top_positions_long_short_ratio": 1.2,
        "accounts_long_short_ratio": 0.9,
    }
    assert "zero-open-interest" in report.noted


def test_book_depth_below_mid_are_bids(tmp_path: Path) -> None:
    rows = "".join(
        f"2025-10-10 20:00:07,{p},{d},{d * 116_000}\n" for p, d in ((-1, 30), (-5, 90), (1, 20), (5, 80))
    )
    text = f"timestamp,percentage,depth,notional\n{rows}"
    lake, _ = imported(tmp_path, tiny.put(tmp_path / "um" / "BTCUSDT-bookDepth-2025-10-10.csv", text))
    near = lake.read("depth", where={"range_bps": 100.0}).row(0, named=True)
    assert (near["bid_coins"], near["ask_coins"], near["bid_usd"]) == (30.0, 20.0, 3_480_000.0)
    assert lake.read("depth")["range_bps"].to_list() == [100.0, 500.0]


SNAPSHOT = (
    "time,side,order_type,time_in_force,original_quantity,price,average_price,order_status,last_fill_quantity,"
    "accumulated_fill_quantity\n"
)


def test_a_sell_of_the_liquidation_snapshot_closes_a_long_at_the_fill(tmp_path: Path) -> None:
    text = SNAPSHOT + f"{T},SELL,LIMIT,IOC,2.0,115000.0,115500.0,FILLED,0.5,2.0\n"
    path = tiny.put(tmp_path / "um" / "BTCUSDT-liquidationSnapshot-2025-10-10.csv", text)
    row = imported(tmp_path, path)[0].read("liquidations").row(0, named=True)
    assert (row["side"], row["coins"], row["price"], row["order_price"]) == ("long", 2.0, 115500.0, 115000.0)
    assert (row["usd"], row["usd_at"], row["symbol"]) == (231_000.0, "fill", "BTCUSDT")


def test_contracts_of_100_dollars_become_coins(tmp_path: Path) -> None:
    text = SNAPSHOT + f"{T},BUY,LIMIT,IOC,1000,100000.0,100000.0,FILLED,1000,1000\n"
    path = tiny.put(tmp_path / "cm" / "BTCUSD_PERP-liquidationSnapshot-2025-10-10.csv", text)
    lake, report = imported(tmp_path, path)
    row = lake.read("liquidations").row(0, named=True)
    assert (row["side"], row["coins"], row["usd"]) == ("short", 1.0, 100_000.0)  # 1,000 contracts of 100 USD
    assert "usd-contracts" in report.noted


def test_funding_of_one_contract_takes_the_symbol_from_the_name(tmp_path: Path) -> None:
    text = f"calc_time,funding_interval_hours,last_funding_rate\n{T + 3},8,0.0001\n"
    lake, _ = imported(tmp_path, tiny.put(tmp_path / "ETHUSDT-fundingRate-2025-10.csv", text))
    row = lake.read("funding").row(0, named=True)
    assert (row["coin"], row["symbol"], row["interval_s"], row["time_ns"]) == (
        "ETH",
        "ETHUSDT",
        28_800,
        T * 1_000_000,
    )


@pytest.mark.parametrize("unit", [1, 1000])
def test_spot_trades_have_no_header_and_either_unit(tmp_path: Path, unit: int) -> None:
    text = f"7,116000.0,0.5,58000.0,{T * unit},True,True\n9,116001.0,0.25,29000.25,{T * unit},False,True\n"
    path = tiny.put(tmp_path / "spot" / "BTCUSDT-trades-2025-10-10.csv", text)
    lake, report = imported(tmp_path, path)
    rows = lake.read("trades")
    assert rows.select("kind", "trade_id", "side", "usd").rows() == [
        ("spot", "7", "sell", 58_000.0),
        ("spot", "9", "buy", 29_000.25),
    ]
    assert rows["time_ns"].unique().to_list() == [T * 1_000_000]
    assert report.noted["trades-missing"].rows == 1


def test_aggregated_trades_of_futures(tmp_path: Path) -> None:
    text = (
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
        f"3,116000.0,0.5,7,9,{T},true\n"
    )
    path = tiny.put(tmp_path / "futures" / "um" / "BTCUSDT-aggTrades-2025-10-10.csv", text)
    row = imported(tmp_path, path)[0].read("trades").row(0, named=True)
    assert (row["kind"], row["trade_id"], row["side"], row["liquidation"]) == ("perp", "a3", "sell", None)


def test_freqtrade_json_is_the_same_as_its_feather(tmp_path: Path) -> None:
    bars = [[T + 60_000 * i, 116000, 116100, 115900, 116050, 1.5] for i in range(3)]
    path = tiny.put(tmp_path / "binance" / "BTC_USDT_USDT-1m-futures.json", json.dumps(bars))
    rows = imported(tmp_path, path)[0].read("candles")
    assert rows.select("venue", "kind", "symbol", "interval_s").unique().rows() == [
        ("binance", "perp", "BTCUSDT", 60)
    ]


def test_freqtrade_of_no_venue_is_kept_under_none(tmp_path: Path) -> None:
    path = tiny.put(
        tmp_path / "x" / "BTC_USDT-1m.json", json.dumps([[T, 116000, 116100, 115900, 116050, 1.5]])
    )
    lake, report = imported(tmp_path, path)
    assert lake.read("candles").select("venue", "kind").rows() == [("unnamed", "spot")]
    assert "venue-not-named" in report.noted


ORDER = "BTC,SELL,LIMIT,IOC,2.0,115000.0,115500.0,FILLED,0.5,2.0,{time},230000.0"


def test_a_log_of_forced_orders_keeps_each_event_once_and_at_its_fill(tmp_path: Path) -> None:
    lines = [
        ORDER.format(time=T),
        ORDER.format(time=T),
        "Hello Bot" + ORDER.format(time=T + 5000),
        "<object at 0x1>,1.0",
    ]
    lake, report = imported(tmp_path, tiny.put(tmp_path / "log.csv", "\n".join(lines) + "\n"))
    rows = lake.read("liquidations")
    assert (
        rows.select("side", "symbol", "coins", "usd", "usd_at").rows()
        == [("long", "BTCUSDT", 2.0, 231_000.0, "fill")] * 2
    )
    assert report.noted["events-repeated"].rows == 1
    assert report.noted["lines-spoilt"].rows == 2
    assert report.noted["usd-at-order-price"].rows == 3


def test_an_event_without_a_fill_price_says_that_its_usd_is_at_the_order(tmp_path: Path) -> None:
    path = tiny.put(tmp_path / "log.csv", ORDER.format(time=T).replace("115500.0", "None") + "\n")
    row = imported(tmp_path, path)[0].read("liquidations").row(0, named=True)
    assert (row["price"], row["usd"], row["usd_at"]) == (None, 230_000.0, "order")


def stream(folder: Path, *lines: object) -> Path:
    path = folder / "usdm_btcusdt_20251010.gz"
    text = "\n".join(f"{(T + 1300) * 1_000_000} {json.dumps(line)}" for line in lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_a_raw_stream_gives_trades_quotes_books_and_keeps_changes_raw(tmp_path: Path) -> None:
    trade = {"e": "trade", "E": T, "T": T, "s": "BTCUSDT", "t": 5, "p": "116000.0", "q": "0.5", "m": True}
    quote = {
        "e": "bookTicker",
        "u": 9,
        "s": "BTCUSDT",
        "b": "115999",
        "B": "1",
        "a": "116000",
        "A": "2",
        "T": T,
        "E": T,
    }
    change = {"e": "depthUpdate", "E": T, "T": T, "s": "BTCUSDT", "U": 1, "u": 2, "pu": 0, "b": [], "a": []}
    book = {"lastUpdateId": 8, "E": T, "T": T, "bids": [["115999", "1"]], "asks": [["116000", "2"]]}
    lines = [{"stream": "x", "data": data} for data in (trade, quote, change)] + [book]
    lake, report = imported(tmp_path, stream(tmp_path, *lines))
    assert lake.read("trades").select("side", "usd", "received_ns").rows() == [
        ("sell", 58_000.0, (T + 1300) * 1_000_000)
    ]
    assert lake.read("best_quotes")["ask_coins"].to_list() == [2.0]
    assert lake.read("books").select("symbol", "side", "level", "update_id").rows() == [
        ("BTCUSDT", "ask", 1, 8),
        ("BTCUSDT", "bid", 1, 8),
    ]
    raw = lake.read("payloads").row(0, named=True)
    assert json.loads(raw["payload"].split(b" ", 1)[1])["data"]["e"] == "depthUpdate"
    assert "clock-skew" not in report.noted


def test_hyperliquid_messages_are_told_by_their_channel(tmp_path: Path) -> None:
    level = [[{"n": 1, "px": "116000", "sz": "1"}], [{"n": 1, "px": "116001", "sz": "2"}]]
    book = {"channel": "l2Book", "data": {"coin": "BTC", "levels": level, "time": T}}
    trade = {"coin": "BTC", "px": "116001", "side": "B", "sz": "0.5", "tid": 5, "time": T}
    lake, _ = imported(tmp_path, stream(tmp_path, book, {"channel": "trades", "data": [trade]}))
    assert lake.read("trades").select("venue", "side", "trade_id").rows() == [("hyperliquid", "buy", "5")]
    assert lake.read("books")["price"].to_list() == [116_001.0, 116_000.0]


def test_an_account_of_hyperliquid_is_signed_and_null_where_nothing_is_told(tmp_path: Path) -> None:
    position = {
        "coin": "BTC",
        "szi": "-0.5",
        "entryPx": "117000",
        "leverage": {"type": "cross", "value": 20},
        "positionValue": "58000",
        "unrealizedPnl": "500",
        "liquidationPx": None,
    }
    state = {"marginSummary": {"accountValue": "9000"}, "assetPositions": [{"position": position}], "time": T}
    path = tiny.put(tmp_path / f"0x{'a' * 40}.json", json.dumps(state))
    row = imported(tmp_path, path)[0].read("holdings").row(0, named=True)
    assert (row["coins"], row["leverage"], row["liquidation_price"]) == (-0.5, 20.0, None)
    assert (row["account"], row["account_value_usd"]) == (f"0x{'a' * 40}", 9000.0)


def test_farside_days_without_figures_and_seeds_are_no_flows(tmp_path: Path) -> None:
    text = (
        "Date,AAA,BBB,Total\nSeed,10.0,5.0,15.0\n10 Oct 2025,1.5,-2.0,-0.5\n"
        "13 Oct 2025,,,0.0\n14 Oct 2025,0.0,0.0,0.0\n"
    )
    lake, report = imported(tmp_path, tiny.put(tmp_path / "etf_btc.csv", text))
    rows = lake.read("flows", where={"fund": "total"})
    assert rows["usd"].to_list() == [-500_000.0, 0.0]  # the 14th is a day on which nobody moved
    assert lake.read("flows", where={"fund": "BBB"})["usd"].to_list() == [-2_000_000.0, 0.0]
    assert (report.noted["seed-row"].rows, report.noted["holiday-zeros"].rows) == (1, 1)


def test_yahoo_is_quoted_with_a_mark_before_and_checked_by_its_level(tmp_path: Path) -> None:
    line = '"2025-10-{day}","{p}","{p}","{p}","{p}","{p}","{v}"\n'
    text = '\ufeff"Date","Open","High","Low","Close","AdjClose","Volume"\n'
    text += line.format(day="09", p=3975.9, v=120) + line.format(day="10", p=3980.5, v=0)
    lake, _ = imported(tmp_path, tiny.put(tmp_path / "gold.csv", text))
    assert lake.read("macro").select("symbol", "unit", "close", "volume").rows() == [
        ("GC=F", "USD/oz", 3975.9, 120.0),
        ("GC=F", "USD/oz", 3980.5, None),
    ]
    with pytest.raises(SchemaError, match="between 30 and 50000"):
        import_paths([tiny.put(tmp_path / "x" / "gold.csv", text.replace("39", "9939"))], tmp_path / "other")


BAD: dict[str, tuple[str, str, type[DeleverageError], str]] = {
    "parts that do not sum": (
        "etf_btc.csv",
        "Date,AAA,BBB,Total\n10 Oct 2025,1.5,-2.0,7.0\n",
        UnitError,
        "line 2, field 'Total'",
    ),
    "a date that is none": (
        "etf_btc.csv",
        "Date,AAA,Total\n31 Feb 2025,1.5,1.5\n",
        SchemaError,
        "field 'Date'",
    ),
    "a fear above 100": ("fng.csv", "date,fng\n2025-10-10,101\n", UnitError, "from 0 to 100"),
    "a sell of nothing": (
        "BTCUSDT-liquidationSnapshot-2025-10-10.csv",
        SNAPSHOT + f"{T},HOLD,LIMIT,IOC,2.0,115000.0,115500.0,FILLED,0.5,2.0\n",
        SchemaError,
        "line 2, field 'side'.*'?HOLD",
    ),
    "more filled than ordered": (
        "BTCUSDT-liquidationSnapshot-2025-10-10.csv",
        SNAPSHOT + f"{T},SELL,LIMIT,IOC,2.0,115000.0,115500.0,FILLED,0.5,3.0\n",
        SchemaError,
        "line 2, field 'filled'",
    ),
    "a band of half a mid": (
        "BTCUSDT-bookDepth-2025-10-10.csv",
        "timestamp,percentage,depth,notional\n2025-10-10 20:00:07,-80,1,116000\n",
        UnitError,
        "field 'percentage'",
    ),
    "bars of a series without its name": (
        "tin.csv",
        '"Date","Open","High","Low","Close","Volume"\n"2025-10-10","1","1","1","1","1"\n',
        InputError,
        "mapping file",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_refused_with_its_place(case: str, tmp_path: Path) -> None:
    name, text, kind, words = BAD[case]
    with pytest.raises(kind, match=words):
        import_paths([tiny.put(tmp_path / "um" / name, text)], tmp_path / "lake")
    assert not (tmp_path / "lake").exists()


def test_closed_days_are_those_of_any_table_beside(tmp_path: Path) -> None:
    tiny.put(tmp_path / "in" / "etf_btc.csv", "Date,AAA,Total\n10 Oct 2025,1.5,1.5\n13 Oct 2025,,0.0\n")
    tiny.put(tmp_path / "in" / "etf_eth.csv", "Date,CCC,Total\n10 Oct 2025,0.0,0.0\n13 Oct 2025,0.0,0.0\n")
    import_paths([tmp_path / "in"], tmp_path / "lake")
    rows = Lake.open(tmp_path / "lake").read("flows", where={"coin": "ETH", "fund": "total"})
    assert rows["time_ns"].to_list() == [tiny.ns("2025-10-10T00:00:00Z")]
    assert pl.DataFrame(rows).height == 1
