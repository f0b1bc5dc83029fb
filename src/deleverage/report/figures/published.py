"""Do the published figures of the night lie inside what was simulated, each by its own count?"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Size, sheet, wrap
from deleverage.report.figures.series import Series

COMPARED = ("inside", "outside")


def comparable(table: pl.DataFrame) -> pl.DataFrame:
    """Rows that can be set on one axis: same venue set, both values there, published value positive."""
    return table.filter(
        pl.col("verdict").is_in(COMPARED)
        & (pl.col("published") > 0)
        & pl.col("p05").is_not_null()
        & pl.col("p50").is_not_null()
        & pl.col("p95").is_not_null()
    )


def draw(series: Series) -> Drawing:
    """One row a figure: simulated band over the published value, so that 1 is agreement."""
    table = series.answer.tables["published"]
    rows = comparable(table)
    title = published_sentence(table)
    return Drawing(
        key="published",
        title=title,
        band=f"Simulated ÷ published, log scale; 1 is agreement. Bar: 90{style.THIN}% of {series.seeds} "
        "seeds; mark: median.",
        source=f"{series.source()} Published figures: by whose count is said in each row.",
        alt=f"Published figures against the simulated band. {title}. "
        + "; ".join(f"{r['text']}: {r['verdict']}" for r in rows.iter_rows(named=True)),
        wide=_rows(rows, WIDE),
        narrow=_rows(rows, NARROW),
    )


def published_sentence(table: pl.DataFrame) -> str:
    """`4 of 7 comparable published figures lie inside the 90 % band`."""
    verdicts = table["verdict"].to_list()
    inside, outside = verdicts.count("inside"), verdicts.count("outside")
    if inside + outside == 0:
        return "No published figure counts the same venues as this run, so none is compared"
    return (
        f"{inside} of {inside + outside} comparable published figures lie inside the 90{style.THIN}% "
        f"band, {outside} outside"
    )


def _rows(rows: pl.DataFrame, size: Size) -> str:
    each = size.pick(40, 66)
    left, right = size.pick(262, 16), size.pick(196, 16)
    height = 26 + max(rows.height, 1) * each + 40
    with sheet(size, height, "published") as page:
        used = page.legend([("inside", "inside"), ("outside", "outside")], 0, 0)
        axes = page.panel(
            left, used, size.width - left - right, rows.height * each if rows.height else each, grid=False
        )
        axes.set_yticks([])
        axes.set_ylim(max(rows.height, 1), 0)
        if not rows.height:
            axes.set_xticks([])
            axes.text(
                0.5, 0.5, "nothing to compare", transform=axes.transAxes, ha="center", color=style.MUTED
            )
            return page.svg
        low, high = _limits(rows)
        axes.set_xlim(np.log2(low), np.log2(high))
        ticks = [
            t
            for t in (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32, 64)
            if low <= t <= high
        ]
        if len(ticks) > 7:
            ticks = [t for t in ticks if round(np.log2(t)) % 2 == 0]
        axes.set_xticks([float(np.log2(t)) for t in ticks], [_times(t) for t in ticks])
        if not size.narrow:
            axes.grid(axis="x", color=style.RULE, linewidth=0.8)
            axes.axvline(0, color=style.INK, linewidth=1.2)
            page.words(
                size.width,
                11,
                "published · verdict, simulated below",
                ha="right",
                color=style.MUTED,
                fontsize=size.small,
            )
        for k, row in enumerate(rows.iter_rows(named=True)):
            y = used + k * each
            at = k + size.pick(0.5, 0.80)
            if size.narrow:
                # words stand above the bars here, and no rule may run through them
                axes.vlines(
                    axes.get_xticks(), at - 0.11, at + 0.14, color=style.RULE, linewidth=0.8, zorder=0
                )
                axes.vlines(0, at - 0.13, at + 0.16, color=style.INK, linewidth=1.2)
            _bar(axes, row, at, (low, high))
            _label(page, row, y, size, left)
    return page.svg


def _limits(rows: pl.DataFrame) -> tuple[float, float]:
    ratios = np.concatenate([(rows[q] / rows["published"]).to_numpy() for q in ("p05", "p95")])
    ratios = ratios[np.isfinite(ratios) & (ratios > 0)]
    low = float(max(min(ratios.min(initial=1.0), 0.75), 1 / 64)) / 1.12
    return low, float(min(max(ratios.max(initial=1.0), 1.33), 64)) * 1.12


def _times(ratio: float) -> str:
    return (
        f"{ratio:g}×" if ratio >= 1 else {0.5: "½×", 0.25: "¼×", 0.125: "⅛×"}.get(ratio, f"1/{1 / ratio:g}×")
    )


def _bar(axes: Any, row: dict[str, Any], at: float, limits: tuple[float, float]) -> None:
    low, middle, high = (
        float(np.log2(np.clip(row[q] / row["published"], *limits))) for q in ("p05", "p50", "p95")
    )
    axes.plot([low, high], [at, at], color=style.BAND, linewidth=9, alpha=0.38, solid_capstyle="butt")
    inside = row["verdict"] == "inside"
    axes.plot(
        middle,
        at,
        marker="o" if inside else "D",
        markersize=7,
        markerfacecolor=style.INK if inside else style.PAPER,
        markeredgecolor=style.INK,
        markeredgewidth=1.5,
    )


def _label(page: Any, row: dict[str, Any], y: float, size: Size, left: float) -> None:
    interval = {q: row[q] for q in ("p05", "p50", "p95")}
    said = style.quantity(row["published"], row["unit"])
    simulated = style.quantity_interval(interval, row["unit"])
    count = f"by {row['by_whose_count']}" + (" · used to fit" if row["used_to_fit"] else "")
    if size.narrow:
        page.words(0, y + 16, wrap(row["text"], size.width - 62, size.font, 1)[0], fontweight="bold")
        page.words(size.width, y + 16, row["verdict"], ha="right", fontweight="bold")
        page.words(
            0,
            y + 31,
            wrap(f"{said} {count}", size.width, size.small, 1)[0],
            color=style.MUTED,
            fontsize=size.small,
        )
        page.words(0, y + 43, f"simulated {simulated}", color=style.MUTED, fontsize=size.small)
        return
    page.words(0, y + 17, wrap(row["text"], left - 12, size.font, 1)[0])
    page.words(0, y + 31, wrap(count, left - 12, size.small, 1)[0], color=style.MUTED, fontsize=size.small)
    page.words(size.width, y + 17, f"{said} · {row['verdict']}", ha="right", fontweight="bold")
    page.words(size.width, y + 31, simulated, ha="right", color=style.MUTED, fontsize=size.small)
