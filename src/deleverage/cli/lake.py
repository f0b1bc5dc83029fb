"""The commands `lake …`: observed market data, looked at and looked after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from textwrap import fill, wrap
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from deleverage.data.lake import TableStatus

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The lake: observed market data.")

LakeFolder = Annotated[
    str, typer.Option("--lake", metavar="DIR", help="Folder of the lake, or its address (s3://...).")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


Table = Annotated[
    str | None, typer.Option("--table", metavar="T", help="Only this table; all of them by default.")
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="First event time, 2025-10-10T20:00Z, or day."),
]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Last event time; a day means its end.")]


def moment_of(text: str | None, *, option: str, end: bool = False) -> int | None:
    """An event time [ns UTC] out of an option: a time with its zone, or a day.

    Raises
    ------
    InputError
        it is neither.
    """
    from datetime import date

    from deleverage.data.figure import parse_time_ns
    from deleverage.errors import InputError

    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        try:
            return parse_time_ns(text)
        except InputError as error:
            raise InputError(
                f"{option} {text}: {error.message}", hint="for example 2025-10-10T20:00Z"
            ) from None
    start = parse_time_ns(f"{day.isoformat()}T00:00:00Z")
    return start + 86_400_000_000_000 - 1 if end else start


def span_of(from_: str | None, to: str | None) -> tuple[int | None, int | None]:
    """First and last event time [ns UTC] out of --from and --to.

    Raises
    ------
    InputError
        one is no time, or the last is before the first.
    """
    from deleverage.errors import InputError

    start, end = moment_of(from_, option="--from"), moment_of(to, option="--to", end=True)
    if start is not None and end is not None and end < start:
        raise InputError(
            f"expected --to after --from, found {from_} to {to}", hint="swap them, or leave one out"
        )
    return start, end


@app.command("status", epilog="\b\nExample:\n  deleverage lake status --lake lake")
def status(lake: LakeFolder, json: Json = False) -> None:
    """Say which tables a lake holds: rows, from when to when, size, files, last write."""
    from deleverage.cli.stream import columns, emit, emit_json
    from deleverage.data.lake import Lake

    opened = Lake.open(lake)
    rows = opened.status()
    if json:
        emit_json({"lake": lake, "tables": rows, "imports": opened.imports})
        return
    emit("\n".join(_held([row for row in rows if row.rows], columns())))
    empty = [row.table for row in rows if not row.rows]
    if empty:
        emit(fill(f"empty: {', '.join(empty)}", width=min(columns(), 78), subsequent_indent="       "))


def _held(rows: Sequence[TableStatus], width: int) -> list[str]:
    """A line a table; with less room the last write goes, then files and hours, then the size."""
    columns = {
        "table": [row.table for row in rows],
        "rows": [f"{row.rows:,}" for row in rows],
        "MB": [f"{row.bytes / 1e6:,.1f}" for row in rows],
        "files": [f"{row.files:,}" for row in rows],
        "from (UTC)": [_minute(row.first) for row in rows],
        "to (UTC)": [_minute(row.last) for row in rows],
        "written": [_minute(row.written) for row in rows],
    }
    for lesser in ("", "written", "files", "hours", "MB", "from (UTC)"):
        columns.pop(lesser, None)
        if lesser == "hours":
            for name in ("from (UTC)", "to (UTC)"):
                columns[name] = [text[:10] for text in columns[name]]
        widths = {name: max(map(len, [name, *cells])) for name, cells in columns.items()}
        if sum(widths.values()) + 2 * (len(widths) - 1) <= width:
            break
    lines = []
    for line in [tuple(columns), *zip(*columns.values(), strict=True)]:
        cells = [
            text.rjust(widths[name]) if name in ("rows", "MB", "files") else text.ljust(widths[name])
            for name, text in zip(columns, line, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _minute(moment: str | None) -> str:
    return (moment or "-").replace("T", " ")[:16]


@app.command(
    "check",
    epilog="\b\nExamples:\n  deleverage lake check --lake lake\n"
    "  deleverage lake check --lake lake --table candles --from 2025-10-01 --to 2025-10-31",
)
def check(
    lake: LakeFolder, table: Table = None, from_: From = None, to: To = None, json: Json = False
) -> None:
    """Look for gaps, duplicates, wrong clocks or units and impossible values; exit 1 if any is found."""
    from deleverage.cli.stream import Progress, emit, emit_json, note
    from deleverage.data.lake import Lake, iso
    from deleverage.errors import EXIT_CHECK_NOT_MET

    start, end = span_of(from_, to)
    with Progress() as progress:
        progress(0, 0, "checking")
        findings = Lake.open(lake).check(table, start_ns=start, end_ns=end)
    rows = list(findings.iter_rows(named=True))
    if json:
        emit_json({"lake": lake, "findings": rows})
    elif not rows:
        emit("nothing found")
    else:
        heading = ""
        alike = Counter((row["check"], row["table"], row["severity"], row["todo"]) for row in rows)
        for row in rows:
            count = alike[row["check"], row["table"], row["severity"], row["todo"]]
            title = f"{row['check']} in {row['table']} ({row['severity']}), {count:,}: {row['todo']}"
            if title != heading:
                _told(title, "")
                heading = title
            span = iso(row["time_ns"])[:19] + "Z"
            if row["end_ns"] != row["time_ns"]:
                span += f" to {iso(row['end_ns'])[:19]}Z"
            _told(f"{row['venue']} {row['symbol']}  {span}", "  ")
            _told(f"expected {row['expected']}; found {row['found']}", "    ")
        errors = sum(row["severity"] == "error" for row in rows)
        note(
            f"{len(rows):,} finding{'' if len(rows) == 1 else 's'}, {errors} of them "
            + ("an error" if errors == 1 else "errors")
        )
    if rows:
        raise typer.Exit(EXIT_CHECK_NOT_MET)


def _told(text: str, indent: str) -> None:
    """Print a line of a finding, folded to the terminal's width."""
    from deleverage.cli.stream import columns, emit

    emit(
        fill(
            printable(text), columns(), initial_indent=indent, subsequent_indent=indent + "  ",
            break_on_hyphens=False, break_long_words=False,
        )
    )  # fmt: skip


