"""alternative.me's Fear & Greed: its own reply, and copies of it in two other layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import (
    NO_NAME,
    Defect,
    Importer,
    Loaded,
    SourceFile,
    only_columns,
    place_of,
    refusal,
)
from deleverage.data.importers.csv_text import read_csv
from deleverage.data.importers.json_text import number, read_document
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import DAY_NS, DAY_S, days, holes, iso_day
from deleverage.errors import SchemaError, UnitError

if TYPE_CHECKING:
    import polars as pl

_PUBLISHER = "alternative.me"
_KEYS = {"value", "value_classification", "timestamp"}
_SHORT = {"date": "String", "fng": "Int64"}
_LONG = {"date": "String", "timestamp": "Int64", "value": "Float64", "classification": "String"}


def recognise_reply(layout: Layout) -> bool:
    """A JSON reply with value, classification and timestamp, alone or under 'data'."""
    return layout.kind == "json" and set(layout.names) >= _KEYS


def load_reply(source: SourceFile) -> Loaded:
    """The publisher's reply; its times are in seconds, newest first."""
    import polars as pl

    document = read_document(source)
    entries = document.get("data") if isinstance(document, dict) else document
    if not isinstance(entries, list) or not entries:
        raise refusal(
            SchemaError,
            source,
            expected="a list of days",
            found=str(document)[:40],
            todo="give the reply as it came",
        )
    rows = []
    for row, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or not set(entry) >= _KEYS:
            raise refusal(
                SchemaError,
                source,
                place=f"row {row}",
                expected=f"an object with {sorted(_KEYS)}",
                found=str(entry)[:60],
                todo="give the reply as it came",
            )
        place = f"row {row}"
        rows.append(
            (
                row,
                int(number(source, place, "timestamp", entry["timestamp"])),
                number(source, place, "value", entry["value"]),
                str(entry["value_classification"]),
            )
        )
    frame = pl.DataFrame(rows, schema=["_row", "timestamp", "value", "class"], orient="row")
    frame = checks.with_time_ns(frame, source, "timestamp", "seconds")
    return _sentiment(source, frame)


def recognise_short(layout: Layout) -> bool:
    """A CSV with a date and 'fng'."""
    return only_columns(layout, "csv", tuple(_SHORT))


def load_short(source: SourceFile) -> Loaded:
    """Date and value."""
    import polars as pl

    frame = days(read_csv(source, _SHORT), source, "date").rename({"fng": "value"})
    return _sentiment(source, frame.with_columns(pl.lit(None, dtype=pl.String).alias("class")))


def recognise_long(layout: Layout) -> bool:
    """A CSV with date, time in seconds, value and classification."""
    return only_columns(layout, "csv", tuple(_LONG))


def load_long(source: SourceFile) -> Loaded:
    """The date must be that of the time."""
    import polars as pl

    frame = days(read_csv(source, _LONG), source, "date")
    checks.require(
        frame,
        pl.col("timestamp") * 1_000_000_000 // DAY_NS * DAY_NS == pl.col("time_ns"),
        source,
        column="timestamp",
        expected="the date of the same line, in seconds since 1970",
        todo="give the publisher's own values",
        kind=UnitError,
    )
    return _sentiment(source, frame.rename({"classification": "class"}))


def _sentiment(source: SourceFile, frame: pl.DataFrame) -> Loaded:
    """Rows by day; a whole number from 0 to 100, each day once."""
    import polars as pl

    checks.require(
        frame,
        pl.col("value").is_between(0, 100) & (pl.col("value") == pl.col("value").round()),
        source,
        column="value",
        expected="a whole number from 0 to 100",
        todo="give the publisher's own values",
        kind=UnitError,
    )
    again = frame.filter(pl.col("time_ns").is_duplicated())
    if again.height:
        raise refusal(
            SchemaError,
            source,
            place=place_of(source, again["_row"][0]),
            column="date",
            expected="each day once",
            found="a day that stands twice",
            todo="leave out repeated days",
        )
    rows = frame.sort("time_ns").select(
        "_row",
        (pl.col("time_ns") // DAY_NS * DAY_NS).alias("time_ns"),
        pl.lit(_PUBLISHER).alias("publisher"),
        pl.col("value").cast(pl.Int64),
        "class",
    )
    return Loaded([("sentiment", rows)], _missing(rows))


def _missing(rows: pl.DataFrame) -> list[Defect]:
    """The days that are not there, by date."""
    found = holes(rows, DAY_S)
    if not found:
        return []
    there = rows["time_ns"].to_list()
    gone = sorted(set(range(there[0], there[-1], DAY_NS)) - set(there))
    shown = [iso_day(time) for time in gone]
    return [
        Defect(
            "sentiment-days-missing",
            "days without a Fear & Greed value",
            "left as holes; nothing is filled in",
            len(shown),
            ", ".join(shown[:6]),
        )
    ]


FEAR_GREED = (
    Importer("alternative-me", 1, "Fear & Greed", tuple(sorted(_KEYS)), NO_NAME, recognise_reply, load_reply),
    Importer(
        "fear-greed-short", 1, "Fear & Greed by date", tuple(_SHORT), NO_NAME, recognise_short, load_short
    ),
    Importer(
        "fear-greed-long", 1, "Fear & Greed with classes", tuple(_LONG), NO_NAME, recognise_long, load_long
    ),
)
