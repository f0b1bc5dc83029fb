"""CoinGlass lists of a moment: funding of every contract, open interest, taker volume and balances by venue.

None carries a time: the moment is that of the folder's fetch.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import (
    NO_NAME,
    Defect,
    Importer,
    Loaded,
    SourceFile,
    has_columns,
    only_columns,
)
from deleverage.data.importers.coinglass_folder import NO_FOLDER, coin_in_name, stamped
from deleverage.data.importers.coinglass_series import PUBLISHER, numeric
from deleverage.data.importers.content import read_parquet
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import DAY_S, indicators, numbered
from deleverage.errors import UnitError

if TYPE_CHECKING:
    import polars as pl

_FUNDING = ("symbol", "stablecoin_margin_list", "token_margin_list")
_ACCUMULATED = re.compile(r".*accumulated_exchange_list_(\d+)d\.parquet")
_LARGEST = 10.0  # percent per interval
_INTEREST = (
    "exchange",
    "symbol",
    "open_interest_usd",
    "open_interest_quantity",
    "open_interest_by_coin_margin",
    "open_interest_by_stable_coin_margin",
    "open_interest_quantity_by_coin_margin",
    "open_interest_quantity_by_stable_coin_margin",
)
_TAKER = ("symbol", "buy_ratio", "sell_ratio", "buy_vol_usd", "sell_vol_usd", "exchange_list")
_BALANCE = ("exchange_name", "total_balance", "balance_change_1d", "balance_change_7d", "balance_change_30d")
_WALLETS = ("wallet_address", "balance", "balance_usd", "symbol", "assets_name", "price")
_OPTION_INFO = ("exchange_name", "open_interest", "oi_market_share", "open_interest_usd", "volume_usd_24h")
_SPOT = (
    "symbol",
    "exchange_name",
    "current_price",
    "volume_usd_24h",
    "buy_volume_usd_24h",
    "sell_volume_usd_24h",
)
_WINDOW = Defect(
    "window-not-stated",
    "lists by venue that do not state their window; of liquidations, below the 24 h of the pairs",
    "kept as indicators whose unit says so, never as totals",
)


def _load(
    build: Callable[[SourceFile, pl.DataFrame, str], Loaded],
    needs_coin: bool,
    columns: tuple[str, ...],
    source: SourceFile,
) -> Loaded:
    """Read, stamp with the fetch, and build the rows."""
    import polars as pl

    stamp = stamped(source)
    coin = coin_in_name(source.name)
    if stamp is None:
        return Loaded(skipped=NO_FOLDER)
    if needs_coin and coin is None:
        return Loaded(skipped="a list by venue, and the name does not end with its coin like _BTC.parquet")
    frame = numbered(read_parquet(source, list(columns))).with_columns(
        pl.lit(stamp[0], dtype=pl.Int64).alias("time_ns")
    )
    loaded = build(source, frame, coin or "")
    loaded.defects = [*stamp[1], *loaded.defects]
    return loaded


def _funding(source: SourceFile, frame: pl.DataFrame, _coin: str) -> Loaded:
    """Running rates, or rates summed over days, of every coin and venue: percent to shares."""
    import polars as pl

    accumulated = _ACCUMULATED.fullmatch(source.name)
    days = int(accumulated[1]) if accumulated else 0
    parts = []
    for margin, column in (("stablecoin", "stablecoin_margin_list"), ("coin", "token_margin_list")):
        rows = (
            frame.select("_row", "time_ns", "symbol", column)
            .explode(column)
            .drop_nulls(column)
            .unnest(column)
        )
        checks.require(
            rows,
            pl.col("funding_rate").abs() <= _LARGEST * max(3 * days, 1),
            source,
            column=column,
            expected="a rate in percent",
            todo="give the vendor's own file",
            kind=UnitError,
        )
        name = f"funding_rate_{margin}_margined" + (f"_accumulated_{days}d" if days else "_running")
        interval: int | pl.Expr = days * DAY_S
        if not days:
            interval = pl.col("funding_rate_interval").fill_null(0) * 3600
        parts.append(
            indicators(
                rows,
                PUBLISHER,
                {name: (pl.col("funding_rate") / 100, "share" if days else "share per interval")},
                interval_s=interval,
                venue=pl.col("exchange").str.to_lowercase(),
                symbol=pl.col("symbol"),
            )
        )
    percent = Defect(
        "funding-in-percent", "funding rates are in percent", "divided by 100: a share per funding interval"
    )
    return Loaded(list(parts), [percent])


def _interest(source: SourceFile, frame: pl.DataFrame, coin: str) -> Loaded:
    """Open interest by venue; by margin type, and the vendor's sum, as indicators. A zero is not observed."""
    import polars as pl

    for name in _INTEREST[2:]:
        numeric(source, frame, name)
        checks.not_negative(frame, source, name)
    usd, coins = pl.col("open_interest_usd"), pl.col("open_interest_quantity")
    seen = frame.filter((usd > 0) & (coins > 0)).with_columns((usd / coins).alias("_price"))
    checks.price(seen.with_columns(pl.lit(coin).alias("coin")), source, "_price")
    rows = seen.filter(pl.col("exchange") != "All").select(
        "_row",
        "time_ns",
        pl.col("exchange").str.to_lowercase().alias("venue"),
        pl.lit(coin).alias("coin"),
        pl.lit("all").alias("scope"),
        coins.cast(pl.Float64).alias("coins"),
        usd.cast(pl.Float64).alias("usd"),
        pl.col("_price").alias("price"),
    )
    positive = {name: pl.when(pl.col(name) > 0).then(pl.col(name)) for name in _INTEREST[2:]}
    values = {
        "open_interest_coin_margined_usd": (positive["open_interest_by_coin_margin"], "USD"),
        "open_interest_stablecoin_margined_usd": (positive["open_interest_by_stable_coin_margin"], "USD"),
        "open_interest_coin_margined_coins": (positive["open_interest_quantity_by_coin_margin"], "coins"),
        "open_interest_stablecoin_margined_coins": (
            positive["open_interest_quantity_by_stable_coin_margin"],
            "coins",
        ),
    }
    venue = pl.col("exchange").str.to_lowercase()
    by_margin = indicators(frame, PUBLISHER, values, interval_s=0, venue=venue, symbol=coin)
    total = {
        "open_interest_usd": (positive["open_interest_usd"], "USD"),
        "open_interest_coins": (positive["open_interest_quantity"], "coins"),
    }
    every = frame.filter(pl.col("exchange") == "All")
    together = indicators(every, PUBLISHER, total, interval_s=0, venue="all", symbol=coin)
    return Loaded([("open_interest", rows), by_margin, together])


