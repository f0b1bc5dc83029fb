"""Does `deleverage vectors` say which worked examples are off, on a screen and as JSON, with an exit code?"""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from deleverage.cli import main
from tests.conftest import ROOT

AAVE = {
    "id": "half",
    "venue": "Aave v3.3+",
    "kind": "close_factor",
    "inputs": {"hf": 0.97, "collateral_usd": 5000, "debt_usd": 4000},
    "expected": {"close_factor": 0.5},
    "tolerance": {"abs": 0, "rel": 0},
    "formula": "half above 0.95",
}
DYDX = {
    "id": "long",
    "venue": "dYdX v4",
    "kind": "fillable_price",
    "inputs": {
        "usdc": -4501,
        "positions": {"BTC": [0.1, 50000]},
        "perp": "BTC",
        "bankruptcy_adjustment": 1.0,
        "spread_to_mmr": 0.1,
        "mmr": 0.1,
    },
    "expected": {"fillable_price": 49999.0},
    "tolerance": {"abs": 1e-06, "rel": 0.0},
}
OFF = {**DYDX, "id": "off", "expected": {"fillable_price": 49998.5}}
UNKNOWN = {**DYDX, "id": "new", "venue": "Nowhere"}


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """``command([examples], "--json")`` on a file that holds them."""

    def call(examples: list[dict[str, Any]], *args: str) -> Ended:
        file = tmp_path / "v.json"
        file.write_text(json.dumps(examples), encoding="utf-8")
        code = main(["vectors", str(file), *args])
        written = capsys.readouterr()
        return Ended(code, written.out, written.err)

    return call


def test_all_pass_and_the_screen_counts_them_by_venue_and_kind(command: Any) -> None:
    ended = command([DYDX, AAVE])
    assert (ended.code, ended.err) == (0, "")
    first, *table = ended.out.splitlines()
    assert first == ("v.json · 2 worked examples · 2 passed · 0 failed")
    assert [line.split() for line in table if line] == [
        ["venue", "kind", "passed", "failed"],
        ["Aave", "v3.3+", "close_factor", "1"],
        ["dYdX", "v4", "fillable_price", "1"],
    ]


def test_one_that_is_off_is_shown_with_expected_found_and_allowed_and_ends_with_1(command: Any) -> None:
    ended = command([DYDX, OFF, AAVE])
    assert ended.code == 1
    assert "3 worked examples · 2 passed · 1 failed" in ended.out
    assert "off · dYdX v4 · fillable_price" in ended.out
    assert (
        "fillable_price: expected 49998.5, found 49999; off by 0.5, allowed 0.000001"
        in " ".join(ended.out.split())
    )  # fmt: skip


def test_an_unknown_venue_has_failed(command: Any) -> None:
    ended = command([UNKNOWN])
    assert ended.code == 1
    assert "unknown venue 'Nowhere'" in ended.out and "1 failed" in ended.out


def test_failed_leaves_out_what_passed(command: Any) -> None:
    ended = command([OFF, AAVE], "--failed")
    assert ended.code == 1
    assert "fillable_price" in ended.out and "close_factor" not in ended.out
    told = json.loads(command([OFF, AAVE], "--failed", "--json").out)
    assert [result["id"] for result in told["results"]] == ["off"]
    assert (told["examples"], told["passed"], told["failed"]) == (2, 1, 1)


def test_venue_chooses_by_the_beginning_of_the_name(command: Any) -> None:
    ended = command([OFF, AAVE], "--venue", "aave")
    assert ended.code == 0 and "1 worked example · 1 passed" in ended.out
    missing = command([OFF, AAVE], "--venue", "binance")
    assert missing.code == 2 and missing.out == ""
    assert "found 'binance'" in missing.err and "Aave v3.3+, dYdX v4" in missing.err


