"""Does a lake lose or repeat a row when its writers are killed, at any point?

    python3 -m verify.kill_writers --kills 220 --seed 1

A writer (appends of a collector, an import of several tables, a compaction) tells over a pipe when it enters
and leaves a phase: the Parquet write, the sync to disk, the commit, and, each third time, the checkpoint of
the log and the clean-up of all that lies behind it. It is killed with SIGKILL at a random
moment inside a phase, or at any time at all; a phase that was entered and not left is where it was hit.
After every kill the lake is opened and read: acknowledged rows are there, no key is there twice, a batch or
an import is there whole or not at all. The next writer goes on where the lake says that the killed one ended.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import select
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PHASES = ("parquet", "sync", "commit", "checkpoint", "cleanup")
KINDS = ("append", "import", "compact")
BATCH = 20_000
_FRESH_AFTER = 20  # kills, after which a new lake is taken so that reading it stays quick
_APP = "collector"


# --- in the writer ----------------------------------------------------------------------------------


def writer(kind: str, folder: str, pipe: int, rows: int) -> None:
    """Write until killed, telling phases and acknowledged work over the pipe."""
    import polars as pl
    from deltalake import DeltaTable

    from deleverage.data.lake import Lake, log

    def told(function: Callable[..., Any], phase: str) -> Callable[..., Any]:
        def inside(*args: Any, **kwargs: Any) -> Any:
            os.write(pipe, f"+{phase}\n".encode())
            result = function(*args, **kwargs)
            os.write(pipe, f"-{phase}\n".encode())
            return result

        return inside

    pl.DataFrame.write_parquet = told(pl.DataFrame.write_parquet, "parquet")  # type: ignore[method-assign]
    os.fsync = told(os.fsync, "sync")
    log._CHECKPOINT_EVERY = 3
    log._PROPERTIES["delta.logRetentionDuration"] = "interval 0 seconds"
    for name, phase in (
        ("create_write_transaction", "commit"),
        ("create_checkpoint", "checkpoint"),
        ("cleanup_metadata", "cleanup"),
    ):
        setattr(DeltaTable, name, told(getattr(DeltaTable, name), phase))
    lake = Lake.open(Path(folder))
    os.write(pipe, b"=ready\n")
    if kind == "append":
        number = (lake.committed("trades", _APP) or 0) + 1
        while True:
            lake.append("trades", batch(number, rows), app=_APP, sequence=number)
            os.write(pipe, f"!{number}\n".encode())
            number += 1
    if kind == "import":
        number = len(lake.imports) + 1
        while True:
            one_import(lake, number, rows)
            os.write(pipe, f"!{number}\n".encode())
            number += 1
    while True:
        # Small files first, so that there is something to put together; they are part of what must stay.
        number = (lake.committed("trades", _APP) or 0) + 1
        for step in range(number, number + 4):
            lake.append("trades", batch(step, rows // 4), app=_APP, sequence=step)
            os.write(pipe, f"!{step}\n".encode())
        os.write(pipe, b"=compacting\n")
        lake.compact("trades", target_bytes=1 << 40)
        os.write(pipe, b"=compacted\n")


def batch(number: int, rows: int) -> Any:
    """Trades of one batch: ids that no other batch has."""
    import polars as pl

    ids = pl.int_range(number * 1_000_000, number * 1_000_000 + rows, eager=True)
    frame = pl.DataFrame({"time_ns": 1_760_000_000_000_000_000 + ids * 1000, "trade_id": ids.cast(pl.String)})
    return frame.with_columns(
        received_ns=pl.col("time_ns") + 1_000_000,
        venue=pl.lit("v"), kind=pl.lit("perp"), coin=pl.lit("BTC"), symbol=pl.lit("B"), side=pl.lit("buy"),
        price=pl.col("time_ns") % 997 + 1.0, coins=pl.lit(1.0), usd=pl.col("time_ns") % 997 + 1.0,
        liquidation=pl.lit(None, dtype=pl.Boolean), source=pl.lit("s"),
    )  # fmt: skip


def one_import(lake: Any, number: int, rows: int) -> None:
    """An import of two tables, named by its number."""
    import polars as pl

    trades = batch(number, rows)
    rates = trades.select(
        "time_ns", "venue", "coin", pl.col("trade_id").alias("symbol"), pl.lit(60).alias("interval_s"),
        pl.lit(0.1).alias("rate"), "source",
    )  # fmt: skip
    with lake.write() as into:
        into.append("trades", trades)
        into.append("funding", rates)
        into.record(
            {
                "path": f"file-{number}",
                "sha256": f"{number:064}",
                "bytes": 1,
                "importer": "x",
                "version": 1,
                "rows": {},
            }
        )


# --- in the judge -----------------------------------------------------------------------------------


@dataclass
class Tally:
    """What was hit, and what was found afterwards."""

    kills: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    landed: Counter[str] = field(default_factory=Counter)
    torn_files: int = 0
    acknowledged: int = 0
    faults: list[str] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "kills": self.kills,
            "hits": dict(sorted(self.hits.items())),
            "killed_in_commit": dict(sorted(self.landed.items())),
            "torn_parquet_files_left": self.torn_files,
            "acknowledged_batches": self.acknowledged,
            "faults": self.faults,
        }


class Watched:
    """A writer as the judge sees it: its process, what it has told, and when."""

    def __init__(self, kind: str, folder: Path, rows: int) -> None:
        self.kind = kind
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(
            ["polars", "deltalake", "deleverage.data.lake.store", "verify.kill_writers"]
        )
        self.reading, sending = context.Pipe(duplex=False)
        self.process = context.Process(target=_child, args=(kind, str(folder), sending, rows), daemon=True)
        self.process.start()
        sending.close()
        self.inside: list[str] = []
        self.acknowledged: list[int] = []
        self.compacting = False
        self.lengths: dict[str, list[float]] = {phase: [] for phase in PHASES}
        self._entered = 0.0
        self._rest = b""

    def lines(self, wait_s: float) -> list[str]:
        """What came within the time, at least once looked."""
        ready, _, _ = select.select([self.reading.fileno()], [], [], wait_s)
        if not ready:
            return []
        data = self._rest + os.read(self.reading.fileno(), 65_536)
        *whole, self._rest = data.split(b"\n")
        for line in whole:
            self._note(line.decode())
        return [line.decode() for line in whole]

    def _note(self, line: str) -> None:
        mark, what = line[0], line[1:]
        if mark == "+":
            self.inside.append(what)
            self._entered = time.perf_counter()
        elif mark == "-":
            self.inside.remove(what)
            self.lengths[what].append(time.perf_counter() - self._entered)
        elif mark == "!":
            self.acknowledged.append(int(what))
        else:
            self.compacting = what == "compacting"

    def kill(self) -> str:
        """Kill it, take in what it had still told, and say which phase it was in."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join()
        while True:
            ready, _, _ = select.select([self.reading.fileno()], [], [], 0)
            if not ready:
                break
            data = os.read(self.reading.fileno(), 65_536)
            if not data:
                break
            *whole, self._rest = (self._rest + data).split(b"\n")
            for line in whole:
                self._note(line.decode())
        self.reading.close()
        return self.inside[-1] if self.inside else "between"


