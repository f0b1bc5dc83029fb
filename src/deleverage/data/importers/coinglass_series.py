"""CoinGlass histories of numbers over time: ratios, basis, taker volume, premium, assets of funds.

Each is a Parquet file with exactly these columns. Most name no contract; a coin in the file's name counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
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
from deleverage.data.importers.coinglass_folder import closed, coin_in_name
from deleverage.data.importers.content import read_parquet
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import DAY_S, day_start, indicators, numbered
from deleverage.errors import SchemaError

if TYPE_CHECKING:
    import polars as pl

PUBLISHER = "coinglass"


@dataclass(frozen=True)
class _Value:
    """One column: the indicator's name, its unit, and what a percent is multiplied with."""

    name: str
    column: str
    unit: str
    scale: float = 1.0
    low: float = float("-inf")
    high: float = float("inf")


@dataclass(frozen=True)
class _Series:
    """One kind of history: its time column and its values."""

    key: str
    time: str
    values: tuple[_Value, ...]
    ignored: tuple[str, ...] = ()
    named: bool = False  # whether its files name the coin, in their name
    daily: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.time, *(value.column for value in self.values), *self.ignored)


def _ratio(word: str, name: str) -> _Series:
    return _Series(
        f"coinglass-{name.replace('_', '-')}",
        "time",
        (
            _Value(f"{name}_long_share", f"{word}_long_percent", "share", 0.01, 0, 100),
            _Value(f"{name}_short_share", f"{word}_short_percent", "share", 0.01, 0, 100),
            _Value(f"{name}_long_short_ratio", f"{word}_long_short_ratio", "ratio", low=0),
        ),
    )


_SERIES = (
    _ratio("global_account", "accounts"),
    _ratio("top_account", "top_accounts"),
    _ratio("top_position", "top_positions"),
    _Series(
        "coinglass-basis",
        "time",
        (
            _Value("basis_open", "open_basis", "share", 0.01),
            _Value("basis_close", "close_basis", "share", 0.01),
            _Value("basis_usd_open", "open_change", "USD/coin"),
            _Value("basis_usd_close", "close_change", "USD/coin"),
        ),
    ),
    _Series(
        "coinglass-taker-aggregated",
        "time",
        (
            _Value("taker_buy_usd", "aggregated_buy_volume_usd", "USD", low=0),
            _Value("taker_sell_usd", "aggregated_sell_volume_usd", "USD", low=0),
        ),
    ),
    _Series(
        "coinglass-taker",
        "time",
        (
            _Value("taker_buy_usd_one_venue", "taker_buy_volume_usd", "USD", low=0),
            _Value("taker_sell_usd_one_venue", "taker_sell_volume_usd", "USD", low=0),
        ),
    ),
    _Series(
        "coinglass-coinbase-premium",
        "time",
        (
            _Value("coinbase_premium_usd", "premium", "USD/coin"),
            _Value("coinbase_premium", "premium_rate", "share", 0.01, -20, 20),
        ),
    ),
    _Series("coinglass-etf-assets", "time", (_Value("etf_aum_usd", "aum_usd", "USD", low=0),), daily=True),
    _Series(
        "coinglass-etf-net-assets",
        "timestamp",
        (
            _Value("etf_net_assets_usd", "net_assets_usd", "USD", low=0),
            _Value("etf_net_assets_change_usd", "change_usd", "USD"),
        ),
        daily=True,
    ),
    _Series(
        "coinglass-trust-premium",
        "time_list",
        (
            _Value("trust_nav_usd", "primary_market_price", "USD/share", low=0),
            _Value("trust_price_usd", "secondary_market_price_list", "USD/share", low=0),
            _Value("trust_premium", "premium_rate_list", "share", 0.01),
        ),
        daily=True,
    ),
)


def _recognise(series: _Series, layout: Layout) -> bool:
    if series.key == "coinglass-etf-net-assets" and set(layout.names) == {*series.columns, "price_usd"}:
        return layout.kind == "parquet"
    return only_columns(layout, "parquet", series.columns)


