"""How are daily candles drawn: range and body of every day, with the largest and the record before it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from deleverage.measure.measure import Measured
from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Size, sheet, value_axis
from deleverage.report.figures.measures.day_axis import date_of, day_axis, days

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DAY_NS = 86_400 * 1_000_000_000
_YEARS_NS = 730 * _DAY_NS


def draw(measured: Measured) -> Drawing:
    """Above, high − low of each day of the last two years; below, close − open."""
    title = _title(measured)
    row = measured.reading("largest_range") or {}
    return Drawing(
        key="candle",
        title=title,
        band="Each bar is one UTC day; two years are shown, records are of all days that were known.",
        source=f"By {row.get('by', '')}. {row.get('data', '')}; as of {date_of(measured.at_ns)} UTC.",
        alt=f"Daily ranges and bodies. {title}.",
        wide=_sheet(measured, WIDE),
        narrow=_sheet(measured, NARROW),
    )


def _title(measured: Measured) -> str:
    wide, before = measured.reading("largest_range") or {}, measured.reading("record_range_before") or {}
    day = measured.reading("largest_range_day") or {}
    body = measured.reading("largest_body") or {}
    record = ""
    if before.get("value") is not None:
        record = f" (before it {_dollars(before['value'])})"
    when = date_of(int(day["value"]) * _DAY_NS)
    coin = measured.parameters["coin"]
    return (
        f"{coin}'s widest day from high to low is {when} with {_dollars(wide['value'])}{record}; "
        f"the largest from open to close is {_dollars(body['value'])}"
    )


def _dollars(value: float) -> str:
    text = f"${style.price(abs(value))}"
    return f"{style.MINUS}{text}" if value < 0 else text


def _sheet(measured: Measured, size: Size) -> str:
    each = size.pick(160, 140)
    with sheet(size, 2 * each + 124, "candle") as page:
        left = size.pick(66, 62)
        for name, words, top in (
            ("range", "High − low, USD", 0.0), ("body", "Close − open, USD", each + 58),
        ):  # fmt: skip
            page.words(0, top + 13, words, fontweight="bold")
            _bars(page.panel(left, top + 24, size.width - left - 10, each), measured, name, size)
    return page.svg


def _bars(axes: Axes, measured: Measured, name: str, size: Size) -> None:
    rows = measured.series.filter((pl.col("name") == name) & (pl.col("time_ns") > measured.at_ns - _YEARS_NS))
    if rows.is_empty():
        rows = measured.series.filter(pl.col("name") == name).tail(730)
    x, y = days(rows["time_ns"].to_numpy()), rows["value"].to_numpy()
    colours = [style.LONG if value < 0 else style.BAND_INK for value in y]
    axes.vlines(x, 0, y, color=colours, linewidth=size.pick(0.9, 0.6))
    day_axis(axes, float(x[0]), float(x[-1]), int(size.pick(8, 4)))
    value_axis(axes, min(float(y.min()), 0.0), max(float(y.max()), 0.0), _dollars, pad=0.1)
    axes.axhline(0, color=style.COUNTERFACTUAL, linewidth=0.8)
    value, day = measured.reading(f"largest_{name}"), measured.reading(f"largest_{name}_day")
    if value and day and value["value"] is not None and day["value"] >= x[0]:
        right = day["value"] < (x[0] + x[-1]) / 2
        axes.plot(day["value"], value["value"], "o", color=style.INK, markersize=5)
        axes.annotate(
            _dollars(value["value"]), (day["value"], value["value"]), (7 if right else -7, 0),
            textcoords="offset points", ha="left" if right else "right", va="center", fontsize=size.font,
            fontweight="bold", color=style.INK,
        )  # fmt: skip
