"""Maintenance margin tiers of a venue's contracts as of a date, in the layout of ccxt."""

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
    empty_tiers,
    frame,
    moment_in_name,
    number,
    read_json,
)
from deleverage.errors import RulesError, SchemaError

_COLUMNS = ("tier", "minNotional", "maxNotional", "maintenanceMarginRate", "maxLeverage", "info")
_BINANCE = ("notionalCap", "notionalFloor", "maintMarginRatio", "cum")  # names only Binance's reply has
_BYBIT = ("riskLimitValue", "maintenanceMargin", "isLowestRisk")
_GATE = ("risk_limit", "maintenance_rate", "leverage_max")
_PRINTED = ("cum", "mmDeduction", "deduction")  # where Binance, Bybit and Gate print the deduction
_MARKET = re.compile(r"([^/:\s]+)/([A-Z0-9]+):([A-Z0-9]+)(?:-(\d{6}))?")

CCXT_VENUES = {"binance": _BINANCE, "bybit": _BYBIT, "gate": _GATE}
"""Venues whose brackets ccxt gives as notional, with the names in ``info`` that are the venue's alone.

OKX is not one of them: its brackets are numbers of contracts under the name of a notional.
"""


def recognise(layout: Layout) -> bool:
    """A JSON file with ccxt's tier keys and Binance's own under 'info'."""
    return layout.kind == "json" and {*_COLUMNS, *_BINANCE} <= set(layout.names)


def is_ccxt(content: Any) -> bool:
    """Whether a document is what ccxt's fetch_leverage_tiers gives: tiers by market."""
    if not isinstance(content, dict) or not content:
        return False
    first = next((tiers[0] for tiers in content.values() if isinstance(tiers, list) and tiers), None)
    return isinstance(first, dict) and "maintenanceMarginRate" in first


def venue_of(content: dict[str, Any]) -> str:
    """Whose tiers these are, by the names that only that venue's reply has; '' where they do not tell."""
    first = next(tiers[0] for tiers in content.values() if isinstance(tiers, list) and tiers)
    info = first.get("info")
    names = set(info) if isinstance(info, dict) else set()
    for venue, own in CCXT_VENUES.items():
        if set(own) <= names:
            return venue
    return ""


def load(source: SourceFile) -> Loaded:
    """Tier file to rows by symbol and tier; the date is the one in its name."""
    moment = moment_in_name(source.name)
    if moment is None:
        return Loaded(skipped=UNDATED)
    everything = listed(source, read_json(source), "binance")
    kept = [one for one in everything if one.in_dollars]
    defects = [
        Defect("no-date", "margin tiers without a date in the file", "taken from its name, at 00:00 UTC")
    ]
    return Loaded(
        [("tiers", frame(kept, "binance", moment, source.label))], [*defects, *defects_of(everything)]
    )


def defects_of(everything: list[Listed]) -> list[Defect]:
    """What is unusual in tiers that are usable."""
    defects = []
    if empty := empty_tiers([one for one in everything if one.in_dollars]):
        defects.append(
            Defect(
                "tier-empty",
                "margin tiers whose cap and floor are the same",
                "kept; the tier holds for no notional",
                len(empty),
                ", ".join(empty),
            )
        )
    if foreign := [one.symbol for one in everything if not one.in_dollars]:
        defects.append(
            Defect(
                "tiers-not-in-usd", "notional is not in dollars", "left out", len(foreign), ", ".join(foreign)
            )
        )
    return defects


def listed(source: SourceFile, content: Any, venue: str) -> list[Listed]:
    """The tiers of every contract in a document of ccxt, exactly, in the file's order.

    A contract that is not in dollars keeps ccxt's name ('ETH/BTC:BTC') and its own unit.

    Raises
    ------
    SchemaError, UnitError, RulesError
        a market that is not a list of tiers, a number that is none, tiers that do not join up.
    """
    found = []
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
        rows: list[Tier] = []
        for position, tier in enumerate(tiers, start=1):
            place = f"market '{market}', tier {position}"
            if not isinstance(tier, dict):
                raise refusal(
                    SchemaError,
                    source,
                    place=place,
                    expected=f"an object with {list(_COLUMNS)}",
                    found=str(tier)[:60],
                    todo="give the file as ccxt writes it",
                )
            rows.append(_tier(source, place, tier, rows[-1] if rows else None))
        one = Listed(_symbol(match, venue), match[3], tuple(rows))
        found.append(one if one.in_dollars else Listed(market, match[3], tuple(rows)))
    names = [one.symbol for one in found]
    if repeated := sorted(
        {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else ()
    ):
        raise refusal(
            RulesError,
            source,
            expected="every contract once",
            found=f"{repeated} more than once",
            todo="give the tiers of one kind of contract only",
        )
    return found


def _symbol(match: re.Match[str], venue: str) -> str:
    """The market 'BTC/USDT:USDT-251226' of ccxt by the venue's own name, 'BTCUSDT_251226' at Binance."""
    joined = "_" if venue == "gate" else ""
    return f"{match[1]}{joined}{match[2]}" + (f"_{match[4]}" if match[4] else "")


def _tier(source: SourceFile, place: str, tier: dict[str, Any], before: Tier | None) -> Tier:
    values: dict[str, Fraction] = {}
    for name in _COLUMNS[:-1]:
        values[name] = number(source, place, name, tier.get(name))
    info = tier.get("info")
    own = info if isinstance(info, dict) else {}
    printed = next((name for name in _PRINTED if own.get(name) not in (None, "")), None)
    if printed is None and set(_BINANCE) - {"cum"} <= set(own):
        printed = "cum"  # Binance always prints it: a file without it has lost something
    count = values["tier"]
    return checked(
        source,
        place,
        Tier(
            int(count) if count.denominator == 1 else 0,
            values["minNotional"],
            values["maxNotional"],
            values["maintenanceMarginRate"],
            values["maxLeverage"],
            Fraction(0),
        ),
        before,
        printed=None if printed is None else number(source, place, printed, own.get(printed)),
        names=TierNames(deduction=printed or "cum"),
    )


TIERS = Importer(
    "binance-tiers",
    2,
    "maintenance margin tiers",
    _COLUMNS,
    re.compile(r"binance_leverage_tiers.*\.json"),
    recognise,
    load,
)