@app.command("compact", epilog="\b\nExample:\n  deleverage lake compact --lake lake")
def compact(
    lake: LakeFolder,
    table: Table = None,
    target_mb: Annotated[
        float, typer.Option("--target-mb", metavar="MB", min=0.001, help="Size of the files that are made.")
    ] = 64.0,
    json: Json = False,
) -> None:
    """Put small files together, sorted by time; rows stay, and collectors go on meanwhile."""
    from deleverage.cli.stream import Progress, emit, emit_json
    from deleverage.data.lake import Lake

    with Progress() as progress:
        progress(0, 0, "putting files together")
        done = Lake.open(lake).compact(table, target_bytes=int(target_mb * 1e6))
    if json:
        emit_json({"lake": lake, "tables": done})
        return
    for one in done:
        if one.files_before != one.files_after:
            emit(
                f"{one.table:<20}{one.files_before:>7,} files are {one.files_after:,} now, {one.rows:,} rows "
                f"in {one.bytes / 1e6:,.1f} MB"
            )
    if all(one.files_before == one.files_after for one in done):
        emit("nothing to put together")


@app.command("vacuum", epilog="\b\nExample:\n  deleverage lake vacuum --lake lake --keep-hours 24")
def vacuum(
    lake: LakeFolder,
    table: Table = None,
    keep_hours: Annotated[
        float, typer.Option("--keep-hours", metavar="H", help="Keep what was live so recently; at least 1.")
    ] = 168.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    json: Json = False,
) -> None:
    """Delete files that are no longer live, and what killed writers have left."""
    from deleverage.cli.stream import Progress, emit, emit_json
    from deleverage.data.lake import Lake

    with Progress() as progress:
        progress(0, 0, "looking for files that are no longer live")
        done = Lake.open(lake).vacuum(table, keep_hours=keep_hours, dry_run=dry_run)
    if json:
        emit_json({"lake": lake, "dry_run": dry_run, "tables": done})
        return
    what = "would be deleted" if dry_run else "deleted"
    for one in done:
        if one.files:
            size = "" if one.bytes is None else f", {one.bytes / 1e6:,.1f} MB"
            emit(f"{one.table:<20}{one.files:>7,} files {what}{size}")
    if not any(one.files for one in done):
        emit(f"nothing to delete: what was live in the last {keep_hours:g} h stays (--keep-hours)")


