"""Does the measure `liquidation_distance` say what the command `margin` says, by the rules of the day?"""

from __future__ import annotations

import pytest

from deleverage.errors import InputError
from deleverage.experiment.distance import MEASURE
from deleverage.measure.asof import Frames
from deleverage.measure.measure import time_ns
from deleverage.venues.calculator.compare import margin

NO_LAKE = Frames({})
DAY_41 = time_ns("2025-11-17")


def test_100x_at_binance_ends_at_six_tenths_of_a_percent_and_not_at_two() -> None:
    # the margin of 1 % less what must be maintained, 0.4 % of the value there: (1 − 0.01) ÷ (1 − 0.004) − 1
    row = MEASURE.at(NO_LAKE, DAY_41).reading("move_to_liquidation", "binance")
    assert row is not None
    assert row["value"] == pytest.approx(0.99 / 0.996 - 1, rel=1e-12)
    assert row["unit"] == "share"


def test_it_is_what_margin_says_with_the_rules_of_that_day() -> None:
    found = MEASURE.at(NO_LAKE, DAY_41, {"leverage": 20, "side": "short", "coin": "ETH"})
    said = margin("ETHUSDT", "short", leverage=20, notional_usd=10_000, at="2025-11-16")
    for column in said.columns:
        row = found.reading("move_to_liquidation", column.venue)
        if row is not None and column.assessment is not None:
            assert row["value"] == float(column.assessment.move(column.assessment.liquidation_price))  # type: ignore[arg-type]
            assert row["value"] > 0  # a short is ended by a rise


def test_a_venue_that_refuses_the_leverage_has_no_distance_and_says_why() -> None:
    row = MEASURE.at(NO_LAKE, DAY_41, {"venues": "binance,hyperliquid"}).reading(
        "move_to_liquidation", "hyperliquid"
    )
    assert row is not None
    assert row["value"] is None
    assert "at most 40x" in row["note"]


def test_what_no_venue_knows_is_bad_input() -> None:
    with pytest.raises(InputError, match=r"expected some of .*found 'nowhere'"):
        MEASURE.at(NO_LAKE, DAY_41, {"venues": "nowhere"})
    with pytest.raises(InputError, match="one of long, short"):
        MEASURE.at(NO_LAKE, DAY_41, {"side": "both"})
