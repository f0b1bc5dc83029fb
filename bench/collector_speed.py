"""How many events a second does a collector take into a lake, how late are they durable, and does it grow?

    python -m bench.collector_speed --events 3000000 --rate 60000 [--batch 20] [--venues bybit,okx]

The server of the tests floods trades from a process of its own; the collector is the real command in another
one, with raw payloads kept, on the same machine. Printed: events that reached the lake, events a second, the
delay until they were durable, and the memory of the collector over time with its slope after the start.
The figures are printed, not judged; only a lost or doubled event fails.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_SETTLE_S = 60.0
_WINDOW = 30
_PATIENCE_S = 60.0
_COUNT = (
    "select count(*) as rows, count(distinct (venue, symbol, trade_id)) as different from trades "
    "where trade_id like 'f-%' or length(trade_id) = 10"
)


def memory_mib(pid: int) -> float:
    """Resident memory of a process [MiB]."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def children_mib(pid: int) -> float:
    """Resident memory of the processes that a process has started [MiB]."""
    kids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(memory_mib(int(one)) for one in kids if Path(f"/proc/{one}/statm").exists())


def slope(points: list[tuple[float, float]]) -> float:
    """Least-squares slope of memory over time [MiB/min]."""
    count = len(points)
    if count < 2:
        return 0.0
    x = sum(one for one, _ in points) / count
    y = sum(other for _, other in points) / count
    spread = sum((one - x) ** 2 for one, _ in points)
    return 60 * sum((one - x) * (other - y) for one, other in points) / spread


def floors(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The lowest memory of each window: peaks while the lake is compacted do not count as growth."""
    windows = [points[at : at + _WINDOW] for at in range(0, len(points), _WINDOW)]
    return [(window[0][0], min(size for _, size in window)) for window in windows if len(window) == _WINDOW]


def main() -> int:
    """Run the flood and print what came of it."""
    options = argparse.ArgumentParser(prog="python -m bench.collector_speed")
    options.add_argument("--events", type=int, default=3_000_000)
    options.add_argument("--rate", type=float, default=50_000)
    options.add_argument("--batch", type=int, default=20)
    options.add_argument("--venues", default="bybit,okx,hyperliquid,bitmex")
    options.add_argument("--compact", type=float, default=120.0, help="compact the lake so often [s]")
    options.add_argument("--no-raw", action="store_true")
    said = options.parse_args()
    venues = said.venues.split(",")
    seconds = said.events / said.rate
    with tempfile.TemporaryDirectory() as scratch:
        lake, log = Path(scratch) / "lake", Path(scratch) / "log"
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.venue_server", "--venues", said.venues, "--every", "0.5"),
                *("--flood", f"{said.rate:g}", "--batch", str(said.batch), "--seconds", f"{seconds:g}"),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert server.stdout is not None
        port = json.loads(server.stdout.readline())["port"]
        words = [word for venue in venues for word in ("--url", f"{venue}=ws://127.0.0.1:{port}/{venue}")]
        with log.open("w") as errors:
            collector = subprocess.Popen(
                [
                    *(sys.executable, "-m", "deleverage.cli", "collect", *venues, "--symbols", "BTC"),
                    *("--lake", str(lake), "--compact-every", f"{said.compact:g}", "--json"),
                    *(["--no-raw"] if said.no_raw else []),
                    *words,
                ],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            begun, points = time.monotonic(), []
            most = 0.0
            load = os.getloadavg()[0]
            os.set_blocking(server.stdout.fileno(), False)
            flooded = ""
            while not flooded and collector.poll() is None and server.poll() is None:
                time.sleep(1)
                spent = time.monotonic() - begun
                points.append((spent, memory_mib(collector.pid)))
                most = max(most, children_mib(collector.pid))
                flooded = server.stdout.readline() or ""
            ended = time.monotonic() - begun
            from deleverage.data.lake import Lake

            flood = json.loads(flooded or '{"flooded": 0, "seconds": 1}')
            sent, spent = flood["flooded"], flood["seconds"]
            patience = time.monotonic() + _PATIENCE_S
            while time.monotonic() < patience and Lake.open(lake).sql(_COUNT).row(0)[0] < sent:
                time.sleep(1)  # what waits in sockets is read first
            collector.send_signal(signal.SIGTERM)
            output, _ = collector.communicate(timeout=120)
            server.send_signal(signal.SIGTERM)
            server.wait(30)
        report = json.loads(output)
        rows, different = Lake.open(lake).sql(_COUNT).row(0)
    late = [(when, size) for when, size in points if when > _SETTLE_S]
    print(f"load before          {load:.2f} (1 min), {os.cpu_count()} cores")
    print(
        f"events               {sent:,} sent, {rows:,} in the lake, {different:,} different, in {ended:.1f} s"
    )
    print(f"rate                 {sent / spent:,.0f} events/s over the {spent:.1f} s of the flood")
    print(f"durable after        p50 {report['durable_p50_s']:.2f} s, p99 {report['durable_p99_s']:.2f} s")
    print(
        f"transactions         {report['transactions']:,}; gaps {report['gaps']}, thinned {report['thinned']}"
    )
    if late:
        sizes = [size for _, size in late]
        lowest = floors(late)
        print(
            f"memory               {points[0][1]:.0f} MiB at start, after {_SETTLE_S:g} s: min "
            f"{min(sizes):.0f}, "
            f"max {max(sizes):.0f}, last {sizes[-1]:.0f} MiB, slope {slope(late):+.2f} MiB/min over "
            f"{late[-1][0]:.0f} s"
        )
        print(f"its floor            {slope(lowest):+.2f} MiB/min over the lowest of each {_WINDOW} s")
        half = [one for one in lowest if one[0] > points[-1][0] / 2]
        if len(half) > 2:
            print(
                f"second half          floor {min(size for _, size in half):.0f} to "
                f"{max(size for _, size in half):.0f} MiB, slope {slope(half):+.2f} MiB/min"
            )
        print(f"compaction           at most {most:.0f} MiB, in a process of its own")
        print(
            "over time            "
            + " ".join(f"{size:.0f}" for _, size in points[:: max(1, len(points) // 20)])
        )
    if sent != rows or rows != different:
        print("LOST OR DOUBLED: events sent, found and different are not one number")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
