"""When was a CoinGlass snapshot folder fetched, and what did each coin cost around then?

A folder is named after its day, `20251010`. Only its open-interest charts carry a time: their last row is
stamped with the moment of the fetch, to the millisecond, the rows before on the vendor's four-hour grid. The
files without a time of their own (pairs) and those whose newest bar is unfinished (depth) take it from there.
Over 50 folders the pairs' prices agree with the five-minute bar of that stamp.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from deleverage.data.importers import checks
from deleverage.data.importers.base import Defect, SourceFile, refusal
from deleverage.errors import SchemaError

_DAY = re.compile(r"\d{8}")
_CHART = "*openInterest_exchange_history_chart_*.parquet"
_COIN = re.compile(r"_([A-Z0-9]+)\.parquet$")
_MINUTE_NS = 60_000_000_000
_DAY_S = 86_400


@dataclass(frozen=True)
class Folder:
    """One snapshot folder: the moment of its fetch, and prices by coin and time [ns UTC → USD/coin]."""

    fetched_ns: int
    prices: dict[str, dict[int, float]]

    @property
    def stamp_ns(self) -> int:
        """The fetch, up to the next full minute: the charts come first and the rest within that minute."""
        return -(-self.fetched_ns // _MINUTE_NS) * _MINUTE_NS

    def price_at_fetch(self, coin: str) -> float:
        """The newest price of the coin's chart [USD/coin]."""
        series = self.prices[coin]
        return series[max(series)]


def folder_of(source: SourceFile) -> Folder | None:
    """The snapshot folder that holds the file, or None where no chart lies beside it."""
    for parent in source.path.parents:
        if _DAY.fullmatch(parent.name):
            charts = sorted(parent.glob(f"futures/open_interest/{_CHART}"))
            states = tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in charts)
            folder = _folder(states)
            if folder is not None:
                _near_its_day(source, parent.name, folder)
            return folder
    return None


NO_TIME = Defect(
    "no-time",
    "files of a snapshot carry no time",
    "stamped with the fetch that the folder's open-interest charts show, up to the minute",
)
NO_FOLDER = (
    "the file carries no time, and no folder of its day (like 20251010) with open-interest charts "
    "is there to tell it"
)


def stamped(source: SourceFile) -> tuple[int, list[Defect]] | None:
    """The moment of the fetch [ns UTC] for a file without a time, and what to report; None where nothing
    tells it.
    """
    folder = folder_of(source)
    return None if folder is None else (folder.stamp_ns, [NO_TIME, *other_day(source, folder)])


def closed(source: SourceFile, opens: list[int], interval_s: int) -> tuple[int, list[Defect]]:
    """How many of these bars, oldest first, were over when the file was fetched; the newest of a file
    mostly is not.
    """
    folder = folder_of(source)
    step = interval_s * 1_000_000_000
    count = len(opens) - 1 if folder is None else sum(1 for t in opens if t + step <= folder.fetched_ns)
    left = len(opens) - count
    if not left:
        return count, []
    return count, [
        Defect(
            "bar-unfinished",
            "the newest bar of a history was not over when it was fetched",
            "left out: a later snapshot has it whole",
            left,
        )
    ]


def coin_in_name(name: str) -> str | None:
    """The coin that ends a file's name, `..._BTC.parquet`."""
    match = _COIN.search(name)
    return match[1] if match else None


@lru_cache(maxsize=256)
def _folder(states: tuple[tuple[Path, int, int], ...]) -> Folder | None:
    import polars as pl

    prices: dict[str, dict[int, float]] = {}
    for path, _, _ in states:
        coin = coin_in_name(path.name)
        try:
            rows = pl.read_parquet(path, columns=["timestamp", "price"]).drop_nulls().rows()
        except (pl.exceptions.PolarsError, OSError):
            continue  # the chart's own import refuses it
        if coin is not None and rows:
            prices[coin] = {int(ms) * 1_000_000: float(price) for ms, price in rows}
    if not prices:
        return None
    return Folder(max(max(series) for series in prices.values()), prices)


def other_day(source: SourceFile, folder: Folder) -> list[Defect]:
    """The defect of a folder whose name is not the day of its fetch."""
    name = next(parent.name for parent in source.path.parents if _DAY.fullmatch(parent.name))
    fetched = _day(folder.fetched_ns)
    return (
        []
        if name == fetched
        else [
            Defect(
                "folder-of-another-day",
                "a folder's name is not the day of its fetch",
                "the fetch counts",
                example=f"{name} was fetched on {fetched}",
            )
        ]
    )


def _near_its_day(source: SourceFile, name: str, folder: Folder) -> None:
    if not checks.FIRST_NS <= folder.fetched_ns <= checks.LAST_NS:
        return  # the chart's own import refuses it
    try:
        day = datetime.strptime(name, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return
    apart_s = folder.fetched_ns / 1e9 - day.timestamp()
    if not -_DAY_S <= apart_s <= 2 * _DAY_S:
        raise refusal(
            SchemaError,
            source,
            expected=f"a folder fetched within a day of {name}",
            found=f"open-interest charts beside it whose newest row is of {_day(folder.fetched_ns)}",
            todo="keep the files of a snapshot together in the folder of their day",
        )


def _day(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y%m%d")
