"""Every fault for every adapter: what was lost is exactly what the server never delivered, and a gap says
so."""

from __future__ import annotations

import asyncio
import random

import pytest

from deleverage.data.sources.base import STREAMS
from tests.data.collect.driver import Scene, in_gaps, play, rows, same, true_books
from tests.venue_server.server import SPEAKERS, VenueServer

VENUES = tuple(SPEAKERS)


def check(scene: Scene, venue: str, *, books: bool = True) -> None:
    same(scene, venue, "trades")
    same(scene, venue, "liquidations")
    in_gaps(scene, venue)
    if books:
        assert true_books(scene, venue) > 0


@pytest.mark.parametrize("venue", VENUES)
def test_an_undisturbed_hour_is_complete_and_has_no_gap(venue: str) -> None:
    async def act(scene: Scene) -> None:
        await scene.until(scene.whole)
        await scene.server.play(0.4)

    scene = play((venue,), act)
    check(scene, venue)
    assert rows(scene, "gaps", venue) == []
    assert not scene.server.missed(venue)
    for table in ("marks", "open_interest", "funding", "depth", "payloads"):
        assert rows(scene, table, venue), table


@pytest.mark.parametrize("venue", VENUES)
def test_a_broken_connection_is_a_gap_of_every_stream_and_nothing_else_is_lost(venue: str) -> None:
    async def act(scene: Scene) -> None:
        await scene.until(scene.whole)
        await scene.server.play(0.2)
        await scene.server.drop(venue, away_s=0.3)
        await scene.server.play(0.12)  # nobody listens
        await scene.until(lambda: scene.connected() and scene.whole())
        await scene.server.play(0.4)

    scene = play((venue,), act)
    assert any(event.stream == "trades" for event in scene.server.missed(venue))
    assert any(event.stream == "liquidations" for event in scene.server.missed(venue))
    check(scene, venue)
    gaps = rows(scene, "gaps", venue)
    streams = {one for connection in scene.collector.tasks[0].connections for one in connection.plan.streams}  # type: ignore[union-attr]
    assert {gap["stream"] for gap in gaps if gap["reason"] == "disconnected"} == streams
    if venue == "binance":  # trades are numbered: the count is exact
        missed = [event for event in scene.server.missed(venue) if event.stream == "trades"]
        assert sum(gap["events_lost"] or 0 for gap in gaps if gap["stream"] == "trades") == len(missed)


@pytest.mark.parametrize(
    ("venue", "path", "inverse"),
    [("bybit", "/v5/public/inverse", "BTCUSD"), ("binance", "/stream", "BTCUSD_PERP")],
)
def test_inverse_contracts_break_alone_and_leave_no_gap_in_the_linear_ones(
    venue: str, path: str, inverse: str
) -> None:
    async def act(scene: Scene) -> None:
        await scene.until(scene.whole)
        await scene.server.play(0.2)
        await scene.server.drop(venue, away_s=0.2, path=path)
        await scene.server.play(0.12)
        await scene.until(lambda: scene.connected() and scene.whole())
        await scene.server.play(0.4)

    scene = play((venue,), act)
    assert {event.symbol for event in scene.server.missed(venue)} == {inverse}
    check(scene, venue)
    gaps = rows(scene, "gaps", venue)
    assert {(gap["symbol"], gap["reason"]) for gap in gaps} == {(inverse, "disconnected")}
    polled = {"funding"} if venue == "bybit" else {"funding", "open_interest"}
    assert {gap["stream"] for gap in gaps} == {*STREAMS} - polled
    assert {row["symbol"] for row in rows(scene, "liquidations", venue)} == {"BTCUSDT", "ETHUSDT", inverse}


@pytest.mark.parametrize("venue", ["binance", "bybit", "okx"])
def test_depth_is_of_the_contract_of_a_coin_that_was_named_first(venue: str) -> None:
    async def act(scene: Scene) -> None:
        await scene.until(scene.whole)
        await scene.server.play(0.4)

    first, other = {
        "binance": ("BTCUSDT", "BTCUSD_PERP"),
        "bybit": ("BTCUSDT", "BTCUSD"),
        "okx": ("BTC-USDT-SWAP", "BTC-USD-SWAP"),
    }[venue]
    server = VenueServer((venue,))
    for name in (first, other):  # 40 levels of 0.1 USD reach 10 bp from mid at 400 USD, not at 100,000
        contract = server.speakers[venue].contracts[name]
        contract.mid = 4_000
        contract.bids.clear()
        contract.asks.clear()
        contract.fill(random.Random(name))
    scene = play((venue,), act, server=server)
    moments = {
        symbol: {row["time_ns"] for row in rows(scene, "books", venue) if row["symbol"] == symbol}
        for symbol in (first, other)
    }
    banded = {row["time_ns"] for row in rows(scene, "depth", venue) if row["coin"] == "BTC"}
    assert banded and banded <= moments[first] and moments[other] - moments[first]


