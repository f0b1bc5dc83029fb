"""Which position do the loose words and numbers of a caller mean, and what had to be assumed?"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar

from deleverage.errors import InputError
from deleverage.venues.calculator.position import (
    MarginMode,
    Number,
    Position,
    Side,
    above_zero,
    not_negative,
)

ASSUMED_NOTIONAL_USD = Fraction(10_000)
"""Value at entry when neither size nor notional is given."""
ASSUMED_ENTRY = Fraction(100)
"""Entry when none is given: prices then read as percent of entry."""


def parse_day(at: date | str | None) -> date | None:
    """A day from 'YYYY-MM-DD'.

    Raises
    ------
    InputError
        not such a day.
    """
    if at is None or (isinstance(at, date) and not isinstance(at, datetime)):
        return at
    try:
        return date.fromisoformat(str(at).strip())
    except ValueError:
        raise InputError(
            f"at: expected a day like 2025-10-10, found '{at}'", hint="Days are in UTC.", field="at"
        ) from None


def position_of(
    symbol: str,
    side: str,
    *,
    mode: str,
    leverage: Number | None,
    margin_usd: Number | None,
    entry: Number | None,
    size_coins: Number | None,
    notional_usd: Number | None,
    mark: Number | None,
    wallet_usd: Number | None,
    extra_margin_usd: Number,
) -> tuple[Position, tuple[str, ...]]:
    """The position that loose numbers mean, and the names of what was assumed: 'entry', 'notional'.

    Parameters are those of `compare.margin`.

    Raises
    ------
    InputError
        a number or word that is not usable, or what does not belong together.
    """
    if not symbol.strip():
        raise InputError("symbol: expected a contract or coin like BTCUSDT, found nothing", field="symbol")
    if size_coins is not None and notional_usd is not None:
        raise InputError("expected a size or a notional, found both", hint="Leave one out.", field="size")
    assumed = []
    if entry is None:
        if size_coins is not None or mark is not None:
            other = "size in coins" if size_coins is not None else "mark"
            raise InputError(
                f"entry: expected an entry price in USD beside a {other}, found none",
                hint="Give the entry price; or a notional alone, then prices are in percent of entry.",
                field="entry",
            )
        assumed.append("entry")
    price = ASSUMED_ENTRY if entry is None else above_zero(entry, "entry")
    if size_coins is None and notional_usd is None:
        notional_usd = ASSUMED_NOTIONAL_USD
        assumed.append("notional")
    size = (
        above_zero(size_coins, "size")
        if size_coins is not None
        else above_zero(notional_usd or 0, "notional") / price
    )
    if isinstance(leverage, str):
        leverage = leverage.strip().removesuffix("x").removesuffix("×")
    position = Position(
        symbol=symbol.strip(),
        side=_one_of(Side, side, "side"),
        entry=price,
        size_coins=size,
        mark=price if mark is None else above_zero(mark, "mark"),
        leverage=None if leverage is None else above_zero(leverage, "leverage"),
        margin_usd=None if margin_usd is None else above_zero(margin_usd, "margin"),
        mode=_one_of(MarginMode, mode, "mode"),
        wallet_usd=None if wallet_usd is None else above_zero(wallet_usd, "wallet"),
        extra_margin_usd=not_negative(extra_margin_usd, "extra margin"),
        priced=entry is not None,
    )
    return position, tuple(assumed)


_Choice = TypeVar("_Choice", bound=StrEnum)


def _one_of(kind: type[_Choice], text: str, name: str) -> _Choice:
    try:
        return kind(str(text).strip().lower())
    except ValueError:
        raise InputError(
            f"{name}: expected {' or '.join(str(one) for one in kind)}, found '{text}'", field=name
        ) from None
