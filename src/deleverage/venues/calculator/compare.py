"""What does one position mean on every venue, side by side?

import deleverage as dl
dl.margin("BTCUSDT", "long", leverage=100, entry=117_000, size_coins="0.1").columns
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from pathlib import Path

from deleverage.data.tier_store import rules_folder
from deleverage.errors import RulesError
from deleverage.venues import catalogue
from deleverage.venues.calculator.asked import parse_day, position_of
from deleverage.venues.calculator.assess import Assessment, assess, checked_symbol
from deleverage.venues.calculator.position import Number, Position, coin_of, contract_of
from deleverage.venues.rules import Contract, VenueRules, one_of


@dataclass(frozen=True)
class Book:
    """What a venue's product goes by on a day.

    Parameters
    ----------
    newest : its newest rule set.
    rules : the one in force on the day; None when none is known for so early a day, with the ``refusal``.
    """

    venue: str
    product: str
    newest: VenueRules
    rules: VenueRules | None
    refusal: RulesError | None = None

    def knows(self, symbol: str) -> bool:
        """True when it has a contract of the symbol's coin."""
        return contract_of(self.rules or self.newest, symbol) is not None


@dataclass(frozen=True)
class Column:
    """One venue's answer: an assessment, or why there is none.

    Parameters
    ----------
    rules : the rule set that was asked; None when there is none for the day.
    refusal : why the venue does not allow the position.
    at_most : the same position at the largest leverage of its size, where only the leverage was refused.
    """

    venue: str
    product: str
    symbol: str
    rules: VenueRules | None
    assessment: Assessment | None = None
    refusal: RulesError | None = None
    at_most: Assessment | None = None

    @property
    def shown(self) -> Assessment | None:
        """The assessment; where the leverage was refused, that of the largest leverage."""
        return self.assessment or self.at_most


@dataclass(frozen=True)
class Comparison:
    """One position on several venues.

    Parameters
    ----------
    at : day whose rules hold; None is the newest rule set of each venue.
    assumed : names of what was not given and assumed: 'entry', 'notional'.
    other_contracts : venues that have the coin in the other kind of contract, left out.
    """

    position: Position
    at: date | None
    columns: tuple[Column, ...]
    assumed: tuple[str, ...]
    other_contracts: tuple[str, ...]


def margin(
    symbol: str,
    side: str,
    *,
    leverage: Number | None = None,
    margin_usd: Number | None = None,
    entry: Number | None = None,
    size_coins: Number | None = None,
    notional_usd: Number | None = None,
    venues: Sequence[str] = (),
    mode: str = "isolated",
    wallet_usd: Number | None = None,
    extra_margin_usd: Number = 0,
    mark: Number | None = None,
    at: date | str | None = None,
) -> Comparison:
    """Margin, liquidation and bankruptcy price of one position on every venue that knows its coin.

    Parameters
    ----------
    symbol : contract or coin in any venue's spelling; BTCUSD and BTC_USD mean inverse contracts.
    side : 'long' or 'short'.
    leverage : leverage setting [x] ≥ 1; may be left out in cross mode, then the largest allowed counts.
    margin_usd : margin of an isolated position instead of a leverage [USD].
    entry : entry price [USD/coin]; 100 by default, so that prices read as percent of it.
    size_coins, notional_usd : size [coins], or value at entry [USD]; 10,000 USD by default.
    venues : names of venues; all that know the coin by default. A venue that was named must answer.
    mode : 'isolated' or 'cross'.
    wallet_usd : wallet of the cross account [USD].
    extra_margin_usd : margin added to an isolated position [USD].
    mark : price at which it is looked at [USD/coin]; the entry by default.
    at : day whose rules hold, as a date or 'YYYY-MM-DD'; the newest known by default.

    Raises
    ------
    InputError
        a number, name or date that is not usable; what does not belong together.
    RulesError
        a venue that was named refuses the position, or all do.
    """
    day = parse_day(at)
    position, assumed = position_of(
        symbol,
        side,
        mode=mode,
        leverage=leverage,
        margin_usd=margin_usd,
        entry=entry,
        size_coins=size_coins,
        notional_usd=notional_usd,
        mark=mark,
        wallet_usd=wallet_usd,
        extra_margin_usd=extra_margin_usd,
    )
    books = rule_books(day)
    named = tuple(dict.fromkeys(name.strip().lower() for name in venues))
    known = sorted({book.venue for book in books})
    for name in named:
        if name not in known:
            raise RulesError(f"venue: expected one of {known}, found '{name}'", venue=name)
    kind = _kind(position.symbol, books)
    columns: list[Column] = []
    others: list[Book] = []
    for book in books:
        if (named and book.venue not in named) or not book.knows(position.symbol):
            continue
        if kind is not None and book.newest.contract is not kind:
            others.append(book)
        else:
            columns.append(_column(book, position))
    if named:
        _each_answers(named, columns, books, position)
    else:
        _one_answers(columns, others, books, position)
    return Comparison(position, day, tuple(columns), assumed, tuple(_name(book) for book in others))


