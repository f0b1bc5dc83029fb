"""How much money left the funds, how unusual was it, and what did the price do on such days?

Flows are a publisher's count, date by date, > 0 into the funds. A date's figure becomes known on the morning
after, and a slope of returns on flows says what went together, not what caused what.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from deleverage.data.lake.times import iso
from deleverage.errors import InputError
from deleverage.measure.asof import DAY_NS, AsOf
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose
from deleverage.measure.outflows.newey_west import Slope, slope
from deleverage.measure.prices import daily, no_bars, source_of

ALL = "ALL"
_WINDOW = 5
_LEAST_DAYS = 60
_LEAST_WINDOWS = 20
_LEVEL = 0.9
_SHIFTS = (
    ("elasticity", 0, "of the same UTC day, which ends 3 to 4 h after the session"),
    ("elasticity_next_day", 1, "of the UTC day after; the flow becomes known in it"),
    ("elasticity_day_before", -1, "of the UTC day before: money that follows the price shows here"),
)
_SPOT_US = "US spot funds only: no futures funds, no funds elsewhere, no trusts before they converted"


def compute(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    """Readings of the window, and the series of flows, their running sum and the price."""
    coin, publisher, fund = parameters["coin"], parameters["publisher"], parameters["fund"]
    days = by_day(asof, publisher, fund)
    wanted = days if coin == ALL else days.filter(pl.col("coin") == coin)
    what = f"flows of {fund} by {publisher}" + ("" if coin == ALL else f" for {coin}")
    if wanted.is_empty():
        raise asof.missing("flows", what, start_ns=parameters["from"], end_ns=_end(parameters)).error()
    history = wanted.group_by("time_ns", maintain_order=True).agg(pl.col("usd").sum()).sort("time_ns")
    start, end = _window(history, parameters)
    window = history.filter(pl.col("time_ns").is_between(start, end))
    if window.is_empty():
        raise asof.missing("flows", what, start_ns=start, end_ns=end + DAY_NS).error()

    found = Found("outflows", asof, parameters)
    counted = f"{publisher}, {'sum of all funds' if fund == 'total' else fund}"
    whose = Whose(counted, f"flows: {publisher} {coin} {fund}", start, end + DAY_NS)
    until = history.filter(pl.col("time_ns") <= end)
    first = int(history["time_ns"][0])

    note = "; ".join(
        text
        for text in (_population(publisher), _gaps(found, asof, window, history, start, end, what))
        if text
    )
    found.reading("flow", coin, float(window["usd"].sum()), "USD", whose, note=note)
    for other in sorted(set(days["coin"])):
        if other != coin:
            rows = days.filter((pl.col("coin") == other) & pl.col("time_ns").is_between(start, end))
            one = Whose(counted, f"flows: {publisher} {other} {fund}", start, end + DAY_NS)
            value = float(rows["usd"].sum()) if rows.height else None
            said = f"{rows.height} days" if rows.height else "no row of that coin in the window"
            found.reading(f"flow_{other}", other, value, "USD", one, note=said)
    _other_counts(found, asof, coin, fund, (start, end))

    found.reading("days_observed", coin, float(window.height), "days", whose)
    leaving = window.filter(pl.col("usd") < 0)
    said = f"of {window.height} days"
    found.reading("days_of_outflow", coin, float(leaving.height), "days", whose, note=said)
    if leaving.height:
        worst = leaving.sort("usd", "time_ns").row(0, named=True)
        day = int(worst["time_ns"])
        that = whose.over(day, day + DAY_NS)
        found.reading("largest_outflow_day", coin, worst["usd"], "USD", that, note=iso(day)[:10])
        found.reading("largest_outflow_day_date", coin, day / DAY_NS, "date", that)
    else:
        none = "no day of the window had an outflow"
        found.reading("largest_outflow_day", coin, None, "USD", whose, note=none)
        found.reading("largest_outflow_day_date", coin, None, "date", whose, note=none)

    _cumulative(found, until, coin, whose.over(first, end + DAY_NS))
    _percentile(found, history, window, coin, whose.over(first, end + DAY_NS))
    _elasticity(found, asof, until, coin, counted)
    _revisions(found, asof, publisher, coin, whose)

    for name in sorted(set(days["coin"])):
        rows = days.filter(pl.col("coin") == name)
        found.series("flow", name, "USD", rows.select("time_ns", value="usd"))
    if coin == ALL:
        found.series("flow", ALL, "USD", history.select("time_ns", value="usd"))
    summed = history.select("time_ns", value=pl.col("usd").cum_sum())
    found.series("cumulative", coin, "USD", summed)
    return found.measured()


def by_day(asof: AsOf, publisher: str, fund: str) -> pl.DataFrame:
    """Flows that were known: coin, time_ns (00:00 UTC of the session's date), usd (> 0 into the fund)."""
    rows = asof.table("flows", publisher=publisher, fund=fund)
    return rows.select("coin", "time_ns", "usd").sort("coin", "time_ns")


def percentile_before(
    history: np.ndarray[Any, np.dtype[np.float64]], length: int
) -> tuple[float, int] | None:
    """Share of earlier windows below the last one, ties by half, and how many there were.

    history : daily flows in order of time, the window being the last ``length`` of them. Windows that share a
    day with it are not compared. None where there is no earlier window.
    """
    sums = np.lib.stride_tricks.sliding_window_view(history, length).sum(axis=1)
    earlier = sums[: max(0, history.size - 2 * length + 1)]
    if not earlier.size:
        return None
    last = sums[-1]
    return float((np.sum(earlier < last) + 0.5 * np.sum(earlier == last)) / earlier.size), int(earlier.size)


def _window(history: pl.DataFrame, parameters: Mapping[str, Any]) -> tuple[int, int]:
    """First and last day, both included; by default the last five days with a figure."""
    start, end = parameters["from"], parameters["to"]
    if start is not None and end is not None and start > end:
        raise InputError(
            f"measure outflows: expected 'from' not after 'to', found {iso(start)[:10]} and {iso(end)[:10]}",
            hint="both days are included; swap them",
            parameter="from",
        )
    times = history["time_ns"]
    if end is None:
        end = max(int(times[-1]), start or 0)
    if start is None:
        until = times.filter(times <= end)
        start = int(until[max(0, until.len() - _WINDOW)]) if until.len() else end
    return start // DAY_NS * DAY_NS, end // DAY_NS * DAY_NS


def _end(parameters: Mapping[str, Any]) -> int | None:
    end = parameters["to"]
    return None if end is None else end // DAY_NS * DAY_NS + DAY_NS


def _population(publisher: str) -> str:
    if "Hong Kong" in publisher:
        return "Hong Kong spot funds only"
    return _SPOT_US if publisher in ("farside", "coinglass") else "whose funds are counted is not said"


def _gaps(
    found: Found, asof: AsOf, window: pl.DataFrame, history: pl.DataFrame, start: int, end: int, what: str
) -> str:
    """What part of the window has no figures, in words; what should be there by now is noted as missing."""
    told = []
    first, last = int(history["time_ns"][0]), int(history["time_ns"][-1])
    weekdays = [
        day
        for day in range(start, min(end, asof.at_ns) + 1, DAY_NS)
        if (day // DAY_NS + 3) % 7 < 5 and first <= day  # 1970-01-01 was a Thursday
    ]
    there = set(window["time_ns"])
    inside = [day for day in weekdays if day not in there and day < last]
    after = [day for day in weekdays if day > last]
    if start < first:
        told.append(f"the data begin on {iso(first)[:10]}")
    if inside:
        told.append(f"{len(inside)} weekdays without a figure (market closed): {iso(inside[0])[:10]}")
    if after:
        told.append(f"not known yet or not in the lake: {len(after)} weekdays from {iso(after[0])[:10]}")
        if after[0] + 3 * DAY_NS <= asof.at_ns:
            found.lacks(asof.missing("flows", what, start_ns=after[0], end_ns=after[-1] + DAY_NS))
    if end > asof.at_ns:
        told.append("the window ends after the moment that was asked for")
    return "; ".join(told)


def _other_counts(found: Found, asof: AsOf, coin: str, fund: str, window: tuple[int, int]) -> None:
    """The same window by every publisher that the lake has, side by side."""
    start, end = window
    rows = asof.table("flows", start_ns=start, end_ns=end, fund=fund)
    if coin != ALL:
        rows = rows.filter(pl.col("coin") == coin)
    for (publisher,), own in sorted(rows.group_by("publisher"), key=lambda item: str(item[0])):
        days = own["time_ns"].n_unique()
        whose = Whose(f"{publisher}, {fund}", f"flows: {publisher} {coin} {fund}", start, end + DAY_NS)
        note = "; ".join((f"{days} days", _population(str(publisher))))
        found.reading("flow_published", str(publisher), float(own["usd"].sum()), "USD", whose, note=note)


def _cumulative(found: Found, until: pl.DataFrame, coin: str, whose: Whose) -> None:
    """The sum since the data begin, and how far it is below its highest."""
    if until.is_empty():
        return
    summed = until["usd"].cum_sum().to_numpy()
    begun = f"since {iso(int(until['time_ns'][0]))[:10]}, when the data begin"
    found.reading("cumulative", coin, float(summed[-1]), "USD", whose, note=begun)
    top = int(np.argmax(summed))
    if summed[top] <= 0:
        peak, said = 0.0, "the sum was never above zero"
    else:
        peak, said = float(summed[top]), f"highest on {iso(int(until['time_ns'][top]))[:10]}"
    found.reading("cumulative_from_peak", coin, float(summed[-1]) - peak, "USD", whose, note=said)


def _percentile(found: Found, history: pl.DataFrame, window: pl.DataFrame, coin: str, whose: Whose) -> None:
    """Where the window's sum stands among the earlier windows of as many days."""
    length = window.height
    upto = history.filter(pl.col("time_ns") <= window["time_ns"][-1])["usd"].to_numpy()
    ranked = percentile_before(upto, length)
    if ranked is None or ranked[1] < _LEAST_WINDOWS:
        there = 0 if ranked is None else ranked[1]
        note = f"{there} earlier windows of {length} days: a rank wants {_LEAST_WINDOWS}"
        found.reading("percentile", coin, None, "share", whose, note=note)
        return
    share, windows = ranked
    apart = max(1, (upto.size - length) // length)
    low, high = _wilson(share, apart)
    found.reading(
        "percentile",
        coin,
        share,
        "share",
        whose,
        low=low,
        high=high,
        interval="90 % Wilson, windows that do not overlap",
        note=f"share of {windows} earlier windows of {length} days with less; {apart} of them do not overlap",
    )


def _wilson(share: float, n: int) -> tuple[float, float]:
    z = float(stats.norm.ppf((1 + _LEVEL) / 2))
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def _elasticity(found: Found, asof: AsOf, until: pl.DataFrame, coin: str, counted: str) -> None:
    """Return per $1 bn of flow: on the same day, the next, and the day before."""
    if coin == ALL:
        for name, _, _ in _SHIFTS:
            nothing = "a price is of one coin: ask for one"
            found.reading(name, coin, None, "share per $1 bn", Whose(counted, "flows"), note=nothing)
        return
    start = int(until["time_ns"][0]) if until.height else None
    bars = daily(asof, coin, start_ns=None if start is None else start - 3 * DAY_NS)
    if bars.is_empty():
        found.lacks(no_bars(asof, coin, start_ns=start))
    else:
        found.series("close", coin, "USD/coin", bars.select("time_ns", value="close"))
    moved = returns(bars)
    by = f"{counted}; price: binance spot, UTC days"
    for name, shift, meaning in _SHIFTS:
        pairs = until.with_columns(day=pl.col("time_ns") + shift * DAY_NS).join(
            moved, left_on="day", right_on="time_ns", how="inner"
        )
        whose = Whose(by, f"flows, {source_of(coin, 'binance', 'spot')}")
        fitted: Slope | None = None
        if pairs.height >= _LEAST_DAYS:
            whose = whose.over(int(pairs["time_ns"][0]), int(pairs["time_ns"][-1]) + DAY_NS)
            fitted = slope(pairs["usd"].to_numpy() / 1e9, pairs["log_return"].to_numpy(), level=_LEVEL)
        if fitted is None:
            note = f"{pairs.height} days with a flow and a price, or flows all alike: wants {_LEAST_DAYS}"
            found.reading(name, coin, None, "share per $1 bn", whose, note=note)
            continue
        found.reading(
            name,
            coin,
            fitted.value,
            "share per $1 bn",
            whose,
            low=fitted.low,
            high=fitted.high,
            interval=f"90 % Newey–West, {fitted.lags} lags",
            note=f"log return {meaning}; {fitted.n} days, R² {fitted.r2:.2f}; goes together, causes nothing",
        )


def returns(bars: pl.DataFrame) -> pl.DataFrame:
    """Log returns of days whose day before is there too: time_ns, log_return."""
    before = bars.select(time_ns=pl.col("time_ns") + DAY_NS, before="close")
    return bars.join(before, on="time_ns", how="inner").select(
        "time_ns", log_return=(pl.col("close") / pl.col("before")).log()
    )


def _revisions(found: Found, asof: AsOf, publisher: str, coin: str, whose: Whose) -> None:
    """How often figures of the window were changed later, as far as this lake saw it."""
    start, end = whose.from_ns, whose.to_ns
    changed = asof.table("revisions", start_ns=start, end_ns=end, table="flows", publisher=publisher)
    if coin != ALL:
        changed = changed.filter(pl.col("series").str.starts_with(f"{coin}/"))
    imported = "figures read from files are as of the file: what was changed before is not seen"
    found.reading(
        "revisions",
        coin,
        float(changed.height),
        "count",
        Whose(whose.by, "revisions: flows", start, end),
        note=f"changes seen by this lake; the first figures are used; {imported}",
    )


MEASURE = Measure(
    name="outflows",
    question="How much money left the funds, how unusual was it, and what did the price do on such days?",
    parameters=(
        Parameter("coin", "coin", "BTC", "the coin that the funds hold; ALL for every coin together"),
        Parameter("publisher", "text", "farside", "by whose count"),
        Parameter("from", "time", None, "first day, included; by default the last five days with a figure"),
        Parameter("to", "time", None, "last day, included; by default the last one known"),
        Parameter("fund", "text", "total", "a fund's ticker, or the publisher's total"),
    ),
    compute=compute,
    headline=("flow", "cumulative"),
    readings={
        "flow": "sum over the window; < 0 left the funds",
        "flow_*": "the same window for another coin; flow_published is the coin's by each publisher",
        "days_observed": "days of the window with a figure",
        "days_of_outflow": "days of them on which money left",
        "largest_outflow_day": "the day with the largest outflow; < 0",
        "largest_outflow_day_date": "which day that was",
        "cumulative": "sum since the data begin, up to the window's end",
        "cumulative_from_peak": "it, less its highest; never > 0",
        "percentile": "share of earlier windows of as many days with a lower sum",
        "elasticity": "log return per $1 bn of flow, same day",
        "elasticity_next_day": "the same with the return of the day after",
        "elasticity_day_before": "the same with the return of the day before",
        "revisions": "figures of the window that were changed later",
    },
)
