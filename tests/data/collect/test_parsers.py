"""Do the venues' words become the right rows? Tiny messages of the documented shapes, amounts worked out by
hand.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from deleverage.data.sources.base import Parsed, State
from deleverage.data.sources.registry import VENUES, Stored, reread, venue
from deleverage.errors import InputError, SourceChanged
from deleverage.schema import LAKE_TABLES

NOW = 1_800_000_000_000_000_000
MS = 1_000_000
ANSWERS: dict[str, tuple[str, str, Any]] = {
    "binance": (
        "exchangeInfo", "",
        {
            "symbols": [
                {"symbol": "BTCUSDT", "baseAsset": "BTC", "contractType": "PERPETUAL"},
                {
                    "symbol": "BTCUSD_PERP", "baseAsset": "BTC", "contractType": "PERPETUAL",
                    "contractSize": 100,
                },
            ]
        },
    ),
    "bybit": (
        "instruments-info", "BTCUSDT",
        {
            "retCode": 0,
            "result": {
                "list": [
                    {"symbol": "BTCUSDT", "baseCoin": "BTC", "contractType": "LinearPerpetual"},
                    {"symbol": "BTCUSD", "baseCoin": "BTC", "contractType": "InversePerpetual"},
                ]
            },
        },
    ),
    "okx": (
        "instruments", "BTC-USDT-SWAP",
        {
            "code": "0",
            "data": [
                {"instId": "BTC-USDT-SWAP", "uly": "BTC-USDT", "ctType": "linear", "ctVal": "0.01"},
                {"instId": "BTC-USD-SWAP", "uly": "BTC-USD", "ctType": "inverse", "ctVal": "100"},
            ],
        },
    ),
    "hyperliquid": ("meta", "", {"universe": [{"name": "BTC"}, {"name": "OLD", "isDelisted": True}]}),
    "bitmex": (
        "instrument", "XBTUSD",
        [
            {"symbol": "XBTUSD", "underlying": "XBT", "isInverse": True, "quoteToPositionMultiplier": 1},
            {
                "symbol": "XBTUSDT", "underlying": "XBT", "isInverse": False,
                "underlyingToPositionMultiplier": 1_000_000,
            },
        ],
    ),
}  # fmt: skip


def known(name: str) -> State:
    """A state in which the venue's contracts are known."""
    state = State()
    kind, symbol, answer = ANSWERS[name]
    venue(name).parse_answer(kind, symbol, json.dumps(answer).encode(), NOW, state)
    return state


def read(name: str, message: Any, state: State | None = None) -> Parsed:
    return venue(name).parse(json.dumps(message).encode(), NOW, state or known(name))


def rows(parsed: Parsed, table: str) -> list[dict[str, Any]]:
    """The rows of a table by the names of its columns: a builder that mixes up columns shows."""
    names = LAKE_TABLES[table].names
    found = [row for name, rows in parsed.rows if name == table for row in rows]
    assert all(len(row) == len(names) for row in found)
    return [dict(zip(names, row, strict=True)) for row in found]


# --- liquidations: size, price, side -------------------------------------------------------------


def binance_order(**more: Any) -> Any:
    order = {
        "s": "BTCUSDT", "S": "SELL", "o": "LIMIT", "f": "IOC", "q": "12.345", "p": "99000.0", "ap": "99500.0",
        "X": "FILLED", "l": "0.100", "z": "12.345", "T": 1_799_999_999_000,
    }  # fmt: skip
    return {
        "stream": "btcusdt@forceOrder",
        "data": {"e": "forceOrder", "E": 1_799_999_999_005, "o": order | more},
    }


def test_binance_counts_what_was_filled_in_all_and_not_the_last_fill() -> None:
    (row,) = rows(read("binance", binance_order()), "liquidations")
    assert (row["coins"], row["price"], row["order_price"]) == (12.345, 99_500.0, 99_000.0)
    assert row["usd"] == pytest.approx(12.345 * 99_500)
    assert (row["side"], row["usd_at"], row["feed"]) == ("long", "fill", "forceOrder")
    assert row["time_ns"] == 1_799_999_999_000 * MS and row["received_ns"] == NOW


