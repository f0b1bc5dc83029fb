"""Which venues can be collected, and how are stored payloads read again?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from deleverage.data.sources.base import Row, State, Venue
from deleverage.data.sources.binance import Binance
from deleverage.data.sources.bitmex import Bitmex
from deleverage.data.sources.bybit import Bybit
from deleverage.data.sources.hyperliquid import Hyperliquid
from deleverage.data.sources.okx import Okx
from deleverage.errors import InputError, SourceChanged

VENUES: dict[str, type[Venue]] = {kind.name: kind for kind in (Binance, Bybit, Okx, Hyperliquid, Bitmex)}
ANSWERS = "rest/"
"""A payload is an answer of REST where its connection's name goes on with this:
`<run>/rest/<kind>/<symbol>`."""


class Stored(NamedTuple):
    """A raw payload as the lake keeps it."""

    venue: str
    received_ns: int
    connection: str
    payload: bytes


class Read(NamedTuple):
    """What a stored payload gave: rows by table, or why it could not be read."""

    payload: Stored
    parser: str
    rows: list[tuple[str, list[Row]]]
    error: str


def venue(name: str) -> Venue:
    """The adapter of a venue.

    Raises
    ------
    InputError
        there is no adapter of that name.
    """
    if name not in VENUES:
        raise InputError(
            f"expected venues of {list(VENUES)}, found '{name}'",
            hint="other venues come in through `deleverage import` and `deleverage backfill`",
            venue=name,
        )
    return VENUES[name]()


def reread(payloads: Iterable[Stored]) -> Iterator[Read]:
    """Read stored payloads again, in the order given (by receive time, as they came).

    What a parser remembers starts empty with every run of a collector and is built up from the payloads
    themselves: contract sizes are among them, because the answers that named them are stored as well. Books
    are not rebuilt here: only tables that come from single payloads (trades, liquidations, marks, open
    interest, funding).
    """
    parsers: dict[tuple[str, str], tuple[Venue, State]] = {}
    orders: dict[str, dict[str, object]] = {}
    for one in payloads:
        run = one.connection.partition("/")[0]
        if (one.venue, run) not in parsers:
            state = State()
            # A collector that starts again looks up which forced orders it has counted already.
            state.memory["orders"] = orders.setdefault(one.venue, {})
            parsers[(one.venue, run)] = (venue(one.venue), state)
        adapter, state = parsers[(one.venue, run)]
        try:
            _, found, rest = one.connection.partition(f"/{ANSWERS}")
            if found:
                kind, _, symbol = rest.partition("/")
                parsed = adapter.parse_answer(kind, symbol, one.payload, one.received_ns, state)
            else:
                parsed = adapter.parse(one.payload, one.received_ns, state)
        except SourceChanged as error:
            yield Read(one, adapter.parser, [], error.message)
            continue
        yield Read(one, adapter.parser, parsed.rows, "")
