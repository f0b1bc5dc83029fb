"""How do rows become Parquet files, and how are they read again?"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from deleverage.data.lake.log import DataFile, DeltaLog, statistics
from deleverage.data.lake.place import Place
from deleverage.errors import DataError, SchemaError
from deleverage.schema import LAKE_TABLES, Table, conform, empty

if TYPE_CHECKING:
    import polars as pl

Value = str | float | int

DAMAGED_HINT = "get the file back from a copy, or import again into a new folder"

BY_VENUE = frozenset({"trades", "books", "best_quotes", "marks", "payloads"})
"""Large tables, mostly read for one venue: each of their files holds one venue."""


def declared(table_name: str) -> Table:
    """The declaration of a lake's table."""
    if table_name not in LAKE_TABLES:
        raise SchemaError(f"expected a table of {list(LAKE_TABLES)}, found '{table_name}'", table=table_name)
    return LAKE_TABLES[table_name]


def conformed(frame: pl.DataFrame, table: Table, source_id: str) -> pl.DataFrame:
    """``frame`` as declared; a missing source is ``source_id``, a missing receive time is not known.

    Rows may repeat a key here: the writer keeps the first and compares the others with it.
    """
    import polars as pl

    if "source" not in frame.columns:
        frame = frame.with_columns(pl.lit(source_id).alias("source"))
    if "received_ns" not in frame.columns:
        frame = frame.with_columns(pl.lit(None, dtype=pl.Int64).alias("received_ns"))
    return conform(frame, Table(table.name, table.columns, (), table.meaning))


def write_parts(log: DeltaLog, rows: pl.DataFrame, prefix: str) -> list[tuple[DataFile, pl.DataFrame]]:
    """Write rows beside the live files, one file a venue where the table asks for it; on disk when it
    returns.

    Nothing is live before a commit names the files.
    """
    import polars as pl

    if not rows.height:
        return []
    groups: list[tuple[str, pl.DataFrame]] = [("", rows)]
    if log.by_venue:
        venues = rows["venue"].unique().sort().to_list()
        groups = [(venue, rows.filter(pl.col("venue") == venue)) for venue in venues]
    return [(_write(log, frame.sort("time_ns"), venue, prefix), frame) for venue, frame in groups]


def _write(log: DeltaLog, frame: pl.DataFrame, venue: str, prefix: str) -> DataFile:
    import polars as pl

    folder = re.sub(r"[^A-Za-z0-9_.-]", "_", f"venue-{venue}") + "/" if log.by_venue else ""
    path = f"{folder}{prefix}-{secrets.token_hex(8)}.parquet"
    name = f"{log.table.name}/{path}"
    place = log.place
    if place.folder is not None:
        target = place.folder / name
        if not target.parent.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            place.to_disk(name.rpartition("/")[0])
        frame.write_parquet(target, compression="zstd", compression_level=1, statistics=True)
        place.to_disk(name)
        size = place.size(name)
    else:
        import io

        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd", compression_level=1, statistics=True)
        size = buffer.tell()
        try:
            frame.write_parquet(
                place.at(name),
                compression="zstd",
                compression_level=1,
                statistics=True,
                storage_options=dict(place.options) or None,
            )
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(
                f"expected to write a file of the table '{log.table.name}' into '{place.uri}', found: "
                f"{str(error).partition(chr(10))[0]}",
                hint="check address, rights and quota of the store; nothing of this write is live, and the "
                "same command can be repeated",
                table=log.table.name,
            ) from error
    first, last = cast(int, frame["time_ns"].min()), cast(int, frame["time_ns"].max())
    return DataFile(path, frame.height, size, first, last, venue, 0, statistics(frame, log.table))


def scan_files(place: Place, table: Table, files: Iterable[DataFile]) -> pl.LazyFrame:
    """Rows of files, columns as declared: one that was added to the table later is null in older files."""
    import polars as pl

    sources = [place.at(f"{table.name}/{file.path}") for file in files]
    if not sources:
        return empty(table).lazy()
    return pl.scan_parquet(
        sources,
        schema=dict(empty(table).schema),
        missing_columns="insert",
        extra_columns="ignore",
        hive_partitioning=False,
        glob=False,
        storage_options=dict(place.options) or None,
    ).select(table.names)