def _taker(source: SourceFile, frame: pl.DataFrame, coin: str) -> Loaded:
    import polars as pl

    rows = frame.select("_row", "time_ns", "exchange_list").unnest("exchange_list")
    for name in ("buy_vol_usd", "sell_vol_usd"):
        checks.not_negative(rows, source, name)
    unit = "USD, window not stated"
    values = {
        "taker_buy_usd_recent": (pl.col("buy_vol_usd"), unit),
        "taker_sell_usd_recent": (pl.col("sell_vol_usd"), unit),
    }
    out = indicators(
        rows, PUBLISHER, values, interval_s=0, venue=pl.col("exchange").str.to_lowercase(), symbol=coin
    )
    return Loaded([out], [_WINDOW])


def _balances(source: SourceFile, frame: pl.DataFrame, coin: str) -> Loaded:
    import polars as pl

    checks.not_negative(frame, source, "total_balance")
    values = {
        "exchange_balance_coins": (pl.col("total_balance"), "coins"),
        **{
            f"exchange_balance_change_{days}_coins": (pl.col(f"balance_change_{days}"), "coins")
            for days in ("1d", "7d", "30d")
        },
    }
    venue = pl.col("exchange_name").str.to_lowercase()
    return Loaded([indicators(frame, PUBLISHER, values, interval_s=0, venue=venue, symbol=coin)])


def _wallets(source: SourceFile, frame: pl.DataFrame, _coin: str) -> Loaded:
    """Wallets of a venue that the file does not name."""
    import polars as pl

    for name in ("balance", "balance_usd", "price"):
        checks.not_negative(frame, source, name)
    rows = frame.select(
        "_row",
        "time_ns",
        pl.lit("unnamed").alias("venue"),
        pl.col("wallet_address").alias("account"),
        pl.col("symbol").alias("coin"),
        "symbol",
        pl.col("balance").cast(pl.Float64).alias("coins"),
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in ("entry_price", "leverage")),
        pl.col("balance_usd").cast(pl.Float64).alias("notional_usd"),
        *(
            pl.lit(None, dtype=pl.Float64).alias(name)
            for name in ("unrealised_pnl_usd", "liquidation_price", "account_value_usd")
        ),
    )
    unnamed = Defect(
        "venue-not-named",
        "series that name no venue",
        "kept under the venue 'unnamed'",
    )
    return Loaded([("holdings", rows)], [unnamed])


