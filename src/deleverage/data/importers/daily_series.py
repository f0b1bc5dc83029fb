"""Daily numbers in a CSV with a date: on-chain figures, order flow, capitalisation, open interest, fund
flows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import (
    NO_NAME,
    Defect,
    Importer,
    Loaded,
    SourceFile,
    only_columns,
    refusal,
)
from deleverage.data.importers.csv_text import header_of, read_csv
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import DAY_S, UNNAMED, days, holes, indicators
from deleverage.errors import UnitError

if TYPE_CHECKING:
    import polars as pl

_ONCHAIN = {
    "date": "String",
    "mvrv": "Float64?",
    "market_cap": "Float64?",
    "price": "Float64?",
    "supply": "Float64?",
}
_FUNDING = {"date": "String", "funding_rate": "Float64"}
_FLOW = {"date": "String", "buy_frac": "Float64", "quote_vol": "Float64", "taker_buy_quote": "Float64"}
_TOTAL = {"snapped_at": "Int64", "market_cap": "Float64", "total_volume": "Float64"}
_FUNDS = {"date": "String", "btc_etf_net_flow_usd_mn": "Float64?", "eth_etf_net_flow_usd_mn": "Float64?"}
_STABLE = {"date": "String", "stablecoin_mcap_usd": "Float64"}
_REALISED = {"date": "String", "btc_realized_cap_usd": "Float64?", "eth_realized_cap_usd": "Float64?"}
_MEDIAN = {"day": "String", "median": "Float64"}
_INTEREST = re.compile(r"(btc|eth)(?:usdt)?_oi_value_usd(?:_[xy])?")


def load_onchain(source: SourceFile) -> Loaded:
    """Capitalisation and supply of Bitcoin, and MVRV."""
    import polars as pl

    frame = _days(source, _ONCHAIN)
    for name in ("mvrv", "market_cap", "price", "supply"):
        checks.not_negative(frame, source, name)
    both = frame.drop_nulls(["market_cap", "price", "supply"])
    checks.require(
        both.with_columns((pl.col("market_cap") / (pl.col("price") * pl.col("supply"))).alias("_ratio")),
        pl.col("_ratio").is_between(0.9, 1.1),
        source,
        column="market_cap",
        expected="a capitalisation that is price times supply",
        todo="give capitalisation in USD, price in USD per coin",
        kind=UnitError,
    )
    caps = frame.drop_nulls("market_cap").select(
        "_row",
        "time_ns",
        pl.lit(UNNAMED).alias("publisher"),
        pl.lit("BTC").alias("coin"),
        pl.col("market_cap").alias("usd"),
        pl.lit(None, dtype=pl.Float64).alias("volume_usd_24h"),
        pl.col("supply").alias("supply_coins"),
    )
    values = {"mvrv": (pl.col("mvrv"), "ratio"), "price_usd": (pl.col("price"), "USD/coin")}
    defects = holes(frame, DAY_S)
    if empty := frame.filter(pl.col("market_cap").is_null()).height:
        defects.append(
            Defect(
                "rows-partial", "days on which some figures are empty", "those left as not observed", empty
            )
        )
    return Loaded([("market_caps", caps), _daily(frame, values, symbol="BTC")], defects)


def load_funding(source: SourceFile) -> Loaded:
    """One rate a day: no settlement, since venues settle several times a day."""
    import polars as pl

    frame = _days(source, _FUNDING)
    checks.funding_rates(frame.with_columns(pl.lit("").alias("symbol")), source, "funding_rate", by="symbol")
    values = {"funding_rate_daily_mean": (pl.col("funding_rate"), "share per interval")}
    mean = Defect(
        "funding-daily-mean",
        "one funding rate a day, where venues settle three times: a mean, not a settlement",
        "kept as an indicator, not in `funding`",
        frame.height,
    )
    return Loaded([_daily(frame, values)], [mean, *holes(frame, DAY_S)])


def load_flow(source: SourceFile) -> Loaded:
    """Volume, and the share of it that takers bought."""
    import polars as pl

    frame = _days(source, _FLOW)
    for name in ("quote_vol", "taker_buy_quote"):
        checks.not_negative(frame, source, name)
    checks.require(
        frame,
        (pl.col("taker_buy_quote") / pl.col("quote_vol") - pl.col("buy_frac")).abs() < 0.001,
        source,
        column="buy_frac",
        expected="a share that is taker_buy_quote over quote_vol",
        todo="give the columns of one series",
        kind=UnitError,
    )
    values = {
        "taker_buy_share": (pl.col("buy_frac"), "share"),
        "volume_usd": (pl.col("quote_vol"), "USD"),
        "taker_buy_usd": (pl.col("taker_buy_quote"), "USD"),
    }
    return Loaded([_daily(frame, values)], holes(frame, DAY_S))


def load_total(source: SourceFile) -> Loaded:
    """Capitalisation and volume of the whole market."""
    import polars as pl

    frame = read_csv(source, _TOTAL)
    frame = checks.with_time_ns(frame, source, "snapped_at", checks.unit_of(frame, source, "snapped_at"))
    checks.increasing(frame, source, "snapped_at")
    checks.require(
        frame,
        pl.col("market_cap").is_between(1e8, 1e14),
        source,
        column="market_cap",
        expected="the capitalisation of the whole market in USD, between 1e8 and 1e14",
        todo="give USD, not millions",
        kind=UnitError,
    )
    checks.not_negative(frame, source, "total_volume")
    rows = frame.select(
        "_row",
        (pl.col("time_ns") // (DAY_S * 10**9) * (DAY_S * 10**9)).alias("time_ns"),
        pl.lit("coingecko").alias("publisher"),
        pl.lit("total").alias("coin"),
        pl.col("market_cap").alias("usd"),
        pl.when(pl.col("total_volume") > 0).then(pl.col("total_volume")).alias("volume_usd_24h"),
        pl.lit(None, dtype=pl.Float64).alias("supply_coins"),
    )
    return Loaded([("market_caps", rows)], holes(rows, DAY_S))


def load_funds(source: SourceFile) -> Loaded:
    """Sums of fund flows [USD m] by day; the publisher is not named."""
    import polars as pl

    frame = _days(source, _FUNDS)
    rows = [
        frame.select(
            "time_ns",
            pl.lit(UNNAMED).alias("publisher"),
            pl.lit(coin).alias("coin"),
            pl.lit("total").alias("fund"),
            (pl.col(column) * 1e6).alias("usd"),
        ).drop_nulls("usd")
        for coin, column in (("BTC", "btc_etf_net_flow_usd_mn"), ("ETH", "eth_etf_net_flow_usd_mn"))
    ]
    return Loaded([("flows", pl.concat(rows))])


def load_stable(source: SourceFile) -> Loaded:
    """Capitalisation of stablecoins together."""
    import polars as pl

    frame = _days(source, _STABLE)
    checks.not_negative(frame, source, "stablecoin_mcap_usd")
    rows = frame.select(
        "_row",
        "time_ns",
        pl.lit(UNNAMED).alias("publisher"),
        pl.lit("stablecoins").alias("coin"),
        pl.col("stablecoin_mcap_usd").alias("usd"),
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in ("volume_usd_24h", "supply_coins")),
    )
    return Loaded([("market_caps", rows)], holes(rows, DAY_S))


def load_realised(source: SourceFile) -> Loaded:
    """Several values a date, without a time: the lowest and the highest of each date are what is known."""
    import polars as pl

    frame = days(read_csv(source, _REALISED), source, "date")
    parts = []
    for coin, column in (("BTC", "btc_realized_cap_usd"), ("ETH", "eth_realized_cap_usd")):
        checks.not_negative(frame, source, column)
        ends = frame.drop_nulls(column).group_by("time_ns", maintain_order=True)
        daily = ends.agg(pl.col(column).min().alias("low"), pl.col(column).max().alias("high"))
        values = {
            "realised_cap_usd_low": (pl.col("low"), "USD"),
            "realised_cap_usd_high": (pl.col("high"), "USD"),
        }
        parts.append(_daily(daily, values, symbol=coin))
    repeated = frame.height - frame["time_ns"].n_unique()
    defects = []
    if repeated:
        defects.append(
            Defect(
                "dates-repeated",
                "dates that stand several times with other values and no time of day",
                "the lowest and the highest of each date kept",
                repeated,
            )
        )
    if (
        nothing := frame["eth_realized_cap_usd"].null_count()
    ) == frame.height or nothing > 0.9 * frame.height:
        defects.append(
            Defect(
                "column-empty", "a column that is all but empty", "left out", nothing, "eth_realized_cap_usd"
            )
        )
    return Loaded(list(parts), defects)


def load_median(source: SourceFile) -> Loaded:
    """A median over markets by day, as its author summed it."""
    import polars as pl

    frame = days(read_csv(source, _MEDIAN), source, "day")
    checks.increasing(frame, source, "day")
    checks.not_negative(frame, source, "median")
    rows = _daily(frame, {"median_volatility": (pl.col("median"), "as published")})
    return Loaded([rows], [_DERIVED, *holes(frame, DAY_S)])


_DERIVED = Defect(
    "derived-data",
    "figures that somebody computed out of other data, not observations",
    "kept as indicators under who computed them",
)


def recognise_interest(layout: Layout) -> bool:
    """A CSV with a date and columns of open interest by coin, some of them repeated with suffixes."""
    names = [name for name in layout.names if name != "date"]
    return (
        layout.kind == "csv"
        and "date" in layout.names
        and bool(names)
        and all(_INTEREST.fullmatch(name) for name in names)
    )


def load_interest(source: SourceFile) -> Loaded:
    """Open interest by coin and day [USD]; repeated columns are joined where they agree."""
    import polars as pl

    names = [name for name in header_of(source) if name != "date"]
    frame = _days(source, {"date": "String", **{name: "Float64?" for name in names}})
    parts = []
    repeated = 0
    for coin in ("btc", "eth"):
        same = [name for name in names if name.startswith(coin)]
        if not same:
            continue
        repeated += len(same) - 1
        for name in same:
            checks.not_negative(frame, source, name)
        low, high = pl.min_horizontal(same), pl.max_horizontal(same)
        unlike = frame.filter(high > low * (1 + 1e-9))
        if unlike.height:
            raise refusal(
                UnitError,
                source,
                place=f"line {unlike['_row'][0]}",
                column=same[0],
                expected=f"the same value in {same}",
                found=str(unlike.select(same).row(0)),
                todo="leave the column in that is meant",
            )
        parts.append(
            frame.select(
                "_row",
                "time_ns",
                pl.lit(UNNAMED).alias("venue"),
                pl.lit(coin.upper()).alias("coin"),
                pl.lit("all").alias("scope"),
                pl.lit(None, dtype=pl.Float64).alias("coins"),
                pl.coalesce(same).alias("usd"),
                pl.lit(None, dtype=pl.Float64).alias("price"),
            ).drop_nulls("usd")
        )
    defects = [
        Defect(
            "venue-not-named",
            "series that name no venue",
            f"kept under the venue '{UNNAMED}'",
        )
    ]
    if repeated:
        defects.append(
            Defect(
                "columns-repeated",
                "columns of open interest that are repeated with suffixes, each filled in part",
                "joined: where several are filled they agree",
                repeated,
                ", ".join(name for name in names if name.endswith(("_x", "_y")))[:60],
            )
        )
    return Loaded([("open_interest", part) for part in parts], [*defects, *holes(frame, DAY_S)])


def _days(source: SourceFile, columns: dict[str, str]) -> pl.DataFrame:
    frame = days(read_csv(source, columns), source, "date")
    checks.increasing(frame, source, "date")
    return frame


def _daily(
    frame: pl.DataFrame, values: dict[str, tuple[pl.Expr, str]], symbol: str = ""
) -> tuple[str, pl.DataFrame]:
    return indicators(frame, UNNAMED, values, interval_s=DAY_S, symbol=symbol)


def _family(key: str, holds: str, columns: dict[str, str], load: Callable[[SourceFile], Loaded]) -> Importer:
    names = tuple(columns)

    def recognise(layout: Layout) -> bool:
        return only_columns(layout, "csv", names)

    return Importer(key, 1, holds, names, NO_NAME, recognise, load)


DAILY = (
    _family("daily-onchain", "on-chain figures by day", _ONCHAIN, load_onchain),
    _family("daily-funding", "a funding rate a day", _FUNDING, load_funding),
    _family("daily-order-flow", "taker volume by day", _FLOW, load_flow),
    _family("total-market-cap", "capitalisation of the whole market", _TOTAL, load_total),
    _family("daily-fund-flows", "sums of fund flows by day", _FUNDS, load_funds),
    _family("daily-stablecoins", "capitalisation of stablecoins by day", _STABLE, load_stable),
    _family("daily-realised-cap", "realised capitalisation", _REALISED, load_realised),
    _family("daily-volatility", "a median volatility by day", _MEDIAN, load_median),
    Importer(
        "daily-open-interest",
        1,
        "open interest by day",
        ("date",),
        NO_NAME,
        recognise_interest,
        load_interest,
    ),
)
