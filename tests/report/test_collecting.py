"""The collector's screen: it fits every window, nothing but digits moves, and what is wrong is said."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from rich.cells import cell_len

from deleverage.data.collect.stats import Stats
from deleverage.data.sources.base import STREAMS
from deleverage.report.collecting import Latest, _span, closing, screen
from deleverage.report.lines import Line

VENUES = ("binance", "bybit", "okx", "hyperliquid", "bitmex")
SIZES = [(60, 24), (80, 24), (80, 40), (120, 40), (120, 60), (40, 12), (200, 50), (20, 6)]


def collector(venues: tuple[str, ...] = VENUES, *, messages: int = 40, silent: str = "") -> Any:
    """A collector as the screen sees it, a minute after its start."""
    stats, now, tasks = Stats(), time.time_ns(), []
    for venue in venues:
        for stream in STREAMS:
            one = stats.stream(venue, stream)
            heard = now - (30_000_000_000 if venue == silent else 200_000_000)
            one.messages, one.first_ns, one.received_ns = messages, now - 60_000_000_000, heard
            one.lags_s.extend([0.002] * 50 + [0.04])
            one._marks.extend([(now - 10_000_000_000, 0), (now, messages)])
        plans = [SimpleNamespace(name="events", streams=("liquidations", "trades", "marks"))]
        plans += [SimpleNamespace(name="depth", streams=("depth",))]
        connections = [SimpleNamespace(key=f"{venue}/{plan.name}", plan=plan) for plan in plans]
        stats.connected |= {connection.key: True for connection in connections}
        tasks.append(
            SimpleNamespace(venue=SimpleNamespace(name=venue), streams=STREAMS, connections=connections)
        )
    return SimpleNamespace(
        stats=stats, tasks=tasks, started_ns=now - 60_000_000_000, settings=SimpleNamespace(venues=venues)
    )


def text_of(lines: list[Line]) -> list[str]:
    return ["".join(piece.text for piece in line).rstrip() for line in lines]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_screen_fits_its_window_with_large_numbers_a_long_place_and_everything_wrong(
    width: int, height: int
) -> None:
    one = collector(messages=98_765_432_100, silent="okx")
    one.stats.connected |= {"okx/events": False, "okx/depth": False}
    one.stats.gaps |= {("okx", "trades"): 123_456}
    one.stats.lost |= {("okx", "trades"): 1_234_567_890}
    one.stats.pressure, one.stats.waiting = 0.9, 1_234_567
    latest = Latest()
    for k in range(30):
        latest("disconnected", level="warning", venue="okx", text=f"no connection {k}: " + "x" * 300)
    lines = text_of(screen(one, "/a/very/long/place" * 10, width=width, height=height, latest=latest))
    assert len(lines) <= height
    assert max(map(cell_len, lines)) <= width
    assert lines[-1].startswith("Ctrl-C writes what")


def test_a_window_with_room_has_a_line_a_stream_a_low_one_a_line_a_venue_and_both_say_what_is_wrong() -> None:
    one = collector(silent="okx")
    high, low = (text_of(screen(one, "lake", width=120, height=height)) for height in (44, 24))
    assert len([line for line in high if "trades" in line]) == 5
    marked = [line for line in high if line.startswith("! ")]
    assert marked == [line for line in high if line.endswith("quiet for 30.0\N{NARROW NO-BREAK SPACE}s")]
    assert len(marked) == 3  # trades, depth, marks; silence of the others means nothing
    assert [line[2:13].strip() for line in low[7:12]] == list(VENUES)
    assert [line for line in low if line.startswith("! okx ")]
    (said,) = [line for line in low if line.startswith("! okx: ")]
    assert "trades quiet for 30.0\N{NARROW NO-BREAK SPACE}s" in said


def test_where_not_even_the_venues_fit_those_that_are_wrong_come_first() -> None:
    lines = text_of(screen(collector(silent="bitmex"), "lake", width=100, height=10))
    assert [line for line in lines if line.startswith("! bitmex ")]
    assert [line for line in lines if line.endswith("more: the window is too low")] and len(lines) <= 10


def test_columns_stand_where_they_stood_when_the_numbers_grow() -> None:
    def ends(messages: int) -> list[int]:
        lines = text_of(screen(collector(messages=messages), "lake", width=120, height=44))
        row = next(line for line in lines if " trades " in line)
        head = next(line for line in lines if line.startswith("  venue"))
        assert len(head) == len(row)
        return [head.index(name) + len(name) for name in ("msg/s", "messages", "last", "lag p99", "lost")]

    assert ends(3) == ends(400_000_000)


def test_no_connection_is_marked_at_its_streams_and_named_above() -> None:
    one = collector()
    one.stats.connected["bybit/depth"] = False
    lines = text_of(screen(one, "lake", width=120, height=44))
    assert "link  ! no connection: bybit depth" in lines
    (marked,) = [line for line in lines if line.startswith("! ")]
    assert " depth " in marked and marked.endswith("no connection")


def test_a_clock_that_is_ahead_is_not_shown_as_no_lag() -> None:
    one = collector(("okx",))
    one.stats.streams["okx", "trades"].lags_s.clear()
    one.stats.streams["okx", "trades"].lags_s.extend([-4.0] * 9)
    lines = text_of(screen(one, "lake", width=120, height=24))
    (row,) = [line for line in lines if " trades " in line]
    assert row.startswith("! ") and "−4.0\N{NARROW NO-BREAK SPACE}s" in row and row.endswith("ahead")


def test_the_end_is_said_while_the_rest_is_written() -> None:
    one, latest = collector(("okx",)), Latest()
    latest("stopping", why="SIGINT")
    one.stats.waiting = 1_200
    assert text_of(screen(one, "lake", latest=latest))[-1] == (
        "stopping (SIGINT): 1,200 rows still to be written"
    )


def test_what_happened_is_told_once_with_its_count_and_cannot_rule_the_terminal() -> None:
    latest = Latest()
    latest("connected", venue="okx", connection="events", attempt=1)
    for _ in range(3):
        latest("malformed message", level="warning", venue="okx", error="found '\x1b[2J'")
    latest("gap", level="warning", venue="okx", stream="trades", reason="sequence", seconds=1.5, lost=7)
    latest("connected", venue="okx", connection="events", attempt=2)
    first, gap, again = latest.lines(9, 100)
    assert first[8:] == " 3 times okx malformed message: found '\\x1b[2J'"
    assert gap[8:] == " okx trades gap: sequence, 1.5 s, 7 lost"
    assert again[8:] == " okx events connected"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 ms"), (-0.0001, "0 ms"), (0.9994, "999 ms"), (0.9996, "1.0 s"), (59.94, "59.9 s"),
        (59.96, "1 min"), (3569, "59 min"), (3600, "1.0 h"), (86_399, "1.0 d"), (-4, "−4.0 s"),
    ],
)  # fmt: skip
def test_a_short_time_has_at_most_seven_cells(seconds: float, told: str) -> None:
    text = _span(seconds)
    assert text.replace("\N{NARROW NO-BREAK SPACE}", " ") == told
    assert cell_len(text) <= 7


def test_the_closing_lines_name_what_went_wrong_and_a_command_that_works() -> None:
    summary = {
        "seconds": 3_725.4, "lake": "/data/lake", "tables": {"gaps": 2, "trades": 1_234}, "gaps": 2,
        "streams": [{"events_lost": 7}], "reconnects": {"okx/events": 1}, "resyncs": {},
        "malformed": {"okx": 3}, "rate_limited": {}, "thinned": 0,
    }  # fmt: skip
    lines = closing(summary)
    assert lines[0] == "1 h 02 min, 1,236 rows into /data/lake"
    assert lines[-2:] == [
        "  2 gaps, 7 events known to be lost, 1 reconnect, 3 messages not readable",
        '  deleverage lake sql "select * from gaps" --lake /data/lake',
    ]
