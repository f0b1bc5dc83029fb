"""How much leverage is in the market, by whose count, and what did the venue allow?

Open interest counts one side. A change in USD mixes contracts and price: the change in coins is what was
opened or closed, and the rest is price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from deleverage.data.lake.times import iso
from deleverage.errors import InputError
from deleverage.measure.asof import DAY_NS, AsOf, Missing
from deleverage.measure.blocks import block_draws, middle, stream
from deleverage.measure.contracts import complete_moments, contract_sums
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose
from deleverage.measure.tier_sets import latest_tiers

YEAR_S = 365 * 86_400
_COUNTS = ("contracts", "venues")
_BY = {"contracts": "list of all contracts", "venues": "sums by venue"}
_DATA = {"contracts": "snapshots: open_interest_usd", "venues": "open_interest: scope all"}
_LEVELS = (20, 50, 100)
_DRAWS = 1000
_SEEN = 0.1
"""Accounts that hold less than this share of both sides of open interest say nothing about a venue."""

_VENUES_OF_MOST = 0.8
"""A moment with fewer than this share of the most venues ever seen is not the market."""


@dataclass(frozen=True)
class _Series:
    """Open interest by moment and coin: time_ns, coin, usd, coins, and volume_usd where there is one."""

    frame: pl.DataFrame
    coins: list[str]

    def at(self, time_ns: int) -> pl.DataFrame:
        return self.frame.filter(pl.col("time_ns") == time_ns)

    def last(self, until_ns: int, max_age_ns: int) -> int | None:
        """The last moment up to ``until_ns`` that is not too old."""
        times = self.frame.filter(pl.col("time_ns").is_between(until_ns - max_age_ns, until_ns))["time_ns"]
        return None if times.is_empty() else int(times.max())  # type: ignore[arg-type]

    @property
    def total(self) -> pl.DataFrame:
        return (
            self.frame.group_by("time_ns", maintain_order=True).agg(value=pl.col("usd").sum()).sort("time_ns")
        )


def compute(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    """Readings of open interest, funding, basis and tiers, and the series of open interest [USD]."""
    found = Found("leverage", asof, parameters)
    coin, venue, count = parameters["coin"], parameters["venue"], parameters["count"]
    max_age = int(parameters["max_age"] * DAY_NS)
    series = _open_interest(asof, coin, venue, count)
    now = None if series is None else series.last(asof.at_ns, max_age)
    lost = _no_open_interest(asof, coin, venue, count, max_age)
    by = f"{_BY[count]}, {'all its venues' if venue == 'all' else venue}"
    if series is not None:
        by = f"{', '.join(sorted(series.frame['dataset'].unique().to_list()))}: {by}"
    whose = Whose(by, f"{_DATA[count]} {coin}")
    answered = now is not None
    if series is None or now is None:
        found.lacks(lost)
        found.reading("open_interest_usd", coin, None, "USD", whose, note=str(lost))
    else:
        _levels(found, series, now, whose, parameters)
        _changes(found, series, now, whose, parameters)
        _ratios(found, asof, series, now, whose, parameters)
        found.series("open_interest_usd", coin, "USD", series.total)
        if len(series.coins) > 1:
            for one in series.coins:
                rows = series.frame.filter(pl.col("coin") == one).select("time_ns", value="usd")
                found.series("open_interest_usd", one, "USD", rows)
    coins = series.coins if series is not None else [] if coin == "ALL" else [coin]
    answered |= _accounts(found, asof, max_age)
    answered |= _funding(found, asof, coins, series, now, parameters)
    answered |= _basis(found, asof, coins, parameters)
    answered |= _tiers(found, asof, coins, parameters)
    if not answered:
        raise lost.error()
    return found.measured()


def _no_open_interest(asof: AsOf, coin: str, venue: str, count: str, max_age: int) -> Missing:
    table = "snapshots" if count == "contracts" else "open_interest"
    where = "all venues" if venue == "all" else venue
    what = f"open interest of {'any coin' if coin == 'ALL' else coin} at {where}"
    return asof.missing(table, what, start_ns=asof.at_ns - max_age, coin="BTC" if coin == "ALL" else coin)


def _open_interest(asof: AsOf, coin: str, venue: str, count: str) -> _Series | None:
    """The series of one count; for ALL the coins of its newest moment, and moments that have all of them."""
    start = asof.at_ns - 366 * DAY_NS
    if count == "contracts":
        sums = contract_sums(asof, coin=coin, venue=venue, start_ns=start)
    else:
        sums = _venue_sums(asof, coin, venue, start)
    sums = sums.filter(pl.col("usd") > 0)  # of none at all nothing can be a share
    if sums.is_empty():
        return None
    newest = sums.filter(pl.col("time_ns") == pl.col("time_ns").max())
    coins = sorted(newest["coin"].to_list())
    return _Series(complete_moments(sums, coins), coins)


def _venue_sums(asof: AsOf, coin: str, venue: str, start_ns: int) -> pl.DataFrame:
    """Sums of table `open_interest` by moment and coin, where nearly all venues were seen."""
    rows = (
        asof.table("open_interest", start_ns=start_ns, scope="all")
        if coin == "ALL"
        else asof.table("open_interest", start_ns=start_ns, scope="all", coin=coin)
    ).filter(pl.col("venue") != "unnamed")
    if venue != "all":
        rows = rows.filter(pl.col("venue") == venue)
    volume = pl.lit(None, pl.Float64).alias("volume_usd")
    sums = rows.group_by("time_ns", "coin", maintain_order=True).agg(
        pl.col("usd").sum(),
        pl.when(pl.col("coins").null_count() == 0).then(pl.col("coins").sum()).alias("coins"),
        pl.col("venue").n_unique().alias("venues"),
        pl.col("price").median(),
        pl.col("source").str.split("/").list.first().first().alias("dataset"),
    )
    most = pl.col("venues").max().over("coin")
    kept = sums.filter(pl.col("venues") >= _VENUES_OF_MOST * most)
    if venue == "all":
        kept = kept.filter(pl.col("venues") >= 5)
    return kept.with_columns(volume).sort("time_ns", "coin")


def _levels(found: Found, series: _Series, now: int, whose: Whose, parameters: Mapping[str, Any]) -> None:
    coin, here = parameters["coin"], series.at(now)
    that = whose.over(now, now)
    note = f"as of {iso(now)[:16]}"
    if coin == "ALL":
        note += f"; sum of {', '.join(series.coins)}, the coins that the lake has"
    unseen = int(here["unseen"].sum()) if "unseen" in here.columns else 0
    if unseen:
        note += f"; {unseen} of {int(here['contracts'].sum())} contracts showed none and are not in it"
    found.reading("open_interest_usd", coin, _sum(here["usd"]), "USD", that, note=note)
    if coin == "ALL":
        note = "coins of different kinds cannot be added; see each coin"
        found.reading("open_interest_coins", coin, None, "coins", that, note=note)
        for row in here.iter_rows(named=True):
            found.reading("open_interest_usd", row["coin"], row["usd"], "USD", that)
            found.reading("open_interest_coins", row["coin"], row["coins"], "coins", that)
    else:
        found.reading("open_interest_coins", coin, here["coins"][0], "coins", that)
    total = series.total.filter(pl.col("time_ns").is_between(now - 365 * DAY_NS, now))
    values = total["value"].to_numpy()
    first = int(total["time_ns"][0])
    share = float(np.mean(values <= values[-1]))
    note = f"share of {values.size} moments from {iso(first)[:10]} on that were not above it"
    found.reading("open_interest_percentile", coin, share, "share", whose.over(first, now), note=note)
    top = int(values.argmax())
    when = int(total["time_ns"][top])
    peak = whose.over(first, now)
    found.reading(
        "open_interest_peak_usd", coin, float(values[top]), "USD", peak, note=f"of these, {iso(when)[:16]}"
    )
    change = float(values[-1] / values[top] - 1)
    found.reading("change_from_peak_usd", coin, change, "share", whose.over(when, now), note="with price")


def _changes(found: Found, series: _Series, now: int, whose: Whose, parameters: Mapping[str, Any]) -> None:
    """Since the base, in USD and in coins; for ALL coins at the prices of the base."""
    coin, max_age = parameters["coin"], int(parameters["max_age"] * DAY_NS)
    wanted = parameters["base"]
    if wanted is None:
        wanted = found.asof.at_ns - int(parameters["base_days"] * DAY_NS)
    base = series.last(min(wanted, found.asof.at_ns), max_age)
    if base is None or base >= now:
        note = f"no open interest within {parameters['max_age']:g} days before {iso(wanted)[:16]}"
        for name in ("change_usd", "change_coins", "change_price"):
            found.reading(name, coin, None, "share", whose, note=note)
        return
    both = series.at(base).join(series.at(now), on="coin", suffix="_now").sort("coin")
    that = whose.over(base, now)
    since = f"since {iso(base)[:16]}"
    rows = [(one, both.filter(pl.col("coin") == one)) for one in both["coin"]]
    for subject, part in [(coin, both)] + ([] if len(rows) == 1 else rows):
        usd = _sum(part["usd_now"]) / _sum(part["usd"]) - 1
        found.reading(
            "change_usd", subject, usd, "share", that, note=f"{since}; contracts and price together"
        )
        known = part["coins"].null_count() + part["coins_now"].null_count() == 0
        coins = (
            _sum(part["usd"] / part["coins"] * part["coins_now"]) / _sum(part["usd"]) - 1 if known else None
        )
        note = f"{since}; contracts alone" + (": coins at the prices of the base" if part.height > 1 else "")
        if not known:
            note = "coins were not observed at both ends"
        found.reading("change_coins", subject, coins, "share", that, note=note)
        price = None if coins is None else (1 + usd) / (1 + coins) - 1
        note = "what is left of the change in USD: price" if known else "coins were not observed"
        found.reading("change_price", subject, price, "share", that, note=note)


def _ratios(
    found: Found, asof: AsOf, series: _Series, now: int, whose: Whose, parameters: Mapping[str, Any]
) -> None:
    coin, here = parameters["coin"], series.at(now)
    usd = _sum(here["usd"])
    max_age = int(parameters["max_age"] * DAY_NS)
    caps = asof.table("market_caps", start_ns=now - max_age, end_ns=now, coin=coin)
    if coin == "ALL" or caps.is_empty():
        note = (
            "no capitalisation of these coins together" if coin == "ALL" else f"no capitalisation of {coin}"
        )
        if coin != "ALL":
            found.lacks(asof.missing("market_caps", f"market capitalisation of {coin}", coin=coin))
        found.reading("oi_to_market_cap", coin, None, "share", whose, note=f"{note} in the lake")
    else:
        last = caps.sort("time_ns").row(-1, named=True)
        that = Whose(
            f"{whose.by}; capitalisation by {last['publisher']}",
            f"{whose.data}; market_caps {coin}",
            last["time_ns"],
            now,
        )
        note = "capitalisation on chain: all coins ever mined, lost ones, too"
        found.reading("oi_to_market_cap", coin, usd / last["usd"], "share", that, note=note)
    volume = here["volume_usd"]
    seen = volume.null_count() == 0
    note = (
        "measures quietness, not leverage: it falls whenever much is traded"
        if seen
        else "this count has no volume; count=contracts has"
    )
    ratio = usd / float(volume.sum()) if seen and float(volume.sum()) > 0 else None
    found.reading("oi_to_volume", coin, ratio, "days", whose.over(now - DAY_NS, now), note=note)
    _collateral(found, asof, coin, usd, whose, max_age)


def _accounts(found: Found, asof: AsOf, max_age: int) -> bool:
    """Notional ÷ equity of the accounts seen on chain, where these hold enough of the venue."""
    held = asof.table("holdings", start_ns=asof.at_ns - max_age, venue="hyperliquid")
    held = held.filter(
        pl.col("notional_usd").is_not_null() & pl.col("account_value_usd").is_not_null()
    ).filter(pl.col("time_ns") == pl.col("time_ns").max().over("account"))
    accounts = held.group_by("account", maintain_order=True).agg(
        pl.col("notional_usd").sum(), pl.col("account_value_usd").max().alias("equity")
    )
    notional = _sum(accounts["notional_usd"]) if accounts.height else 0.0
    interest = asof.table("open_interest", start_ns=asof.at_ns - max_age, venue="hyperliquid", scope="all")
    last = interest.sort("time_ns").group_by("coin", maintain_order=True).agg(pl.col("usd").last())
    both_sides = 2 * _sum(last["usd"]) if last.height else 0.0
    equity = _sum(accounts["equity"]) if accounts.height else 0.0
    if both_sides <= 0 or equity <= 0 or notional / both_sides < _SEEN:
        return False
    first, final = int(held["time_ns"].min()), int(held["time_ns"].max())  # type: ignore[arg-type]
    found.reading(
        "effective_leverage",
        "hyperliquid accounts",
        notional / equity,
        "x",
        Whose("hyperliquid, on chain", "holdings, open_interest: hyperliquid", first, final),
        note=f"notional ÷ equity of {accounts.height} accounts, {notional / both_sides:.0%} of both sides of "
        "the open interest seen; large accounts, not all",
    )
    return True


def _collateral(found: Found, asof: AsOf, coin: str, usd: float, whose: Whose, max_age: int) -> None:
    """What is not published, and what is sold in its place."""
    note = (
        "no collateral behind these contracts is published: it needs the equity of accounts (on chain) or "
        "the venues' margin balances"
    )
    found.reading("effective_leverage", coin, None, "x", whose, note=note)
    balances = asof.table("indicators", name="exchange_balance_coins", symbol=coin)
    balances = balances.filter(pl.col("time_ns") >= asof.at_ns - max_age)
    price = asof.table("snapshots", start_ns=asof.at_ns - max_age, coin=coin)
    price = price.filter((pl.col("kind") == "perp") & pl.col("price").is_not_null()).sort("time_ns")
    if balances.is_empty() or price.is_empty():
        return
    when = int(balances["time_ns"].max())  # type: ignore[arg-type]
    coins = float(balances.filter(pl.col("time_ns") == when)["value"].sum())
    level = float(price.filter(pl.col("time_ns") == price["time_ns"][-1])["price"].median())  # type: ignore[arg-type]
    found.reading(
        "oi_to_exchange_balance",
        coin,
        usd / (coins * level),
        "share",
        Whose(
            f"{whose.by}; balances by coinglass", f"{whose.data}; indicators: exchange_balance_coins", when
        ),
        note="often called the leverage ratio; balances are of spot customers, too, and most margin is in "
        "stablecoins",
    )


def _funding(
    found: Found,
    asof: AsOf,
    coins: list[str],
    series: _Series | None,
    now: int | None,
    parameters: Mapping[str, Any],
) -> bool:
    """Mean of the settled rates of the last days, a year's worth; for ALL weighted by open interest."""
    venue = "binance" if parameters["venue"] == "all" else parameters["venue"]
    start = asof.at_ns - int(parameters["funding_days"] * DAY_NS)
    rates: dict[str, pl.DataFrame] = {}
    for one in coins:
        rows = asof.table("funding", start_ns=start, venue=venue, coin=one)
        if rows.height:
            symbol = (
                rows.group_by("symbol").len().sort(["len", "symbol"], descending=[True, False])["symbol"][0]
            )
            rates[one] = (
                rows.filter(pl.col("symbol") == symbol)
                .sort("time_ns")
                .select("time_ns", "interval_s", value=pl.col("rate") * YEAR_S / pl.col("interval_s"))
            )
    asked = parameters["coin"]
    for one in coins:
        whose = Whose(f"{venue}, settled rates", f"funding: {venue} {one}")
        if one not in rates:
            lost = asof.missing("funding", f"funding rates of {one} at {venue}", start_ns=start, coin=one)
            found.lacks(lost)
            found.reading("funding_annualised", one, None, "share", whose, note=str(lost))
            continue
        _mean_rate(found, one, venue, rates[one], whose)
        if asked == one:
            found.series("funding_annualised", one, "share", rates[one].select("time_ns", "value"))
    if asked == "ALL" and series is not None and now is not None and rates and len(rates) == len(coins):
        weights = dict(series.at(now).select("coin", "usd").iter_rows())
        joined = pl.concat(
            frame.with_columns(weight=pl.lit(weights[one])) for one, frame in rates.items()
        ).filter(pl.len().over("time_ns") == len(rates))
        mean = joined.group_by("time_ns", maintain_order=True).agg(
            pl.col("interval_s").max(),
            value=(pl.col("value") * pl.col("weight")).sum() / pl.col("weight").sum(),
        )
        if mean.height:
            whose = Whose(f"{venue}, settled rates", f"funding: {venue} {', '.join(coins)}")
            _mean_rate(found, "ALL", venue, mean.sort("time_ns"), whose, extra="; weighted by open interest")
    return bool(rates)


