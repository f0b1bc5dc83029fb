"""Has a coin come apart from gold: how far did their prices diverge, and did their correlation change?

A gap in performance and a lack of correlation are two things, and both are given. Gold has no weekend: only
its sessions are counted, so a coin's move of Saturday and Sunday is part of its return to Monday. On a
session's date the coin is taken at 24:00 UTC and gold at the publisher's close, which for the future is two
to three hours earlier.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deleverage.data.lake.times import iso
from deleverage.errors import InputError
from deleverage.measure.asof import DAY_NS, AsOf
from deleverage.measure.decoupling.breaks import LEAST, STEP, find_breaks
from deleverage.measure.decoupling.correlation import (
    Correlation,
    correlate,
    difference,
    fisher_interval,
    forbes_rigobon,
)
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose
from deleverage.measure.prices import need_daily, no_bars, source_of

Floats = NDArray[np.float64]

_DAY_S = 86_400
FISHER = "95 % Fisher, n corrected for autocorrelation"


def compute(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    """Readings; both prices against the base [share], their gap, and the rolling correlation."""
    coin, against, window = parameters["coin"], parameters["against"], parameters["window"]
    venue, kind = parameters["venue"], parameters["kind"]
    bars = need_daily(asof, coin, venue=venue, kind=kind)
    pairs = sessions(asof, bars, against)
    if pairs.is_empty():
        raise no_bars(asof, coin, venue=venue, kind=kind).error()
    base = _base(asof, bars, pairs, parameters, coin)
    found = Found("decoupling", asof, parameters)
    subject = f"{coin} and {against}"
    last = int(pairs["time_ns"][-1])
    publisher = str(pairs["publisher"][-1])
    whose = Whose(
        f"{venue} {kind} at 24:00 UTC; {publisher} closes of {against}, its sessions alone",
        f"{source_of(coin, venue, kind)}; macro: {publisher} {against}", base, last + DAY_NS,
    )  # fmt: skip
    _gap(found, subject, coin, against, pairs, base, parameters["base"], whose)
    times = pairs["time_ns"].to_numpy()[1:]
    x = np.diff(np.log(pairs["coin"].to_numpy()))
    y = np.diff(np.log(pairs["against"].to_numpy()))
    _correlations(found, subject, times, x, y, base, int(window * DAY_NS), whose)
    _breaks(found, subject, times, x, y, parameters["breaks_days"], whose)
    _rolling(found, subject, times, x, y, window)
    return found.measured()


def sessions(asof: AsOf, bars: pl.DataFrame, against: str) -> pl.DataFrame:
    """Dates on which both have a close: time_ns, coin, high, low [USD/coin], against, publisher.

    Raises
    ------
    MissingDataError
        the other series is not there.
    """
    rows = asof.need("macro", f"daily bars of {against}", symbol=against, interval_s=_DAY_S)
    # one publisher alone: levels of two are not of one series
    by_size = rows.group_by("publisher").len().sort(["len", "publisher"], descending=[True, False])
    rows = rows.filter(pl.col("publisher") == by_size["publisher"][0]).sort("time_ns")
    # a vendor's row of a holiday or of a weekend is no session
    rows = rows.filter((pl.col("close") > 0) & (pl.from_epoch("time_ns", time_unit="ns").dt.weekday() <= 5))
    return rows.select("time_ns", "publisher", against=pl.col("close")).join(
        bars.select("time_ns", "high", "low", coin=pl.col("close")), on="time_ns", maintain_order="left"
    )


def _base(
    asof: AsOf, bars: pl.DataFrame, pairs: pl.DataFrame, parameters: Mapping[str, Any], coin: str
) -> int:
    """The session from which is counted: the last one not after ``since``, or not after the coin's high."""
    since = parameters["since"]
    if since is None:
        since = int(bars["time_ns"][bars["high"].arg_max() or 0])
    if since >= asof.at_ns:
        raise InputError(
            f"measure decoupling, parameter since: expected a day before {iso(asof.at_ns)}, "
            f"found {iso(since)[:10]}",
            hint="a gap is counted from the past",
            parameter="since",
        )
    earlier = pairs.filter(pl.col("time_ns") <= since)
    against = parameters["against"]
    if earlier.is_empty() or since - int(earlier["time_ns"][-1]) > 7 * DAY_NS:
        day = since // DAY_NS * DAY_NS
        missing = asof.missing(
            "macro", f"session of {against} with a bar of {coin} in the week",
            start_ns=day - 7 * DAY_NS, end_ns=day + DAY_NS, symbol=against, coin=coin,
        )  # fmt: skip
        raise missing.error()
    return int(earlier["time_ns"][-1])