def test_binance_order_that_nothing_filled_is_counted_at_its_own_price() -> None:
    (row,) = rows(read("binance", binance_order(z="0", ap="0", S="BUY")), "liquidations")
    assert (row["coins"], row["price"], row["order_price"], row["usd_at"]) == (
        12.345,
        None,
        99_000.0,
        "order",
    )
    assert row["side"] == "short"


def test_binance_sizes_of_coin_margined_contracts_are_contracts_of_100_dollars() -> None:
    forced = binance_order(s="BTCUSD_PERP", ps="BTCUSD", q="7", z="7", l="1", ap="98000.0")
    (row,) = rows(read("binance", forced), "liquidations")
    assert (row["usd"], row["coins"], row["price"]) == (700.0, 700 / 98_000, 98_000.0)
    trade = {
        "e": "aggTrade", "E": 1, "s": "BTCUSD_PERP", "a": 9, "p": "80000", "q": "3", "T": 1_799_999_999_000,
        "m": False,
    }  # fmt: skip
    (row,) = rows(read("binance", {"stream": "x", "data": trade}), "trades")
    assert (row["usd"], row["coins"], row["side"]) == (300.0, 0.00375, "buy")  # 3 x 100 USD at 80,000
    state = known("binance")
    state.marks["BTCUSD_PERP"] = 50_000.0
    answer = json.dumps({"openInterest": "15004", "symbol": "BTCUSD_PERP", "time": 1_799_999_999_000})
    parsed = venue("binance").parse_answer("openInterest", "BTCUSD_PERP", answer.encode(), NOW, state)
    (row,) = rows(parsed, "open_interest")
    assert (row["usd"], row["coins"], row["scope"]) == (1_500_400.0, 30.008, "BTCUSD_PERP")


def test_binance_coin_margined_contracts_have_addresses_of_their_own() -> None:
    binance = venue("binance")
    both, streams = ("BTCUSDT", "BTCUSD_PERP"), ("trades", "depth", "open_interest", "funding")
    plans = {plan.name: plan for plan in binance.plans(both, streams)}
    assert {name: (plan.base, plan.path, plan.symbols) for name, plan in plans.items()} == {
        "events": ("", "/market/stream", ("BTCUSDT",)),
        "depth": ("", "/public/stream", ("BTCUSDT",)),
        "events-coin": ("wss://dstream.binance.com", "/stream", ("BTCUSD_PERP",)),
        "depth-coin": ("wss://dstream.binance.com", "/stream", ("BTCUSD_PERP",)),
    }
    assert json.loads(plans["events-coin"].subscribe[0])["params"] == ["btcusd_perp@aggTrade"]
    asked = [
        *binance.instrument_requests(both),
        *binance.polls(both, streams),
        *map(binance.book_request, both),
    ]
    assert {(one.base, one.path.split("/")[1]) for one in asked} == {
        ("", "fapi"), ("https://dapi.binance.com", "dapi"),
    }  # fmt: skip
    for one in asked[2:]:
        assert one.path.startswith("/dapi/") == (one.symbol == "BTCUSD_PERP")
        assert dict(one.params)["symbol"] == one.symbol
    assert [one.path for one in binance.instrument_requests(("ETHUSDT", "BTCUSDT"))] == [
        "/fapi/v1/exchangeInfo"
    ]


def bybit_forced(*data: Any) -> Any:
    return {
        "topic": "allLiquidation.BTCUSDT",
        "type": "snapshot",
        "ts": 1_799_999_999_204,
        "data": list(data),
    }


def test_bybit_buy_is_a_long_that_was_liquidated_at_the_bankruptcy_price() -> None:
    one = {"T": 1_799_999_999_000, "s": "BTCUSDT", "S": "Buy", "v": "0.5", "p": "98000"}
    long, short = rows(read("bybit", bybit_forced(one, one | {"S": "Sell"})), "liquidations")
    assert (long["side"], short["side"]) == ("long", "short")
    assert (long["price"], long["order_price"], long["usd"], long["usd_at"]) == (
        None,
        98_000.0,
        49_000.0,
        "order",
    )


