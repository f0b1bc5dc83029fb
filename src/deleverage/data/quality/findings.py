"""One thing that is wrong, and the rows that a check looks at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from deleverage.data.lake.parts import scan_files
from deleverage.schema import FINDINGS, conform, empty

if TYPE_CHECKING:
    import polars as pl

    from deleverage.data.lake import Lake


@dataclass(frozen=True)
class Finding:
    """A row of the table of findings; times are of the first and last row meant [ns UTC]."""

    check: str
    table: str
    venue: str
    symbol: str
    time_ns: int
    end_ns: int
    severity: str
    expected: str
    found: str
    todo: str


@dataclass(frozen=True)
class Span:
    """Which tables and event times are looked at [ns UTC, inclusive], and what time it is."""

    tables: frozenset[str]
    start_ns: int | None
    end_ns: int | None
    now_ns: int
    damaged: frozenset[str] = frozenset()
    """Files, as 'table/path', that cannot be read."""

    def rows(self, lake: Lake, table: str) -> pl.LazyFrame | None:
        """The rows of a table in the span; None where it is not looked at or empty."""
        import polars as pl

        if table not in self.tables:
            return None
        rows = self.scan(lake, table)
        if rows is None:
            return None
        if self.start_ns is not None:
            rows = rows.filter(pl.col("time_ns") >= self.start_ns)
        if self.end_ns is not None:
            rows = rows.filter(pl.col("time_ns") <= self.end_ns)
        return rows

    def scan(self, lake: Lake, table: str) -> pl.LazyFrame | None:
        """All rows of a table that can be read; None where there are none."""
        live = lake.table(table)
        with live.lock:
            files = list(live.log.files.values()) if live.log.refresh() else []
        sound = [file for file in files if f"{table}/{file.path}" not in self.damaged]
        return scan_files(lake.place, live.table, sound) if sound else None


def name_of(table: str, columns: Iterable[str]) -> tuple[str, str]:
    """Columns that say whose series a row belongs to: venue or publisher, and contract, coin or name."""
    names = set(columns)
    venue = "venue" if "venue" in names else "publisher"
    symbol = next((one for one in ("symbol", "coin", "name", "fund") if one in names), venue)
    return venue, symbol


def whose(row: dict[str, Any], venue: str, symbol: str) -> tuple[str, str]:
    """Venue and contract of a row of grouped findings; '' for what the table does not have."""
    return row[venue], row.get(symbol, "") if symbol != venue else ""


def table_of(findings: Iterable[Finding]) -> pl.DataFrame:
    """Findings as a table, errors first; findings that say the same are one."""
    import polars as pl

    rows: list[dict[str, Any]] = [asdict(one) for one in findings]
    frame = pl.DataFrame(rows, schema=dict(empty(FINDINGS).schema)).unique(maintain_order=True)
    return conform(frame.sort("severity", "check", "table", "venue", "symbol", "time_ns"), FINDINGS)
