"""Has the selling exhausted itself: how probable is it that the price holds from here, and who says so?

The question was fixed beforehand: is the lowest low of the next ``horizon`` days at least ``floor`` × today's
close? A probability is given only where the model of `floor_model` beat climatology on the days before, with
an interval of its skill that lies above 0; else the reading is null and says so with the numbers. Beside it
stand the components of exhaustion, each null where the lake lacks it: fuel left under the price (by the prior
on hidden positions), open interest against that at the high, funding, displayed depth, the published index.

Four components are long enough to be scored and are the model's: volatility, distance from the high, funding,
sentiment. Open interest and depth are not, and are shown only.

What happened next is no part of the measure: `outcome` reads that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import polars as pl

from deleverage.data.lake.times import iso
from deleverage.errors import InputError
from deleverage.experiment.exhaustion import fuel_left
from deleverage.experiment.exhaustion.days import COMPONENTS, INDEX, MONTH, WEEK, YEAR, State, state_of
from deleverage.experiment.exhaustion.floor_model import (
    EMBARGO,
    FEWEST,
    Forecasts,
    fit,
    held,
    probability,
    probability_band,
    training_days,
    walk_forward,
)
from deleverage.measure.asof import DAY_NS, AsOf
from deleverage.measure.episodes.cascades import Rules, cascades
from deleverage.measure.episodes.measure import independent, together
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose
from deleverage.measure.prices import need_daily, no_bars, source_of
from deleverage.measure.scoring import (
    Interval,
    brier,
    log_loss,
    mean_interval,
    reliability,
    skill_interval,
)
from deleverage.units import Bools, Floats, Int64s

DEEP = 0.20
"""Days at least this far below the high of a year are also scored by themselves."""
_STALE_NS = 3 * DAY_NS
_NEVER_FORCED = ("cme", "unnamed")
"""Not counted as fuel: no automatic liquidation by the venue, or no venue."""
_INTERVAL = "90 % block bootstrap"


class _Setting(NamedTuple):
    coin: str
    venue: str
    kind: str
    horizon: int
    floor: float
    block: int

    def rng(self, name: str) -> np.random.Generator:
        """The stream of draws of one figure: same setting and name, same draws."""
        parts = [crc32(str(part).encode()) for part in (*self, name)]
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(parts)))


def compute(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    """The probability with its scores, the components, and the series of its figure."""
    setting = _settled(parameters)
    bars = need_daily(asof, setting.coin, venue=setting.venue, kind=setting.kind)
    end_ns = int(bars["time_ns"][-1]) + DAY_NS
    if asof.at_ns - end_ns > _STALE_NS:  # an old day's probability is no answer for this one
        raise no_bars(asof, setting.coin, venue=setting.venue, kind=setting.kind, start_ns=end_ns).error()
    found = Found("exhaustion", asof, parameters)
    state = state_of(asof, bars, setting.coin)
    prices = Whose(
        f"{setting.venue} {setting.kind}, UTC days", source_of(setting.coin, setting.venue, setting.kind),
        int(bars["time_ns"][0]), end_ns,
    )  # fmt: skip
    happened = held(state.days, state.low, state.close, setting.horizon, setting.floor)
    forecasts = walk_forward(state.components, happened, setting.horizon)
    _probability(found, setting, state, happened, forecasts, bars, prices)
    _state_readings(found, setting, state, prices)
    _positions(found, asof, setting, state)
    _depth(found, asof, setting, state)
    times = pl.Series(state.days * DAY_NS, dtype=pl.Int64)
    for name, unit, values in (
        ("close", "USD/coin", state.close),
        ("forecast", "share", forecasts.model),
        ("climatology", "share", forecasts.climatology),
        ("held", "share", happened),
    ):
        found.series(name, setting.coin, unit, pl.DataFrame({"time_ns": times, "value": values}))
    return found.measured()


def _probability(
    found: Found,
    setting: _Setting,
    state: State,
    happened: Floats,
    forecasts: Forecasts,
    bars: pl.DataFrame,
    prices: Whose,
) -> None:
    coin = setting.coin
    target = f"no low of the next {setting.horizon} days below {100 * setting.floor:g} % of the close"
    whose = Whose(
        f"walk-forward over days of {prices.by}",
        f"{prices.data}; funding: binance perp; sentiment: {INDEX}",
        prices.from_ns, prices.to_ns,
    )  # fmt: skip
    known = training_days(happened, setting.horizon)
    scored = np.isfinite(forecasts.model) & np.isfinite(forecasts.climatology) & np.isfinite(happened)
    count = int(scored.sum())
    if known.any():
        often = mean_interval(happened[known], setting.rng("climatology"), block=setting.block)
        _interval(found, "climatology", coin, often, whose, f"{target}: share of {int(known.sum())} days")
    else:
        found.reading("climatology", coin, None, "share", whose, note="no day with a known outcome yet")
    found.reading(
        "days_scored",
        coin,
        float(count),
        "days",
        whose,
        note=f"purge {setting.horizon} d, embargo {EMBARGO} d",
    )
    found.reading(
        "independent_windows",
        coin,
        float(count // setting.horizon),
        "count",
        whose,
        note="days scored ÷ horizon: outcomes that do not overlap",
    )
    if count < 2 * setting.block:
        note = (
            f"no skill: {count} days could be scored, at least {2 * setting.block} are needed "
            f"(the first {FEWEST + setting.horizon + EMBARGO} days only teach)"
        )
        for name in ("probability", "skill", "log_skill", "brier", "brier_climatology"):
            found.reading(name, coin, None, "share", whose, note=note)
        return
    span = whose.over(
        int(state.days[scored][0]) * DAY_NS, (int(state.days[scored][-1]) + 1 + setting.horizon) * DAY_NS
    )
    model, climate, seen = forecasts.model[scored], forecasts.climatology[scored], happened[scored]
    loss, rival = brier(model, seen), brier(climate, seen)
    better = skill_interval(loss, rival, setting.rng("skill"), block=setting.block)
    logs = log_loss(model, seen), log_loss(climate, seen)
    _interval(
        found, "brier", coin, mean_interval(loss, setting.rng("brier"), block=setting.block), span, target
    )
    _interval(
        found, "brier_climatology", coin,
        mean_interval(rival, setting.rng("rival"), block=setting.block), span, "the share of earlier days",
    )  # fmt: skip
    _interval(
        found, "skill", coin, better, span, f"1 − Brier ÷ Brier of climatology, blocks of {setting.block} d"
    )
    _interval(
        found, "log_skill", coin, skill_interval(*logs, setting.rng("log"), block=setting.block), span,
        "the same by the log score",
    )  # fmt: skip
    _where_deep(found, setting, state.from_high[scored] <= -DEEP, loss, rival, span)
    falls, deep = _falls(bars, setting, state.days[scored])
    found.reading(
        "independent_episodes", coin, float(len(falls)), "count", span,
        note=f"falls that begin {setting.horizon} d or more after the end of the one before, daily bars: "
        + ", ".join(falls[-6:]),
    )  # fmt: skip
    found.reading(
        "independent_deep", coin, float(len(deep)), "count", span,
        note=f"the same of falls of {100 * DEEP:g} % or more: " + ", ".join(deep[-6:]),
    )  # fmt: skip
    for number, one in enumerate(
        reliability(model, seen, setting.rng("reliability"), block=setting.block), start=1
    ):
        subject = f"bin {number}"
        found.reading("forecast_mean", subject, one.forecast, "share", span, note=f"{one.days} days")
        _interval(found, "forecast_held", subject, one.observed, span, f"{one.days} days")
    _today(found, setting, state, happened, known, better, (loss, rival), len(falls), whose)


def _today(
    found: Found,
    setting: _Setting,
    state: State,
    happened: Floats,
    known: Bools,
    better: Interval,
    losses: tuple[Floats, Floats],
    falls: int,
    whose: Whose,
) -> None:
    """The probability of the last day, or why there is none; and what the model is made of."""
    components = state.components
    fitted = fit(components[known], happened[known], setting.horizon)
    for k, name in enumerate(COMPONENTS, start=1):
        sd = float(np.sqrt(fitted.covariance[k, k]))
        weight = float(fitted.weights[k])
        note = "log odds of holding per standard deviation; the prior is N(0, 1)"
        found.reading(
            f"weight_{name}", setting.coin, weight, "log odds", whose,
            low=weight - 1.645 * sd, high=weight + 1.645 * sd, interval="90 % Laplace", note=note,
        )  # fmt: skip
    numbers = (
        f"Brier {losses[0].mean():.4f} against {losses[1].mean():.4f} by climatology, "
        f"skill {better.value:.3f} [{better.low:.3f}, {better.high:.3f}] "
        f"over {losses[0].size} days with {falls} independent falls"
    )
    if not better.low > 0.0:
        found.reading("probability", setting.coin, None, "share", whose, note=f"no skill: {numbers}")
        return
    low, high = probability_band(fitted, components[-1])
    absent = [name for name, value in zip(COMPONENTS, components[-1], strict=True) if not np.isfinite(value)]
    if absent:
        numbers += f"; not observed and set to the mean: {', '.join(absent)}"
    found.reading(
        "probability", setting.coin, float(probability(fitted, components[-1:])[0]), "share", whose,
        low=low, high=high, interval="90 % Laplace, coefficients alone", note=numbers,
    )  # fmt: skip


def _where_deep(
    found: Found, setting: _Setting, deep: Bools, loss: Floats, rival: Floats, span: Whose
) -> None:
    """The skill on days far below the high, where somebody would speak of a bottom."""
    days = int(deep.sum())
    if days < setting.horizon:
        note = f"{days} scored days that far below the high: too few"
        found.reading("skill_deep", setting.coin, None, "share", span, note=note)
        return
    rng = setting.rng("deep")
    ends = skill_interval(loss * deep, rival * deep, rng, block=setting.block)
    note = f"on the {days} days {100 * DEEP:g} % or more below the high of a year; for information alone"
    _interval(found, "skill_deep", setting.coin, ends, span, note)


def _state_readings(found: Found, setting: _Setting, state: State, prices: Whose) -> None:
    coin, last = setting.coin, int(state.days[-1])
    day = prices.over(last * DAY_NS, (last + 1) * DAY_NS)
    year = prices.over((last + 1 - YEAR) * DAY_NS, (last + 1) * DAY_NS)
    found.reading("close", coin, float(state.close[-1]), "USD/coin", day, note=iso(last * DAY_NS)[:10])
    high_day = iso(int(state.high_day[-1]) * DAY_NS)[:10]
    found.reading(
        "from_high",
        coin,
        float(state.from_high[-1]),
        "share",
        year,
        note=f"close against the high of {high_day}",
    )
    sigma = float(state.volatility[-1]) * float(np.sqrt(YEAR))
    month = prices.over((last - MONTH) * DAY_NS, (last + 1) * DAY_NS)
    found.reading(
        "volatility",
        coin,
        sigma,
        "share per year",
        month,
        note="mean |log return| of 30 days × √(π/2) × √365",
    )
    rate, rank = float(state.funding[-1]), float(state.funding_rank[-1])
    week = Whose(
        "binance perp, settled",
        f"funding: binance perp {coin}",
        (last + 1 - WEEK) * DAY_NS,
        (last + 1) * DAY_NS,
    )
    unseen = "" if np.isfinite(rate) else "the lake has no settled funding of that week"
    found.reading(
        "funding", coin, rate, "share per year", week, note=unseen or "mean of 7 days; > 0: longs pay"
    )
    few = unseen or ("" if np.isfinite(rank) else "less than 90 days of funding before it")
    found.reading(
        "funding_percentile", coin, rank, "share", week.over((last + 1 - YEAR) * DAY_NS, week.to_ns),
        note=few or "share of the last 365 days with a lower weekly mean",
    )  # fmt: skip
    index = Whose(INDEX, f"sentiment: {INDEX}", last * DAY_NS, (last + 1) * DAY_NS)
    value = float(state.sentiment[-1])
    found.reading(
        "sentiment", coin, value, "0 to 100", index,
        note=iso(last * DAY_NS)[:10] if np.isfinite(value) else "the lake has no value of that day",
    )  # fmt: skip
    if unseen:
        found.lacks(
            found.asof.missing(
                "funding", f"funding of {coin} at binance", start_ns=week.from_ns, coin=coin, kind="perp"
            )
        )
    if not np.isfinite(value):
        found.lacks(found.asof.missing("sentiment", f"index of {INDEX}", start_ns=index.from_ns))


def _positions(found: Found, asof: AsOf, setting: _Setting, state: State) -> None:
    """Fuel left and the reset of open interest, from the venues' open coins."""
    coin = setting.coin
    end_ns = (int(state.days[-1]) + 1) * DAY_NS
    top_ns = (int(state.high_day[-1]) + 1) * DAY_NS
    rows = asof.table("open_interest", end_ns=end_ns, coin=coin, scope="all").filter(
        ~pl.col("venue").is_in(_NEVER_FORCED), pl.col("coins") > 0
    )
    now = _latest(rows, end_ns, _STALE_NS)
    names = [f"fuel_{round(100 * fall)}" for fall in fuel_left.FALLS]
    if now.is_empty():
        lack = asof.missing(
            "open_interest", f"open interest of {coin}", start_ns=end_ns - _STALE_NS, coin=coin
        )
        found.lacks(lack)
        none = Whose("nobody", f"open_interest: {coin}", end_ns - _STALE_NS, end_ns)
        for name in (*names, *(f"{name}_coins" for name in names)):
            found.reading(
                name, coin, None, "coins" if name.endswith("coins") else "USD", none, note=str(lack)
            )
        found.reading("open_interest_reset", coin, None, "share", none, note=str(lack))
        found.reading("open_interest", coin, None, "coins", none, note=str(lack))
        return
    venues = now["venue"].to_list()
    total, newest = float(now["coins"].sum()), int(now["time_ns"].max())  # type: ignore[arg-type]
    whose = Whose(
        f"sum of {len(venues)} venues: {', '.join(venues)}", f"open_interest: {coin}, coins",
        int(now["time_ns"].min()), newest,  # type: ignore[arg-type]
    )  # fmt: skip
    found.reading(
        "open_interest", coin, total, "coins", whose, note=f"newest row {iso(newest)}; CME left out"
    )
    prior = fuel_left.embedded_prior()
    price = float(state.close[-1])
    for fall, name in zip(fuel_left.FALLS, names, strict=True):
        band = fuel_left.band(fall, prior)
        for unit, scale in (("USD", total * price), ("coins", total)):
            found.reading(
                name if unit == "USD" else f"{name}_coins", coin, band.middle * scale, unit, whose,
                low=band.low * scale, high=band.high * scale, interval="90 % of the prior on positions",
                note=f"longs that a fall of {100 * fall:g} % from the close would liquidate; a prior",
            )  # fmt: skip
    then = _latest(rows, top_ns, DAY_NS).join(now, on="venue", suffix="_now")
    if then.is_empty():
        note = f"no venue has open interest both at the high ({iso(top_ns)[:10]}) and now"
        found.reading("open_interest_reset", coin, None, "share", whose, note=note)
        return
    reset = float(then["coins_now"].sum()) / float(then["coins"].sum()) - 1.0
    that = Whose(
        f"sum of {then.height} venues: {', '.join(then['venue'].to_list())}", f"open_interest: {coin}, coins",
        int(then["time_ns"].min()), int(then["time_ns_now"].max()),  # type: ignore[arg-type]
    )  # fmt: skip
    high_day = iso(int(state.high_day[-1]) * DAY_NS)[:10]
    found.reading(
        "open_interest_reset",
        coin,
        reset,
        "share",
        that,
        note=f"open coins now against those at the end of {high_day}, the day of the high; < 0: closed",
    )


