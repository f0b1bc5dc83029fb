"""A settlement is one row of the lake, whoever brings it and however far beside the hour it is stamped.

What the venue answers is the same for both sides: the collector's parser and the backfill's adapter.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from deleverage.data.backfill.archive_rows import settled_ns
from deleverage.data.backfill.rest.base import frame_of
from deleverage.data.backfill.rest.bitmex import Bitmex
from deleverage.data.backfill.run import adapter_of
from deleverage.data.importers.multi_venue import on_the_hour
from deleverage.data.lake import Lake
from deleverage.data.sources.base import State, settlement_ns
from deleverage.data.sources.registry import venue
from deleverage.schema import LAKE_TABLES
from tests.data.collect.test_parsers import known

HOUR = 3_600_000
AT = 1_799_985_600_000
"""A full hour of 2027 at which every one of the venues settles [ms UTC]."""
BESIDE = (-900, -3, 0, 4, 1_000)
"""How far beside the hour settlements are stamped [ms]."""


class Door:
    """A venue that gives one answer to everything."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def ask(self, _: str, __: dict[str, Any], read: Callable[[Any], Any]) -> Any:
        return read(self.answer)


def binance(symbol: str, stamps: list[int]) -> Any:
    return [{"symbol": symbol, "fundingTime": at, "fundingRate": "0.0001"} for at in stamps]


def bybit(_: str, stamps: list[int]) -> Any:
    entries = [{"fundingRate": "0.0001", "fundingRateTimestamp": str(at)} for at in stamps]
    return {"retCode": 0, "result": {"list": entries}}


def okx(_: str, stamps: list[int]) -> Any:
    entries = [{"fundingRate": "0.0002", "realizedRate": "0.0001", "fundingTime": str(at)} for at in stamps]
    return {"code": "0", "data": entries}


def hyperliquid(symbol: str, stamps: list[int]) -> Any:
    return [{"coin": symbol, "fundingRate": "0.0001", "premium": "0", "time": at} for at in stamps]


VENUES = [
    ("binance", "binance-rest", "BTCUSDT", "fundingRate", binance, 8),
    ("binance", "binance-rest", "BTCUSD_PERP", "fundingRate", binance, 8),
    ("bybit", "bybit", "BTCUSDT", "funding-history", bybit, 8),
    ("bybit", "bybit", "BTCUSD", "funding-history", bybit, 8),
    ("okx", "okx", "BTC-USD-SWAP", "funding-rate-history", okx, 8),
    ("hyperliquid", "hyperliquid", "BTC", "fundingHistory", hyperliquid, 1),
]


