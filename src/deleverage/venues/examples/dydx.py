"""How do the worked examples of dYdX v4 reach its rules? Sizes in coins, prices and balances in USD."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from deleverage.errors import InputError
from deleverage.units import UUSD_PER_USD
from deleverage.venues import dydx
from deleverage.venues.examples.given import Given
from deleverage.venues.examples.registry import answers

VENUE = "dYdX v4"
BALANCE = ("usdc", "quote", "balance")


def _account(given: Given) -> dydx.Subaccount:
    """Balance and positions; ``mmr`` is one rate for all markets, or one for each."""
    positions = {}
    for market, row in given.raw("positions").items():
        rates = given.raw("mmr")
        rate = rates[market] if isinstance(rates, Mapping) else rates
        size, price, rate = (given.read(value, market) for value in (*row, rate))
        positions[market] = dydx.Position(size, price, rate)
    return dydx.Subaccount(given.whole(*BALANCE, unit=UUSD_PER_USD), positions)


def _closed(given: Given) -> tuple[str, Fraction]:
    """Market and signed change of an example's close."""
    market, change = given.raw("close")
    return market, given.read(change, "close")


@answers(VENUE, "bankruptcy_price")
def bankruptcy_price(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Quote quantums for which a part is closed at the bankruptcy price."""
    given = Given(inputs)
    market, change = _closed(given)
    quote = dydx.bankruptcy_quote(_account(given), market, change)
    return {
        "bankruptcy_quote_quantums": quote,
        "bankruptcy_price": Fraction(-quote, UUSD_PER_USD) / change,
    }


@answers(VENUE, "fillable_price")
def fillable_price(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Limit of a liquidation order [USD]."""
    given, waterfall = Given(inputs), dydx.VERSIONS[0].waterfall
    account = _account(given)
    # Of an account with one position nobody need say which.
    market = inputs.get("perp", next(iter(account.positions)))
    price = dydx.fillable_price(
        account,
        market,
        given.number("bankruptcy_adjustment", default=waterfall.bankruptcy_adjustment),
        given.number("spread_to_mmr", default=waterfall.spread_to_maintenance),
    )
    return {"fillable_price": price}


@answers(VENUE, "insurance_fund_delta")
def insurance_fund_delta(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What the fund gets for one fill [USDC].

    Of an account with one position only its balance counts, since closing all of it at the bankruptcy price
    leaves nothing; with ``positions`` and ``close`` the account may have others, and the close be a part.
    """
    given = Given(inputs)
    if given.has("positions"):
        market, change = _closed(given)
        bankruptcy = dydx.bankruptcy_quote(_account(given), market, change)
    else:
        size = given.number("size", "q")
        change = -given.side(default=-1 if size < 0 else 1) * abs(size)
        bankruptcy = -given.whole(*BALANCE, unit=UUSD_PER_USD)
    if change == 0:
        raise InputError("size: expected a fill of some size, found 0")
    fee = given.number("max_liquidation_fee", "max_fee", default=dydx.VERSIONS[0].fees.liquidation)
    fill = dydx.fill_quote(change, given.number("fill_price", "fill"))
    gained = dydx.insurance_fund_delta(fill, bankruptcy, fee)
    return {"delta_usdc": Fraction(gained, UUSD_PER_USD), "delta_quantums": gained}


@answers(VENUE, "initial_margin_rate")
def initial_margin_rate(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Initial margin rate at an open interest [ppm]."""
    return {"imf_ppm": _initial_ppm(Given(inputs))}


@answers(VENUE, "initial_margin")
def initial_margin(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Initial margin of a notional [quote quantums]."""
    given = Given(inputs)
    rate = _initial_ppm(given)
    return {"im_quantums": dydx.initial_margin(given.whole("notional_quantums"), rate), "imf_ppm": rate}


def _initial_ppm(given: Given) -> int:
    terms = [given.whole(name, default=0) for name in ("lower", "upper", "open_notional")]
    rate = dydx.initial_margin_ppm(given.whole("base_ppm"), *terms)
    return max(rate, given.whole("custom_imf_ppm", default=0))  # an account may choose a lower leverage


@answers(VENUE, "funding_clamp")
def funding_clamp(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Largest funding rate per 8 h [ppm]."""
    given = Given(inputs)
    cap = dydx.funding_cap_ppm(
        given.whole("clamp_ppm", default=dydx.FUNDING_CLAMP_PPM),
        given.whole("im_ppm"),
        given.whole("maint_fraction_ppm"),
    )
    return {"max_ppm": cap}


@answers(VENUE, "funding")
def funding(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What a position receives between two indices, or how far an index moves in a time."""
    given = Given(inputs)
    if given.has("index_now"):
        received = dydx.funding_settlement_ppm(
            *(given.whole(name) for name in ("index_now", "index_pos", "size_quantums"))
        )
        return {"settlement_ppm": received}
    names = ("rate_8h_ppm", "dt_s", "atomic_resolution", "price", "exponent")
    return {"index_delta": dydx.funding_index_delta(*(given.whole(name) for name in names))}
