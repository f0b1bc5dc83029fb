"""On what is a figure drawn, and how does it become text that is the same on every machine?

A figure is drawn twice, wide for paper and screens and narrow for phones, because letters that are scaled
down to fit 400 px cannot be read. Words stay words in the SVG (no outlines), so they can be searched, read
aloud and copied; they are laid out with the widest of the usual typefaces, so that none runs over an edge.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deleverage.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

FONT_STACK = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class Size:
    """Width in px, and whether the drawing is for a phone."""

    width: int
    narrow: bool

    @property
    def font(self) -> float:
        """Letters of labels, in px of the drawing."""
        return 11.0 if self.narrow else 11.5

    @property
    def small(self) -> float:
        """Letters of what stands behind a label."""
        return 10.0 if self.narrow else 10.5

    def pick(self, wide: float, narrow: float) -> float:
        """The value for this size."""
        return narrow if self.narrow else wide


WIDE = Size(width=760, narrow=False)
NARROW = Size(width=352, narrow=True)


@dataclass(frozen=True)
class Drawing:
    """One figure: what it says in words, and its two drawings.

    title : what is seen, a sentence made from the data.
    band : what the shaded band is, ``'90 % of 64 seeds'``.
    source : where the figures come from, and the date.
    alt : the same for someone who does not see it.
    wide, narrow : SVG texts that scale with their box.
    """

    key: str
    title: str
    band: str
    source: str
    alt: str
    wide: str
    narrow: str

    def standalone(self, *, narrow: bool = False) -> str:
        """One SVG with title, band and source inside it, for a README or a slide."""
        inner = self.narrow if narrow else self.wide
        width, height = view_box(inner)
        pad = 16.0
        lines: list[tuple[str, float, str, int]] = []
        y = pad + 14
        for text, size, colour, weight in (
            (self.title, 15.0, style.INK, 600),
            (self.band, 11.0, style.MUTED, 400),
        ):
            for line in textwrap.wrap(text, int(width / (size * 0.60))):
                lines.append((_text(line, pad, y, size, colour, weight), y, line, weight))
                y += size * 1.35
        top = y
        y += height + 6
        foot = []
        for line in textwrap.wrap(self.source, int(width / (10 * 0.60))):
            foot.append(_text(line, pad, y, 10, style.MUTED, 400))
            y += 13.5
        total_width, total = width + 2 * pad, y + pad - 6
        placed = re.sub(
            r"^<svg ", f'<svg x="{pad:g}" y="{top:g}" width="{width:g}" height="{height:g}" ', inner
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total_width:g} {total:g}" role="img" '
            f'aria-label="{escape(self.alt)}"><rect width="100%" height="100%" fill="{style.PAPER}"/>'
            + "".join(item[0] for item in lines)
            + placed
            + "".join(foot)
            + "</svg>"
        )


def _text(line: str, x: float, y: float, size: float, colour: str, weight: int) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-family="{FONT_STACK}" font-size="{size:g}" font-weight="{weight}" '
        f'fill="{colour}">{escape(line)}</text>'
    )


def view_box(svg: str) -> tuple[float, float]:
    """Width and height of an SVG text's view box."""
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    if found is None:
        return float(WIDE.width), 400.0
    return float(found[1]), float(found[2])


