"""Which one number of the lake does a scenario's figure mean, and which file does it come from?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from deleverage.errors import InputError, MissingDataError, SchemaError, UnitError

if TYPE_CHECKING:
    import polars as pl

    from deleverage.data.lake import Lake
    from deleverage.schema import Table

# A settled bar of the vendor is better than its newest, unfinished one; used where the query does not say.
_PREFERRED: dict[str, tuple[str, tuple[str, ...]]] = {"depth": ("taken", ("bar", "fetch"))}


@dataclass(frozen=True)
class FigureQuery:
    """One number: ``column`` of the row of ``table`` that equals ``where`` at the time ``at``.

    Parameters
    ----------
    table : a name of `schema.LAKE_TABLES`.
    where : column and value; together with the time they must leave one row.
    at : ISO time with its zone, '2025-10-10T20:00:00Z'.
    column : a column of numbers.
    max_age_s : 0 asks for exactly ``at``; above, the newest row at most so old [s] at ``at`` will do.
    """

    table: str
    at: str
    column: str
    where: Mapping[str, str | float | int] = field(default_factory=dict)
    max_age_s: float = 0.0

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> FigureQuery:
        """A query out of a TOML table with the keys of this class."""
        known = ("table", "where", "at", "column", "max_age_s")
        unknown = [key for key in mapping if key not in known]
        missing = [key for key in ("table", "at", "column") if key not in mapping]
        if unknown or missing:
            raise SchemaError(
                f"a lake query has the keys {list(known)}; missing {missing}, not known {unknown}"
            )
        where = mapping.get("where", {})
        if not isinstance(where, Mapping):
            raise SchemaError(
                f"'where' of a lake query must be a table of columns and values, found {where!r}"
            )
        return cls(
            str(mapping["table"]),
            _text_time(mapping["at"]),
            str(mapping["column"]),
            dict(where),
            float(mapping.get("max_age_s", 0.0)),
        )


@dataclass(frozen=True)
class Observation:
    """A number as it was observed: value in the column's unit, file with its sha256, event time."""

    value: float
    unit: str
    source: str
    sha256: str
    time_ns: int


def one_figure(lake: Lake, query: FigureQuery) -> Observation:
    """The number that ``query`` asks for.

    Raises
    ------
    MissingDataError
        no row of that time, or the value was not observed in it.
    InputError
        the query names what the table does not have, or leaves several rows.
    """
    from deleverage.data.lake import declared

    table = declared(query.table)
    unit = _number_column(table, query.column)
    at_ns = parse_time_ns(query.at)
    start_ns = at_ns - round(query.max_age_s * 1e9)
    rows = lake.read(query.table, start_ns=start_ns, end_ns=at_ns, where=query.where)
    if rows.is_empty():
        raise _not_there(lake, query, at_ns)
    row = _only(rows.filter(rows["time_ns"] == rows["time_ns"].max()), table, query)
    if row[query.column] is None:
        raise MissingDataError(
            f"table '{query.table}' has the row {_where(query)} at {query.at}, but '{query.column}' was not "
            "observed in it",
            hint="import another source of that figure",
            table=query.table,
            column=query.column,
        )
    source = str(row["source"])
    return Observation(row[query.column], unit, source, _sha256(lake, source), row["time_ns"])


def parse_time_ns(text: str) -> int:
    """An ISO time with its zone as event time [ns UTC], exact to the microsecond."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UnitError(f"expected an ISO time like '2025-10-10T20:00:00Z', found '{text}'") from None
    if moment.tzinfo is None:
        raise UnitError(
            f"expected a time with its zone, found '{text}'", hint=f"write '{text}Z' if it is UTC"
        )
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def _text_time(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _number_column(table: Table, name: str) -> str:
    for column in table.columns:
        if column.name == name and column.dtype in ("Float64", "Int64"):
            return column.unit
    numbers = [column.name for column in table.columns if column.dtype in ("Float64", "Int64")]
    raise SchemaError(
        f"table '{table.name}' has the numbers {numbers}, found '{name}'", table=table.name, column=name
    )


def _only(rows: pl.DataFrame, table: Table, query: FigureQuery) -> dict[str, Any]:
    column, order = _PREFERRED.get(table.name, ("", ()))
    if rows.height > 1 and column and column not in query.where:
        present = rows[column].to_list()
        best = next(name for name in order if name in present)
        rows = rows.filter(rows[column] == best)
    if rows.height > 1:
        differ = [name for name in table.key if rows[name].n_unique() > 1]
        raise InputError(
            f"the query {_where(query)} at {query.at} leaves {rows.height} rows of '{table.name}', which "
            f"differ in {differ}",
            hint=f"add {differ} to 'where'",
            table=table.name,
        )
    return rows.row(0, named=True)


def _not_there(lake: Lake, query: FigureQuery, at_ns: int) -> MissingDataError:
    from deleverage.data.lake import IMPORT_HINT, iso

    times = lake.read(query.table, where=query.where)["time_ns"]
    if times.is_empty():
        near = "there is no such row at any time"
    else:
        before = times.filter(times <= at_ns).max()
        after = times.filter(times >= at_ns).min()
        found = [iso(t) for t in (before, after) if isinstance(t, int)]
        near = f"the nearest are at {' and '.join(found)}"
    return MissingDataError(
        f"table '{query.table}' has no row {_where(query)} at {query.at}; {near}",
        hint=IMPORT_HINT,
        table=query.table,
        at=query.at,
    )


def _where(query: FigureQuery) -> str:
    return "with " + ", ".join(f"{k} = {v!r}" for k, v in query.where.items()) if query.where else "at all"


def _sha256(lake: Lake, source: str) -> str:
    found = [entry["sha256"] for entry in lake.sources if entry["path"] == source]
    return found[-1] if found else ""
