"""What is in a file, as far as its first lines or its schema tell?"""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_NUMBER = re.compile(r"-?\d+(\.\d*)?([eE][-+]?\d+)?")
_EPOCH = re.compile(r"\d{10,19}")
_KEY = re.compile(r'"([A-Za-z_][A-Za-z0-9_]*)"\s*:')
_HEAD_BYTES = 8192
_DOCUMENTS = {".md", ".txt", ""}


@dataclass(frozen=True)
class Layout:
    """The kind of a file and the names in it.

    Parameters
    ----------
    kind : 'csv' (with a header), 'klines' (numbers only, the first an epoch), 'parquet', 'json', 'document',
        'broken' (does not open as what its name says) or 'other'.
    names : columns of a table; keys in the head of a JSON file.
    """

    kind: str
    names: tuple[str, ...] = ()


def layout_of(path: Path) -> Layout:
    """The layout of a file, read once for a state of the file."""
    state = path.stat()
    return _layout(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8192)
def _layout(path: Path, _mtime_ns: int, _size: int) -> Layout:
    name = path.name.lower()
    if name.endswith(".parquet"):
        return _parquet(path)
    if name.endswith((".csv", ".csv.gz")):
        return _csv(head(path))
    if name.endswith(".json"):
        return Layout("json", tuple(dict.fromkeys(_KEY.findall(head(path)))))
    return Layout("document" if path.suffix.lower() in _DOCUMENTS else "other")


def head(path: Path) -> str:
    """The first bytes of a file as text, unpacked where it is gzip; empty where it does not open."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            return bytes(stream.read(_HEAD_BYTES)).decode("utf-8-sig", errors="replace")
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return ""


def _csv(text: str) -> Layout:
    first = text.split("\n", 1)[0].strip()
    if not first:
        return Layout("broken")
    cells = [cell.strip().strip('"') for cell in first.split(",")]
    if len(cells) >= 6 and _EPOCH.fullmatch(cells[0]) and all(_NUMBER.fullmatch(cell) for cell in cells):
        return Layout("klines")
    return Layout("csv", tuple(cells))


def _parquet(path: Path) -> Layout:
    import polars as pl

    try:
        return Layout("parquet", tuple(pl.read_parquet_schema(path)))
    except (pl.exceptions.PolarsError, OSError):
        return Layout("broken")
