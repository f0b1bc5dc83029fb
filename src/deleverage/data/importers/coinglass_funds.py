"""CoinGlass on funds: daily flows, premiums and holdings by fund, and the list of funds at a moment."""

from __future__ import annotations

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
from deleverage.data.importers.coinglass_folder import NO_FOLDER, stamped
from deleverage.data.importers.coinglass_series import PUBLISHER
from deleverage.data.importers.content import read_parquet
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import DAY_S, day_start, indicators, numbered

if TYPE_CHECKING:
    import polars as pl

_FLOWS = ("timestamp", "flow_usd", "etf_flows", "price_usd")
_HISTORY = (
    "assets_date",
    "btc_holdings",
    "market_price",
    "nav",
    "net_assets",
    "premium_discount",
    "shares_outstanding",
    "ticker",
)
_PREMIUM = ("timestamp", "list")
_PRICES = ("time", "open", "high", "low", "close", "volume")
_LIST = ("ticker", "fund_name", "aum_usd", "price_usd", "asset_details", "volume_usd")
_TRUSTS = ("symbol", "primary_market_price", "secondary_market_price", "premium_rate", "holdings_amount")
_HONG_KONG = {"CHINAAMC", "HARVEST", "BOSERA&HASHKEY"}
_COINS = {"bitcoin": "BTC", "ethereum": "ETH"}


def _coin(source: SourceFile) -> str | None:
    return next((coin for word, coin in _COINS.items() if word in source.name), None)


def recognise_flows(layout: Layout) -> bool:
    """A Parquet file with a sum and a list of funds a day."""
    return only_columns(layout, "parquet", _FLOWS)


def load_flows(source: SourceFile) -> Loaded:
    """Flows by fund and day; a day on which no fund has a figure is not observed."""
    import polars as pl

    coin = _coin(source)
    if coin is None:
        return Loaded(skipped="fund flows, and the name does not say of which coin, like etf_bitcoin")
    frame = _days(numbered(read_parquet(source, list(_FLOWS[:3]))), source, "timestamp")
    funds = frame.select("_row", "time_ns", "etf_flows").explode("etf_flows").unnest("etf_flows").drop_nulls()
    hong_kong = bool(_HONG_KONG & set(funds["etf_ticker"].unique()))
    publisher = f"{PUBLISHER} (Hong Kong)" if hong_kong else PUBLISHER
    active = funds.group_by("time_ns").agg((pl.col("flow_usd") != 0).any().alias("moved"))
    total = frame.join(active, on="time_ns", how="left").with_columns(pl.col("moved").fill_null(False))
    quiet = total.filter(~pl.col("moved") & (pl.col("flow_usd").fill_null(0) == 0))
    kept = total.join(quiet.select("time_ns"), on="time_ns", how="anti")
    rows = pl.concat(
        [
            kept.select("time_ns", pl.lit("total").alias("fund"), pl.col("flow_usd").alias("usd")),
            funds.join(quiet.select("time_ns"), on="time_ns", how="anti").select(
                "time_ns", pl.col("etf_ticker").alias("fund"), pl.col("flow_usd").alias("usd")
            ),
        ]
    ).drop_nulls("usd")
    defects = []
    if quiet.height:
        defects.append(
            Defect(
                "holiday-zeros",
                "days on which no fund has a figure: the market was closed, or the day is not published",
                "left out as not observed",
                quiet.height,
            )
        )
    return Loaded(
        [
            (
                "flows",
                rows.select(
                    "time_ns", pl.lit(publisher).alias("publisher"), pl.lit(coin).alias("coin"), "fund", "usd"
                ),
            )
        ],
        defects,
    )


def recognise_history(layout: Layout) -> bool:
    """A Parquet file with holdings and net assets of a fund by day."""
    return has_columns(layout, "parquet", _HISTORY)


def load_history(source: SourceFile) -> Loaded:
    """Holdings, price and premium of a fund by day."""
    import polars as pl

    frame = _days(numbered(read_parquet(source, list(_HISTORY))), source, "assets_date")
    values = {
        "etf_holdings_coins": (pl.col("btc_holdings"), "coins"),
        "etf_price_usd": (pl.col("market_price"), "USD/share"),
        "etf_nav_usd": (pl.col("nav"), "USD/share"),
        "etf_net_assets_usd": (pl.col("net_assets"), "USD"),
        "etf_premium": (pl.col("premium_discount") / 100, "share"),
        "etf_shares": (pl.col("shares_outstanding"), "shares"),
    }
    return Loaded(
        [indicators(frame, PUBLISHER, values, interval_s=DAY_S, symbol=pl.col("ticker"))], [_PERCENT]
    )


_PERCENT = Defect("shares-in-percent", "shares, basis and premium are in percent", "divided by 100")


def recognise_premium(layout: Layout) -> bool:
    """A Parquet file with a day and a list."""
    return only_columns(layout, "parquet", _PREMIUM)


def load_premium(source: SourceFile) -> Loaded:
    """Price, net asset value and premium of every fund by day."""
    import polars as pl

    frame = _days(numbered(read_parquet(source, list(_PREMIUM))), source, "timestamp")
    rows = frame.select("time_ns", "list").explode("list").unnest("list")
    values = {
        "etf_price_usd": (pl.col("market_price_usd"), "USD/share"),
        "etf_nav_usd": (pl.col("nav_usd"), "USD/share"),
        "etf_premium": (pl.col("premium_discount_details") / 100, "share"),
    }
    out = indicators(rows, f"{PUBLISHER} (premiums)", values, interval_s=DAY_S, symbol=pl.col("ticker"))
    return Loaded([out], [_PERCENT])


def recognise_prices(layout: Layout) -> bool:
    """A Parquet file of daily bars whose volume is no USD."""
    return only_columns(layout, "parquet", _PRICES)


