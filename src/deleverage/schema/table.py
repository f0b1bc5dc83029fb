"""What is a table, and does a frame keep to its declaration?

One declaration a table; `conform` is the only gate. Times are int64 nanoseconds UTC. A value that was not
observed is null, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deleverage.errors import SchemaError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Column:
    """One column: its polars type by name, its unit and what it means."""

    name: str
    dtype: str
    unit: str
    meaning: str
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """One table: columns in order, and the columns whose values together occur once."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    meaning: str

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)


def column(name: str, dtype: str, unit: str, meaning: str, nullable: bool = False) -> Column:
    """Short for `Column` in declarations, which are read as rows."""
    return Column(name, dtype, unit, meaning, nullable)


def empty(table: Table) -> pl.DataFrame:
    """A frame with the table's columns and no rows."""
    import polars as pl

    return pl.DataFrame(schema={column.name: getattr(pl, column.dtype) for column in table.columns})


def conform(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Return ``frame`` with the declared columns in the declared order, or say what is wrong.

    Integers are widened to the declared type; nothing else is converted.

    Raises
    ------
    SchemaError
        a column is missing, unknown, of another type, or null or not finite where it may not be, or a key repeats.
    """
    import polars as pl

    missing = [name for name in table.names if name not in frame.columns]
    unknown = [name for name in frame.columns if name not in table.names]
    if missing or unknown:
        raise SchemaError(
            f"table '{table.name}' needs columns {list(table.names)}; missing {missing}, not known {unknown}",
            table=table.name,
        )
    casts = []
    for column in table.columns:
        expected = getattr(pl, column.dtype)
        found = frame.schema[column.name]
        if found == expected:
            casts.append(pl.col(column.name))
        elif (found.is_integer() and expected in (pl.Int64, pl.Float64)) or found == pl.Null:
            casts.append(pl.col(column.name).cast(expected))
        else:
            raise SchemaError(
                f"column '{column.name}' of table '{table.name}' must be {column.dtype}, found {found}",
                table=table.name,
                column=column.name,
            )
    try:
        result = frame.select(casts)
    except pl.exceptions.InvalidOperationError as error:  # an integer beyond int64
        raise SchemaError(f"table '{table.name}': {error}", table=table.name) from error
    for column in table.columns:
        values = result[column.name]
        if column.dtype == "Float64" and bool(values.is_nan().any() or values.is_infinite().any()):
            raise SchemaError(
                f"column '{column.name}' of table '{table.name}' holds a value that is not finite; "
                "an unobserved value is null",
                table=table.name,
                column=column.name,
            )
        if not column.nullable and values.null_count():
            raise SchemaError(
                f"column '{column.name}' of table '{table.name}' may not be null; {values.null_count()} rows are",
                table=table.name,
                column=column.name,
            )
    if table.key and result.height and result.select(table.key).is_duplicated().any():
        raise SchemaError(f"table '{table.name}': rows repeat the key {list(table.key)}", table=table.name)
    return result