@contextmanager
def sheet(size: Size, height: float, key: str) -> Iterator[Sheet]:
    """A blank sheet of ``size.width`` × ``height`` px; `Sheet.svg` is its text.

    The context holds every setting that could differ between machines: typeface, ids, dates.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: dict[str, Any] = {
        "font.family": ["DejaVu Sans"],
        "font.size": 11.0,
        "svg.fonttype": "none",
        "svg.hashsalt": f"{key}-{size.width}",
        "text.parse_math": False,
        "axes.unicode_minus": True,
        "axes.formatter.use_mathtext": False,
        "path.simplify": False,
        "axes.edgecolor": style.COUNTERFACTUAL,
        "axes.linewidth": 0.8,
        "axes.labelcolor": style.MUTED,
        "xtick.color": style.COUNTERFACTUAL,
        "ytick.color": style.COUNTERFACTUAL,
        "xtick.labelcolor": style.MUTED,
        "ytick.labelcolor": style.MUTED,
        "text.color": style.INK,
        "hatch.linewidth": 0.7,
    }
    with mpl.rc_context():
        mpl.rcdefaults()
        for name, value in settings.items():
            mpl.rcParams[name] = value  # type: ignore[index]
        figure = Figure(figsize=(size.width / 72, height / 72), dpi=72)
        figure.patch.set_alpha(0.0)
        page = Sheet(figure, size, height, key)
        yield page
        page.render()


class Sheet:
    """A figure on which panels are placed by pixels from the top left corner."""

    def __init__(self, figure: Figure, size: Size, height: float, key: str) -> None:
        self.figure = figure
        self.size = size
        self.height = height
        self._key = key
        self._svg: str | None = None

    @property
    def svg(self) -> str:
        """The sheet as SVG text; asking for it inside `sheet` ends the drawing."""
        return self.render()

    def render(self) -> str:
        """Turn the drawing into text, once."""
        if self._svg is None:
            self._svg = _to_svg(self.figure, self._key, self.size)
        return self._svg

    def panel(self, left: float, top: float, width: float, height: float, *, grid: bool = True) -> Axes:
        """Axes of the house: a base line, faint horizontal rules, no box."""
        w, h = float(self.size.width), self.height
        axes = self.figure.add_axes((left / w, 1 - (top + height) / h, width / w, height / h))
        axes.patch.set_alpha(0.0)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.tick_params(length=0, pad=5, labelsize=self.size.font)
        axes.tick_params(axis="x", length=3)
        axes.set_axisbelow(True)
        if grid:
            axes.grid(axis="y", color=style.RULE, linewidth=0.8)
        return axes

    def words(self, x: float, y: float, text: str, **kwargs: Any) -> None:
        """Text at pixels from the top left corner of the sheet."""
        kwargs.setdefault("fontsize", self.size.font)
        kwargs.setdefault("va", "baseline")
        self.figure.text(x / self.size.width, 1 - y / self.height, text, **kwargs)

    def legend(self, entries: Sequence[tuple[str, str]], left: float, top: float) -> float:
        """A row of keys, each a mark and a name; folds where the sheet ends. Returns the height used.

        A mark is one of those in `_mark`.
        """
        x, y, line = left, top + 11.0, 18.0
        for mark, name in entries:
            width = 26 + text_width(name, self.size.font)
            if x > left and x + width > self.size.width - 2:
                x, y = left, y + line
            self._mark(mark, x, y - 4)
            self.words(x + 22, y, name, color=style.INK)
            x += width + 16
        return y - top + 10

    def _mark(self, mark: str, x: float, y: float) -> None:
        from matplotlib.lines import Line2D
        from matplotlib.patches import Rectangle

        w, h = float(self.size.width), self.height

        def box(bottom: float, top: float, left: float = 0.0, right: float = 17.0, **kwargs: Any) -> None:
            self.figure.add_artist(
                Rectangle(
                    ((x + left) / w, 1 - (y + bottom) / h),
                    (right - left) / w,
                    (bottom - top) / h,
                    transform=self.figure.transFigure,
                    **kwargs,
                )
            )

        def line(**kwargs: Any) -> None:
            self.figure.add_artist(
                Line2D([x / w, (x + 17) / w], [1 - y / h] * 2, transform=self.figure.transFigure, **kwargs)
            )

        match mark:
            case "band":
                box(5, -5, facecolor=style.BAND, alpha=style.BAND_ALPHA, linewidth=0)
            case "median":
                box(5, -5, facecolor=style.BAND, alpha=style.BAND_ALPHA, linewidth=0)
                line(color=style.BAND_INK, linewidth=2)
            case "counter":
                line(color=style.COUNTERFACTUAL, linewidth=1.8, linestyle=(0, (4, 2)))
            case "news":
                line(color=style.COUNTERFACTUAL_INK, linewidth=1.2, linestyle=(0, (1, 1.6)))
            case "candle":
                for left in (2.0, 8.0, 14.0):
                    box(4, -4, left, left + 3, facecolor=style.INK, linewidth=0)
            case "long":
                box(5, -5, facecolor=style.LONG, linewidth=0)
            case "short":
                box(5, -5, facecolor=style.SHORT, linewidth=0)
            case "mechanical":
                box(5, -5, facecolor=style.BAND, linewidth=0)
            case "other":
                box(5, -5, facecolor=style.COUNTERFACTUAL, linewidth=0)
            case "hours":
                box(5, -5, 3, 14, facecolor="none", edgecolor=style.MUTED, linewidth=0.9)
            case "error":
                box(4, -4, 2, 3.2, facecolor=style.INK, linewidth=0)
                box(0.6, -0.6, 2, 15, facecolor=style.INK, linewidth=0)
                box(4, -4, 14, 15.2, facecolor=style.INK, linewidth=0)
            case "prior":
                box(3, -3, facecolor=style.WARNING, linewidth=0)
            case "first":
                self.words(x + 4, y + 4, "▷", color=style.INK, family="DejaVu Sans")
            case "last":
                self.words(x + 4, y + 4, "◀", color=style.INK, family="DejaVu Sans")
            case "inside":
                self.words(x + 4, y + 4, "●", color=style.INK, family="DejaVu Sans")
            case "outside":
                self.words(x + 4, y + 4, "◇", color=style.INK, family="DejaVu Sans")
            case "dash":
                line(color=style.INK, linewidth=1.4, linestyle=(0, (4, 2)))
            case _:
                line(color=style.INK, linewidth=1.6)


def columns_for(panels: int, size: Size) -> int:
    """How many small panels stand side by side: one on a phone, else at most three; four as two by two."""
    return 1 if size.narrow else 2 if panels == 4 else max(1, min(3, panels))


@lru_cache(maxsize=4096)
def text_width(text: str, size: float) -> float:
    """Width in px of a text in the widest typeface, for layout."""
    font = _ruler()
    font.set_size(size, 72)
    font.set_text(text, 0.0)
    return float(font.get_width_height()[0] / 64) + 1


@lru_cache(maxsize=1)
def _ruler() -> Any:
    """DejaVu Sans as matplotlib ships it: the same everywhere, and wider than the faces that pages use."""
    import matplotlib as mpl
    from matplotlib.ft2font import FT2Font

    return FT2Font(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"))


def wrap(text: str, width: float, size: float = 10.5, lines: int = 3) -> list[str]:
    """Fold a text to a width in px; what does not fit into ``lines`` ends in an ellipsis."""
    folded: list[str] = [""]
    for word in text.split(" "):
        longer = f"{folded[-1]} {word}".strip()
        if folded[-1] and text_width(longer, size) > width:
            folded.append(word)
        else:
            folded[-1] = longer
    if len(folded) > lines:
        folded = folded[:lines]
        folded[-1] = f"{folded[-1].rstrip(',;·')}…"
    return folded


def time_axis(axes: Axes, minutes: Floats, *, every: int) -> None:
    """Clock times in UTC on the x axis; ``minutes`` since the epoch, ``every`` the spacing of the ticks."""
    first, last = float(minutes.min()), float(minutes.max())
    ticks = np.arange(np.ceil(first / every) * every, last + 1e-9, every)
    axes.set_xlim(first, last)
    axes.set_xticks(list(ticks), [style.clock(int(tick * 60e9)) for tick in ticks])


def tick_step(minutes: Floats, labels: int) -> int:
    """A spacing in minutes that gives at most ``labels`` labels."""
    span = float(minutes.max() - minutes.min()) if minutes.size else 1.0
    for step in (5, 10, 15, 30, 60, 120, 240, 480, 1440):
        if span / step <= labels:
            return step
    return 2880


def value_axis(axes: Axes, low: float, high: float, text: Any, *, count: int = 5, pad: float = 0.04) -> None:
    """Round ticks over [low, high], labelled by the function ``text``."""
    from matplotlib.ticker import MaxNLocator

    if not high > low:
        low, high = low - max(abs(low) * 0.02, 1e-9), high + max(abs(high) * 0.02, 1e-9)
    margin = (high - low) * pad
    axes.set_ylim(low - margin, high + margin)
    ticks = [float(t) for t in MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]
    ticks = [t for t in ticks if low - margin <= t <= high + margin]
    axes.set_yticks(ticks, even([text(t) for t in ticks]))


def even(labels: Sequence[str]) -> list[str]:
    """Labels of one axis without decimals that are zero in all: `$20.0 m`, `$40.0 m` -> `$20 m`, `$40 m`."""
    found = [re.search(r"\.(\d+)", label) for label in labels]
    digits = [m[1] for m in found if m]
    keep = max((len(d.rstrip("0")) for d in digits), default=0)
    return [
        label if m is None else label[: m.start()] + (f".{m[1][:keep]}" if keep else "") + label[m.end() :]
        for label, m in zip(labels, found, strict=True)
    ]


def _to_svg(figure: Figure, key: str, size: Size) -> str:
    """The figure as SVG text without dates, ids that could clash, or a fixed size."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    FigureCanvasSVG(figure)
    figure.savefig(
        buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
    )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.S)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r"font-family: [^;\"]*(;|(?=\"))", "", text)
    text = re.sub(r' transform="rotate\(-0 [^"]*\)"', "", text)
    # every id carries the figure's name: two figures inside one page must not share clip paths or markers
    prefix = f"{re.sub('[^a-z0-9]', '', key.lower())}{size.width}"
    text = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{prefix}", text)
    # hundredths of a px are enough; only inside tags, since a label may well have three decimals
    text = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d+\.\d\d)\d+", r"\1", tag[0]), text)
    text = re.sub(r"\s*\n\s*", " ", text)
    text = re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*" ', r"<svg \1", text, count=1)
    text = re.sub(r"<style type=\"text/css\">.*?</style>", "", text, flags=re.S)
    text = text.replace("<defs> </defs>", "")
    return text.replace("<svg ", f'<svg font-family="{FONT_STACK}" stroke-linejoin="round" ', 1).strip()