def _mean_rate(
    found: Found, subject: str, venue: str, rates: pl.DataFrame, whose: Whose, extra: str = ""
) -> None:
    values = rates["value"].to_numpy()
    interval = int(rates["interval_s"].median())  # type: ignore[arg-type]
    low = high = None
    if values.size >= 6:
        block = max(1, 86_400 // interval)
        draws = block_draws(values, block, _DRAWS, stream("funding", venue, subject)).mean(axis=1)
        low, high = middle(draws)
    found.reading(
        "funding_annualised",
        subject,
        float(values.mean()),
        "share",
        whose.over(int(rates["time_ns"][0]), int(rates["time_ns"][-1])),
        low=low,
        high=high,
        interval="90 % bootstrap of days" if low is not None else "",
        note=f"mean of {values.size} rates of {interval // 3600} h × {YEAR_S // interval:,}; > 0 longs pay"
        + extra,
    )


def _basis(found: Found, asof: AsOf, coins: list[str], parameters: Mapping[str, Any]) -> bool:
    """Perpetual ÷ spot − 1 of one venue's hourly closes, median of the last 24 that both have."""
    venue = "binance" if parameters["venue"] == "all" else parameters["venue"]
    start = asof.at_ns - int(parameters["max_age"] * DAY_NS)
    seen = False
    for one in coins:
        sides = []
        for kind in ("perp", "spot"):
            rows = asof.table(
                "candles", start_ns=start, venue=venue, kind=kind, coin=one, interval_s=3600
            ).filter(~pl.col("symbol").str.contains(":"))
            sides.append(rows.select("time_ns", "close").unique("time_ns", keep="first").sort("time_ns"))
        both = sides[0].join(sides[1], on="time_ns", suffix="_spot").sort("time_ns").tail(24)
        whose = Whose(f"{venue} perpetual and {venue} spot", f"candles: {venue} {one}, 1 h")
        if both.is_empty():
            kind = "perp" if sides[0].is_empty() else "spot"
            what = f"hourly bars of {one} ({kind}) at {venue}"
            found.lacks(asof.missing("candles", what, start_ns=start, coin=one, kind=kind, interval_s=3_600))
            note = f"the lake has no {what} within {parameters['max_age']:g} days"
            found.reading("basis", one, None, "share", whose, note=note)
            continue
        seen = True
        gaps = (both["close"] / both["close_spot"] - 1).to_numpy()
        low, high = np.quantile(gaps, (0.05, 0.95))
        found.reading(
            "basis",
            one,
            float(np.median(gaps)),
            "share",
            whose.over(int(both["time_ns"][0]), int(both["time_ns"][-1]) + 3_600 * 1_000_000_000),
            low=float(low),
            high=float(high),
            interval=f"5 to 95 % of {gaps.size} hourly closes",
            note="perpetual ÷ spot − 1, median",
        )
    return seen


def _tiers(found: Found, asof: AsOf, coins: list[str], parameters: Mapping[str, Any]) -> bool:
    venue = "binance" if parameters["venue"] == "all" else parameters["venue"]
    symbols = [parameters["symbol"]] if parameters["symbol"] else [f"{one}USDT" for one in coins or ["BTC"]]
    seen = False
    for symbol in symbols:
        subject = f"{venue} {symbol}"
        found_set = latest_tiers(asof, venue, symbol)
        whose = Whose(f"{venue}'s own tiers", f"tiers: {subject}")
        if found_set is None:
            lost = asof.missing("tiers", f"margin tiers of {symbol} at {venue}")
            found.lacks(lost)
            found.reading("max_leverage", subject, None, "x", whose, note=str(lost))
            continue
        seen = True
        whose = whose.over(found_set.time_ns, found_set.time_ns)
        cap = found_set.tiers[0].cap_usd
        note = f"tiers as of {iso(found_set.time_ns)[:10]}" + (f"; up to ${cap:,.0f}" if cap else "")
        found.reading("max_leverage", subject, found_set.max_leverage, "x", whose, note=note)
        for text in parameters["notionals"]:
            notional = notional_of(text)
            tier = found_set.at(notional)
            note = "" if tier else "larger than the last tier: not allowed"
            found.reading(
                f"max_leverage_at_{text}", subject, tier.max_leverage if tier else None, "x", whose, note=note
            )
        for level in _LEVELS:
            largest = found_set.largest_notional(level)
            note = "allowed at no size" if largest is None else "largest position with this setting"
            if largest == float("inf"):
                largest, note = None, "allowed at every size"
            found.reading(f"notional_at_{level}x", subject, largest, "USD", whose, note=note)
            moves = found_set.move_range(level)
            note = "isolated long, without fees; smallest position" if moves else "allowed at no size"
            value, low, high = moves or (None, None, None)
            found.reading(
                f"move_to_liquidation_{level}x",
                subject,
                value,
                "share",
                whose,
                low=low,
                high=high,
                interval="over all sizes that the tiers allow" if moves else "",
                note=note,
            )
        move = parameters["move"]
        note = f"a fall of {move:.1%} ends a small isolated long from this setting on, without fees"
        found.reading(
            "leverage_ended_by_move", subject, found_set.leverage_ended_by(move), "x", whose, note=note
        )
    return seen


def _sum(values: pl.Series) -> float:
    return float(np.sum(values.to_numpy()))


def notional_of(text: str) -> float:
    """'300k', '3m', '1.5bn' or '250000' in USD.

    Raises
    ------
    InputError
        it is no such size.
    """
    scales = {"k": 1e3, "m": 1e6, "bn": 1e9, "b": 1e9}
    lower = text.lower()
    ending = next((end for end in ("bn", "k", "m", "b") if lower.endswith(end)), "")
    try:
        size = float(lower[: len(lower) - len(ending)] if ending else lower) * scales.get(ending, 1.0)
    except ValueError:
        size = float("nan")
    if not (np.isfinite(size) and size > 0):
        raise InputError(
            f"measure leverage, parameter notionals: expected sizes like 300k or 12m, found {text!r}",
            hint="give them in USD, with commas between",
            parameter="notionals",
        )
    return size


MEASURE = Measure(
    name="leverage",
    question="How much leverage is in the market, and what leverage did the venue allow?",
    parameters=(
        Parameter("coin", "coin", "ALL", "the coin, or ALL for the sum of those that the lake has"),
        Parameter("venue", "venue", "all", "one, or all (funding, basis, tiers: binance)"),
        Parameter("count", "choice", "contracts", "whose list is summed", choices=_COUNTS),
        Parameter("base", "time", None, "moment to compare with; default: base_days before"),
        Parameter("base_days", "days", 30.0, "how long before the moment the base lies", "days"),
        Parameter("max_age", "days", 7.0, "how old a last observation may be", "days"),
        Parameter("funding_days", "days", 7.0, "over how many days funding is averaged", "days"),
        Parameter("symbol", "text", "", "contract whose tiers are read; default: COINUSDT"),
        Parameter("notionals", "list", ("300k", "3m", "12m", "100m"), "position sizes", "USD"),
        Parameter("move", "number", 0.02, "adverse move to give the leverage for that it ends", "share"),
    ),
    compute=compute,
    headline=(
        "open_interest_usd",
        "change_from_peak_usd",
        "funding_annualised",
        "max_leverage",
        "move_to_liquidation_100x",
    ),
    readings={
        "open_interest_usd": "open contracts, one side, in USD",
        "open_interest_coins": "the same in coins",
        "open_interest_percentile": "share of the last 365 days' moments that were not above it",
        "open_interest_peak_usd": "the largest of these",
        "change_from_peak_usd": "since then, in USD",
        "change_usd": "since the base, in USD",
        "change_coins": "since the base, in coins: what was opened or closed",
        "change_price": "the rest of the change in USD",
        "effective_leverage": "notional ÷ equity, where equity is published",
        "oi_to_market_cap": "open interest ÷ capitalisation on chain",
        "oi_to_volume": "open interest ÷ volume of a day: quietness",
        "oi_to_exchange_balance": "open interest ÷ coins held at exchanges",
        "funding_annualised": "mean settled funding × intervals of a year; > 0 longs pay",
        "basis": "perpetual ÷ spot − 1",
        "max_leverage": "largest setting that the venue allows",
        "max_leverage_at_*": "the same for a position of that size",
        "notional_at_*": "largest position for which that setting is allowed",
        "move_to_liquidation_*": "fall that ends an isolated long of that setting",
        "leverage_ended_by_move": "smallest setting that a fall of `move` ends",
    },
)  # fmt: skip
"""Leverage of the market as of a moment."""
