"""Gaps that a real collector recorded are filled from the venue's past, and nothing is there twice.

The server plays the venue's sockets and its REST interface over one record. Needs ccxt (the extra
"collect").
"""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

pytest.importorskip("ccxt", reason='ccxt is not installed: pip install "deleverage[collect]"')
pytest.importorskip("aiohttp", reason='aiohttp is not installed: pip install "deleverage[collect]"')

from deleverage.cli import main
from deleverage.data.backfill.days import DAY_NS, day_of_ns, now_ns, start_ns
from deleverage.data.backfill.fill import fill_gaps, holes
from deleverage.data.backfill.fill_report import FillReport
from deleverage.data.backfill.patience import Patience
from deleverage.data.backfill.request import Request
from deleverage.data.backfill.run import backfill
from deleverage.data.backfill.sums import without_summed
from deleverage.data.lake import Lake
from deleverage.data.sources.okx import Okx as OkxStream
from deleverage.errors import InputError
from deleverage.schema import LAKE_TABLES
from tests.data.backfill.serving import Server
from tests.data.backfill.venues import ALL, Market
from tests.data.backfill.venues import binance as answer_as_binance
from tests.data.collect.driver import Scene
from tests.venue_server.server import VenueServer


def filled(
    folder: Path,
    venue: str,
    patience: Patience,
    *,
    fills: int = 1,
    settings: dict[str, Any] | None = None,
    before: Any = None,
    **options: Any,
) -> tuple[Scene, list[FillReport]]:
    """Collect with a connection that breaks, then fill the gaps, while the server goes on."""

    async def disturbed(scene: Scene) -> None:
        await scene.until(scene.whole)
        await scene.server.play(0.3, trades=2)
        await scene.server.drop(venue, away_s=0.3)
        await scene.server.play(0.2, trades=2)  # nobody listens
        await scene.until(lambda: scene.connected() and scene.whole())
        await scene.server.play(0.3, trades=2)

    async def whole() -> tuple[Scene, list[FillReport]]:
        server = VenueServer((venue,))
        await server.start()
        lake = Lake.create(folder)
        scene = Scene(server, lake, settings or {})
        try:
            await scene.collect((venue,), disturbed)
            if before is not None:
                before(scene)
            url = server.urls()[venue].replace("ws://", "http://")
            given: dict[str, Any] = {"settle_s": 0.0, "venues": [venue], "url": url, **options}
            reports = [
                await asyncio.to_thread(fill_gaps, folder, patience=patience, **given) for _ in range(fills)
            ]
        finally:
            await server.stop()
        return scene, reports

    return asyncio.run(whole())


def totals(rows: list[dict[str, Any]]) -> dict[tuple[str, int], tuple[float, float]]:
    """Coins and dollars by contract and millisecond."""
    found: dict[tuple[str, int], tuple[float, float]] = {}
    for row in rows:
        name = (row["symbol"], row["time_ns"])
        coins, usd = found.get(name, (0.0, 0.0))
        found[name] = (coins + row["coins"], usd + row["usd"])
    return {name: (round(coins, 9), round(usd, 6)) for name, (coins, usd) in found.items()}


def of(report: FillReport, stream: str) -> list[Any]:
    return [one for one in report.gaps if one.gap.stream == stream]


@pytest.mark.parametrize("venue", ["binance", "okx", "bitmex"])
def test_a_break_is_filled_and_the_lake_holds_what_the_venue_traded(
    tmp_path: Path, hasty: Patience, venue: str
) -> None:
    scene, (first, again) = filled(tmp_path / "lake", venue, hasty, fills=2)
    missed = [event for event in scene.server.missed(venue) if event.stream == "trades"]
    assert missed
    lake = Lake.open(tmp_path / "lake")
    rows = lake.read("trades")
    expected = scene.server.truths(venue, "trades") + scene.server.truths(venue, "trades", delivered=False)
    assert totals(rows.to_dicts()) == totals(expected)
    if venue != "okx":  # the stream and the interface give the same trades
        assert sorted(rows["trade_id"]) == sorted(row["trade_id"] for row in expected)
    fetched = rows.filter(pl.col("source").str.starts_with("backfill/gaps/"))
    assert first.added == fetched.height > 0 and first.conflicts == 0
    assert {one.state for one in of(first, "trades")} == {"closed"}
    # A closed gap is not asked for again.
    assert {one.state for one in of(again, "trades")} == {"before"}
    assert again.added == 0


