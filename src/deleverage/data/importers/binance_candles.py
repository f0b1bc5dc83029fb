"""Binance's own bars: public kline files of twelve columns, and the shorter perpetual minute file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import Defect, Importer, Loaded, SourceFile, has_columns, refusal
from deleverage.data.importers.csv_text import ROW, read_csv
from deleverage.data.importers.layout import layout_of
from deleverage.errors import SchemaError, UnitError

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
_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "USD")
_INTERVALS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_KLINE_NAME = re.compile(r"([A-Z0-9]+)-(\d+)([smhd])-\d{4}-\d{2}(-\d{2})?\.csv(\.gz)?")
_MINUTE_NAME = re.compile(r"([A-Z0-9]+)-perp-(\d+)([smhd])-.*\.csv(\.gz)?")


def recognise_klines(path: Path) -> bool:
    """Numbers only, the first an epoch; or the same twelve columns under their names."""
    layout = layout_of(path)
    return layout.kind == "klines" or has_columns(layout, "csv", tuple(_KLINE))


def load_klines(source: SourceFile) -> Loaded:
    """Kline file to candles; symbol and interval are in the name, spot or perpetual in the folder's."""
    import polars as pl

    match = _KLINE_NAME.fullmatch(source.path.name)
    if match is None:
        return Loaded(
            skipped="Binance bars, and the name does not say symbol and interval like BTCUSDT-5m-2025-10.csv"
        )
    kind = _kind(source.label)
    if kind is None:
        return Loaded(skipped="Binance bars, and no folder in its path says 'spot' or 'perp'")
    frame = read_csv(source, _KLINE, header=layout_of(source.path).kind == "csv")
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
    defects = []
    if unit == "microseconds":
        defects.append(Defect("times are in microseconds", "converted; every bar's length checks it"))
    return _candles(source, frame, match[1], kind, interval_s, unit, defects)


def recognise_minutes(path: Path) -> bool:
    """A header with Binance's kline names, close time and quote volumes left out."""
    layout = layout_of(path)
    return has_columns(layout, "csv", tuple(_MINUTE)) and "close_time" not in layout.names


def load_minutes(source: SourceFile) -> Loaded:
    """Perpetual minute file to candles; its times are in milliseconds."""
    match = _MINUTE_NAME.fullmatch(source.path.name)
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
        pl.lit(_coin(source, symbol)).alias("coin"),
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
    return Loaded([("candles", frame.drop(ROW))], defects)


def holes(frame: pl.DataFrame, interval_s: int) -> list[Defect]:
    """A defect that counts the bars that are not there between the first and the last."""
    steps = (frame["time_ns"].diff().drop_nulls() // (interval_s * 1_000_000_000)) - 1
    missing = int(steps.sum())
    return [Defect(f"{missing} bars are missing", "left as a hole; nothing is filled in")] if missing else []


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


def _kind(label: str) -> str | None:
    parts = {word for part in label.lower().split("/")[:-1] for word in re.split(r"[^a-z]+", part)}
    spot, perp = "spot" in parts, bool(parts & {"perp", "perps", "futures", "um"})
    return None if spot == perp else "spot" if spot else "perp"


def _coin(source: SourceFile, symbol: str) -> str:
    for quote in _QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol[: -len(quote)]
    raise refusal(
        SchemaError,
        source,
        expected=f"a symbol in {list(_QUOTES)}",
        found=symbol,
        todo="give a market that is quoted in dollars",
    )


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
