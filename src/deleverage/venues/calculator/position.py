"""Which position is asked about, in exact numbers, and which contract of a venue does its symbol mean?

Numbers may come as text, `Decimal`, `Fraction`, int or float; a float means the decimal that it prints as.
Nothing here rounds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fractions import Fraction
from typing import TypeAlias

from deleverage.errors import InputError
from deleverage.venues.rules import Contract, VenueRules

Number: TypeAlias = Fraction | Decimal | int | float | str

LARGEST = Fraction(10**15)
"""Largest number that is taken for a price, a size or an amount: beyond it somebody mistyped."""
SMALLEST = Fraction(1, 10**12)


class Side(StrEnum):
    """Which way a position wins."""

    LONG = "long"
    SHORT = "short"

    @property
    def sign(self) -> int:
        """+1 long, −1 short."""
        return 1 if self is Side.LONG else -1


class MarginMode(StrEnum):
    """What backs a position: its own margin, or the wallet of the account."""

    ISOLATED = "isolated"
    CROSS = "cross"


def exact(value: Number, name: str) -> Fraction:
    """A number as an exact fraction; ``name`` is what messages call it.

    Raises
    ------
    InputError
        not a number, or not a finite one.
    """
    if isinstance(value, Fraction):
        return value
    try:
        number = Decimal(str(value).strip())
        if not number.is_finite():
            raise InvalidOperation
    except InvalidOperation:
        raise InputError(
            f"{name}: expected a number, found '{value}'",
            hint="Write it in digits with a point for decimals, like 117000.5.",
            field=name,
        ) from None
    if abs(number.adjusted()) > 40:  # 1e999999999 would fill the memory as a fraction
        number = Decimal(0) if number.adjusted() < 0 else Decimal("Infinity").copy_sign(number)
        raise _out_of_bounds(name, value)
    return Fraction(number)


def above_zero(value: Number, name: str) -> Fraction:
    """The same, refusing zero, negative, and absurdly small or large numbers."""
    number = exact(value, name)
    if number <= 0:
        raise InputError(f"{name}: expected a number above 0, found {value}", field=name)
    if not SMALLEST <= number <= LARGEST:
        raise _out_of_bounds(name, value)
    return number


def not_negative(value: Number, name: str) -> Fraction:
    """The same; zero is fine."""
    number = exact(value, name)
    if number < 0:
        raise InputError(f"{name}: expected 0 or more, found {value}", field=name)
    return number if number == 0 else above_zero(number, name)


def _out_of_bounds(name: str, value: Number) -> InputError:
    return InputError(
        f"{name}: expected a number from 10⁻¹² to 10¹⁵, found {value}", hint="Check its unit.", field=name
    )


@dataclass(frozen=True)
class Position:
    """One position, as a trader states it; the same on every venue.

    Parameters
    ----------
    symbol : contract or coin, as it was asked for: 'BTCUSDT', 'BTC', 'BTC-USD'.
    entry : entry price [USD/coin] > 0.
    size_coins : size [coins] > 0; an inverse contract then has size × entry [USD] contracts.
    mark : price at which the position is looked at [USD/coin] > 0.
    leverage : leverage setting [x] ≥ 1; None is the margin that was given, or the largest allowed (cross).
    margin_usd : margin of an isolated position instead of a leverage [USD] > 0.
    wallet_usd : wallet of a cross account [USD]; for inverse contracts its worth at the mark.
    extra_margin_usd : margin added to an isolated position after it was opened [USD] ≥ 0.
    priced : false when the entry stands for 100 %, so that a number of coins says nothing.

    Raises
    ------
    InputError
        what is given does not make a position.
    """

    symbol: str
    side: Side
    entry: Fraction
    size_coins: Fraction
    mark: Fraction
    leverage: Fraction | None = None
    margin_usd: Fraction | None = None
    mode: MarginMode = MarginMode.ISOLATED
    wallet_usd: Fraction | None = None
    extra_margin_usd: Fraction = Fraction(0)
    priced: bool = True

    def __post_init__(self) -> None:
        """Refuse what does not belong together."""
        if self.leverage is not None and self.leverage < 1:
            raise InputError(
                f"leverage: expected at least 1, found {float(self.leverage):g}",
                hint="A position with more margin than its value has leverage 1 and extra margin.",
                field="leverage",
            )
        if self.mode is MarginMode.CROSS:
            if self.wallet_usd is None:
                raise InputError(
                    "wallet: expected the wallet of the cross account in USD, found none",
                    hint="Give the wallet, or ask for an isolated position.",
                    field="wallet",
                )
            unused, name = (
                (self.margin_usd, "margin")
                if self.margin_usd is not None
                else (self.extra_margin_usd, "extra margin")
            )
            if unused:
                raise InputError(
                    f"{name}: a cross position is backed by the wallet alone, found {name} "
                    f"{float(unused):g} USD",
                    hint="Add it to the wallet.",
                    field=name,
                )
            return
        if self.wallet_usd is not None:
            raise InputError(
                "wallet: an isolated position is not backed by the wallet, found "
                f"{float(self.wallet_usd):g} USD",
                hint="Leave the wallet out, or ask for a cross position.",
                field="wallet",
            )
        if (self.leverage is None) == (self.margin_usd is None):
            raise InputError(
                "expected either a leverage or a margin for an isolated position, found "
                + ("neither" if self.leverage is None else "both"),
                field="leverage",
            )

    @property
    def notional_usd(self) -> Fraction:
        """Value at entry [USD]."""
        return self.size_coins * self.entry


# --- symbols ------------------------------------------------------------------------------------------

_QUOTES = ("USDT", "USDC", "USD")


def coin_of(symbol: str) -> tuple[str, Contract | None]:
    """The coin of a symbol in any venue's spelling, and the kind of contract that the spelling says.

    A quote of USDT or USDC says linear; USD says inverse, unless a linear venue lists that very symbol; a
    bare coin says nothing. ``('BTC', LINEAR)`` for BTCUSDT, BTC-USDT-SWAP and BTC/USDT:USDT.
    """
    text = symbol.strip().split(":")[0]
    text = re.sub(r"^k(?=[A-Z]{3,})", "1000", text).upper()  # kPEPE counts in thousands, as 1000PEPE does
    words = [
        word for word in re.split(r"[-_/.]", text) if not re.fullmatch(r"PERP|PERPETUAL|SWAP|P|\d*", word)
    ]
    coin, quote = (words[0] if words else ""), (words[1] if len(words) > 1 else "")
    for ending in _QUOTES if not quote else ():
        if coin.endswith(ending) and coin != ending:
            coin, quote = coin.removesuffix(ending), ending
            break
    coin = "BTC" if coin == "XBT" else coin
    kind = {"USDT": Contract.LINEAR, "USDC": Contract.LINEAR, "USD": Contract.INVERSE}.get(quote)
    return coin, kind


def contract_of(rules: VenueRules, symbol: str) -> str | None:
    """The symbol of a rule set for a symbol in any spelling; None when it has no contract of that coin.

    An exact match wins; among several contracts of the coin the one in USDT, then USDC, then USD.
    """
    if symbol in rules.tiers:
        return symbol
    coin = coin_of(symbol)[0]
    same = [name for name in rules.tiers if coin_of(name)[0] == coin]
    ranked = sorted(same, key=lambda name: (_rank_of_quote(name), name))
    return ranked[0] if ranked else None


def _rank_of_quote(symbol: str) -> int:
    text = symbol.upper()
    return next((k for k, quote in enumerate(_QUOTES) if quote in text), len(_QUOTES))
