"""The commands of the lake: what they print, as JSON too, and how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from polars.exceptions import ComputeError

from deleverage.cli import main
from deleverage.data import Lake
from deleverage.data.parsers import forget, register
from tests.data.rows import T0_NS, candle, rows, trades

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*words: str) -> tuple[int, str, str]:
        code = main(["lake", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lake = Lake.create(tmp_path / "lake")
    for number in range(3):
        lake.append("trades", trades(range(number * 10, number * 10 + 10)))
    return tmp_path / "lake"


def plain(text: str) -> Any:
    return json.loads(text)


def test_status_lists_tables_with_rows_and_names_the_empty_ones(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    code, out, _ = call("status", "--lake", str(folder))
    head, line, empty, *_ = out.splitlines()
    assert code == 0 and head.split("  ")[0] == "table"
    assert head.split() == ["table", "rows", "MB", "files", "from", "(UTC)", "to", "(UTC)", "written"]
    assert line.split()[:6] == ["trades", "30", "0.0", "3", "2025-10-10", "20:00"]
    assert empty.startswith("empty: candles, liquidations") and len(line) <= 100
    code, out, _ = call("status", "--lake", str(folder), "--json")
    tables = {one["table"]: one for one in plain(out)["tables"]}
    assert tables["trades"]["files"] == 3 and tables["candles"]["rows"] == 0 and plain(out)["imports"] == []


def test_status_and_check_fit_into_80_columns(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    Lake.open(folder).append("candles", rows("candles", candle(T0_NS, high=104.0)))
    for word in ("status", "check"):
        out = call(word, "--lake", str(folder))[1]
        assert max(len(line) for line in out.splitlines()) <= 80 and "candles" in out


def test_status_in_a_narrow_window_drops_what_matters_less_and_wraps_nothing(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = "2025-10-10"
    for width, words in (("60", ["trades", "30", "0.0", "3"]), ("40", ["trades", "30", day, day])):
        monkeypatch.setenv("COLUMNS", width)
        _, line, *_ = call("status", "--lake", str(folder))[1].splitlines()
        assert line.split()[:4] == words and len(line) <= int(width)


def test_rows_that_are_wider_than_the_terminal_stand_one_below_the_other(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("deleverage.cli.stream.is_terminal", lambda: True)
    words = ["sql", "select * from trades order by time_ns limit 2", "--lake", str(folder)]
    lines = call(*words)[1].splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[0] == "row 1" and "row 2" in lines
    assert len([line for line in lines if line.split()[:2] == ["venue", "binance"]]) == 2
    assert call("sql", "select 1 as one", "--lake", str(folder))[1].split() == ["one", "1"]


def test_messages_do_not_rule_the_terminal(call: Call, folder: Path) -> None:
    code, _, err = call("check", "--lake", str(folder) + "\x1b[2J")
    assert code == 3 and "\x1b" not in err and "\\x1b[2J" in err


def test_check_of_a_lake_in_order_ends_with_0_and_else_with_1(call: Call, folder: Path) -> None:
    assert call("check", "--lake", str(folder)) == (0, "nothing found\n", "")
    Lake.open(folder).append("candles", rows("candles", candle(T0_NS, high=104.0)))
    code, out, err = call("check", "--lake", str(folder))
    assert code == 1 and "bars in candles (error)" in out and "1 finding, 1 of them an error" in err
    assert "binance BTCUSDT  2025-10-10T20:00:00Z" in out
    code, out, _ = call("check", "--lake", str(folder), "--json")
    assert code == 1 and [one["check"] for one in plain(out)["findings"]] == ["bars"]
    assert call("check", "--lake", str(folder), "--table", "trades")[0] == 0
    assert call("check", "--lake", str(folder), "--from", "2025-10-11")[0] == 0
    assert call("check", "--lake", str(folder), "--to", "2025-10-10T19:59Z")[0] == 0
    assert call("check", "--lake", str(folder), "--from", "2025-10-10", "--to", "2025-10-10")[0] == 1


@pytest.mark.parametrize("when", ["yesterday", "2025-13-01", "2025-10-10T20:00"])
def test_a_time_that_is_none_is_refused(call: Call, folder: Path, when: str) -> None:
    code, out, err = call("check", "--lake", str(folder), "--from", when)
    assert code == 2 and not out and f"--from {when}" in err and "Traceback" not in err


@pytest.mark.parametrize("words", [["check"], ["reparse", "--venue", "binance"]])
def test_an_end_before_the_beginning_is_refused(call: Call, folder: Path, words: list[str]) -> None:
    code, out, err = call(*words, "--lake", str(folder), "--from", "2025-10-11", "--to", "2025-10-10")
    assert code == 2 and not out and "expected --to after --from" in err


def test_compact_and_vacuum_say_what_they_did(call: Call, folder: Path) -> None:
    code, out, _ = call("compact", "--lake", str(folder))
    assert code == 0 and out.split() == "trades 3 files are 1 now, 30 rows in 0.0 MB".split()
    assert call("compact", "--lake", str(folder))[1] == "nothing to put together\n"
    assert call("vacuum", "--lake", str(folder))[1] == (
        "nothing to delete: what was live in the last 168 h stays (--keep-hours)\n"
    )
    code, _, err = call("vacuum", "--lake", str(folder), "--keep-hours", "0")
    assert code == 2 and "at least 1 hours" in err
    code, out, _ = call("vacuum", "--lake", str(folder), "--dry-run", "--json", "--table", "trades")
    assert plain(out)["tables"] == [{"table": "trades", "files": 0, "bytes": 0}]
    code, _, err = call("compact", "--lake", str(folder), "--table", "prices")
    assert code == 2 and "expected a table of" in err


def test_sql_prints_columns_and_limits_rows(call: Call, folder: Path) -> None:
    code, out, err = call(
        "sql",
        "select trade_id, coins, liquidation from trades order by trade_id::int",
        "--lake",
        str(folder),
        "--limit",
        "2",
    )
    assert code == 0 and out.splitlines() == [
        "trade_id  coins  liquidation",
        "0             2  -",
        "1             2  -",
    ]
    assert "2 of 30 rows" in err
    code, out, _ = call("sql", "select count(*) as n from trades", "--lake", str(folder), "--json")
    assert plain(out) == {"columns": ["n"], "rows": [[30]], "all": 1}
    code, out, err = call("sql", "delete from trades", "--lake", str(folder))
    assert code == 2 and not out and "expected one SELECT, found DELETE" in err
    code, _, err = call("sql", "select nonsense from trades", "--lake", str(folder))
    assert code == 2 and "nonsense" in err and "Traceback" not in err


_TYPES = """select date '2025-01-02' as a, timestamp '2025-01-02 03:04:05' as b, time '10:00' as c,
interval 3 day as d, '00000000-0000-0000-0000-000000000001'::uuid as e, 'ab'::blob as f, 'nan'::double as g,
'-inf'::double as h, to_timestamp(1760126400) as i, [1, 2] as j, {'x': now()} is null as k,
[1.5, 'inf'::double] as l,
timestamptz '2025-01-02 03:00:00+01' as m, {'x': [date '2025-01-02']} as n from trades limit 1"""


def test_sql_as_json_has_text_for_what_json_does_not_know(call: Call, folder: Path) -> None:
    code, out, err = call("sql", _TYPES, "--lake", str(folder), "--json")
    assert code == 0 and not err
    assert plain(out)["rows"] == [
        [
            "2025-01-02", "2025-01-02T03:04:05", "10:00:00", "3 days", "00000000-0000-0000-0000-000000000001",
            "6162", None, None, "2025-10-10T20:00:00", [1, 2], False, [1.5, None], "2025-01-02T02:00:00",
            "{'x': [2025-01-02]}",
        ]
    ]  # fmt: skip
    assert call("sql", _TYPES, "--lake", str(folder))[0] == 0


@pytest.mark.parametrize(
    "query", ["select now()", "select * from duckdb_settings()", "select date '-5000-01-01'"]
)
@pytest.mark.parametrize("words", [[], ["--json"]])
def test_sql_answers_what_is_asked_first(call: Call, folder: Path, query: str, words: list[str]) -> None:
    code, out, err = call("sql", query, "--lake", str(folder), *words, "--limit", "0")
    assert code == 0 and out and not err


def test_sql_shows_the_tables(call: Call, folder: Path) -> None:
    code, out, _ = call("sql", "show tables", "--lake", str(folder))
    assert code == 0 and {"trades", "candles"} < set(out.split())


def test_what_is_in_the_data_does_not_rule_the_terminal(call: Call, folder: Path) -> None:
    lake = Lake.open(folder)
    lake.append("trades", trades([99], "a\x1b[2J\nb"))
    code, out, _ = call("sql", "select venue from trades where trade_id = '99'", "--lake", str(folder))
    assert code == 0 and out == "venue\na\\x1b[2J\\nb\n"


def _file(folder: Path) -> Path:
    return sorted((folder / "trades").rglob("*.parquet"))[0]


def _zeroed(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4] + bytes(len(content) - 8) + content[-4:])


_DAMAGES: dict[str, Callable[[Path], Any]] = {
    "gone": Path.unlink,
    "cut": lambda path: os.truncate(path, 200),
    "zeroed": _zeroed,
}


@pytest.mark.parametrize("damage", list(_DAMAGES))
def test_a_damaged_file_is_named(call: Call, folder: Path, damage: str) -> None:
    path = _file(folder)
    _DAMAGES[damage](path)
    Lake.open(folder).append("candles", rows("candles", candle(T0_NS, high=104.0)))
    code, out, _ = call("check", "--lake", str(folder), "--json")
    found = plain(out)["findings"]
    assert code == 1 and [one["check"] for one in found] == ["bars", "files"]
    assert path.name in found[1]["found"] and found[1]["severity"] == "error"
    code, out, err = call("sql", "select max(usd), max(source) from trades", "--lake", str(folder))
    assert code == 3 and not out and path.name in err
    code, out, err = call("sql", "select nonsense from candles", "--lake", str(folder))
    assert code == 2


def test_a_damaged_log_is_told_in_one_line(call: Call, folder: Path) -> None:
    log = sorted((folder / "trades" / "_delta_log").glob("*.json"))[-1]
    log.write_text('{"add": broken')
    code, _, err = call("check", "--lake", str(folder))
    assert code == 3 and "table 'trades'" in err and len(err.splitlines()) == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PermissionError(13, "Permission denied", "lake/.lock"), 2),
        (OSError(30, "Read-only file system", "lake/.lock"), 2),
        (OSError(28, "No space left on device", "lake/.lock"), 4),
        (ComputeError("lake/.lock: File too large (os error 27)\nmore"), 4),
        (ComputeError("lake/.lock: something else (os error 5)"), 70),
        (KeyError("lake/.lock"), 70),
    ],
)
def test_no_right_and_no_room_are_no_bugs(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Lake, "reparse", refuse)
    ended, out, err = call("reparse", "--venue", "binance", "--again", "--lake", str(folder))
    assert ended == code and not out and "lake/.lock" in err and ("our bug" in err) == (code == 70)


def test_recorded_gaps_are_warnings_by_venue_and_stream(call: Call, folder: Path) -> None:
    gap = {
        "time_ns": T0_NS, "end_ns": T0_NS + 60_000_000_000, "venue": "binance", "stream": "trades",
        "symbol": "", "reason": "disconnected", "source": "collect/binance",
    }  # fmt: skip
    later = {"time_ns": T0_NS + 90_000_000_000, "end_ns": T0_NS + 120_000_000_000}
    inside = {"time_ns": T0_NS + 10_000_000_000, "symbol": "BTCUSDT"}  # of the first 60 s, once more
    told = rows("gaps", gap, gap | later, gap | inside, gap | {"stream": "books"})
    Lake.open(folder).append("gaps", told)
    code, out, _ = call("check", "--lake", str(folder), "--json")
    found = plain(out)["findings"]
    assert code == 1 and [one["table"] for one in found] == ["gaps", "gaps"]
    assert [one["found"] for one in found] == [
        "1 recorded gap of the stream 'books', 60 s in all: disconnected",
        "3 recorded gaps of the stream 'trades', 90 s in all: disconnected",
    ]
    assert {one["severity"] for one in found} == {"warning"}
    assert call("check", "--lake", str(folder), "--to", "2025-10-09")[0] == 0
    assert call("check", "--lake", str(folder), "--table", "trades")[0] == 0


def test_reparse_counts_by_table(call: Call, folder: Path) -> None:
    class Told:
        parser, rows, error = "tiny/2", (), ""

    register("tiny", lambda payloads: iter([Told() for _ in payloads]))
    try:
        row: dict[str, Any] = {
            "time_ns": T0_NS, "received_ns": T0_NS, "venue": "tiny", "stream": "s", "sequence": 1,
            "connection": "c", "payload": b"x", "encoding": "plain", "parser": "tiny/1",
            "source": "collect/tiny",
        }  # fmt: skip
        Lake.open(folder).append("payloads", rows("payloads", row))
        code, out, _ = call("reparse", "--venue", "tiny", "--lake", str(folder))
        assert code == 0 and out == "1 messages read again with tiny/2, 0 of them not readable\n"
        code, out, _ = call(
            "reparse", "--venue", "tiny", "--lake", str(folder), "--again", "--json", "--dry-run"
        )
        assert plain(out)["payloads"] == 1 and plain(out)["tables"] == [] and plain(out)["dry_run"] is True
    finally:
        forget("tiny")
    code, _, err = call("reparse", "--venue", "tiny", "--lake", str(folder))
    assert code == 2 and "messages can be read again" in err


def test_a_lake_that_is_not_there_ends_with_3(call: Call, tmp_path: Path) -> None:
    for words in (["status"], ["check"], ["compact"], ["vacuum"], ["sql", "select 1"]):
        code, out, err = call(*words, "--lake", str(tmp_path / "none"))
        assert code == 3 and not out and "there is no lake" in err
    assert not (tmp_path / "none").exists()


_BLOCKED = ("ccxt", "aiohttp", "orjson", "prometheus_client", "websockets", "zstandard")
_WITHOUT = f"""
import sys
for name in {_BLOCKED!r}:
    sys.modules[name] = None
import pkgutil, importlib
import deleverage
from deleverage.cli import main
from deleverage.data import Lake, import_paths
found = pkgutil.walk_packages(deleverage.__path__, "deleverage.")
names = [module.name for module in found if not module.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
from pathlib import Path
lake = Lake.create(Path(sys.argv[1]))
assert main(["lake", "status", "--lake", sys.argv[1]]) == 0
assert main(["lake", "sql", "select count(*) from trades", "--lake", sys.argv[1]]) == 0
assert main(["lake", "check", "--lake", sys.argv[1]]) == 0
assert main(["scenario", "list"]) == 0
print(len(names), "modules")
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "lake"


def test_the_core_runs_without_the_packages_of_the_collector(elsewhere: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, str(elsewhere)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1].split()[0]) > 60
