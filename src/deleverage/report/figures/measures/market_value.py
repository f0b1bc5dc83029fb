"""How is erased market value drawn: what each coin lost, and what all of them were worth day by day?"""

from __future__ import annotations

import polars as pl

from deleverage.measure.measure import Measured
from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Sheet, Size, sheet, value_axis
from deleverage.report.figures.measures.day_axis import date_of, day_axis, days

_ROW = 25.0


def draw(measured: Measured) -> Drawing:
    """Bars of the coins' losses, and the basket's value."""
    title = _title(measured)
    lost = measured.reading("erased_basket") or {}
    total = measured.reading("erased_total") or {}
    unknown = " The whole market's capitalisation is not observed here." if total.get("value") is None else ""
    brackets = f" In brackets: {lost['interval']}." if lost.get("interval") else ""
    return Drawing(
        key="market_value",
        title=title,
        band=f"At fixed, approximate supplies.{brackets}{unknown}",
        source=f"By {lost.get('by', '')}; supplies: see the note of each coin. {lost.get('data', '')}; "
        f"as of {date_of(measured.at_ns)} UTC.",
        alt=f"Market value erased by coin. {title}.",
        wide=_sheet(measured, WIDE),
        narrow=_sheet(measured, NARROW),
    )


def _title(measured: Measured) -> str:
    lost = measured.reading("erased_basket") or {}
    share, a_day = measured.reading("erased_basket_share"), measured.reading("erased_per_day")
    if lost.get("value") is None:
        return f"What the basket lost is not observed: {lost.get('note', '')}"
    ends = {"p05": lost["low"], "p50": lost["value"], "p95": lost["high"]}
    text = f"{lost['subject']} lost {style.usd_interval(ends)} of market value"
    if share and share["value"] is not None:
        text += f", {style.percent(share['value'], 0)}"
    if a_day and a_day["value"] is not None:
        text += f": {style.usd(a_day['value'])} a day"
    return text


def _coins(measured: Measured) -> pl.DataFrame:
    return measured.readings.filter(pl.col("name") == "erased_" + pl.col("subject"))


def _sheet(measured: Measured, size: Size) -> str:
    rows = _coins(measured).sort("value", descending=True, nulls_last=True)
    bars = _ROW * rows.height
    line = max(bars, 190.0)
    height = size.pick(24 + line + 34, 24 + bars + 34 + 190 + 44)
    with sheet(size, height, "market_value") as page:
        width = size.pick(350, size.width)
        page.words(0, 12, "Lost since the first day, USD", fontweight="bold")
        _bars(page, rows, 0, 24, width, line if not size.narrow else bars)
        left, top = size.pick(400, 0), size.pick(0, bars + 48)
        page.words(left, top + 12, "Worth together, USD", fontweight="bold")
        _line(page, measured, size, left, top + 24)
    return page.svg


def _bars(page: Sheet, rows: pl.DataFrame, x: float, y: float, width: float, height: float) -> None:
    left, right = 52.0, 74.0
    axes = page.panel(x + left, y, width - left - right, height, grid=False)
    axes.set_ylim(rows.height, 0)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_yticks([])
    values = rows["value"].fill_null(0.0).to_numpy()
    low, high = min(float(values.min(initial=0.0)), 0.0), max(float(values.max(initial=0.0)), 1.0)
    axes.set_xlim(low, high)
    axes.axvline(0, color=style.COUNTERFACTUAL, linewidth=0.8)
    each = height / max(rows.height, 1)
    for k, row in enumerate(rows.iter_rows(named=True)):
        at = y + (k + 0.5) * each + 4
        page.words(x, at, row["subject"])
        page.words(x + width, at, style.usd(row["value"]), ha="right")
        if row["value"] is not None:
            axes.barh(
                k + 0.5, row["value"], height=0.6, color=style.BAND_INK if row["value"] > 0 else style.SHORT
            )


def _line(page: Sheet, measured: Measured, size: Size, x: float, y: float) -> None:
    rows = measured.series.filter((pl.col("name") == "value") & (pl.col("subject") == "basket"))
    left = 58.0
    axes = page.panel(x + left, y, size.width - x - left - 8, page.height - y - 30)
    if rows.height < 2:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0.5, 0.5, style.MISSING, transform=axes.transAxes, ha="center", color=style.MUTED)
        return
    at = days(rows["time_ns"].to_numpy())
    axes.plot(at, rows["value"], color=style.INK, linewidth=1.8)
    values = rows["value"].to_numpy()
    day_axis(axes, float(at[0]), float(at[-1]), int(size.pick(5, 4)))
    value_axis(axes, float(values.min()), float(values.max()), lambda v: style.usd(v, digits=4))
