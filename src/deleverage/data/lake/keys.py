"""Which of these rows are new?

Keys of live files are remembered as 64-bit hashes with their times; a hash that is not there proves that a
row is new, and one that is there is looked up in the files themselves, so that the answer is exact either
way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from deleverage.data.lake.log import DataFile
from deleverage.data.lake.parts import read_files
from deleverage.data.lake.place import Place
from deleverage.schema import Table

if TYPE_CHECKING:
    import polars as pl

_REMEMBERED_ROWS = 4_000_000  # 16 bytes each
_WHOLE_FILE_ROWS = 1_000_000  # a file up to this size is remembered whole
_MARGIN_NS = 600 * 1_000_000_000  # of a larger one, also what is a little older than what was asked for
_FIRST_NS, _LAST_NS = -(1 << 63), (1 << 63) - 1


class _Keys(NamedTuple):
    """Keys of the rows of one file between two times [ns UTC]."""

    start_ns: int
    end_ns: int
    keys: pl.DataFrame


class Novel(NamedTuple):
    """What became of rows: the new ones; how many were there already; those that were there with other
    values.
    """

    rows: pl.DataFrame
    repeated: int
    conflicts: pl.DataFrame | None


@dataclass
class KeyMemory:
    """Times and key hashes of files of one table, the least recently used forgotten first."""

    place: Place
    table: Table
    _files: OrderedDict[str, _Keys] = field(default_factory=OrderedDict)
    _rows: int = 0

    def novel(self, rows: pl.DataFrame, files: Iterable[DataFile]) -> Novel:
        """Rows of ``rows`` whose key is in none of ``files``, the first one of each key."""
        import polars as pl

        hashed = rows.select("time_ns", self._hash())
        unique = hashed["_hash"].n_unique() == rows.height
        low, high = cast(int, rows["time_ns"].min()), cast(int, rows["time_ns"].max())
        suspects = [
            file for file in files if file.overlaps(low, high) and self._may_hold(file, hashed, low, high)
        ]
        if unique and not suspects:
            return Novel(rows, 0, None)
        present = read_files(self.place, self.table, suspects, start_ns=low, end_ns=high)
        keys = list(self.table.key)
        present = present.join(rows.select(keys).unique(), on=keys, how="semi")
        both = pl.concat([present.with_columns(_new=False), rows.with_columns(_new=True)])
        first = both.unique(subset=keys, keep="first", maintain_order=True)
        new = first.filter("_new").drop("_new")
        return Novel(new, rows.height - new.height, conflicts_of(rows, first.drop("_new"), self.table))

    def remember(self, file: DataFile, rows: pl.DataFrame) -> None:
        """Keep the keys of a file that was just written."""
        if rows.height <= _WHOLE_FILE_ROWS:
            self._keep(file.path, _Keys(_FIRST_NS, _LAST_NS, rows.select("time_ns", self._hash())))

    def forget_all_but(self, live: Mapping[str, DataFile]) -> None:
        """Drop what is no longer live."""
        for path in [path for path in self._files if path not in live]:
            self._rows -= self._files.pop(path).keys.height

    def _may_hold(self, file: DataFile, hashed: pl.DataFrame, low: int, high: int) -> bool:
        import polars as pl

        known = self._known(file, low, high)
        inside = known.filter(pl.col("time_ns").is_between(low, high))
        return bool(inside.height) and not inside.join(hashed, on=["time_ns", "_hash"], how="semi").is_empty()

    def _known(self, file: DataFile, low: int, high: int) -> pl.DataFrame:
        found = self._files.get(file.path)
        if found is not None and found.start_ns <= low and high <= found.end_ns:
            self._files.move_to_end(file.path)
            return found.keys
        start, end = _FIRST_NS, _LAST_NS
        if file.rows > _WHOLE_FILE_ROWS:
            start, end = (
                max(low, _FIRST_NS + _MARGIN_NS) - _MARGIN_NS,
                min(high, _LAST_NS - _MARGIN_NS) + _MARGIN_NS,
            )
        columns = list(dict.fromkeys(["time_ns", *self.table.key]))
        rows = read_files(self.place, self.table, [file], start_ns=start, end_ns=end, columns=columns)
        keys = rows.select("time_ns", self._hash())
        self._keep(file.path, _Keys(start, end, keys))
        return keys

    def _keep(self, path: str, found: _Keys) -> None:
        if path in self._files:
            self._rows -= self._files.pop(path).keys.height
        if found.keys.height > _REMEMBERED_ROWS:
            return
        self._files[path] = found
        self._rows += found.keys.height
        while self._rows > _REMEMBERED_ROWS:
            self._rows -= self._files.popitem(last=False)[1].keys.height

    def _hash(self) -> pl.Expr:
        import polars as pl

        return pl.struct(self.table.key).hash(1).alias("_hash")


def conflicts_of(rows: pl.DataFrame, first: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Rows whose values are not those of the first row with their key; when and whence it came may differ."""
    import polars as pl

    values = [c for c in table.columns if c.name not in (*table.key, "source", "received_ns")]
    pairs = rows.join(first, on=list(table.key), how="inner", suffix="_first", maintain_order="left")
    differs = pl.lit(False)
    for column in values:
        differs |= _unlike(pl.col(column.name), pl.col(f"{column.name}_first"), column.dtype)
    return pairs.filter(differs).select(
        [*table.key, *(v for c in values for v in (c.name, f"{c.name}_first")), "source"]
    )


def example(row: Mapping[str, Any], table: Table) -> str:
    """One conflicting row in words: its key, and the first column that differs with both values."""
    from deleverage.data.lake.times import iso

    key = ", ".join(str(row[name]) for name in table.key if name != "time_ns")
    moment = f"{iso(row['time_ns'])} " if "time_ns" in row else ""
    for column in table.columns:
        mine, first = row.get(column.name), row.get(f"{column.name}_first")
        if f"{column.name}_first" in row and mine != first:
            return f"{moment}{key}: {column.name} {mine}, earlier {first}"
    return f"{moment}{key}"


def _unlike(one: pl.Expr, other: pl.Expr, dtype: str) -> pl.Expr:
    # The same observation printed with another number of digits differs by less than 1e-9 of it.
    same = one.eq_missing(other)
    if dtype == "Float64":
        same = same | ((one - other).abs() <= 1e-9 * other.abs()).fill_null(False)
    return ~same
