"""Fetch what venues still have of the gaps that a lake has recorded: the call behind `backfill gaps`.

Rows come in by the lake's ordinary append, so what was collected is not doubled; then a row of `fills` says
what came of the gap. A long stretch goes hour by hour, and how far it is stands in the same transaction as
the rows: who was killed goes on there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deleverage.data.backfill.ccxt_door import Venue, ccxt_or_refuse
from deleverage.data.backfill.days import now_ns
from deleverage.data.backfill.fill_report import Ask, FillReport, GapReport, RecordedGap
from deleverage.data.backfill.gap_past import Past, past_of
from deleverage.data.backfill.kept import keep_answer
from deleverage.data.backfill.ledger import FETCHED
from deleverage.data.backfill.patience import Pace, Patience
from deleverage.data.backfill.request import Progress
from deleverage.data.backfill.rest.base import Adapter, frame_of
from deleverage.data.backfill.rest.bitmex import APART_S, Bitmex
from deleverage.data.backfill.run import adapter_of
from deleverage.data.backfill.sums import without_summed
from deleverage.data.backfill.web import Web, base_url
from deleverage.data.fills import CLOSED, COARSER, GAP_KEY, OPEN, last_attempts, with_closed
from deleverage.data.lake import Lake
from deleverage.data.sources.base import STREAMS
from deleverage.data.sources.registry import VENUES
from deleverage.errors import InputError, SourceError, SourceUnavailable

if TYPE_CHECKING:
    import polars as pl

MARGIN_NS = 5_000_000_000
"""Asked for on both sides of a gap: its edges may be by our clock, its events by the venue's."""
SETTLE_S = 60.0
"""What ended so lately may still grow at the venue; it is taken, and asked for again."""
_HOUR_MS = 3_600_000
_STEP_MS = {"trades": _HOUR_MS, "funding": 30 * 24 * _HOUR_MS, "open_interest": 24 * _HOUR_MS}
_EDGE_MS = 1_000
_NEAR_NS = 86_400_000_000_000
_SETTLED_NS = 2_000_000_000
_MS = 1_000_000


def fill_gaps(
    lake_folder: Path | str,
    *,
    venues: Sequence[str] = (),
    symbols: Sequence[str] = (),
    streams: Sequence[str] = (),
    start_ns: int | None = None,
    end_ns: int | None = None,
    dry_run: bool = False,
    url: str = "",
    progress: Progress | None = None,
    patience: Patience | None = None,
    settle_s: float = SETTLE_S,
) -> FillReport:
    """Ask the venues for what is missing in the recorded gaps of a lake, and write down what came of it.

    Parameters
    ----------
    venues, symbols, streams : only these; all where empty.
    start_ns, end_ns : only gaps that touch start ≤ t < end [ns UTC].
    dry_run : say what would be asked and what cannot be had; ask nobody.
    url : another server that speaks the endpoints of the one venue that is named.
    progress : called with (stretches done, stretches in all, label).
    settle_s : how long a gap must be over before the venue's answer is final [s].

    Raises
    ------
    InputError
        a venue or stream that is none, or ``url`` without exactly one venue; nobody was asked.
    MissingDataError
        there is no lake.
    """
    _check(venues, streams, url)
    lake = Lake.open(lake_folder)
    gaps = _recorded(lake, venues, symbols, streams, start_ns, end_ns)
    report = FillReport(dry_run, [GapReport(gap) for gap in gaps])
    work = _Work(lake, report, url, progress, patience or Patience(), settle_s)
    work.plan(frozenset(symbols))
    if not dry_run:
        work.all()
    return report


def _check(venues: Sequence[str], streams: Sequence[str], url: str) -> None:
    for names, known, option in ((venues, tuple(VENUES), "--venue"), (streams, STREAMS, "--what")):
        for name in names:
            if name not in known:
                raise InputError(
                    f"{option} {name}: expected one of {', '.join(known)}, found '{name}'",
                    hint="Gaps are of the venues and streams that `deleverage collect` reads.",
                )
    if url:
        base_url(url)
        if len(venues) != 1:
            raise InputError(
                f"--url {url}: expected one --venue that it stands for, found {len(venues)}",
                hint="Name the venue, or leave --url out to ask the venues themselves.",
            )


