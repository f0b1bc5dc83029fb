"""How is a series fetched from the archive: which files, in which order, what when one is missing?

Months that are asked for whole come as monthly files, all else as daily ones. Some files are fetched ahead
while one is read. A file that is damaged or not as documented is reported and the others go on; a source that
does not answer ends the backfill, and what was read before stays.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from deleverage.data.backfill.archive import FAMILIES, Archive, ArchiveFile
from deleverage.data.backfill.archive_rows import METRICS_S, Rows, Series, rows_of
from deleverage.data.backfill.csv_block import Block
from deleverage.data.backfill.days import (
    Month,
    by_month,
    day_of_ns,
    end_ns,
    mask_of,
    month_of,
    now_ns,
    over,
    start_ns,
)
from deleverage.data.backfill.gaps import missing, missing_settlements
from deleverage.data.backfill.ledger import FETCHED, Ledger
from deleverage.data.backfill.request import Gap, Progress, Request, SeriesReport
from deleverage.data.backfill.series import SeriesWriter, todo
from deleverage.data.backfill.unzip import member
from deleverage.errors import InputError, SourceChanged, SourceError

if TYPE_CHECKING:
    import polars as pl

AHEAD = 6
PUBLISHED_WITHIN_DAYS = (
    4  # a daily file appears on the next day, a monthly one in the first days of the month
)
FLUSH_ROWS = 500_000
FLUSH_S = 20.0
_BLOCK_BYTES = 64 << 20
UM_LIQUIDATIONS = (
    "liquidations of USD-margined contracts ended on 2024-03-31 and are no longer in the archive; "
    "the coin-margined ones (like BTCUSD_PERP) were seen from 2023-06-25 to 2024-10-14"
)

_BY_COIN = ("klines", "funding", "trades", "liquidations")


@dataclass(frozen=True)
class _Job:
    """One file to read, and the days that it makes complete."""

    file: ArchiveFile
    month: Month
    days: int
    monthly: bool


@dataclass
class ArchiveRun:
    """A backfill from the archive.

    Parameters
    ----------
    spot : bars and trades of the spot market instead of the futures.
    flush_s : rows are written down at least so often [s].
    """

    archive: Archive
    request: Request
    progress: Progress | None = None
    spot: bool = False
    flush_s: float = FLUSH_S
    done: int = 0
    total: int = 0
    _since: float = field(default_factory=time.monotonic)

    def series(self, kind: str, symbol: str) -> Series:
        """The archive's name for a series; refuses what it cannot have."""
        coin_margined = "USD_" in symbol
        family = "metrics" if kind == "open_interest" else kind
        market = "spot" if self.spot else "futures/cm" if coin_margined else "futures/um"
        if coin_margined and kind not in _BY_COIN:
            raise InputError(
                f"{symbol}: expected a USD-margined symbol for {kind}, like BTCUSDT, found another",
                hint=f"Of coin-margined contracts the archive is read for {', '.join(_BY_COIN)}; the source "
                "binance-rest has their open interest of the last 30 days.",
            )
        if kind == "liquidations" and not coin_margined:
            raise InputError(
                f"{symbol}: expected a coin-margined symbol like BTCUSD_PERP for liquidations, found another",
                hint=UM_LIQUIDATIONS[0].upper() + UM_LIQUIDATIONS[1:] + ".",
            )
        series = Series(family, market, symbol, self.request.interval_s if kind == "klines" else 0)
        _ = series.coin  # refuses a symbol that is not quoted in dollars, before anything is asked
        return series

    def fetch(self, lake_ledger: Ledger, kind: str, symbol: str, report: SeriesReport) -> None:
        """Fetch what is not complete of one series into the lake."""
        series = self.series(kind, symbol)
        asked = by_month(self.request.first, self.request.last)
        if FAMILIES[series.kind].monthly and not FAMILIES[series.kind].daily:
            asked = {month: month.whole for month in asked}
        stream = f"{kind}_{self.request.interval}" if kind == "klines" else kind
        writer = SeriesWriter(lake_ledger, report, "binance", stream)
        left = todo(lake_ledger, asked, report)
        now = now_ns()
        for month in list(left):
            open_days = [d for d in month.days(left[month]) if not over(d, now, 0)]
            report.not_yet += open_days
            left[month] &= ~mask_of(open_days)
            if not left[month]:
                del left[month]
        self.done, self.total = 0, sum(mask.bit_count() for mask in left.values())
        with _Files(self, series, left, asked) as files:
            for job, rows, error in files:
                self._say(job, symbol)
                if error is not None:
                    report.failures.append(error.message)
                elif rows is not None:
                    self._take(writer, series, job, rows, report)
                self.done += job.days.bit_count()
        writer.flush()
        self._absent(files.absent, series, writer, report)

    def _say(self, job: _Job, symbol: str) -> None:
        if self.progress is not None:
            self.progress(self.done, self.total, f"{symbol} {job.file.path.rsplit('/', 1)[-1]}")

    def _take(
        self, writer: SeriesWriter, series: Series, job: _Job, rows: Rows, report: SeriesReport
    ) -> None:
        for text in rows.notes:
            report.note(text)
        gaps = [gap for day in job.month.days(job.days) for gap in _gaps(series, rows.tables, day)]
        tables = {name: frame for name, frame in rows.tables.items() if name in writer.ledger.tables}
        writer.hold(tables, job.month, job.days, gaps)
        late = time.monotonic() - self._since > self.flush_s
        if writer.rows >= FLUSH_ROWS or late or series.kind == "trades":
            writer.flush()
            self._since = time.monotonic()

    def _absent(self, absent: list[date], series: Series, writer: SeriesWriter, report: SeriesReport) -> None:
        """Days of which the archive has no file: before its first, not yet there, or missing."""
        if not absent:
            return
        family = FAMILIES[series.kind]
        cut = "daily" if family.daily else "monthly"
        try:
            known = self.archive.dates(series.market, cut, series.kind, series.symbol, self.request.interval)
        except SourceError as error:
            known = []
            report.note(f"the archive's listing could not be read ({error.message[:80]})")
        if not known and not report.fetched and not report.complete_before:
            self._unknown(series, cut)
        today = day_of_ns(now_ns())
        for day in sorted(absent):
            if not self.request.first <= day <= self.request.last:
                continue  # of a monthly file: nobody asked for that day
            stamp = day.isoformat() if family.daily else str(month_of(day))
            if known and stamp < known[0]:
                report.before_first.append(day)
            elif _due(day, monthly=not family.daily) > today:
                report.not_yet.append(day)
            else:
                report.missing.append(day)
        if report.missing and not (known or report.fetched or report.complete_before):
            # No file and no listing that has the series: mistyped, perhaps. Nothing is known to be missing.
            report.missing.clear()
            report.failures.append(
                f"binance: expected files of {series.symbol} {series.kind}, found none, and no listing that "
                "has it: check the symbol, or try again later"
            )
            return
        writer.gaps([Gap(start_ns(d), end_ns(d), _expected(series, d)) for d in report.missing])

    def _unknown(self, series: Series, cut: str) -> None:
        """Refuse a symbol that the archive has nothing of."""
        try:
            names = self.archive.symbols(series.market, cut, series.kind)
        except SourceError:
            return
        if names and series.symbol not in names:
            near = get_close_matches(series.symbol, names, 3, 0.6)
            raise InputError(
                f"binance: expected a symbol of the archive's {series.market} {series.kind}, "
                f"found '{series.symbol}'",
                hint=f"Close to it: {', '.join(near)}." if near else "It has no such symbol.",
                symbol=series.symbol,
            )


