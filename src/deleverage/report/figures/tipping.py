"""How close was the market to running away? The map against the book, and the fall at other depths."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from deleverage.report import style, words
from deleverage.report.figures.canvas import (
    NARROW,
    WIDE,
    Drawing,
    Floats,
    Size,
    columns_for,
    even,
    sheet,
    text_width,
    value_axis,
)
from deleverage.report.figures.series import Series
from deleverage.report.style import THIN


def draw_map(series: Series, market: str) -> Drawing:
    """Coins forced out against coins absorbed, and n(x) below."""
    rows = series.answer.tables["map"].filter(pl.col("market") == market).sort("fall")
    title = _map_title(series, market, rows)
    return Drawing(
        key=f"map-{market}",
        title=title,
        band=f"Band: 90{THIN}% over the prior on positions and depth. n(x) = coins forced out ÷ coins "
        "absorbed, per unit of log price.",
        source=series.source(),
        alt=f"Liquidation map against the book, and the branching ratio n of x. {title}",
        wide=_map(series, market, rows, WIDE),
        narrow=_map(series, market, rows, NARROW),
    )


def draw_depth_multiples(series: Series) -> Drawing:
    """The whole ensemble again with a thinner and a deeper book; every seed is a dot."""
    title = _depth_title(series)
    return Drawing(
        key="tipping",
        title=title,
        band=f"Dots: {series.seeds} seeds; bar: their 90{THIN}%; line: median. Depth as a multiple of "
        "the scenario's.",
        source=series.source(),
        alt=f"Fall against depth multiple. {title}",
        wide=_depths(series, WIDE),
        narrow=_depths(series, NARROW),
    )


def _map_title(series: Series, market: str, rows: pl.DataFrame) -> str:
    tipping = (series.summary.get("tipping") or {}).get(market) or {}
    start = style.plain_interval(tipping.get("n_start"))
    crossing = style.parts(tipping.get("crosses_one_at"))
    if crossing is None:
        reach = f" down to {style.fall_point(float(rows['fall'][-1]), 0)}" if rows.height else ""
        return (
            f"{market}: n(x) is {start} near the start and stays below 1{reach}: no tipping point was found"
        )
    draws = words.of_draws(tipping, "crosses_one_in", series.summary["seeds"])
    text = (
        f"{market}: n(x) is {start} near the start and reaches 1{draws}{', there' if draws else ''} at "
        f"{style.fall(tipping['crosses_one_at'])}"
    )
    distance = style.parts(tipping.get("tipping_distance"))
    if distance is None:
        return f"{text}; no shock was found that runs away"
    return f"{text}; a shock of {style.percent_interval(tipping['tipping_distance'])} runs away"


def _map(series: Series, market: str, rows: pl.DataFrame, size: Size) -> str:
    tall, short = size.pick(180, 150), size.pick(170, 160)
    height = 34 + tall + 46 + short + 46
    with sheet(size, height, f"map-{market}") as page:
        used = page.legend(
            [
                ("long", "forced out down to that fall"),
                ("ink", "absorbed by the book (hidden coins included)"),
            ],
            0,
            0,
        )
        left, right = size.pick(60, 52), 24.0
        width = size.width - left - right
        shift = used - 18
        page.words(0, used + 13, f"coins, cumulative ({market})", color=style.MUTED)
        top = page.panel(left, used + 24, width, tall - shift)
        below_at = used + 24 + tall - shift + 36
        page.words(0, below_at - 10, "n(x), branching ratio", color=style.MUTED)
        below = page.panel(left, below_at, width, height - below_at - 44)
        page.words(
            left + width / 2, height - 8, "fall of the mark from the start", color=style.MUTED, ha="center"
        )
        if not rows.height:
            return page.svg
        x = rows["fall"].to_numpy() * 100
        low, middle, high = (rows[f"liquidated_coins_{q}"].to_numpy() for q in ("p05", "p50", "p95"))
        book = rows["book_coins"].to_numpy()
        top.fill_between(x, low, high, color=style.LONG, alpha=0.16, linewidth=0)
        top.plot(x, middle, color=style.LONG, linewidth=2)
        top.plot(x, book, color=style.INK, linewidth=1.6)
        value_axis(top, 0, float(max(high.max(), book.max())), style.number, count=4, pad=0.0)
        n_low, n, n_high = (rows[f"n_{q}"].to_numpy() for q in ("p05", "p50", "p95"))
        below.fill_between(x, n_low, n_high, color=style.BAND, alpha=style.BAND_ALPHA, linewidth=0)
        below.plot(x, n, color=style.BAND_INK, linewidth=2)
        ceiling = max(1.25, min(float(n_high.max()), 2.5 * max(float(n.max()), 1.0)))
        value_axis(below, 0, ceiling, style.significant, count=4, pad=0.0)
        below.axhline(1, color=style.INK, linewidth=1.0, linestyle=(0, (5, 2)))
        below.annotate(
            "1: each coin forces out another",
            (x[-1], 1),
            xytext=(-2, 4),
            textcoords="offset points",
            ha="right",
            fontsize=10,
            color=style.INK,
            bbox={"boxstyle": "square,pad=0.12", "facecolor": style.PAPER, "alpha": 0.8, "linewidth": 0},
        )
        for axes in (top, below):
            axes.set_xlim(0, float(x[-1]))
        _fall_ticks(top, labels=False)
        _fall_ticks(below, labels=True)
        _mark_tipping(below, (series.summary.get("tipping") or {}).get(market) or {}, ceiling)
    return page.svg


def _fall_ticks(axes: Any, *, labels: bool) -> None:
    ticks = [t for t in axes.get_xticks() if 0 <= t <= axes.get_xlim()[1]]
    axes.set_xticks(ticks, even([style.percent(-t / 100, 1) for t in ticks]) if labels else [""] * len(ticks))


def _mark_tipping(axes: Any, tipping: dict[str, Any], ceiling: float) -> None:
    """Crossing as a ring with its interval on the line of 1, tipping distance as a span at the foot."""
    crossing = style.parts(tipping.get("crosses_one_at"))
    if crossing is not None:
        axes.plot(
            [crossing[0] * 100, crossing[2] * 100],
            [1, 1],
            color=style.INK,
            linewidth=2.2,
            solid_capstyle="butt",
        )
        axes.plot(
            crossing[1] * 100,
            1,
            marker="o",
            markersize=8,
            markerfacecolor=style.PAPER,
            markeredgecolor=style.INK,
            markeredgewidth=1.6,
        )
    distance = style.parts(tipping.get("tipping_distance"))
    if distance is not None:
        low, middle, high = (100 * v for v in distance)
        axes.axvspan(low, high, ymax=0.10, color=style.WARNING, alpha=0.55, linewidth=0)
        axes.plot([middle, middle], [0, 0.10 * ceiling], color=style.INK, linewidth=1.6)
        axes.annotate(
            "tipping distance",
            (high, 0.05 * ceiling),
            xytext=(5, -3.5),
            textcoords="offset points",
            fontsize=10,
            bbox={"boxstyle": "square,pad=0.12", "facecolor": style.PAPER, "alpha": 0.8, "linewidth": 0},
        )


def _depth_title(series: Series) -> str:
    market = series.markets[0]
    halved = ((series.summary.get("tipping") or {}).get(market) or {}).get("depth_halved_multiplies_drop")
    found = style.parts(halved)
    if found is None:
        return f"The fall of {market} with a thinner and a deeper book"
    text = f"Half the depth multiplies {market}'s median fall by {style.plain_interval(halved)}"
    if found[0] <= 1 <= found[2]:
        return f"{text}: the interval includes 1, so depth is not shown to matter"
    return f"{text}: the interval excludes 1"


def _depths(series: Series, size: Size) -> str:
    table = series.answer.tables["tipping"]
    columns = columns_for(len(series.markets), size)
    gap = 18.0
    width = (size.width - gap * (columns - 1)) / columns
    rows = -(-len(series.markets) // columns)
    each = size.pick(250, 220)
    with sheet(size, rows * each, "tipping") as page:
        for k, market in enumerate(series.markets):
            x, y = (k % columns) * (width + gap), (k // columns) * each
            page.words(x, y + 14, market, fontweight="bold", fontsize=12)
            page.words(
                x + 8 + text_width(market, 14),
                y + 14,
                "fall to the low",
                color=style.MUTED,
                fontsize=size.small,
            )
            axes = page.panel(x + 46, y + 26, width - 46 - 6, each - 26 - 46)
            page.words(
                x + 46 + (width - 52) / 2,
                y + each - 8,
                "depth, multiple (log scale)",
                color=style.MUTED,
                ha="center",
            )
            mine = table.filter(pl.col("market") == market)
            if mine.height:
                _swarm(axes, mine)
    return page.svg


def _swarm(axes: Any, rows: pl.DataFrame) -> None:
    depths = sorted(set(rows["depth"].to_list()))
    medians: list[float] = []
    for at, depth in enumerate(depths):
        drop = np.sort(rows.filter(pl.col("depth") == depth)["drop"].to_numpy()) * 100
        low, middle, high = np.quantile(drop, (0.05, 0.5, 0.95))
        axes.add_patch(_box(at, float(low), float(high)))
        axes.plot(
            at + _spread(drop),
            drop,
            linestyle="none",
            marker="o",
            markersize=2.6,
            color=style.BAND_INK,
            alpha=0.65,
            markeredgewidth=0,
        )
        axes.plot([at - 0.3, at + 0.3], [middle, middle], color=style.INK, linewidth=1.8)
        medians.append(float(middle))
    axes.plot(range(len(depths)), medians, color=style.INK, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    axes.set_xlim(-0.5, len(depths) - 0.5)
    axes.set_xticks(range(len(depths)), [f"{_multiple(d)}×" for d in depths])
    value_axis(
        axes,
        0,
        float(rows["drop"].to_numpy().max()) * 100,
        lambda v: style.percent(-v / 100, 1),
        count=5,
        pad=0.02,
    )
    axes.invert_yaxis()
    axes.xaxis.tick_bottom()


def _multiple(depth: float) -> str:
    return {0.25: "¼", 0.5: "½", 0.75: "¾"}.get(depth, f"{depth:g}")


def _spread(values: Floats) -> Floats:
    """A fixed sideways offset for sorted values, so that equal ones do not hide each other."""
    step = np.array([0.0, 0.12, -0.12, 0.24, -0.24])
    return step[np.arange(values.size) % step.size]


def _box(at: int, low: float, high: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(
        (at - 0.36, low), 0.72, high - low, facecolor=style.BAND, alpha=style.BAND_ALPHA, linewidth=0
    )