def _recorded(
    lake: Lake,
    venues: Sequence[str],
    symbols: Sequence[str],
    streams: Sequence[str],
    start_ns: int | None,
    end_ns: int | None,
) -> list[RecordedGap]:
    """The gaps that are asked for, with what is known of each."""
    import polars as pl

    frame = with_closed(lake.read("gaps"), lake.read("fills"))
    if venues:
        frame = frame.filter(pl.col("venue").is_in(list(venues)))
    if streams:
        frame = frame.filter(pl.col("stream").is_in(list(streams)))
    if symbols:
        frame = frame.filter(pl.col("symbol").is_in(["", *symbols]))
    if start_ns is not None:
        frame = frame.filter(pl.col("end_ns") >= start_ns)
    if end_ns is not None:
        frame = frame.filter(pl.col("time_ns") < end_ns)
    names = [*GAP_KEY, "end_ns", "events_lost", "closed"]
    return [RecordedGap(**row) for row in frame.select(names).sort(GAP_KEY).iter_rows(named=True)]


@dataclass
class _Stretch:
    """What is asked of a venue in one go: gaps of one contract that touch [ms UTC]."""

    past: Past
    venue: str
    stream: str
    contract: str
    start_ms: int
    end_ms: int
    asks: list[tuple[GapReport, Ask]] = field(default_factory=list)

    @property
    def attempt(self) -> int:
        """Number of the attempt that this is."""
        return max(ask.attempt for _, ask in self.asks)


