"""Worked examples of Binance: USD-M, COIN-M, and funding, which Gate pays by the same formula."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from deleverage.errors import InputError
from deleverage.venues import binance, inverse, linear
from deleverage.venues.examples import fine
from deleverage.venues.examples.given import (
    DEDUCTION,
    ENTRY,
    LEVERAGE,
    MARK,
    RATE,
    SIZE,
    WALLET,
    Given,
)
from deleverage.venues.examples.registry import answers
from deleverage.venues.linear import ZERO, Leg
from deleverage.venues.rules import MarginTier, TierTable, VenueRules, deductions

Inputs = Mapping[str, Any]
_NO_END = 10**15


def table_of(given: Given) -> TierTable | None:
    """Tier table of an example, from its floors and rates or from the rule set of its symbol."""
    if given.has("floors") and given.has("mmr"):
        floors, rates = given.numbers("floors"), given.numbers("mmr")
        caps = [*(int(floor) for floor in floors[1:]), int(given.number("last_cap", default=_NO_END))]
        return TierTable(
            "example",
            tuple(MarginTier(cap, rate, 1) for cap, rate in zip(caps, rates, strict=True)),
            "example",
        )
    if given.has("symbol") and not given.has(*RATE):
        return _rules(given).tier_table(str(given.raw("symbol")))
    return None


def _rules(given: Given) -> VenueRules:
    """Rule set of the example's day, the newest where it names none."""
    day = given.day()
    return binance.rules_at(day) if day else binance.VERSIONS[0]


def amounts(given: Given) -> dict[str, Fraction]:
    """Deductions of the tiers, and rate and deduction of the tier that a notional lies in."""
    table = table_of(given)
    if table is not None:
        sums, rates = list(table.deductions_usd), [tier.rate for tier in table.tiers]
        floors = [Fraction(tier.cap_usd) for tier in table.tiers[:-1]]
    elif given.has("mmr_prev"):
        rates = [given.number("mmr_prev"), given.number("mmr")]
        floors = [given.number("floor")]
        sums = deductions(floors, rates, given.number("cum_prev", default=0))
        return {"cum": sums[1], "maintenance_amount": sums[1], "mmr": rates[1]}
    else:
        raise InputError(
            "worked example: expected tiers ('floors' and 'mmr'), a step ('floor', 'mmr_prev', 'mmr'), or a "
            f"'symbol' that the rule set knows; found {sorted(given.inputs)}"
        )
    found = {f"cum_{number}": amount for number, amount in enumerate(sums, start=1)}
    at = given.optional("notional", "position_value", "position")
    return found | (_at(at, floors, rates, sums) if at is not None else {})


def _at(
    notional: Fraction, floors: list[Fraction], rates: list[Fraction], sums: list[Fraction]
) -> dict[str, Fraction]:
    """Rate and deduction of a notional: the last tier whose floor is not above it."""
    k = sum(1 for floor in floors if notional >= floor)
    margin = fine.maintenance_margin(notional, rates[k], sums[k])
    return {"mmr": rates[k], "cum": sums[k], "maintenance_amount": sums[k], "maintenance_margin": margin}


@answers("Binance USD-M", "maintenance_amount")
@answers("Binance USD-M", "maintenance_tier_lookup")
def maintenance_amount(inputs: Inputs) -> dict[str, Any]:
    """Deductions of a table, and the tier of a notional in it."""
    return dict(amounts(Given(inputs)))


@answers("Binance COIN-M", "maintenance_amount")
@answers("Binance COIN-M", "maintenance_tier_lookup")
def coin_maintenance_amount(inputs: Inputs) -> dict[str, Any]:
    """The same in coins, from any tier on: its deduction is ``cum<number>``, later floors follow."""
    given = Given(inputs)
    if not given.has("floors"):
        return dict(amounts(given))
    floors, rates = given.numbers("floors"), given.numbers("mmr")
    if len(floors) == len(rates):
        floors = floors[1:]
    known = next((name for name in inputs if name.startswith("cum")), None)
    sums = deductions(floors, rates, given.number(known) if known else ZERO)
    first = int(known[3:].lstrip("_")) if known and known[3:].lstrip("_").isdigit() else 1
    found = {f"cum_{number}": amount for number, amount in enumerate(sums, start=first)}
    size = next((name for name in inputs if name.startswith(("position", "notional"))), None)
    return found | (_at(given.number(size), floors, rates, sums) if size else {})


