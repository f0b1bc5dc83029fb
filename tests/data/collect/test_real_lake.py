"""Into a real lake: is everything there, do raw messages give it again, does compaction keep it?"""

from __future__ import annotations

import polars as pl
import pytest

from deleverage.data.lake import Lake
from tests.data.collect.driver import Scene, in_gaps, play, rows, same, true_books
from tests.venue_server.server import VenueServer

VENUES = ("binance", "bybit", "okx", "hyperliquid", "bitmex")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Two runs into one lake, with a broken connection and a message that is no JSON."""
    lake = Lake.create(tmp_path_factory.mktemp("collected") / "lake")

    async def act(scene: Scene) -> None:
        await scene.until(scene.whole)
        await scene.server.play(0.4)
        await scene.server.drop("bybit")
        scene.server.disturb("okx", "malformed", "trades")
        await scene.until(scene.connected)
        await scene.server.play(0.4)

    first = play(VENUES, act, lake=lake, settings={"flush_s": 0.2})
    second = play(VENUES, act, lake=lake, settings={"flush_s": 0.2}, server=again(first))
    second.server.events = first.server.events + second.server.events
    return second


def again(first: Scene) -> VenueServer:
    """A server whose numbers go on where the first one's ended: a venue never uses a number twice."""
    server = VenueServer(VENUES, seed=2)
    for name, speaker in server.speakers.items():
        before = first.server.speakers[name]
        speaker.books = before.books
        for symbol, contract in speaker.contracts.items():
            contract.trade = before.contracts[symbol].trade
            contract.update = before.contracts[symbol].update + 1_000
    return server


@pytest.mark.parametrize("venue", VENUES)
def test_two_runs_are_complete_in_one_lake(scene: Scene, venue: str) -> None:
    same(scene, venue, "trades")
    same(scene, venue, "liquidations")
    in_gaps(scene, venue)
    assert true_books(scene, venue) > 0
    reasons = {gap["reason"] for gap in rows(scene, "gaps", venue)}
    expected = {"bybit": {"disconnected"}, "okx": {"malformed"}}.get(venue, set())
    # Trades that Binance numbered while nobody listened between the runs are part of 'stopped'.
    assert reasons == expected | {"stopped"}


@pytest.mark.parametrize("venue", VENUES)
def test_raw_messages_give_the_same_rows_again(scene: Scene, venue: str) -> None:
    read = scene.lake.reparse(venue, again=True, dry_run=True)
    assert read.payloads > 100 and read.failed == (2 if venue == "okx" else 0)
    found = {one.table: (one.added, one.changed, one.removed) for one in read.tables}
    assert set(found) >= {"trades", "liquidations", "marks", "open_interest"}
    assert found == dict.fromkeys(found, (0, 0, 0))


def test_compaction_changes_nothing(scene: Scene) -> None:
    before = scene.lake.read("trades")
    scene.lake.compact()
    after: pl.DataFrame = scene.lake.read("trades")
    assert after.equals(before)