def rule_books(day: date | None) -> list[Book]:
    """Every product of every venue that trades contracts, as of a day (UTC), the newest without one.

    Tiers that the user imported extend and override the packaged ones, as in `rules show`.
    """
    folder = rules_folder()
    return [
        _book(venue, product, day, folder)
        for venue in catalogue.venues()
        if catalogue.trades_contracts(venue)
        for product in catalogue.products(venue)
    ]


def _book(venue: str, product: str, day: date | None, imported: Path) -> Book:
    newest = catalogue.catalogued(venue, date.max, product=product, imported=imported).rules
    try:
        rules = catalogue.catalogued(venue, day or date.max, product=product, imported=imported).rules
    except RulesError as refusal:
        return Book(venue, product, newest, None, refusal)
    return Book(venue, product, newest, rules)


def _kind(symbol: str, books: list[Book]) -> Contract | None:
    """The kind of contract that is asked for; None for a bare coin, which means any.

    A symbol that a venue lists letter for letter is of that venue's kind: BTC-USD is linear on dYdX.
    """
    said = coin_of(symbol)[1]
    if said is None:
        return None
    listed = {book.newest.contract for book in books if symbol in (book.rules or book.newest).tiers}
    return listed.pop() if len(listed) == 1 else said


def _column(book: Book, position: Position) -> Column:
    rules = book.rules
    symbol = contract_of(rules or book.newest, position.symbol) or position.symbol
    empty = Column(book.venue, book.product, symbol, rules, refusal=book.refusal)
    if rules is None:
        return empty
    here = replace(position, symbol=symbol)  # spelt as the venue does, so of its kind
    try:
        return replace(empty, assessment=assess(rules, here))
    except RulesError as refusal:
        return replace(empty, refusal=refusal, at_most=_at_most(rules, here, refusal))


def _at_most(rules: VenueRules, position: Position, refusal: RulesError) -> Assessment | None:
    """The position at the largest leverage of its size, if it was the leverage that was refused."""
    largest = refusal.context.get("max_leverage")
    if not isinstance(largest, int):
        return None
    try:
        return assess(rules, replace(position, leverage=Fraction(largest), margin_usd=None))
    except RulesError:
        return None  # the wallet of a cross account may not be enough then


def _each_answers(
    named: tuple[str, ...], columns: list[Column], books: list[Book], position: Position
) -> None:
    """Raise unless every venue that was named allows the position in one of its products."""
    for name in named:
        here = [column for column in columns if column.venue == name]
        if any(column.assessment for column in here):
            continue
        for column in here:
            if column.refusal is not None:
                raise _with_alternative(column)
        for book in books:
            if book.venue == name:
                checked_symbol(
                    book.rules or book.newest, position.symbol
                )  # says which symbol or contract it is not


def _one_answers(columns: list[Column], others: list[Book], books: list[Book], position: Position) -> None:
    """Raise unless one venue at least allows the position."""
    if any(column.assessment for column in columns):
        return
    if columns:
        first, *more = [column for column in columns if column.refusal is not None]
        error = _with_alternative(first)
        said = "\n".join([error.message, *(str(column.refusal.message) for column in more if column.refusal)])
        raise RulesError(said, hint=error.hint, **error.context)
    if others:
        checked_symbol(others[0].rules or others[0].newest, position.symbol)
    tables = [(book.rules or book.newest).tiers for book in books]
    coins = {coin_of(symbol)[0] for tiers in tables for symbol in tiers}
    asked = coin_of(position.symbol)[0]
    raise RulesError(
        f"symbol: expected a contract of {one_of(coins, asked, 'coins')}, found '{position.symbol}'",
        hint="Write it as the venue does, like BTCUSDT or BTC-USD, or as a bare coin.",
        refused="symbol",
    )


def _with_alternative(column: Column) -> RulesError:
    """The refusal, with what the position would be at the largest leverage."""
    refusal, other = column.refusal, column.at_most
    assert refusal is not None  # only refused columns come here
    move = None if other is None else other.move(other.liquidation_price)
    if other is None or move is None:
        return refusal
    said = f"At {other.max_leverage}x a move of {float(move * 100):+.2f} % would end it."
    return RulesError(refusal.message, hint=f"{said} {refusal.hint}", **refusal.context)


def _name(book: Book) -> str:
    return f"{book.venue} {book.product}"
