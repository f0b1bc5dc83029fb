"""How are the bytes of a file read, unpacked where it is packed, without trusting what it says of itself?

A packed file is read as a stream and given up as soon as it is larger than the limits; an archive inside
an archive
and a member whose name leads out of the archive are refused.
"""

from __future__ import annotations

import gzip
import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

from deleverage.data.importers.base import SourceFile, refusal
from deleverage.errors import InputError, SourceChanged

if TYPE_CHECKING:
    import polars as pl

MAX_BYTES = 4 * 1024**3  # a month of trades of the busiest contract unpacks to less
MAX_RATIO = 250  # deflate cannot pack prices below a few percent; a bomb reaches 1,000
_RATIO_FROM = 8 * 1024**2  # small files may repeat themselves
_CHUNK = 1024**2
_HEAD_BYTES = 8192
_PACKED = (b"PK\x03\x04", b"\x1f\x8b")
_UNREADABLE = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, OSError, NotImplementedError)


def read(source: SourceFile) -> bytes:
    """Every byte, unpacked.

    Raises
    ------
    SourceChanged
        it does not unpack: cut off.
    InputError
        it unpacks to more than the limits, or to another archive.
    """
    if not _is_packed(source):
        return source.path.read_bytes()
    packed = _packed_size(source)
    parts: list[bytes] = []
    size = 0
    with _unpack_errors(source), open_stream(source) as stream:
        while chunk := stream.read(_CHUNK):
            if not parts and chunk.startswith(_PACKED) and not _is_workbook(source):
                raise _packed_twice(source)
            size += len(chunk)
            if size > MAX_BYTES or (size > _RATIO_FROM and size > MAX_RATIO * packed):
                raise refusal(
                    InputError,
                    source,
                    expected=f"a file that grows at most {MAX_RATIO}-fold, to {MAX_BYTES >> 30} GiB",
                    found=f"{packed:,} bytes that unpack to more than {size:,}",
                    todo="this looks like a zip bomb: leave it out",
                )
            parts.append(chunk)
    return b"".join(parts)


def head(source: SourceFile) -> bytes:
    """The first bytes, unpacked; empty where it does not open."""
    try:
        with open_stream(source) as stream:
            return stream.read(_HEAD_BYTES)
    except _UNREADABLE:
        return b""


@contextmanager
def open_stream(source: SourceFile) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """A stream of the unpacked bytes."""
    if source.member:
        with zipfile.ZipFile(source.path) as archive, archive.open(source.member) as member:
            if source.member.endswith(".gz"):
                with gzip.open(member) as stream:
                    yield stream
            else:
                yield member
    elif source.path.suffix == ".gz":
        with gzip.open(source.path) as stream:
            yield stream
    else:
        with source.path.open("rb") as plain:
            yield plain


def members(source: SourceFile) -> list[str]:
    """Names of the files in a zip archive.

    Raises
    ------
    SourceChanged
        the archive is cut off.
    InputError
        a name leads out of the archive.
    """
    with _unpack_errors(source), zipfile.ZipFile(source.path) as archive:
        found = [info for info in archive.infolist() if not info.is_dir()]
    for info in found:
        name = PurePosixPath(info.filename.replace("\\", "/"))
        link = stat.S_ISLNK(info.external_attr >> 16)
        if name.is_absolute() or ".." in name.parts or ":" in name.parts[0] or link:
            raise refusal(
                InputError,
                source,
                place=f"member {info.filename!r}",
                expected="members that lie inside the archive",
                found="a link" if link else "a path that leads out of it",
                todo="do not trust this archive: leave it out",
            )
    names = [info.filename for info in found]
    twice = (
        next((name for name in names if names.count(name) > 1), None)
        if len(set(names)) < len(names)
        else None
    )
    if twice is not None:
        raise refusal(
            InputError,
            source,
            place=f"member {twice!r}",
            expected="each member once",
            found="two of that name",
            todo="unpack it by hand and give the right one",
        )
    return names


def refuse_packed(source: SourceFile) -> None:
    """Refuse a member that is an archive itself."""
    if not _is_workbook(source) and head(source).startswith(_PACKED):
        raise _packed_twice(source)


def is_zip(source: SourceFile) -> bool:
    """Whether the file begins as a zip archive (and is no workbook)."""
    with source.path.open("rb") as stream:
        return stream.read(4) == _PACKED[0] and not _is_workbook(source)


def read_parquet(source: SourceFile, columns: list[str] | None = None) -> pl.DataFrame:
    """The rows of a Parquet file, also out of an archive."""
    import polars as pl

    place = io.BytesIO(read(source)) if source.member else source.path
    return pl.read_parquet(place, columns=columns)


def read_feather(source: SourceFile) -> pl.DataFrame:
    """The rows of a feather (Arrow IPC) file, also out of an archive."""
    import polars as pl

    return pl.read_ipc(io.BytesIO(read(source)))


def _packed_twice(source: SourceFile) -> Exception:
    return refusal(
        InputError,
        source,
        expected="a file packed once",
        found="an archive inside the archive",
        todo="unpack it by hand if you trust it",
    )


def _is_workbook(source: SourceFile) -> bool:
    return source.name.lower().endswith(".xlsx")


def _is_packed(source: SourceFile) -> bool:
    return bool(source.member) or source.path.suffix == ".gz"


def _packed_size(source: SourceFile) -> int:
    if not source.member:
        return source.path.stat().st_size
    with _unpack_errors(source), zipfile.ZipFile(source.path) as archive:
        return archive.getinfo(source.member).compress_size


@contextmanager
def _unpack_errors(source: SourceFile) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise refusal(
            SourceChanged,
            source,
            expected="a whole packed file",
            found=f"one that does not unpack ({error})",
            todo="get the file again: it looks cut off",
        ) from None
