"""Worked examples of Hyperliquid."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from deleverage.errors import InputError
from deleverage.venues import ema_mark, hyperliquid, linear
from deleverage.venues.adl import ranks
from deleverage.venues.examples import fine
from deleverage.venues.examples.given import (
    ENTRY,
    LEVERAGE,
    MARK,
    SIZE,
    Given,
    candidates,
    side_of,
)
from deleverage.venues.examples.registry import answers
from deleverage.venues.linear import ZERO, Leg
from deleverage.venues.rules import TierTable, VenueRules

Inputs = Mapping[str, Any]
ACCOUNT = ("account_value", "accountValue", "equity")
MARGIN = ("margin", "isolated_margin", "margin_used", "marginUsed", "wallet", "wallet_balance")
HOURS_A_YEAR = 24 * 365


def _rules(given: Given) -> VenueRules:
    """Rule set of the example's day, the newest where it names none."""
    day = given.day()
    return hyperliquid.rules_at(day) if day else hyperliquid.VERSIONS[0]


def table_of(given: Given) -> TierTable:
    """Tiers of an example: printed ones, one of a largest leverage, or the rule set's for the coin."""
    if given.has("tiers"):
        return hyperliquid.tier_table("example", [(row[0], int(row[1])) for row in given.rows("tiers")], "")
    if given.has("max_leverage", "maxLeverage"):
        largest = int(given.number("max_leverage", "maxLeverage"))
        return hyperliquid.tier_table("example", [(ZERO, largest)], "")
    if given.has("marginTableId") and given.number("marginTableId") < hyperliquid.FIRST_TABLE_OF_TIERS:
        # Ids below are no tables: they are the largest leverage itself.
        return hyperliquid.tier_table("example", [(ZERO, int(given.number("marginTableId")))], "")
    return _rules(given).tier_table(str(given.raw("coin", "symbol")))


@answers("Hyperliquid", "maintenance_margin_rate")
def maintenance_margin_rate(inputs: Inputs) -> dict[str, Any]:
    """Half of the initial margin at the largest leverage: 1/(2·L), tier by tier."""
    rates = [tier.rate for tier in table_of(Given(inputs)).tiers]
    return {"mmr": rates[0]} | {f"mmr_{number}": rate for number, rate in enumerate(rates)}


@answers("Hyperliquid", "maintenance_margin")
def maintenance_margin(inputs: Inputs) -> dict[str, Any]:
    """N·r − D in the tier of the notional."""
    given = Given(inputs)
    table = table_of(given)
    notional = given.optional("notional", "position_value")
    if notional is None:
        notional = abs(given.number(*SIZE)) * given.number(*MARK, *ENTRY)
    k = table.number(notional)
    rate, deduction = table.tiers[k].rate, table.deductions_usd[k]
    return {
        "mmr": rate,
        "deduction": deduction,
        "maintenance_margin": fine.maintenance_margin(notional, rate, deduction),
    }


@answers("Hyperliquid", "liquidation_price")
def liquidation_price(inputs: Inputs) -> dict[str, Any]:
    """Isolated by its margin, cross by the account's value; the leverage setting does not enter either.

    LP = p − s·(margin available)/size/(1 − l·s), what is available being beyond the maintenance margin.
    """
    given = Given(inputs)
    size = given.number(*SIZE)
    side = given.side(default=-1 if size < 0 else 1)
    size = abs(size)
    if given.has(*ACCOUNT):
        price = given.number(*MARK, *ENTRY, "px")
        backing = given.number(*ACCOUNT) - _maintenance_of_others(given, size * price)
    else:
        price = given.number("entry_px", *ENTRY, "px", *MARK)
        backing = given.number(*MARGIN) if given.has(*MARGIN) else size * price / given.number(*LEVERAGE)
    table, leg = table_of(given), Leg(side, size, price)
    if len(table.tiers) == 1:
        found = fine.liquidation_price(backing, Leg(side, size, price, table.tiers[0].rate))
        return {"liquidation_price": found, "bankruptcy_price": linear.bankruptcy_price(backing, [leg])}
    return {
        "liquidation_price": fine.tiered_liquidation_price(backing, leg, table),
        "bankruptcy_price": linear.bankruptcy_price(backing, [leg]),
    }


def _maintenance_of_others(given: Given, notional: Fraction) -> Fraction:
    """Maintenance margin of a cross account's other positions, from them or from the account's total."""
    if given.has("total_maintenance_margin", "crossMaintenanceMarginUsed"):
        own = table_of(given).maintenance_margin(notional)
        return given.number("total_maintenance_margin", "crossMaintenanceMarginUsed") - own
    owed = given.number("other_maintenance_margin", default=0)
    for other in given.parts("others"):
        value = abs(other.number(*SIZE)) * other.number(*MARK, *ENTRY)
        owed += table_of(other).maintenance_margin(value)
    return owed