def _gap(
    found: Found,
    subject: str,
    coin: str,
    against: str,
    pairs: pl.DataFrame,
    base: int,
    price: str,
    whose: Whose,
) -> None:
    """Returns since the base and their gap, as readings and series."""
    first = pairs.filter(pl.col("time_ns") == base).row(0, named=True)
    last = pairs.row(-1, named=True)
    start = float(first["coin" if price == "close" else price])
    asked = found.parameters["since"]
    moved = ""
    if asked is not None and asked // DAY_NS * DAY_NS != base:
        moved = f"; {iso(asked)[:10]} is no session, the one before it is taken"
    words = f"{iso(base)[:10]} to {iso(int(last['time_ns']))[:10]}, the last session{moved}"
    of_coin = float(last["coin"]) / start - 1
    of_other = float(last["against"]) / float(first["against"]) - 1
    found.reading("return_coin", coin, of_coin, "share", whose, note=f"from the {price} of {words}")
    found.reading("return_against", against, of_other, "share", whose, note=f"from the close of {words}")
    found.reading(
        "gap", subject, of_coin - of_other, "share", whose,
        low=float(last["low"]) / start - 1 - of_other, high=float(last["high"]) / start - 1 - of_other,
        interval=f"at the low and high of {coin} on the last session",
        note=f"return of {coin} less return of {against}, {words}; a gap in performance, not a correlation",
    )  # fmt: skip
    found.reading("gap_day", subject, base / DAY_NS, "date", whose, note="the session from which is counted")
    begin = base - 45 * DAY_NS
    shown = pairs.filter(pl.col("time_ns") >= begin)
    coins = (pl.col("coin") / start - 1).alias("value")
    others = (pl.col("against") / float(first["against"]) - 1).alias("value")
    found.series("return_coin", coin, "share", shown.select("time_ns", coins))
    found.series("return_against", against, "share", shown.select("time_ns", others))
    gap = shown.filter(pl.col("time_ns") >= base).select("time_ns", (coins - others).alias("value"))
    found.series("gap", subject, "share", gap)


def _correlations(
    found: Found,
    subject: str,
    times: NDArray[np.int64],
    x: Floats,
    y: Floats,
    base: int,
    width: int,
    whose: Whose,
) -> None:
    """Correlation of the window, since the base and before it, their difference, and its correction."""
    last = int(times[-1]) if times.size else base

    def of(name: str, begin: int, end: int, note: str) -> tuple[Correlation | None, Floats]:
        """Of the returns that ended in (begin, end]."""
        inside = (times > begin) & (times <= end)
        one = correlate(x[inside], y[inside])
        over = whose.over(max(begin, int(times[0])) if times.size else begin, end + DAY_NS)
        if one is None:
            few = f"{int(inside.sum())} returns on sessions in this stretch: at least 4 that move are needed"
            found.reading(name, subject, None, "correlation", over, note=few)
            return None, x[inside]
        ends = fisher_interval(one.r, one.effective)
        found.reading(
            name, subject, one.r, "correlation", over,
            low=ends[0] if ends else None, high=ends[1] if ends else None, interval=FISHER if ends else "",
            note=f"log returns, {one.count} sessions that say as much as {one.effective:.0f}; {note}",
        )  # fmt: skip
        return one, x[inside]

    days = width / DAY_NS
    of("correlation", last - width, last, f"the last {days:g} d")
    before, quiet = of("correlation_before", base - width, base, f"the {days:g} d before the base session")
    since, wild = of("correlation_since", base, last, "since the base session")
    over = whose.over(base - width, last + DAY_NS)
    found_difference = (
        difference(before.r, before.effective, since.r, since.effective) if before and since else None
    )
    if found_difference is None:
        note = "one of the two stretches is too short for an interval"
        found.reading("difference", subject, None, "correlation", over, note=note)
        found.reading("difference_z", subject, None, "z", over, note=note)
        found.reading("difference_p", subject, None, "share", over, note=note)
    else:
        d = found_difference
        found.reading(
            "difference", subject, d.value, "correlation", over, low=d.low, high=d.high,
            interval="95 %, from both Fisher intervals (Zou 2007)",
            note="correlation since the base less the one before it; stretches share no session",
        )  # fmt: skip
        found.reading("difference_z", subject, d.z, "z", over, note="(z2 − z1) ÷ √(1/(n1 − 3) + 1/(n2 − 3))")
        note = "two-sided; too small where the date was chosen by what happened on it"
        found.reading("difference_p", subject, d.p, "share", over, note=note)
    if since is None or before is None or quiet.var() == 0.0:
        found.reading("forbes_rigobon", subject, None, "correlation", over, note="needs both stretches")
        return
    delta = float(wild.var(ddof=1) / quiet.var(ddof=1)) - 1.0
    ends = fisher_interval(since.r, since.effective)
    found.reading(
        "forbes_rigobon", subject, forbes_rigobon(since.r, delta), "correlation", over,
        low=forbes_rigobon(ends[0], delta) if ends else None,
        high=forbes_rigobon(ends[1], delta) if ends else None,
        interval=FISHER if ends else "",
        note=f"correlation since, as if the coin's variance had not changed by {delta:+.0%} against before",
    )  # fmt: skip


