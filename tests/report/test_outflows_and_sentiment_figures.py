"""Do the figures of outflows and sentiment say what they show, and show nothing that is not there?"""

from __future__ import annotations

import re

import polars as pl
import pytest

from deleverage.measure.asof import DAY_NS, Frames
from deleverage.measure.measure import Measured, time_ns
from deleverage.measure.outflows.measure import MEASURE as OUTFLOWS
from deleverage.measure.sentiment import MEASURE as SENTIMENT
from deleverage.report.figures.canvas import Drawing
from deleverage.report.figures.measures import outflows, sentiment
from verify.fear_greed import DAYS, START_NS, market

END = START_NS + DAYS * DAY_NS


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    return market(12)


def words_of(svg: str) -> str:
    return " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))


def both(drawing: Drawing) -> tuple[str, str]:
    assert 'viewBox="0 0 760 ' in drawing.wide and 'viewBox="0 0 352 ' in drawing.narrow
    assert "nan" not in (drawing.wide + drawing.narrow).lower().replace("nanum", "")
    return words_of(drawing.wide), words_of(drawing.narrow)


def flows_found(tables: dict[str, pl.DataFrame], usd: float, **given: str) -> Measured:
    rows = tables["flows"].with_columns(usd=pl.lit(usd))
    return OUTFLOWS.at(Frames(tables | {"flows": rows}), END, given)


def test_outflows_say_sum_days_and_rank(tables: dict[str, pl.DataFrame]) -> None:
    drawing = outflows.draw(flows_found(tables, -1e8))
    assert drawing.title.startswith("$500\N{NARROW NO-BREAK SPACE}m left BTC funds from ")
    assert "out on 5 of 5 days" in drawing.title
    assert "lower than 50" in drawing.title  # all windows alike: mid-rank
    for text in both(drawing):
        assert "USD a day" in text and "running sum" in text
    assert "farside" in drawing.source and "US spot funds only" in drawing.source


def test_inflows_are_not_called_outflows(tables: dict[str, pl.DataFrame]) -> None:
    assert "went into BTC funds" in outflows.draw(flows_found(tables, 1e8)).title


def test_slopes_are_drawn_only_where_there_are_some(tables: dict[str, pl.DataFrame]) -> None:
    moving = outflows.draw(OUTFLOWS.at(Frames(tables), END))
    flat = outflows.draw(flows_found(tables, -1e8))
    assert "day before" in words_of(moving.wide) and "Newey" in moving.band
    assert "day before" not in words_of(flat.wide) and "Newey" not in flat.band


def test_a_stretch_says_once_what_both_ends_share() -> None:
    assert outflows._stretch("3 November 2025", "7 November 2025") == "from 3 to 7 November 2025"
    assert outflows._stretch("31 October 2025", "7 November 2025") == "from 31 October to 7 November 2025"
    assert outflows._stretch("7 November 2025", "7 November 2025") == "on 7 November 2025"


def test_sentiment_names_every_part_with_its_weight(tables: dict[str, pl.DataFrame]) -> None:
    drawing = sentiment.draw(SENTIMENT.at(Frames(tables), END))
    for text in both(drawing):
        for part in ("volatility", "momentum", "drawdown", "funding", "volume", "flows", "breadth"):
            assert part in text
        assert "not observed" not in text
    assert "alternative.me stands at" in drawing.title and "of 100" in drawing.title


def test_a_part_that_is_missing_is_said_and_not_drawn_as_zero(tables: dict[str, pl.DataFrame]) -> None:
    drawing = sentiment.draw(SENTIMENT.at(Frames({k: v for k, v in tables.items() if k != "funding"}), END))
    assert words_of(drawing.wide).count("not observed") == 1


def test_an_index_without_a_composite_can_be_drawn(tables: dict[str, pl.DataFrame]) -> None:
    drawing = sentiment.draw(SENTIMENT.at(Frames({"sentiment": tables["sentiment"]}), END))
    assert "cannot be given" in drawing.title
    both(drawing)


def test_a_composite_without_an_index_can_be_drawn(tables: dict[str, pl.DataFrame]) -> None:
    drawing = sentiment.draw(SENTIMENT.at(Frames({k: v for k, v in tables.items() if k != "sentiment"}), END))
    assert "no value for this moment" in drawing.title
    both(drawing)


def test_drawings_are_the_same_twice(tables: dict[str, pl.DataFrame]) -> None:
    found = SENTIMENT.at(Frames(tables), time_ns("2024-06-01"))
    assert sentiment.draw(found).wide == sentiment.draw(found).wide
