"""Maintenance margin tiers of every Binance perpetual as of a date, in the layout of ccxt."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deleverage.data.importers.base import Defect, Importer, Loaded, SourceFile, refusal
from deleverage.data.importers.layout import layout_of
from deleverage.errors import RulesError, SchemaError, UnitError

_COLUMNS = ("tier", "minNotional", "maxNotional", "maintenanceMarginRate", "maxLeverage", "info")
_BINANCE = ("notionalCap", "notionalFloor", "maintMarginRatio", "cum")  # names only Binance's reply has
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_MARKET = re.compile(r"([^/:\s]+)/([A-Z0-9]+):([A-Z0-9]+)(?:-(\d{6}))?")
_DOLLARS = {"USDT", "USDC", "USD", "BUSD", "FDUSD"}
_TODO = "get the file again; tiers must join up and increase"

Row = tuple[str, int, float, float, int, float, float]


def recognise(path: Path) -> bool:
    """A JSON file with ccxt's tier keys and Binance's own under 'info'."""
    layout = layout_of(path)
    return layout.kind == "json" and {*_COLUMNS, *_BINANCE} <= set(layout.names)


def load(source: SourceFile) -> Loaded:
    """Tier file to rows by symbol and tier; the date is the one in its name."""
    import polars as pl

    date = _DATE.search(source.path.name)
    if date is None:
        return Loaded(skipped="margin tiers, and the name does not say of which date, like 2025-10-09")
    moment = datetime(int(date[1]), int(date[2]), int(date[3]), tzinfo=UTC)
    content = json.loads(source.path.read_text(encoding="utf-8"))
    rows: list[Row] = []
    foreign: list[str] = []
    for market, tiers in content.items():
        match = _MARKET.fullmatch(market)
        if match is None or not isinstance(tiers, list) or not tiers:
            raise refusal(
                SchemaError,
                source,
                place=f"market '{market}'",
                expected="a list of tiers under BASE/QUOTE:SETTLE",
                found=str(tiers)[:60],
                todo="give the file as ccxt writes it",
            )
        if match[3] not in _DOLLARS:
            foreign.append(market)
            continue
        rows.extend(_tiers(source, market, _symbol(match), tiers))
    frame = pl.DataFrame(
        rows,
        orient="row",
        schema={
            "symbol": pl.String,
            "tier": pl.Int64,
            "floor_usd": pl.Float64,
            "cap_usd": pl.Float64,
            "rate_ppm": pl.Int64,
            "max_leverage": pl.Float64,
            "deduction_usd": pl.Float64,
        },
    ).with_columns(
        pl.lit(int(moment.timestamp()) * 1_000_000_000, dtype=pl.Int64).alias("time_ns"),
        pl.lit("binance").alias("venue"),
        pl.lit(source.label).alias("source"),
    )
    defects = [Defect("the file carries no date", "taken from its name, at 00:00 UTC")]
    if empty := [f"{row[0]} tier {row[1]}" for row in rows if row[2] == row[3]]:
        defects.append(
            Defect(f"{', '.join(empty)}: cap and floor are the same", "kept; the tier holds for no notional")
        )
    if foreign:
        defects.append(Defect(f"{', '.join(foreign)}: notional is not in dollars", "left out"))
    return Loaded([("tiers", frame)], defects)


def _symbol(match: re.Match[str]) -> str:
    """The market 'BTC/USDT:USDT-251226' of ccxt by Binance's own name, 'BTCUSDT_251226'."""
    return f"{match[1]}{match[2]}" + (f"_{match[4]}" if match[4] else "")


def _tiers(source: SourceFile, market: str, symbol: str, tiers: list[dict[str, Any]]) -> list[Row]:
    rows: list[Row] = []
    for number, tier in enumerate(tiers, start=1):
        place = f"market '{market}', tier {number}"
        row = _row(source, place, symbol, tier)
        _check(source, place, rows[-1] if rows else None, row, number)
        rows.append(row)
    return rows


def _row(source: SourceFile, place: str, symbol: str, tier: dict[str, Any]) -> Row:
    values = []
    for name in ("tier", "minNotional", "maxNotional", "maintenanceMarginRate", "maxLeverage"):
        values.append(_number(source, place, name, tier.get(name)))
    deduction = _number(source, place, "cum", tier.get("info", {}).get("cum"))
    number, floor, cap, rate, leverage = values
    if not 0 < rate < 1:
        raise refusal(
            UnitError,
            source,
            place=place,
            column="maintenanceMarginRate",
            expected="a share between 0 and 1",
            found=f"{rate:g}",
            todo="give rates as shares: 0.004 for 0.4 %",
        )
    return symbol, int(number), floor, cap, round(rate * 1e6), leverage, deduction


def _number(source: SourceFile, place: str, name: str, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = float("nan")
    if number != number:  # NaN
        raise refusal(
            SchemaError, source, place=place, column=name, expected="a number", found=repr(value), todo=_TODO
        )
    return number


def _check(source: SourceFile, place: str, before: Row | None, row: Row, number: int) -> None:
    _, tier, floor, cap, rate, leverage, deduction = row
    _, _, _, cap_0, rate_0, leverage_0, deduction_0 = before or (None, 0, 0.0, 0.0, 0, float("inf"), 0.0)
    # The deduction keeps the margin continuous at the floor: cum = cum₋₁ + floor · (rate − rate₋₁).
    due = deduction_0 + floor * (rate - rate_0) / 1e6 if before else 0.0
    wants = (
        ("tier", tier == number, f"tier {number}", tier),
        ("minNotional", floor == cap_0, f"a floor of {cap_0:.0f}, the cap of the tier before", floor),
        ("maxNotional", cap >= floor, f"a cap above {floor:.0f}", cap),
        (
            "maintenanceMarginRate",
            rate > rate_0,
            f"a rate above {rate_0} ppm, that of the tier before",
            f"{rate} ppm",
        ),
        (
            "maxLeverage",
            1 <= leverage <= leverage_0,
            "a leverage of at least 1, not above the tier before",
            leverage,
        ),
        ("cum", abs(deduction - due) <= 1e-6 * max(1.0, abs(due)), f"a deduction of {due:g}", deduction),
    )
    for column, holds, expected, found in wants:
        if not holds:
            raise refusal(
                RulesError,
                source,
                place=place,
                column=column,
                expected=expected,
                found=str(found),
                todo=_TODO,
            )


TIERS = Importer(
    "binance-tiers",
    1,
    "maintenance margin tiers",
    _COLUMNS,
    re.compile(r"binance_leverage_tiers.*\.json"),
    recognise,
    load,
)
