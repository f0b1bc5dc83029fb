"""What did the forecaster say, how often was that right, and how much fuel is left?"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from deleverage.measure.measure import Measured
from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Floats, Size, sheet, wrap
from deleverage.report.figures.measures.years_axis import years_axis

_DAY_NS = 86_400 * 1_000_000_000
_KEYS = (
    ("median", "forecast, walk-forward, and how often it held with 90\N{NARROW NO-BREAK SPACE}%"),
    ("dash", "climatology: share of all earlier days"),
    ("short", "days on which the price then held"),
    ("prior", "fuel: 90\N{NARROW NO-BREAK SPACE}% of the prior, mark at its median"),
)


def draw(measured: Measured) -> Drawing:
    """Forecasts over time above; below, forecast against outcome, and the fuel by the prior."""
    title = _title(measured)
    parameters = measured.parameters
    return Drawing(
        key="exhaustion",
        title=title,
        band=f"“Holds”: no low of the next {parameters['horizon']:g} days below "
        f"{style.percent(parameters['floor'], 0)} of the day's close. Intervals: 90{style.THIN}% from "
        f"blocks of {parameters['block']:g} days. Fuel is a prior on hidden positions, not an observation.",
        source=_source(measured),
        alt=f"Walk-forward forecasts against climatology, reliability and fuel. {title}. "
        + "; ".join(_state(measured)),
        wide=_sheet(measured, WIDE),
        narrow=_sheet(measured, NARROW),
    )


def _title(measured: Measured) -> str:
    coin = measured.parameters["coin"]
    chance, skill = measured.reading("probability", coin), measured.reading("skill", coin)
    if skill is None or skill["value"] is None:
        return f"{coin}: too few days to score a forecast, so no probability is given"
    said = f"skill {_ends(skill, 100, '%')} over climatology"
    if chance is None or chance["value"] is None:
        return f"{coin}: the forecast has no skill, so no probability is given ({said})"
    return f"{coin} holds with probability {_ends(chance, 100, '%')} ({said})"


def _ends(row: dict[str, Any], scale: float, unit: str) -> str:
    low, middle, high = (scale * row[name] for name in ("low", "value", "high"))
    places = style.decimals(high - low)
    text = style.with_unit(style.number(middle, places), unit)
    return f"{text} [{style.number(low, places)},\N{NO-BREAK SPACE}{style.number(high, places)}]"


def _source(measured: Measured) -> str:
    coin = measured.parameters["coin"]
    days = measured.reading("days_scored", coin)
    interest = measured.reading("open_interest", coin)
    of_days = "" if days is None else f"{days['by']}; {days['data']}. "
    of_fuel = (
        ""
        if interest is None or interest["value"] is None
        else f"Open interest: {interest['by'].split(':')[0]} at {style.day(interest['to_ns'])}. "
    )
    return f"{of_days}{of_fuel}As of {style.day(measured.at_ns)}, {style.clock(measured.at_ns)} UTC."


def _state(measured: Measured) -> list[str]:
    """The components in words, `not observed` where the lake lacks them."""
    coin = measured.parameters["coin"]

    def value(name: str) -> float | None:
        row = measured.reading(name, coin)
        return None if row is None else row["value"]

    index, rank = value("sentiment"), value("funding_percentile")
    return [
        f"close against the high of a year: {style.percent(value('from_high'), 1)}",
        f"open interest since the high, in coins: {style.percent(value('open_interest_reset'), 1)}",
        f"displayed bids against before the high: {style.percent(value('depth_recovery'), 0)}",
        f"funding per year: {style.percent(value('funding'), 1)}"
        + ("" if rank is None else f", higher than on {style.percent(rank, 0)} of 365 days"),
        f"published index (0 to 100): {style.number(index)}",
        f"volatility per year: {style.percent(value('volatility'), 0)}",
    ]


def _line(measured: Measured, name: str) -> tuple[Floats, Floats]:
    rows = measured.series.filter(pl.col("name") == name).sort("time_ns")
    return rows["time_ns"].to_numpy() / _DAY_NS, rows["value"].fill_null(np.nan).to_numpy()


def _sheet(measured: Measured, size: Size) -> str:
    with sheet(size, 400, "exhaustion") as probe:
        used = probe.legend(_KEYS, 0, 0)
    left, right, gap = 52.0, 22.0, 78.0
    tall = size.pick(170, 150)
    square = size.pick(200, 180)
    words = [line for text in _state(measured) for line in wrap(text, size.width - 8, size.font, 2)]
    if not size.narrow:
        words = _pairs(words)
    lower = square if not size.narrow else 2 * square + gap
    height = used + 24 + tall + 62 + lower + 62 + 17 * len(words)
    with sheet(size, height, "exhaustion") as page:
        page.legend(_KEYS, 0, 0)
        page.words(0, used + 12, "probability that the price holds", color=style.MUTED)
        _over_time(page.panel(left, used + 24, size.width - left - right, tall), measured, size)
        at = used + 24 + tall + 62
        page.words(0, at - 12, "it held, share of days", color=style.MUTED)
        each = (size.width - 2 * left - right - 24) / 2 if not size.narrow else size.width - left - right
        _reliability(page.panel(left, at, each, square), measured)
        page.words(left + each / 2, at + square + 34, "forecast probability", ha="center", color=style.MUTED)
        x = left if size.narrow else left + each + left + 24
        y = at + square + gap if size.narrow else at
        page.words(
            0 if size.narrow else x - left,
            y - 12,
            "longs liquidated by a further fall, USD",
            color=style.MUTED,
        )
        _fuel(page.panel(x, y, each, square), measured, size)
        page.words(x + each / 2, y + square + 34, "fall from the close", ha="center", color=style.MUTED)
        foot = y + square + 62
        for k, line in enumerate(words):
            page.words(0, foot + 17 * k, line)
    return page.svg


def _pairs(lines: list[str]) -> list[str]:
    """Two short lines on one."""
    return ["   ·   ".join(lines[k : k + 2]) for k in range(0, len(lines), 2)]


def _over_time(axes: Any, measured: Measured, size: Size) -> None:
    days, forecast = _line(measured, "forecast")
    _, climate = _line(measured, "climatology")
    _, held = _line(measured, "held")
    axes.set_ylim(-0.09, 1.0)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], [style.percent(t, 0) for t in (0, 0.25, 0.5, 0.75, 1)])
    seen = np.isfinite(forecast)
    if not seen.any():
        axes.set_xticks([])
        axes.text(
            0.5, 0.5, "too few days to forecast any", transform=axes.transAxes, ha="center", color=style.MUTED
        )
        return
    first = days[seen][0]
    years_axis(axes, float(first), float(days[-1]) + 1, size)
    axes.fill_between(days, -0.075, -0.02, where=held == 1.0, color=style.SHORT, linewidth=0, step="post")
    axes.plot(days, forecast, color=style.BAND_INK, linewidth=1.3)
    axes.plot(days, climate, color=style.INK, linewidth=1.4, linestyle=(0, (4, 2)))


def _reliability(axes: Any, measured: Measured) -> None:
    rows = measured.readings
    bins = rows.filter(pl.col("name") == "forecast_mean").select("subject", mean="value")
    found = rows.filter(pl.col("name") == "forecast_held").join(bins, on="subject")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    ticks = [0, 0.25, 0.5, 0.75, 1]
    axes.set_xticks(ticks, [style.percent(t, 0) for t in ticks])
    axes.set_yticks(ticks, [style.percent(t, 0) for t in ticks])
    axes.plot([0, 1], [0, 1], color=style.COUNTERFACTUAL, linewidth=1.2)
    axes.text(0.99, 0.66, "as forecast", ha="right", color=style.COUNTERFACTUAL_INK, fontsize=10)
    if not found.height:
        axes.text(0.5, 0.14, "nothing scored", transform=axes.transAxes, ha="center", color=style.MUTED)
        return
    for row in found.iter_rows(named=True):
        if row["low"] is not None:
            axes.plot([row["mean"]] * 2, [row["low"], row["high"]], color=style.BAND, linewidth=6, alpha=0.4,
                      solid_capstyle="butt")  # fmt: skip
        axes.plot(row["mean"], row["value"], "o", color=style.BAND_INK, markersize=6)


def _fuel(axes: Any, measured: Measured, size: Size) -> None:
    coin = measured.parameters["coin"]
    rows = [measured.reading(f"fuel_{fall}", coin) for fall in (5, 13, 20)]
    axes.set_xlim(-0.6, 2.6)
    axes.set_xticks([0, 1, 2], [style.fall_point(fall / 100, 0) for fall in (5, 13, 20)])
    there = [(k, row) for k, row in enumerate(rows) if row is not None and row["value"]]
    if not there:
        axes.set_yticks([])
        axes.text(
            0.5, 0.5, "open interest not observed", transform=axes.transAxes, ha="center", color=style.MUTED
        )
        return
    highest = max(float(row["high"]) for _, row in there)
    axes.set_ylim(0, highest * 1.12)
    from matplotlib.ticker import MaxNLocator

    ticks = [float(t) for t in MaxNLocator(4).tick_values(0, highest) if t <= highest * 1.12]
    axes.set_yticks(ticks, [style.usd(t, digits=2) for t in ticks])
    for k, row in there:
        axes.plot([k, k], [row["low"], row["high"]], color=style.WARNING, linewidth=12, alpha=0.55,
                  solid_capstyle="butt")  # fmt: skip
        axes.plot([k - 0.14, k + 0.14], [row["value"]] * 2, color=style.WARNING_INK, linewidth=2.2)
        axes.text(k + 0.2, row["value"], style.usd(row["value"], digits=2), va="center", fontsize=size.small)
