"""What somebody summed over the night of 10 October 2025: volume by market, falls by market, and z-scores.

None of the files carries its day or window; the words of the author beside them do.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial
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
from deleverage.data.importers.csv_text import read_csv
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import DAY_S, indicators, numbered
from deleverage.data.importers.xlsx import first_sheet
from deleverage.errors import SchemaError

if TYPE_CHECKING:
    pass

_PUBLISHER = "Jamster187"
_VOLUMES = {
    "exchange": "String",
    "type": "String",
    "table": "String",
    "base": "String",
    "quote": "String",
    "usd_volume": "Float64",
}
_SCORES = {
    "metric": "String",
    "trim": "String",
    "mean": "Float64",
    "std": "Float64",
    "oct10_median": "Float64",
    "zscore": "Float64",
}
_FALLS = ("table_name", "exchange", "market", "timeframe", "day_high", "day_low", "intraday_drop_pct")
_DAY = re.compile(r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* (\d{1,2}),? (20\d\d)\b")
_WINDOW = re.compile(r"\b(\d{2}:\d{2})\s*[-–—]\s*(\d{2}:\d{2})\s*UTC")
_NO_DAY = "sums without a day, and no README.md beside them says 'Oct 10, 2025' and '21:09–22:00 UTC'"
_BIG_VENUES = ("binance", "bybit", "okx", "hyperliquid", "bitget", "coinbase")
_WORDS = Defect(
    "window-in-words",
    "sums whose day and window stand in the author's words only",
    "taken from the README beside them",
)
_DERIVED = Defect(
    "derived-data",
    "figures that somebody computed out of other data, not observations",
    "kept as indicators under who computed them",
)


def _window(source: SourceFile) -> tuple[int, int, int] | None:
    """The day and the window's start [ns UTC] and its length [s], out of the README beside the file."""
    beside = source.path.parent / "README.md"
    if source.member or not beside.is_file():
        return None
    words = beside.read_text(encoding="utf-8", errors="replace")
    day, window = _DAY.search(words), _WINDOW.search(words)
    if day is None or window is None:
        return None
    date = datetime.strptime(f"{day[1]} {day[2]} {day[3]}", "%b %d %Y").replace(tzinfo=UTC)
    start, end = (int(t[:2]) * 3600 + int(t[3:]) * 60 for t in (window[1], window[2]))
    day_ns = int(date.timestamp()) * 1_000_000_000
    return day_ns, day_ns + start * 1_000_000_000, end - start


def load_volumes(source: SourceFile) -> Loaded:
    """USD traded by market in the window."""
    import polars as pl

    window = _window(source)
    if window is None:
        return Loaded(skipped=_NO_DAY)
    frame = read_csv(source, _VOLUMES)
    checks.not_negative(frame, source, "usd_volume")
    frame = frame.with_columns(pl.lit(window[1], dtype=pl.Int64).alias("time_ns"))
    parts = [
        indicators(
            frame.filter(pl.col("type") == kind),
            _PUBLISHER,
            {f"{kind}_volume_usd": (pl.col("usd_volume"), "USD")},
            interval_s=window[2],
            venue=pl.col("exchange").str.to_lowercase(),
            symbol=pl.col("table"),
        )
        for kind in frame["type"].unique().sort()
    ]
    venues = frame["exchange"].str.to_lowercase().unique()
    absent = [venue for venue in _BIG_VENUES if venue not in venues]
    defects = [_WORDS, _DERIVED]
    if absent:
        defects.append(
            Defect(
                "venue-absent",
                "sums over venues that leave a large one out",
                "imported by venue; no total is made of them",
                example=f"no {', '.join(absent)} among {venues.len()} venues",
            )
        )
    return Loaded(list(parts), defects)


def load_scores(source: SourceFile) -> Loaded:
    """How far the day was from the history of days."""
    import polars as pl

    window = _window(source)
    if window is None:
        return Loaded(skipped=_NO_DAY)
    frame = read_csv(source, _SCORES).with_columns(pl.lit(window[0], dtype=pl.Int64).alias("time_ns"))
    values = {
        f"day_{name}": (pl.col(name), "as published") for name in ("mean", "std", "oct10_median", "zscore")
    }
    symbol = pl.concat_str("metric", "trim", separator=" ")
    return Loaded(
        [indicators(frame, _PUBLISHER, values, interval_s=DAY_S, symbol=symbol)], [_WORDS, _DERIVED]
    )


def recognise_falls(layout: Layout) -> bool:
    """A workbook; what it holds is told when it is read."""
    return layout.kind == "xlsx"


def load_falls(source: SourceFile) -> Loaded:
    """High, low and fall of every market on the day."""
    import polars as pl

    rows = first_sheet(source)
    if not rows or not set(_FALLS) <= set(rows[0]):
        found = ", ".join(rows[0][:6]) if rows else "no rows"
        return Loaded(skipped=f"no importer knows this layout (workbook: {found})")
    window = _window(source)
    if window is None:
        return Loaded(skipped=_NO_DAY)
    header, body = rows[0], [row + [""] * (len(rows[0]) - len(row)) for row in rows[1:]]
    frame = numbered(pl.DataFrame(body, schema=header, orient="row")).with_columns(
        pl.lit(window[0], dtype=pl.Int64).alias("time_ns"), (pl.col("_row") + 1).alias("_row")
    )
    texts = frame
    names = ("day_high", "day_low", "intraday_drop_pct")
    frame = frame.with_columns(pl.col(name).cast(pl.Float64, strict=False) for name in names)
    for name in names:
        bad = frame.filter(~pl.col(name).is_finite().fill_null(False))
        if bad.height:
            raise refusal(
                SchemaError,
                source,
                place=f"row {bad['_row'][0]}",
                column=name,
                expected="a number",
                found=f"'{texts.filter(pl.col('_row') == bad['_row'][0])[name][0]}'",
                todo="correct that cell",
            )
    checks.require(
        frame,
        (100 * (1 - pl.col("day_low") / pl.col("day_high")) - pl.col("intraday_drop_pct")).abs() < 0.01,
        source,
        column="intraday_drop_pct",
        expected="the fall from day_high to day_low in percent",
        todo="give the author's own file",
    )
    values = {
        "day_high": (pl.col("day_high"), "quote/coin"),
        "day_low": (pl.col("day_low"), "quote/coin"),
        "day_fall": (pl.col("intraday_drop_pct") / 100, "share"),
    }
    venue = pl.col("exchange").str.to_lowercase()
    out = indicators(frame, _PUBLISHER, values, interval_s=DAY_S, venue=venue, symbol=pl.col("market"))
    return Loaded([out], [_WORDS, _DERIVED])


def _recognise(columns: tuple[str, ...], layout: Layout) -> bool:
    return only_columns(layout, "csv", columns)


NIGHT = (
    Importer(
        "night-volumes",
        1,
        "volume of a night by market",
        tuple(_VOLUMES),
        NO_NAME,
        partial(_recognise, tuple(_VOLUMES)),
        load_volumes,
    ),
    Importer(
        "night-scores",
        1,
        "z-scores of a day",
        tuple(_SCORES),
        NO_NAME,
        partial(_recognise, tuple(_SCORES)),
        load_scores,
    ),
    Importer("night-falls", 1, "falls of a day by market", _FALLS, NO_NAME, recognise_falls, load_falls),
)
