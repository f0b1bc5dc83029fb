"""Every command that takes a lake, with one in an object store: it works, or says in one line why not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest

from deleverage.cli import failure, main
from deleverage.data import Lake
from deleverage.errors import DataError
from tests.data import tiny
from tests.data.backfill import made
from tests.data.backfill.serving import serving
from tests.data.object_store import Objects, object_store
from tests.data.rows import trades

DAY = date(2025, 10, 10)
ROOT = Path(__file__).resolve().parents[2]
Call = Callable[..., tuple[int, str, str]]


class Store(NamedTuple):
    """A store that the environment names, as a user's would, and the address of a lake in it."""

    objects: Objects
    lake: str


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with object_store() as (found, options):
        for name, value in options.items():
            monkeypatch.setenv(name.upper(), value)
        # Polars remembers how it reached a bucket: each test has its own.
        yield Store(found, f"s3://bucket-{options['aws_endpoint_url'].rpartition(':')[2]}/lake")


@pytest.fixture
def call(store: Store, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*words: str) -> tuple[int, str, str]:
        code = main([*words, "--lake", store.lake])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_an_import_is_looked_at_asked_and_measured(call: Call, store: Store, tmp_path: Path) -> None:
    tiny.klines(tmp_path / "data")
    code, out, _ = call("import", str(tmp_path / "data"))
    assert code == 0 and out.splitlines()[0] == f"1 file into {store.lake}"
    code, out, _ = call("import", str(tmp_path / "data"))
    assert code == 0 and out.startswith(f"0 files into {store.lake}, 1 were there already")
    code, out, _ = call("lake", "status", "--json")
    assert code == 0 and json.loads(out)["lake"] == store.lake
    assert {one["table"]: one["rows"] for one in json.loads(out)["tables"]}["candles"] == 3
    code, out, _ = call("lake", "check", "--json")
    assert code == 0 and json.loads(out) == {"lake": store.lake, "findings": []}
    code, out, err = call("lake", "sql", "select count(*) as n, max(high) as high from candles")
    assert (code, out.split(), err) == (0, ["n", "high", "3", "117100"], "")
    assert call("measure", "candle")[0] == 3  # one day is no record, and no bug
    code, _, err = call("run", "quiet")
    assert code == 3 and "table 'candles' has no row" in err


def test_small_files_are_put_together_and_what_a_killed_writer_left_is_deleted(
    call: Call, store: Store
) -> None:
    lake = Lake.create(store.lake)
    for number in range(3):
        lake.append("trades", trades(range(number * 5, number * 5 + 5)), dedupe=False)
    code, out, _ = call("lake", "compact", "--table", "trades")
    assert code == 0 and out.split()[:7] == ["trades", "3", "files", "are", "1", "now,", "15"]
    store.objects["lake/trades/venue-binance/part-left.parquet"] = b"half of a file"
    for words in (["--dry-run"], []):
        code, out, _ = call("lake", "vacuum", "--table", "trades", *words)
        assert code == 0 and out.split()[:3] == ["trades", "1", "files"]
    assert "lake/trades/venue-binance/part-left.parquet" not in store.objects
    assert call("lake", "vacuum", "--table", "trades")[1].startswith("nothing to delete: ")
    assert call("lake", "sql", "select count(*) as n from trades")[1].split() == ["n", "15"]


def test_a_backfill_comes_in_and_goes_on_where_it_was(call: Call) -> None:
    with serving() as server:
        server.add_zip("data/futures/um/daily/klines/BTCUSDT/1h", "BTCUSDT-1h-2025-10-10", made.klines(DAY))
        words = ["backfill", "binance", "BTCUSDT", "--what", "klines", "--interval", "1h"]
        words += ["--from", str(DAY), "--to", str(DAY), "--url", server.url]
        for added, fetched in ((24, 1), (0, 0)):
            code, out, _ = call(*words, "--json")
            (series,) = json.loads(out)["series"]
            assert (code, series["rows"]["added"], series["days"]["fetched"]) == (0, added, fetched)


def test_what_is_collected_is_read_again(call: Call, store: Store) -> None:
    words = ["-m", "tests.venue_server", "--venues", "bybit", "--every", "0.05"]
    with subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = json.loads(server.stdout.readline())["port"]
        address = f"bybit=ws://127.0.0.1:{port}/bybit"
        code, out, _ = call(
            *("collect", "bybit", "--symbols", "BTC", "--streams", "trades", "--for", "3s"),
            *("--url", address, "--json"),
        )
        server.terminate()
    assert code == 0
    rows = json.loads(out)["tables"]
    assert rows["trades"] > 0 and rows["payloads"] > 0
    code, out, _ = call("lake", "reparse", "--venue", "bybit", "--again", "--json")
    told = json.loads(out)
    assert code == 0 and told["lake"] == store.lake and told["payloads"] == rows["payloads"]
    assert [(one["added"], one["changed"], one["removed"]) for one in told["tables"]] == [(0, 0, 0)]


EVERY = [
    ["lake", "status"],
    ["lake", "check"],
    ["lake", "compact"],
    ["lake", "vacuum"],
    ["lake", "sql", "select 1"],
    ["lake", "reparse", "--venue", "bybit"],
    ["measure"],
    ["measure", "drawdown"],
    ["measure", "liquidations"],
    ["claims", "nov-2025"],
    ["run", "quiet"],
]


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_an_address_without_a_lake_is_told_and_nothing_is_made(
    call: Call, store: Store, words: list[str]
) -> None:
    code, out, err = call(*words)
    assert code == 3 and not out and f"there is no lake in '{store.lake}'" in err and not store.objects


def test_a_store_that_refuses_to_be_written_is_told(call: Call, store: Store, tmp_path: Path) -> None:
    tiny.klines(tmp_path / "data")
    store.objects.read_only = True
    code, out, err = call("import", str(tmp_path / "data"))
    assert code == 3, err
    assert not out and store.lake in err and "check" in err and not store.objects
    store.objects.read_only = False
    lake = Lake.create(store.lake)
    lake.append("trades", trades(range(3)), dedupe=False)
    lake.append("trades", trades(range(3, 6)), dedupe=False)
    store.objects.read_only = True
    code, out, err = call("lake", "compact")
    assert code == 3, err
    assert not out and f"expected to write a file of the table 'trades' into '{store.lake}'" in err
    store.objects.read_only = False
    assert lake.read("trades").height == 6
    assert call("lake", "compact")[0] == 0
    store.objects.read_only = True
    assert call("lake", "status")[0] == 0 and lake.read("trades").height == 6
    with pytest.raises((OSError, DataError)) as refused:
        lake.table("trades").log.commit()
    assert failure.report(refused.value) == 3
