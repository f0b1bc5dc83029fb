"""Is the largest candle the largest, as range and as body, and the record the one before it?"""

from __future__ import annotations

import pytest

from deleverage.errors import MissingDataError
from deleverage.measure.asof import Frames
from deleverage.measure.candle import MEASURE
from deleverage.measure.measure import Measured
from deleverage.report.figures.measures.candle import draw
from tests.measure.bars import DAY, FIRST, candles, walk
from tests.measure.read import value
from tests.measure.truncated import no_look_ahead

# ranges 10, 30, 50, 20; bodies +5, −25, +2, −20
BARS = [(100, 106, 96, 105), (105, 108, 78, 80), (80, 120, 70, 82), (82, 82, 62, 62)]


def at(days: int, **given: object) -> Measured:
    return MEASURE.at(Frames({"candles": candles(BARS)}), FIRST + days * DAY, given)


def test_range_and_body_by_hand() -> None:
    found = at(4)
    assert value(found, "largest_range") == 50 and value(found, "largest_range_day") == 20_002
    assert value(found, "largest_range_share") == pytest.approx(50 / 80)
    assert value(found, "record_range_before") == 30
    assert value(found, "largest_body") == -25 and value(found, "largest_body_day") == 20_001
    assert value(found, "record_body_before") == 5
    assert value(found, "days_of_20k") == 0


def test_the_first_bar_has_no_record_before_it() -> None:
    found = at(1)
    assert value(found, "largest_range") == 10 and value(found, "record_range_before") is None
    assert "no earlier bar" in (found.reading("record_range_before") or {})["note"]


def test_from_looks_for_the_largest_later_but_for_the_record_in_all_days() -> None:
    found = at(4, **{"from": FIRST + 3 * DAY})
    assert value(found, "largest_range") == 20 and value(found, "record_range_before") == 50
    with pytest.raises(MissingDataError):
        at(4, **{"from": FIRST + 4 * DAY})


def test_no_look_ahead() -> None:
    tables = {"candles": candles(walk(80))}
    assert no_look_ahead(MEASURE, tables, FIRST, FIRST + 85 * DAY, {}) >= 15


def test_the_figure_says_the_records() -> None:
    drawing = draw(at(4))
    assert "$50.00" in drawing.title and "$30.00" in drawing.title and "−$25.00" in drawing.title
    for svg in (drawing.wide, drawing.narrow):
        assert svg.startswith("<svg") and "High − low, USD" in svg
