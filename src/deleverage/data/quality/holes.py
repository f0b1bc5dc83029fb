"""What is missing in series that should be regular?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deleverage.data.fills import with_closed
from deleverage.data.quality.findings import Finding, Span

if TYPE_CHECKING:
    import polars as pl

    from deleverage.data.lake import Lake

NS = 1_000_000_000
SHOWN = 5
"""Holes of one series that are listed, the longest; the others are counted."""
_REGULAR_SHARE = 0.8
"""Without a stated interval, a series is regular when so many of its steps are the usual one."""

# Series by their columns besides time; a stated length of the step, where the table has one.
_SERIES: dict[str, tuple[tuple[str, ...], bool]] = {
    "candles": (("venue", "kind", "symbol", "interval_s"), True),
    "funding": (("venue", "symbol"), True),
    "liquidation_totals": (("publisher", "venue", "coin", "side", "interval_s"), True),
    "open_interest": (("venue", "coin", "scope"), False),
    "depth": (("venue", "kind", "coin", "range_bps", "taken"), False),
    "sentiment": (("publisher",), False),
    "market_caps": (("publisher", "coin"), False),
}


def check(lake: Lake, span: Span) -> Iterator[Finding]:
    """Holes in regular series; one that is recorded in `gaps` is a warning that names its reason."""
    yield from _told(lake, span)
    recorded = _recorded(lake, span)
    for name, (series, stated) in _SERIES.items():
        rows = span.rows(lake, name)
        if rows is None:
            continue
        for row in _holes(rows, series, stated).iter_rows(named=True):
            venue = row.get("venue", row.get("publisher", ""))
            symbol = row.get("symbol", row.get("coin", ""))
            kind = ", ".join(
                str(row[c]) for c in series if c in ("kind", "scope", "side", "range_bps", "taken")
            )
            first, last = row["start"] + row["step"], row["end"] - row["step"]
            known = [r for v, s, e, r in recorded if v == venue and s <= first and e >= last]
            besides = row["holes"] - SHOWN if row["last_shown"] else 0
            more = f"; {besides} shorter holes besides" if besides > 0 else ""
            yield Finding(
                "gaps", name, venue, symbol, first, last, "warning",
                f"a row every {row['step'] / NS:,.0f} s" + (f" ({kind})" if kind else ""),
                f"{row['missing']:,} missing"
                + (f", recorded as {known[0]!r}" if known else "")
                + more,
                "`deleverage backfill` fetches what the venue still has; else the hole stays a hole",
            )  # fmt: skip


def _holes(rows: pl.LazyFrame, series: tuple[str, ...], stated: bool) -> pl.DataFrame:
    """By series the longest holes: times before and after, the step [ns], how many rows are missing."""
    import polars as pl

    keys = list(series)
    steps = (
        rows.select("time_ns", *keys, *(["interval_s"] if stated and "interval_s" not in keys else []))
        .unique()
        .sort([*keys, "time_ns"])
        .with_columns(pl.col("time_ns").shift().over(keys).alias("start"))
        .with_columns((pl.col("time_ns") - pl.col("start")).alias("gap"))
        .filter(pl.col("gap").is_not_null())
        .collect(engine="streaming")
    )
    if stated:
        # Venues change the interval of funding: the longer one of both ends is allowed.
        steps = steps.with_columns(
            (pl.max_horizontal("interval_s", pl.col("interval_s").shift().over(keys)) * NS).alias("step")
        )
    else:
        usual = steps.group_by(keys).agg(
            pl.col("gap").mode().min().alias("step"),
        )
        steps = steps.join(usual, on=keys, how="left")
        regular = (pl.col("gap") == pl.col("step")).mean().over(keys) >= _REGULAR_SHARE
        steps = steps.filter(regular)
    # Half a step of room: stamps of funding and of vendors' bars wander by some seconds.
    holes = steps.filter((pl.col("step") > 0) & (pl.col("gap") > 1.5 * pl.col("step"))).with_columns(
        ((pl.col("gap") / pl.col("step")).round().cast(pl.Int64) - 1).alias("missing"),
        pl.len().over(keys).alias("holes"),
        pl.col("gap").rank("ordinal", descending=True).over(keys).alias("rank"),
        pl.col("time_ns").alias("end"),
    )
    shown = holes.filter(pl.col("rank") <= SHOWN)
    return shown.with_columns((pl.col("rank") == SHOWN).alias("last_shown")).sort([*keys, "start"])


def _told(lake: Lake, span: Span) -> Iterator[Finding]:
    """What is recorded in `gaps` and has not been filled, by venue and stream."""
    import polars as pl

    rows, fills = span.rows(lake, "gaps"), span.scan(lake, "fills")
    if rows is None:
        return
    gaps = rows.collect()
    if fills is not None:
        gaps = with_closed(gaps, fills.collect())
    else:
        gaps = gaps.with_columns(pl.lit(False).alias("closed"))
    filled = dict(((v, s), n) for v, s, n in gaps.filter("closed").group_by("venue", "stream").len().rows())
    open_ones = gaps.filter(~pl.col("closed")).sort("time_ns")
    before = pl.col("end_ns").cum_max().shift().over("venue", "stream")  # gaps of contracts lie side by side
    found = (
        open_ones.with_columns(
            (pl.col("end_ns") - pl.max_horizontal("time_ns", before)).clip(0).alias("more")
        )
        .group_by("venue", "stream")
        .agg(
            pl.len().alias("n"),
            pl.col("time_ns").min().alias("first"),
            pl.col("end_ns").max().alias("last"),
            pl.col("more").sum().alias("length"),
            pl.col("reason").unique().sort().str.join(", ").alias("reasons"),
        )
        .sort("venue", "stream")
    )
    for row in found.iter_rows(named=True):
        others = filled.get((row["venue"], row["stream"]), 0)
        yield Finding(
            "gaps", "gaps", row["venue"], "", row["first"], row["last"], "warning",
            "every message of a stream",
            f"{row['n']:,} recorded gap{'' if row['n'] == 1 else 's'} of the stream '{row['stream']}', "
            f"{row['length'] / NS:,.0f} s in all: {row['reasons']}"
            + (f"; {others:,} more filled since" if others else ""),
            "`deleverage backfill gaps` fetches what the venue still has; else the hole stays a hole",
        )  # fmt: skip


def _recorded(lake: Lake, span: Span) -> list[tuple[str, int, int, str]]:
    import polars as pl

    rows = span.scan(lake, "gaps")
    if rows is None:
        return []
    frame = rows.select("venue", "time_ns", "end_ns", "reason").collect()
    return frame.with_columns(pl.col("reason").fill_null("")).rows()
