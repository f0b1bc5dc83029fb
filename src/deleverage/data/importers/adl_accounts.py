"""Auto-deleveraging on Hyperliquid by account, single closings, and the counts of the cascade by second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deleverage.data.importers import checks
from deleverage.data.importers.adl_totals import local_time, window_of
from deleverage.data.importers.base import NO_NAME, ROW, Defect, Importer, Loaded, SourceFile, has_columns
from deleverage.data.importers.csv_text import read_csv
from deleverage.data.importers.hyperliquid_whales import written_time
from deleverage.data.importers.json_text import listed, number, read_document
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import indicators

if TYPE_CHECKING:
    import polars as pl

_PUBLISHER = "HyperReplay"
_NO_WINDOW = "sums without a time, and the two files that tell their window are not beside them"
_BY_ACCOUNT = {
    "user": "String",
    "adl_notional": "Float64",
    "closed_pnl": "Float64",
    "leverage_realtime": "Float64",
    "account_value_realtime": "Float64",
    "num_adl_events": "Int64",
}
_CLOSINGS = {
    "user": "String",
    "coin": "String",
    "time": "Int64",
    "adl_price": "Float64",
    "adl_size": "Float64",
    "adl_notional": "Float64",
    "closed_pnl": "Float64",
    "position_size": "Float64",
    "entry_price": "Float64",
    "account_value_realtime": "Float64",
    "leverage_realtime": "Float64",
}
_IMPOSSIBLE = (
    100.0  # the venue's largest leverage setting was 40; beyond, the equity below is next to nothing
)


def recognise_accounts(layout: Layout) -> bool:
    """A CSV with one row an account."""
    return has_columns(layout, "csv", tuple(_BY_ACCOUNT)) and "coin" not in layout.names


def load_accounts(source: SourceFile) -> Loaded:
    """What each account lost of its positions over the window, coins together."""
    import polars as pl

    window = window_of(source)
    if window is None:
        return Loaded(skipped=_NO_WINDOW)
    frame = read_csv(source, _BY_ACCOUNT)
    for name in ("adl_notional", "num_adl_events"):
        checks.not_negative(frame, source, name)
    checks.require(
        frame.with_columns(pl.col("user").is_duplicated().alias("_again")),
        ~pl.col("_again"),
        source,
        column="user",
        expected="each account once",
        todo="leave out repeated accounts",
    )
    rows = frame.select(
        ROW,
        pl.lit(window[0], dtype=pl.Int64).alias("time_ns"),
        pl.lit("hyperliquid").alias("venue"),
        pl.col("user").alias("account"),
        pl.lit("all").alias("coin"),
        pl.lit(None, dtype=pl.Float64).alias("coins"),
        pl.col("adl_notional").alias("usd"),
        pl.lit(None, dtype=pl.Float64).alias("entry_price"),
        pl.col("closed_pnl").alias("pnl_usd"),
        pl.col("num_adl_events").alias("fills"),
        ("window-" + pl.col("user")).alias("event_id"),
    )
    defects = [local_time(window[2])] if window[2] else []
    return Loaded([("adl_events", rows)], [*defects, *_artefact(frame)])


def _artefact(frame: pl.DataFrame) -> list[Defect]:
    """A mean leverage that accounts with next to no equity make."""
    column = frame["leverage_realtime"]
    mean, middle = column.mean(), column.median()
    if not isinstance(mean, float) or not isinstance(middle, float) or mean < 20 * max(middle, 0.01):
        return []
    high = int((column > _IMPOSSIBLE).sum())
    return [
        Defect(
            "leverage-artefact",
            "a leverage that accounts with next to no equity drive to thousands: its mean says nothing",
            "not imported; above 100 never a position's leverage",
            high,
            f"mean {mean:,.0f}, median {middle:.2f}",
        )
    ]


def recognise_closings(layout: Layout) -> bool:
    """A CSV with one row a closing, with the position behind it."""
    return has_columns(layout, "csv", tuple(_CLOSINGS))


def load_closings(source: SourceFile) -> Loaded:
    """Single closings and the positions that they were taken from."""
    import polars as pl

    frame = read_csv(source, _CLOSINGS)
    frame = checks.with_time_ns(frame, source, "time", "milliseconds")
    checks.price(frame, source, "adl_price")
    checks.not_negative(frame, source, "adl_size")
    checks.require(
        frame,
        (pl.col("adl_price") * pl.col("adl_size") / pl.col("adl_notional") - 1).abs() < 1e-6,
        source,
        column="adl_notional",
        expected="price times size",
        todo="give the author's own file",
    )
    again = pl.int_range(pl.len()).over("user", "coin", "time_ns").cast(pl.String)
    events = frame.select(
        ROW,
        "time_ns",
        pl.lit("hyperliquid").alias("venue"),
        pl.col("user").alias("account"),
        "coin",
        (pl.col("adl_size") * pl.col("position_size").sign()).alias("coins"),
        pl.col("adl_notional").alias("usd"),
        "entry_price",
        pl.col("closed_pnl").alias("pnl_usd"),
        pl.lit(1, dtype=pl.Int64).alias("fills"),
        pl.concat_str("user", again, separator="#").alias("event_id"),
    )
    leverage = pl.when(pl.col("leverage_realtime") <= _IMPOSSIBLE).then(pl.col("leverage_realtime"))
    positions = frame.unique(["user", "coin", "time_ns"], keep="first", maintain_order=True).select(
        "time_ns",
        pl.lit("hyperliquid").alias("venue"),
        pl.col("user").alias("account"),
        "coin",
        pl.col("coin").alias("symbol"),
        pl.col("position_size").alias("coins"),
        "entry_price",
        leverage.alias("leverage"),
        (pl.col("position_size").abs() * pl.col("adl_price")).alias("notional_usd"),
        *(pl.lit(None, dtype=pl.Float64).alias(n) for n in ("unrealised_pnl_usd", "liquidation_price")),
        pl.col("account_value_realtime").alias("account_value_usd"),
    )
    return Loaded([("adl_events", events), ("holdings", positions)], _artefact(frame))


def recognise_timing(layout: Layout) -> bool:
    """A JSON document with the first events and a timeline."""
    return layout.kind == "json" and {"event_start", "first_adl", "timeline"} <= set(layout.names)


def load_timing(source: SourceFile) -> Loaded:
    """Liquidations and ADL fills by second of the cascade; the events behind the counts are not there."""
    import polars as pl

    document = read_document(source)
    start = written_time(source, document.get("event_start"))
    rows = []
    for entry in listed(source, "", "timeline", document["timeline"]):
        second = int(number(source, "timeline", "second", entry.get("second")))
        counts = [
            number(source, f"second {second}", name, entry.get(name)) for name in ("liquidations", "adls")
        ]
        rows.append((start + second * 1_000_000_000, *counts))
    frame = pl.DataFrame(rows, schema=["time_ns", "liquidations", "adls"], orient="row").sort("time_ns")
    values = {
        "liquidation_fills": (pl.col("liquidations"), "count"),
        "adl_fills": (pl.col("adls"), "count"),
    }
    absent = Defect(
        "events-absent",
        "counts of liquidations and fills by second, whose events are not in the folder",
        "the counts imported; nothing is made up for the events",
        int(frame["liquidations"].sum()),
    )
    out = indicators(frame, _PUBLISHER, values, interval_s=1, venue="hyperliquid")
    return Loaded([out], [absent])


def recognise_summary(layout: Layout) -> bool:
    """A JSON document with a window in local time and findings."""
    return layout.kind == "json" and {"analysis_end", "events_processed", "key_findings"} <= set(layout.names)


def load_summary(source: SourceFile) -> Loaded:
    """The author's totals of the night."""
    document = read_document(source)
    window = window_of(source)
    if window is None:
        return Loaded(skipped=_NO_WINDOW)
    findings = {name: value for name, value in document["key_findings"].items() if "leverage" not in name}
    counts = {name: value for name, value in document.items() if isinstance(value, int | float)}
    defects = [local_time(window[2])] if window[2] else []
    mean = document["key_findings"].get("average_leverage_realtime", 0.0)
    middle = document["key_findings"].get("median_leverage_realtime", 0.0)
    if middle and mean > 20 * middle:
        defects.append(
            Defect(
                "leverage-artefact",
                "a leverage that accounts with next to no equity drive to thousands: its mean says nothing",
                "not imported; above 100 never a position's leverage",
                example=f"mean {mean:,.0f}, median {middle:.2f}",
            )
        )
    return Loaded([_totals(source, {**counts, **findings}, window[0])], [*defects, _DERIVED])


