"""What is the answer to a question in SQL, asked of the lake and of nothing else?

DuckDB runs in memory over the list of live files. It may read these and nothing besides; only one SELECT is
taken. Of an object store, which DuckDB does not reach, what the query needs is brought to a temporary folder
first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from deleverage.data.lake.fetch import Progress, fetch, temporary_folder
from deleverage.data.lake.log import DataFile
from deleverage.data.lake.needs import Need, needs
from deleverage.data.lake.parts import damaged
from deleverage.errors import DataError, InputError
from deleverage.schema import LAKE_TABLES, Table

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from deleverage.data.lake.store import Lake

_TYPES = {"Int64": "BIGINT", "Float64": "DOUBLE", "String": "VARCHAR", "Boolean": "BOOLEAN", "Binary": "BLOB"}

_POLARS = {
    **dict.fromkeys(
        ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), "Int64"
    ),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), "Float64"),
    "VARCHAR": "String",
    "BOOLEAN": "Boolean",
    "BLOB": "Binary",
}

# These become Python values as they are; what is of another type is asked for as text.
_AS_IT_IS = frozenset({"DATE", "TIME", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S", '"NULL"'})
_OF_FILES = re.compile(r"parquet|thrift|magic|IO Error|decompress|ZSTD|page", re.IGNORECASE)
_NOT_HERE = "is not on this machine"
_LOOKED_AT = f"CAST(error('what was looked at {_NOT_HERE}') AS BOOLEAN)"
_LARGE = frozenset({"HUGEINT", "UHUGEINT", "UBIGINT"})
# Words of a query that asks which tables there are.
_OF_TABLES = frozenset(
    {"show", "information_schema", "duckdb_tables", "duckdb_views", "duckdb_columns", "sqlite_master"}
)

# Integer arithmetic: an hour of nanoseconds is a whole number, and a bucket costs no conversion of times.
_MACROS = (
    "CREATE MACRO bucket(time_ns, seconds) AS time_ns - time_ns % (CAST(seconds AS BIGINT) * 1000000000)",
    "CREATE MACRO utc(time_ns) AS strftime(make_timestamp_ns(time_ns), '%Y-%m-%dT%H:%M:%SZ')",
)


def answer(lake: Lake, query: str, progress: Progress | None = None) -> pl.DataFrame:
    """The rows of one SELECT.

    Parameters
    ----------
    progress : told how much has been brought out of an object store, where that is much.

    Raises
    ------
    InputError
        the query is no single SELECT, does not parse, or reaches for something outside the lake.
    DataError
        a file that it needs is gone or damaged.
    RunError
        there is no room for what is brought out of an object store.
    """
    import duckdb

    try:
        with _database() as connection:
            _only_a_select(query, connection.extract_statements(query))
            live = {name: _live(lake, name) for name in _mentioned(query)}
            if lake.place.folder is None:
                columns = {name: _declared(LAKE_TABLES[name]) for name in live}
                needed = needs(connection, query, columns)
        if lake.place.folder is None:
            return _brought(lake, query, live, needed, progress)
        paths = {name: [lake.place.at(f"{name}/{one.path}") for one in live[name]] for name in live}
        return _answered(query, {name: _shown(LAKE_TABLES[name], paths[name]) for name in live}, paths)
    except duckdb.Error as error:
        raise _damaged(lake, query, error) or _refusal(query, error) from error


@contextmanager
def _database() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in memory, with the macros of the lake."""
    import duckdb

    try:
        connection = duckdb.connect(":memory:")
    except duckdb.Error as error:  # pragma: no cover - no memory for an empty database
        raise InputError(f"DuckDB does not start: {error}") from error
    try:
        _do(connection, "SET TimeZone = 'UTC'")
        for macro in _MACROS:
            _do(connection, macro)
        yield connection
    finally:
        connection.close()


def _live(lake: Lake, name: str) -> list[DataFile]:
    live = lake.table(name)
    with live.lock:
        return list(live.log.files.values()) if live.log.refresh() else []


