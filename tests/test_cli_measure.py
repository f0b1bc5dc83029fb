"""Do `measure`, its measures and `lake feeds` answer on one screen, and refuse what has no sense?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from deleverage.cli import main
from deleverage.cli.measure import QUESTIONS
from deleverage.data.lake import Lake
from deleverage.experiment.measures import ALL, OF_RUNS
from tests.measure.events import SUMMER, liquidations

Out = pytest.CaptureFixture[str]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A quarter of an hour of two venues: one shows all, one at most one a second."""
    rng = np.random.default_rng(1)
    slow = np.cumsum(1.0 + rng.exponential(4.0, 180))
    full = np.sort(rng.random(400)) * 900.0
    events = pl.concat(
        [
            liquidations(slow[slow < 900], start_ns=SUMMER),
            liquidations([5.0, 70.0], start_ns=SUMMER, coin="ETH", coins=2.0, price=2500.0, side="short"),
            liquidations(np.repeat(full, 2), start_ns=SUMMER, venue="bybit", feed="allLiquidation"),
        ]
    )
    folder = tmp_path / "lake"
    Lake.create(folder).append("liquidations", events, source_id="by hand")
    return folder


def answer(out: Out, *arguments: str | Path) -> dict[str, Any]:
    assert main([*map(str, arguments), "--json"]) == 0
    found: dict[str, Any] = json.loads(out.readouterr().out)
    return found


def test_one_screen_of_80_columns(lake: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["measure", "liquidations", "--lake", str(lake)]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80 and len(text.splitlines()) <= 40
    for words in (
        "binance · by forceOrder",
        "bybit · by allLiquidation",
        "= shown",
        "all long",
        "ETH",
        "learnt",
    ):
        assert words in text, text


def test_json_has_the_whole_and_the_buckets(lake: Path, capsys: Out) -> None:
    found = answer(capsys, "measure", "liquidations", "--lake", lake, "--bucket", "5m", "--venue", "binance")
    assert found["bucket_s"] == 300
    btc = [row for row in found["buckets"] if row["coin"] == "BTC" and row["side"] == "both"]
    assert len(btc) == 3 and all(row["count_low"] <= row["count"] <= row["count_high"] for row in btc)
    assert {row["venue"] for row in found["whole"]} == {"binance"}
    eth = next(row for row in found["whole"] if row["coin"] == "ETH" and row["side"] == "long")
    assert eth["shown"] == 0 and eth["oi_fall_coins"] is None


def test_as_of_a_moment_nothing_later_is_used(lake: Path, capsys: Out) -> None:
    early = answer(
        capsys, "measure", "liquidations", "--lake", lake, "--at", "2025-07-01T12:05", "--bucket", "5m"
    )
    late = answer(capsys, "measure", "liquidations", "--lake", lake, "--bucket", "5m")
    assert early["at"] == "2025-07-01T12:05:00Z" and early["to"] <= early["at"]
    first = [row for row in late["buckets"] if row["end_ns"] == SUMMER + 300 * 1_000_000_000]
    assert first and [r["count"] for r in early["buckets"]] == [r["count"] for r in first]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--bucket", "1x"], 2, "whole number with a unit"),
        (["--bucket", "0h"], 2, "whole number with a unit"),
        (["--from", "yesterday"], 2, "a day or a moment"),
        (["--from", "2025-07-02", "--to", "2025-07-01"], 2, "--to after --from"),
        (["--venue", "mtgox"], 3, "no liquidations of mtgox"),
        (["--at", "2020-01-01"], 3, "before 2020-01-01"),
        (["--from", "2025-01-01", "--to", "2025-01-02"], 3, "it has some from 2025-07-01T12:00"),
    ],
)
def test_what_has_no_sense_is_refused_with_the_reason(
    lake: Path, capsys: Out, arguments: list[str], code: int, words: str
) -> None:
    assert main(["measure", "liquidations", "--lake", str(lake), *arguments]) == code
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error


def test_without_a_lake_the_answer_says_so(tmp_path: Path, capsys: Out) -> None:
    assert main(["measure", "liquidations", "--lake", str(tmp_path / "none")]) == 3
    assert "no lake" in capsys.readouterr().err


def test_feeds_are_listed_with_source_and_day(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["lake", "feeds", "--venue", "binance", "--at", "2025-10-10"]) == 0
    text = capsys.readouterr().out
    assert "at most one in 1 s of a symbol: counted as the first" in " ".join(text.split())
    assert "read 2026-" in text and "2026-04-10" in text and max(map(len, text.splitlines())) <= 80
    found = answer(capsys, "lake", "feeds")
    assert {row["venue"] for row in found["feeds"]} >= {
        "binance",
        "bybit",
        "okx",
        "hyperliquid",
        "bitmex",
        "deribit",
    }
    assert all(row["sources"][0]["read"] for row in found["feeds"])