def test_two_equal_liquidations_of_one_message_stay_two_and_a_repeated_message_adds_none() -> None:
    one = {"T": 1_799_999_999_000, "s": "BTCUSDT", "S": "Buy", "v": "0.5", "p": "98000"}
    names = [row["event_id"] for row in rows(read("bybit", bybit_forced(one, one)), "liquidations")]
    again = [row["event_id"] for row in rows(read("bybit", bybit_forced(one, one)), "liquidations")]
    assert len(set(names)) == 2 and again == names


def test_bybit_sizes_of_inverse_contracts_are_dollars() -> None:
    one = {"T": 1_799_999_999_000, "s": "BTCUSD", "S": "Buy", "v": "7001", "p": "98000"}
    forced = bybit_forced(one) | {"topic": "allLiquidation.BTCUSD"}
    (row,) = rows(read("bybit", forced), "liquidations")
    assert (row["usd"], row["coins"], row["side"]) == (7_001.0, 7_001 / 98_000, "long")
    assert (row["symbol"], row["coin"], row["order_price"]) == ("BTCUSD", "BTC", 98_000.0)
    trade = {
        "topic": "publicTrade.BTCUSD", "type": "snapshot", "ts": 1_799_999_999_204,
        "data": [{"T": 1_799_999_999_000, "s": "BTCUSD", "S": "Sell", "v": "300", "p": "80000", "i": "t"}],
    }  # fmt: skip
    (row,) = rows(read("bybit", trade), "trades")
    assert (row["usd"], row["coins"], row["side"]) == (300.0, 0.00375, "sell")  # 300 USD at 80,000


def test_bybit_open_interest_of_inverse_contracts_is_dollars_and_its_value_is_coins() -> None:
    state = known("bybit")
    inverse = {  # the amounts of the venue's own example
        "symbol": "BTCUSD", "markPrice": "16596.00", "indexPrice": "16598.54", "openInterest": "373504107",
        "openInterestValue": "22505.67", "fundingRate": "-0.001034", "nextFundingTime": "1800000000000",
    }  # fmt: skip
    message = {"topic": "tickers.BTCUSD", "type": "snapshot", "data": inverse, "ts": 1_799_999_990_000}
    parsed = read("bybit", message, state)
    (row,) = rows(parsed, "open_interest")
    assert (row["usd"], row["scope"], row["price"]) == (373_504_107.0, "BTCUSD", 16_596.0)
    assert row["coins"] == 373_504_107 / 16_596 == pytest.approx(22_505.67, abs=0.005)
    (row,) = rows(parsed, "marks")
    assert (row["mark_price"], row["index_price"], row["funding_rate"]) == (16_596.0, 16_598.54, -0.001034)


def test_bybit_categories_have_paths_of_their_own_and_are_asked_for_by_name() -> None:
    bybit = venue("bybit")
    both, streams = ("BTCUSDT", "BTCUSD"), ("trades", "depth", "funding")
    plans = {plan.name: plan for plan in bybit.plans(both, streams)}
    assert {name: (plan.path, plan.symbols) for name, plan in plans.items()} == {
        "events": ("/v5/public/linear", ("BTCUSDT",)),
        "depth": ("/v5/public/linear", ("BTCUSDT",)),
        "events-inverse": ("/v5/public/inverse", ("BTCUSD",)),
        "depth-inverse": ("/v5/public/inverse", ("BTCUSD",)),
    }
    assert json.loads(plans["events-inverse"].subscribe[0])["args"] == ["publicTrade.BTCUSD"]
    assert [plan.symbols for plan in bybit.plans(("BTCUSD",), streams)] == [(), ()]
    for request in (*bybit.instrument_requests(both), *bybit.polls(both, streams)):
        asked = {"BTCUSDT": "linear", "BTCUSD": "inverse"}[request.symbol]
        assert dict(request.params)["category"] == asked


