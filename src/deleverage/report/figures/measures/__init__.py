"""How is each measure drawn? One file a measure; every one of the catalogue has one."""

from __future__ import annotations

from collections.abc import Callable

from deleverage.measure.measure import Measured
from deleverage.report.figures.canvas import Drawing
from deleverage.report.figures.measures import (
    attribution,
    candle,
    change,
    decoupling,
    drawdown,
    episodes,
    exhaustion,
    feedback,
    leverage,
    liquidation_counts,
    liquidation_distance,
    liquidity,
    market_value,
    outflows,
    reconcile,
    sentiment,
)

DRAWINGS: dict[str, Callable[[Measured], Drawing]] = {
    "drawdown": drawdown.draw,
    "change": change.draw,
    "market_value": market_value.draw,
    "candle": candle.draw,
    "decoupling": decoupling.draw,
    "episodes": episodes.draw,
    "leverage": leverage.draw,
    "feedback": feedback.draw,
    "liquidity": liquidity.draw,
    "liquidation_counts": liquidation_counts.draw,
    "reconcile": reconcile.draw,
    "outflows": outflows.draw,
    "sentiment": sentiment.draw,
    "exhaustion": exhaustion.draw,
    "attribution": attribution.draw,
    "liquidation_distance": liquidation_distance.draw,
}
"""By the measure's name."""


def draw(measured: Measured) -> Drawing:
    """The figure of a measure, from its readings and series alone."""
    return DRAWINGS[measured.measure](measured)
