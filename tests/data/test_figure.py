"""A figure is exactly one number with its file and sha256, or an error that says what is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deleverage.data import FigureQuery, Lake, import_paths
from deleverage.data.lake import sha256_of
from deleverage.errors import InputError, MissingDataError, SchemaError, UnitError
from tests.data import tiny

QUERY = FigureQuery("candles", "2025-10-10T20:01:00Z", "close", {"kind": "perp", "interval_s": 60})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    import_paths([tiny.whole_folder(tmp_path / "data")], tmp_path / "lake")
    return Lake.open(tmp_path / "lake")


def test_one_number_with_its_file_and_sha256(lake: Lake, tmp_path: Path) -> None:
    found = lake.figure(QUERY)
    name = "perp_1m/BTCUSDT-perp-1m-2025-10-10.csv"
    assert (found.value, found.unit, found.source) == (116_050.0, "USD/coin", name)
    assert found.sha256 == sha256_of(tmp_path / "data" / name)
    assert found.time_ns == tiny.ns("2025-10-10T20:01:00Z")


def test_a_time_that_is_not_there_names_its_neighbours_and_what_to_run(lake: Lake) -> None:
    with pytest.raises(
        MissingDataError,
        match=r"no row with kind = 'perp'.*nearest are at 2025-10-10T20:01:00Z and "
        r"2025-10-10T20:02:00Z\n.*deleverage import",
    ):
        lake.figure(replace(QUERY, at="2025-10-10T20:01:30Z"))
    with pytest.raises(MissingDataError, match="at any time"):
        lake.figure(replace(QUERY, where={"coin": "LUNA"}))


def test_an_older_row_does_only_where_its_age_is_allowed(lake: Lake) -> None:
    late = replace(QUERY, at="2025-10-10T20:03:30Z")
    assert lake.figure(replace(late, max_age_s=120)).time_ns == tiny.ns("2025-10-10T20:02:00Z")
    with pytest.raises(MissingDataError):
        lake.figure(replace(late, max_age_s=60))


def test_a_query_that_leaves_several_rows_says_what_to_add(lake: Lake) -> None:
    with pytest.raises(
        InputError, match=r"leaves 2 rows of 'candles', which differ in \['venue', 'symbol'\]"
    ):
        lake.figure(FigureQuery("candles", "2025-10-10T21:00:00Z", "open", {"kind": "perp"}))


def test_a_value_that_was_not_observed_is_missing_and_not_zero(lake: Lake) -> None:
    with pytest.raises(MissingDataError, match="'open_interest_coins' was not observed"):
        lake.figure(
            FigureQuery(
                "snapshots", "2025-10-10T20:00:00Z", "open_interest_coins", {"symbol": "BTCUSDT_251226"}
            )
        )


def test_words_where_numbers_are_asked_for_are_refused(lake: Lake) -> None:
    with pytest.raises(SchemaError, match="has the numbers"):
        lake.figure(replace(QUERY, column="venue"))
    with pytest.raises(SchemaError, match="expected a table"):
        lake.figure(replace(QUERY, table="prices"))
    with pytest.raises(UnitError, match="with its zone"):
        lake.figure(replace(QUERY, at="2025-10-10T20:01:00"))
    with pytest.raises(UnitError, match="ISO time"):
        lake.figure(replace(QUERY, at="yesterday"))


def test_a_query_out_of_toml() -> None:
    table = {
        "table": "candles",
        "at": datetime(2025, 10, 10, 20, 1, tzinfo=UTC),
        "column": "close",
        "where": {"kind": "perp", "interval_s": 60},
    }
    made = FigureQuery.from_mapping(table)
    assert (made.table, made.column, made.where, made.max_age_s) == ("candles", "close", QUERY.where, 0.0)
    assert made.at == "2025-10-10T20:01:00+00:00"
    with pytest.raises(SchemaError, match=r"not known \['when'\]"):
        FigureQuery.from_mapping(table | {"when": 3})
    with pytest.raises(SchemaError, match=r"missing \['column'\]"):
        FigureQuery.from_mapping({"table": "candles", "at": "x"})
    with pytest.raises(SchemaError, match="'where'"):
        FigureQuery.from_mapping(table | {"where": "BTC"})
