"""Who counted what of one night, and how far are the counts apart?"""

from __future__ import annotations

from typing import Any

import polars as pl

from deleverage.measure.measure import Measured
from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Size, sheet, wrap
from deleverage.report.figures.measures.day_axis import date_of


def draw(measured: Measured) -> Drawing:
    """One bar a count as printed, what the lake holds of it beside, and the fall of open interest."""
    rows = _rows(measured)
    title = _sentence(measured)
    return Drawing(
        key="reconcile",
        title=title,
        band="USD. Bar: as printed; diamond: what this lake holds of the same. Counts overlap and are never "
        "added. Grey: fall of open interest in contracts at the price of 20:00, forced or not.",
        source=f"Night of {measured.parameters['night']}, UTC. By whose count: in each row. Sources stand "
        f"with the readings. As of {date_of(measured.at_ns)}.",
        alt=f"Counts of one night's liquidations. {title}. "
        + "; ".join(f"{row['subject']}: {style.usd(row['value'])}" for row in rows),
        wide=_sheet(rows, WIDE),
        narrow=_sheet(rows, NARROW),
    )


def _rows(measured: Measured) -> list[dict[str, Any]]:
    """Printed counts in their order, with what the lake holds, and the yardstick last."""
    printed = measured.readings.filter(pl.col("name") == "published").sort("value", descending=True)
    rows = []
    for row in printed.iter_rows(named=True):
        held = measured.reading("in_lake", row["subject"])
        rows.append(row | {"held": None if held is None else held["value"], "yardstick": False})
    closed = measured.reading("open_interest_closed", "all")
    if closed is not None and closed["value"] is not None:
        rows.append(closed | {"held": None, "yardstick": True, "subject": "open interest closed"})
    return rows


def _sentence(measured: Measured) -> str:
    whole, other = (measured.reading("published", name) for name in ("coinglass 24h", "amberdata 14h"))
    spread = measured.reading("spread_of_vendors")
    if whole is None or other is None or spread is None:
        return "The counts of this night were not given"
    return (
        f"CoinGlass counted {style.usd(whole['value'])}, Amberdata {style.usd(other['value'])}: "
        f"{spread['value']:.1f} times as much of the same night, over other venues and hours"
    )


def _sheet(rows: list[dict[str, Any]], size: Size) -> str:
    each = size.pick(40, 52)
    left, right = size.pick(300, 0), size.pick(84, 74)
    with sheet(size, each * max(len(rows), 1) + 8, "reconcile") as page:
        most = max((max(row["value"], row["held"] or 0.0) for row in rows), default=1.0)
        axes = page.panel(left, 0, size.width - left - right, each * max(len(rows), 1), grid=False)
        axes.set_xlim(0, most)
        axes.set_ylim(max(len(rows), 1), 0)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines["bottom"].set_visible(False)
        for k, row in enumerate(rows):
            at = k + size.pick(0.5, 0.78)
            colour = style.COUNTERFACTUAL if row["yardstick"] else style.BAND
            axes.barh(at, row["value"], height=size.pick(0.5, 0.3), color=colour)
            if row["held"] is not None:
                axes.plot(row["held"], at, marker="D", markersize=7, markerfacecolor=style.PAPER,
                          markeredgecolor=style.INK, markeredgewidth=1.6, clip_on=False)  # fmt: skip
            axes.annotate(
                style.usd(row["value"]), (row["value"], at), xytext=(10, 0), textcoords="offset points",
                va="center", fontsize=size.font, fontweight="bold", annotation_clip=False,
            )  # fmt: skip
            _words(page, row, k * each, left, size)
    return page.svg


def _words(page: Any, row: dict[str, Any], top: float, left: float, size: Size) -> None:
    said = row["note"].split("; ADL:")[0] if not row["yardstick"] else row["note"].split("; ", 1)[-1]
    if size.narrow:
        page.words(0, top + 14, row["subject"], fontweight="bold")
        page.words(0, top + 27, wrap(said, size.width - 4, size.small, 1)[0], color=style.MUTED,
                   fontsize=size.small)  # fmt: skip
        return
    page.words(0, top + 17, row["subject"], fontweight="bold")
    page.words(0, top + 31, wrap(said, left - 14, size.small, 1)[0], color=style.MUTED, fontsize=size.small)
