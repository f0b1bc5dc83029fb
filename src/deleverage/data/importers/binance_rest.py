"""Replies of Binance's REST interface that were saved as they came: bars, and settled funding."""

from __future__ import annotations

import re
from typing import Any

from deleverage.data.importers import checks
from deleverage.data.importers.base import NO_NAME, Defect, Importer, Loaded, SourceFile, refusal
from deleverage.data.importers.json_text import listed, number, read_document
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.multi_venue import on_the_hour
from deleverage.data.importers.rows import holes
from deleverage.data.importers.symbols import coin_of, path_kind
from deleverage.errors import SchemaError, UnitError

_BARS = re.compile(r'\s*\[\s*\[\s*\d{13}\s*,\s*"\d')
_NAME = re.compile(r"([A-Za-z0-9]+)-(\d+)([smhdw])\.json(\.gz)?")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_FIELDS = 12


def recognise_bars(layout: Layout) -> bool:
    """A JSON list of lists that begin with milliseconds and a price as a text."""
    return layout.kind == "json" and _BARS.match(layout.head) is not None


def load_bars(source: SourceFile) -> Loaded:
    """Reply of /klines to candles; the newest bar of a reply cannot be shown to be over and is left out."""
    import polars as pl

    match = _NAME.fullmatch(source.name)
    if match is None:
        return Loaded(skipped="Binance bars, and the name does not say coin and interval like btc-1d.json")
    rows = [
        _bar(source, i, row) for i, row in enumerate(listed(source, "", "bars", read_document(source)), 1)
    ]
    names = ("_row", "open_time", "open", "high", "low", "close", "volume", "close_time", "trades", "taker")
    frame = pl.DataFrame(rows, schema=list(names), orient="row", infer_schema_length=None)
    interval_s = int(match[2]) * _UNITS[match[3]]
    checks.require(
        frame,
        pl.col("close_time") - pl.col("open_time") == interval_s * 1000 - 1,
        source,
        column="close_time",
        expected=f"a bar of {interval_s} s in milliseconds",
        todo="give the file with its own name",
        kind=UnitError,
    )
    frame = checks.with_time_ns(frame, source, "open_time", "milliseconds")
    checks.increasing(frame, source, "open_time")
    defects = [
        Defect(
            "bar-partial",
            "the newest bar of a saved reply may not have been over",
            "left out; another file may have it whole",
            1,
            f"{source.name}: the last of {frame.height}",
        )
    ]
    kind, told = _kind(source, rows)
    defects += told
    symbol = match[1].upper()
    if not symbol.endswith("USDT"):
        defects.append(
            Defect("symbol-not-named", "bars whose file names the coin only", "taken as its pair with USDT")
        )
        symbol = f"{symbol}USDT"
    candles = frame.head(-1).select(
        "_row",
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
        pl.col("taker").alias("taker_buy_coins"),
        "trades",
    )
    checks.bars(candles, source)
    return Loaded([("candles", candles)], [*defects, *holes(candles, interval_s)])


def _bar(source: SourceFile, row: int, bar: Any) -> tuple[int | float, ...]:
    if not isinstance(bar, list) or len(bar) != _FIELDS or not isinstance(bar[0], int):
        raise refusal(
            SchemaError,
            source,
            place=f"row {row}",
            expected=f"a list of {_FIELDS} fields",
            found=str(bar)[:60],
            todo="give the reply as it came",
        )
    place = f"row {row}"
    numbers = [number(source, place, f"field {i + 1}", bar[i]) for i in (1, 2, 3, 4, 5, 9)]
    return (row, bar[0], *numbers[:5], int(bar[6]), int(bar[8]), numbers[5])


def _kind(source: SourceFile, rows: list[tuple[int | float, ...]]) -> tuple[str, list[Defect]]:
    """Spot or perpetual: by the path, else by the age; Binance's perpetuals began on 2019-09-08."""
    named = path_kind(source.folders)
    if named is not None:
        return named, []
    document = read_document(source)
    spot = all(str(row[1]).partition(".")[2].__len__() == 8 for row in document)
    return ("spot" if spot else "perp"), [
        Defect(
            "kind-not-named",
            "bars whose path does not say spot or perpetual",
            "told by the digits of the prices: eight on spot, the contract's own on perpetuals",
        )
    ]


def recognise_funding(layout: Layout) -> bool:
    """A JSON list of objects with symbol, time and rate."""
    return layout.kind == "json" and {"symbol", "fundingTime", "fundingRate"} <= set(layout.names)


def load_funding(source: SourceFile) -> Loaded:
    """Reply of /fundingRate to settled rates; the interval is the step to the neighbours."""
    import polars as pl

    entries = listed(source, "", "rates", read_document(source))
    rows = []
    for row, entry in enumerate(entries, 1):
        place = f"row {row}"
        if not isinstance(entry, dict) or not {"symbol", "fundingTime", "fundingRate"} <= set(entry):
            raise refusal(
                SchemaError,
                source,
                place=place,
                expected="an object with symbol, fundingTime and fundingRate",
                found=str(entry)[:60],
                todo="give the reply as it came",
            )
        rows.append(
            (
                row,
                str(entry["symbol"]),
                int(number(source, place, "fundingTime", entry["fundingTime"])),
                number(source, place, "fundingRate", entry["fundingRate"]),
            )
        )
    frame = pl.DataFrame(rows, schema=["_row", "symbol", "fundingTime", "fundingRate"], orient="row")
    frame = checks.with_time_ns(frame, source, "fundingTime", "milliseconds")
    frame, defects = on_the_hour(frame)
    checks.increasing(frame, source, "fundingTime", by=("symbol",))
    checks.funding_rates(frame, source, "fundingRate", by="symbol")
    step = pl.col("time_ns").diff().over("symbol") // 1_000_000_000
    after = (pl.col("time_ns").shift(-1) - pl.col("time_ns")).over("symbol") // 1_000_000_000
    rows_out = frame.select(
        "_row",
        "time_ns",
        pl.lit("binance").alias("venue"),
        pl.col("symbol").str.replace(r"(USDT|USDC|USD)$", "").alias("coin"),
        "symbol",
        pl.min_horizontal(step, after).fill_null(28_800).clip(3600, 28_800).alias("interval_s"),
        pl.col("fundingRate").alias("rate"),
    )
    return Loaded([("funding", rows_out)], defects)


BARS = Importer(
    "binance-rest-bars", 1, "a saved reply of bars", ("open_time",), NO_NAME, recognise_bars, load_bars
)
FUNDING = Importer(
    "binance-rest-funding",
    1,
    "a saved reply of settled funding",
    ("symbol", "fundingTime", "fundingRate"),
    NO_NAME,
    recognise_funding,
    load_funding,
)
