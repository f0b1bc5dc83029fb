"""Which venues and versions are there, and which rules hold at a venue on a day?

A venue is a file of this folder that defines `VERSIONS` (a lending market: `LENDING_VERSIONS`); adding one
is adding the file. Tiers that the user imported (`data.tier_store`) extend the packaged ones, and override
those that are older.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deleverage import venues as _room
from deleverage.data.tier_store import Stored, stored_tiers
from deleverage.errors import RulesError
from deleverage.venues.rules import Contract, MarginTier, TierTable, VenueRules, one_of, rules_on

NO_END_USD = 4_000_000_000_000
"""Cap of a last tier without one [USD]: the largest sum of money that the integers hold (`MAX_UUSD`)."""
BOUNDLESS_USD = 1_000_000_000_000
"""A cap from which on nobody means it [USD]: venues without a last cap are written so."""

_DEFINES_VERSIONS = re.compile(r"^(?:LENDING_)?VERSIONS\b", re.MULTILINE)


@dataclass(frozen=True)
class Catalogued:
    """A rule set, and where each of its tier tables comes from: the day that a table is of, by contract.

    ``imported`` holds the contracts whose tiers come from the store, with the file they came in.
    """

    rules: VenueRules
    imported: Mapping[str, Stored]


def venues() -> tuple[str, ...]:
    """Names of the venues that there are rules of, sorted; each is a file of this folder."""
    found = []
    for module in pkgutil.iter_modules(_room.__path__):
        if module.ispkg:
            continue
        # The text tells without importing: kernels of other files need not be loaded for a list.
        spec = find_spec(f"{_room.__name__}.{module.name}")
        source = getattr(spec.loader, "get_source", None) if spec is not None else None
        if source is not None and _DEFINES_VERSIONS.search(source(f"{_room.__name__}.{module.name}") or ""):
            found.append(module.name)
    return tuple(sorted(found))


def trades_contracts(venue: str) -> bool:
    """False for a venue whose rule sets are of another kind: a lending market.

    Raises
    ------
    RulesError
        there is no such venue.
    """
    return all(isinstance(rules, VenueRules) for rules in _versions(venue))


def versions(venue: str) -> tuple[VenueRules, ...]:
    """The packaged rule sets of a venue of contracts, newest first.

    Raises
    ------
    RulesError
        there is no such venue, or it trades no contracts.
    """
    if not trades_contracts(venue):
        raise RulesError(
            f"expected a venue of contracts, found '{venue}', which lends",
            hint=f"venues of contracts are {[name for name in venues() if trades_contracts(name)]}",
            venue=venue,
        )
    return _versions(venue)


def all_versions() -> tuple[Any, ...]:
    """Every packaged rule set, by venue and product, newest first; lending markets as they are."""
    return tuple(rules for venue in venues() for rules in _by_product(_versions(venue)))


def until(rules: Any) -> date | None:
    """First day on which the next version of a packaged rule set holds; None for the newest."""
    same = [one for one in _versions(rules.venue) if _product(one) == _product(rules)]
    return min((one.valid_from for one in same if one.valid_from > rules.valid_from), default=None)


def lending_at(venue: str, day: date) -> Any:
    """The rule set of a lending market in force on a day (UTC).

    Raises
    ------
    RulesError
        no rule set is known for so early a day.
    """
    return rules_on(_versions(venue), day)


def _versions(venue: str) -> tuple[Any, ...]:
    known = venues()
    if venue not in known:
        near = get_close_matches(venue, known, n=1)
        raise RulesError(
            f"expected a venue of {list(known)}, found '{venue}'",
            hint=f"did you mean '{near[0]}'?" if near else "`deleverage rules list` shows them",
            venue=venue,
        )
    module = import_module(f"{_room.__name__}.{venue}")
    found: tuple[Any, ...] = module.VERSIONS if hasattr(module, "VERSIONS") else module.LENDING_VERSIONS
    return found


def _product(rules: Any) -> str:
    """Versions of one product follow each other; all of a lending market do."""
    return rules.product if isinstance(rules, VenueRules) else ""


def _by_product(found: tuple[Any, ...]) -> list[Any]:
    order = list(dict.fromkeys(map(_product, found)))
    return sorted(found, key=lambda rules: order.index(_product(rules)))


def products(venue: str) -> tuple[str, ...]:
    """Products of a venue, in the order of its file."""
    return tuple(dict.fromkeys(rules.product for rules in versions(venue)))


def rules_at(
    venue: str, day: date, *, product: str | None = None, imported: Path | None = None
) -> VenueRules:
    """The rule set of a venue in force on a day (UTC).

    Parameters
    ----------
    product : which of the venue's products, as its file calls it; by default the first one.
    imported : folder of imported tiers (`tier_store.rules_folder()`). By default only what the package
        carries is used, so that a run depends on nothing but its scenario and the program.

    Raises
    ------
    RulesError
        no such venue or product, or no rule set is known for so early a day.
    """
    return catalogued(venue, day, product=product, imported=imported).rules


def catalogued(
    venue: str, day: date, *, product: str | None = None, imported: Path | None = None
) -> Catalogued:
    """As `rules_at`, with where the tiers come from."""
    known = products(venue)
    wanted = known[0] if product is None else product
    if wanted not in known:
        raise RulesError(
            f"{venue}: expected a product of {list(known)}, found '{wanted}'", venue=venue, product=wanted
        )
    rules = rules_on(tuple(one for one in versions(venue) if one.product == wanted), day)
    if imported is None or rules.contract is not Contract.LINEAR:  # the store counts in dollars
        return Catalogued(rules, {})
    stored = {
        symbol: found
        for symbol, found in stored_tiers(imported, venue, day).items()
        if not _is_newer(rules, symbol, found)
    }
    tables = {symbol: tier_table(symbol, found) for symbol, found in stored.items()}
    return Catalogued(replace(rules, tiers={**rules.tiers, **tables}), stored)


def known_symbol(rules: VenueRules, symbol: str) -> None:
    """Refuse a contract that the rule set does not know, with names that are like it.

    Raises
    ------
    RulesError
        there is no such contract.
    """
    if symbol in rules.tiers:
        return
    raise RulesError(
        f"{rules.venue}: expected {one_of(rules.tiers, symbol)}, found '{symbol}'",
        hint="import the venue's tier file with `deleverage rules import FILE`, or choose another contract",
        venue=rules.venue,
        symbol=symbol,
    )


def day_of(stored: Stored) -> date:
    """The day (UTC) that stored tiers are of."""
    return datetime.fromtimestamp(stored.time_ns // 1_000_000_000, UTC).date()


def tier_table(symbol: str, stored: Stored) -> TierTable:
    """Stored tiers as a table of the rules.

    A tier that holds for no notional (cap = floor) is left out: its two steps of the deduction add up to one.
    A largest leverage between two whole numbers is rounded down: settings are whole numbers.
    """
    tiers = tuple(
        MarginTier(NO_END_USD if tier.cap is None else int(tier.cap), tier.rate, int(tier.max_leverage))
        for tier in stored.tiers
        if tier.cap is None or tier.cap > tier.floor
    )
    return TierTable(symbol, tiers, f"{stored.source}, tiers of {day_of(stored)}", day_of(stored))


def _is_newer(rules: VenueRules, symbol: str, stored: Stored) -> bool:
    """True where the package carries the contract as of a later day than the stored tiers."""
    if symbol not in rules.tiers:
        return False
    return (rules.tiers[symbol].as_of or rules.valid_from) > day_of(stored)
