"""Which falls were cascades, when did each start, find its low and end, and in which coins?

An episode is one cascade of one coin (see `cascades`), or several coins' whose times from high to low
overlap. Its name is the UTC day on which its first coin, in the order asked for, fell most from that day's
first price: '2025-10-10'. Episodes are not independent when one follows on another, so those that begin at
least ``apart`` days after the end of the one counted before are counted by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from deleverage.data.lake.times import iso
from deleverage.errors import InputError
from deleverage.measure.asof import DAY_NS, AsOf
from deleverage.measure.episodes.cascades import Cascade, Rules, cascades, finest_bars
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose
from deleverage.measure.prices import no_bars

DEEP = 0.20
"""A fall of this share or more is counted as a deep one."""
_HOUR_NS = 3_600 * 1_000_000_000
_STALE_NS = 12 * _HOUR_NS
"""Open interest further than this from a start or a trough does not stand for it."""


class Episode(NamedTuple):
    """Cascades that are one event; ``parts`` in the order of the coins asked for."""

    name: str
    parts: tuple[Cascade, ...]

    @property
    def lead(self) -> Cascade:
        """The first coin's."""
        return self.parts[0]

    @property
    def start_ns(self) -> int:
        """The earliest of the highs from which its coins fell."""
        return min(part.start_ns for part in self.parts)

    @property
    def trough_ns(self) -> int:
        """The first coin's low."""
        return self.lead.trough_ns

    @property
    def last_low_ns(self) -> int:
        """The latest of its coins' lows."""
        return max(part.trough_ns for part in self.parts)

    @property
    def end_ns(self) -> int | None:
        """When the last coin was known to be over; None while one is open."""
        ends = [part.end_ns for part in self.parts]
        return None if None in ends else max(end for end in ends if end is not None)


def together(found: Mapping[str, Sequence[Cascade]], bars: Mapping[str, pl.DataFrame]) -> list[Episode]:
    """Episodes in order of time: cascades whose times from high to low overlap are one, also through a third.

    found, bars : by coin, in the order that decides which coin is first; bars as of `cascades.finest_bars`.
    """
    order = {coin: k for k, coin in enumerate(found)}
    groups: list[list[Cascade]] = []
    until = -1
    for cascade in sorted((c for each in found.values() for c in each), key=lambda c: c.start_ns):
        if cascade.start_ns < until:
            groups[-1].append(cascade)
        else:
            groups.append([cascade])
        until = max(until, cascade.trough_ns)
    episodes: list[Episode] = []
    names: dict[str, int] = {}
    falls = {coin: _daily_bars(frame) for coin, frame in bars.items()}
    for group in groups:
        parts = tuple(sorted(group, key=lambda c: (order[c.coin], c.start_ns)))
        day = _steepest(parts[0], bars[parts[0].coin], falls[parts[0].coin])
        names[day] = names.get(day, 0) + 1
        name = day if names[day] == 1 else f"{day}{chr(96 + min(names[day], 26))}"
        episodes.append(Episode(name, parts))
    return episodes


def independent(episodes: Sequence[Episode], apart_days: float) -> list[Episode]:
    """Of these, from the first on, each that starts at least so many days after the end of the one before."""
    kept: list[Episode] = []
    for episode in episodes:
        if not kept:
            kept.append(episode)
        elif (end := kept[-1].end_ns) is not None and episode.start_ns >= end + apart_days * DAY_NS:
            kept.append(episode)
    return kept


def open_interest_change(
    rows: pl.DataFrame, coin: str, start_ns: int, end_ns: int
) -> tuple[float, list[str], int, int] | None:
    """Change of the open coins from the start to the end, as a share, over venues observed at both.

    rows : `open_interest`; the last row at or before the start and the first at or after the end,
    each at most 12 hours away, count. Returns the share (< 0: closed), the venues, and the first and last
    moment used; None where no venue has both.
    """
    of = rows.filter(
        pl.col("coin") == coin, pl.col("scope") == "all", pl.col("venue") != "unnamed",
        pl.col("coins").is_not_null(), pl.col("coins") > 0,
        pl.col("time_ns") >= start_ns - _STALE_NS, pl.col("time_ns") <= end_ns + _STALE_NS,
    )  # fmt: skip
    before = (
        of.filter(pl.col("time_ns") <= start_ns).group_by("venue").agg(pl.all().sort_by("time_ns").last())
    )
    after = of.filter(pl.col("time_ns") >= end_ns).group_by("venue").agg(pl.all().sort_by("time_ns").first())
    both = before.join(after, on="venue", suffix="_after").sort("venue")
    if both.is_empty():
        return None
    share = float(both["coins_after"].sum()) / float(both["coins"].sum()) - 1.0
    return share, both["venue"].to_list(), int(both["time_ns"].min()), int(both["time_ns_after"].max())  # type: ignore[arg-type]


