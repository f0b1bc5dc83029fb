"""Which measures are there?"""

from __future__ import annotations

from deleverage.measure import (
    candle,
    change,
    decoupling,
    drawdown,
    episodes,
    feedback,
    leverage,
    liquidation_counts,
    liquidity,
    market_value,
    outflows,
    reconcile,
    sentiment,
)
from deleverage.measure.measure import Measure

MEASURES: dict[str, Measure] = {
    room.MEASURE.name: room.MEASURE
    for room in (
        drawdown,
        change,
        market_value,
        candle,
        decoupling,
        episodes,
        feedback,
        liquidation_counts,
        reconcile,
        leverage,
        liquidity,
        outflows,
        sentiment,
    )
}
"""By name, in the order of the screen. `experiment.measures` adds those that need positions or a run."""
