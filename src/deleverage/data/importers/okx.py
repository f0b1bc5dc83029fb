"""Saved replies of OKX's public interface: funding (current and settled) and open interest, by contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deleverage.data.importers import checks
from deleverage.data.importers.base import NO_NAME, ROW, Defect, Importer, Loaded, SourceFile
from deleverage.data.importers.json_text import listed, number, optional, read_document
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.multi_venue import on_the_hour

if TYPE_CHECKING:
    pass

_MS = 1_000_000


def recognise_funding(layout: Layout) -> bool:
    """A JSON document with 'current' and 'history' of funding by instId."""
    return layout.kind == "json" and {"current", "instId", "fundingRate", "fundingTime"} <= set(layout.names)


def load_funding(source: SourceFile) -> Loaded:
    """Settled rates to `funding`, the running prediction to `marks`."""
    import polars as pl

    settled: list[tuple[Any, ...]] = []
    running: list[tuple[Any, ...]] = []
    for contract, reply in read_document(source).items():
        for entry in listed(source, contract, "history", reply.get("history")):
            time = int(number(source, contract, "fundingTime", entry.get("fundingTime")))
            rate = optional(source, contract, "realizedRate", entry.get("realizedRate"))
            if rate is not None:
                settled.append((len(settled) + 1, contract, time, rate))
        for entry in listed(source, contract, "current", reply.get("current")):
            time = int(number(source, contract, "ts", entry.get("ts", entry.get("prevFundingTime"))))
            due = int(number(source, contract, "fundingTime", entry.get("fundingTime")))
            running.append(
                (
                    contract,
                    time * _MS,
                    number(source, contract, "fundingRate", entry["fundingRate"]),
                    due * _MS,
                )
            )
    frame = pl.DataFrame(settled, schema=[ROW, "symbol", "time", "rate"], orient="row").sort("symbol", "time")
    frame = checks.with_time_ns(frame, source, "time", "milliseconds")
    frame, defects = on_the_hour(frame)
    checks.increasing(frame, source, "time", by=("symbol",))
    checks.funding_rates(frame, source, "rate", by="symbol")
    step = pl.col("time_ns").diff().mode().min().over("symbol") // 1_000_000_000
    rows = frame.select(
        ROW,
        "time_ns",
        pl.lit("okx").alias("venue"),
        pl.col("symbol").str.split("-").list.first().alias("coin"),
        "symbol",
        step.fill_null(28_800).alias("interval_s"),
        "rate",
    )
    now = pl.DataFrame(running, schema=["symbol", "time_ns", "funding_rate", "next_funding_ns"], orient="row")
    marks = now.with_columns(
        pl.lit("okx").alias("venue"),
        pl.col("symbol").str.split("-").list.first().alias("coin"),
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in ("mark_price", "index_price", "last_price")),
    )
    return Loaded([("funding", rows), ("marks", marks)], defects)


def recognise_interest(layout: Layout) -> bool:
    """A JSON document with open interest in contracts, coins and USD by instId."""
    return layout.kind == "json" and {"instId", "oi", "oiCcy", "oiUsd", "ts"} <= set(layout.names)


def load_interest(source: SourceFile) -> Loaded:
    """Open interest in coins ('oiCcy'); the field 'oi' counts contracts."""
    import polars as pl

    rows: list[tuple[Any, ...]] = []
    shown = ""
    for contract, entries in read_document(source).items():
        for entry in listed(source, contract, "reply", entries):
            values = {
                name: number(source, contract, name, entry.get(name))
                for name in ("oi", "oiCcy", "oiUsd", "ts")
            }
            if not shown and abs(values["oi"] / values["oiCcy"] - 1) > 1e-6:
                shown = f"{contract}: {values['oi']:,.0f} contracts are {values['oiCcy']:,.0f} coins"
            rows.append((len(rows) + 1, contract, int(values["ts"]), values["oiCcy"], values["oiUsd"]))
    frame = pl.DataFrame(rows, schema=[ROW, "scope", "ts", "coins", "usd"], orient="row").with_columns(
        pl.col("scope").str.split("-").list.first().alias("coin"),
        (pl.col("usd") / pl.col("coins")).alias("price"),
    )
    frame = checks.with_time_ns(frame, source, "ts", "milliseconds")
    checks.price(frame, source, "price")
    defects = []
    if shown:
        defects.append(
            Defect(
                "okx-contracts",
                "OKX volume is in contracts",
                "converted to coins per contract",
                frame.height,
                shown,
            )
        )
    return Loaded([("open_interest", frame.with_columns(pl.lit("okx").alias("venue")).drop("ts"))], defects)


OKX = (
    Importer("okx-funding", 1, "OKX's funding", ("instId",), NO_NAME, recognise_funding, load_funding),
    Importer(
        "okx-open-interest", 1, "OKX's open interest", ("oiCcy",), NO_NAME, recognise_interest, load_interest
    ),
)
