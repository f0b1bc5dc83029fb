"""Where are the observed tables kept, so that an import is there whole or not at all?

A lake is a folder: `manifest.json` names the live Parquet parts of every table and every file that was
imported; replacing it is the one commit. A part that no manifest names was left by a killed writer: readers
never see it and the next writer sweeps it. Only this file knows that parts are Parquet.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, cast

from deleverage.data.figure import FigureQuery, Observation, one_figure
from deleverage.data.lock import LOCK, locked
from deleverage.errors import DataError, InputError, MissingDataError, SchemaError, SourceChanged
from deleverage.schema import LAKE_TABLES, Table, conform, empty

if TYPE_CHECKING:
    import polars as pl

MANIFEST = "manifest.json"
FORMAT = 1
IMPORT_HINT = "import the files that hold it: `deleverage import FOLDER --lake DIR`"


class Part(TypedDict):
    """One live Parquet file: its name inside the lake, rows, span [ns UTC] and size."""

    file: str
    rows: int
    first_ns: int
    last_ns: int
    bytes: int
    sha256: str


class Source(TypedDict):
    """One imported file: its path inside the data folder, and what was read from it."""

    path: str
    sha256: str
    bytes: int
    importer: str
    version: int
    rows: dict[str, int]


class Manifest(TypedDict):
    """What is live: the whole state of a lake."""

    format: int
    commit: int
    tables: dict[str, list[Part]]
    sources: list[Source]


class TableStatus(NamedTuple):
    """One line of `lake status`; first and last are ISO times, None in an empty table."""

    table: str
    rows: int
    first: str | None
    last: str | None
    bytes: int


class Lake:
    """The tables of `schema.LAKE_TABLES`, kept in a folder: open, append, read, status."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    @classmethod
    def create(cls, folder: Path) -> Lake:
        """An empty lake in ``folder``; a lake that is already there is opened as it is."""
        if not (Path(folder) / MANIFEST).exists():
            with cls(folder).write():
                pass
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> Lake:
        """The lake in ``folder``.

        Raises
        ------
        MissingDataError
            there is none.
        """
        lake = cls(folder)
        lake.manifest()
        return lake

    def manifest(self) -> Manifest:
        """What is live now."""
        path = self.folder / MANIFEST
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise MissingDataError(
                f"there is no lake in '{self.folder}'", hint=IMPORT_HINT, folder=str(self.folder)
            ) from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise SourceChanged(
                f"'{path}' is not a lake's manifest: {error}", hint="give another folder", file=str(path)
            ) from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise SourceChanged(
                f"'{path}' is not a manifest of format {FORMAT}",
                hint="give another folder, or import again into a new one",
                file=str(path),
            )
        return cast(Manifest, manifest)

    @property
    def sources(self) -> list[Source]:
        """Every imported file with its sha256."""
        return self.manifest()["sources"]

    def append(self, table_name: str, frame: pl.DataFrame, *, source_id: str) -> int:
        """Add the rows of ``frame`` whose key is new; return how many those are.

        Parameters
        ----------
        table_name : a name of `schema.LAKE_TABLES`.
        frame : columns as declared; a missing ``source`` column is filled with ``source_id``.
        source_id : where the rows come from, a path inside the data folder with '/'.

        Raises
        ------
        DataError
            a row has the key of an existing row and other values; nothing is written.
        """
        with self.write() as writer:
            added = writer.append(table_name, frame, source_id=source_id)
            if added.conflicts:
                raise DataError(
                    f"{source_id}: {added.conflicts} rows of '{table_name}' have the key of an existing row "
                    f"and other values, the first is {added.example}",
                    hint="rows in a lake are never overwritten: import into a new folder to replace them",
                    table=table_name,
                    conflicts=added.conflicts,
                )
        return added.rows

    def read(
        self,
        table_name: str,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        where: Mapping[str, str | float | int] | None = None,
    ) -> pl.DataFrame:
        """The rows with start_ns ≤ time_ns ≤ end_ns [ns UTC] that equal ``where``, sorted by the key."""
        table = declared(table_name)
        parts = self.manifest()["tables"].get(table_name, [])
        return _scan(self.folder, table, parts, start_ns, end_ns, where).sort(table.key)

    def status(self) -> list[TableStatus]:
        """One row a table, in the order of the schema."""
        tables = self.manifest()["tables"]
        return [_table_status(name, tables.get(name, [])) for name in LAKE_TABLES]

    def figure(self, query: FigureQuery) -> Observation:
        """The one number that ``query`` asks for, with the file it comes from and its sha256."""
        return one_figure(self, query)

    @contextmanager
    def write(self, *, wait_s: float = 10.0) -> Iterator[Writer]:
        """What is appended inside the block becomes live at its end, at once; on any error nothing does."""
        _require_ours(self.folder)
        made = not self.folder.exists()
        with locked(self.folder, wait_s):
            try:
                with Writer(self.folder) as writer:
                    yield writer
            except BaseException:
                if not (self.folder / MANIFEST).exists():
                    _leave_nothing(self.folder, made)
                raise


