"""What is printed of a venue's rules? The list of rule sets, and one rule set on a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from deleverage.data.tier_store import Snapshot
from deleverage.report import rule_words as words
from deleverage.report.lines import HEAD, SOFT, Line, Piece, flow, fold, pairs_of, render, table
from deleverage.report.style import DASH, moment, number, with_unit
from deleverage.venues.catalogue import BOUNDLESS_USD, Catalogued
from deleverage.venues.rules import Contract, TierTable, VenueRules

_NARROWEST, _WIDEST = 40, 120
_CONTRACTS = 12
"""Contracts that are listed without --symbol."""


@dataclass(frozen=True)
class Named:
    """One line of the list: a rule set, and the day on which the next one of its product began."""

    rules: Any
    until: date | None


def listing(
    entries: Sequence[Named], stored: Sequence[Snapshot], width: int, color: bool, folder: str
) -> str:
    """Rule sets by venue and date, then the imported tiers."""
    width = _clamped(width)
    head = ["venue", "product", "from", "before", "grade", "markets"]
    rows = [
        [
            entry.rules.venue,
            str(getattr(entry.rules, "product", DASH)),
            str(entry.rules.valid_from),
            DASH if entry.until is None else str(entry.until),
            str(getattr(entry.rules, "grade", DASH)),
            str(len(entry.rules.tiers)) if isinstance(entry.rules, VenueRules) else DASH,
        ]
        for entry in entries
    ]
    lines = _table_or_blocks(head, rows, width)
    lines.append([])
    if stored:
        lines += fold(f"Imported tiers, in {folder}", width, HEAD)
        head = ["venue", "as of", "contracts", "tiers", "file"]
        imported = [
            [s.venue, day_of(s.time_ns), number(s.contracts), number(s.tiers), s.source] for s in stored
        ]
        lines += _table_or_blocks(head, imported, width)
    else:
        lines += fold(
            "No imported tiers: `deleverage rules import FILE` adds a venue's full table to the main markets "
            "that the package carries.",
            width,
            SOFT,
        )
    return render(lines, width, color)


def screen(
    found: Catalogued, versions: Sequence[VenueRules], symbol: str | None, *, width: int, color: bool
) -> str:
    """One rule set: what happens to an account, the formulas, the tiers, where all of it comes from."""
    width = _clamped(width)
    rules = found.rules
    lines: list[Line] = []
    for block in (
        _head(rules, versions, width),
        _policies(rules, width),
        _formulas(rules, width),
        _tiers(found, rules.tier_table(symbol), width) if symbol else _contracts(found, width),
        _sources(found, symbol, width),
        _versions(rules, versions, width),
    ):
        if block:
            lines += [*block, []]
    return render(lines[:-1], width, color)


def fields_screen(rules: Any, *, width: int, color: bool) -> str:
    """A rule set of another kind than contracts (lending): its fields by name."""
    width = _clamped(width)
    lines = fold(f"{rules.venue} · in force from {rules.valid_from}", width, HEAD)
    pairs = [
        (field.name.replace("_", " "), _values(getattr(rules, field.name)))
        for field in fields(rules)
        if field.name not in ("venue", "valid_from")
    ]
    return render([*lines, [], *pairs_of(pairs, width)], width, color)


def _head(rules: VenueRules, versions: Sequence[VenueRules], width: int) -> list[Line]:
    facts = [
        rules.product,
        "settled in the coin" if rules.contract is Contract.INVERSE else "settled in the quote asset",
        f"in force {_span(rules.valid_from, _until(rules, versions))}",
        f"implemented for the {rules.grade}",
    ]
    return flow([Piece(rules.venue, HEAD), *map(Piece, facts)], width, " · ")


def _policies(rules: VenueRules, width: int) -> list[Line]:
    lines: list[Line] = fold("What happens to an account without enough margin", width, HEAD)
    lines += _named(
        [(f"({letter}) {name}", sentence) for letter, name, sentence in words.policies(rules.waterfall)],
        width,
    )
    return lines + _named([("    the rest", words.remainder(rules.waterfall))], width, name_width=15)


def _formulas(rules: VenueRules, width: int) -> list[Line]:
    rows = [
        ("mark price", words.mark(rules.mark)),
        ("funding", words.funding(rules.funding)),
        ("fees", words.fees(rules.fees)),
    ]
    for asset in rules.collateral:
        rows.append(
            (asset.asset, f"counts at {words.COLLATERAL[asset.price]}, less {words.percent(asset.haircut)}")
        )
    if not rules.collateral:
        rows.append(("collateral", "the settlement asset alone"))
    return _named(rows, width, name_width=15)


def _contracts(found: Catalogued, width: int) -> list[Line]:
    tables = found.rules.tiers
    lines = fold(
        f"Margin tiers of {len(tables)} {'contract' if len(tables) == 1 else 'contracts'}"
        + (f", {len(found.imported)} of them imported" if found.imported else ""),
        width,
        HEAD,
    )
    shown = list(tables)[:_CONTRACTS]  # those that the package carries stand first
    head = ["contract", "tiers", "leverage to", "margin rate", "largest position"]
    rows = [
        [
            name,
            str(len(tables[name].tiers)),
            f"{tables[name].tiers[0].max_leverage}×",
            _rates(tables[name]),
            _amount(tables[name].tiers[-1].cap_usd, found.rules),
        ]
        for name in shown
    ]
    lines += _table_or_blocks(head, rows, width)
    more = len(tables) - len(shown)
    lines += fold(
        (f"and {number(more)} more; " if more else "") + "--symbol CONTRACT shows the tiers of one",
        width,
        SOFT,
        indent=2,
    )
    return lines


def _tiers(found: Catalogued, tiers: TierTable, width: int) -> list[Line]:
    lines = fold(f"Margin tiers of {tiers.symbol}", width, HEAD)
    head = ["tier", "notional to", "margin rate", "leverage to", "deduction"]
    rows = [
        [
            str(k),
            _amount(tier.cap_usd, found.rules),
            words.percent(tier.rate),
            f"{tier.max_leverage}×",
            _amount(deduction, found.rules),
        ]
        for k, (tier, deduction) in enumerate(zip(tiers.tiers, tiers.deductions_usd, strict=True), start=1)
    ]
    lines += _table_or_blocks(head, rows, width)
    return lines + fold("margin = notional × rate − deduction", width, SOFT, indent=2)


def _sources(found: Catalogued, symbol: str | None, width: int) -> list[Line]:
    rows = [(name, text) for name, text in found.rules.sources.items()]
    if symbol is not None:
        rows = [("tiers", found.rules.tiers[symbol].source), *(row for row in rows if row[0] != "tiers")]
    elif found.imported:
        files = sorted({found.rules.tiers[name].source for name in found.imported})
        rows.append(("imported", "; ".join(files)))
    by_text: dict[str, list[str]] = {}
    for name, text in rows:
        by_text.setdefault(text, []).append(name)
    grouped = [(", ".join(names), text) for text, names in by_text.items()]
    return [*fold("Sources", width, HEAD), *_named(grouped, width)]


def _versions(rules: VenueRules, versions: Sequence[VenueRules], width: int) -> list[Line]:
    spans = [_span(one.valid_from, _until(one, versions)) for one in versions]
    marked = [
        f"{span} (this one)" if one is rules or one.valid_from == rules.valid_from else span
        for one, span in zip(versions, spans, strict=True)
    ]
    return [
        *fold("Versions", width, HEAD),
        *_named([("", text) for text in marked], width, name_width=0),
    ]


def _named(rows: Sequence[tuple[str, str]], width: int, *, name_width: int | None = None) -> list[Line]:
    """Names on the left, sentences folded beside them; below them where there is no room."""
    left = max((len(name) for name, _ in rows), default=0) if name_width is None else name_width
    lines: list[Line] = []
    for name, sentence in rows:
        if width - left - 4 < 30:
            lines += [*fold(name, width, SOFT, indent=2), *fold(sentence, width, indent=4)]
            continue
        for k, line in enumerate(fold(sentence, width - left - 4)):
            label = name.ljust(left) if k == 0 else " " * left
            lines.append([Piece(f"  {label}  ", SOFT), *line])
    return lines


def _table_or_blocks(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[Line]:
    found = table(head, rows, width) if rows else []
    if found is not None:
        return found
    lines: list[Line] = []
    for row in rows:
        lines.append([Piece(f"  {row[0]}", HEAD)])
        lines += pairs_of([(name, [cell]) for name, cell in zip(head[1:], row[1:], strict=True)], width)
    return lines


def _span(start: date, until: date | None) -> str:
    return f"from {start}" + (f" to before {until}" if until else " on")


def _until(rules: VenueRules, versions: Sequence[VenueRules]) -> date | None:
    later = [one.valid_from for one in versions if one.valid_from > rules.valid_from]
    return min(later, default=None)


def _rates(tiers: TierTable) -> str:
    low, high = words.percent(tiers.tiers[0].rate), words.percent(tiers.tiers[-1].rate)
    return low if low == high else f"{low} to {high}"


def _amount(value: Fraction | int, rules: VenueRules) -> str:
    """A notional or deduction in what the contract is settled in."""
    if value >= BOUNDLESS_USD:
        return "no end"
    text = words.plain(Fraction(value))
    return with_unit(text, "coins") if rules.contract is Contract.INVERSE else f"${text}"


def day_of(time_ns: int) -> str:
    """`2025-10-09`, or `2025-10-09 14:03` where the moment is not midnight."""
    when = moment(time_ns)
    assert when is not None
    return when.strftime("%Y-%m-%d" if time_ns % 86_400_000_000_000 == 0 else "%Y-%m-%d %H:%M")


def _values(value: Any) -> list[str]:
    if is_dataclass(value):
        return [f"{field.name.replace('_', ' ')} {getattr(value, field.name)}" for field in fields(value)]
    if isinstance(value, Mapping):
        return [f"{key}: {', '.join(_values(item))}" for key, item in value.items()]
    if isinstance(value, tuple | list):
        return [", ".join(_values(item)) for item in value]
    return [str(value)]


def _clamped(width: int) -> int:
    return max(_NARROWEST, min(width, _WIDEST))
