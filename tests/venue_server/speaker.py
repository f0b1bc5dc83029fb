"""What does every venue's speaker do? It answers clients and turns what happens into the venue's words."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.venue_server.market import Contract, Event


@dataclass
class Client:
    """One client as the speaker sees it."""

    path: str
    channels: set[str] = field(default_factory=set)


class Speaker:
    """One venue. Shapes are those of the venue's documentation, as read in November 2026."""

    venue: ClassVar[str]

    def __init__(self, draws: random.Random) -> None:
        self.draws = draws
        self.contracts = {contract.symbol: contract for contract in self.listed()}
        self.books: dict[tuple[str, int], list[tuple[str, int, float, float]]] = {}
        """The truth of books: best levels by symbol and what names the state (its number, or its time)."""
        self.past: dict[str, list[dict[str, Any]]] = {symbol: [] for symbol in self.contracts}
        """Every trade by symbol, as REST gives it, oldest first."""
        for contract in self.contracts.values():
            contract.fill(draws)

    def listed(self) -> list[Contract]:
        """The contracts that this venue has."""
        raise NotImplementedError

    def hear(self, client: Client, text: str) -> list[str]:
        """What the server says to a client's words; subscriptions are noted in ``client``."""
        raise NotImplementedError

    def trades(self, contract: Contract, time_ns: int, count: int) -> list[Event]:
        """``count`` trades."""
        raise NotImplementedError

    def forced(self, contract: Contract, time_ns: int) -> list[Event]:
        """One forced closing, in as many messages as the venue uses."""
        raise NotImplementedError

    def depth(self, contract: Contract, time_ns: int) -> list[Event]:
        """The book moves."""
        raise NotImplementedError

    def marks(self, contract: Contract, time_ns: int) -> list[Event]:
        """Mark prices and what comes with them."""
        raise NotImplementedError

    def rest(self, path: str, query: dict[str, str], body: Any) -> Any:
        """The answer to a REST request; None where there is no such path."""
        raise NotImplementedError

    def note(self, contract: Contract, state: int) -> None:
        """Keep the truth of a book under the number (or time) of its state."""
        self.books[(contract.symbol, state)] = contract.top(20)
        if len(self.books) > 20_000:
            del self.books[next(iter(self.books))]

    def side(self) -> str:
        """The taker's side of a trade."""
        return self.draws.choice(("buy", "sell"))