@dataclass(frozen=True)
class Appended:
    """What became of the rows of one append."""

    rows: int
    repeated: int
    conflicts: int
    example: str = ""
    files: tuple[str, ...] = ()


@dataclass
class Writer:
    """Stages parts beside the live ones; leaving the block without an error commits them."""

    folder: Path
    live: Manifest = field(init=False)
    staged: dict[str, list[Part]] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)

    def __enter__(self) -> Writer:
        if (self.folder / MANIFEST).exists():
            self.live = Lake(self.folder).manifest()
        else:
            self.live = {"format": FORMAT, "commit": -1, "tables": {}, "sources": []}
        self._sweep(keep={part["file"] for parts in self.live["tables"].values() for part in parts})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._commit()
        else:
            self._sweep(keep={part["file"] for parts in self.live["tables"].values() for part in parts})

    def append(self, table_name: str, frame: pl.DataFrame, *, source_id: str = "") -> Appended:
        """Stage the rows whose key is neither live nor staged; the first row with a key stays."""
        import polars as pl

        table = declared(table_name)
        if "source" not in frame.columns:
            frame = frame.with_columns(pl.lit(source_id).alias("source"))
        if "received_ns" not in frame.columns:
            frame = frame.with_columns(pl.lit(None, dtype=pl.Int64).alias("received_ns"))
        frame = _conform_repeating(frame, table)
        if frame.is_empty():
            return Appended(0, 0, 0)
        times = frame["time_ns"]
        parts = self.live["tables"].get(table_name, []) + self.staged.get(table_name, [])
        present = _scan(self.folder, table, parts, cast(int, times.min()), cast(int, times.max()), None)
        both = pl.concat([present.with_columns(_new=False), frame.with_columns(_new=True)])
        first = both.unique(subset=list(table.key), keep="first", maintain_order=True)
        novel = first.filter("_new").drop("_new")
        conflicts = _conflicts(frame, first.drop("_new"), table)
        if novel.height:
            self._stage(table, novel.sort(table.key))
        example = _example(conflicts.row(0, named=True), table) if conflicts.height else ""
        files = tuple(conflicts["source"].unique().sort().to_list())
        return Appended(novel.height, frame.height - novel.height, conflicts.height, example, files)

    def record(self, source: Source) -> None:
        """Note an imported file; the same path and bytes are noted once."""
        self.sources.append(source)

    def _stage(self, table: Table, rows: pl.DataFrame) -> None:
        number = len(self.staged.setdefault(table.name, []))
        name = f"{table.name}/{self.live['commit'] + 1:06d}-{number:03d}.parquet"
        target = self.folder / name
        target.parent.mkdir(exist_ok=True)
        temporary = target.with_suffix(".tmp")
        rows.write_parquet(temporary, compression="zstd", statistics=True)
        _to_disk(temporary)
        temporary.rename(target)
        _to_disk(target.parent)
        times = rows["time_ns"]
        self.staged[table.name].append(
            {
                "file": name,
                "rows": rows.height,
                "first_ns": cast(int, times.min()),
                "last_ns": cast(int, times.max()),
                "bytes": target.stat().st_size,
                "sha256": sha256_of(target),
            }
        )

    def _commit(self) -> None:
        known = {(source["path"], source["sha256"]) for source in self.live["sources"]}
        fresh = [source for source in self.sources if (source["path"], source["sha256"]) not in known]
        if not self.staged and not fresh and self.live["commit"] >= 0:
            return
        names = list(dict.fromkeys([*self.live["tables"], *self.staged]))
        manifest: Manifest = {
            "format": FORMAT,
            "commit": self.live["commit"] + 1,
            "tables": {n: self.live["tables"].get(n, []) + self.staged.get(n, []) for n in sorted(names)},
            "sources": self.live["sources"] + fresh,
        }
        temporary = self.folder / f"{MANIFEST}.tmp"
        temporary.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        _to_disk(temporary)
        os.replace(
            temporary, self.folder / MANIFEST
        )  # the commit: before it nothing changed, after it all did
        _to_disk(self.folder)

    def _sweep(self, keep: set[str]) -> None:
        for table in LAKE_TABLES:
            for path in (self.folder / table).glob("*"):
                if f"{table}/{path.name}" not in keep and path.suffix in (".parquet", ".tmp"):
                    path.unlink(missing_ok=True)
        (self.folder / f"{MANIFEST}.tmp").unlink(missing_ok=True)


def declared(table_name: str) -> Table:
    """The declaration of a lake's table."""
    if table_name not in LAKE_TABLES:
        raise SchemaError(f"expected a table of {list(LAKE_TABLES)}, found '{table_name}'", table=table_name)
    return LAKE_TABLES[table_name]


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


