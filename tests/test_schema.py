"""Declared tables are consistent, and `conform` lets nothing else through."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from deleverage import schema
from deleverage.errors import SchemaError
from deleverage.schema import Column, Table, conform, empty

DECLARED = list(
    {
        id(t): t for t in [*schema.LAKE_TABLES.values(), *schema.ANSWER_TABLES.values(), schema.FINDINGS]
    }.values()
)

SMALL = Table(
    "small",
    (
        Column("time_ns", "Int64", "ns UTC", "event time"),
        Column("coin", "String", "", "base asset"),
        Column("price", "Float64", "USD/coin", "last price"),
        Column("coins", "Float64", "coins", "traded", nullable=True),
    ),
    ("time_ns", "coin"),
    "a table for these tests",
)


def frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "time_ns": [1, 1, 2],
            "coin": ["BTC", "ETH", "BTC"],
            "price": [1.5, 2.5, 3.5],
            "coins": [None, 0.0, 7.0],
        }
    )


@pytest.mark.parametrize("table", DECLARED, ids=lambda table: table.name)
def test_declared_table_is_consistent(table: Table) -> None:
    assert len(set(table.names)) == len(table.names)
    assert table.key, "rows that nothing tells apart cannot be checked for repeats"
    by_name = {column.name: column for column in table.columns}
    for name in table.key:
        assert not by_name[name].nullable, f"key column {name} may be null"
    for column in table.columns:
        assert issubclass(getattr(pl, column.dtype), pl.DataType)
    assert table.meaning


@pytest.mark.parametrize("table", DECLARED, ids=lambda table: table.name)
def test_units_are_those_that_names_promise(table: Table) -> None:
    promised = {"_ns": "ns UTC", "_s": "s", "_usd": "USD", "_coins": "coins", "_bps": "bp", "_ppm": "ppm"}
    for column in table.columns:
        for ending, unit in promised.items():
            if column.name.endswith(ending):
                assert column.unit == unit, column.name


@pytest.mark.parametrize("table", DECLARED, ids=lambda table: table.name)
def test_empty_table_conforms(table: Table) -> None:
    made = empty(table)
    assert made.height == 0
    assert tuple(made.columns) == table.names
    assert conform(made, table).schema == made.schema


def test_tables_are_filed_under_their_names() -> None:
    assert all(name == table.name for name, table in schema.LAKE_TABLES.items())
    assert all(name == table.name for name, table in schema.ANSWER_TABLES.items())


@pytest.mark.parametrize("table", schema.LAKE_TABLES.values(), ids=lambda table: table.name)
def test_lake_rows_say_when_they_happened_when_they_came_and_from_where(table: Table) -> None:
    assert table.names[0] == "time_ns" and table.names[-1] == "source"
    received = next(column for column in table.columns if column.name == "received_ns")
    assert received.nullable and received.dtype == "Int64"
    assert "time_ns" in table.key or table.name == "payloads"


def test_bars_of_an_answer_are_those_of_the_lake_without_their_receive_time() -> None:
    names = [name for name in schema.LAKE_CANDLES.names if name != "received_ns"]
    assert list(schema.CANDLES.names) == names
    assert schema.CANDLES.key == schema.LAKE_CANDLES.key


def test_columns_come_back_in_the_declared_order() -> None:
    shuffled = frame().select("price", "coins", "coin", "time_ns")
    assert conform(shuffled, SMALL).equals(frame())


def test_smaller_integers_are_widened_and_whole_prices_become_floats() -> None:
    made = conform(frame().with_columns(pl.col("time_ns").cast(pl.UInt16), price=pl.lit(3, pl.Int32)), SMALL)
    assert made.schema == {"time_ns": pl.Int64, "coin": pl.String, "price": pl.Float64, "coins": pl.Float64}
    assert made["price"].to_list() == [3.0, 3.0, 3.0]


def test_column_without_any_observation_takes_its_type() -> None:
    made = conform(frame().with_columns(coins=pl.lit(None)), SMALL)
    assert made.schema["coins"] == pl.Float64
    assert made["coins"].null_count() == 3


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (frame().drop("coin"), r"'small' needs columns .* missing \['coin'\]"),
        (frame().with_columns(extra=1), r"not known \['extra'\]"),
        (frame().rename({"price": "Price"}), r"missing \['price'\], not known \['Price'\]"),
        (
            frame().with_columns(time_ns=pl.lit("2025-10-10")),
            "'time_ns' of table 'small' must be Int64, found String",
        ),
        (
            frame().with_columns(time_ns=pl.lit(datetime(2025, 10, 10, tzinfo=UTC))),
            "'time_ns' .* must be Int64, found Datetime",
        ),
        (
            frame().with_columns(pl.col("time_ns").cast(pl.Float64)),
            "'time_ns' .* must be Int64, found Float64",
        ),
        (frame().with_columns(pl.col("price").cast(pl.String)), "'price' .* must be Float64, found String"),
        (frame().with_columns(price=pl.lit(True)), "'price' .* must be Float64, found Boolean"),
        (frame().with_columns(price=pl.lit(None)), "'price' .* may not be null; 3 rows are"),
        (frame().with_columns(price=pl.lit(float("nan"))), "'price' .* not finite"),
        (
            frame().with_columns(coins=pl.lit(float("nan"))),
            "'coins' .* not finite; an unobserved value is null",
        ),
        (frame().with_columns(coins=pl.lit(float("-inf"))), "'coins' .* not finite"),
        (frame().with_columns(time_ns=pl.lit(2**64 - 1, pl.UInt64)), "'small'"),
        (frame().with_columns(time_ns=1, coin=pl.lit("BTC")), r"rows repeat the key \['time_ns', 'coin'\]"),
    ],
)
def test_anything_else_is_refused(changed: pl.DataFrame, message: str) -> None:
    with pytest.raises(SchemaError, match=message) as caught:
        conform(changed, SMALL)
    assert caught.value.context["table"] == "small"


def test_same_key_value_in_one_column_is_no_repeat() -> None:
    assert conform(frame(), SMALL).height == 3
