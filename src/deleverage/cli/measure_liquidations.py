"""The command `measure liquidations`: what was liquidated, by the feeds and behind them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from deleverage.errors import InputError, MissingDataError

if TYPE_CHECKING:
    from deleverage.data.lake import Lake

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DAY_NS = 86_400 * 1_000_000_000
_CONTEXT_NS = 7 * _DAY_NS


EXAMPLES = (
    "\b\nExamples:\n"
    "  deleverage measure liquidations --lake lake\n"
    "  deleverage measure liquidations --lake lake --symbol BTC --from 2025-01-27 --bucket 15m --json\n"
    "  deleverage measure liquidations --lake lake --at 2025-01-27T17:00Z    as it was known then"
)


def liquidations(
    lake: Annotated[
        str, typer.Option("--lake", metavar="DIR", help="Folder of the lake, or its address (s3://...).")
    ],
    venue: Annotated[str | None, typer.Option(metavar="V", help="Only this venue.")] = None,
    symbol: Annotated[
        str | None, typer.Option(metavar="S", help="Only this coin or contract: BTC or BTCUSDT.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="First moment (UTC); the day before the last event."),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="End (UTC), not included; after the last event."),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="Use only what was known by then.")
    ] = None,
    bucket: Annotated[
        str, typer.Option(metavar="LENGTH", help="Length of a row in --json: 15m, 1h, 1d.")
    ] = "1h",
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same draws.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Liquidations by venue, coin and side: as published, and the true total behind them with a 90 % band."""
    stretch_ns = length_ns("--bucket", bucket)
    begin, stop, known = (
        None if text is None else moment_ns(name, text)
        for name, text in (("--from", start), ("--to", end), ("--at", at))
    )
    from deleverage.cli.stream import Progress, columns, emit, emit_json, has_colour
    from deleverage.data.lake import Lake
    from deleverage.measure.throttled.liquidations import measure_liquidations
    from deleverage.report.liquidations import screen

    with Progress() as progress:
        progress(0, 0, "liquidations")
        source = Lake.open(lake)
        first, last = _span(source, venue, symbol, known)
        if stop is None:  # whole buckets, but for the one in which knowledge ends
            stop = (last // stretch_ns + 1) * stretch_ns
            stop = stop if known is None else min(stop, known)
        if begin is None:
            begin = max(first, stop - _DAY_NS) // stretch_ns * stretch_ns
        if stop <= begin:
            raise InputError(
                f"expected --to after --from, found {_iso(begin)} to {_iso(stop)}",
                hint="swap them, or leave one out",
            )
        events = source.read("liquidations", start_ns=begin - _CONTEXT_NS, end_ns=stop - 1)
        # a full feed of another venue teaches what bursts are like: all venues are read, and rows picked
        found = measure_liquidations(
            events,
            start_ns=begin,
            end_ns=stop,
            stretch_ns=stretch_ns,
            seed=seed,
            known_ns=known,
            trades=source.read("trades", start_ns=begin, end_ns=stop - 1),
            open_interest=source.read("open_interest", start_ns=begin - _CONTEXT_NS, end_ns=stop),
            totals=source.read("liquidation_totals", start_ns=begin, end_ns=stop - 1),
            venue=venue,
            symbol=symbol,
        )
    if found.whole.is_empty():
        raise MissingDataError(
            f"the lake has no liquidations {_asked(venue, symbol)}from {_iso(begin)} to {_iso(stop)}",
            hint=f"it has some from {_iso(first)} to {_iso(last)}; ask for that time, or import more",
            table="liquidations",
        )
    if json:
        emit_json(
            {
                "from": _iso(begin), "to": _iso(stop), "at": None if known is None else _iso(known),
                "bucket_s": stretch_ns // 1_000_000_000, "seed": seed,
                "whole": found.whole.to_dicts(), "buckets": found.stretches.to_dicts(),
            }
        )  # fmt: skip
        return
    emit(screen(found, begin, stop, known, columns(), has_colour()))


def length_ns(name: str, text: str) -> int:
    """A length like '15m' in nanoseconds.

    Raises
    ------
    InputError
        it is none.
    """
    number, unit = text[:-1], text[-1:]
    if not number.isascii() or not number.isdigit() or unit not in _UNITS_S or not int(number):
        raise InputError(
            f"{name} {text}: expected a whole number with a unit of {', '.join(_UNITS_S)}, found {text!r}",
            hint="Give for instance 15m or 1h.",
        )
    return int(number) * _UNITS_S[unit] * 1_000_000_000


def moment_ns(name: str, text: str) -> int:
    """A day or a moment (UTC where no zone is given) in nanoseconds.

    Raises
    ------
    InputError
        it is neither.
    """
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise InputError(
            f"{name} {text}: expected a day or a moment like 2025-10-10T21:15, found {text!r}",
            hint="Give year, month and day, and the time if wanted.",
        ) from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    past = moment - datetime.combine(date(1970, 1, 1), datetime.min.time(), UTC)
    return (past // timedelta(microseconds=1)) * 1000


def _span(source: Lake, venue: str | None, symbol: str | None, known: int | None) -> tuple[int, int]:
    """First and last event [ns UTC] of what is asked for."""
    import polars as pl

    from deleverage.measure.throttled.liquidations import asked_for

    rows = source.read(
        "liquidations",
        end_ns=None if known is None else known - 1,
        columns=["time_ns", "venue", "coin", "symbol"],
    )
    times = rows.filter(asked_for(venue, symbol)).select(
        first=pl.col("time_ns").min(), last=pl.col("time_ns").max()
    )
    first, last = times.row(0)
    if first is None:
        raise MissingDataError(
            f"the lake has no liquidations {_asked(venue, symbol)}"
            + ("" if known is None else f"before {_iso(known)}"),
            hint="import files that hold them: `deleverage import FOLDER --lake DIR`, or collect them: "
            "`deleverage collect`",
            table="liquidations",
        )
    return int(first), int(last)


def _asked(venue: str | None, symbol: str | None) -> str:
    return f"of {' '.join(name for name in (venue, symbol) if name)} " if venue or symbol else ""


def _iso(time_ns: int) -> str:
    from deleverage.data.lake import iso

    return iso(time_ns)
