"""Bad input: the class of the error, what its one message names, and that nothing was written."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from deleverage.data import Lake, import_paths
from deleverage.errors import (
    DataError,
    DeleverageError,
    InputError,
    RulesError,
    SchemaError,
    SourceChanged,
    UnitError,
    exit_code,
)
from tests.data import tiny

Make = Callable[[Path], Path]
DEPTH = "api_futures_orderbook_ask_bids_history_BTC.parquet"
MINUTES = "BTCUSDT-perp-1m-2025-10-10.csv"


def changed(line: int, old: str, new: str) -> Make:
    """The minute file with one line changed; line 0 is the header."""

    def make(folder: Path) -> Path:
        path = tiny.minutes(folder)
        lines = path.read_text().split("\n")
        assert old in lines[line]
        lines[line] = lines[line].replace(old, new)
        path.write_text("\n".join(lines))
        return path

    return make


def cut(make: Make, keep: Callable[[bytes], int]) -> Make:
    """The file that ``make`` writes, with only its first bytes."""

    def cut_off(folder: Path) -> Path:
        path = make(folder)
        whole = path.read_bytes()
        path.write_bytes(whole[: keep(whole)])
        return path

    return cut_off


def altered(make: Make, change: pl.Expr) -> Make:
    """The Parquet file that ``make`` writes, with a column changed."""

    def alter(folder: Path) -> Path:
        path = make(folder)
        pl.read_parquet(path).with_columns(change).write_parquet(path)
        return path

    return alter


def depth(folder: Path) -> Path:
    tiny.chart(folder)
    return tiny.depth(folder, (119_000.0, 119_480.0, 118_300.0), name=DEPTH)


def pairs(folder: Path) -> Path:
    tiny.chart(folder)
    return tiny.pairs(folder)


def without(make: Make, column: str) -> Make:
    def drop(folder: Path) -> Path:
        path = make(folder)
        pl.read_parquet(path).drop(column).write_parquet(path)
        return path

    return drop


def second_tier(**changes: object) -> Make:
    good = tiny.tier(2, 300_000.0, 800_000.0, 0.005, 100.0, 300.0)

    def make(folder: Path) -> Path:
        info = dict(good["info"]) if isinstance(good["info"], dict) else {}
        row = good | {"info": info | {"cum": str(changes.pop("cum", 300.0))}} | changes
        return tiny.tiers(folder, row)

    return make


def in_cents(folder: Path) -> Path:
    rows = [r.replace("116", "116", 1) for r in tiny.minute_rows()]
    scaled = []
    for row in rows:
        cells = row.split(",")
        scaled.append(",".join([cells[0], *(str(float(c) * 100) for c in cells[1:5]), *cells[5:]]))
    return tiny.minutes(folder, scaled)


def two_files_that_disagree(folder: Path) -> Path:
    tiny.spot_hourly(folder / "data", "LINK", 17.0)
    frame = pl.read_parquet(tiny.venue_candles(folder / "data"))
    off = frame.with_columns(pl.lit("LINK").alias("coin"), *(pl.lit(1700.0).alias(c) for c in "ohlc"))
    off.write_parquet(folder / "data" / "multi" / "candles.parquet")
    return folder / "data"


CASES: dict[str, tuple[Make, type[DeleverageError], tuple[str, ...]]] = {
    "a CSV that ends inside a line": (
        cut(tiny.minutes, lambda b: len(b) - 30),
        SchemaError,
        (MINUTES, "line 4", "8 fields", "cut off"),
    ),
    "a CSV that ends inside the last number": (
        cut(tiny.minutes, lambda b: len(b) - 3),
        SchemaError,
        (MINUTES, "line 4", "line break", "cut off"),
    ),
    "a CSV of which only the header is left": (
        cut(tiny.minutes, lambda b: b.index(b"\n") + 1),
        SchemaError,
        (MINUTES, "at least one row"),
    ),
    "an empty file": (cut(tiny.minutes, lambda b: 0), SourceChanged, (MINUTES, "empty or cut off")),
    "a gzip file that is cut off": (
        cut(tiny.settled_funding, lambda b: len(b) - 12),
        SourceChanged,
        ("funding_all.csv.gz", "cut off"),
    ),
    "a Parquet file that is cut off": (
        cut(tiny.venue_candles, lambda b: len(b) // 2),
        SourceChanged,
        ("candles.parquet", "cut off"),
    ),
    "a JSON file that is cut off": (
        cut(tiny.tiers, lambda b: len(b) - 40),
        SourceChanged,
        ("tiers", "parses", "again"),
    ),
    "a column that is missing": (
        changed(0, "low,", "lo,"),
        SchemaError,
        (MINUTES, "line 1", "field 'low'", "without ['low']"),
    ),
    "a Parquet column that is missing": (
        without(pairs, "index_price"),
        SchemaError,
        ("pairs_markets", "field 'index_price'"),
    ),
    "a line with one field more": (
        changed(2, ",100,", ",100,1,"),
        SchemaError,
        (MINUTES, "line 3", "found 9"),
    ),
    "a word for a number": (changed(2, "115900.0", "oops"), SchemaError, ("line 3", "field 'low'", "'oops'")),
    "a NaN for a number": (changed(2, "115900.0", "NaN"), SchemaError, ("line 3", "field 'low'", "'NaN'")),
    "a field that is empty": (changed(3, ",10.500,", ",,"), SchemaError, ("line 4", "field 'volume'", "''")),
    "seconds for milliseconds": (
        lambda folder: tiny.minutes(folder, [r.replace("000,", ",", 1) for r in tiny.minute_rows()]),
        UnitError,
        ("line 2", "field 'open_time'", "milliseconds", "in seconds"),
    ),
    "microseconds for milliseconds": (
        lambda folder: tiny.minutes(folder, [r.replace(",", "000,", 1) for r in tiny.minute_rows()]),
        UnitError,
        ("line 2", "field 'open_time'", "milliseconds", "in microseconds"),
    ),
    "milliseconds and microseconds in one kline file": (
        lambda folder: tiny.put(
            tiny.klines(folder, unit=1000),
            "\n".join(
                tiny.klines(folder, unit=u).read_text().split("\n")[i] for i, u in enumerate((1000, 1, 1))
            )
            + "\n",
        ),
        UnitError,
        ("BTCUSDT-5m-2025-10.csv", "line 2", "microseconds"),
    ),
    "a kline file of another interval than its name": (
        lambda folder: tiny.klines(folder).rename(folder / "binance_spot" / "BTCUSDT-1h-2025-10.csv"),
        UnitError,
        ("BTCUSDT-1h-2025-10.csv", "line 1", "field 'close_time'", "3600 s"),
    ),
    "a kline file with a column less": (
        lambda folder: tiny.put(
            tiny.klines(folder), "\n".join(r[:-2] for r in tiny.klines(folder).read_text().split()) + "\n"
        ),
        SchemaError,
        ("line 1", "12 fields", "found 11"),
    ),
    "times that go back": (
        lambda folder: tiny.minutes(folder, [tiny.minute_rows()[i] for i in (0, 2, 1)]),
        SchemaError,
        ("line 4", "field 'open_time'", "increase"),
    ),
    "a time twice": (
        lambda folder: tiny.minutes(folder, [tiny.minute_rows()[i] for i in (0, 1, 1)]),
        SchemaError,
        ("line 4", "field 'open_time'", "without repeating"),
    ),
    "a high below the low": (
        changed(2, "116100.0", "115800.0"),
        SchemaError,
        ("line 3", "field 'high'", "115800"),
    ),
    "a close above the high": (changed(2, "116050.0", "116500.0"), SchemaError, ("line 3", "field 'close'")),
    "a negative price": (
        changed(2, "115900.0", "-115900.0"),
        UnitError,
        ("line 3", "field 'low'", "above 0"),
    ),
    "a negative volume": (changed(2, "10.500", "-10.500"), UnitError, ("line 3", "field 'volume", "-10.5")),
    "prices in cents": (in_cents, UnitError, ("line 2", "field 'open'", "USD per coin", "cents")),
    "one price that jumps five-fold": (
        lambda folder: tiny.minutes(
            folder, [*tiny.minute_rows(2), tiny.minute_rows(3)[2].replace("11", "61").replace("10,4", "1,0")]
        ),
        UnitError,
        ("line 4", "field 'open'", "factor of 5"),
    ),
    "two files that disagree on a price": (
        two_files_that_disagree,
        UnitError,
        ("LINK", "factor of 5", "candles.parquet", "LINK_USDT_1h.csv"),
    ),
    "a negative depth": (
        altered(depth, -pl.col("bids_quantity")),
        UnitError,
        (DEPTH, "row 1", "field 'bids_quantity'", "-1000"),
    ),
    "a depth in another unit": (
        altered(depth, pl.col("bids_usd") * 1000),
        UnitError,
        (DEPTH, "row 1", "mean ask"),
    ),
    "a depth of another coin than its name": (
        lambda folder: (
            tiny.chart(folder, "ETH", 4_000.0),
            depth(folder).rename(
                folder / "20251010" / "futures" / "order_book" / DEPTH.replace("BTC", "ETH")
            ),
        )[1],
        UnitError,
        ("_ETH.parquet", "price"),
    ),
    "a negative open interest": (
        altered(tiny.chart, -pl.col("BINANCE")),
        UnitError,
        ("chart_BTC", "row 1", "field 'BINANCE'"),
    ),
    "funding in percent": (
        lambda folder: tiny.settled_funding(folder, ("0.0100", "0.0100")),
        UnitError,
        ("funding_all.csv.gz", "line 2", "shares per interval"),
    ),
    "funding far above any cap": (
        lambda folder: tiny.venue_funding(folder, (0.0001, 0.5, 0.0001)),
        UnitError,
        ("row 2", "field 'funding_rate'"),
    ),
    "a contract twice": (
        lambda folder: (pairs(folder), altered(pairs, pl.lit("BTCUSDT").alias("instrument_id"))(folder))[1],
        SchemaError,
        ("row 1", "field 'instrument_id'", "once"),
    ),
    "tiers whose rate falls": (
        second_tier(maintenanceMarginRate=0.003),
        RulesError,
        (
            "binance_leverage_tiers_2025-10-09.json",
            "BTC/USDT:USDT",
            "tier 2",
            "field 'maintenanceMarginRate'",
        ),
    ),
    "tiers that leave a gap": (
        second_tier(minNotional=400_000.0),
        RulesError,
        ("tier 2", "field 'minNotional'"),
    ),
    "a cap below its floor": (
        second_tier(maxNotional=200_000.0),
        RulesError,
        ("tier 2", "field 'maxNotional'"),
    ),
    "a leverage that rises": (second_tier(maxLeverage=200.0), RulesError, ("tier 2", "field 'maxLeverage'")),
    "a deduction that breaks the margin": (
        second_tier(cum=500.0),
        RulesError,
        ("tier 2", "field 'cum'", "300"),
    ),
    "tier rates in percent": (
        second_tier(maintenanceMarginRate=5.0),
        UnitError,
        ("tier 2", "0.004 for 0.4 %"),
    ),
    "a file that nothing knows": (
        lambda folder: tiny.put(folder / "x.csv", "a,b\n1,2\n"),
        SchemaError,
        ("x.csv", "a, b"),
    ),
    "a path that is not there": (
        lambda folder: folder / "nowhere",
        InputError,
        ("nowhere", "check the path"),
    ),
    "a folder without files": (lambda folder: folder, InputError, ("found none",)),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_refused_with_one_message_and_nothing_is_written(case: str, tmp_path: Path) -> None:
    make, kind, words = CASES[case]
    folder = tmp_path / "in"
    folder.mkdir()
    given = make(folder)
    with pytest.raises(DeleverageError) as caught:
        import_paths([given], tmp_path / "lake")
    assert type(caught.value) is kind
    for word in words:
        assert word in str(caught.value)
    assert str(tmp_path) not in str(caught.value) or case.startswith(("a path", "a folder"))
    assert exit_code(caught.value) in (2, 3)
    assert caught.value.hint
    assert not (tmp_path / "lake").exists()


def test_one_bad_file_in_a_folder_refuses_the_whole_import_and_leaves_the_lake_as_it_was(
    tmp_path: Path,
) -> None:
    tiny.klines(tmp_path / "a")
    import_paths([tmp_path / "a"], tmp_path / "lake")
    before = {p: p.read_bytes() for p in (tmp_path / "lake").rglob("*") if p.is_file() and p.name != ".lock"}
    tiny.whole_folder(tmp_path / "b")
    second_tier(maintenanceMarginRate=0.003)(tmp_path / "b")
    with pytest.raises(RulesError):
        import_paths([tmp_path / "b"], tmp_path / "lake")
    after = {p: p.read_bytes() for p in (tmp_path / "lake").rglob("*") if p.is_file() and p.name != ".lock"}
    assert after == before


def test_a_folder_that_holds_other_things_is_not_made_a_lake(tmp_path: Path) -> None:
    tiny.put(tmp_path / "home" / "letter.txt", "dear\n")
    with pytest.raises(InputError, match=r"letter\.txt"):
        import_paths([tiny.minutes(tmp_path)], tmp_path / "home")
    assert [p.name for p in (tmp_path / "home").iterdir()] == ["letter.txt"]


def test_prices_are_compared_with_those_already_in_the_lake(tmp_path: Path) -> None:
    import_paths([tiny.spot_hourly(tmp_path, "LINK", 17.0)], tmp_path / "lake")
    frame = pl.read_parquet(tiny.venue_candles(tmp_path)).with_columns(
        pl.lit("LINK").alias("coin"), *(pl.lit(1700.0).alias(c) for c in "ohlc")
    )
    with pytest.raises(UnitError, match=r"LINK.*factor of 5"):
        import_paths([tiny.parquet(tmp_path / "multi" / "candles.parquet", frame)], tmp_path / "lake")
    assert Lake.open(tmp_path / "lake").read("candles").height == 3


def test_a_lake_that_is_not_there_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="deleverage import"):
        Lake.open(tmp_path / "none")


def test_a_lake_whose_log_is_damaged_is_refused(tmp_path: Path) -> None:
    import_paths([tiny.minutes(tmp_path)], tmp_path / "lake")
    tiny.put(tmp_path / "lake" / "imports" / "_delta_log" / f"{0:020}.json", "{")
    with pytest.raises(DataError, match="readable table 'imports'"):
        Lake.open(tmp_path / "lake")


def test_an_unusable_gzip_in_a_folder_is_listed_when_nothing_says_what_it_was(tmp_path: Path) -> None:
    tiny.minutes(tmp_path / "data")
    (tmp_path / "data" / "x.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n")[:-15])
    report = import_paths([tmp_path / "data"], tmp_path / "lake")
    assert [file for file, _ in report.skipped] == ["x.csv.gz"]