@pytest.mark.parametrize(
    ("symbol", "size", "coins", "usd"),
    [
        ("BTC-USDT-SWAP", "12", 0.12, 12_000.0),  # 12 contracts of 0.01 BTC at 100,000
        ("BTC-USD-SWAP", "12", 0.012, 1_200.0),  # 12 contracts of 100 USD
    ],
)
def test_okx_sizes_are_contracts(symbol: str, size: str, coins: float, usd: float) -> None:
    detail = {"side": "sell", "posSide": "net", "bkPx": "100000", "sz": size, "ts": "1799999999000"}
    message = {
        "arg": {"channel": "liquidation-orders", "instType": "SWAP"},
        "data": [{"instId": "DOGE-USDT-SWAP", "details": [detail]}, {"instId": symbol, "details": [detail]}],
    }
    (row,) = rows(read("okx", message), "liquidations")
    assert (row["coins"], row["usd"]) == (pytest.approx(coins), pytest.approx(usd))
    assert (row["side"], row["symbol"], row["price"], row["usd_at"]) == ("long", symbol, None, "order")


def test_okx_says_the_position_itself_where_there_are_two_sides() -> None:
    detail = {"side": "buy", "posSide": "short", "bkPx": "100000", "sz": "1", "ts": "1799999999000"}
    message = {
        "arg": {"channel": "liquidation-orders", "instType": "SWAP"},
        "data": [{"instId": "BTC-USDT-SWAP", "details": [detail]}],
    }
    assert rows(read("okx", message), "liquidations")[0]["side"] == "short"


def fill(user: str, **more: Any) -> Any:
    one = {
        "coin": "BTC", "px": "100000", "sz": "0.2", "side": "B", "time": 1_799_999_999_000,
        "dir": "Open Long",
        "tid": 7, "liquidation": {"liquidatedUser": "0xabc", "markPx": "100000", "method": "backstop"},
    }  # fmt: skip
    return {"channel": "userFills", "data": {"user": user, "isSnapshot": False, "fills": [one | more]}}


VAULT = "0x2e3d94f0562703b25c83308a05046ddaf9a8dd14"


@pytest.mark.parametrize(
    ("message", "side"),
    [
        (fill(VAULT), "long"),  # the vault bought what a long had to sell
        (fill(VAULT, side="A"), "short"),
        (fill("0xabc", side="A"), "long"),  # the liquidated account's own fill: it sold
        (fill("0xabc", side="B"), "short"),
    ],
)
def test_hyperliquid_fills_with_a_liquidation_close_the_liquidated_position(message: Any, side: str) -> None:
    (row,) = rows(read("hyperliquid", message), "liquidations")
    assert (row["side"], row["coins"], row["price"], row["usd"]) == (side, 0.2, 100_000.0, 20_000.0)
    assert (row["event_id"], row["feed"], row["usd_at"]) == ("7", "userFills", "fill")


def test_hyperliquid_counts_no_plain_fill_and_nothing_twice_that_the_vault_passes_on() -> None:
    plain = fill(VAULT)
    del plain["data"]["fills"][0]["liquidation"]
    assert read("hyperliquid", plain).rows == []
    passed_on = fill("0xdef", liquidation={"liquidatedUser": VAULT, "markPx": "1", "method": "backstop"})
    assert read("hyperliquid", passed_on).rows == []


def order(action: str, **more: Any) -> Any:
    return {"table": "liquidation", "action": action, "data": [{"orderID": "a", "symbol": "XBTUSD", **more}]}


def test_bitmex_counts_an_order_once_and_what_it_grows_by_but_neither_its_fills_nor_its_end() -> None:
    state = known("bitmex")

    def told(action: str, **more: Any) -> list[tuple[str, float, float]]:
        found = rows(read("bitmex", order(action, **more), state), "liquidations")
        return [(row["event_id"], row["usd"], row["coins"]) for row in found]

    insert = {"side": "Sell", "price": 100_000.0, "leavesQty": 50_000}
    assert told("insert", **insert) == [("a", 50_000.0, 0.5)]  # 50,000 contracts of 1 USD
    assert told("insert", **insert) == []  # the same message again
    assert told("update", leavesQty=20_000) == []  # filled in part
    assert told("update", leavesQty=60_000) == [("a:1", 10_000.0, 0.1)]
    assert told("delete") == []
    assert told("update", leavesQty=60_000) == []