@dataclass
class _Work:
    """One filling of gaps."""

    lake: Lake
    report: FillReport
    url: str
    progress: Progress | None
    patience: Patience
    settle_s: float
    stretches: list[_Stretch] = field(default_factory=list)
    _doors: dict[str, Any] = field(default_factory=dict)
    _adapters: dict[str, Adapter] = field(default_factory=dict)
    _rest: Bitmex | None = None

    # --- what is asked ----------------------------------------------------------------------------

    def plan(self, symbols: frozenset[str]) -> None:
        """Say of every gap whether it can be had, and put those that can together to stretches."""
        attempts: dict[tuple[Any, ...], tuple[int, str]] = {}
        last = last_attempts(self.lake.read("fills"))
        for *name, attempt, state in last.select(*GAP_KEY, "contract", "attempt", "state").iter_rows():
            attempts[tuple(name)] = (attempt, state)
        found: dict[tuple[str, str, str], list[tuple[Past, GapReport, Ask]]] = {}
        for told in self.report.gaps:
            gap = told.gap
            if gap.closed:
                told.why = "filled before"
                continue
            if gap.reason == "clock":
                told.why = "nothing is missing: the venue's clock was off"
                continue
            past = past_of(gap.venue, gap.stream, gap.reason)
            if isinstance(past, str):
                told.why = past
                continue
            oldest = self._oldest_ns(past)
            if oldest is not None and gap.end_ns < oldest:
                told.why = "older than what the venue still gives"
                continue
            contracts = [gap.symbol] if gap.symbol else self._collected(gap)
            told.contracts = len(contracts)
            if not contracts:
                told.why = "no contract of the venue was collected within a day of it"
            for contract in contracts:
                attempt, state = attempts.get((*gap.key, contract), (0, OPEN))
                told.done_before += state != OPEN
                if (symbols and contract not in symbols) or state != OPEN:
                    continue
                ask = Ask(contract, attempt + 1)
                told.asks.append(ask)
                found.setdefault((gap.venue, contract, gap.stream), []).append((past, told, ask))
        for (venue, contract, stream), asks in sorted(found.items(), key=lambda item: item[0]):
            self._join(venue, contract, stream, asks)

    def _join(self, venue: str, contract: str, stream: str, asks: list[tuple[Past, GapReport, Ask]]) -> None:
        last: _Stretch | None = None
        for past, told, ask in sorted(asks, key=lambda one: one[1].gap.time_ns):
            low = (told.gap.time_ns - MARGIN_NS) // _MS
            high = -(-(told.gap.end_ns + MARGIN_NS) // _MS) + 1
            if last is None or low > last.end_ms:
                last = _Stretch(past, venue, stream, contract, low, high)
                self.stretches.append(last)
            last.end_ms = max(last.end_ms, high)
            last.asks.append((told, ask))

    def _collected(self, gap: RecordedGap) -> list[str]:
        """Contracts of the venue that were collected about the time of a gap."""
        import polars as pl

        found: set[str] = set()
        for table, column in (("marks", "symbol"), ("trades", "symbol"), ("open_interest", "scope")):
            rows = self.lake.scan(table).filter(
                pl.col("venue") == gap.venue,
                pl.col("source") == f"collect/{gap.venue}",
                pl.col("time_ns").is_between(gap.time_ns - _NEAR_NS, gap.end_ns + _NEAR_NS),
            )
            found |= set(rows.select(pl.col(column).unique()).collect().to_series().to_list())
        return sorted(found)

    # --- asking -----------------------------------------------------------------------------------

    def all(self) -> None:
        """Ask for every stretch; a venue that does not answer is left, the others go on."""
        gone: set[str] = set()
        if any(stretch.past.source != "bitmex" for stretch in self.stretches):
            ccxt_or_refuse()
        try:
            for done, stretch in enumerate(self.stretches):
                if self.progress is not None:
                    label = f"{stretch.venue} {stretch.contract} {stretch.stream}"
                    self.progress(done, len(self.stretches), label)
                if stretch.venue in gone:
                    self._failed(stretch, "the venue was not asked any more")
                    continue
                try:
                    self._stretch(stretch)
                except (SourceError, InputError) as error:
                    self._failed(stretch, error.message)
                    unread = error.context.get("unread")
                    if isinstance(unread, bytes):
                        keep_answer(self.lake, stretch.past.source, "", unread, error=error.message)
                    if isinstance(error, SourceUnavailable) and not error.context.get("final"):
                        gone.add(stretch.venue)
        finally:
            self.report.requests = sum(door.requests for door in self._doors.values())
            self.report.retries, self.report.waited_s = self.patience.retries, self.patience.waited_s

    def _failed(self, stretch: _Stretch, message: str) -> None:
        for _, ask in stretch.asks:
            ask.failure = message

    def _stretch(self, stretch: _Stretch) -> None:
        begun = now_ns()
        step, table = _STEP_MS[stretch.past.kind], stretch.past.table
        end = min(stretch.end_ms, begun // _MS + 1)
        low, notes = stretch.start_ms, list[str]()
        oldest = self._oldest_ns(stretch.past)
        if oldest is not None and low < oldest // _MS:
            notes.append("a part is older than what the venue still gives")
            low = oldest // _MS
        parts = [
            "fill", stretch.venue, stretch.stream, stretch.contract,
            f"{stretch.start_ms}-{stretch.end_ms}", str(stretch.attempt),
        ]  # fmt: skip
        app = "/".join(parts) if end - low > step else ""
        if app:
            low = max(low, self.lake.committed(table, app) or low)
        while low < end:
            high = min(low + step, end)
            rows = self._rows(stretch, low, high, notes)
            if app and not notes:  # what is not whole is asked for again
                added = self.lake.append(table, rows, app=app, sequence=high)
            elif rows.height:
                added = self.lake.append(table, rows)
            else:
                added = None
            if added is not None:
                self.report.added += added.rows
                self.report.repeated += added.repeated
                self.report.conflicts += added.conflicts
                self.report.example = self.report.example or added.example
            low = high
        for told, ask in stretch.asks:
            self._judge(stretch, told, ask, notes, begun)

    def _rows(self, stretch: _Stretch, low: int, high: int, notes: list[str]) -> pl.DataFrame:
        """What the venue has of start ≤ t < end [ms UTC], less what the lake holds under another key."""
        import polars as pl

        past = stretch.past
        edge = _EDGE_MS if past.sums else 0
        source = f"{FETCHED}gaps/{past.source}"
        if past.source == "bitmex":
            rows = self._bitmex().fetch(past.kind, stretch.contract, low, high)
            rows = rows.with_columns(pl.lit(source).alias("source"))
        else:
            adapter, venue = self._door(past.source)
            tables, told = adapter.fetch(
                venue, past.kind, adapter.contract(stretch.contract), "5m", low - edge, high + edge
            )
            notes += [text for text in told if text not in notes]
            rows = frame_of(past.table, tables[past.table], now_ns(), source)
        if past.sums:
            there = self._there(stretch, (low - 2 * edge) * _MS, (high + 2 * edge) * _MS)
            live = there.filter(~pl.col("source").str.starts_with(FETCHED)).select("trade_id", "coins")
            rows, odd = without_summed(rows, live.collect())
            if odd:
                notes.append(f"{odd} collected trades are not the sum of what the venue gives one by one")
        if past.kind == "funding":
            # Collected settlements may be stamped some milliseconds beside the hour.
            around = self._there(stretch, low * _MS - _SETTLED_NS, high * _MS + _SETTLED_NS)
            times = around.select("time_ns").collect()["time_ns"].to_list()
            known = {time + off for time in map(_second, times) for off in (-1, 0, 1)}
            rows = rows.filter(~(pl.col("time_ns") // 1_000_000_000).is_in(sorted(known)))
        return rows.filter(pl.col("time_ns").is_between(low * _MS, high * _MS, closed="left"))

    def _there(self, stretch: _Stretch, start_ns: int, end_ns: int) -> pl.LazyFrame:
        """What the lake holds of a contract with start ≤ t ≤ end."""
        import polars as pl

        column = "scope" if stretch.past.table == "open_interest" else "symbol"
        return self.lake.scan(stretch.past.table).filter(
            pl.col("time_ns").is_between(start_ns, end_ns),
            pl.col("venue") == stretch.venue,
            pl.col(column) == stretch.contract,
        )

    # --- what came of it --------------------------------------------------------------------------

    def _judge(self, stretch: _Stretch, told: GapReport, ask: Ask, notes: list[str], asked_ns: int) -> None:
        """Look at what the lake holds inside the gap now, and write it down."""
        import polars as pl

        gap, past = told.gap, stretch.past
        margin = MARGIN_NS if gap.events_lost is None else 0
        fetched = pl.col("source").str.starts_with(f"{FETCHED}gaps/")
        there = self._there(stretch, gap.time_ns, gap.end_ns)
        ask.rows = there.select(fetched.sum()).collect().item()
        ask.notes = list(notes)
        if past.numbered:
            wide = self._there(stretch, gap.time_ns - margin, gap.end_ns + margin)
            ask.missing = holes(wide)
            quiet = ask.missing is None and gap.events_lost is None
            whole = ask.missing == 0 or quiet
        else:
            whole = True
        if gap.end_ns + int(self.settle_s * 1e9) > asked_ns and not (past.numbered and gap.events_lost):
            whole = False
            ask.notes.append("it ended just now: asked for again next time")
        ask.state = OPEN if notes or not whole else COARSER if past.coarser else CLOSED
        row = {
            **{name: getattr(gap, name) for name in (*GAP_KEY, "end_ns")},
            "received_ns": now_ns(),
            "contract": ask.contract,
            "attempt": ask.attempt,
            "state": ask.state,
            "contracts": told.contracts,
            "rows": ask.rows,
            "events_missing": ask.missing,
        }
        self.lake.append("fills", _one("fills", row), source_id=f"{FETCHED}gaps/{past.source}")

    # --- doors ------------------------------------------------------------------------------------

    def _door(self, source: str) -> tuple[Adapter, Any]:
        if source not in self._doors:
            self._doors[source] = Venue(source, self.url, self.patience)
        return self._adapter(source), self._doors[source]

    def _adapter(self, source: str) -> Adapter:
        if source not in self._adapters:
            self._adapters[source] = adapter_of(source)
        return self._adapters[source]

    def _bitmex(self) -> Bitmex:
        if self._rest is None:
            web = Web(self.patience, pace=Pace(0.0 if self.url else APART_S))
            self._doors["bitmex"], self._rest = web, Bitmex(web, self.url)
        return self._rest

    def _oldest_ns(self, past: Past) -> int | None:
        if past.source == "bitmex":
            return None
        return self._adapter(past.source).oldest_ns(past.kind, 300, now_ns())


def holes(trades: pl.LazyFrame) -> int | None:
    """How many numbers are missing between the lowest and the highest; None where there is no number.

    Parameters
    ----------
    trades : with `trade_id` as Binance's aggregates are called, 'a' and the number.
    """
    import polars as pl

    number = pl.col("trade_id").str.extract(r"^a(\d+)$", 1).cast(pl.Int64).alias("number")
    numbers = trades.select(number).drop_nulls()
    low, high, there = (
        numbers.select(
            pl.col("number").min().alias("low"),
            pl.col("number").max().alias("high"),
            pl.col("number").n_unique().alias("there"),
        )
        .collect()
        .row(0)
    )
    return None if low is None else high - low + 1 - there


def _second(time_ns: int) -> int:
    return time_ns // 1_000_000_000


def _one(table: str, row: dict[str, Any]) -> pl.DataFrame:
    import polars as pl

    from deleverage.schema import LAKE_TABLES

    types = {one.name: getattr(pl, one.dtype) for one in LAKE_TABLES[table].columns if one.name in row}
    return pl.DataFrame([row], schema=types)
