"""What is every page made of? Escaped HTML elements, and one sheet of styles for screen, phone and paper."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources

from deleverage.report import style
from deleverage.report.figures.canvas import Drawing

_INTERVAL = re.compile(rf"\[([{style.MINUS}\d.,]+), ([{style.MINUS}\d.,]+)\]")


class Html(str):
    """Text that is HTML already. Everything else is escaped on its way into a page."""

    __slots__ = ()


def safe(text: str) -> Html:
    """The text as HTML, whatever is in it."""
    if isinstance(text, Html):
        return text
    # an interval is one thing: it does not break between its ends
    return Html(_INTERVAL.sub("[\\1,\N{NO-BREAK SPACE}\\2]", escape(text)))


def join(pieces: Iterable[str]) -> Html:
    """Several pieces, one after the other."""
    return Html("\n".join(safe(piece) for piece in pieces if piece))


def element(tag: str, content: str, *, of: str = "", **attributes: str) -> Html:
    """`<tag class=of ...>content</tag>`; underscores in attribute names become hyphens."""
    named = {"class": of, **{name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}}
    text = "".join(f' {name}="{escape(value)}"' for name, value in named.items() if value)
    return Html(f"<{tag}{text}>{safe(content)}</{tag}>")


def paragraph(text: str, *, of: str = "") -> Html:
    """A paragraph."""
    return element("p", text, of=of)


def section(number: int, title: str, pieces: Iterable[str]) -> Html:
    """A numbered section with an anchor `s1`, `s2`, ..."""
    head = element("h2", Html(f'<span class="no">{number}</span> {escape(title)}'), id=f"h{number}")
    return element("section", join([head, *pieces]), id=f"s{number}", aria_labelledby=f"h{number}")


def figure(number: int, drawing: Drawing) -> Html:
    """A figure with its sentence above and its source below; the phone gets its own drawing."""
    caption = element(
        "figcaption",
        join(
            [
                element("strong", drawing.title, of="t"),
                element("span", drawing.band, of="band"),
            ]
        ),
    )
    label = escape(drawing.alt)
    drawn = Html(
        "".join(
            f'<div class="{of}">{svg.replace("<svg ", f"""<svg role="img" aria-label="{label}" """, 1)}</div>'
            for of, svg in (("wide", drawing.wide), ("narrow", drawing.narrow))
        )
    )
    source = element("p", f"Figure {number}. {drawing.source}", of="source")
    return element("figure", join([caption, drawn, source]), id=f"fig-{drawing.key}")


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> Html:
    """A table in a box that scrolls by itself; the first ``words`` columns hold words, the rest figures."""

    def cell(tag: str, k: int, text: str, **attributes: str) -> Html:
        return element(
            tag,
            text if k < words or tag == "th" else _stacked(text),
            of="" if k < words else "num",
            **attributes,
        )

    top = element("tr", join(cell("th", k, text, scope="col") for k, text in enumerate(head)))
    body = join(
        element(
            "tr",
            join(
                cell("th" if k == 0 else "td", k, text, **({"scope": "row"} if k == 0 else {}))
                for k, text in enumerate(row)
            ),
        )
        for row in rows
    )
    inner = join([element("thead", top), element("tbody", body)])
    # the caption stands outside the box that scrolls, so that it folds with the page and not with the table
    box = element(
        "div",
        element("table", inner, aria_label=caption),
        of="scroll",
        role="region",
        tabindex="0",
        aria_label=caption,
    )
    return element("div", join([element("p", caption, of="cap"), box]), of="table")


def _stacked(text: str) -> str:
    """A figure with its interval below it: narrower, and the figures line up."""
    if isinstance(text, Html) or " [" not in text:
        return text
    point, interval = text.split(" [", 1)
    return join([safe(point), element("span", f"[{interval}", of="iv")])


def listing(items: Iterable[str], *, ordered: bool = False, of: str = "") -> Html:
    """A list."""
    return element("ol" if ordered else "ul", join(element("li", item) for item in items), of=of)


def definition(pairs: Iterable[tuple[str, str]]) -> Html:
    """Names and their values."""
    return element("dl", join(join([element("dt", name), element("dd", value)]) for name, value in pairs))


def scale(low: float, mean: float, high: float, label: str) -> Html:
    """A strip from 0 to 100 % with a band and a mark: the answer at a glance."""

    def at(value: float) -> float:
        return min(100.0, max(0.0, value * 100))

    marks = (
        f'<span class="span" style="left:{at(low):.1f}%;width:{max(at(high) - at(low), 0.5):.1f}%"></span>'
        f'<span class="point" style="left:{at(mean):.1f}%"></span>'
    )
    ends = "".join(f'<span style="left:{k}%">{k}{style.THIN}%</span>' for k in (0, 50, 100))
    return Html(
        f'<div class="strip" role="img" aria-label="{escape(label)}"><div class="bar">{marks}</div>'
        f'<div class="ends">{ends}</div></div>'
    )


def document(title: str, description: str, contents: Iterable[tuple[str, str]], body: str) -> Html:
    """A whole page: nothing in it is fetched, and no script runs."""
    links = join(element("a", name, href=f"#{anchor}") for anchor, name in contents)
    return Html(
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # the page may load nothing at all, even if some text in it were to slip through as markup
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src '
        "'unsafe-inline'; img-src data:\">"
        '<meta name="color-scheme" content="light"><link rel="icon" href="data:,">'
        f'<title>{escape(title)}</title><meta name="description" content="{escape(description)}">'
        f"<style>{css()}</style></head>\n<body>"
        f'<nav aria-label="Contents">{links}</nav>\n<main>\n{body}\n</main></body></html>\n'
    )


_TOKENS = {
    "ink": style.INK,
    "muted": style.MUTED,
    "rule": style.RULE,
    "paper": style.PAPER,
    "band": style.BAND,
    "deep": style.BAND_INK,
    "warn": style.WARNING,
    "warnink": style.WARNING_INK,
    "wash": "#F5F7F9",
}


def css() -> str:
    """The sheet of styles, with the house's colours as its variables."""
    tokens = ";".join(f"--{name}:{value}" for name, value in _TOKENS.items())
    sheet = resources.files("deleverage.report").joinpath("page.css").read_text(encoding="utf-8")
    return f":root{{{tokens}}}\n{sheet}"
