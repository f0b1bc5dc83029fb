"""How are rows added to one table exactly once, while others write into it?

The rows whose key is new are written beside the live files; then the table must still be as it was looked
at, or what came since is looked at too. Parquet is written again only where another writer brought the same
key.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Literal

from deleverage.data.lake.keys import KeyMemory, Novel, example
from deleverage.data.lake.log import Conflict, DataFile, DeltaLog
from deleverage.data.lake.parts import BY_VENUE, read_files, write_parts
from deleverage.data.lake.place import Place
from deleverage.errors import DataError
from deleverage.schema import Table

if TYPE_CHECKING:
    import polars as pl

_TRIES = 200
_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 1.0
_OTHERS_MS = 600_000
"""So long after a file of another writer, rows may repeat some of it."""

COMPACTED = "compact"
"""How files begin in which compaction has put rows together."""

Dedupe = bool | Literal["shared"]
"""Whether rows are compared with what is there; 'shared': only while others write rows of the same venues."""


@dataclass(frozen=True)
class Appended:
    """What became of the rows of one append.

    Parameters
    ----------
    rows : added.
    repeated : left out, since their key was there.
    conflicts : of these, with other values; the earlier row stays.
    example, files : the first of them in words, and their sources.
    replayed : the transaction was committed before; nothing was written.
    """

    rows: int
    repeated: int = 0
    conflicts: int = 0
    example: str = ""
    files: tuple[str, ...] = ()
    replayed: bool = False


def told(table: Table, rows: int, repeated: int, *conflicts: pl.DataFrame | None) -> Appended:
    """What a caller is told of rows that were compared with the table."""
    found = [frame for frame in conflicts if frame is not None and frame.height]
    return Appended(
        rows,
        repeated,
        sum(frame.height for frame in found),
        example(found[0].row(0, named=True), table) if found else "",
        tuple(sorted({source for frame in found for source in frame["source"]})),
    )


@dataclass
class Staged:
    """A file that is not live yet, and its rows while they are at hand."""

    file: DataFile
    rows: pl.DataFrame | None = None


@dataclass
class Landing:
    """What happens on the way to the commit of staged files."""

    staged: list[Staged]
    compared: frozenset[str]
    rows: int = 0
    repeated: int = 0
    conflicts: list[pl.DataFrame] = field(default_factory=list)
    made: list[DataFile] = field(default_factory=list)
    replaced: list[DataFile] = field(default_factory=list)
    replayed: bool = False


@dataclass
class LiveTable:
    """One table of a lake for one process: its log, the keys it remembers, and whose turn it is."""

    place: Place
    table: Table
    log: DeltaLog = field(init=False)
    keys: KeyMemory = field(init=False)
    lock: RLock = field(default_factory=RLock)
    _own: set[str] = field(default_factory=set)
    _seen: dict[str, DataFile] | None = None
    _others: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.log = DeltaLog(self.place, self.table, self.table.name in BY_VENUE)
        self.keys = KeyMemory(self.place, self.table)

    def open(self) -> None:
        """See what is live; make the table where there is none."""
        if not self.log.refresh():
            self.log.create()

    def append(self, rows: pl.DataFrame, app: str, sequence: int | None, dedupe: Dedupe) -> Appended:
        """Add the new ones of ``rows`` (as declared) in one transaction."""
        with self.lock:
            self.open()
            if self.committed(app, sequence):
                return Appended(0, replayed=True)
            novel = Novel(rows, 0, None)
            compared = frozenset(self.log.files)
            if dedupe == "shared" and self._others_write(_venues([rows])):
                dedupe = True
            if dedupe is True and rows.height:
                novel = self.keys.novel(rows, self.log.files.values())
            if not novel.rows.height and sequence is None:
                return told(self.table, 0, novel.repeated, novel.conflicts)
            landing = Landing(self.stage(novel.rows), compared, repeated=novel.repeated)
            landing.made = [one.file for one in landing.staged]
            if novel.conflicts is not None:
                landing.conflicts.append(novel.conflicts)
            self.land(landing, app, sequence, dedupe=dedupe)
            if landing.replayed:
                return Appended(0, replayed=True)
            return told(self.table, landing.rows, landing.repeated, *landing.conflicts)

    def stage(self, rows: pl.DataFrame, prefix: str = "part") -> list[Staged]:
        """Write rows to files that are not live yet."""
        return [Staged(*written) for written in write_parts(self.log, rows, prefix)]

    def land(self, landing: Landing, app: str, sequence: int | None, *, dedupe: Dedupe = True) -> None:
        """Make staged files live in one transaction, less the rows that others have brought meanwhile.

        Files that this landing made are removed when they do not become live; those that were given stay,
        since another process may be at the same.
        """
        venues = _venues([one.rows for one in landing.staged]) if dedupe == "shared" else set()
        try:
            for attempt in range(_TRIES):
                with self.log.turn():
                    self.log.refresh()
                    if landing.staged and all(one.file.path in self.log.files for one in landing.staged):
                        break  # a try that seemed to fail had been committed
                    if self.committed(app, sequence):
                        landing.replayed = True
                        self.take_back(landing.made)
                        return
                    if dedupe == "shared" and self._others_write(venues):
                        dedupe, landing.compared = True, frozenset()
                    if dedupe is True:
                        self._compare(landing)
                    self._written_again(landing)
                    if not landing.staged and sequence is None:
                        return
                    try:
                        self.log.commit([one.file for one in landing.staged], app=app, sequence=sequence)
                        break
                    except Conflict:
                        pass
                pause(attempt)
            else:
                raise busy(self.table, self.place)
        except BaseException:
            self.take_back(landing.made)
            raise
        self.take_back(landing.replaced)
        landing.rows = sum(one.file.rows for one in landing.staged)
        self._seen = dict(self.log.files)
        self._own = {path for path in self._own if path in self.log.files}
        for one in landing.staged:
            self._own.add(one.file.path)
            if one.rows is not None and dedupe is True:
                self.keys.remember(one.file, one.rows)
        self.keys.forget_all_but(self.log.files)

    def _others_write(self, venues: set[str]) -> bool:
        """Whether another writer added rows of these venues a short while ago.

        Compaction adds none, unless there are more rows in its files than it has put together of those that
        were live when we last looked.
        """
        now_ms = time.time_ns() // 1_000_000
        seen, brought = self._seen or {}, dict.fromkeys(venues, 0)
        for path, file in self.log.files.items():
            if path in seen or path in self._own or file.written_ms < now_ms - _OTHERS_MS:
                continue
            put_together = self._seen is not None and path.rpartition("/")[2].startswith(COMPACTED)
            for venue in venues & {file.venue} if file.venue else venues:
                if put_together:
                    brought[venue] += file.rows
                else:
                    self._others[venue] = max(file.written_ms, self._others.get(venue, 0))
        gone = [file for path, file in seen.items() if path not in self.log.files]
        for venue, rows in brought.items():
            if rows > sum(file.rows for file in gone if file.venue in ("", venue)):
                self._others[venue] = now_ms
        return any(self._others.get(venue, 0) > now_ms - _OTHERS_MS for venue in venues)

    def _compare(self, landing: Landing) -> None:
        """Drop staged rows whose key is in a live file that they were not yet compared with."""
        unseen = [file for path, file in self.log.files.items() if path not in landing.compared]
        kept: list[Staged] = []
        for one in landing.staged:
            others = [file for file in unseen if file.overlaps(one.file.first_ns, one.file.last_ns)]
            if not others:
                kept.append(one)
                continue
            rows = one.rows if one.rows is not None else self.rows_of([one.file])
            novel = self.keys.novel(rows, others)
            landing.repeated += novel.repeated
            if novel.conflicts is not None:
                landing.conflicts.append(novel.conflicts)
            if novel.rows.height == rows.height:
                kept.append(one)
                continue
            landing.replaced.append(one.file)
            fresh = self.stage(novel.rows)
            landing.made += [new.file for new in fresh]
            kept += fresh
        landing.staged = kept
        landing.compared |= frozenset(self.log.files)

    def _written_again(self, landing: Landing) -> None:
        """Who slept for hours may find that `vacuum` took its files for those of a killed writer."""
        for number, one in enumerate(landing.staged):
            if one.rows is not None and not self.there(one.file):
                (fresh,) = self.stage(one.rows)
                landing.made.append(fresh.file)
                landing.staged[number] = fresh

    def there(self, file: DataFile) -> bool:
        """Whether a file that is not live yet is still there; always in an object store."""
        return self.place.folder is None or (self.place.folder / self.table.name / file.path).exists()

    def swap(
        self,
        add: list[DataFile],
        remove: list[DataFile],
        *,
        changes_data: bool,
        still_right: Callable[[], bool],
        note: str,
    ) -> bool:
        """Replace files by others in one step; False, and nothing done, where ``still_right`` denies it by
        then.
        """
        with self.lock:
            try:
                for attempt in range(_TRIES):
                    with self.log.turn():
                        self.log.refresh()
                        gone = any(file.path not in self.log.files for file in remove)
                        if gone or not all(self.there(file) for file in add) or not still_right():
                            self.take_back(add)
                            return False
                        try:
                            self.log.commit(add, remove, changes_data=changes_data, note=note)
                            self.keys.forget_all_but(self.log.files)
                            return True
                        except Conflict:
                            pass
                    pause(attempt)
            except BaseException:
                self.take_back(add)
                raise
            self.take_back(add)
            raise busy(self.table, self.place)

    def rows_of(self, parts: list[DataFile]) -> pl.DataFrame:
        """Rows of files, live or not."""
        return read_files(self.place, self.table, parts)

    def committed(self, app: str, sequence: int | None) -> bool:
        """Whether that transaction is in the table, as of the last refresh."""
        # delta-rs commits a sequence again without a word: looking is ours.
        last = self.log.sequence(app) if sequence is not None else None
        return last is not None and sequence is not None and sequence <= last

    def take_back(self, parts: list[DataFile]) -> None:
        """Remove files that did not become live; after a commit that was interrupted, some may have."""
        try:
            self.log.refresh()
        except DataError:
            return  # nobody can tell now: they stay until `vacuum`
        gone = [file for file in parts if file.path not in self.log.files]
        self.place.remove(*(f"{self.table.name}/{file.path}" for file in gone))


def _venues(frames: Iterable[pl.DataFrame | None]) -> set[str]:
    """Whose rows these are."""
    return {venue for frame in frames if frame is not None for venue in frame["venue"].unique()}


def pause(attempt: int) -> None:
    """Wait before another try, longer each time, and not in step with the others."""
    time.sleep(random.uniform(0.5, 1.0) * min(_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S))


def busy(table: Table, place: Place) -> DataError:
    """Too many others write."""
    return DataError(
        f"table '{table.name}' in '{place.uri}' was changed by others at each of {_TRIES} tries to add to it",
        hint="try again when fewer writers are at work; collect larger batches",
        table=table.name,
    )
