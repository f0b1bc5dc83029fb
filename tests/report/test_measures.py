"""Do the screens of measures say how much, how sure, by whose count and why not, in any width?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deleverage.errors import MissingDataError
from deleverage.measure.asof import AsOf, Frames
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose
from deleverage.report.measures import detail_screen, overview_screen, parameter_lines, reading_text

DAY_NS = 86_400 * 1_000_000_000
AT = 20_409 * DAY_NS  # 2025-11-17
URL = "https://example.org/" + "a-very-long-name-of-a-page-" * 6


def _measure(name: str = "sample", headline: tuple[str, ...] = ()) -> Measure:
    return Measure(
        name=name,
        question="How much of it is there, and who says so?",
        parameters=(
            Parameter("threshold_usd", "number", 5e8, "from which a day counts", "USD"),
            Parameter("share", "number", 0.5, "of it"),
            Parameter("symbol", "text", "", "which contract"),
        ),
        compute=lambda asof, given: Found(name, asof, given).measured(),
        readings={"change": "of the price"},
        headline=headline,
    )


def _found(*, episodes: int = 0) -> Measured:
    asof = AsOf(Frames({}), AT)
    found = Found("sample", asof, {"threshold_usd": 5e8, "share": 0.5, "symbol": ""})
    ours, theirs = Whose("binance spot, UTC days", "candles: binance spot BTC, 1 d"), Whose("a blog", URL)
    found.reading("change", "BTC", 0.041, "share", ours, low=0.027, high=0.067, interval="at its ends")
    found.reading("p", "BTC", 0.07, "share", ours, low=0.03, high=0.12, interval="90 % Wilson")
    found.reading("erased_per_day", "8 coins", 23.8e9, "USD/day", ours)
    found.reading("day", "BTC", 20_371.0, "date", ours, note="2025-10-10T00:00:00Z")
    found.reading("start", "BTC", 20_371.0 + 21.25 / 24, "date", ours, note="2025-10-10T21:15:00Z")
    found.reading("thin", "BTC", 6.6e-5 / 100, "share per $m", ours)
    note = "not identifiable: the feed shows at most one event a second. Take another"
    found.reading("branching", "BTC", None, "ratio", ours, note=note)
    found.reading("unsaid", "BTC", None, "ratio", ours)
    found.reading("published", "night", 19.1e9, "USD", theirs, note="longs and shorts, all coins. " * 5)
    for k in range(episodes):
        whose = Whose("binance spot", "candles")
        day = np.datetime_as_string(np.datetime64("2025-01-01") + k)
        found.reading(
            "fall", str(day), 0.1 + k / 100, "share", whose, note=f"episode number {k}, a long note"
        )
    found.lacks(asof.missing("market_caps", "capitalisation", start_ns=AT - 41 * DAY_NS, end_ns=AT))
    return found.measured()


def _plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\u00a0", " ")


@pytest.mark.parametrize("width", range(40, 121, 4))
def test_no_line_is_wider_than_the_terminal_even_with_a_long_address(width: int) -> None:
    found = _found(episodes=9)
    missing = MissingDataError("the lake has none " + URL, hint="deleverage backfill " + URL)
    for text in (
        detail_screen(_measure(), found, width, False),
        overview_screen([(_measure(), found), (_measure("other"), missing)], AT, width, False),
    ):
        assert max(map(len, text.splitlines())) <= width


def test_every_letter_of_an_address_that_was_broken_is_there() -> None:
    assert URL in "".join(
        line.strip() for line in detail_screen(_measure(), _found(), 60, False).splitlines()
    )


def test_a_null_reading_shows_its_reason_and_one_without_says_not_observed() -> None:
    text = _plain(detail_screen(_measure(), _found(), 100, False))
    assert "branching       BTC      not identifiable  (1)" in text
    assert "1  not identifiable: the feed shows at most one event a second. Take another" in text
    assert "unsaid          BTC      not observed" in text
    over = _plain(overview_screen([(_measure(headline=("branching",)), _found())], AT, 100, False))
    assert "branching  BTC  not identifiable\n" in over


def test_an_interval_stands_behind_its_value_and_says_what_it_is_and_of_which_readings() -> None:
    text = _plain(detail_screen(_measure(), _found(), 100, False))
    assert "4.1 % [2.7, 6.7]" in text and "7.0 % [3.0, 12.0]" in text
    assert "[low, high] of change: at its ends" in text and "[low, high] of p: 90 % Wilson" in text


def test_what_is_missing_stands_with_its_stretch_in_days_and_its_command() -> None:
    for text in (
        detail_screen(_measure(), _found(), 120, False),
        overview_screen([(_measure(), _found())], AT, 120, False),
    ):
        assert "from 2025-10-07 to 2025-11-17 (table market_caps)" in text and "T00:00" not in text
        assert "deleverage backfill coingecko" in text


def test_the_overview_says_by_whose_count_and_the_detail_from_which_data() -> None:
    over = overview_screen([(_measure(headline=("change", "published")), _found())], AT, 100, False)
    assert "  by binance spot, UTC days; a blog\n" in over
    detail = detail_screen(_measure(), _found(), 100, False)
    assert "binance spot, UTC days · candles: binance spot BTC, 1 d\n" in detail


def test_of_many_episodes_the_newest_six_stand_and_the_rest_is_counted() -> None:
    text = detail_screen(_measure(), _found(episodes=40), 100, False)
    assert "2025-02-09" in text and "2025-02-04" in text and "2025-02-03" not in text
    assert "34 earlier days" in text and "episode number 33" not in text


def test_parameters_are_numbers_that_one_can_read_and_give_again() -> None:
    text = detail_screen(_measure(), _found(), 100, False)
    assert "threshold_usd 500,000,000 · share 0.5\n" in text and "symbol" not in text
    assert parameter_lines(_measure())[0][1].endswith("[default: 500000000]")


def test_groups_that_differ_in_the_coin_alone_are_one() -> None:
    asof = AsOf(Frames({}), AT)
    found = Found("sample", asof, {})
    for coin in ("BTC", "ETH", "SOL"):
        found.reading("erased", coin, 1e9, "USD", Whose("binance", f"candles: binance spot {coin}, 1 d"))
    found.reading("erased", "XRP", 1e9, "USD", Whose("okx", "candles: okx spot XRP, 1 d"))
    text = detail_screen(_measure(), found.measured(), 100, False)
    assert "binance · candles: binance spot BTC, ETH, SOL, 1 d\n" in text
    assert "okx · candles: okx spot XRP, 1 d\n" in text


def _row(
    value: float | None, unit: str, low: float | None = None, high: float | None = None
) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "unit": unit}


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (_row(23.8e9, "USD/day"), "$23.8 bn a day"),
        (_row(23.8e9, "USD/day", 23.67e9, 23.93e9), "$23.80 bn [23.67, 23.93] a day"),
        (_row(90_587.0, "USD"), "$90,587"),
        (_row(-867e6, "USD"), "−$867 m"),
        (_row(20_371.0, "date"), "10 October 2025"),
        (_row(20_371.0 + 21.25 / 24, "date"), "10 October 2025, 21:15"),
        (_row(6.6e-5, "share per $m", 6.3e-5, 7.5e-5), "0.66 bp per $m [0.63, 0.75]"),
        (_row(6.6e-7, "share per $m"), "0.00660 bp per $m"),
        (_row(0.028, "share per $1 bn", 0.022, 0.033), "2.8 % per $1 bn [2.2, 3.3]"),
        (_row(0.43, "share per sqrt(year)"), "43.0 % per √year"),
        (_row(0.0678, "share per year"), "6.8 % a year"),
        (_row(-0.00553, "share"), "−0.55 %"),
        (_row(6.2e-5, "share"), "0.0062 %"),
        (_row(0.0, "share"), "0 %"),
        (_row(-0.253, "share"), "−25.3 %"),
        (_row(0.0, "share", 0.0, 0.00073), "0 % [0, 0.073]"),
        (_row(0.0004, "share", 0.0, 0.05), "0.0 % [0, 5.0]"),
        (_row(0.0462, "probability"), "4.6 %"),
        (_row(150.0, "x"), "150×"),
        (_row(41.8, "x"), "41.8×"),
        (_row(1.0, "points"), "1 point"),
        (_row(10.0, "points"), "10 points"),
        (_row(1.51, "points"), "1.5 points"),
        (_row(10.0, "0 to 100"), "10 of 100"),
        (_row(1.0, "days"), "1 day"),
        (_row(41.0, "days"), "41 days"),
        (_row(1_618_240.0, "count"), "1,618,240"),
        (_row(None, "share"), "not observed"),
        (_row(None, "USD/day"), "not observed"),
        (_row(None, "share per year"), "not observed"),
        (_row(None, "share", 0.1, 0.2), "10.0 % to 20.0 %"),
    ],
)
def test_a_reading_has_its_unit_and_no_digit_too_many(row: dict[str, Any], text: str) -> None:
    assert _plain(reading_text(row)) == text


def test_a_lake_that_has_nothing_gives_a_screen_of_commands() -> None:
    error = MissingDataError("the lake has no bars (table candles)", hint="deleverage import FOLDER")
    text = overview_screen([(_measure("one"), error), (_measure("two"), error)], AT, 80, False)
    assert text.count("deleverage import FOLDER") == 1 and "one: the lake has no bars" in text


def test_readings_are_only_read_never_changed() -> None:
    found = _found()
    before = found.readings.clone()
    detail_screen(_measure(), found, 80, True)
    assert found.readings.equals(before)
