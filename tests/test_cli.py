"""Does every command say clearly what it did or why not, with the right exit code, on the right stream?"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import tests.cli_driver as driver
from deleverage.cli import failure, main
from deleverage.cli.run import parse_settings
from deleverage.cli.stream import Progress, note, plain, progress_line
from deleverage.errors import InputError, MissingDataError
from deleverage.experiment.scenario import Scenario

ROOT = Path(__file__).resolve().parent.parent


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """``command("run", "oct-10")`` in this process, with a run that answers at once."""
    for name, module in driver.modules().items():
        monkeypatch.setitem(sys.modules, name, module)

    def call(*args: str) -> Ended:
        code = main(args)
        written = capsys.readouterr()
        return Ended(code, written.out, written.err)

    return call


def process(*args: str, module: str = "deleverage.cli", **environment: str) -> Ended:
    ended = subprocess.run(
        [sys.executable, "-m", module, *args],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=60,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


# --- help -------------------------------------------------------------------------------------------


def test_help_answers_at_once_without_heavy_imports() -> None:
    code = (
        "import sys; from deleverage.cli import main; assert main(['--help']) == 0; "
        "heavy = {'numba', 'numpy', 'polars', 'matplotlib', 'pydantic'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    took = [10.0]
    while min(took) >= 0.5 and len(took) < 8:  # a busy machine is not a slow program
        before = time.perf_counter()
        ended = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60
        )
        took.append(time.perf_counter() - before)
        assert ended.returncode == 0, ended.stderr
    assert min(took) < 0.5


@pytest.mark.parametrize(
    "path",
    [
        "",
        "run",
        "margin",
        "scenario",
        "scenario list",
        "scenario show",
        "scenario check",
        "import",
        "lake",
        "lake status",
        "vectors",
    ],
)
def test_every_command_has_help_and_every_leaf_an_example(command: Any, path: str) -> None:
    ended = command(*path.split(), "--help")
    assert ended.code == 0 and "Usage: deleverage" in ended.out
    if path not in ("scenario", "lake"):
        assert f"\n    deleverage {path}" in ended.out


def test_version(command: Any) -> None:
    assert command("--version").out.startswith("deleverage ")


# --- the command line itself --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("rum", "oct-10"), "No such command 'rum'"),
        (("run", "oct-10", "--sedes", "4"), "No such option: --sedes"),
        (("run", "oct-10", "--seeds", "many"), "Invalid value for '--seeds'"),
        (("run", "oct-10", "--seeds", "0"), "Invalid value for '--seeds'"),
        (("run", "oct-10", "--executor", "magic"), "'magic' is not one of 'threads', 'process', 'ray'"),
        (("run", "oct-10", "extra"), "unexpected extra argument"),
        (("import", "x"), "Missing option '--lake'"),
        (("scenario", "show"), "Missing argument 'NAME'"),
    ],
)
def test_a_wrong_command_line_ends_with_2(command: Any, args: tuple[str, ...], message: str) -> None:
    ended = command(*args)
    assert ended.code == 2
    assert ended.out == ""
    assert message in ended.err
    assert "Try `deleverage" in ended.err and "Value error" not in ended.err


def test_nothing_asked_gets_the_help_and_2(command: Any) -> None:
    ended = command()
    assert ended.code == 2 and ended.err.startswith("Usage: deleverage")


# --- run ----------------------------------------------------------------------------------------------


def test_run_prints_one_screen_and_progress_elsewhere(command: Any) -> None:
    ended = command("run", "oct-10")
    assert ended.code == 0
    assert "oct-10-four-venues" in ended.out and "16 seeds" in ended.out
    assert "halfway" in ended.err and "halfway" not in ended.out
    assert "\x1b" not in ended.out  # no colours in a pipe


def test_run_json_is_json_with_what_was_asked(command: Any) -> None:
    ended = command(
        "run", "oct-10", "--json", "--seeds", "4", "--accounts", "500", "--seed", "9",
        "--set", "news.shock=0.05", "--executor", "process", "--workers", "2", "--check",
    )  # fmt: skip
    summary = json.loads(ended.out)
    assert (summary["seeds"], summary["accounts"], summary["seed"]) == (4, 500, 9)
    assert summary["shock"] == "0.05"
    assert summary["asked"] == {"executor": "process", "workers": 2, "check": True}


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("run",), 2, "expected a SCENARIO"),
        (("run", "oct-11"), 2, "Did you mean 'oct-10'?"),
        (("run", "missing.toml"), 2, "no such file"),
        (("run", "oct-10", "--set", "news.shock"), 2, "expected KEY=VALUE"),
        (("run", "oct-10", "--set", "news.shok=1"), 2, "Did you mean 'news.shock'?"),
        (("run", "oct-10", "--set", "market.BTC.depth_bid_coins=-4"), 2, "expected a number above 0 [coins]"),
        (("run", "oct-10", "--lake", "no-lake"), 3, "no lake in 'no-lake'"),
        (("run", "oct-10", "--replay", "run.json"), 2, "expected --replay alone"),
        (("run", "--replay", "no-run.json"), 2, "no such file"),
        (("run", "oct-10", "--out", "no/such/parent"), 2, "no such folder"),
        (("lake", "status", "--lake", "no-lake"), 3, "no lake in 'no-lake'"),
        (("import", "no-file.csv", "--lake", "new-lake"), 2, "no-file.csv"),
    ],
)
def test_bad_input_gets_one_message_and_writes_nothing(
    command: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = command(*args)
    assert ended.code == code
    assert ended.out == ""
    assert message in ended.err and "Traceback" not in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("InputError", 2, "deleverage: expected a, found b\n  Do c."),
        ("MissingDataError", 3, "no table\n  Import it."),
        ("RunError", 4, "the run ended early"),
        ("MemoryError", 4, "fewer --accounts"),
        ("LedgerError", 70, "this is our bug, not yours: LedgerError: 1 USD is missing"),
        ("ValueError", 70, "this is our bug, not yours: ValueError: surprise"),
        ("KeyboardInterrupt", 130, "stopped; nothing was left half written"),
    ],
)
def test_every_error_has_its_exit_code(
    command: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, code: int, message: str
) -> None:
    monkeypatch.setenv("DRIVER_RAISE", name)
    ended = command("run", "oct-10", "--out", str(tmp_path / "out"))
    assert ended.code == code
    assert message in ended.err and "Traceback" not in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_traceback_is_there_for_who_asks(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIVER_RAISE", "ValueError")
    assert "DELEVERAGE_DEBUG=1" in command("run", "oct-10").err
    monkeypatch.setenv("DELEVERAGE_DEBUG", "1")
    assert "Traceback" in command("run", "oct-10").err


def test_a_ledger_that_does_not_add_up_is_our_bug(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = driver.quick_run

    def leaking(scenario: Scenario, **options: Any) -> Any:
        answer = quick(scenario, **options)
        answer.summary["ledger"]["residual"] = 1
        return answer

    monkeypatch.setattr(sys.modules["deleverage.experiment.run"], "run", leaking)
    ended = command("run", "oct-10")
    assert ended.code == 70 and "residual 1" in ended.err


def test_settings_are_split_at_the_first_equals_sign() -> None:
    assert parse_settings(["title=a=b", "x = 1 "]) == {"title": "a=b", "x": "1"}
    with pytest.raises(InputError, match=r"expected KEY=VALUE"):
        parse_settings(["=1"])


# --- scenario -------------------------------------------------------------------------------------------


def test_scenario_list(command: Any) -> None:
    assert "oct-10, oct-10-four-venues" in command("scenario", "list").out
    entries = json.loads(command("scenario", "list", "--json").out)
    assert {entry["name"] for entry in entries} >= {"oct-10-binance", "quiet", "double-trouble"}
    assert next(e for e in entries if e["name"] == "oct-10-four-venues")["aliases"] == ["oct-10"]


def test_scenario_show_prints_the_commented_text_that_check_accepts(command: Any, tmp_path: Path) -> None:
    shown = command("scenario", "show", "oct-10")
    assert shown.out == Scenario.embedded_text("oct-10")
    assert shown.out.count("#") > 40
    mine = tmp_path / "mine.toml"
    mine.write_text(shown.out, encoding="utf-8")
    checked = command("scenario", "check", str(mine))
    assert checked.code == 0 and "can be run" in checked.out


def test_scenario_show_json_has_every_figure_with_mark_and_source(command: Any) -> None:
    shown = json.loads(command("scenario", "show", "double-trouble", "--json").out)
    assert shown["markets"] == ["ALPHA", "BETA"]
    assert all(figure["mark"] and figure["source"] for figure in shown["figures"])


def test_scenario_check_says_every_wrong_line(command: Any, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    text = Scenario.embedded_text("quiet")
    mine.write_text(text.replace("[withdrawal]", "[withdraw]"), encoding="utf-8")
    line = text[: text.index("[withdrawal]")].count("\n") + 1
    ended = command("scenario", "check", str(mine))
    assert ended.code == 2 and ended.out == ""
    assert f"{mine}, line {line}, withdraw: expected a key" in ended.err
    told = json.loads(command("scenario", "check", str(mine), "--json").out)
    assert told["ok"] is False
    assert told["problems"][0]["line"] == line and told["problems"][0]["key"] == "withdraw"
    assert json.loads(command("scenario", "check", "quiet", "--json").out)["ok"] is True


# --- the lake ---------------------------------------------------------------------------------------------


def test_import_then_status_then_run(command: Any, test_data: Path, tmp_path: Path) -> None:
    lake = str(tmp_path / "lake")
    candles = str(test_data / "binance_perp_btcusdt_1m_20251010_window")
    imported = command("import", candles, "--lake", lake, "--json")
    assert imported.code == 0
    assert json.loads(imported.out)["tables"]["candles"] == {"added": 71, "rows": 71}
    status = json.loads(command("lake", "status", "--lake", lake, "--json").out)
    assert next(row for row in status["tables"] if row["table"] == "candles")["rows"] == 71
    assert "2025-10-10 20:49" in command("lake", "status", "--lake", lake).out
    again = command("import", candles, "--lake", lake)
    assert again.out.startswith(f"0 files into {lake}, 1 were there already")
    missing = command("run", "oct-10", "--lake", lake)
    assert missing.code == 3
    assert "market.BTC.start_index: table 'candles' has no row" in missing.err


# --- as a process -----------------------------------------------------------------------------------------


def test_module_runs_as_a_process_and_keeps_the_streams_apart() -> None:
    ended = process("run", "double-trouble", "--json", module="tests.cli_driver")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["scenario"] == "double-trouble"


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m deleverage.cli scenario show oct-10 | head -n 1; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert ended.stderr == ""
    assert ended.stdout.splitlines()[-1] in ("0", str(failure.PIPE_CLOSED))


def test_progress_off_a_terminal_is_some_ten_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        for done in range(1000):
            progress(done, 1000, "work")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10 and lines[3] == " 30 %  work"


def test_progress_tells_the_time_from_the_first_second_and_what_is_left_from_a_tenth_on() -> None:
    assert progress_line(0, 8, "draw", 0.4, 0.4, 79) == "  0 %  draw"
    assert progress_line(0, 0, "checking", 7.0, 7.0, 79) == "        7 s  checking"
    known = progress_line(2, 8, "draw", 64.0, 40.0, 79)
    assert known == " 25 %   1 min 04 s  about 2 min 00 s left  draw"  # 40 s for 2, so 120 s for 6
    assert progress_line(1, 100, "draw", 64.0, 40.0, 79) == "  1 %   1 min 04 s  draw"
    assert (
        progress_line(2, 8, "draw", 64.0, 40.0, 30) == " 25 %   1 min 04 s  about 2 m\N{HORIZONTAL ELLIPSIS}"
    )


def test_progress_on_a_terminal_goes_on_by_itself_and_leaves_an_empty_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    with Progress() as progress:
        progress(0, 0, "checking")
        until = time.monotonic() + 30
        while " 1 s  checking" not in screen.getvalue() and time.monotonic() < until:
            time.sleep(0.05)
        progress.say("this stays")
        progress(1, 2, "more")
    shown = screen.getvalue()
    assert " 1 s  checking" in shown
    before, _, after = shown.partition("this stays\n")
    assert before.endswith(" \r") and after.endswith(" \r") and "more" in after


def test_an_error_is_folded_on_a_terminal_and_its_command_stays_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "41")
    command = "deleverage backfill binance BTCUSDT --what depth --from 2026-05-01 --to 2026-07-02"
    error = MissingDataError("the lake has no depth of BTC (perp) at binance within 100 bp", hint=command)
    for screen, told in (
        (Terminal(), ["deleverage: the lake has no depth of BTC", "  (perp) at binance within 100 bp"]),
        (io.StringIO(), ["deleverage: the lake has no depth of BTC (perp) at binance within 100 bp"]),
    ):
        monkeypatch.setattr("sys.stderr", screen)
        assert failure.report(error) == 3
        assert screen.getvalue().splitlines() == [*told, f"  {command}"]


class Terminal(io.StringIO):
    """A stderr that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_line_for_people_folds_at_blanks_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    text = "deleverage: a venue could not be asked, see above"
    for screen, told in (
        (Terminal(), ["deleverage: a venue could not be asked,", "  see above"]),
        (io.StringIO(), [text]),
    ):
        monkeypatch.setattr("sys.stderr", screen)
        note(text)
        assert screen.getvalue().splitlines() == told


def test_plain_turns_records_into_json_values() -> None:
    assert plain({"a": Ended(1, "x", "y"), 2: (Path("p"),)}) == {
        "a": {"code": 1, "out": "x", "err": "y"},
        "2": ["p"],
    }
