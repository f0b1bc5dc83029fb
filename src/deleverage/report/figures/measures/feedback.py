"""What calls forth liquidations: the fitted rate beside the events, or why a feed cannot say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from deleverage.measure.measure import Measured
from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Floats, Sheet, Size, sheet, wrap

_GAP_TICKS = (
    (0.01, "10 ms"),
    (0.1, "0.1 s"),
    (1.0, "1 s"),
    (10.0, "10 s"),
    (60.0, "1 min"),
    (600.0, "10 min"),
    (3_600.0, "1 h"),
    (86_400.0, "1 d"),
    (864_000.0, "10 d"),
    (8_640_000.0, "100 d"),
)
_FEW_TICKS = ("0.1 s", "1 s", "10 s", "10 min", "1 d", "100 d")
_MOST_POINTS = 400


def draw(measured: Measured) -> Drawing:
    """Rate and rescaled waits where a process was fitted; else the gaps between events."""
    coin, venue = measured.parameters["coin"], measured.parameters["venue"]
    head = measured.reading("branching") or {}
    fitted = not _of(measured, "fitted").is_empty()
    title = _sentence(measured, coin, venue, fitted)
    note = str(head.get("note", ""))
    band = (
        "Liquidations per hour, fitted rate and news behind it; below, waits in fitted time against "
        "what they must be."
        if fitted
        else f"Time between one liquidation of a contract and its next. {note[:1].upper()}{note[1:]}."
    )
    source = f"Count: {head.get('by', '')}. Data: {head.get('data', '')}, {_from_to(head)}."
    one = _fitted if fitted else _gaps
    return Drawing(
        key="feedback",
        title=title,
        band=band,
        source=source,
        alt=f"{title}. {note}",
        wide=one(measured, WIDE),
        narrow=one(measured, NARROW),
    )


def _sentence(measured: Measured, coin: str, venue: str, fitted: bool) -> str:
    head = measured.reading("branching") or {}
    events = int((measured.reading("events") or {}).get("value") or 0)
    if head.get("value") is not None:
        return (
            f"One liquidation of {coin} at {venue} calls forth {head['value']:.2f} others "
            f"[{head['low']:.2f}, {head['high']:.2f}], by {events:,} events"
        )
    if fitted:
        return f"No ratio is given for {coin} at {venue}: the fitted process fails its residual test"
    gaps = _of(measured, "gap")["value"].to_numpy()
    if "at most one event" in str(head.get("note", "")) and gaps.size:
        return (
            f"{int((gaps < 1.0).sum())} of {gaps.size:,} gaps of {coin} at {venue} are below one "
            f"second: the feed "
            "hides what feedback would look like"
        )
    return f"No branching ratio of {coin} at {venue} from {events:,} published events"


def _gaps(measured: Measured, size: Size) -> str:
    gaps = _of(measured, "gap")["value"].to_numpy()
    height = size.pick(312, 312)
    with sheet(size, height, "feedback") as page:
        used = page.legend([("other", "gaps between events"), ("dash", "Poisson events, same median")], 0, 0)
        left, top = size.pick(52, 44), used + 26
        axes = page.panel(left, top, size.width - left - 14, height - top - 56)
        page.words(0, used + 14, "gaps in a class", color=style.MUTED)
        page.words(left, height - 14, "time to the next event of the contract, log scale", color=style.MUTED)
        if not gaps.size:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.text(
                0.5, 0.5, "too few events for a gap", transform=axes.transAxes, ha="center", color=style.MUTED
            )
            return page.svg
        low = -2.0
        high = max(2.0, float(np.ceil(np.log10(gaps.max()) * 5.0)) / 5.0)
        edges = np.arange(low, high + 0.201, 0.2)
        counts = np.histogram(np.log10(np.maximum(gaps, 10.0**low)), edges)[0]
        axes.bar(edges[:-1], counts, width=0.18, align="edge", color=style.COUNTERFACTUAL, linewidth=0)
        # the mean is that of pauses between recordings; the median is that of the events
        pace = np.log(2.0) / float(np.median(gaps))
        expected = -np.diff(np.exp(-pace * 10.0**edges)) * gaps.size
        axes.plot(edges[:-1] + 0.1, expected, color=style.INK, linewidth=1.4, linestyle=(0, (4, 2)))
        axes.set_xlim(low, float(edges[-1]))
        ticks = [(float(np.log10(at)), name) for at, name in _GAP_TICKS if low <= np.log10(at) <= edges[-1]]
        if size.narrow:
            ticks = [tick for tick in ticks if tick[1] in _FEW_TICKS]
        axes.set_xticks([at for at, _ in ticks], [name for _, name in ticks])
        if "at most one event" in str((measured.reading("branching") or {}).get("note", "")):
            axes.axvspan(low, 0.0, color=style.WARNING, alpha=0.16, linewidth=0)
            for k, line in enumerate(wrap("not shown by the feed", size.pick(300, 58), size.font)):
                axes.text(
                    low + 0.08,
                    0.93 - 0.08 * k,
                    line,
                    transform=axes.get_xaxis_transform(),
                    color=style.WARNING_INK,
                    fontsize=size.font,
                )
        axes.set_ylim(0, max(float(counts.max()), float(expected.max())) * 1.15)
        _whole_ticks(axes)
    return page.svg


def _fitted(measured: Measured, size: Size) -> str:
    events, fitted, news = (_of(measured, name) for name in ("events", "fitted", "news"))
    waits = np.sort(_of(measured, "wait")["value"].to_numpy())
    height = size.pick(540, 590)
    with sheet(size, height, "feedback") as page:
        used = page.legend([("other", "events"), ("line", "fitted"), ("news", "news alone")], 0, 0)
        left, top = size.pick(60, 52), used + 24
        tall = size.pick(190, 190)
        page.words(0, used + 14, "liquidations per hour", color=style.MUTED)
        axes = page.panel(left, top, size.width - left - 14, tall)
        when = events["time_ns"].to_numpy() / 1e9
        width = float(when[1] - when[0]) if when.size > 1 else 1.0
        axes.bar(when, events["value"], width=width, align="edge", color=style.COUNTERFACTUAL, linewidth=0)
        axes.plot(when + width / 2, fitted["value"], color=style.INK, linewidth=1.3)
        axes.step(
            when,
            news["value"],
            where="post",
            color=style.COUNTERFACTUAL_INK,
            linewidth=1.3,
            linestyle=(0, (1, 1.6)),
        )
        axes.set_xlim(float(when[0]), float(when[-1]) + width)
        axes.set_ylim(0, None)
        _time_ticks(axes, float(when[0]), float(when[-1]) + width, size)
        _quantiles(page, measured, waits, size, left, top + tall + 62)
    return page.svg


def _quantiles(page: Sheet, measured: Measured, waits: Floats, size: Size, left: float, top: float) -> None:
    """Sorted waits against the quantiles of Exp(1)."""
    page.words(0, top - 10, "wait in fitted time [expected events]", color=style.MUTED)
    wide = size.pick(300, size.width - left - 14)
    axes = page.panel(left, top, wide, page.height - top - 56)
    expected = -np.log1p(-(np.arange(waits.size) + 0.5) / waits.size)
    chosen = np.unique(np.linspace(0, waits.size - 1, _MOST_POINTS).astype(int))
    axes.plot(expected[chosen], waits[chosen], marker="o", markersize=3, linewidth=0, color=style.BAND_INK)
    most = float(max(expected.max(), waits.max())) * 1.05
    axes.plot([0, most], [0, most], color=style.INK, linewidth=1.0, linestyle=(0, (4, 2)))
    axes.set_xlim(0, float(expected.max()) * 1.05)
    axes.set_ylim(0, most)
    page.words(
        left,
        page.height - 14,
        "quantile of independent waits; on the line the process is right"
        if not size.narrow
        else "quantile of independent waits",
        color=style.MUTED,
    )
    tests = [("KS", "ks_p"), ("Ljung–Box", "ljung_box_p")]
    said = [
        f"{name} p {row['value']:.3f}" for name, key in tests if (row := measured.reading(key)) is not None
    ]
    row = measured.reading("dispersion")
    if row is not None and row["value"] is not None:
        said.append(f"variance {row['value']:.2f} (1 if right)")
    if size.narrow:
        for k, line in enumerate(said):
            axes.text(
                0.04, 0.93 - 0.09 * k, line, transform=axes.transAxes, color=style.INK, fontsize=size.font
            )
        return
    for k, line in enumerate([*said, *_ratios(measured)]):
        page.words(left + wide + 36, top + 16 + 20 * k, line)


def _ratios(measured: Measured) -> list[str]:
    """The ratios of every estimator, a line each."""
    lines = []
    for name, label in (
        ("branching_constant", "constant news"),
        ("branching_flexible", "flexible news"),
        ("branching_counts", "mean and variance of counts"),
        ("branching_binned", "spectrum of counts"),
    ):
        row = measured.reading(name)
        if row is not None and row["value"] is not None:
            span = "" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"
            lines.append(f"{row['value']:.2f}{span} {label}")
    return lines


def _whole_ticks(axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))


def _time_ticks(axes: Any, first: float, last: float, size: Size) -> None:
    """A few round times on an axis of seconds since 1970."""
    span = last - first
    steps = (
        60,
        300,
        900,
        3_600,
        10_800,
        21_600,
        43_200,
        86_400,
        3 * 86_400,
        7 * 86_400,
        30 * 86_400,
        182 * 86_400,
        365 * 86_400,
    )
    step = next((one for one in steps if span / one <= size.pick(8, 4)), steps[-1])
    ticks = np.arange(np.ceil(first / step) * step, last, step)
    form = "%H:%M" if step < 43_200 else "%d %b" if span < 400 * 86_400 else "%b %Y"
    axes.set_xticks(ticks, [datetime.fromtimestamp(at, UTC).strftime(form) for at in ticks])


def _of(measured: Measured, name: str) -> pl.DataFrame:
    return measured.series.filter((pl.col("name") == name) & pl.col("value").is_not_null()).sort("time_ns")


def _from_to(row: dict[str, Any]) -> str:
    if row.get("from_ns") is None or row.get("to_ns") is None:
        return "no time stated"
    ends = [datetime.fromtimestamp(row[name] // 1_000_000_000, UTC) for name in ("from_ns", "to_ns")]
    days = [f"{end.day} {end.strftime('%B %Y')}" for end in ends]
    return " to ".join(dict.fromkeys(days)) + " (UTC)"
