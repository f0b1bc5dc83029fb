"""Worked examples of BitMEX and of BTCMEX, which copied its rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deleverage.venues import fund, inverse
from deleverage.venues.adl import ranks
from deleverage.venues.examples.given import ENTRY, LEVERAGE, SIZE, TAKER, Given, candidates
from deleverage.venues.examples.registry import answers

Inputs = Mapping[str, Any]
CONTRACTS = ("contracts", "q", "size", "qty")


@answers("BitMEX inverse", "position_value")
def position_value(inputs: Inputs) -> dict[str, Any]:
    """Signed values in satoshi, negative for a long; profit is value at mark less cost."""
    given = Given(inputs)
    contracts = given.number(*CONTRACTS)
    side = given.side(default=-1 if contracts < 0 else 1)
    size = abs(contracts)
    value = inverse.satoshi(inverse.position_value(side, size, given.number("mark", "price", "mark_price")))
    cost = given.optional("cost_xbt", "cost")
    if cost is None and given.has("ep", "entry", "entry_price"):
        cost = inverse.position_value(side, size, given.number("ep", "entry", "entry_price"))
        cost *= inverse.SATOSHI
    found: dict[str, Any] = {"mark_value": value}
    if cost is not None:
        found |= {"cost": round(cost), "unrealised": value - round(cost)}
    return found


@answers("BitMEX inverse", "maintenance_margin")
@answers("BitMEX inverse", "initial_margin")
def maintenance_margin(inputs: Inputs) -> dict[str, Any]:
    """Margins of a position in satoshi; the fee of closing is in both."""
    given = Given(inputs)
    margins = inverse.bitmex_margins(
        given.number("cost_xbt", "cost"),
        given.number("initMarginReq", "init_margin_req", "initial_rate", default=0),
        given.number("maintMarginReq", "maint_margin_req", "mmr", default=0),
        given.number(*TAKER, default=0),
    )
    names = {"init": "posInit", "comm": "posComm", "margin": "posMargin", "maint": "posMaint"}
    return {names[name]: round(amount) for name, amount in margins.items()}


@answers("BitMEX inverse", "adl_rank")
def adl_rank(inputs: Inputs) -> dict[str, Any]:
    """By the venue's score on signed values, highest first."""
    scores = []
    for row in candidates(inputs):
        given = Given(row)
        score = ranks.profit_times_leverage(
            *(float(given.number(name)) for name in ("mark_value", "bankrupt_value", "entry_value"))
        )
        scores.append((row["id"], score))
    return {"order": ranks.order(scores)}


@answers("BitMEX inverse", "liquidation_price")
@answers("BitMEX inverse", "bankruptcy_price")
def liquidation_price(inputs: Inputs) -> dict[str, Any]:
    """The support formula of isolated positions."""
    given = Given(inputs)
    bankruptcy, liquidation = inverse.bitmex_prices(
        given.side(),
        given.number(*ENTRY),
        given.number(*LEVERAGE),
        given.number("maint", "maintenance", "mmr", "maintMarginReq", default=0),
        given.number(*TAKER, default=0),
        given.number("funding", "funding_rate", default=0),
    )
    return {"bankruptcy_price": bankruptcy, "liquidation_price": liquidation}


@answers("BTCMEX (BitMEX-like)", "insurance_fund")
@answers("BitMEX inverse", "insurance_fund")
def insurance_fund(inputs: Inputs) -> dict[str, Any]:
    """What the fund gains (> 0) or pays by a fill, per coin where no size is given."""
    given = Given(inputs)
    bankruptcy = given.number("bust", "bankruptcy", "bankruptcy_price")
    size = abs(given.number(*SIZE, default=1))
    fill = given.number("fill", "fill_price")
    return {"fund_delta": fund.change(given.side(), size, fill, bankruptcy)}
