"""How does a table stay quick to read, and who deletes what nobody needs any more?"""

from __future__ import annotations

import contextlib
import math
from typing import NamedTuple

from deleverage.data.lake.append import COMPACTED, LiveTable, Staged
from deleverage.data.lake.log import DataFile
from deleverage.errors import InputError

LEAST_KEEP_HOURS = 1.0
"""Files of a writer that is at work are not live yet: what is younger than that is never deleted."""
_FULL_SHARE = 0.5  # a file of at least this share of the target is left as it is


class Compacted(NamedTuple):
    """What `compact` did to one table: live files before and after, rows and bytes written anew."""

    table: str
    files_before: int
    files_after: int
    rows: int
    bytes: int


class Vacuumed(NamedTuple):
    """What `vacuum` deleted of one table, or would."""

    table: str
    files: int
    bytes: int


def compact(live: LiveTable, target_bytes: int) -> Compacted:
    """Put small files together, each new one sorted by time; readers and writers go on meanwhile."""
    if target_bytes < 1:
        raise InputError(f"expected a size of files above 0 bytes, found {target_bytes}", hint="leave it out")
    with live.lock:
        before = len(live.log.files) if live.log.refresh() else 0
        files = list(live.log.files.values()) if before else []
    rows = written = 0
    for group in _groups(files, target_bytes):
        # Written without the lock, so that appends of this process go on; swapped only if all are still live.
        staged = _together(live, group)
        done = live.swap(
            [one.file for one in staged], group, changes_data=False, still_right=lambda: True, note="compact"
        )
        if done:
            rows += sum(file.rows for file in group)
            written += sum(one.file.bytes for one in staged)
    with live.lock:
        after = len(live.log.files) if live.log.refresh() else 0
    return Compacted(live.table.name, before, after, rows, written)


def _groups(files: list[DataFile], target_bytes: int) -> list[list[DataFile]]:
    """Small files that become one: of one venue, next to each other in time, at least two."""
    small = sorted(
        (file for file in files if file.bytes < _FULL_SHARE * target_bytes),
        key=lambda file: (file.venue, file.first_ns or 0, file.path),
    )
    groups: list[list[DataFile]] = []
    size = 0
    for file in small:
        if not groups or groups[-1][0].venue != file.venue or size + file.bytes > target_bytes:
            groups.append([])
            size = 0
        groups[-1].append(file)
        size += file.bytes
    return [group for group in groups if len(group) > 1]


def _together(live: LiveTable, group: list[DataFile]) -> list[Staged]:
    return live.stage(live.rows_of(group), COMPACTED)


def vacuum(live: LiveTable, keep_hours: float, dry_run: bool) -> Vacuumed:
    """Delete files that have not been live for ``keep_hours`` [h]."""
    if keep_hours < LEAST_KEEP_HOURS:
        raise InputError(
            f"expected at least {LEAST_KEEP_HOURS:g} hours, since readers and writers may be at work, "
            f"found {keep_hours:g}",
            hint="give more hours",
        )
    with live.lock:
        if not live.log.refresh():
            return Vacuumed(live.table.name, 0, 0)
        hours = math.ceil(keep_hours)
        gone = live.log.delta.vacuum(hours, dry_run=True, enforce_retention_duration=False, full=True)
        folder = live.place.folder
        if folder is None:
            if gone and not dry_run:
                live.log.delta.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=True)
                live.log.refresh()
            return Vacuumed(live.table.name, len(gone), 0)
    # Deleted by us: delta-rs would commit that it has, and nothing would have that commit on the disk.
    size = 0
    for path in (folder / live.table.name / name for name in gone):
        with contextlib.suppress(FileNotFoundError):  # another vacuum was faster
            size += path.stat().st_size
            if not dry_run:
                path.unlink()
    return Vacuumed(live.table.name, len(gone), size)
