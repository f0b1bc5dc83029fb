"""Kill backfills at random moments and judge what they leave.

    python -m verify.kill_backfill [--kills 60] [--seed 1]

A backfill of two kinds over sixty days, from a server on this machine, is killed (SIGKILL) and started again
until it ends. After each kill, in each table: every row is there once, and the days that have rows are
exactly those that are written down as complete. At the end every day is whole. Exits 1 at the first thing
that is not so.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from deleverage.data.backfill.days import by_month, day_of_ns
from deleverage.data.lake import Lake
from tests.data.backfill import made
from tests.data.backfill.asking import EVERY_DAY
from tests.data.backfill.serving import Server, serving

ROOT = Path(__file__).resolve().parent.parent
FIRST, COUNT = date(2025, 8, 20), 60
LAST = FIRST + timedelta(days=COUNT - 1)
# Table: application but for the month, rows a day, columns that tell rows of one moment apart.
TABLES: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "candles": ("backfill/binance/klines/BTCUSDT/1h/", 24, ()),
    "open_interest": ("backfill/binance/metrics/BTCUSDT/", 288, ()),
    "indicators": ("backfill/binance/metrics/BTCUSDT/", 288 * 3, ("name",)),
}


def judge(folder: Path) -> int:
    """Number of complete days over all tables; ends the program where rows and record do not fit."""
    lake = Lake.create(folder)
    complete = 0
    for table, (app, _, names) in TABLES.items():
        rows = lake.read(table)
        if not rows.select("time_ns", *names).is_unique().all():
            raise SystemExit(f"{table}: expected every row once, found some twice")
        # Five-minute rows are stamped at the end of their window.
        there = {day_of_ns(time - (table != "candles")) for time in rows["time_ns"].unique()}
        written = {
            day
            for month in by_month(FIRST, LAST)
            for day in month.days(lake.committed(table, f"{app}{month}") or 0)
        }
        if there != written:
            raise SystemExit(
                f"{table}: expected rows of the {len(written)} complete days, found {len(there)}"
            )
        complete += len(written)
    return complete


def killed_until_it_ends(server: Server, folder: Path, dice: random.Random) -> tuple[int, int]:
    """Kills that it took, and how many of them found some days complete and others not."""
    asked = [
        *(sys.executable, "-c", EVERY_DAY, "backfill", "binance", "BTCUSDT", "--what", "klines,metrics"),
        *("--from", str(FIRST), "--to", str(LAST), "--interval", "1h"),
        *("--lake", str(folder), "--url", server.url),
    ]
    kills = midway = 0
    while True:
        before = len(server.asked)
        process = subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        while len(server.asked) == before and process.poll() is None:
            time.sleep(0.005)
        time.sleep(dice.random() * 1.2)
        if process.poll() is not None:
            if process.returncode:
                raise SystemExit(f"expected exit 0, found {process.returncode}")
            return kills, midway
        process.kill()
        process.wait()
        kills += 1
        midway += 0 < judge(folder) < len(TABLES) * COUNT


def main() -> None:
    """Kill until there were enough."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    kills = midway = lakes = 0
    with serving() as server:
        for day in (FIRST + timedelta(days=n) for n in range(COUNT)):
            server.add_zip(f"{made.UM}/daily/klines/BTCUSDT/1h", f"BTCUSDT-1h-{day}", made.klines(day))
            server.add_zip(f"{made.UM}/daily/metrics/BTCUSDT", f"BTCUSDT-metrics-{day}", made.metrics(day))
        server.slow_s = 0.002
        while kills < options.kills:
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch) / "lake"
                more, between = killed_until_it_ends(server, folder, dice)
                kills, midway, lakes = kills + more, midway + between, lakes + 1
                if judge(folder) != len(TABLES) * COUNT:
                    raise SystemExit("expected every day complete at the end")
                for table, (_, a_day, _names) in TABLES.items():
                    if Lake.open(folder).read(table).height != a_day * COUNT:
                        raise SystemExit(f"{table}: expected {a_day * COUNT} rows at the end")
    print(
        f"{kills} kills in {lakes} lakes, {midway} of them midway: every row once, rows and record together"
    )


if __name__ == "__main__":
    main()
