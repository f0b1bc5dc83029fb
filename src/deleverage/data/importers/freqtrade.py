"""freqtrade's stores: bars, mark bars and funding of a pair, as feather or JSON.

The pair, the length of a bar and what the bars are stand in the file's name:
BTC_USDT_USDT-1m-futures.feather. The
venue is the folder's, or not told.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import (
    NO_NAME,
    ROW,
    Defect,
    Importer,
    Loaded,
    SourceFile,
    only_columns,
    refusal,
)
from deleverage.data.importers.content import read_feather
from deleverage.data.importers.json_text import listed, number, read_document
from deleverage.data.importers.layout import Layout, layout_of
from deleverage.data.importers.multi_venue import on_the_hour
from deleverage.data.importers.rows import UNNAMED, holes, indicators, numbered
from deleverage.data.importers.symbols import path_venue
from deleverage.errors import SchemaError

if TYPE_CHECKING:
    import polars as pl

_COLUMNS = ("date", "open", "high", "low", "close", "volume")
_NAME = re.compile(
    r"([A-Z0-9]+)_([A-Z]+)(?:_([A-Z]+))?-(\d+)([mhdw])(?:-(futures|mark|funding_rate|spot|index))?\.(?:feather|json)"
)
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_JSON = re.compile(r"\s*\[\s*\[\s*\d{12,13}\s*,\s*-?\d")


def recognise_feather(layout: Layout) -> bool:
    """A feather file with a date and a bar."""
    return only_columns(layout, "feather", _COLUMNS)


def recognise_json(layout: Layout) -> bool:
    """A JSON list of lists of numbers that begin with milliseconds."""
    return layout.kind == "json" and _JSON.match(layout.head) is not None


def load(source: SourceFile) -> Loaded:
    """Bars to candles, mark bars to marks, funding to settled rates."""
    match = _NAME.fullmatch(source.name)
    if match is None:
        return Loaded(
            skipped="freqtrade's bars, and the name does not say pair and length like "
            "BTC_USDT_USDT-1m-futures.feather"
        )
    frame = _frame(source)
    coin, quote, settle, candle = (
        match[1],
        match[2],
        match[3],
        match[6] or ("futures" if match[3] else "spot"),
    )
    if quote not in ("USDT", "USDC", "USD", "BUSD", "FDUSD"):
        return Loaded(skipped=f"bars in {quote}, not in dollars")
    interval_s = int(match[4]) * _UNITS[match[5]]
    venue = path_venue(source.folders) or UNNAMED
    named = [] if venue != UNNAMED else [_unnamed(frame.height)]
    contract = _Contract(venue, coin, f"{coin}{quote}", interval_s, "perp" if settle else "spot")
    if candle == "funding_rate":
        return _funding(source, frame, contract, named)
    frame = frame.with_columns(pl_lit(coin).alias("coin"))
    checks.increasing(frame, source, "date")
    if candle in ("mark", "index"):
        return _marks(source, frame, contract, named, candle)
    return _candles(source, frame, contract, named)


class _Contract:
    """Whose bars these are."""

    def __init__(self, venue: str, coin: str, symbol: str, interval_s: int, kind: str) -> None:
        self.venue, self.coin, self.symbol, self.interval_s, self.kind = venue, coin, symbol, interval_s, kind


def pl_lit(text: str) -> pl.Expr:
    """A text as an expression."""
    import polars as pl

    return pl.lit(text)


def _unnamed(rows: int) -> Defect:
    return Defect("venue-not-named", "series that name no venue", f"kept under the venue '{UNNAMED}'", rows)


def _frame(source: SourceFile) -> pl.DataFrame:
    import polars as pl

    if layout_of(source).kind == "json":
        rows = []
        for row, bar in enumerate(listed(source, "", "bars", read_document(source)), 1):
            if not isinstance(bar, list) or len(bar) != len(_COLUMNS):
                raise refusal(
                    SchemaError,
                    source,
                    place=f"row {row}",
                    expected=f"a list of {len(_COLUMNS)} numbers",
                    found=str(bar)[:60],
                    todo="get the file again",
                )
            rows.append([number(source, f"row {row}", c, v) for c, v in zip(_COLUMNS, bar, strict=True)])
        frame = numbered(pl.DataFrame(rows, schema=list(_COLUMNS), orient="row"))
        frame = frame.with_columns(pl.col("date").cast(pl.Int64))
        return checks.with_time_ns(frame, source, "date", "milliseconds")
    frame = numbered(read_feather(source))
    if frame.schema["date"].base_type() is not pl.Datetime or frame["date"].null_count():
        raise refusal(
            SchemaError,
            source,
            column="date",
            expected="a time in every row",
            found=f"{frame.schema['date']} with {frame['date'].null_count()} empty rows",
            todo="give freqtrade's own file",
        )
    for name in _COLUMNS[1:]:
        checks.require(
            frame.with_columns(pl.col(name).is_finite().fill_null(False).alias("_finite")),
            pl.col("_finite"),
            source,
            column=name,
            expected="a finite number",
            todo="leave out rows that were not observed",
        )
    frame = frame.with_columns(pl.col("date").dt.epoch("ns"))
    return checks.with_time_ns(frame, source, "date", "nanoseconds")


def _candles(source: SourceFile, frame: pl.DataFrame, contract: _Contract, defects: list[Defect]) -> Loaded:
    import polars as pl

    rows = frame.select(
        ROW,
        "time_ns",
        pl.lit(contract.venue).alias("venue"),
        pl.lit(contract.kind).alias("kind"),
        "coin",
        pl.lit(contract.symbol).alias("symbol"),
        pl.lit(contract.interval_s, dtype=pl.Int64).alias("interval_s"),
        *("open", "high", "low", "close"),
        pl.col("volume").alias("volume_coins"),
        pl.lit(None, dtype=pl.Float64).alias("taker_buy_coins"),
        pl.lit(None, dtype=pl.Int64).alias("trades"),
    )
    checks.bars(rows, source)
    return Loaded([("candles", rows)], [*defects, *holes(rows, contract.interval_s)])


def _marks(
    source: SourceFile, frame: pl.DataFrame, contract: _Contract, defects: list[Defect], which: str
) -> Loaded:
    """The opening of a mark bar is the mark at that moment; highs and lows are indicators."""
    import polars as pl

    checks.bars(frame, source)
    empty = [pl.lit(None, dtype=pl.Float64).alias(n) for n in ("last_price", "funding_rate")]
    mark, index = ("open", None) if which == "mark" else (None, "open")
    rows = frame.select(
        ROW,
        "time_ns",
        pl.lit(contract.venue).alias("venue"),
        "coin",
        pl.lit(contract.symbol).alias("symbol"),
        (pl.col(mark) if mark else pl.lit(None, dtype=pl.Float64)).alias("mark_price"),
        (pl.col(index) if index else pl.lit(None, dtype=pl.Float64)).alias("index_price"),
        *empty,
        pl.lit(None, dtype=pl.Int64).alias("next_funding_ns"),
    )
    values = {f"{which}_{part}": (pl.col(part), "USD/coin") for part in ("high", "low", "close")}
    bars = indicators(
        frame,
        contract.venue,
        values,
        interval_s=contract.interval_s,
        venue=contract.venue,
        symbol=contract.symbol,
    )
    return Loaded([("marks", rows), bars], [*defects, *holes(rows, contract.interval_s)])


def _funding(source: SourceFile, frame: pl.DataFrame, contract: _Contract, defects: list[Defect]) -> Loaded:
    """Settled rates stand under 'open'; the other columns are zeros."""
    import polars as pl

    frame, off = on_the_hour(frame.with_columns(pl.lit(contract.symbol).alias("symbol")))
    checks.increasing(frame, source, "date")
    checks.funding_rates(frame, source, "open", by="symbol")
    if frame.select((pl.col("high") == 0).all() & (pl.col("low") == 0).all()).item():
        defects = [
            *defects,
            Defect(
                "funding-as-bars",
                "funding is stored as bars: the rate stands under 'open', the other columns are zeros",
                "the rate taken, the zeros left out",
                frame.height,
            ),
        ]
    rows = frame.select(
        ROW,
        "time_ns",
        pl.lit(contract.venue).alias("venue"),
        pl.lit(contract.coin).alias("coin"),
        "symbol",
        pl.lit(contract.interval_s, dtype=pl.Int64).alias("interval_s"),
        pl.col("open").alias("rate"),
    )
    return Loaded([("funding", rows)], [*defects, *off])


FEATHER = Importer("freqtrade-feather", 1, "freqtrade's bars", _COLUMNS, NO_NAME, recognise_feather, load)
JSON = Importer("freqtrade-json", 1, "freqtrade's bars", _COLUMNS, NO_NAME, recognise_json, load)
