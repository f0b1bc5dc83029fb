"""How do rows of several tables become live together, and what if the program is killed in between?

Rows are written beside the live files of their tables. Then one row of the table `imports` says which files
they are: that is the moment from which the import has happened. The tables take the files up one after the
other, each exactly once; whoever opens the lake before all have, finishes that first. So nobody reads half
an import.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypedDict

from deleverage.data.lake.append import Appended, Landing, LiveTable, Staged, told
from deleverage.data.lake.log import DataFile
from deleverage.data.lake.parts import conformed, declared
from deleverage.errors import DataError
from deleverage.schema import Table, column

if TYPE_CHECKING:
    import polars as pl

_BEGUN, _COMPLETE = "begun", "complete"

IMPORTS = Table(
    "imports",
    (
        column("time_ns", "Int64", "ns UTC", "when it was written"),
        column(
            "import_id",
            "String",
            "",
            "sha256 of the sources' names and bytes, and how many imports were before",
        ),
        column("state", "String", "", "'begun': it has happened; 'complete': every table has taken it up"),
        column("content", "String", "", "JSON: sources, and files by table"),
    ),
    ("import_id", "state"),
    "every import, and whether it is complete",
)


class Source(TypedDict):
    """One imported file: its path inside the data folder, and what was read from it."""

    path: str
    sha256: str
    bytes: int
    importer: str
    version: int
    rows: dict[str, int]


class Live(TypedDict):
    """What was imported before: for writers that must know."""

    sources: list[Source]


class ImportRecord(TypedDict):
    """One import: its id, when it happened [ns UTC], whether every table has taken it up, and its sources."""

    import_id: str
    time_ns: int
    complete: bool
    sources: list[Source]


@dataclass
class Journal:
    """The table of imports."""

    live: LiveTable
    _version: int = -2
    _rows: list[dict[str, Any]] = field(default_factory=list)

    def rows(self) -> list[dict[str, Any]]:
        """Every row, in order of time."""
        with self.live.lock:
            if not self.live.log.refresh():
                return []
            if self._version != self.live.log.version:
                frame = self.live.rows_of(list(self.live.log.files.values())).sort("time_ns")
                self._rows = frame.to_dicts()
                self._version = self.live.log.version
            return self._rows

    def pending(self) -> list[dict[str, Any]]:
        """Imports that have happened and that some table has perhaps not taken up."""
        rows = self.rows()
        complete = {row["import_id"] for row in rows if row["state"] == _COMPLETE}
        return [row for row in rows if row["state"] == _BEGUN and row["import_id"] not in complete]

    def records(self) -> list[ImportRecord]:
        """What a reader is told of imports."""
        rows = self.rows()
        complete = {row["import_id"] for row in rows if row["state"] == _COMPLETE}
        return [
            {
                "import_id": row["import_id"],
                "time_ns": row["time_ns"],
                "complete": row["import_id"] in complete,
                "sources": json.loads(row["content"])["sources"],
            }
            for row in rows
            if row["state"] == _BEGUN
        ]

    def sources(self) -> list[Source]:
        """Every imported file, in the order of the imports."""
        return [source for record in self.records() for source in record["sources"]]

    def write(self, import_id: str, state: str, content: dict[str, Any]) -> None:
        """Add a row."""
        import polars as pl

        row = {
            "time_ns": time.time_ns(),
            "import_id": import_id,
            "state": state,
            "content": json.dumps(content),
        }
        frame = pl.DataFrame([row], schema={c.name: getattr(pl, c.dtype) for c in IMPORTS.columns})
        self.live.append(frame, "", None, dedupe=False)


def settle(journal: Journal, table_of: Callable[[str], LiveTable]) -> None:
    """Finish imports that were interrupted after they had happened."""
    for row in journal.pending():
        finish(journal, table_of, row["import_id"], json.loads(row["content"])["parts"], {})


def finish(
    journal: Journal,
    table_of: Callable[[str], LiveTable],
    import_id: str,
    parts: dict[str, list[dict[str, Any]]],
    compared: dict[str, frozenset[str]],
) -> dict[str, int]:
    """Let every table take its files up; rows added by table.

    ``compared`` are the live files by table with which the rows were compared before.

    Two processes may do so at the same time: a table's transaction is committed once, and the other one sees
    it.
    """
    added = {}
    for name, files in parts.items():
        live = table_of(name)
        with live.lock:
            live.open()
            landing = Landing([Staged(DataFile(**file)) for file in files], compared.get(name, frozenset()))
            live.land(landing, import_id, 1)
            added[name] = landing.rows
    journal.write(import_id, _COMPLETE, {})
    return added


@dataclass
class Writer:
    """Stages rows beside the live ones; leaving the block without an error makes them live together."""

    journal: Journal
    table_of: Callable[[str], LiveTable]
    live: Live = field(init=False)
    staged: dict[str, list[DataFile]] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    compared: dict[str, frozenset[str]] = field(default_factory=dict)
    _import_id: str = ""

    def __enter__(self) -> Writer:
        self.live = {"sources": self.journal.sources()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._take_back()
            return
        try:
            self._commit()
        except BaseException:
            # Interrupted or refused: only the journal knows whether it has happened.
            if not any(record["import_id"] == self._import_id for record in self.journal.records()):
                self._take_back()
            raise

    def append(self, table_name: str, frame: pl.DataFrame, *, source_id: str = "") -> Appended:
        """Stage the rows whose key is neither live nor staged; the first row with a key stays."""
        table = declared(table_name)
        rows = conformed(frame, table, source_id)
        if rows.is_empty():
            return Appended(0)
        live = self.table_of(table_name)
        with live.lock:
            live.log.refresh()
            staged = self.staged.setdefault(table_name, [])
            novel = live.keys.novel(rows, [*live.log.files.values(), *staged])
            # Every batch was compared with these; those that come later are looked at before the commit.
            seen = frozenset(live.log.files)
            self.compared[table_name] = self.compared.get(table_name, seen) & seen
            for one in live.stage(novel.rows, "import"):
                staged.append(one.file)
                live.keys.remember(one.file, one.rows if one.rows is not None else novel.rows)
        return told(table, novel.rows.height, novel.repeated, novel.conflicts)

    def record(self, source: Source) -> None:
        """Note an imported file; the same path and bytes are noted once."""
        self.sources.append(source)

    def _commit(self) -> None:
        known = {(source["path"], source["sha256"]) for source in self.live["sources"]}
        fresh = [source for source in self.sources if (source["path"], source["sha256"]) not in known]
        parts = {name: [asdict(file) for file in files] for name, files in self.staged.items() if files}
        if not self.journal.live.log.refresh():
            self.journal.live.log.create()
        if not parts and not fresh:
            return
        for name, files in self.staged.items():
            for file in files:
                if not self.table_of(name).there(file):
                    raise DataError(
                        f"expected what this import has written, found that '{name}/{file.path}' is gone "
                        f"from '{self.journal.live.place.uri}'",
                        hint="nothing was imported; import again, and delete nothing meanwhile",
                        table=name,
                    )
        self._import_id = _identity(self.sources, len(self.journal.records()))
        self.journal.write(self._import_id, _BEGUN, {"sources": fresh, "parts": parts})
        finish(self.journal, self.table_of, self._import_id, parts, self.compared)

    def _take_back(self) -> None:
        for name, files in self.staged.items():
            live = self.table_of(name)
            live.place.remove(*(f"{name}/{file.path}" for file in files))
            live.keys.forget_all_but(live.log.files)


def _identity(sources: list[Source], before: int) -> str:
    """Name of an import: its content, and its number, since the same files may be imported again later."""
    import hashlib

    digest = hashlib.sha256()
    for source in sorted(sources, key=lambda one: (one["path"], one["sha256"])):
        digest.update(
            json.dumps([source["path"], source["sha256"], source["importer"], source["version"]]).encode()
        )
    return f"import:{digest.hexdigest()[:32]}:{before}"
