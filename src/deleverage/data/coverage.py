"""What do the files of an import cover together, and where do they tell different things?

One file cannot say that a series has a hole of a week, ends before the crash, or differs from another
publisher's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deleverage.data.importers.base import Defect
from deleverage.data.importers.rows import DAY_NS, iso_day, iso_minute

if TYPE_CHECKING:
    import polars as pl

# The columns that make a series of a table.
_SERIES = {
    "candles": ("venue", "kind", "coin", "interval_s"),
    "funding": ("venue", "coin"),
    "open_interest": ("venue", "coin", "scope"),
    "depth": ("venue", "kind", "coin"),
    "flows": ("publisher", "coin"),
    "sentiment": ("publisher",),
    "macro": ("publisher", "symbol"),
    "market_caps": ("publisher", "coin"),
    "tiers": ("venue",),
    "holdings": ("venue",),
    "trades": ("venue", "kind", "coin"),
    "liquidations": ("venue",),
}
_KEPT = {"open_interest": ("venue", "coin", "scope"), "snapshots": ("kind",)}
_COMPARED = {"flows": (("coin",), "usd", 5e6), "sentiment": ((), "value", 0.5)}
_HOUR_NS = 3_600_000_000_000
_CRASH_RANGE = 0.1  # of the high: below, no day of the import is a crash


@dataclass
class Coverage:
    """Spans, times and daily values of what was read, gathered file by file."""

    spans: list[pl.DataFrame] = field(default_factory=list)
    times: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    values: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    days: list[pl.DataFrame] = field(default_factory=list)

    def hear(self, table: str, frame: pl.DataFrame) -> None:
        """Take what is needed of a frame."""
        import polars as pl

        if frame.is_empty():
            return
        if table in _SERIES:
            by = _SERIES[table]
            name = pl.concat_str(*(pl.col(column).cast(pl.String) for column in by), separator=" ")
            self.spans.append(
                frame.group_by(name.alias("series"))
                .agg(
                    pl.col("time_ns").min().alias("first"),
                    pl.col("time_ns").max().alias("last"),
                    pl.len().alias("rows"),
                )
                .select(
                    pl.lit(table).alias("table"), "series", "first", "last", pl.col("rows").cast(pl.Int64)
                )
            )
        if table in _KEPT:
            self.times.setdefault(table, []).append(frame.select("time_ns", *_KEPT[table]).unique())
        if table in _COMPARED:
            by, value, _ = _COMPARED[table]
            rows = frame.filter(pl.col("fund") == "total") if table == "flows" else frame
            rows = rows.filter(~pl.col("publisher").str.contains("(", literal=True))  # another region's funds
            self.values.setdefault(table, []).append(
                rows.select("time_ns", "publisher", *by, pl.col(value).cast(pl.Float64).alias("value"))
            )
        if table == "candles":
            bitcoin = frame.filter((pl.col("coin") == "BTC") & (pl.col("interval_s") <= 86_400))
            if bitcoin.height:
                self.days.append(
                    bitcoin.group_by((pl.col("time_ns") // DAY_NS).alias("day")).agg(
                        pl.col("high").max(), pl.col("low").min()
                    )
                )

    def defects(self) -> list[Defect]:
        """What only all files together tell."""
        import polars as pl

        if not self.spans:
            return []
        spans = (
            pl.concat(self.spans)
            .group_by("table", "series", maintain_order=True)
            .agg(pl.col("first").min(), pl.col("last").max(), pl.col("rows").sum())
        )
        return [
            *self._misses(spans),
            *_one_coin(spans),
            *_short(spans),
            *self._interest_holes(),
            *self._snapshot_days(),
            *self._differences(),
        ]

    def _crash(self) -> int | None:
        """The day of Bitcoin's largest range in USD [ns UTC], if that was a crash."""
        import polars as pl

        if not self.days:
            return None
        days = pl.concat(self.days).group_by("day").agg(pl.col("high").max(), pl.col("low").min())
        worst = days.sort(pl.col("high") - pl.col("low"), descending=True).row(0, named=True)
        if worst["low"] > (1 - _CRASH_RANGE) * worst["high"]:
            return None
        return int(worst["day"]) * DAY_NS

    def _misses(self, spans: pl.DataFrame) -> list[Defect]:
        import polars as pl

        crash = self._crash()
        if crash is None:
            return []
        told, missed = [], 0
        for (table,), rows in spans.group_by("table", maintain_order=True):
            missing = rows.filter((pl.col("last") < crash) | (pl.col("first") >= crash + DAY_NS))
            if missing.is_empty():
                continue
            first = missing.sort("rows", descending=True).row(0, named=True)
            how = "ends" if first["last"] < crash else "begins"
            when = iso_day(first["last"] if how == "ends" else first["first"])
            missed += missing.height
            told.append(f"{table} {missing.height} of {rows.height} ({first['series']} {how} {when})")
        if not told:
            return []
        return [
            Defect(
                "misses-the-crash",
                f"series that do not cover {iso_day(crash)}, the day of BTC's largest range in USD",
                "imported; such a series cannot speak of that day",
                missed,
                "; ".join(told),
            )
        ]

    def _interest_holes(self) -> list[Defect]:
        import polars as pl

        frames = self.times.get("open_interest")
        if not frames:
            return []
        times = pl.concat(frames).unique().sort("venue", "coin", "scope", "time_ns")
        times = times.with_columns(pl.col("time_ns").shift(1).over("venue", "coin", "scope").alias("before"))
        step = pl.col("time_ns") - pl.col("before")
        usual = step.median().over("venue", "coin", "scope")
        gaps = times.filter((step > 36 * _HOUR_NS) & (step > 6 * usual) & (usual < 12 * _HOUR_NS))
        if gaps.is_empty():
            return []
        # The hole that most series share says most.
        shared = gaps.group_by("before", "time_ns").len().sort("len", descending=True).row(0, named=True)
        return [
            Defect(
                "interest-holes",
                "open interest stitched from several files has holes",
                "left as holes; nothing is filled in",
                gaps.height,
                f"{iso_minute(shared['before'])} to {iso_minute(shared['time_ns'])} "
                f"in {shared['len']} series",
            )
        ]

    def _snapshot_days(self) -> list[Defect]:
        import polars as pl

        frames = self.times.get("snapshots")
        if not frames:
            return []
        days = pl.concat(frames).select((pl.col("time_ns") // DAY_NS).alias("day"))["day"].unique().sort()
        if days.len() < 3:
            return []
        absent = sorted(set(range(int(days[0]), int(days[-1]))) - set(days.to_list()))
        if not absent:
            return []
        crash = self._crash()
        after = None if crash is None else crash // DAY_NS + 1
        shown = (
            f", among them {iso_day(after * DAY_NS)}, the day after the crash"
            if after in absent and after
            else ""
        )
        return [
            Defect(
                "snapshot-days-missing",
                "days without a snapshot between the first and the last",
                "left as holes; nothing is filled in",
                len(absent),
                f"{len(absent)} days of {int(days[-1] - days[0]) + 1}{shown}",
            )
        ]

    def _differences(self) -> list[Defect]:
        import polars as pl

        found = []
        for table, (by, _, tolerance) in _COMPARED.items():
            frames = self.values.get(table)
            if not frames:
                continue
            values = pl.concat(frames).unique(
                ["time_ns", "publisher", *by], keep="first", maintain_order=True
            )
            pairs = values.join(values, on=["time_ns", *by], suffix="_other").filter(
                pl.col("publisher") < pl.col("publisher_other")
            )
            off = pairs.filter((pl.col("value") - pl.col("value_other")).abs() > tolerance)
            if off.is_empty():
                continue
            first = off.group_by("publisher", "publisher_other").len().sort("len", descending=True).row(0)
            both = pairs.filter(
                (pl.col("publisher") == first[0]) & (pl.col("publisher_other") == first[1])
            ).height
            word = f"{tolerance / 1e6:g} m USD" if table == "flows" else "a point"
            found.append(
                Defect(
                    f"{table}-differ",
                    f"publishers of `{table}` who tell different values of one day",
                    "each kept under its publisher; revisions are the publisher's",
                    off.height,
                    f"{first[0]} and {first[1]}: {first[2]} of {both} days by more than {word}",
                )
            )
        return found


def _one_coin(spans: pl.DataFrame) -> list[Defect]:
    """A length of bars that is there for one coin only, where others are there for several."""
    import polars as pl

    bars = spans.filter(pl.col("table") == "candles").with_columns(
        pl.col("series").str.split(" ").list.get(2).alias("coin"),
        pl.col("series").str.split(" ").list.get(3).cast(pl.Int64).alias("interval_s"),
        pl.col("series").str.split(" ").list.get(1).alias("kind"),
    )
    kinds = bars.group_by("interval_s", "kind").agg(
        pl.col("coin").n_unique().alias("n"), pl.col("coin").first()
    )
    alone = kinds.filter(pl.col("n") == 1).sort("interval_s")
    if alone.is_empty() or kinds["n"].max() == 1:
        return []
    row = alone.row(0, named=True)
    return [
        Defect(
            "one-coin-only",
            "bars of a length that are there for one coin only",
            "imported",
            alone.height,
            f"{row['kind']} bars of {row['interval_s']} s: {row['coin']}",
        )
    ]


def _short(spans: pl.DataFrame) -> list[Defect]:
    """Bars that cover less than a day."""
    import polars as pl

    short = spans.filter(
        (pl.col("table") == "candles") & (pl.col("rows") >= 30) & (pl.col("last") - pl.col("first") < DAY_NS)
    )
    return [
        Defect(
            "short-series",
            "a series of few rows, or of less than a day",
            "imported; a window, not a history",
            row["rows"],
            f"{row['series']}: {row['rows']} bars",
        )
        for row in short.iter_rows(named=True)
    ]
