"""How far may the price move until a position of some leverage is liquidated, by each venue's own rules?

The same exact calculator as the command `margin`, with the rules that held on the day that is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deleverage.data.lake.times import iso
from deleverage.errors import InputError, RulesError
from deleverage.measure.asof import DAY_NS, AsOf
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose
from deleverage.venues.calculator.assess import Assessment
from deleverage.venues.calculator.compare import Column, margin


def compute(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    """Readings by venue: move from the entry, < 0 for a long; null where a venue refuses the position."""
    at_ns = asof.at_ns
    try:
        found_at = margin(
            f"{parameters['coin']}USDT",
            parameters["side"],
            leverage=_whole(parameters["leverage"]),
            notional_usd=_whole(parameters["notional"]),
            at=iso(at_ns - 1)[:10],  # midnight is the end of the day before
        )
    except RulesError as error:
        raise InputError(f"measure liquidation_distance: {error.message}", hint=error.hint) from None
    found = Found("liquidation_distance", asof, parameters)
    columns = {column.venue: column for column in found_at.columns}
    for name in parameters["venues"]:
        if name not in columns:
            raise InputError(
                f"measure liquidation_distance, parameter venues: expected some of {', '.join(columns)}, "
                f"found '{name}'",
                hint=f"these are the venues whose rules for {parameters['coin']} are in the program",
                parameter="venues",
            )
        _venue(found, columns[name], at_ns)
    return found.measured()


def _venue(found: Found, column: Column, at_ns: int) -> None:
    since, data = None, "venues' rules in the program"
    if column.rules is not None:
        since = column.rules.valid_from.toordinal() - _EPOCH
        data = f"rules of {column.venue} from {column.rules.valid_from.isoformat()}"
    whose = Whose(f"{column.venue}, {column.product}", data, None if since is None else since * DAY_NS, at_ns)
    assessed: Assessment | None = column.assessment
    note = "" if column.refusal is None else column.refusal.message
    for name, price in (
        ("move_to_liquidation", None if assessed is None else assessed.liquidation_price),
        ("move_to_bankruptcy", None if assessed is None else assessed.bankruptcy_price),
    ):
        move = None if assessed is None else assessed.move(price)
        found.reading(name, column.venue, None if move is None else float(move), "share", whose, note=note)


_EPOCH = 719_163
"""Ordinal of 1970-01-01."""


def _whole(number: float) -> int | str:
    """Exactly as it was written: the calculator takes no binary fractions."""
    return int(number) if number == int(number) else repr(number)


MEASURE = Measure(
    name="liquidation_distance",
    question="How far may the price move until a position is liquidated, venue by venue?",
    parameters=(
        Parameter("coin", "coin", "BTC", "the coin; contracts that settle in dollars"),
        Parameter("side", "choice", "long", "of the position", choices=("long", "short")),
        Parameter("leverage", "number", 100.0, "leverage setting of an isolated position", "x"),
        Parameter("notional", "number", 10_000.0, "its value at entry", "USD"),
        Parameter("venues", "list", ("binance", "bybit", "okx"), "whose rules"),
    ),
    compute=compute,
    readings={
        "move_to_liquidation": "move of the mark from the entry at which it is liquidated; < 0 is a fall",
        "move_to_bankruptcy": "move at which its margin is gone",
    },
)
