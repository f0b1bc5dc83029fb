"""How is a series fetched from a venue's REST interface, and when is a day of it complete?

A day is complete when it is over by both clocks, ours and the venue's, when its last values had time to
settle, and when the venue gave rows for it. A bar that is not closed is never kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from deleverage.data.backfill.ccxt_door import Venue
from deleverage.data.backfill.days import by_month, end_ns, month_of, now_ns, over, runs, start_ns
from deleverage.data.backfill.gap_past import PAST, Past
from deleverage.data.backfill.gaps import missing, missing_settlements
from deleverage.data.backfill.ledger import FETCHED, Ledger
from deleverage.data.backfill.request import Gap, Progress, Request, SeriesReport
from deleverage.data.backfill.rest.base import INTEREST_S, Adapter, Contract, frame_of, interval_name
from deleverage.data.backfill.series import SeriesWriter, of_day, single, todo
from deleverage.data.backfill.sums import without_summed
from deleverage.errors import SourceChanged

if TYPE_CHECKING:
    import polars as pl

SETTLE_S = {
    "klines": 60.0,
    "gold": 60.0,
    "funding": 900.0,
    "open_interest": 900.0,
    "trades": 60.0,
    "liquidations": 60.0,
}
CLOCKS_APART_S = 60.0
_BARS = ("klines", "gold")
_AHEAD_NS = 60_000_000_000
_CHUNK_ROWS = 20_000
_TRADE_HOURS = 1
_HOUR_NS = 3_600_000_000_000


@dataclass
class RestRun:
    """A backfill from one venue."""

    adapter: Adapter
    venue: Venue
    request: Request
    progress: Progress | None = None
    notes: list[str] = field(default_factory=list)
    done: int = 0
    total: int = 0

    def contract(self, symbol: str, kind: str) -> Contract:
        """The contract of a symbol; refuses what the venue cannot have before anything is asked."""
        if kind in _BARS:
            interval_name(self.adapter, self.request.interval)
        return self.adapter.contract(symbol)

    def fetch(self, ledger: Ledger, kind: str, symbol: str, report: SeriesReport) -> None:
        """Fetch what is not complete of one series into the lake."""
        contract = self.contract(symbol, kind)
        step_s = self.request.interval_s if kind in _BARS else 0
        stream = f"{kind}_{self.request.interval}" if kind in _BARS else kind
        writer = SeriesWriter(ledger, report, self.adapter.venue, stream)
        left = todo(ledger, by_month(self.request.first, self.request.last), report)
        days = [day for month, mask in left.items() for day in month.days(mask)]
        now = now_ns()
        oldest = self.adapter.oldest_ns(kind, step_s, now)
        if oldest is not None:
            report.too_old += [day for day in days if start_ns(day) < oldest]
        report.not_yet += [day for day in days if start_ns(day) > now]
        days = [day for day in days if start_ns(day) <= now and (oldest is None or start_ns(day) >= oldest)]
        self.done, self.total = 0, len(days)
        for first, last in runs(days):
            self._stretch(writer, kind, contract, first, last)
        writer.flush()

    def _stretch(self, writer: SeriesWriter, kind: str, contract: Contract, first: date, last: date) -> None:
        size = timedelta(days=self._chunk_days(kind))
        while first <= last:
            month_end = first.replace(day=month_of(first).length)
            end = min(first + size - timedelta(days=1), last, month_end)
            if self.progress is not None:
                self.progress(self.done, self.total, f"{contract.symbol} {kind} {first}")
            self._chunk(writer, kind, contract, first, end)
            writer.flush()
            self.done += (end - first).days + 1
            first = end + timedelta(days=1)

    def _chunk_days(self, kind: str) -> int:
        if kind in ("trades", "liquidations"):
            return 1
        step = self.request.interval_s if kind in _BARS else INTEREST_S if kind == "open_interest" else 3600
        return max(1, min(31, _CHUNK_ROWS * step // 86_400))

    def _chunk(self, writer: SeriesWriter, kind: str, contract: Contract, first: date, last: date) -> None:
        tables = self._rows(writer.report, kind, contract, start_ns(first), end_ns(last))
        past = PAST.get((self.adapter.venue, kind))
        if isinstance(past, Past) and past.sums:
            tables[past.table] = self._not_collected(writer, contract, tables[past.table])
        now = self._now()
        for day in (first + timedelta(days=n) for n in range((last - first).days + 1)):
            rows = {name: of_day(frame, day) for name, frame in tables.items()}
            if not over(day, now, SETTLE_S[kind]):
                writer.partial({name: _final(frame, now) for name, frame in rows.items()}, day)
            elif not any(frame.height for frame in rows.values()) and kind != "liquidations":
                writer.report.missing.append(day)
                writer.gaps([Gap(start_ns(day), end_ns(day), None)])
            else:
                writer.hold(rows, month_of(day), single(day), self._gaps(kind, rows, day))

    def _rows(
        self, report: SeriesReport, kind: str, contract: Contract, start: int, end: int
    ) -> dict[str, pl.DataFrame]:
        import polars as pl

        source = f"{FETCHED}{self.request.source}/{kind}"
        frames: dict[str, list[pl.DataFrame]] = {}
        step = _TRADE_HOURS * _HOUR_NS if kind == "trades" else end - start
        for low in range(start, end, step):
            if low > now_ns():
                break
            found, notes = self.adapter.fetch(
                self.venue,
                kind,
                contract,
                self.request.interval,
                low // 1_000_000,
                min(low + step, end) // 1_000_000,
            )
            for text in notes:
                report.note(text)
            for table, rows in found.items():
                frames.setdefault(table, []).append(frame_of(table, rows, now_ns(), source))
        whole = {table: pl.concat(parts) for table, parts in frames.items()}
        for table, frame in whole.items():
            self._not_ahead(table, frame, contract)
        return whole

    def _not_collected(self, writer: SeriesWriter, contract: Contract, rows: pl.DataFrame) -> pl.DataFrame:
        """Single trades less those that a collector has written as parts of a sum."""
        import polars as pl

        first, last = rows["time_ns"].min(), rows["time_ns"].max()
        live = writer.ledger.lake.scan("trades").filter(
            pl.col("venue") == contract.venue,
            pl.col("symbol") == contract.symbol,
            pl.col("time_ns").is_between(first, last),
            ~pl.col("source").str.starts_with(FETCHED),
        )
        left, odd = without_summed(rows, live.select("trade_id", "coins").collect())
        if odd:
            writer.report.note(f"{odd} collected trades are not the sum of what the venue gives one by one")
        return left

    def _now(self) -> int:
        """The earlier of both clocks: no day is over before it is over for both [ns UTC]."""
        ours, theirs = now_ns(), self.venue.server_ns
        if theirs is None:
            return ours
        apart = (theirs - ours) / 1e9
        if abs(apart) > CLOCKS_APART_S:
            text = f"the clock of {self.request.source} is {apart:+.0f} s off ours: the earlier one counts"
            if not any(note.startswith(f"the clock of {self.request.source}") for note in self.notes):
                self.notes.append(text)
        return min(ours, theirs)

    def _not_ahead(self, table: str, frame: pl.DataFrame, contract: Contract) -> None:
        last = frame["time_ns"].max() if frame.height else None
        latest = max(now_ns(), self.venue.server_ns or 0) + _AHEAD_NS
        if isinstance(last, int) and last > latest:
            raise SourceChanged(
                f"{self.request.source}: expected rows of '{table}' up to now, found one "
                f"of {contract.symbol} at {last} ns, later than both clocks",
                hint="nothing of it was kept; the venue's clock or ours is wrong",
            )

    def _gaps(self, kind: str, rows: dict[str, pl.DataFrame], day: date) -> list[Gap]:
        if kind in _BARS:
            (frame,) = rows.values()
            return missing(frame["time_ns"].to_list(), day, self.request.interval_s * 1_000_000_000)
        if kind == "open_interest":
            return missing(rows["open_interest"]["time_ns"].to_list(), day, INTEREST_S * 1_000_000_000)
        if kind == "funding":
            frame = rows["funding"]
            longest = max(frame["interval_s"].to_list(), default=3600)
            return missing_settlements(frame["time_ns"].to_list(), longest, day, end_ns(day))
        return []


def _final(frame: pl.DataFrame, now: int) -> pl.DataFrame:
    """What cannot change any more of a day that is not over."""
    import polars as pl

    settle = int(SETTLE_S["klines"] * 1e9)
    if "interval_s" in frame.columns and "open" in frame.columns:
        return frame.filter(pl.col("time_ns") + pl.col("interval_s") * 1_000_000_000 + settle <= now)
    return frame.filter(pl.col("time_ns") + settle <= now)
