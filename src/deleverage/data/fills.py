"""Which recorded gaps are still open?

A gap is never edited: what was fetched for it afterwards is a row of `fills` for each contract and attempt,
and the last attempt counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

GAP_KEY = ("time_ns", "venue", "stream", "symbol", "reason")
CLOSED, COARSER, OPEN = "closed", "coarser", "open"
"""Nothing is missing; all that the venue keeps is there, at longer steps than were collected; something is
still missing."""
DONE = (CLOSED, COARSER)


def last_attempts(fills: pl.DataFrame) -> pl.DataFrame:
    """The last attempt of each gap and contract."""
    return fills.sort("attempt").unique([*GAP_KEY, "contract"], keep="last", maintain_order=True)


def with_closed(gaps: pl.DataFrame, fills: pl.DataFrame) -> pl.DataFrame:
    """Gaps with the column ``closed``: whether each of a gap's contracts is closed or as full as can be.

    Parameters
    ----------
    gaps, fills : rows of these tables of a lake; of ``gaps`` at least the key.
    """
    import polars as pl

    states = (
        last_attempts(fills)
        .group_by(GAP_KEY)
        .agg(pl.col("state").is_in(DONE).sum().alias("done"), pl.col("contracts").max())
        .select(*GAP_KEY, (pl.col("done") >= pl.col("contracts")).alias("closed"))
    )
    return gaps.join(states, on=GAP_KEY, how="left").with_columns(pl.col("closed").fill_null(False))