def _depth(found: Found, asof: AsOf, setting: _Setting, state: State) -> None:
    """Displayed bids of a week against those of the month before the high."""
    coin = setting.coin
    end_ns = (int(state.days[-1]) + 1) * DAY_NS
    top_ns = int(state.high_day[-1]) * DAY_NS
    rows = asof.table(
        "depth", start_ns=top_ns - MONTH * DAY_NS, end_ns=end_ns, venue="binance", kind="perp", coin=coin,
        taken="bar",
    ).filter(pl.col("range_bps") == 100.0, pl.col("bid_usd").is_not_null())  # fmt: skip
    before = rows.filter(pl.col("time_ns") < top_ns)
    after = rows.filter(pl.col("time_ns") >= end_ns - WEEK * DAY_NS)
    whose = Whose(
        "binance perp, bids within 100 bp of mid", f"depth: binance perp {coin}, 100 bp",
        top_ns - MONTH * DAY_NS, end_ns,
    )  # fmt: skip
    if before.height < WEEK or after.height < WEEK:
        lack = asof.missing(
            "depth",
            f"displayed depth of {coin} at binance",
            start_ns=end_ns - WEEK * DAY_NS,
            coin=coin,
            kind="perp",
        )
        found.lacks(lack)
        note = f"{before.height} rows in the month before the high and {after.height} in the last week"
        found.reading("depth_recovery", coin, None, "share", whose, note=note)
        return
    base, now = float(before["bid_usd"].median()), float(after["bid_usd"].median())  # type: ignore[arg-type]
    note = (
        f"median of the last 7 days (${now / 1e6:.0f} m, {after.height} rows, "
        f"newest {iso(int(after['time_ns'][-1]))}) ÷ median of the 30 days "
        f"before the high (${base / 1e6:.0f} m); 1 is full recovery"
    )
    found.reading("depth_recovery", coin, now / base, "share", whose, note=note)


