"""How does a table stay quick to read, and who deletes what nobody needs any more?"""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import NamedTuple

from deleverage.data.lake.append import COMPACTED, LiveTable, Staged
from deleverage.data.lake.log import DataFile
from deleverage.data.lock import LOCK
from deleverage.errors import DataError, InputError

LEAST_KEEP_HOURS = 1.0
"""Files of a writer that is at work are not live yet: what is younger than that is never deleted."""
_LONGEST_IMPORT_HOURS = 24.0
_TRIES = 5
_FULL_SHARE = 0.5  # a file of at least this share of the target is left as it is


class Compacted(NamedTuple):
    """What `compact` did to one table: live files before and after, rows and bytes written anew."""

    table: str
    files_before: int
    files_after: int
    rows: int
    bytes: int


class Vacuumed(NamedTuple):
    """What `vacuum` deleted of one table, or would; bytes are None in an object store: nobody asked it."""

    table: str
    files: int
    bytes: int | None


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
    """Delete files that have not been live for ``keep_hours`` [h]; none of an import that goes on."""
    if keep_hours < LEAST_KEEP_HOURS:
        raise InputError(
            f"expected at least {LEAST_KEEP_HOURS:g} hours, since readers and writers may be at work, "
            f"found {keep_hours:g}",
            hint="give more hours",
        )
    with live.lock:
        if not live.log.refresh():
            return Vacuumed(live.table.name, 0, 0)
        folder, hours = live.place.folder, math.ceil(keep_hours)
        # In a store nobody can tell whose files are not live yet: they stay for whoever keeps files longer.
        whole = folder is not None or keep_hours >= _LONGEST_IMPORT_HOURS
        gone = _told(live, hours, whole=whole, dry_run=True)
        if folder is None:
            if gone and not dry_run:
                _told(live, hours, whole=whole, dry_run=False)
                live.log.refresh()
            return Vacuumed(live.table.name, len(gone), None)
        if _importing(folder):
            gone = [name for name in gone if not name.rpartition("/")[2].startswith("import-")]
        if dry_run:
            return Vacuumed(live.table.name, *_deleted(folder / live.table.name, gone, dry_run=True))
        # A writer that slept for hours makes its files live in its turn, if they are still there.
        with live.log.turn() as ours:
            if not ours:
                return Vacuumed(live.table.name, 0, 0)
            live.log.refresh()
            gone = [name for name in gone if name not in live.log.files]
            return Vacuumed(live.table.name, *_deleted(folder / live.table.name, gone, dry_run=False))


def _told(live: LiveTable, hours: int, *, whole: bool, dry_run: bool) -> list[str]:
    """What delta-rs deletes, or would: what it removed, and with ``whole`` what it does not know either."""
    from deltalake.exceptions import DeltaError

    for attempt in range(_TRIES):
        try:
            return live.log.delta.vacuum(hours, dry_run=dry_run, enforce_retention_duration=False, full=whole)
        except DeltaError as error:  # the log was cleaned up, or files went, while it looked
            if attempt == _TRIES - 1:
                raise DataError(
                    f"expected to list what can be deleted of the table '{live.table.name}' in "
                    f"'{live.place.uri}', found: {str(error).partition(chr(10))[0]}",
                    hint="try again when fewer writers are at work",
                    table=live.table.name,
                ) from error
            live.log.refresh()
    return []


def _importing(folder: Path) -> bool:
    """Whether an import is at work: what it has written is not live before its end, be that days later."""
    import fcntl  # POSIX only

    try:
        with (folder / LOCK).open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _deleted(folder: Path, names: list[str], *, dry_run: bool) -> tuple[int, int]:
    """Files and bytes; deleted by us: delta-rs would commit that it has, and have that not on the disk."""
    files = size = 0
    for path in (folder / name for name in names):
        with contextlib.suppress(FileNotFoundError):  # another vacuum was faster
            found = path.stat().st_size
            if not dry_run:
                path.unlink()
            files, size = files + 1, size + found
    return files, size
