"""When did a coin's price cascade: from which high, down to which low, and when was it over?

A coin cascades at the first bar whose low lies below the highest price of the ``window`` before it by more
than

    max(floor, 1 − exp(−sigmas · σ · √window)),

σ the daily volatility of the ``memory`` days before, so that the same fall counts for more in a quiet market.
``sigmas`` 2.241 is the fall that a Brownian motion without drift exceeds in one window of twenty (its largest
drawdown, science.md §5). It lasts while new lows are made: it is over when no lower low came for
``quiet`` days, or when the price has taken back the share ``back`` of the fall. Only then is its low known to
be its trough; until then it is open. Everything is decided by bars that had ended.

Within one bar nobody knows whether the high or the low came first: falls are measured from the highs of
earlier bars and the bar's own open, so one inside a single bar can be too small, never too large.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from deleverage.measure.asof import DAY_NS, AsOf
from deleverage.units import Bools, Floats, Int64s

COLUMNS = ("time_ns", "end_ns", "open", "high", "low", "close")
_FEWEST_DAYS = 30
_SECOND_NS = 1_000_000_000


class Rules(NamedTuple):
    """What counts as a cascade; lengths in ns, sigmas in σ·√window, floor and back shares."""

    window_ns: int = 2 * DAY_NS
    sigmas: float = 2.241
    floor: float = 0.05
    memory_days: int = 60
    quiet_ns: int = 3 * DAY_NS
    back: float = 0.5


class Cascade(NamedTuple):
    """One fall of one coin.

    start_ns, high : the high from which it fell, the end of its bar [ns UTC, USD/coin]; trigger_ns : when it
    was known to be a cascade; trough_ns, low : its lowest bar's end; end_ns : when it was known to be over,
    None while it is open; bar_ns : length of the bars at its trough; threshold : the fall that was needed.
    """

    coin: str
    start_ns: int
    high: float
    trigger_ns: int
    trough_ns: int
    low: float
    end_ns: int | None
    bar_ns: int
    threshold: float

    @property
    def fall(self) -> float:
        """Share of the high that was lost at the low."""
        return 1.0 - self.low / self.high


def finest_bars(asof: AsOf, coin: str, *, venue: str, kind: str) -> pl.DataFrame:
    """Bars of the finest length that the lake has for each UTC day, in order of time.

    time_ns, end_ns, open, high, low, close [USD/coin]. A day is taken from one length of bars, which must
    stand without a hole from 00:00 on: that which reaches furthest, and of these the finest.
    """
    rows = (
        asof.table("candles", venue=venue, kind=kind, coin=coin)
        .filter(~pl.col("symbol").str.contains(":"), pl.col("interval_s") <= 86_400)
        .unique(["time_ns", "interval_s"], keep="first", maintain_order=True)
        .with_columns(
            day=pl.col("time_ns") // DAY_NS,
            end_ns=pl.col("time_ns") + pl.col("interval_s") * _SECOND_NS,
        )
    )
    days = rows.group_by("day", "interval_s").agg(
        pl.len().alias("bars"), pl.col("time_ns").min().alias("first"), pl.col("end_ns").max().alias("last")
    )
    whole = (pl.col("first") == pl.col("day") * DAY_NS) & (
        pl.col("bars") * pl.col("interval_s") * _SECOND_NS == pl.col("last") - pl.col("first")
    )
    chosen = (
        days.filter(whole)
        .sort("day", "last", "interval_s", descending=[False, True, False])
        .unique("day", keep="first", maintain_order=True)
        .select("day", "interval_s")
    )
    return rows.join(chosen, on=["day", "interval_s"], how="semi").sort("time_ns").select(COLUMNS)


def volatility_before(bars: pl.DataFrame, memory_days: int) -> tuple[Int64s, Floats]:
    """Days and the daily volatility that was known when each began, [D] and [D]; NaN where it was not.

    The mean absolute log return of the last ``memory_days`` whole days, times √(π/2): σ for a normal, and one
    crash moves it less than a root mean square. At least 30 returns of neighbouring days.
    """
    closes = (
        bars.with_columns(day=pl.col("time_ns") // DAY_NS)
        .group_by("day", maintain_order=True)
        .agg(pl.col("close").last(), pl.col("end_ns").last())
    )
    days = closes["day"].to_numpy()
    whole = closes["end_ns"].to_numpy() == (days + 1) * DAY_NS
    close = np.where(whole, closes["close"].to_numpy(), np.nan)
    size = np.full(days.size, np.nan)
    if days.size > 1:
        size[1:] = np.where(np.diff(days) == 1, np.abs(np.diff(np.log(close))), np.nan)
    there = np.isfinite(size)
    total = np.concatenate([[0.0], np.cumsum(np.where(there, size, 0.0))])
    count = np.concatenate([[0], np.cumsum(there)])
    end = np.arange(days.size)
    begin = np.searchsorted(days, days - memory_days)
    seen = count[end] - count[begin]
    mean = (total[end] - total[begin]) / np.maximum(seen, 1)
    sigma = np.where(seen >= min(_FEWEST_DAYS, memory_days), mean * np.sqrt(np.pi / 2.0), np.nan)
    return days, sigma


def cascades(coin: str, bars: pl.DataFrame, rules: Rules) -> list[Cascade]:
    """All of them, in order of time; the last may be open. bars : as of `finest_bars`."""
    if bars.height < 2:
        return []
    time, end = bars["time_ns"].to_numpy(), bars["end_ns"].to_numpy()
    opened, high, low = (bars[name].to_numpy() for name in ("open", "high", "low"))
    days, sigma = volatility_before(bars, rules.memory_days)
    width = np.sqrt(rules.window_ns / DAY_NS)
    needed = 1.0 - np.exp(-rules.sigmas * sigma * width)
    threshold = np.maximum(needed, rules.floor)[np.searchsorted(days, time // DAY_NS)]  # NaN stays NaN
    # a window that is shorter than a bar still holds the bar itself
    first = np.minimum(np.searchsorted(time, end - rules.window_ns), np.arange(time.size))
    highest = _highest(high, first)
    fired = 1.0 - low / np.maximum(highest, opened) > threshold
    found: list[Cascade] = []
    after = 0  # bars before the end of the last cascade are not looked at again
    while True:
        at = _next_trigger(after, fired, first, threshold, high, low, opened)
        if at is None:
            return found
        begin = max(int(first[at]), after)
        top = begin + int(np.argmax(high[begin:at])) if at > begin else at
        from_open = at == begin or opened[at] > high[top]
        peak = float(opened[at]) if from_open else float(high[top])
        started = int(time[at]) if from_open else int(end[top])
        trough, stop = _follow(at, end, high, low, peak, rules)
        found.append(
            Cascade(
                coin, started, peak, int(end[at]), int(end[trough]), float(low[trough]),
                None if stop is None else int(end[stop]), int(end[trough] - time[trough]),
                float(threshold[at]),
            )
        )  # fmt: skip
        if stop is None:
            return found
        after = stop + 1


def _highest(high: Floats, first: Int64s) -> Floats:
    """max(high[first[k]:k]) of each bar k, −inf where that is empty; from maxima over powers of two."""
    count = high.size
    width = np.arange(count) - first
    found = np.full(count, -np.inf)
    level, longest = 1, high
    while level <= max(int(width.max()), 1):
        use = np.flatnonzero((width >= level) & (width < 2 * level))
        found[use] = np.maximum(longest[first[use]], longest[use - level])
        longest = np.maximum(longest[:-level], longest[level:]) if longest.size > level else longest
        level *= 2
    return found


def _next_trigger(
    after: int, fired: Bools, first: Int64s, threshold: Floats, high: Floats, low: Floats, opened: Floats
) -> int | None:
    """The first bar from ``after`` on that fires when nothing before ``after`` is looked at."""
    count = fired.shape[0]
    if after >= count:
        return None
    # while the window still reaches back beyond ``after``, its high is that since ``after``
    short = int(np.searchsorted(first, after, side="left"))
    short = max(short, after)
    if short > after:
        top = np.concatenate([[-np.inf], np.maximum.accumulate(high[after : short - 1])])
        near = 1.0 - low[after:short] / np.maximum(top, opened[after:short]) > threshold[after:short]
        hits = np.flatnonzero(near)
        if hits.size:
            return after + int(hits[0])
    hits = np.flatnonzero(fired[short:])
    return short + int(hits[0]) if hits.size else None


def _follow(
    at: int, end: Int64s, high: Floats, low: Floats, peak: float, rules: Rules
) -> tuple[int, int | None]:
    """The bar of the trough and that at whose end it was known to be over; None while it is open."""
    many = 1_024
    while True:
        trough, stop = _follow_in(slice(at, at + many), end, high, low, peak, rules)
        if stop is not None or at + many >= end.size:
            return at + trough, None if stop is None else at + stop
        many *= 4


def _follow_in(
    part: slice, end: Int64s, high: Floats, low: Floats, peak: float, rules: Rules
) -> tuple[int, int | None]:
    lowest = np.minimum.accumulate(low[part])
    rank = np.arange(lowest.size)
    new = np.flatnonzero(np.concatenate([[True], lowest[1:] < lowest[:-1]]))
    last = new[np.searchsorted(new, rank, side="right") - 1]
    quiet = end[part] - end[part][last] >= rules.quiet_ns
    # a bar that makes a new low does not count as having come back: the order within it is not known
    back = (high[part] >= lowest + rules.back * (peak - lowest)) & (rank > last)
    over = np.flatnonzero(quiet | back)
    if over.size == 0:
        return int(last[-1]), None
    return int(last[over[0]]), int(over[0])