@app.command(
    "sql",
    epilog="\b\nExamples:\n"
    '  deleverage lake sql "select venue, count(*) from trades group by venue" --lake lake\n'
    '  deleverage lake sql "select bucket(time_ns, 3600) as hour, sum(usd) from trades group by hour" '
    "--lake lake",
)
def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT over the lake's tables.")],
    lake: LakeFolder,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=0, help="Print so many rows; 0 prints all.")
    ] = 50,
    json: Json = False,
) -> None:
    """Ask the lake in SQL (DuckDB). It is only read: a query that writes or reaches outside is refused.

    bucket(time_ns, seconds) is the start of a time's bucket, utc(time_ns) its text. In JSON, dates and times
    are ISO texts (UTC), bytes are hex, and numbers that are not finite are null.
    """
    from deleverage.cli.stream import Progress, columns, emit, emit_json, is_terminal, note
    from deleverage.data.lake import Lake

    with ended_in_order(), Progress() as progress:
        progress(0, 0, "asking the lake")
        rows = Lake.open(lake).sql(query, progress=progress)
    shown = rows.head(limit) if limit else rows
    if json:
        answer = [[json_value(value) for value in row] for row in shown.rows()]
        emit_json({"columns": shown.columns, "rows": answer, "all": rows.height})
    elif shown.columns == ["explain_key", "explain_value"]:  # a drawing of many lines
        emit("\n".join(str(plan) for _, plan in shown.rows()))
    else:
        text = aligned(shown.columns, shown.rows())
        if is_terminal() and shown.height and max(map(len, text.splitlines())) > columns():
            text = records(shown.columns, shown.rows(), columns())
        emit(text)
    if shown.height < rows.height:
        note(f"{shown.height:,} of {rows.height:,} rows; --limit 0 prints all")


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does: what was brought to this machine is removed."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():  # Python allows it nowhere else
        yield
        return

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def aligned(names: list[str], rows: list[tuple[object, ...]]) -> str:
    """Rows as text in columns: numbers to the right, texts to the left, '-' for null."""
    names = [printable(name) for name in names]
    cells = [["-" if value is None else _cell(value) for value in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(names, *cells, strict=True)]
    right = [any(isinstance(row[k], int | float) for row in rows) for k in range(len(names))]
    lines = [
        "  ".join(
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in [names, *cells]
    ]
    return "\n".join(lines)


def records(names: list[str], rows: list[tuple[object, ...]], width: int) -> str:
    """Rows one below the other, a line a column: for a window that is too narrow for columns."""
    names = [printable(name) for name in names]
    wide = max(map(len, names)) + 2
    lines: list[str] = []
    for number, row in enumerate(rows, start=1):
        lines += [""] * (number > 1) + [f"row {number:,}"]
        for name, value in zip(names, row, strict=True):
            told = wrap("-" if value is None else _cell(value), max(width - wide - 2, 8)) or [""]
            lines += [f"  {name if k == 0 else '':<{wide}}{part}" for k, part in enumerate(told)]
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, bytes):
        return printable(value[:40].decode("utf-8", "replace"))
    return printable(str(value))


def printable(text: str) -> str:
    """Text out of data with its control characters escaped, which could otherwise rule the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def json_value(value: object) -> object:
    """A value of an answer as JSON knows it: ISO text for dates and times, hex for bytes, null for NaN."""
    from datetime import date, datetime, time
    from math import isfinite

    if isinstance(value, float):
        return value if isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [json_value(one) for one in value]
    if isinstance(value, dict):
        return {str(name): json_value(one) for name, one in value.items()}
    return str(value)


@app.command(
    "reparse",
    epilog="\b\nExample:\n  deleverage lake reparse --venue okx --from 2026-11-01 --lake lake",
)
def reparse(
    lake: LakeFolder,
    venue: Annotated[str, typer.Option(metavar="V", help="Whose messages are read again.")],
    stream: Annotated[
        str | None, typer.Option(metavar="S", help="Only messages of this stream; all by default.")
    ] = None,
    from_: From = None,
    to: To = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also messages that the newest parser has read.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would change.")] = False,
    json: Json = False,
) -> None:
    """Read stored messages again with the newest parser, and put its rows in place of the older ones."""
    from deleverage.cli.stream import Progress, emit, emit_json
    from deleverage.data.lake import Lake

    start, end = span_of(from_, to)
    with Progress() as progress:
        progress(0, 0, "reading messages again")
        done = Lake.open(lake).reparse(
            venue, stream=stream, start_ns=start, end_ns=end, again=again, dry_run=dry_run
        )
    if json:
        emit_json({"lake": lake, "dry_run": dry_run, **done._asdict()})
        return
    emit(f"{done.payloads:,} messages read again with {done.parser}, {done.failed:,} of them not readable")
    for one in done.tables:
        emit(
            f"  {one.table:<20}{one.added:>10,} added {one.changed:>10,} changed {one.removed:>10,} removed "
            f"{one.unchanged:>10,} as before"
        )
    if done.left_alone:
        emit(f"{done.left_alone:,} messages of other parsers left alone: import their files again")
