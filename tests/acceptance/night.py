"""The files that describe the night of 10 October, as a lake; and with the rest of the night exchanged.

Nothing is written but into the folders that a test gives.
"""

from __future__ import annotations

import gzip
import io
import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from deleverage.data import Lake, import_paths
from deleverage.experiment.scenario import Scenario

CUT = datetime(2025, 10, 10, 21, 5, tzinfo=UTC)
"""From here on everything is outcome."""
CUT_MS = round(CUT.timestamp() * 1000)
COINS = ("BTC", "ETH", "SOL")

_GLASS = "coinglass_2025"
_CHART = "futures/open_interest/api_futures_openInterest_exchange_history_chart"
_PAIRS = "futures/market/api_futures_pairs_markets"
_BOOKS = "futures/order_book/api_futures_orderbook_aggregated_ask_bids_history"
_SPOT_BOOK = "spot/order_book_spot/api_spot_orderbook_ask_bids_history"

MINUTES = "binance_perp_btcusdt_1m_20251010_window/BTCUSDT-perp-1m-2025-10-10T2049-2159.csv"
SPOT = "binance_spot_btcusdt_5m_2025/BTCUSDT-5m-2025-10.csv"
BOOK = f"{_GLASS}/20251114/futures/order_book/api_futures_orderbook_ask_bids_history.parquet"
CHARTS = [f"{_GLASS}/{day}/{_CHART}_{c}.parquet" for day in ("20251012", "20251114") for c in COINS]
LATER_PAIRS = [f"{_GLASS}/20251012/{_PAIRS}_{coin}.parquet" for coin in COINS]
DEPTHS = [
    BOOK,
    *(f"{_GLASS}/20251114/{_SPOT_BOOK}_{coin}.parquet" for coin in COINS),
    *(f"{_GLASS}/20251012/{_BOOKS}_{coin}.parquet" for coin in COINS),
]
HOURLY = [f"binance_spot_1h/{coin}_USDT_1h.csv" for coin in COINS]
VENUES = "multi_venue_perps_1h/candles.parquet"
VENUE_FUNDING = "multi_venue_perps_1h/funding_rates.parquet"
FUNDING = "funding_binance_all/funding_all.csv.gz"
ADL = "hyperliquid_adl_20251010/adl_net_volume_full_12min.csv"
ADL_TIMES = [
    f"hyperliquid_adl_20251010/{name}.json"
    for name in ("cascade_timing_results", "realtime_analysis_summary")
]
LATER_TIERS = [f"leverage_tiers/binance_leverage_tiers_2025-{day}.json" for day in ("10-16", "11-20")]

FILES = [
    *(MINUTES, SPOT, VENUES, VENUE_FUNDING, FUNDING, ADL),
    *(*ADL_TIMES, *CHARTS, *DEPTHS, *HOURLY, *LATER_PAIRS, *LATER_TIERS),
    "leverage_tiers/binance_leverage_tiers_2025-10-09.json",
    *(f"{_GLASS}/20251010/{part}_{coin}.parquet" for part in (_CHART, _PAIRS, _BOOKS) for coin in COINS),
]

# Another evening of the same minutes, and contracts of an earlier day.
OTHER_MINUTES = "binance_futures_1m_may2025/BTC_USDT_USDT-1m-futures.feather"
OTHER_DAY = "20251007"


def copied(data: Path, folder: Path) -> Path:
    """The files of the night in a folder of their own, where they may be changed."""
    for name in FILES:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / name, target)
    return folder


def lake_of(folder: Path, lake: Path) -> Lake:
    """The files of a folder, imported."""
    import_paths([folder], lake)
    return Lake.open(lake)


# --- the rest of the night exchanged ---------------------------------------------------------------------


def scramble(folder: Path, data: Path) -> None:
    """Give every row stamped after the cut, or whose bar ends after it, the values of another night."""
    _minutes(folder / MINUTES, data / OTHER_MINUTES)
    _five_minutes(folder / SPOT)
    for name in HOURLY:
        _csv(folder / name, "timestamp", ends_after=3600, rows=24)
    _parquet(folder / VENUES, "timestamp", by=("venue", "coin"), ends_after=3600, rows=72)
    _parquet(folder / VENUE_FUNDING, "timestamp", by=("venue", "coin"), rows=9)
    _funding(folder / FUNDING)
    for name in (*CHARTS, *DEPTHS):
        _parquet(folder / name, "timestamp" if name in CHARTS else "time", rows=6)
    for name in LATER_PAIRS:
        shutil.copyfile(data / name.replace("20251012", OTHER_DAY), folder / name)
    one, two = (folder / name for name in LATER_TIERS)
    texts = one.read_bytes(), two.read_bytes()
    one.write_bytes(texts[1])
    two.write_bytes(texts[0])
    _totals(folder / ADL)


