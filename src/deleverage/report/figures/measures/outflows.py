"""How are outflows drawn? Flows day by day, their running sum, and the price that went with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from deleverage.measure.measure import Measured
from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Sheet, Size, even, sheet, value_axis
from deleverage.report.figures.measures.day_ticks import DAY_NS, day_ticks
from deleverage.report.style import THIN

_SLOPES = (
    ("elasticity_day_before", "day before"),
    ("elasticity", "same day"),
    ("elasticity_next_day", "day after"),
)


def draw(measured: Measured) -> Drawing:
    """Bars of the last sessions with the window shaded, the sum since the data begin, and slopes."""
    flow = measured.reading("flow") or {}
    title = sentence(measured)
    sloped = any((measured.reading(name) or {"value": None})["value"] is not None for name, _ in _SLOPES)
    return Drawing(
        key="outflows",
        title=title,
        band="Shaded: the window."
        + (
            f" Bars of the slopes: 90{THIN}% intervals (Newey–West); what goes together need not cause "
            "each other."
            if sloped
            else ""
        ),
        source=f"Flows by {flow['by']} ({_counted(flow)})"
        f"{'; price of binance spot, UTC days' if sloped else ''}. As known at "
        f"{style.clock(measured.at_ns)} UTC on {style.day(measured.at_ns)}.",
        alt=f"Daily fund flows, their running sum, and the return per billion of flow. {title}",
        wide=_page(measured, WIDE),
        narrow=_page(measured, NARROW),
    )


def sentence(measured: Measured) -> str:
    """`$1.21 bn left BTC funds from 3 to 7 November 2025; lower than 97 % of such windows before`."""
    flow = measured.reading("flow")
    if flow is None or flow["value"] is None:
        return "No flow was observed in the window"
    coin = _coins(measured) if flow["subject"] == "ALL" else flow["subject"]
    went = "left" if flow["value"] < 0 else "went into"
    when = _stretch(style.day(flow["from_ns"]), style.day(flow["to_ns"] - DAY_NS))
    text = f"{style.usd(abs(flow['value']))} {went} {coin} funds {when}"
    days, leaving = measured.reading("days_observed"), measured.reading("days_of_outflow")
    if days and leaving and days["value"] > 1:
        text += f", out on {leaving['value']:.0f} of {days['value']:.0f} days"
    rank = measured.reading("percentile")
    if rank is not None and rank["value"] is not None:
        share = 1 - rank["value"] if flow["value"] < 0 else rank["value"]
        word = "lower" if flow["value"] < 0 else "higher"
        text += f"; {word} than {style.percent(share, 0)} of such windows before"
    return text


def _counted(flow: dict[str, Any]) -> str:
    """Whose funds are counted: the beginning of the reading's note."""
    return str(flow["note"]).partition(":")[0].partition(";")[0]


def _coins(measured: Measured) -> str:
    """`BTC and ETH`: whose funds are in the sum of the window."""
    rows = measured.readings.filter(pl.col("name") == "flow_" + pl.col("subject"))
    coins = sorted(rows.drop_nulls("value")["subject"])
    return " and ".join([", ".join(coins[:-1]), coins[-1]] if len(coins) > 1 else coins) or "all"


def _stretch(first: str, last: str) -> str:
    """`from 3 to 7 November 2025`: what both ends share is said once."""
    if first == last:
        return f"on {first}"
    one, other = first.split(), last.split()
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    return f"from {' '.join(one)} to {last}"


def _page(measured: Measured, size: Size) -> str:
    tall, low = size.pick(170, 150), size.pick(120, 110)
    slopes = [(name, measured.reading(key)) for key, name in _SLOPES]
    drawn = [(name, row) for name, row in slopes if row is not None and row["value"] is not None]
    left = size.pick(66, 58)
    height = 48 + tall + 58 + low + (58 + 30 * len(drawn) + 26 if drawn else 30)
    with sheet(size, height, "outflows") as page:
        width = size.width - left - 10
        top = page.legend([("short", "into funds"), ("long", "out of funds"), ("band", "window")], 0, 0) + 22
        _days(page, measured, (left, top, width, tall))
        top += tall + 58
        _sum(page, measured, (left, top, width, low))
        top += low + 58
        if drawn:
            _slopes(page, drawn, (size.pick(90, 82), top, size.width - size.pick(220, 92), 30.0 * len(drawn)))
    return page.svg