def _load(series: _Series, source: SourceFile) -> Loaded:
    import polars as pl

    frame, defects = _timed(source, series)
    for value in series.values:
        numeric(source, frame, value.column)
        checks.require(
            frame,
            pl.col(value.column).is_between(value.low, value.high),
            source,
            column=value.column,
            expected=f"a value between {value.low:g} and {value.high:g}",
            todo="give the vendor's own file",
        )
    interval_s = DAY_S if series.daily else interval_of(frame)
    symbol, named = _symbol(source)
    if named is not None:
        defects.append(named)
    if series.daily:
        frame = frame.with_columns(day_start(pl.col("time_ns")).alias("time_ns")).unique(
            "time_ns", keep="last", maintain_order=True
        )
    count, unfinished = closed(source, frame["time_ns"].to_list(), interval_s)
    defects += unfinished
    prefix = "spot_" if "spot" in source.name else ""
    values = {prefix + v.name: (pl.col(v.column) * v.scale, v.unit) for v in series.values}
    if any(value.scale == 0.01 for value in series.values):
        defects.append(
            Defect("shares-in-percent", "shares, basis and premium are in percent", "divided by 100")
        )
    rows = indicators(frame.head(count), PUBLISHER, values, interval_s=interval_s, symbol=symbol)
    return Loaded([rows], defects)


def _timed(source: SourceFile, series: _Series) -> tuple[pl.DataFrame, list[Defect]]:
    frame = numbered(read_parquet(source, [series.time, *(value.column for value in series.values)]))
    numeric(source, frame, series.time)
    unit = checks.unit_of(frame, source, series.time)
    frame = checks.with_time_ns(frame, source, series.time, unit)
    defects = []
    once = frame.unique([name for name in frame.columns if name != ROW], keep="first", maintain_order=True)
    if once.height < frame.height:
        again = frame.height - once.height
        defects.append(Defect("rows-repeated", "rows that stand twice in one file", "kept once", again))
    frame = once
    checks.increasing(frame, source, series.time)
    if unit == "seconds":
        defects.append(
            Defect(
                "time-in-seconds",
                "times are in seconds, those of the vendor's other files in ms",
                "converted",
            )
        )
    return frame, defects


def _symbol(source: SourceFile) -> tuple[str, Defect | None]:
    coin = coin_in_name(source.name)
    if coin is not None:
        return coin, None
    return "", Defect(
        "contract-not-named",
        "a history names neither contract nor venue",
        "kept with an empty symbol and venue; nothing is guessed",
        example=source.name,
    )


def interval_of(frame: pl.DataFrame) -> int:
    """The most frequent step between rows [s]."""
    steps = frame["time_ns"].diff().drop_nulls()
    usual = steps.mode().min()
    return usual // 1_000_000_000 if isinstance(usual, int) else 0


def numeric(source: SourceFile, frame: pl.DataFrame, column: str) -> None:
    """Refuse a column that is no number, or holds one that is not finite."""
    found = frame.schema[column]
    if not found.is_numeric() and found != _null():
        raise refusal(
            SchemaError,
            source,
            column=column,
            expected="a column of numbers",
            found=str(found),
            todo="give the vendor's own file",
        )
    if found.is_float():
        import polars as pl

        checks.require(
            frame,
            pl.col(column).is_finite(),
            source,
            column=column,
            expected="a finite number",
            todo="leave fields empty that were not observed",
        )


def _null() -> object:
    import polars as pl

    return pl.Null


def _family(series: _Series) -> Importer:
    recognise: Callable[[Layout], bool] = partial(_recognise, series)
    load: Callable[[SourceFile], Loaded] = partial(_load, series)
    return Importer(series.key, 1, "a CoinGlass history", series.columns, NO_NAME, recognise, load)


SERIES = tuple(_family(series) for series in _SERIES)
