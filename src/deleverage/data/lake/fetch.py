"""How do rows of an object store come to this machine for a while, without the whole of them in memory?"""

from __future__ import annotations

import fcntl  # POSIX only
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from deleverage.data.lake.log import DataFile
from deleverage.data.lake.needs import Need
from deleverage.data.lake.parts import damaged, scan_files
from deleverage.data.lake.place import Place
from deleverage.errors import DataError, RunError
from deleverage.schema import LAKE_TABLES, Table

if TYPE_CHECKING:
    import polars as pl

Progress = Callable[[int, int, str], None]
"""Called with what is done, all of it, and what is being done."""

_PREFIX = "deleverage-sql-"
_LOCK = "lock"
_BATCH_BYTES = 128_000_000
_BATCH_FILES = 64
_TOLD_FROM_BYTES = 32_000_000
_SPARE_BYTES = 64_000_000


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is gone at the end, whatever that is; what killed processes have left goes first."""
    above = Path(tempfile.gettempdir())
    for left in above.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # nobody's folder, or another user's
            _remove_if_left(left)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with (folder / f"{_LOCK}.new").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            os.rename(folder / f"{_LOCK}.new", folder / _LOCK)  # from here on, others see whose it is
            yield folder


def _remove_if_left(folder: Path) -> None:
    with (folder / _LOCK).open("r") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)


def fetch(
    place: Place,
    live: Mapping[str, list[DataFile]],
    needed: Mapping[str, Need],
    folder: Path,
    progress: Progress | None = None,
) -> dict[str, list[str]]:
    """Bring what is needed of tables into a folder; Parquet files by table, rows in the order of the lake.

    Parameters
    ----------
    live : the live files of each table.
    progress : told of bytes of the lake's files, where they are many.

    Raises
    ------
    DataError
        a file is gone or damaged, or the store does not answer.
    RunError
        there is no room in the folder.
    """
    batches = [
        (LAKE_TABLES[name], need, batch)
        for name, need in needed.items()
        for batch in _batches([file for file in live[name] if need.takes(file)], need.rows)
    ]
    total = sum(file.bytes for _, _, batch in batches for file in batch)
    count = sum(len(batch) for _, _, batch in batches)
    names = ", ".join(dict.fromkeys(table.name for table, _, _ in batches))
    what = f"bringing up to {total / 1e6:,.0f} MB of {names} in {count:,} files from {place.uri}"
    tell = progress if progress is not None and total >= _TOLD_FROM_BYTES else _say_nothing
    done = 0
    tell(0, total, what)
    found: dict[str, list[str]] = {name: [] for name in needed}
    for table, need, batch in batches:
        size = sum(file.bytes for file in batch)
        _see_to_room(folder, size, place)
        path = folder / f"{table.name}-{len(found[table.name]):06}.parquet"
        _bring(place, table, need, batch, path)
        found[table.name].append(str(path))
        done += size
        tell(done, total, what)
    return found


def _say_nothing(done: int, total: int, what: str) -> None:
    pass


def _batches(files: list[DataFile], rows: int | None) -> Iterator[list[DataFile]]:
    """Files in their order, so many at a time; where only the first rows are needed, no more than hold
    them.
    """
    batch: list[DataFile] = []
    held = size = 0
    for file in files:
        if rows is not None and held >= rows:
            break
        if batch and (size + file.bytes > _BATCH_BYTES or len(batch) == _BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        held += file.rows
        size += file.bytes
    if batch:
        yield batch


def _bring(place: Place, table: Table, need: Need, files: list[DataFile], path: Path) -> None:
    import polars as pl

    # Where no column is needed, rows are only counted: any column will do.
    columns = [name for name in table.names if need.columns is None or name in need.columns]
    rows = scan_files(place, table, files).filter(_condition(need)).select(columns or table.names[:1])
    if need.rows is not None:
        rows = rows.head(need.rows)
    try:
        rows.sink_parquet(path, compression="zstd", compression_level=1, maintain_order=True)
    except (pl.exceptions.PolarsError, OSError) as error:
        if "os error 28" in str(error):  # told as what it is, a full disk
            raise
        raise (damaged(place, table, files) or _not_answering(place, table, error)) from error


def _condition(need: Need) -> pl.Expr:
    import polars as pl

    condition = pl.lit(True)
    if need.start_ns is not None:
        condition &= pl.col("time_ns") >= need.start_ns
    if need.end_ns is not None:
        condition &= pl.col("time_ns") <= need.end_ns
    if need.venues is not None:
        condition &= pl.col("venue").is_in(sorted(need.venues))
    return condition


def _see_to_room(folder: Path, size: int, place: Place) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + _SPARE_BYTES:
        raise RunError(
            f"expected room in '{folder.parent}' for {size / 1e6:,.0f} MB of '{place.uri}', found "
            f"{free / 1e6:,.0f} MB free",
            hint="ask for a shorter time, one venue or fewer columns, or name another folder: TMPDIR=FOLDER",
        )


def _not_answering(place: Place, table: Table, error: Exception) -> DataError:
    return DataError(
        f"expected to read the table '{table.name}' of '{place.uri}', found: "
        f"{str(error).strip().partition(chr(10))[0]}",
        hint="each of its files can be read now: repeat the command",
        table=table.name,
    )
