"""The commands `rules …`: what they print, and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from deleverage.cli import main
from deleverage.cli.rules import day_of
from deleverage.errors import InputError
from deleverage.venues.catalogue import venues
from tests.data import tiny

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command line with an empty rules folder; give exit code, stdout and stderr."""
    monkeypatch.setenv("DELEVERAGE_RULES_DIR", str(tmp_path / "rules"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*words: str | Path) -> tuple[int, str, str]:
        code = main(["rules", *map(str, words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_list_names_every_rule_set_and_says_how_to_add_tiers(call: Call) -> None:
    code, out, _ = call("list")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert ["binance", "USD-M", "2025-09-18", "2025-10-14", "engine", "3"] in rows
    assert "rules import FILE" in out


def test_list_as_json(call: Call, tmp_path: Path) -> None:
    call("import", tiny.tiers(tmp_path))
    code, out, _ = call("list", "--json")
    listed = json.loads(out)
    assert code == 0
    newest, *older = [one for one in listed["rule_sets"] if one["venue"] == "binance"]
    assert newest["valid_before"] is None and "BTCUSDT" in newest["contracts"]
    assert all(one["valid_before"] > one["valid_from"] for one in older)
    (imported,) = listed["imported"]
    assert (imported["at"], imported["contracts"]) == ("2025-10-09T00:00:00Z", 1)
    assert len(imported["sha256"]) == 64


def test_show_says_the_seven_policies_formulas_tiers_sources_and_versions(call: Call) -> None:
    code, out, _ = call("show", "binance", "--at", "2025-10-10")
    assert code == 0
    for words in (
        "(a) trigger      margin is checked at the mark price",
        "(b) order limit",
        "(c) slice",
        "(d) takeover",
        "(e) ADL trigger",
        "(f) ADL ranking",
        "(g) ADL price",
        "mean basis of 30\N{NARROW NO-BREAK SPACE}s",
        "±0.05\N{NARROW NO-BREAK SPACE}%",
        "Margin tiers of 3 contracts",
        "$1,800,000,000",
        "Sources",
        "Versions",
        "(this one)",
    ):
        assert words in out, words


def test_show_of_a_contract_has_its_tiers_with_deductions(call: Call) -> None:
    code, out, _ = call("show", "binance", "--symbol", "BTCUSDT")
    rows = [line.split() for line in out.splitlines()]
    assert code == 0
    assert ["5", "$70,000,000", "2", "%", "25×", "$132,000"] in [
        [cell for word in row for cell in word.split("\N{NARROW NO-BREAK SPACE}")] for row in rows
    ]


def test_show_as_json_has_figures_and_words(call: Call) -> None:
    code, out, _ = call("show", "binance", "--symbol", "SOLUSDT", "--json")
    shown: dict[str, Any] = json.loads(out)
    assert code == 0
    assert [policy["letter"] for policy in shown["policies"].values()] == list("abcdefg")
    assert shown["policies"]["adl_ranking"]["rule"] == "profit_times_margin_ratio"
    assert list(shown["tiers"]) == ["SOLUSDT"]
    first = shown["tiers"]["SOLUSDT"]["tiers"][0]
    assert first == {
        "cap_usd": 50_000,
        "rate": 0.005,
        "rate_exact": "1/200",
        "max_leverage": 100,
        "deduction_usd": 0,
    }
    assert shown["funding"]["clamp"] == 0.0005 and shown["sources"]


def test_every_venue_can_be_shown_in_words_and_as_json(call: Call) -> None:
    for venue in venues():
        code, out, err = call("show", venue)
        assert code == 0, err
        assert venue in out
        code, out, _ = call("show", venue, "--json")
        assert code == 0 and json.loads(out)["venue"] == venue


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_screens_keep_to_the_width(
    call: Call, monkeypatch: pytest.MonkeyPatch, width: int, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    call("import", tiny.tiers(tmp_path))
    for words in (["list"], ["show", "binance"], ["show", "binance", "--symbol", "ETHUSDT"]):
        _, out, _ = call(*words)
        wide = [line for line in out.splitlines() if len(line) > width and "/" not in line]
        assert not wide, wide


def test_imported_tiers_hold_from_their_day_on(call: Call, tmp_path: Path) -> None:
    code, out, err = call("import", tiny.tiers(tmp_path))
    assert code == 0 and "1 contracts with 2 tiers, 2 of them new" in out and "left out" in out
    assert "rules show binance --at 2025-10-09" in err
    shown = json.loads(call("show", "binance", "--at", "2025-10-09", "--json")[1])["tiers"]
    assert shown["BTCUSDT"]["imported"] and len(shown["BTCUSDT"]["tiers"]) == 2
    before = json.loads(call("show", "binance", "--at", "2025-10-08", "--json")[1])["tiers"]
    assert not before["BTCUSDT"]["imported"] and len(before["BTCUSDT"]["tiers"]) == 12
    assert "1 of them imported" in call("show", "binance", "--at", "2025-10-10")[1]


def test_import_as_json(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("import", tiny.tiers(tmp_path), "--at", "2026-01-02", "--json")
    done = json.loads(out)
    assert code == 0
    assert (done["venue"], done["at"], done["added"]) == ("binance", "2026-01-02T00:00:00Z", 2)
    assert done["defects"][0]["handled"] == "left out"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "binanze"], "did you mean 'binance'?"),
        (["show", "binance", "--at", "2020-01-01"], "expected a date from "),
        (["show", "binance", "--at", "yesterday"], "expected a day like 2025-10-10"),
        (["show", "binance", "--symbol", "BTCUSD"], "'BTCUSDT'"),
        (["show", "binance", "--product", "options"], "expected a product of"),
        (["import", "nowhere.json"], "check the path"),
        (["import", "nowhere.json", "--at", "2025-99-99"], "expected a day like"),
        (["update", "kraken"], "expected a venue of ['binance', 'bybit', 'gate', 'hyperliquid']"),
        (["update", "bybit", "--symbols", ", ,"], "names separated by commas"),
        (["show"], "Missing argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_named_and_ends_with_2(call: Call, words: list[str], said: str, tmp_path: Path) -> None:
    code, out, err = call(*words)
    assert code == 2 and not out
    assert said in err and "Traceback" not in err
    assert not (tmp_path / "rules").exists()


def test_damaged_store_is_data_that_is_missing_and_ends_with_3(call: Call, tmp_path: Path) -> None:
    tiny.put(tmp_path / "rules" / "manifest.json", "{")
    code, _, err = call("show", "binance")
    assert code == 3 and "manifest" in err


def test_days_are_read_as_iso(tmp_path: Path) -> None:
    assert day_of(None) is None and day_of("2025-10-10") == date(2025, 10, 10)
    with pytest.raises(InputError):
        day_of("10.10.2025")
