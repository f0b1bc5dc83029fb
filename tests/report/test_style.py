"""Do numbers look the same everywhere, and never claim more than they know?"""

from __future__ import annotations

import pytest

from deleverage.report import style
from deleverage.report.style import THIN


def _plain(text: str) -> str:
    return text.replace(THIN, " ").replace(style.MINUS, "-")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (19.1e9, "$19.1 bn"),
        (382e6, "$382 m"),
        (-0.2e9, "-$200 m"),
        (0.0, "$0"),
        (-0.0, "$0"),
        (999.6e6, "$1.00 bn"),  # 999.6 m rounds to 1,000 m, which is one billion
        (999.4e6, "$999 m"),
        (1.1e12, "$1.10 tn"),
        (4.2e15, "$4,200 tn"),
        (61_234.0, "$61.2 k"),
        (12.345, "$12.3"),
        (0.004, "$0.00"),
        (None, "not observed"),
        (float("nan"), "not observed"),
        (float("inf"), "not observed"),
    ],
)
def test_usd_uses_a_scale_that_reads_well(value: float | None, expected: str) -> None:
    assert _plain(style.usd(value)) == expected


@pytest.mark.parametrize(
    ("low", "middle", "high", "expected"),
    [
        (1.24e9, 1.87e9, 3.31e9, "$1.9 bn [1.2, 3.3]"),
        (210e6, 382e6, 640e6, "$380 m [210, 640]"),
        (0.0, 0.0, 0.0, "$0"),
        (0.0, 0.0, 4e7, "$0 m [0, 40]"),
        (-3e8, -2e8, -1e8, "-$200 m [-300, -100]"),
    ],
)
def test_usd_interval_takes_its_digits_from_its_width(
    low: float, middle: float, high: float, expected: str
) -> None:
    assert _plain(style.usd_interval({"p05": low, "p50": middle, "p95": high})) == expected


def test_a_drop_is_shown_as_the_fall_that_it_is_with_its_lower_end_first() -> None:
    text = style.fall({"p05": 0.1124, "p50": 0.1311, "p95": 0.1581})
    assert _plain(text) == "-13.1 % [-15.8, -11.2]"
    assert "-" not in text and style.MINUS in text and THIN + "%" in text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0 %"),
        (-0.0, "0 %"),
        (-0.131, "-13 %"),
        (0.0312, "3.1 %"),
        (0.0996, "10 %"),
        (None, style.MISSING),
    ],
)
def test_percent_without_an_interval_claims_little(value: float | None, expected: str) -> None:
    assert _plain(style.percent(value)) == expected


def test_rounding_to_zero_loses_the_minus() -> None:
    assert style.number(-0.0004, 2) == "0.00"
    assert style.percent(-0.00004, 1) == f"0.0{THIN}%"


@pytest.mark.parametrize(
    ("width", "places"),
    [(4.6, 1), (9.6, 1), (10.0, 0), (46.0, 0), (0.46, 2), (6_700.0, -2), (0.0, 0), (1e-9, 3)],
)
def test_decimals_give_two_digits_of_the_width(width: float, places: int) -> None:
    assert style.decimals(width) == places


@pytest.mark.parametrize(
    "interval",
    [None, {}, {"p05": 1.0, "p50": None, "p95": 2.0}, {"p05": 1.0, "p50": float("nan"), "p95": 2.0}],
)
def test_an_incomplete_interval_is_not_observed(interval: dict[str, float | None] | None) -> None:
    for text in (
        style.usd_interval,
        style.percent_interval,
        style.fall,
        style.plain_interval,
        style.duration_interval,
    ):
        assert text(interval) == style.MISSING


def test_large_prices_are_rounded_to_what_the_interval_supports() -> None:
    text = style.plain_interval({"p05": 98_231.0, "p50": 101_389.0, "p95": 104_912.0})
    assert text == "101,400 [98,200, 104,900]"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (61.7, "61.7 s"),
        (0.0, "0 s"),
        (1860.0, "31 min"),
        (7_500.0, "2 h 05 min"),
        (-600.0, "-10 min"),
        (None, style.MISSING),
    ],
)
def test_durations(seconds: float | None, expected: str) -> None:
    assert _plain(style.duration(seconds)) == expected


def test_moments_are_utc_whatever_they_come_as() -> None:
    nanoseconds = 1_760_130_903_000_000_000
    assert style.clock(nanoseconds, seconds=True) == "21:15:03"
    assert style.clock("2025-10-10T21:15:03Z", seconds=True) == "21:15:03"
    assert style.clock("2025-10-10T23:15:03+02:00") == "21:15"
    assert style.clock("2025-10-10T21:15:03") == "21:15"
    assert style.day(nanoseconds) == "10 October 2025"
    assert style.clock(None) == style.MISSING


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (2.4e9, "USD", "$2.40 bn"),
        (101_500.0, "USD/coin", "$101,500"),
        (0.1313, "share", "13.1 %"),
        (61.7, "s", "61.7 s"),
        (23_186.0, "coins", "23,186 coins"),
        (4.25, "bp", "4.25 bp"),
        (None, "USD", style.MISSING),
        (None, "bp", style.MISSING),
        (None, "USD/coin", style.MISSING),
    ],
)
def test_a_published_value_is_shown_in_its_own_unit(value: float | None, unit: str, expected: str) -> None:
    assert _plain(style.quantity(value, unit)) == expected


def test_significant_digits_never_turn_into_powers_of_ten() -> None:
    assert style.significant(1.23456e-5) == "0.0000123"
    assert style.significant(123_456.0) == "123,000"
    assert style.significant(0.0) == "0"
