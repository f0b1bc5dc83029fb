"""How do the counts of one night's liquidations fit together?

Nobody counts the same thing: venues, coins, sides, window, and whether the feed shows every order differ. One
row a count says what it is of, what was printed, what this lake holds of the same, and why they differ. As a
yardstick stands beside them what open interest fell by, which every closing, forced or not, takes part in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from deleverage.data.lake.times import iso
from deleverage.measure.asof import DAY_NS, AsOf
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose, time_ns
from deleverage.measure.reconcile.night_counts import COUNTS, NIGHTS, Count, published
from deleverage.measure.throttled.dedupe import each_once

_MINUTE_NS = 60 * 1_000_000_000
_SECOND_NS = 1_000_000_000
_FALL_FROM, _FALL_TO = 20 * 60, 24 * 60
_TABLES = {"binance": "liquidation_totals", "hyperliquid": "liquidations", "adl": "adl_totals"}


def compute(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    """Readings by count: published, in_lake, ratio; and the fall of open interest by coin."""
    night = time_ns(parameters["night"])
    if asof.at_ns < night + 2 * DAY_NS:
        what = f"counts of the night of {parameters['night']}, which were printed from the day after on"
        raise asof.missing("liquidation_totals", what, start_ns=night, end_ns=night + 2 * DAY_NS).error()
    found = Found("reconcile", asof, parameters)
    values = {}
    for count in COUNTS:
        values[count.subject] = _row(found, count, night)
    whole, other = values["coinglass 24h"], values["amberdata 14h"]
    vendors = Whose("CoinGlass and Amberdata", "printed figures", night, night + 27 * 60 * _MINUTE_NS)
    found.reading(
        "spread_of_vendors", "coinglass 24h and amberdata 14h", whole / other, "x", vendors,
        note="same night, other venues and other hours: neither is the total",
    )  # fmt: skip
    chain, vendor = values["hyperliquid chain"], values["coinglass hyperliquid"]
    found.reading(
        "spread_of_hyperliquid", "coinglass hyperliquid and hyperliquid chain", vendor / chain, "x",
        Whose("CoinGlass and the chain", "printed figures", night, night + DAY_NS),
        note="24 h against 12 minutes from 21:15 on",
    )  # fmt: skip
    accounts = published()["traders-coinglass"]
    found.reading(
        "accounts", "coinglass 24h", accounts.value, "count",
        Whose("CoinGlass", accounts.source, night, night + DAY_NS), note="traders liquidated in 24 h",
    )  # fmt: skip
    _open_interest(found, night)
    return found.measured()


def _row(found: Found, count: Count, night: int) -> float:
    printed = [published()[one] for one in count.published]
    value = sum(one.value for one in printed)
    ends = [None if m is None else night + m * _MINUTE_NS for m in (count.from_minute, count.to_minute)]
    source = "; ".join(dict.fromkeys(one.source for one in printed))
    whose = Whose(count.who, source, *ends)
    note = f"{count.counted}; ADL: {count.adl}; feed: {count.feed}"
    found.reading("published", count.subject, value, "USD", whose, note=note)
    held, what = _held(found.asof, count, night)
    whose = Whose(count.who, what, *ends)
    if held is None:
        note = "the lake has no such count" if not count.lake else "the lake has none of that night"
        if count.lake:
            table = _TABLES[count.lake]
            found.lacks(found.asof.missing(table, count.counted, start_ns=night, end_ns=night + DAY_NS))
    else:
        note = what
    found.reading("in_lake", count.subject, held, "USD", whose, note=note)
    ratio = None if held is None else held / value
    why = f"lake ÷ published; {count.why}"
    found.reading(
        "ratio", count.subject, ratio, "share", whose, note=why if ratio is not None else f"{note}; {why}"
    )
    return value


def _held(asof: AsOf, count: Count, night: int) -> tuple[float | None, str]:
    """What the lake has of the same, and of what."""
    end = night + DAY_NS
    if count.lake == "adl":
        rows = asof.table("adl_totals", start_ns=night, end_ns=end, venue="hyperliquid")
        if rows.height:
            return _usd(rows), f"adl_totals: {rows['fills'].sum():,} fills, {rows['coin'].n_unique()} coins"
    if count.lake == "hyperliquid":
        rows = asof.table("liquidations", start_ns=night, end_ns=end, venue="hyperliquid")
        if rows.height:
            return _usd(each_once(rows)), "liquidations: hyperliquid"
    if count.lake == "binance":
        rows = asof.table("liquidation_totals", start_ns=night, end_ns=end - 1, venue="binance")
        rows = rows.filter(pl.col("time_ns") + pl.col("interval_s") * _SECOND_NS <= end)
        if rows.height:
            finest = rows.filter(pl.col("interval_s") == pl.col("interval_s").min())
            one = finest.filter(pl.col("publisher") == pl.col("publisher").min())
            coins = ", ".join(sorted(one["coin"].unique().to_list()))
            return _usd(one), f"liquidation_totals: {one['publisher'][0]}, {coins}, UTC day"
    return None, ""


def _usd(rows: pl.DataFrame) -> float:
    return float(rows["usd"].to_numpy().sum())


def _open_interest(found: Found, night: int) -> None:
    """Coins closed on balance from 20:00 to 24:00 at the price of 20:00, all venues seen at both ends."""
    start, end = night + _FALL_FROM * _MINUTE_NS, night + _FALL_TO * _MINUTE_NS
    rows = found.asof.table("open_interest", start_ns=start, end_ns=end, scope="all").filter(
        pl.col("time_ns").is_in([start, end]) & pl.col("coins").is_not_null()
    )
    before, after = (rows.filter(pl.col("time_ns") == time) for time in (start, end))
    both = before.join(after, on=["venue", "coin"], suffix="_after").sort("coin", "venue")
    whose = Whose("vendor's sums by venue", "open_interest: scope all", start, end)
    if both.is_empty():
        lost = found.asof.missing("open_interest", "open interest by venue", start_ns=start, end_ns=end + 1)
        found.lacks(lost)
        found.reading("open_interest_closed", "all", None, "USD", whose, note=str(lost))
        return
    closed = (pl.col("coins") - pl.col("coins_after")) * pl.col("usd") / pl.col("coins")
    both = both.with_columns(closed=closed, lost=pl.col("usd") - pl.col("usd_after"))
    coins = sorted(both["coin"].unique().to_list())
    note = f"{iso(start)[11:16]} to 24:00 UTC, contracts × price of the start; forced and chosen, on balance"
    for subject, part in [("all", both), *((coin, both.filter(pl.col("coin") == coin)) for coin in coins)]:
        said = f"{', '.join(coins)}; {note}" if subject == "all" else note
        value = float(part["closed"].to_numpy().sum())
        found.reading("open_interest_closed", subject, value, "USD", whose, note=said)
        lost_usd = float(part["lost"].to_numpy().sum())
        found.reading(
            "open_interest_fall", subject, lost_usd, "USD", whose, note="the same with the fall of price"
        )


MEASURE = Measure(
    name="reconcile",
    question="Who counted the night's liquidations, what does each count, and why do they differ?",
    parameters=(Parameter("night", "choice", NIGHTS[0], "the night, its UTC day", choices=NIGHTS),),
    compute=compute,
    readings={
        "published": "what was printed, by count; the note says what is counted",
        "in_lake": "what this lake holds of the same",
        "ratio": "lake ÷ published; the note says why counts differ",
        "spread_of_vendors": "CoinGlass ÷ Amberdata",
        "spread_of_hyperliquid": "CoinGlass's Hyperliquid ÷ the chain's liquidations",
        "accounts": "traders liquidated, by CoinGlass",
        "open_interest_closed": "fall of open interest in coins × price before, by coin",
        "open_interest_fall": "the same in USD, with price",
    },
    headline=("published", "spread_of_vendors", "open_interest_closed"),
)
"""The counts of one night beside each other."""