def _breaks(
    found: Found, subject: str, times: NDArray[np.int64], x: Floats, y: Floats, days: float, whose: Whose
) -> None:
    """Number and dates of breaks of the correlation."""
    if not times.size:
        found.reading("breaks", subject, None, "count", whose, note="no two sessions")
        return
    begin = int(times[-1]) - int(days * DAY_NS)
    inside = times > begin
    over = whose.over(max(begin, int(times[0])), int(times[-1]) + DAY_NS)
    count = int(inside.sum())
    if count < 2 * LEAST:
        note = f"{count} returns on sessions: a break needs {LEAST} on either side"
        found.reading("breaks", subject, None, "count", over, note=note)
        return
    at = find_breaks(x[inside], y[inside])
    note = (
        f"PELT on {count} sessions, penalty 3·log n, returns scaled by their own volatility; a break is"
        f" at least {LEAST} sessions from the next and from both ends, and dated to within {STEP}"
    )
    found.reading("breaks", subject, float(len(at)), "count", over, note=note)
    inner = times[inside]
    cuts = [0, *at, count]
    parts = []
    for k, (start, end) in enumerate(pairwise(cuts)):
        part = correlate(x[inside][start:end], y[inside][start:end])
        value = part.r if part else None
        parts.append((int(inner[start]), value))
        if k:
            found.reading(
                f"break_{k}", subject, float(inner[start] / DAY_NS), "date", over,
                note=f"correlation {value:+.2f} from here on" if value is not None else "",
            )  # fmt: skip
    parts.append((int(inner[-1]), parts[-1][1]))
    frame = pl.DataFrame(parts, schema={"time_ns": pl.Int64, "value": pl.Float64}, orient="row")
    found.series(
        "regime", subject, "correlation", frame.unique(["time_ns"], keep="last", maintain_order=True)
    )


def _rolling(
    found: Found, subject: str, times: NDArray[np.int64], x: Floats, y: Floats, window: float
) -> None:
    """The correlation of the window before each session of the last two years, with its interval."""
    rows = []
    starts = np.searchsorted(times, times - int(window * DAY_NS), side="right")
    full = times - int(window * DAY_NS) >= times[0] if times.size else np.zeros(0, bool)
    recent = times > (int(times[-1]) if times.size else 0) - 731 * DAY_NS
    for k in np.flatnonzero(full & recent):
        one = correlate(x[starts[k] : k + 1], y[starts[k] : k + 1])
        ends = fisher_interval(one.r, one.effective) if one else None
        rows.append((int(times[k]), one.r if one else None, *(ends or (None, None))))
    schema = {"time_ns": pl.Int64, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64}
    found.series("correlation", subject, "correlation", pl.DataFrame(rows, schema=schema, orient="row"))


MEASURE = Measure(
    name="decoupling",
    question="Has a coin come apart from gold, in price and in correlation?",
    parameters=(
        Parameter("coin", "coin", "BTC", "the coin"),
        Parameter("against", "text", "GC=F", "the other series, by its publisher's name: GC=F, GLD, ^GSPC"),
        Parameter(
            "since", "time", None, "from which session's close is counted; the day of the coin's high if none"
        ),
        Parameter("window", "days", 90.0, "days of a correlation, and of the stretch before since", "days"),
        Parameter(
            "base", "choice", "close", "which price of the coin on the first day", choices=("close", "high")
        ),
        Parameter("breaks_days", "days", 730.0, "days in which breaks are looked for", "days"),
        Parameter("venue", "venue", "binance", "whose bars of the coin"),
        Parameter("kind", "choice", "spot", "spot or perpetual", choices=("spot", "perp")),
    ),
    compute=compute,
    headline=(
        "gap",
        "correlation",
    ),
    readings={
        "gap": "return of the coin less the other's since the base; < 0 the coin did worse",
        "gap_day": "the session from which is counted",
        "return_coin": "of the coin",
        "return_against": "of the other",
        "correlation": "of log returns on the other's sessions, over the window",
        "correlation_since": "since the base",
        "correlation_before": "over as many days as the window before the base",
        "difference": "since less before",
        "difference_z": "Fisher's test of it",
        "difference_p": "its p, two-sided",
        "forbes_rigobon": "correlation since, corrected for the change of variance",
        "breaks": "number of breaks of the correlation",
        "break_*": "their dates",
    },
)
