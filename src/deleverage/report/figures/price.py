"""How far did the price fall, with and without liquidations, and does the real night lie inside?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from deleverage.report import style
from deleverage.report.figures.canvas import (
    NARROW,
    WIDE,
    Drawing,
    Sheet,
    Size,
    columns_for,
    sheet,
    tick_step,
    time_axis,
    value_axis,
)
from deleverage.report.figures.series import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONG_BAR_S = 900
_SPREAD_OUT = "without (sold evenly over six hours)"


def draw(series: Series, market: str) -> Drawing:
    """The fan of one market, large."""
    candles = series.candles(market)
    return Drawing(
        key=f"price-{market}",
        title=_title(series, market),
        band=f"{series.band_name}. {_candle_words(candles, market)}",
        source=series.source(candles=_candle_source(candles)),
        alt=f"Price fan of {market}. {_title(series, market)}. {_candle_words(candles, market)}",
        wide=_one(series, market, candles, WIDE),
        narrow=_one(series, market, candles, NARROW),
    )


def draw_others(series: Series, markets: tuple[str, ...]) -> Drawing:
    """The fans of the other markets, small, side by side."""
    drops = ", ".join(f"{m} {style.fall(series.summary['price'][m]['drop'])}" for m in markets)
    frames = {m: series.candles(m) for m in markets}
    with_candles = [m for m in markets if frames[m].height]
    note = (
        f"Candles of {', '.join(with_candles)} as recorded."
        if with_candles
        else "No real candles of these markets were given."
    )
    some = (
        pl.concat([frames[m] for m in with_candles])
        if with_candles
        else series.answer.tables["candles"].clear()
    )
    return Drawing(
        key="price-others",
        title=f"In the same runs: {_in_short(series, markets)} to the low",
        band=f"{series.band_name}. {note}",
        source=series.source(candles=_candle_source(some)),
        alt=f"Price fans of {', '.join(markets)}: {drops}. {note}",
        wide=_many(series, frames, WIDE),
        narrow=_many(series, frames, NARROW),
    )


def _in_short(series: Series, markets: tuple[str, ...]) -> str:
    """Every market's fall; of many, the smallest and the largest median, since each stands above its fan."""
    drops = {m: series.summary["price"][m]["drop"] for m in markets}
    if len(markets) <= 4:
        return ", ".join(f"{m} {style.fall(drop)}" for m, drop in drops.items())
    by_size = sorted(markets, key=lambda m: float(drops[m]["p50"]))
    ends = [f"{m} {style.fall(drops[m])}" for m in (by_size[0], by_size[-1])]
    return f"{len(markets)} other markets, from {ends[0]} to {ends[1]},"


def _title(series: Series, market: str) -> str:
    drop = series.summary["price"][market]["drop"]
    without = series.summary["counterfactual"][market]["drop"]
    text = f"{market} moves {style.fall(drop)} to its low with liquidations and {style.fall(without)} without"
    observed = (series.summary.get("observed") or {}).get(market)
    if observed:
        side = "inside" if observed["inside"] else "outside"
        text += f"; the real {style.fall_point(observed['drop'])} lies {side} the band"
    return text


def _candle_words(candles: pl.DataFrame, market: str) -> str:
    if not candles.height:
        return f"No real candles of {market} were given: the fan stands alone."
    kinds = []
    for row in (
        candles.group_by("venue", "kind", "symbol", "interval_s", maintain_order=True)
        .len()
        .iter_rows(named=True)
    ):
        step = style.duration(float(row["interval_s"])) if row["interval_s"] != 60 else f"1{style.THIN}min"
        kinds.append(f"{row['venue'].capitalize()} {row['symbol']} {row['kind']}, {step}")
    return f"Candles: {'; '.join(kinds)}."


def _candle_source(candles: pl.DataFrame) -> str:
    return ", ".join(candles["source"].unique(maintain_order=True).to_list()) if candles.height else ""


def _one(series: Series, market: str, candles: pl.DataFrame, size: Size) -> str:
    height = size.pick(400, 330)
    with sheet(size, height, f"price-{market}") as page:
        used = page.legend(_keys(candles), 0, 0)
        left, right, bottom = size.pick(60, 52), size.pick(48, 40), 26.0
        top = used + 24
        axes = page.panel(left, top, size.width - left - right, height - top - bottom)
        _fan(axes, series, market, candles, every=tick_step(_times(series, market), int(size.pick(8, 4))))
        page.words(0, used + 12, "USD per coin", color=style.MUTED)
        page.words(size.width, used + 12, "from the start", color=style.MUTED, ha="right")
        _percent_labels(page, axes, series.summary["price"][market]["start"]["p50"])
    return page.svg


