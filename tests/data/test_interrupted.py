"""A killed or interrupted import leaves the lake as it was or with the whole import, and never in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pytest

from deleverage.data import Lake, import_paths
from deleverage.errors import MissingDataError
from tests.data import tiny

ROOT = Path(__file__).resolve().parents[2]

# Stops itself at the n-th call of one step of the write, or runs freely when n is 0.
_CHILD = """
import os, signal, sys
from pathlib import Path
import polars as pl
from deltalake import DeltaTable
from deleverage.data import import_paths, importing
data, folder, step, number, how = sys.argv[1:]
importing._BATCH_ROWS = 2  # many parts
count = 0
def stop(function, after=False):
    def wrapped(*args, **kwargs):
        global count
        count += 1
        if count == int(number) and not after:
            os.kill(os.getpid(), getattr(signal, how))
        result = function(*args, **kwargs)
        if count == int(number) and after:
            os.kill(os.getpid(), getattr(signal, how))
        return result
    return wrapped
if step == "write":
    pl.DataFrame.write_parquet = stop(pl.DataFrame.write_parquet)
if step == "fsync":
    os.fsync = stop(os.fsync)
if step == "create":
    DeltaTable.create = stop(DeltaTable.create)
if step in ("commit", "after"):
    real = DeltaTable.create_write_transaction
    DeltaTable.create_write_transaction = stop(real, after=step == "after")
print("started", flush=True)
import_paths([Path(data)], Path(folder))
print("done", flush=True)
"""


def child(
    data: Path, lake: Path, step: str = "", number: int = 0, how: str = "SIGKILL"
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(data), str(lake), step, str(number), how],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "POLARS_MAX_THREADS": "1"},
    )


def content(folder: Path) -> dict[str, pl.DataFrame] | None:
    try:
        lake = Lake.open(folder)
    except MissingDataError:
        return None
    rows = {row.table: lake.read(row.table) for row in lake.status()}
    return rows if any(frame.height for frame in rows.values()) else None  # made, and nothing in it yet


def same(one: dict[str, pl.DataFrame] | None, other: dict[str, pl.DataFrame] | None) -> bool:
    if one is None or other is None:
        return one is other
    return all(one[name].equals(other[name]) for name in one)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tiny.whole_folder(tmp_path / "data")


@pytest.fixture
def whole(tmp_path: Path, data: Path) -> dict[str, pl.DataFrame]:
    import_paths([data], tmp_path / "reference")
    found = content(tmp_path / "reference")
    assert found is not None
    return found


# step, number of its call, and whether the import has happened by then: with the first commit it has.
POINTS = [
    ("write", 4, False),
    ("fsync", 9, False),
    ("create", 1, False),
    ("commit", 1, False),
    ("after", 1, True),
    ("create", 2, True),
    ("after", 2, True),
    ("commit", 9, True),
]


@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
@pytest.mark.parametrize(("step", "number", "happened"), POINTS)
def test_stopped_at_a_step_of_the_write(
    tmp_path: Path,
    data: Path,
    whole: dict[str, pl.DataFrame],
    step: str,
    number: int,
    happened: bool,
    how: str,
) -> None:
    first = tmp_path / "lake"
    with child(data, first, step, number, how) as process:
        assert process.wait(60) != 0
    if how == "SIGINT" and not happened:
        assert not first.exists()
    assert same(content(first), whole if happened else None)
    import_paths([data], first)  # what the killed one left does not disturb the next import
    assert same(content(first), whole)
    assert all(record["complete"] for record in Lake.open(first).imports)


def test_who_opens_the_lake_finishes_an_import_once(tmp_path: Path, data: Path) -> None:
    lake = tmp_path / "lake"
    with child(data, lake, "commit", 3) as process:
        assert process.wait(60) != 0
    opened = [Lake(lake) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda one: sum(row.rows for row in one.status()), opened))
    assert len(set(rows)) == 1 and rows[0] == sum(frame.height for frame in (content(lake) or {}).values())
    record = Lake.open(lake).imports[0]
    assert record["complete"] and len(record["sources"]) > 3


@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
def test_stopped_while_adding_to_a_lake_that_has_rows(
    tmp_path: Path, data: Path, whole: dict[str, pl.DataFrame], how: str
) -> None:
    lake = tmp_path / "lake"
    import_paths([data / "binance_spot"], lake)
    before = content(lake)
    with child(data, lake, "write", 3, how) as process:
        assert process.wait(60) != 0
    assert same(content(lake), before)
    import_paths([data], lake)
    found = content(lake)
    assert found is not None
    assert {name: frame.height for name, frame in found.items()} == {n: f.height for n, f in whole.items()}


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stopped_at_any_moment(
    tmp_path: Path, data: Path, whole: dict[str, pl.DataFrame], how: signal.Signals
) -> None:
    tiny.minutes(data, tiny.minute_rows(400))  # some hundred parts: the write takes a while
    import_paths([data], tmp_path / "longer")
    longer = content(tmp_path / "longer")
    seen = set()
    for number in range(12):
        lake = tmp_path / f"lake{number}"
        with child(data, lake) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
            time.sleep(0.08 * number)
            process.send_signal(how)
            process.wait(60)
        found = content(lake)
        assert same(found, None) or same(found, longer)
        seen.add(found is None)
    assert True in seen


def test_two_processes_import_at_the_same_time_and_both_are_there(
    tmp_path: Path, data: Path, whole: dict[str, pl.DataFrame]
) -> None:
    lake = tmp_path / "lake"
    with ExitStack() as stack:
        writers = [stack.enter_context(child(data / name, lake)) for name in ("perp_1m", "funding", "multi")]
        assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    import_paths([data], lake)
    found = content(lake)
    assert found is not None
    assert {n: f.height for n, f in found.items()} == {n: f.height for n, f in whole.items()}