def liquidated(
    totals: pl.DataFrame, coins: Sequence[str], start_ns: int, end_ns: int
) -> tuple[float, str, list[str], int, int] | None:
    """Long positions closed by force from the start to the end [USD], by one publisher and venue.

    totals : `liquidation_totals`; every window that touches the stretch must be there. Of several counts that
    of the most coins is taken, then that of all venues, then the first by name. Returns the sum, by whose
    count, the coins it covers, and the stretch of its windows; None where nobody counted the whole stretch.
    """
    best: tuple[tuple[int, bool, str], tuple[float, str, list[str], int, int]] | None = None
    longs = totals.filter(pl.col("side") == "long", pl.col("coin").is_in(list(coins)))
    for (publisher, venue, interval), rows in longs.group_by(
        ["publisher", "venue", "interval_s"], maintain_order=True
    ):
        step = int(interval) * 1_000_000_000
        first, last = start_ns // step * step, (end_ns - 1) // step * step
        needed = (last - first) // step + 1
        inside = rows.filter(pl.col("time_ns") >= first, pl.col("time_ns") <= last)
        counts = inside.group_by("coin", maintain_order=True).agg(
            pl.col("time_ns").n_unique().alias("n"), pl.col("usd").sum()
        )
        full = counts.filter(pl.col("n") == needed).sort("coin")
        if full.is_empty():
            continue
        whose = f"{venue}, summed by {publisher} over windows of {int(interval) // 3600} h"
        sort = (-full.height, venue != "all", whose)
        found = (float(full["usd"].sum()), whose, full["coin"].to_list(), first, last + step)
        if best is None or sort < best[0]:
            best = sort, found
    return None if best is None else best[1]


