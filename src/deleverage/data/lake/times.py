"""Event times as text, and checksums of files."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path


def iso(time_ns: int) -> str:
    """An event time [ns UTC] as text, '2025-10-10T20:00:00Z'; nanoseconds below the microsecond are cut."""
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).replace(
        microsecond=time_ns % 1_000_000_000 // 1000
    )
    return moment.isoformat().replace("+00:00", "Z")


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
