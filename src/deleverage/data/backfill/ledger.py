"""What is already complete, so that a repeated backfill fetches nothing twice and a killed one goes on?

Written down in the lake itself, in the same transaction as the rows: application
`backfill/SOURCE/KIND/SYMBOL/…/MONTH` of each table, whose sequence is the mask of the month's complete days
(`days.mask_of`). Days are only ever added to a mask, so the number only ever grows, which is what the lake
asks of a sequence. Rows and record become live together or not at all.

Two backfills of one series and month at the same time can make each other forget that a day is complete,
since the larger mask wins: that day is fetched once more. Never is a day taken for complete whose rows are
not there, and no row is there twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deleverage.data.backfill.days import Month
from deleverage.data.lake import Lake

if TYPE_CHECKING:
    import polars as pl


FETCHED = "backfill/"
"""How the source of every fetched row begins: `lake check` knows by it that a row was not received live."""


@dataclass
class Written:
    """Rows that an append added, and rows whose key was there with other values."""

    rows: int = 0
    repeated: int = 0
    conflicts: int = 0
    example: str = ""

    def add(self, other: Written) -> None:
        """Sum of both; the first example stays."""
        self.rows += other.rows
        self.repeated += other.repeated
        self.conflicts += other.conflicts
        self.example = self.example or other.example


@dataclass(frozen=True)
class Ledger:
    """The record of one series: what of it is complete in each of its tables.

    Parameters
    ----------
    tables : where the series' rows go.
    """

    lake: Lake
    source: str
    kind: str
    symbol: str
    tables: tuple[str, ...]
    variant: str = ""

    def app(self, month: Month) -> str:
        """Name of the application whose sequence is the mask of complete days."""
        parts = ["backfill", self.source, self.kind, self.symbol, self.variant, str(month)]
        return "/".join(part for part in parts if part)

    def complete(self, month: Month) -> int:
        """Mask of the days that are complete in every table."""
        mask = month.whole
        for table in self.tables:
            mask &= self.lake.committed(table, self.app(month)) or 0
        return mask

    def commit(self, table: str, frames: Sequence[pl.DataFrame], month: Month, days: int) -> Written:
        """Append the rows of ``days`` (a mask) and write down that they are complete, at once.

        Large frames may be given in parts: all but the last go first, without a record. If this process dies
        between, the days are not complete, are fetched again, and the rows that are there are not repeated.
        """
        done = Written()
        label = self.app(month)
        for frame in frames[:-1]:
            done.add(_written(self.lake.append(table, frame, source_id=label)))
        while True:
            before = self.lake.committed(table, label) or 0
            after = before | days
            if after == before:  # another process has just completed the same days
                return done
            appended = self.lake.append(table, frames[-1], source_id=label, app=label, sequence=after)
            if not appended.replayed:
                done.add(_written(appended))
                return done
            # Another process completed other days meanwhile: our mask was smaller than its. Once more.

    def keep(self, table: str, frame: pl.DataFrame) -> Written:
        """Append rows of days that are not complete; nothing is written down."""
        if frame.is_empty():
            return Written()
        return _written(self.lake.append(table, frame, source_id=f"{FETCHED}{self.source}/{self.kind}"))


def _written(appended: object) -> Written:
    return Written(
        int(getattr(appended, "rows", 0)),
        int(getattr(appended, "repeated", 0)),
        int(getattr(appended, "conflicts", 0)),
        str(getattr(appended, "example", "")),
    )