def _latest(rows: pl.DataFrame, at_ns: int, within_ns: int) -> pl.DataFrame:
    """The last row of each venue at or before a moment and not older than ``within_ns``, by venue."""
    return (
        rows.filter(pl.col("time_ns") <= at_ns, pl.col("time_ns") > at_ns - within_ns)
        .sort("time_ns")
        .group_by("venue")
        .agg(pl.col("time_ns").last(), pl.col("coins").last())
        .sort("venue")
    )


def _falls(bars: pl.DataFrame, setting: _Setting, scored: Int64s) -> tuple[list[str], list[str]]:
    """Names of the independent falls, and of the deep ones, that start on scored days, from daily bars."""
    frame = bars.with_columns(end_ns=pl.col("time_ns") + DAY_NS)
    episodes = together({setting.coin: cascades(setting.coin, frame, Rules())}, {setting.coin: frame})
    inside = [e for e in episodes if scored[0] <= e.start_ns // DAY_NS <= scored[-1]]
    deep = [episode for episode in inside if episode.lead.fall >= DEEP]
    return (
        [episode.name for episode in independent(inside, setting.horizon)],
        [episode.name for episode in independent(deep, setting.horizon)],
    )


def _interval(found: Found, name: str, subject: str, found_: Interval, whose: Whose, note: str) -> None:
    found.reading(
        name, subject, found_.value, "share", whose,
        low=found_.low, high=found_.high, interval=_INTERVAL, note=note,
    )  # fmt: skip


def _settled(parameters: Mapping[str, Any]) -> _Setting:
    horizon, block, floor = parameters["horizon"], parameters["block"], parameters["floor"]
    for name, value, low, high in (("horizon", horizon, 1, 180), ("block", block, MONTH, 1000)):
        if value != int(value) or not low <= value <= high:
            _refuse(name, f"a whole number of days from {low} to {high}", value)
    if block < horizon:
        _refuse("block", f"at least the horizon of {horizon:g} days", block)
    if not 0.0 < floor <= 1.0:
        _refuse("floor", "a share above 0 and up to 1", floor)
    return _Setting(
        parameters["coin"], parameters["venue"], parameters["kind"], int(horizon), float(floor), int(block)
    )


def _refuse(name: str, expected: str, value: float) -> None:
    raise InputError(
        f"measure exhaustion, parameter {name}: expected {expected}, found {value:g}",
        hint="`deleverage measure exhaustion --help` says what each is",
        parameter=name,
    )


MEASURE = Measure(
    name="exhaustion",
    question="How probable is it that the price holds from here, and does who says so have any skill?",
    parameters=(
        Parameter("coin", "coin", "BTC", "the coin"),
        Parameter("venue", "venue", "binance", "whose bars"),
        Parameter("kind", "choice", "spot", "spot or perpetual", choices=("spot", "perp")),
        Parameter("horizon", "days", 30.0, "days that are looked ahead", "days"),
        Parameter("floor", "number", 0.95, "share of today's close below which no low may lie", "share"),
        Parameter("block", "days", 90.0, "days that the bootstrap keeps together, 30 or more", "days"),
    ),
    compute=compute,
    headline=("probability", "climatology", "skill"),
    readings={
        "probability": "that no low of the next days lies below the floor; null without skill",
        "climatology": "share of all earlier days on which it held",
        "brier": "mean (p − y)² of the walk-forward forecasts",
        "brier_climatology": "the same of climatology",
        "skill": "1 − brier ÷ brier_climatology; ≤ 0 is none",
        "log_skill": "the same by the log score",
        "skill_deep": "the skill on days 20 % or more below the high of a year",
        "independent_episodes": "falls of the scored time that do not run into each other",
        "independent_deep": "the same of falls of 20 % or more",
        "independent_windows": "days scored ÷ horizon",
        "days_scored": "days with a forecast and a known outcome",
        "forecast_mean": "by bin of the forecast: its mean",
        "forecast_held": "by bin of the forecast: how often the price held",
        "weight_*": "what one standard deviation of a component adds to the log odds of holding",
        "close": "of the last whole day",
        "from_high": "close against the highest high of 365 days, ≤ 0",
        "volatility": "of 30 days, per year",
        "funding": "mean of 7 days, per year; > 0: longs pay",
        "funding_percentile": "share of the last 365 days with a lower weekly mean",
        "sentiment": f"index of {INDEX} on the last whole day",
        "open_interest": "coins open on the venues that liquidate by themselves",
        "open_interest_reset": "open coins now against those on the day of the high; < 0: closed",
        "fuel_*": "longs that a further fall of 5, 13 or 20 % would liquidate, by the prior; USD or coins",
        "depth_recovery": "bids within 1 % in the last week ÷ in the month before the high",
    },
)