def compute(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    """Readings of every episode and the series that its figure shows."""
    venue, kind = parameters["venue"], parameters["kind"]
    rules = _rules(parameters)
    found = Found("episodes", asof, parameters)
    bars: dict[str, pl.DataFrame] = {}
    for coin in dict.fromkeys(str(c).upper() for c in parameters["coins"]):
        frame = finest_bars(asof, coin, venue=venue, kind=kind)
        if frame.height:
            bars[coin] = frame
        else:
            found.lacks(no_bars(asof, coin, venue=venue, kind=kind))
    if not bars:
        raise no_bars(asof, str(parameters["coins"][0]).upper(), venue=venue, kind=kind).error()
    episodes = together({coin: cascades(coin, frame, rules) for coin, frame in bars.items()}, bars)
    whose = Whose(
        f"{venue} {kind}", f"candles: {venue} {kind} {', '.join(bars)}, the finest of each day",
        min(int(frame["time_ns"][0]) for frame in bars.values()),
        max(int(frame["end_ns"][-1]) for frame in bars.values()),
    )  # fmt: skip
    _counts(found, episodes, next(iter(bars)), parameters, whose)
    if episodes:
        _of_each(found, asof, episodes, Whose(whose.by, whose.data))
    for coin, frame in bars.items():
        closes = _daily_bars(frame).select(time_ns=pl.col("day") * DAY_NS, value="close")
        found.series("close", coin, "USD/coin", closes)
        points = [(part.trough_ns, part.fall) for e in episodes for part in e.parts if part.coin == coin]
        deepest = pl.DataFrame(points, schema={"time_ns": pl.Int64, "value": pl.Float64}, orient="row")
        found.series("fall", coin, "share", deepest)
    return found.measured()


def _counts(
    found: Found, episodes: Sequence[Episode], coin: str, parameters: Mapping[str, Any], whose: Whose
) -> None:
    note = (
        f"falls of more than {parameters['sigmas']:g} σ√{parameters['window']:g} d and "
        f"{100 * parameters['floor']:g} % within {parameters['window']:g} days"
    )
    found.reading("episodes", "all", float(len(episodes)), "count", whose, note=note)
    leading = [e for e in episodes if e.lead.coin == coin and e.lead.fall >= DEEP]
    apart = parameters["apart"]
    deep = independent(leading, apart)
    found.reading(
        "independent_deep", coin, float(len(deep)), "count", whose,
        note=f"independent falls of {coin} of {100 * DEEP:g} % or more: " + ", ".join(e.name for e in deep),
    )  # fmt: skip
    alone = float(len(independent(episodes, apart)))
    rule = f"each starts {apart:g} days or more after the end of the one counted before"
    found.reading("independent", "all", alone, "count", whose, note=rule)
    still = [episode.name for episode in episodes if episode.end_ns is None]
    found.reading("open", "all", float(len(still)), "count", whose, note=", ".join(still))


def _of_each(found: Found, asof: AsOf, episodes: Sequence[Episode], whose: Whose) -> None:
    earliest = episodes[0].start_ns
    interest = asof.table("open_interest", start_ns=earliest - _STALE_NS)
    totals = asof.table("liquidation_totals", start_ns=earliest - DAY_NS)
    for name, rows in (("open_interest", interest), ("liquidation_totals", totals)):
        if rows.is_empty():
            what = name.replace("_", " ").replace("totals", "totals over time")
            found.lacks(asof.missing(name, what, start_ns=earliest))
    for episode in episodes:
        lead, name, end = episode.lead, episode.name, episode.end_ns
        that = whose.over(episode.start_ns, asof.at_ns if end is None else end)
        state = "open: this is the low so far" if end is None else ""
        bar = f"{lead.coin}, bars of {_length(lead.bar_ns)}"
        found.reading(
            "fall", name, lead.fall, "share", that,
            note="; ".join(filter(None, [f"{bar}; more than {lead.threshold:.3f} was needed", state])),
        )  # fmt: skip
        coins = list(dict.fromkeys(part.coin for part in episode.parts))
        for coin in coins:
            deepest = max((part for part in episode.parts if part.coin == coin), key=lambda part: part.fall)
            found.reading(
                f"fall_{coin}", name, deepest.fall, "share", that.over(deepest.start_ns, that.to_ns),
                note=f"low at {iso(deepest.trough_ns)}",
            )  # fmt: skip
        found.reading("start", name, episode.start_ns / DAY_NS, "date", that, note=iso(episode.start_ns))
        known = min(part.trigger_ns for part in episode.parts)
        found.reading("known", name, known / DAY_NS, "date", that, note=f"as a cascade at {iso(known)}")
        found.reading(
            "trough", name, lead.trough_ns / DAY_NS, "date", that,
            note=f"{lead.coin}, end of the bar {iso(lead.trough_ns)}" + (f"; {state}" if state else ""),
        )  # fmt: skip
        said = "not over: lower lows can come" if end is None else iso(end)
        found.reading("end", name, None if end is None else end / DAY_NS, "date", that, note=said)
        found.reading("coins", name, float(len(coins)), "count", that, note=", ".join(coins))
        _interest(found, interest, episode, coins, that)
        _forced(found, totals, episode, coins, that)


def _interest(found: Found, rows: pl.DataFrame, episode: Episode, coins: list[str], whose: Whose) -> None:
    for k, coin in enumerate(coins):
        parts = [part for part in episode.parts if part.coin == coin]
        start, end = min(p.start_ns for p in parts), max(p.trough_ns for p in parts)
        change = open_interest_change(rows, coin, start, end) if _reaches(rows, start, end) else None
        names = (f"open_interest_change_{coin}", *(("open_interest_change",) if k == 0 else ()))
        for name in names:
            if change is None:
                note = f"no venue observed within 12 h of both high and low; the lake's rows {_span(rows)}"
                none = Whose("nobody", f"open_interest: {coin}, coins", whose.from_ns, whose.to_ns)
                found.reading(name, episode.name, None, "share", none, note=note)
                continue
            share, venues, first, last = change
            that = Whose(
                f"sum of {len(venues)} venues: {', '.join(venues)}",
                f"open_interest: {coin}, coins",
                first,
                last,
            )
            note = f"{coin}, in coins, from before the high to after the low"
            found.reading(name, episode.name, share, "share", that, note=note)


def _forced(found: Found, totals: pl.DataFrame, episode: Episode, coins: list[str], whose: Whose) -> None:
    start, end = episode.start_ns, episode.last_low_ns
    sums = liquidated(totals, coins, start, end) if _reaches(totals, start, end) else None
    if sums is None:
        note = f"nobody's count covers it from high to low; the lake's sums {_span(totals)}"
        none = Whose("nobody", "liquidation_totals: long", whose.from_ns, whose.to_ns)
        found.reading("liquidated_usd", episode.name, None, "USD", none, note=note)
        return
    usd, by, counted, first, last = sums
    that = Whose(by, f"liquidation_totals: {', '.join(counted)}, long", first, last)
    note = f"longs of {', '.join(counted)}; a lower bound where the venue's feed is throttled"
    found.reading("liquidated_usd", episode.name, usd, "USD", that, note=note)


def _rules(parameters: Mapping[str, Any]) -> Rules:
    for name, low, high in (("sigmas", 0.0, 100.0), ("floor", 0.0, 1.0), ("back", 0.0, 1.0)):
        if not low < parameters[name] < high:
            raise InputError(
                f"measure episodes, parameter {name}: expected more than {low:g} and less than {high:g}, "
                f"found {parameters[name]:g}",
                hint="`deleverage measure episodes --help` says what each is",
                parameter=name,
            )
    return Rules(
        window_ns=round(parameters["window"] * DAY_NS),
        sigmas=parameters["sigmas"],
        floor=parameters["floor"],
        quiet_ns=round(parameters["quiet"] * DAY_NS),
        back=parameters["back"],
    )


def _daily_bars(bars: pl.DataFrame) -> pl.DataFrame:
    return (
        bars.with_columns(day=pl.col("time_ns") // DAY_NS)
        .group_by("day", maintain_order=True)
        .agg(pl.col("open").first(), pl.col("low").min(), pl.col("close").last())
    )


def _steepest(cascade: Cascade, bars: pl.DataFrame, days: pl.DataFrame) -> str:
    """The UTC day between high and low with the largest fall from its first price to its low."""
    first, last = cascade.start_ns // DAY_NS, (cascade.trough_ns - 1) // DAY_NS
    inside = days.filter(pl.col("day") >= first, pl.col("day") <= last)
    if last - first <= 1 or inside.height < 2:  # a short one: only bars from its high on
        span = bars.filter(pl.col("end_ns") > cascade.start_ns, pl.col("end_ns") <= cascade.trough_ns)
        inside = _daily_bars(span)
    row = inside.sort(pl.col("low") / pl.col("open"), "day").row(0, named=True)
    return iso(int(row["day"]) * DAY_NS)[:10]


def _length(bar_ns: int) -> str:
    minutes = bar_ns // 60_000_000_000
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h"


def _reaches(rows: pl.DataFrame, start_ns: int, end_ns: int) -> bool:
    """Whether rows in order of time can say anything of a stretch, so that most are not looked for."""
    return not rows.is_empty() and rows["time_ns"][0] <= end_ns and rows["time_ns"][-1] >= start_ns


def _span(rows: pl.DataFrame) -> str:
    if rows.is_empty():
        return "are none"
    return f"run from {iso(int(rows['time_ns'][0]))[:10]} to {iso(int(rows['time_ns'][-1]))[:10]}"


MEASURE = Measure(
    name="episodes",
    question="Which falls were cascades, when did each start, find its low and end, and in which coins?",
    parameters=(
        Parameter(
            "coins", "list", ("BTC", "ETH", "SOL", "XRP", "BNB", "DOGE"), "the coins, the leading first"
        ),
        Parameter("venue", "venue", "binance", "whose bars"),
        Parameter("kind", "choice", "spot", "spot or perpetual", choices=("spot", "perp")),
        Parameter("sigmas", "number", 2.241, "needed fall in daily volatilities × √window", "σ√window"),
        Parameter("floor", "number", 0.05, "and at least this share of the price", "share"),
        Parameter("window", "days", 2.0, "within which it must fall so far", "days"),
        Parameter("quiet", "days", 3.0, "without a lower low, after which it is over", "days"),
        Parameter("back", "number", 0.5, "share of the fall after whose recovery it is over", "share"),
        Parameter("apart", "days", 30.0, "between episodes that count as independent", "days"),
    ),
    compute=compute,
    headline=("episodes", "independent_deep", "open"),
    readings={
        "episodes": "episodes since the first bar",
        "independent": "those that start `apart` days or more after the end of the one counted before",
        "independent_deep": "independent falls of 20 % or more of the first coin; the note names them",
        "open": "those whose low is not known to be the last",
        "fall": "by episode: from the high to the low of its first coin",
        "fall_*": "the same of each coin",
        "start": "by episode: the earliest high from which a coin fell",
        "known": "when the first coin's fall passed its threshold",
        "trough": "the low of its first coin, end of the bar; the low so far while it is open",
        "end": "when it was known to be over; null while it is open",
        "coins": "how many coins fell; the note names them",
        "open_interest_change": "change of its first coin's open interest in coins, high to low; < 0: closed",
        "open_interest_change_*": "the same of each coin",
        "liquidated_usd": "longs closed by force from high to low, by one publisher's count",
    },
)
