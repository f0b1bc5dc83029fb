"""The command `lake feeds`: which venue's feed shows how much of what was liquidated."""

from __future__ import annotations

from typing import Annotated

import typer

EXAMPLES = "\b\nExamples:\n  deleverage lake feeds\n  deleverage lake feeds --venue binance --at 2025-10-10"


def feeds(
    venue: Annotated[str | None, typer.Option(metavar="V", help="Only this venue.")] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="DATE", help="Only what held on this day (UTC), YYYY-MM-DD.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what each venue's feed of liquidations publishes, since when, and who says so."""
    from deleverage.cli.rules import day_of
    from deleverage.cli.stream import columns, emit, emit_json, has_colour, plain
    from deleverage.data.feeds import feeds_on
    from deleverage.report.feeds import screen

    rows = feeds_on(venue, day_of(at))
    if not json:
        emit(screen(rows, columns(), has_colour()))
        return
    listed = [plain(row) for row in rows]
    for row in listed:
        row["since"], row["until"] = (
            None if row[k] is None else row[k].isoformat() for k in ("since", "until")
        )
        row["sources"] = [{**source, "read": source["read"].isoformat()} for source in row["sources"]]
    emit_json({"feeds": listed})
