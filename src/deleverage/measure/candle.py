"""How large was the largest daily candle, as range and as body, and what was the record before it?

A press sentence about "the first $20,000 candle" can mean high minus low or open minus close; both are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from deleverage.data.lake.times import iso
from deleverage.measure.asof import DAY_NS, AsOf
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose
from deleverage.measure.prices import need_daily, no_bars, source_of


def compute(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    """Readings and the series of daily ranges and bodies [USD]."""
    coin, venue, kind = parameters["coin"], parameters["venue"], parameters["kind"]
    bars = need_daily(asof, coin, venue=venue, kind=kind)
    bars = bars.with_columns(range=pl.col("high") - pl.col("low"), body=pl.col("close") - pl.col("open"))
    found = Found("candle", asof, parameters)
    whose = Whose(f"{venue} {kind}, UTC days", source_of(coin, venue, kind))
    start = parameters["from"]
    asked = bars if start is None else bars.filter(pl.col("time_ns") >= start)
    if asked.is_empty():
        raise no_bars(asof, coin, venue=venue, kind=kind, start_ns=start).error()
    first = int(bars["time_ns"][0])
    for name in ("range", "body"):
        size = pl.col(name).abs().alias("size")
        order = {"by": ["size", "time_ns"], "descending": [True, False]}
        largest = asked.with_columns(size).sort(**order).row(0, named=True)  # type: ignore[arg-type]
        day = int(largest["time_ns"])
        that = whose.over(day, day + DAY_NS)
        found.reading(f"largest_{name}", coin, largest[name], "USD", that, note=iso(day)[:10])
        found.reading(f"largest_{name}_day", coin, day / DAY_NS, "date", that)
        share = largest[name] / largest["open"]
        found.reading(f"largest_{name}_share", coin, share, "share", that, note="of the day's open")
        before = bars.filter(pl.col("time_ns") < day).with_columns(size)
        record, note = None, "no earlier bar: nothing is said about a record"
        if before.height:
            best = before.sort(**order).row(0, named=True)  # type: ignore[arg-type]
            record, note = best["size"], iso(best["time_ns"])[:10]
        found.reading(f"record_{name}_before", coin, record, "USD", whose.over(first, day), note=note)
    over = whose.over(int(asked["time_ns"][0]), int(asked["time_ns"][-1]) + DAY_NS)
    days = float(asked.filter(pl.col("range") >= 20_000).height)
    found.reading("days_of_20k", coin, days, "days", over, note="high − low of $20,000 or more")
    found.series("range", coin, "USD", bars.select("time_ns", value="range"))
    found.series("body", coin, "USD", bars.select("time_ns", value="body"))
    return found.measured()


MEASURE = Measure(
    name="candle",
    question="How large was the largest daily candle, and what was the record before it?",
    parameters=(
        Parameter("coin", "coin", "BTC", "the coin"),
        Parameter("venue", "venue", "binance", "whose bars"),
        Parameter("kind", "choice", "spot", "spot or perpetual", choices=("spot", "perp")),
        Parameter("from", "time", None, "first day that is looked at; all where none is given"),
    ),
    compute=compute,
    headline=("largest_range", "largest_range_day", "record_range_before"),
    readings={
        "largest_range": "largest high − low of a day",
        "largest_range_day": "the day of it",
        "largest_range_share": "it ÷ the day's open",
        "record_range_before": "the largest of all earlier days",
        "largest_body": "largest close − open by size; < 0 fell",
        "largest_body_day": "the day of it",
        "largest_body_share": "it ÷ the day's open",
        "record_body_before": "the largest by size of all earlier days",
        "days_of_20k": "days with a range of $20,000 or more",
    },
)
