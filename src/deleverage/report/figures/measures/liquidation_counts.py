"""How much was liquidated day by day, by one publisher, against the threshold?"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from deleverage.measure.measure import Measured
from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Size, sheet, value_axis
from deleverage.report.figures.measures.day_axis import DAY_NS, date_of, day_axis, days


def draw(measured: Measured) -> Drawing:
    """One panel a publisher: longs and shorts of each day, one on the other, and the threshold."""
    subjects = sorted(measured.series["subject"].unique().to_list())
    title = _sentence(measured, subjects)
    rows = measured.readings.filter(pl.col("name") == "median_day").sort("subject")
    by = "; ".join(rows["by"].to_list()) or "; ".join(measured.readings["by"].unique().sort().to_list())
    data = "; ".join(rows["data"].to_list())
    return Drawing(
        key="liquidationcounts",
        title=title,
        band="Liquidated a day, USD: longs below, shorts on top of them. A gap is a day not observed. "
        "Dashed: the threshold. Publishers' counts are never added.",
        source=f"By {by}; {data}. As of {date_of(measured.at_ns)} UTC.",
        alt=f"Liquidations a day. {title}.",
        wide=_sheet(measured, subjects, WIDE),
        narrow=_sheet(measured, subjects, NARROW),
    )


def _sentence(measured: Measured, subjects: list[str]) -> str:
    if not subjects:
        return "No day was observed whole; sums alone are known"
    above, seen = (measured.reading(name, subjects[0]) for name in ("days_above", "days_observed"))
    middle = measured.reading("median_day", subjects[0])
    assert above is not None and seen is not None and middle is not None  # a publisher with days has them
    limit = style.usd(measured.parameters["threshold_usd"])
    return (
        f"More than {limit} in {_coins(measured, subjects[0])} were liquidated on {above['value']:.0f} of "
        f"{seen['value']:.0f} days observed; the median day is {style.usd(middle['value'])}"
    )


def _coins(measured: Measured, subject: str) -> str:
    """Which coins were added; the note begins with them."""
    row = measured.reading("median_day", subject) or {"note": ""}
    return str(row["note"].split(" alone;")[0])


def _sheet(measured: Measured, subjects: list[str], size: Size) -> str:
    left, each = size.pick(62, 56), size.pick(230, 200)
    gap = 60.0
    with sheet(size, 26 + max(len(subjects), 1) * (each + gap) - 14, "liquidationcounts") as page:
        used = page.legend([("long", "longs"), ("short", "shorts"), ("dash", "threshold")], 0, 0)
        if not subjects:
            page.words(0, used + 20, style.MISSING, color=style.MUTED)
        for k, subject in enumerate(subjects):
            top = used + k * (each + gap)
            page.words(0, top + 12, f"{subject}: {_coins(measured, subject)}, USD a day", fontweight="bold")
            axes = page.panel(left, top + 24, size.width - left - 12, each - 24)
            _bars(axes, measured, subject, size)
    return page.svg


def _bars(axes: Any, measured: Measured, subject: str, size: Size) -> None:
    sides = {}
    for side in ("long", "short"):
        rows = measured.series.filter((pl.col("name") == side) & (pl.col("subject") == subject))
        sides[side] = rows.sort("time_ns")
    x = days(sides["long"]["time_ns"].to_numpy()) + 0.5
    low, high = (sides[side]["value"].to_numpy() for side in ("long", "short"))
    axes.bar(x, low, width=0.8, color=style.LONG, linewidth=0)
    axes.bar(x, high, bottom=low, width=0.8, color=style.SHORT, linewidth=0)
    limit = measured.parameters["threshold_usd"]
    most = max(float(np.max(low + high)), limit) * 1.1
    axes.axhline(limit, color=style.INK, linewidth=1.3, linestyle=(0, (4, 2)))
    top = int(np.argmax(low + high))
    right = x[top] > (x[0] + x[-1]) / 2
    axes.annotate(
        f"{style.usd(float((low + high)[top]))}, {date_of(int((x[top] - 0.5) * DAY_NS))}",
        (x[top] + (0.4 if right else -0.4), (low + high)[top]), xytext=(0, 4), textcoords="offset points",
        ha="right" if right else "left", fontsize=size.font,
    )  # fmt: skip
    day_axis(axes, float(x[0]) - 0.5, float(x[-1]) + 0.5, int(size.pick(8, 4)))
    value_axis(axes, 0.0, most, style.usd, count=5, pad=0.0)
