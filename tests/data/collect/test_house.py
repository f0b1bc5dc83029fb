"""A collector's lake is kept in order by a process of its own, which ends with it and harms nothing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from deleverage.data.collect import house
from deleverage.data.collect.house import House
from deleverage.data.lake import Lake
from deleverage.data.lake.place import Place
from tests.data.rows import T0_NS, candle, rows, trades

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


def a_module(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the child be this program."""
    (folder / "strange_child.py").write_text(text)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(house, "MODULE", "strange_child")


def test_what_a_child_floods_us_with_is_not_kept(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import sys\nfor _ in range(300): sys.stdout.write('x' * 100_000)\nprint('\\n' + '{\"files\": 7}')"
    a_module(tmp_path, text, monkeypatch)
    kept_bytes: list[int] = []
    real = house._end_of

    async def noted(stream: asyncio.StreamReader) -> bytes:
        kept_bytes.append(len(found := await real(stream)))
        return found

    monkeypatch.setattr(house, "_end_of", noted)
    told: Told = []
    asyncio.run(kept(lake, told).work("compact", target_bytes=1))
    assert told[0][0] == "compact" and told[0][1]["files"] == 7
    assert max(kept_bytes) < 100_000


def test_a_child_that_hangs_is_ended_and_told(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)"
    a_module(tmp_path, text, monkeypatch)
    monkeypatch.setattr(house, "LONGEST_S", 1.0)
    monkeypatch.setattr(house, "_PATIENCE_S", 0.2)
    told: Told = []
    asyncio.run(kept(lake, told).work("vacuum", keep_hours=3))
    assert told == [("vacuum failed", {"level": "warning", "error": "not done after 1 s: ended"})]


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), OSError(11, "no more processes")])
def test_where_no_process_can_be_had_it_goes_on(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def refused(*words: Any, **named: Any) -> Any:
        raise error

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refused)
    told: Told = []
    asyncio.run(kept(lake, told).work("compact", target_bytes=1))
    assert told[0][0] == "compact failed" and told[0][1]["error"] == str(error)


def test_one_damaged_table_does_not_stop_the_others(lake: Lake) -> None:
    for number in range(3):
        lake.append(
            "candles", rows("candles", candle(T0_NS + number * 3600 * 10**9)), app="c", sequence=number
        )
    next(lake.folder.glob("candles/*.parquet")).write_bytes(b"damaged")
    told: Told = []
    asyncio.run(kept(lake, told).work("compact", target_bytes=4_000_000))
    assert told[0][0] == "compact failed" and "candles/" in told[0][1]["error"]
    assert live(lake) == 2, "the trades were put together all the same"


def test_the_child_finds_the_program_as_we_did_and_nothing_of_the_folder_it_is_in(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A zip archive, say, that no PYTHONPATH names; and somebody's `json.py` beside a relative lake."""
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    archive = tmp_path / "strange.pyz"
    with zipfile.ZipFile(archive, "w") as into:
        into.writestr("zipped_child.py", "from deleverage.data.lake import apart as a\nimport sys\n"
                      "sys.exit(a.main(sys.stdin, sys.stdout))")  # fmt: skip
    monkeypatch.syspath_prepend(archive)
    monkeypatch.setattr(house, "MODULE", "zipped_child")
    told: Told = []
    place = Place.of("lake")
    asyncio.run(
        House(place, 0, 0, lambda event, **f: told.append((event, f))).work("compact", target_bytes=10**7)
    )
    assert told[0][0] == "compact" and told[0][1]["files"] == 10


def test_the_child_of_a_collector_that_is_killed_ends(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow_child.py").write_text(
        "import os, sys, time\nfrom deleverage.data.lake import apart\n"
        "def done(job):\n    open(os.environ['NOTE'], 'w').write(str(os.getpid()))\n    time.sleep(600)\n"
        "apart.done = done\nsys.exit(apart.main(sys.stdin, sys.stdout))\n"
    )
    (tmp_path / "collector.py").write_text(
        "import asyncio, sys\nfrom deleverage.data.collect import house\n"
        "from deleverage.data.lake.place import Place\nhouse.MODULE = 'slow_child'\n"
        "one = house.House(Place.of(sys.argv[1]), 0, 0, print)\n"
        "asyncio.run(one.work('compact', target_bytes=1))\n"
    )
    note = tmp_path / "note"
    ours = os.environ | {"PYTHONPATH": house._path(), "NOTE": str(note)}
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "collector.py"), str(lake.folder)], env=ours
    ) as parent:
        until = time.monotonic() + 30
        while not (note.exists() and note.read_text()) and time.monotonic() < until:
            time.sleep(0.02)
        parent.kill()
    child = int(note.read_text())
    while time.monotonic() < until and runs(child):
        time.sleep(0.02)
    assert not runs(child)


def runs(pid: int) -> bool:
    """Whether a process is at work; one that nobody has waited for is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


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
