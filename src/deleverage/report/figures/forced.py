"""What was closed by force, minute by minute, and which side was it?"""

from __future__ import annotations

import numpy as np

from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Size, even, sheet, tick_step, time_axis
from deleverage.report.figures.series import Series


def draw(series: Series) -> Drawing:
    """Longs above the line, shorts below it: the side is a place before it is a colour."""
    title = _title(series)
    return Drawing(
        key="liquidations",
        title=title,
        band=f"Bars: mean of {series.seeds} seeds; thin line: 95{style.THIN}% point of each minute. All "
        "markets together.",
        source=series.source(),
        alt=f"Liquidations per minute by side. {title}",
        wide=_one(series, WIDE),
        narrow=_one(series, NARROW),
    )


def _title(series: Series) -> str:
    bars = series.liquidations
    if not bars.minutes.size or bars.long.max() + bars.short.max() == 0:
        return f"Nothing was closed by force in any of {series.seeds} seeds"
    peak = int(np.argmax(bars.long + bars.short))
    when = style.clock(int(bars.minutes[peak] * 60e9))
    long, short = style.usd(float(bars.long[peak]), digits=2), style.usd(float(bars.short[peak]), digits=2)
    if bars.long[peak] >= bars.short[peak]:
        other = f"{short} of shorts" if bars.short[peak] > 0 else "no shorts"
        return (
            f"Forced selling peaks at {when}: {long} of longs in that minute and {other}, mean of all seeds"
        )
    other = f"{long} of longs" if bars.long[peak] > 0 else "no longs"
    return f"Forced buying peaks at {when}: {short} of shorts in that minute and {other}, mean of all seeds"


def _one(series: Series, size: Size) -> str:
    bars = series.liquidations
    height = size.pick(300, 270)
    with sheet(size, height, "liquidations") as page:
        used = page.legend(
            [("long", "longs closed (forced selling)"), ("short", "shorts closed (forced buying)")], 0, 0
        )
        left, top = size.pick(60, 52), used + 24
        axes = page.panel(left, top, size.width - left - 8, height - top - 26)
        page.words(0, used + 12, "USD per minute", color=style.MUTED)
        if not bars.minutes.size:
            return page.svg
        highest = max(float(bars.long_high.max()), float(bars.long.max()), 1e-9)
        lowest = max(float(bars.short_high.max()), float(bars.short.max()))
        axes.bar(bars.minutes, bars.long, width=0.82, color=style.LONG, align="edge", linewidth=0)
        axes.bar(bars.minutes, -bars.short, width=0.82, color=style.SHORT, align="edge", linewidth=0)
        axes.step(bars.minutes, bars.long_high, where="post", color=style.LONG, linewidth=0.9, alpha=0.75)
        axes.step(bars.minutes, -bars.short_high, where="post", color=style.SHORT, linewidth=0.9, alpha=0.75)
        axes.axhline(0, color=style.INK, linewidth=0.9)
        time_axis(axes, bars.minutes, every=tick_step(bars.minutes, int(size.pick(8, 4))))
        if highest <= 1e-9 and lowest == 0:
            axes.set_ylim(-1, 1)
            axes.set_yticks([0], ["$0"])
            axes.text(
                0.5,
                0.62,
                "no position was closed by force",
                transform=axes.transAxes,
                ha="center",
                color=style.MUTED,
            )
        else:
            _sides(axes, highest, lowest)
    return page.svg


def _sides(axes: object, highest: float, lowest: float) -> None:
    """Ticks that read as amounts on both sides of the line."""
    from matplotlib.axes import Axes
    from matplotlib.ticker import MaxNLocator

    assert isinstance(axes, Axes)
    floor = max(lowest * 1.1, 0.06 * highest)
    axes.set_ylim(-floor, highest * 1.06)
    ticks = [
        float(t)
        for t in MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(-floor, highest)
        if -floor <= t <= highest * 1.06
    ]
    axes.set_yticks(ticks, even([style.usd(abs(t)) for t in ticks]))