def _many(series: Series, frames: dict[str, pl.DataFrame], size: Size) -> str:
    columns = columns_for(len(frames), size)
    rows = -(-len(frames) // columns)
    each = size.pick(210, 185)
    with sheet(size, rows * each + size.pick(24, 62), "price-others") as page:
        some = next((f for f in frames.values() if f.height), next(iter(frames.values())))
        used = page.legend(_keys(some), 0, 0)
        gap = 14.0
        width = (size.width - gap * (columns - 1)) / columns
        for k, (market, candles) in enumerate(frames.items()):
            x, y = (k % columns) * (width + gap), used + (k // columns) * each
            page.words(x, y + 14, market, fontweight="bold", fontsize=12)
            page.words(
                x + width,
                y + 14,
                style.fall(series.summary["price"][market]["drop"]),
                ha="right",
                fontsize=size.small,
            )
            left, right = 48.0, 44.0
            axes = page.panel(x + left, y + 26, width - left - right, each - 56)
            _fan(axes, series, market, candles, every=tick_step(_times(series, market), 4))
            _percent_labels(page, axes, series.summary["price"][market]["start"]["p50"])
    return page.svg


def _keys(candles: pl.DataFrame) -> list[tuple[str, str]]:
    keys = [("median", "with liquidations"), ("counter", _SPREAD_OUT), ("news", "news alone")]
    if not candles.height:
        return keys
    hours = candles["interval_s"].to_numpy().min() > _LONG_BAR_S
    return [*keys, ("hours", "real range of each bar") if hours else ("candle", "real candles")]


def _times(series: Series, market: str) -> Any:
    band = series.band(market, "close")
    return band.minutes if band is not None else np.array([0.0, 1.0])


def _fan(axes: Axes, series: Series, market: str, candles: pl.DataFrame, *, every: int) -> None:
    band = series.band(market, "close")
    if band is None:
        return
    low, high = float(band.low.min()), float(band.high.max())
    axes.fill_between(
        band.minutes, band.low, band.high, color=style.BAND, alpha=style.BAND_ALPHA, linewidth=0
    )
    axes.plot(band.minutes, band.middle, color=style.BAND_INK, linewidth=2.0, zorder=3)
    for variant, colour, dash, width in (
        ("no_liquidations", style.COUNTERFACTUAL, (0, (4, 2)), 1.8),
        ("news_only", style.COUNTERFACTUAL_INK, (0, (1, 1.6)), 1.2),
    ):
        other = series.band(market, "close", variant=variant)
        if other is not None:
            axes.plot(other.minutes, other.middle, color=colour, linewidth=width, linestyle=dash, zorder=2)
            low, high = min(low, float(other.middle.min())), max(high, float(other.middle.max()))
    if candles.height:
        _candles(axes, candles, band.minutes)
        low, high = (
            min(low, float(candles["low"].to_numpy().min())),
            max(high, float(candles["high"].to_numpy().max())),
        )
    time_axis(axes, band.minutes, every=every)
    value_axis(axes, low, high, style.price)


def _candles(axes: Axes, candles: pl.DataFrame, minutes: Any) -> None:
    """Filled bodies fall, hollow bodies rise, as on paper; spot and long bars in grey."""
    from matplotlib.collections import LineCollection, PolyCollection

    first, last = float(minutes.min()), float(minutes.max())
    for row in candles.filter(pl.col("interval_s") > _LONG_BAR_S).iter_rows(named=True):
        # an hour is too coarse for a body: only where it began, where it ended, and how far it went
        a, b = max(row["time_ns"] / 60e9, first), min(row["time_ns"] / 60e9 + row["interval_s"] / 60, last)
        box = [(a, row["low"]), (b, row["low"]), (b, row["high"]), (a, row["high"])]
        axes.add_collection(
            PolyCollection([box], facecolors="none", edgecolors=style.MUTED, linewidths=0.9, zorder=1.5)
        )
    candles = candles.filter(pl.col("interval_s") <= _LONG_BAR_S)
    for kind, colour in (("fine", style.INK), ("coarse", style.MUTED)):
        wicks: list[list[tuple[float, float]]] = []
        falls: list[list[tuple[float, float]]] = []
        rises: list[list[tuple[float, float]]] = []
        for row in candles.iter_rows(named=True):
            length = row["interval_s"] / 60
            if (kind == "fine") != (length <= 1 and row["kind"] == "perp"):
                continue
            start = row["time_ns"] / 60e9
            a, b = max(start + 0.15 * length, first), min(start + 0.85 * length, last)
            if b <= a:
                continue
            wicks.append([((a + b) / 2, row["low"]), ((a + b) / 2, row["high"])])
            body = [(a, row["open"]), (b, row["open"]), (b, row["close"]), (a, row["close"])]
            (falls if row["close"] <= row["open"] else rises).append(body)
        alpha = 0.9 if kind == "fine" else 0.55
        axes.add_collection(LineCollection(wicks, colors=colour, linewidths=0.8, alpha=alpha, zorder=4))
        axes.add_collection(
            PolyCollection(falls, facecolors=colour, edgecolors=colour, linewidths=0.6, alpha=alpha, zorder=4)
        )
        axes.add_collection(
            PolyCollection(
                rises, facecolors=style.PAPER, edgecolors=colour, linewidths=0.8, alpha=alpha, zorder=4
            )
        )


def _percent_labels(page: Sheet, axes: Axes, start: float) -> None:
    """The same axis as a move from the start, at the right."""
    low, high = axes.get_ylim()
    twin = page.figure.add_axes(axes.get_position().bounds, frameon=False)
    twin.set_xticks([])
    twin.yaxis.tick_right()
    twin.tick_params(length=0, pad=5, labelsize=page.size.font)
    span = (high - low) / start * 100
    step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 1000) if span / s <= 6)
    places = 1 if step < 1 else 0
    ticks = [t for t in np.arange(-100, 100 + step, step) if low <= start * (1 + t / 100) <= high]
    twin.set_ylim(low, high)
    twin.set_yticks(
        [start * (1 + t / 100) for t in ticks], [style.percent(float(t) / 100, places) for t in ticks]
    )
    axes.axhline(start, color=style.COUNTERFACTUAL, linewidth=0.8, zorder=1)