def _answered(query: str, tables: Mapping[str, str], files: Mapping[str, list[str]]) -> pl.DataFrame:
    """The answer over tables that these statements make, out of these files and nothing else."""
    with _database() as connection:
        for statement in tables.values():
            _do(connection, statement)
        _fence(connection, [path for paths in files.values() for path in paths])
        return _rows(connection.sql(query))


def _brought(
    lake: Lake,
    query: str,
    live: Mapping[str, list[DataFile]],
    needed: Mapping[str, Need],
    progress: Progress | None,
) -> pl.DataFrame:
    """The answer over what is needed, brought to this machine for as long as that takes."""
    import duckdb

    with temporary_folder() as folder:
        paths = fetch(lake.place, live, needed, folder, progress)
        tables = {}
        for name, files in live.items():
            table = LAKE_TABLES[name]
            if not files:
                tables[name] = _shown(table, [])
            elif name not in needed:
                tables[name] = _unseen(table)
            else:
                tables[name] = _shown(table, paths[name], needed[name].columns, empty_as="VIEW")
        try:
            return _answered(query, tables, paths)
        except duckdb.Error as error:
            whole = {name: Need() for name in live}
            if _NOT_HERE not in str(error) or needed == whole:
                raise
    # The plan did not tell all that is looked at: bring all of it.
    return _brought(lake, query, live, whole, progress)


def _only_a_select(query: str, statements: list[duckdb.Statement]) -> None:
    import duckdb

    allowed = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
    kinds = [statement.type for statement in statements]
    if len(kinds) == 1 and kinds[0] in allowed:
        return
    found = " and ".join(kind.name for kind in kinds) or "nothing"
    raise InputError(
        f"expected one SELECT, found {found}: {query.strip()[:80]!r}",
        hint="the lake is only read by SQL; rows come in by `import`, `backfill` and `collect`",
    )


def _mentioned(query: str) -> list[str]:
    """Tables whose names occur: opening the others costs time and gives nothing."""
    words = set(re.findall(r"\w+", query.lower()))
    if words & _OF_TABLES:
        return list(LAKE_TABLES)
    return [name for name in LAKE_TABLES if name in words]


def _declared(table: Table) -> str:
    """The columns of a table as ``CREATE TABLE`` takes them."""
    return ", ".join(f'"{column.name}" {_TYPES[column.dtype]}' for column in table.columns)


def _shown(
    table: Table, paths: list[str], columns: frozenset[str] | None = None, *, empty_as: str = "TABLE"
) -> str:
    """The statement that shows files as a table under its name.

    Parameters
    ----------
    columns : names that the files have; to look at another one is an error. None: they have all.
    empty_as : what shows a table without files, 'TABLE' or 'VIEW'.
    """
    if not paths and empty_as == "TABLE":
        return f'CREATE TABLE "{table.name}" ({_declared(table)})'
    if not paths:
        return f'CREATE VIEW "{table.name}" AS SELECT {_nulls(table)} WHERE false'
    here = [c.name for c in table.columns if columns is None or c.name in columns] or list(table.names[:1])
    # No call of error(): DuckDB counts that as random, and plans around it.
    looked_at = f"CAST(coalesce(CAST(\"{here[0]}\" AS VARCHAR), '') || ' {_NOT_HERE}' AS BIGINT)"
    chosen = ", ".join(
        f'"{column.name}"'
        if column.name in here
        else f'CAST({looked_at} AS {_TYPES[column.dtype]}) AS "{column.name}"'
        for column in table.columns
    )
    return (
        f'CREATE VIEW "{table.name}" AS SELECT {chosen} FROM '
        f"read_parquet([{_listed(paths)}], hive_partitioning = false, union_by_name = false)"
    )


def _unseen(table: Table) -> str:
    """The statement that makes a table at which nobody may look."""
    return f'CREATE VIEW "{table.name}" AS SELECT {_nulls(table)} WHERE {_LOOKED_AT}'


