"""Is a copy of a book only called whole while it is the venue's, and is what it does not reach left null?"""

from __future__ import annotations

import pytest

from deleverage.data.collect.books import Book, band_rows
from deleverage.data.sources.base import BookChange, BookRule, Instrument
from deleverage.data.sources.registry import venue

BTC = Instrument("BTCUSDT", "BTC")


def change(
    last: int | None,
    *,
    previous: int | None = None,
    first: int | None = None,
    snapshot: bool = False,
    bids: dict[str, str] | None = None,
    asks: dict[str, str] | None = None,
    checksum: int | None = None,
    time_ns: int = 1,
) -> BookChange:
    return BookChange(
        "BTCUSDT", time_ns, snapshot, list((bids or {}).items()), list((asks or {}).items()), first, last,
        previous, checksum,
    )  # fmt: skip


@pytest.fixture
def binance() -> Book:
    return Book(BTC, BookRule(snapshot_by_rest=True))


def test_changes_before_the_snapshot_wait_and_old_ones_are_dropped(binance: Book) -> None:
    assert binance.apply(change(95, first=90, previous=89, bids={"99": "9"})) == ""
    assert binance.apply(change(105, first=96, previous=95, bids={"99": "2"})) == ""
    assert not binance.whole
    assert binance.apply(change(100, snapshot=True, bids={"99": "1"}, asks={"101": "1"})) == ""
    assert binance.whole and binance.last == 105 and binance.bids == {"99": "2"}
    assert binance.apply(change(110, first=106, previous=105, asks={"101": "0", "102": "3"})) == ""
    assert binance.asks == {"102": "3"}


def test_a_snapshot_that_is_older_than_every_change_is_no_beginning(binance: Book) -> None:
    binance.apply(change(120, first=115, previous=114))
    assert "older than the first change 115" in binance.apply(change(100, snapshot=True))
    assert not binance.whole


def test_a_hole_breaks_the_copy_and_a_repetition_does_not(binance: Book) -> None:
    binance.apply(change(100, snapshot=True, bids={"99": "1"}))
    assert binance.apply(change(105, first=99, previous=98)) == ""
    assert binance.apply(change(105, first=99, previous=98)) == ""
    assert "expected the change after 105" in binance.apply(change(120, first=110, previous=109))
    assert not binance.whole


def test_a_copy_that_differs_from_the_venues_checksum_is_broken() -> None:
    book = Book(BTC, BookRule())
    # The worked example of the venue: bids 3366.1 (7) and 3366 (6), offers 3366.8 (9) and 3368 (8).
    bids, asks = {"3366.1": "7", "3366": "6"}, {"3366.8": "9", "3368": "8"}
    assert book.apply(change(1, snapshot=True, bids=bids, asks=asks)) == ""
    right = book.checksum()
    assert right == -1_881_014_294  # of 3366.1:7:3366.8:9:3366:6:3368:8
    assert book.apply(change(2, previous=1, checksum=right)) == ""
    assert book.apply(change(3, previous=2, checksum=0)) == ""  # the venue says nothing since June 2026
    assert "checksum" in book.apply(change(4, previous=3, checksum=right + 1))
    assert not book.whole


def test_the_number_may_go_back_where_the_chain_holds() -> None:
    book = Book(BTC, BookRule())
    book.apply(change(15, snapshot=True))
    assert book.apply(change(3, previous=15)) == ""  # the venue began to count anew
    assert book.apply(change(5, previous=3)) == ""


def test_bands_that_the_copy_does_not_reach_are_null_and_not_zero() -> None:
    book = Book(BTC, BookRule())
    bids = {"9999": "1", "9995": "2", "9985": "4"}  # down to 15 bp below 10,000
    asks = {"10001": "1", "10030": "5"}  # up to 30 bp above
    book.apply(change(1, snapshot=True, bids=bids, asks=asks))
    rows = band_rows(venue("binance"), book, 2, (10.0, 25.0, 50.0), book.sorted())
    found = {row[5]: row[7:11] for row in rows}
    bid_usd = 9999 * 1 + 9995 * 2
    assert found[10.0] == (bid_usd, 3.0, 10_001.0, 1.0)
    assert found[25.0] == (None, None, 10_001.0, 1.0)
    assert 50.0 not in found