def _child(kind: str, folder: str, pipe: Any, rows: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    writer(kind, folder, pipe.fileno(), rows)


def run(
    kills: int, seed: int, folder: Path, *, rows: int = BATCH, say: Callable[[str], None] = print
) -> Tally:
    """Kill writers of every kind in turn; stops at the first fault."""
    from deleverage.data.lake import Lake

    draw = random.Random(seed)
    tally = Tally()
    usual = dict.fromkeys(PHASES, 0.01)
    for number in range(kills):
        kind = KINDS[number // _FRESH_AFTER % len(KINDS)]
        if number % _FRESH_AFTER == 0:
            shutil.rmtree(folder, ignore_errors=True)
            Lake.create(folder)
            acknowledged: set[int] = set()
            seen: set[Path] = set()
        watched = Watched(kind, folder, rows)
        _let_it_write(watched, draw, usual)
        phase = watched.kill()
        hit = f"{kind}/{phase}"
        if kind == "compact" and watched.compacting:
            hit = f"compact/{phase} of the compaction"
        for name, lengths in watched.lengths.items():
            if lengths:
                usual[name] = statistics.median(lengths)
        acknowledged |= set(watched.acknowledged)
        tally.kills += 1
        tally.hits[hit] += 1
        tally.acknowledged += len(watched.acknowledged)
        faults, more, torn = judge(kind, folder, acknowledged, rows)
        tally.torn_files += len(torn - seen)
        seen |= torn
        acknowledged |= more  # what a reader has seen may not go away again either
        if phase == "commit":
            tally.landed["landed" if more else "did not land"] += 1
        if faults:
            tally.faults += [f"kill {number + 1} ({hit}): {fault}" for fault in faults]
            break
        if (number + 1) % _FRESH_AFTER == 0:
            say(f"{number + 1} kills, no fault: {dict(sorted(tally.hits.items()))}")
    return tally


def _let_it_write(watched: Watched, draw: random.Random, usual: dict[str, float]) -> None:
    """Wait for a random moment: inside a phase that is drawn, or at any time."""
    while "=ready" not in watched.lines(30.0):
        if not watched.process.is_alive():
            raise RuntimeError("the writer ended before it had begun")
    target = draw.choice([*PHASES, "parquet", "commit", "any"])
    if target == "any":
        until = time.perf_counter() + draw.uniform(0.0, 0.6)
        while (left := until - time.perf_counter()) > 0:
            watched.lines(left)
        return
    # Three of four kills of the writer that compacts are to hit the compaction, not the appends before it.
    waits = watched.kind == "compact" and draw.random() < 0.75
    left_over = draw.randint(1, 2 if waits and target == "sync" else 1 if waits else 8)
    deadline = time.perf_counter() + 5.0
    while time.perf_counter() < deadline:
        for line in watched.lines(1.0):
            left_over -= line == f"+{target}" and (watched.compacting or not waits)
        if left_over <= 0 and watched.inside[-1:] == [target]:
            time.sleep(0.9 * draw.random() ** 3 * usual[target])  # a commit is decided early
            return


def judge(
    kind: str, folder: Path, acknowledged: set[int], rows: int
) -> tuple[list[str], set[int], set[Path]]:
    """What is wrong with the lake; batches that are there and were not acknowledged; torn files."""
    import polars as pl

    from deleverage.data.lake import Lake
    from deleverage.errors import DeleverageError

    faults = []
    size = rows // 4 if kind == "compact" else rows
    try:
        lake = Lake.open(folder)
        trades = lake.read("trades", columns=["trade_id"])["trade_id"].cast(pl.Int64)
    except DeleverageError as error:
        return [f"not readable: {error}"], set(), set()
    if trades.n_unique() != trades.len():
        faults.append(f"{trades.len() - trades.n_unique()} keys twice")
    present = dict((trades // 1_000_000).value_counts().rows())
    for number, count in sorted(present.items()):
        if count != size:
            faults.append(f"batch {number} has {count} of {size} rows")
    faults += [f"acknowledged batch {number} is lost" for number in sorted(acknowledged - set(present))]
    if sorted(present) != list(range(1, len(present) + 1)):
        faults.append(f"batches are not contiguous: {sorted(present)}")
    if kind == "import":
        rates = lake.read("funding", columns=["symbol"])["symbol"].cast(pl.Int64)
        if not rates.sort().equals(trades.sort()):
            faults.append("an import is in one table and not in the other")
        if len(lake.imports) != len(present) or not all(one["complete"] for one in lake.imports):
            faults.append("the record of imports does not say what is there")
    elif (lake.committed("trades", _APP) or 0) != len(present):
        faults.append("the last sequence number is not that of the last batch")
    live = {file.path for name in ("trades", "funding") for file in lake.table(name).log.files.values()}
    names = {one.rpartition("/")[2] for one in live}
    torn = {
        path
        for path in folder.glob("*/**/*.parquet")
        if path.name not in names and "_delta_log" not in path.parts and not _closed(path)
    }
    return faults, set(present) - acknowledged, torn


def _closed(path: Path) -> bool:
    """Whether a Parquet file has its end."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 4))
        return stream.read() == b"PAR1"


def main(words: list[str]) -> int:
    """Run with the options of the command line; exit code 1 if there was a fault."""
    options = argparse.ArgumentParser(prog="kill_writers", description=__doc__.splitlines()[0])
    options.add_argument("--kills", type=int, default=220)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--rows", type=int, default=BATCH, help="rows of a batch")
    given = options.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="deleverage-kill-") as folder:
        tally = run(
            given.kills,
            given.seed,
            Path(folder) / "lake",
            rows=given.rows,
            say=lambda t: print(t, file=sys.stderr),
        )
    print(json.dumps(tally.told(), indent=1))
    return 1 if tally.faults else 0


if __name__ == "__main__":
    from verify import kill_writers  # what the writers import has this name too

    sys.exit(kill_writers.main(sys.argv[1:]))
