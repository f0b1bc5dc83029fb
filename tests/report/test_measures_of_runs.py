"""Are the measures that read no lake drawn from their readings, with what is missing said?"""

from __future__ import annotations

from pathlib import Path

from deleverage.experiment import distance
from deleverage.experiment.attribution import MEASURE
from deleverage.experiment.output import write_answer
from deleverage.experiment.scenario import Scenario
from deleverage.measure.asof import Frames
from deleverage.measure.measure import time_ns
from deleverage.report.figures.measures import attribution, liquidation_distance
from tests.experiment.test_attribution import answer

LATER = time_ns("2025-11-17")


def test_shares_are_drawn_with_the_sentence_of_the_reading(tmp_path: Path) -> None:
    folder = write_answer(answer(), tmp_path / "out", scenario=Scenario.load("oct-10-binance"))
    drawing = attribution.draw(MEASURE.at(Frames({}), LATER, {"run": str(folder)}))
    mean = answer().summary["mechanical_share"]["BTC"]["mean"]
    assert drawing.title.startswith(f"{100 * mean:.0f}")
    for svg in (drawing.wide, drawing.narrow):
        assert "mechanical, in all" in svg
        assert "share of the fall" in svg


def test_a_venue_that_refuses_is_named_and_not_drawn_as_zero() -> None:
    measured = distance.MEASURE.at(Frames({}), LATER, {"venues": "binance,hyperliquid"})
    drawing = liquidation_distance.draw(measured)
    assert "0.60" in drawing.title
    assert "not allowed" in drawing.wide
    assert "16 November 2025" in drawing.source
    none = distance.MEASURE.at(Frames({}), LATER, {"venues": "hyperliquid"})
    assert liquidation_distance.draw(none).title == "No venue that was asked allows 100x for BTC"
