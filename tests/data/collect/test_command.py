"""The command itself, in a process of its own: how it ends, what it refuses, what it shows; and killed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from deleverage.cli import main
from deleverage.data.collect.log import logger
from tests.data.collect.driver import Scene, play
from tests.data.collect.killing import kill_and_count, lines, until

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """A server in a process of its own; its port."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.venue_server", "--venues", "bybit,binance", "--every", "0.05"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["port"]
        process.terminate()


def started(lake: Path, log: Path, port: int, *more: str) -> subprocess.Popen[str]:
    words = ["collect", "bybit", "--symbols", "BTC", "--lake", str(lake), "--json", "--log-level", "debug"]
    words += ["--url", f"bybit=ws://127.0.0.1:{port}/bybit", *more]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "deleverage.cli", *words], stdout=subprocess.PIPE, stderr=errors, text=True
        )
    until(lambda: any(line.get("table") == "trades" for line in lines(log)), process)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_everything_written_and_a_summary(
    number: signal.Signals, server: int, tmp_path: Path
) -> None:
    process = started(tmp_path / "lake", tmp_path / "log", server)
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, (tmp_path / "log").read_text()
    report = json.loads(output)
    from deleverage.data.lake import Lake

    lake = Lake.open(tmp_path / "lake")
    assert report["tables"] == {row.table: row.rows for row in lake.status() if row.rows}
    assert {one["stream"] for one in report["streams"]} >= {"trades", "depth", "marks"}
    said = lines(tmp_path / "log")
    assert [line["event"] for line in said if line["level"] == "info"][-1] == "stopped"
    assert all({"time", "level", "event"} <= set(line) for line in said)


def test_a_second_collector_of_the_same_name_is_refused_and_the_first_goes_on(
    server: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = started(tmp_path / "lake", tmp_path / "log", server)
    words = ["collect", "bybit", "--symbols", "BTC", "--lake", str(tmp_path / "lake"), "--log", "none"]
    assert main([*words, "--for", "5s", "--url", f"bybit=ws://127.0.0.1:{server}/bybit"]) == 2
    said = capsys.readouterr().err
    assert (
        f"only collector 'bybit' of this lake, found another that runs (process {process.pid})"
        in " ".join(said.split())
    )
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_metrics_are_answered_on_this_machine_only(server: int, tmp_path: Path) -> None:
    process = started(tmp_path / "lake", tmp_path / "log", server, "--metrics-port", "0")
    try:
        (said,) = [line for line in lines(tmp_path / "log") if line["event"] == "metrics"]
        with urllib.request.urlopen(said["address"]) as answer:
            text = answer.read().decode()
        listening = Path("/proc/net/tcp").read_text()
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert 'deleverage_collect_events_total{stream="trades",venue="bybit"}' in text
    assert re.search(r'deleverage_collect_written_rows_total\{table="trades"\} [1-9]', text)
    for name in ("lag_seconds", "reconnects", "gaps", "waiting_rows", "write_seconds", "connected"):
        assert f"# HELP deleverage_collect_{name}" in text
    port = int(said["address"].split(":")[2].split("/")[0])
    (line,) = [one for one in listening.splitlines() if f":{port:04X} 00000000:0000 0A" in one]
    assert "0100007F" in line  # 127.0.0.1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mtgox", "--symbols", "BTC"], "expected venues of"),
        (["bybit", "--symbols", ","], "at least one symbol"),
        (["bybit", "--symbols", "BTC/USDT"], "expected a coin or a contract"),
        (["bybit", "--symbols", "BTC", "--streams", "candles"], "expected streams of"),
        (["bybit", "--symbols", "BTC", "--for", "soon"], "--for: expected a time like 90s"),
        (["bybit", "--symbols", "BTC", "--for", "0s"], "--for: expected a time like 90s"),
        (["bybit", "--symbols", "BTC", "--url", "bybit=localhost"], "--url: expected VENUE=URL"),
        (["bybit", "--symbols", "BTC", "--url", "okx=ws://127.0.0.1:9"], "is collected (bybit), found 'okx'"),
        (["bybit", "--symbols", "okx:BTC", "--name", "one"], "'venue:SYMBOL' of bybit, found 'okx:BTC'"),
    ],
)
def test_bad_words_are_refused_before_anything_is_made(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["collect", *words, "--lake", str(tmp_path / "lake")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "lake").exists()


def test_venues_that_never_answer_are_missing_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["collect", "bybit", "--symbols", "BTC", "--lake", str(tmp_path / "lake"), "--for", "1s"]
    assert main([*words, "--url", "bybit=ws://127.0.0.1:9/bybit", "--log", "none"]) == 3
    assert "expected an answer of bybit, found none in 1 s" in capsys.readouterr().err


def test_a_folder_with_other_things_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["collect", "bybit", "--symbols", "BTC", "--lake", str(tmp_path)]) == 2
    assert "expected an empty folder or a lake" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_the_screen_shows_every_stream_and_what_is_wrong() -> None:
    from deleverage.report.collecting import screen
    from deleverage.report.lines import live

    shown = []

    async def act(scene: Scene) -> None:
        await scene.server.play(0.4)
        await scene.server.drop("bybit", away_s=5)
        await asyncio.sleep(0.2)
        assert scene.collector is not None
        scene.collector._refresh()
        scene.collector.started_ns -= 60_000_000_000  # just begun it would be "connecting"
        shown.append(live(screen(scene.collector, "lake", width=100)).plain)

    play(("bybit",), act)
    (text,) = shown
    assert "no connection: bybit depth, bybit depth-inverse, bybit events, bybit events-inverse" in text
    for stream in ("liquidations", "trades", "depth", "marks", "open_interest", "funding"):
        assert re.search(rf"{stream} +", text), text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("ended", [signal.SIGTERM, signal.SIGINT])
