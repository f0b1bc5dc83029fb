"""How do pieces of text become lines of a terminal that never break a column, a number or an interval?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from deleverage.report import style

HEAD = "bold"
SOFT = "dim"
_COLOURS = {
    "mechanical": style.BAND,
    "other": style.COUNTERFACTUAL,
    "warning": f"bold {style.WARNING}",
}


@dataclass(frozen=True)
class Piece:
    """Some text in one style."""

    text: str
    style: str = ""


Line = list[Piece]


def render(lines: Iterable[Line], width: int, color: bool) -> str:
    """The lines as text; only here do colours come in, so that both forms have the same letters."""
    texts = [_text(line, color) for line in lines]
    if not color:
        return "\n".join(text.plain for text in texts) + "\n"
    console = Console(
        width=width,
        force_terminal=True,
        color_system="truecolor",
        no_color=False,
        legacy_windows=False,
        highlight=False,
    )
    with console.capture() as capture:
        for text in texts:
            console.print(text, soft_wrap=True)
    return capture.get()


def live(lines: Iterable[Line]) -> Text:
    """The lines for a screen that is drawn again and again; a line that is too long is cut."""
    text = Text("\n", no_wrap=True, overflow="crop", end="").join(_text(line, True) for line in lines)
    text.no_wrap, text.overflow = True, "crop"
    return text


def _text(line: Line, color: bool) -> Text:
    text = Text()
    for piece in line:
        text.append(piece.text, style=_COLOURS.get(piece.style, piece.style) if color else "")
    text.rstrip()
    return text


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[Line] | None:
    """Columns under their heads, or None when they do not fit."""
    widths = [max(cell_len(row[k]) for row in (head, *rows)) for k in range(len(head))]
    gap = 3
    if 2 + sum(widths) + gap * (len(widths) - 1) > width:
        gap = 2
    if 2 + sum(widths) + gap * (len(widths) - 1) > width:
        return None
    lines: list[Line] = []
    for k, row in enumerate((head, *rows)):
        text = (" " * gap).join(
            cell + " " * (w - cell_len(cell)) for cell, w in zip(row, widths, strict=True)
        )
        lines.append([Piece("  "), Piece(text, SOFT if k == 0 else "")])
    return lines


def pairs_of(pairs: Sequence[tuple[str, Sequence[str]]], width: int) -> list[Line]:
    """Names and values in two columns; long values go on below themselves."""
    name_width = max(cell_len(name) for name, _ in pairs)
    lines: list[Line] = []
    for name, values in pairs:
        for k, line in enumerate(flow([Piece(value) for value in values], width - name_width - 4, " · ")):
            label = name if k == 0 else ""
            lines.append([Piece(f"  {label}{' ' * (name_width - cell_len(label))}  ", SOFT), *line])
    return lines


def ends(left: str, right: str, width: int) -> list[Line]:
    """Two texts at both ends of a line, or below each other."""
    space = width - 2 - cell_len(left) - cell_len(right)
    if space >= 2:
        gap = min(space, 8)
        return [[Piece(f"  {left}", HEAD), Piece(" " * gap), Piece(right, HEAD)]]
    return [*fold(left, width, HEAD, indent=2), *fold(right, width, HEAD, indent=4)]


def flow(pieces: Sequence[Piece], width: int, between: str, *, indent: int = 0) -> list[Line]:
    """Pieces one after the other; one that does not fit begins a new line."""
    lines: list[Line] = [[]]
    used = 0
    for piece in pieces:
        need = cell_len(piece.text)
        if lines[-1] and used + cell_len(between) + need > width:
            lines.append([])
        if not lines[-1]:
            if need + indent > width:
                lines[-1:] = fold(piece.text, width, piece.style, indent=indent, hang=2)
                used = sum(cell_len(p.text) for p in lines[-1])
                continue
            lines[-1] = [Piece(" " * indent), piece]
            used = indent + need
        else:
            lines[-1] += [Piece(between, SOFT), piece]
            used += cell_len(between) + need
    return lines


def fold(text: str, width: int, look: str = "", *, indent: int = 0, hang: int = 0) -> list[Line]:
    """Fold at blanks, never between a number and its unit, nor inside an interval where that fits."""
    glued = _glue(text)
    lines: list[str] = [""]
    longest = max(width - indent - hang, 1)
    for word in (
        part[k : k + longest]
        for piece in glued.split(" ")
        for part in (piece.split(_GLUE) if cell_len(piece) > longest else [piece])
        for k in range(0, max(len(part), 1), longest if cell_len(part) > longest else len(part) + 1)
    ):
        room = width - indent - (hang if len(lines) > 1 else 0)
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and cell_len(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return [
        [Piece(" " * (indent + (hang if k else 0))), Piece(line.replace(_GLUE, " "), look)]
        for k, line in enumerate(lines)
    ]


_GLUE = "\N{WORD JOINER}\N{NO-BREAK SPACE}"
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:%|bp|ms|s|min|h|d|days?|k|m|bn|tn|points?)(?:[\s,.;:)\]]|$))")


def _glue(text: str) -> str:
    """Mark the blanks inside brackets, and those before a unit, as not to be folded at."""
    text = _BEFORE_UNIT.sub(_GLUE, text)
    depth, out = 0, []
    for letter in text:
        depth += {"[": 1, "]": -1}.get(letter, 0)
        out.append(_GLUE if letter == " " and depth > 0 else letter)
    return "".join(out)


_EIGHTHS = " ▏▎▍▌▋▊▉"


def bar(share: float, room: int) -> str:
    """A bar in eighths of a cell; a negative share is drawn with minus signs and cannot look positive."""
    if share < 0:
        return "-" * max(1, round(-share * room))
    eighths = round(share * room * 8)
    whole, rest = divmod(eighths, 8)
    if share > 0 and eighths == 0:
        return "▏"
    return "█" * whole + (_EIGHTHS[rest] if rest else "")