def test_bitmex_linear_contracts_are_millionths_of_a_bitcoin() -> None:
    message = {
        "table": "liquidation", "action": "partial",
        "data": [{"orderID": "b", "symbol": "XBTUSDT", "side": "Buy", "price": 1e5, "leavesQty": 3_000}],
    }  # fmt: skip
    (row,) = rows(read("bitmex", message), "liquidations")
    assert (row["coins"], row["usd"], row["side"], row["coin"]) == (
        pytest.approx(0.003), pytest.approx(300.0), "short", "BTC",
    )  # fmt: skip


def test_bitmex_contracts_that_are_settled_in_a_third_coin_are_not_contracts_of_ours() -> None:
    quanto = {"symbol": "ETHUSD", "underlying": "ETH", "isQuanto": True, "isInverse": False}
    state = State()
    venue("bitmex").parse_answer("instrument", "ETHUSD", json.dumps([quanto]).encode(), NOW, state)
    assert state.instruments == {}


# --- trades, marks, open interest, funding ----------------------------------------------------------


def test_a_buyer_who_made_the_price_means_that_the_taker_sold() -> None:
    data = {
        "e": "aggTrade",
        "E": 1,
        "s": "BTCUSDT",
        "a": 9,
        "p": "100.5",
        "q": "2",
        "T": 1_799_999_999_000,
        "m": True,
    }
    parsed = read("binance", {"stream": "x", "data": data})
    (row,) = rows(parsed, "trades")
    assert (row["side"], row["price"], row["coins"], row["usd"], row["trade_id"]) == (
        "sell",
        100.5,
        2.0,
        201.0,
        "a9",
    )
    assert row["liquidation"] is None and parsed.numbers == (9, 9)


def test_bybit_deltas_of_a_ticker_change_only_what_they_name() -> None:
    state = known("bybit")
    whole = {
        "symbol": "BTCUSDT", "markPrice": "100", "indexPrice": "101", "lastPrice": "99", "openInterest": "5",
        "openInterestValue": "500", "fundingRate": "0.0001", "nextFundingTime": "1800000000000",
    }  # fmt: skip
    first = {"topic": "tickers.BTCUSDT", "type": "snapshot", "data": whole, "ts": 1_799_999_990_000}
    (row,) = rows(read("bybit", first, state), "marks")
    assert (row["mark_price"], row["last_price"], row["next_funding_ns"]) == (100.0, 99.0, NOW)
    change = {"topic": "tickers.BTCUSDT", "type": "delta", "data": {"symbol": "BTCUSDT", "markPrice": "102"}}
    soon = read("bybit", change | {"ts": 1_799_999_990_500}, state)
    assert soon.rows == []  # a row a second
    (row,) = rows(read("bybit", change | {"ts": 1_799_999_991_000}, state), "marks")
    assert (row["mark_price"], row["index_price"], row["last_price"]) == (102.0, 101.0, 99.0)


def test_open_interest_in_coins_waits_for_a_price() -> None:
    state, binance = known("binance"), venue("binance")
    answer = json.dumps({"openInterest": "10", "symbol": "BTCUSDT", "time": 1_799_999_999_000}).encode()
    assert binance.parse_answer("openInterest", "BTCUSDT", answer, NOW, state).rows == []
    state.marks["BTCUSDT"] = 100_000.0
    (row,) = rows(binance.parse_answer("openInterest", "BTCUSDT", answer, NOW, state), "open_interest")
    assert (row["coins"], row["usd"], row["price"], row["scope"]) == (10.0, 1_000_000.0, 100_000.0, "BTCUSDT")


