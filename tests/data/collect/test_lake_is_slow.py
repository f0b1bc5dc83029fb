"""What happens when the lake is slow, fails, or is written to by somebody of the same name?"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from deleverage.data.collect import Settings
from deleverage.errors import DataError, InputError
from tests.data.collect.double import MemoryLake
from tests.data.collect.driver import Scene, in_gaps, play, rows, same


def test_depth_is_thinned_and_said_but_no_trade_is_lost_and_memory_is_bounded() -> None:
    lake, highest = MemoryLake(), 0.0

    async def act(scene: Scene) -> None:
        nonlocal highest
        await scene.until(scene.whole)
        lake.pause_s = 0.5
        for _ in range(25):
            await scene.server.happen("bybit", trades=20, forced=True)
            await asyncio.sleep(0.02)
            assert scene.collector is not None
            highest = max(highest, scene.collector.sink.pressure)
        lake.pause_s = 0.0
        await asyncio.sleep(1.2)
        await scene.server.play(0.2)

    scene = play(("bybit",), act, lake=lake, settings={"max_rows": 1_000, "drain_s": 30.0})
    same(scene, "bybit", "trades")
    same(scene, "bybit", "liquidations")
    thinned = [gap for gap in rows(scene, "gaps", "bybit") if gap["reason"] == "overflow"]
    assert thinned and all(gap["events_lost"] > 0 for gap in thinned)
    assert {gap["stream"] for gap in thinned} <= {"depth", "payloads"}
    assert 0.5 <= highest < 1.5  # one message may go beyond the mark, and one per connection


def test_a_write_whose_outcome_is_unknown_is_repeated_and_counts_once() -> None:
    lake = MemoryLake()

    async def act(scene: Scene) -> None:
        await scene.server.play(0.1)
        lake.fail = 3  # written, but the answer is lost
        lake.fail_before = 3  # not written
        await scene.server.play(0.6)

    scene = play(("binance",), act, lake=lake)
    assert len(scene.said("write failed")) >= 4
    same(scene, "binance", "trades")
    same(scene, "binance", "liquidations")


def test_a_second_run_goes_on_where_the_first_ended_and_adds_nothing_twice() -> None:
    lake = MemoryLake()

    async def act(scene: Scene) -> None:
        await scene.server.play(0.3)

    play(("hyperliquid",), act, lake=lake)
    first = dict(lake.numbers)
    scene = play(("hyperliquid",), act, lake=lake)
    assert all(lake.numbers[key] >= number for key, number in first.items())
    gaps = rows(scene, "gaps", "hyperliquid")
    assert {gap["reason"] for gap in gaps} == {"stopped"}  # nobody was there in between
    assert {gap["stream"] for gap in gaps} == {"liquidations", "trades", "depth", "marks", "open_interest"}
    funding = lake.read("funding")
    assert not funding.select("time_ns", "venue", "symbol").is_duplicated().any()


def test_two_collectors_of_one_name_do_not_swallow_each_others_rows() -> None:
    lake = MemoryLake()

    async def act(scene: Scene) -> None:
        await scene.server.play(0.2)
        for table, app in list(lake.numbers):
            lake.numbers[(table, app)] += 5  # somebody else commits under our name
        await scene.server.play(0.5)

    with pytest.raises(InputError, match=r"the only collector 'collect/bybit' of this lake, found another"):
        play(("bybit",), act, lake=lake)


def test_a_lake_that_cannot_be_written_to_at_the_end_is_an_error_with_a_count() -> None:
    lake = MemoryLake()

    async def act(scene: Scene) -> None:
        await scene.server.play(0.2)
        lake.fail_before = 10_000

    with pytest.raises(DataError, match=r"\d+ rows could not be written"):
        play(("bybit",), act, lake=lake, settings={"drain_s": 0.2})


def test_five_venues_at_once_are_complete() -> None:
    venues = ("binance", "bybit", "okx", "hyperliquid", "bitmex")

    async def act(scene: Scene) -> None:
        await scene.until(scene.whole)
        await scene.server.play(0.4)
        await scene.server.drop("okx")
        await scene.until(scene.connected)
        await scene.server.play(0.3)

    scene = play(venues, act)
    for venue in venues:
        same(scene, venue, "trades")
        same(scene, venue, "liquidations")
        in_gaps(scene, venue)
        assert bool(rows(scene, "gaps", venue)) == (venue == "okx")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"venues": ()}, "at least one venue"),
        ({"symbols": ()}, "at least one symbol"),
        ({"streams": ("trades", "candles")}, "found candles"),
        ({"urls": {"okx": "ws://127.0.0.1:1"}}, "found 'okx'"),
        ({"symbols": ("okx:BTC-USD-SWAP",)}, "found 'okx:BTC-USD-SWAP'"),
        ({"symbols": ("bybit:",)}, "found 'bybit:'"),
        ({"book_s": -1.0}, "expected a time of 0 s or more"),
    ],
)
def test_settings_without_sense_are_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Settings(**{"venues": ("bybit",), "symbols": ("BTC",), **changed})


def test_a_contract_that_the_venue_does_not_have_ends_the_collection_with_its_name() -> None:
    async def act(scene: Scene) -> None:
        raise AssertionError("nothing should be collected")

    with pytest.raises(InputError, match="bybit: expected contracts of the venue, found no NOPEUSDT"):
        play(("bybit",), act, settings={"symbols": ("NOPE",)})
