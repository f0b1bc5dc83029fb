"""With which command does one fetch what a table lacks?"""

from __future__ import annotations

from datetime import UTC, datetime

_DAY = "%Y-%m-%d"

# What stands for the contract is filled in by the caller; what no source that we speak has is imported.
_COMMANDS = {
    "candles": "deleverage backfill {spot} {contract} --what klines --interval {interval} {when} --lake DIR",
    "funding": "deleverage backfill binance {contract} --what funding {when} --lake DIR",
    "open_interest": "deleverage backfill binance {contract} --what metrics {when} --lake DIR",
    "depth": "deleverage backfill binance {contract} --what depth {when} --lake DIR",
    "trades": "deleverage backfill binance {contract} --what trades {when} --lake DIR",
    "flows": "deleverage backfill farside {when} --lake DIR",
    "market_caps": "deleverage backfill coingecko {when} --lake DIR",
    "sentiment": "deleverage backfill fear-greed {when} --lake DIR",
    "liquidations": "deleverage collect binance bybit okx --symbols {coin} --lake DIR",
    "marks": "deleverage collect binance bybit okx --symbols {coin} --lake DIR",
    "best_quotes": "deleverage collect binance bybit okx --symbols {coin} --lake DIR",
    "books": "deleverage collect binance bybit okx --symbols {coin} --lake DIR",
    "tiers": "deleverage rules update VENUE",
}
_IMPORTED = {
    "macro": "daily bars of the series (Yahoo's CSV)",
    "liquidation_totals": "a vendor's liquidation history",
    "indicators": "the publisher's series",
    "holdings": "positions seen on chain",
    "adl_events": "the list of closings by auto-deleveraging",
    "adl_totals": "the sums of auto-deleveraging",
    "snapshots": "a vendor's list of contracts",
}


def command_for(
    table: str,
    *,
    coin: str = "BTC",
    kind: str = "spot",
    interval: str = "1d",
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> str:
    """A command line that fetches (a part of) the table; for what no source has, the import of a file.

    start_ns, end_ns : the stretch that is missing [ns UTC], end not included; the command names whole days.
    """
    if table not in _COMMANDS:
        return f"deleverage import FILE --lake DIR, with {_IMPORTED.get(table, 'a file that holds it')}"
    when = "--from YYYY-MM-DD --to YYYY-MM-DD"
    if start_ns is not None and end_ns is not None and end_ns > start_ns:
        when = f"--from {_day(start_ns)} --to {_day(end_ns - 1)}"
    elif start_ns is None and end_ns is not None:
        when = f"--from YYYY-MM-DD --to {_day(end_ns - 1)}"
    command = _COMMANDS[table]
    if end_ns is not None and command.startswith("deleverage collect"):
        command += ", for what comes from now on; the past: deleverage import FILE --lake DIR"
    return command.format(
        spot="binance-spot" if kind == "spot" else "binance",
        contract=f"{coin}USDT",
        coin=coin,
        interval=interval,
        when=when,
    )


def _day(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime(_DAY)
