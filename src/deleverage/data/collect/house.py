"""Who keeps the lake of a running collector in order, and at whose cost?

Each table gets a file or more a second. Every two minutes a process of its own puts the small ones together,
into files of a few megabytes so that little is written again, and once an hour into large ones; it also
deletes what was replaced hours ago. The collector itself does not pay for it with memory, and keeps the
first claim on the processors.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from deleverage.data.lake.apart import MODULE
from deleverage.data.lake.log import REMOVED_HOURS
from deleverage.data.lake.place import Place

_SMALL_BYTES, _LARGE_BYTES = 4_000_000, 64_000_000
_LARGE_S = 3600.0
_TICK_S = 0.5
_NICE = 10
_PATIENCE_S = 5.0
_KEPT_BYTES = 65_536
LONGEST_S = 3600.0
"""A job that takes longer hangs and is ended [s]; what it had put together by then stays."""


@dataclass
class House:
    """Compaction and vacuum beside a collector; `keep` until cancelled.

    Parameters
    ----------
    place : the lake.
    compact_s, vacuum_s : how often [s]; 0 never.
    log : told what was done, and what failed: a collection does not end for it.
    """

    place: Place
    compact_s: float
    vacuum_s: float
    log: Callable[..., None]

    async def keep(self) -> None:
        """Keep order by the clock."""
        begun = time.monotonic()
        compacted, enlarged, vacuumed = begun, begun - _LARGE_S, begun
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.monotonic()
            if self.compact_s and now - compacted >= self.compact_s:
                large = now - enlarged >= _LARGE_S
                await self.work("compact", target_bytes=_LARGE_BYTES if large else _SMALL_BYTES)
                compacted, enlarged = now, now if large else enlarged
            if self.vacuum_s and now - vacuumed >= self.vacuum_s:
                await self.work("vacuum", keep_hours=REMOVED_HOURS)
                vacuumed = now

    async def work(self, what: str, **how: Any) -> None:
        """Have one job done by a process of its own, which ends with us; what goes wrong is only told."""
        try:
            begun = time.monotonic()
            job = {
                "uri": self.place.uri,
                "options": dict(self.place.options),
                "what": what,
                "watched": True,
                **how,
            }
            answer = await self._done(json.dumps(job).encode() + b"\n")
        except Exception as error:  # no memory for another process, no more threads, too slow: whatever it is
            self.log(f"{what} failed", level="warning", error=str(error) or type(error).__name__)
            return
        if "error" in answer:
            self.log(f"{what} failed", level="warning", **answer)
            return
        self.log(what, seconds=round(time.monotonic() - begun, 3), **answer)

    async def _done(self, job: bytes) -> dict[str, Any]:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", MODULE),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"POLARS_MAX_THREADS": "1", "PYTHONPATH": _path()},
            start_new_session=True,  # Ctrl-C is for the collector, which ends the child itself
        )
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        try:
            with suppress(OSError):  # it may be over, or we may not ask for that
                os.setpriority(os.PRIO_PROCESS, child.pid, _NICE)
            with suppress(OSError):  # it died: what it said is told below
                child.stdin.write(job)
                await child.stdin.drain()  # and left open: the child ends when it closes, so also with us
            async with asyncio.timeout(LONGEST_S):
                told, said = await asyncio.gather(_end_of(child.stdout), _end_of(child.stderr))
                await child.wait()
        except TimeoutError:
            return {"error": f"not done after {LONGEST_S:g} s: ended"}
        finally:
            child.stdin.close()
            await _over(child)
        answer = _answer(told)
        if answer is None or (child.returncode and "error" not in answer):
            last = said.decode(errors="replace").strip().rpartition("\n")[2]
            return {"error": last or f"ended with {child.returncode}"}
        return answer


def _path() -> str:
    """Where the child finds what we have found, however we were started, and nothing else: not what lies in
    the folder that we happen to be in.
    """
    return os.pathsep.join(os.path.abspath(one) for one in sys.path if os.pathsep not in one)


async def _end_of(stream: asyncio.StreamReader) -> bytes:
    """The last part of what a stream brings; the rest of a flood is not kept."""
    kept = b""
    while part := await stream.read(_KEPT_BYTES):
        kept = (kept + part)[-_KEPT_BYTES:]
    return kept


def _answer(told: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(told.strip().rpartition(b"\n")[2])
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


async def _over(child: asyncio.subprocess.Process) -> None:
    """See a child end, by force where it must be; what it left half done is not live."""
    if child.returncode is not None:
        return
    with suppress(ProcessLookupError):
        child.terminate()
        try:
            await asyncio.wait_for(child.wait(), _PATIENCE_S)
        except TimeoutError:
            child.kill()
            await child.wait()
