"""What does `deleverage margin --json` hold? The keys are a contract: `docs/cli.md` documents each of them.

Numbers are the nearest doubles of the exact figures; units stand in the names. Null means that there is none.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from deleverage.venues.calculator.assess import Assessment
from deleverage.venues.calculator.compare import Column, Comparison
from deleverage.venues.calculator.position import Position
from deleverage.venues.calculator.said import PRESS_SOURCE, press_says
from deleverage.venues.calculator.steps import Step

FORMAT = "deleverage margin"
FORMAT_VERSION = 1


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """The whole comparison as plain values."""
    asked = comparison.position
    pressed = press_says(asked.leverage)
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "at": None if comparison.at is None else comparison.at.isoformat(),
        "position": _position(asked),
        "assumed": list(comparison.assumed),
        "said": {
            "one_over_leverage_share": None if asked.leverage is None else float(1 / asked.leverage),
            "press_share": _number(pressed),
            "press_source": None if pressed is None else PRESS_SOURCE,
        },
        "venues": [_column(column) for column in comparison.columns],
        "other_contracts": list(comparison.other_contracts),
    }


def _position(asked: Position) -> dict[str, Any]:
    return {
        "symbol": asked.symbol,
        "side": asked.side.value,
        "mode": asked.mode.value,
        "leverage": _number(asked.leverage),
        "margin_usd": _number(asked.margin_usd),
        "entry_usd": _number(asked.entry),
        "mark_usd": _number(asked.mark),
        "size_coins": _number(asked.size_coins),
        "notional_usd": _number(asked.notional_usd),
        "wallet_usd": _number(asked.wallet_usd),
        "extra_margin_usd": _number(asked.extra_margin_usd),
    }


def _column(column: Column) -> dict[str, Any]:
    refusal = column.refusal
    return {
        "venue": column.venue,
        "product": column.product,
        "symbol": column.symbol,
        "contract": None if column.rules is None else column.rules.contract.value,
        "grade": None if column.rules is None else column.rules.grade.value,
        "rules_from": None if column.rules is None else column.rules.valid_from.isoformat(),
        "sources": {} if column.rules is None else dict(column.rules.sources),
        "allowed": refusal is None,
        "refusal": None if refusal is None else refusal.message,
        "result": None if column.assessment is None else _result(column.assessment),
        "at_most": None if column.at_most is None else _result(column.at_most),
    }


def _result(found: Assessment) -> dict[str, Any]:
    usd = found.usd_per_money
    at_end = found.maintenance_at_liquidation
    price = found.liquidation_price
    end_usd = price if found.settlement != "USD" else Fraction(1)
    return {
        "leverage": float(found.leverage),
        "max_leverage": found.max_leverage,
        "tier": found.tier,
        "tiers": found.tiers,
        "tiers_source": found.rules.tier_table(found.symbol).source,
        "settlement": found.settlement,
        "initial_margin_usd": float(found.initial_margin * usd),
        "initial_margin_settlement": float(found.initial_margin),
        "maintenance_margin_usd": float(found.maintenance_margin * usd),
        "maintenance_margin_settlement": float(found.maintenance_margin),
        "equity_usd": float(found.equity * usd),
        "equity_settlement": float(found.equity),
        "liquidatable": found.liquidatable,
        "liquidation_price_usd": _number(price),
        "liquidation_move_share": _number(found.move(price)),
        "liquidation_tier": found.liquidation_tier,
        "liquidation_maintenance_margin_usd": _number(
            None if at_end is None or end_usd is None else at_end * end_usd
        ),
        "bankruptcy_price_usd": _number(found.bankruptcy_price),
        "bankruptcy_move_share": _number(found.move(found.bankruptcy_price)),
        "steps": [_step(number, step, found) for number, step in enumerate(found.steps, start=1)],
    }


def _step(number: int, step: Step, found: Assessment) -> dict[str, Any]:
    return {
        "number": number,
        "policy": step.policy,
        "does": step.does,
        "price_usd": float(step.price),
        "move_share": _number(found.move(step.price)),
        "limit_usd": _number(step.limit),
        "size_coins": _number(step.size_coins),
    }


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)
