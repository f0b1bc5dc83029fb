"""Fetch a macro series into a lake: what is new is added, what was changed is written down beside it."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from deleverage.data.backfill.days import DAY_NS, day_of_ns, each_day, end_ns, now_ns, start_ns
from deleverage.data.backfill.gaps import gap_rows
from deleverage.data.backfill.kept import keep_answer
from deleverage.data.backfill.ledger import FETCHED, Ledger
from deleverage.data.backfill.patience import Pace, Patience
from deleverage.data.backfill.request import (
    BackfillReport,
    Gap,
    Progress,
    Request,
    SeriesReport,
    checked_interval,
)
from deleverage.data.backfill.web import Web, base_url
from deleverage.data.lake import Lake
from deleverage.data.macro import fear_greed
from deleverage.data.macro.vintages import append_vintage
from deleverage.errors import InputError

if TYPE_CHECKING:
    import polars as pl

GOLD_INTERVAL = "1h"


def backfill_macro(
    request: Request, lake_folder: Path | str, *, url: str, progress: Progress | None, patience: Patience
) -> BackfillReport:
    """Fetch the days of a macro source; see `deleverage.data.backfill.run.backfill`."""
    if request.kinds:
        raise InputError(
            f"{request.source}: expected no --what, found {', '.join(request.kinds)}",
            hint="It has one series; leave the option out.",
        )
    if request.source == "gold":
        return _gold(request, lake_folder, url, progress, patience)
    fetches = _fetches(request, url, patience)
    report = BackfillReport(request.source)
    lake = Lake.create(lake_folder)
    for number, (symbol, table, regular, fetch) in enumerate(fetches.plan):
        if progress is not None:
            progress(number, len(fetches.plan), f"{request.source} {symbol}")
        series = SeriesReport(table, symbol)
        report.series.append(series)
        changed = _take(lake, request, series, table, fetch(), regular=regular, oldest=fetches.oldest_ns)
        if changed:
            keep_answer(lake, request.source, symbol, fetches.web.last_body, rows=changed)
    report.requests, report.received_bytes = fetches.web.requests, fetches.web.received_bytes
    report.retries, report.waited_s = patience.retries, patience.waited_s
    return report


class _Plan:
    """Which calls a source needs."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.plan: list[tuple[str, str, bool, _Fetch]] = []
        self.oldest_ns: int | None = None


if TYPE_CHECKING:
    from collections.abc import Callable

    _Fetch = Callable[[], pl.DataFrame]


def _fetches(request: Request, url: str, patience: Patience) -> _Plan:
    if request.source == "fear-greed":
        if request.symbols:
            raise InputError(
                f"fear-greed: expected no symbol, found {', '.join(request.symbols)}",
                hint="It is one series.",
            )
        plan = _Plan(Web(patience))
        base = base_url(url) if url else fear_greed.BASE
        plan.plan = [("", "sentiment", True, lambda: fear_greed.fetch(plan.web, base))]
        return plan
    if not request.symbols:
        raise InputError(
            f"{request.source}: expected at least one coin, found none", hint="Give one, like BTC."
        )
    if request.source == "farside":
        return _farside(request, url, patience)
    return _caps(request, url, patience)


def _farside(request: Request, url: str, patience: Patience) -> _Plan:
    from deleverage.data.macro import farside

    unknown = [symbol for symbol in request.symbols if symbol not in farside.PATHS]
    if unknown:
        raise InputError(
            f"farside: expected coins of {', '.join(farside.PATHS)}, found '{unknown[0]}'",
            hint="Give the coin of the funds.",
        )
    plan = _Plan(Web(patience, pace=Pace(2.0 if not url else 0.0)))
    base = base_url(url) if url else farside.BASE
    plan.plan = [
        (symbol, farside.TABLE, False, lambda symbol=symbol: farside.fetch(plan.web, base, symbol))  # type: ignore[misc]
        for symbol in request.symbols
    ]
    return plan


