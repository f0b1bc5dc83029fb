"""The venues' REST interfaces through ccxt, against a server on this machine that speaks them.

Needs ccxt (the extra "collect").
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ccxt", reason='ccxt is not installed: pip install "deleverage[collect]"')

from deleverage.cli import main
from deleverage.data.backfill.days import DAY_NS, day_of_ns, now_ns, start_ns
from deleverage.data.backfill.patience import Patience
from deleverage.data.backfill.request import BackfillReport, Request
from deleverage.data.backfill.run import backfill
from deleverage.data.lake import Lake
from deleverage.errors import InputError, RateLimited, SourceChanged, SourceUnavailable
from tests.data.backfill.serving import Fault, Server
from tests.data.backfill.venues import ALL, HOUR, MINUTE, SYMBOLS, Market

# Three whole days that every venue still gives, however short its memory.
LAST = day_of_ns(now_ns() - 2 * 3_600_000_000_000) - timedelta(days=1)
"""A day whose last values have settled, whatever the hour: soon after midnight yesterday's have not."""
FIRST = LAST - timedelta(days=2)


def ask(
    server: Server,
    lake: Path,
    patience: Patience,
    source: str,
    kinds: str,
    *,
    interval: str = "1m",
    first: date = FIRST,
    last: date = LAST,
    symbol: str = "",
) -> BackfillReport:
    request = Request(source, (symbol or SYMBOLS[source],), tuple(kinds.split(",")), first, last, interval)
    return backfill(request, lake, url=server.url, patience=patience)


@pytest.fixture
def market() -> Market:
    return Market.of(FIRST - timedelta(days=2), 6)


