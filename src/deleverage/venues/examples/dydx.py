"""How do the worked examples of dYdX v4 reach its rules? Sizes in coins, prices and balances in USD."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from deleverage.errors import InputError
from deleverage.units import UUSD_PER_USD
from deleverage.venues import dydx
from deleverage.venues.examples.registry import answers

VENUE = "dYdX v4"


def _quantums(usd: Any, what: str) -> int:
    exact = Fraction(usd) * UUSD_PER_USD
    if exact.denominator != 1:
        raise InputError(f"{what}: expected a whole number of 10⁻⁶ USDC, found {float(exact) / UUSD_PER_USD}")
    return exact.numerator


def _account(inputs: Mapping[str, Any]) -> dydx.Subaccount:
    """Balance and positions; ``mmr`` is one rate for all markets, or one for each."""
    rates = inputs["mmr"]
    positions = {
        market: dydx.Position(
            Fraction(size), Fraction(price), Fraction(rates[market] if isinstance(rates, Mapping) else rates)
        )
        for market, (size, price) in inputs["positions"].items()
    }
    return dydx.Subaccount(_quantums(inputs["usdc"], "usdc"), positions)


@answers(VENUE, "bankruptcy_price")
def bankruptcy_price(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Quote quantums for which a part is closed at the bankruptcy price."""
    market, delta = inputs["close"]
    account = _account(inputs)
    quote = dydx.bankruptcy_quote(account, market, Fraction(delta))
    return {
        "bankruptcy_quote_quantums": quote,
        "bankruptcy_price": Fraction(-quote, UUSD_PER_USD) / Fraction(delta),
    }


@answers(VENUE, "fillable_price")
def fillable_price(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Limit of a liquidation order [USD]."""
    waterfall = dydx.VERSIONS[0].waterfall
    price = dydx.fillable_price(
        _account(inputs),
        inputs["perp"],
        Fraction(inputs.get("bankruptcy_adjustment", waterfall.bankruptcy_adjustment)),
        Fraction(inputs.get("spread_to_mmr", waterfall.spread_to_maintenance)),
    )
    return {"fillable_price": price}


@answers(VENUE, "insurance_fund_delta")
def insurance_fund_delta(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What the fund gets for one fill [USDC].

    Of an account with one position only its balance counts, since closing all of it at the bankruptcy price
    leaves nothing; with ``positions`` and ``close`` the account may have others, and the close be a part.
    """
    if "positions" in inputs:
        market, delta = inputs["close"][0], Fraction(inputs["close"][1])
        bankruptcy = dydx.bankruptcy_quote(_account(inputs), market, delta)
    else:
        delta = -inputs["side"] * Fraction(inputs["size"])
        bankruptcy = -_quantums(inputs["usdc"], "usdc")
    if delta == 0:
        raise InputError("size: expected a fill of some size, found 0")
    fee = Fraction(inputs.get("max_liquidation_fee", dydx.VERSIONS[0].fees.liquidation))
    gained = dydx.insurance_fund_delta(
        dydx.fill_quote(delta, Fraction(inputs["fill_price"])), bankruptcy, fee
    )
    return {"delta_usdc": Fraction(gained, UUSD_PER_USD), "delta_quantums": gained}


@answers(VENUE, "initial_margin_rate")
def initial_margin_rate(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Initial margin rate at an open interest [ppm]."""
    return {"imf_ppm": _initial_ppm(inputs)}


@answers(VENUE, "initial_margin")
def initial_margin(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Initial margin of a notional [quote quantums]."""
    rate = _initial_ppm(inputs)
    return {"im_quantums": dydx.initial_margin(inputs["notional_quantums"], rate), "imf_ppm": rate}


def _initial_ppm(inputs: Mapping[str, Any]) -> int:
    rate = dydx.initial_margin_ppm(
        inputs["base_ppm"], inputs.get("lower", 0), inputs.get("upper", 0), inputs.get("open_notional", 0)
    )
    asked: int = inputs.get("custom_imf_ppm", 0)  # an account may choose a lower leverage
    return max(rate, asked)


@answers(VENUE, "funding_clamp")
def funding_clamp(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Largest funding rate per 8 h [ppm]."""
    cap = dydx.funding_cap_ppm(
        inputs.get("clamp_ppm", dydx.FUNDING_CLAMP_PPM), inputs["im_ppm"], inputs["maint_fraction_ppm"]
    )
    return {"max_ppm": cap}


@answers(VENUE, "funding")
def funding(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What a position receives between two indices, or how far an index moves in a time."""
    if "index_now" in inputs:
        received = dydx.funding_settlement_ppm(
            inputs["index_now"], inputs["index_pos"], inputs["size_quantums"]
        )
        return {"settlement_ppm": received}
    delta = dydx.funding_index_delta(
        inputs["rate_8h_ppm"],
        inputs["dt_s"],
        inputs["atomic_resolution"],
        inputs["price"],
        inputs["exponent"],
    )
    return {"index_delta": delta}