def _shifted(
    frame: pl.DataFrame, late: pl.Expr, columns: Sequence[str], by: Sequence[str], rows: int
) -> pl.DataFrame:
    """Values of ``rows`` rows before where ``late`` holds; of as many after where none are before."""

    def moved(name: str, by_rows: int) -> pl.Expr:
        value = pl.col(name).shift(by_rows)
        return value.over(by) if by else value

    changed = [
        pl.when(late)
        .then(pl.coalesce(moved(name, rows), moved(name, -rows), name))
        .otherwise(name)
        .alias(name)
        for name in columns
    ]
    result = frame.with_columns(changed)
    assert frame.filter(late).height > 0
    assert not result.filter(late).equals(frame.filter(late))
    return result


def _late(column: pl.Expr, ends_after: int = 0) -> pl.Expr:
    """Rows stamped after the cut; bars of ``ends_after`` seconds, stamped with their opening, that end so."""
    return column + ends_after * 1000 > CUT_MS


def _parquet(path: Path, time: str, *, rows: int, by: Sequence[str] = (), ends_after: int = 0) -> None:
    frame = pl.read_parquet(path)
    stamp = pl.col(time) if frame.schema[time].is_integer() else pl.col(time).dt.epoch("ms")
    columns = [name for name in frame.columns if name not in (time, *by)]
    _shifted(frame, _late(stamp, ends_after), columns, by, rows).write_parquet(path)


def _csv(path: Path, time: str, *, rows: int, ends_after: int) -> None:
    frame = pl.read_csv(path, infer_schema=False)
    stamp = pl.col(time).str.to_datetime("%Y-%m-%d %H:%M:%S%:z").dt.epoch("ms")
    columns = [name for name in frame.columns if name != time]
    _shifted(frame, _late(stamp, ends_after), columns, (), rows).write_csv(path)


def _five_minutes(path: Path) -> None:
    """A kline file of twelve columns: the opening time in microseconds first, the closing time seventh."""
    names = [f"c{i}" for i in range(12)]
    frame = pl.read_csv(path, has_header=False, infer_schema=False, new_columns=names)
    stamp = pl.col("c0").cast(pl.Int64) // 1000
    values = [name for name in names if name not in ("c0", "c6")]
    _shifted(frame, _late(stamp, 300), values, (), 864).write_csv(path, include_header=False)


def _minutes(path: Path, other: Path) -> None:
    frame = pl.read_csv(path)
    evening = pl.read_ipc(other).filter(
        (pl.col("date").dt.date() == datetime(2025, 5, 10, tzinfo=UTC).date())
        & (pl.col("date").dt.hour() == 21)
    )
    late = frame.filter(_late(pl.col("open_time"), 60))
    values = evening.tail(late.height)
    assert values.height == late.height == 55
    names = ("open", "high", "low", "close", "volume")
    late = late.with_columns(
        *(values[name].alias(name) for name in names), (values["volume"] / 2).alias("taker_buy_volume")
    )
    pl.concat([frame.filter(~_late(pl.col("open_time"), 60)), late]).write_csv(path)


def _funding(path: Path) -> None:
    frame = pl.read_csv(gzip.decompress(path.read_bytes()), infer_schema=False)
    late = _late(pl.col("calc_time").cast(pl.Int64))
    frame = _shifted(frame, late, ["last_funding_rate"], ("symbol",), 9)
    buffer = io.BytesIO()
    frame.write_csv(buffer)
    path.write_bytes(gzip.compress(buffer.getvalue()))


def _totals(path: Path) -> None:
    """All of it is of 21:15 and later, and no other night had any: half of everything."""
    frame = pl.read_csv(path)
    halved = [(pl.col(name) / 2).alias(name) for name in ("net_volume", "net_notional_usd", "total_pnl")]
    frame.with_columns(*halved, pl.col("num_adl_events") // 2).write_csv(path)


def other_published(name: str) -> Scenario:
    """The scenario with the values of its published figures handed on, each to the seventh after it."""
    head, *blocks = Scenario.embedded_text(name).split("[[published]]")
    line = re.compile(r"^value = (.+)$", re.MULTILINE)
    values = [found[1] for block in blocks if (found := line.search(block))]
    handed = iter(values[-7:] + values[:-7])
    blocks = [line.sub(lambda _: f"value = {next(handed)}", block) for block in blocks]
    return Scenario.from_text("[[published]]".join([head, *blocks]), name)
