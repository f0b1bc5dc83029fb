"""How large was each cascade of the first coin, and which were deep?"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from deleverage.measure.measure import Measured
from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Floats, Size, even, sheet, text_width
from deleverage.report.figures.measures.years_axis import years_axis

_DEEP = 0.20
_DAY_NS = 86_400 * 1_000_000_000


def draw(measured: Measured) -> Drawing:
    """The price above, one stem a fall below: its height is the share lost from high to low."""
    coin = _coin(measured)
    title = _title(measured, coin)
    parameters = measured.parameters
    return Drawing(
        key="episodes",
        title=title,
        band=f"A fall counts from {style.number(parameters['sigmas'], 2)} "
        f"σ√{parameters['window']:g}{style.THIN}d and {style.percent(parameters['floor'], 0)} within "
        f"{parameters['window']:g} days, σ of the 60 days before. A stem stands at the low.",
        source=_source(measured),
        alt=f"Cascades of {coin} over time. {title}",
        wide=_sheet(measured, coin, WIDE),
        narrow=_sheet(measured, coin, NARROW),
    )


def _coin(measured: Measured) -> str:
    """The first coin of those asked for that has bars."""
    there = set(measured.series.filter(pl.col("name") == "close")["subject"])
    return next(str(c).upper() for c in measured.parameters["coins"] if str(c).upper() in there)


def _title(measured: Measured, coin: str) -> str:
    falls = _falls(measured, coin)
    deep = measured.reading("independent_deep", coin)
    if not falls.height:
        return f"No fall of {coin} passed the threshold"
    since = style.day(int(measured.reading("episodes", "all")["from_ns"]))  # type: ignore[index]
    count = (
        "" if deep is None else f", {deep['value']:.0f} independent ones of {style.percent(_DEEP)} or more"
    )
    still = measured.reading("open", "all")
    state = f"; {still['note']} is still open" if still is not None and still["value"] else ""
    many = "cascade" if falls.height == 1 else "cascades"
    return f"{falls.height} {many} of {coin} since {since}{count}{state}"


def _source(measured: Measured) -> str:
    row = measured.reading("episodes", "all")
    if row is None:
        return f"As of {_moment(measured.at_ns)}."
    return f"By {row['by']}; {row['data']}, to {style.day(row['to_ns'])}. As of {_moment(measured.at_ns)}."


def _moment(time_ns: int) -> str:
    return f"{style.day(time_ns)}, {style.clock(time_ns)} UTC"


def _falls(measured: Measured, coin: str) -> pl.DataFrame:
    return measured.series.filter((pl.col("name") == "fall") & (pl.col("subject") == coin)).sort("time_ns")


def _names(measured: Measured) -> dict[int, str]:
    """The episode's name by the second of its first coin's low."""
    rows = measured.readings.filter(pl.col("name") == "trough")
    return {round(day * 86_400): name for day, name in zip(rows["value"], rows["subject"], strict=True)}


def _sheet(measured: Measured, coin: str, size: Size) -> str:
    tall, low = size.pick(170, 140), size.pick(190, 180)
    falls = _falls(measured, coin)
    closes = measured.series.filter((pl.col("name") == "close") & (pl.col("subject") == coin)).sort("time_ns")
    with sheet(size, 400, "episodes") as probe:
        used = probe.legend(_keys(), 0, 0)
    height = used + 24 + tall + 40 + low + 30
    with sheet(size, height, "episodes") as page:
        page.legend(_keys(), 0, 0)
        left, right = size.pick(60, 56), 12.0
        width = size.width - left - right
        page.words(0, used + 12, f"{coin}, daily close, USD per coin, log scale", color=style.MUTED)
        top = page.panel(left, used + 24, width, tall)
        below_at = used + 24 + tall + 40
        page.words(0, below_at - 12, "fall from high to low, share of the high", color=style.MUTED)
        below = page.panel(left, below_at, width, low)
        days, price = closes["time_ns"].to_numpy() / _DAY_NS, closes["value"].to_numpy()
        span = (float(days[0]), float(days[-1]) + 1)
        top.plot(days, np.log10(price), color=style.INK, linewidth=1.2)
        _price_ticks(top, price)
        top.set_xlim(*span)
        top.set_xticks([])
        _stems(below, falls, _names(measured), span, size, width)
        years_axis(below, *span, size)
    return page.svg


def _keys() -> list[tuple[str, str]]:
    return [("long", f"fall of {style.percent(_DEEP)} or more"), ("other", "other fall past the threshold")]


def _price_ticks(axes: Any, price: Floats) -> None:
    low, high = float(price.min()), float(price.max())
    powers = range(int(np.floor(np.log10(low))) - 1, int(np.ceil(np.log10(high))) + 1)
    steps = (1, 2, 5) if high / low > 6 else (1, 1.5, 2, 3, 4, 5, 6, 8)
    ticks = [s * 10.0**p for p in powers for s in steps if low * 0.97 <= s * 10.0**p <= high * 1.03]
    if high > 10 * low:  # one pair of ticks a decade is enough
        ticks = [t for t in ticks if f"{t:e}"[0] in "15"]
    axes.set_ylim(np.log10(low) - 0.04, np.log10(high) + 0.06)
    axes.set_yticks([float(np.log10(t)) for t in ticks], even([style.usd(t, digits=2) for t in ticks]))


def _stems(
    axes: Any, falls: pl.DataFrame, names: dict[int, str], span: tuple[float, float], size: Size, width: float
) -> None:
    at, share = falls["time_ns"].to_numpy() / _DAY_NS, falls["value"].to_numpy()
    highest = float(share.max()) if share.size else 0.2
    axes.set_ylim(0, highest * 1.16)
    ticks = [t for t in np.arange(0, 1.01, 0.1 if highest < 0.35 else 0.2) if t <= highest * 1.1]
    axes.set_yticks(ticks, [style.percent(float(t), 0) for t in ticks])
    if not share.size:
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", color=style.MUTED)
        return
    for deep, colour, line in ((False, style.COUNTERFACTUAL, 1.2), (True, style.LONG, 2.0)):
        pick = (share >= _DEEP) == deep
        axes.vlines(at[pick], 0, share[pick], color=colour, linewidth=line)
        axes.plot(at[pick], share[pick], "o", color=colour, markersize=3.6 if deep else 2.4)
    placed: list[tuple[float, float]] = []
    scale = width / (span[1] - span[0])
    tall = size.pick(190, 180) / (highest * 1.16)
    for k in np.argsort(-share, kind="stable"):
        name = names.get(round(float(at[k]) * 86_400))
        if name is None:  # a later fall of the coin within the same episode
            continue
        half = text_width(name, size.small) / 2
        x, y = (float(at[k]) - span[0]) * scale, float(share[k]) * tall + 7
        x = min(max(x, half), width - half)
        clear = all(abs(x - px) > 2 * half + 6 or abs(y - py) > 16 for px, py in placed)
        # a label may not stand on a taller stem
        others = np.delete(np.arange(share.size), k)
        near = np.abs((at[others] - span[0]) * scale - x) < half + 3
        free = not (near & (share[others] * tall > y - 4)).any()
        if clear and free and len(placed) < size.pick(6, 3):
            placed.append((x, y))
            axes.text(span[0] + x / scale, y / tall, name, ha="center", fontsize=size.small, color=style.INK)
