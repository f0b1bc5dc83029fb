"""How is a change since a day drawn: the price between both days, against the first one?"""

from __future__ import annotations

import polars as pl

from deleverage.measure.measure import Measured
from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Size, sheet, value_axis
from deleverage.report.figures.measures.day_axis import DAY_NS, date_of, day_axis, days


def draw(measured: Measured) -> Drawing:
    """Closes with each day's range, and a line at the price from which is counted."""
    change = measured.reading("change") or {}
    title = _title(measured)
    return Drawing(
        key="change",
        title=title,
        band="Shaded: each day's low to high. Dots: the two prices that are compared.",
        source=f"By {change.get('by', '')}. {change.get('data', '')}; as of {date_of(measured.at_ns)} UTC.",
        alt=f"Price between two days. {title}.",
        wide=_sheet(measured, WIDE),
        narrow=_sheet(measured, NARROW),
    )


def _reading(measured: Measured, name: str) -> float:
    row = measured.reading(name)
    return float(row["value"]) if row and row["value"] is not None else float("nan")


def _title(measured: Measured) -> str:
    given = measured.parameters
    change = _reading(measured, "change")
    sign = "+" if change > 0 else ""
    first, last = (int(_reading(measured, name)) * DAY_NS for name in ("from_day", "to_day"))
    return (
        f"{given['coin']} {sign}{style.percent(change, 1)} from the {given['from_price']} of "
        f"{date_of(first)} to the {given['to_price']} of {date_of(last)}"
    )


def _sheet(measured: Measured, size: Size) -> str:
    height = size.pick(300, 280)
    with sheet(size, height, "change") as page:
        entries = [("line", "close"), ("other", "day's low to high"), ("dash", "price counted from")]
        used = page.legend(entries, 0, 0)
        page.words(0, used + 12, "USD per coin", color=style.MUTED)
        page.words(size.width, used + 12, "change", color=style.MUTED, ha="right")
        left, right, top = size.pick(66, 60), size.pick(56, 52), used + 22
        axes = page.panel(left, top, size.width - left - right, height - top - 26)
        rows = measured.series.filter(pl.col("name") == "close")
        x = days(rows["time_ns"].to_numpy())
        axes.fill_between(x, rows["low"], rows["high"], color=style.COUNTERFACTUAL, alpha=0.45, linewidth=0)
        axes.plot(x, rows["value"], color=style.INK, linewidth=1.6)
        start, end = _reading(measured, "from_price"), _reading(measured, "to_price")
        axes.axhline(start, color=style.INK, linewidth=1.2, linestyle=(0, (4, 2)))
        axes.plot(
            [x[0], x[-1]], [start, end], "o", color=style.BAND_INK, markersize=7, zorder=4, clip_on=False
        )
        day_axis(axes, float(x[0]), float(x[-1]), int(size.pick(8, 4)))
        value_axis(axes, float(rows["low"].to_numpy().min()), float(rows["high"].to_numpy().max()), _dollars)
        twin = page.figure.add_axes(axes.get_position().bounds, frameon=False)
        twin.set_xticks([])
        twin.yaxis.tick_right()
        twin.tick_params(length=0, pad=5, labelsize=size.font)
        low, high = axes.get_ylim()
        value_axis(twin, low / start - 1, high / start - 1, lambda v: style.percent(v, 0), pad=0.0)
    return page.svg


def _dollars(value: float) -> str:
    return f"${style.price(value)}"
