"""Daily bars in a CSV with a date: Yahoo's own files, copies of them, and bars of a venue that is not
named.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import NO_NAME, Defect, Importer, Loaded, SourceFile, only_columns
from deleverage.data.importers.csv_text import header_of, read_csv
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import DAY_S, UNNAMED, days, holes
from deleverage.data.importers.symbols import base_of, path_venue

if TYPE_CHECKING:
    import polars as pl

_BARS = {"open": "Float64", "high": "Float64", "low": "Float64", "close": "Float64", "volume": "Float64"}
_PLAIN = ("date", *_BARS)
_YAHOO = {
    "Open": "Float64?",
    "High": "Float64?",
    "Low": "Float64?",
    "Close": "Float64?",
    "Volume": "Float64?",
}
_ADJUSTED = ("AdjClose", "Adj Close")
# A file is called after its series; Yahoo's own symbol, the unit, and what such a series has ever been near.
_SERIES = {
    "gold": ("GC=F", "USD/oz", 30.0, 50_000.0),
    "silver": ("SI=F", "USD/oz", 1.0, 1_000.0),
    "brent": ("BZ=F", "USD/bbl", 1.0, 500.0),
    "wti": ("CL=F", "USD/bbl", -50.0, 500.0),
    "dxy": ("DX-Y.NYB", "points", 50.0, 200.0),
    "sp500": ("^GSPC", "points", 10.0, 100_000.0),
    "btc": ("BTC-USD", "USD/coin", 0.05, 1_500_000.0),
    "eth": ("ETH-USD", "USD/coin", 0.3, 50_000.0),
}
_SYMBOL = re.compile(r"[A-Z0-9]{2,12}USDT|[A-Z]{1,6}|[A-Z]{2,6}_USD")
_QUIET = 0.01  # of the busiest tenth
_ROLLS = 0.03


def recognise(layout: Layout) -> bool:
    """A CSV with a date and a bar."""
    return only_columns(layout, "csv", _PLAIN)


def load(source: SourceFile) -> Loaded:
    """Bars of a fund or index as Yahoo prints them, or of a coin at a venue; told by the digits of the
    prices.

    Yahoo prints single-precision numbers in double precision: 128.8000030517578. A venue prints ticks.
    """
    import polars as pl

    frame = days(read_csv(source, {"date": "String", **_BARS}), source, "date")
    checks.increasing(frame, source, "date")
    name = source.name.split(".")[0]
    single = frame.select(
        (pl.col("close").cast(pl.Float32).cast(pl.Float64) == pl.col("close")).mean()
    ).item()
    if single > 0.99 and any(len(str(value)) > 10 for value in frame["close"].head(50)):
        if not _SYMBOL.fullmatch(name):
            return Loaded(
                skipped="bars as Yahoo prints them, and the name does not say of what, like GLD.csv"
            )
        coin = name.endswith("_USD")
        return _macro(source, frame, name.replace("_", "-"), "USD/coin" if coin else "USD/share")
    coin_name = base_of(name)
    told: list[Defect] = []
    if coin_name is None and name.endswith("_daily"):
        coin_name = name.removesuffix("_daily").upper()
        told.append(
            Defect("symbol-not-named", "bars whose file names the coin only", "taken as its pair with USDT")
        )
    if coin_name is None:
        return Loaded(skipped="daily bars of a coin, and the name does not say which, like BTCUSDT.csv")
    symbol = name if base_of(name) else f"{coin_name}USDT"
    venue = path_venue(source.folders)
    if venue is None:
        told.append(
            Defect(
                "venue-not-named",
                "series that name no venue",
                f"kept under the venue '{UNNAMED}'",
                frame.height,
            )
        )
    candles = frame.select(
        "_row",
        "time_ns",
        pl.lit(venue or UNNAMED).alias("venue"),
        pl.lit("spot").alias("kind"),
        pl.lit(coin_name).alias("coin"),
        pl.lit(symbol).alias("symbol"),
        pl.lit(DAY_S, dtype=pl.Int64).alias("interval_s"),
        *("open", "high", "low", "close"),
        pl.col("volume").alias("volume_coins"),
        pl.lit(None, dtype=pl.Float64).alias("taker_buy_coins"),
        pl.lit(None, dtype=pl.Int64).alias("trades"),
    )
    checks.bars(candles, source)
    last = Defect(
        "bar-partial",
        "the newest bar of a saved reply may not have been over",
        "left out; another file may have it whole",
        1,
        f"{source.name}: the last of {frame.height}",
    )
    return Loaded([("candles", candles.head(-1))], [*told, last, *holes(candles, DAY_S)])


def recognise_yahoo(layout: Layout) -> bool:
    """A CSV with Yahoo's own names."""
    return layout.kind == "csv" and {"Date", *_YAHOO} <= set(layout.names)


