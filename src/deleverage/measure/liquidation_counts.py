"""How much was liquidated a day, by each publisher's own count, and on how many days more than a threshold?

Publishers count different venues, coins and windows, and vendors add up feeds that are throttled: their
counts stand beside each other and are never added. A day of a vendor's list of contracts is its last list of
that UTC day, which looks back 24 hours; days without a list were not observed, which does not mean quiet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import binomtest

from deleverage.data.feeds import feed_at
from deleverage.data.lake.times import iso
from deleverage.errors import InputError
from deleverage.measure.asof import DAY_NS, AsOf, Missing
from deleverage.measure.blocks import LEVEL, block_draws, middle, stream
from deleverage.measure.contracts import complete_moments, contract_sums
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose
from deleverage.measure.throttled.dedupe import each_once
from deleverage.measure.throttled.liquidations import ALL_COINS, measure_liquidations

EVERY = "every"
LISTS = "coinglass"
"""Publisher of the lists of contracts in table `snapshots`."""

_SECOND_NS = 1_000_000_000
_HOUR_NS = 3_600 * _SECOND_NS
_LONGEST_NS = 3 * DAY_NS
"""Single events over a longer time are summed as shown, without a band."""


@dataclass(frozen=True)
class Days:
    """One publisher's count by day.

    subject : how it is called; frame : time_ns (00:00 UTC), long_usd, short_usd, open_interest_usd, in order;
    coins : which were added; by, data, note : as in a reading.
    """

    subject: str
    frame: pl.DataFrame
    coins: list[str]
    by: str
    data: str
    note: str

    @property
    def whose(self) -> Whose:
        """Over the days that were observed."""
        times = self.frame["time_ns"]
        return Whose(self.by, self.data, int(times[0]), int(times[-1]) + DAY_NS)


def compute(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    """Readings by publisher, and the series of long and short liquidations by day [USD]."""
    found = Found("liquidation_counts", asof, parameters)
    coin, asked = parameters["coin"], parameters["publisher"]
    start, end = _ends(asof.at_ns, parameters)
    counted = [*_lists(asof, coin, start, end), *_totals(asof, coin, start, end)]
    main = [days for days in counted if asked in (EVERY, days.subject)]
    sums = len(main)
    for days in main:
        _by_day(found, days, (start, end), parameters)
    for days in counted:
        if days not in main:
            _total(found, days, (start, end))
    sums += _adl(found, coin, start, end, asked)
    sums += _events(found, coin, start, end, asked)
    if not sums:
        others = [days.subject for days in counted]
        raise _nothing(asof, coin, asked, start, end, others).error()
    return found.measured()


def _ends(at_ns: int, parameters: Mapping[str, Any]) -> tuple[int, int]:
    end = at_ns if parameters["to"] is None else min(parameters["to"], at_ns)
    start = end - 30 * DAY_NS if parameters["from"] is None else parameters["from"]
    if end <= start:
        raise InputError(
            f"measure liquidation_counts: expected a time before {iso(end)}, found from {iso(start)}",
            hint="what is later than the moment asked for is not known; give an earlier `from`",
            parameter="from",
        )
    if parameters["threshold_usd"] <= 0:
        raise InputError(
            f"measure liquidation_counts: expected a threshold > 0, found {parameters['threshold_usd']:g}",
            hint="give it in USD, 5e8 is 500 million",
            parameter="threshold_usd",
        )
    if parameters["others_share"] < 0:
        raise InputError(
            "measure liquidation_counts, parameter others_share: expected a share ≥ 0, found "
            f"{parameters['others_share']:g}",
            hint="other coins can only add to what was liquidated; 0.5 adds half",
            parameter="others_share",
        )
    return start, end


def _nothing(asof: AsOf, coin: str, asked: str, start: int, end: int, others: list[str]) -> Missing:
    table = "snapshots" if asked in (EVERY, LISTS) else "liquidation_totals"
    whose = "any publisher" if asked == EVERY else f"'{asked}'"
    what = f"liquidations of {'any coin' if coin == 'ALL' else coin} counted by {whose}"
    if others:
        what += f" (there are {', '.join(others)})"
    elif (earlier := asof.table(table)["time_ns"]).len():
        what += f" (the newest of that table are of {iso(int(earlier.sort()[-1]))[:10]})"
    return asof.missing(table, what, start_ns=start, end_ns=end)


def _lists(asof: AsOf, coin: str, start: int, end: int) -> list[Days]:
    """The last list of each UTC day, all venues, 24 hours back."""
    sums = contract_sums(asof, coin=coin, start_ns=start).filter(
        (pl.col("time_ns") < end) & pl.col("long_usd").is_not_null() & pl.col("short_usd").is_not_null()
    )
    if sums.is_empty():
        return []
    newest = sums.filter(pl.col("time_ns") == pl.col("time_ns").max())
    coins = sorted(newest["coin"].to_list())
    day = (pl.col("time_ns") // DAY_NS * DAY_NS).alias("day")
    frame = (
        complete_moments(sums, coins)
        .with_columns(day)
        .filter(pl.col("time_ns") == pl.col("time_ns").max().over("day"))
        .group_by("day", maintain_order=True)
        .agg(
            pl.col("long_usd").sum(),
            pl.col("short_usd").sum(),
            pl.col("usd").sum().alias("open_interest_usd"),
        )
        .rename({"day": "time_ns"})
        .sort("time_ns")
    )
    if frame.is_empty():
        return []
    inherited = feed_at("all", "aggregate", end).note
    note = f"{', '.join(coins)} alone; one list a day, 24 h back; {inherited}"
    by = f"{LISTS}, all its venues, 24 h before the day's list"
    return [Days(LISTS, frame, coins, by, "snapshots: liquidations of 24 h", note)]


def _totals(asof: AsOf, coin: str, start: int, end: int) -> list[Days]:
    """UTC days made of whole bars, by publisher and venue; coins that were always there."""
    rows = (
        asof.table("liquidation_totals", start_ns=start)
        if coin == "ALL"
        else asof.table("liquidation_totals", start_ns=start, coin=coin)
    ).filter(pl.col("time_ns") + pl.col("interval_s") * _SECOND_NS <= end)
    found = []
    for (publisher, venue), part in rows.group_by(["publisher", "venue"], maintain_order=True):
        finest = part.filter(pl.col("interval_s") == pl.col("interval_s").min())
        bars = DAY_NS // (int(finest["interval_s"][0]) * _SECOND_NS)
        day = (pl.col("time_ns") // DAY_NS * DAY_NS).alias("time_ns")
        whole = (
            finest.group_by(day, "coin", maintain_order=True)
            .agg(
                pl.col("usd").filter(pl.col("side") == "long").sum().alias("long_usd"),
                pl.col("usd").filter(pl.col("side") == "short").sum().alias("short_usd"),
                pl.len().alias("bars"),
            )
            .filter(pl.col("bars") == 2 * bars)
        )
        if whole.is_empty():
            continue
        per_coin = whole.group_by("coin").len()
        most = int(per_coin["len"].max())  # type: ignore[arg-type]
        coins = sorted(per_coin.filter(pl.col("len") == most)["coin"].to_list())
        frame = (
            whole.filter(pl.col("coin").is_in(coins))
            .filter(pl.len().over("time_ns") == len(coins))
            .group_by("time_ns", maintain_order=True)
            .agg(pl.col("long_usd").sum(), pl.col("short_usd").sum())
            .with_columns(open_interest_usd=pl.lit(None, pl.Float64))
            .sort("time_ns")
        )
        if frame.is_empty():
            continue
        subject = f"{publisher} {venue}" if publisher != venue else str(publisher)
        note = f"{', '.join(coins)} alone; {feed_at('all', 'aggregate', end).note}"
        by = f"{publisher}, {venue} alone, UTC days"
        found.append(Days(subject, frame, coins, by, f"liquidation_totals: {publisher} {venue}", note))
    return sorted(found, key=lambda days: days.subject)


def _by_day(found: Found, days: Days, ends: tuple[int, int], parameters: Mapping[str, Any]) -> None:
    frame, subject, whose = days.frame, days.subject, days.whose
    threshold = parameters["threshold_usd"]
    size = (frame["long_usd"] + frame["short_usd"]).to_numpy()
    times = frame["time_ns"].to_numpy()
    top = int(size.argmax())
    one = whose.over(int(times[top]), int(times[top]) + DAY_NS)
    found.reading("largest_day", subject, float(size[top]), "USD", one, note=iso(int(times[top]))[:10])
    found.reading("largest_day_date", subject, int(times[top]) / DAY_NS, "date", one)
    low = high = None
    if size.size >= 8:
        draws = np.median(block_draws(size, 3, 1000, stream("median_day", subject)), axis=1)
        low, high = middle(draws)
    found.reading("median_day", subject, float(np.median(size)), "USD", whose, low=low, high=high,
                  interval="90 % bootstrap, blocks of 3 days" if low is not None else "",
                  note=days.note)  # fmt: skip
    wanted = -(-(ends[1] - ends[0]) // DAY_NS)
    found.reading("days_observed", subject, float(size.size), "days", whose,
                  note=f"of {wanted} days from {iso(ends[0])[:10]} on")  # fmt: skip
    above = size > threshold
    dates = ", ".join(iso(int(time))[5:10] for time in times[above][:12])
    if int(above.sum()) > 12:
        dates += ", ..."
    note = f"above ${threshold / 1e6:,.0f} m" + (f": {dates}" if dates else "")
    found.reading("days_above", subject, float(above.sum()), "days", whose, note=note)
    bounds = binomtest(int(above.sum()), size.size).proportion_ci(LEVEL, method="wilson")
    found.reading("share_of_days_above", subject, float(above.mean()), "share", whose,
                  low=float(bounds.low), high=float(bounds.high), interval="90 % Wilson",
                  note="as if days were independent: large days cluster, and it is wider")  # fmt: skip
    twice = float((size > 2 * threshold).sum())
    note = f"above ${2 * threshold / 1e6:,.0f} m"
    found.reading("days_above_twice", subject, twice, "days", whose, note=note)
    others = parameters["others_share"]
    with_others = float((size * (1 + others) > threshold).sum())
    note = f"if other coins add {others:.0%}, which is assumed and not in the lake"
    found.reading("days_above_with_others", subject, with_others, "days", whose, note=note)
    long = float(frame["long_usd"].to_numpy().sum() / size.sum()) if size.sum() > 0 else None
    found.reading("long_share", subject, long, "share", whose, note="of all USD of these days")
    held = frame.filter(pl.col("open_interest_usd").is_not_null())
    if held.is_empty():
        note = "this publisher gives no open interest of the same venues"
        found.reading("share_of_open_interest", subject, None, "share", whose, note=note)
    else:
        shares = ((held["long_usd"] + held["short_usd"]) / held["open_interest_usd"]).to_numpy()
        found.reading("share_of_open_interest", subject, float(np.median(shares)), "share", whose,
                      low=float(shares.min()), high=float(shares.max()), interval="all days",
                      note="of a day, median; both by the same list")  # fmt: skip
    _total(found, days, ends)
    for side in ("long", "short"):
        found.series(side, subject, "USD", frame.select("time_ns", value=f"{side}_usd"))
    found.series(
        "day", subject, "USD", frame.select("time_ns", value=pl.col("long_usd") + pl.col("short_usd"))
    )


def _total(found: Found, days: Days, ends: tuple[int, int]) -> None:
    total = float((days.frame["long_usd"] + days.frame["short_usd"]).to_numpy().sum())
    wanted = -(-(ends[1] - ends[0]) // DAY_NS)
    note = f"sum of {days.frame.height} of {wanted} days, the others were not observed; {days.note}"
    found.reading("total", days.subject, total, "USD", days.whose, note=note)


def _adl(found: Found, coin: str, start: int, end: int, asked: str) -> int:
    """Closed by auto-deleveraging: another quantity, the other side of what the book could not close."""
    rows = found.asof.table("adl_totals", start_ns=start).filter(pl.col("end_ns") <= end)
    if coin != "ALL":
        rows = rows.filter(pl.col("coin") == coin)
    seen = 0
    for (venue,), part in rows.group_by(["venue"], maintain_order=True):
        subject = f"{venue} adl"
        first, last = int(part["time_ns"].min()), int(part["end_ns"].max())  # type: ignore[arg-type]
        whose = Whose(f"{venue}, on chain" if venue == "hyperliquid" else str(venue), f"adl_totals: {venue}",
                      first, last)  # fmt: skip
        fills = int(part["fills"].sum())
        note = (
            f"{fills:,} fills, {part['coin'].n_unique()} coins; other side of liquidations, not to be added"
        )
        found.reading("total", subject, float(part["usd"].to_numpy().sum()), "USD", whose, note=note)
        seen += asked in (EVERY, subject)
    return seen


def _events(found: Found, coin: str, start: int, end: int, asked: str) -> int:
    """Single events, by venue and feed: what was shown, and behind a throttled feed the band of the truth."""
    asof = found.asof
    rows = (
        asof.table("liquidations", start_ns=start)
        if coin == "ALL"
        else asof.table("liquidations", start_ns=start, coin=coin)
    ).filter(pl.col("time_ns") < end)
    seen = 0
    for (venue, feed), part in rows.group_by(["venue", "feed"], maintain_order=True):
        subject = f"{venue} {feed}"
        times = part["time_ns"].to_numpy()
        first = int(times.min()) // _HOUR_NS * _HOUR_NS
        last = (int(times.max()) // _HOUR_NS + 1) * _HOUR_NS
        rule = feed_at(str(venue), str(feed), first)
        whose = Whose(f"{venue}, feed {feed} ({rule.publishes.value})", f"liquidations: {subject}",
                      first, min(last, asof.at_ns))  # fmt: skip
        shown = float(each_once(part)["usd"].to_numpy().sum())
        low = high = None
        note = f"as shown, at hours in which anything was recorded; {rule.note}"
        # the band costs seconds, so it is made for whom it is asked
        if asked in (EVERY, subject) and last - first <= _LONGEST_NS:
            sums = ALL_COINS if coin == "ALL" else coin
            whole = measure_liquidations(
                part, start_ns=first, end_ns=min(last, end), stretch_ns=_HOUR_NS
            ).whole.filter((pl.col("side") == "both") & (pl.col("coin") == sums))
            if whole.height:
                low, high = whole["usd_low"][0], whole["usd_high"][0]
        interval = "90 % band of the true sum" if low is not None else ""
        found.reading("total", subject, shown, "USD", whose, low=low, high=high, interval=interval, note=note)
        seen += asked in (EVERY, subject)
    return seen


MEASURE = Measure(
    name="liquidation_counts",
    question="How much was liquidated a day, by each publisher's count?",
    parameters=(
        Parameter("coin", "coin", "ALL", "the coin, or ALL for those that the publisher has"),
        Parameter("from", "time", None, "first moment; default: 30 days before the end"),
        Parameter("to", "time", None, "end; default: the moment asked for"),
        Parameter("threshold_usd", "number", 5e8, "a day above it is counted", "USD"),
        Parameter("publisher", "text", LISTS, "whose days are counted, by subject; or every"),
        Parameter("others_share", "number", 0.5, "what other coins are assumed to add", "share"),
    ),
    compute=compute,
    headline=("median_day", "days_above", "largest_day"),
    readings={
        "largest_day": "largest day",
        "largest_day_date": "when",
        "median_day": "median day",
        "days_observed": "days with a count",
        "days_above": "of these, days above the threshold",
        "share_of_days_above": "the same as a share",
        "days_above_twice": "days above twice the threshold",
        "days_above_with_others": "days above it if other coins add others_share",
        "long_share": "share of longs in what was liquidated",
        "share_of_open_interest": "a day's liquidations ÷ open interest, median",
        "total": "sum over from..to, by publisher; never added across them",
    },
)
"""Liquidations by day and publisher as of a moment."""