def _caps(request: Request, url: str, patience: Patience) -> _Plan:
    from deleverage.data.macro.market_cap import TABLE, CoinGecko, CoinMarketCap

    key = os.environ.get(f"DELEVERAGE_{request.source.upper()}_KEY", "")
    if request.source == "coinmarketcap" and not key:
        raise InputError(
            "coinmarketcap: expected a key in the environment, found no DELEVERAGE_COINMARKETCAP_KEY",
            hint="The publisher answers to keys only.",
        )
    publisher: CoinGecko | CoinMarketCap
    publisher = CoinGecko(key) if request.source == "coingecko" else CoinMarketCap(key)
    plan = _Plan(Web(patience, headers=publisher.headers, pace=Pace(0.0 if url else publisher.apart_s)))
    base = base_url(url) if url else publisher.base
    oldest = publisher.oldest_ns(now_ns())
    plan.oldest_ns = oldest
    first = request.first if oldest is None else max(request.first, day_of_ns(oldest + DAY_NS - 1))
    last = min(request.last, day_of_ns(now_ns()))
    if first <= last:
        plan.plan = [
            (
                symbol.partition("=")[0],
                TABLE,
                True,
                lambda symbol=symbol: publisher.fetch(plan.web, base, symbol, first, last),  # type: ignore[misc]
            )
            for symbol in request.symbols
        ]
    return plan


def _take(
    lake: Lake,
    request: Request,
    series: SeriesReport,
    table: str,
    frame: pl.DataFrame,
    *,
    regular: bool,
    oldest: int | None,
) -> int:
    """New rows, revisions, and the days that a daily series does not have; how many are new or revised."""
    import polars as pl

    now = now_ns()
    low, high = start_ns(request.first), end_ns(request.last)
    frame = frame.filter(pl.col("time_ns").is_between(low, high, closed="left") & (pl.col("time_ns") <= now))
    received = now
    source = f"{FETCHED}{request.source}/{table}"
    series.added, revised = append_vintage(lake, table, frame, source=source, received_ns=received)
    series.repeated = frame.height - series.added
    for row in revised.head(3).iter_rows(named=True):
        what = "/".join(part for part in (str(row["series"]), str(row["column"])) if part)
        series.note(f"revised: {what} of {day_of_ns(row['time_ns'])} was {row['before']}, is {row['value']}")
    if revised.height > 3:
        series.note(f"revised: {revised.height - 3} more values, all in the table 'revisions'")
    there = {day_of_ns(time) for time in frame["time_ns"].unique()}
    asked = list(each_day(request.first, request.last))
    series.asked, series.fetched = len(asked), sorted(there)
    series.not_yet = [day for day in asked if day not in there and start_ns(day) + DAY_NS > now]
    changed = series.added + revised.height
    if not regular:
        return changed
    early = min(there, default=None)
    for day in asked:
        if day in there or day in series.not_yet:
            continue
        if oldest is not None and start_ns(day) < oldest:
            series.too_old.append(day)
        elif early is not None and day < early and not _known_before(lake, table, day, frame):
            series.before_first.append(day)
        else:
            series.missing.append(day)
    gaps = [Gap(start_ns(day), end_ns(day), 1) for day in series.missing]
    if gaps:
        series.gaps += gaps
        publisher = str(frame["publisher"][0]) if frame.height else request.source
        lake.append("gaps", gap_rows(gaps, publisher, table, series.symbol, now), source_id=source)
    return changed


def _known_before(lake: Lake, table: str, day: date, frame: pl.DataFrame) -> bool:
    """Whether the lake has an earlier row of the series: then the publisher once had the day's neighbours."""
    where = {"publisher": str(frame["publisher"][0])}
    if "coin" in frame.columns:
        where["coin"] = str(frame["coin"][0])
    return bool(lake.read(table, end_ns=start_ns(day), where=where).height)


def _gold(
    request: Request, folder: Path | str, url: str, progress: Progress | None, patience: Patience
) -> BackfillReport:
    from dataclasses import replace

    from deleverage.data.backfill.ccxt_door import Venue
    from deleverage.data.backfill.rest_run import RestRun
    from deleverage.data.macro.gold import MARKETS, Gold

    symbols = request.symbols or tuple(MARKETS)
    request = replace(
        request, symbols=symbols, interval=request.interval if request.interval != "1m" else GOLD_INTERVAL
    )
    checked_interval(request.interval)
    adapters = {symbol: Gold(symbol) for symbol in symbols}
    report = BackfillReport(request.source)
    venues = {symbol: Venue(f"gold-{adapter.venue}", url, patience) for symbol, adapter in adapters.items()}
    lake = Lake.create(folder)
    for symbol, adapter in adapters.items():
        run = RestRun(adapter, venues[symbol], request, progress)
        series = SeriesReport("gold", symbol)
        report.series.append(series)
        run.fetch(Ledger(lake, "gold", "bars", symbol, ("macro",), request.interval), "gold", symbol, series)
        report.notes += run.notes
        report.requests += venues[symbol].requests
    report.retries, report.waited_s = patience.retries, patience.waited_s
    return report
