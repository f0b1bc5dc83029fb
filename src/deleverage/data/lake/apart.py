"""How is a lake compacted and vacuumed in a process of its own?

    echo '{"uri": "lake", "options": {}, "what": "compact", "target_bytes": 4000000}' \\
        | python -m deleverage.data.lake.apart

A collector must not grow: what sorting some hundred megabytes takes goes back to the system when this process
ends, and where it fails nothing else does. The last line of stdout is JSON: what was done, or ``error``.
"""

from __future__ import annotations

import json
import os
import sys
from threading import Thread
from typing import Any, TextIO

from deleverage.data.lake.store import Lake
from deleverage.errors import DeleverageError
from deleverage.schema import LAKE_TABLES

MODULE = "deleverage.data.lake.apart"


def done(job: dict[str, Any]) -> dict[str, Any]:
    """Do one job: 'compact' with ``target_bytes``, or 'vacuum' with ``keep_hours`` [h].

    Returns
    -------
    dict
        ``files`` and ``bytes`` that were put together or deleted, and ``peak_mib``, the most memory that this
        process took [MiB]; ``error`` of the tables where it failed.
    """
    lake = Lake.open(job["uri"], storage_options=job["options"])
    files = size = 0
    failed: list[str] = []
    for table in LAKE_TABLES:
        try:
            if job["what"] == "compact":
                for made in lake.compact(table, target_bytes=job["target_bytes"]):
                    files, size = files + made.files_before - made.files_after, size + made.bytes
            else:
                for gone in lake.vacuum(table, keep_hours=job["keep_hours"]):
                    files, size = files + gone.files, size + (gone.bytes or 0)
        except (DeleverageError, OSError) as error:  # one damaged table is no reason to leave the others
            failed.append(error.message if isinstance(error, DeleverageError) else str(error))
    answer: dict[str, Any] = {"files": files, "bytes": size, "peak_mib": round(_peak_mib(), 1)}
    return {"error": "; ".join(failed), **answer} if failed else answer


def _peak_mib() -> float:
    import resource  # POSIX only

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def main(given: TextIO, told: TextIO) -> int:
    """Read one job, a line, do it, print one line of JSON; with ``watched``, end when the pipe closes."""
    job = json.loads(given.readline())
    if job.get("watched"):
        Thread(target=_end_with, args=(given.fileno(),), daemon=True).start()
    try:
        answer, code = done(job), 0
    except DeleverageError as error:
        answer, code = {"error": error.message}, 1
    except OSError as error:
        answer, code = {"error": str(error)}, 1
    print(json.dumps(answer), file=told, flush=True)
    return code


def _end_with(handle: int) -> None:
    """End when whoever gave the job closes the pipe, so also when it is killed; nothing half done is live."""
    while os.read(handle, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.stdin, sys.stdout))
