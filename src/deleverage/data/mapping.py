"""What does a mapping file say of CSV or Parquet files that no importer knows?

It names the table, and for each of its columns the file's column, or a constant. Units that are not the
lake's are
given and converted; nothing is guessed. Every mistake in it is named with its key and line.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deleverage.data.finding import unreadable
from deleverage.data.importers import checks
from deleverage.data.importers.base import NO_NAME, ROW, Importer, Loaded, SourceFile, refusal
from deleverage.data.importers.content import read_feather, read_parquet
from deleverage.data.importers.csv_text import read_csv
from deleverage.data.importers.layout import layout_of
from deleverage.data.importers.rows import moments, numbered
from deleverage.errors import InputError, SchemaError
from deleverage.schema import LAKE_TABLES, Column, Table

if TYPE_CHECKING:
    import polars as pl

_SCALES = {"percent": 0.01, "bps": 1e-4, "thousand": 1e3, "million": 1e6, "billion": 1e9, "cents": 0.01}
_EPOCHS = tuple(checks.PER_UNIT_NS)
_TOP = ("table", "time", "columns", "constants")
_TIME = ("column", "unit", "format")
_FILLED = ("source", "received_ns")  # by the import itself
_POSITIVE = {"price", "open", "high", "low", "close", "bid_price", "ask_price", "mark_price", "index_price"}
_NOT_NEGATIVE = {"volume_coins", "usd_at", "bid_coins", "ask_coins", "bid_usd", "ask_usd", "volume"}


@dataclass(frozen=True)
class _Given:
    """One column of the table: the file's column and what its numbers are multiplied with."""

    column: str
    scale: float = 1.0


@dataclass(frozen=True)
class Mapping:
    """A mapping file, checked."""

    name: str
    table: Table
    time_column: str
    time_unit: str
    time_format: str
    columns: dict[str, _Given]
    constants: dict[str, Any]


def mapped_importer(path: Path) -> Importer:
    """An importer that reads files as the mapping says.

    Raises
    ------
    InputError
        there is no such file, or a mistake in it.
    """
    mapping = read_mapping(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Importer(
        f"mapping:{digest[:16]}",
        1,
        f"rows of {mapping.table.name}",
        tuple(given.column for given in mapping.columns.values()),
        NO_NAME,
        lambda layout: layout.kind in ("csv", "parquet", "feather"),
        lambda source: load(mapping, source),
    )


def read_mapping(path: Path) -> Mapping:
    """The mapping in a TOML file, checked against the tables.

    Raises
    ------
    InputError
        there is no such file, it is no TOML, or a key or value is not usable.
    """
    if not path.is_file():
        raise InputError(f"expected a mapping file, found none at '{path}'", hint="check the path")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path.name}: expected UTF-8, found the byte 0x{error.object[error.start]:02x}",
            hint="save the mapping file as UTF-8",
            file=path.name,
        ) from None
    except OSError as error:
        raise unreadable(path.name, error) from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"{path.name}: expected TOML, found {error}", hint="correct that line", file=path.name
        ) from None
    return _Reader(path.name, text).mapping(content)