def _nulls(table: Table) -> str:
    return ", ".join(f'CAST(NULL AS {_TYPES[c.dtype]}) AS "{c.name}"' for c in table.columns)


def _listed(paths: list[str]) -> str:
    return ", ".join("'" + path.replace("'", "''") + "'" for path in paths)


def _fence(connection: duckdb.DuckDBPyConnection, files: list[str]) -> None:
    """From here on, these files can be read and nothing else can be reached; that cannot be undone."""
    _do(connection, "SET python_enable_replacements = false")
    _do(connection, "SET autoinstall_known_extensions = false")
    _do(connection, "SET autoload_known_extensions = false")
    _do(connection, f"SET allowed_paths = [{_listed(files)}]")
    _do(connection, "SET enable_external_access = false")
    _do(connection, "SET lock_configuration = true")


def _do(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    connection.execute(statement).fetchall()


def _rows(found: duckdb.DuckDBPyRelation) -> pl.DataFrame:
    """An answer as a frame. Rows cross as Python values: DuckDB's Arrow export leaves warnings at the
    exit.
    """
    import polars as pl

    names: list[str] = []
    for name in found.columns:
        names.append(name if name not in names else f"{name}_{len(names)}")
    kinds = [str(kind) for kind in found.types]
    asked = [_asked(kind) for kind in kinds]
    if any(asked):
        found = found.project(
            ", ".join(
                f'CAST(#{number} AS {kind}) AS "{number}"' if kind else f'#{number} AS "{number}"'
                for number, kind in enumerate(asked, start=1)
            )
        )
        kinds = [kind or known for kind, known in zip(asked, kinds, strict=True)]
    rows = found.fetchall()
    return pl.DataFrame(
        [
            _column(name, kind, [row[number] for row in rows])
            for number, (name, kind) in enumerate(zip(names, kinds, strict=True))
        ]
    )


def _asked(kind: str) -> str:
    """The type that a column of DuckDB's type ``kind`` is converted to before it is fetched; '' for none."""
    if kind == "TIMESTAMP WITH TIME ZONE":  # in UTC; as it is, DuckDB would need the package pytz
        return "TIMESTAMP"
    plain = kind.partition("(")[0]
    if plain in _POLARS or plain in _AS_IT_IS or plain in _LARGE:
        return ""
    return "" if kind.removesuffix("[]") in _POLARS else "VARCHAR"


def _column(name: str, kind: str, values: list[Any]) -> pl.Series:
    import polars as pl

    if kind.startswith("DECIMAL"):
        values = [None if value is None else float(value) for value in values]
    if kind in _LARGE:
        fits = all(value is None or -(1 << 63) <= value < 1 << 63 for value in values)
        return pl.Series(name, values, dtype=pl.Int64 if fits else pl.Int128)
    dtype = _POLARS.get(kind.partition("(")[0].removesuffix("[]"))
    try:
        if dtype is None:
            return pl.Series(name, values)
        known = getattr(pl, dtype)
        return pl.Series(name, values, dtype=pl.List(known) if kind.endswith("[]") else known)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        # dates before the year 1 and the like, which Python does not have
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)


def _damaged(lake: Lake, query: str, error: Exception) -> DataError | None:
    """Which file of the lake the query failed at; None where it was none."""
    if lake.place.folder is None or not _OF_FILES.search(str(error)):
        return None  # what was brought is whole
    for name in _mentioned(query):
        live = lake.table(name)
        if found := damaged(lake.place, live.table, live.log.files.values()):
            return found
    return None


def _refusal(query: str, error: Exception) -> InputError:
    import duckdb

    text = str(error).strip().partition("\nTraceback")[0]
    if isinstance(error, duckdb.PermissionException):
        return InputError(
            f"expected a query of the lake's tables, found one that reaches outside: {text.splitlines()[0]}",
            hint=f"tables are {', '.join(LAKE_TABLES)}",
        )
    return InputError(
        f"expected a query that DuckDB can answer, found: {text}",
        hint='`deleverage lake sql "show tables"` lists the tables; docs/lake.md their columns',
        query=query,
    )
