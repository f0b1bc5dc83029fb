"""Binance's margin tiers as lists of five numbers by market, with the names of the columns beside them."""

from __future__ import annotations

import re
from fractions import Fraction

from deleverage.data.importers.base import NO_NAME, Defect, Importer, Loaded, SourceFile, refusal
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.tier_rows import (
    UNDATED,
    Listed,
    Tier,
    TierNames,
    checked,
    frame,
    moment_in_name,
    number,
    read_json,
)
from deleverage.errors import SchemaError

_COLUMNS = ["floor", "cap", "mmr", "max_leverage", "cum"]
_NAMES = TierNames(floor="floor", cap="cap", rate="mmr", leverage="max_leverage", deduction="cum")
_MARKET = re.compile(r"([^/:\s]+)/([A-Z0-9]+):([A-Z0-9]+)(?:-(\d{6}))?")
_HEAD = re.compile(r'"columns"\s*:\s*\[\s*"floor"\s*,\s*"cap"\s*,\s*"mmr"')


def recognise(layout: Layout) -> bool:
    """A JSON document that names its five columns and holds tiers."""
    return layout.kind == "json" and "tiers" in layout.names and _HEAD.search(layout.head) is not None


def load(source: SourceFile) -> Loaded:
    """Tiers by market, exactly; the date is the one in the file's name."""
    moment = moment_in_name(source.name)
    if moment is None:
        return Loaded(skipped=UNDATED)
    document = read_json(source)
    if "binance" not in str(document.get("source", "")).lower():
        return Loaded(skipped="margin tiers, and the file does not say whose they are")
    kept: list[Listed] = []
    foreign: list[Listed] = []
    for market, rows in document["tiers"].items():
        match = _MARKET.fullmatch(market)
        if match is None or not isinstance(rows, list) or not rows:
            raise refusal(
                SchemaError,
                source,
                place=f"market '{market}'",
                expected="a list of tiers under BASE/QUOTE:SETTLE",
                found=str(rows)[:60],
                todo="give the file as it was written",
            )
        one = Listed(
            f"{match[1]}{match[2]}" + (f"_{match[4]}" if match[4] else ""),
            match[3],
            _tiers(source, market, rows),
        )
        (kept if one.in_dollars else foreign).append(one)
    defects = [
        Defect("no-date", "margin tiers without a date in the file", "taken from its name, at 00:00 UTC")
    ]
    if foreign:
        shown = ", ".join(one.symbol for one in foreign)
        defects.append(
            Defect("tiers-not-in-usd", "notional is not in dollars", "left out", len(foreign), shown)
        )
    return Loaded([("tiers", frame(kept, "binance", moment, source.label))], defects)


def _tiers(source: SourceFile, market: str, rows: list[list[Fraction]]) -> tuple[Tier, ...]:
    tiers: list[Tier] = []
    for position, row in enumerate(rows, 1):
        place = f"market '{market}', tier {position}"
        if len(row) != len(_COLUMNS):
            raise refusal(
                SchemaError,
                source,
                place=place,
                expected=f"the five numbers {_COLUMNS}",
                found=f"{len(row)}",
                todo="give the file as it was written",
            )
        floor, cap, rate, leverage, cum = (
            number(source, place, name, value) for name, value in zip(_COLUMNS, row, strict=True)
        )
        raw = Tier(position, floor, cap, rate, leverage, Fraction(0))
        tiers.append(checked(source, place, raw, tiers[-1] if tiers else None, printed=cum, names=_NAMES))
    return tuple(tiers)


COMPACT = Importer("binance-tiers-compact", 1, "margin tiers as lists", ("tiers",), NO_NAME, recognise, load)
