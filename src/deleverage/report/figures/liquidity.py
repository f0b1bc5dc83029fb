"""How thin did the book become, and how many contracts were left?"""

from __future__ import annotations

from collections.abc import Callable

from deleverage.report import style
from deleverage.report.figures.canvas import (
    NARROW,
    WIDE,
    Drawing,
    Size,
    columns_for,
    sheet,
    tick_step,
    time_axis,
    value_axis,
)
from deleverage.report.figures.series import Band, Series


def draw_depth(series: Series) -> Drawing:
    """Displayed depth above, quoted spread below, one column a market."""
    title = _depth_title(series)
    return Drawing(
        key="depth",
        title=title,
        band=series.band_name + "; dashed: offers, median.",
        source=series.source(),
        alt=f"Displayed depth within 1 percent of mid, and the quoted spread, by market. {title}",
        wide=_depth(series, WIDE),
        narrow=_depth(series, NARROW),
    )


def draw_open_interest(series: Series) -> Drawing:
    """Open interest in coins, so that a falling price alone does not look like closing."""
    title = _interest_title(series)
    return Drawing(
        key="open-interest",
        title=title,
        band=series.band_name + "; dashed: without liquidations, median.",
        source=series.source(),
        alt=f"Open interest in coins by market. {title}",
        wide=_interest(series, WIDE),
        narrow=_interest(series, NARROW),
    )


def _depth_title(series: Series) -> str:
    market = series.markets[0]
    bids, spread = series.band(market, "depth_bid_usd"), series.band(market, "spread_bps")
    if bids is None or spread is None:
        return "Displayed depth was not recorded"
    at = int(bids.middle.argmin())
    return (
        f"Displayed {market} bids go from {style.usd(float(bids.middle[0]), digits=2)} to "
        f"{style.usd(float(bids.middle[at]), digits=2)} at {style.clock(int(bids.minutes[at] * 60e9))}, "
        "and the spread from "
        f"{style.significant(float(spread.middle[0]), 2)} to "
        f"{style.significant(float(spread.middle.max()), 2)}{style.THIN}bp"
    )


def _interest_title(series: Series) -> str:
    market = series.markets[0]
    row = series.summary["open_interest"][market]
    found = style.parts(row["after_coins"])
    before = row["before_coins"]
    if found is None or not before:
        return "Open interest was not recorded"
    change = {name: value / before - 1 for name, value in zip(("p05", "p50", "p95"), found, strict=True)}
    return (
        f"{market} open interest changes by {style.percent_interval(change)} in coins, "
        f"from {style.coins(before, market)}; falling prices alone would not change it"
    )


def _columns(series: Series, size: Size) -> tuple[int, float, float]:
    """Columns, their width and the gap between them."""
    columns = columns_for(len(series.markets), size)
    gap = 18.0
    return columns, (size.width - gap * (columns - 1)) / columns, gap


def _depth(series: Series, size: Size) -> str:
    columns, width, gap = _columns(series, size)
    rows = -(-len(series.markets) // columns)
    each = size.pick(292, 262)
    with sheet(size, rows * each + 20, "depth") as page:
        used = page.legend([("median", "bids"), ("dash", "offers")], 0, 0) + 4
        for k, market in enumerate(series.markets):
            x, y = (k % columns) * (width + gap), used + (k // columns) * each
            inner, tall = width - 50 - 6, each - 128
            page.words(x, y + 14, market, fontweight="bold", fontsize=12)
            page.words(
                x, y + 30, f"displayed within 1{style.THIN}% of mid", color=style.MUTED, fontsize=size.small
            )
            axes = page.panel(x + 50, y + 38, inner, tall - 34)
            bids, asks = series.band(market, "depth_bid_usd"), series.band(market, "depth_ask_usd")
            spread = series.band(market, "spread_bps")
            if bids is None or asks is None or spread is None:
                continue
            _fill(axes, bids)
            axes.plot(asks.minutes, asks.middle, color=style.INK, linewidth=1.2, linestyle=(0, (4, 2)))
            time_axis(axes, bids.minutes, every=10_000)
            value_axis(
                axes, 0, max(float(bids.high.max()), float(asks.middle.max())), style.usd, count=4, pad=0.02
            )
            page.words(x, y + tall + 24, "quoted spread, bp", color=style.MUTED, fontsize=size.small)
            below = page.panel(x + 50, y + tall + 32, inner, each - tall - 64)
            _fill(below, spread)
            time_axis(below, spread.minutes, every=tick_step(spread.minutes, 4))
            value_axis(below, 0, float(spread.high.max()), style.significant, count=3, pad=0.04)
    return page.svg


def _interest(series: Series, size: Size) -> str:
    columns, width, gap = _columns(series, size)
    rows = -(-len(series.markets) // columns)
    each = size.pick(220, 185)
    with sheet(size, rows * each + 20, "open-interest") as page:
        used = page.legend([("median", "with liquidations"), ("counter", "without")], 0, 0) + 4
        for k, market in enumerate(series.markets):
            x, y = (k % columns) * (width + gap), used + (k // columns) * each
            band = series.band(market, "open_interest_coins")
            page.words(x, y + 14, market, fontweight="bold", fontsize=12)
            if band is None:
                continue
            scale, unit = _coin_scale(float(band.high.max()))
            coin = (series.summary.get("traded") or {}).get(market, {}).get("coin", market)
            page.words(x + width, y + 14, f"{unit} {coin}", color=style.MUTED, ha="right")
            axes = page.panel(x + 46, y + 26, width - 46 - 6, each - 56)
            _fill(axes, band)
            low, high = float(band.low.min()), float(band.high.max())
            other = series.band(market, "open_interest_coins", variant="no_liquidations")
            if other is not None:
                axes.plot(
                    other.minutes,
                    other.middle,
                    color=style.COUNTERFACTUAL,
                    linewidth=1.8,
                    linestyle=(0, (4, 2)),
                )
                low, high = min(low, float(other.middle.min())), max(high, float(other.middle.max()))
            time_axis(axes, band.minutes, every=tick_step(band.minutes, 4))
            value_axis(axes, low, high, _scaled(scale, (high - low) / scale), count=4)
    return page.svg


def _fill(axes: object, band: Band) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    axes.fill_between(
        band.minutes, band.low, band.high, color=style.BAND, alpha=style.BAND_ALPHA, linewidth=0
    )
    axes.plot(band.minutes, band.middle, color=style.BAND_INK, linewidth=1.8)


def _coin_scale(value: float) -> tuple[float, str]:
    for scale, unit in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if value >= 2 * scale:
            return scale, unit
    return 1.0, "coins"


def _scaled(scale: float, span: float) -> Callable[[float], str]:
    places = 0 if span >= 8 else 1 if span >= 0.8 else 2
    return lambda value: style.number(value / scale, places)
