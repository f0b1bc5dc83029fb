"""Fetch past data from a source into a lake: the one public call behind `deleverage backfill`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from deleverage.data.backfill.archive import Archive
from deleverage.data.backfill.archive_run import ArchiveRun
from deleverage.data.backfill.days import day_of_ns, now_ns
from deleverage.data.backfill.kept import keep_answer
from deleverage.data.backfill.ledger import Ledger
from deleverage.data.backfill.patience import Patience
from deleverage.data.backfill.request import (
    BackfillReport,
    Progress,
    Request,
    SeriesReport,
    checked_interval,
    checked_kinds,
)
from deleverage.data.backfill.rest.base import Adapter
from deleverage.data.backfill.rest_run import RestRun
from deleverage.data.backfill.series import TABLES
from deleverage.data.backfill.sources import MACRO, source_named
from deleverage.data.backfill.web import Web, base_url
from deleverage.data.lake import Lake
from deleverage.errors import InputError, SourceChanged

_ARCHIVE_SYMBOL = re.compile(r"[A-Z0-9_-]+")
_VENUE_SYMBOL = re.compile(r"[A-Za-z0-9_:@/.-]+")


def backfill(
    request: Request,
    lake_folder: Path | str,
    *,
    url: str = "",
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> BackfillReport:
    """Fetch what is asked for and is not complete in the lake at ``lake_folder``, which is made where there
    is none.

    Parameters
    ----------
    url : another server that speaks the source's endpoints, instead of the source's own.
    progress : called with (days done, days to fetch, label).

    Raises
    ------
    InputError
        the source does not serve what is asked for; nothing was fetched.
    SourceUnavailable
        the source does not answer; what was fetched before is kept, and the same call goes on from there.
    SourceChanged
        an answer could not be read at every try; it is in the table `payloads`, so that a person can look at
        it.
    """
    _check(request)
    try:
        return _fetch(request, lake_folder, url, progress, patience or Patience())
    except SourceChanged as error:
        unread = error.context.get("unread")
        if isinstance(unread, bytes):
            keep_answer(Lake.create(lake_folder), request.source, "", unread, error=error.message)
        raise


def _fetch(
    request: Request, lake_folder: Path | str, url: str, progress: Progress | None, patience: Patience
) -> BackfillReport:
    source = source_named(request.source)
    if source.group == MACRO:
        from deleverage.data.macro.run import backfill_macro

        return backfill_macro(request, lake_folder, url=url, progress=progress, patience=patience)
    report = BackfillReport(request.source)
    if source.needs_ccxt:
        return _from_venue(request, lake_folder, url, progress, patience, report)
    return _from_archive(request, lake_folder, url, progress, patience, report)


def _from_archive(
    request: Request,
    folder: Path | str,
    url: str,
    progress: Progress | None,
    patience: Patience,
    report: BackfillReport,
) -> BackfillReport:
    web = Web(patience)
    archive = Archive(web, base_url(url), base_url(url)) if url else Archive(web)
    run = ArchiveRun(archive, request, progress, spot=request.source == "binance-spot")
    for kind in request.kinds:
        for symbol in request.symbols:
            run.series(kind, symbol)
    lake = Lake.create(folder)
    try:
        for kind, symbol in _series(request):
            series = SeriesReport(kind, symbol)
            report.series.append(series)
            run.fetch(_ledger(lake, request, kind, symbol), kind, symbol, series)
    finally:
        _costs(report, web.requests, patience, web.received_bytes)
    return report


def _from_venue(
    request: Request,
    folder: Path | str,
    url: str,
    progress: Progress | None,
    patience: Patience,
    report: BackfillReport,
) -> BackfillReport:
    from deleverage.data.backfill.ccxt_door import Venue

    adapter = adapter_of(request.source)
    for symbol in request.symbols:
        adapter.contract(symbol)
    venue = Venue(request.source, url, patience)
    run = RestRun(adapter, venue, request, progress)
    for kind, symbol in _series(request):
        run.contract(symbol, kind)
    lake = Lake.create(folder)
    try:
        for kind, symbol in _series(request):
            series = SeriesReport(kind, symbol)
            report.series.append(series)
            run.fetch(_ledger(lake, request, kind, symbol), kind, symbol, series)
    finally:
        report.notes += run.notes
        _costs(report, venue.requests, patience, 0)
    return report


def adapter_of(source: str) -> Adapter:
    """The adapter of a venue's REST interface."""
    from deleverage.data.backfill.rest.binance import Binance
    from deleverage.data.backfill.rest.bybit import Bybit
    from deleverage.data.backfill.rest.deribit import Deribit
    from deleverage.data.backfill.rest.hyperliquid import Hyperliquid
    from deleverage.data.backfill.rest.okx import Okx

    adapters: dict[str, type[Adapter]] = {
        "binance-rest": Binance,
        "bybit": Bybit,
        "okx": Okx,
        "hyperliquid": Hyperliquid,
        "deribit": Deribit,
    }
    return adapters[source]()


def _check(request: Request) -> None:
    source = source_named(request.source)
    if request.first > request.last:
        raise InputError(
            f"--from {request.first}: expected a day up to --to {request.last}, found a later one",
            hint="Give the earlier day first.",
        )
    today = day_of_ns(now_ns())
    if request.first > today:
        raise InputError(
            f"--from {request.first}: expected a day up to today ({today}), found one that has not come",
            hint="Give a day in the past.",
        )
    if source.group == MACRO:
        return
    if not request.symbols:
        raise InputError(
            f"{request.source}: expected at least one symbol, found none",
            hint=f"Give one, like {source.example}.",
        )
    if not request.kinds:
        raise InputError(
            f"{request.source}: expected --what, found nothing",
            hint=f"Give one or more of {', '.join(n for n, why in source.serves.items() if not why)}.",
        )
    # A symbol becomes a part of paths and addresses.
    allowed = _VENUE_SYMBOL if source.needs_ccxt else _ARCHIVE_SYMBOL
    for symbol in request.symbols:
        if not allowed.fullmatch(symbol) or ".." in symbol:
            raise InputError(
                f"{request.source}: expected a symbol like {source.example}, found {symbol!r}",
                hint="Give the source's own name of the contract.",
                symbol=symbol,
            )
    checked_kinds(request.kinds, dict(source.serves), request.source)
    checked_interval(request.interval)


def _series(request: Request) -> Sequence[tuple[str, str]]:
    return [(kind, symbol) for symbol in request.symbols for kind in request.kinds]


def _ledger(lake: Lake, request: Request, kind: str, symbol: str) -> Ledger:
    variant = request.interval if kind == "klines" else ""
    return Ledger(lake, request.source, kind, symbol, TABLES[kind], variant)


def _costs(report: BackfillReport, requests: int, patience: Patience, received: int) -> None:
    report.requests += requests
    report.retries, report.waited_s = patience.retries, patience.waited_s
    report.received_bytes += received