@answers("Binance USD-M", "maintenance_margin")
@answers("Binance COIN-M", "maintenance_margin")
def maintenance_margin(inputs: Inputs) -> dict[str, Any]:
    """Maintenance margin of a notional, by rate and deduction given or by a table."""
    given = Given(inputs)
    notional = given.optional("notional", "position_value")
    if notional is None:
        notional = abs(given.number(*SIZE)) * given.number(*MARK, *ENTRY)
    if given.has("floors") or not given.has(*RATE):
        return dict(amounts(Given({**inputs, "notional": notional})))
    owed = fine.maintenance_margin(notional, given.number(*RATE), given.number(*DEDUCTION, default=0))
    return {"maintenance_margin": owed}


def leg_of(given: Given, suffix: str = "", side: int | None = None) -> Leg:
    """Position of an example; ``suffix`` names the leg of a hedged account (qL, epL, …)."""
    names = [tuple(f"{name}{suffix}" for name in some) for some in (SIZE, ENTRY, RATE, DEDUCTION)]
    size, entry = given.number(*names[0]), given.number(*names[1])
    if side is None:
        side = given.side(f"side{suffix}", "side", default=-1 if size < 0 else 1)
    if given.has(*names[2]) and not given.has("floors"):
        rate, deduction = given.number(*names[2]), given.number(*names[3], default=0)
    else:
        # Neither rate nor table: the tier of the notional at mark, in the venue's own table.
        notional = abs(size) * given.number(*MARK, default=entry)
        tier = amounts(Given({**given.inputs, "notional": notional}))
        rate, deduction = tier["mmr"], tier["cum"]
    return Leg(side, abs(size), entry, rate, deduction)


def _wallet(given: Given, legs: list[Leg]) -> Fraction:
    """Balance that stands behind the legs; where it is not said, their initial margin."""
    if given.has(*WALLET, "margin", "isolated_margin"):
        return given.number(*WALLET, "margin", "isolated_margin")
    return sum((leg.size * leg.entry for leg in legs), ZERO) / given.number(*LEVERAGE)


def others(given: Given) -> Fraction:
    """What other markets of a cross account add: from positions, or from their totals."""
    positions = [
        (leg_of(other), other.number(*MARK, default=other.number(*ENTRY))) for other in given.parts("others")
    ]
    total = linear.left_by_others(positions)
    total += given.number("upnl1", "upnl_ex1", "upnl_ex_1", "UPNL1", default=0)
    return total - given.number("tmm1", "tmm_ex1", "mm_ex_1", "TMM1", default=0)


@answers("Binance USD-M", "liquidation_price")
@answers("Binance linear", "liquidation_price")
def liquidation_price(inputs: Inputs) -> dict[str, Any]:
    """Isolated, cross with other markets, or hedge mode, where both legs of a market share one price."""
    given = Given(inputs)
    mode = str(inputs.get("mode", "isolated"))
    hedged = given.has("qL") or given.has("qS") or given.has("qB")
    if hedged:
        sides = {"B": None, "L": 1, "S": -1}
        legs = [leg_of(given, leg, side) for leg, side in sides.items() if given.number(f"q{leg}", default=0)]
    elif given.has("legs"):
        legs = [leg_of(part) for part in given.parts("legs")]
    else:
        legs = [leg_of(given.part("position"))]
    wallet = _wallet(given.part("position"), legs)
    if not mode.startswith("isolated"):
        wallet += others(given)
    if len(legs) == 1:
        # No rate given: the tier at the liquidation price counts, not the one at entry.
        position = given.part("position")
        fixed = hedged or (position.has(*RATE) and not position.has("floors"))
        table = None if fixed else table_of(position)
        exact = fine.tiered_liquidation_price(wallet, legs[0], table) if table else None
        price = exact if exact is not None else fine.liquidation_price(wallet, legs[0])
    else:
        price = linear.liquidation_price(wallet, legs)
    net = sum(leg.side * leg.size for leg in legs)
    bankruptcy = {"bankruptcy_price": linear.bankruptcy_price(wallet, legs)} if net else {}
    return {"liquidation_price": price, **bankruptcy}