def test_a_day_of_trades_is_not_added_to_sums_that_were_collected(
    tmp_path: Path, hasty: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deleverage.data.backfill.rest_run.SETTLE_S", {"trades": 0.0, "klines": 0.0})
    today = day_of_ns(now_ns())
    request = Request("okx", ("BTC-USDT-SWAP",), ("trades",), today - timedelta(days=1), today)

    async def both() -> Scene:
        server = VenueServer(("okx",))
        await server.start()
        scene = Scene(server, Lake.create(tmp_path / "lake"))

        async def act(scene: Scene) -> None:
            await scene.until(scene.whole)
            await scene.server.play(0.3, trades=2)
            await scene.server.drop("okx", away_s=0.3)
            await scene.server.play(0.2, trades=2)
            await scene.until(lambda: scene.connected() and scene.whole())
            await scene.server.play(0.2, trades=2)

        try:
            await scene.collect(("okx",), act)
            await asyncio.sleep(1.1)  # the server's clock, of whole seconds, must be past the last trade
            url = server.urls()["okx"].replace("ws://", "http://")
            await asyncio.to_thread(backfill, request, tmp_path / "lake", url=url, patience=hasty)
        finally:
            await server.stop()
        return scene

    scene = asyncio.run(both())
    rows = Lake.open(tmp_path / "lake").read("trades", where={"symbol": "BTC-USDT-SWAP"})
    rows = rows.filter(pl.col("trade_id") != "1")  # the server's first one, before the collector came
    assert rows["source"].n_unique() == 2
    happened = scene.server.truths("okx", "trades") + scene.server.truths("okx", "trades", delivered=False)
    expected = [row for row in happened if row["symbol"] == "BTC-USDT-SWAP"]
    assert totals(rows.to_dicts()) == totals(expected)


@pytest.mark.parametrize("steps", ["fill, reparse, fill", "reparse, fill", "fill, fill"])
def test_an_unreadable_message_of_sums_is_counted_once_whether_it_is_read_again_before_or_after(
    tmp_path: Path, hasty: Patience, monkeypatch: pytest.MonkeyPatch, steps: str
) -> None:
    real = OkxStream._trade

    def unable(*_: Any) -> Any:
        raise ValueError("a field that is not known")

    async def both() -> Scene:
        server = VenueServer(("okx",))
        await server.start()
        scene = Scene(server, Lake.create(tmp_path / "lake"))

        async def act(scene: Scene) -> None:
            await scene.until(scene.whole)
            await scene.server.play(0.3, trades=2)
            monkeypatch.setattr(OkxStream, "_trade", unable)
            await scene.server.play(0.2, trades=2)
            await scene.until(lambda: bool(scene.said("malformed message")))
            monkeypatch.setattr(OkxStream, "_trade", real)
            await scene.server.play(0.3, trades=2)

        try:
            await scene.collect(("okx",), act)
            for trades in server.speakers["okx"].past.values():
                for row in trades:  # the time of a sum need not be that of its last part
                    row["ts"] = str(int(row["ts"]) - 1)
            url = server.urls()["okx"].replace("ws://", "http://")
            for step in steps.split(", "):
                if step == "reparse":
                    Lake.open(tmp_path / "lake").reparse("okx", again=True)
                else:
                    await asyncio.to_thread(
                        fill_gaps, tmp_path / "lake", venues=["okx"], streams=["trades"], url=url,
                        patience=hasty, settle_s=0.0,
                    )  # fmt: skip
        finally:
            await server.stop()
        return scene

    scene = asyncio.run(both())
    lake = Lake.open(tmp_path / "lake")
    gaps = lake.read("gaps").filter(pl.col("stream") == "trades")
    assert gaps["reason"].to_list() == ["malformed"]

    def sums(rows: list[dict[str, Any]]) -> dict[str, float]:
        names = {row["symbol"] for row in rows}
        return {name: round(sum(row["usd"] for row in rows if row["symbol"] == name), 3) for name in names}

    happened = scene.server.truths("okx", "trades") + scene.server.truths("okx", "trades", delivered=False)
    assert sums(lake.read("trades").to_dicts()) == sums(happened)


def test_numbered_trades_that_were_lost_are_found_to_the_last(tmp_path: Path, hasty: Patience) -> None:
    _, (report,) = filled(tmp_path / "lake", "binance", hasty)
    counted = [one for one in of(report, "trades") if one.gap.events_lost]
    assert counted
    for one in counted:
        (ask,) = one.asks
        assert (ask.rows, ask.missing, ask.state) == (one.gap.events_lost, 0, "closed")
    fills = Lake.open(tmp_path / "lake").read("fills").filter(pl.col("stream") == "trades")
    assert set(fills["state"]) == {"closed"} and set(fills["events_missing"]) == {0}


def test_numbers_that_the_venue_does_not_have_either_stay_open_with_their_count(
    tmp_path: Path, hasty: Patience
) -> None:
    lost: list[int] = []

    def forget(scene: Scene) -> None:
        """The venue has lost one of the trades itself."""
        numbers = {
            event.symbol: event for event in scene.server.missed("binance") if event.stream == "trades"
        }
        event = numbers["BTCUSDT"]
        number = json.loads(event.text)["data"]["a"]
        past = scene.server.speakers["binance"].past["BTCUSDT"]
        past[:] = [row for row in past if row["a"] != number]
        lost.append(number)

    _, (first, again) = filled(tmp_path / "lake", "binance", hasty, fills=2, before=forget)
    (gap,) = [one for one in of(first, "trades") if one.gap.events_lost and one.gap.symbol == "BTCUSDT"]
    (ask,) = gap.asks
    assert (gap.state, ask.missing, ask.rows) == ("open", 1, gap.gap.events_lost - 1)
    (gap,) = [one for one in of(again, "trades") if one.gap.events_lost and one.gap.symbol == "BTCUSDT"]
    assert (gap.state, gap.asks[0].attempt, again.added) == ("open", 2, 0)
    trades = Lake.open(tmp_path / "lake").read("trades", where={"symbol": "BTCUSDT"})
    assert f"a{lost[0]}" not in trades["trade_id"].to_list()


@pytest.mark.parametrize("venue", ["binance", "bybit", "hyperliquid"])
def test_what_cannot_be_had_is_said_and_nobody_is_asked_for_it(
    tmp_path: Path, hasty: Patience, venue: str
) -> None:
    _, (report,) = filled(tmp_path / "lake", venue, hasty, streams=["liquidations", "depth", "marks"])
    assert {one.gap.stream for one in report.gaps} == {"liquidations", "depth", "marks"}
    assert {one.state for one in report.gaps} == {"never"} and all(one.why for one in report.gaps)
    assert report.requests == 0 and Lake.open(tmp_path / "lake").read("fills").is_empty()
    if venue != "binance":
        trades = of(fill_gaps(tmp_path / "lake", dry_run=True), "trades")  # Bybit's are by contract
        assert trades and all(one.state == "never" and "newest trades" in one.why for one in trades)


def test_lake_check_no_longer_tells_of_filled_gaps(tmp_path: Path, hasty: Patience) -> None:
    told: list[list[str]] = []

    def streams(_: Any = None) -> None:
        findings = Lake.open(tmp_path / "lake").check("gaps")
        told.append([text for text in findings["found"] if "'trades'" in text])

    filled(tmp_path / "lake", "binance", hasty, before=streams, streams=["trades"])
    streams()
    assert len(told[0]) == 1 and told[1] == []


def test_a_dry_run_asks_nobody_and_writes_nothing(tmp_path: Path, hasty: Patience) -> None:
    _, (report,) = filled(tmp_path / "lake", "binance", hasty, dry_run=True)
    assert {one.state for one in of(report, "trades")} == {"planned"}
    assert report.requests == 0
    lake = Lake.open(tmp_path / "lake")
    assert lake.read("fills").is_empty()
    assert not lake.read("trades")["source"].str.starts_with("backfill/").any()


def test_of_a_gap_of_all_contracts_one_is_not_all(tmp_path: Path, hasty: Patience) -> None:
    _, (first,) = filled(tmp_path / "lake", "bitmex", hasty, symbols=["XBTUSD"], streams=["trades"])
    (gap,) = first.gaps
    assert [ask.contract for ask in gap.asks] == ["XBTUSD"] and gap.asks[0].state == "closed"
    assert gap.state == "open"
    (left,) = fill_gaps(tmp_path / "lake", streams=["trades"], dry_run=True).gaps
    assert {ask.contract for ask in left.asks} == {"XBTUSDT", "ETHUSDT"}


def test_a_venue_that_limits_calls_is_waited_for_and_one_that_does_not_answer_is_said(
    tmp_path: Path, hasty: Patience
) -> None:
    def limited(scene: Scene) -> None:
        scene.server.limit("binance", 2, 0.01)

    scene, (report,) = filled(tmp_path / "lake", "binance", hasty, before=limited, streams=["trades"])
    assert report.retries == 2 and {one.state for one in report.gaps} == {"closed"}
    assert [one.status for one in scene.server.asked].count(429) == 2

    def banned(scene: Scene) -> None:
        scene.server.limit("bitmex", 50, 0.01)

    scene, (report,) = filled(tmp_path / "other", "bitmex", hasty, before=banned, streams=["trades"])
    assert report.failed and {one.state for one in report.gaps} == {"open"}
    assert Lake.open(tmp_path / "other").read("fills").is_empty()
    assert len([one for one in scene.server.asked if one.status == 429]) == hasty.attempts


@pytest.mark.parametrize("venue", ["binance", "okx", "bitmex"])
def test_a_filling_that_is_cut_off_goes_on_and_doubles_nothing(
    tmp_path: Path, hasty: Patience, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stretch of several steps: killed after some of them, the next call asks only for the rest."""
    monkeypatch.setattr(
        "deleverage.data.backfill.fill._STEP_MS", {"trades": 700, "funding": 700, "open_interest": 700}
    )
    real, steps = Lake.append, list[tuple[str, int]]()

    def append(self: Lake, table: str, frame: pl.DataFrame, **more: Any) -> Any:
        if str(more.get("app", "")).startswith("fill/"):
            steps.append((more["app"], more["sequence"]))
            if len(steps) == 4:
                raise KeyboardInterrupt
        return real(self, table, frame, **more)

    async def both() -> Scene:
        server = VenueServer((venue,))
        await server.start()
        scene = Scene(server, Lake.create(tmp_path / "lake"))
        url = server.urls()[venue].replace("ws://", "http://")

        async def act(scene: Scene) -> None:
            await scene.until(scene.whole)
            await scene.server.play(0.3)
            await scene.server.drop(venue, away_s=0.3)
            await scene.server.play(0.3)
            await scene.until(lambda: scene.connected() and scene.whole())
            await scene.server.play(0.3)

        def fill() -> str:
            try:
                fill_gaps(
                    tmp_path / "lake", venues=[venue], streams=["trades"], url=url, patience=hasty,
                    settle_s=0.0,
                )  # fmt: skip
            except KeyboardInterrupt:
                return "cut off"
            return "whole"

        try:
            await scene.collect((venue,), act)
            monkeypatch.setattr(Lake, "append", append)
            assert await asyncio.to_thread(fill) == "cut off"
            assert await asyncio.to_thread(fill) == "whole"
        finally:
            await server.stop()
        return scene

    scene = asyncio.run(both())
    assert steps[3] == steps[4] and len(set(steps)) == len(steps) - 1  # only what was cut off came again
    expected = scene.server.truths(venue, "trades") + scene.server.truths(venue, "trades", delivered=False)
    assert totals(Lake.open(tmp_path / "lake").read("trades").to_dicts()) == totals(expected)


def test_the_command_says_what_was_filled_and_what_cannot_be(
    tmp_path: Path, hasty: Patience, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path / "lake", "binance", hasty)
    folder = str(tmp_path / "lake")
    assert main(["backfill", "gaps", "--lake", folder, "--json"]) == 0  # nothing is left to ask for
    told = json.loads(capsys.readouterr().out)
    assert told["requests"] == 0 and told["counts"]["never"] and told["counts"]["before"]
    assert main(["backfill", "gaps", "--lake", folder, "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert "binance depth" in text and "no venue keeps books of the past" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gaps"], "expected --lake"),
        (["gaps", "--lake", "L", "--venue", "kraken"], "--venue kraken"),
        (["gaps", "--lake", "L", "--what", "klines"], "--what klines"),
        (["gaps", "--lake", "L", "--url", "http://127.0.0.1:1"], "one --venue"),
        (["binance", "BTCUSDT", "--dry-run"], "--dry-run: expected with the source 'gaps' only"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backfill", *arguments]) == 2
    assert words in capsys.readouterr().err


# --- the rule of sums -----------------------------------------------------------------------------


def trades(*rows: tuple[str, str, float, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["trade_id", "side", "price", "coins"], orient="row")


def test_single_trades_of_a_collected_sum_are_left_out_and_their_neighbours_stay() -> None:
    single = trades(
        ("9", "buy", 100.0, 1.0),  # at the same price, but not of the sum
        ("10", "buy", 100.0, 1.0),
        ("11", "buy", 100.0, 2.0),
        ("12", "buy", 100.0, 3.0),
        ("13", "sell", 100.0, 1.0),
    )
    left, odd = without_summed(single, trades(("12", "buy", 100.0, 6.0)))
    assert left["trade_id"].to_list() == ["9", "13"] and odd == 0


def test_a_sum_that_does_not_come_out_leaves_out_all_that_may_belong_to_it() -> None:
    single = trades(("10", "sell", 100.0, 1.0), ("11", "buy", 100.0, 2.0), ("12", "buy", 100.0, 3.0))
    left, odd = without_summed(single, trades(("12", "buy", 100.0, 6.0)))
    assert left["trade_id"].to_list() == ["10"] and odd == 1


def test_collected_trades_next_to_each_other_keep_to_their_own() -> None:
    single = trades(("10", "buy", 100.0, 1.0), ("11", "buy", 100.0, 2.0), ("12", "buy", 100.0, 3.0))
    left, odd = without_summed(single, trades(("11", "buy", 100.0, 2.0), ("12", "buy", 100.0, 3.0)))
    assert left["trade_id"].to_list() == ["10"] and odd == 0


def test_holes_are_numbers_between_the_lowest_and_the_highest() -> None:
    def missing(*names: str) -> int | None:
        return holes(pl.LazyFrame({"trade_id": list(names)}, schema={"trade_id": pl.String}))

    assert missing("a5", "a6", "a9", "a9") == 2
    assert missing("12") is None and missing() is None


def test_another_address_needs_its_venue(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one --venue"):
        fill_gaps(tmp_path, url="http://127.0.0.1:1")


def record(lake: Lake, venue: str, stream: str, symbol: str, start: int, end: int) -> None:
    """A gap, as a collector records it."""
    gap = (start, end, end, venue, stream, symbol, "unanswered", None, f"collect/{venue}")
    types = {column.name: getattr(pl, column.dtype) for column in LAKE_TABLES["gaps"].columns}
    lake.append("gaps", pl.DataFrame([gap], schema=types, orient="row"))


def test_a_gap_that_is_older_than_what_the_venue_keeps_is_said_and_not_asked_for(tmp_path: Path) -> None:
    lake, start = Lake.create(tmp_path / "lake"), now_ns() - 40 * DAY_NS
    record(lake, "okx", "open_interest", "BTC-USDT-SWAP", start, start + DAY_NS)
    record(lake, "okx", "funding", "BTC-USDT-SWAP", start, start + DAY_NS)  # of three months
    interest, funding = sorted(fill_gaps(tmp_path / "lake", dry_run=True).gaps, key=lambda one: one.state)
    assert (interest.state, interest.why) == ("never", "older than what the venue still gives")
    assert (funding.state, funding.gap.stream) == ("planned", "funding")


def test_open_interest_of_the_past_is_coarser_and_the_gap_is_not_asked_for_again(
    tmp_path: Path, hasty: Patience, server: Server
) -> None:
    day = day_of_ns(now_ns()) - timedelta(days=2)
    answer_as_binance(server, Market.of(day - timedelta(days=1), 3))
    lake, start, minute = Lake.create(tmp_path / "lake"), start_ns(day), 60_000_000_000
    record(lake, "binance", "open_interest", "BTCUSDT", start + minute, start + 11 * minute)
    first, again = (
        fill_gaps(tmp_path / "lake", venues=["binance"], url=server.url, patience=hasty) for _ in range(2)
    )
    assert [one.asks[0].state for one in first.gaps] == ["coarser"] and first.added == 2
    rows = lake.read("open_interest")
    assert rows["time_ns"].to_list() == [start + 5 * minute, start + 10 * minute]
    assert [one.state for one in again.gaps] == ["before"] and again.requests == 0


@pytest.mark.parametrize(
    ("venue", "source", "symbol", "usd"),
    [  # as the made-up venues answer: 8,000,000 contracts of 100 USD, 1,000,000 USD, and dollars as stated
        ("binance", "binance-rest", "BTCUSD_PERP", 800_000_000.0),
        ("bybit", "bybit", "BTCUSD", 1_000_000.0),
        ("okx", "okx", "BTC-USD-SWAP", 8_000_000_000.0),
    ],
)
def test_gaps_of_inverse_contracts_are_filled_in_dollars_and_coins(
    tmp_path: Path, hasty: Patience, server: Server, venue: str, source: str, symbol: str, usd: float
) -> None:
    day = day_of_ns(now_ns()) - timedelta(days=2)
    ALL[source](server, Market.of(day - timedelta(days=2), 4))
    lake, start, minute = Lake.create(tmp_path / "lake"), start_ns(day), 60_000_000_000
    record(lake, venue, "open_interest", symbol, start + minute, start + 11 * minute)
    record(lake, venue, "funding", symbol, start + minute, start + 481 * minute)
    report = fill_gaps(tmp_path / "lake", venues=[venue], url=server.url, patience=hasty)
    assert {one.gap.stream: one.asks[0].state for one in report.gaps} == {
        "open_interest": "coarser",
        "funding": "closed",
    }
    assert not report.failed
    rows = lake.read("open_interest")
    assert rows.select("venue", "coin", "scope", "usd").unique().rows() == [(venue, "BTC", symbol, usd)]
    assert ((rows["coins"] * rows["price"] - usd).abs() < 1e-3).all() and rows.height == 2
    settled = lake.read("funding")
    assert settled.select("time_ns", "coin", "symbol", "interval_s").rows() == [
        (start + 480 * minute, "BTC", symbol, 28_800)
    ]


def test_a_settlement_that_was_collected_beside_the_hour_is_not_added_again(
    tmp_path: Path, hasty: Patience, server: Server
) -> None:
    day = day_of_ns(now_ns()) - timedelta(days=2)
    answer_as_binance(server, Market.of(day - timedelta(days=1), 3))
    lake, start = Lake.create(tmp_path / "lake"), start_ns(day)
    hours = 3_600_000_000_000
    known = {"venue": "binance", "coin": "BTC", "symbol": "BTCUSDT", "interval_s": 28_800, "rate": 0.0001}
    rate = {**known, "time_ns": start + 4_000_000, "received_ns": start + hours}
    lake.append("funding", pl.DataFrame([rate]), source_id="collect/binance")
    record(lake, "binance", "funding", "BTCUSDT", start - hours, start + 9 * hours)
    report = fill_gaps(tmp_path / "lake", venues=["binance"], url=server.url, patience=hasty)
    assert [one.state for one in report.gaps] == ["closed"] and report.added == 1
    rows = Lake.open(tmp_path / "lake").read("funding")
    assert rows["time_ns"].to_list() == [start + 4_000_000, start + 8 * hours]
