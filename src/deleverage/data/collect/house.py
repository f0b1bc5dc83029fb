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
        """Have one job done by a process of its own; it ends with us."""
        begun = time.monotonic()
        job = {"uri": self.place.uri, "options": dict(self.place.options), "what": what, **how}
        try:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", MODULE),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=os.environ | {"POLARS_MAX_THREADS": "1"},
                start_new_session=True,  # Ctrl-C is for the collector, which ends the child itself
            )
        except OSError as error:  # no memory for another process
            self.log(f"{what} failed", level="warning", error=str(error))
            return
        try:
            with suppress(OSError):  # it may be over, or we may not ask for that
                os.setpriority(os.PRIO_PROCESS, child.pid, _NICE)
            told, said = await child.communicate(json.dumps(job).encode())
        finally:
            await _over(child)
        answer = _answer(told)
        if child.returncode or answer is None or "error" in answer:
            text = (answer or {}).get("error") or said.decode(errors="replace").strip().rpartition("\n")[2]
            self.log(f"{what} failed", level="warning", error=text or f"ended with {child.returncode}")
            return
        self.log(what, seconds=round(time.monotonic() - begun, 3), **answer)


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
