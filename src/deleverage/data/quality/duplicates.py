"""Does a key occur twice? Writers take care that none does; this looks at the rows themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deleverage.data.quality.findings import Finding, Span, name_of, whose
from deleverage.schema import LAKE_TABLES

if TYPE_CHECKING:
    from deleverage.data.lake import Lake


def check(lake: Lake, span: Span) -> Iterator[Finding]:
    """Keys that occur more than once, by venue and contract."""
    import polars as pl

    for name, table in LAKE_TABLES.items():
        rows = span.rows(lake, name)
        if rows is None:
            continue
        # Hashes first: they take 8 bytes a row, and only keys whose hash repeats are compared.
        keyed = rows.select(
            pl.struct(table.key).hash(1).alias("_hash"), "time_ns", *[k for k in table.key if k != "time_ns"]
        )
        hashes = rows.select(pl.struct(table.key).hash(1).alias("_hash")).collect(engine="streaming")["_hash"]
        if hashes.n_unique() == hashes.len():
            continue
        repeated = hashes.filter(hashes.is_duplicated()).unique()
        suspects = keyed.filter(pl.col("_hash").is_in(repeated.implode())).collect(engine="streaming")
        venue, symbol = name_of(name, table.names)
        series = [one for one in dict.fromkeys([venue, symbol]) if one in table.key]
        counted = suspects.group_by(table.key).agg(pl.len().alias("_n")).filter(pl.col("_n") > 1)
        if "time_ns" not in counted.columns:
            counted = counted.join(
                suspects.group_by(table.key).agg(pl.col("time_ns").min()), on=list(table.key), how="left"
            )
        for row in (
            counted.group_by(series)
            .agg(
                pl.len().alias("n"),
                pl.col("time_ns").min().alias("first"),
                pl.col("time_ns").max().alias("last"),
            )
            .sort(pl.all())
            .iter_rows(named=True)
        ):
            yield Finding(
                "duplicates", name, *whose(row, venue, symbol), row["first"], row["last"], "error",
                f"each {', '.join(table.key)} once",
                f"{row['n']:,} {'key that occurs' if row['n'] == 1 else 'keys that occur'} more than once",
                "import into a new folder, or find the writer that does not go through the lake",
            )  # fmt: skip
