"""What did a publisher say first, what does it say now, and what did it say on a given day?

A table of macro series holds the first value that was ever received for a date: it never changes. A later
value that differs goes to the table `revisions`, with when it was received. So both are there: the first
vintage is the table itself, the latest is the table with the last revisions laid over it, and any moment
between can be asked for.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from deleverage.data.lake import Lake
from deleverage.errors import InputError
from deleverage.schema import LAKE_TABLES

if TYPE_CHECKING:
    import polars as pl

REVISED = ("flows", "sentiment", "market_caps", "macro", "indicators")
_SAME = 1e-9  # the same figure printed with another number of digits differs by less of it


def read_vintage(
    lake: Lake, table: str, *, latest: bool = True, as_of_ns: int | None = None, publisher: str = ""
) -> pl.DataFrame:
    """A table of macro series as the publisher gave it at one moment.

    Parameters
    ----------
    latest : with the last revisions; else the first values.
    as_of_ns : what had been received up to that moment [ns UTC]; rows from files, whose time of receipt
        nobody knows, are then left out.
    publisher : of one publisher only.
    """
    import polars as pl

    if table not in REVISED:
        raise InputError(f"expected a table of {', '.join(REVISED)}, found '{table}'", table=table)
    where = {"publisher": publisher} if publisher else None
    frame = lake.read(table, where=where)
    changes = lake.read("revisions", where={"table": table, **(where or {})})
    if as_of_ns is not None:
        frame = frame.filter(pl.col("received_ns") <= as_of_ns)
        changes = changes.filter(pl.col("received_ns") <= as_of_ns)
    return laid_over(frame, changes, table) if latest else frame


def laid_over(frame: pl.DataFrame, changes: pl.DataFrame, table: str) -> pl.DataFrame:
    """The frame with the last revision of each value in its place."""
    import polars as pl

    keys = ["time_ns", "publisher", "_series"]
    frame = frame.with_columns(_series(table))
    last = changes.sort("revision").unique(
        subset=["time_ns", "publisher", "series", "column"], keep="last", maintain_order=True
    )
    for column in _numbers(table):
        new = last.filter(pl.col("column") == column).select(
            "time_ns",
            "publisher",
            pl.col("series").alias("_series"),
            pl.col("value").alias("_value"),
            _new=True,
        )
        dtype = frame.schema[column]
        frame = (
            frame.join(new, on=keys, how="left", maintain_order="left")
            .with_columns(
                pl.when(pl.col("_new").fill_null(False))
                .then(pl.col("_value"))
                .otherwise(pl.col(column))
                .cast(dtype)
                .alias(column)
            )
            .drop("_value", "_new")
        )
    return frame.drop("_series")


def append_vintage(
    lake: Lake, table: str, frame: pl.DataFrame, *, source: str, received_ns: int
) -> tuple[int, pl.DataFrame]:
    """Add what is new of a fetch, and write down what it says otherwise than before.

    Parameters
    ----------
    frame : rows of the table without 'received_ns' and 'source', once each.

    Returns
    -------
    number of new rows, and the revisions (rows of the table `revisions`).
    """
    import polars as pl

    if frame.is_empty():
        return 0, _revisions([], table, source)
    low, high = cast(int, frame["time_ns"].min()), cast(int, frame["time_ns"].max())
    known = lake.read(table, start_ns=low, end_ns=high)
    changes = lake.read("revisions", start_ns=low, end_ns=high, where={"table": table})
    now = laid_over(known, changes, table)
    key = list(LAKE_TABLES[table].key)
    stamped = frame.with_columns(
        pl.lit(received_ns, dtype=pl.Int64).alias("received_ns"), pl.lit(source).alias("source")
    )
    new = stamped.join(now.select(key), on=key, how="anti")
    both = frame.join(now, on=key, how="inner", suffix="_before").with_columns(_series(table))
    done = Counter(
        changes.select("time_ns", "publisher", "series", "column").iter_rows()
    )  # how often each value was changed before
    rows: list[dict[str, object]] = []
    for column in _numbers(table):
        if column not in frame.columns:
            continue
        one, other = pl.col(column), pl.col(f"{column}_before")
        near = ((one - other).abs() <= _SAME * other.abs()).fill_null(False)
        for row in both.filter(~(one.eq_missing(other) | near)).iter_rows(named=True):
            rows.append(
                {
                    "time_ns": row["time_ns"],
                    "received_ns": received_ns,
                    "publisher": row["publisher"],
                    "series": row["_series"],
                    "column": column,
                    "revision": done[(row["time_ns"], row["publisher"], row["_series"], column)] + 1,
                    "before": row[f"{column}_before"],
                    "value": row[column],
                }
            )
    revised = _revisions(rows, table, source)
    # Revisions first: if this process dies between, the next fetch finds the new rows still missing.
    if revised.height:
        lake.append("revisions", revised, source_id=source)
    added = lake.append(table, new, source_id=source).rows if new.height else 0
    return added, revised


def _revisions(rows: list[dict[str, object]], table: str, source: str) -> pl.DataFrame:
    import polars as pl

    declared = LAKE_TABLES["revisions"]
    schema = {column.name: getattr(pl, column.dtype) for column in declared.columns}
    whole = [
        {
            **row,
            "table": table,
            "source": source,
            **{
                name: None if row[name] is None else float(cast(float, row[name]))
                for name in ("before", "value")
            },
        }
        for row in rows
    ]
    return pl.DataFrame(whole, schema=schema)


def _series(table: str) -> pl.Expr:
    """The rest of a row's key as one text."""
    import polars as pl

    parts = [name for name in LAKE_TABLES[table].key if name not in ("time_ns", "publisher")]
    if not parts:
        return pl.lit("").alias("_series")
    return pl.concat_str([pl.col(name).cast(pl.String) for name in parts], separator="/").alias("_series")


def _numbers(table: str) -> list[str]:
    declared = LAKE_TABLES[table]
    return [
        column.name
        for column in declared.columns
        if column.name not in (*declared.key, "received_ns") and column.dtype in ("Float64", "Int64")
    ]
