"""How much open interest was there, and what leverage did the venue allow by size?"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from deleverage.measure.measure import Measured
from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Size, sheet, value_axis
from deleverage.report.figures.measures.day_axis import date_of, day_axis, days


def draw(measured: Measured) -> Drawing:
    """Open interest over time, and beneath it the largest setting by position size."""
    title = _sentence(measured)
    row = measured.reading("open_interest_usd", measured.parameters["coin"]) or {}
    tiers = measured.readings.filter(pl.col("name") == "max_leverage").head(1)
    symbol = tiers["subject"][0] if tiers.height else ""
    return Drawing(
        key="leverage",
        title=title,
        band="Above: open contracts, one side counted, at the price of the moment. Below: largest setting "
        "by position size, and the fall that ends such an isolated long, without fees.",
        source=f"By {row.get('by', '')}; {row.get('data', '')}. Tiers: {symbol}. As of "
        f"{date_of(measured.at_ns)} UTC.",
        alt=f"Open interest and leverage allowed. {title}.",
        wide=_sheet(measured, symbol, WIDE),
        narrow=_sheet(measured, symbol, NARROW),
    )


def _sentence(measured: Measured) -> str:
    coin = measured.parameters["coin"]
    row, peak = (measured.reading(name, coin) for name in ("open_interest_usd", "open_interest_peak_usd"))
    if row is None or row["value"] is None or peak is None:
        return "Open interest was not observed; the tiers say what leverage was allowed"
    change = measured.reading("change_from_peak_usd", coin)
    coins = sorted(set(measured.series["subject"].to_list()) - {"ALL"}) if coin == "ALL" else [coin]
    whose = ", ".join(coins) if measured.parameters["venue"] == "all" else measured.parameters["venue"]
    text = f"Open interest in {whose} is {style.usd(row['value'])}"
    if change is None or change["value"] is None or change["value"] > -0.005:
        return f"{text}, its highest since {date_of(peak['from_ns'])}"
    top = date_of(int(change["from_ns"]))
    return f"{text}, {style.percent(-change['value'])} below that of {top}"


def _sheet(measured: Measured, symbol: str, size: Size) -> str:
    left, height = size.pick(64, 58), size.pick(190, 160)
    sizes = [
        row
        for row in measured.readings.filter(
            pl.col("name").str.starts_with("max_leverage_at_") & (pl.col("subject") == symbol)
        ).iter_rows(named=True)
    ]
    each, top = 24.0, 24.0
    second = top + height + 62
    with sheet(size, second + each * max(len(sizes), 1) + each * 2 + 22, "leverage") as page:
        page.words(0, 12, "Open interest, USD", fontweight="bold")
        axes = page.panel(left, top, size.width - left - 12, height)
        _open_interest(axes, measured, size)
        page.words(0, second - 14, f"Largest setting by position size, {symbol}", fontweight="bold")
        _settings(page, measured, sizes, symbol, second, each, size)
    return page.svg


def _open_interest(axes: Any, measured: Measured, size: Size) -> None:
    coin = measured.parameters["coin"]
    rows = measured.series.filter((pl.col("name") == "open_interest_usd") & (pl.col("subject") == coin)).sort(
        "time_ns"
    )
    if rows.is_empty():
        axes.set_yticks([])
        axes.set_xticks([])
        axes.text(0.5, 0.5, style.MISSING, transform=axes.transAxes, ha="center", color=style.MUTED)
        return
    x, y = days(rows["time_ns"].to_numpy()), rows["value"].to_numpy()
    few = x.size <= 120
    axes.plot(x, y, color=style.BAND_INK, linewidth=1.6, marker="o" if few else "", markersize=3)
    top = int(np.argmax(y))
    axes.plot(x[top], y[top], marker="D", color=style.INK, markersize=6)
    axes.plot(x[-1], y[-1], marker="o", color=style.INK, markersize=6)
    late = x[top] > x[-1] - 0.15 * (x[-1] - x[0])  # to its right there is no room for words
    for k, side in ((top, "right" if late else "left"), (x.size - 1, "right")):
        if k == top and top == x.size - 1:
            continue
        above = k == top
        axes.annotate(
            style.usd(float(y[k])), (x[k], y[k]), xytext=(-2 if side == "right" else 8, 8 if above else -17),
            textcoords="offset points", ha=side, fontsize=size.font, annotation_clip=False,
        )  # fmt: skip
    day_axis(axes, float(x[0]), float(x[-1]), int(size.pick(8, 4)))
    value_axis(axes, 0.0, float(y.max()) * 1.12, style.usd, count=5, pad=0.0)


def _settings(
    page: Any,
    measured: Measured,
    sizes: list[dict[str, Any]],
    symbol: str,
    top: float,
    each: float,
    size: Size,
) -> None:
    """One bar a size, with its number beside it; beneath, the fall that ends 100x and 20x."""
    if not sizes:
        page.words(0, top + 14, style.MISSING, color=style.MUTED)
        return
    left = size.pick(84, 66)
    most = max((row["value"] or 0.0 for row in sizes), default=1.0) or 1.0
    axes = page.panel(left, top, size.width - left - 90, each * len(sizes), grid=False)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(0, most)
    axes.set_ylim(len(sizes), 0)
    labels = [f"${row['name'].removeprefix('max_leverage_at_')}" for row in sizes]
    axes.set_yticks([k + 0.5 for k in range(len(sizes))], labels)
    for k, row in enumerate(sizes):
        value = row["value"]
        axes.barh(k + 0.5, value or 0.0, height=0.62, color=style.BAND)
        said = "not allowed" if value is None else f"{value:g}×"
        axes.annotate(
            said, (value or 0.0, k + 0.5), xytext=(6, 0), textcoords="offset points", va="center",
            fontsize=size.font, annotation_clip=False,
        )  # fmt: skip
    lines = []
    for level in (100, 20):
        move = measured.reading(f"move_to_liquidation_{level}x", symbol)
        if move is not None and move["value"] is not None:
            lines.append(f"{level}× ends with a fall of {style.percent(move['value'], 2)}")
    y = top + each * len(sizes) + 18
    for line in lines:
        page.words(0, y, line, color=style.INK)
        y += 16
