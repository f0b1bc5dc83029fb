"""Fills the tables of these pages that would otherwise rot: commands, scenario fields, columns.

    python docs/make_reference.py            rewrite the pages
    python docs/make_reference.py --check    exit 1 if one of them is not as the code says

A page holds a pair of comments, ``<!-- made: KIND NAME -->`` and ``<!-- /made -->``; what stands between
them is made from the code. Kinds are `command`, `section`, `table`, `venues`, `sources` and
`measure`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from datetime import date
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args, get_origin

import typer

from deleverage import schema
from deleverage.cli import app
from deleverage.data.backfill.sources import SOURCES
from deleverage.experiment.scenario import Scenario
from deleverage.experiment.scenario.figure import Figure, LakeQuery, Needs, Strict
from deleverage.venues import catalogue
from deleverage.venues.rules import AdlPrice, AdlTrigger, Slice, Takeover, VenueRules, Waterfall, rules_on

DOCS = Path(__file__).resolve().parent
_BLOCK = re.compile(r"(<!-- made: (\w+) ([^\n]*?) -->\n).*?(<!-- /made -->)", re.DOTALL)

# What the models leave to their docstrings or to the eye: plain settings, no figures.
PLAIN = {
    "scenario.name": "what `run` and the answer call it",
    "scenario.title": "one line, for headings",
    "scenario.description": "a sentence for `scenario list --json`",
    "scenario.venue": "whose margin tiers and funding formula hold; `binance` is the one there is",
    "scenario.rules_date": "day whose rule set is taken (YYYY-MM-DD)",
    "scenario.start": "first second of the run, a time with its zone",
    "scenario.end": "last second, after `start`",
    "scenario.no_data_after": "cut: no figure may be stamped later, since what came after is the outcome",
    "scenario.markets": "names of the `[market.*]` sections, in the order of every table",
    "scenario.sources": "texts by key; every figure names one as its `source`",
    "scenario.published": "figures that others published; compared with the run, never read by it",
    "run.seeds": "number of draws",
    "run.points": "points drawn from the priors; each gets seeds / points replicates",
    "run.accounts": "number of holders",
    "run.tipping_depths": "multiples of the depth at which the factual ensemble is run again, rising",
    "run.tipping_seeds": "draws used for that",
    "market.venue": "which of `venues` it is a market of; absent: `venue`",
    "market.coin": "coin of which it is a contract; absent: its own name. Markets of one coin share its news",
    "venues.index": "weight of each venue's spot market in the index",
    "venues.index_rule": "`mean` or `median` of those spot markets",
    "venues.peers": "weight of each other venue's perpetual in the mark, where the rule set asks for them",
    "collateral.asset": "its name in the venue's collateral schedule",
    "collateral.venue": "which of `venues` takes it; absent: `venue`",
    "collateral.follows": "market whose index its redemption value follows; absent: it redeems for dollars",
    "collateral.price": "by which price margin values it: `venue` is the venue's rule on the day",
    "market.symbol": "contract of the venue whose margin tiers hold",
    "market.fund": "which `[insurance.*]` stands behind it",
    "venue_rules.mark_window_s": "length of the average of mid − index in the mark price [s], 1 to 128",
    "venue_rules.trigger": "margin is checked at the mark price, or at the last price",
    "venue_rules.order_limit": "forced orders stop at the bankruptcy price, or fill at any price",
    "venue_rules.impact": "`double` lets every fill move the price twice: a known mistake, to show its size",
    "venue_rules.collateral": "whether holders pledge the assets of `[collateral.*]`; true if absent",
    "venue_rules.socialise": "true: a negative fund is made whole by winners once a minute",
    "venue_rules.funding_interval_h": "hours between funding payments, counted from 00:00 UTC",
    "published.id": "occurs once",
    "published.text": "the figure in words",
    "published.quantity": "dotted path in the summary of the run; empty where there is no such number",
    "published.market": "market it speaks of, or empty",
    "published.value": "the stated number; absent where none was stated",
    "published.unit": "unit of the value",
    "published.by_whose_count": "who counted",
    "published.venue_set": "which venues the count covers",
    "published.comparable": "true only where venues and quantity are those of the run",
    "published.used_to_fit": "true if the figure set a parameter",
    "published.source": "a key of `[sources]`",
    "figure.value": "the number, or",
    "figure.prior": "the shape of a distribution, with",
    "figure.low": "its lower and",
    "figure.high": "upper bound",
    "figure.unit": "checked against the unit that the field asks for",
    "figure.mark": "`observed`, `assumed`, `fitted`; `set by user` is written by `--set`",
    "figure.source": "a key of `[sources]`",
    "figure.at": "time of the observation, at most `no_data_after`",
    "figure.lake": "where `--lake` finds the same figure (below)",
    "figure.sha256": "checksum of the imported file; written when a lake has set the value",
    "lake.table": "table of the lake",
    "lake.where": "columns and the values that choose the row",
    "lake.at": "time of the row",
    "lake.max_age_s": "above 0: the newest row at most so old will do [s]",
    "lake.column": "column that holds the number",
    "lake.scale": "factor from the column's unit to the figure's",
}


def _rows(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), *(list(row) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


# --- scenarios --------------------------------------------------------------------------------------


def model_of(name: str) -> type[Strict]:
    """The model of a section of a scenario; `scenario`, `figure` and `lake` are those of the parts."""
    parts: dict[str, type[Strict]] = {"scenario": Scenario, "figure": Figure, "lake": LakeQuery}
    if name in parts:
        return parts[name]
    found = [model for model in _models(Scenario.model_fields[name].annotation) if issubclass(model, Strict)]
    return found[0]


def _models(annotation: Any) -> list[type]:
    inner = [model for argument in get_args(annotation) for model in _models(argument)]
    return inner + ([annotation] if isinstance(annotation, type) else [])


def needs_of(model: type[Strict], field: str) -> Needs | None:
    """What a field asks of its figure; None for a plain setting."""
    info = model.model_fields[field]
    nested = [m for part in get_args(info.annotation) for m in getattr(part, "__metadata__", ())]
    found = [m for m in [*info.metadata, *nested] if isinstance(m, Needs)]
    return found[0] if found else None


def _plain_kind(annotation: Any) -> str:
    values = [value for part in (annotation, *get_args(annotation)) for value in _literals(part)]
    if values:
        return ", ".join(f"`{value}`" for value in values)
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "date": "date"}
    names |= {"AwareDatetime": "time", "dict": "table", "tuple": "list"}
    origin = get_origin(annotation)
    if origin in (dict, tuple):
        return names[origin.__name__]
    kinds = [names[t.__name__] for t in _models(annotation) if t.__name__ in names]
    return kinds[0] if kinds else "table"


def _literals(annotation: Any) -> list[str]:
    return [v for v in get_args(annotation) if isinstance(v, str)]


def section(name: str) -> str:
    """Fields of one section: key, what it must be, meaning."""
    model = model_of(name)
    rows = []
    for field, info in model.model_fields.items():
        inner = [m for m in _models(info.annotation) if issubclass(m, Strict) and m is not Figure]
        needs = needs_of(model, field)
        if needs is not None:
            optional = "" if info.is_required() else "; may be absent"
            rows.append((f"`{field}`", needs.expected + optional, needs.meaning))
        elif name != "scenario" or not inner or field == "published":
            optional = "" if info.is_required() else "; may be absent"
            rows.append((f"`{field}`", _plain_kind(info.annotation) + optional, PLAIN[f"{name}.{field}"]))
    return _rows(("field", "must be", "meaning"), rows)


# --- tables -----------------------------------------------------------------------------------------


def columns(name: str) -> str:
    """Columns of one table: name, type, unit, meaning, and its key."""
    table = {
        **schema.MEASURE_TABLES,
        **schema.ANSWER_TABLES,
        **schema.LAKE_TABLES,
        "findings": schema.FINDINGS,
    }[name]
    rows = [
        (
            f"`{c.name}`",
            c.dtype + (", null where not observed" if c.nullable else ""),
            c.unit or "–",
            c.meaning or "see the column before",
        )
        for c in table.columns
    ]
    key = ", ".join(f"`{column}`" for column in table.key)
    return _rows(("column", "type", "unit", "meaning"), rows) + f"\nOne row for each {key}.\n"


# --- commands ---------------------------------------------------------------------------------------


def commands() -> dict[str, Any]:
    """Every command by its words, `run` or `scenario show`; the empty name is the program itself."""
    found: dict[str, Any] = {}

    def walk(command: Any, words: tuple[str, ...]) -> None:
        if not getattr(command, "commands", None) or not words:
            found[" ".join(words)] = command
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, (*words, name))

    walk(typer.main.get_command(app), ())
    return found


def _default(parameter: Any) -> str:
    value = parameter.default
    if parameter.required:
        return "required"
    if value is None or value is False or value == []:
        return "–"
    if value is True:
        return "yes"
    return str(value.value if isinstance(value, Enum) else value)


def command(name: str) -> str:
    """Arguments and options of one command."""
    rows = []
    for parameter in commands()["" if name == "deleverage" else name].params:
        shown = parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.metavar
        shown = "`, `".join([shown, *parameter.secondary_opts])
        value = f" {parameter.metavar}" if parameter.metavar and shown != parameter.metavar else ""
        rows.append((f"`{shown}{value}`", _default(parameter), parameter.help or ""))
    rows.append(("`-h`, `--help`", "–", "Show the help with an example, and stop."))
    return _rows(("argument or option", "default", "does"), rows)


# --- venues -----------------------------------------------------------------------------------------

NIGHT = date(2025, 10, 10)
_UNSURE = re.compile(r"assumed|inferred|not read|third part|third-part|not published", re.IGNORECASE)


def rule_sets() -> list[tuple[VenueRules, ...]]:
    """Versions of every venue for contracts, newest first; venues by name."""
    return [catalogue.versions(venue) for venue in catalogue.venues() if catalogue.trades_contracts(venue)]


def _word(policy: Enum) -> str:
    return policy.name.lower().replace("_", " ")


def _percent(share: Fraction) -> str:
    return f"{float(100 * share):.4g} %"


def _with(policy: Enum, figures: str) -> str:
    return f"{_word(policy)}: {figures}" if figures else _word(policy)


def _policies(flow: Waterfall) -> tuple[str, ...]:
    slices = {
        Slice.SHARE_THEN_WHOLE: f"{_percent(flow.slice_share)} above ${flow.slice_above_usd:,}, whole within "
        f"{flow.cooldown_s} s after",
        Slice.SHARE_A_STEP: ", ".join(
            said
            for holds, said in (
                (flow.slice_share < 1, _percent(flow.slice_share)),
                (flow.slice_minimum_usd > 0, f"at least ${flow.slice_minimum_usd:,}"),
                (flow.slice_maximum_usd > 0, f"at most ${flow.slice_maximum_usd:,}"),
            )
            if holds
        ),
    }
    triggers = {
        AdlTrigger.FUND_DRAWDOWN: f"in {flow.fund_window_s // 3600} h",
        AdlTrigger.FUND_BELOW_REFERENCE: f"by {_percent(flow.fund_drop_share)} or ${flow.fund_drop_usd:,} "
        f"of {flow.fund_window_s // 3600} h",
    }
    vault = f"below {flow.backstop_share} of the margin"
    bound = f"within {_percent(flow.price_bound)}"
    return (
        _word(flow.trigger),
        _word(flow.order_limit),
        _with(flow.slice, slices.get(flow.slice, "")),
        _with(flow.takeover, vault if flow.takeover is Takeover.VAULT else ""),
        _with(flow.adl_trigger, triggers.get(flow.adl_trigger, "")),
        _word(flow.adl_rank),
        _with(flow.adl_price, bound if flow.adl_price is AdlPrice.BANKRUPTCY_NEAR_MARK else ""),
    )


def venues(name: str) -> str:
    """Policies of the night, versions, or what is assumed, of every venue."""
    if name == "policies":
        night = [rules_on(versions, NIGHT) for versions in rule_sets()]
        policies = ("trigger", "order limit", "slice", "takeover", "ADL trigger", "ADL rank", "ADL price")
        rows = ((f"`{rules.venue}`", *_policies(rules.waterfall)) for rules in night)
        return _rows(("venue", *policies), rows)
    if name == "versions":
        facts = ("from", "grade", "contract", "markets", "mark", "funding", "taker", "left margin")
        return _rows(("venue", *facts), (_version(rules) for versions in rule_sets() for rules in versions))
    said: dict[tuple[str, str, str], None] = {}
    for versions in rule_sets():
        for rules in versions:
            for part, source in rules.sources.items():
                # Only the clauses that are unsure: the rest of a source is read.
                unsure = [clause for clause in re.split(r"(?<=[;.]) ", source) if _UNSURE.search(clause)]
                if unsure:
                    said[f"`{rules.venue}`", part, " ".join(unsure).rstrip(";.")] = None
    return _rows(("venue", "part", "what its source says"), said)


def _version(rules: VenueRules) -> tuple[str, ...]:
    symbols = list(rules.tiers)
    more = f" and {len(symbols) - 4} more" if len(symbols) > 4 else ""
    funding = f"{rules.funding.interval_h} h" + (
        f", at most {_percent(rules.funding.cap)}" if rules.funding.cap else ""
    )
    return (
        f"`{rules.venue}`",
        str(rules.valid_from),
        rules.grade.value,
        rules.contract.value,
        ", ".join(symbols[:4]) + more,
        f"{_word(rules.mark.rule)}, {rules.mark.window_s} s",
        funding if rules.funding.rate_of_8h else f"{funding}, not scaled to 8 h",
        _percent(rules.fees.taker),
        "to the fund"
        if rules.waterfall.rest_to_fund
        else f"kept, less {_percent(rules.fees.liquidation)}"
        if rules.fees.liquidation
        else "kept",
    )


# --- pages ------------------------------------------------------------------------------------------


def sources(name: str) -> str:
    """What a group of sources of `deleverage backfill` has, and under which terms."""
    of_group = [one for one in SOURCES.values() if one.group == name]
    return "".join(
        _rows(
            ("", f"`{one.name}`"),
            [
                (word, text)
                for word, text in (
                    ("holds", one.holds),
                    ("`--what`", ", ".join(f"`{kind}`" for kind, reason in one.serves.items() if not reason)),
                    ("symbol", f"`{one.example}`" if one.example else ""),
                    ("since", one.since),
                    ("interval", one.interval),
                    ("delay", one.delay),
                    ("limits", one.limits),
                    ("revisions", one.revisions),
                    ("origin", one.origin),
                    ("terms", one.terms),
                    ("key", f"`{one.needs_key}`" if one.needs_key else ""),
                )
                if text
            ],
        )
        + "\n"
        for one in of_group
    )


def measure(name: str) -> str:
    """Parameters and readings of one measure."""
    from deleverage.experiment.measures import ALL
    from deleverage.report.measures import parameter_lines, reading_lines

    parameters = _rows(("parameter", "is"), [(f"`{key}`", text) for key, text in parameter_lines(ALL[name])])
    readings = _rows(("reading", "is"), [(f"`{key}`", text) for key, text in reading_lines(ALL[name])])
    return f"{parameters}\n{readings}"


_KINDS = {
    "section": section, "table": columns, "command": command, "venues": venues, "sources": sources,
    "measure": measure,
}  # fmt: skip


def filled(text: str) -> str:
    """A page with every block as the code says."""
    return _BLOCK.sub(lambda m: m[1] + "\n" + _KINDS[m[2]](m[3]) + "\n" + m[4], text)


def pages() -> list[Path]:
    """Pages that hold a made block."""
    return [
        page
        for page in [*sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("measures/*.md"))]
        if _BLOCK.search(page.read_text(encoding="utf-8"))
    ]


def main(words: list[str]) -> int:
    """Rewrite or check; returns the exit code."""
    stale = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        made = filled(text)
        if made != text:
            stale.append(page.name)
            if "--check" not in words:
                page.write_text(made, encoding="utf-8")
    if stale:
        print(("not as the code says: " if "--check" in words else "rewritten: ") + ", ".join(stale))
    return 1 if stale and "--check" in words else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