@dataclass
class _Files:
    """Files of a series in order, read while the next ones are on their way."""

    run: ArchiveRun
    series: Series
    left: dict[Month, int]
    asked: dict[Month, int]
    absent: list[date] = field(default_factory=list)

    def __enter__(self) -> _Files:
        self._folder = tempfile.TemporaryDirectory(prefix="deleverage-")
        self._pool = ThreadPoolExecutor(AHEAD, thread_name_prefix="archive")
        self._waiting: deque[tuple[_Job, Future[str | None]]] = deque()
        self._number = 0
        self._listed: set[str] | None = None
        return self

    def __exit__(self, kind: type[BaseException] | None, *ended: object) -> None:
        stop = self.run.archive.web.patience.stop
        if kind is not None:
            stop.set()  # who is on the way ends with its next block or pause
        for _, future in self._waiting:
            future.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._folder.cleanup()
        stop.clear()

    def __iter__(self) -> Iterator[tuple[_Job, Rows | None, SourceChanged | None]]:
        jobs = self._jobs()
        self._fill(jobs)
        while self._waiting:
            job, future = self._waiting.popleft()
            try:
                found = future.result()
                rows = None if found is None else self._read(job, self._path(job), found)
                if rows is not None and job.monthly:
                    rows = self._mended(job, rows)
            except SourceChanged as error:
                yield job, None, error
                self._fill(jobs)
                continue
            finally:
                self._path(job).unlink(missing_ok=True)
            if found is None and job.monthly and FAMILIES[self.series.kind].daily:
                self._look()
                for daily in reversed(self._dailies(job.month, job.days)):
                    self._waiting.appendleft(self._submit(daily))
                self._fill(jobs)
                continue
            if found is None:
                self.absent += job.month.days(job.days)
                self._look()
            yield job, rows, None
            self._fill(jobs)

    def _jobs(self) -> Iterator[_Job]:
        family = FAMILIES[self.series.kind]
        archive, interval = self.run.archive, self.run.request.interval
        for month, mask in self.left.items():
            if family.monthly and (mask == month.whole or not family.daily):
                file = archive.monthly(
                    self.series.market, self.series.kind, self.series.symbol, interval, month
                )
                yield _Job(file, month, mask, True)
                continue
            for day in month.days(mask):
                yield from self._dailies(month, mask_of([day]))

    def _dailies(self, month: Month, mask: int) -> list[_Job]:
        """Jobs of single days; those that the listing does not have are not asked for."""
        found = []
        for day in month.days(mask):
            if self._listed is None or day.isoformat() in self._listed:
                found.append(self._daily(day))
            else:
                self.absent.append(day)
                self.run.done += 1
        return found

    def _daily(self, day: date) -> _Job:
        request, series = self.run.request, self.series
        file = self.run.archive.daily(series.market, series.kind, series.symbol, request.interval, day)
        return _Job(file, month_of(day), mask_of([day]), False)

    def _fill(self, jobs: Iterator[_Job]) -> None:
        while len(self._waiting) < AHEAD:
            job = next(jobs, None)
            if job is None:
                return
            self._waiting.append(self._submit(job))

    def _submit(self, job: _Job) -> tuple[_Job, Future[str | None]]:
        limit = FAMILIES[self.series.kind].limit_bytes
        return job, self._pool.submit(self.run.archive.fetch, job.file, self._path(job), limit_bytes=limit)

    def _path(self, job: _Job) -> Path:
        return Path(self._folder.name) / job.file.path.rsplit("/", 1)[-1]

    def _look(self) -> None:
        """After the first day that is not there: one look at the listing instead of a question a day."""
        if self._listed is not None or not FAMILIES[self.series.kind].daily:
            return
        series = self.series
        try:
            dates = self.run.archive.dates(
                series.market, "daily", series.kind, series.symbol, self.run.request.interval
            )
        except SourceError:
            return
        self._listed = set(dates)

    def _read(self, job: _Job, path: Path, sha256: str) -> Rows:
        """Rows of one file, with when and from which bytes they came: files have been replaced before."""
        import polars as pl

        limit = FAMILIES[self.series.kind].limit_bytes
        found: dict[str, list[pl.DataFrame]] = {}
        notes: list[str] = []
        line = 1
        with member(path, job.file.member, label=job.file.path, limit_bytes=limit) as blocks:
            for text in blocks.lines(_BLOCK_BYTES if self.series.kind == "trades" else limit + 1):
                rows = rows_of(self.series, Block(job.file.path, text, line))
                line += text.count(b"\n")
                notes += rows.notes
                for name, frame in rows.tables.items():
                    found.setdefault(name, []).append(frame)
        days = job.month.days(job.days)
        source = f"{FETCHED}{self.run.request.source}/{job.file.path}#{sha256[:12]}"
        stamp = [
            pl.lit(now_ns(), dtype=pl.Int64).alias("received_ns"),
            pl.lit(source).alias("source"),
        ]
        tables = {}
        for name, frames in found.items():
            whole = pl.concat(frames)
            inside = _inside(whole, days, self.series)
            if inside.height < whole.height and not job.monthly:
                notes.append(f"{whole.height - inside.height} rows lie outside the file's day: left out")
            tables[name] = inside.with_columns(stamp)
        return Rows(tables, notes)

    def _mended(self, job: _Job, rows: Rows) -> Rows:
        """A monthly file with holes: the days that have them are looked up in the daily files."""
        import polars as pl

        if not FAMILIES[self.series.kind].daily:
            return rows
        holes = [day for day in job.month.days(job.days) if _gaps(self.series, rows.tables, day)]
        for day in holes:
            daily = self._daily(day)
            path = self._path(daily)
            with _removed(path):
                limit = FAMILIES[self.series.kind].limit_bytes
                sha256 = self.run.archive.fetch(daily.file, path, limit_bytes=limit)
                if sha256 is None:
                    continue
                more = self._read(daily, path, sha256)
            for name, frame in more.tables.items():
                before = rows.tables[name]
                both = pl.concat([before, frame.select(before.columns)])
                rows.tables[name] = both.unique(subset=["time_ns"], keep="first", maintain_order=True)
                if rows.tables[name].height > before.height:
                    rows.notes.append("a monthly file had holes that a daily file fills")
        return rows


