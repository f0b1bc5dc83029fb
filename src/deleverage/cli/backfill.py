"""The command `backfill`: past data from archives, venues and publishers into a lake."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from deleverage.errors import InputError, SourceChanged, exit_code

EXAMPLES = (
    "\b\nExamples:\n"
    "  deleverage backfill binance BTCUSDT --what klines,metrics,funding "
    "--from 2025-10-01 --to 2025-10-31 --lake lake\n"
    "  deleverage backfill deribit BTC-PERPETUAL --what liquidations "
    "--from 2025-10-10 --to 2025-10-10 --lake lake\n"
    "  deleverage backfill fear-greed --from 2018-02-01 --to 2025-11-16 --lake lake\n"
    "  deleverage backfill --sources"
)


def backfill(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A name of `backfill --sources`.")] = "",
    symbols: Annotated[
        list[str] | None,
        typer.Argument(metavar="SYMBOL", help="Contracts or coins by the source's own name."),
    ] = None,
    what: Annotated[
        str,
        typer.Option(
            metavar="KINDS",
            help="Of klines, metrics, funding, open_interest, trades, depth, liquidations; with commas.",
        ),
    ] = "",
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First day (UTC), YYYY-MM-DD.")] = "",
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Last day (UTC), included.")] = "",
    lake: Annotated[
        str | None,
        typer.Option("--lake", metavar="DIR", help="Folder of the lake, or its address (s3://...)."),
    ] = None,
    interval: Annotated[str, typer.Option(metavar="T", help="Length of a bar, like 1m or 1h.")] = "1m",
    url: Annotated[
        str, typer.Option(metavar="URL", help="Another server that speaks the source's endpoints.")
    ] = "",
    sources: Annotated[
        bool, typer.Option("--sources", help="Say what each source has, its limits and terms; and stop.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Fetch past data into a lake; what is complete is not fetched again, and what is missing is said.

    A backfill that was stopped goes on where it was when the same command is repeated. Exit code 3: something
    that the source should have could not be used, or it does not answer.
    """
    if sources:
        _print_sources(json)
        return 0
    from deleverage.cli.stream import Progress, emit, emit_json, note
    from deleverage.data.backfill.days import parse_day
    from deleverage.data.backfill.request import Request
    from deleverage.data.backfill.run import backfill as run

    missing = [
        n for n, v in (("SOURCE", source), ("--from", first), ("--to", last), ("--lake", lake)) if not v
    ]
    if missing or lake is None:
        raise InputError(
            f"expected {', '.join(missing)}, found nothing",
            hint="`deleverage backfill --sources` says what there is; `--help` shows examples.",
        )
    request = Request(
        source,
        tuple(dict.fromkeys(symbols or ())),
        tuple(dict.fromkeys(kind for kind in what.replace(" ", "").split(",") if kind)),
        parse_day(first, "--from"),
        parse_day(last, "--to"),
        interval,
    )
    with Progress() as progress:
        report = run(request, lake, url=url, progress=progress)
    if json:
        emit_json(report.to_json())
    else:
        emit(_text(report.to_json()))
    if report.failed:
        note("deleverage: some of what the source has could not be used, see above; the rest was kept.")
        return exit_code(SourceChanged(""))
    return 0


def _text(report: dict[str, Any]) -> str:
    from deleverage.data.lake import iso

    lines = []
    for one in report["series"]:
        days, rows = one["days"], one["rows"]
        lines.append(
            f"{report['source']} {one['symbol']} {one['kind']}: {days['fetched']} days fetched, "
            f"{days['complete_before']} were complete, {rows['added']:,} rows added"
        )
        for name, words in (
            ("partial", "not over: kept what is final, asked again next time"),
            ("missing", "not there, although others are"),
            ("before_first", "before the source's first day"),
            ("too_old", "older than what the source still gives"),
            ("not_yet", "not published yet"),
        ):
            if days[name]:
                lines.append(f"  {_stretches(days[name])}: {words}")
        for gap in one["gaps"][:5]:
            lost = "" if gap["rows_missing"] is None else f", {gap['rows_missing']:,} rows"
            lines.append(f"  gap {iso(gap['start_ns'])} to {iso(gap['end_ns'])}{lost}")
        if len(one["gaps"]) > 5:
            lines.append(f"  and {len(one['gaps']) - 5} gaps more: table 'gaps'")
        if rows["conflicts"]:
            lines.append(
                f"  {rows['conflicts']} rows have the key of an earlier row and other values; "
                f"the earlier ones stay ({one['conflict_example']})"
            )
        for told in one["notes"]:
            times = f" ({told['times']} times)" if told["times"] > 1 else ""
            lines.append(f"  {told['note']}{times}")
        lines += [f"  failed: {text}" for text in one["failures"]]
    lines += report["notes"]
    lines.append(
        f"{report['requests']} requests, {report['retries']} repeated, "
        f"{report['received_bytes'] / 1e6:.1f} MB"
    )
    return "\n".join(lines)


def _stretches(found: list[list[str]]) -> str:
    shown = ", ".join(a if a == b else f"{a} to {b}" for a, b in found[:4])
    return shown + (f" and {len(found) - 4} stretches more" if len(found) > 4 else "")


def _print_sources(json: bool) -> None:
    from textwrap import wrap

    from deleverage.cli.stream import columns, emit, emit_json
    from deleverage.data.backfill.sources import SOURCES

    if json:
        emit_json({"sources": list(SOURCES.values())})
        return
    lines: list[str] = []
    for one in SOURCES.values():
        lines.append(f"{one.name} ({one.group})")
        able = ", ".join(kind for kind, reason in one.serves.items() if not reason)
        for name, text in (
            ("holds", one.holds),
            ("--what", able),
            ("symbol", one.example),
            ("since", one.since),
            ("interval", one.interval),
            ("delay", one.delay),
            ("limits", one.limits),
            ("revisions", one.revisions),
            ("origin", one.origin),
            ("terms", one.terms),
            ("key", one.needs_key),
        ):
            if text:
                head, *rest = wrap(text, max(30, min(columns(), 110) - 14))
                lines += [f"  {name:<11} {head}", *(f"  {'':<11} {line}" for line in rest)]
        lines.append("")
    emit("\n".join(lines).rstrip())
