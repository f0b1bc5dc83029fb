"""Which curves does a figure draw? Minutes of many seeds, reduced to a median and a 90 % band.

Everything is aggregated before anything is drawn: a page grows with the minutes of a run, not its seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from deleverage.experiment.answer import Answer
from deleverage.report import style
from deleverage.report.figures.canvas import Floats

_QUANTILES = (("p05", 0.05), ("p50", 0.5), ("p95", 0.95))
_COLUMNS = ("close", "depth_bid_usd", "depth_ask_usd", "spread_bps", "open_interest_coins")


@dataclass(frozen=True)
class Band:
    """A median and its 90 % band over time; ``minutes`` since the epoch."""

    minutes: Floats
    low: Floats
    middle: Floats
    high: Floats


@dataclass(frozen=True)
class Bars:
    """Liquidations per minute in USD over all markets: mean over seeds, and the 95 % point."""

    minutes: Floats
    long: Floats
    short: Floats
    long_high: Floats
    short_high: Floats


class Series:
    """The reduced data of one answer, computed once and shared by its figures."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.summary: dict[str, Any] = answer.summary
        self.markets: tuple[str, ...] = tuple(answer.summary["markets"])
        self.seeds = int(answer.summary["seeds"])

    @property
    def band_name(self) -> str:
        """What the shaded band is."""
        return f"Band: 90{style.THIN}% of {self.seeds} seeds; line: their median"

    def source(self, *, candles: str = "") -> str:
        """Source and date of a figure."""
        provenance = self.summary.get("provenance") or {}
        version = f" {provenance['version']}" if provenance.get("version") else ""
        simulated = (
            f"simulated by deleverage{version}, scenario {self.summary['scenario']}, {self.seeds} seeds"
        )
        observed = f"; candles: {candles}" if candles else ""
        return f"Source: {simulated}{observed}. {style.day(self.summary['start'])}, times in UTC."

    @cached_property
    def _quantiles(self) -> pl.DataFrame:
        return (
            self.answer.tables["minutes"]
            .lazy()
            .group_by("variant", "market", "time_ns")
            .agg(
                *(
                    pl.col(name).quantile(q, "linear").alias(f"{name}_{tag}")
                    for name in _COLUMNS
                    for tag, q in _QUANTILES
                )
            )
            .sort("variant", "market", "time_ns")
            .collect()
        )

    def band(self, market: str, column: str, *, variant: str = "factual") -> Band | None:
        """The band of a column, or None when there are no rows."""
        rows = self._quantiles.filter((pl.col("variant") == variant) & (pl.col("market") == market))
        if not rows.height:
            return None
        low, middle, high = (_floats(rows[f"{column}_{tag}"]) for tag, _ in _QUANTILES)
        return Band(_minutes(rows["time_ns"]), low, middle, high)

    @cached_property
    def liquidations(self) -> Bars:
        """Liquidations per minute by side, all markets together."""
        sides = ("liquidated_long_usd", "liquidated_short_usd")
        rows = (
            self.answer.tables["minutes"]
            .lazy()
            .filter(pl.col("variant") == "factual")
            .group_by("seed", "time_ns")
            .agg(pl.col(*sides).sum())
            .group_by("time_ns")
            .agg(
                *(pl.col(s).mean().alias(f"{s}_mean") for s in sides),
                *(pl.col(s).quantile(0.95, "linear").alias(f"{s}_high") for s in sides),
            )
            .sort("time_ns")
            .collect()
        )
        return Bars(
            _minutes(rows["time_ns"]),
            *(_floats(rows[f"{side}_{kind}"]) for kind in ("mean", "high") for side in sides),
        )

    def candles(self, market: str) -> pl.DataFrame:
        """Real candles inside the run's window; where bars overlap the finest stay, perpetual before spot."""
        table = self.answer.tables["candles"]
        minutes = self.band(market, "close")
        if not table.height or minutes is None:
            return table.clear()
        first, last = int(minutes.minutes[0] * 60e9), int((minutes.minutes[-1] + 1) * 60e9)
        traded = self.answer.summary.get("traded", {}).get(market, {"coin": market})
        rows = table.filter(
            (pl.col("coin") == traded["coin"])
            & (pl.col("venue") == traded.get("venue", pl.col("venue")))
            & (pl.col("time_ns") < last)
            & (pl.col("time_ns") + pl.col("interval_s") * 1_000_000_000 > first)
        )
        kept: list[dict[str, Any]] = []
        taken: list[tuple[int, int]] = []
        order = rows.with_columns((pl.col("kind") != "perp").alias("later")).sort(
            "interval_s", "later", "time_ns"
        )
        for row in order.iter_rows(named=True):
            start, end = row["time_ns"], row["time_ns"] + row["interval_s"] * 1_000_000_000
            # half a bar may overlap; a coarser bar over finer ones would hide them
            if sum(max(0, min(end, b) - max(start, a)) for a, b in taken) * 2 > end - start:
                continue
            taken.append((start, end))
            kept.append(row)
        return pl.DataFrame(kept, schema=rows.schema, orient="row").sort("time_ns") if kept else rows.clear()


def _minutes(times: pl.Series) -> Floats:
    return np.asarray(times.to_numpy(), dtype=np.float64) / 60e9


def _floats(values: pl.Series) -> Floats:
    return np.asarray(values.to_numpy(), dtype=np.float64)


def interval_of(values: pl.Series) -> dict[str, float | None]:
    """The 5, 50 and 95 % points of a column, in the form of the answer's intervals."""
    points = {tag: values.quantile(q, "linear") for tag, q in _QUANTILES}
    return {tag: None if point is None else float(point) for tag, point in points.items()}
