"""How is the distance to liquidation drawn? One row a venue, by its own rules."""

from __future__ import annotations

from typing import Any

from deleverage.measure.measure import Measured
from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Size, sheet

_PRESS = 0.02
"""What the press of November 2025 said ends a position at 100x: drawn beside it."""


def draw(measured: Measured) -> Drawing:
    """Bars of the move that liquidates, ticks where the margin is gone."""
    rows = [row for row in measured.readings.iter_rows(named=True) if row["name"] == "move_to_liquidation"]
    gone = {
        row["subject"]: row["value"]
        for row in measured.readings.iter_rows(named=True)
        if row["name"] == "move_to_bankruptcy"
    }
    asked = measured.parameters
    title = sentence(measured)
    said = "; dashed: the 2\N{NARROW NO-BREAK SPACE}% of the press" if asked["leverage"] == 100 else ""
    return Drawing(
        key="liquidation_distance",
        title=title,
        band=f"Isolated {asked['side']} of ${style.number(asked['notional'])}, smallest tier that holds it. "
        f"Mark: where its margin is gone{said}.",
        source=f"Rules of each venue on {style.day(measured.at_ns - 1_000_000_000)}: "
        f"{'; '.join(row['data'].removeprefix('rules of ') for row in rows)}.",
        alt=f"Moves that liquidate, by venue. {title}",
        wide=_page(rows, gone, asked["leverage"] == 100, WIDE),
        narrow=_page(rows, gone, asked["leverage"] == 100, NARROW),
    )


def sentence(measured: Measured) -> str:
    """`At 100x a fall of 0.55 to 0.60 % liquidates a BTC position`."""
    asked = measured.parameters
    moves = sorted(
        abs(row["value"])
        for row in measured.readings.iter_rows(named=True)
        if row["name"] == "move_to_liquidation" and row["value"] is not None
    )
    leverage = f"{style.significant(asked['leverage'])}x"
    if not moves:
        return f"No venue that was asked allows {leverage} for {asked['coin']}"
    move = "fall" if asked["side"] == "long" else "rise"
    low, high = style.number(100 * moves[0], 2), style.percent(moves[-1], 2)
    size = high if style.percent(moves[0], 2) == high else f"{low} to {high}"
    return f"At {leverage} a {move} of {size} liquidates a {asked['side']} position in {asked['coin']}"


def _page(rows: list[dict[str, Any]], gone: dict[str, float | None], press: bool, size: Size) -> str:
    each = size.pick(38, 54)
    left, right = size.pick(110, 14), size.pick(84, 74)
    height = 12 + max(len(rows), 1) * each + 46
    with sheet(size, height, "liquidation_distance") as page:
        axes = page.panel(left, 8, size.width - left - right, max(len(rows), 1) * each, grid=False)
        axes.set_yticks([])
        axes.set_ylim(max(len(rows), 1), 0)
        ends = [abs(end) for end in (*gone.values(), *(row["value"] for row in rows)) if end is not None]
        axes.set_xlim(0, max([*ends, _PRESS if press else 0.0, 1e-4]) * 1.08)
        axes.xaxis.set_major_formatter(lambda share, _: style.with_unit(f"{100 * share:.3g}", "%"))
        axes.set_xlabel("move of the mark from the entry", fontsize=size.font)
        if press:
            axes.axvline(_PRESS, color=style.INK, linewidth=1.2, linestyle=(0, (4, 2)))
        for number, row in enumerate(rows):
            at = number + size.pick(0.5, 0.68)
            y = 8 + number * each
            text = "not allowed" if row["value"] is None else style.percent(abs(row["value"]), 2)
            if row["value"] is not None:
                axes.barh(at, abs(row["value"]), height=size.pick(0.5, 0.36), color=style.LONG)
            end = gone.get(row["subject"])
            if end is not None:
                axes.vlines(abs(end), at - 0.28, at + 0.28, color=style.INK, linewidth=2.0)
            if size.narrow:
                page.words(left, y + 20, row["subject"])
            else:
                page.words(left - 12, y + each / 2 + 4, row["subject"], ha="right")
            page.words(size.width, 8 + at * each + 4, text, ha="right", color=style.MUTED)
    return page.svg
