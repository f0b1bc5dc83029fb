"""Binance's archive: files that are wrong, servers that fail, a backfill that is killed."""

from __future__ import annotations

import hashlib
import io
import json
import signal
import subprocess
import time
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from deleverage.data.backfill import archive_run
from deleverage.data.backfill.days import Month, day_of_ns
from deleverage.data.backfill.patience import Patience
from deleverage.data.lake import Lake
from deleverage.errors import RateLimited, SourceUnavailable
from tests.data.backfill import made
from tests.data.backfill.asking import DAY, KLINES, ask, command, days_of
from tests.data.backfill.serving import Fault, Server


def test_wrong_checksum_is_refused_before_the_zip_is_opened(
    server: Server, lake_folder: Path, hasty: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []

    class Watched(zipfile.ZipFile):
        def __init__(self, path: Path) -> None:
            opened.append(path)
            super().__init__(path)

    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", made.klines(DAY), checksum="0" * 64)
    monkeypatch.setattr("deleverage.data.backfill.unzip.zipfile.ZipFile", Watched)
    report = ask(server, lake_folder, hasty)
    assert report.failed and "checksum" in report.series[0].failures[0]
    assert opened == [] and Lake.open(lake_folder).read("candles").is_empty()


def test_damaged_file_does_not_stop_the_others_and_is_asked_for_again(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    days_of(server, DAY, 3)
    bad = DAY + timedelta(days=1)
    server.add_zip(KLINES, f"BTCUSDT-1h-{bad}", made.klines(bad).replace("100003", "abc", 1))
    report = ask(server, lake_folder, hasty, last=DAY + timedelta(days=2))
    (failure,) = report.series[0].failures
    assert "line 4" in failure and "abc" in failure and len(report.series[0].fetched) == 2
    server.add_zip(KLINES, f"BTCUSDT-1h-{bad}", made.klines(bad))
    assert ask(server, lake_folder, hasty, last=DAY + timedelta(days=2)).series[0].fetched == [bad]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.replace(",99995,", ",120000,", 1), "high at or above low"),
        (lambda t: t.replace("100005", "-5", 1), "price above 0"),
        (lambda t: t.replace("100005", "NaN", 1), "a number"),
        (lambda t: t[:-40], "fields"),
        (lambda t: t.replace("100000,", "100000,7,", 1), "fields"),
        (lambda t: t.replace("100000,", "100000,7,", 1).replace("450000,0", "450000", 1), "a whole number"),
        (lambda t: t.replace("100001,", "100001,7,", 1).replace("100007,", "", 1), "fields"),
        (lambda t: t.replace("42,4.5", "\udcff,4.5", 1), "lines of text"),
        (lambda t: t + t.splitlines()[-1].replace("100023", "100024", 1) + "\n", "one row of each key"),
        (lambda t: t.replace("open_time,open", "open_time,first", 1), "columns"),
        (lambda t: t.replace("000,100000,", ",100000,", 1), "digits"),
        (lambda t: t.replace("42,4.5", "42,11.5", 1), "no more bought by takers"),
    ],
    ids=[
        "crossed",
        "negative",
        "nan",
        "cut off",
        "field too many",
        "moved",
        "long and short",
        "no text",
        "two of one key",
        "header",
        "unit",
        "taker",
    ],
)
def test_file_that_is_not_as_documented_is_refused_with_the_place(
    server: Server, lake_folder: Path, hasty: Patience, change: object, words: str
) -> None:
    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", change(made.klines(DAY)))  # type: ignore[operator]
    report = ask(server, lake_folder, hasty)
    assert words in report.series[0].failures[0] and f"BTCUSDT-1h-{DAY}" in report.series[0].failures[0]
    assert Lake.open(lake_folder).read("candles").is_empty()


def test_repeated_and_reordered_rows_are_taken_once_in_order(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    head, *lines = made.klines(DAY).splitlines(keepends=True)
    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", head + "".join([*reversed(lines), lines[3]]))
    report = ask(server, lake_folder, hasty)
    assert report.series[0].added == 24 and len(report.series[0].notes) == 2


def bomb(name: str, size: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"0" * size)
    return buffer.getvalue()


@pytest.mark.parametrize("member", ["../../evil.csv", "/etc/evil.csv", "other.csv"])
def test_member_with_another_name_or_a_path_is_refused(
    server: Server, lake_folder: Path, hasty: Patience, member: str
) -> None:
    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", made.klines(DAY), member=member)
    assert "one member" in ask(server, lake_folder, hasty).series[0].failures[0]


def test_zip_bomb_is_refused_unread(server: Server, lake_folder: Path, hasty: Patience) -> None:
    body = bomb(f"BTCUSDT-1h-{DAY}.csv", 40 << 20)
    server.files[f"/{KLINES}/BTCUSDT-1h-{DAY}.zip"] = body
    digest = hashlib.sha256(body).hexdigest()
    server.files[f"/{KLINES}/BTCUSDT-1h-{DAY}.zip.CHECKSUM"] = f"{digest}  BTCUSDT-1h-{DAY}.zip".encode()
    assert "times its packed size" in ask(server, lake_folder, hasty).series[0].failures[0]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(".zip", status=429, headers={"Retry-After": "0"}),
        Fault(".zip", status=429),
        Fault(".zip", status=500),
        Fault(".zip", status=503, body=b"<html>"),
        Fault("1h-2025-10-10.zip", half=True, times=2),
    ],
    ids=["429 with a time", "429 without", "500", "503", "half a body"],
)
def test_fault_on_the_way_is_asked_again(
    server: Server, lake_folder: Path, hasty: Patience, fault: Fault
) -> None:
    server.faults = [fault]
    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", made.klines(DAY))
    report = ask(server, lake_folder, hasty)
    assert report.series[0].added == 24 and report.retries >= 1
    assert fault.times == 0


