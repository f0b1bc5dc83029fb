"""Margin tiers of every Hyperliquid perpetual, out of the venue's `metaAndAssetCtxs` (or `meta`).

A coin names a margin table; a table below 50 is one tier with the table's number as largest leverage. The
maintenance rate of a tier is half the initial one: 1 ÷ (2 · largest leverage). Tiers have a lower bound only,
and the last one no end.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from deleverage.data.importers.base import Defect, Importer, Loaded, SourceFile, refusal
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
from deleverage.errors import RulesError, SchemaError

_COLUMNS = ("universe", "name", "maxLeverage", "marginTableId")
_SINGLE_BELOW = 50
_NAMES = TierNames(floor="lowerBound", cap="lowerBound", rate="maxLeverage", leverage="maxLeverage")
_TODO = "give the venue's reply to 'metaAndAssetCtxs' as it came"


def recognise(layout: Layout) -> bool:
    """A JSON file that begins as the venue's universe of contracts."""
    return layout.kind == "json" and set(_COLUMNS) <= set(layout.names)


def is_meta(content: Any) -> bool:
    """Whether a document is the reply to `metaAndAssetCtxs`, or its first half, `meta`."""
    meta = content[0] if isinstance(content, list) and content else content
    return isinstance(meta, dict) and "universe" in meta


def load(source: SourceFile) -> Loaded:
    """Meta file to rows by coin and tier; the date is the one in its name."""
    moment = moment_in_name(source.name)
    if moment is None:
        return Loaded(skipped=UNDATED)
    everything, defects = listed(source, read_json(source))
    rows = frame(everything, "hyperliquid", moment, source.label)
    dated = Defect("no-date", "margin tiers without a date in the file", "taken from its name, at 00:00 UTC")
    return Loaded([("tiers", rows)], [dated, *defects])


def listed(source: SourceFile, content: Any) -> tuple[list[Listed], list[Defect]]:
    """The tiers of every coin that is listed, exactly, in the file's order.

    Raises
    ------
    SchemaError, RulesError
        a field that is missing, a table that is not there, tiers that do not increase.
    """
    meta = content[0] if isinstance(content, list) else content
    universe = _list(source, "", "universe", meta.get("universe"))
    tables = _tables(source, meta.get("marginTables", []))
    found: list[Listed] = []
    gone: list[str] = []
    for position, coin in enumerate(universe):
        name = coin.get("name") if isinstance(coin, dict) else None
        place = f"contract '{name}'" if name else f"contract {position + 1}"
        if not isinstance(name, str) or not name:
            raise _wrong(source, place, "name", "a contract with a name", str(coin)[:60])
        if coin.get("isDelisted"):
            gone.append(name)
            continue
        largest = number(source, place, "maxLeverage", coin.get("maxLeverage"))
        table = number(source, place, "marginTableId", coin.get("marginTableId"))
        steps = tables.get(int(table))
        if steps is None and table < _SINGLE_BELOW:
            steps = [(Fraction(0), table)]
        if steps is None:
            raise _wrong(source, place, "marginTableId", f"a table of {sorted(tables)}", str(int(table)))
        if steps[0][1] != largest:
            raise refusal(
                RulesError,
                source,
                place=place,
                column="maxLeverage",
                expected=f"{steps[0][1]}, the largest leverage of its margin table {int(table)}",
                found=str(largest),
                todo=_TODO,
            )
        if any(one.symbol == name for one in found):
            raise _wrong(source, place, "name", "every contract once", f"'{name}' again")
        found.append(Listed(name, "USDC", _tiers(source, place, steps)))
    if not found:
        raise _wrong(source, "", "universe", "contracts that are listed", "none")
    defects = []
    if gone:
        shown = ", ".join(gone[:5]) + (", ..." if len(gone) > 5 else "")
        defects.append(Defect("delisted", "contracts that are delisted", "left out", len(gone), shown))
    return found, defects


def _tables(source: SourceFile, entries: Any) -> dict[int, list[tuple[Fraction, Fraction]]]:
    """Margin tables: lower bound [USD] and largest leverage of their tiers, by number."""
    tables: dict[int, list[tuple[Fraction, Fraction]]] = {}
    for entry in _list(source, "", "marginTables", entries):
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], dict):
            raise _wrong(source, "", "marginTables", "pairs of a number and a table", str(entry)[:60])
        name = number(source, "", "marginTables", entry[0])
        place = f"margin table {int(name)}"
        steps = [
            (
                number(
                    source, place, "lowerBound", tier.get("lowerBound") if isinstance(tier, dict) else tier
                ),
                number(
                    source, place, "maxLeverage", tier.get("maxLeverage") if isinstance(tier, dict) else None
                ),
            )
            for tier in _list(source, place, "marginTiers", entry[1].get("marginTiers"))
        ]
        if not steps or any(leverage <= 0 for _, leverage in steps):
            raise _wrong(source, place, "marginTiers", "tiers with a leverage above 0", f"{len(steps)} tiers")
        tables[int(name)] = steps
    return tables


def _tiers(source: SourceFile, place: str, steps: list[tuple[Fraction, Fraction]]) -> tuple[Tier, ...]:
    tiers: list[Tier] = []
    for position, (floor, leverage) in enumerate(steps):
        cap = steps[position + 1][0] if position + 1 < len(steps) else None
        raw = Tier(position + 1, floor, cap, 1 / (2 * leverage), leverage, Fraction(0))
        before = tiers[-1] if tiers else None
        spot = f"{place}, tier {position + 1}"
        tiers.append(checked(source, spot, raw, before, printed=None, names=_NAMES))
    return tuple(tiers)


def _list(source: SourceFile, place: str, column: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(source, place, column, "a list", str(value)[:60])
    return value


def _wrong(source: SourceFile, place: str, column: str, expected: str, found: str) -> Exception:
    return refusal(
        SchemaError, source, place=place, column=column, expected=expected, found=found, todo=_TODO
    )


META = Importer(
    "hyperliquid-meta",
    1,
    "Hyperliquid's contracts with their margin tables",
    _COLUMNS,
    re.compile(r"hyperliquid_meta.*\.json"),
    recognise,
    load,
)