def _option_info(source: SourceFile, frame: pl.DataFrame, coin: str) -> Loaded:
    import polars as pl

    for name in ("open_interest", "open_interest_usd"):
        checks.not_negative(frame, source, name)
    values = {
        "options_open_interest_coins": (pl.col("open_interest"), "coins"),
        "options_open_interest_usd": (pl.col("open_interest_usd"), "USD"),
        "options_volume_usd_24h": (pl.col("volume_usd_24h"), "USD"),
    }
    venue = pl.col("exchange_name").str.to_lowercase()
    return Loaded([indicators(frame, PUBLISHER, values, interval_s=0, venue=venue, symbol=coin)])


def _spot(source: SourceFile, frame: pl.DataFrame, coin: str) -> Loaded:
    """State of every spot pair of a coin; a pair without a name or a price is left out."""
    import polars as pl

    named = frame.filter(pl.col("symbol").is_not_null() & pl.col("exchange_name").is_not_null())
    dollars = pl.col("symbol").str.contains(r"/(USD[TC]?|FDUSD|TUSD|DAI|BUSD)$")
    priced = named.filter(dollars & pl.col("current_price").is_not_null()).with_columns(
        pl.lit(coin).alias("coin")
    )
    checks.price(priced, source, "current_price")
    nothing = [pl.lit(None, dtype=pl.Float64).alias(name) for name in ("index_price", "open_interest_coins")]
    rows = priced.select(
        "_row",
        "time_ns",
        pl.col("exchange_name").str.to_lowercase().alias("venue"),
        "coin",
        ("spot:" + pl.col("symbol")).alias("symbol"),
        pl.lit("spot").alias("kind"),
        pl.col("current_price").cast(pl.Float64).alias("price"),
        *nothing,
        pl.lit(None, dtype=pl.Float64).alias("open_interest_usd"),
        pl.lit(None, dtype=pl.Float64).alias("funding_rate"),
        pl.col("volume_usd_24h").cast(pl.Float64),
        pl.lit(None, dtype=pl.Float64).alias("long_liquidations_usd_24h"),
        pl.lit(None, dtype=pl.Float64).alias("short_liquidations_usd_24h"),
    )
    values = {
        "taker_buy_usd_24h": (pl.col("buy_volume_usd_24h"), "USD"),
        "taker_sell_usd_24h": (pl.col("sell_volume_usd_24h"), "USD"),
    }
    taker = indicators(
        priced,
        PUBLISHER,
        values,
        interval_s=DAY_S,
        venue=pl.col("exchange_name").str.to_lowercase(),
        symbol="spot:" + pl.col("symbol"),
    )
    left = frame.height - priced.height
    defects = []
    if left:
        defects.append(
            Defect(
                "pairs-not-in-usd", "spot pairs without a name, or not priced in dollars", "left out", left
            )
        )
    return Loaded([("snapshots", rows), taker], defects)


def _family(
    key: str,
    holds: str,
    columns: tuple[str, ...],
    build: Callable[[SourceFile, pl.DataFrame, str], Loaded],
    *,
    needs_coin: bool = True,
    exact: bool = True,
) -> Importer:
    def recognise(layout: Layout) -> bool:
        return (only_columns if exact else has_columns)(layout, "parquet", columns)

    return Importer(key, 1, holds, columns, NO_NAME, recognise, partial(_load, build, needs_coin, columns))


LISTS = (
    _family("coinglass-funding-list", "funding by coin and venue", _FUNDING, _funding, needs_coin=False),
    _family(
        "coinglass-interest-list", "open interest by venue and margin", _INTEREST, _interest, exact=False
    ),
    _family("coinglass-taker-list", "taker volume by venue", _TAKER, _taker),
    _family("coinglass-balances", "coins held by venues", _BALANCE, _balances, exact=False),
    _family("coinglass-wallets", "wallets of a venue", _WALLETS, _wallets, needs_coin=False),
    _family("coinglass-options", "options by venue", _OPTION_INFO, _option_info, exact=False),
    _family("coinglass-spot-pairs", "state of every spot pair", _SPOT, _spot, exact=False),
)