def _scan(
    folder: Path,
    table: Table,
    parts: list[Part],
    start_ns: int | None,
    end_ns: int | None,
    where: Mapping[str, str | float | int] | None,
) -> pl.DataFrame:
    import polars as pl

    wanted = [
        part
        for part in parts
        if (start_ns is None or part["last_ns"] >= start_ns)
        and (end_ns is None or part["first_ns"] <= end_ns)
    ]
    condition = pl.lit(True)
    if start_ns is not None:
        condition &= pl.col("time_ns") >= start_ns
    if end_ns is not None:
        condition &= pl.col("time_ns") <= end_ns
    for name, value in (where or {}).items():
        condition &= pl.col(name) == _typed(table, name, value)
    frames = [empty(table)]
    for part in wanted:
        path = folder / part["file"]
        if not path.exists():
            raise DataError(
                f"the lake's manifest names '{part['file']}', which is not in '{folder}'",
                hint="import again into a new folder",
                file=part["file"],
            )
        try:
            frame = pl.scan_parquet(path).filter(condition).collect()
        except (pl.exceptions.ComputeError, OSError) as error:
            raise DataError(
                f"expected a readable part of the lake in '{part['file']}', found a damaged file: {error}",
                hint="import again into a new folder",
                file=part["file"],
            ) from error
        if tuple(frame.columns) != table.names:
            raise DataError(
                f"expected the columns {list(table.names)} in '{part['file']}', found {frame.columns}: "
                "another version of the program wrote it",
                hint="import again into a new folder",
                file=part["file"],
            )
        frames.append(frame)
    return pl.concat(frames)


def _typed(table: Table, name: str, value: str | float | int) -> str | float | int:
    for column in table.columns:
        if column.name != name:
            continue
        text = column.dtype == "String"
        if text != isinstance(value, str) or isinstance(value, bool):
            raise SchemaError(
                f"column '{name}' of table '{table.name}' is {column.dtype}, found {value!r} for it",
                table=table.name,
                column=name,
            )
        return value
    raise SchemaError(
        f"table '{table.name}' has columns {list(table.names)}, found '{name}'", table=table.name, column=name
    )


def _conform_repeating(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """``conform``, but rows may repeat a key: the writer keeps the first and compares the others with it."""
    return conform(frame, Table(table.name, table.columns, (), table.meaning))


def _conflicts(frame: pl.DataFrame, first: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Rows of ``frame`` whose values are not those of the first row with their key."""
    import polars as pl

    values = [c for c in table.columns if c.name not in table.key and c.name != "source"]
    pairs = frame.join(first, on=list(table.key), how="inner", suffix="_first", maintain_order="left")
    differs = pl.lit(False)
    for column in values:
        one, other = pl.col(column.name), pl.col(f"{column.name}_first")
        differs |= _unlike(one, other, column.dtype)
    return pairs.filter(differs).select(
        [*table.key, *(v for c in values for v in (c.name, f"{c.name}_first")), "source"]
    )


def _example(row: dict[str, Any], table: Table) -> str:
    """One conflicting row in words: its key, and the first column that differs with both values."""
    key = ", ".join(str(row[name]) for name in table.key if name != "time_ns")
    for column in table.columns:
        mine, first = row.get(column.name), row.get(f"{column.name}_first")
        if f"{column.name}_first" in row and mine != first:
            return f"{iso(row['time_ns'])} {key}: {column.name} {mine}, earlier {first}"
    return f"{iso(row['time_ns'])} {key}"


def _unlike(one: pl.Expr, other: pl.Expr, dtype: str) -> pl.Expr:
    # The same observation printed with another number of digits differs by less than 1e-9 of it.
    same = one.eq_missing(other)
    if dtype == "Float64":
        same = same | ((one - other).abs() <= 1e-9 * other.abs()).fill_null(False)
    return ~same


def _table_status(name: str, parts: list[Part]) -> TableStatus:
    first = min((part["first_ns"] for part in parts), default=None)
    last = max((part["last_ns"] for part in parts), default=None)
    return TableStatus(
        name,
        sum(part["rows"] for part in parts),
        None if first is None else iso(first),
        None if last is None else iso(last),
        sum(part["bytes"] for part in parts),
    )


def _require_ours(folder: Path) -> None:
    """A folder that holds anything else than a lake is not written into."""
    if folder.exists() and not folder.is_dir():
        raise InputError(
            f"expected a folder for the lake, found the file '{folder}'", hint="give another folder"
        )
    if folder.exists() and not (folder / MANIFEST).exists():
        known = {LOCK, f"{MANIFEST}.tmp", *LAKE_TABLES}
        strange = sorted(path.name for path in folder.iterdir() if path.name not in known)
        if strange:
            raise InputError(
                f"expected an empty folder or a lake, found '{folder}' with {strange[:3]}",
                hint="give another folder for the lake",
            )


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _leave_nothing(folder: Path, made: bool) -> None:
    """Remove what a first write that failed has left; called while its lock is held."""
    for table in LAKE_TABLES:
        shutil.rmtree(folder / table, ignore_errors=True)
    (folder / f"{MANIFEST}.tmp").unlink(missing_ok=True)
    (folder / LOCK).unlink(missing_ok=True)
    if made:
        with suppress(OSError):  # somebody put something there meanwhile: it stays
            folder.rmdir()
