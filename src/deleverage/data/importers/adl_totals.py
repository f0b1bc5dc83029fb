"""Auto-deleveraging on Hyperliquid summed by coin over the window of the night."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from deleverage.data.importers import checks
from deleverage.data.importers.base import Defect, Importer, Loaded, SourceFile, has_columns, refusal
from deleverage.data.importers.csv_text import read_csv
from deleverage.data.importers.layout import layout_of
from deleverage.errors import SchemaError, UnitError

_NET = {"ticker": "String", "net_volume": "Float64", "net_notional_usd": "Float64", "num_adl_events": "Int64"}
_BY_COIN = {"coin": "String", "adl_notional": "Float64", "num_users": "Int64", "num_events": "Int64"}
_NET_NAME = re.compile(r"adl_net_volume_.*\.csv")
_BY_COIN_NAME = re.compile(r"adl_by_coin_.*\.csv")
_TIMING, _SUMMARY = "cascade_timing_results.json", "realtime_analysis_summary.json"
# The summary's times have no zone and are four hours behind the fills of the same files, which have one.
_LOCAL = timezone(timedelta(hours=-4))


def recognise_net(path: Path) -> bool:
    """A CSV with coins, USD and fills by ticker."""
    return has_columns(layout_of(path), "csv", tuple(_NET))


def recognise_by_coin(path: Path) -> bool:
    """A CSV with USD, users and fills by coin."""
    return has_columns(layout_of(path), "csv", tuple(_BY_COIN))


def load_net(source: SourceFile) -> Loaded:
    """Totals in coins and USD."""
    return _load(
        source, _NET, coin="ticker", coins="net_volume", usd="net_notional_usd", fills="num_adl_events"
    )


def load_by_coin(source: SourceFile) -> Loaded:
    """The same totals without coins: only where the better file is not beside it."""
    if any(_NET_NAME.fullmatch(path.name) for path in source.path.parent.iterdir()):
        return Loaded(skipped="the same sums as the adl_net_volume file beside it, which has coins too")
    return _load(source, _BY_COIN, coin="coin", coins=None, usd="adl_notional", fills="num_events")


def _load(
    source: SourceFile, columns: dict[str, str], *, coin: str, coins: str | None, usd: str, fills: str
) -> Loaded:
    import polars as pl

    window = _window(source)
    if window is None:
        return Loaded(
            skipped=f"sums without a time, and {_TIMING} and {_SUMMARY} are not beside it to tell it"
        )
    frame = read_csv(source, columns)
    for name in (usd, fills, *((coins,) if coins else ())):
        checks.not_negative(frame, source, name)
    checks.require(
        frame,
        pl.col(coin).is_duplicated().not_(),
        source,
        column=coin,
        expected="each coin once",
        todo="leave out repeated coins",
    )
    if coins:
        priced = frame.with_columns((pl.col(usd) / pl.col(coins)).alias("_price"), pl.col(coin).alias("coin"))
        checks.price(priced, source, "_price")
    rows = frame.select(
        pl.lit(window[0], dtype=pl.Int64).alias("time_ns"),
        pl.lit("hyperliquid").alias("venue"),
        pl.col(coin).alias("coin"),
        pl.lit(window[1], dtype=pl.Int64).alias("end_ns"),
        (pl.col(coins) if coins else pl.lit(None, dtype=pl.Float64)).alias("coins"),
        pl.col(usd).alias("usd"),
        pl.col(fills).alias("fills"),
        pl.lit(source.label).alias("source"),
    )
    local = Defect(
        f"the sums carry no time; {_SUMMARY} gives the window's end in local time without a zone (UTC-4)",
        f"start from {_TIMING} (with zone), end converted to UTC",
    )
    return Loaded([("adl_totals", rows)], [local])


def _window(source: SourceFile) -> tuple[int, int] | None:
    """Start and end [ns UTC] of the summed window, out of the two JSON files beside the sums."""
    timing, summary = source.path.parent / _TIMING, source.path.parent / _SUMMARY
    if not (timing.exists() and summary.exists()):
        return None
    start = _moment(source, timing, "event_start")
    end = _moment(source, summary, "analysis_end")
    if not start < end < start + timedelta(hours=1):
        raise refusal(
            UnitError,
            source,
            expected="a window of less than an hour",
            found=f"{start.isoformat()} to {end.isoformat()} in the files beside it",
            todo="check the zone of the times in those files",
        )
    return _ns(start), _ns(end)


def _moment(source: SourceFile, path: Path, key: str) -> datetime:
    try:
        moment = datetime.fromisoformat(json.loads(path.read_text(encoding="utf-8"))[key])
    except (KeyError, TypeError, ValueError) as error:
        raise refusal(
            SchemaError,
            source,
            column=key,
            expected=f"an ISO time under '{key}' in {path.name} beside it",
            found=str(error),
            todo="give the files of the folder together",
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=_LOCAL)).astimezone(UTC)


def _ns(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


ADL_NET = Importer(
    "hyperliquid-adl-net", 1, "auto-deleveraging by coin", tuple(_NET), _NET_NAME, recognise_net, load_net
)
ADL_BY_COIN = Importer(
    "hyperliquid-adl-by-coin",
    1,
    "auto-deleveraging by coin without coins",
    tuple(_BY_COIN),
    _BY_COIN_NAME,
    recognise_by_coin,
    load_by_coin,
)
