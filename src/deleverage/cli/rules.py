"""The commands `rules list`, `show`, `import` and `update`: what holds at a venue, and since when."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from deleverage.errors import InputError

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Rule sets of the venues, dated and sourced."
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
At = Annotated[
    str | None, typer.Option("--at", metavar="DATE", help="Day (UTC), YYYY-MM-DD; the newest by default.")
]


def day_of(text: str | None) -> date | None:
    """A day out of an option.

    Raises
    ------
    InputError
        it is no day.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"--at {text}: expected a day like 2025-10-10, found {text!r}", hint="Give year, month and day."
        ) from None


@app.command("list", epilog="\b\nExample:\n  deleverage rules list")
def list_rules(json: Json = False) -> None:
    """List the rule sets of every venue, and the imported tiers."""
    from deleverage.cli.stream import columns, emit, emit_json, has_colour
    from deleverage.data.tier_store import rules_folder, snapshots
    from deleverage.report.rule_set import Named, listing
    from deleverage.venues.catalogue import all_versions, until

    folder = rules_folder()
    stored = snapshots(folder)
    entries = [Named(rules, until(rules)) for rules in all_versions()]
    if not json:
        emit(listing(entries, stored, columns(), has_colour(), str(folder)))
        return
    from deleverage.report.rule_json import listed, stored_json

    emit_json(
        {
            "rule_sets": [listed(entry.rules, entry.until) for entry in entries],
            "imported": [stored_json(one) for one in stored],
            "folder": folder,
        }
    )


@app.command(
    "show",
    epilog="\b\nExamples:\n  deleverage rules show binance --at 2025-10-10\n"
    "  deleverage rules show binance --symbol BTCUSDT",
)
def show(
    venue: Annotated[str, typer.Argument(metavar="VENUE", help="A venue of `rules list`.")],
    at: At = None,
    symbol: Annotated[str | None, typer.Option(metavar="S", help="Print the tiers of this contract.")] = None,
    product: Annotated[
        str | None, typer.Option(metavar="P", help="One of the venue's products; the first by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Print a venue's rule set: the seven policies in words, mark, funding, fees, tiers, sources."""
    from deleverage.cli.stream import columns, emit, emit_json, has_colour
    from deleverage.data.tier_store import rules_folder
    from deleverage.report.rule_json import rule_set, unlike_contracts
    from deleverage.report.rule_set import fields_screen, screen
    from deleverage.venues import catalogue

    day = day_of(at) or date.max
    if not catalogue.trades_contracts(venue):
        other = catalogue.lending_at(venue, day)
        if symbol is not None or product is not None:
            raise InputError(
                f"{venue}: expected neither --symbol nor --product, found one",
                hint="it lends: it has no contracts with margin tiers",
            )
        if json:
            emit_json(unlike_contracts(other))
        else:
            emit(fields_screen(other, width=columns(), color=has_colour()))
        return
    found = catalogue.catalogued(venue, day, product=product, imported=rules_folder())
    if symbol is not None:
        catalogue.known_symbol(found.rules, symbol)
    versions = [one for one in catalogue.versions(venue) if one.product == found.rules.product]
    if json:
        emit_json(rule_set(found, versions, symbol))
    else:
        emit(screen(found, versions, symbol, width=columns(), color=has_colour()))


@app.command(
    "import",
    epilog="\b\nExamples:\n  deleverage rules import binance_leverage_tiers_2025-10-09.json\n"
    "  deleverage rules import hyperliquid_meta.json --at 2026-03-01",
)
def import_file(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Tiers as ccxt gives them, or Hyperliquid's metaAndAssetCtxs."),
    ],
    venue: Annotated[
        str, typer.Option(metavar="V", help="Whose tiers they are, where the file does not tell.")
    ] = "",
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="DATE", help="Day of the tiers, YYYY-MM-DD; by default the name's."),
    ] = None,
    json: Json = False,
) -> None:
    """Keep a venue's full tier table: all of the file, or nothing."""
    from deleverage.data.tier_store import import_tiers, rules_folder

    done = import_tiers(file, rules_folder(), venue=venue, day=day_of(at))
    _say(done, json)


@app.command(
    "update",
    epilog="\b\nExamples:\n  deleverage rules update hyperliquid\n"
    "  deleverage rules update bybit --symbols BTCUSDT,ETHUSDT",
)
def update(
    venue: Annotated[str, typer.Argument(metavar="VENUE", help="binance, bybit, gate or hyperliquid.")],
    symbols: Annotated[
        str, typer.Option(metavar="S,S", help="Only these contracts, separated by commas; all by default.")
    ] = "",
    url: Annotated[
        str, typer.Option(metavar="URL", help="Ask this server, which speaks the venue's endpoints.")
    ] = "",
    json: Json = False,
) -> None:
    """Fetch a venue's tiers as they are now, through ccxt, and keep them. Needs a network."""
    from deleverage.data.tier_fetch import update_tiers
    from deleverage.data.tier_store import rules_folder

    wanted = [name.strip() for name in symbols.split(",") if name.strip()]
    if symbols and not wanted:
        raise InputError(
            f"--symbols {symbols!r}: expected names separated by commas, found none",
            hint="For example --symbols BTCUSDT,ETHUSDT.",
        )
    _say(update_tiers(venue, rules_folder(), symbols=wanted, url=url), json)


def _say(done: Any, json: bool) -> None:
    """What an import or update did."""
    from deleverage.cli.stream import emit, emit_json, note
    from deleverage.data.tier_store import rules_folder

    if json:
        emit_json(done)
        return
    emit(
        f"{done.venue}, {done.at[:10]}: {done.contracts:,} contracts with {done.tiers:,} tiers, "
        f"{done.added:,} of them new, in {rules_folder()}"
    )
    for defect in done.defects:
        shown = f" ({defect.example})" if defect.example else ""
        emit(f"  {defect.defect}{shown}; {defect.handled}")
    note(f"`deleverage rules show {done.venue} --at {done.at[:10]}` shows what holds on that day")
