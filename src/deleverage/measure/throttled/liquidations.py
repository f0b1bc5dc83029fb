"""How much was liquidated, given what the feeds published?

Table in, table out. A feed that publishes all is counted; a throttled one is estimated by `censoring`, with
burst sizes learnt from the full feeds of the same lake where there are any; a vendor's sum is shown as what
it is. The value of a stretch depends on nothing that happened, or was received, after its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import polars as pl

from deleverage.data.feeds import Feed, Publishes, feed_at
from deleverage.errors import InputError
from deleverage.measure.throttled.bursts import PRIOR, Bursts, Common, Stretch, common_draws, learn
from deleverage.measure.throttled.censoring import DRAWS, SIDES, Stream, Totals, band, estimate, learn_bursts
from deleverage.measure.throttled.dedupe import each_once, fullest_feeds
from deleverage.measure.throttled.open_interest import Fall, ForcedShare, falls, learn_forced, taker_coins
from deleverage.measure.throttled.throttle import Rule, Throttle
from deleverage.schema import LIQUIDATION_ESTIMATES, conform, empty

SECOND_NS = 1_000_000_000
LOOKBACK_NS = 7 * 86_400 * SECOND_NS
"""Full feeds teach from up to a week before the end of a stretch."""

ALL_COINS = "all"
"""Coin of the sum over a venue's coins; coins themselves cannot be added up, USD can."""

_LARGEST_REQUEST = 20_000
"""Stretches of one call; more than two years of hours."""


@dataclass(frozen=True)
class Liquidations:
    """Two tables of the form `liquidation_estimates`: a row a stretch, and a row for the whole time."""

    stretches: pl.DataFrame
    whole: pl.DataFrame


class _Key(NamedTuple):
    venue: str
    coin: str
    feed: str


@dataclass
class _Sum:
    """What has been found of one venue, coin and feed; draws add up."""

    publishes: Publishes
    rule: str
    draws: dict[str, Any] = field(default_factory=dict)
    occupied: list[float] = field(default_factory=list)
    bursts: list[float] = field(default_factory=list)
    coins: list[tuple[float, float]] = field(default_factory=list)
    learnt: bool = True
    upper: bool = True

    def add(self, name: str, value: Any) -> None:
        self.draws[name] = self.draws.get(name, 0.0) + value

    def merge(self, other: _Sum) -> None:
        """Take in another stretch of the same feed."""
        for name, value in other.draws.items():
            self.add(name, value)
        self.occupied += other.occupied
        self.bursts += other.bursts
        self.coins += other.coins
        self.learnt &= other.learnt
        self.upper &= other.upper
        if other.publishes is not self.publishes:
            self.publishes = (
                Publishes.THROTTLED
                if Publishes.UNKNOWN not in (self.publishes, other.publishes)
                else Publishes.UNKNOWN
            )
        self.rule = self.rule or other.rule


