"""How is the attribution of a night's fall drawn? One row a part of the fall, with the band of its priors."""

from __future__ import annotations

from typing import Any

from deleverage.measure.measure import Measured
from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Size, sheet
from deleverage.report.style import THIN

_ROWS = (
    ("mechanical_share", "mechanical, in all"),
    ("liquidations_share", "liquidations"),
    ("adl_share", "ADL"),
    ("cascade_withdrawal_share", "makers, by the cascade"),
    ("collateral_share", "collateral repriced"),
    ("news_share", "news"),
    ("news_withdrawal_share", "makers, by the news"),
    ("stops_share", "voluntary stops"),
    ("outage_share", "outage"),
)
"""The first five are mechanical; the others are not."""
_MECHANICAL = 5


def draw(measured: Measured) -> Drawing:
    """Bars of the shares, their intervals, and the line of one half."""
    rows = [
        (k, label, found)
        for k, (name, label) in enumerate(_ROWS)
        if (found := measured.reading(name)) is not None
        and found["value"] is not None
        and not found["note"]  # what the scenario does not have is no zero
    ]
    title = sentence(measured)
    head = measured.reading("mechanical_share") or {"by": "", "data": "", "note": ""}
    return Drawing(
        key="attribution",
        title=title,
        band=f"Shapley shares of the fall. Lines: 5 to 95{THIN}% over the priors; of news "
        f"90{THIN}% Monte Carlo; of 'in all' the wider of both. Dashed: half.",
        source=f"{head['by']}; {head['data']}, {measured.parameters['market']}.",
        alt=f"Shares of the fall by mechanism. {title}",
        wide=_page(rows, WIDE),
        narrow=_page(rows, NARROW),
    )


def sentence(measured: Measured) -> str:
    """`29 % of the fall of BTC was mechanical by the engine, between 1 and 52 %`."""
    row = measured.reading("mechanical_share")
    if row is None or row["value"] is None:
        return f"No share: {row['note'] if row else 'nothing was run'}"
    text = f"{style.percent(row['value'])} of the fall of {row['subject']} was mechanical by the engine"
    if row["low"] is None:
        return text
    ends = (style.number(100 * row[end]) for end in ("low", "high"))
    return f"{text}, between {' and '.join(ends)}{THIN}%"


def _page(rows: list[tuple[int, str, dict[str, Any]]], size: Size) -> str:
    each = size.pick(30, 44)
    left, right = size.pick(190, 14), size.pick(60, 48)
    height = 30 + max(len(rows), 1) * each + 46
    with sheet(size, height, "attribution") as page:
        used = page.legend([("mechanical", "mechanical"), ("other", "not"), ("error", "interval")], 0, 0)
        axes = page.panel(left, used, size.width - left - right, max(len(rows), 1) * each, grid=False)
        axes.set_yticks([])
        axes.set_ylim(max(len(rows), 1), 0)
        ends = [
            end for _, _, row in rows for end in (row["value"], row["low"], row["high"]) if end is not None
        ]
        axes.set_xlim(min([-0.02, *ends]) * 1.05, max([0.6, *ends]) * 1.05)
        axes.xaxis.set_major_formatter(lambda share, _: style.percent(share, 0))
        axes.set_xlabel("share of the fall", fontsize=size.font)
        axes.axvline(0.0, color=style.INK, linewidth=1.0)
        axes.axvline(0.5, color=style.INK, linewidth=1.0, linestyle=(0, (4, 2)))
        for number, (k, label, row) in enumerate(rows):
            at = number + size.pick(0.5, 0.72)
            colour = style.BAND if k < _MECHANICAL else style.COUNTERFACTUAL
            axes.barh(at, row["value"], height=size.pick(0.5, 0.34), color=colour)
            if row["low"] is not None:
                axes.hlines(at, row["low"], row["high"], color=style.INK, linewidth=1.4)
                axes.vlines([row["low"], row["high"]], at - 0.12, at + 0.12, color=style.INK, linewidth=1.4)
            y = used + number * each
            text = style.percent(row["value"])
            if size.narrow:
                page.words(left, y + 17, label, backgroundcolor=style.PAPER)
            else:
                page.words(left - 12, y + each / 2 + 4, label, ha="right")
            page.words(size.width, used + at * each + 4, text, ha="right", color=style.MUTED)
    return page.svg
