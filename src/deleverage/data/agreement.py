"""Whose bars are these, if the file does not say? A venue's whose closes of the same symbol are the same.

Two venues never print the same close for a month of days. Bars that nothing can be compared with keep no
venue.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deleverage.data.importers.base import Defect
from deleverage.data.importers.rows import DAY_S, UNNAMED

if TYPE_CHECKING:
    import polars as pl

    from deleverage.data.lake import Lake

_DAYS = 30
_EQUAL = 0.99
_COLUMNS = ("time_ns", "venue", "kind", "symbol", "close")


@dataclass
class Venues:
    """Daily closes of bars that name their venue, of this import and of the lake."""

    lake: Lake
    named: list[pl.DataFrame] = field(default_factory=list)
    recalled: bool = False

    def hear(self, candles: pl.DataFrame) -> None:
        """Take the daily bars that name their venue."""
        import polars as pl

        daily = candles.filter((pl.col("interval_s") == DAY_S) & (pl.col("venue") != UNNAMED))
        if daily.height:
            self.named.append(daily.select(_COLUMNS))

    def told(self, candles: pl.DataFrame) -> tuple[pl.DataFrame, list[Defect]]:
        """The bars under the venue that they agree with, where there is one."""
        import polars as pl

        nameless = (pl.col("venue") == UNNAMED) & (pl.col("interval_s") == DAY_S)
        own = candles.filter(nameless)
        if own.is_empty():
            return candles, []
        named = self._named()
        if named is None:
            return candles, []
        pairs = own.join(named, on=["time_ns", "kind", "symbol"], suffix="_named")
        equal = (pl.col("close") / pl.col("close_named") - 1).abs() < 1e-9
        found = (
            pairs.group_by("symbol", "kind", "venue_named")
            .agg(pl.len().alias("days"), equal.mean().alias("equal"))
            .filter((pl.col("days") >= _DAYS) & (pl.col("equal") >= _EQUAL))
        )
        defects = []
        for symbol, kind, venue, days, share in found.iter_rows():
            mine = nameless & (pl.col("symbol") == symbol) & (pl.col("kind") == kind)
            defects.append(
                Defect(
                    "venue-by-agreement",
                    "bars that name no venue and are those of one, day by day",
                    "stored as that venue's",
                    candles.filter(mine).height,
                    f"{symbol}: {share:.1%} of {days:,} days have the close of {venue}",
                )
            )
            candles = candles.with_columns(
                pl.when(mine).then(pl.lit(venue)).otherwise(pl.col("venue")).alias("venue")
            )
        return candles, defects

    def _named(self) -> pl.DataFrame | None:
        import polars as pl

        if not self.recalled:
            self.recalled = True
            if self.lake.exists():
                self.hear(self.lake.read("candles", where={"interval_s": DAY_S}))
        if not self.named:
            return None
        return pl.concat(self.named).unique(["time_ns", "venue", "kind", "symbol"], keep="first")