def test_a_venue_without_an_entry_is_refused(capsys: Out) -> None:
    assert main(["lake", "feeds", "--venue", "mtgox"]) == 2
    assert "one that is not listed is unknown" in capsys.readouterr().err


def test_the_commands_are_the_measures_of_the_catalogue_with_their_questions() -> None:
    assert {name: measure.question for name, measure in ALL.items()} == QUESTIONS
    assert list(QUESTIONS) == list(ALL)


@pytest.mark.parametrize("arguments", [[], *([name] for name in ALL if name not in OF_RUNS)])
def test_a_measure_without_a_lake_is_refused_and_told_how_to_make_one(
    capsys: Out, arguments: list[str]
) -> None:
    assert main(["measure", *arguments]) == 2
    error = capsys.readouterr().err
    assert "--lake DIR" in error and "deleverage import" in error and "Traceback" not in error


@pytest.mark.parametrize("name", [name for name in ALL if name not in OF_RUNS])
def test_a_measure_whose_data_are_missing_names_them_and_a_command(
    lake: Path, capsys: Out, name: str
) -> None:
    assert main(["measure", name, "--lake", str(lake), "--at", "2019-01-01"]) == 3
    written = capsys.readouterr()
    assert "table" in written.err and "deleverage " in written.err and "Traceback" not in written.err
    assert written.out == ""


def test_the_overview_of_a_lake_without_prices_says_so_measure_by_measure(
    lake: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["measure", "--lake", str(lake), "--at", "2025-07-02"]) == 0
    written = capsys.readouterr()
    assert "not in this lake" in written.out and "drawdown: the lake has no" in written.out
    assert max(map(len, written.out.splitlines())) <= 80
    assert len(written.err.splitlines()) <= 11  # progress: some ten lines where stderr is no terminal
    found = answer(capsys, "measure", "--lake", lake, "--at", "2025-07-02")
    assert [one["measure"] for one in found["measures"]] == [n for n in ALL if n not in OF_RUNS]
    assert all(row["command"] for one in found["measures"] for row in one["missing"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("coin", "expected NAME=VALUE, found 'coin'"),
        ("=BTC", "expected NAME=VALUE, found '=BTC'"),
        ("colour=red", "found 'colour'"),
        ("window=soon", "found 'soon'"),
        ("window=-1", "found '-1'"),
        ("window=nan", "found 'nan'"),
        ("coin=", "expected a coin like BTC, found ''"),
    ],
)
def test_a_parameter_that_is_none_is_refused(lake: Path, capsys: Out, given: str, words: str) -> None:
    assert main(["measure", "drawdown", "--lake", str(lake), "--set", given]) == 2
    written = capsys.readouterr()
    assert words in written.err and "Traceback" not in written.err and written.out == ""


def test_options_before_a_measure_are_refused_with_where_they_go(lake: Path, capsys: Out) -> None:
    assert main(["measure", "--lake", str(lake), "drawdown"]) == 2
    assert "deleverage measure drawdown --lake DIR" in capsys.readouterr().err


def test_a_figure_is_written_whole_and_json_alone_stands_on_stdout(tmp_path: Path, capsys: Out) -> None:
    target = tmp_path / "distance.svg"
    arguments = ["measure", "liquidation_distance", "--at", "2025-11-17", "--figure", str(target)]
    found = answer(capsys, *arguments, "--series")
    assert found["readings"] and {"measure", "at", "parameters", "missing", "series"} <= found.keys()
    assert target.read_text("utf-8").startswith("<svg") and list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("distance.png", "expected a file that ends in .svg, found '.png'"),
        ("distance", "expected a file that ends in .svg"),
        ("none/distance.svg", "none"),
    ],
)
def test_a_figure_that_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, capsys: Out, name: str, words: str
) -> None:
    arguments = ["measure", "liquidation_distance", "--at", "2025-11-17", "--figure", str(tmp_path / name)]
    assert main(arguments) == 2
    written = capsys.readouterr()
    assert words in written.err and "Traceback" not in written.err and written.out == ""
    assert list(tmp_path.iterdir()) == []


def test_the_help_of_a_measure_names_its_parameters_and_readings(capsys: Out) -> None:
    for name, measure in ALL.items():
        assert main(["measure", name, "--help"]) == 0
        text = capsys.readouterr().out
        assert all(one.name in text for one in measure.parameters), name
        assert all(reading in text for reading in measure.readings), name