def test_funding_of_every_four_hours_is_seen_from_its_times() -> None:
    hours = [1_799_985_600_000 + step * 4 * 3_600_000 for step in range(3)]
    answer = [{"symbol": "BTCUSDT", "fundingRate": "0.0003", "fundingTime": one} for one in hours]
    parsed = venue("binance").parse_answer(
        "fundingRate", "BTCUSDT", json.dumps(answer).encode(), NOW, known("binance")
    )
    assert {row["interval_s"] for row in rows(parsed, "funding")} == {4 * 3600}


# --- what no venue should say --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("binance", binance_order(z="-3", q="-3")),
        ("binance", binance_order(S="HOLD")),
        ("binance", {"stream": "x", "data": {"e": "aggTrade", "s": "BTCUSDT", "T": 1}}),
        (
            "binance",
            {
                "stream": "x",
                "data": {"e": "aggTrade", "s": "BTCUSDT", "T": 1, "a": 1, "p": "NaN", "q": "1", "m": True},
            },
        ),
        ("bybit", bybit_forced({"T": 1, "s": "BTCUSDT", "S": "Long", "v": "1", "p": "1"})),
        ("bybit", ["topic"]),
        ("okx", {"arg": {"channel": "trades", "instId": "BTC-USDT-SWAP"}, "data": [{"tradeId": "1"}]}),
        ("hyperliquid", {"channel": "trades", "data": [{"coin": "BTC", "px": "1", "sz": "0", "side": "B"}]}),
        ("bitmex", {"table": "trade", "action": "insert", "data": [{"symbol": "XBTUSD", "price": "inf"}]}),
    ],
)
def test_a_message_of_another_shape_is_refused_with_its_beginning(name: str, message: Any) -> None:
    with pytest.raises(SourceChanged, match=f"{name}: expected the documented shape, found '"):
        read(name, message)


@pytest.mark.parametrize("name", VENUES)
def test_what_is_no_json_is_refused(name: str) -> None:
    with pytest.raises(SourceChanged, match=f"{name}: expected JSON, found"):
        venue(name).parse(b'{"half', NOW, State())


@pytest.mark.parametrize("name", VENUES)
def test_a_name_that_no_venue_could_have_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="expected a coin or a contract"):
        venue(name).symbols("BTC/USDT")


def test_contracts_are_found_by_coin_and_by_name() -> None:
    assert venue("okx").symbols("BTC") == ("BTC-USDT-SWAP",)
    assert venue("okx").symbols("BTC-USD-SWAP") == ("BTC-USD-SWAP",)
    assert venue("bybit").symbols("BTC") == ("BTCUSDT",)
    assert venue("bybit").symbols("BTCUSD") == ("BTCUSD",)
    assert venue("bitmex").symbols("BTC") == ("XBTUSD", "XBTUSDT")
    assert venue("binance").symbols("ETHUSDC") == ("ETHUSDC",)
    assert venue("binance").symbols("BTCUSD_PERP") == ("BTCUSD_PERP",)
    with pytest.raises(InputError, match="expected venues of"):
        venue("mtgox")


# --- again from the raw payloads -------------------------------------------------------------------------


def test_stored_payloads_give_the_same_rows_again_and_name_what_they_cannot_read() -> None:
    kind, symbol, answer = ANSWERS["okx"]
    detail = {"side": "sell", "posSide": "net", "bkPx": "100000", "sz": "12", "ts": "1799999999000"}
    message = {
        "arg": {"channel": "liquidation-orders", "instType": "SWAP"},
        "data": [{"instId": "BTC-USDT-SWAP", "details": [detail]}],
    }
    stored = [
        Stored("okx", NOW, f"run/rest/{kind}/{symbol}", json.dumps(answer).encode()),
        Stored("okx", NOW + 1, "run/events/1", json.dumps(message).encode()),
        Stored("okx", NOW + 2, "run/events/1", b"{"),
        Stored("okx", NOW + 3, "run/events/1", b"pong"),
    ]
    found = list(reread(stored))
    assert [len(one.rows) for one in found] == [0, 1, 0, 0] and {one.parser for one in found} == {
        venue("okx").parser
    }
    assert found[1].rows == venue("okx").parse(stored[1].payload, NOW + 1, known("okx")).rows
    assert "expected JSON" in found[2].error and not found[1].error
