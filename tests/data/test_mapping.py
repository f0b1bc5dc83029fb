"""A mapping file says what CSV and Parquet files hold; every mistake in it is named with its key and line."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from deleverage.data import Lake, import_paths
from deleverage.data.mapping import read_mapping
from deleverage.errors import InputError, SchemaError, UnitError
from tests.data import tiny

GOOD = """
table = "open_interest"

[time]
column = "when"
unit = "milliseconds"

[columns]
coins = "size"
usd = { column = "value_m", unit = "million" }

[constants]
venue = "lagoon"
coin = "BTC"
scope = "all"
"""
ROWS = "when,size,value_m,note\n1760126400000,120.5,13.978,a\n1760130000000,,14.0,b\n"


def imported(tmp_path: Path, mapping: str = GOOD, rows: str = ROWS) -> pl.DataFrame:
    path = tiny.put(tmp_path / "data" / "oi.csv", rows)
    import_paths([path], tmp_path / "lake", mapping=tiny.put(tmp_path / "oi.toml", mapping))
    return Lake.open(tmp_path / "lake").read("open_interest")


def test_columns_units_and_constants_become_rows_and_what_is_empty_is_null(tmp_path: Path) -> None:
    rows = imported(tmp_path)
    assert rows["time_ns"].to_list() == [tiny.ns("2025-10-10T20:00:00Z"), tiny.ns("2025-10-10T21:00:00Z")]
    assert rows["usd"].to_list() == [pytest.approx(13_978_000.0), 14_000_000.0]
    assert rows["coins"].to_list() == [120.5, None]
    assert (rows["venue"][0], rows["scope"][0], rows["price"][0]) == ("lagoon", "all", None)


def test_written_times_are_read_in_their_format(tmp_path: Path) -> None:
    mapping = GOOD.replace('unit = "milliseconds"', 'format = "%d.%m.%Y %H:%M"')
    rows = imported(
        tmp_path,
        mapping,
        ROWS.replace("1760126400000", "10.10.2025 20:00").replace("1760130000000", "10.10.2025 21:00"),
    )
    assert rows["time_ns"][0] == tiny.ns("2025-10-10T20:00:00Z")


def test_parquet_is_read_the_same(tmp_path: Path) -> None:
    frame = pl.DataFrame({"when": [1760126400000], "size": [120.5], "value_m": [13.978]})
    path = tiny.parquet(tmp_path / "data" / "oi.parquet", frame)
    import_paths([path], tmp_path / "lake", mapping=tiny.put(tmp_path / "oi.toml", GOOD))
    assert Lake.open(tmp_path / "lake").read("open_interest")["coins"].to_list() == [120.5]


def test_the_same_file_with_the_same_mapping_adds_nothing_and_with_another_is_read_again(
    tmp_path: Path,
) -> None:
    imported(tmp_path)
    path, mapping = tmp_path / "data" / "oi.csv", tmp_path / "oi.toml"
    assert import_paths([path], tmp_path / "lake", mapping=mapping).known
    other = tiny.put(tmp_path / "other.toml", GOOD.replace("lagoon", "reef"))
    assert import_paths([path], tmp_path / "lake", mapping=other).added == {"open_interest": 2}


MISTAKES = {
    "a table that is none": (
        '"open_interest"',
        '"open_intrest"',
        ("line 2", "key 'table'", "'open_intrest'"),
    ),
    "a key that is none": (
        "[time]\n",
        '[time]\nzone = "UTC"\n',
        ("line 5", "key 'zone'", "column, unit, format"),
    ),
    "a unit of time that is none": ('"milliseconds"', '"ms"', ("line 6", "key 'unit'", "'ms'", "seconds")),
    "unit and format": ('unit = "milliseconds"', 'unit = "seconds"\nformat = "%Y"', ("key 'time'", "both")),
    "a column that the table has not": ("coins =", "coin_s =", ("line 9", "key 'coin_s'", "coins")),
    "a unit that is none": ('unit = "million"', 'unit = "mio"', ("line 10", "key 'usd'", "million", "'mio'")),
    "a column and a constant": ('scope = "all"', 'scope = "all"\nusd = 1.0', ("key 'usd'", "both")),
    "a constant of another type": (
        'venue = "lagoon"',
        "venue = 7",
        ("line 13", "key 'venue'", "String", "7"),
    ),
    "a column that may not be empty": ('coin = "BTC"\n', "", ("key 'columns'", "no coin")),
    "no TOML": ("[time]", "[time", ("oi.toml", "TOML", "line 4")),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_in_a_mapping_is_named_with_its_key_and_line(case: str, tmp_path: Path) -> None:
    old, new, words = MISTAKES[case]
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        read_mapping(tiny.put(tmp_path / "oi.toml", GOOD.replace(old, new, 1)))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "kind", "words"),
    [
        (ROWS.replace("120.5", "many"), SchemaError, "line 2, field 'size'.*'many'"),
        (ROWS.replace("13.978", ""), SchemaError, "line 2, field 'value_m'"),
        (ROWS.replace("1760126400000", "1760126400"), UnitError, "line 2, field 'when'.*in seconds"),
        (ROWS.replace("when,", "then,"), SchemaError, "line 1, field 'when'"),
        (ROWS.replace("1760130000000", "1760126400000"), SchemaError, "line 3.*different values"),
    ],
)
def test_a_file_that_is_not_as_the_mapping_says_is_refused(
    rows: str, kind: type[Exception], words: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=words):
        imported(tmp_path, rows=rows)
    assert not (tmp_path / "lake").exists()


def test_other_files_are_refused_with_a_mapping(tmp_path: Path) -> None:
    path = tiny.put(tmp_path / "x.json", "{}")
    with pytest.raises(SchemaError, match="CSV with a header"):
        import_paths([path], tmp_path / "lake", mapping=tiny.put(tmp_path / "oi.toml", GOOD))


def test_a_mapping_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found none at .*gone\.toml"):
        import_paths([tiny.minutes(tmp_path)], tmp_path / "lake", mapping=tmp_path / "gone.toml")


def test_a_mapping_that_is_not_utf8_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "oi.toml"
    path.write_bytes(b'table = "\xff"\n')
    with pytest.raises(InputError, match=r"oi\.toml.*UTF-8.*0xff"):
        read_mapping(path)


TRADE = """
table = "trades"
[time]
column = "when"
unit = "UNIT"
[columns]
trade_id = "id"
side = "side"
kind = "kind"
symbol = "symbol"
price = "price"
coins = "coins"
usd = "usd"
venue = "venue"
[constants]
coin = "BTC"
"""
TRADES = (
    "when,id,side,kind,symbol,price,coins,usd,venue\n1760126400000,1,buy,perp,BTCUSDT,100000,2,200000,reef\n"
)
IMPOSSIBLE = {
    "side": (",buy,", ",long,", "one of buy, sell"),
    "kind": (",perp,", ",swap,", "one of perp, spot, future"),
    "usd": (",200000,", ",210000,", "within 1 %"),
    "venue": (",reef", ",../reef", "no path"),
    "symbol": ("BTCUSDT", "..\\x", "no path"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_rows_that_cannot_be_are_refused_with_file_and_row(case: str, tmp_path: Path) -> None:
    old, new, words = IMPOSSIBLE[case]
    mapping = tiny.put(tmp_path / "t.toml", TRADE.replace("UNIT", "milliseconds"))
    import_paths([tiny.put(tmp_path / "good" / "t.csv", TRADES)], tmp_path / "lake", mapping=mapping)
    bad = tiny.put(tmp_path / "bad" / "t.csv", TRADES.replace(old, new))
    with pytest.raises(InputError, match=rf"t\.csv, line 2, field '{case}'.*{words}"):
        import_paths([bad], tmp_path / "other", mapping=mapping)
    assert not (tmp_path / "other").exists()


def test_a_negative_amount_of_a_mapped_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnitError, match=r"line 2.*'usd'.*0 or more"):
        imported(tmp_path, rows=ROWS.replace("13.978", "-13.978"))