def test_silence_ends_with_the_time_limit_and_is_asked_again(tmp_path: Path, server: Server) -> None:
    from deleverage.data.backfill.web import Web

    server.files["/x"] = b"whole"
    server.faults = [Fault("/x", silent_s=1.5)]
    web = Web(Patience(attempts=2, first_s=0.001), timeout_s=0.2)
    assert web.get(f"{server.url}/x").body == b"whole" and web.requests == 2


def test_answer_that_trickles_ends_with_the_limit_for_one_answer(server: Server) -> None:
    from deleverage.data.backfill.web import Web

    server.files["/x"] = b"whole"
    web = Web(Patience(attempts=2, first_s=0.001), slowest_s=-1.0)
    with pytest.raises(SourceUnavailable, match="not whole after"):
        web.get(f"{server.url}/x")


def test_source_that_wants_a_long_pause_is_left_alone_at_once(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    server.faults = [Fault("CHECKSUM", status=429, headers={"Retry-After": "3600"})]
    server.add_zip(KLINES, f"BTCUSDT-1h-{DAY}", made.klines(DAY))
    with pytest.raises(RateLimited, match="asks to wait 3600 s") as error:
        ask(server, lake_folder, hasty)
    assert error.value.retry_after_s == 3600 and len(server.asked) == 1


def test_source_that_stays_away_ends_it_and_what_was_read_is_kept(
    server: Server, lake_folder: Path, hasty: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_run, "AHEAD", 1)
    monkeypatch.setattr(archive_run, "FLUSH_ROWS", 1)
    days_of(server, DAY, 4)
    last = DAY + timedelta(days=3)
    server.faults = [Fault(str(DAY + timedelta(days=2)), status=500, times=99)]
    with pytest.raises(SourceUnavailable, match="status 500"):
        ask(server, lake_folder, hasty, last=last)
    server.faults = []
    server.asked.clear()
    report = ask(server, lake_folder, hasty, last=last)
    assert report.series[0].complete_before == 2 and len(report.series[0].fetched) == 2
    assert Lake.open(lake_folder).read("candles").height == 96


def test_redirect_from_https_or_to_a_file_is_not_followed(server: Server) -> None:
    from deleverage.data.backfill.web import Web

    server.faults = [Fault("/x", status=302, headers={"Location": "file:///etc/hostname"}, times=9)]
    with pytest.raises(SourceUnavailable, match="status 302"):
        Web(Patience(attempts=1)).get(f"{server.url}/x")


def test_killed_at_any_point_it_goes_on_and_ends_with_every_row_once(
    server: Server, lake_folder: Path
) -> None:
    count = 14
    days_of(server, DAY, count)
    last = DAY + timedelta(days=count - 1)
    server.slow_s = 0.01
    killed = 0
    for delay in (0.9, 1.1, 1.3):
        process = subprocess.Popen(
            command(server, lake_folder, last), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(delay)
        if process.poll() is None:
            process.kill()
            killed += 1
        process.wait()
        if lake_folder.exists():
            lake = Lake.create(lake_folder)
            rows = lake.read("candles")
            assert rows["time_ns"].n_unique() == rows.height
            mask = lake.committed("candles", "backfill/binance/klines/BTCUSDT/1h/2025-10") or 0
            # Rows and record are there together: days with rows are those that are complete.
            assert {day_of_ns(time).day for time in rows["time_ns"]} == {
                day.day for day in Month(2025, 10).days(mask)
            }
    assert killed
    server.slow_s = 0.0
    done = subprocess.run(
        [*command(server, lake_folder, last), "--json"], capture_output=True, text=True, check=True
    )
    one = json.loads(done.stdout)["series"][0]
    assert one["days"]["fetched"] + one["days"]["complete_before"] == count
    rows = Lake.open(lake_folder).read("candles")
    assert rows.height == rows["time_ns"].n_unique() == count * 24


def test_stopped_by_the_user_it_ends_cleanly(server: Server, lake_folder: Path) -> None:
    days_of(server, DAY, 8)
    server.slow_s = 0.3
    process = subprocess.Popen(
        command(server, lake_folder, DAY + timedelta(days=7)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 20
    while not server.asked and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=20)
    assert process.returncode == 130 and "Traceback" not in words and "stopped" in words
