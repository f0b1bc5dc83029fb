"""How do the worked examples of Aave v3 reach its rules? Values in USD or one token, factors as shares."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from deleverage.errors import InputError
from deleverage.venues import aave
from deleverage.venues.examples.registry import answers

_DECIMALS = 18


def _first(inputs: Mapping[str, Any], *keys: str) -> Any:
    """The figure under the first of several spellings that is there."""
    for key in keys:
        if key in inputs:
            return inputs[key]
    raise InputError(f"inputs: expected one of {', '.join(keys)}, found {', '.join(inputs) or 'nothing'}")


@answers("Aave", "health_factor")
@answers("Aave v3", "health_factor")
@answers("Aave v3.3+", "health_factor")
def health_factor(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Health factor of one collateral, or of several as lists of values and of thresholds or as pairs."""
    values = _first(inputs, "collateral_usd", "collateral", "collaterals")
    debt = _first(inputs, "debt_usd", "debt")
    if isinstance(values, list) and values and isinstance(values[0], list):
        pairs = [(Fraction(value), Fraction(threshold)) for value, threshold in values]
    else:
        thresholds = inputs["liq_threshold"]
        values = values if isinstance(values, list) else [values]
        thresholds = thresholds if isinstance(thresholds, list) else [thresholds] * len(values)
        pairs = [(Fraction(v), Fraction(t)) for v, t in zip(values, thresholds, strict=True)]
    owed = sum(map(Fraction, debt), Fraction(0)) if isinstance(debt, list) else Fraction(debt)
    health = aave.health_factor(pairs, owed)
    return {"hf": health, "liquidatable": aave.is_liquidatable(health)}


@answers("Aave v3.3+", "close_factor")
def close_factor(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Close factor by size and health since v3.3."""
    return _close_factor(inputs, aave.LENDING_VERSIONS[0])


@answers("Aave v3", "close_factor")
def close_factor_before(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Close factor by health alone, before v3.3."""
    return _close_factor(inputs, aave.LENDING_VERSIONS[1])


def _close_factor(inputs: Mapping[str, Any], rules: aave.LendingRules) -> dict[str, Any]:
    threshold = inputs.get("threshold")
    share = aave.close_factor(
        Fraction(inputs["hf"]),
        Fraction(_first(inputs, "collateral_usd", "collateral")),
        Fraction(_first(inputs, "debt_usd", "debt")),
        rules,
        None if threshold is None else Fraction(threshold),
    )
    return {"close_factor": share}


@answers("Aave", "liquidation_bonus")
@answers("Aave v3", "liquidation_bonus")
@answers("Aave v3.3+", "liquidation_bonus")
def liquidation_bonus(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What is repaid of a debt, and the bonus on it, both told in one unit of value."""
    debt = _tokens(_first(inputs, "debt_eth", "debt_usd", "debt"), "debt")
    repaid = debt * Fraction(inputs["close_factor"])
    bonus = (1 + Fraction(inputs["bonus"])) * aave.PERCENT_UNIT
    fee = Fraction(inputs.get("protocol_fee", 0)) * aave.PERCENT_UNIT
    if bonus.denominator != 1 or fee.denominator != 1:
        raise InputError("bonus: expected a whole number of 0.01 %")
    reserve = aave.Reserve(debt, 1, _DECIMALS)  # one unit of value on both sides
    given = [inputs[key] for key in ("collateral_eth", "collateral_usd", "collateral") if key in inputs]
    balance: int = _tokens(given[0], "collateral") if given else 2 * int(bonus) * debt  # or any plenty
    moved = aave.seizure(
        int(repaid), aave.Reserve(balance, 1, _DECIMALS), reserve, bonus.numerator, fee.numerator
    )
    amounts = {
        "repaid": moved.repaid,
        "seized": moved.seized,
        "seized_bonus": moved.bonus,
        "protocol_fee": moved.protocol_fee,
    }
    return {name: Fraction(amount, 10**_DECIMALS) for name, amount in amounts.items()}


def _tokens(value: Any, what: str) -> int:
    exact = Fraction(value) * 10**_DECIMALS
    if exact.denominator != 1:
        raise InputError(f"{what}: expected at most {_DECIMALS} decimals, found {float(value)}")
    return int(exact)