_DERIVED = Defect(
    "derived-data",
    "figures that somebody computed out of other data, not observations",
    "kept as indicators under who computed them",
)


def recognise_fund(layout: Layout) -> bool:
    """A JSON document with accounts whose equity is below zero."""
    return layout.kind == "json" and {
        "total_adl_events",
        "underwater_accounts",
        "top_underwater_accounts",
    } <= set(layout.names)


def load_fund(source: SourceFile) -> Loaded:
    """Accounts below zero: how many, and how far."""
    import polars as pl

    window = window_of(source)
    if window is None:
        return Loaded(skipped=_NO_WINDOW)
    document = read_document(source)
    counts = {name: value for name, value in document.items() if isinstance(value, int | float)}
    worst = [
        (
            window[0],
            f"{entry['user']}/{entry['coin']}",
            number(source, "", "total_equity", entry["total_equity"]),
        )
        for entry in listed(source, "", "top_underwater_accounts", document["top_underwater_accounts"])
    ]
    frame = pl.DataFrame(worst, schema=["time_ns", "symbol", "equity"], orient="row").unique(
        "symbol", keep="first", maintain_order=True
    )
    accounts = indicators(
        frame,
        _PUBLISHER,
        {"account_equity_usd": (pl.col("equity"), "USD")},
        interval_s=0,
        venue="hyperliquid",
        symbol=pl.col("symbol"),
    )
    return Loaded([_totals(source, counts, window[0]), accounts], [_DERIVED])


