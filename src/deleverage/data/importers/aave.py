"""Liquidations on Aave whose collateral was wrapped bitcoin, the positions open at a moment, and the price
by day.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import (
    NO_NAME,
    ROW,
    Defect,
    Importer,
    Loaded,
    SourceFile,
    has_columns,
    only_columns,
)
from deleverage.data.importers.content import read_parquet
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import DAY_S, UNNAMED, indicators, numbered

if TYPE_CHECKING:
    import polars as pl

_AMOUNTS = ("collateral_amount_wbtc", "collateral_amount_btc")
_EVENTS = ("id", "version", "timestamp", "liquidatee", "collateral_asset_symbol", "collateral_amount_usd")
_ALL = (
    "timestamp",
    "collateral_symbol",
    "version",
    "liquidatee",
    "amount_tokens",
    "amount_usd",
    "profit_usd",
    "protocol_fee_usd",
)
_POSITIONS = (
    "account",
    "collateral_symbol",
    "version",
    "borrowed_symbol",
    "borrow_balance_tokens",
    "variable_borrow_rate",
    "btc_collateral_tokens",
)
_PRICE = ("date", "btc_price_usd")
_PRICE_FILE = "btc_price_history.parquet"
_GARBAGE = 100.0  # no liquidator earns a hundred times what was liquidated


def recognise_events(layout: Layout) -> bool:
    """A Parquet file with one row an event, with its id."""
    return has_columns(layout, "parquet", _EVENTS) and bool(set(_AMOUNTS) & set(layout.names))


def load_events(source: SourceFile) -> Loaded:
    """Events with their ids; USD is the protocol's price at the block."""
    import polars as pl

    frame = numbered(read_parquet(source))
    amount = next(name for name in _AMOUNTS if name in frame.columns)
    frame = frame.rename(
        {
            amount: "amount_tokens",
            "collateral_amount_usd": "amount_usd",
            "collateral_asset_symbol": "collateral_symbol",
        }
    )
    checks.require(
        frame.with_columns(pl.col("id").is_duplicated().alias("_again")),
        ~pl.col("_again"),
        source,
        column="id",
        expected="each event once",
        todo="leave out repeated events",
    )
    return _events(source, frame)


def recognise_all(layout: Layout) -> bool:
    """A Parquet file with one row an event, without ids, with profits."""
    return has_columns(layout, "parquet", _ALL)


def load_all(source: SourceFile) -> Loaded:
    """Events without ids; those that other files have too are recognised by who, when and how much."""
    import polars as pl

    frame = numbered(read_parquet(source, list(_ALL)))
    loaded = _events(source, frame)
    garbage = frame.filter(pl.col("profit_usd").abs() > _GARBAGE * pl.col("amount_usd").abs())
    if garbage.height:
        worst = float(garbage["profit_usd"].abs().max() or 0.0)  # type: ignore[arg-type]
        loaded.defects.append(
            Defect(
                "profit-garbage",
                "a liquidator's profit_usd that is many times what was liquidated: a wrong scale",
                "the column is not imported",
                garbage.height,
                f"up to {worst:.0e} USD",
            )
        )
    return loaded


def _events(source: SourceFile, frame: pl.DataFrame) -> Loaded:
    import polars as pl

    frame = checks.with_time_ns(frame, source, "timestamp", "seconds")
    for name in ("amount_tokens", "amount_usd"):
        checks.not_negative(frame, source, name)
    empty = frame.filter((pl.col("amount_tokens") <= 0) | (pl.col("amount_usd") <= 0))
    frame = frame.filter((pl.col("amount_tokens") > 0) & (pl.col("amount_usd") > 0)).with_columns(
        (pl.col("amount_usd") / pl.col("amount_tokens")).alias("_price"), pl.lit("BTC").alias("coin")
    )
    checks.price(frame, source, "_price")
    satoshis = (pl.col("amount_tokens") * 1e8).round().cast(pl.Int64).cast(pl.String)
    content = pl.concat_str("liquidatee", satoshis, separator="-")
    again = pl.int_range(pl.len()).over("time_ns", "liquidatee", satoshis)
    rows = frame.select(
        ROW,
        "time_ns",
        pl.lit("aave").alias("venue"),
        pl.lit("spot").alias("kind"),
        "coin",
        pl.concat_str(pl.col("version"), pl.col("collateral_symbol").str.to_uppercase(), separator=":").alias(
            "symbol"
        ),
        pl.concat_str(content, again.cast(pl.String), separator="#").alias("event_id"),
        pl.lit("long").alias("side"),
        pl.col("amount_tokens").alias("coins"),
        pl.col("_price").alias("price"),
        pl.lit(None, dtype=pl.Float64).alias("order_price"),
        pl.col("amount_usd").alias("usd"),
        pl.lit("fill").alias("usd_at"),
        pl.lit("onchain").alias("feed"),
    )
    defects = []
    if empty.height:
        defects.append(Defect("events-empty", "events of no amount", "left out", empty.height))
    return Loaded([("liquidations", rows)], defects)