@contextmanager
def _removed(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _inside(frame: pl.DataFrame, days: list[date], series: Series) -> pl.DataFrame:
    """Rows of the file's days; a series that is stamped at a window's end may reach the next midnight."""
    import polars as pl

    low, high = start_ns(days[0]), end_ns(days[-1])
    closed = "both" if series.kind in ("metrics", "depth") else "left"
    keep = pl.col("time_ns").is_between(low, high, closed=closed)  # type: ignore[arg-type]
    return frame.filter(keep)


def _gaps(series: Series, tables: dict[str, pl.DataFrame], day: date) -> list[Gap]:
    """What a day of a regular series lacks; trades, depth and liquidations come when they come."""
    if series.kind == "klines":
        times = tables["candles"]["time_ns"].to_list() if "candles" in tables else []
        return missing(times, day, series.interval_s * 1_000_000_000)
    if series.kind == "metrics":
        times = tables["open_interest"]["time_ns"].to_list() if "open_interest" in tables else []
        # A window that is stamped at its end belongs to the step before: both layouts have 288 of them.
        step = METRICS_S * 1_000_000_000
        if any(time == end_ns(day) for time in times) and start_ns(day) not in times:
            times = [time - 1 for time in times]
        if sum(start_ns(day) <= time <= end_ns(day) for time in times) == 1:
            return []  # the first years have one row a day
        return missing(times, day, step)
    if series.kind == "funding" and "funding" in tables and tables["funding"].height:
        funding = tables["funding"]
        return missing_settlements(
            funding["time_ns"].to_list(),
            max(funding["interval_s"].to_list()),
            day,
            end_ns(day),
        )
    return []


def _expected(series: Series, day: date) -> int | None:
    if series.kind == "klines":
        found = missing([], day, series.interval_s * 1_000_000_000)
        return sum(gap.lost or 0 for gap in found)
    return 288 if series.kind == "metrics" else None


def _due(day: date, *, monthly: bool) -> date:
    """The day on which a file of ``day`` should be there."""
    last = day
    if monthly:
        month = month_of(day)
        last = month.first + timedelta(days=month.length - 1)
    return last + timedelta(days=PUBLISHED_WITHIN_DAYS)
