"""Worked examples of Gate, whose formulas are OKX's (liquidation price) and Binance's (funding)."""

from __future__ import annotations

from deleverage.venues.examples.binance import funding
from deleverage.venues.examples.okx import liquidation_price
from deleverage.venues.examples.registry import answers

for _venue in ("Gate", "Gate linear"):
    answers(_venue, "liquidation_price")(liquidation_price)
    answers(_venue, "funding")(funding)
