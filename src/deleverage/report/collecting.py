"""What does a terminal show while data is collected? What comes in, how late, what is wrong, what is lost.

The screen is made for a size: with too few lines for every stream it has a line a venue, and with too few
columns the lesser figures go. Columns have one width for the whole run, so that nothing moves but the
digits, and what is wrong has a mark of its own, for terminals without colours.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from deleverage.data.finding import printable
from deleverage.report import style
from deleverage.report.lines import HEAD, SOFT, Line, Piece, flow, fold

if TYPE_CHECKING:
    from deleverage.data.collect.collector import Collector
    from deleverage.data.collect.stats import StreamStats

_QUIET_S = {"liquidations": None, "funding": None, "open_interest": 60.0}
"""Age of the newest message from which a stream is shown as quiet; None: silence means nothing."""
_WARN_S = 5.0
_LATE_S = 2.0
"""A middle lag from which a stream is marked; from minus one second on a clock is off."""
_FIRST_S = 2.0
"""A rate over less time says nothing."""
_FULL = 0.5
_WORDS = 12
"""Cells from which the words of what is wrong stand beside a stream."""
_WRONG = "warning"
_KEPT = 50

_COLUMNS = {
    "venue": 11,
    "stream": 13,
    "msg/s": 7,
    "messages": 13,
    "last": 7,
    "lag p50": 7,
    "lag p99": 7,
    "gaps": 5,
    "lost": 7,
}
_LESSER = ("messages", "lag p50", "lost", "lag p99", "last", "gaps")
"""What goes first where there is no room."""


@dataclass
class Latest:
    """The newest things that went wrong, kept for the screen; called like the log.

    words : (time [ns UTC], what, how often in a row); ending : why the collector is stopping, else ''.
    """

    words: deque[tuple[int, str, int]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    ending: str = ""

    def __call__(self, event: str, level: str = "info", **fields: Any) -> None:
        """Keep a warning or an error, and a connection that is there again."""
        if event == "stopping":
            self.ending = str(fields.get("why", "asked"))
        again = event == "connected" and fields.get("attempt", 1) > 1
        if level not in ("warning", "error") and not again:
            return
        text = _word(event, fields)
        times = 1
        if self.words and self.words[-1][1] == text:
            times += self.words.pop()[2]
        self.words.append((time.time_ns(), text, times))

    def lines(self, room: int, width: int) -> list[str]:
        """The newest of them, oldest first, each cut to one line."""
        shown = list(self.words)[-room:] if room > 0 else []
        return [
            _cut(f"{style.clock(at, seconds=True)} {f'{times:,} times ' if times > 1 else ''}{text}", width)
            for at, text, times in shown
        ]


@dataclass(frozen=True)
class _Row:
    """One line of the table; times in s, None where there is none yet."""

    venue: str
    stream: str
    rate: float | None
    messages: int
    age: float | None
    lag: tuple[float | None, float | None]
    gaps: int
    lost: int
    wrong: tuple[str, ...] = ()
    """What is wrong now, in words."""


def screen(
    collector: Collector, place: str, *, width: int = 100, height: int = 50, latest: Latest | None = None
) -> list[Line]:
    """The lines of the screen as it stands now.

    place : where the lake lies; width, height : of the terminal, which the lines fit; latest : what went
    wrong of late.
    """
    width, height = max(width, 20), max(height, 6)
    latest = latest or Latest()
    now = time.time_ns()
    venues = [_rows(collector, task, now) for task in collector.tasks]
    lines = [*_head(collector, place, width, now), []]
    room = height - len(lines) - 2  # the table's head, and the last line
    streams = [row for rows in venues for row in rows]
    each = len(streams) <= room
    rows = streams if each else [_whole(rows) for rows in venues]
    lines += _table(rows, width, streams=each, room=room)
    if not each:
        lines += _troubles(venues, width)
    room = height - len(lines) - 3
    if latest.words and room > 0:
        lines += [[], [Piece(_cut("latest (UTC)", width), SOFT)]]
        lines += [[Piece(text)] for text in latest.lines(room - 1, width)]
    return [*lines[: height - 1], [_last(collector, latest, width)]]


def closing(summary: dict[str, Any], width: int = 100) -> list[str]:
    """Lines that stay on the screen after the end."""
    tables: dict[str, int] = summary["tables"]
    lines = [f"{_long(summary['seconds'])}, {_many(sum(tables.values()), 'row')} into {summary['lake']}"]
    lines += [f"  {name:<16}{count:>14,} rows" for name, count in tables.items() if count and name != "gaps"]
    lost = sum(one["events_lost"] for one in summary["streams"])
    wrong = [
        f"{_many(count, one)}{rest}"
        for count, one, rest in (
            (summary["gaps"], "gap", ""),
            (lost, "event", " known to be lost"),
            (sum(summary["reconnects"].values()), "reconnect", ""),
            (sum(summary["resyncs"].values()), "book", " asked for anew"),
            (sum(summary["malformed"].values()), "message", " not readable"),
            (sum(summary["rate_limited"].values()), "answer", " put off (rate limit)"),
            (summary["thinned"], "book", " left out (the lake was behind)"),
        )
        if count
    ]
    lines += _plain(fold(", ".join(wrong), width, indent=2, hang=2)) if wrong else []
    if summary["gaps"]:
        lines.append(f'  deleverage lake sql "select * from gaps" --lake {summary["lake"]}')
    return lines


def _head(collector: Collector, place: str, width: int, now: int) -> list[Line]:
    stats = collector.stats
    streams = sum(len(task.streams) for task in collector.tasks)
    rate = sum(one.rate() for one in stats.streams.values())
    facts = [
        f"{_many(len(collector.settings.venues), 'venue')}, {_many(streams, 'stream')}",
        f"{_rate(rate)}{style.THIN}msg/s",
        _long((now - collector.started_ns) / 1e9),
    ]
    begun = flow([Piece("collecting", HEAD), *(Piece(fact) for fact in facts)], width, " · ")
    down = sorted(name.replace("/", " ") for name, up in stats.connected.items() if not up)
    again = sum(stats.reconnects.values())
    if not stats.connected or (down and now - collector.started_ns <= _WARN_S * 1e9):
        link = [Piece("connecting")]
    elif down:
        link = [Piece(f"! no connection: {', '.join(down)}", _WRONG)]
    else:
        link = [Piece("all connected")]
    link += [Piece(_many(again, "reconnect"))] if again else []
    behind = sorted(stats.behind_s)
    full = stats.pressure >= _FULL
    waits = (
        f"{'! ' if full else ''}{_many(stats.waiting, 'row')} waiting, "
        f"{style.with_unit(f'{100 * stats.pressure:.0f}', '%')} of the room"
    )
    lake = [
        Piece(f"{_many(sum(stats.written.values()), 'row')} in {_many(stats.transactions, 'transaction')}"),
        Piece(f"durable after {_span(behind[len(behind) // 2])}" if behind else "nothing written yet"),
        Piece(waits, _WRONG if full else ""),
    ]
    gaps, lost = sum(stats.gaps.values()), sum(stats.lost.values())
    bad, limited = sum(stats.malformed.values()), sum(stats.limited.values())
    wrong = [
        Piece(_many(gaps, "gap"), HEAD if gaps else ""),
        Piece(f"{_many(lost, 'event')} known to be lost", HEAD if lost else ""),
        *([Piece(f"{bad:,} not readable", HEAD)] if bad else []),
        *([Piece(f"{limited:,} put off (rate limit)", HEAD)] if limited else []),
        *([Piece(f"{_many(stats.thinned, 'book')} left out", HEAD)] if stats.thinned else []),
    ]
    where = Piece(_cut(place, width - 6, left=True))
    return [
        *begun,
        [Piece("into  ", SOFT), where],
        *_labelled("link", link, width),
        *_labelled("lake", lake, width),
        *_labelled("lost", wrong, width),
    ]


def _labelled(name: str, pieces: Sequence[Piece], width: int) -> list[Line]:
    cut = [Piece(_cut(piece.text, width - 6), piece.style) for piece in pieces]
    return [
        [Piece(f"{name if k == 0 else '':<6}", SOFT), *line]
        for k, line in enumerate(flow(cut, width - 6, " · "))
    ]


def _rows(collector: Collector, task: Any, now: int) -> list[_Row]:
    """One row a stream of a venue."""
    stats, venue, rows = collector.stats, task.venue.name, []
    down = {
        stream
        for connection in task.connections
        if not stats.connected.get(connection.key)
        for stream in connection.plan.streams
    }
    for stream in task.streams:
        one: StreamStats | None = stats.streams.get((venue, stream))
        since = collector.started_ns if one is None else one.received_ns
        age, limit = (now - since) / 1e9, _QUIET_S.get(stream, _WARN_S)
        lag = (None, None) if one is None else (one.lag(0.5), one.lag(0.99))
        wrong = ["no connection"] if stream in down and now - collector.started_ns > _WARN_S * 1e9 else []
        if limit is not None and age > limit:
            wrong.append("nothing yet" if one is None else f"quiet for {_span(age)}")
        if lag[0] is not None and lag[0] > _LATE_S:
            wrong.append(f"{_span(lag[0])} late")
        if lag[0] is not None and lag[0] < -1:
            wrong.append(f"clock {_span(-lag[0])} ahead")
        heard = one is not None and now - one.first_ns >= _FIRST_S * 1e9
        rows.append(
            _Row(
                venue,
                stream,
                one.rate() if one is not None and heard else None,
                0 if one is None else one.messages,
                None if one is None else age,
                lag,
                stats.gaps.get((venue, stream), 0),
                stats.lost.get((venue, stream), 0),
                tuple(wrong),
            )
        )
    return rows


def _whole(rows: Sequence[_Row]) -> _Row:
    """A venue in one row: sums, the newest message, and the worst lag of its streams."""
    ages = [row.age for row in rows if row.age is not None]
    rates = [row.rate for row in rows if row.rate is not None]
    middle = [row.lag[0] for row in rows if row.lag[0] is not None]
    late = [row.lag[1] for row in rows if row.lag[1] is not None]
    return _Row(
        rows[0].venue if rows else "",
        "",
        sum(rates) if rates else None,
        sum(row.messages for row in rows),
        min(ages) if ages else None,
        (max(middle) if middle else None, max(late) if late else None),
        sum(row.gaps for row in rows),
        sum(row.lost for row in rows),
        tuple(word for row in rows for word in row.wrong),
    )


def _table(rows: Sequence[_Row], width: int, *, streams: bool, room: int) -> list[Line]:
    names = [name for name in _COLUMNS if streams or name != "stream"]
    gap = 2 if width >= 70 else 1
    for name in (None, *_LESSER):
        if name in names:
            names.remove(name)
        if 2 + sum(_COLUMNS[one] for one in names) + gap * (len(names) - 1) <= width:
            break
    left = ("venue", "stream")
    lines: list[Line] = [[Piece("  " + _joined(names, names, gap, left), SOFT)]]
    before = ""
    if len(rows) > room:  # what is wrong must not be what is cut
        rows = sorted(rows, key=lambda row: not row.wrong)
    for row in rows[: room - 1] if len(rows) > room else rows:
        line = [Piece("! " if row.wrong else "  ", _WRONG)]
        for k, name in enumerate(names):
            text, look = _cell(row, name)
            if name == "venue" and row.venue == before:
                text = ""
            text = _cut(text, _COLUMNS[name])
            space = " " * (_COLUMNS[name] - cell_len(text))
            padded = text + space if name in left else space + text
            line += [Piece(padded, look), Piece(" " * gap if k < len(names) - 1 else "")]
        before = row.venue
        spare = width - sum(cell_len(piece.text) for piece in line) - 2
        if streams and row.wrong and spare >= _WORDS:
            line.append(Piece("  " + _cut(", ".join(row.wrong), spare), _WRONG))
        lines.append(line)
    if len(rows) > room:
        lines.append([Piece(_cut(f"  and {len(rows) - room + 1} more: the window is too low", width), SOFT)])
    return [[Piece(_cut(lines[0][0].text, width), SOFT)], *(_crop(line, width) for line in lines[1:])]


def _joined(cells: Sequence[str], names: Sequence[str], gap: int, left: Iterable[str]) -> str:
    return (" " * gap).join(
        cell.ljust(_COLUMNS[name]) if name in left else cell.rjust(_COLUMNS[name])
        for cell, name in zip(cells, names, strict=True)
    )


def _cell(row: _Row, name: str) -> tuple[str, str]:
    """Text and look of one figure of a row."""
    match name:
        case "venue":
            return row.venue, HEAD
        case "stream":
            return row.stream, ""
        case "msg/s":
            return ("-", SOFT) if row.rate is None else (_rate(row.rate), "")
        case "messages":
            return _short(row.messages, _COLUMNS[name]), ""
        case "last":
            quiet = any(word.startswith(("quiet", "nothing")) for word in row.wrong)
            return ("-" if row.age is None else _span(row.age)), _WRONG if quiet else ""
        case "lag p50" | "lag p99":
            lag = row.lag[name == "lag p99"]
            off = any(word.endswith(("late", "ahead")) for word in row.wrong)
            return ("-", SOFT) if lag is None else (_span(lag), _WRONG if off else "")
        case _:
            count = row.gaps if name == "gaps" else row.lost
            return _short(count, _COLUMNS[name]) if count else "-", HEAD if count else SOFT


def _troubles(venues: Sequence[Sequence[_Row]], width: int) -> list[Line]:
    """Where a line stands for a venue: which of its streams are wrong, and how."""
    lines: list[Line] = []
    for rows in venues:
        wrong = [f"{row.stream} {', '.join(row.wrong)}" for row in rows if row.wrong]
        if wrong:
            lines.append([Piece(_cut(f"! {rows[0].venue}: {'; '.join(wrong)}", width), _WRONG)])
    return [[], *lines] if lines else []


def _last(collector: Collector, latest: Latest, width: int) -> Piece:
    if latest.ending:
        rows = _many(collector.stats.waiting, "row")
        return Piece(_cut(f"stopping ({latest.ending}): {rows} still to be written", width), HEAD)
    return Piece(_cut("Ctrl-C writes what is left and ends.", width), SOFT)


def _word(event: str, fields: dict[str, Any]) -> str:
    """One thing that happened, in a line: where, what, why."""
    where = [str(fields[k]) for k in ("venue", "connection", "table", "stream", "symbol") if fields.get(k)]
    why = [str(fields[k]) for k in ("reason", "text", "error", "why", "status") if fields.get(k)]
    why = [word for word in why if word != event]
    why += [f"{fields['seconds']:g} s"] if fields.get("seconds") else []
    why += [f"{fields['lost']:,} lost"] if fields.get("lost") else []
    return printable(f"{' '.join([*where, event])}" + (f": {', '.join(why)}" if why else ""))


def _plain(lines: Sequence[Line]) -> list[str]:
    return ["".join(piece.text for piece in line) for line in lines]


def _crop(line: Line, width: int) -> Line:
    """What of a line fits."""
    out: Line = []
    for piece in line:
        out.append(Piece(piece.text[: max(width, 0)], piece.style))
        width -= len(piece.text)
    return out


def _cut(text: str, room: int, *, left: bool = False) -> str:
    """A text in so many cells, with an ellipsis where it loses something: its end, or its beginning."""
    if cell_len(text) <= room:
        return text
    while cell_len(text) > room - 1:
        text = text[1:] if left else text[:-1]
    return f"…{text}" if left else f"{text}…"


def _many(count: int, one: str) -> str:
    return f"{count:,} {one}{'' if count == 1 else 's'}"


def _short(count: int, room: int) -> str:
    """A count in so many cells: whole, else in thousands, millions or billions."""
    if len(text := f"{count:,}") <= room:
        return text
    scales = ((1e3, "k"), (1e6, "m"), (1e9, "bn"))
    told = (f"{style.number(count / scale)}{style.THIN}{unit}" for scale, unit in scales)
    return next((text for text in told if len(text) <= room), text)


def _rate(rate: float) -> str:
    return style.number(rate, 1 if rate < 99.95 else 0)


def _span(seconds: float) -> str:
    """A short time in at most seven cells: `353 ms`, `12.3 s`, `12 min`, `3.4 h`, `2.1 d`."""
    size, sign = abs(seconds), style.MINUS if seconds < 0 else ""
    for limit, scale, places, unit in (
        (0.9995, 1000, 0, "ms"),
        (59.95, 1, 1, "s"),
        (3570, 1 / 60, 0, "min"),
        (86_200, 1 / 3600, 1, "h"),
    ):
        if size < limit:
            text = style.with_unit(f"{size * scale:,.{places}f}", unit)
            return text if text.startswith("0" + style.THIN) else sign + text
    return sign + style.with_unit(f"{size / 86_400:,.1f}", "d")


def _long(seconds: float) -> str:
    """A time of a run: `13 s`, `4 min 05 s`, `2 h 05 min`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, left = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {left:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
