"""Who can read a venue's stored messages again?

A reader takes messages in the order in which they came and gives, for each, its rows by table or why it
could not be read. It may remember what earlier messages said (contract sizes). A row that it gives carries
the message's receive time and source: by these two the rows of a message are found again.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from deleverage.errors import InputError

Row = tuple[Any, ...]
"""Values in the order of the table's columns."""


class Stored(NamedTuple):
    """A raw message as the lake keeps it."""

    venue: str
    received_ns: int
    connection: str
    payload: bytes


class Read(Protocol):
    """What a stored message gave: the parser as 'name/version', rows by table, or why it could not be
    read.
    """

    @property
    def parser(self) -> str:
        """Name and version of the parser."""

    @property
    def rows(self) -> Sequence[tuple[str, Sequence[Row]]]:
        """Rows by table."""

    @property
    def error(self) -> str:
        """Why it could not be read; '' where it could."""


Reader = Callable[[Iterable[Any]], Iterator[Read]]

# Where the readers of the venues that are collected live; imported when one is asked for.
_COLLECTED = ("deleverage.data.sources.registry", "VENUES", "reread")
_REGISTERED: dict[str, Reader] = {}


def register(venue: str, reader: Reader) -> None:
    """Let ``reader`` read the messages of a venue; it comes before that of the collector."""
    _REGISTERED[venue] = reader


def forget(venue: str) -> None:
    """Undo `register`."""
    _REGISTERED.pop(venue, None)


def reader_of(venue: str) -> Reader:
    """The reader of a venue's messages.

    Raises
    ------
    InputError
        nobody reads them.
    """
    if venue in _REGISTERED:
        return _REGISTERED[venue]
    module, venues, reread = _COLLECTED
    known: list[str] = sorted(_REGISTERED)
    try:
        collected = importlib.import_module(module)
    except ModuleNotFoundError:
        pass
    else:
        if venue in getattr(collected, venues):
            found: Reader = getattr(collected, reread)
            return found
        known = sorted({*known, *getattr(collected, venues)})
    raise InputError(
        f"expected a venue whose messages can be read again, {known}, found '{venue}'",
        hint="give one of these; rows of other venues come from files, and are imported again",
        venue=venue,
    )