@dataclass(frozen=True)
class _Reader:
    """Checks a mapping and names a mistake with its line."""

    file: str
    text: str

    def mapping(self, content: dict[str, Any]) -> Mapping:
        self._only(content, _TOP, "")
        name = content.get("table")
        if name not in LAKE_TABLES:
            raise self._wrong("table", f"one of {', '.join(LAKE_TABLES)}", repr(name))
        table = LAKE_TABLES[str(name)]
        time = self._table(content, "time")
        self._only(time, _TIME, "time")
        unit, form = str(time.get("unit", "")), str(time.get("format", ""))
        if bool(unit) == bool(form):
            raise self._wrong(
                "time", f"either 'unit' (one of {', '.join(_EPOCHS)}) or 'format'", "both" if unit else "none"
            )
        if unit and unit not in _EPOCHS:
            raise self._wrong("unit", f"one of {', '.join(_EPOCHS)}", repr(unit))
        columns = self._columns(self._table(content, "columns"), table)
        constants = self._constants(content.get("constants", {}), table)
        both = sorted(set(columns) & set(constants))
        if both:
            raise self._wrong(both[0], "a column or a constant", "both")
        needed = [
            c.name
            for c in table.columns
            if not c.nullable and c.name not in (*_FILLED, "time_ns", *columns, *constants)
        ]
        if needed:
            raise self._wrong(
                "columns", f"every column of '{name}' that may not be empty", f"no {', '.join(needed)}"
            )
        return Mapping(self.file, table, self._text(time, "column", "time"), unit, form, columns, constants)

    def _columns(self, given: dict[str, Any], table: Table) -> dict[str, _Given]:
        known = {c.name: c for c in table.columns if c.name not in ("time_ns", *_FILLED)}
        found = {}
        for name, value in given.items():
            if name not in known:
                raise self._wrong(name, f"a column of '{table.name}' ({', '.join(known)})", f"'{name}'")
            if isinstance(value, str):
                found[name] = _Given(value)
                continue
            if not isinstance(value, dict):
                raise self._wrong(name, "the file's column as a text", repr(value))
            self._only(value, ("column", "unit"), name)
            unit = str(value.get("unit", ""))
            if unit and (unit not in _SCALES or known[name].dtype != "Float64"):
                expected = f"one of {', '.join(_SCALES)}, for a column of numbers"
                raise self._wrong(name, expected, repr(unit))
            found[name] = _Given(self._text(value, "column", name), _SCALES.get(unit, 1.0))
        return found

    def _constants(self, given: Any, table: Table) -> dict[str, Any]:
        known = {c.name: c for c in table.columns}
        if not isinstance(given, dict):
            raise self._wrong("constants", "a table", repr(given))
        for name, value in given.items():
            if name not in known or name in ("time_ns", *_FILLED):
                raise self._wrong(name, f"a column of '{table.name}'", f"'{name}'")
            if not _fits(known[name], value):
                raise self._wrong(name, f"a constant of {known[name].dtype}", repr(value))
        return given

    def _table(self, content: dict[str, Any], key: str) -> dict[str, Any]:
        value = content.get(key)
        if not isinstance(value, dict):
            raise self._wrong(key, f"a table [{key}]", repr(value))
        return value

    def _text(self, content: dict[str, Any], key: str, where: str) -> str:
        value = content.get(key)
        if not isinstance(value, str) or not value:
            raise self._wrong(where, f"'{key}' with the name of a column", repr(value))
        return value

    def _only(self, content: dict[str, Any], known: tuple[str, ...], where: str) -> None:
        for key in content:
            if key not in known:
                place = f" in [{where}]" if where else ""
                raise self._wrong(key, f"one of the keys {', '.join(known)}{place}", f"'{key}'")

    def _wrong(self, key: str, expected: str, found: str) -> InputError:
        lines = self.text.splitlines()
        at = next((i for i, line in enumerate(lines, 1) if line.strip().lstrip("[").startswith(key)), 0)
        place = f"line {at}, " if at else ""
        return InputError(
            f"{self.file}, {place}key '{key}': expected {expected}, found {found}",
            hint="correct the mapping file; docs/import.md has an example",
            file=self.file,
            line=at,
            key=key,
        )


def _fits(column: Column, value: object) -> bool:
    if column.dtype == "String":
        return isinstance(value, str)
    if column.dtype == "Boolean":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    return isinstance(value, int) if column.dtype == "Int64" else isinstance(value, int | float)


