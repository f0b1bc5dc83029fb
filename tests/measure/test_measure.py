"""Are parameters read as their kinds, and readings kept as what they are?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pytest

from deleverage.errors import InputError
from deleverage.measure.asof import AsOf, Frames
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose, time_ns


def ask(kind: str, given: Any) -> Any:
    return Parameter("p", kind, None, "meaning", choices=("spot", "perp")).settle("m", given)


@pytest.mark.parametrize(
    ("kind", "given", "settled"),
    [
        ("coin", " btc ", "BTC"),
        ("venue", "Binance", "binance"),
        ("text", " GC=F ", "GC=F"),
        ("choice", "perp", "perp"),
        ("number", "-0.3", -0.3),
        ("number", 5, 5.0),
        ("days", "90", 90.0),
        ("time", "1970-01-02", 86_400 * 10**9),
        ("time", 17, 17),
        ("list", "BTC, ETH", ("BTC", "ETH")),
        ("list", ["BTC"], ("BTC",)),
    ],
)
def test_a_value_of_its_kind_is_taken(kind: str, given: Any, settled: Any) -> None:
    assert ask(kind, given) == settled


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("coin", ""), ("coin", 3), ("venue", None), ("text", "  "), ("choice", "future"),
        ("number", "x"), ("number", float("nan")), ("number", "inf"), ("number", True),
        ("days", 0), ("days", -1), ("days", float("nan")),
        ("time", "yesterday"), ("time", True), ("time", 1.5),
        ("list", ""), ("list", ["BTC", ""]), ("list", 3),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused_with_what_was_expected(kind: str, given: Any) -> None:
    with pytest.raises(InputError, match=r"measure m, parameter p: expected .* found"):
        ask(kind, given)


def test_every_way_to_write_a_moment_is_the_same_one() -> None:
    noon = datetime(2025, 10, 10, 12, tzinfo=UTC)
    east = noon.astimezone(timezone(timedelta(hours=9)))
    expected = int(noon.timestamp()) * 10**9
    for given in ("2025-10-10T12:00", "2025-10-10T12:00:00Z", "2025-10-10T21:00+09:00", noon, east, expected):
        assert time_ns(given) == expected
    assert time_ns(date(2025, 10, 10)) == expected - 43_200 * 10**9
    assert time_ns("1969-12-31T23:59:59.5") == -500_000_000


def found() -> Found:
    return Found("m", AsOf(Frames({}), 10), {})


def compute(asof: AsOf, parameters: Any) -> Measured:
    gathered = Found("m", asof, parameters)
    gathered.reading("a", "BTC", parameters["window"], "days", Whose("hand", "none"))
    return gathered.measured()


M = Measure(
    "m", "?", (Parameter("window", "days", 7.0, "days"), Parameter("since", "time", None, "")), compute
)


def test_defaults_stand_in_for_what_is_not_given_and_unknown_names_are_refused() -> None:
    assert M.settle({}) == {"window": 7.0, "since": None}
    assert M.settle({"window": "3"}) == {"window": 3.0, "since": None}
    with pytest.raises(InputError, match="expected parameters of window, since, found 'windows'"):
        M.settle({"windows": 3})
    assert (M.at(Frames({}), 10).reading("a", "BTC") or {})["value"] == 7.0


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -float("inf")])
def test_what_was_not_observed_is_null_and_never_zero_or_nan(value: float | None) -> None:
    gathered = found()
    gathered.reading("a", "BTC", value, "USD", Whose("hand", "none"), low=value, note="why")
    row = gathered.measured().reading("a")
    assert row is not None and row["value"] is None and row["low"] is None and row["note"] == "why"
    gathered.series("s", "BTC", "USD", pl.DataFrame({"time_ns": [1, 2], "value": [float("nan"), 0.0]}))
    assert gathered.measured().series["value"].to_list() == [None, 0.0]


def test_a_reading_is_found_by_name_and_subject() -> None:
    gathered = found()
    for subject, value in (("BTC", 1.0), ("ETH", 2.0)):
        gathered.reading("a", subject, value, "USD", Whose("hand", "none", 1, 2))
    measured = gathered.measured()
    row = measured.reading("a", "ETH")
    assert row is not None and row["value"] == 2.0 and (row["from_ns"], row["to_ns"]) == (1, 2)
    assert measured.reading("a", "SOL") is None and measured.reading("b") is None