def collected(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    types = {column.name: getattr(pl, column.dtype) for column in LAKE_TABLES["funding"].columns}
    return pl.DataFrame(rows, schema=types, orient="row")


def once(folder: Path, live: pl.DataFrame, fetched: pl.DataFrame, count: int) -> None:
    """Whichever comes first, the other adds nothing and says nothing else."""
    for name, order in (("live", (live, fetched)), ("fetched", (fetched, live))):
        lake = Lake.create(folder / name)
        added = [lake.append("funding", frame) for frame in order]
        assert [(one.rows, one.repeated, one.conflicts) for one in added] == [(count, 0, 0), (0, count, 0)]
        assert set(lake.read("funding")["time_ns"] % (HOUR * 1_000_000)) == {0}


@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize(("name", "source", "symbol", "request_kind", "answer", "hours"), VENUES)
def test_the_collector_and_the_backfill_bring_the_same_settlement(
    tmp_path: Path,
    name: str,
    source: str,
    symbol: str,
    request_kind: str,
    answer: Callable[[str, list[int]], Any],
    hours: int,
    beside: int,
) -> None:
    said = answer(symbol, [AT - back * hours * HOUR + beside * (back + 1) // 3 for back in (2, 1, 0)])
    parsed = venue(name).parse_answer(
        request_kind, symbol, json.dumps(said).encode(), AT * 1_000_000, known(name)
    )
    ((_, rows),) = parsed.rows
    adapter = adapter_of(source)
    door: Any = Door(said)
    tables, _ = adapter.fetch(door, "funding", adapter.contract(symbol), "", AT - 25 * HOUR, AT + HOUR)
    fetched = frame_of("funding", tables["funding"], AT * 1_000_000, "backfill/test")
    once(tmp_path, collected(rows), fetched, 3)


@pytest.mark.parametrize(
    ("name", "source", "symbol", "request_kind", "answer"), [one[:5] for one in VENUES[:5]]
)
def test_an_interval_that_the_venue_shortens_is_each_settlements_own(
    tmp_path: Path,
    name: str,
    source: str,
    symbol: str,
    request_kind: str,
    answer: Callable[[str, list[int]], Any],
) -> None:
    said = answer(symbol, [AT - back * HOUR + 3 for back in (24, 16, 8, 4, 0)])
    received = AT * 1_000_000
    parsed = venue(name).parse_answer(request_kind, symbol, json.dumps(said).encode(), received, known(name))
    ((_, rows),) = parsed.rows
    live = collected(rows)
    assert live.sort("time_ns")["interval_s"].to_list() == [8 * 3600] * 3 + [4 * 3600] * 2
    adapter = adapter_of(source)
    door: Any = Door(said)
    tables, _ = adapter.fetch(door, "funding", adapter.contract(symbol), "", AT - 25 * HOUR, AT + HOUR)
    once(tmp_path, live, frame_of("funding", tables["funding"], received, "backfill/test"), 5)


@pytest.mark.parametrize("beside", BESIDE)
def test_bitmex_brings_the_same_settlement_by_stream_and_by_rest(tmp_path: Path, beside: int) -> None:
    def iso(at: int) -> str:
        return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"

    data = [
        {
            "symbol": "XBTUSD", "timestamp": iso(AT - back * 8 * HOUR + beside),
            "fundingInterval": "2000-01-01T08:00:00.000Z", "fundingRate": 0.0001,
        }
        for back in (1, 0)
    ]  # fmt: skip
    message = {"table": "funding", "action": "insert", "data": data}
    state: State = known("bitmex")
    ((_, rows),) = venue("bitmex").parse(json.dumps(message).encode(), AT * 1_000_000, state).rows

    class Web:
        def get_read(self, url: str, read: Callable[[bytes], Any]) -> Any:
            entry = {"symbol": "XBTUSD", "underlying": "XBT", "isInverse": True}
            return read(json.dumps([entry] if "/instrument" in url else data).encode())

    web: Any = Web()
    fetched = Bitmex(web).fetch("funding", "XBTUSD", AT - 9 * HOUR, AT + HOUR)
    once(tmp_path, collected(rows), fetched.with_columns(pl.lit("backfill/test").alias("source")), 2)


@pytest.mark.parametrize("beside_ms", [*BESIDE, -2_000, 2_000, 2_001, -2_001, 1_800_000, 60_000])
def test_archive_importers_collector_and_backfill_have_one_rule(beside_ms: int) -> None:
    at = (AT + beside_ms) * 1_000_000
    frame = pl.DataFrame({"time_ns": [at]})
    by_archive = frame.select(settled_ns(pl.col("time_ns"))).item()
    by_import = on_the_hour(frame)[0].item()
    expected = AT * 1_000_000 if abs(beside_ms) <= 2_000 else at
    assert (settlement_ns(at), by_archive, by_import) == (expected,) * 3


def test_a_settlement_that_an_older_collector_stamped_beside_the_hour_is_moved_by_reparse(
    tmp_path: Path,
) -> None:
    lake, received = Lake.create(tmp_path / "lake"), (AT + HOUR) * 1_000_000
    contracts = {"symbols": [{"symbol": "BTCUSDT", "baseAsset": "BTC", "contractType": "PERPETUAL"}]}
    answers = [("exchangeInfo/", contracts), ("fundingRate/BTCUSDT", binance("BTCUSDT", [AT + 4]))]
    stored = [
        {
            "time_ns": received + n, "received_ns": received + n, "venue": "binance", "stream": "funding",
            "sequence": n, "connection": f"run/rest/{name}", "payload": json.dumps(answer).encode(),
            "encoding": "plain", "parser": "binance/1", "rows": n, "source": "collect/binance",
        }
        for n, (name, answer) in enumerate(answers)
    ]  # fmt: skip
    types = {column.name: getattr(pl, column.dtype) for column in LAKE_TABLES["payloads"].columns}
    lake.append("payloads", pl.DataFrame(stored, schema=types))
    old = ((AT + 4) * 1_000_000, received + 1, "binance", "BTC", "BTCUSDT", 28_800, 0.0001, "collect/binance")
    lake.append("funding", collected([old]))
    assert lake.reparse("binance").parser == "binance/2"
    assert lake.read("funding")["time_ns"].to_list() == [AT * 1_000_000]
