"""The command `backfill`: what it says, how it ends, what it refuses, what it imports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deleverage.cli import main
from tests.data.backfill import made
from tests.data.backfill.asking import DAY, KLINES, command, days_of
from tests.data.backfill.serving import Server


def run(server: Server, lake: Path, *more: str) -> int:
    return main(
        [
            *("backfill", "binance", "BTCUSDT", "--from", str(DAY), "--to", str(DAY), "--lake", str(lake)),
            *("--interval", "1h", "--url", server.url),
            *more,
        ]
    )


def test_command_says_what_it_did(
    server: Server, lake_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", made.klines(DAY, skip=(3,)))
    assert run(server, lake_folder, "--what", "klines") == 0
    shown = capsys.readouterr().out
    assert "1 days fetched" in shown and "23 rows added" in shown
    assert "gap 2025-10-10T03:00:00Z to 2025-10-10T04:00:00Z, 1 rows" in shown


def test_command_ends_with_3_where_a_file_could_not_be_used(
    server: Server, lake_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", made.klines(DAY), checksum="1" * 64)
    assert run(server, lake_folder, "--what", "klines", "--json") == 3
    assert len(json.loads(capsys.readouterr().out)["series"][0]["failures"]) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["backfill"], "expected SOURCE, --from, --to, --lake"),
        (["backfill", "nobody", "X"], "expected a source of binance"),
        (["backfill", "binance", "BTCUSDT"], "expected --what"),
        (["backfill", "binance", "--what", "klines"], "expected at least one symbol"),
        (["backfill", "binance", "BTCUSDT", "--what", "candles"], "expected one of klines"),
        (["backfill", "binance", "BTCUSDT", "--what", "klines", "--interval", "7m"], "--interval 7m"),
        (["backfill", "binance", "BTCEUR", "--what", "klines"], "expected a symbol in"),
        (["backfill", "binance", "../BTCUSDT", "--what", "klines"], "found '../BTCUSDT'"),
        (["backfill", "binance", "btcusdt", "--what", "klines"], "expected a symbol like"),
        (["backfill", "binance-spot", "BTCUSDT", "--what", "metrics"], "the spot market has none"),
        (["backfill", "bybit", "BTCUSDT", "--what", "trades"], "last 1,000 trades"),
        (["backfill", "farside", "XRP"], "expected coins of BTC"),
        (["backfill", "fear-greed", "--what", "klines"], "expected no --what"),
        (["backfill", "coinmarketcap", "BTC"], "DELEVERAGE_COINMARKETCAP_KEY"),
        (
            ["backfill", "binance", "BTCUSDT", "--what", "klines", "--url", "localhost"],
            "expected scheme and host",
        ),
    ],
)
def test_bad_input_costs_nothing_and_says_what_to_do(
    lake_folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.delenv("DELEVERAGE_COINMARKETCAP_KEY", raising=False)
    days = ["--from", str(DAY), "--to", str(DAY), "--lake", str(lake_folder)] if len(arguments) > 1 else []
    assert main([*arguments, *days]) == 2
    told = capsys.readouterr().err
    assert words in told and "Traceback" not in told and not lake_folder.exists()


def test_days_must_be_days_in_order(lake_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rest = ["binance", "BTCUSDT", "--what", "klines", "--lake", str(lake_folder)]
    assert main(["backfill", *rest, "--from", "2025-10-11", "--to", "2025-10-10"]) == 2
    assert main(["backfill", *rest, "--from", "2099-10-10", "--to", "2099-10-11"]) == 2
    assert main(["backfill", *rest, "--from", "10.10.2025", "--to", "2025-10-10"]) == 2
    assert main(["backfill", *rest, "--from", "1999-10-10", "--to", "2025-10-10"]) == 2
    assert "expected a day like 2025-10-10" in capsys.readouterr().err and not lake_folder.exists()


def test_sources_say_terms_delay_and_revisions(capsys: pytest.CaptureFixture[str]) -> None:
    from deleverage.data.backfill.sources import SOURCES

    assert main(["backfill", "--sources", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["sources"]
    assert [one["name"] for one in told] == list(SOURCES)
    for one in told:
        assert all(
            one[name] for name in ("holds", "since", "limits", "interval", "delay", "revisions", "terms")
        )
    assert main(["backfill", "--sources"]) == 0
    assert "terms" in capsys.readouterr().out


def test_archive_needs_neither_ccxt_nor_aiohttp(server: Server, lake_folder: Path) -> None:
    days_of(server, DAY, 1)
    asked = command(server, lake_folder, DAY)[3:]
    code = (
        "import sys\nfrom deleverage.cli import main\nassert main(sys.argv[1:]) == 0\n"
        "print(sorted({'ccxt', 'aiohttp', 'requests'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, *asked], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_ccxt_is_imported_where_sources_are_asked_and_nowhere_else() -> None:
    import deleverage

    root = Path(deleverage.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(r"^\s*(import|from) ccxt", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    allowed = ("data/backfill/", "data/collect/", "data/sources/", "data/tier_fetch.py")
    assert "data/backfill/ccxt_door.py" in found and all(name.startswith(allowed) for name in found), found
