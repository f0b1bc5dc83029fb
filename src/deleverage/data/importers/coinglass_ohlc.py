"""CoinGlass bars of funding, of open interest and of prices: time, open, high, low, close.

The layout is the same for funding and open interest; a file is one or the other by its name, and must be
so by its
values: a rate is a few hundredths of a percent, open interest is millions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import (
    NO_NAME,
    Defect,
    Importer,
    Loaded,
    SourceFile,
    only_columns,
    place_of,
    refusal,
)
from deleverage.data.importers.coinglass_folder import closed, coin_in_name, folder_of
from deleverage.data.importers.coinglass_margin import margin_types
from deleverage.data.importers.coinglass_series import PUBLISHER, interval_of
from deleverage.data.importers.content import read_parquet
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import UNNAMED, indicators, numbered
from deleverage.errors import SchemaError, UnitError

if TYPE_CHECKING:
    import polars as pl

_OHLC = ("open", "high", "low", "close")
_BARS = ("time", *_OHLC)
_PRICES = (*_BARS, "volume_usd")
_FUNDING = re.compile(
    r".*fundingRate_(?:(oi|vol)_weight_)?ohlc_history_([A-Z0-9]+)(?:_([A-Z0-9]+))?\.parquet"
)
_INTEREST = re.compile(
    r".*openInterest_ohlc_aggregated_(coin_margin_history|history|stablecoin)_([A-Z0-9]+)\.parquet"
)
_LARGEST_RATE = 10.0  # percent per interval; venues cap a settlement at 4 or less
_SMALLEST_INTEREST = 1_000.0
_SHARE_BELOW = 0.0002  # the middle of a rate in percent is near 0.01, of the same as a share near 0.0001
_SAME_PRICE = 0.05


def recognise(layout: Layout) -> bool:
    """A Parquet file with a time and four values."""
    return only_columns(layout, "parquet", _BARS)


def load(source: SourceFile) -> Loaded:
    """Bars of funding or of open interest, by name and by value."""
    funding, interest = _FUNDING.fullmatch(source.name), _INTEREST.fullmatch(source.name)
    if funding is None and interest is None:
        return Loaded(skipped="bars of four values, and the name does not say of what, like the vendor's own")
    frame, interval_s, defects = _bars(source, list(_BARS))
    middle = frame["close"].abs().median()
    size = float(middle) if isinstance(middle, int | float) else 0.0
    if funding is not None:
        return _funding(source, frame, interval_s, defects, funding)
    if size < _SMALLEST_INTEREST:
        raise _not_its_name(source, "open interest, whose middle is in the thousands or more", f"{size:g}")
    assert interest is not None
    return _interest(source, frame, interval_s, defects, interest)


def _funding(
    source: SourceFile, frame: pl.DataFrame, interval_s: int, defects: list[Defect], match: re.Match[str]
) -> Loaded:
    import polars as pl

    weight, coin, venue = match[1], match[2], (match[3] or "all").lower()
    for name in _OHLC:
        checks.require(
            frame,
            pl.col(name).abs() <= _LARGEST_RATE,
            source,
            column=name,
            expected=f"percent per interval, at most {_LARGEST_RATE:g}",
            todo="give the vendor's own file",
            kind=UnitError,
        )
    middle = float(frame["close"].abs().median() or 0.0)  # type: ignore[arg-type]
    if 0 < middle < _SHARE_BELOW:
        raise _not_its_name(source, "rates in percent, whose middle is near 0.01", f"{middle:g}")
    defects.append(
        Defect(
            "funding-in-percent",
            "funding rates are in percent",
            "divided by 100: a share per funding interval",
        )
    )
    name = "funding_rate" + (f"_{weight}_weighted" if weight else "")
    values = {f"{name}_{part}": (pl.col(part) / 100, "share per interval") for part in _OHLC}
    rows = indicators(frame, PUBLISHER, values, interval_s=interval_s, venue=venue, symbol=coin)
    return Loaded([rows], defects)


def _interest(
    source: SourceFile, frame: pl.DataFrame, interval_s: int, defects: list[Defect], match: re.Match[str]
) -> Loaded:
    import polars as pl

    part, coin = match[1], match[2]
    for name in _OHLC:
        checks.not_negative(frame, source, name)
    if part == "history":
        defects.append(
            Defect(
                "open-interest-usd-only",
                "open interest over time is in USD only: it mixes price and contracts",
                "kept as indicators in USD; coins are not made up",
            )
        )
        values = {f"open_interest_usd_{p}": (pl.col(p), "USD") for p in _OHLC}
        rows = indicators(frame, PUBLISHER, values, interval_s=interval_s, venue="all", symbol=coin)
        return Loaded([rows], defects)
    margin, unit, venue, found = margin_types(source, frame, part, coin)
    values = {f"open_interest_{margin}_{p}": (pl.col(p), unit) for p in _OHLC}
    by_margin = indicators(frame, PUBLISHER, values, interval_s=interval_s, venue=venue, symbol=coin)
    return Loaded([by_margin], [*defects, *found])


def recognise_prices(layout: Layout) -> bool:
    """The same with the volume in USD: prices of futures or spot."""
    return only_columns(layout, "parquet", _PRICES)


def load_prices(source: SourceFile) -> Loaded:
    """Price bars; coin by name, or by the price beside it; the venue is not told."""
    import polars as pl

    frame, interval_s, defects = _bars(source, list(_PRICES))
    kind = "spot" if "spot" in source.name else "perp"
    coin = coin_in_name(source.name) or _coin_by_price(source, frame)
    if coin is None:
        return Loaded(skipped="prices, and neither the name nor a price beside the file says of which coin")
    frame = frame.with_columns(pl.lit(coin).alias("coin"))
    for name in _OHLC:
        checks.price(frame, source, name)
    checks.bars(frame, source)
    defects.append(
        Defect(
            "venue-not-named",
            "series that name no venue",
            f"kept under the venue '{UNNAMED}'",
            frame.height,
        )
    )
    candles = frame.select(
        "_row",
        "time_ns",
        pl.lit(UNNAMED).alias("venue"),
        pl.lit(kind).alias("kind"),
        "coin",
        pl.lit(f"coinglass:{coin}").alias("symbol"),
        pl.lit(interval_s, dtype=pl.Int64).alias("interval_s"),
        *_OHLC,
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in ("volume_coins", "taker_buy_coins")),
        pl.lit(None, dtype=pl.Int64).alias("trades"),
    )
    volume = {f"{kind}_volume_usd": (pl.col("volume_usd"), "USD")}
    return Loaded(
        [
            ("candles", candles),
            indicators(frame, PUBLISHER, volume, interval_s=interval_s, venue=UNNAMED, symbol=coin),
        ],
        defects,
    )


def _bars(source: SourceFile, columns: list[str]) -> tuple[pl.DataFrame, int, list[Defect]]:
    """Closed bars as numbers with 'time_ns', their length, and what was left out."""
    import polars as pl

    frame = numbered(read_parquet(source, columns))
    frame = frame.with_columns(pl.col(name).cast(pl.Float64, strict=False) for name in columns[1:])
    for name in columns[1:]:
        bad = frame.filter(~pl.col(name).is_finite().fill_null(False))
        if bad.height:
            raise refusal(
                SchemaError,
                source,
                place=place_of(source, bad["_row"][0]),
                column=name,
                expected="a number",
                found=str(bad[name][0]),
                todo="give the vendor's own file",
            )
    frame = checks.with_time_ns(frame, source, "time", checks.unit_of(frame, source, "time"))
    checks.increasing(frame, source, "time")
    interval_s = interval_of(frame)
    count, defects = closed(source, frame["time_ns"].to_list(), interval_s)
    return frame.head(count), interval_s, defects


def _coin_by_price(source: SourceFile, frame: pl.DataFrame) -> str | None:
    folder = folder_of(source)
    if folder is None:
        return None
    opens = dict(frame.select("time_ns", "open").iter_rows())
    fits = []
    for coin, prices in folder.prices.items():
        off = sorted(abs(opens[t] / price - 1) for t, price in prices.items() if t in opens)
        if off and off[len(off) // 2] < _SAME_PRICE:
            fits.append(coin)
    return fits[0] if len(fits) == 1 else None


def _not_its_name(source: SourceFile, expected: str, found: str) -> Exception:
    return refusal(
        UnitError,
        source,
        column="close",
        expected=expected,
        found=found,
        todo="give the file with its own name, and rates in percent",
    )


BARS = Importer(
    "coinglass-bars", 1, "CoinGlass bars of funding or open interest", _BARS, NO_NAME, recognise, load
)
PRICES = Importer(
    "coinglass-prices", 1, "CoinGlass price bars", _PRICES, NO_NAME, recognise_prices, load_prices
)
