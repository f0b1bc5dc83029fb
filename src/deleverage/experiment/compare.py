"""The run beside the world: real candles, and what others published, by whose count."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from deleverage import schema
from deleverage.measure.candles import MINUTE_NS, SECOND_NS, finest, share_of_closes_inside

if TYPE_CHECKING:
    from deleverage.experiment.scenario import Scenario


class CandleLake(Protocol):
    """A lake that can be read."""

    def read(
        self,
        table_name: str,
        /,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        where: dict[str, str | float | int] | None = None,
    ) -> pl.DataFrame:
        """Rows of a table in a span of time."""
        ...


_HOUR_NS = 3600 * SECOND_NS


def read_candles(scenario: Scenario, lake: CandleLake) -> pl.DataFrame:
    """Real bars of the scenario's markets and time: the finest there are, spot where the perpetual's end.

    One minute, then five-minute spot, else hourly bars; a bar is used only where no finer one covers its
    opening.
    """
    start, end = scenario.start_ns, scenario.start_ns + scenario.steps * SECOND_NS
    frames = []
    for market in scenario.markets:
        where: dict[str, str | float | int] = {
            "venue": scenario.venue_of(market), "coin": scenario.coin_of(market),
        }  # fmt: skip
        frames.append(finest(lake.read("candles", start_ns=start, end_ns=end, where=where), start, end))
    bars = pl.concat(frames).sort("coin", "time_ns").select(schema.CANDLES.names)
    return schema.conform(bars, schema.CANDLES)


def observed(scenario: Scenario, candles: pl.DataFrame, drop: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Per market: real start, low and drop, and whether the drop lies in the simulated 90 % band.

    None without bars.
    """
    found: dict[str, Any] = {}
    end = scenario.start_ns + scenario.steps * SECOND_NS
    # A bar that outlasts the run holds prices of after.
    within = candles.filter(pl.col("time_ns") + pl.col("interval_s") * SECOND_NS <= end)
    for market in scenario.markets:
        own = within.filter(_own(scenario, market))
        bars = own.filter(pl.col("kind") == "perp").sort("time_ns")
        if not bars.height:
            bars = own.sort("time_ns")
        if not bars.height:
            found[market] = None
            continue
        row = bars.sort("low", "time_ns").row(0, named=True)
        first = bars.row(0, named=True)
        begins = min(abs(first["time_ns"] - scenario.start_ns), 10 * _HOUR_NS)
        start = first["open"] if begins <= MINUTE_NS else scenario.market[market].start_price.number
        fall = 1.0 - row["low"] / start
        found[market] = {
            "start": start,
            "low": row["low"],
            "low_at": datetime.fromtimestamp(row["time_ns"] / 1e9, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "drop": fall,
            "inside": drop[market]["p05"] <= fall <= drop[market]["p95"],
            "bar_s": row["interval_s"],
            "source": row["source"],
            "closes_inside": None,
        }
    return found


def closes_inside(
    scenario: Scenario, candles: pl.DataFrame, minutes: pl.DataFrame, market: str
) -> float | None:
    """Share of the real bars whose close lies in the simulated 90 % band of that minute's end.

    None without bars.
    """
    band = (
        minutes.filter((pl.col("variant") == "factual") & (pl.col("market") == market))
        .group_by("time_ns")
        .agg(
            pl.col("close").quantile(0.05, "linear").alias("low_band"),
            pl.col("close").quantile(0.95, "linear").alias("high_band"),
        )
    )
    return share_of_closes_inside(candles.filter(_own(scenario, market)), band)


def _own(scenario: Scenario, market: str) -> pl.Expr:
    """Bars of what a market trades, where it trades."""
    coin, venue = scenario.coin_of(market), scenario.venue_of(market)
    return (pl.col("coin") == coin) & (pl.col("venue") == venue)


def quantity(summary: dict[str, Any], path: str) -> dict[str, float] | float | None:
    """What stands at a dotted path of the summary: a number, an interval, or None where there is nothing."""
    at: Any = summary
    for part in path.split("."):
        if not isinstance(at, dict) or part not in at:
            return None
        at = at[part]
    if isinstance(at, dict) and not {"p05", "p50", "p95"} <= set(at):
        return None
    return at if isinstance(at, dict | int | float) else None


def published(scenario: Scenario, summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Every published figure beside the simulated one.

    Only figures of the same venues and the same quantity are judged; others are listed as of a different
    venue set,
    and what the run has no quantity for as not simulated. Outside is a finding.
    """
    rows = []
    for item in scenario.published:
        found = quantity(summary, item.quantity) if item.quantity else None
        low: float | None = None
        mid: float | None = None
        high: float | None = None
        if isinstance(found, dict):
            low, mid, high = found["p05"], found["p50"], found["p95"]
        elif found is not None:
            low = mid = high = float(found)
        if not item.comparable:
            verdict = "different venue set"
        elif low is None or high is None or item.value is None:
            verdict = "not simulated"
        else:
            verdict = "inside" if low <= item.value <= high else "outside"
        rows.append(
            {
                "id": item.id,
                "text": item.text,
                "by_whose_count": item.by_whose_count,
                "venue_set": item.venue_set,
                "published": item.value,
                "unit": item.unit,
                "p05": low,
                "p50": mid,
                "p95": high,
                "verdict": verdict,
                "used_to_fit": item.used_to_fit,
                "source": scenario.sources[item.source],
            }
        )
    return rows


def published_table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Table `published`."""
    empty = schema.empty(schema.PUBLISHED)
    if not rows:
        return empty
    return schema.conform(pl.DataFrame(rows, schema=dict(empty.schema)), schema.PUBLISHED)