@answers("Hyperliquid", "funding_rate")
def funding_rate(inputs: Inputs) -> dict[str, Any]:
    """Hourly: [P + clamp(I − P, ±c)]/8, at most the cap; without a premium what the interest alone costs."""
    given = Given(inputs)
    funding = _rules(given).funding
    rate = fine.funding_rate(
        _premium(given),
        given.number("interest_8h", "interest", default=funding.interest),
        given.number("clamp", default=funding.clamp),
        Fraction(funding.interval_h),
    )
    cap = given.number("cap", default=funding.cap)
    rate = max(-cap, min(cap, rate))
    with localcontext() as context:
        context.prec = 40
        hourly = Decimal(rate.numerator) / Decimal(rate.denominator)
        compounded = Fraction((1 + hourly) ** HOURS_A_YEAR - 1)
    return {
        "hourly": rate,
        "hourly_rate": rate,
        "rate": rate,
        "apr_pct": 100 * compounded,
        "apr_simple_pct": 100 * rate * HOURS_A_YEAR,
    }


def _premium(given: Given) -> Fraction:
    """P as given, or of the impact prices: [max(bid − oracle, 0) − max(oracle − ask, 0)] / oracle; else 0."""
    if not given.has("impact_bid", "impact_bid_px"):
        return given.number("premium", "P", default=0)
    oracle = given.number("oracle", "oracle_px")
    bid, ask = given.number("impact_bid", "impact_bid_px"), given.number("impact_ask", "impact_ask_px")
    return (max(bid - oracle, ZERO) - max(oracle - ask, ZERO)) / oracle


@answers("Hyperliquid", "funding")
def funding(inputs: Inputs) -> dict[str, Any]:
    """Payment = size × oracle price × rate: the oracle's price, not the mark."""
    given = Given(inputs)
    size = given.number(*SIZE)
    side = given.side(default=-1 if size < 0 else 1)
    rate = given.number("rate", "funding_rate", "hourly_rate")
    received = fine.funding_received(side, abs(size), given.number("oracle", "oracle_px"), rate)
    return {"received": received, "paid": -received}


@answers("Hyperliquid", "mark_price")
def mark_price(inputs: Inputs) -> dict[str, Any]:
    """The weighted mean of samples, the mark as a median, or both."""
    given = Given(inputs)
    found: dict[str, Any] = {}
    if given.has("samples"):
        window = given.number("window_s", "tau", default=_rules(given).mark.window_s)
        found["ema"] = ema_mark.ema([(row[0], row[1]) for row in given.rows("samples")], window)
    mean = given.number("ema", "basis_ema") if given.has("ema", "basis_ema") else found.get("ema")
    basis_price = None
    if given.has("oracle") and mean is not None:
        basis_price = given.number("oracle") + mean
        found["oracle_plus_ema"] = basis_price
    book = given.optional("book_median", "book")
    if book is None and given.has("bid") and given.has("ask"):
        # Without a last trade the middle of the book is the median of what is there.
        book = ema_mark.median([given.number(n) for n in ("bid", "ask", "last") if given.has(n)])
    if not given.has("oracle") and book is None:
        return found
    ends = _external(given)
    marks = {ema_mark.mark_price(basis_price, book, end, given.optional("book_ema")) for end in ends}
    if len(marks) > 1:
        raise InputError(
            "mark: the bound on the external median leaves the mark open, expected the median itself",
            input="external_median",
        )
    return found | {"mark": marks.pop()}


def _external(given: Given) -> list[Fraction | None]:
    """Weighted median of other venues' mids; of a printed bound, the bound and a price far beyond it."""
    if given.has("external_median", "external"):
        return [given.number("external_median", "external")]
    if given.has("externals", "external_mids"):
        mids = given.raw("externals", "external_mids")
        weights = dict(ema_mark.EXTERNAL_WEIGHTS)
        if isinstance(mids, Mapping):
            named = {name.lower(): Fraction(weight) for name, weight in weights.items()}
            pairs = [(given.read(mid, name), named[name.lower()]) for name, mid in mids.items()]
        else:
            pairs = [
                (given.read(row[0], "externals"), given.read(row[1], "externals"))
                if isinstance(row, list)
                else (given.read(row, "externals"), Fraction(1))
                for row in mids
            ]
        return [ema_mark.weighted_median(pairs)]
    if given.has("external_median_below"):
        return [given.number("external_median_below"), ZERO]
    if given.has("external_median_above"):
        bound = given.number("external_median_above")
        return [bound, bound * 10**9]
    return [None]


@answers("Hyperliquid", "adl_rank")
def adl_rank(inputs: Inputs) -> dict[str, Any]:
    """(mark/entry)·(notional/account value), for shorts entry/mark; highest first."""
    scores = []
    for row in candidates(inputs):
        given = Given(row)
        size = given.optional(*SIZE)
        if "side" in row:
            side = side_of(row["side"])
        elif size is not None and size < 0:
            side = -1
        else:
            side = Given(inputs).side(default=1)
        mark, entry = given.number(*MARK), given.number("entry", *ENTRY)
        notional = given.optional("notional")
        if notional is None:
            notional = abs(given.number(*SIZE)) * mark
        elif notional < 0:
            side, notional = -1, -notional
        money = (mark, entry, notional, given.number(*ACCOUNT))
        score = ranks.price_ratio_times_leverage(side > 0, *map(float, money))
        scores.append((row["id"], score))
    return {"order": ranks.order(scores)}
