"""Auto-deleveraging on Hyperliquid summed by coin over the window of the night."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import Defect, Importer, Loaded, SourceFile, has_columns, refusal
from deleverage.data.importers.csv_text import read_csv
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import indicators
from deleverage.errors import SchemaError, UnitError

if TYPE_CHECKING:
    import polars as pl

_NET = {"ticker": "String", "net_volume": "Float64", "net_notional_usd": "Float64", "num_adl_events": "Int64"}
_BY_COIN = {"coin": "String", "adl_notional": "Float64", "num_users": "Int64", "num_events": "Int64"}
_NET_NAME = re.compile(r"adl_net_volume_.*\.csv")
_BY_COIN_NAME = re.compile(r"adl_by_coin_.*\.csv")
_TIMING, _SUMMARY = "cascade_timing_results.json", "realtime_analysis_summary.json"
_LONGEST = timedelta(hours=1)


def recognise_net(layout: Layout) -> bool:
    """A CSV with coins, USD and fills by ticker."""
    return has_columns(layout, "csv", tuple(_NET))


def recognise_by_coin(layout: Layout) -> bool:
    """A CSV with USD, users and fills by coin."""
    return has_columns(layout, "csv", tuple(_BY_COIN))


def load_net(source: SourceFile) -> Loaded:
    """Totals in coins and USD."""
    return _load(
        source, _NET, coin="ticker", coins="net_volume", usd="net_notional_usd", fills="num_adl_events"
    )


def load_by_coin(source: SourceFile) -> Loaded:
    """Accounts by coin; the totals without coins too, where the better file is not beside it."""
    loaded = _load(source, _BY_COIN, coin="coin", coins=None, usd="adl_notional", fills="num_events")
    if loaded.skipped:
        return loaded
    totals = loaded.frames[0][1]
    users = read_csv(source, _BY_COIN).with_columns(totals["time_ns"].alias("time_ns"))
    window_s = int((totals["end_ns"][0] - totals["time_ns"][0]) // 1_000_000_000)
    counts = indicators(
        users,
        "HyperReplay",
        {"adl_accounts": (pl_column("num_users"), "count")},
        interval_s=window_s,
        venue="hyperliquid",
        symbol=pl_column("coin"),
    )
    if any(_NET_NAME.fullmatch(path.name) for path in source.path.parent.iterdir()):
        loaded.frames = []  # the same sums as in the file beside it, which has coins too
    loaded.frames.append(counts)
    return loaded


def pl_column(name: str) -> pl.Expr:
    """A column as an expression."""
    import polars as pl

    return pl.col(name)


def local_time(hours: int) -> Defect:
    """The defect of a summary whose times have no zone."""
    return Defect(
        "local-time",
        f"sums without a time, and a window whose end in {_SUMMARY} has no zone",
        f"the zone that fits the start in {_TIMING} is taken, the end converted to UTC",
        example=f"UTC{hours:+d}",
    )


def _load(
    source: SourceFile, columns: dict[str, str], *, coin: str, coins: str | None, usd: str, fills: str
) -> Loaded:
    import polars as pl

    window = window_of(source)
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
    defects = [local_time(window[2])] if window[2] else []
    return Loaded([("adl_totals", rows)], defects)


def window_of(source: SourceFile) -> tuple[int, int, int] | None:
    """Start and end [ns UTC] of the summed window and the zone of the end [h], out of the two JSON files
    beside.

    The end has no zone. The one whole-hour zone that puts it within an hour of the start, which has one,
    is it.
    """
    timing, summary = source.path.parent / _TIMING, source.path.parent / _SUMMARY
    if source.member or not (timing.exists() and summary.exists()):
        return None
    start = _moment(source, timing, "event_start")
    end = _moment(source, summary, "analysis_end")
    if start.tzinfo is None:
        raise _no_window(source, start, end)
    if end.tzinfo is not None:
        if not start < end < start + _LONGEST:
            raise _no_window(source, start, end)
        return _ns(start), _ns(end), 0
    for hours in range(-12, 15):
        moment = end.replace(tzinfo=timezone(timedelta(hours=hours)))
        if start < moment < start + _LONGEST:
            return _ns(start), _ns(moment), hours
    raise _no_window(source, start, end)


def _no_window(source: SourceFile, start: datetime, end: datetime) -> Exception:
    return refusal(
        UnitError,
        source,
        expected="a window of less than an hour",
        found=f"{start.isoformat()} to {end.isoformat()} in the files beside it",
        todo="check the zone of the times in those files",
    )


def _moment(source: SourceFile, path: Path, key: str) -> datetime:
    try:
        return datetime.fromisoformat(json.loads(path.read_text(encoding="utf-8"))[key])
    except (KeyError, TypeError, ValueError) as error:
        raise refusal(
            SchemaError,
            source,
            column=key,
            expected=f"an ISO time under '{key}' in {path.name} beside it",
            found=str(error),
            todo="give the files of the folder together",
        ) from None


def _ns(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


ADL_NET = Importer(
    "hyperliquid-adl-net", 1, "auto-deleveraging by coin", tuple(_NET), _NET_NAME, recognise_net, load_net
)
ADL_BY_COIN = Importer(
    "hyperliquid-adl-by-coin",
    2,
    "auto-deleveraging by coin without coins",
    tuple(_BY_COIN),
    _BY_COIN_NAME,
    recognise_by_coin,
    load_by_coin,
)
