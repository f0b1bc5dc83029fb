"""A collector's lake is kept in order by a process of its own, which ends with it and harms nothing."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from deleverage.data.collect import house
from deleverage.data.collect.house import House
from deleverage.data.lake import Lake
from deleverage.data.lake.place import Place
from tests.data.rows import trades

Told = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake.create(tmp_path / "lake")
    for number in range(12):
        rows = trades(range(number * 10, number * 10 + 10), "okx" if number % 2 else "bybit")
        made.append("trades", rows, app="a", sequence=number)
    return made


def kept(lake: Lake, told: Told, compact_s: float = 0.0, vacuum_s: float = 0.0) -> House:
    def log(event: str, **fields: Any) -> None:
        told.append((event, fields))

    return House(lake.place, compact_s, vacuum_s, log)


def live(lake: Lake) -> int:
    return next(one.files for one in Lake.open(lake.folder).status() if one.table == "trades")


def test_small_files_are_put_together_elsewhere(lake: Lake) -> None:
    told: Told = []
    before = lake.read("trades")
    asyncio.run(kept(lake, told).work("compact", target_bytes=4_000_000))
    ((event, fields),) = told
    assert event == "compact" and fields["files"] == 10 and fields["peak_mib"] > 10
    assert live(lake) == 2
    assert lake.read("trades").equals(before)
    assert lake.append("trades", trades(range(5), "bybit"), app="b", sequence=0).repeated == 5


def test_a_lake_that_cannot_be_kept_is_a_warning(tmp_path: Path) -> None:
    told: Told = []
    gone = House(Place.of(tmp_path / "gone"), 1.0, 0.0, lambda event, **fields: told.append((event, fields)))
    asyncio.run(gone.work("compact", target_bytes=1))
    ((event, fields),) = told
    assert event == "compact failed" and fields["level"] == "warning"
    assert "there is no lake in" in fields["error"] and "\n" not in fields["error"]


def test_a_process_that_dies_is_a_warning(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "MODULE", "deleverage.data.lake.no_such_module")
    told: Told = []
    asyncio.run(kept(lake, told).work("vacuum", keep_hours=3))
    assert told[0][0] == "vacuum failed" and "no_such_module" in told[0][1]["error"]


def test_it_ends_with_the_collector(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    children: list[asyncio.subprocess.Process] = []
    real = asyncio.create_subprocess_exec

    async def noted(*words: Any, **named: Any) -> asyncio.subprocess.Process:
        children.append(await real(*words, **named))
        return children[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    told: Told = []

    async def cut() -> None:
        task = asyncio.create_task(kept(lake, told, compact_s=0.01).keep())
        until = time.monotonic() + 20
        while not children and time.monotonic() < until:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cut())
    (child,) = children
    assert child.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)
    assert Lake.open(lake.folder).read("trades").height == 120


def test_once_an_hour_files_become_large(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []
    now = [1000.0]

    async def work(self: House, what: str, **how: Any) -> None:
        asked.append((what, how))

    async def sleep(seconds: float) -> None:
        now[0] += 60.0
        if now[0] > 1000 + 4 * 3600:
            raise asyncio.CancelledError

    monkeypatch.setattr(House, "work", work)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(kept(lake, [], 120.0, 3600.0).keep())
    large = [how for what, how in asked if what == "compact" and how["target_bytes"] == 64_000_000]
    small = [how for what, how in asked if what == "compact" and how["target_bytes"] == 4_000_000]
    assert len(large) == 4 and len(small) == 116
    assert [how for what, how in asked if what == "vacuum"] == [{"keep_hours": 3}] * 4