def measure_liquidations(
    events: pl.DataFrame,
    *,
    start_ns: int,
    end_ns: int,
    stretch_ns: int,
    seed: int = 0,
    known_ns: int | None = None,
    trades: pl.DataFrame | None = None,
    open_interest: pl.DataFrame | None = None,
    totals: pl.DataFrame | None = None,
    venue: str | None = None,
    symbol: str | None = None,
) -> Liquidations:
    """Published and estimated liquidations of [start_ns, end_ns), by stretch and over all.

    Parameters
    ----------
    events : table `liquidations`, with rows before the start for context where there are any.
    stretch_ns : length of a stretch [ns]; the first begins at a multiple of it.
    seed : number of the streams of randomness; each venue, symbol and stretch has its own.
    known_ns : what happened or was received later is not known: the value as of that moment. Default: all.
    trades, open_interest : tables of the lake; they bound from above where the feed does not.
    totals : table `liquidation_totals`: vendors' sums, shown beside.
    venue, symbol : what is estimated, a coin or a contract; the others still teach. Default: all.

    Raises
    ------
    InputError
        the time is empty, or has too many stretches.
    """
    if end_ns <= start_ns or stretch_ns <= 0:
        raise InputError(
            f"expected an end after the start and a stretch > 0, found {start_ns} to {end_ns} "
            f"by {stretch_ns} ns",
            hint="give times in nanoseconds UTC",
        )
    if (end_ns - start_ns) // stretch_ns > _LARGEST_REQUEST:
        raise InputError(
            f"expected at most {_LARGEST_REQUEST:,} stretches, found {(end_ns - start_ns) // stretch_ns:,}",
            hint="ask for less time or a longer stretch",
        )
    frames = [events, trades, open_interest, totals]
    if known_ns is not None:
        end_ns = min(end_ns, known_ns)
        frames = [None if frame is None else _known(frame, known_ns) for frame in frames]
    events, trades, open_interest, totals = frames  # type: ignore[assignment]
    events = each_once(events.filter(pl.col("time_ns") < end_ns))
    streams = dict(_streams(events))
    wanted = dict(_streams(events.filter(asked_for(venue, symbol))))
    if totals is not None:
        totals = totals.filter(_of_vendor(venue, symbol))
    stretches: list[dict[str, Any]] = []
    whole: dict[_Key, _Sum] = {}
    teachers = _Teachers(streams, seed)
    forced_pairs: list[tuple[Fall, float]] = []
    for begin in range(start_ns // stretch_ns * stretch_ns, end_ns, stretch_ns):
        left, right = max(begin, start_ns), min(begin + stretch_ns, end_ns)
        found = _one_stretch(wanted, teachers, left, right, seed)
        forced = learn_forced(forced_pairs)
        for key, total in found.items():
            fall = None if open_interest is None else falls(open_interest, key.venue, key.coin, left, right)
            cap = None if trades is None else taker_coins(trades, key.venue, key.coin, left, right)
            stretches += _rows(key, total, left, right, fall, cap, forced)
            if fall is not None and total.publishes is Publishes.ALL:
                forced_pairs.append((fall, float(np.sum(total.draws["shown_coins"]))))
            whole.setdefault(key, _Sum(total.publishes, total.rule)).merge(total)
        stretches += _vendors(totals, left, right)
    rows: list[dict[str, Any]] = []
    for key in list(whole):
        every = _Key(key.venue, ALL_COINS, key.feed)
        whole.setdefault(every, _Sum(whole[key].publishes, whole[key].rule)).merge(whole[key])
    for key, total in whole.items():
        fall = None if open_interest is None else falls(open_interest, key.venue, key.coin, start_ns, end_ns)
        cap = None if trades is None else taker_coins(trades, key.venue, key.coin, start_ns, end_ns)
        rows += _rows(key, total, start_ns, end_ns, fall, cap, None)
    rows += _vendors(totals, start_ns, end_ns)
    return Liquidations(_table(stretches), _table(rows))


def asked_for(venue: str | None, symbol: str | None) -> pl.Expr:
    """Rows of a venue and of a coin or contract; all where these are None."""
    asked = pl.lit(True)
    if venue is not None:
        asked &= pl.col("venue") == venue.lower()
    if symbol is not None:
        asked &= (pl.col("coin") == symbol.upper()) | (pl.col("symbol") == symbol)
    return asked


def _of_vendor(venue: str | None, symbol: str | None) -> pl.Expr:
    """The same of a table without contracts; a vendor's sum over venues belongs to each of them."""
    asked = pl.lit(True)
    if venue is not None:
        asked &= pl.col("venue").is_in([venue.lower(), "all"])
    if symbol is not None:
        asked &= pl.col("coin") == symbol.upper()
    return asked


def throttle_of(feed: Feed) -> Throttle:
    """The throttle by which a feed is counted."""
    assert feed.window_s is not None  # a throttled row has one: tests/data/test_feeds.py
    return Throttle(round(feed.window_s * 1e9), Rule(feed.behaves), max(1, round(feed.jitter_s * 1e9)))


def _known(frame: pl.DataFrame, known_ns: int) -> pl.DataFrame:
    """Rows that had happened and, where that is written down, been received."""
    kept = pl.col("time_ns") < known_ns
    if "interval_s" in frame.columns:
        kept = pl.col("time_ns") + pl.col("interval_s") * SECOND_NS <= known_ns
    if "received_ns" in frame.columns:
        kept &= pl.col("received_ns").is_null() | (pl.col("received_ns") < known_ns)
    return frame.filter(kept)


class _Name(NamedTuple):
    venue: str
    coin: str
    symbol: str
    feed: str


def _streams(events: pl.DataFrame) -> Iterator[tuple[_Name, Stream]]:
    """One stream a symbol and feed, in order of time; events without a size are not counted."""
    sized = events.filter(pl.col("usd") > 0.0).sort("time_ns", "event_id")
    for key, rows in sized.group_by("venue", "coin", "symbol", "feed", maintain_order=True):
        yield (
            _Name(*map(str, key)),
            Stream(
                rows["time_ns"].to_numpy(),
                (rows["side"] == "short").to_numpy().astype(np.int64),
                rows["usd"].to_numpy(),
                rows["coins"].fill_null(float("nan")).to_numpy(),
            ),
        )


def _rng(seed: int, *names: str | int) -> np.random.Generator:
    """The stream of randomness of a subject: same seed and names, same draws."""
    parts = [seed, *(crc32(str(name).encode()) for name in names)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(parts)))