@answers("Binance COIN-M", "liquidation_price")
def coin_liquidation_price(inputs: Inputs) -> dict[str, Any]:
    """Position in quote units (contracts × their value), wallet and deduction in coins."""
    given = Given(inputs).part("position")
    size = given.number("q_usd", "q", "contracts") * given.number("multiplier", "contract_size", default=1)
    leg = Leg(
        given.side(default=-1 if size < 0 else 1),
        abs(size),
        given.number(*ENTRY),
        given.number(*RATE),
        given.number(*DEDUCTION, default=0),
    )
    wallet = given.optional(*WALLET, "wallet_btc", "balance_btc")
    if wallet is None:
        wallet = inverse.initial_margin(leg.size, leg.entry, given.number(*LEVERAGE))
    return {
        "liquidation_price": inverse.liquidation_price(wallet, [leg]),
        "bankruptcy_price": inverse.bankruptcy_price(wallet, [leg]),
    }


@answers("Binance USD-M", "funding_rate")
@answers("Binance linear", "funding_rate")
def funding_rate(inputs: Inputs) -> dict[str, Any]:
    """F = [P + clamp(I − P, ±c)] / (8/N); before 2025-09-18 it was not divided by the interval."""
    given = Given(inputs)
    funding = _rules(given).funding
    hours = given.number("N", "interval_h", "hours", default=8) if funding.rate_of_8h else Fraction(8)
    rate = fine.funding_rate(
        given.number("premium", "P"),
        given.number("interest", "I", default=funding.interest),
        given.number("clamp", default=funding.clamp),
        hours,
    )
    cap = given.optional("cap")
    return {"rate": max(-cap, min(cap, rate)) if cap is not None else rate}


@answers("Binance USD-M", "mark_price")
@answers("Binance linear", "mark_price")
def mark_price(inputs: Inputs) -> dict[str, Any]:
    """Median of index with funding, index with mean basis, contract price."""
    given = Given(inputs)
    index, contract = given.number("index"), given.number("contract", "last", "contract_price")
    if given.has("basis_mean", "basis"):
        basis = given.number("basis_mean", "basis")
    else:
        samples = given.numbers("basis_samples", "samples")
        basis = sum(samples, ZERO) / len(samples)
    funding = given.number("last_funding", "funding", default=0)
    left, interval = given.number("hours_to_funding", default=0), given.number("interval_h", "N", default=8)
    return {
        "p1": index * (1 + funding * left / interval),
        "p2": index + basis,
        "mark": fine.mark_price(index, basis, contract, funding, left, interval),
    }


@answers("Binance USD-M", "funding")
@answers("Binance linear", "funding")
@answers("Binance/Gate linear", "funding")
def funding(inputs: Inputs) -> dict[str, Any]:
    """Money received over the settlements; a short where the example names no side."""
    given = Given(inputs)
    size, side = abs(given.number(*SIZE)), given.side(default=-1)
    rows = (
        given.rows("settlements")
        if given.has("settlements")
        else [[given.number(*MARK), given.number("rate", "funding_rate")]]
    )
    received = sum((fine.funding_received(side, size, row[0], row[1]) for row in rows), ZERO)
    return {"received": received, "paid": -received}


@answers("Binance USD-M", "auto_exchange")
def auto_exchange(inputs: Inputs) -> dict[str, Any]:
    """Collateral sold for a negative balance."""
    given = Given(inputs)
    deficit = abs(given.number("deficit", "balance"))
    if given.has("haircut"):
        haircut = given.number("haircut")
    else:
        haircut = 1 - given.number("collateral_ratio", "ratio")
    return {"sold": fine.sold_for(deficit, haircut)}


@answers("Binance USD-M", "collateral_value")
def collateral_value(inputs: Inputs) -> dict[str, Any]:
    """Worth as margin of a market value, by the ratio given or the rule set's."""
    given = Given(inputs)
    if given.has("market_value", "value"):
        value = given.number("market_value", "value")
    else:
        value = given.number("balance", "quantity", "amount") * given.number("index", "price", "index_price")
    if given.has("collateral_ratio", "ratio"):
        haircut = 1 - given.number("collateral_ratio", "ratio")
    elif given.has("haircut"):
        haircut = given.number("haircut")
    else:
        haircut = binance.haircut(_rules(given), str(given.raw("asset")))
    return {"margin_value": fine.margin_value(value, haircut)}