@pytest.mark.parametrize("venue", VENUES)
def test_a_message_that_breaks_off_in_the_middle_is_lost_and_the_rest_is_there(venue: str) -> None:
    async def act(scene: Scene) -> None:
        await scene.until(scene.whole)
        await scene.server.play(0.12)
        await scene.server.half(venue, "trades")
        await scene.server.play(0.2)
        await scene.until(lambda: scene.connected() and scene.whole())
        await scene.server.play(0.2)

    scene = play((venue,), act)
    assert [event.fault for event in scene.server.missed(venue)].count("half") == 1
    check(scene, venue)
    assert {gap["reason"] for gap in rows(scene, "gaps", venue)} == {"disconnected"}


@pytest.mark.parametrize("venue", VENUES)
def test_a_venue_that_falls_silent_is_left_and_asked_anew(venue: str) -> None:
    async def act(scene: Scene) -> None:
        await scene.until(scene.whole)
        await scene.server.play(0.12)
        scene.server.silence(venue)
        await scene.server.play(0.12)
        assert scene.collector is not None
        every = len(scene.collector.tasks[0].connections)
        await scene.until(lambda: len(scene.said("disconnected")) >= every)
        await scene.until(lambda: scene.connected() and scene.whole())
        await scene.server.play(0.2)

    scene = play((venue,), act, settings={"heartbeat_s": 0.25})
    assert [event.fault for event in scene.server.missed(venue)].count("silence") > 0
    check(scene, venue)
    assert {gap["reason"] for gap in rows(scene, "gaps", venue)} <= {"silent", "disconnected"}
    assert any(gap["reason"] == "silent" for gap in rows(scene, "gaps", venue))


@pytest.mark.parametrize("stream", ["trades", "liquidations", "depth"])
@pytest.mark.parametrize("venue", VENUES)
def test_a_malformed_message_is_kept_raw_and_is_a_gap(venue: str, stream: str) -> None:
    async def act(scene: Scene) -> None:
        await scene.until(scene.whole)
        await scene.server.play(0.12)
        scene.server.disturb(venue, "malformed", stream)
        await scene.server.play(0.2)
        await scene.until(lambda: bool(scene.said("malformed message")))
        await scene.until(scene.whole)
        await scene.server.play(0.12)

    scene = play((venue,), act)
    # A lost change of BitMEX's book shows only where a later one contradicts it: it has no numbers.
    check(scene, venue, books=not (venue == "bitmex" and stream == "depth"))
    assert any(gap["reason"] == "malformed" for gap in rows(scene, "gaps", venue))
    broken = [row for row in rows(scene, "payloads", venue) if row["error"]]
    assert len(broken) == 1 and broken[0]["rows"] is None and b"}]{" in broken[0]["payload"]