def load(mapping: Mapping, source: SourceFile) -> Loaded:
    """The file's rows as the table's."""
    import polars as pl

    frame = _frame(mapping, source)
    if mapping.time_unit:
        frame = checks.with_time_ns(frame, source, mapping.time_column, mapping.time_unit)
    elif frame.schema[mapping.time_column] == pl.String:
        frame = moments(frame, source, mapping.time_column, mapping.time_format)
    else:
        raise refusal(
            SchemaError,
            source,
            column=mapping.time_column,
            expected="texts, since the mapping gives a format",
            found=str(frame.schema[mapping.time_column]),
            todo="give the unit of the times in the mapping file",
        )
    dtypes = {c.name: getattr(pl, c.dtype) for c in mapping.table.columns}
    rows = frame.select(
        ROW,
        "time_ns",
        *(
            (pl.col(given.column) * given.scale if given.scale != 1.0 else pl.col(given.column))
            .cast(dtypes[name], strict=False)
            .alias(name)
            for name, given in mapping.columns.items()
        ),
        *(pl.lit(value, dtype=dtypes[name]).alias(name) for name, value in mapping.constants.items()),
    )
    missing = [c.name for c in mapping.table.columns if c.name not in rows.columns and c.name not in _FILLED]
    rows = rows.with_columns(pl.lit(None, dtype=dtypes[name]).alias(name) for name in missing)
    _check(mapping, source, frame, rows)
    return Loaded([(mapping.table.name, rows)])


def _frame(mapping: Mapping, source: SourceFile) -> pl.DataFrame:
    layout = layout_of(source)
    wanted = {mapping.time_column: "Int64" if mapping.time_unit else "String"}
    declared = {c.name: c for c in mapping.table.columns}
    for name, given in mapping.columns.items():
        wanted[given.column] = declared[name].dtype + ("?" if declared[name].nullable else "")
    if layout.kind == "csv":
        return read_csv(source, wanted)
    if layout.kind not in ("parquet", "feather"):
        raise refusal(
            SchemaError,
            source,
            expected="a CSV with a header, a Parquet or a feather file, for the mapping",
            found=layout.kind,
            todo="import other files without --mapping",
        )
    absent = [name for name in wanted if name not in layout.names]
    if absent:
        raise refusal(
            SchemaError,
            source,
            column=absent[0],
            expected=f"the columns {list(wanted)} of the mapping",
            found=f"{list(layout.names)}",
            todo="correct the mapping file",
        )
    frame = (
        read_parquet(source, list(wanted))
        if layout.kind == "parquet"
        else read_feather(source).select(wanted)
    )
    return numbered(frame)


def _check(mapping: Mapping, source: SourceFile, frame: pl.DataFrame, rows: pl.DataFrame) -> None:
    """What any table must hold: values where none may be empty, finite numbers, prices and sizes with
    their signs.
    """
    import polars as pl

    for column in mapping.table.columns:
        name = column.name
        if name not in mapping.columns:
            continue
        given = mapping.columns[name].column
        value = pl.col(name)
        lost = rows.filter(value.is_null())[ROW]
        had = (
            frame.filter(pl.col(ROW).is_in(lost.implode()) & pl.col(given).is_not_null())
            if column.nullable
            else rows
        )
        bad = rows.filter(
            value.is_null() & (pl.col(ROW).is_in(had[ROW].implode()) if column.nullable else pl.lit(True))
        )
        if column.dtype == "Float64":
            bad = pl.concat([bad, rows.filter(~value.is_finite().fill_null(True))])
        if bad.height:
            place = bad[ROW][0]
            raise refusal(
                SchemaError,
                source,
                place=f"{'line' if source.name.endswith('.csv') else 'row'} {place}",
                column=given,
                expected=f"a value of {column.dtype} for '{name}'",
                found=str(frame.filter(pl.col(ROW) == place)[given][0]),
                todo="correct that row, or the mapping file",
            )
        if column.dtype == "Float64" and name in _POSITIVE:
            checks.require(
                rows,
                value > 0,
                source,
                column=name,
                expected="a price above 0",
                todo="give prices in USD per coin",
            )
        if name in _NOT_NEGATIVE and column.dtype == "Float64":
            checks.not_negative(rows, source, name)
    if mapping.table.name == "candles":
        checks.bars(rows, source, by=("venue", "symbol"))
    elif "price" in rows.columns and "coin" in rows.columns:
        checks.price(rows.filter(pl.col("price").is_not_null()), source, "price")
    if mapping.table.name == "funding":
        checks.funding_rates(rows, source, "rate", by="symbol")
    if mapping.table.name in ("trades", "liquidations", "books"):
        checks.not_negative(rows, source, "coins")
