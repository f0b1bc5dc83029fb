"""Do axes and titles of the measures' figures say what they mean, at the edges too?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deleverage.measure.asof import AsOf, Frames
from deleverage.measure.measure import Found, Whose
from deleverage.report.figures.canvas import NARROW, WIDE, Size
from deleverage.report.figures.measures.day_axis import day_axis
from deleverage.report.figures.measures.drawdown import _chance_text
from deleverage.report.figures.measures.market_value import draw as draw_market_value
from deleverage.report.figures.measures.years_axis import years_axis

DAY_NS = 86_400 * 1_000_000_000
FIRST = 20_368.0  # 2025-10-07


@pytest.fixture
def axes() -> Iterator[object]:
    from matplotlib.figure import Figure

    yield Figure().add_subplot()


@pytest.mark.parametrize(("last", "aligned"), [(FIRST + 42, "right"), (FIRST + 52, "center")])
def test_a_date_at_the_right_end_ends_at_its_tick_so_that_it_is_not_cut(
    axes: object, last: float, aligned: str
) -> None:
    day_axis(axes, FIRST, last, 6)  # type: ignore[arg-type]
    labels = axes.get_xticklabels()  # type: ignore[attr-defined]
    assert labels[-1].get_horizontalalignment() == aligned
    assert labels[0].get_horizontalalignment() == "center"


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_history_of_two_years_has_months_below_it_and_one_of_eight_has_years(
    axes: object, size: Size
) -> None:
    years_axis(axes, FIRST - 2 * 365, FIRST, size)
    texts = [label.get_text() for label in axes.get_xticklabels()]  # type: ignore[attr-defined]
    assert any(text.endswith("2025") for text in texts) and not any("-" in text for text in texts)
    years_axis(axes, FIRST - 8 * 365, FIRST, size)
    assert all(label.get_text().isdigit() for label in axes.get_xticklabels())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"value": 0.0712, "high": 0.12}, "7.1 %"),
        ({"value": 0.0, "high": 0.0022}, "< 0.2 %"),
        ({"value": 0.0, "high": 0.0}, "< 0.1 %"),
        ({"value": 0.0003, "high": None}, "< 0.1 %"),
        ({"value": None, "high": None}, "not observed"),
        (None, "not observed"),
    ],
)
def test_a_chance_is_never_written_as_none(row: dict[str, float | None] | None, text: str) -> None:
    assert _chance_text(row).replace("\u202f", " ") == text


def test_market_value_without_an_interval_has_no_empty_brackets() -> None:
    found = Found("market_value", AsOf(Frames({}), int(FIRST) * DAY_NS), {})
    whose = Whose("binance spot", "candles")
    found.reading("erased_BTC", "BTC", None, "USD", whose, note="no price")
    found.reading("erased_basket", "1 coin", None, "USD", whose, note="no price of BTC")
    drawing = draw_market_value(found.measured())
    assert "In brackets" not in drawing.band and "not observed" in drawing.title