@dataclass
class _Teachers:
    """Full feeds, and what they taught so far: stretches are added as time goes on."""

    streams: dict[_Name, Stream]
    seed: int
    found: dict[Throttle, list[tuple[int, Stretch]]] = field(default_factory=dict)
    seen_ns: dict[Throttle, int] = field(default_factory=dict)

    def bursts(self, throttle: Throttle, end_ns: int, stretch_ns: int) -> Bursts:
        """What full feeds of the week before ``end_ns`` say, none of it later."""
        stretch_ns = max(min(stretch_ns, 3_600 * SECOND_NS), 100 * throttle.window_ns)
        known = self.found.setdefault(throttle, [])
        grid = end_ns // stretch_ns * stretch_ns
        begin = max(self.seen_ns.get(throttle, 0), (grid - LOOKBACK_NS) // stretch_ns * stretch_ns)
        if begin < grid:
            for name, stream in self.streams.items():
                lo, hi = np.searchsorted(stream.times_ns, (begin, grid))
                if lo == hi or feed_at(name.venue, name.feed, grid - 1).publishes is not Publishes.ALL:
                    continue
                first = int(stream.times_ns[lo]) // stretch_ns * stretch_ns
                last = min(grid, (int(stream.times_ns[hi - 1]) // stretch_ns + 1) * stretch_ns)
                for start in range(max(first, begin), last, stretch_ns):
                    rng = _rng(self.seed, "teach", *name, start)
                    for stretch in learn_bursts(
                        [stream], throttle, start, start + stretch_ns, stretch_ns, rng
                    ):
                        known.append((start + stretch_ns, stretch))
            self.seen_ns[throttle] = grid
        return (
            learn([stretch for end, stretch in known if end_ns - LOOKBACK_NS <= end <= end_ns])
            if known
            else PRIOR
        )


def _one_stretch(
    streams: dict[_Name, Stream], teachers: _Teachers, start_ns: int, end_ns: int, seed: int
) -> dict[_Key, _Sum]:
    """Sums by venue, coin and feed over [start_ns, end_ns); nothing for those that showed nothing."""
    found: dict[_Key, _Sum] = {}
    commons: dict[str, Common] = {}
    ends = {name: np.searchsorted(stream.times_ns, (start_ns, end_ns)) for name, stream in streams.items()}
    feeds = {name: feed_at(name.venue, name.feed, start_ns) for name, (a, b) in ends.items() if a < b}
    counted = fullest_feeds({(n.venue, n.symbol, n.feed): feed.publishes for n, feed in feeds.items()})
    for name, feed in feeds.items():
        if (name.venue, name.symbol, name.feed) not in counted:
            continue
        stream, (low, high) = streams[name], ends[name]
        key = _Key(name.venue, name.coin, name.feed)
        total = found.setdefault(key, _Sum(feed.publishes, feed.behaves))
        if feed.publishes is not Publishes.THROTTLED:
            sides = stream.sides[low:high]
            total.add("shown", np.bincount(sides, minlength=2))
            for column, sizes in (("shown_usd", stream.usd), ("shown_coins", stream.coins)):
                total.add(column, np.bincount(sides, weights=sizes[low:high], minlength=2))
            continue
        common = commons.setdefault(name.venue, common_draws(_rng(seed, "common", name.venue), DRAWS))
        throttle = throttle_of(feed)
        _take(
            total,
            estimate(
                stream, throttle, start_ns, end_ns, _rng(seed, *name, start_ns), common,
                bursts=teachers.bursts(throttle, end_ns, end_ns - start_ns),
            ),
        )  # fmt: skip
    return found


def _take(total: _Sum, one: Totals) -> None:
    """Add the draws of one symbol."""
    for column in ("count", "usd", "plain", "plain_usd", "shown", "shown_usd", "shown_coins"):
        total.add(column, getattr(one, column))
    for column, draws in (("coins", one.usd), ("plain_coins", one.plain_usd)):
        total.add(column, one.shown_coins + (draws - one.shown_usd) / one.price)
    total.occupied.append(one.occupied)
    total.bursts.append(one.burst)
    total.learnt &= one.learnt
    total.upper &= one.upper


def _rows(
    key: _Key,
    total: _Sum,
    start_ns: int,
    end_ns: int,
    fall: Fall | None,
    cap: tuple[float, float] | None,
    forced: ForcedShare | None,
) -> Iterator[dict[str, Any]]:
    """The rows of one stretch: long, short, both."""
    for side in (*SIDES, "both"):
        pick = [SIDES.index(side)] if side != "both" else [0, 1]
        shown = {
            name: float(np.asarray(total.draws[name])[pick].sum())
            for name in ("shown", "shown_usd", "shown_coins")
        }
        row: dict[str, Any] = {
            "time_ns": start_ns, "end_ns": end_ns, **key._asdict(), "side": side,
            "publishes": total.publishes.value, "rule": total.rule, "shown": int(shown["shown"]),
            "shown_usd": shown["shown_usd"], "shown_coins": _or_none(shown["shown_coins"]),
            "occupied_share": float(np.mean(total.occupied)) if total.occupied else None,
            "burst_mean": float(np.median(total.bursts)) if total.bursts else None,
            "bursts_from": "" if not total.bursts else "full feeds" if total.learnt else "prior",
            "upper_from": "", "oi_fall_coins": None if fall is None else fall.coins,
        }  # fmt: skip
        ends = {"count": "shown", "usd": "shown_usd", "coins": "shown_coins"}
        if total.bursts:
            for name, seen in ends.items():
                plain = "plain" if name == "count" else f"plain_{name}"
                draws, least = (np.asarray(total.draws[k])[:, pick].sum(axis=1) for k in (name, plain))
                if name == "coins" and (key.coin == ALL_COINS or not np.isfinite(draws).all()):
                    continue
                interval = band(draws, least, shown[seen], learnt=total.learnt, upper=total.upper)
                row |= {f"{name}_low": interval.low, name: interval.middle, f"{name}_high": interval.high}
            row["upper_from"] = "feed" if total.upper else ""
            if key.coin == ALL_COINS:
                row["shown_coins"] = None
            _bound(row, pick, total, fall, cap, forced)
        elif total.publishes is Publishes.ALL:
            for name, seen in ends.items():
                row |= dict.fromkeys((f"{name}_low", name, f"{name}_high"), _or_none(shown[seen]))
            row["upper_from"] = "feed"
            if key.coin == ALL_COINS:
                row |= dict.fromkeys(("shown_coins", "coins_low", "coins", "coins_high"))
        else:
            row |= {f"{name}_low": _or_none(shown[seen]) for name, seen in ends.items()}
            if key.coin == ALL_COINS:
                row |= dict.fromkeys(("shown_coins", "coins_low"))
        yield row


def _bound(
    row: dict[str, Any],
    pick: list[int],
    total: _Sum,
    fall: Fall | None,
    cap: tuple[float, float] | None,
    forced: ForcedShare | None,
) -> None:
    """Bring in open interest where the feed gives no upper end, and trades where they lie below it."""
    coins, usd = row["shown_coins"], row["shown_usd"]
    if not coins:
        return
    price = usd / coins
    if row["usd_high"] is None and forced is not None and fall is not None:
        both = forced.forced(fall)
        if both is not None:
            share = usd / float(np.sum(total.draws["shown_usd"]))
            _, middle, high = (max(value * share, coins) for value in both)
            row |= {"coins": middle, "coins_high": high, "usd": middle * price, "usd_high": high * price}
            row["upper_from"] = "open interest"
    if cap is not None:
        most = sum(cap[side] for side in pick)
        # the trades may be fewer than the feed's own events: then the tape has holes and bounds nothing
        if most >= coins and (row.get("coins_high") is None or most < row["coins_high"]):
            row |= {"coins_high": most, "usd_high": most * price, "upper_from": "trades"}
            for name, limit in (("coins", most), ("usd", most * price)):
                for end in (name, f"{name}_low"):
                    row[end] = None if row.get(end) is None else min(row[end], limit)


def _vendors(totals: pl.DataFrame | None, start_ns: int, end_ns: int) -> Iterator[dict[str, Any]]:
    """Vendors' sums of the bars inside [start_ns, end_ns); shortest bars first, none twice."""
    if totals is None or totals.is_empty():
        return
    inside = totals.filter(
        (pl.col("time_ns") >= start_ns) & (pl.col("time_ns") + pl.col("interval_s") * SECOND_NS <= end_ns)
    )
    finest = inside.filter(
        pl.col("interval_s") == pl.col("interval_s").min().over("venue", "coin", "publisher")
    )
    sums = (
        finest.group_by("venue", "coin", "publisher", "side", maintain_order=True)
        .agg(pl.col("usd").sum())
        .sort("venue", "coin", "publisher", "side")
    )
    for venue, coin, publisher, side, usd in sums.iter_rows():
        yield {
            "time_ns": start_ns, "end_ns": end_ns, "venue": venue, "coin": coin, "side": side,
            "feed": publisher,
            "publishes": Publishes.INHERITED.value, "rule": "", "shown_usd": usd, "usd_low": usd,
            "bursts_from": "", "upper_from": "",
        }  # fmt: skip


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    table = LIQUIDATION_ESTIMATES
    if not rows:
        return empty(table)
    frame = pl.DataFrame(
        [{name: row.get(name) for name in table.names} for row in rows], infer_schema_length=None
    )
    typed = [pl.col(column.name).cast(getattr(pl, column.dtype)) for column in table.columns]
    return conform(frame.select(typed), table).sort(table.key)
