"""What does a terminal show while data is collected? One line a stream, and how the lake keeps up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from deleverage.data.collect.collector import Collector

_QUIET_S = {"liquidations": None, "funding": None, "open_interest": 60.0}
"""Age of the newest event from which a stream is shown as quiet; None: silence means nothing."""
_WARN_S = 5.0


def screen(collector: Collector, place: str) -> RenderableType:
    """The screen as it stands now; ``place`` is where the lake lies."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    stats, now = collector.stats, time.time_ns()
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("venue")
    table.add_column("stream")
    for name in ("events/s", "events", "last", "lag p50", "p99", "gaps", "lost"):
        table.add_column(name, justify="right")
    before = ""
    for task in collector.tasks:
        venue = task.venue.name
        for stream in task.streams:
            one = stats.streams.get((venue, stream))
            gaps, lost = stats.gaps.get((venue, stream), 0), stats.lost.get((venue, stream), 0)
            shown = Text(venue if venue != before else "", style="bold")
            before = venue
            if one is None:
                table.add_row(
                    shown, stream, "", Text("-", style="dim"), "", "", "", _count(gaps), _count(lost)
                )
                continue
            age = (now - one.received_ns) / 1e9
            limit = _QUIET_S.get(stream, _WARN_S)
            late = limit is not None and age > limit
            table.add_row(
                shown,
                stream,
                f"{one.rate():,.1f}",
                f"{one.messages:,}",
                Text(_span(age), style="yellow" if late else ""),
                _lag(one.lag(0.5)),
                _lag(one.lag(0.99)),
                _count(gaps),
                _count(lost),
            )
    down = [name for name, up in stats.connected.items() if not up]
    again = sum(stats.reconnects.values())
    head = Text.assemble(
        ("collecting ", "bold"),
        f"{len(collector.tasks)} venues into {place}  ",
        (f"{_span((now - collector.started_ns) / 1e9)}  ", "dim"),
        (
            "all connected" if not down else f"no connection: {', '.join(down)}",
            "green" if not down else "red",
        ),
        f"  {again} reconnects" if again else "",
    )
    behind = sorted(stats.behind_s)
    keeping = f"durable after {behind[len(behind) // 2]:.1f} s" if behind else "nothing written yet"
    foot = Text.assemble(
        ("lake  ", "dim"),
        f"{sum(stats.written.values()):,} rows in {stats.transactions:,} transactions, {keeping}, ",
        (
            f"{stats.waiting:,} rows wait ({100 * stats.pressure:.0f} % of the room)",
            "red" if stats.pressure >= 0.5 else "",
        ),
    )
    return Group(
        head, Text(""), table, Text(""), foot, Text("Ctrl-C writes what is left and ends.", style="dim")
    )


def closing(summary: dict[str, object]) -> list[str]:
    """Lines that stay on the screen after the end."""
    tables = summary["tables"]
    assert isinstance(tables, dict)
    lines = [f"{summary['seconds']} s, {sum(tables.values()):,} rows into {summary['lake']}"]
    lines += [f"  {name:<16}{count:>12,} rows" for name, count in tables.items()]
    if summary["gaps"]:
        lines.append(f'  {summary["gaps"]} gaps: `deleverage lake sql "select * from gaps"` lists them')
    return lines


def _span(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _lag(seconds: float | None) -> str:
    return "" if seconds is None else _span(max(0.0, seconds))


def _count(number: int) -> RenderableType:
    from rich.text import Text

    return Text(f"{number:,}" if number else "-", style="yellow" if number else "dim")