def _rows(measured: Measured, name: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Days since 1970 and values of a series of the coin that was asked for."""
    coin = measured.parameters["coin"]
    rows = measured.series.filter((pl.col("name") == name) & (pl.col("subject") == coin)).sort("time_ns")
    return rows["time_ns"].to_numpy() / DAY_NS, rows["value"].to_numpy()


def _days(page: Sheet, measured: Measured, box: tuple[float, float, float, float]) -> None:
    left, top, width, height = box
    days, usd = _rows(measured, "flow")
    flow = measured.reading("flow") or {}
    start, end = flow["from_ns"] / DAY_NS, flow["to_ns"] / DAY_NS - 1
    page.words(0, top - 10, "USD a day, by the session's date", color=style.MUTED, fontsize=page.size.small)
    axes = page.panel(left, top, width, height)
    back = page.size.pick(90, 45)
    first = max(min(start - 5, end - back), min(float(days[0]), start))
    shown = (days >= first) & (days <= end + 7)
    days, usd = days[shown], usd[shown]
    axes.axvspan(start - 0.5, end + 0.5, color=style.BAND, alpha=style.BAND_ALPHA, linewidth=0)
    colours = [style.SHORT if value >= 0 else style.LONG for value in usd]
    axes.bar(days, usd, width=0.8, color=colours, linewidth=0)
    axes.axhline(0, color=style.INK, linewidth=0.9)
    last = float(days.max(initial=end))
    axes.set_xlim(first - 1, last + 1)
    day_ticks(axes, first, last, labels=int(page.size.pick(8, 4)))
    value_axis(axes, float(min(usd.min(initial=0.0), 0)), float(max(usd.max(initial=0.0), 0)), style.usd)


def _sum(page: Sheet, measured: Measured, box: tuple[float, float, float, float]) -> None:
    left, top, width, height = box
    days, usd = _rows(measured, "cumulative")
    page.words(
        0, top - 10, "USD since the data begin, running sum", color=style.MUTED, fontsize=page.size.small
    )
    axes = page.panel(left, top, width, height)
    axes.plot(days, usd, color=style.INK, linewidth=1.5)
    peak = int(np.argmax(usd))
    axes.plot(days[peak], usd[peak], marker="o", markersize=4.5, color=style.INK)
    low, high = float(min(usd.min(), 0.0)), float(usd.max())
    value_axis(axes, low, high, style.usd, count=4, pad=0.16)
    near = days[peak] > days[0] + 0.5 * (days[-1] - days[0])
    axes.annotate(
        f"highest {style.day(int(days[peak]) * DAY_NS)}",
        (days[peak], usd[peak]),
        xytext=(-8 if near else 8, 3),
        textcoords="offset points",
        ha="right" if near else "left",
        va="bottom",
        fontsize=page.size.small,
        color=style.MUTED,
    )
    span = max(float(days[-1] - days[0]), 1.0)
    axes.set_xlim(days[0], days[-1] + 0.02 * span)
    day_ticks(axes, float(days[0]), float(days[-1]), labels=int(page.size.pick(8, 4)))


def _slopes(
    page: Sheet, drawn: list[tuple[str, dict[str, Any]]], box: tuple[float, float, float, float]
) -> None:
    left, top, width, height = box
    page.words(
        0,
        top - 12,
        "Log return per $1 bn of flow, % — of which UTC day",
        color=style.MUTED,
        fontsize=page.size.small,
    )
    axes = page.panel(left, top, width, height, grid=False)
    axes.set_ylim(len(drawn) - 0.5, -0.5)
    axes.set_yticks([])
    ends = [0.0]
    for k, (name, row) in enumerate(drawn):
        low, high, value = 100 * row["low"], 100 * row["high"], 100 * row["value"]
        ends += [low, high]
        axes.plot([low, high], [k, k], color=style.BAND, linewidth=8, alpha=0.45, solid_capstyle="butt")
        axes.plot(value, k, marker="o", markersize=6, color=style.INK)
        at = top + height * (k + 0.5) / len(drawn) + 4
        page.words(0, at, name)
        if not page.size.narrow:
            text = f"{style.number(value, 1)} [{style.number(low, 1)}, {style.number(high, 1)}]{THIN}%"
            page.words(page.size.width, at, text, ha="right")
    axes.axvline(0, color=style.INK, linewidth=0.9)
    low, high = min(ends), max(ends)
    margin = 0.08 * max(high - low, 1e-6)
    axes.set_xlim(low - margin, high + margin)
    from matplotlib.ticker import MaxNLocator

    ticks = [
        t
        for t in MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(low, high)
        if low - margin <= t <= high + margin
    ]
    axes.set_xticks(ticks, even([f"{style.number(t, 1)}{THIN}%" for t in ticks]))
