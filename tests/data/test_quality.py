"""`lake check` finds what is wrong, and nothing where nothing is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from deleverage.data import Lake
from deleverage.schema import FINDINGS, LAKE_TABLES, conform
from tests.data.rows import SECOND_NS, T0_NS, candle, rows, trades

HOUR_NS = 3600 * SECOND_NS
VENUES = {"binance": 1.0, "bybit": 0.6, "okx": 0.4, "dydx": 0.002}
COINS = {"BTC": 100.0, "ETH": 900.0, "SOL": 9_000.0, "DOGE": 4e6}
CONTRACT = {"BTC": 0.01, "ETH": 0.1, "SOL": 1.0, "DOGE": 1_000.0}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "lake")


def found(lake: Lake, table: str | None = None) -> list[dict[str, Any]]:
    findings = lake.check(table)
    assert conform(findings, FINDINGS).equals(findings)
    return findings.to_dicts()


def market(*, contracts: tuple[str, ...] = (), coins: tuple[str, ...] = tuple(COINS)) -> pl.DataFrame:
    """Bars of several venues and coins; volumes of ``contracts`` are not converted."""
    return rows(
        "candles",
        *(
            candle(
                T0_NS + hour * HOUR_NS,
                venue,
                coin,
                volume_coins=size
                * COINS[coin]
                * (1 + hour / 10)
                / (CONTRACT[coin] if venue in contracts else 1),
            )
            for hour in range(6)
            for venue, size in VENUES.items()
            for coin in coins
        ),
    )


def test_a_lake_in_order_has_no_findings(lake: Lake) -> None:
    assert found(lake) == []
    lake.append("candles", market())
    lake.append("trades", trades(range(10)))
    assert found(lake) == []


def test_contracts_taken_for_coins_are_found_and_small_venues_are_not(lake: Lake) -> None:
    lake.append("candles", market(contracts=("okx",)))
    wrong = found(lake)
    assert {(one["check"], one["venue"], one["symbol"]) for one in wrong} == {
        ("units", "okx", "BTC"),
        ("units", "okx", "DOGE"),
    }
    assert all(one["severity"] == "error" and "contracts" in one["found"] for one in wrong)


def test_one_coin_alone_gives_a_warning(lake: Lake) -> None:
    lake.append("candles", market(contracts=("okx",), coins=("BTC",)))
    (one,) = found(lake)
    assert (one["check"], one["venue"], one["severity"]) == ("units", "okx", "warning")
    assert "40 times the next largest venue" in one["found"]


def test_open_interest_in_contracts_is_found_by_its_dollars(lake: Lake) -> None:
    row = {"time_ns": T0_NS, "venue": "okx", "coin": "BTC", "scope": "all", "price": 100.0, "source": "a"}
    lake.append("open_interest", rows("open_interest", row | {"coins": 5_000.0, "usd": 5_000.0}))
    (one,) = found(lake, "open_interest")
    assert one["check"] == "values" and "contracts" in one["expected"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"high": 104.0}, "high at or above"),
        ({"low": 101.0}, "low at or below"),
        ({"low": 120.0, "high": 115.0}, "low at or below"),
        ({"taker_buy_coins": 11.0}, "takers buy at most"),
        ({"close": -1.0, "low": -1.0}, "close above 0"),
        ({"volume_coins": -3.0}, "volume_coins at or above 0"),
    ],
)
def test_bars_that_cannot_be(lake: Lake, changed: dict[str, Any], expected: str) -> None:
    lake.append("candles", rows("candles", candle(T0_NS), candle(T0_NS + HOUR_NS, **changed)))
    (one, *_) = [one for one in found(lake) if expected in one["expected"]]
    assert one["severity"] == "error" and one["time_ns"] == one["end_ns"] == T0_NS + HOUR_NS
    assert (one["venue"], one["symbol"]) == ("binance", "BTCUSDT")


def test_prices_in_cents_are_far_from_the_other_venues(lake: Lake) -> None:
    cents: dict[str, Any] = {
        name: 100 * value
        for name, value in (("open", 100.0), ("high", 110.0), ("low", 90.0), ("close", 105.0))
    }
    lake.append(
        "candles",
        rows("candles", *(candle(T0_NS, venue) for venue in ("a", "b", "c")), candle(T0_NS, "d", **cents)),
    )
    (one,) = found(lake)
    assert one["venue"] == "d" and "within a factor of 5" in one["expected"]


def test_clocks_that_disagree(lake: Lake) -> None:
    early = trades([1]).with_columns(received_ns=pl.col("time_ns") - 3 * SECOND_NS)
    late = trades([2], "okx").with_columns(received_ns=pl.col("time_ns") + 90 * SECOND_NS)
    future = trades([3], "bybit").with_columns(
        time_ns=pl.lit(time.time_ns() + 3 * 86_400 * SECOND_NS), received_ns=pl.lit(None, dtype=pl.Int64)
    )
    lake.append("trades", pl.concat([early, late, future]))
    assert [(one["venue"], one["severity"], one["found"]) for one in found(lake)] == [
        ("binance", "error", "1 rows received before they happened, by up to 3.000 s"),
        ("bybit", "error", "1 rows of the future"),
        ("okx", "warning", "1 rows received later, by up to 90.000 s"),
    ]


def test_settled_rates_that_are_asked_for_are_not_late(lake: Lake) -> None:
    message = {
        "time_ns": T0_NS, "received_ns": T0_NS + 1800 * SECOND_NS, "venue": "okx", "stream": "funding",
        "sequence": 1, "connection": "c", "payload": b"{}", "encoding": "plain", "parser": "okx/1",
        "rows": 1, "error": None, "source": "collect/okx",
    }  # fmt: skip
    lake.append("payloads", rows("payloads", message))
    assert not found(lake)
    lake.append("payloads", rows("payloads", message | {"stream": "trades", "sequence": 2}))
    (one,) = found(lake)
    assert one["found"] == "1 rows received later, by up to 1,800.000 s"


def test_books_that_are_crossed_or_out_of_order(lake: Lake) -> None:
    def level(side: str, number: int, price: float, second: int = 0) -> dict[str, Any]:
        return {
            "time_ns": T0_NS + second * SECOND_NS, "venue": "v", "kind": "perp", "coin": "BTC", "symbol": "B",
            "side": side, "level": number, "price": price, "coins": 1.0, "source": "a",
        }  # fmt: skip

    good = [level("bid", 1, 99.0), level("bid", 2, 98.0), level("ask", 1, 100.0), level("ask", 2, 101.0)]
    lake.append("books", rows("books", *good))
    assert found(lake) == []
    crossed = [level("bid", 1, 101.0, 1), level("ask", 1, 100.0, 1)]
    disordered = [level("bid", 1, 97.0, 2), level("bid", 2, 98.0, 2), level("ask", 1, 100.0, 2)]
    lake.append("books", rows("books", *crossed, *disordered))
    assert [(one["found"], (one["time_ns"] - T0_NS) // SECOND_NS) for one in found(lake)] == [
        ("1 books otherwise", 1),
        ("1 levels otherwise", 2),
    ]


def test_keys_that_occur_twice(lake: Lake) -> None:
    for _ in range(2):
        lake.append("trades", trades([1, 2]), dedupe=False)
    lake.append("trades", trades([3]))
    (one,) = found(lake)
    assert (one["check"], one["venue"], one["found"]) == (
        "duplicates",
        "binance",
        "2 keys that occur more than once",
    )


def test_holes_in_a_regular_series_are_counted_and_recorded_ones_named(lake: Lake) -> None:
    hours = [0, 1, 2, 6, 7, 9]
    lake.append("candles", rows("candles", *(candle(T0_NS + hour * HOUR_NS) for hour in hours)))
    gap: dict[str, Any] = {
        "time_ns": T0_NS + 2 * HOUR_NS, "end_ns": T0_NS + 6 * HOUR_NS, "venue": "binance",
        "stream": "candles", "symbol": "", "reason": "disconnected", "source": "a",
    }  # fmt: skip
    lake.append("gaps", rows("gaps", gap))
    first, second = [one for one in found(lake) if one["check"] == "gaps" and one["table"] == "candles"]
    assert first["found"] == "3 missing, recorded as 'disconnected'" and second["found"] == "1 missing"
    assert (first["time_ns"], first["end_ns"]) == (T0_NS + 3 * HOUR_NS, T0_NS + 5 * HOUR_NS)


def test_funding_that_changes_its_interval_has_no_hole(lake: Lake) -> None:
    times = [(0, 8), (8, 8), (16, 8), (20, 4), (24, 4), (32, 8)]
    rate = {"venue": "v", "coin": "BTC", "symbol": "B", "rate": 1e-4, "source": "a"}
    lake.append(
        "funding",
        rows(
            "funding", *(rate | {"time_ns": T0_NS + at * HOUR_NS, "interval_s": h * 3600} for at, h in times)
        ),
    )
    assert found(lake) == []


def test_a_rate_in_percent_is_found(lake: Lake) -> None:
    rate = {"time_ns": T0_NS, "venue": "v", "coin": "BTC", "symbol": "B", "interval_s": 60, "source": "a"}
    lake.append("funding", rows("funding", rate | {"rate": 0.4}))
    (one,) = found(lake)
    assert one["expected"] == "rate within ±0.1"


def test_only_the_asked_table_and_time_are_looked_at(lake: Lake) -> None:
    lake.append("candles", rows("candles", candle(T0_NS, high=104.0)))
    assert found(lake, "trades") == []
    assert lake.check("candles", start_ns=T0_NS + 1).is_empty()
    assert lake.check("candles", end_ns=T0_NS).height == 1


def test_checks_stand_a_lake_with_a_row_in_every_table(lake: Lake) -> None:
    values: dict[str, Any] = {"Int64": 1, "Float64": 1.0, "String": "x", "Boolean": True, "Binary": b"x"}
    for name, table in LAKE_TABLES.items():
        row = {column.name: values[column.dtype] for column in table.columns}
        lake.append(
            name,
            rows(
                name,
                row | {"time_ns": T0_NS, "received_ns": T0_NS, "end_ns": T0_NS}
                if "end_ns" in row
                else row | {"time_ns": T0_NS, "received_ns": T0_NS},
            ),
        )
    assert lake.check().height < 20
    assert all(row.rows == 1 for row in lake.status())
