"""What is the answer to a question in SQL, asked of the lake and of nothing else?

DuckDB runs in memory over the list of live files. It may read these and nothing besides; only one SELECT is
taken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from deleverage.data.lake.parts import damaged, known_columns
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


def answer(lake: Lake, query: str) -> pl.DataFrame:
    """The rows of one SELECT.

    Raises
    ------
    InputError
        the query is no single SELECT, does not parse, or reaches for something outside the lake.
    """
    if lake.place.folder is None:
        # DuckDB reads object stores through an extension that is not part of its package.
        raise InputError(
            f"expected SQL over a lake in a folder, found '{lake.place.uri}'",
            hint="in Python, `Lake.scan` gives the tables of an object store to Polars",
        )
    import duckdb

    try:
        connection = duckdb.connect(":memory:")
    except duckdb.Error as error:  # pragma: no cover - no memory for an empty database
        raise InputError(f"DuckDB does not start: {error}") from error
    try:
        statements = connection.extract_statements(query)
        _only_a_select(query, statements)
        files = [path for name in _mentioned(query) for path in _show(connection, lake, LAKE_TABLES[name])]
        _do(connection, "SET TimeZone = 'UTC'")
        for macro in _MACROS:
            _do(connection, macro)
        _fence(connection, files)
        return _rows(connection.sql(query))
    except duckdb.Error as error:
        raise _damaged(lake, query, error) or _refusal(query, error) from error
    finally:
        connection.close()


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


def _show(connection: duckdb.DuckDBPyConnection, lake: Lake, table: Table) -> list[str]:
    """Make a table visible under its name; its files."""
    live = lake.table(table.name)
    with live.lock:
        files = list(live.log.files.values()) if live.log.refresh() else []
    names = known_columns(table, None)
    columns = ", ".join(f'"{c.name}" {_TYPES[c.dtype]}' for c in table.columns)
    if not files:
        _do(connection, f'CREATE TABLE "{table.name}" ({columns})')
        return []
    paths = [lake.place.at(f"{table.name}/{file.path}") for file in files]
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    chosen = ", ".join(f'"{name}"' for name in names)
    _do(
        connection,
        f'CREATE VIEW "{table.name}" AS SELECT {chosen} FROM '
        f"read_parquet([{listed}], hive_partitioning = false, union_by_name = false)",
    )
    return paths


def _fence(connection: duckdb.DuckDBPyConnection, files: list[str]) -> None:
    """From here on, these files can be read and nothing else can be reached; that cannot be undone."""
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in files)
    _do(connection, "SET python_enable_replacements = false")
    _do(connection, "SET autoinstall_known_extensions = false")
    _do(connection, "SET autoload_known_extensions = false")
    _do(connection, f"SET allowed_paths = [{listed}]")
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
    if not _OF_FILES.search(str(error)):
        return None
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
