"""How is a lake compacted and vacuumed in a process of its own?

    echo '{"uri": "lake", "options": {}, "what": "compact", "target_bytes": 4000000}' \\
        | python -m deleverage.data.lake.apart

A collector must not grow: what sorting some hundred megabytes takes goes back to the system when this process
ends, and where it fails nothing else does. The last line of stdout is JSON: what was done, or ``error``.
"""

from __future__ import annotations

import json
import sys
from typing import Any, TextIO

from deleverage.data.lake.store import Lake
from deleverage.errors import DeleverageError

MODULE = "deleverage.data.lake.apart"


def done(job: dict[str, Any]) -> dict[str, Any]:
    """Do one job: 'compact' with ``target_bytes``, or 'vacuum' with ``keep_hours`` [h].

    Returns
    -------
    dict
        ``files`` and ``bytes`` that were put together or deleted, and ``peak_mib``, the most memory that this
        process took [MiB].
    """
    lake = Lake.open(job["uri"], storage_options=job["options"])
    if job["what"] == "compact":
        made = lake.compact(target_bytes=job["target_bytes"])
        files, size = sum(one.files_before - one.files_after for one in made), sum(one.bytes for one in made)
    else:
        gone = lake.vacuum(keep_hours=job["keep_hours"])
        files, size = sum(one.files for one in gone), sum(one.bytes for one in gone)
    return {"files": files, "bytes": size, "peak_mib": round(_peak_mib(), 1)}


def _peak_mib() -> float:
    import resource  # POSIX only

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def main(given: TextIO, told: TextIO) -> int:
    """Read one job, do it, print one line of JSON."""
    try:
        answer, code = done(json.load(given)), 0
    except DeleverageError as error:
        answer, code = {"error": error.message}, 1
    except OSError as error:
        answer, code = {"error": str(error)}, 1
    print(json.dumps(answer), file=told, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.stdin, sys.stdout))
