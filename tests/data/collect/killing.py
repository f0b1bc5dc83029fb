"""A collector that is killed at random moments and started again: is every acknowledged row there, and
once?
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
VENUES = ("binance", "bybit", "okx", "hyperliquid", "bitmex")


@dataclass
class Killed:
    """What came of it."""

    kills: int = 0
    acknowledged: int = 0
    """Transactions that the collector had called written before it was killed."""
    rows: int = 0
    """Rows in them."""
    unacknowledged: int = 0
    """Rows in the lake beyond: written, and killed before it could say so."""
    gaps: int = 0
    during: dict[str, int] = field(default_factory=dict)
    """Kills by what was going on: before the first write, between writes, during one."""
    wrong: list[str] = field(default_factory=list)


def start(lake: Path, log: Path, port: int, *more: str) -> subprocess.Popen[str]:
    """The real command in a process of its own."""
    words = [word for venue in VENUES for word in ("--url", f"{venue}=ws://127.0.0.1:{port}/{venue}")]
    with log.open("w") as errors:
        return subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "deleverage.cli",
                    "collect",
                    *VENUES,
                    "--symbols",
                    "BTC",
                    "--lake",
                    str(lake),
                ),
                *(
                    "--log",
                    "json",
                    "--log-level",
                    "debug",
                    "--book-every",
                    "1s",
                    "--name",
                    "killed",
                    *words,
                    *more,
                ),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )


def lines(log: Path) -> list[dict[str, Any]]:
    """What a collector has said; a line that the kill has cut is left out."""
    found = []
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def kill_and_count(folder: Path, kills: int, seed: int, say: Any = None) -> Killed:
    """Kill a collector ``kills`` times, let it end once, and compare the lake with what was acknowledged."""
    draws, done = random.Random(seed), Killed()
    lake, logs = folder / "lake", []
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.venue_server", "--every", "0.05", "--trades", "2"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    try:
        assert server.stdout is not None
        port = json.loads(server.stdout.readline())["port"]
        for number in range(kills + 1):
            log = folder / f"log-{number}"
            logs.append(log)
            process = start(lake, log, port)
            until(lambda log=log: any(one["event"] == "connected" for one in lines(log)), process)
            if number == 0:  # so that there is something which the next one finds it was not there for
                until(lambda log=log: any(one["event"] == "written" for one in lines(log)), process)
            time.sleep(draws.uniform(0.0, 3.5) if number < kills else 2.5)
            if number < kills:
                os.kill(process.pid, signal.SIGKILL)
                process.communicate(timeout=30)
                done.kills += 1
                if say:
                    say(f"killed {done.kills} of {kills}")
            else:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=60)
                if process.returncode:
                    done.wrong.append(f"SIGTERM ended with {process.returncode}: {log.read_text()[-500:]}")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_record") as answer:
            record = json.load(answer)
    finally:
        server.terminate()
        server.communicate(timeout=30)
    _count(lake, logs, record, done)
    return done


def until(ready: Any, process: subprocess.Popen[str], seconds: float = 60.0) -> None:
    """Wait until something was said."""
    end = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"the collector ended with {process.poll()} before it was connected")
        time.sleep(0.02)


def _count(lake: Path, logs: list[Path], record: list[dict[str, Any]], done: Killed) -> None:
    import polars as pl

    from deleverage.data.lake import Lake
    from deleverage.schema import LAKE_TABLES

    opened = Lake.open(lake)
    here = {name: opened.read(name) for name in LAKE_TABLES}
    for log in logs:
        written = [line for line in lines(log) if line["event"] == "written"]
        moment = "between or during writes" if written else "before the first write"
        done.during[moment] = done.during.get(moment, 0) + 1
        for line in written:
            done.acknowledged += 1
            done.rows += line["rows"]
            span = pl.col("received_ns").is_between(line["first_received_ns"], line["last_received_ns"])
            found = here[line["table"]].filter(span).height
            if found != line["rows"]:
                batch = f"{log.name} {line['table']} {line['sequence']}"
                done.wrong.append(f"{batch}: {line['rows']} acknowledged, {found} there")
    done.unacknowledged = sum(frame.height for frame in here.values()) - done.rows
    done.gaps = here["gaps"].height
    for name, frame in here.items():
        if frame.select(LAKE_TABLES[name].key).is_duplicated().any():
            done.wrong.append(f"{name}: a key is there twice")
    sent = {(row["venue"], row["symbol"], row["trade_id"]) for row in record if row["table"] == "trades"}
    stored = set(here["trades"].select("venue", "symbol", "trade_id").iter_rows())
    if not stored or stored - sent:
        done.wrong.append(f"trades that nobody sent: {list(stored - sent)[:3]}")
    if logs and len(logs) > 1 and not (here["gaps"]["reason"] == "stopped").any():
        done.wrong.append("no gap says that the collector was not there")