def read_files(
    place: Place,
    table: Table,
    files: Iterable[DataFile],
    *,
    start_ns: int | None = None,
    end_ns: int | None = None,
    where: Mapping[str, Value] | None = None,
    columns: Iterable[str] | None = None,
) -> pl.DataFrame:
    """Rows with start_ns ≤ time_ns ≤ end_ns [ns UTC] that equal ``where``, out of the files that may hold
    them.
    """
    import polars as pl

    condition = pl.lit(True)
    if start_ns is not None:
        condition &= pl.col("time_ns") >= start_ns
    if end_ns is not None:
        condition &= pl.col("time_ns") <= end_ns
    for name, value in (where or {}).items():
        condition &= pl.col(name) == typed(table, name, value)
    wanted_columns = known_columns(table, columns)
    wanted = [
        file
        for file in files
        if file.overlaps(start_ns, end_ns)
        and not (file.venue and (where or {}).get("venue", file.venue) != file.venue)
    ]
    found = scan_files(place, table, wanted).filter(condition).select(wanted_columns)
    rows = collected(found, place, table, wanted)
    for column in table.columns:
        # A column that was added to the schema is null in older files; this one may not be null.
        if not column.nullable and column.name in rows.columns and rows[column.name].null_count():
            raise DataError(
                f"expected '{column.name}' in every file of the table '{table.name}', found one without: "
                "another version of the program wrote it",
                hint="import again into a new folder",
                table=table.name,
                column=column.name,
            )
    return rows


def collected(rows: pl.LazyFrame, place: Place, table: Table, files: Iterable[DataFile]) -> pl.DataFrame:
    """The frame, or which file of the lake is gone or damaged."""
    import polars as pl

    try:
        return rows.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise (damaged(place, table, files) or _unreadable(place, table, error)) from error


def known_columns(table: Table, columns: Iterable[str] | None) -> list[str]:
    """Names of columns, each checked."""
    names = list(table.names if columns is None else columns)
    for name in names:
        _column(table, name)
    return names


def typed(table: Table, name: str, value: Value) -> Value:
    """``value`` if it is of the column's type."""
    dtype = _column(table, name)
    if (dtype == "String") != isinstance(value, str) or isinstance(value, bool) != (dtype == "Boolean"):
        raise SchemaError(
            f"column '{name}' of table '{table.name}' is {dtype}, found {value!r} for it",
            table=table.name,
            column=name,
        )
    return value


def _column(table: Table, name: str) -> str:
    for column in table.columns:
        if column.name == name:
            return column.dtype
    raise SchemaError(
        f"table '{table.name}' has columns {list(table.names)}, found '{name}'", table=table.name, column=name
    )


def damage(place: Place, table: Table, file: DataFile) -> str:
    """Why a live file cannot be read; '' where it can. Reads all of it: ask when something failed."""
    import polars as pl

    if place.folder is not None:
        path = place.folder / table.name / file.path
        if not path.exists():
            return "it is not there"
        if path.stat().st_size != file.bytes:
            return f"it has {path.stat().st_size:,} bytes instead of {file.bytes:,}"
    try:
        scan_files(place, table, [file]).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        said = str(error).partition("\n")[0]
        # Polars adds the path of another file here.
        return "it is not there" if place.folder is None and "404 Not Found" in said else said
    return ""


def damaged(place: Place, table: Table, files: Iterable[DataFile]) -> DataError | None:
    """Which of the files is damaged, as the error to raise; None where none is."""
    for file in files:
        if why := damage(place, table, file):
            name = f"{table.name}/{file.path}"
            return DataError(
                f"expected a readable file '{name}' in the lake '{place.uri}', found that it is not: {why}",
                hint=DAMAGED_HINT,
                file=name,
            )
    return None


def _unreadable(place: Place, table: Table, error: Exception) -> DataError:
    return DataError(
        f"expected readable files of the table '{table.name}' in '{place.uri}', found a damaged one: {error}",
        hint=DAMAGED_HINT,
        table=table.name,
    )
