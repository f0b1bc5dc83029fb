"""How fast does a backfill read Binance's archive from a server on this machine?

    python -m bench.backfill_speed [--times 3]

Files are made by hand in the archive's layout: a year of daily files of minutes, and a day of two million
aggregate trades. Each backfill goes into a lake of its own, then the same is asked for again, which must ask
for nothing. The figures are printed, not judged.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from deleverage.data.backfill.request import Request
from deleverage.data.backfill.run import backfill
from tests.data.backfill import made
from tests.data.backfill.serving import Server, serving


def measure(name: str, server: Server, request: Request, times: int) -> None:
    """Print rows, requests, seconds of each time and of one more, memory and load."""
    took, again, rows, requests = [], [], 0, 0
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            report = backfill(request, Path(folder) / "lake", url=server.url)
            took.append(time.perf_counter() - started)
            rows, requests = sum(one.added for one in report.series), report.requests
            started = time.perf_counter()
            if backfill(request, Path(folder) / "lake", url=server.url).requests:
                raise SystemExit("expected no request for what is complete, found some")
            again.append(time.perf_counter() - started)
    most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(
        f"{name}: {rows:,} rows, {requests} requests; "
        f"least, median, most {min(took):.2f}, {statistics.median(took):.2f}, {max(took):.2f} s of {times}; "
        f"again {max(again):.2f} s; {most_mb:,.0f} MB with the server; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def main() -> None:
    """Both measurements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=3)
    times = parser.parse_args().times
    first = date(2024, 1, 1)
    with serving() as server:
        for day in (first + timedelta(days=n) for n in range(366)):
            text = made.klines(day, step_s=60)
            server.add_zip(f"{made.UM}/daily/klines/BTCUSDT/1m", f"BTCUSDT-1m-{day}", text)
        asked = Request("binance", ("BTCUSDT",), ("klines",), first, first + timedelta(days=365), "1m")
        measure("a year of minutes", server, asked, times)
    with serving() as server:
        text = made.trades(first, 2_000_000)
        server.add_zip(f"{made.UM}/daily/aggTrades/BTCUSDT", f"BTCUSDT-aggTrades-{first}", text)
        asked = Request("binance", ("BTCUSDT",), ("trades",), first, first)
        measure("a day of 2 million trades", server, asked, times)


if __name__ == "__main__":
    main()
