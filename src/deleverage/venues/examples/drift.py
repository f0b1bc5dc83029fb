"""How do the worked examples of Drift v2 reach its rules? Figures in USD, coins, shares, answers in units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deleverage.venues import drift
from deleverage.venues.examples.given import Given, whole
from deleverage.venues.examples.registry import answers

VENUE = "Drift v2"
_SPOT_DECIMALS = 9
_ALSO = {"px": ("oracle", "price", "liab_px"), "oracle": ("px", "price"), "liab_px": ("px", "price")}


def _units(inputs: Mapping[str, Any], key: str, unit: int, default: int | None = None) -> int:
    """A figure in the venue's integers; it must be a whole number of them."""
    return Given(inputs).whole(key, *_ALSO.get(key, ()), unit=unit, default=default)


def _decimals(inputs: Mapping[str, Any], key: str, default: int = _SPOT_DECIMALS) -> int:
    return Given(inputs).whole(key, default=default)


def _perp(inputs: Mapping[str, Any], price: str) -> drift.PerpTerms:
    return drift.PerpTerms(
        margin_ratio=_units(inputs, "margin_ratio", drift.MARGIN_UNIT),
        liquidator_fee=_units(inputs, "liq_fee", drift.FEE_UNIT, 0),
        fund_fee=_units(inputs, "if_fee", drift.FEE_UNIT, 0),
        oracle=_units(inputs, price, drift.PRICE_UNIT),
        quote_oracle=_units(inputs, "quote_oracle", drift.PRICE_UNIT, 1),
    )


def _spot(inputs: Mapping[str, Any], price: str) -> drift.SpotTerms:
    return drift.SpotTerms(
        asset_weight=_units(inputs, "asset_weight", drift.WEIGHT_UNIT),
        asset_multiplier=_units(inputs, "asset_mult", drift.FEE_UNIT, 1),
        liability_weight=_units(inputs, "liab_weight", drift.WEIGHT_UNIT),
        liability_multiplier=_units(inputs, "liab_mult", drift.FEE_UNIT, 1),
        liability_price=_units(inputs, price, drift.PRICE_UNIT),
        liability_decimals=_decimals(inputs, "liab_decimals"),
        fund_fee=_units(inputs, "if_fee", drift.FEE_UNIT, 0),
    )


@answers(VENUE, "partial_liquidation_size")
def partial_liquidation_size(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Base that restores the margin requirement [10⁻⁹]; at most the ``position`` [coins] where given."""
    shortage, terms = _units(inputs, "shortage_usd", drift.QUOTE_UNIT), _perp(inputs, "oracle")
    if "position" not in inputs:
        return {"base_1e9": drift.base_to_cover(shortage, terms)}
    return {"base_1e9": drift.liquidation_size(_units(inputs, "position", drift.BASE_UNIT), shortage, terms)}


@answers(VENUE, "insurance_fund_fee")
def insurance_fund_fee(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Fee of the fund [10⁻⁶]: of a position of ``base`` coins, or of a borrow of ``liab`` tokens."""
    shortage = _units(inputs, "shortage_usd", drift.QUOTE_UNIT)
    largest = _units(inputs, "max_fee", drift.FEE_UNIT)
    if "base" in inputs:
        base = _units(inputs, "base", drift.BASE_UNIT)
        fee = drift.perp_fund_fee(shortage, base, _perp(inputs, "px"), largest)
    else:
        terms = _spot(inputs, "px")
        tokens = next((key for key in ("liab", "token_amount", "tokens") if key in inputs), "liab")
        fee = drift.spot_fund_fee(
            shortage, _units(inputs, tokens, 10**terms.liability_decimals), terms, largest
        )
    return {"fee_1e6": fee}


@answers(VENUE, "spot_liquidation_size")
def spot_liquidation_size(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What of a borrow is repaid, or what of a deposit is taken for it.

    With ``shortage_usd`` the borrow that covers it; with ``asset_usd`` the borrow that so much of the asset
    repays; with ``liab`` the asset that pays for it. The asset is a dollar of six decimals unless it is told.
    """
    if "shortage_usd" in inputs:
        shortage = _units(inputs, "shortage_usd", drift.QUOTE_UNIT)
        return _liability(drift.liability_to_cover(shortage, _spot(inputs, "px")), inputs)
    asset_decimals = _decimals(inputs, "asset_decimals", drift.QUOTE_DECIMALS)
    liability_decimals = _decimals(inputs, "liab_decimals")
    asset_price = _units(inputs, "asset_px", drift.PRICE_UNIT, 1)
    price = _units(inputs, "liab_px", drift.PRICE_UNIT)
    asset_multiplier = _units(inputs, "asset_mult", drift.FEE_UNIT, 1)
    multiplier = _units(inputs, "liab_mult", drift.FEE_UNIT, 1)
    if "liab" in inputs:
        amount = drift.asset_for_liability(
            _units(inputs, "liab", 10**liability_decimals),
            multiplier,
            liability_decimals,
            price,
            asset_multiplier,
            asset_decimals,
            asset_price,
            _units(inputs, "deposit", 10**asset_decimals) if "deposit" in inputs else None,
        )
        return {f"asset_1e{asset_decimals}": amount}
    given = Given(inputs)
    amount_given = (
        given.number("asset")
        if given.has("asset")
        else given.number("asset_usd") / given.number("asset_px", default=1)
    )
    asset = whole(amount_given, "asset", 10**asset_decimals)
    amount = drift.liability_for_asset(
        asset, asset_multiplier, asset_decimals, asset_price, multiplier, liability_decimals, price
    )
    return _liability(amount, inputs)


def _liability(amount: int, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {f"liability_1e{_decimals(inputs, 'liab_decimals')}": amount}


@answers(VENUE, "socialised_loss")
def socialised_loss(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What a loss nobody pays does to all: to funding of a market, or to interest of depositors."""
    if "long" in inputs or "short" in inputs:
        loss = abs(_units(inputs, "loss_usd" if "loss_usd" in inputs else "loss", drift.QUOTE_UNIT))
        long, short = (_units(inputs, key, drift.BASE_UNIT, 0) for key in ("long", "short"))
        return {"delta_1e9": drift.funding_delta_for_loss(loss, long, short)}
    loss = abs(_units(inputs, "loss" if "loss" in inputs else "loss_usd", drift.QUOTE_UNIT))
    deposits = _units(inputs, "deposits", drift.QUOTE_UNIT)
    interest = _units(inputs, "cum_interest", drift.INTEREST_UNIT, 1)
    return {"delta_1e10": drift.interest_delta_for_loss(loss, deposits, interest)}
