"""The rest of CoinGlass: Fear & Greed, stablecoins, options over time, and indicators of a moment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import NO_NAME, Defect, Importer, Loaded, SourceFile, only_columns
from deleverage.data.importers.coinglass_folder import NO_FOLDER, coin_in_name, stamped
from deleverage.data.importers.coinglass_series import PUBLISHER, interval_of, numeric
from deleverage.data.importers.content import read_parquet
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import DAY_S, day_start, holes, indicators, numbered

if TYPE_CHECKING:
    import polars as pl

_LISTS = ("data_list", "price_list", "time_list")
_PEAK = ("indicator_name", "current_value", "target_value", "previous_value", "comparison_type", "hit_status")
_PAIN = ("date", "max_pain_price", "call_open_interest", "put_open_interest")
_OPTIONS = re.compile(r"api_option_exchange_(oi|vol)_history_([A-Z0-9]+)\.parquet")
_SUFFIX = {"%": 0.01, "M": 1e6, "k": 1e3}


def recognise_sentiment(layout: Layout) -> bool:
    """A Parquet file of three parallel lists; the first are numbers."""
    return only_columns(layout, "parquet", _LISTS) and _type(layout, "data_list") == "Float64"


def load_sentiment(source: SourceFile) -> Loaded:
    """The vendor's copy of Fear & Greed, one value a day."""
    import polars as pl

    frame = _daily(source)
    checks.require(
        frame,
        pl.col("data_list").is_between(0, 100),
        source,
        column="data_list",
        expected="a value from 0 to 100",
        todo="give the vendor's own file",
    )
    rows = frame.select(
        "_row",
        "time_ns",
        pl.lit(PUBLISHER).alias("publisher"),
        pl.col("data_list").round().cast(pl.Int64).alias("value"),
        pl.lit(None, dtype=pl.String).alias("class"),
    )
    return Loaded([("sentiment", rows)], holes(rows, DAY_S))


def recognise_caps(layout: Layout) -> bool:
    """The same, where the first are capitalisations by stablecoin."""
    return only_columns(layout, "parquet", _LISTS) and _type(layout, "data_list") == "Struct"


def load_caps(source: SourceFile) -> Loaded:
    """Capitalisation of stablecoins by day [USD]."""
    import polars as pl

    frame = _daily(source).unnest("data_list")
    coins = [name for name in frame.columns if name not in ("_row", "price_list", "time_list", "time_ns")]
    for coin in coins:
        checks.not_negative(frame, source, coin)
    rows = (
        frame.unpivot(on=coins, index="time_ns", variable_name="coin", value_name="usd")
        .drop_nulls("usd")
        .select(
            "time_ns",
            pl.lit(PUBLISHER).alias("publisher"),
            "coin",
            "usd",
            *(pl.lit(None, dtype=pl.Float64).alias(name) for name in ("volume_usd_24h", "supply_coins")),
        )
    )
    return Loaded([("market_caps", rows)], holes(rows, DAY_S, by="coin"))


def recognise_options(layout: Layout) -> bool:
    """A Parquet file with a time, a price and one column a venue, none of them in capitals only."""
    return (
        layout.kind == "parquet" and layout.names[:2] == ("timestamp", "price") and "Binance" in layout.names
    )


def load_options(source: SourceFile) -> Loaded:
    """Open interest or volume of options by venue over time [USD]."""
    import polars as pl

    match = _OPTIONS.fullmatch(source.name)
    if match is None:
        return Loaded(skipped="options by venue, and the name does not say what of which coin")
    frame = numbered(read_parquet(source))
    venues = [name for name in frame.columns if name not in ("_row", "timestamp", "price")]
    frame = checks.with_time_ns(frame, source, "timestamp", checks.unit_of(frame, source, "timestamp"))
    checks.increasing(frame, source, "timestamp")
    for venue in venues:
        numeric(source, frame, venue)
        checks.not_negative(frame, source, venue)
    long = frame.unpivot(
        on=venues, index=["time_ns", "price"], variable_name="venue", value_name="usd"
    ).filter(pl.col("usd") > 0)
    named = pl.col("venue").str.to_lowercase()
    if match[1] == "vol":
        values = {"options_volume_usd": (pl.col("usd"), "USD")}
        return Loaded([indicators(long, PUBLISHER, values, interval_s=DAY_S, venue=named, symbol=match[2])])
    values = {"options_open_interest_usd": (pl.col("usd"), "USD")}
    step = interval_of(frame)
    return Loaded([indicators(long, PUBLISHER, values, interval_s=step, venue=named, symbol=match[2])])


