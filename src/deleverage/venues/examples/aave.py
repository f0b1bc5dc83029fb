"""How do the worked examples of Aave v3 reach its rules? Values in USD or one token, factors as shares."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from deleverage.venues import aave
from deleverage.venues.examples.given import Given, whole
from deleverage.venues.examples.registry import answers

COLLATERAL = ("collateral_usd", "collateral", "collaterals")
DEBT = ("debt_usd", "debt", "debts")
THRESHOLD = ("liq_threshold", "liquidation_threshold", "lt", "LT")
_DECIMALS = 18


@answers("Aave", "health_factor")
@answers("Aave v3", "health_factor")
@answers("Aave v3.3+", "health_factor")
def health_factor(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Health factor of one collateral, or of several as lists of values and of thresholds or as pairs."""
    given = Given(inputs)
    values = given.raw(*COLLATERAL)
    if isinstance(values, list) and values and isinstance(values[0], list):
        pairs = [(row[0], row[1]) for row in given.rows(*COLLATERAL)]
    elif isinstance(values, list) and values and isinstance(values[0], Mapping):
        parts = given.parts(*COLLATERAL)
        pairs = [(part.number("usd", "value", *COLLATERAL), part.number(*THRESHOLD)) for part in parts]
    else:
        amounts = _list(given, *COLLATERAL)
        thresholds = _list(given, *THRESHOLD)
        if len(thresholds) == 1:
            thresholds *= len(amounts)
        pairs = list(zip(amounts, thresholds, strict=True))
    health = aave.health_factor(pairs, sum(_list(given, *DEBT), Fraction(0)))
    return {"hf": health, "health_factor": health, "liquidatable": aave.is_liquidatable(health)}


def _list(given: Given, *names: str) -> list[Fraction]:
    """One number, or a list of them."""
    return given.numbers(*names) if isinstance(given.raw(*names), list) else [given.number(*names)]


@answers("Aave v3.3+", "close_factor")
def close_factor(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Close factor by size and health since v3.3."""
    return _close_factor(Given(inputs), aave.LENDING_VERSIONS[0])


@answers("Aave v3", "close_factor")
def close_factor_before(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Close factor by health alone, before v3.3."""
    return _close_factor(Given(inputs), aave.LENDING_VERSIONS[1])


def _close_factor(given: Given, rules: aave.LendingRules) -> dict[str, Any]:
    share = aave.close_factor(
        given.number("hf", "health_factor"),
        given.number(*COLLATERAL),
        given.number(*DEBT),
        rules,
        given.optional("threshold", "T", "small_usd"),
    )
    return {"close_factor": share}


@answers("Aave", "liquidation_bonus")
@answers("Aave v3", "liquidation_bonus")
@answers("Aave v3.3+", "liquidation_bonus")
def liquidation_bonus(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What is repaid of a debt, and the bonus on it, both told in one unit of value."""
    given = Given(inputs)
    unit = 10**_DECIMALS
    debt = given.whole("debt_eth", *DEBT, unit=unit)
    wanted = debt * given.number("close_factor")
    bonus = whole(1 + given.number("bonus"), "bonus", aave.PERCENT_UNIT)
    fee = given.whole("protocol_fee", unit=aave.PERCENT_UNIT, default=0)
    reserve = aave.Reserve(debt, 1, _DECIMALS)  # one unit of value on both sides
    balance = 2 * bonus * debt  # plenty, where the example does not tell
    if given.has("collateral_eth", *COLLATERAL):
        balance = given.whole("collateral_eth", *COLLATERAL, unit=unit)
    moved = aave.seizure(int(wanted), aave.Reserve(balance, 1, _DECIMALS), reserve, bonus, fee)
    amounts = {
        "repaid": moved.repaid,
        "seized": moved.seized,
        "seized_bonus": moved.bonus,
        "protocol_fee": moved.protocol_fee,
    }
    return {name: Fraction(amount, unit) for name, amount in amounts.items()}
