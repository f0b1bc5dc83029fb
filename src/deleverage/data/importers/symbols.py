"""Which coin, which kind and which venue does a name or a path say?"""

from __future__ import annotations

import re

from deleverage.data.importers.base import SourceFile, refusal
from deleverage.errors import SchemaError

QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "USD")
VENUES = ("binance", "bybit", "okx", "hyperliquid", "bitmex", "bitget", "gate", "kraken", "deribit", "dydx")
_PERP = {"perp", "perps", "futures", "um", "cm", "swap", "usdm"}


def coin_of(source: SourceFile, symbol: str) -> str:
    """The base asset of a symbol in dollars, 'BTC' of 'BTCUSDT' or 'BTCUSD_PERP'."""
    found = base_of(symbol)
    if found is None:
        raise refusal(
            SchemaError,
            source,
            expected=f"a symbol in {list(QUOTES)}",
            found=symbol,
            todo="give a market that is quoted in dollars",
        )
    return found


def base_of(symbol: str) -> str | None:
    """The base asset of a symbol in dollars; None of another one."""
    plain = symbol.split("_")[0]
    for quote in QUOTES:
        if plain.endswith(quote) and len(plain) > len(quote):
            return plain[: -len(quote)]
    return None


def words_of(folders: str) -> set[str]:
    """The words of a path, in lower case."""
    return {word for part in folders.split("/") for word in re.split(r"[^a-z]+", part)}


def path_kind(folders: str) -> str | None:
    """'spot' or 'perp', where the path says one of them."""
    words = words_of(folders)
    spot, perp = "spot" in words, bool(words & _PERP)
    return None if spot == perp else "spot" if spot else "perp"


def kind_of(source: SourceFile) -> str | None:
    """'spot' or 'perp' by the folders of the label, or by the name of the folder that holds the file.

    Else by a folder above it of just the archive's name.
    """
    said = path_kind(source.folders) or path_kind(source.path.parent.name)
    if said is not None:
        return said
    parts = {part.lower() for part in source.path.parts[:-1]}
    spot, perp = "spot" in parts, "futures" in parts
    return None if spot == perp else "spot" if spot else "perp"


def path_venue(folders: str) -> str | None:
    """The venue that the path names, where it names one."""
    found = [venue for venue in VENUES if venue in words_of(folders)]
    return found[0] if len(found) == 1 else None