def load_prices(source: SourceFile) -> Loaded:
    """Daily bars of a fund; which one is told by the premiums beside it, if they agree."""
    import polars as pl

    frame = numbered(read_parquet(source, list(_PRICES)))
    frame = frame.with_columns(
        pl.col("time").cast(pl.Int64, strict=False),
        *(pl.col(name).cast(pl.Float64, strict=False) for name in _PRICES[1:]),
    )
    frame = _days(frame, source, "time").with_columns(pl.lit("").alias("coin"))
    checks.bars(frame, source)
    ticker = _ticker(source, frame)
    rows = frame.select(
        "_row",
        "time_ns",
        pl.lit(PUBLISHER).alias("publisher"),
        pl.lit(ticker or "unnamed fund").alias("symbol"),
        pl.lit(DAY_S, dtype=pl.Int64).alias("interval_s"),
        *_PRICES[1:],
        pl.lit("USD/share").alias("unit"),
    )
    shown = (
        f"taken as {ticker}: its price of every day beside it agrees" if ticker else "kept as 'unnamed fund'"
    )
    return Loaded(
        [("macro", rows)], [Defect("fund-not-named", "bars of a fund that the file does not name", shown)]
    )


def _ticker(source: SourceFile, frame: pl.DataFrame) -> str:
    """The fund whose closing prices in the premiums beside the file are these."""
    import polars as pl

    beside = source.path.parent / "api_etf_bitcoin_premium_discount_history.parquet"
    if source.member or not beside.is_file():
        return ""
    prices = (
        pl.read_parquet(beside)
        .explode("list")
        .unnest("list")
        .with_columns(day_start(pl.col("timestamp") * 1_000_000).alias("time_ns"))
    )
    both = prices.join(frame.select("time_ns", "close"), on="time_ns")
    near = (pl.col("market_price_usd") / pl.col("close") - 1).abs().median()
    found = (
        both.group_by("ticker")
        .agg(near.alias("off"), pl.len())
        .filter((pl.col("off") < 0.005) & (pl.col("len") > 30))
    )
    return str(found.sort("off")["ticker"][0]) if found.height else ""


def recognise_list(layout: Layout) -> bool:
    """A Parquet file with one row a fund, its details nested."""
    return has_columns(layout, "parquet", _LIST)


def load_list(source: SourceFile) -> Loaded:
    """State of every fund at the moment of the fetch."""
    import polars as pl

    stamp = stamped(source)
    if stamp is None:
        return Loaded(skipped=NO_FOLDER)
    frame = numbered(read_parquet(source, list(_LIST))).with_columns(
        pl.lit(stamp[0], dtype=pl.Int64).alias("time_ns")
    )
    details = pl.col("asset_details").struct
    values = {
        "etf_aum_usd_now": (pl.col("aum_usd").cast(pl.Float64, strict=False), "USD"),
        "etf_price_usd_now": (pl.col("price_usd"), "USD/share"),
        "etf_volume_usd_now": (pl.col("volume_usd"), "USD"),
        "etf_holdings_coins_now": (details.field("holding_quantity"), "coins"),
        "etf_premium_now": (details.field("premium_discount_percent") / 100, "share"),
    }
    rows = indicators(frame, PUBLISHER, values, interval_s=0, symbol=pl.col("ticker"))
    return Loaded([rows], [*stamp[1], _PERCENT])


def recognise_trusts(layout: Layout) -> bool:
    """A Parquet file with one row a trust."""
    return has_columns(layout, "parquet", _TRUSTS)


def load_trusts(source: SourceFile) -> Loaded:
    """Holdings and premiums of trusts at the moment of the fetch."""
    import polars as pl

    stamp = stamped(source)
    if stamp is None:
        return Loaded(skipped=NO_FOLDER)
    frame = numbered(read_parquet(source, list(_TRUSTS))).with_columns(
        pl.lit(stamp[0], dtype=pl.Int64).alias("time_ns")
    )
    values = {
        "trust_nav_usd_now": (pl.col("primary_market_price"), "USD/share"),
        "trust_price_usd_now": (pl.col("secondary_market_price"), "USD/share"),
        "trust_premium_now": (pl.col("premium_rate") / 100, "share"),
        "trust_holdings_coins_now": (pl.col("holdings_amount"), "coins"),
    }
    rows = indicators(frame, PUBLISHER, values, interval_s=0, symbol=pl.col("symbol"))
    return Loaded([rows], [*stamp[1], _PERCENT])


def _days(frame: pl.DataFrame, source: SourceFile, column: str) -> pl.DataFrame:
    """``frame`` with 'time_ns' at 00:00 UTC of its day, one row a day."""
    import polars as pl

    frame = checks.with_time_ns(frame, source, column, checks.unit_of(frame, source, column))
    checks.increasing(frame, source, column)
    return frame.with_columns(day_start(pl.col("time_ns")).alias("time_ns"))


FUNDS = (
    Importer("coinglass-flows", 1, "fund flows", _FLOWS, NO_NAME, recognise_flows, load_flows),
    Importer("coinglass-fund", 1, "a fund by day", _HISTORY, NO_NAME, recognise_history, load_history),
    Importer(
        "coinglass-fund-premiums", 1, "premiums of funds", _PREMIUM, NO_NAME, recognise_premium, load_premium
    ),
    Importer("coinglass-fund-prices", 1, "bars of a fund", _PRICES, NO_NAME, recognise_prices, load_prices),
    Importer("coinglass-funds", 1, "funds at a moment", _LIST, NO_NAME, recognise_list, load_list),
    Importer("coinglass-trusts", 1, "trusts at a moment", _TRUSTS, NO_NAME, recognise_trusts, load_trusts),
)
