"""How is a decoupling drawn: both prices since a day, and their correlation over time?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from deleverage.measure.measure import Measured
from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Size, sheet, value_axis
from deleverage.report.figures.measures.day_axis import date_of, day_axis, days

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(measured: Measured) -> Drawing:
    """Returns of both since the base; below, the rolling correlation with its Fisher interval."""
    title = _title(measured)
    gap = measured.reading("gap") or {}
    return Drawing(
        key="decoupling",
        title=title,
        band=f"Shaded: 95 % Fisher interval of a correlation over {measured.parameters['window']:g} d, n "
        "corrected for autocorrelation.",
        source=f"By {gap.get('by', '')}. As of {date_of(measured.at_ns)} UTC.",
        alt=f"Returns since a day, and rolling correlation. {title}.",
        wide=_sheet(measured, WIDE),
        narrow=_sheet(measured, NARROW),
    )


def _title(measured: Measured) -> str:
    coin, other = measured.parameters["coin"], _name(measured)
    gap, day = measured.reading("gap") or {}, measured.reading("gap_day") or {}
    since = date_of(int(day["value"]) * 86_400 * 1_000_000_000)
    points = style.with_unit(style.number(100 * abs(gap["value"]), 1), "percentage points")
    text = f"{coin} is {points} {'behind' if gap['value'] < 0 else 'ahead of'} {other} since {since}"
    p = (measured.reading("difference_p") or {}).get("value")
    if p is None:
        return text
    change = (measured.reading("difference") or {}).get("value") or 0.0
    way = "higher" if change > 0 else "lower"
    if p >= 0.05:
        return f"{text}; their correlation did not change measurably (p = {style.significant(p, 2)})"
    return f"{text}; their correlation is {way} than before (p = {style.significant(p, 2)})"


def _name(measured: Measured) -> str:
    against = str(measured.parameters["against"])
    return {"GC=F": "gold", "GLD": "gold (GLD)", "^GSPC": "the S&P 500"}.get(against, against)


def _sheet(measured: Measured, size: Size) -> str:
    each = size.pick(190, 170)
    with sheet(size, 2 * each + size.pick(122, 142), "decoupling") as page:
        keys = [
            ("line", measured.parameters["coin"]),
            ("median", "correlation"),
            ("counter", _name(measured)),
        ]
        keys.append(("news", "level between breaks"))
        used = page.legend([keys[0], keys[2], keys[1], keys[3]], 0, 0)
        left = 58.0
        page.words(0, used + 13, "Return since the base, sessions alone", fontweight="bold")
        axes = page.panel(left, used + 22, size.width - left - 12, each)
        _returns(axes, measured, size)
        y = used + 22 + each + 50
        page.words(0, y, f"Correlation over {measured.parameters['window']:g} d", fontweight="bold")
        _rolling(page.panel(left, y + 10, size.width - left - 12, each - 10), measured, size)
    return page.svg


def _returns(axes: Axes, measured: Measured, size: Size) -> None:
    coin = measured.series.filter(pl.col("name") == "return_coin")
    other = measured.series.filter(pl.col("name") == "return_against")
    x = days(coin["time_ns"].to_numpy())
    axes.plot(x, coin["value"], color=style.INK, linewidth=1.8)
    axes.plot(x, other["value"], color=style.COUNTERFACTUAL_INK, linewidth=1.8, linestyle=(0, (4, 2)))
    day_axis(axes, float(x[0]), float(x[-1]), int(size.pick(7, 4)))
    both = pl.concat([coin["value"], other["value"]]).to_numpy()
    value_axis(axes, float(both.min()), float(both.max()), lambda v: style.percent(v, 0))
    axes.axhline(0, color=style.COUNTERFACTUAL, linewidth=0.8)
    base = (measured.reading("gap_day") or {})["value"]
    axes.axvline(base, color=style.COUNTERFACTUAL, linewidth=1.0)


def _rolling(axes: Axes, measured: Measured, size: Size) -> None:
    rows = measured.series.filter((pl.col("name") == "correlation") & pl.col("low").is_not_null())
    if rows.height < 2:
        axes.set_xticks([])
        axes.set_yticks([])
        words = "fewer sessions than a window: not observed"
        axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", color=style.MUTED)
        return
    x = days(rows["time_ns"].to_numpy())
    axes.fill_between(x, rows["low"], rows["high"], color=style.BAND, alpha=style.BAND_ALPHA, linewidth=0)
    axes.plot(x, rows["value"], color=style.BAND_INK, linewidth=1.8)
    regime = measured.series.filter(pl.col("name") == "regime")
    steps = days(regime["time_ns"].to_numpy())
    axes.step(
        steps, regime["value"].to_numpy(), where="post", color=style.COUNTERFACTUAL_INK, linewidth=1.3,
        linestyle=(0, (1, 1.6)),
    )  # fmt: skip
    day_axis(axes, float(x[0]), float(x[-1]), int(size.pick(8, 4)))
    ends = float(rows["low"].to_numpy().min()), float(rows["high"].to_numpy().max())
    value_axis(axes, min(ends[0], -0.1), max(ends[1], 0.1), lambda v: style.number(v, 2))
    axes.axhline(0, color=style.COUNTERFACTUAL_INK, linewidth=0.9)
