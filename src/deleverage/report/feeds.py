"""How does the list of feeds look in a terminal?"""

from __future__ import annotations

from collections.abc import Sequence

from deleverage.data.feeds import Feed, Publishes
from deleverage.report.lines import HEAD, SOFT, Line, Piece, fold, render


def screen(feeds: Sequence[Feed], width: int, color: bool) -> str:
    """A block a feed: what it shows in words, then the sources."""
    width = max(40, min(width, 120))
    lines: list[Line] = []
    for feed in feeds:
        span = " – ".join("…" if day is None else day.isoformat() for day in (feed.since, feed.until))
        look = "warning" if feed.publishes in (Publishes.THROTTLED, Publishes.UNKNOWN) else ""
        lines.append([Piece(f"{feed.venue} {feed.feed}", HEAD), Piece(f"  {span}", SOFT)])
        lines += fold(shows(feed), width, look, indent=2)
        lines += fold(feed.note, width, "", indent=2)
        for source in feed.sources:
            lines += fold(f"{source.text} · read {source.read.isoformat()}", width, SOFT, indent=4, hang=2)
        lines.append([])
    if not feeds:
        lines = [[Piece("no feed of our list held on that day: unknown is not full")], []]
    return render(lines[:-1], width, color)


def shows(feed: Feed) -> str:
    """How much a feed shows, in one sentence."""
    match feed.publishes:
        case Publishes.ALL:
            return "shows all"
        case Publishes.THROTTLED:
            which = {"first": "the first", "latest": "the latest", "largest": "the largest"}.get(
                feed.behaves, "one, nobody says which"
            )
            said = (
                f"; documented as the {feed.documented}" if feed.documented not in ("", feed.behaves) else ""
            )
            return f"shows at most one in {feed.window_s:g} s of a symbol: counted as {which}{said}"
        case Publishes.INHERITED:
            return "a vendor's sum: as throttled as what it adds up"
        case Publishes.NOTHING:
            return "shows nothing"
        case _:
            return "not known how much it shows"
