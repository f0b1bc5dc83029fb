"""What a query needs of the lake: never less, and less than all of it where its words say so plainly."""

from __future__ import annotations

import duckdb
import pytest

from deleverage.data.lake.needs import Need, needs

TABLES = {
    "trades": '"time_ns" BIGINT, "venue" VARCHAR, "price" DOUBLE',
    "candles": '"time_ns" BIGINT, "venue" VARCHAR, "close" DOUBLE',
}
ALL = {"trades": Need(), "candles": Need()}


def needed(query: str) -> dict[str, Need]:
    with duckdb.connect(":memory:") as connection:
        return needs(connection, query, TABLES)


def of_trades(*columns: str, rows: int | None = None) -> dict[str, Need]:
    return {"trades": Need(frozenset(columns), rows=rows)}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select 1", {}),
        ("show tables", {}),
        ("describe trades", {}),
        ("select price from trades where false", {}),
        ("select sum(price) from trades", of_trades("price")),
        ("select price from trades limit 3", of_trades("price", rows=3)),
        ("select price + 1 from trades limit 3 offset 4", of_trades("price", rows=7)),
        ("select price from trades order by price limit 3", of_trades("price")),
        ("select distinct price from trades limit 3", of_trades("price")),
        ("select price from trades limit 10%", of_trades("price")),
    ],
)
def test_columns_and_first_rows_are_those_that_are_looked_at(query: str, expected: dict[str, Need]) -> None:
    assert needed(query) == expected


@pytest.mark.parametrize(
    ("condition", "start", "end", "venues"),
    [
        ("time_ns >= 5 and time_ns < 9", 5, 8, None),
        ("time_ns between 2 + 3 and 9", 5, 9, None),
        ("time_ns = 7 and venue = 'okx'", 7, 7, {"okx"}),
        ("venue in ('okx', 'bybit') and price > 3", None, None, {"okx", "bybit"}),
        ("5 < time_ns and (price > 1 or venue = 'okx')", 6, None, None),
        ("time_ns > 5 or venue = 'okx'", None, None, None),
        ("not (time_ns > 5 and venue = 'okx')", None, None, None),
        ("venue <> 'okx'", None, None, None),
        ("venue = 'o''kx'", None, None, None),
        ("venue = 'a) AND (time_ns < 5'", None, None, {"a) AND (time_ns < 5"}),
        ("venue = 'a'') AND (time_ns < 5) AND (''b'", None, None, None),
        ("venue = 'a' || chr(10) || '(time_ns < 5)' || chr(10) || 'b'", None, None, None),
        ("venue = 'a'')' || chr(10) || '(time_ns < 5)' || chr(10) || '(''b'", None, None, None),
        ("time_ns < 9223372036854775807", None, None, None),
        ("time_ns > 5.5", None, None, None),
        ("time_ns % 7 = 5", None, None, None),
    ],
)
def test_times_and_venues_are_only_those_that_must_hold(
    condition: str, start: int | None, end: int | None, venues: set[str] | None
) -> None:
    found = needed(f"select price from trades where {condition}")["trades"]
    assert (found.start_ns, found.end_ns) == (start, end)
    assert found.venues == (None if venues is None else frozenset(venues))
    assert found.columns is not None and "price" in found.columns and found.rows is None


def test_a_table_that_is_scanned_twice_needs_what_either_scan_does() -> None:
    found = needed(
        "select (select max(price) from trades where time_ns > 5 and venue = 'okx'), "
        "(select min(venue) from trades where time_ns > 9 and time_ns < 20 and venue = 'bybit')"
    )
    assert found["trades"].start_ns == 6 and found["trades"].end_ns is None
    assert found["trades"].venues == frozenset({"okx", "bybit"})
    assert found["trades"].columns is not None and found["trades"].columns >= {"price", "venue"}
    found = needed("(select price from trades limit 3) union all (select price from trades limit 9)")
    assert found["trades"].rows is None


def test_the_other_side_of_an_outer_join_is_needed_whole() -> None:
    found = needed(
        "select price, close from trades t left join candles c on t.venue = c.venue and c.time_ns > 5"
    )
    assert found["trades"].start_ns is None and found["candles"].start_ns == 6


def test_an_explained_query_needs_what_it_would_need_and_what_hides_it_needs_all() -> None:
    plain = needed("select price from trades where venue = 'okx'")
    for start in ("explain", "EXPLAIN ANALYZE", "explain (analyze)"):
        assert needed(f"{start} select price from trades where venue = 'okx'") == plain
    assert needed("-- why\nexplain select price from trades") == ALL


@pytest.mark.parametrize("query", ["select x from trades", "select 1 from nothing", "from read_csv('x.csv')"])
def test_what_cannot_be_answered_is_told_before_anything_is_brought(query: str) -> None:
    with pytest.raises(duckdb.Error):
        needed(query)