@pytest.mark.parametrize("source", list(ALL))
def test_bars_of_every_venue_are_whole_and_in_coins(
    server: Server, lake_folder: Path, hasty: Patience, market: Market, source: str
) -> None:
    ALL[source](server, market)
    # Of Hyperliquid's minutes only the newest 5,000 can be had.
    interval, step = ("1h", HOUR) if source == "hyperliquid" else ("1m", MINUTE)
    report = ask(server, lake_folder, hasty, source, "klines", interval=interval)
    rows = Lake.open(lake_folder).read("candles")
    assert rows["time_ns"].to_list() == [
        start_ns(FIRST) + n * step * 1_000_000 for n in range(3 * 86_400_000 // step)
    ]
    assert rows["volume_coins"].unique().to_list() == [10.5] and rows["coin"].unique().to_list() == ["BTC"]
    assert rows["venue"].unique().to_list() == [source.split("-")[0]]
    assert (rows["high"] - rows["low"]).unique().to_list() == [4.0]
    one = report.series[0]
    assert (len(one.fetched), one.gaps, one.missing, one.failures) == (3, [], [], [])
    server.asked.clear()
    assert (
        ask(server, lake_folder, hasty, source, "klines", interval=interval).requests == 0
        and server.asked == []
    )


@pytest.mark.parametrize(
    ("source", "rate", "hours"),
    [
        ("binance-rest", 0.0001, 8),
        ("bybit", -0.0002, 8),
        ("okx", 0.0001, 8),
        ("hyperliquid", 0.0000125, 1),
        ("deribit", 0.0000125, 1),
    ],
)
def test_funding_of_every_venue_is_settled_and_has_its_interval(
    server: Server, lake_folder: Path, hasty: Patience, market: Market, source: str, rate: float, hours: int
) -> None:
    ALL[source](server, market)
    report = ask(server, lake_folder, hasty, source, "funding")
    rows = Lake.open(lake_folder).read("funding")
    assert rows["rate"].unique().to_list() == [rate] and rows["interval_s"].unique().to_list() == [
        hours * 3600
    ]
    assert rows["time_ns"].to_list() == [
        start_ns(FIRST) + n * hours * HOUR * 1_000_000 for n in range(72 // hours)
    ]
    assert report.series[0].gaps == []


@pytest.mark.parametrize("source", ["binance-rest", "bybit", "okx"])
def test_open_interest_has_coins_dollars_and_the_price_between(
    server: Server, lake_folder: Path, hasty: Patience, market: Market, source: str
) -> None:
    ALL[source](server, market)
    report = ask(server, lake_folder, hasty, source, "open_interest")
    rows = Lake.open(lake_folder).read("open_interest")
    assert rows.height == 3 * 288 and report.series[0].gaps == []
    assert ((rows["coins"] * rows["price"] - rows["usd"]).abs() < 1e-3).all()
    assert rows["scope"].unique().to_list() == [SYMBOLS[source]]


def test_inverse_contracts_count_dollars(
    server: Server, lake_folder: Path, hasty: Patience, market: Market
) -> None:
    ALL["bybit"](server, market)
    ask(
        server,
        lake_folder,
        hasty,
        "bybit",
        "open_interest,klines",
        symbol="BTCUSD",
        first=LAST,
        interval="1h",
    )
    lake = Lake.open(lake_folder)
    interest = lake.read("open_interest")
    assert interest["usd"].unique().to_list() == [1_000_000.0] and interest["coins"].max() < 11  # type: ignore[operator]
    assert lake.read("candles")["volume_coins"].unique().to_list() == [1_050_000.0]  # the turnover


def test_coin_margined_contracts_of_binance_count_dollars_and_are_asked_for_where_they_are(
    server: Server, lake_folder: Path, hasty: Patience, market: Market
) -> None:
    ALL["binance-rest"](server, market)
    kinds = "klines,funding,open_interest,trades"
    report = ask(
        server, lake_folder, hasty, "binance-rest", kinds, symbol="BTCUSD_PERP", first=LAST, interval="1h"
    )
    assert not report.failed and [len(one.fetched) for one in report.series] == [1] * 4
    assert not [asked for asked in server.asked if "fapi" in asked]
    lake = Lake.open(lake_folder)
    assert {lake.read(name)["coin"].unique().item() for name in ("candles", "funding", "trades")} == {"BTC"}
    bars, interest, trades = (lake.read(name) for name in ("candles", "open_interest", "trades"))
    assert bars["volume_coins"].unique().to_list() == [10.5]
    assert bars["taker_buy_coins"].unique().to_list() == [4.5]
    # 8,000,000 contracts of 100 dollars; 8,000 coins, so 100,000 dollars a coin.
    assert interest.select("scope", "coins", "usd", "price").unique().rows() == [
        ("BTCUSD_PERP", 8_000.0, 800_000_000.0, 100_000.0)
    ]
    # 3 contracts of 100 dollars at 100,000.5.
    assert trades["usd"].unique().to_list() == [300.0]
    assert trades["coins"].unique().to_list() == [300 / 100_000.5]
    assert trades["trade_id"].str.starts_with("a").all()
    assert lake.read("funding")["rate"].unique().to_list() == [0.0001]


def test_a_coin_that_ends_like_a_quote_keeps_its_name(
    server: Server, lake_folder: Path, hasty: Patience, market: Market
) -> None:
    ALL["binance-rest"](server, market)
    ask(server, lake_folder, hasty, "binance-rest", "trades", symbol="BNBUSD_PERP", first=LAST)
    row = Lake.open(lake_folder).read("trades").row(0, named=True)
    assert (row["coin"], row["symbol"], row["usd"]) == ("BNB", "BNBUSD_PERP", 30.0)  # not BN in BUSD


@pytest.mark.parametrize("symbol", ["BTCUSD", "BTCUSD_260327"])
def test_coin_margined_contracts_that_are_not_read_are_refused_before_anything_is_asked(
    server: Server, lake_folder: Path, hasty: Patience, symbol: str
) -> None:
    with pytest.raises(InputError, match=f"{symbol}: expected a contract of Binance like .* BTCUSD_PERP"):
        ask(server, lake_folder, hasty, "binance-rest", "klines", symbol=symbol)
    assert server.asked == []


def test_a_coin_margined_contract_that_the_venue_does_not_list_is_said(
    server: Server, lake_folder: Path, hasty: Patience, market: Market
) -> None:
    ALL["binance-rest"](server, market)
    with pytest.raises(InputError, match="XYZUSD_PERP: expected a coin-margined perpetual"):
        ask(server, lake_folder, hasty, "binance-rest", "trades", symbol="XYZUSD_PERP", first=LAST)


@pytest.mark.parametrize(("source", "coins"), [("binance-rest", 0.25), ("okx", 0.25), ("deribit", 0.005)])
def test_trades_of_every_venue_are_there_once_in_coins(
    server: Server, lake_folder: Path, hasty: Patience, market: Market, source: str, coins: float
) -> None:
    ALL[source](server, market)
    ask(server, lake_folder, hasty, source, "trades", last=FIRST)
    rows = Lake.open(lake_folder).read("trades").sort("time_ns", "trade_id")
    low, high = start_ns(FIRST) // 1_000_000, start_ns(FIRST + timedelta(days=1)) // 1_000_000
    wanted = [trade for trade in market.trades if low <= trade["time"] < high]
    assert [int(one.lstrip("Ta")) for one in rows["trade_id"]] == [trade["id"] for trade in wanted]
    assert rows["side"].to_list() == [trade["side"] for trade in wanted]
    assert rows["coins"].unique().to_list() == [coins]
    marks = [bool(trade["forced"]) for trade in wanted] if source == "deribit" else [None] * len(wanted)
    assert rows["liquidation"].to_list() == marks


def test_forced_trades_of_deribit_say_which_position_was_closed(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    ALL["deribit"](server, Market.of(FIRST, 3, trades=200))
    report = ask(server, lake_folder, hasty, "deribit", "liquidations")
    rows = Lake.open(lake_folder).read("liquidations").sort("time_ns", "event_id")
    # Trades 5 (taker bought), 6 (taker sold, the maker was closed), 7 (taker bought, both were closed).
    assert rows.select("event_id", "side").rows() == [
        ("T5005-T", "short"),
        ("T5006-M", "short"),
        ("T5007-M", "long"),
        ("T5007-T", "short"),
    ]
    assert rows["coins"].to_list() == [0.005] * 4 and rows["usd"].to_list() == [500.0] * 4
    assert len(report.series[0].fetched) == 3  # a day without a forced trade is complete as well


def test_missing_trade_numbers_are_said(
    server: Server, lake_folder: Path, hasty: Patience, market: Market
) -> None:
    ALL["binance-rest"](server, market)
    middle = (
        next(n for n, trade in enumerate(market.trades) if trade["time"] >= start_ns(FIRST) // 1_000_000) + 50
    )
    del market.trades[middle : middle + 3]
    report = ask(server, lake_folder, hasty, "binance-rest", "trades", last=FIRST)
    assert "3 trades are missing by their numbers" in report.series[0].notes


def test_missing_bars_of_a_venue_are_gaps(
    server: Server, lake_folder: Path, hasty: Patience, market: Market
) -> None:
    ALL["bybit"](server, market)
    real = server.answers["/v5/market/kline"]
    lost = start_ns(FIRST) // 1_000_000 + 7 * HOUR

    def holed(path: str, query: dict[str, str], posted: Any) -> Any:
        answer = real(path, query, posted)
        answer["result"]["list"] = [row for row in answer["result"]["list"] if int(row[0]) != lost]
        return answer

    server.answers["/v5/market/kline"] = holed
    report = ask(server, lake_folder, hasty, "bybit", "klines", interval="1h")
    gaps = Lake.open(lake_folder).read("gaps")
    assert gaps.select("time_ns", "end_ns", "reason", "events_lost").rows() == [
        (lost * 1_000_000, (lost + HOUR) * 1_000_000, "backfill-missing", 1)
    ]
    assert len(report.series[0].fetched) == 3


def test_day_in_progress_keeps_closed_bars_and_is_asked_again(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    today = day_of_ns(now_ns())
    ALL["binance-rest"](
        server, Market.of(today, 1)
    )  # the market of the whole day: bars to come are never kept
    before = now_ns()
    with_future = ask_today(server, lake_folder, hasty, today)
    assert isinstance(with_future, SourceChanged)
    server.answers.clear()
    market = Market.of(today, 1)
    market.end = before // 1_000_000
    ALL["binance-rest"](server, market)
    report = ask(server, lake_folder, hasty, "binance-rest", "klines", first=today, last=today)
    rows = Lake.open(lake_folder).read("candles")
    assert report.series[0].partial == [today] and report.series[0].fetched == []
    times = rows["time_ns"].to_list()
    assert all(time + 2 * MINUTE * 1_000_000 <= now_ns() for time in times)
    server.asked.clear()
    assert ask(server, lake_folder, hasty, "binance-rest", "klines", first=today, last=today).requests > 0


def ask_today(server: Server, lake: Path, patience: Patience, today: date) -> object:
    if now_ns() > start_ns(today) + DAY_NS - 5 * MINUTE * 1_000_000:
        pytest.skip("five minutes before midnight UTC there is no later bar")
    try:
        return ask(server, lake, patience, "binance-rest", "klines", first=today, last=today)
    except SourceChanged as error:
        return error


def test_venue_whose_clock_is_behind_does_not_complete_a_day(
    server: Server, lake_folder: Path, hasty: Patience, market: Market
) -> None:
    ALL["binance-rest"](server, market)
    jump = datetime.combine(LAST, datetime.min.time(), UTC) + timedelta(hours=12)
    server.clock = lambda: jump
    report = ask(server, lake_folder, hasty, "binance-rest", "klines", interval="1h")
    assert report.series[0].partial == [LAST] and len(report.series[0].fetched) == 2
    assert any("clock of binance-rest" in note for note in report.notes)


def test_venue_whose_clock_is_ahead_does_not_complete_the_day_in_progress(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    today = day_of_ns(now_ns())
    market = Market.of(today, 1)
    market.end = now_ns() // 1_000_000
    ALL["binance-rest"](server, market)
    server.clock = lambda: datetime.now(UTC) + timedelta(days=2)
    report = ask(server, lake_folder, hasty, "binance-rest", "klines", first=today, last=today)
    assert report.series[0].partial == [today] and report.series[0].fetched == []


def test_silence_of_a_venue_is_asked_again(
    server: Server, lake_folder: Path, hasty: Patience, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deleverage.data.backfill.ccxt_door.TIMEOUT_MS", 300)
    ALL["okx"](server, market)
    server.faults = [Fault("", silent_s=2.0)]
    report = ask(server, lake_folder, hasty, "okx", "funding")
    assert report.series[0].added == 9 and report.retries == 1


def test_days_older_than_the_venue_gives_are_said_and_not_asked_for(
    server: Server, lake_folder: Path, hasty: Patience, market: Market
) -> None:
    ALL["hyperliquid"](server, market)
    report = ask(server, lake_folder, hasty, "hyperliquid", "klines", first=FIRST - timedelta(days=30))
    assert len(report.series[0].too_old) >= 30 and 2 <= len(report.series[0].fetched) <= 3
    again = ask(
        server,
        lake_folder,
        hasty,
        "hyperliquid",
        "klines",
        first=LAST - timedelta(days=400),
        last=LAST - timedelta(days=390),
    )
    assert len(again.series[0].too_old) == 11 and again.requests == 0


# --- faults, for each venue ---------------------------------------------------------------------------

FAULTS = {
    "429 with a time": {
        "status": 429,
        "headers": {"Retry-After": "0"},
        "body": b'{"code": -1003, "msg": "x"}',
    },
    "429 without": {"status": 429, "body": b"{}"},
    "500": {"status": 500, "body": b"<html>"},
    "503": {"status": 503, "body": b"{}"},
    "malformed": {"body": b'{"result": [1, 2'},
    "another shape": {"body": b'{"result": {"list": 3}, "data": 3, "retCode": 0, "code": "0"}'},
    "html": {"body": b"<html>maintenance</html>"},
    "half a body": {"half": True},
}


@pytest.mark.parametrize("source", list(ALL))
@pytest.mark.parametrize("fault", list(FAULTS))
def test_fault_is_asked_again_and_nothing_is_lost(
    server: Server, lake_folder: Path, hasty: Patience, market: Market, source: str, fault: str
) -> None:
    ALL[source](server, market)
    server.faults = [Fault("", **FAULTS[fault])]  # type: ignore[arg-type]
    report = ask(server, lake_folder, hasty, source, "klines", interval="1h")
    assert Lake.open(lake_folder).read("candles").height == 72
    assert report.retries == 1 and server.faults[0].times == 0


@pytest.mark.parametrize("source", list(ALL))
def test_venue_that_stays_malformed_has_changed_and_nothing_is_kept(
    server: Server, lake_folder: Path, hasty: Patience, market: Market, source: str
) -> None:
    ALL[source](server, market)
    server.faults = [Fault("", body=b'{"result": {}, "data": {}, "retCode": 0, "code": "0"}', times=99)]
    with pytest.raises(SourceChanged, match="documented answer"):
        ask(server, lake_folder, hasty, source, "klines", interval="1h")
    lake = Lake.open(lake_folder)
    assert lake.read("candles").is_empty()
    (kept,) = lake.read("payloads").iter_rows(named=True)  # what could not be read is there to be looked at
    assert json.loads(kept["payload"])["retCode"] == 0 and "documented answer" in kept["error"]
    assert (kept["venue"], kept["rows"]) == (source, None)


@pytest.mark.parametrize("source", list(ALL))
def test_venue_that_limits_for_long_is_left_alone(
    server: Server, lake_folder: Path, hasty: Patience, market: Market, source: str
) -> None:
    ALL[source](server, market)
    server.faults = [Fault("", status=429, headers={"Retry-After": "600"}, body=b"{}", times=99)]
    with pytest.raises(RateLimited) as error:
        ask(server, lake_folder, hasty, source, "klines", interval="1h")
    assert error.value.retry_after_s == 600 and len(server.asked) == 1


def test_venue_that_is_not_there_is_unavailable(lake_folder: Path, hasty: Patience) -> None:
    nobody = Server(url="http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable, match="try 3"):
        ask(nobody, lake_folder, hasty, "bybit", "funding")


@pytest.mark.parametrize(
    ("source", "body"),
    [
        ("binance-rest", b'{"code": -1121, "msg": "Invalid symbol."}'),
        ("okx", b'{"code": "51001", "msg": "Instrument ID does not exist", "data": []}'),
    ],
)
def test_contract_that_the_venue_does_not_know_is_bad_input(
    server: Server, lake_folder: Path, hasty: Patience, source: str, body: bytes
) -> None:
    server.faults = [Fault("", status=400 if source == "binance-rest" else 200, body=body, times=9)]
    with pytest.raises(InputError, match="expected a contract of the venue"):
        ask(server, lake_folder, hasty, source, "klines", interval="1h")
    assert len(server.asked) == 1


def test_reordered_repeated_and_foreign_rows_are_put_right(
    server: Server, lake_folder: Path, hasty: Patience, market: Market
) -> None:
    ALL["binance-rest"](server, market)
    real = server.answers["/fapi/v1/klines"]

    def wild(path: str, query: dict[str, str], posted: Any) -> Any:
        rows = real(path, query, posted)
        early = real(path, {**query, "startTime": str(market.start), "endTime": str(market.start)}, posted)
        return [*rows[::-1], *rows[:3], *early]

    server.answers["/fapi/v1/klines"] = wild
    ask(server, lake_folder, hasty, "binance-rest", "klines", interval="1h")
    rows = Lake.open(lake_folder).read("candles")
    assert rows["time_ns"].to_list() == [start_ns(FIRST) + n * HOUR * 1_000_000 for n in range(72)]


def test_gold_trades_by_night_beside_the_futures(
    server: Server, lake_folder: Path, hasty: Patience, market: Market
) -> None:
    ALL["binance-rest"](server, market)
    ALL["okx"](server, market)
    request = Request("gold", (), (), FIRST, LAST)
    report = backfill(request, lake_folder, url=server.url, patience=hasty)
    rows = Lake.open(lake_folder).read("macro")
    assert rows.height == 2 * 72 and [one.symbol for one in report.series] == ["PAXG", "XAUT"]
    assert set(rows["publisher"]) == {"binance", "okx"} and set(rows["unit"]) == {"USDT/oz"}
    assert set(rows["symbol"]) == {"PAXGUSDT", "XAUT-USDT"}
    server.asked.clear()
    assert backfill(request, lake_folder, url=server.url, patience=hasty).requests == 0


def test_command_of_a_venue(
    server: Server, lake_folder: Path, market: Market, capsys: pytest.CaptureFixture[str]
) -> None:
    ALL["deribit"](server, market)
    days = ["--from", str(FIRST), "--to", str(LAST), "--lake", str(lake_folder), "--url", server.url]
    assert main(["backfill", "deribit", "BTC-PERPETUAL", "--what", "funding", *days]) == 0
    assert "deribit BTC-PERPETUAL funding: 3 days fetched" in capsys.readouterr().out
