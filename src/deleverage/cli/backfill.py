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
    "  deleverage backfill gaps --lake lake --dry-run\n"
    "  deleverage backfill gaps BTCUSDT --venue binance --what trades --lake lake\n"
    "  deleverage backfill --sources"
)


def backfill(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A name of `backfill --sources`, or gaps.")
    ] = "",
    symbols: Annotated[
        list[str] | None,
        typer.Argument(metavar="SYMBOL", help="Contracts or coins by the source's own name."),
    ] = None,
    what: Annotated[
        str,
        typer.Option(
            metavar="KINDS",
            help="Of klines, metrics, funding, open_interest, trades, depth, liquidations, with commas; "
            "of gaps the streams.",
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
    venue: Annotated[
        str, typer.Option("--venue", metavar="VENUES", help="With gaps: only these venues; with commas.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With gaps: say what can still be had, and ask nobody.")
    ] = False,
    sources: Annotated[
        bool, typer.Option("--sources", help="Say what each source has, its limits and terms; and stop.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Fetch past data into a lake; what is complete is not fetched again, and what is missing is said.

    SOURCE gaps asks the venues for what is missing in the gaps that a collector has recorded; --from and --to
    may be left out then. A backfill that was stopped goes on where it was when the same command is repeated.
    Exit code 3: something that the source should have could not be used, or it does not answer.
    """
    if sources:
        _print_sources(json)
        return 0
    if source == "gaps":
        return _gaps(symbols or [], what, first, last, lake, venue, dry_run, url, json)
    for option, given in (("--venue", venue), ("--dry-run", dry_run)):
        if given:
            raise InputError(
                f"{option}: expected with the source 'gaps' only, found with '{source}'",
                hint="`deleverage backfill gaps --lake DIR` fills recorded gaps.",
            )
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
        _words(what),
        parse_day(first, "--from"),
        parse_day(last, "--to"),
        interval,
    )
    with Progress() as progress:
        progress(0, 0, f"asking {source} what there is")
        report = run(request, lake, url=url, progress=progress)
    if json:
        emit_json(report.to_json())
    else:
        emit(_folded(_text(report.to_json())))
    if report.failed:
        note("deleverage: some of what the source has could not be used, see above; the rest was kept.")
        return exit_code(SourceChanged(""))
    return 0


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in text.replace(" ", "").split(",") if word))


def _gaps(
    symbols: list[str],
    what: str,
    first: str,
    last: str,
    lake: str | None,
    venue: str,
    dry_run: bool,
    url: str,
    json: bool,
) -> int:
    """Fill recorded gaps."""
    from deleverage.cli.stream import Progress, emit, emit_json, note
    from deleverage.data.backfill.days import end_ns, parse_day, start_ns
    from deleverage.data.backfill.fill import fill_gaps

    if lake is None:
        raise InputError(
            "expected --lake, found nothing", hint="Give the lake whose recorded gaps are to be filled."
        )
    with Progress() as progress:
        report = fill_gaps(
            lake,
            venues=_words(venue),
            symbols=tuple(dict.fromkeys(symbols)),
            streams=_words(what),
            start_ns=start_ns(parse_day(first, "--from")) if first else None,
            end_ns=end_ns(parse_day(last, "--to")) if last else None,
            dry_run=dry_run,
            url=url,
            progress=progress,
        )
    told = report.to_json()
    if json:
        emit_json(told)
    else:
        emit(_folded(_told(told)))
    if report.failed:
        note("deleverage: a venue could not be asked, see above; repeat the command to go on.")
        return exit_code(SourceChanged(""))
    return 0


def _folded(text: str) -> str:
    """As it is, or on a terminal in its width."""
    from deleverage.cli.stream import columns, has_colour, is_terminal
    from deleverage.report.lines import fold, render

    if not is_terminal():
        return text
    width, lines = columns(), []
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        lines += fold(line.strip(), width, indent=indent, hang=2)
    return render(lines, width, has_colour())


_SHOWN = 20


def _told(report: dict[str, Any]) -> str:
    """Filled gaps for people: those that were asked for one by one, the others by their reason."""
    from deleverage.data.lake import iso

    lines: list[str] = []
    reasons: dict[tuple[str, str, str], int] = {}
    asked = [gap for gap in report["gaps"] if gap["contracts"]]
    for gap in report["gaps"]:
        if not gap["contracts"] and gap["why"]:
            name = (gap["venue"], gap["stream"], gap["why"])
            reasons[name] = reasons.get(name, 0) + 1
    for gap in asked[:_SHOWN]:
        lost = "" if gap["events_lost"] is None else f", {gap['events_lost']:,} events lost"
        lines.append(
            f"{gap['venue']} {gap['stream']} {gap['symbol'] or 'all contracts'} {iso(gap['start_ns'])} to "
            f"{iso(gap['end_ns'])} ({gap['reason']}{lost}): {_STATES[gap['state']]}"
        )
        if gap["state"] == "planned":
            if not gap["symbol"]:
                lines.append(f"  {', '.join(one['contract'] for one in gap['contracts'])}")
            continue
        for one in gap["contracts"]:
            missing = "" if one["events_missing"] is None else f", {one['events_missing']:,} still missing"
            why = "".join(f"; {text}" for text in [*one["notes"], one["failure"]] if text)
            lines.append(
                f"  {one['contract']}: {one['state'] or 'not asked'}, {one['rows']:,} rows{missing}{why}"
            )
    if len(asked) > _SHOWN:
        where = "" if report["dry_run"] else ", and the table 'fills'"
        lines.append(f"and {len(asked) - _SHOWN} gaps more: --json lists them{where}")
    for (venue, stream, why), count in sorted(reasons.items()):
        lines.append(f"{venue} {stream}: {count} gap{'' if count == 1 else 's'}: {why}")
    if report["rows"]["conflicts"]:
        lines.append(
            f"{report['rows']['conflicts']} rows have the key of an earlier row and other values; "
            f"the earlier ones stay ({report['conflict_example']})"
        )
    counts = report["counts"]
    if report["dry_run"]:
        lines.append(
            f"{counts['planned']} gaps can be asked for, {counts['never']} cannot be had, "
            f"{counts['before']} are filled; nobody was asked"
        )
    else:
        lines.append(
            f"{counts['closed']} gaps closed, {counts['open']} open, {counts['never']} cannot be had, "
            f"{counts['before']} were filled before; {report['rows']['added']:,} rows added, "
            f"{report['requests']} requests, {report['retries']} repeated"
        )
    return "\n".join(lines)


_STATES = {"closed": "closed", "open": "still open", "planned": "can be asked for"}


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
