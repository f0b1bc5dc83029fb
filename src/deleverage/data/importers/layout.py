"""What is in a file, as far as its first lines or its schema tell?"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deleverage.data.importers.base import SourceFile

_NUMBER = re.compile(r"-?\d+(\.\d*)?([eE][-+]?\d+)?")
_EPOCH = re.compile(r"\d{10,19}")
_KEY = re.compile(r'"([A-Za-z_][A-Za-z0-9_]*)"\s*:')
_STREAM = re.compile(r"\d{18,19} [{\[]")
_DOCUMENTS = {".md", ".txt", ".rst", ""}
_TABLES = (".parquet", ".feather")


@dataclass(frozen=True)
class Layout:
    """The kind of a file and the names in it.

    Parameters
    ----------
    kind : 'csv' (with a header), 'numbers' (a CSV without one, numbers only), 'lines' (a CSV without one),
        'parquet', 'feather', 'json', 'stream' (lines of a time and a JSON object), 'xlsx', 'document',
        'broken' (does not open as what its name says) or 'other'.
    names : columns of a table; keys in the head of a JSON file; cells of the first line without a header.
    types : types of the columns of a Parquet or feather file.
    head : the first 8 kB of a text.
    """

    kind: str
    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    head: str = ""


def layout_of(source: SourceFile) -> Layout:
    """The layout of a file, read once for a state of the file."""
    state = source.path.stat()
    return _layout(source.path, source.member, source.name.lower(), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=16_384)
def _layout(path: Path, member: str, name: str, _mtime_ns: int, _size: int) -> Layout:
    from deleverage.data.importers.base import SourceFile
    from deleverage.data.importers.content import head

    source = SourceFile(path, "", member)
    if name.endswith(_TABLES):
        return _table(source, "parquet" if name.endswith(".parquet") else "feather")
    if name.endswith(".xlsx"):
        return Layout("xlsx")
    raw = head(source)
    text = raw.decode("utf-8-sig", errors="replace")
    if name.endswith((".csv", ".csv.gz")):
        return _csv(text)
    if name.endswith((".json", ".json.gz")):
        return (
            Layout("json", tuple(dict.fromkeys(_KEY.findall(text))), head=text) if text else Layout("broken")
        )
    if _STREAM.match(text):
        return Layout("stream", tuple(dict.fromkeys(_KEY.findall(text))), head=text)
    if name.endswith(".gz") and not raw:
        return Layout("broken")
    suffix = Path(name).suffix
    return Layout("document" if suffix in _DOCUMENTS and "\x00" not in text else "other", head=text)


def _csv(text: str) -> Layout:
    first = text.split("\n", 1)[0].strip()
    if not first:
        return Layout("broken")
    cells = tuple(cell.strip().strip('"') for cell in first.split(","))
    if all(_NUMBER.fullmatch(cell) or cell.lower() in ("true", "false") for cell in cells):
        return Layout("numbers", cells, head=text)
    if any(_NUMBER.fullmatch(cell) for cell in cells):
        return Layout("lines", cells, head=text)
    return Layout("csv", cells, head=text)


def _table(source: SourceFile, kind: str) -> Layout:
    import polars as pl

    from deleverage.data.importers.content import read

    place = io.BytesIO(read(source)) if source.member else source.path
    try:
        schema = pl.read_parquet_schema(place) if kind == "parquet" else pl.read_ipc_schema(place)
    except (pl.exceptions.PolarsError, OSError):
        return Layout("broken")
    return Layout(kind, tuple(schema), tuple(dtype.base_type().__name__ for dtype in schema.values()))


def is_epoch(cell: str) -> bool:
    """Whether a cell can be seconds, milli-, micro- or nanoseconds since 1970."""
    return _EPOCH.fullmatch(cell) is not None
