"""Can these rows stand in their table: signs, declared words, times, names?

The last look at every row that an import brings, whatever importer or mapping made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import ROW, SourceFile
from deleverage.schema import LAKE_TABLES

if TYPE_CHECKING:
    import polars as pl

_AMOUNTS: dict[str, tuple[str, ...]] = {
    "candles": ("volume_coins", "taker_buy_coins", "trades"),
    "open_interest": ("coins", "usd"),
    "depth": ("range_bps", "bid_usd", "bid_coins", "ask_usd", "ask_coins"),
    "snapshots": (
        "open_interest_coins",
        "open_interest_usd",
        "volume_usd_24h",
        "long_liquidations_usd_24h",
        "short_liquidations_usd_24h",
    ),
    "adl_totals": ("coins", "usd", "fills"),
    "trades": ("coins", "usd"),
    "liquidations": ("coins", "usd"),
    "liquidation_totals": ("usd",),
    "books": ("coins",),
    "best_quotes": ("bid_coins", "ask_coins"),
    "macro": ("volume",),
    "market_caps": ("usd", "volume_usd_24h", "supply_coins"),
}
_KINDS = ("perp", "spot", "future")
_WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "trades": {"side": ("buy", "sell")},
    "liquidations": {"side": ("long", "short"), "usd_at": ("fill", "order")},
    "liquidation_totals": {"side": ("long", "short")},
    "books": {"side": ("bid", "ask")},
    "depth": {"taken": ("bar", "fetch", "live")},
}
_MAY_BE_EMPTY = {"indicators"}  # a series of no venue or contract, and of no window
_OLDER = {"macro"}  # gold is older than Bitcoin
_USD_WITHIN = 0.01
_DAY_NS = 86_400 * 1_000_000_000
# A venue names a folder of the lake. A symbol may hold '/', as in 'PURR/USDC'; it may not lead anywhere.
_NO_NAME = {
    "venue": r"[/\\\x00-\x1f\x7f]|\.\.",
    "symbol": r"[\\\x00-\x1f\x7f]|\.\.|^/|/$",
}


def plausible(table: str, frame: pl.DataFrame, source: SourceFile) -> None:
    """Refuse the file at the first row that cannot stand in ``table``.

    Raises
    ------
    InputError
        which file, row and column, and what was expected.
    """
    import polars as pl

    if ROW not in frame.columns:
        frame = frame.with_row_index(ROW, offset=1)
    names = {column.name for column in LAKE_TABLES[table].columns} & set(frame.columns)
    _times(table, frame, source)
    for name in _AMOUNTS.get(table, ()):
        if name in names:
            checks.not_negative(frame, source, name)
    words = _WORDS.get(table, {}) | ({"kind": _KINDS} if "kind" in names else {})
    for name, known in words.items():
        _require(frame, pl.col(name).is_in(known), source, name, f"one of {', '.join(known)}")
    if "interval_s" in names:
        least = 0 if table in _MAY_BE_EMPTY else 1
        _require(frame, pl.col("interval_s") >= least, source, "interval_s", f"seconds of {least} or more")
    for name, pattern in _NO_NAME.items():
        if name not in names:
            continue
        if table not in _MAY_BE_EMPTY:
            _require(frame, pl.col(name).str.strip_chars() != "", source, name, f"a {name}")
        _require(
            frame, ~pl.col(name).str.contains(pattern), source, name, f"a {name} that is a name and no path"
        )
    if table == "sentiment":
        _require(frame, pl.col("value").is_between(0, 100), source, "value", "a value of 0 to 100")
    if table == "trades":
        worth = pl.col("coins") * pl.col("price")
        near = (pl.col("usd") - worth).abs() <= _USD_WITHIN * worth.abs()
        _require(frame, near, source, "usd", "coins at the price, within 1 %")


def _times(table: str, frame: pl.DataFrame, source: SourceFile) -> None:
    import polars as pl

    if table not in _OLDER:
        checks.within(frame, source, "time_ns")
        return
    latest = checks.now_ns() + _DAY_NS
    _require(frame, pl.col("time_ns") <= latest, source, "time_ns", "a time that is not in the future")


def _require(frame: pl.DataFrame, holds: pl.Expr, source: SourceFile, column: str, expected: str) -> None:
    checks.require(
        frame, holds, source, column=column, expected=expected, todo="correct that row, or leave it out"
    )