@pytest.mark.parametrize("venue", VENUES)
def test_messages_that_come_twice_count_once(venue: str) -> None:
    async def act(scene: Scene) -> None:
        await scene.until(scene.whole)
        scene.server.disturb(venue, "duplicate", count=40)
        await scene.server.play(0.4)

    scene = play((venue,), act)
    assert sum(event.fault == "duplicate" for event in scene.server.events) == 40
    same(scene, venue, "trades")
    same(scene, venue, "liquidations")
    assert not [gap for gap in rows(scene, "gaps", venue) if gap["stream"] != "depth"]
    if venue not in ("bitmex", "hyperliquid"):  # their books have no numbers: one that comes twice is news
        assert rows(scene, "gaps", venue) == []
        assert true_books(scene, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_messages_out_of_order_lose_nothing(venue: str) -> None:
    async def act(scene: Scene) -> None:
        await scene.until(scene.whole)
        await scene.server.play(0.12)
        for stream in ("trades", "liquidations"):
            scene.server.disturb(venue, "reorder", stream, count=2)
        await scene.server.play(0.4)

    scene = play((venue,), act)
    assert sum(event.fault == "reorder" for event in scene.server.events) >= 3
    check(scene, venue)
    assert rows(scene, "gaps", venue) == []


@pytest.mark.parametrize("venue", VENUES)
def test_a_book_whose_changes_are_out_of_order_starts_anew(venue: str) -> None:
    async def act(scene: Scene) -> None:
        await scene.until(scene.whole)
        await scene.server.play(0.12)
        scene.server.disturb(venue, "reorder", "depth")
        await scene.server.play(0.2)
        await scene.until(scene.whole)
        await scene.server.play(0.2)

    scene = play((venue,), act)
    check(scene, venue)
    gaps = rows(scene, "gaps", venue)
    assert {gap["stream"] for gap in gaps} <= {"depth"}
    if venue != "hyperliquid":  # each message there is a whole book
        assert [gap["reason"] for gap in gaps] == ["sequence"]


@pytest.mark.parametrize("venue", ["binance", "bybit", "okx"])
def test_a_change_of_a_book_that_never_came_is_a_gap(venue: str) -> None:
    async def act(scene: Scene) -> None:
        await scene.until(scene.whole)
        await scene.server.play(0.12)
        scene.server.disturb(venue, "lose", "depth", count=2)
        await scene.server.play(0.2)
        await scene.until(scene.whole)
        await scene.server.play(0.2)

    scene = play((venue,), act)
    assert len(scene.server.missed(venue)) == 2
    check(scene, venue)


def test_numbered_trades_that_never_came_are_counted_exactly() -> None:
    async def act(scene: Scene) -> None:
        await scene.until(scene.whole)
        await scene.server.play(0.12)
        scene.server.disturb("binance", "lose", "trades", count=7)
        await scene.server.play(0.2)

    scene = play(("binance",), act)
    check(scene, "binance")
    gaps = rows(scene, "gaps", "binance")
    assert {gap["reason"] for gap in gaps} == {"sequence"}
    assert sum(gap["events_lost"] for gap in gaps) == 7 == len(scene.server.missed("binance"))


@pytest.mark.parametrize("venue", VENUES)
def test_messages_that_come_late_are_all_there_and_their_lag_is_seen(venue: str) -> None:
    async def act(scene: Scene) -> None:
        await scene.until(scene.whole)
        await asyncio.sleep(0.3)
        scene.server.delay(venue, 0.3)
        await scene.server.play(0.2)
        await asyncio.sleep(0.5)

    scene = play((venue,), act)
    check(scene, venue)
    assert rows(scene, "gaps", venue) == []
    lag = scene.collector.stats.stream(venue, "trades").lag(0.99)  # type: ignore[union-attr]
    assert lag is not None and lag >= 0.3


@pytest.mark.parametrize("seconds", [7_200, -7_200])
@pytest.mark.parametrize("venue", VENUES)
def test_a_clock_that_jumps_loses_nothing_and_is_said(venue: str, seconds: float) -> None:
    async def act(scene: Scene) -> None:
        await scene.until(scene.whole)
        await scene.server.play(0.4)
        scene.server.jump(venue, seconds)
        await scene.server.happen(venue, trades=1, forced=True, depth=False)
        scene.server.jump(venue, 0)
        await asyncio.sleep(0.1)
        await scene.server.happen(venue, trades=1, forced=True, depth=False)

    scene = play((venue,), act)
    same(scene, venue, "trades")
    same(scene, venue, "liquidations")
    gaps = rows(scene, "gaps", venue)
    assert {gap["reason"] for gap in gaps} == {"clock"} and {gap["events_lost"] for gap in gaps} == {0}
    assert "trades" in {gap["stream"] for gap in gaps}


@pytest.mark.parametrize("venue", VENUES)
def test_no_request_is_made_before_the_venue_allows_it_again(venue: str) -> None:
    server_waits = 0.6

    async def act(scene: Scene) -> None:
        await scene.until(scene.whole)
        await scene.server.play(0.2)

    server = VenueServer((venue,))
    server.limit(venue, 2, server_waits)
    scene = play((venue,), act, server=server)
    refused = [asked for asked in server.asked if asked.status == 429]
    assert len(refused) == 2 and scene.collector.stats.limited == {venue: 2}  # type: ignore[union-attr]
    for asked in refused:
        later = [other.at - asked.at for other in server.asked if other.at > asked.at]
        assert later and min(later) >= server_waits
    check(scene, venue)