def test_the_screen_gives_the_terminal_back_when_it_is_stopped(
    tmp_path: Path, server: int, ended: int
) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "deleverage.cli", "collect", "bybit", "--symbols", "BTC"]
    collector = subprocess.Popen(
        [*command, "--lake", str(tmp_path / "lake"), "--url", f"bybit=ws://127.0.0.1:{server}/bybit"],
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
    )
    os.close(theirs)
    seen, stopped = b"", False
    while piece := _read(ours):
        seen += piece
        if not stopped and b"all connected" in seen:
            collector.send_signal(ended)
            stopped = True
    os.close(ours)
    assert collector.wait(30) == 0
    assert seen.index(b"\x1b[?1049h") < seen.index(b"all connected")
    assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l")
    assert b" rows into " in seen[seen.rindex(b"\x1b[?1049l") :]


def test_a_screen_that_goes_into_a_file_is_lines_of_text(
    tmp_path: Path, server: int, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["collect", "bybit", "--symbols", "BTC", "--lake", str(tmp_path / "lake"), "--for", "1s"]
    assert main([*words, "--url", f"bybit=ws://127.0.0.1:{server}/bybit", "--log", "screen"]) == 0
    said = capsys.readouterr().err
    assert "connected  venue=bybit" in said and "\x1b" not in said


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # the other end is closed
        return b""


def test_log_lines_are_json_of_their_level_and_above(capsys: pytest.CaptureFixture[str]) -> None:
    log = logger("json", "warning")
    log("connected", venue="okx")
    log("gap", level="warning", venue="okx", seconds=1.5)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line) | {"time": ""} == {
        "time": "", "level": "warning", "event": "gap", "venue": "okx", "seconds": 1.5,
    }  # fmt: skip


def test_log_lines_of_text_leave_out_what_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    logger("text")("gap", level="warning", venue="okx", symbol="", seconds=1.5, lost=None)
    assert capsys.readouterr().err.endswith("warning gap  venue=okx  seconds=1.5\n")


def test_nothing_of_ccxt_is_loaded_to_collect() -> None:
    program = (
        "import sys, deleverage.data.collect, deleverage.data.sources.registry; "
        "print('ccxt' in sys.modules, 'aiohttp' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
    folders = [ROOT / "src/deleverage/data" / name for name in ("collect", "sources")]
    code = [path.read_text(encoding="utf-8") for folder in folders for path in folder.glob("*.py")]
    assert len(code) > 10
    assert not [text for text in code if re.search(r"^\s*(import|from) ccxt", text, re.MULTILINE)]


@pytest.mark.slow
def test_killed_at_random_no_acknowledged_row_is_lost_and_none_is_there_twice(tmp_path: Path) -> None:
    done = kill_and_count(tmp_path, kills=3, seed=int(time.time()))
    assert done.wrong == []
    assert done.kills == 3 and done.acknowledged > 0


def test_nobody_answers_is_said_at_once_and_ends_with_the_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["collect", "binance", "--symbols", "BTC", "--lake", str(tmp_path / "lake"), "--json"]
    assert main([*words, "--for", "1s", "--url", "binance=ws://127.0.0.1:9"]) == 3
    shown = capsys.readouterr()
    assert json.loads(shown.out)["tables"] == {}
    said = [json.loads(line) for line in shown.err.splitlines() if line.startswith("{")]
    assert [line["event"] for line in said if line["level"] == "warning"] == ["no answer yet"]
