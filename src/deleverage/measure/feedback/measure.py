"""How many liquidations does one liquidation call forth? The Hawkes branching ratio, or why there is none.

A feed that shows at most one event a second hides exactly the events that feedback would show in: then
nothing
is fitted. Nor is a ratio given as the answer when its own residual test rejects the process.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deleverage.data.feeds import Feed, Publishes, feed_at
from deleverage.errors import InputError
from deleverage.measure.asof import DAY_NS, AsOf
from deleverage.measure.feedback.hawkes.counts import binned, hardiman_bouchaud
from deleverage.measure.feedback.hawkes.fit import FEWEST, Fit, fit, flexible
from deleverage.measure.feedback.hawkes.kernels import Exponential, Kernel, PowerLaw, log_spaced
from deleverage.measure.feedback.hawkes.likelihood import Events, Likelihood
from deleverage.measure.feedback.hawkes.residuals import Residuals, residuals
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose
from deleverage.measure.throttled.dedupe import each_once, fullest_feeds

SECOND_NS = 1_000_000_000
PROFILE = "95 % profile likelihood"

_DRAWS, _FEWER_DRAWS, _MANY = 99, 39, 1_500
"""Bootstrap draws of the residual tests, and those where there are many events."""

_BINS = 120
_REFUSED = {
    Publishes.THROTTLED: (
        "not identifiable: the feed {feed} shows at most one event of a contract in {window:g} s, "
        "and feedback "
        "is what happens within it. Fitted all the same, a true ratio of 0.5 comes out as 0.0 to "
        "0.03 (too low); "
        "a news rate that changes drives it up instead, toward 0.9 and more. Take a feed that publishes all"
    ),
    Publishes.INHERITED: "not identifiable: the feed {feed} sums feeds of which some show one event a second",
    Publishes.NOTHING: "not identifiable: the feed {feed} publishes nothing",
    Publishes.UNKNOWN: (
        "withheld: nobody says how much of what happened the feed {feed} shows; if it is throttled "
        "a fitted ratio "
        "is far too low (0.02 for 0.5)"
    ),
}
_BRANCHING = (
    "branching",
    "branching_constant",
    "branching_flexible",
    "baseline_effect",
    "branching_counts",
    "branching_binned",
)
_TESTS = ("ks_p", "ljung_box_p", "dispersion")


@dataclass(frozen=True)
class Stamped:
    """Events in seconds since ``start_ns``, ready for a fit.

    resolution_s : the grid on which the stamps lie; same : share of events whose stamp another has, spread
    evenly
    within the grid when above zero.
    """

    events: Events
    start_ns: int
    resolution_s: float
    same: float


def compute(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    """Readings; series of events, of the fitted rate and of what is left, or of the gaps that say why not."""
    venue, coin = parameters["venue"], parameters["coin"]
    start, end = parameters["from"], parameters["to"]
    if start is not None and end is not None and end <= start:
        raise InputError(
            f"measure feedback: expected 'to' after 'from', found {start} and {end}",
            hint="give from=2025-01-26 to=2025-01-28",
        )
    what = f"single liquidations of {coin} at {venue}"
    last = None if end is None else end - 1
    rows = asof.need("liquidations", what, start_ns=start, end_ns=last, venue=venue, coin=coin)
    rows, feeds = _fullest(each_once(rows))
    times = rows["time_ns"].to_numpy()
    names = ", ".join(sorted({feed.feed for feed in feeds}))
    over = (
        int(times[0]) if start is None else start,
        int(times[-1]) + 1 if end is None else min(end, asof.at_ns),
    )
    count = f"{venue}'s feed {names}, as published"
    whose = Whose(count, f"liquidations: {venue} {coin} {names}").over(*over)
    found = Found("feedback", asof, parameters)
    found.reading("events", coin, float(times.size), "count", whose, note="each once")
    found.reading("ties", coin, tie_share(times), "share", whose, note="of events that share their second")
    found.series("gap", coin, "s", _gaps(rows))
    refused = _refusal(feeds)
    if not refused and times.size < FEWEST:
        refused = f"too few events: {times.size}, and at least {FEWEST} are needed"
    if refused:
        _nulls(found, coin, whose, refused)
        return found.measured()
    stamped = stamp(times, *over, _stream(venue, coin, "stamps"))
    _answer(found, stamped, parameters, whose)
    return found.measured()


def tie_share(times_ns: NDArray[np.int64]) -> float:
    """Share of the events whose whole second holds another one."""
    seconds = times_ns // SECOND_NS
    _, counts = np.unique(seconds, return_counts=True)
    return float(counts[counts > 1].sum() / max(1, seconds.size))


def stamp(times_ns: NDArray[np.int64], start_ns: int, end_ns: int, rng: np.random.Generator) -> Stamped:
    """Seconds since the start; where stamps are shared, all are spread evenly within the grid they lie on."""
    past = np.sort(times_ns) - start_ns
    _, counts = np.unique(past, return_counts=True)
    same = float(counts[counts > 1].sum() / max(1, past.size))
    steps = np.diff(np.unique(past))
    grid = int(np.gcd.reduce(steps)) if steps.size else SECOND_NS
    seconds = past / SECOND_NS
    if same > 0.0:
        seconds = np.sort(seconds + rng.random(past.size) * (grid / SECOND_NS))
    span = max((end_ns - start_ns) / SECOND_NS, float(seconds[-1]) if seconds.size else 0.0)
    return Stamped(Events.of(seconds, span), start_ns, grid / SECOND_NS, same)


def _fullest(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Feed]]:
    """Of a symbol seen in two feeds the fuller one; with what its feeds publish on the days of the events."""
    days = rows.select("venue", "symbol", "feed", day=pl.col("time_ns") // DAY_NS).unique().sort(pl.all())
    by_stream: dict[tuple[str, str, str], list[Feed]] = {}
    for venue, symbol, feed, day in days.iter_rows():
        by_stream.setdefault((venue, symbol, feed), []).append(feed_at(venue, feed, day * DAY_NS))
    worst = {stream: _worst(feeds).publishes for stream, feeds in by_stream.items()}
    kept = fullest_feeds(worst)
    chosen = pl.DataFrame(sorted(kept), schema=["venue", "symbol", "feed"], orient="row")
    rows = rows.join(chosen, on=["venue", "symbol", "feed"], how="semi").sort("time_ns", "event_id")
    return rows, [_worst(by_stream[stream]) for stream in sorted(kept)]


_ORDER = (Publishes.ALL, Publishes.INHERITED, Publishes.UNKNOWN, Publishes.NOTHING, Publishes.THROTTLED)


def _worst(feeds: list[Feed]) -> Feed:
    return max(feeds, key=lambda feed: _ORDER.index(feed.publishes))


def _refusal(feeds: list[Feed]) -> str:
    """Why these feeds cannot be fitted; '' where they can."""
    worst = _worst(feeds)
    text = _REFUSED.get(worst.publishes, "")
    return text.format(feed=worst.feed, window=worst.window_s or math.nan)


def _nulls(found: Found, coin: str, whose: Whose, note: str) -> None:
    for name in _BRANCHING:
        found.reading(name, coin, None, "share", whose, note=note)
    found.reading("decay", coin, None, "1/s", whose, note=note)
    for name in _TESTS:
        found.reading(
            name,
            coin,
            None,
            "variance" if name == "dispersion" else "probability",
            whose,
            note="nothing was fitted: see branching",
        )


def _answer(found: Found, stamped: Stamped, parameters: Mapping[str, Any], whose: Whose) -> None:
    coin, events = parameters["coin"], stamped.events
    kernel = _kernel(parameters["kernel"], events, stamped.resolution_s)
    finest = stamped.resolution_s
    constant = fit(events, kernel, finest=finest, interval=True)
    wants = parameters["baseline"]
    bent = None if wants == "constant" else flexible(events, constant, interval=True)
    head = constant if bent is None else bent
    rng = _stream(parameters["venue"], coin, "residuals")
    test = residuals(head, rng, _DRAWS if events.times.size <= _MANY else _FEWER_DRAWS)
    spread = _spread_note(stamped)
    unsaid = "not asked for (parameter baseline)"
    verdict = _verdict(head, test)
    for name, one in (("branching_constant", constant), ("branching_flexible", bent)):
        if one is None or (name == "branching_constant" and wants == "flexible"):
            found.reading(name, coin, None, "share", whose, note=unsaid)
            continue
        levels = f"{one.model.levels} level{'s' if one.model.levels > 1 else ''} of the news rate"
        note = "; ".join(
            part for part in (kernel.name, levels, spread, verdict if one is head else "") if part
        )
        found.reading(
            name, coin, one.n, "share", whose, low=one.n_low, high=one.n_high, interval=PROFILE, note=note
        )
    effect = constant.n - bent.n if bent is not None and wants == "both" else None
    found.reading(
        "baseline_effect",
        coin,
        effect,
        "share",
        whose,
        note="constant − flexible: how much of the ratio may be a changing rate of news"
        if effect is not None
        else unsaid,
    )
    _counts(found, stamped, constant, coin, whose)
    found.reading(
        "decay",
        coin,
        None if head.at_bound else head.decay,
        "1/s",
        whose,
        note="at the limit of what the stamps tell apart: not identified"
        if head.at_bound
        else "ln 2 ÷ median delay of an offspring",
    )
    by_draws = f"share of {test.draws} refitted draws at least as bad"
    found.reading("ks_p", coin, test.ks_p, "probability", whose, note=by_draws)
    found.reading("ljung_box_p", coin, test.ljung_box_p, "probability", whose, note=by_draws)
    found.reading(
        "dispersion",
        coin,
        test.variance,
        "variance",
        whose,
        note=f"of the rescaled waits, 1 where the process is right; p {test.dispersion_p:.3f}",
    )
    if verdict:
        found.reading("branching", coin, None, "share", whose, note=f"withheld: {verdict}")
    else:
        both = [constant, head] if wants == "both" else [head]
        low = min(one.n if one.n_low is None else one.n_low for one in both)
        high = max(one.n if one.n_high is None else one.n_high for one in both)
        note = "; ".join(
            part
            for part in (
                f"{'flexible' if bent is not None else 'constant'} baseline, {kernel.name}",
                _WARNING,
                spread,
            )
            if part
        )
        found.reading(
            "branching",
            coin,
            head.n,
            "share",
            whose,
            low=low,
            high=high,
            interval=f"{PROFILE}, over the baselines",
            note=note,
        )
    _series(found, stamped, head, test, coin)


_WARNING = (
    "a changing rate of news that the levels do not follow still counts as feedback: without any, "
    "one that doubles "
    "and halves gave 0.86"
)


def _verdict(head: Fit, test: Residuals) -> str:
    """Why the process does not explain the events; '' where it may."""
    if test.passes():
        return ""
    return (
        f"the fitted process fails its residual test (KS p {test.ks_p:.3f}, Ljung–Box p "
        f"{test.ljung_box_p:.3f}, "
        f"dispersion p {test.dispersion_p:.3f}): try another kernel or a shorter time"
    )


def _spread_note(stamped: Stamped) -> str:
    if stamped.same == 0.0:
        return ""
    return (
        f"{stamped.same:.0%} of the stamps are shared: spread evenly within their {stamped.resolution_s:g} s "
        "(a ratio of 0.5 reads 0.51 to 0.56; branching_binned does not need it)"
    )


def _counts(found: Found, stamped: Stamped, constant: Fit, coin: str, whose: Whose) -> None:
    """Two ratios from counts: mean against variance, and the spectrum of bins."""
    events = stamped.events
    memory = 1.0 / (max(constant.decay, 1e-12) * max(1.0 - constant.n, 1e-3))
    width = max(10.0 * memory, events.span / 200.0)
    try:
        windows = int(events.span // width)
        counts = np.histogram(events.times, max(1, windows), (0.0, max(1, windows) * width))[0]
        ratio = hardiman_bouchaud(counts)
        found.reading(
            "branching_counts",
            coin,
            ratio.n,
            "share",
            whose,
            low=ratio.low,
            high=ratio.high,
            interval="90 % jackknife over windows",
            note=f"1 − √(mean ÷ variance) of {ratio.windows} windows of {width:,.3g} s; a changing rate "
            "of news counts as feedback",
        )
    except InputError as error:
        found.reading("branching_counts", coin, None, "share", whose, note=str(error))
    width = max(stamped.resolution_s, 0.2 / max(constant.decay, 1e-12), events.span / 50_000.0)
    try:
        bins = int(events.span // width)
        counts = np.histogram(events.times, max(1, bins), (0.0, max(1, bins) * width))[0]
        spectral = binned(counts, width)
        found.reading(
            "branching_binned",
            coin,
            spectral.n,
            "share",
            whose,
            low=spectral.low,
            high=spectral.high,
            interval="95 % Whittle",
            note=f"spectrum of bins of {width:.3g} s, exponential, constant baseline; fit p "
            f"{spectral.fit_p:.3f}",
        )
    except InputError as error:
        found.reading("branching_binned", coin, None, "share", whose, note=str(error))


def _kernel(name: str, events: Events, finest: float) -> Kernel:
    match name:
        case "exponential":
            return Exponential()
        case "power":
            return PowerLaw()
        case _:
            return log_spaced(events.span, max(finest, events.span / 1e7))


def _series(found: Found, stamped: Stamped, head: Fit, test: Residuals, coin: str) -> None:
    """Events and fitted rate by bin, the baseline, and the rescaled waits."""
    events, start = stamped.events, stamped.start_ns
    edges = np.linspace(0.0, events.span, _BINS + 1)
    width = events.span / _BINS
    per_hour = 3_600.0 / width
    when = start + (edges[:-1] * SECOND_NS).astype(np.int64)
    counts = np.histogram(events.times, edges)[0]
    likelihood = Likelihood(events, head.model)
    total = likelihood.compensator(head.parameters)
    fitted = np.diff(
        np.interp(edges, np.append(0.0, events.times), np.append(0.0, total), right=float(total[-1]))
    )
    level = np.searchsorted(head.model.edges, edges[:-1] + width / 2.0, side="right") - 1
    news = head.mu[np.clip(level, 0, head.mu.size - 1)] * 3_600.0
    rate = "1/h"
    found.series("events", coin, rate, pl.DataFrame({"time_ns": when, "value": counts * per_hour}))
    found.series("fitted", coin, rate, pl.DataFrame({"time_ns": when, "value": fitted * per_hour}))
    found.series("news", coin, rate, pl.DataFrame({"time_ns": when, "value": news}))
    # one row a time: of shared stamps the grid was spread, so nanoseconds differ
    at = start + np.round(events.times[1:] * SECOND_NS).astype(np.int64)
    waits = pl.DataFrame({"time_ns": at, "value": test.waits}).unique(
        "time_ns", keep="first", maintain_order=True
    )
    found.series("wait", coin, "expected events", waits)


def _gaps(rows: pl.DataFrame) -> pl.DataFrame:
    """Seconds since the event before of the same contract, at the events; one row a time."""
    return (
        rows.with_columns(value=pl.col("time_ns").diff().over("symbol") / SECOND_NS)
        .filter(pl.col("value").is_not_null())
        .group_by("time_ns", maintain_order=True)
        .agg(pl.col("value").min())
        .sort("time_ns")
    )


def _stream(*names: str) -> np.random.Generator:
    """The stream of randomness of a subject: same names, same draws."""
    parts = [crc32(name.encode()) for name in ("feedback", *names)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(parts)))


MEASURE = Measure(
    name="feedback",
    question="How many liquidations does one liquidation call forth?",
    parameters=(
        Parameter("venue", "venue", "binance", "whose feed"),
        Parameter("coin", "coin", "BTC", "the coin"),
        Parameter("from", "time", None, "start of the observation; the first event where none is given"),
        Parameter("to", "time", None, "its end, not included; the last event where none is given"),
        Parameter(
            "kernel",
            "choice",
            "exponential",
            "how the effect of an event fades",
            choices=("exponential", "multi", "power"),
        ),
        Parameter(
            "baseline",
            "choice",
            "both",
            "whether the rate of news may change",
            choices=("constant", "flexible", "both"),
        ),
    ),
    compute=compute,
    headline=(
        "events",
        "branching",
    ),
    readings={
        "events": "published events, each once",
        "ties": "share of them that share their second with another",
        "branching": "the branching ratio, null where it cannot be given",
        "branching_constant": "with a constant rate of news",
        "branching_flexible": "with a rate of news in steps, as many as BIC prefers",
        "baseline_effect": "constant − flexible: the honest uncertainty",
        "branching_counts": "from mean and variance of counts (Hardiman–Bouchaud)",
        "branching_binned": "from the spectrum of counts in bins, which ties do not disturb",
        "decay": "how fast the effect of an event fades",
        "ks_p": "do the rescaled waits look exponential?",
        "ljung_box_p": "is there memory left in them?",
        "dispersion": "their variance, 1 where the process is right",
    },
)
