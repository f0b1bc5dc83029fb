"""How deep was the book, sample by sample, against the base window?"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from deleverage.measure.measure import Measured
from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Size, sheet, value_axis
from deleverage.report.figures.measures.day_axis import DAY_NS, date_of, day_axis, days


def draw(measured: Measured) -> Drawing:
    """Bid depth of every sample, with the medians of base and window and the lowest."""
    title, distance = _sentence(measured), measured.parameters["range_bps"] / 100
    row = measured.reading("depth_bid", measured.parameters["coin"]) or {}
    return Drawing(
        key="liquidity",
        title=title,
        band=f"Resting bids within {distance:g}{style.THIN}% of mid, USD. Dots: samples; "
        "lines: medians of the base window and of the last days; shade: 90 % bootstrap.",
        source=f"By {row.get('by', '')}; {row.get('data', '')}. As of {date_of(measured.at_ns)} UTC.",
        alt=f"Depth of the order book over time. {title}.",
        wide=_sheet(measured, WIDE),
        narrow=_sheet(measured, NARROW),
    )


def _sentence(measured: Measured) -> str:
    coin, market = (
        measured.parameters["coin"],
        f"{measured.parameters['venue']} {measured.parameters['kind']}",
    )
    now, change = measured.reading("depth_bid", coin), measured.reading("change", coin)
    if now is None or now["value"] is None:
        return f"The depth of {coin} ({market}) was not observed in the last days"
    text = f"Bids for {coin} ({market}) are {style.usd(now['value'])} in the median"
    if change is None or change["value"] is None:
        return text
    less = "less" if change["value"] < 0 else "more"
    ends = sorted(abs(100 * change[end]) for end in ("low", "high"))
    interval = f" [{ends[0]:.0f}, {ends[1]:.0f}]" if change["low"] * change["high"] > 0 else ""
    share = style.percent(abs(change["value"]))
    base = measured.reading("base_depth_bid", coin)
    if base is None or base["from_ns"] is None:
        return f"{text}, {share}{interval} {less} than in the base window"
    when = f"{date_of(base['from_ns'])} to {date_of(base['to_ns'])}"
    return f"{text}, {share}{interval} {less} than from {when}"


def _sheet(measured: Measured, size: Size) -> str:
    left, top, height = size.pick(62, 56), 30.0, size.pick(250, 220)
    coin = measured.parameters["coin"]
    rows = measured.series.filter((pl.col("name") == "depth_bid") & pl.col("value").is_not_null())
    rows = rows.sort("time_ns")
    with sheet(size, top + height + 34, "liquidity") as page:
        page.words(0, 12, "Bid depth, USD", fontweight="bold")
        axes = page.panel(left, top, size.width - left - 14, height)
        if rows.is_empty():
            axes.set_yticks([])
            axes.set_xticks([])
            axes.text(0.5, 0.5, style.MISSING, transform=axes.transAxes, ha="center", color=style.MUTED)
            return page.svg
        x, y = days(rows["time_ns"].to_numpy()), rows["value"].to_numpy()
        axes.plot(x, y, linestyle="", marker="o", markersize=2.4, color=style.COUNTERFACTUAL)
        for name in ("base_depth_bid", "depth_bid"):
            _median(axes, measured.reading(name, coin), size)
        lowest = int(np.argmin(y))
        axes.plot(x[lowest], y[lowest], marker="D", markersize=6.5, color=style.LONG)
        middle = x[lowest] > (x[0] + x[-1]) / 2
        axes.annotate(
            f"lowest {style.usd(float(y[lowest]))}, {date_of(int(x[lowest] * DAY_NS))}",
            (x[lowest], y[lowest]), xytext=(-8 if middle else 8, -11), textcoords="offset points",
            ha="right" if middle else "left", fontsize=size.font, color=style.INK,
        )  # fmt: skip
        day_axis(axes, float(x[0]), float(x[-1]), int(size.pick(8, 4)))
        value_axis(axes, 0.0, float(y.max()), style.usd, count=5, pad=0.02)
        axes.set_ylim(0, float(y.max()) * 1.04)
    return page.svg


def _median(axes: Any, row: dict[str, Any] | None, size: Size) -> None:
    """A line over the stretch it was taken from, its band, and its number above it."""
    if row is None or row["value"] is None or row["from_ns"] is None:
        return
    ends = [row["from_ns"] / DAY_NS, row["to_ns"] / DAY_NS]
    if row["low"] is not None:
        axes.fill_between(ends, row["low"], row["high"], color=style.BAND, alpha=0.35, linewidth=0)
    axes.plot(ends, [row["value"]] * 2, color=style.BAND_INK, linewidth=2.4)
    axes.annotate(
        style.usd(row["value"]), (sum(ends) / 2, row["high"] or row["value"]), xytext=(0, 5),
        textcoords="offset points", ha="center", fontsize=size.font, fontweight="bold",
        color=style.BAND_INK,
        bbox={"facecolor": style.PAPER, "alpha": 0.85, "edgecolor": "none", "pad": 1.0},
    )  # fmt: skip
