"""How do the rows of one series reach the lake: gaps first, then rows and record at once?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from deleverage.data.backfill.days import Month, mask_of
from deleverage.data.backfill.gaps import gap_rows
from deleverage.data.backfill.ledger import Ledger, Written
from deleverage.data.backfill.request import Gap, SeriesReport
from deleverage.schema import LAKE_TABLES, empty

if TYPE_CHECKING:
    import polars as pl

TABLES: dict[str, tuple[str, ...]] = {
    "klines": ("candles",),
    "metrics": ("indicators", "open_interest"),
    "funding": ("funding",),
    "open_interest": ("open_interest",),
    "trades": ("trades",),
    "depth": ("depth",),
    "liquidations": ("liquidations",),
}
_PART_ROWS = 1_000_000


@dataclass
class SeriesWriter:
    """Writes one series down.

    Parameters
    ----------
    stream : name of the series in the table of gaps.
    """

    ledger: Ledger
    report: SeriesReport
    venue: str
    stream: str
    _held: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    _days: dict[Month, int] = field(default_factory=dict)
    _gaps: list[Gap] = field(default_factory=list)
    rows: int = 0

    def hold(self, tables: dict[str, pl.DataFrame], month: Month, days: int, gaps: list[Gap]) -> None:
        """Keep rows of days (a mask) that are complete with them, until `flush`."""
        if self._days and month not in self._days:
            self.flush()
        for table, frame in tables.items():
            self._held.setdefault(table, []).append(frame)
            self.rows += frame.height
        self._days[month] = self._days.get(month, 0) | days
        self._gaps += gaps

    def flush(self) -> None:
        """Everything that is held becomes live; days are complete when their rows are."""
        import polars as pl

        if not self._days:
            return
        ((month, days),) = self._days.items()
        self.gaps(self._gaps)
        for table in self.ledger.tables:
            held = [frame for frame in self._held.get(table, []) if frame.height]
            whole = pl.concat(held, how="diagonal") if held else empty(LAKE_TABLES[table])
            parts = [whole.slice(at, _PART_ROWS) for at in range(0, max(whole.height, 1), _PART_ROWS)]
            self._count(self.ledger.commit(table, parts, month, days))
        self.report.fetched += month.days(days)
        self._held, self._days, self._gaps, self.rows = {}, {}, [], 0

    def partial(self, tables: dict[str, pl.DataFrame], day: date) -> None:
        """Rows of a day that is not over: kept, and asked for again."""
        for table, frame in tables.items():
            self._count(self.ledger.keep(table, frame))
        if day not in self.report.partial:
            self.report.partial.append(day)

    def gaps(self, gaps: list[Gap]) -> None:
        """Write down what the source does not have."""
        from deleverage.data.backfill.days import now_ns

        if gaps:
            self.report.gaps += gaps
            symbol = self.report.symbol
            self.ledger.keep("gaps", gap_rows(gaps, self.venue, self.stream, symbol, now_ns()))

    def _count(self, written: Written) -> None:
        self.report.added += written.rows
        self.report.repeated += written.repeated
        self.report.conflicts += written.conflicts
        self.report.example = self.report.example or written.example


def todo(ledger: Ledger, asked: dict[Month, int], report: SeriesReport) -> dict[Month, int]:
    """The days of each month that are asked for and not complete; counted in the report."""
    left: dict[Month, int] = {}
    for month, mask in asked.items():
        complete = ledger.complete(month) & mask
        report.asked += mask.bit_count()
        report.complete_before += complete.bit_count()
        if mask & ~complete:
            left[month] = mask & ~complete
    return left


def of_day(frame: pl.DataFrame, day: date, *, includes_end: bool = False) -> pl.DataFrame:
    """The rows of a day."""
    import polars as pl

    from deleverage.data.backfill.days import end_ns, start_ns

    return frame.filter(
        pl.col("time_ns").is_between(start_ns(day), end_ns(day), closed="both" if includes_end else "left")
    )


def single(day: date) -> int:
    """The mask of one day."""
    return mask_of([day])
