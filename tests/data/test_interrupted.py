"""A killed or interrupted import leaves the lake as it was or with the whole import, and never in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
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
from deleverage.data import import_paths, importing, lake
data, folder, step, number, how = sys.argv[1:]
importing._BATCH_ROWS = 2  # many parts
count = 0
def stop_before(function):
    def wrapped(*args, **kwargs):
        global count
        count += 1
        if count == int(number):
            os.kill(os.getpid(), getattr(signal, how))
        return function(*args, **kwargs)
    return wrapped
if step == "write":
    import polars as pl
    pl.DataFrame.write_parquet = stop_before(pl.DataFrame.write_parquet)
if step == "fsync":
    os.fsync = stop_before(os.fsync)
if step == "rename":
    Path.rename = stop_before(Path.rename)
if step == "replace":
    os.replace = stop_before(os.replace)
if step == "after":
    real = os.replace
    def replaced(*args):
        real(*args)
        os.kill(os.getpid(), getattr(signal, how))
    os.replace = replaced
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
    return {row.table: lake.read(row.table) for row in lake.status()}


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


POINTS = [("write", 1), ("write", 4), ("fsync", 2), ("fsync", 9), ("rename", 3), ("replace", 1), ("after", 1)]


@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
@pytest.mark.parametrize(("step", "number"), POINTS)
def test_stopped_at_a_step_of_the_write(
    tmp_path: Path, data: Path, whole: dict[str, pl.DataFrame], step: str, number: int, how: str
) -> None:
    first = tmp_path / "lake"
    with child(data, first, step, number, how) as process:
        assert process.wait(60) != 0
    committed = step == "after"
    assert same(content(first), whole if committed else None)
    if how == "SIGINT" and not committed:
        assert not first.exists()
    import_paths([data], first)  # what the killed one left does not disturb the next import
    assert same(content(first), whole)
    live = {part["file"] for parts in Lake(first).manifest()["tables"].values() for part in parts}
    assert {p.relative_to(first).as_posix() for p in first.rglob("*.*") if p.parent != first} == live


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