def recognise_pain(layout: Layout) -> bool:
    """A Parquet file with one row an expiry."""
    return layout.kind == "parquet" and set(_PAIN) <= set(layout.names)


def load_pain(source: SourceFile) -> Loaded:
    """The price at which an expiry's options pay least, with open interest, at the moment of the fetch."""
    import polars as pl

    stamp, coin = stamped(source), coin_in_name(source.name)
    if stamp is None:
        return Loaded(skipped=NO_FOLDER)
    if coin is None:
        return Loaded(skipped="options by expiry, and the name does not end with the coin like _BTC.parquet")
    frame = numbered(read_parquet(source, list(_PAIN))).with_columns(
        pl.lit(stamp[0], dtype=pl.Int64).alias("time_ns"),
        pl.col("max_pain_price").cast(pl.Float64, strict=False),
    )
    values = {
        "options_max_pain_price": (pl.col("max_pain_price"), "USD/coin"),
        "options_call_open_interest_coins": (pl.col("call_open_interest"), "coins"),
        "options_put_open_interest_coins": (pl.col("put_open_interest"), "coins"),
    }
    symbol = pl.lit(f"{coin}-") + pl.col("date")
    return Loaded([indicators(frame, PUBLISHER, values, interval_s=0, symbol=symbol)], stamp[1])


def recognise_peak(layout: Layout) -> bool:
    """A Parquet file with one row an indicator, its values as texts."""
    return layout.kind == "parquet" and set(_PEAK) <= set(layout.names)


def load_peak(source: SourceFile) -> Loaded:
    """The vendor's list of indicators at the moment of the fetch; a value that is no number is left out."""
    import polars as pl

    stamp = stamped(source)
    if stamp is None:
        return Loaded(skipped=NO_FOLDER)
    frame = numbered(read_parquet(source, list(_PEAK[:3])))
    numbers = [_number(text) for text in frame["current_value"].to_list()]
    frame = frame.with_columns(
        pl.lit(stamp[0], dtype=pl.Int64).alias("time_ns"), pl.Series("value", numbers, dtype=pl.Float64)
    )
    rows = indicators(
        frame,
        PUBLISHER,
        {"peak_indicator": (pl.col("value"), "as published, percent as share")},
        interval_s=0,
        symbol=pl.col("indicator_name").str.strip_chars(),
    )
    return Loaded(
        [rows],
        [
            *stamp[1],
            Defect(
                "numbers-as-text",
                "numbers are written as texts, some with %, k or M",
                "read as numbers; percent as shares",
                frame.height,
            ),
        ],
    )


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    scale = _SUFFIX.get(text[-1:], 1.0)
    try:
        return float(text.rstrip("%Mk")) * scale
    except ValueError:
        return None


def _daily(source: SourceFile) -> pl.DataFrame:
    """The three lists with 'time_ns' at 00:00 UTC of the day; the vendor stamps a day when it publishes
    it.
    """
    import polars as pl

    frame = numbered(read_parquet(source, list(_LISTS)))
    frame = checks.with_time_ns(frame, source, "time_list", checks.unit_of(frame, source, "time_list"))
    checks.increasing(frame, source, "time_list")
    return frame.with_columns(day_start(pl.col("time_ns")).alias("time_ns"))


def _type(layout: Layout, column: str) -> str:
    return layout.types[layout.names.index(column)]


OTHER = (
    Importer(
        "coinglass-sentiment",
        1,
        "Fear & Greed by CoinGlass",
        _LISTS,
        NO_NAME,
        recognise_sentiment,
        load_sentiment,
    ),
    Importer(
        "coinglass-stablecoins",
        1,
        "capitalisation of stablecoins",
        _LISTS,
        NO_NAME,
        recognise_caps,
        load_caps,
    ),
    Importer(
        "coinglass-options-history",
        1,
        "options by venue",
        ("timestamp", "price"),
        NO_NAME,
        recognise_options,
        load_options,
    ),
    Importer("coinglass-max-pain", 1, "options by expiry", _PAIN, NO_NAME, recognise_pain, load_pain),
    Importer("coinglass-peak", 1, "indicators of a moment", _PEAK, NO_NAME, recognise_peak, load_peak),
)
