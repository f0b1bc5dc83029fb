"""Which unit has a reading? Known before a lake is opened, so that a file can be checked without one."""

from __future__ import annotations

from math import inf

_UNITS = {
    ("drawdown", "days_since_high"): "days",
    ("drawdown", "high_day"): "date",
    ("drawdown", "from_high_close"): "share",
    ("drawdown", "from_high_low"): "share",
    ("drawdown", "worst_since_high"): "share",
    ("change", "change"): "share",
    ("candle", "largest_range"): "USD",
    ("candle", "largest_body"): "USD",
    ("candle", "record_range_before"): "USD",
    ("candle", "days_of_20k"): "days",
    ("market_value", "erased_total"): "USD",
    ("market_value", "erased_basket"): "USD",
    ("market_value", "erased_per_day"): "USD",
    ("decoupling", "gap"): "share",
    ("leverage", "open_interest_usd"): "USD",
    ("leverage", "open_interest_coins"): "coins",
    ("leverage", "change_usd"): "share",
    ("leverage", "change_coins"): "share",
    ("leverage", "max_leverage"): "x",
    ("liquidity", "change"): "share",
    ("liquidity", "depth_bid"): "USD",
    ("liquidation_counts", "share_of_days_above"): "share",
    ("liquidation_counts", "largest_day"): "USD",
    ("liquidation_counts", "median_day"): "USD",
    ("liquidation_counts", "total"): "USD",
    ("outflows", "flow"): "USD",
    ("sentiment", "published"): "points",
    ("sentiment", "last_equal_day"): "date",
    ("sentiment", "last_lower_day"): "date",
    ("reconcile", "published"): "USD",
    ("exhaustion", "probability"): "share",
    ("attribution", "mechanical_share"): "share",
    ("liquidation_distance", "move_to_liquidation"): "share",
}


_BOUNDS = {
    ("drawdown", "from_high_close"): (-1.0, 0.0),
    ("drawdown", "from_high_low"): (-1.0, 0.0),
    ("drawdown", "worst_since_high"): (-1.0, 0.0),
    ("change", "change"): (-1.0, inf),
    ("leverage", "change_usd"): (-1.0, inf),
    ("leverage", "change_coins"): (-1.0, inf),
    ("liquidity", "change"): (-1.0, inf),
    ("liquidation_counts", "share_of_days_above"): (0.0, 1.0),
    ("exhaustion", "probability"): (0.0, 1.0),
}
"""Least and largest value that a share can have at all."""


def bounds_of(measure: str, reading: str) -> tuple[float, float]:
    """Between which values a reading lies whatever happens; without a bound where nothing is known of it."""
    return _BOUNDS.get((measure, reading), (-inf, inf))


def unit_of(measure: str, reading: str) -> str | None:
    """The unit of a reading; None where only measuring tells."""
    return _UNITS.get((measure, reading))
