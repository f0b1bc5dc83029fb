"""Tiers from the venue through ccxt: against a server on this machine that speaks the venue's endpoints.

Needs ccxt (the extra "collect"); without it only what is said then is tested.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from deleverage.cli import main
from deleverage.data.tier_fetch import update_tiers
from deleverage.data.tier_store import snapshots, stored_tiers
from deleverage.errors import DataError, InputError, RateLimited, SourceChanged, SourceUnavailable

try:
    import ccxt  # noqa: F401

    HAS_CCXT = True
except ImportError:
    HAS_CCXT = False

needs_ccxt = pytest.mark.skipif(
    not HAS_CCXT, reason='ccxt is not installed: pip install "deleverage[collect]"'
)
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
TODAY = date(2026, 3, 4)

BRACKETS = [
    {
        "symbol": symbol,
        "brackets": [
            {
                "bracket": 1,
                "initialLeverage": 125,
                "notionalCap": 300_000,
                "notionalFloor": 0,
                "maintMarginRatio": 0.004,
                "cum": 0.0,
            },
            {
                "bracket": 2,
                "initialLeverage": 100,
                "notionalCap": 800_000,
                "notionalFloor": 300_000,
                "maintMarginRatio": 0.005,
                "cum": 300.0,
            },
        ],
    }
    for symbol in ("BTCUSDT", "ETHUSDT")
]


def binance_market(coin: str) -> dict[str, Any]:
    return {
        "symbol": f"{coin}USDT",
        "pair": f"{coin}USDT",
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": "TRADING",
        "baseAsset": coin,
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": 2,
        "quantityPrecision": 3,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "1000000", "tickSize": "0.1"},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        ],
        "orderTypes": ["LIMIT"],
        "timeInForce": ["GTC"],
    }


def bybit_market(coin: str) -> dict[str, Any]:
    return {
        "symbol": f"{coin}USDT",
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": coin,
        "quoteCoin": "USDT",
        "settleCoin": "USDT",
        "launchTime": "1585526400000",
        "deliveryTime": "0",
        "priceScale": "2",
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": "0.10", "maxPrice": "199999.80", "tickSize": "0.10"},
        "lotSizeFilter": {"maxOrderQty": "100.000", "minOrderQty": "0.001", "qtyStep": "0.001"},
    }


def bybit_risk(number: int, cap: str, rate: str, leverage: str, off: str) -> dict[str, Any]:
    return {
        "id": 10 + number,
        "symbol": "BTCUSDT",
        "riskLimitValue": cap,
        "maintenanceMargin": rate,
        "initialMargin": "0.01",
        "isLowestRisk": int(number == 1),
        "maxLeverage": leverage,
        "mmDeduction": off,
    }


RISK = [bybit_risk(1, "2000000", "0.005", "100.00", ""), bybit_risk(2, "4000000", "0.01", "33.33", "10000")]


def bybit(result: dict[str, Any]) -> dict[str, Any]:
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 1_700_000_000_000}


def gate_tier(number: int, cap: str, rate: str, leverage: str) -> dict[str, Any]:
    return {
        "contract": "BTC_USDT",
        "tier": number,
        "risk_limit": cap,
        "initial_rate": "0.01",
        "maintenance_rate": rate,
        "leverage_max": leverage,
    }


GATE_CONTRACT = {
    "name": "BTC_USDT",
    "type": "direct",
    "quanto_multiplier": "0.0001",
    "mark_type": "index",
    "leverage_min": "1",
    "leverage_max": "100",
    "maintenance_rate": "0.005",
    "order_price_round": "0.1",
    "mark_price_round": "0.01",
    "order_size_min": 1,
    "order_size_max": 1000000,
    "order_price_deviate": "0.5",
    "risk_limit_base": "1000000",
    "mark_price": "100000",
    "in_delisting": False,
    "maker_fee_rate": "-0.00025",
    "taker_fee_rate": "0.00075",
    "create_time": 1_600_000_000,
}
META: list[Any] = [
    {
        "universe": [
            {"name": "BTC", "szDecimals": 5, "maxLeverage": 40, "marginTableId": 56},
            {"name": "ETH", "szDecimals": 4, "maxLeverage": 25, "marginTableId": 25},
        ],
        "marginTables": [
            [
                56,
                {
                    "description": "",
                    "marginTiers": [
                        {"lowerBound": "0.0", "maxLeverage": 40},
                        {"lowerBound": "150000000.0", "maxLeverage": 20},
                    ],
                },
            ]
        ],
    },
    [{}, {}],
]


class Venue(ThreadingHTTPServer):
    """A server that answers by path; what is asked is kept, and answers can be changed by a test."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.failures: list[tuple[int, str]] = []  # (status, text), given before the real answers
        linear = bybit({"category": "linear", "list": [bybit_market("BTC")], "nextPageCursor": ""})
        self.answers: dict[str, Any] = {
            "/fapi/v1/exchangeInfo": {"symbols": [binance_market("BTC"), binance_market("ETH")]},
            "/fapi/v1/leverageBracket": BRACKETS,
            "/v5/market/instruments-info": linear,
            "/v5/market/risk-limit": bybit({"category": "linear", "list": RISK, "nextPageCursor": ""}),
            "/api/v4/futures/usdt/contracts": [GATE_CONTRACT],
            "/api/v4/futures/btc/contracts": [],
            "/api/v4/futures/usdt/risk_limit_tiers": [
                gate_tier(1, "1000000", "0.005", "100"),
                gate_tier(2, "2000000", "0.01", "50"),
            ],
            "/info": META,
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Venue

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        self.server.asked.append(path.path)
        if self.server.failures and not path.path.endswith(("exchangeInfo", "instruments-info", "contracts")):
            status, text = self.server.failures.pop(0)
            self.answer(status, text)
            return
        found = self.server.answers.get(path.path)
        if path.path == "/fapi/v1/leverageBracket" and "signature" not in parse_qs(path.query):
            self.answer(401, '{"code": -2014, "msg": "API-key format invalid."}')
        elif found is None:
            self.answer(404, "{}")
        else:
            self.answer(200, found if isinstance(found, str) else json.dumps(found))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    monkeypatch.setenv("DELEVERAGE_BINANCE_KEY", "key")
    monkeypatch.setenv("DELEVERAGE_BINANCE_SECRET", "secret")
    with Venue() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@needs_ccxt
def test_brackets_of_binance_are_kept_as_of_now(venue: Venue, tmp_path: Path) -> None:
    done = update_tiers("binance", tmp_path / "rules", url=venue.url, now=NOW)
    assert (done.venue, done.at, done.contracts) == ("binance", "2026-03-04T05:06:07Z", 2)
    found = stored_tiers(tmp_path / "rules", "binance", TODAY)
    assert [tier.rate for tier in found["ETHUSDT"].tiers] == [Fraction(4, 1000), Fraction(5, 1000)]
    assert found["ETHUSDT"].tiers[1].deduction == 300
    assert snapshots(tmp_path / "rules")[0].source == "ccxt/binance_2026-03-04T050607Z.json"
    assert {"/fapi/v1/exchangeInfo", "/fapi/v1/leverageBracket"} <= set(venue.asked)


@needs_ccxt
@pytest.mark.parametrize("name", ["ETHUSDT", "ETH/USDT:USDT"])
def test_only_the_contracts_that_are_asked_for_are_kept(venue: Venue, tmp_path: Path, name: str) -> None:
    assert update_tiers("binance", tmp_path / "rules", symbols=[name], url=venue.url, now=NOW).contracts == 1
    assert list(stored_tiers(tmp_path / "rules", "binance", TODAY)) == ["ETHUSDT"]


@needs_ccxt
@pytest.mark.parametrize("symbols", [(), ("BTCUSDT",)], ids=["all", "one"])
def test_risk_limits_of_bybit_need_no_key(venue: Venue, tmp_path: Path, symbols: tuple[str, ...]) -> None:
    done = update_tiers("bybit", tmp_path / "rules", symbols=symbols, url=venue.url, now=NOW)
    assert (done.venue, done.contracts, done.tiers) == ("bybit", 1, 2)
    tiers = stored_tiers(tmp_path / "rules", "bybit", TODAY)["BTCUSDT"].tiers
    assert tiers[1].max_leverage == Fraction("33.33") and tiers[1].deduction == 10_000


@needs_ccxt
@pytest.mark.parametrize("symbols", [(), ("BTC_USDT",)], ids=["all", "one"])
def test_risk_limits_of_gate(venue: Venue, tmp_path: Path, symbols: tuple[str, ...]) -> None:
    done = update_tiers("gate", tmp_path / "rules", symbols=symbols, url=venue.url, now=NOW)
    assert (done.venue, done.contracts, done.tiers) == ("gate", 1, 2)
    assert stored_tiers(tmp_path / "rules", "gate", TODAY)["BTC_USDT"].tiers[1].deduction == 5_000


@needs_ccxt
@pytest.mark.parametrize(("symbols", "contracts"), [((), 2), (("BTC",), 1)])
def test_margin_tables_of_hyperliquid(
    venue: Venue, tmp_path: Path, symbols: tuple[str, ...], contracts: int
) -> None:
    done = update_tiers("hyperliquid", tmp_path / "rules", symbols=symbols, url=venue.url, now=NOW)
    assert (done.venue, done.contracts) == ("hyperliquid", contracts)
    assert stored_tiers(tmp_path / "rules", "hyperliquid", TODAY)["BTC"].tiers[0].rate == Fraction(1, 80)


@needs_ccxt
def test_venue_that_asks_for_fewer_calls_is_asked_again(venue: Venue, tmp_path: Path) -> None:
    venue.failures = [(429, '{"code": -1003, "msg": "Too many requests."}'), (503, "down")]
    done = update_tiers("binance", tmp_path / "rules", url=venue.url, now=NOW, waits_s=(0.0, 0.0))
    assert done.contracts == 2
    assert venue.asked.count("/fapi/v1/leverageBracket") == 3


@needs_ccxt
@pytest.mark.parametrize(
    ("status", "text"),
    [(429, '{"code": -1003, "msg": "Too many requests."}'), (500, "<html>"), (503, "{}")],
    ids=["rate limit", "server error", "not available"],
)
def test_venue_that_does_not_answer_is_data_that_is_missing(
    venue: Venue, tmp_path: Path, status: int, text: str
) -> None:
    venue.failures = [(status, text)] * 9
    with pytest.raises(DataError, match="nothing was written"):
        update_tiers("binance", tmp_path / "rules", url=venue.url, now=NOW, waits_s=(0.0, 0.0))
    assert not (tmp_path / "rules").exists()


@needs_ccxt
def test_each_kind_of_refusal_is_one_of_its_own(venue: Venue, tmp_path: Path) -> None:
    def fails(status: int, text: str) -> Exception:
        venue.failures = [(status, text)] * 3
        with pytest.raises((DataError, InputError)) as error:
            update_tiers("binance", tmp_path / "rules", url=venue.url, now=NOW, waits_s=(0.0,))
        return error.value

    assert type(fails(429, '{"code": -1003, "msg": "Too many requests."}')) is RateLimited
    assert type(fails(503, "down")) is SourceUnavailable
    assert type(fails(400, '{"code": -1121, "msg": "Invalid symbol."}')) is InputError
    refused = fails(400, '{"code": -1130, "msg": "Data sent for a parameter is not valid."}')
    assert type(refused) is SourceChanged and "refuses the question" in str(refused)
    unread = fails(200, '[{"symbol": "BTCUSDT"}]')
    assert type(unread) is SourceChanged and "usable tiers" in str(unread)
    assert not (tmp_path / "rules").exists()


@needs_ccxt
def test_server_that_is_not_there_is_data_that_is_missing(venue: Venue, tmp_path: Path) -> None:
    url = "http://127.0.0.1:9"  # the port of nothing
    with pytest.raises(DataError, match=r"2 times"):
        update_tiers("hyperliquid", tmp_path / "rules", url=url, now=NOW, waits_s=(0.0,))
    assert not (tmp_path / "rules").exists()


@needs_ccxt
@pytest.mark.parametrize(
    "answer",
    [
        "<html>maintenance</html>",
        "",
        "{}",
        "[]",
        "[1, 2]",
        [{"symbol": "BTCUSDT", "brackets": []}],
        [{"symbol": "BTCUSDT"}],
        [{"symbol": "BTCUSDT", "brackets": [{**BRACKETS[0]["brackets"][0], "maintMarginRatio": 5}]}],  # type: ignore[dict-item]
        [{"symbol": "BTCUSDT", "brackets": [{**BRACKETS[0]["brackets"][1]}]}],  # type: ignore[dict-item]
        [{"symbol": "BTCUSDT", "brackets": [{**BRACKETS[0]["brackets"][0], "cum": 7}]}],  # type: ignore[dict-item]
        [{"symbol": "BTCUSDT", "brackets": [{"bracket": 1}]}],
    ],
)
def test_answer_that_is_not_the_documented_one_is_refused_and_nothing_is_written(
    venue: Venue, tmp_path: Path, answer: Any
) -> None:
    venue.answers["/fapi/v1/leverageBracket"] = answer
    with pytest.raises(DataError):
        update_tiers("binance", tmp_path / "rules", url=venue.url, now=NOW, waits_s=())
    assert not (tmp_path / "rules").exists()


@needs_ccxt
@pytest.mark.parametrize(
    "answer", ["null", "[]", "{}", '[{"universe": 1}]', [{"universe": [{"name": "BTC"}]}]]
)
def test_hyperliquid_answer_that_is_not_the_documented_one_is_refused(
    venue: Venue, tmp_path: Path, answer: Any
) -> None:
    venue.answers["/info"] = answer
    for symbols in ((), ("BTC",)):
        with pytest.raises(DataError):
            update_tiers("hyperliquid", tmp_path / "rules", symbols=symbols, url=venue.url, now=NOW)
    assert not (tmp_path / "rules").exists()


@needs_ccxt
def test_store_that_is_there_stays_as_it_is_when_an_update_fails(venue: Venue, tmp_path: Path) -> None:
    update_tiers("binance", tmp_path / "rules", url=venue.url, now=NOW)
    before = {path: path.read_bytes() for path in files(tmp_path / "rules")}
    venue.answers["/fapi/v1/leverageBracket"] = [{"symbol": "BTCUSDT", "brackets": [{"bracket": 1}]}]
    with pytest.raises(SourceChanged):
        update_tiers("binance", tmp_path / "rules", url=venue.url, waits_s=())
    assert {path: path.read_bytes() for path in files(tmp_path / "rules")} == before


@needs_ccxt
@pytest.mark.parametrize(("name", "symbols"), [("binance", ["NOPE"]), ("hyperliquid", ["NOPE"])])
def test_unknown_contract_is_bad_input(venue: Venue, tmp_path: Path, name: str, symbols: list[str]) -> None:
    with pytest.raises(InputError, match="NOPE"):
        update_tiers(name, tmp_path / "rules", symbols=symbols, url=venue.url, now=NOW)


@needs_ccxt
def test_refused_key_and_no_key_are_bad_input(
    venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue.failures = [(401, '{"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}')]
    with pytest.raises(InputError, match="DELEVERAGE_BINANCE_KEY"):
        update_tiers("binance", tmp_path / "rules", url=venue.url, now=NOW, waits_s=())
    monkeypatch.delenv("DELEVERAGE_BINANCE_SECRET")
    with pytest.raises(InputError, match="found no DELEVERAGE_BINANCE_SECRET"):
        update_tiers("binance", tmp_path / "rules", url=venue.url, now=NOW)


@needs_ccxt
def test_address_without_a_scheme_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected scheme and host"):
        update_tiers("bybit", tmp_path / "rules", url="localhost:8080")


@needs_ccxt
def test_command_fetches_and_says_what_it_kept(
    venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DELEVERAGE_RULES_DIR", str(tmp_path / "rules"))
    assert main(["rules", "update", "hyperliquid", "--url", venue.url, "--symbols", "BTC,ETH", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["venue"], done["contracts"]) == ("hyperliquid", 2)
    venue.answers["/info"] = "null"
    assert main(["rules", "update", "hyperliquid", "--url", venue.url]) == 3
    assert "Traceback" not in capsys.readouterr().err


def test_without_ccxt_the_command_says_how_to_install_it_and_ends_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DELEVERAGE_RULES_DIR", str(tmp_path / "rules"))
    monkeypatch.setitem(sys.modules, "ccxt", None)
    assert main(["rules", "update", "bybit"]) == 2
    said = capsys.readouterr().err
    assert "expected ccxt to be installed" in said and "deleverage[collect]" in said
    assert not (tmp_path / "rules").exists()
