"""Which measures are there?"""

from __future__ import annotations

from deleverage.measure import (
    candle,
    episodes,
    leverage,
    liquidation_counts,
    liquidity,
    outflows,
    reconcile,
    sentiment,
)
from deleverage.measure.measure import Measure

MEASURES: dict[str, Measure] = {
    room.MEASURE.name: room.MEASURE
    for room in (
        candle,
        episodes,
        leverage,
        liquidity,
        liquidation_counts,
        reconcile,
        outflows,
        sentiment,
    )
}
"""By name, in the order of the screen. `experiment.measures` adds those that need positions or a run."""
