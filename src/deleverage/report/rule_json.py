"""What does `--json` print of a venue's rules? Plain values: rates as decimals and as exact fractions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum, IntEnum
from fractions import Fraction
from typing import Any

from deleverage.data.lake import iso
from deleverage.data.tier_store import Snapshot
from deleverage.report import rule_words as words
from deleverage.venues.catalogue import BOUNDLESS_USD, Catalogued
from deleverage.venues.rules import Contract, MarginTier, TierTable, VenueRules


def listed(rules: Any, until: date | None) -> dict[str, Any]:
    """One rule set of the list."""
    return {
        "venue": rules.venue,
        "product": getattr(rules, "product", None),
        "grade": str(rules.grade) if hasattr(rules, "grade") else None,
        "contract": str(rules.contract) if hasattr(rules, "contract") else None,
        "valid_from": str(rules.valid_from),
        "valid_before": None if until is None else str(until),
        "contracts": list(getattr(rules, "tiers", ())),
    }


def stored_json(one: Snapshot) -> dict[str, Any]:
    """One imported table."""
    return {
        "venue": one.venue,
        "at": iso(one.time_ns),
        "contracts": one.contracts,
        "tiers": one.tiers,
        "file": one.source,
        "sha256": one.sha256,
    }


def rule_set(found: Catalogued, versions: Sequence[VenueRules], symbol: str | None) -> dict[str, Any]:
    """One rule set; with ``symbol`` its tiers are those of that contract alone."""
    rules = found.rules
    names = list(rules.tiers) if symbol is None else [symbol]
    later = min((one.valid_from for one in versions if one.valid_from > rules.valid_from), default=None)
    head = listed(rules, later)
    del head["contracts"]  # they are the keys of "tiers"
    return {
        **head,
        "policies": {
            name.replace(" ", "_").lower(): {
                "letter": letter,
                "rule": _policy(rules, name),
                "words": sentence,
            }
            for letter, name, sentence in words.policies(rules.waterfall)
        },
        "waterfall": plain(rules.waterfall),
        "rest_of_the_margin": words.remainder(rules.waterfall),
        "mark": {**plain(rules.mark), "words": words.mark(rules.mark)},
        "funding": {**plain(rules.funding), "words": words.funding(rules.funding)},
        "fees": plain(rules.fees),
        "collateral": plain(rules.collateral),
        "tiers": {name: _table(rules.tiers[name], rules, name in found.imported) for name in names},
        "sources": dict(rules.sources),
        "versions": [str(one.valid_from) for one in versions],
    }


def unlike_contracts(rules: Any) -> dict[str, Any]:
    """A rule set of another kind (lending), field by field."""
    found: dict[str, Any] = plain(rules)
    return found


def plain(value: Any) -> Any:
    """Values as JSON knows them; a fraction as a number, with its exact form where a decimal is none."""
    if isinstance(value, Fraction):
        return _fraction(value)
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, Enum):
        return str(value.value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, date) else value


def _policy(rules: VenueRules, name: str) -> str:
    attribute = {"ADL ranking": "adl_rank"}.get(name, name.replace(" ", "_").lower())
    found: str = plain(getattr(rules.waterfall, attribute))
    return found


def _fraction(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)


def _table(table: TierTable, rules: VenueRules, imported: bool) -> dict[str, Any]:
    unit = "coins" if rules.contract is Contract.INVERSE else "usd"
    tiers = [
        _tier(tier, deduction, unit)
        for tier, deduction in zip(table.tiers, table.deductions_usd, strict=True)
    ]
    return {"imported": imported, "source": table.source, "tiers": tiers}


def _tier(tier: MarginTier, deduction: Fraction, unit: str) -> dict[str, Any]:
    return {
        f"cap_{unit}": None if tier.cap_usd >= BOUNDLESS_USD else tier.cap_usd,
        "rate": float(tier.rate),
        "rate_exact": str(tier.rate),
        "max_leverage": tier.max_leverage,
        f"deduction_{unit}": _fraction(deduction),
    }
