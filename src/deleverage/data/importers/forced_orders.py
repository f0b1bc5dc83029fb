"""Single forced orders of Binance: logs of its `forceOrder` stream, and its public liquidationSnapshot files.

A SELL closes a long. The order is a limit at the bankruptcy price; the fill is better than it. The stream
shows at
most one event a second and contract (the largest since 2021), so it is a lower bound.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import ROW, Defect, Importer, Loaded, SourceFile, has_columns, refusal
from deleverage.data.importers.coinglass_liquidations import THROTTLED
from deleverage.data.importers.content import read
from deleverage.data.importers.csv_text import as_text, read_csv, typed
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.symbols import base_of
from deleverage.errors import SchemaError

if TYPE_CHECKING:
    import polars as pl

# Fields of the `forceOrder` event in the order in which these logs write them, and the notional behind.
_LOG = {
    "symbol": "String",
    "side": "String",
    "type": "String",
    "tif": "String",
    "quantity": "Float64",
    "price": "Float64",
    "average": "Float64?",
    "status": "String",
    "last_filled": "Float64",
    "filled": "Float64",
    "time": "Int64",
    "usd": "Float64",
}
# A coin ('BTC'), a perpetual ('BTCUSDC'), or a coin and a delivery date ('BTC_250627'); never digits alone.
_CONTRACT = r"(?<!_)(?=\d*[A-Z])[A-Z0-9]{1,20}(?:(?<!USD)_\d{6})?"
_EVENT = re.compile(_CONTRACT + r",(BUY|SELL),LIMIT,IOC,\d")
_ANY_EVENT = re.compile(rf"(^|\n)[^\n]*?{_CONTRACT},(BUY|SELL),LIMIT,IOC,\d")
_QUOTED = r"^(.+?)(USDT|USDC|FDUSD|BUSD)$"
_SNAPSHOT = {
    "time": "Int64",
    "side": "String",
    "order_type": "String",
    "time_in_force": "String",
    "original_quantity": "Float64",
    "price": "Float64",
    "average_price": "Float64",
    "order_status": "String",
    "last_fill_quantity": "Float64",
    "accumulated_fill_quantity": "Float64",
}
_SNAPSHOT_NAME = re.compile(
    r"([A-Z0-9]+(?:_PERP|_\d{6})?)-liquidationSnapshot-\d{4}-\d{2}-\d{2}\.(?:csv|zip)"
)
# USD per contract of Binance's coin-margined contracts: its 'contract size', read 2025-10.
_CONTRACT_USD = {"BTC": 100.0}
_OTHER_CONTRACT_USD = 10.0
_SIDES = {"SELL": "long", "BUY": "short"}
_CLOSE = 1e-6


def recognise_log(layout: Layout) -> bool:
    """A CSV without a header whose lines are forced orders."""
    if layout.kind not in ("lines", "csv") or recognise_snapshot(layout):
        return False
    return _ANY_EVENT.search(layout.head) is not None


def load_log(source: SourceFile) -> Loaded:
    """A log to `liquidations`; text before an event and lines that are none are left out and counted."""
    import polars as pl

    text, spoilt = _events_only(source)
    frame = typed(source, as_text(text, list(_LOG), skip=0), _LOG)
    frame = frame.with_columns((pl.col(ROW) + spoilt[1]).alias(ROW))
    frame = checks.with_time_ns(frame, source, "time", "milliseconds")
    _check(source, frame)
    defects: list[Defect] = []
    if spoilt[0]:
        defects.append(
            Defect(
                "lines-spoilt",
                "lines of a log that are no event, or have other text before it",
                "the event kept, the rest left out",
                spoilt[0],
                source.name,
            )
        )
    named = frame.filter(pl.col("symbol").str.contains(_QUOTED)).height
    if named and named < frame.height:
        defects.append(
            Defect(
                "symbols-mixed",
                "some contracts stand with their quote and some without",
                "written alike",
                named,
            )
        )
    at_order = (pl.col("usd") / (pl.col("quantity") * pl.col("price")) - 1).abs() < _CLOSE
    priced = frame.filter(at_order).height
    if priced > frame.height // 2:
        defects.append(
            Defect(
                "usd-at-order-price",
                "the USD of an event is at the order's (bankruptcy) price, not at the fill",
                "at the fill where it is known; else as it is, with usd_at = 'order'",
                priced,
            )
        )
    distinct = frame.unique(subset=[name for name in _LOG], keep="first", maintain_order=True)
    if distinct.height < frame.height:
        defects.append(
            Defect(
                "events-repeated",
                "events that stand several times, in one log or in several",
                "kept once",
                frame.height - distinct.height,
                f"{source.name}: {frame.height:,} lines, {distinct.height:,} events",
            )
        )
    defects += _pace(distinct)
    return Loaded([("liquidations", _rows(distinct, "forceOrder"))], defects)


def _events_only(source: SourceFile) -> tuple[bytes, tuple[int, int]]:
    """The events, how many lines were spoilt, and how many lines before the first event are gone."""
    lines = read(source).split(b"\n")
    if lines and lines[-1] == b"":
        lines.pop()
    kept: list[bytes] = []
    spoilt = before = 0
    for line in lines:
        text = line.decode("utf-8", "replace").strip("\r")
        if not _EVENT.match(text):
            spoilt += 1
            found = _EVENT.search(text)
            if found is None:
                if not kept:
                    before += 1
                continue
            # A sentence without a line break before the event: its last capitals begin the symbol.
            text = text[found.start() :]
        kept.append(text.replace(",None,", ",,").encode())
    if not kept:
        raise refusal(
            SchemaError,
            source,
            expected="lines of forced orders",
            found="none",
            todo="give the log as it was written",
        )
    return b"\n".join([*kept, b""]), (spoilt, before)


def _check(source: SourceFile, frame: pl.DataFrame) -> None:
    import polars as pl

    checks.require(
        frame,
        pl.col("side").is_in(list(_SIDES)),
        source,
        column="side",
        expected="SELL or BUY",
        todo="give the venue's own events",
        kind=SchemaError,
    )
    for name in ("quantity", "filled"):
        checks.not_negative(frame, source, name)
    checks.require(
        frame,
        pl.col("price") > 0,
        source,
        column="price",
        expected="a price above 0",
        todo="give prices in USD",
    )
    checks.require(
        frame,
        pl.col("filled") <= pl.col("quantity") * (1 + _CLOSE),
        source,
        column="filled",
        expected="no more filled than ordered",
        todo="check the order of the columns",
    )


def _rows(frame: pl.DataFrame, feed: str) -> pl.DataFrame:
    import polars as pl

    # The log writes a contract with its quote or without; one without is in USDT.
    contract = pl.col("symbol").str.replace(r"_\d{6}$", "")
    delivery = pl.col("symbol").str.extract(r"(_\d{6})$").fill_null("")
    plain = contract.str.replace(_QUOTED, "$1")
    quote = contract.str.extract(_QUOTED, 2).fill_null("USDT")
    fill = pl.when(pl.col("average") > 0).then(pl.col("average"))
    usd = pl.coalesce(fill, pl.col("price")) * pl.col("filled")
    return frame.filter(pl.col("filled") > 0).select(
        ROW,
        "time_ns",
        pl.lit("binance").alias("venue"),
        pl.when(delivery == "").then(pl.lit("perp")).otherwise(pl.lit("future")).alias("kind"),
        plain.alias("coin"),
        (plain + quote + delivery).alias("symbol"),
        pl.concat_str("side", "filled", "price", separator="-").alias("event_id"),
        pl.col("side").replace_strict(_SIDES, return_dtype=pl.String).alias("side"),
        pl.col("filled").alias("coins"),
        fill.alias("price"),
        pl.col("price").alias("order_price"),
        usd.alias("usd"),
        pl.when(fill.is_not_null()).then(pl.lit("fill")).otherwise(pl.lit("order")).alias("usd_at"),
        pl.lit(feed).alias("feed"),
    )


def _pace(frame: pl.DataFrame) -> list[Defect]:
    """The throttle, where the events show it: hardly two of a contract within one second; and a short
    span.
    """
    import polars as pl

    ordered = frame.sort("symbol", "time_ns")
    steps = ordered.select((pl.col("time_ns").diff().over("symbol")).alias("step")).drop_nulls()["step"]
    found = []
    if steps.len() >= 20:
        within = int((steps < 900_000_000).sum())
        if within <= steps.len() * 0.02:
            shown = f"{within} of {steps.len():,} steps within one contract are below 0.9 s"
            found.append(Defect(THROTTLED.name, THROTTLED.defect, THROTTLED.handled, frame.height, shown))
    first, last = frame["time_ns"].min(), frame["time_ns"].max()
    covered = frame.group_by(pl.col("time_ns") // 3_600_000_000_000).len().height
    if isinstance(first, int) and isinstance(last, int):
        found.append(
            Defect(
                "short-series",
                "a series of few rows, or of less than a day",
                "imported; a window, not a history",
                frame.height,
                f"forced orders in {covered} hours",
            )
        )
    return found if covered < 24 else found[:-1]


def recognise_snapshot(layout: Layout) -> bool:
    """A CSV with the columns of Binance's liquidationSnapshot."""
    return has_columns(layout, "csv", tuple(_SNAPSHOT))


