"""Who paid whom? The ledger of the run as ribbons from those who lost to those who gained."""

from __future__ import annotations

from typing import Any

import polars as pl

from deleverage.report import style
from deleverage.report.figures.canvas import NARROW, WIDE, Drawing, Sheet, Size, sheet, text_width
from deleverage.report.figures.series import Series

_SMALL = 0.004
"""Flows below this share of the total are left to the table."""
_OWN_COLOURS = {"longs": style.LONG, "shorts": style.SHORT}
_OTHERS = ("#6C7A89", style.BAND_INK, "#A9762B", "#7A5C99", "#4B8B9B", "#8A8F3C")

Flow = tuple[str, str, float]


def draw(series: Series) -> Drawing:
    """Ribbons when there is room, ordered bars on a phone."""
    flows = _flows(series.answer.tables["ledger_flow"])
    title = _title(flows)
    return Drawing(
        key="ledger",
        title=title,
        band=f"Mean over {series.seeds} seeds, all markets; height or length is USD. Flows under "
        f"{style.percent(_SMALL, 1)} of the total are left to the table.",
        source=series.source(),
        alt=f"Who paid whom. {title}. " + "; ".join(f"{a} to {b} {style.usd(v)}" for a, b, v in flows),
        wide=_ribbons(flows, WIDE),
        narrow=_bars(flows, NARROW),
    )


def _flows(table: pl.DataFrame) -> list[Flow]:
    rows = [
        (_name(r["payer"]), _name(r["receiver"]), float(r["usd"]))
        for r in table.sort("usd", descending=True).iter_rows(named=True)
    ]
    total = sum(v for _, _, v in rows)
    return [row for row in rows if row[2] > 0 and row[2] >= _SMALL * total]


def _name(party: str) -> str:
    return party.replace("_", " ")


def _title(flows: list[Flow]) -> str:
    if not flows:
        return "No money changed hands between the parties"
    paid, gained = _sums(flows, 0), _sums(flows, 1)
    payer = max(paid, key=lambda name: paid[name])
    largest = max((f for f in flows if f[0] == payer), key=lambda f: f[2])
    text = (
        f"{_first_upper(payer)} pay {style.usd(paid[payer], digits=2)}, "
        f"{style.usd(largest[2], digits=2)} of it to {largest[1]}"
    )
    fund = {name: gained.get(name, 0.0) - paid.get(name, 0.0) for name in {*paid, *gained} if "fund" in name}
    for name, net in sorted(fund.items()):
        text += f"; the {name} {'gains' if net > 0 else 'loses'} {style.usd(abs(net), digits=2)}"
    return text


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sums(flows: list[Flow], side: int) -> dict[str, float]:
    sums: dict[str, float] = {}
    for flow in flows:
        sums[str(flow[side])] = sums.get(str(flow[side]), 0.0) + flow[2]
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def _colours(flows: list[Flow]) -> dict[str, str]:
    names = list(dict.fromkeys([*_sums(flows, 0), *_sums(flows, 1)]))
    others = [n for n in names if n not in _OWN_COLOURS]
    return {**_OWN_COLOURS, **{name: _OTHERS[k % len(_OTHERS)] for k, name in enumerate(others)}}


def _ribbons(flows: list[Flow], size: Size) -> str:
    paid, gained = _sums(flows, 0), _sums(flows, 1)
    slots = max(len(paid), len(gained), 1)
    gap, top = 24.0, 34.0
    body = 210.0
    height = top + body + gap * slots + 6
    total = sum(paid.values()) or 1.0
    longest = max(
        [
            text_width(f"{name}  +{style.usd(v)}", size.font)
            for side in (paid, gained)
            for name, v in side.items()
        ],
        default=100.0,
    )
    edge = min(longest + 22, 260.0)
    with sheet(size, height, "ledger") as page:
        axes = page.figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, size.width)
        axes.set_ylim(height, 0)
        axes.axis("off")
        page.words(edge, 14, "paid by", color=style.MUTED, ha="right")
        page.words(size.width - edge, 14, "received by", color=style.MUTED)
        colours = _colours(flows)
        left = _places(paid, total, body, gap, top, slots)
        right = _places(gained, total, body, gap, top, slots)
        out, into = dict(left), dict(right)
        order = {name: k for k, name in enumerate(gained)}
        for payer, receiver, value in sorted(flows, key=lambda f: (list(paid).index(f[0]), order[f[1]])):
            thick = value / total * body
            _ribbon(
                axes, edge + 12, out[payer], size.width - edge - 12, into[receiver], thick, colours[payer]
            )
            out[payer] += thick
            into[receiver] += thick
        for names, places, x, sign in (
            (paid, left, edge, style.MINUS),
            (gained, right, size.width - edge - 10, "+"),
        ):
            for name, value in names.items():
                _node(
                    page,
                    axes,
                    name,
                    value / total * body,
                    x,
                    places[name],
                    colours[name],
                    f"{sign}{style.usd(value)}",
                    left=x == edge,
                )
    return page.svg


def _places(
    sums: dict[str, float], total: float, body: float, gap: float, top: float, slots: int
) -> dict[str, float]:
    """The upper edge of each party's block; the shorter column is centred."""
    y = top + gap * (slots - len(sums)) / 2
    places = {}
    for name, value in sums.items():
        places[name] = y
        y += value / total * body + gap
    return places


def _node(
    page: Sheet,
    axes: Any,
    name: str,
    thick: float,
    x: float,
    y: float,
    colour: str,
    amount: str,
    *,
    left: bool,
) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y), 10, max(thick, 1.2), facecolor=colour, linewidth=0))
    middle = y + max(thick, 1.2) / 2 + 4
    at, align = (x - 8, "right") if left else (x + 18, "left")
    page.words(at, middle, f"{name}  {amount}", ha=align)


def _ribbon(axes: Any, x0: float, y0: float, x1: float, y1: float, thick: float, colour: str) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    middle, thick = (x0 + x1) / 2, max(thick, 0.8)
    path = Path(
        [
            (x0, y0),
            (middle, y0),
            (middle, y1),
            (x1, y1),
            (x1, y1 + thick),
            (middle, y1 + thick),
            (middle, y0 + thick),
            (x0, y0 + thick),
            (x0, y0),
        ],
        [
            Path.MOVETO,
            Path.CURVE4,
            Path.CURVE4,
            Path.CURVE4,
            Path.LINETO,
            Path.CURVE4,
            Path.CURVE4,
            Path.CURVE4,
            Path.CLOSEPOLY,
        ],
    )
    axes.add_patch(PathPatch(path, facecolor=colour, alpha=0.38, linewidth=0))


def _bars(flows: list[Flow], size: Size) -> str:
    row = 38.0
    height = max(len(flows), 1) * row + 8
    with sheet(size, height, "ledger") as page:
        colours = _colours(flows)
        largest = max((v for _, _, v in flows), default=1.0)
        axes = page.figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, size.width)
        axes.set_ylim(height, 0)
        axes.axis("off")
        for k, (payer, receiver, value) in enumerate(flows):
            amount = style.usd(value)
            page.words(0, k * row + 15, f"{payer} → {receiver}")
            page.words(size.width, k * row + 15, amount, ha="right", fontweight="bold")
            axes.barh(
                k * row + 25,
                max(value / largest * size.width, 1.0),
                height=9,
                color=colours[payer],
                alpha=0.75,
                linewidth=0,
            )
    return page.svg