def load_yahoo(source: SourceFile) -> Loaded:
    """Yahoo's daily bars to `macro`; the symbol is told by the file's name and checked by its level."""
    import polars as pl

    name = source.name.split(".")[0].lower()
    if name not in _SERIES:
        return Loaded(
            skipped=f"Yahoo bars, and the name is none of {', '.join(sorted(_SERIES))}: give a mapping file"
        )
    symbol, unit, low, high = _SERIES[name]
    adjusted = next((column for column in _ADJUSTED if column in header_of(source)), None)
    columns = {"Date": "String", **_YAHOO, **({adjusted: "Float64?"} if adjusted else {})}
    frame = days(read_csv(source, columns), source, "Date").rename({n: n.lower() for n in _YAHOO})
    checks.increasing(frame, source, "Date")
    empty = frame.filter(pl.col("close").is_null()).height
    frame = frame.drop_nulls("close")
    checks.require(
        frame,
        pl.col("close").is_between(low, high),
        source,
        column="close",
        expected=f"a {name} price in {unit}, between {low:g} and {high:g}",
        todo="give the file under the name of its series",
    )
    loaded = _macro(source, frame, symbol, unit)
    if empty:
        loaded.defects.append(Defect("rows-empty", "sessions without a price", "left out", empty))
    return loaded


def _macro(source: SourceFile, frame: pl.DataFrame, symbol: str, unit: str) -> Loaded:
    import polars as pl

    checks.bars(frame.with_columns(pl.lit("").alias("coin")), source)
    rows = frame.select(
        "_row",
        "time_ns",
        pl.lit("yahoo").alias("publisher"),
        pl.lit(symbol).alias("symbol"),
        pl.lit(DAY_S, dtype=pl.Int64).alias("interval_s"),
        *("open", "high", "low", "close"),
        pl.when(pl.col("volume") > 0).then(pl.col("volume")).alias("volume"),
        pl.lit(unit).alias("unit"),
    )
    defects = []
    weekday = pl.from_epoch(frame["time_ns"] // 1_000_000_000, time_unit="s").dt.weekday()
    if frame.height > 10 and int((weekday > 5).sum()) == 0:
        defects.append(
            Defect(
                "weekdays-only",
                "a series of weekdays only: nothing on weekends, unlike coins or a token of gold",
                "left as holes; nothing is filled in",
                example=symbol,
            )
        )
    else:
        defects += holes(frame, DAY_S)
    if symbol.endswith("=F") and _rolls(frame):
        defects.append(
            Defect(
                "front-month-rolls",
                "a front-month future: volume dries up before each roll, and the price steps at it",
                "kept as published; rolls are not adjusted",
                int(frame.select((pl.col("volume") < _QUIET * pl.col("volume").quantile(0.9)).sum()).item()),
                symbol,
            )
        )
    if not frame.filter(pl.col("volume") == 0).is_empty():
        defects.append(
            Defect(
                "zero-volume",
                "a volume of exactly 0 on a day with prices",
                "volume left as not observed",
                frame.filter(pl.col("volume") == 0).height,
                symbol,
            )
        )
    return Loaded([("macro", rows)], defects)


def _rolls(frame: pl.DataFrame) -> bool:
    """Whether days of next to no volume come again and again, as before each roll of a front month."""
    import polars as pl

    quiet = frame.select((pl.col("volume") < _QUIET * pl.col("volume").quantile(0.9)).mean()).item()
    return isinstance(quiet, float) and quiet > _ROLLS


PLAIN = Importer("daily-bars", 1, "daily bars with a date", _PLAIN, NO_NAME, recognise, load)
YAHOO = Importer(
    "yahoo-bars",
    1,
    "daily bars of Yahoo",
    ("Date", *_YAHOO),
    NO_NAME,
    recognise_yahoo,
    load_yahoo,
)
