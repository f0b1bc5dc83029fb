"""How much of the fall was mechanical, by which mechanism, and how does that depend on the news shock?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Sheet, Size, even, sheet, wrap
from deleverage.report.figures.series import Series
from deleverage.report.words import Part, mechanical_sentence, parts_of

_Z90 = 1.645
"""Standard errors on each side of a 90 % interval."""
_MARKERS = ("o", "s", "^", "D", "v", "P")
_COLOURS = (style.BAND_INK, "#B4530A", style.COUNTERFACTUAL_INK, "#7A3E9D", "#1B7A69", style.INK)


@dataclass(frozen=True)
class _Frame:
    """Where the columns of a bar figure stand, in px."""

    left: float
    right: float
    row: float


def draw(series: Series, market: str) -> Drawing:
    """Shapley bars of one market with both intervals."""
    parts = parts_of(series.summary, market)
    return Drawing(
        key=f"shares-{market}",
        title=mechanical_sentence(series.summary, market),
        band=(
            f"Share of {market}'s mean fall; the rows news, mechanical, reaction to news and stops sum "
            f"to 100{style.THIN}%. "
            f"Error bar: 90{style.THIN}% Monte Carlo, {series.seeds} seeds. Orange: 90{style.THIN}% "
            "over the priors."
        ),
        source=series.source(),
        alt="Bars of the share of each mechanism. "
        + "; ".join(f"{p.name} {style.percent(p.mean, 0)}" for p in parts),
        wide=_bars(market, parts, WIDE),
        narrow=_bars(market, parts, NARROW),
    )


def draw_by_shock(series: Series) -> Drawing:
    """The share as a curve over the shock, since price alone does not identify both."""
    table = series.answer.tables["share_by_shock"]
    title = _shock_title(series, table)
    return Drawing(
        key="share-by-shock",
        title=title,
        band=f"The same draws at every shock, all else as drawn; bars: 90{style.THIN}% over the draws. The "
        "other figures draw the shock from its prior.",
        source=series.source(),
        alt=f"Mechanical share against the news shock. {title}",
        wide=_curve(series, table, WIDE),
        narrow=_curve(series, table, NARROW),
    )


def _bars(market: str, parts: list[Part], size: Size) -> str:
    frame = _Frame(left=size.pick(246, 16), right=size.pick(132, 18), row=size.pick(37, 54))
    head = size.pick(24, 58)
    height = head + len(parts) * frame.row + 34
    with sheet(size, height, f"shares-{market}") as page:
        if not parts:
            page.words(0, 16, "no shares were computed", color=style.MUTED)
            return page.svg
        used = page.legend(
            [
                ("mechanical", "mechanical"),
                ("other", "not mechanical"),
                ("first", "switched on first"),
                ("last", "switched on last"),
                ("prior", "over the priors"),
            ],
            0,
            0,
        )
        top = max(head, used)
        axes = page.panel(
            frame.left, top, size.width - frame.left - frame.right, len(parts) * frame.row, grid=False
        )
        marks = [v for p in parts for v in (p.mean, p.first_in, p.last_in, *(p.prior or ())) if v is not None]
        low, high = min([0.0, *marks]), max([0.0, *marks])
        margin = 0.03 * max(high - low, 0.02)
        axes.set_xlim((low - margin if low < 0 else 0) * 100, max(high + margin, 0.02) * 100)
        axes.set_ylim(len(parts), 0)
        axes.set_yticks([])
        if not size.narrow:
            axes.grid(axis="x", color=style.RULE, linewidth=0.8)
            axes.axvline(0, color=style.INK, linewidth=0.9)
        ticks = [t for t in axes.get_xticks() if axes.get_xlim()[0] <= t <= axes.get_xlim()[1]]
        axes.set_xticks(ticks, even([style.percent(t / 100, 1) for t in ticks]))
        for k, part in enumerate(parts):
            _row(page, axes, part, k, top + k * frame.row, frame)
    return page.svg


def _row(page: Sheet, axes: Any, part: Part, k: int, y: float, frame: _Frame) -> None:
    size = page.size
    middle = k + size.pick(0.42, 0.60)
    thick = size.pick(0.40, 0.25)
    if part.rule and k:
        page.figure.add_artist(_rule(page, y))
    indent = 14.0 if part.indent else 0.0
    weight = "bold" if part.strong else "normal"
    value = style.percent(part.mean, 0 if abs(part.mean) >= 0.1 or part.mean == 0 else 1)
    error = (
        f" ±{style.THIN}{style.number(part.se * 100 * _Z90, 0 if part.se * 100 * _Z90 >= 1 else 1)}"
        if part.se
        else ""
    )
    if size.narrow:
        page.words(indent, y + 16, part.name, fontweight=weight)
        page.words(size.width, y + 16, value + error, ha="right", fontweight=weight)
    else:
        lines = wrap(part.name, frame.left - indent - 10, size.font, 2)
        for j, line in enumerate(lines):
            page.words(indent, y + (19 if len(lines) == 1 else 13) + 13 * j, line, fontweight=weight)
        note = _range_words(part)
        page.words(size.width, y + (19 if not note else 14), value + error, ha="right", fontweight=weight)
        page.words(size.width, y + 28, note, ha="right", color=style.MUTED, fontsize=size.small)
    if size.narrow:
        # words stand above the bars here, and no rule may run through them
        axes.vlines(
            axes.get_xticks(), middle - 0.17, middle + 0.33, color=style.RULE, linewidth=0.8, zorder=0
        )
        axes.vlines(0, middle - 0.17, middle + 0.33, color=style.INK, linewidth=0.9)
    colour = style.BAND if part.mechanical else style.COUNTERFACTUAL
    axes.barh(
        middle,
        part.mean * 100,
        height=thick,
        color=colour,
        alpha=0.95 if part.strong or not part.indent else 0.65,
        linewidth=0,
    )
    if part.prior is not None:
        a, b = part.prior
        axes.barh(
            middle,
            (b - a) * 100,
            left=a * 100,
            height=thick * 0.36,
            color=style.WARNING,
            alpha=0.95,
            linewidth=0,
        )
    if part.se:
        reach = part.se * _Z90 * 100
        axes.errorbar(
            part.mean * 100, middle, xerr=reach, color=style.INK, capsize=3.5, linewidth=1.3, capthick=1.3
        )
    if part.first_in is not None and part.last_in is not None and (part.first_in or part.last_in):
        under = middle + thick * 0.92
        axes.plot([part.first_in * 100, part.last_in * 100], [under, under], color=style.INK, linewidth=0.8)
        axes.plot(
            part.first_in * 100,
            under,
            marker=">",
            markersize=5.5,
            markerfacecolor=style.PAPER,
            markeredgecolor=style.INK,
            markeredgewidth=0.9,
            clip_on=False,
        )
        axes.plot(part.last_in * 100, under, marker="<", markersize=5.5, color=style.INK, clip_on=False)


def _range_words(part: Part) -> str:
    words = []
    if part.first_in is not None and part.last_in is not None:
        words.append(f"first {style.number(part.first_in * 100)}, last {style.number(part.last_in * 100)}")
    if part.prior is not None:
        words = [f"priors {style.number(part.prior[0] * 100)} to {style.number(part.prior[1] * 100)}"]
    return "".join(words)


def _rule(page: Sheet, y: float) -> Any:
    from matplotlib.lines import Line2D

    at = 1 - (y + 2) / page.height
    return Line2D(
        [0, 1], [at, at], color=style.COUNTERFACTUAL, linewidth=0.8, transform=page.figure.transFigure
    )


def _shock_title(series: Series, table: pl.DataFrame) -> str:
    market = series.markets[0]
    rows = table.filter(pl.col("market") == market).sort("shock")
    if rows.height < 2:
        return f"The mechanical share of {market}'s fall over the news shock: too few draws for a curve"
    first, last = rows.row(0, named=True), rows.row(-1, named=True)
    apart = abs(first["share"] - last["share"]) > _Z90 * float(np.hypot(first["se"], last["se"]))
    at = f"at a news shock of {style.percent(first['shock'], 1)}", f"at {style.percent(last['shock'], 1)}"
    shares = style.percent(first["share"], 0), style.percent(last["share"], 0)
    if not apart:
        return (
            f"The mechanical share of {market}'s fall does not differ measurably over the shock: "
            f"{shares[0]} {at[0]}, {shares[1]} {at[1]}"
        )
    return (
        f"The assumed shock decides much: {shares[0]} of {market}'s fall is mechanical {at[0]}, "
        f"{shares[1]} {at[1]}"
    )


def _curve(series: Series, table: pl.DataFrame, size: Size) -> str:
    height = size.pick(300, 280)
    with sheet(size, height, "share-by-shock") as page:
        left, right, top = size.pick(54, 46), size.pick(54, 40), 24.0
        axes = page.panel(left, top, size.width - left - right, height - top - 46)
        page.words(0, 12, "mechanical share of the fall", color=style.MUTED)
        ends: list[tuple[float, str, str]] = []
        for k, market in enumerate(series.markets):
            rows = table.filter(pl.col("market") == market).sort("shock")
            if not rows.height:
                continue
            x, y = rows["shock"].to_numpy() * 100, rows["share"].to_numpy() * 100
            colour = _COLOURS[k % len(_COLOURS)]
            axes.errorbar(
                x,
                y,
                yerr=rows["se"].to_numpy() * 100 * _Z90,
                color=colour,
                linewidth=1.6,
                elinewidth=0.9,
                capsize=2.5,
                marker=_MARKERS[k % len(_MARKERS)],
                markersize=5.5,
            )
            axes.annotate(
                market,
                (x[-1], y[-1]),
                xytext=(8, -4),
                textcoords="offset points",
                color=colour,
                fontweight="bold",
                annotation_clip=False,
            )
            ends.append((float(y[-1]), market, colour))
        low = min([0.0, *(float(v) for v in (table["share"] - _Z90 * table["se"]).to_list())]) * 100
        high = max([0.1, *(float(v) for v in (table["share"] + _Z90 * table["se"]).to_list())]) * 100
        axes.set_ylim(low * 1.05, max(high * 1.05, 10))
        axes.axhline(0, color=style.INK, linewidth=0.9)
        ticks = [t for t in axes.get_yticks() if axes.get_ylim()[0] <= t <= axes.get_ylim()[1]]
        axes.set_yticks(ticks, even([style.percent(t / 100, 1) for t in ticks]))
        xticks = [t for t in axes.get_xticks() if axes.get_xlim()[0] <= t <= axes.get_xlim()[1]]
        axes.set_xticks(xticks, even([style.percent(t / 100, 2) for t in xticks]))
        page.words(
            left + (size.width - left - right) / 2,
            height - 8,
            "news shock, fall of the index without any mechanism",
            color=style.MUTED,
            ha="center",
        )
    return page.svg
