"""Is a change counted between the days and prices that were asked for?"""

from __future__ import annotations

import pytest

from deleverage.errors import InputError, MissingDataError, exit_code
from deleverage.measure.asof import Frames
from deleverage.measure.change import MEASURE
from deleverage.measure.measure import Measured
from deleverage.report.figures.measures.change import draw
from tests.measure.bars import DAY, FIRST, candles, walk
from tests.measure.read import value
from tests.measure.truncated import no_look_ahead

BARS = [(100, 110, 90, 105), (105, 120, 100, 115), (115, 116, 80, 84)]


def at(days: float = 3, **given: object) -> Measured:
    return MEASURE.at(Frames({"candles": candles(BARS)}), FIRST + int(days * DAY), given)


@pytest.mark.parametrize(
    ("given", "change"),
    [
        ({}, 84 / 105 - 1),
        ({"from_price": "open"}, -0.16),
        ({"from_price": "low"}, 84 / 90 - 1),
        ({"from_price": "high", "to_price": "low"}, 80 / 110 - 1),
        ({"to_price": "high"}, 116 / 105 - 1),
    ],
)
def test_the_prices_that_were_asked_for_are_compared(given: dict[str, str], change: float) -> None:
    found = at(3, since=FIRST, **given)
    row = found.reading("change") or {}
    assert row["value"] == pytest.approx(change) and row["unit"] == "share"
    first, last = value(found, "from_price"), value(found, "to_price")
    assert first is not None and last is not None
    assert value(found, "change_usd") == pytest.approx(last - first)
    assert row["low"] == pytest.approx(80 / first - 1) and row["high"] == pytest.approx(116 / first - 1)
    assert value(found, "days") == 2 and value(found, "from_day") == 20_000


def test_days_count_back_from_the_last_closed_day() -> None:
    assert value(at(since_days=2), "from_price") == 105
    assert value(at(2.9, since_days=1), "change") == pytest.approx(115 / 105 - 1)
    assert value(at(since=FIRST + DAY + 5), "from_day") == 20_001
    bars = candles(walk(400))
    found = MEASURE.at(Frames({"candles": bars}), FIRST + 400 * DAY)
    assert value(found, "from_day") == 20_000 + 399 - 365


def test_a_day_without_a_bar_is_an_error_with_table_day_and_command() -> None:
    for given in ({"since_days": 3}, {"since": FIRST - DAY}, {"coin": "ETH"}):
        with pytest.raises(MissingDataError, match="table candles") as caught:
            at(3, **given)
        assert exit_code(caught.value) == 3 and "backfill" in str(caught.value.hint)
    with pytest.raises(MissingDataError, match="2024-10-06T00:00:00Z to 2024-10-06T12:00:00Z"):
        at(2.5, since=FIRST + 2 * DAY)  # the day has not closed


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"since": FIRST, "since_days": 1}, "found both"),
        ({"since_days": 1.5}, "expected whole days"),
        ({"since": FIRST + 3 * DAY}, "expected a day before"),
        ({"to_price": "open"}, "expected one of close, low, high"),
        ({"since_days": 0}, "days > 0"),
    ],
)
def test_what_has_no_sense_is_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        at(3, **given)


def test_no_look_ahead() -> None:
    tables = {"candles": candles(walk(80))}
    assert no_look_ahead(MEASURE, tables, FIRST, FIRST + 85 * DAY, {"since_days": 10}) >= 10


def test_the_figure_says_which_prices_are_compared() -> None:
    drawing = draw(at(since=FIRST, from_price="low"))
    assert (
        drawing.title
        == "BTC −6.7\N{NARROW NO-BREAK SPACE}% from the low of 4 Oct 2024 to the close of 6 Oct 2024"
    )
    assert "USD per coin" in drawing.wide and "USD per coin" in drawing.narrow
