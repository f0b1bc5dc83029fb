"""The command `margin`: one position on every venue."""

from __future__ import annotations

from typing import Annotated

import typer

EXAMPLES = """\b
Examples:
  deleverage margin --symbol BTCUSDT --side long --leverage 100
  deleverage margin --symbol BTCUSDT --side long --leverage 20 --entry 117000 --size 2.5 --venue binance
  deleverage margin --symbol ETH --side short --mode cross --wallet 50000 --entry 4100 --size 40
  deleverage margin --symbol SOL --side long --leverage 10 --at 2025-10-10 --json"""


def margin(
    symbol: Annotated[str, typer.Option(metavar="SYMBOL", help="Contract or coin: BTCUSDT, BTC-USD, BTC.")],
    side: Annotated[str, typer.Option(metavar="SIDE", help="long or short.")],
    leverage: Annotated[
        str | None, typer.Option(metavar="X", help="Leverage setting; cross may leave it out.")
    ] = None,
    entry: Annotated[
        str | None, typer.Option(metavar="USD", help="Entry price; without it prices are in % of entry.")
    ] = None,
    size: Annotated[str | None, typer.Option(metavar="COINS", help="Size in coins.")] = None,
    notional: Annotated[
        str | None, typer.Option(metavar="USD", help="Value at entry instead of a size; 10000 if neither.")
    ] = None,
    venue: Annotated[
        list[str] | None,
        typer.Option(metavar="VENUE", help="Only this venue. Repeatable; all that know the coin by default."),
    ] = None,
    mode: Annotated[str, typer.Option(metavar="MODE", help="isolated or cross.")] = "isolated",
    wallet: Annotated[str | None, typer.Option(metavar="USD", help="Wallet of the cross account.")] = None,
    margin_usd: Annotated[
        str | None, typer.Option("--margin", metavar="USD", help="Isolated margin instead of --leverage.")
    ] = None,
    extra_margin: Annotated[
        str, typer.Option(metavar="USD", help="Margin added to an isolated position.")
    ] = "0",
    mark: Annotated[
        str | None, typer.Option(metavar="USD", help="Mark price now; the entry by default.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="DATE", help="Rules of this day, YYYY-MM-DD; the newest by default.")
    ] = None,
    steps: Annotated[
        bool, typer.Option("--steps/--no-steps", help="What each venue would do, step by step.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what one position means on each venue: where it is liquidated, and what is done to it."""
    from deleverage.venues.calculator.compare import margin as compare

    comparison = compare(
        symbol,
        side,
        leverage=leverage,
        margin_usd=margin_usd,
        entry=entry,
        size_coins=size,
        notional_usd=notional,
        venues=venue or (),
        mode=mode,
        wallet_usd=wallet,
        extra_margin_usd=extra_margin,
        mark=mark,
        at=at,
    )
    from deleverage.cli.stream import columns, emit, emit_json, has_colour

    if json:
        from deleverage.venues.calculator.contract import to_dict

        emit_json(to_dict(comparison))
    else:
        from deleverage.report.margin import screen

        emit(screen(comparison, width=columns(), color=has_colour(), steps=steps))
