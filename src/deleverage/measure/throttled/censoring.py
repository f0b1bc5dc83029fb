"""How many liquidations, and how much, stand behind what a throttled feed published of one stream?

    true count   = (published + hidden bursts) · M̄ burst by burst         → intensity.py, bursts.py
    true amount  = published amount + Σ sizes of the others                → sizes.py

Every draw carries its own rate, scale, burst size, and sizes; the band is the 5 to 95 % range of the draws.
Nothing after the end of the stretch is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deleverage.measure.throttled.bursts import PRIOR, Bursts, Common, Stretch, burst_events, mean_bursts
from deleverage.measure.throttled.intensity import Hidden, hidden_bursts
from deleverage.measure.throttled.sizes import sum_of_hidden, unseen_below
from deleverage.measure.throttled.throttle import Cells, Floats, Rule, Throttle, Times, cells_of, censor

SIDES = ("long", "short")
DRAWS = 400
BAND = (0.05, 0.95)
CONTEXT_CELLS = 600
"""Cells before the stretch from which its rate is learnt, too."""

POOL = 300
"""Published sizes that stand for the hidden ones: those of the stretch, and earlier ones up to so many."""

UNIDENTIFIED = 0.05
"""More hidden bursts than this share where the data bound the rate from below only: no upper end."""


class Stream(NamedTuple):
    """Published events of one stream, in order of time.

    times_ns : int64 [ns UTC]; sides : 0 long, 1 short; usd, coins : sizes, > 0, coins NaN where not known.
    """

    times_ns: Times
    sides: NDArray[np.int64]
    usd: Floats
    coins: Floats

    def only(self, which: slice | NDArray[np.bool_]) -> Stream:
        """Some of the events."""
        return Stream(self.times_ns[which], self.sides[which], self.usd[which], self.coins[which])


@dataclass(frozen=True)
class Totals:
    """Draws of the true total of one stretch, by side; draws of several streams add up draw by draw.

    count, usd : float64 [draws, 2]. plain, plain_usd : the same if bursts had one event each, which is the
    most that the feed itself says. shown, shown_usd, shown_coins : what was published, [2]. price : USD a
    coin of what was published, NaN where coins are not known. occupied : share of the stretch that was dead
    (`first`), or of its windows with a published event. unidentified : share of the hidden bursts whose rate
    has no upper bound. burst : median mean burst; learnt : whether full feeds said so.
    """

    count: Floats
    usd: Floats
    plain: Floats
    plain_usd: Floats
    shown: NDArray[np.int64]
    shown_usd: Floats
    shown_coins: Floats
    price: float
    occupied: float
    unidentified: float
    burst: float
    learnt: bool

    @property
    def upper(self) -> bool:
        """True where the data bound the total from above."""
        return self.unidentified <= UNIDENTIFIED


class Interval(NamedTuple):
    """The 5, 50 and 95 % points; the upper two are None where nothing bounds the total from above."""

    low: float
    middle: float | None
    high: float | None


def band(draws: Floats, plain: Floats, shown: float, *, learnt: bool, upper: bool) -> Interval:
    """The 90 % band of a total from its draws.

    Where bursts are known from full feeds it holds the middle 90 % of the draws. Where they come from the
    prior, the lower end is that of bursts of one event: a prior may widen what data say, not exclude it.
    Where the rate is not bounded from above, what was published is the lower end and there is no upper one.
    """
    if not upper:
        return Interval(shown, None, None)
    low, middle, high = np.quantile(draws, (BAND[0], 0.5, BAND[1]))
    if not learnt:
        low = np.quantile(plain, BAND[0])
    return Interval(float(low), float(max(middle, low)), float(max(high, low)))


def estimate(
    stream: Stream,
    throttle: Throttle,
    start_ns: int,
    end_ns: int,
    rng: np.random.Generator,
    common: Common,
    *,
    bursts: Bursts = PRIOR,
) -> Totals:
    """Draws of the true total of [start_ns, end_ns); events from ``end_ns`` on are not read.

    stream : published events, each once, rising; earlier ones serve as context. rng : the stream of
    randomness of this estimate. common : draws shared by all streams of the venue; as many draws come out.
    bursts : what full feeds say of burst sizes; the prior by default.
    """
    draws = common.normal.size
    stream = _until(stream, end_ns)
    inside = np.flatnonzero(stream.times_ns >= start_ns)
    sides = stream.sides[inside]
    shown = np.bincount(sides, minlength=2)
    shown_usd: Floats = np.bincount(sides, weights=stream.usd[inside], minlength=2).astype(np.float64)
    shown_coins: Floats = np.bincount(sides, weights=stream.coins[inside], minlength=2).astype(np.float64)
    cells, wanted = _cells(stream, throttle, start_ns, end_ns)
    if throttle.rule is Rule.FIRST:
        occupied = float(np.mean(cells.dead[wanted])) * 1e9 / throttle.window_ns
    else:
        occupied = float(np.mean(cells.events[wanted].sum(axis=1) > 0))
    hidden = hidden_bursts(cells, throttle, wanted, rng, draws)
    plain = shown + hidden.by_side
    rate = float(np.median(plain.sum(axis=1))) * 1e9 / (end_ns - start_ns)
    mean = mean_bursts(bursts, rate, common, rng)
    count = np.stack([burst_events(plain[:, s], mean, rng) for s in (0, 1)], axis=1)
    amount = _below_the_largest if throttle.rule is Rule.LARGEST else _like_the_shown
    usd, plain_usd = (
        shown_usd + amount(stream, cells, hidden, unseen, rng) for unseen in (count - shown, plain - shown)
    )
    known = np.isfinite(stream.coins[-POOL:])
    coins = float(stream.coins[-POOL:][known].sum())
    return Totals(
        count, usd, plain, plain_usd, shown, shown_usd, shown_coins,
        float(stream.usd[-POOL:][known].sum()) / coins if coins > 0 else float("nan"),
        occupied, hidden.unidentified, float(np.median(mean)), bursts.learnt,
    )  # fmt: skip


def learn_bursts(
    streams: Iterable[Stream],
    throttle: Throttle,
    start_ns: int,
    end_ns: int,
    stretch_ns: int,
    rng: np.random.Generator,
) -> list[Stretch]:
    """Stretches of full feeds, each throttled, estimated without bursts, and beside the truth; for
    `bursts.learn`.

    streams : full feeds of [start_ns, end_ns), each event once.
    """
    found = []
    for stream in streams:
        kept = censor(stream.times_ns, stream.usd, throttle)
        thin = stream.only(kept)
        for begin in range(start_ns, end_ns, stretch_ns):
            stop = min(begin + stretch_ns, end_ns)
            truth, shown = (
                int(np.searchsorted(times, stop) - np.searchsorted(times, begin))
                for times in (stream.times_ns, thin.times_ns)
            )
            if not shown:
                continue
            cells, wanted = _cells(_until(thin, stop), throttle, begin, stop)
            hidden = hidden_bursts(cells, throttle, wanted, rng, 100)
            bursts = shown + hidden.by_side.sum(axis=1)
            if hidden.unidentified <= UNIDENTIFIED:
                rate = float(np.median(bursts)) * 1e9 / (stop - begin)
                found.append(
                    Stretch(rate, shown, float(np.mean(bursts)), float(np.std(np.log(bursts))), truth)
                )
    return found


def _until(stream: Stream, end_ns: int) -> Stream:
    past = int(np.searchsorted(stream.times_ns, end_ns, side="left"))
    return stream.only(slice(past))


def _cells(stream: Stream, throttle: Throttle, start_ns: int, end_ns: int) -> tuple[Cells, NDArray[np.bool_]]:
    """Cells of the stretch and of some time before it; which of them belong to the stretch."""
    width = throttle.window_ns
    context = start_ns - CONTEXT_CELLS * width
    if stream.times_ns.size:
        # before the first event ever seen nobody knows whether the feed was on
        context = max(context, min(start_ns, int(stream.times_ns[0]) // width * width))
    context = start_ns - -(-(start_ns - context) // width) * width
    cells = cells_of(stream.times_ns, stream.sides, throttle, context, end_ns)
    phase = context if throttle.rule is Rule.FIRST else throttle.phase_ns
    origin = phase + (context - phase) // width * width
    wanted = origin + np.arange(cells.live.size) * width >= start_ns - (width - 1)
    return cells, wanted


def _like_the_shown(
    stream: Stream, cells: Cells, hidden: Hidden, unseen: Floats, rng: np.random.Generator
) -> Floats:
    """Sums of hidden sizes [USD] by side; a published event near many hidden ones speaks for more of them."""
    sums = np.zeros(unseen.shape)
    for side in (0, 1):
        if not unseen[:, side].any():
            continue
        near = cells.place >= 0
        own = np.flatnonzero(stream.sides == side)
        pool = own[-max(POOL, int(near[own].sum())) :]
        if pool.size < 30:
            pool = np.arange(max(0, stream.sides.size - POOL), stream.sides.size)
        weights = np.where(near[pool], hidden.by_cell[np.maximum(cells.place[pool], 0)], 0.0)
        weights = weights + max(float(weights.mean()), 1e-9)
        sums[:, side] = sum_of_hidden(unseen[:, side], stream.usd[pool], weights / weights.sum(), rng)
    return sums


def _below_the_largest(
    stream: Stream, cells: Cells, hidden: Hidden, unseen: Floats, rng: np.random.Generator
) -> Floats:
    """The same where the largest of each window was published."""
    seen = np.flatnonzero(cells.place >= 0)
    if not seen.size:
        return np.zeros(unseen.shape)
    expected = hidden.by_cell[cells.place[seen]]
    mean, variance = unseen_below(stream.usd[seen], 1.0 + expected)
    weights = expected / expected.sum() if expected.sum() > 0 else np.full(seen.size, 1.0 / seen.size)
    one = float(weights @ mean)
    spread = max(float(weights @ (variance + mean**2)) - one**2, 0.0)
    # few maxima say little of what lies below them: their own error is drawn, too
    error = np.sqrt(spread * float(weights @ weights))
    level = np.maximum(one + error * rng.standard_normal((unseen.shape[0], 1)), 0.1 * one)
    noise = np.sqrt(np.maximum(unseen, 0.0) * spread) * rng.standard_normal(unseen.shape)
    sums: Floats = np.maximum(unseen * level + noise, 0.0)
    return sums