def test_json_holds_every_check(command: Any) -> None:
    ended = command([OFF, AAVE, UNKNOWN], "--json")
    assert ended.code == 1
    told = json.loads(ended.out)
    off, half, unknown = told["results"]
    assert off["checks"] == [
        {
            "key": "fillable_price",
            "passed": False,
            "expected": 49998.5,
            "found": 49999,
            "difference": 0.5,
            "allowed": 1e-06,
            "why": "outside the tolerance",
        }
    ]
    assert half["passed"] and half["formula"] == "half above 0.95"
    assert unknown["checks"][0]["found"] is None and "unknown venue" in unknown["why"]
    assert told["counts"][0] == {"venue": "Aave v3.3+", "kind": "close_factor", "passed": 1, "failed": 0}


def test_a_bad_file_ends_with_2_and_a_missing_one_with_3(
    command: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = command([AAVE, {**DYDX, "expected": {}}])
    assert bad.code == 2 and bad.out == "" and "example 2 ('long'): expected" in bad.err
    assert main(["vectors", str(tmp_path / "none.json")]) == 3
    written = capsys.readouterr()
    assert written.out == "" and "no such file" in written.err and "Traceback" not in written.err
    assert main(["vectors", str(tmp_path)]) == 2
    assert "found a folder" in capsys.readouterr().err


def test_a_narrow_terminal_gets_every_row(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "44")
    ended = command([OFF, AAVE])
    assert max(map(len, ended.out.splitlines())) <= 44
    assert "close_factor" in ended.out and "49998.5" in ended.out


def test_help_has_an_example_and_loads_no_rules() -> None:
    code = (
        "import sys; from deleverage.cli import main; assert main(['vectors', '--help']) == 0; "
        "loaded = {m for m in sys.modules if m.startswith('deleverage.venues')} | "
        "({'numba', 'numpy', 'rich'} & set(sys.modules)); sys.exit(f'imported {loaded}' if loaded else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert "deleverage vectors venue_vectors.json" in ended.stdout


def test_lists_texts_and_missing_values_are_told_in_words_and_in_json(
    command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deleverage.venues.examples import answers_by_kind
    from deleverage.venues.examples.registry import ANSWERS

    answers_by_kind()
    found = {
        "order": ["A", 2],
        "done": False,
        "name": "x",
        "third": Fraction(1, 3),
        "tiny": Fraction(1, 10**40),
        "deep": {"k": (1,)},
    }
    monkeypatch.setitem(ANSWERS, ("Test", "k"), lambda inputs: found)
    expected = {
        "order": ["B", 2],
        "done": True,
        "name": "y",
        "third": 0.5,
        "tiny": 1e-310,
        "deep": {"k": [2]},
    }
    row = {**AAVE, "venue": "Test", "kind": "k", "expected": {**expected, "none": None}}
    told = " ".join(command([row]).out.split())
    assert "order: expected [B, 2], found [A, 2]; not the same" in told
    assert "done: expected true, found false; not the same" in told
    assert "third: expected 0.5, found 0.333333333333333; off by -0.166666666666667, allowed 0" in told
    assert "tiny: expected 1e-310, found 1e-40; off by" in told
    assert "none: expected null; the answer has no 'none'" in told
    checks = {c["key"]: c for c in json.loads(command([row], "--json").out)["results"][0]["checks"]}
    assert (checks["order"]["expected"], checks["order"]["found"]) == (["B", 2], ["A", 2])
    assert (checks["deep"]["expected"], checks["deep"]["found"]) == ({"k": [2]}, {"k": [1]})
    assert checks["tiny"]["expected"] == "1e-310" and checks["tiny"]["found"] == 1e-40
    assert checks["third"]["difference"] == pytest.approx(-1 / 6)


def test_names_too_long_for_the_table_stand_in_blocks(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    row = {**AAVE, "venue": "A venue with a long name", "kind": "and_a_kind_of_it"}
    out = command([row, DYDX]).out
    assert max(map(len, out.splitlines())) <= 40
    assert "and_a_kind_of_it" in out and "1 failed" in out and "1 passed" in out
