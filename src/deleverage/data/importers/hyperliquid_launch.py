"""Hyperliquid's first public files: trades with their accounts, liquidations and ledger, February to May
2023.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import NO_NAME, ROW, Defect, Importer, Loaded, SourceFile, only_columns
from deleverage.data.importers.csv_text import read_open_csv
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import indicators, moments

if TYPE_CHECKING:
    pass

_ISO = "%Y-%m-%dT%H:%M:%SZ"
_TRADES = {
    "time": "String",
    "user": "String",
    "coin": "String",
    "side": "String",
    "px": "Float64",
    "sz": "Float64",
    "crossed": "Boolean",
}
_LIQUIDATIONS = {
    "time": "String",
    "user": "String",
    "liquidated_ntl_pos": "Float64",
    "liquidated_account_value": "Float64",
    "leverage_type": "String",
}
_LEDGER = {"time": "String", "user": "String", "delta_usd": "Float64"}
_TINY_USD = 5e6  # traded a day; the venue traded a thousand times as much two years later


def recognise_trades(layout: Layout) -> bool:
    """A CSV with account, side, price, size and whether the order took."""
    return only_columns(layout, "csv", tuple(_TRADES))


def load_trades(source: SourceFile) -> Loaded:
    """Trades, each once: a trade of two listed accounts stands in two rows, of the taker and of the maker."""
    import polars as pl

    text, defects = read_open_csv(source, _TRADES)
    frame = moments(text, source, "time", _ISO)
    checks.require(
        frame,
        pl.col("side").is_in(["Bid", "Ask"]),
        source,
        column="side",
        expected="Bid or Ask",
        todo="give the venue's own file",
    )
    checks.price(frame, source, "px")
    checks.require(
        frame, pl.col("sz") > 0, source, column="sz", expected="a size above 0", todo="sizes have no sign"
    )
    bought = (pl.col("side") == "Bid") == pl.col("crossed")
    frame = frame.with_columns(pl.when(bought).then(pl.lit("buy")).otherwise(pl.lit("sell")).alias("_taker"))
    same = ["time", "coin", "px", "sz", "_taker"]
    counted = frame.with_columns(pl.int_range(pl.len()).over([*same, "crossed"]).alias("_nth"))
    trades = counted.unique([*same, "_nth"], keep="first", maintain_order=True)
    rows = trades.select(
        ROW,
        "time_ns",
        pl.lit("hyperliquid").alias("venue"),
        pl.lit("perp").alias("kind"),
        "coin",
        pl.col("coin").alias("symbol"),
        pl.concat_str(
            *(pl.col(c).cast(pl.String) for c in ("px", "sz", "_taker", "_nth")), separator="-"
        ).alias("trade_id"),
        pl.col("_taker").alias("side"),
        pl.col("px").alias("price"),
        pl.col("sz").alias("coins"),
        (pl.col("px") * pl.col("sz")).alias("usd"),
        pl.lit(None, dtype=pl.Boolean).alias("liquidation"),
    )
    if twice := frame.height - trades.height:
        defects.append(
            Defect(
                "trades-both-sides",
                "trades that stand once for each side",
                "kept once, by the taker's side",
                twice,
            )
        )
    daily = rows.group_by(pl.col("time_ns") // 86_400_000_000_000).agg(pl.col("usd").sum())["usd"].median()
    if isinstance(daily, float) and daily < _TINY_USD:
        defects.append(
            Defect(
                "tiny-market",
                "a market that was tiny at the time: an example of a format, no market to calibrate on",
                "imported",
                example=f"{daily:,.0f} USD in the median day",
            )
        )
    return Loaded([("trades", rows)], defects)


def recognise_liquidations(layout: Layout) -> bool:
    """A CSV with an account and what was liquidated of it."""
    return only_columns(layout, "csv", tuple(_LIQUIDATIONS))


def load_liquidations(source: SourceFile) -> Loaded:
    """Notional and equity of liquidated accounts; neither coin nor side is told, so none goes to
    `liquidations`.
    """
    import polars as pl

    text, defects = read_open_csv(source, _LIQUIDATIONS)
    frame = moments(text, source, "time", _ISO)
    checks.not_negative(frame, source, "liquidated_ntl_pos")
    values = {
        "liquidated_notional_usd": (pl.col("liquidated_ntl_pos"), "USD"),
        "liquidated_account_value_usd": (pl.col("liquidated_account_value"), "USD"),
    }
    rows = indicators(frame, "hyperliquid", values, interval_s=0, venue="hyperliquid", symbol=pl.col("user"))
    plain = Defect(
        "liquidations-without-coin",
        "liquidations that tell neither coin nor side",
        "kept as indicators by account",
        frame.height,
    )
    return Loaded([rows], [*defects, plain])


def recognise_ledger(layout: Layout) -> bool:
    """A CSV with an account and a change of its money."""
    return only_columns(layout, "csv", tuple(_LEDGER))


def load_ledger(source: SourceFile) -> Loaded:
    """Deposits and withdrawals by account."""
    import polars as pl

    text, defects = read_open_csv(source, _LEDGER)
    frame = moments(text, source, "time", _ISO)
    summed = frame.group_by("time_ns", "user", maintain_order=True).agg(pl.col("delta_usd").sum())
    values = {"ledger_change_usd": (pl.col("delta_usd"), "USD")}
    rows = indicators(summed, "hyperliquid", values, interval_s=0, venue="hyperliquid", symbol=pl.col("user"))
    return Loaded([rows], defects)


LAUNCH = (
    Importer(
        "hyperliquid-launch-trades",
        1,
        "trades with accounts",
        tuple(_TRADES),
        NO_NAME,
        recognise_trades,
        load_trades,
    ),
    Importer(
        "hyperliquid-launch-liquidations",
        1,
        "liquidations by account",
        tuple(_LIQUIDATIONS),
        NO_NAME,
        recognise_liquidations,
        load_liquidations,
    ),
    Importer(
        "hyperliquid-launch-ledger",
        1,
        "ledger by account",
        tuple(_LEDGER),
        NO_NAME,
        recognise_ledger,
        load_ledger,
    ),
)
