"""Binance's own bars: public kline files of twelve columns, and the shorter perpetual minute file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import ROW, Defect, Importer, Loaded, SourceFile, has_columns, refusal
from deleverage.data.importers.csv_text import read_csv
from deleverage.data.importers.layout import Layout, is_epoch, layout_of
from deleverage.data.importers.rows import holes
from deleverage.data.importers.symbols import coin_of, kind_of
from deleverage.errors import UnitError

if TYPE_CHECKING:
    import polars as pl

# Public kline files, github.com/binance/binance-public-data: 12 fields, no header. Spot files are in
# microseconds since 2025-01-01 and in milliseconds before; a bar closes one unit before the next opens.
_KLINE = {
    "open_time": "Int64",
    "open": "Float64",
    "high": "Float64",
    "low": "Float64",
    "close": "Float64",
    "volume": "Float64",
    "close_time": "Int64",
    "quote_volume": "Float64",
    "count": "Int64",
    "taker_buy_volume": "Float64",
    "taker_buy_quote_volume": "Float64",
    "ignore": "Float64",
}
_MINUTE = {
    "open_time": "Int64",
    "open": "Float64",
    "high": "Float64",
    "low": "Float64",
    "close": "Float64",
    "volume": "Float64",
    "count": "Int64",
    "taker_buy_volume": "Float64",
}
_INTERVALS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_KLINE_NAME = re.compile(r"([A-Z0-9]+)-(\d+)([smhdw])-\d{4}-\d{2}(-\d{2})?\.csv(\.gz)?")
_MINUTE_NAME = re.compile(r"([A-Z0-9]+)-perp-(\d+)([smhd])-.*\.csv(\.gz)?")


def recognise_klines(layout: Layout) -> bool:
    """Numbers only, the first an epoch; or the same twelve columns under their names."""
    numbers = layout.kind == "numbers" and len(layout.names) == len(_KLINE) and is_epoch(layout.names[0])
    return numbers or has_columns(layout, "csv", tuple(_KLINE))


def load_klines(source: SourceFile) -> Loaded:
    """Kline file to candles; symbol and interval are in the name, spot or perpetual in the folder's."""
    import polars as pl

    match = _KLINE_NAME.fullmatch(source.name)
    if match is None:
        return Loaded(
            skipped="Binance bars, and the name does not say symbol and interval like BTCUSDT-5m-2025-10.csv"
        )
    kind = kind_of(source)
    if kind is None:
        return Loaded(
            skipped="Binance bars, and no folder in its path says 'spot' or 'perp': put it below one"
        )
    frame = read_csv(source, _KLINE, header=layout_of(source).kind == "csv")
    unit = _unit(source, frame)
    interval_s = int(match[2]) * _INTERVALS[match[3]]
    length = interval_s * 1_000_000_000 // checks.PER_UNIT_NS[unit]
    checks.require(
        frame,
        pl.col("close_time") - pl.col("open_time") == length - 1,
        source,
        column="close_time",
        expected=f"a bar of {interval_s} s in {unit}",
        todo="give the file with its own name and whole lines",
        kind=UnitError,
    )
    _of_its_date(source, frame, unit)
    defects = []
    if unit == "microseconds":
        defects.append(
            Defect(
                "microseconds",
                "times are in microseconds",
                "converted; every bar's length checks it",
                frame.height,
            )
        )
    return _candles(source, frame, match[1], kind, interval_s, unit, defects)


def _of_its_date(source: SourceFile, frame: pl.DataFrame, unit: str) -> None:
    """Refuse bars that do not open on the day, or in the month, that the name says."""
    import polars as pl

    stamp = re.search(r"\d{4}-\d{2}(-\d{2})?(?=\.)", source.name)
    if stamp is None:
        return
    opened = (pl.col("open_time") * checks.PER_UNIT_NS[unit]).cast(pl.Datetime("ns"))
    checks.require(
        frame.with_columns(opened.dt.strftime("%Y-%m-%d %H:%M:%S").alias("_opened")),
        pl.col("_opened").str.starts_with(stamp[0]),
        source,
        column="_opened",
        expected=f"bars of {stamp[0]}, which the name says",
        todo="give the file its own name, or the one of that date",
    )


def recognise_minutes(layout: Layout) -> bool:
    """A header with Binance's kline names, close time and quote volumes left out."""
    return has_columns(layout, "csv", tuple(_MINUTE)) and "close_time" not in layout.names


def load_minutes(source: SourceFile) -> Loaded:
    """Perpetual minute file to candles; its times are in milliseconds."""
    match = _MINUTE_NAME.fullmatch(source.name)
    if match is None:
        return Loaded(
            skipped="bars whose name does not say symbol and interval like BTCUSDT-perp-1m-2025-10.csv"
        )
    frame = read_csv(source, _MINUTE)
    interval_s = int(match[2]) * _INTERVALS[match[3]]
    return _candles(source, frame, match[1], "perp", interval_s, "milliseconds", [])


def _candles(
    source: SourceFile,
    frame: pl.DataFrame,
    symbol: str,
    kind: str,
    interval_s: int,
    unit: str,
    defects: list[Defect],
) -> Loaded:
    import polars as pl

    frame = checks.with_time_ns(frame, source, "open_time", unit)
    checks.increasing(frame, source, "open_time")
    checks.require(
        frame,
        pl.col("time_ns") % (interval_s * 1_000_000_000) == 0,
        source,
        column="open_time",
        expected=f"bars that open on whole multiples of {interval_s} s",
        todo="check the unit of the times",
        kind=UnitError,
    )
    frame = frame.select(
        ROW,
        "time_ns",
        pl.lit("binance").alias("venue"),
        pl.lit(kind).alias("kind"),
        pl.lit(coin_of(source, symbol)).alias("coin"),
        pl.lit(symbol).alias("symbol"),
        pl.lit(interval_s, dtype=pl.Int64).alias("interval_s"),
        "open",
        "high",
        "low",
        "close",
        pl.col("volume").alias("volume_coins"),
        pl.col("taker_buy_volume").alias("taker_buy_coins"),
        pl.col("count").alias("trades"),
        pl.lit(source.label).alias("source"),
    )
    checks.bars(frame, source)
    defects.extend(holes(frame, interval_s))
    return Loaded([("candles", frame)], defects)


def _unit(source: SourceFile, frame: pl.DataFrame) -> str:
    """Milliseconds or microseconds, the same for the whole file."""
    digits = frame["open_time"].cast(str).str.len_chars()
    unit = {13: "milliseconds", 16: "microseconds"}.get(int(digits[0]))
    if unit is None:
        raise refusal(
            UnitError,
            source,
            place="line 1",
            column="open_time",
            expected="milliseconds (13 digits) or microseconds (16 digits) since 1970",
            found=str(frame["open_time"][0]),
            todo="give the vendor's own file",
        )
    return unit


KLINES = Importer(
    "binance-klines",
    1,
    "Binance public bars",
    tuple(_KLINE),
    _KLINE_NAME,
    recognise_klines,
    load_klines,
)
MINUTES = Importer(
    "binance-perp-minutes",
    1,
    "Binance perpetual bars with a header",
    tuple(_MINUTE),
    _MINUTE_NAME,
    recognise_minutes,
    load_minutes,
)
