"""How is sentiment drawn? The published index and the composite in time, and the composite's parts now."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from deleverage.measure.measure import Measured
from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Sheet, Size, sheet
from deleverage.report.figures.measures.day_ticks import DAY_NS, day_ticks
from deleverage.report.style import THIN

_PART = "component_"


def draw(measured: Measured) -> Drawing:
    """Two years of the published index and the composite, and each part of the composite at the end."""
    title = sentence(measured)
    publisher = str(measured.parameters["publisher"])
    return Drawing(
        key="sentiment",
        title=title,
        band="Points, 0 extreme fear to 100 extreme greed. Band: least and most of the composite with one "
        "of its parts left out; it is no error of sampling. Dotted: the last published value.",
        source=f"{publisher}, its own index; {_by(measured)}, causal percentiles over 365 days, weights "
        f"fixed beforehand. As known at {style.clock(measured.at_ns)} UTC on {style.day(measured.at_ns)}.",
        alt=f"Fear and Greed indices over two years and the parts of the own composite. {title}",
        wide=_page(measured, WIDE),
        narrow=_page(measured, NARROW),
    )


def sentence(measured: Measured) -> str:
    """`alternative.me stands at 10 on 16 November 2025, as last on 27 February 2025; the own ... at 26`."""
    publisher = str(measured.parameters["publisher"])
    row = measured.reading("published", publisher)
    if row is None or row["value"] is None:
        text = f"{publisher} has no value for this moment"
    else:
        text = f"{publisher} stands at {row['value']:.0f} on {style.day(row['from_ns'])}"
        equal = measured.reading("last_equal_day")
        if measured.parameters["level"] is None and equal is not None and equal["value"] is not None:
            text += f", as last on {style.day(int(equal['value']) * DAY_NS)}"
    own = measured.reading("composite")
    if own is None or own["value"] is None:
        return f"{text}; the own composite cannot be given"
    return f"{text}; the own composite at {own['value']:.0f} of 100"


def _by(measured: Measured) -> str:
    row = measured.reading("composite")
    return str(row["by"]) if row is not None else "own composite"


def _page(measured: Measured, size: Size) -> str:
    parts = measured.readings.filter(pl.col("name").str.starts_with(_PART)).to_dicts()
    tall = size.pick(220, 190)
    each = 26.0
    publisher = str(measured.parameters["publisher"])
    height = 46 + tall + 64 + each * len(parts) + 24
    with sheet(size, height, "sentiment") as page:
        marks = [("line", publisher), ("median", "own composite")]
        top = page.legend(marks, 0, 0) + 8
        _lines(page, measured, publisher, (size.pick(36, 32), top, size.width - size.pick(46, 42), tall))
        top += tall + 64
        left = size.pick(160, 124)
        _parts(page, parts, (left, top, size.width - left - size.pick(56, 46), each * len(parts)))
    return page.svg


def _series(measured: Measured, name: str, subject: str | None = None) -> pl.DataFrame:
    rows = measured.series.filter(pl.col("name") == name)
    return (rows if subject is None else rows.filter(pl.col("subject") == subject)).sort("time_ns")


def _lines(page: Sheet, measured: Measured, publisher: str, box: tuple[float, float, float, float]) -> None:
    axes = page.panel(*box)
    index, own = _series(measured, "published", publisher), _series(measured, "composite")
    ends: list[float] = []
    for rows, colour, width in ((own, style.BAND_INK, 1.8), (index, style.INK, 1.1)):
        if rows.is_empty():
            continue
        days, values = _days(rows), rows["value"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        axes.plot(days, values, color=colour, linewidth=width)
        ends += [float(days[0]), float(days[-1])]
    if own.height:
        low, high = (own[end].cast(pl.Float64).fill_null(np.nan).to_numpy() for end in ("low", "high"))
        axes.fill_between(_days(own), low, high, color=style.BAND, alpha=style.BAND_ALPHA, linewidth=0)
    axes.set_ylim(0, 100)
    axes.set_yticks([0, 25, 50, 75, 100])
    if not ends:
        axes.set_xticks([])
        axes.text(0.5, 0.5, "not observed", transform=axes.transAxes, ha="center", color=style.MUTED)
        return
    row = measured.reading("published", publisher)
    if row is not None and row["value"] is not None:
        axes.axhline(row["value"], color=style.COUNTERFACTUAL_INK, linewidth=1.0, linestyle=(0, (1, 1.6)))
    first, last = min(ends), max(ends)
    axes.set_xlim(first, last + 0.01 * (last - first))
    day_ticks(axes, first, last, labels=int(page.size.pick(9, 4)))


def _parts(page: Sheet, parts: list[dict[str, Any]], box: tuple[float, float, float, float]) -> None:
    left, top, width, height = box
    page.words(
        0,
        top - 14,
        "Parts of the composite: percentile, turned so that fear is low",
        color=style.MUTED,
        fontsize=page.size.small,
    )
    axes = page.panel(left, top, width, height, grid=False)
    axes.set_yticks([])
    axes.set_ylim(max(len(parts), 1) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 25, 50, 75, 100], ["0 fear", "", "50", "", "greed 100"])
    labels = axes.get_xticklabels()
    labels[0].set_horizontalalignment("left")
    labels[-1].set_horizontalalignment("right")
    axes.axvline(50, color=style.RULE, linewidth=1.0)
    for k, row in enumerate(parts):
        at = top + height * (k + 0.5) / len(parts) + 4
        name = row["name"].removeprefix(_PART)
        weight = row["note"].partition("weight ")[2].partition("%")[0]
        page.words(0, at, f"{name}, {weight}{THIN}%" if weight else name)
        if row["value"] is None:
            page.words(left + 4, at, "not observed", color=style.MUTED)
            continue
        axes.plot([50, row["value"]], [k, k], color=style.BAND, linewidth=7, alpha=0.6, solid_capstyle="butt")
        axes.plot(row["value"], k, marker="o", markersize=6, color=style.INK, clip_on=False)
        page.words(page.size.width, at, f"{row['value']:.0f}", ha="right")


def _days(rows: pl.DataFrame) -> np.ndarray[Any, Any]:
    days: np.ndarray[Any, Any] = rows["time_ns"].to_numpy() / DAY_NS
    return days
