"""Where are the observed tables kept, so that nothing is lost, nothing is there twice and nothing is half
there?

A lake is a folder or a URL with one Delta table for each table of the schema, and one of imports (decision
0014).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from deleverage.data.figure import FigureQuery, Observation, one_figure
from deleverage.data.lake.append import Appended, Dedupe, LiveTable
from deleverage.data.lake.imports import IMPORTS, ImportRecord, Journal, Source, Writer, settle
from deleverage.data.lake.log import LOCKS
from deleverage.data.lake.parts import Value, conformed, declared, read_files, scan_files
from deleverage.data.lake.place import Place
from deleverage.data.lake.status import TableStatus, table_status
from deleverage.data.lock import LOCK, locked
from deleverage.errors import InputError, MissingDataError, SourceChanged
from deleverage.schema import LAKE_TABLES

if TYPE_CHECKING:
    import polars as pl

    from deleverage.data.lake.maintain import Compacted, Vacuumed
    from deleverage.data.lake.reparse import Reparse

MANIFEST = "manifest.json"
"""What lakes were committed with before they were Delta tables."""
IMPORT_HINT = "import the files that hold it: `deleverage import FOLDER --lake DIR`"


class Lake:
    """The tables of `schema.LAKE_TABLES`, kept in a folder or an object store.

    Safe to share between threads; processes open their own.
    """

    def __init__(self, folder: Path | str, *, storage_options: Mapping[str, str] | None = None) -> None:
        self.place = Place.of(folder, storage_options)
        self._tables: dict[str, LiveTable] = {}
        self._lock = RLock()
        self._journal = Journal(LiveTable(self.place, IMPORTS))

    @property
    def folder(self) -> Path:
        """The folder as a path, for messages also where it is a URL."""
        return self.place.folder or Path(self.place.uri)

    @classmethod
    def create(cls, folder: Path | str, *, storage_options: Mapping[str, str] | None = None) -> Lake:
        """An empty lake in ``folder``; a lake that is already there is opened as it is."""
        lake = cls(folder, storage_options=storage_options)
        if not lake.exists():
            with lake.write():
                pass
        return cls.open(folder, storage_options=storage_options)

    @classmethod
    def open(cls, folder: Path | str, *, storage_options: Mapping[str, str] | None = None) -> Lake:
        """The lake in ``folder``; an import that was interrupted there is finished first.

        Raises
        ------
        MissingDataError
            there is none.
        SourceChanged
            it is a lake of an earlier version.
        """
        lake = cls(folder, storage_options=storage_options)
        lake.settle()
        return lake

    def exists(self) -> bool:
        """Whether there is a lake.

        Raises
        ------
        SourceChanged
            it is a lake of an earlier version.
        """
        with self._journal.live.lock:
            found = self._journal.live.log.refresh()
        if not found and self.place.folder is not None and (self.place.folder / MANIFEST).is_file():
            raise SourceChanged(
                f"expected a lake of Delta tables, found one of an earlier version in '{self.place.uri}' "
                f"({MANIFEST})",
                hint="import the files again into a new folder: `deleverage import FILES --lake NEW`",
                folder=self.place.uri,
            )
        return found

    def settle(self) -> None:
        """See that there is a lake, and finish what an import that was killed has left to do."""
        if not self.exists():
            raise MissingDataError(
                f"there is no lake in '{self.place.uri}'", hint=IMPORT_HINT, folder=self.place.uri
            )
        if self._journal.pending():
            with self._lock:
                settle(self._journal, self.table)

    def table(self, name: str) -> LiveTable:
        """One table, for the parts of this room."""
        declared(name)
        with self._lock:
            if name not in self._tables:
                self._tables[name] = LiveTable(self.place, declared(name))
            return self._tables[name]

    @property
    def sources(self) -> list[Source]:
        """Every imported file with its sha256."""
        self.settle()
        return self._journal.sources()

    @property
    def imports(self) -> list[ImportRecord]:
        """Every import, and whether each table has taken it up."""
        self.settle()
        return self._journal.records()

    def append(
        self,
        table_name: str,
        frame: pl.DataFrame,
        *,
        source_id: str = "",
        app: str = "",
        sequence: int | None = None,
        dedupe: Dedupe = True,
    ) -> Appended:
        """Add rows in one transaction; when it returns they are on the disk.

        Parameters
        ----------
        table_name : a name of `schema.LAKE_TABLES`.
        frame : columns as declared; ``source`` and ``received_ns`` may be missing.
        source_id : value of a missing ``source``: where the rows come from.
        app, sequence : name of the writer and rising number of the batch: a number that is already
        committed, or a
            later one, writes nothing and gives ``replayed``. So a batch can be sent again after any
            interruption.
        dedupe : leave out rows whose key is in the table. Where the key has no time (`payloads`), rows of the
            same time are compared. 'shared' is for a writer that repeats no row by itself: rows are compared
            while others write rows of the same venues, and for ten minutes after.

        Raises
        ------
        SchemaError
            the frame is not as declared; nothing is written.
        DataError
            others wrote at each of many tries, or the table cannot be read or written.
        """
        table = declared(table_name)
        if (sequence is None) != (not app):
            raise InputError(
                f"expected a sequence number together with the name of the writer, found app={app!r}, "
                f"sequence={sequence}",
                hint="give both, or neither",
            )
        rows = conformed(frame, table, source_id)
        self.settle()
        return self.table(table_name).append(rows, app, sequence, dedupe)

    def committed(self, table_name: str, app: str) -> int | None:
        """Last sequence number that ``app`` has committed to a table; None where there is none."""
        self.settle()
        live = self.table(table_name)
        with live.lock:
            return live.log.sequence(app) if live.log.refresh() else None

    def newest(self, table_name: str) -> int | None:
        """The latest event time in a table [ns UTC], as its log states it; None in an empty one."""
        self.settle()
        live = self.table(table_name)
        with live.lock:
            files = list(live.log.files.values()) if live.log.refresh() else []
        return max((file.last_ns for file in files if file.last_ns is not None), default=None)

    def read(
        self,
        table_name: str,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        where: Mapping[str, Value] | None = None,
        columns: Iterable[str] | None = None,
    ) -> pl.DataFrame:
        """The rows with start_ns ≤ time_ns ≤ end_ns [ns UTC] that equal ``where``, sorted by the key."""
        self.settle()
        table, live = declared(table_name), self.table(table_name)
        with live.lock:
            files = list(live.log.files.values()) if live.log.refresh() else []
        wanted = None if columns is None else list(columns)
        needed = None if wanted is None else list(dict.fromkeys([*wanted, *table.key]))
        rows = read_files(
            self.place, table, files, start_ns=start_ns, end_ns=end_ns, where=where, columns=needed
        ).sort(table.key)
        return rows if wanted is None else rows.select(wanted)

    def scan(self, table_name: str) -> pl.LazyFrame:
        """The rows that are live now, read when they are collected; in no order."""
        self.settle()
        live = self.table(table_name)
        with live.lock:
            files = list(live.log.files.values()) if live.log.refresh() else []
        return scan_files(self.place, live.table, files)

    def sql(self, query: str, *, progress: Callable[[int, int, str], None] | None = None) -> pl.DataFrame:
        """The answer to one SELECT over the tables, in DuckDB's SQL; it can read the lake and nothing
        else.

        Parameters
        ----------
        progress : in an object store, told of bytes done, all bytes and what is brought, where that is much.

        Raises
        ------
        InputError
            the query is no single SELECT, does not parse, or reaches for something outside the lake.
        DataError
            a file that it needs is gone or damaged.
        RunError
            there is no room for what is brought out of an object store.
        """
        from deleverage.data.lake.query import answer

        self.settle()
        return answer(self, query, progress)

    def status(self) -> list[TableStatus]:
        """One row a table, in the order of the schema."""
        self.settle()
        return [table_status(self.table(name)) for name in LAKE_TABLES]

    def compact(self, table_name: str | None = None, *, target_bytes: int = 64_000_000) -> list[Compacted]:
        """Put small files together, sorted by time; the rows stay the same."""
        from deleverage.data.lake.maintain import compact

        self.settle()
        return [compact(self.table(name), target_bytes) for name in self._named(table_name)]

    def vacuum(
        self, table_name: str | None = None, *, keep_hours: float = 168.0, dry_run: bool = False
    ) -> list[Vacuumed]:
        """Delete files that have not been live for ``keep_hours`` [h], and what killed writers have left."""
        from deleverage.data.lake.maintain import vacuum

        self.settle()
        return [vacuum(self.table(name), keep_hours, dry_run) for name in self._named(table_name)]

    def check(
        self, table_name: str | None = None, *, start_ns: int | None = None, end_ns: int | None = None
    ) -> pl.DataFrame:
        """What is wrong with the rows: the table `schema.FINDINGS`, empty where nothing is found."""
        from deleverage.data.quality import check

        self.settle()
        return check(self, self._named(table_name), start_ns=start_ns, end_ns=end_ns)

    def reparse(
        self,
        venue: str,
        *,
        stream: str | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
        again: bool = False,
        dry_run: bool = False,
    ) -> Reparse:
        """Read stored messages of a venue again with the newest parser, and put its rows in place of older
        ones.

        Parameters
        ----------
        stream, start_ns, end_ns : only messages of that stream, received between these times [ns UTC].
        again : also messages that the newest parser has read.
        dry_run : only count.
        """
        from deleverage.data.lake.reparse import reparse

        self.settle()
        return reparse(
            self, venue, stream=stream, start_ns=start_ns, end_ns=end_ns, again=again, dry_run=dry_run
        )

    def figure(self, query: FigureQuery) -> Observation:
        """The one number that ``query`` asks for, with the file it comes from and its sha256."""
        return one_figure(self, query)

    @contextmanager
    def write(self, *, wait_s: float = 10.0) -> Iterator[Writer]:
        """What is appended inside the block becomes live at its end, in all tables; on any error nothing
        does.

        One import at a time in a folder; appends of others go on meanwhile.
        """
        folder = self.place.folder
        if folder is None:
            if self.exists():
                self.settle()
            with Writer(self._journal, self.table) as writer:
                yield writer
            return
        _require_ours(folder)
        made = not folder.exists()
        with locked(folder, wait_s):
            if present := self.exists():
                self.settle()
            try:
                with Writer(self._journal, self.table) as writer:
                    yield writer
            except BaseException:
                if not present and not self._journal.rows():
                    _leave_nothing(folder, made)
                raise

    def _named(self, table_name: str | None) -> list[str]:
        return list(LAKE_TABLES) if table_name is None else [declared(table_name).name]


def _require_ours(folder: Path) -> None:
    """A folder that holds anything else than a lake is not written into."""
    if folder.exists() and not folder.is_dir():
        raise InputError(
            f"expected a folder for the lake, found the file '{folder}'", hint="give another folder"
        )
    if (folder / IMPORTS.name).is_dir():
        return
    if folder.exists():
        known = {LOCK, MANIFEST, LOCKS, IMPORTS.name, *LAKE_TABLES}
        strange = sorted(path.name for path in folder.iterdir() if path.name not in known)
        if strange:
            raise InputError(
                f"expected an empty folder or a lake, found '{folder}' with {strange[:3]}",
                hint="give another folder for the lake",
            )


def _leave_nothing(folder: Path, made: bool) -> None:
    """Remove what a first write that failed has left; called while its lock is held."""
    for name in (*LAKE_TABLES, IMPORTS.name, LOCKS):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / LOCK).unlink(missing_ok=True)
    if made:
        with suppress(OSError):  # somebody put something there meanwhile: it stays
            folder.rmdir()
