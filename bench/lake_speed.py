"""How many events a second does a lake take, how soon are they durable, and how fast is an aggregation?

    python -m bench.lake_speed ingest [--rate 50000] [--seconds 60]     one writer, micro-batches each second
    python -m bench.lake_speed together [--events 3000000]              four processes on one table
    python -m bench.lake_speed aggregate [--rows 50000000]              hourly volume, DuckDB and Polars

`ingest` makes events at the given rate on a clock of its own, so that a writer that is late has more to write
next time; latency is from the moment that an event was made to the return of the append, when it is on disk.
A compaction runs every 20 s meanwhile, as in the collector. The figures are printed, not judged.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from deleverage.data.lake import Lake

T0_NS = 1_760_000_000_000_000_000
VENUES = ("binance", "bybit", "okx", "hyperliquid", "bitmex")
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT")


def events(first: int, times_ns: np.ndarray[Any, np.dtype[np.int64]]) -> pl.DataFrame:
    """Trades with numbers from ``first`` on, made at ``times_ns``."""
    numbers = np.arange(first, first + len(times_ns))
    price = 100_000 + 50 * np.sin(numbers / 1000) + numbers % 17
    frame = pl.DataFrame(
        {
            "time_ns": times_ns,
            "received_ns": times_ns,
            "venue": np.array(VENUES)[numbers % len(VENUES)],
            "symbol": np.array(SYMBOLS)[numbers // 5 % len(SYMBOLS)],
            "trade_id": pl.Series(numbers).cast(pl.String),
            "price": price,
            "coins": (numbers % 100 + 1) / 1000,
        }
    )
    return frame.with_columns(
        kind=pl.lit("perp"),
        coin=pl.col("symbol").str.head(3),
        side=pl.lit("buy"),
        usd=pl.col("price") * pl.col("coins"),
        liquidation=pl.lit(None, dtype=pl.Boolean),
        source=pl.lit("bench"),
    )


def ingest(folder: Path, rate: int, seconds: int) -> dict[str, Any]:
    """One writer at a steady rate, with a compaction now and then."""
    lake = Lake.create(folder)
    stop = threading.Event()
    other = Lake.open(folder)

    def compactions() -> None:
        while not stop.wait(20.0):
            other.compact("trades")

    keeper = threading.Thread(target=compactions)
    keeper.start()
    waits: list[tuple[float, int]] = []  # longest wait of a batch [s], events
    spread: list[np.ndarray[Any, np.dtype[np.float64]]] = []
    begin = time.time_ns()
    made = number = 0
    used = os.times()
    while made < rate * seconds:
        time.sleep(max(0.0, 1.0 - (time.time_ns() - begin) / 1e9 % 1.0) if made else 1.0)
        due = min(rate * seconds, int((time.time_ns() - begin) / 1e9 * rate))
        times = begin + (np.arange(made, due) * (1e9 / rate)).astype(np.int64)
        lake.append("trades", events(made, times), app="bench", sequence=number)
        done = time.time_ns()
        ages = (done - times) / 1e9
        spread.append(ages[:: max(1, len(ages) // 1000)])
        waits.append((float(ages.max()), due - made))
        made, number = due, number + 1
    wall = (time.time_ns() - begin) / 1e9
    now = os.times()
    stop.set()
    keeper.join()
    found = lake.sql("select count(*) as n, count(distinct trade_id) as d from trades").row(0)
    ages = np.concatenate(spread)
    return {
        "rate": rate, "seconds": seconds, "wall_s": round(wall, 2), "events_per_s": round(made / wall),
        "rows": found[0], "distinct": found[1], "batches": number,
        "durable_p50_s": round(float(np.quantile(ages, 0.5)), 3),
        "durable_p99_s": round(float(np.quantile(ages, 0.99)), 3),
        "durable_max_s": round(max(wait for wait, _ in waits), 3),
        "cpu_cores_used": round((now.user + now.system - used.user - used.system) / wall, 2),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "files": lake.table("trades").log.refresh() and len(lake.table("trades").log.files),
    }  # fmt: skip


def _one(folder: str, who: int, count: int, batch: int) -> None:
    lake = Lake.open(folder)
    again = pl.DataFrame()
    for number, start in enumerate(range(0, count, batch)):
        first = who * count + start
        times = T0_NS + np.arange(first, first + min(batch, count - start)) * 1000
        frame = events(first, times)
        if number:  # a venue that sends its last rows again after a reconnect
            frame = pl.concat([again, frame])
        lake.append("trades", frame, app=f"writer-{who}", sequence=number)
        again = frame.tail(100)


def together(folder: Path, count: int, writers: int = 4, batch: int = 25_000) -> dict[str, Any]:
    """Several processes append to one table; every event must be there once."""
    Lake.create(folder)
    context = multiprocessing.get_context("spawn")
    begin = time.perf_counter()
    share = count // writers
    processes = [
        context.Process(target=_one, args=(str(folder), who, share, batch)) for who in range(writers)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    wall = time.perf_counter() - begin
    numbers = Lake.open(folder).read("trades", columns=["trade_id"])["trade_id"].cast(pl.Int64).sort()
    whole = numbers.equals(pl.int_range(count // writers * writers, eager=True).alias(numbers.name))
    return {
        "writers": writers,
        "events": count,
        "wall_s": round(wall, 1),
        "events_per_s": round(count / wall),
        "exit_codes": [process.exitcode for process in processes],
        "rows": numbers.len(),
        "all_there_once": whole,
    }


def aggregate(folder: Path, rows: int, repeats: int) -> dict[str, Any]:
    """Hourly volume by venue over many rows: write once, aggregate several times."""
    lake = Lake.create(folder)
    step = 2_500_000
    begin = time.perf_counter()
    for number, first in enumerate(range(0, rows, step)):
        count = min(step, rows - first)
        times = T0_NS + np.arange(first, first + count) * 100_000_000  # ten a second: 50 million are 58 days
        lake.append("trades", events(first, times), app="bench", sequence=number, dedupe=False)
    written = time.perf_counter() - begin
    query = (
        "select venue, bucket(time_ns, 3600) as hour, sum(coins) as coins, sum(usd) as usd, count(*) as n "
        "from trades group by venue, hour"
    )
    hour = pl.col("time_ns") - pl.col("time_ns") % 3_600_000_000_000
    duck, lazy = [], []
    processor = []  # seconds of all cores that DuckDB used: what it takes apart from other programs' load
    for _ in range(repeats):
        begin, before = time.perf_counter(), os.times()
        by_sql = lake.sql(query)
        duck.append(time.perf_counter() - begin)
        after = os.times()
        processor.append(after.user + after.system - before.user - before.system)
        begin = time.perf_counter()
        by_scan = (
            lake.scan("trades")
            .group_by("venue", hour.alias("hour"))
            .agg(pl.col("coins").sum(), pl.col("usd").sum(), pl.len().alias("n"))
            .collect(engine="streaming")
        )
        lazy.append(time.perf_counter() - begin)
    same = by_sql.sort("venue", "hour")["n"].to_list() == by_scan.sort("venue", "hour")["n"].to_list()
    status = next(row for row in lake.status() if row.table == "trades")
    return {
        "rows": status.rows,
        "files": status.files,
        "mb": round(status.bytes / 1e6),
        "written_s": round(written, 1),
        "groups": by_sql.height,
        "both_agree": same,
        "duckdb_s": _spread(duck),
        "duckdb_core_s": _spread(processor),
        "polars_s": _spread(lazy),
    }


def _spread(seconds: list[float]) -> dict[str, float]:
    return {
        "min": round(min(seconds), 2),
        "median": round(statistics.median(seconds), 2),
        "max": round(max(seconds), 2),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("ingest", "together", "aggregate"))
    parser.add_argument("--rate", type=int, default=50_000, help="events a second")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="deleverage-bench-") as folder:
        lake = Path(folder) / "lake"
        if chosen.what == "ingest":
            found = ingest(lake, chosen.rate, chosen.seconds)
        elif chosen.what == "together":
            found = together(lake, chosen.events)
        else:
            found = aggregate(lake, chosen.rows, chosen.repeats)
    print(json.dumps(found | {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
