"""How much market value was erased since a day, in total and per day?

Value erased is > 0 where value is lost. Coins are counted with fixed supplies (`supplies`), so that newly
issued coins hide nothing. The whole market is only known as far as the lake has its capitalisation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from deleverage.data.lake.times import iso
from deleverage.errors import InputError, MissingDataError
from deleverage.measure.asof import DAY_NS, AsOf, Missing
from deleverage.measure.market_value.supplies import SUPPLIES, said
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose
from deleverage.measure.prices import last_day_note, need_daily, no_bars, source_of

TOTAL = "total"


@dataclass(frozen=True)
class _Ends:
    """First and last day of what is compared [ns UTC, 00:00]."""

    start_ns: int
    end_ns: int

    @property
    def days(self) -> int:
        return (self.end_ns - self.start_ns) // DAY_NS


def compute(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    """Readings, and the value of the basket and of its parts [USD]."""
    coins = _coins(parameters["basket"])
    venue, kind, price = parameters["venue"], parameters["kind"], parameters["price"]
    lead = need_daily(asof, coins[0], venue=venue, kind=kind)
    bars = {coins[0]: lead}
    lacking: list[Missing] = []
    for coin in coins[1:]:
        try:
            bars[coin] = need_daily(asof, coin, venue=venue, kind=kind)
        except MissingDataError:
            lacking.append(no_bars(asof, coin, venue=venue, kind=kind))
    ends = _ends(asof, parameters["since"], lead)
    found = Found("market_value", asof, parameters)
    whose = Whose(
        f"{venue} {kind} closes × stated supplies, UTC days",
        source_of(", ".join(coins), venue, kind), ends.start_ns, ends.end_ns + DAY_NS,
    )  # fmt: skip
    erased: dict[str, tuple[float, float]] = {}
    for coin in coins:
        gap = asof.missing(
            "candles", f"daily bars of {coin} ({kind}) at {venue}",
            start_ns=ends.start_ns, end_ns=ends.end_ns + DAY_NS, venue=venue, kind=kind, coin=coin,
        )  # fmt: skip
        values = _value(bars.get(coin), ends, price, SUPPLIES[coin].coins)
        over = Whose(
            f"{venue} {kind} × stated supply", source_of(coin, venue, kind), whose.from_ns, whose.to_ns
        )
        if values is None:
            lacking.append(gap)
            found.reading(f"erased_{coin}", coin, None, "USD", over, note=str(gap))
            continue
        erased[coin] = values
        lost, within = values[0] - values[1], SUPPLIES[coin].within
        low, high = sorted((lost * (1 - within), lost * (1 + within)))
        found.reading(
            f"erased_{coin}", coin, lost, "USD", over, low=low, high=high,
            interval="what the stated supply may be off", note=_words(price, ends) + "; " + said(coin),
        )  # fmt: skip
    told: dict[str, Missing] = {}
    for missing in lacking:
        told.setdefault(missing.what, missing)
    for missing in told.values():
        found.lacks(missing)
    _basket(found, coins, erased, ends, price, whose, last_day_note(asof, ends.end_ns))
    share = _basket_share(found, asof, coins, bars, ends)
    _total(found, asof, ends)
    _onchain(found, asof, ends)
    _stated(found, coins, erased, share, ends, whose)
    _series(found, coins, bars, ends)
    return found.measured()


def _coins(basket: Sequence[str]) -> tuple[str, ...]:
    coins = tuple(dict.fromkeys(coin.upper() for coin in basket))
    for coin in coins:
        if coin not in SUPPLIES:
            raise InputError(
                f"measure market_value, parameter basket: expected coins with a stated supply, found {coin}",
                hint=f"there are {', '.join(SUPPLIES)}; supplies stand in measure/market_value/supplies.py",
                parameter="basket",
            )
    return coins


def _ends(asof: AsOf, since: int | None, lead: pl.DataFrame) -> _Ends:
    last = int(lead["time_ns"][-1])
    if since is None:
        return _Ends(int(lead["time_ns"][lead["high"].arg_max() or 0]), last)
    day = since // DAY_NS * DAY_NS
    if day >= asof.at_ns:
        raise InputError(
            f"measure market_value, parameter since: expected a day before {iso(asof.at_ns)}, "
            f"found {iso(day)[:10]}",
            hint="value is erased since a day of the past",
            parameter="since",
        )
    return _Ends(day, last)


def _value(bars: pl.DataFrame | None, ends: _Ends, price: str, supply: float) -> tuple[float, float] | None:
    """Value at the first day's price and at the last day's close [USD]; None where a day is missing."""
    if bars is None:
        return None
    first = bars.filter(pl.col("time_ns") == ends.start_ns)
    last = bars.filter(pl.col("time_ns") == ends.end_ns)
    if first.is_empty() or last.is_empty():
        return None
    return float(first[price][0]) * supply, float(last["close"][0]) * supply


def _words(price: str, ends: _Ends) -> str:
    return f"{price} of {iso(ends.start_ns)[:10]} to close of {iso(ends.end_ns)[:10]}"


def _basket(
    found: Found, coins: tuple[str, ...], erased: Mapping[str, tuple[float, float]], ends: _Ends,
    price: str, whose: Whose, late: str,
) -> None:  # fmt: skip
    """The readings of all coins together."""
    subject = f"{len(coins)} coins" if len(coins) > 1 else coins[0]
    absent = [coin for coin in coins if coin not in erased]
    if absent:
        note = f"no price of {', '.join(absent)} on the first or last day; ask for a basket without"
        for name, unit in (
            ("erased_basket", "USD"), ("erased_basket_share", "share"), ("erased_per_day", "USD/day"),
            ("basket_before", "USD"), ("basket_now", "USD"),
        ):  # fmt: skip
            found.reading(name, subject, None, unit, whose, note=note)
        return
    before = sum(values[0] for values in erased.values())
    now = sum(values[1] for values in erased.values())
    off = sum(abs(a - b) * SUPPLIES[coin].within for coin, (a, b) in erased.items())
    fixed = (
        f"{', '.join(coins)}; {_words(price, ends)}{late}; supplies approximate and fixed, as stated"
        " in the notes of the single coins"
    )
    interval = "if all stated supplies are off the same way"
    lost = before - now
    found.reading(
        "erased_basket",
        subject,
        lost,
        "USD",
        whose,
        low=lost - off,
        high=lost + off,
        interval=interval,
        note=fixed,
    )
    found.reading(
        "erased_basket_share", subject, lost / before, "share", whose, note=f"of its value before; {fixed}"
    )
    found.reading("basket_before", subject, before, "USD", whose, note=fixed)
    found.reading("basket_now", subject, now, "USD", whose, note=fixed)
    days = ends.days
    found.reading(
        "erased_per_day", subject, lost / days if days else None, "USD/day", whose,
        low=(lost - off) / days if days else None, high=(lost + off) / days if days else None,
        interval=interval if days else "",
        note=f"over {days} d; {fixed}" if days else "the first day is the last one: no day to spread over",
    )  # fmt: skip
    found.reading("days", subject, float(days), "days", whose)


def _basket_share(
    found: Found, asof: AsOf, coins: tuple[str, ...], bars: Mapping[str, pl.DataFrame], ends: _Ends
) -> float | None:
    """Share of the basket in the whole market, on the newest day before the fall with a capitalisation."""
    if any(coin not in bars for coin in coins):
        return None
    total = _caps(asof, TOTAL).filter(pl.col("time_ns") <= ends.start_ns)
    values = None
    for coin in coins:
        one = bars[coin].select("time_ns", (pl.col("open") * SUPPLIES[coin].coins).alias(coin))
        values = one if values is None else values.join(one, on="time_ns")
    assert values is not None
    both = total.join(values, on="time_ns").sort("time_ns")
    subject = f"{len(coins)} coins" if len(coins) > 1 else coins[0]
    if both.is_empty():
        note = "no day before the fall has both the whole market's capitalisation and every coin's price"
        found.reading("basket_share", subject, None, "share", Whose("", "market_caps: total"), note=note)
        return None
    row = both.row(-1, named=True)
    day = int(row["time_ns"])
    share = sum(float(row[coin]) for coin in coins) / float(row["usd"])
    behind = (ends.start_ns - day) // DAY_NS
    found.reading(
        "basket_share", subject, share, "share",
        Whose(f"stated supplies ÷ {row['publisher']}'s total", "candles, market_caps: total", day, day),
        note=f"of the whole market at 00:00 of {iso(day)[:10]}, {behind} d before the fall: the last known",
    )  # fmt: skip
    return share if 0.0 < share < 1.0 else None


def _caps(asof: AsOf, coin: str) -> pl.DataFrame:
    """Capitalisations of a coin or the total, one row a date, by the first publisher in the alphabet."""
    rows = asof.table("market_caps", coin=coin).sort("time_ns", "publisher")
    return rows.unique(["time_ns"], keep="first", maintain_order=True).select("time_ns", "usd", "publisher")


def _fall_of_caps(found: Found, asof: AsOf, name: str, subject: str, coin: str, ends: _Ends) -> None:
    """Capitalisation of the first day less that of the last, where the lake has both."""
    rows = _caps(asof, coin)
    first = rows.filter(pl.col("time_ns") == ends.start_ns)
    last = rows.filter(pl.col("time_ns") == ends.end_ns)
    if first.is_empty() or last.is_empty():
        what = "whole-market capitalisation" if coin == TOTAL else f"capitalisation of {coin}"
        known = f"; it ends {iso(int(rows['time_ns'][-1]))[:10]}" if rows.height else ""
        missing = asof.missing(
            "market_caps", what, start_ns=ends.start_ns, end_ns=ends.end_ns + DAY_NS, coin=coin
        )
        found.lacks(missing)
        found.reading(name, subject, None, "USD", Whose("", f"market_caps: {coin}"), note=f"{missing}{known}")
        return
    publishers = sorted({str(first["publisher"][0]), str(last["publisher"][0])})
    found.reading(
        name, subject, float(first["usd"][0]) - float(last["usd"][0]), "USD",
        Whose(" and ".join(publishers), f"market_caps: {coin}", ends.start_ns, ends.end_ns + DAY_NS),
        note=f"rows dated {iso(ends.start_ns)[:10]} and {iso(ends.end_ns)[:10]}; new coins are counted in",
    )  # fmt: skip


def _total(found: Found, asof: AsOf, ends: _Ends) -> None:
    _fall_of_caps(found, asof, "erased_total", "all", TOTAL, ends)


def _onchain(found: Found, asof: AsOf, ends: _Ends) -> None:
    _fall_of_caps(found, asof, "erased_onchain_cap", "BTC", "BTC", ends)


def _stated(
    found: Found, coins: tuple[str, ...], erased: Mapping[str, tuple[float, float]], share: float | None,
    ends: _Ends, whose: Whose,
) -> None:  # fmt: skip
    """What a stated total would mean, and what the whole market lost if the rest fell like the basket."""
    complete = all(coin in erased for coin in coins)
    before = sum(values[0] for values in erased.values())
    lost = before - sum(values[1] for values in erased.values())
    unknown = "needs the basket's value on both days and its share of the market"
    alike = lost / share if share is not None and complete else None
    found.reading(
        "erased_total_if_alike", "all", alike, "USD", whose,
        note="an assumption, no count: as if all other coins fell like the basket" if alike else unknown,
    )  # fmt: skip
    stated = found.parameters["stated_usd"]
    if stated is None:
        return
    found.reading(
        "stated_per_day", "all", stated / ends.days if ends.days else None, "USD/day", whose,
        note=f"arithmetic alone: the stated total ÷ {ends.days} d",
    )  # fmt: skip
    if share is None or not complete:
        found.reading("rest_needed", "all", None, "USD", whose, note=unknown)
        found.reading("market_fall_needed", "all", None, "share", whose, note=unknown)
        return
    rest = before * (1 / share - 1)
    found.reading(
        "rest_needed", "all", stated - lost, "USD", whose,
        note="the stated total less what the basket lost: what all other coins would have had to lose",
    )  # fmt: skip
    found.reading(
        "market_fall_needed", "all", -(stated - lost) / rest, "share", whose,
        note=f"of all other coins, worth {rest / 1e9:,.0f} bn USD before if the basket is {share:.0%} of all",
    )  # fmt: skip


def _series(found: Found, coins: tuple[str, ...], bars: Mapping[str, pl.DataFrame], ends: _Ends) -> None:
    parts = []
    for coin in coins:
        if coin in bars:
            one = bars[coin].filter(pl.col("time_ns").is_between(ends.start_ns, ends.end_ns))
            one = one.select("time_ns", value=pl.col("close") * SUPPLIES[coin].coins)
            found.series("value", coin, "USD", one)
            parts.append(one)
    if len(parts) == len(coins):
        by_day = pl.concat(parts).group_by("time_ns", maintain_order=True)
        # sorted, since polars adds the parts of several frames in whatever order its threads bring them
        whole = by_day.agg(pl.col("value").sort().sum(), pl.len().alias("parts"))
        whole = whole.filter(pl.col("parts") == len(coins)).sort("time_ns")
        found.series("value", "basket", "USD", whole.select("time_ns", "value"))


MEASURE = Measure(
    name="market_value",
    question="How much market value was erased since a day, in total and per day?",
    parameters=(
        Parameter("since", "time", None, "first day; the day of the first coin's high if none"),
        Parameter(
            "price", "choice", "close", "which price of the first day", choices=("close", "high", "low")
        ),
        Parameter("basket", "list", tuple(SUPPLIES), "coins with a stated supply"),
        Parameter("venue", "venue", "binance", "whose bars"),
        Parameter("kind", "choice", "spot", "spot or perpetual", choices=("spot", "perp")),
        Parameter("stated_usd", "number", None, "a stated total, to see what it would need", "USD"),
    ),
    compute=compute,
    headline=(
        "erased_basket",
        "erased_per_day",
    ),
    readings={
        "erased_total": "fall of the whole market's capitalisation; > 0 is lost",
        "erased_basket": "value that the basket lost, at fixed supplies",
        "erased_basket_share": "the same ÷ its value before",
        "erased_per_day": "the same ÷ days",
        "basket_before": "value of the basket on the first day",
        "basket_now": "value of the basket at the last close",
        "days": "days between both",
        "basket_share": "basket ÷ whole market, when that was last known",
        "erased_total_if_alike": "if the rest of the market fell like the basket: an assumption",
        "erased_onchain_cap": "fall of the published capitalisation of BTC",
        "stated_per_day": "the stated total ÷ days",
        "rest_needed": "what all other coins would have had to lose for the stated total",
        "market_fall_needed": "the same as a share of their value; < 0 fell",
        "erased_*": "of a single coin",
    },
)