def _totals(source: SourceFile, values: dict[str, Any], time_ns: int) -> tuple[str, pl.DataFrame]:
    import polars as pl

    moment = pl.DataFrame({"time_ns": [time_ns]}, schema={"time_ns": pl.Int64})
    numbers = {
        name: (pl.lit(number(source, "", name, value)), "as published") for name, value in values.items()
    }
    return indicators(moment, _PUBLISHER, numbers, interval_s=0, venue="hyperliquid")


ACCOUNTS = (
    Importer(
        "hyperliquid-adl-accounts",
        1,
        "auto-deleveraging by account",
        tuple(_BY_ACCOUNT),
        NO_NAME,
        recognise_accounts,
        load_accounts,
    ),
    Importer(
        "hyperliquid-adl-closings",
        1,
        "single closings",
        tuple(_CLOSINGS),
        NO_NAME,
        recognise_closings,
        load_closings,
    ),
    Importer(
        "hyperliquid-adl-timing", 1, "counts by second", ("timeline",), NO_NAME, recognise_timing, load_timing
    ),
    Importer(
        "hyperliquid-adl-summary",
        1,
        "totals of a night",
        ("key_findings",),
        NO_NAME,
        recognise_summary,
        load_summary,
    ),
    Importer(
        "hyperliquid-adl-fund",
        1,
        "accounts below zero",
        ("underwater_accounts",),
        NO_NAME,
        recognise_fund,
        load_fund,
    ),
)
