"""How thick is the book, against a window before, and how did it come through a crash?

Depth is what rests within a distance of mid, per side, as the vendor sampled it: mostly once in four hours.
Single samples jump by half; medians over days are what can be compared. In USD a fall of price thins the book
by itself, so the change is given in coins, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from deleverage.data.lake.times import iso
from deleverage.errors import InputError
from deleverage.measure.asof import DAY_NS, AsOf
from deleverage.measure.blocks import block_draws, middle, stream
from deleverage.measure.liquidity.recovery import half_life
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose

HOUR_NS = 3_600 * 1_000_000_000
RANGES = (10, 50, 100, 200)
"""Distances from mid for which depth is given where the lake has it [bp]."""

_DRAWS = 1000
_BLOCK_DAYS = 2.0
_SPREAD_SAMPLES = 100


def compute(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    """Readings of spread, depth, thinness and recovery, and the series of depth [USD]."""
    found = Found("liquidity", asof, parameters)
    coin, venue, kind = parameters["coin"], parameters["venue"], parameters["kind"]
    window, distance = int(parameters["window"] * DAY_NS), parameters["range_bps"]
    if distance <= 0:
        raise InputError(
            f"measure liquidity, parameter range_bps: expected a distance > 0 bp, found {distance:g}",
            hint="the lake mostly has 100 bp, 1 %",
            parameter="range_bps",
        )
    base_from, base_to = _base(asof.at_ns, parameters)
    crash_from = base_from if parameters["crash_from"] is None else parameters["crash_from"]
    first = min(base_from, crash_from, asof.at_ns - window)
    rows = asof.table("depth", start_ns=first, venue=venue, kind=kind, coin=coin)
    books = rows.filter(pl.col("taken") != "fetch").sort("time_ns")
    asked = books.filter(pl.col("range_bps") == distance)
    now = asked.filter(pl.col("time_ns") >= asof.at_ns - window)
    name = f"depth of {coin} ({kind}) at {venue} within {distance:g} bp"
    if asked.is_empty():
        raise asof.missing("depth", name, start_ns=first, coin=coin, kind=kind).error()
    sets = ", ".join(sorted(asked["source"].str.split("/").list.first().unique().to_list()))
    whose = Whose(f"{venue} {kind}, sampled by {sets}", f"depth: {venue} {kind} {coin}")
    _spread(found, coin, venue, kind, window)
    _ranges(found, books, coin, whose, window)
    if now.is_empty():
        lost = asof.missing("depth", name, start_ns=asof.at_ns - window, coin=coin, kind=kind)
        found.lacks(lost)
    base = asked.filter(pl.col("time_ns").is_between(base_from, base_to, closed="left"))
    _window(found, now, base, whose, (base_from, base_to), parameters)
    crash_to = asof.at_ns if parameters["crash_to"] is None else parameters["crash_to"]
    if crash_to <= crash_from:
        raise InputError(
            f"measure liquidity: expected crash_to after crash_from, found {iso(crash_from)} to "
            f"{iso(crash_to)}",
            hint="crash_from is the base's first moment if none is given, crash_to the moment asked for",
            parameter="crash_to",
        )
    _crash(found, asked, base, whose, (crash_from, min(crash_to, asof.at_ns)), parameters)
    for side in ("bid", "ask"):
        found.series(f"depth_{side}", coin, "USD", asked.select("time_ns", value=f"{side}_usd"))
    return found.measured()


def _base(at_ns: int, parameters: Mapping[str, Any]) -> tuple[int, int]:
    """The base window [ns): as given, else the calendar month two months before."""
    at = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC)
    month = at.year * 12 + at.month - 1 - 2
    ends = [
        int(datetime((month + k) // 12, (month + k) % 12 + 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
        for k in (0, 1)
    ]
    start = ends[0] if parameters["base_from"] is None else parameters["base_from"]
    end = ends[1] if parameters["base_to"] is None else parameters["base_to"]
    if end <= start:
        raise InputError(
            f"measure liquidity: expected base_to after base_from, found {iso(start)} to {iso(end)}",
            hint="give both, or none for the month two months before",
            parameter="base_to",
        )
    return start, end


def _spread(found: Found, coin: str, venue: str, kind: str, window: int) -> None:
    """Best offer − best bid over mid [bp]: median over the seconds in which a quote changed."""
    asof = found.asof
    rows = asof.table("best_quotes", start_ns=asof.at_ns - window, venue=venue, kind=kind, coin=coin)
    whose = Whose(f"{venue} {kind}", f"best_quotes: {venue} {kind} {coin}")
    second = (pl.col("time_ns") // 1_000_000_000).alias("second")
    quotes = (
        rows.filter((pl.col("bid_price") > 0) & (pl.col("ask_price") >= pl.col("bid_price")))
        .sort("time_ns")
        .group_by(second, maintain_order=True)
        .agg(pl.col("bid_price").last(), pl.col("ask_price").last())
    )
    if quotes.height < _SPREAD_SAMPLES:
        lost = asof.missing("best_quotes", f"best quotes of {coin} ({kind}) at {venue}",
                            start_ns=asof.at_ns - window, coin=coin, kind=kind,
                            command=f"deleverage collect {venue} --symbols {coin} --lake DIR")  # fmt: skip
        found.lacks(lost)
        found.reading("spread", coin, None, "bp", whose, note=str(lost))
        return
    mid = (quotes["ask_price"] + quotes["bid_price"]) / 2
    bp = ((quotes["ask_price"] - quotes["bid_price"]) / mid * 1e4).to_numpy()
    low, high = np.quantile(bp, (0.05, 0.95))
    start, end = int(rows["time_ns"].min()), int(rows["time_ns"].max())  # type: ignore[arg-type]
    found.reading(
        "spread",
        coin,
        float(np.median(bp)),
        "bp",
        whose.over(start, end),
        low=float(low),
        high=float(high),
        interval="5 to 95 % of seconds",
        note=f"median of {bp.size:,} seconds with a change",
    )


def _ranges(found: Found, books: pl.DataFrame, coin: str, whose: Whose, window: int) -> None:
    """Median depth of the window at each distance; null where the lake has none."""
    now = books.filter(pl.col("time_ns") >= found.asof.at_ns - window)
    for distance in RANGES:
        rows = now.filter(pl.col("range_bps") == distance)
        for side in ("bid", "ask"):
            values = rows.filter(pl.col(f"{side}_usd").is_not_null())
            name = f"depth_{side}_{distance}bp"
            if values.is_empty():
                has = sorted(books["range_bps"].unique().to_list())
                note = f"none in the window; the lake has {', '.join(f'{bp:g}' for bp in has)} bp"
                found.reading(name, coin, None, "USD", whose, note=note)
                continue
            _median(found, name, coin, values, f"{side}_usd", whose)


def _median(found: Found, name: str, coin: str, rows: pl.DataFrame, column: str, whose: Whose) -> None:
    values = rows[column].drop_nulls().to_numpy()
    draws = np.median(block_draws(values, _block(rows), _DRAWS, stream(name, coin)), axis=1)
    low, high = middle(draws)
    found.reading(
        name,
        coin,
        float(np.median(values)),
        "USD",
        whose.over(int(rows["time_ns"][0]), int(rows["time_ns"][-1])),
        low=low,
        high=high,
        interval="90 % bootstrap, blocks of 2 days",
        note=f"median of {values.size} samples",
    )


def _block(rows: pl.DataFrame) -> int:
    """How many samples make two days."""
    step = rows["time_ns"].diff().drop_nulls().median()
    return 1 if not step else max(1, round(_BLOCK_DAYS * DAY_NS / float(step)))  # type: ignore[arg-type]


def _window(
    found: Found,
    now: pl.DataFrame,
    base: pl.DataFrame,
    whose: Whose,
    ends: tuple[int, int],
    parameters: Mapping[str, Any],
) -> None:
    """Depth of the window, its change against the base, and thinness."""
    coin, distance = parameters["coin"], parameters["range_bps"]
    lately = found.asof.missing(
        "depth", f"depth of {coin} in the last {parameters['window']:g} days", coin=coin,
        start_ns=found.asof.at_ns - int(parameters["window"] * DAY_NS), kind=parameters["kind"],
    )  # fmt: skip
    if now.filter(pl.col("bid_usd").is_not_null()).is_empty():
        found.lacks(lately)
    note = str(lately)
    for side in ("bid", "ask"):
        seen = now.filter(pl.col(f"{side}_usd").is_not_null())
        if seen.is_empty():
            found.reading(f"depth_{side}", coin, None, "USD", whose, note=note)
        else:
            _median(found, f"depth_{side}", coin, seen, f"{side}_usd", whose)
    before = base.filter(pl.col("bid_usd").is_not_null())
    seen = now.filter(pl.col("bid_usd").is_not_null())
    if before.is_empty():
        lost = found.asof.missing("depth", f"depth of {coin}", start_ns=ends[0], end_ns=ends[1], coin=coin,
                                  kind=parameters["kind"])  # fmt: skip
        found.lacks(lost)
        note = str(lost)
        found.reading("base_depth_bid", coin, None, "USD", whose, note=note)
    else:
        _median(found, "base_depth_bid", coin, before, "bid_usd", whose)
    pairs = (("change", "bid_usd"), ("change_ask", "ask_usd"), ("change_coins", "bid_coins"))
    for name, column in pairs:
        a, b = (rows.filter(pl.col(column).is_not_null()) for rows in (base, now))
        if a.is_empty() or b.is_empty():
            found.reading(name, coin, None, "share", whose, note=note)
            continue
        value, low, high = _ratio(a, b, column, name, coin)
        found.reading(
            name,
            coin,
            value,
            "share",
            whose.over(int(a["time_ns"][0]), int(b["time_ns"][-1])),
            low=low,
            high=high,
            interval="90 % bootstrap, blocks of 2 days",
            note=f"median of {b.height} samples against {a.height} of {iso(ends[0])[:10]} to "
            f"{iso(ends[1] - DAY_NS)[:10]}" + ("; without the price" if name == "change_coins" else ""),
        )
    if seen.is_empty():
        found.reading("thinness", coin, None, "share per $m", whose, note=note)
        return
    values = seen["bid_usd"].to_numpy()
    draws = np.median(block_draws(values, _block(seen), _DRAWS, stream("thinness", coin)), axis=1)
    low, high = middle(draws)
    per_million = distance / 1e4 * 1e6
    found.reading(
        "thinness",
        coin,
        per_million / float(np.median(values)),
        "share per $m",
        whose.over(int(seen["time_ns"][0]), int(seen["time_ns"][-1])),
        low=per_million / high,
        high=per_million / low,
        interval="90 % bootstrap, blocks of 2 days",
        note=f"{distance:g} bp ÷ bid depth, as if orders lay evenly over the range; displayed orders alone",
    )


def _ratio(
    base: pl.DataFrame, now: pl.DataFrame, column: str, name: str, coin: str
) -> tuple[float, float, float]:
    """Change of the median of a column and its interval; both windows are drawn."""
    rng = stream(name, coin)
    a, b = base[column].to_numpy(), now[column].to_numpy()
    draws_a = np.median(block_draws(a, _block(base), _DRAWS, rng), axis=1)
    draws_b = np.median(block_draws(b, _block(now), _DRAWS, rng), axis=1)
    return (float(np.median(b) / np.median(a) - 1), *middle(draws_b / draws_a - 1))


def _crash(
    found: Found,
    asked: pl.DataFrame,
    base: pl.DataFrame,
    whose: Whose,
    ends: tuple[int, int],
    parameters: Mapping[str, Any],
) -> None:
    """The lowest sample, the fall into it, how usual such a fall is, and the way back."""
    coin = parameters["coin"]
    bids = asked.filter(pl.col("bid_usd").is_not_null()).select("time_ns", "bid_usd")
    bids = bids.unique("time_ns", keep="first").sort("time_ns")
    bids = bids.with_columns(before=pl.col("bid_usd").shift(1), gap=pl.col("time_ns").diff())
    inside = bids.filter(pl.col("time_ns").is_between(*ends))
    if inside.is_empty():
        for name, unit in (("lowest", "USD"), ("through_crash", "share"), ("half_life", "hours")):
            found.reading(name, coin, None, unit, whose, note="no samples in the crash window")
        return
    lowest = inside.sort("bid_usd", "time_ns").row(0, named=True)
    when = int(lowest["time_ns"])
    that = whose.over(int(inside["time_ns"][0]), int(inside["time_ns"][-1]))
    note = f"smallest of {inside.height} samples, {iso(when)[:16]}"
    found.reading("lowest", coin, lowest["bid_usd"], "USD", that, note=note)
    found.reading("lowest_time", coin, when / DAY_NS, "date", that)
    usual = base["bid_usd"].drop_nulls()
    if usual.len():
        share = lowest["bid_usd"] / float(usual.median()) - 1  # type: ignore[arg-type]
        found.reading("lowest_to_base", coin, share, "share", that, note="against the base window's median")
    falls = inside.filter(pl.col("before").is_not_null()).select(
        fall=pl.col("bid_usd") / pl.col("before") - 1
    )
    if lowest["before"] is None:
        found.reading("through_crash", coin, None, "share", that, note="no sample before the lowest")
    else:
        share = lowest["bid_usd"] / lowest["before"] - 1
        as_large = falls.filter(pl.col("fall") <= share).height
        hours = lowest["gap"] / HOUR_NS
        note = (
            f"from {lowest['before'] / 1e6:,.0f} m to {lowest['bid_usd'] / 1e6:,.0f} m in {hours:g} h; "
            f"{as_large} of {falls.height} steps of the window fell as much"
        )
        found.reading(
            "through_crash", coin, share, "share", whose.over(when - lowest["gap"], when), note=note
        )
        worst = float(falls["fall"].min())  # type: ignore[arg-type]
        found.reading("largest_step_down", coin, worst, "share", that, note="largest of all steps")
    after = bids.filter(pl.col("time_ns").is_between(when, when + int(parameters["recovery_days"] * DAY_NS)))
    hours_after = ((after["time_ns"] - when) / HOUR_NS).to_numpy()
    levels = after["bid_usd"].to_numpy()
    fit = half_life(hours_after, levels, stream("half_life", coin), block=_block(after))
    over = whose.over(when, int(after["time_ns"][-1]))
    note = fit.why or f"exponential way back over {fit.points} samples"
    found.reading(
        "half_life",
        coin,
        fit.hours,
        "hours",
        over,
        low=fit.low,
        high=fit.high,
        interval="90 % bootstrap of residuals" if fit.low is not None or fit.high is not None else "",
        note=note,
    )
    known = fit.usual if fit.low is not None or fit.high is not None else None
    found.reading("recovers_to", coin, known, "USD", over, note=fit.why if known is None else "of that curve")


MEASURE = Measure(
    name="liquidity",
    question="How thick is the book, against a window before and through a crash?",
    parameters=(
        Parameter("coin", "coin", "BTC", "the coin"),
        Parameter("venue", "venue", "binance", "whose book"),
        Parameter("kind", "choice", "perp", "spot or perpetual", choices=("perp", "spot")),
        Parameter("range_bps", "number", 100.0, "distance from mid", "bp"),
        Parameter("window", "days", 14.0, "days before the moment whose median is taken", "days"),
        Parameter(
            "base_from", "time", None, "start of the base window; default: the month two months before"
        ),
        Parameter("base_to", "time", None, "its end, not included"),
        Parameter("crash_from", "time", None, "where the lowest depth is looked for; default: base_from on"),
        Parameter("crash_to", "time", None, "until when; default: the moment"),
        Parameter("recovery_days", "days", 7.0, "days after the lowest that are fitted", "days"),
    ),
    compute=compute,
    headline=("depth_bid", "change", "thinness"),
    readings={
        "spread": "best offer − best bid over mid",
        "depth_bid": "resting bids within range_bps, median of the window",
        "depth_ask": "resting offers within range_bps, median of the window",
        "depth_bid_*": "resting bids within 10, 50, 100, 200 bp",
        "depth_ask_*": "resting offers within these",
        "base_depth_bid": "bids, median of the base window",
        "change": "bids of the window against the base window, in USD",
        "change_ask": "the same of offers",
        "change_coins": "the same of bids in coins: without the price",
        "thinness": "impact of $1 m sold, evenly filled book",
        "lowest": "smallest bid depth of the crash window",
        "lowest_time": "when",
        "lowest_to_base": "it against the base window's median",
        "through_crash": "fall of bid depth from the sample before into it",
        "largest_step_down": "largest fall from one sample to the next",
        "half_life": "half-life of the way back after the lowest",
        "recovers_to": "level that the way back leads to",
    },
)
"""Depth, spread and recovery of one book as of a moment."""