def load_snapshot(source: SourceFile) -> Loaded:
    """A day of forced orders of one contract; contracts margined in coins are counted in USD contracts."""
    import polars as pl

    match = _SNAPSHOT_NAME.fullmatch(source.name)
    if match is None:
        return Loaded(
            skipped="forced orders, and the name does not say the contract like "
            "BTCUSDT-liquidationSnapshot-2023-06-25"
        )
    symbol = match[1]
    coin = base_of(symbol)
    if coin is None:
        return Loaded(skipped=f"forced orders of {symbol}, which is not quoted in dollars")
    frame = read_csv(source, _SNAPSHOT).rename(
        {"original_quantity": "quantity", "accumulated_fill_quantity": "filled", "average_price": "average"}
    )
    frame = checks.with_time_ns(frame, source, "time", "milliseconds")
    _check(source, frame)
    defects: list[Defect] = []
    contract = symbol.split("_")[0]
    if contract.endswith("USD"):
        size = _CONTRACT_USD.get(coin, _OTHER_CONTRACT_USD)
        price = pl.when(pl.col("average") > 0).then(pl.col("average")).otherwise(pl.col("price"))
        frame = frame.with_columns((pl.col(n) * size / price).alias(n) for n in ("quantity", "filled"))
        defects.append(
            Defect(
                "usd-contracts",
                "sizes of contracts margined in coins are numbers of contracts",
                "converted to coins",
                frame.height,
                f"{symbol}: {size:g} USD a contract",
            )
        )
    rows = frame.with_columns(pl.lit(symbol).alias("symbol")).unique(
        subset=["time", "side", "price", "filled"], keep="first", maintain_order=True
    )
    out = _rows(rows, "liquidationSnapshot").with_columns(
        pl.lit(coin).alias("coin"), pl.lit(symbol).alias("symbol")
    )
    return Loaded([("liquidations", out)], [*defects, *_pace(rows)])


LOG = Importer(
    "binance-forced-orders",
    2,
    "a log of forced orders",
    tuple(_LOG),
    re.compile(r"(?!)"),
    recognise_log,
    load_log,
)
SNAPSHOT = Importer(
    "binance-liquidation-snapshot",
    1,
    "forced orders of Binance's archive",
    tuple(_SNAPSHOT),
    _SNAPSHOT_NAME,
    recognise_snapshot,
    load_snapshot,
)
