"""How is a drawdown drawn: the price below its high, and how likely so deep a fall is by chance?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from deleverage.measure.measure import Measured
from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Sheet, Size, sheet, value_axis
from deleverage.report.figures.measures.day_axis import date_of, day_axis, days

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CHANCES = (
    ("p_brownian", "Brownian, volatility before the high"),
    ("p_brownian_40", "Brownian, 40 % a year"),
    ("p_brownian_50", "Brownian, 50 % a year"),
    ("p_brownian_60", "Brownian, 60 % a year"),
    ("p_bootstrap", "days before the high, in blocks"),
    ("p_bootstrap_drift", "the same with their drift"),
)


def draw(measured: Measured) -> Drawing:
    """Closes and daily ranges since before the high; below, the chances with their intervals."""
    title = _title(measured)
    high = measured.reading("high") or {}
    return Drawing(
        key="drawdown",
        title=title,
        band="Shaded: each day's low to high. Bars of the lower panel: ends of the 90 % interval of the "
        "volatility, or of the number of draws.",
        source=f"By {high.get('by', '')}. {high.get('data', '')}; as of {date_of(measured.at_ns)} UTC.",
        alt=f"Price since before its high, and the chance of such a fall. {title}.",
        wide=_sheet(measured, WIDE),
        narrow=_sheet(measured, NARROW),
    )


def _value(measured: Measured, name: str) -> float | None:
    row = measured.reading(name)
    return None if row is None else row["value"]


def _title(measured: Measured) -> str:
    coin = measured.parameters["coin"]
    close, gone = _value(measured, "from_high_close"), _value(measured, "days_since_high")
    text = f"{coin} closed {style.percent(abs(close or 0.0), 1)} below its high of {gone:.0f} days before"
    worst, p = _value(measured, "worst_since_high"), _value(measured, "p_brownian")
    stated = measured.parameters["stated"]
    if p is not None:
        fall = f"a fall of {style.percent(abs(stated if stated is not None else worst or 0.0), 1)}"
        text += f"; {fall} has a chance of {style.percent(p, 1)} at the volatility before"
    return text


def _series(measured: Measured, name: str) -> pl.DataFrame:
    return measured.series.filter(pl.col("name") == name)


def _sheet(measured: Measured, size: Size) -> str:
    each = size.pick(24, 36)
    top = size.pick(230, 200)
    with sheet(size, top + 122 + each * len(_CHANCES) + 26, "drawdown") as page:
        used = page.legend([("line", "close"), ("other", "day's low to high"), ("dash", "high")], 0, 0)
        page.words(0, used + 12, "USD per coin", color=style.MUTED)
        left, right = size.pick(66, 60), 14.0
        axes = page.panel(left, used + 22, size.width - left - right, top)
        _price(axes, measured, size)
        y = used + 22 + top + 50
        page.words(0, y, _question(measured), fontweight="bold")
        _chances(page, measured, size, y + 10, each)
    return page.svg


def _price(axes: Axes, measured: Measured, size: Size) -> None:
    close, low, high = (_series(measured, name) for name in ("close", "low", "high"))
    x = days(close["time_ns"].to_numpy())
    axes.fill_between(x, low["value"], high["value"], color=style.COUNTERFACTUAL, alpha=0.45, linewidth=0)
    axes.plot(x, close["value"], color=style.INK, linewidth=1.6)
    top = _value(measured, "high") or 0.0
    axes.axhline(top, color=style.INK, linewidth=1.2, linestyle=(0, (4, 2)))
    day_axis(axes, float(x.min()), float(x.max()), int(size.pick(8, 4)))
    value_axis(axes, float(low["value"].to_numpy().min()), top, lambda v: f"${style.price(v)}")
    day, worst = _value(measured, "worst_day"), _value(measured, "worst_since_high")
    if day is not None and worst is not None:
        price = top * (1 + worst)
        axes.plot(day, price, marker="v", markersize=7, color=style.LONG, clip_on=False)
        axes.annotate(
            f"low {style.percent(worst, 1)}", (day, price), (-8, -1), textcoords="offset points", ha="right",
            va="center", color=style.INK, fontsize=size.font,
        )  # fmt: skip


def _question(measured: Measured) -> str:
    stated = measured.parameters["stated"]
    share = stated if stated is not None else _value(measured, "worst_since_high")
    gone = _value(measured, "days_since_high")
    if share is None or gone is None:
        return "Chance of so deep a fall"
    return f"Chance of −{style.percent(abs(share), 1)} or worse in {gone:.0f} d"


def _chances(page: Sheet, measured: Measured, size: Size, top: float, each: float) -> None:
    rows = [(name, measured.reading(name)) for name, _ in _CHANCES]
    names = dict(_CHANCES)
    left, right = size.pick(262, 16), size.pick(70, 60)
    axes = page.panel(left, top, size.width - left - right, each * len(rows), grid=False)
    axes.set_yticks([])
    axes.set_ylim(len(rows), 0)
    ends = [v for _, row in rows if row for v in (row["value"], row["high"]) if v is not None]
    most = max([*ends, 0.05]) * 1.08
    axes.set_xlim(0, most)
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if most / s <= 6)
    ticks = [k * step for k in range(int(most / step) + 1)]
    axes.set_xticks(ticks, [style.percent(t, 0) for t in ticks])
    for k, (name, row) in enumerate(rows):
        at = k + size.pick(0.5, 0.72)
        _chance(axes, row, at, assumed=name[-2:].isdigit())
        y = top + k * each + size.pick(each / 2 + 4, 13)
        page.words(0, y, names[name], color=style.MUTED if name[-2:].isdigit() else style.INK)
        page.words(size.width, y, _chance_text(row), ha="right", fontweight="bold")


def _chance_text(row: dict[str, Any] | None) -> str:
    """`7.1 %`; a chance that no draw met is below its interval's end, not 0."""
    value, high = (row["value"], row["high"]) if row else (None, None)
    if value is None or value >= 0.0005:
        return style.percent(value, 1)
    return f"< {style.percent(max(high or 0.0, 0.001), 1)}"


def _chance(axes: Axes, row: dict[str, Any] | None, at: float, *, assumed: bool) -> None:
    if row is None or row["value"] is None:
        return
    axes.plot([0, row["value"]], [at, at], color=style.RULE, linewidth=1.2, zorder=1)
    if row["low"] is not None:
        axes.plot([row["low"], row["high"]], [at, at], color=style.BAND, linewidth=6, alpha=0.5, zorder=2)
    axes.plot(
        row["value"], at, marker="D" if assumed else "o", markersize=6, zorder=3,
        markerfacecolor=style.PAPER if assumed else style.INK, markeredgecolor=style.INK,
    )  # fmt: skip