def recognise_positions(layout: Layout) -> bool:
    """A Parquet file with one row an account and debt."""
    return has_columns(layout, "parquet", _POSITIONS)


def load_positions(source: SourceFile) -> Loaded:
    """Collateral as a long position, debts as short ones; the moment is the newest price beside the file."""
    import polars as pl

    moment = _newest_price(source)
    if moment is None:
        return Loaded(skipped=f"open positions without a time, and no {_PRICE_FILE} beside them tells it")
    frame = numbered(read_parquet(source, list(_POSITIONS))).with_columns(
        pl.concat_str(pl.col("version"), pl.col("collateral_symbol").str.to_uppercase(), separator=":").alias(
            "market"
        )
    )
    for name in ("borrow_balance_tokens", "btc_collateral_tokens"):
        checks.not_negative(frame, source, name)
    owned = frame.group_by("account", "market", maintain_order=True).agg(
        pl.col("btc_collateral_tokens").max()
    )
    debts = frame.group_by("account", "market", "borrowed_symbol", maintain_order=True).agg(
        pl.col("borrow_balance_tokens").sum(), pl.len()
    )
    rows = pl.concat(
        [
            owned.filter(pl.col("btc_collateral_tokens") > 0).select(
                "account",
                pl.lit("BTC").alias("coin"),
                pl.col("market").alias("symbol"),
                pl.col("btc_collateral_tokens").alias("coins"),
            ),
            debts.select(
                "account",
                pl.col("borrowed_symbol").alias("coin"),
                pl.concat_str("market", pl.lit("debt"), "borrowed_symbol", separator=":").alias("symbol"),
                (-pl.col("borrow_balance_tokens")).alias("coins"),
            ),
        ]
    )
    nothing = (
        "entry_price",
        "leverage",
        "notional_usd",
        "unrealised_pnl_usd",
        "liquidation_price",
        "account_value_usd",
    )
    rows = rows.with_columns(
        pl.lit(moment, dtype=pl.Int64).alias("time_ns"),
        pl.lit("aave").alias("venue"),
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in nothing),
    )
    defects = [
        Defect(
            "positions-without-time",
            "open positions that carry no time",
            "stamped with the newest day of the prices beside them",
            rows.height,
        )
    ]
    if summed := int((debts["len"] - 1).sum()):
        defects.append(
            Defect("debts-repeated", "debts of one account in one token in several rows", "added up", summed)
        )
    without = frame.filter(pl.col("btc_collateral_tokens") == 0).height
    if without:
        defects.append(
            Defect(
                "collateral-zero",
                "a debt whose wrapped bitcoin is 0",
                "no collateral row; the debt kept",
                without,
            )
        )
    return Loaded([("holdings", rows)], defects)


def _newest_price(source: SourceFile) -> int | None:
    beside: Path = source.path.parent / _PRICE_FILE
    if source.member or not beside.is_file():
        return None
    newest = read_parquet(SourceFile(beside, source.label), [_PRICE[0]])["date"].dt.epoch("ns").max()
    return int(newest) if isinstance(newest, int) else None


def recognise_price(layout: Layout) -> bool:
    """A Parquet file with a date and a price of bitcoin."""
    return only_columns(layout, "parquet", _PRICE)


def load_price(source: SourceFile) -> Loaded:
    """A price by day, of a publisher that the file does not name."""
    import polars as pl

    frame = numbered(read_parquet(source, list(_PRICE))).with_columns(pl.col("date").dt.epoch("ns"))
    frame = checks.with_time_ns(frame, source, "date", "nanoseconds")
    defects = []
    if frame.height > 1 and frame["time_ns"][-1] == frame["time_ns"][-2]:
        defects.append(
            Defect(
                "day-running",
                "the running day stands twice: its opening, and its value when the file was fetched",
                "the later one left out",
                1,
            )
        )
        frame = frame.head(-1)
    checks.increasing(frame, source, "date")
    checks.price(frame.with_columns(pl.lit("BTC").alias("coin")), source, "btc_price_usd")
    values = {"price_usd": (pl.col("btc_price_usd"), "USD/coin")}
    rows = indicators(frame, f"{UNNAMED} (aave)", values, interval_s=DAY_S, symbol="BTC")
    return Loaded([rows], defects)


AAVE = (
    Importer("aave-liquidations", 1, "liquidations on Aave", _EVENTS, NO_NAME, recognise_events, load_events),
    Importer(
        "aave-all-liquidations", 1, "liquidations on Aave without ids", _ALL, NO_NAME, recognise_all, load_all
    ),
    Importer(
        "aave-positions",
        1,
        "open positions on Aave",
        _POSITIONS,
        NO_NAME,
        recognise_positions,
        load_positions,
    ),
    Importer("bitcoin-price", 1, "a price of bitcoin by day", _PRICE, NO_NAME, recognise_price, load_price),
)
