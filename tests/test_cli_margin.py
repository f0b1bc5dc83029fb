"""Does `deleverage margin` answer, refuse and explain as its page says, on every width and stream?"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rich.cells import cell_len
from rich.text import Text

import deleverage
from deleverage.cli import main
from deleverage.data.tier_store import import_tiers, rules_folder
from deleverage.errors import InputError, RulesError
from deleverage.report.margin import screen
from deleverage.report.style import THIN
from deleverage.venues.calculator import compare
from deleverage.venues.calculator.assess import assess
from deleverage.venues.calculator.compare import Comparison, margin, rule_books
from deleverage.venues.calculator.contract import to_dict
from deleverage.venues.calculator.position import Position, Side
from deleverage.venues.rules import Contract, TierTable
from tests.venues import houses

ROOT = Path(__file__).resolve().parent.parent


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def venues(monkeypatch: pytest.MonkeyPatch) -> None:
    """The invented venues stand for those that the program carries."""
    monkeypatch.setattr(compare, "rule_books", houses.books())


@pytest.fixture
def command(venues: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """``command("--symbol", "BTC", ...)`` with the invented venues, on a screen of 100 columns."""
    monkeypatch.setenv("COLUMNS", "100")

    def call(*args: str) -> Ended:
        code = main(["margin", *args])
        written = capsys.readouterr()
        return Ended(code, written.out, written.err)

    return call


HUNDRED = ("--symbol", "BTC", "--side", "long", "--leverage", "100")
TEN = ("--symbol", "BTCUSDT", "--side", "long", "--leverage", "10")


# --- answers ------------------------------------------------------------------------------------------


def test_a_hundredfold_position_on_every_venue(command: Command) -> None:
    ended = command(*HUNDRED, "--entry", "117000", "--size", "0.1")
    said = ended.out.replace(THIN, " ")
    assert (ended.code, ended.err) == (0, "")
    assert "BTC long 100× · 0.1 BTC at $117,000 = $11,700" in said
    assert re.search(r"plain +116,295\.19 +−0\.602 +115,830\.00 +−1\.00 +46\.80 +117\.00 +150×", said)
    assert re.search(r"entry +116,415\.00 +−0\.500", said)
    assert re.search(r"vault 40× +115,518\.99 +−1\.27", said)
    assert "vault does not allow 100× at this size: at most 40× (rules from 2025-01-01)" in said
    assert re.search(r"1 ÷ leverage +█+ +1\.00 %", said) and re.search(r"the press +█+ +2\.00 %", said)
    assert re.search(r"plain +█+\S* +0\.602 %", said)
    assert "1  −0.602 %  mark below 116,295.19" in said


def test_without_entry_and_size_prices_are_percent_of_entry(command: Command) -> None:
    said = command(*HUNDRED, "--venue", "plain").out
    assert "$10,000 · size assumed" in said and "% of entry" in said and "99.398" in said
    assert "no entry given: prices are in percent of entry" in said


def test_binance_as_the_program_carries_it(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(
        ["margin", "--venue", "binance", "--symbol", "BTCUSDT", "--side", "long", "--leverage", "100"]
    )
    said = capsys.readouterr().out
    assert code == 0 and "−0.602" in said and "rules from 2025-" in said


def test_steps_can_be_left_out(command: Command) -> None:
    shown, short = command(*TEN).out, command(*TEN, "--no-steps").out
    assert "insurance fund" in shown and "insurance fund" not in short
    assert "--steps says what each venue would do" in short


def test_inverse_contracts_are_asked_for_by_their_name(command: Command) -> None:
    linear = command(*TEN).out
    assert "the other kind of contract, not shown: coin inverse" in linear
    inverse = command(
        "--symbol", "BTCUSD_PERP", "--side", "long", "--leverage", "10", "--entry", "100000"
    ).out
    assert "coin" in inverse.split("Which fall")[0] and "plain" not in inverse.split("Which fall")[0]


def test_a_symbol_of_a_venue_is_of_its_kind(command: Command) -> None:
    # BTC-USD reads as inverse, but `chain` lists it as a linear one
    ended = command("--symbol", "BTC-USD", "--side", "short", "--leverage", "10", "--json")
    found = json.loads(ended.out)["venues"]
    assert {venue["contract"] for venue in found} == {"linear"} and len(found) == 5


def test_cross_needs_no_leverage(command: Command) -> None:
    args = ("--symbol", "BTCUSDT", "--side", "short", "--mode", "cross", "--wallet", "50000")
    ended = command(*args, "--entry", "100000", "--size", "1", "--json", "--venue", "plain")
    (venue,) = json.loads(ended.out)["venues"]
    assert venue["result"]["leverage"] == 150
    # (W + q·EP) ÷ (q·(1 + r))
    assert venue["result"]["liquidation_price_usd"] == pytest.approx(150_000 / 1.004, rel=1e-15)


def test_mark_away_from_entry(command: Command) -> None:
    ended = command(*TEN, "--entry", "100", "--mark", "90.2", "--venue", "plain")
    assert "mark $90.2" in ended.out and "liquidated at once" in ended.out
    assert "1 ÷ leverage" not in ended.out  # says nothing about a position under way


def test_nothing_to_liquidate(command: Command) -> None:
    ended = command("--symbol", "BTCUSDT", "--side", "long", "--leverage", "1", "--venue", "plain")
    assert ended.code == 0 and "no price above 0 liquidates this position" in ended.out


# --- bad input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--leverage", "nan"), "leverage: expected a number, found 'nan'"),
        (("--leverage", "inf"), "leverage: expected a number, found 'inf'"),
        (("--leverage", "many"), "leverage: expected a number, found 'many'"),
        (("--leverage", "-5"), "leverage: expected a number above 0, found -5"),
        (("--leverage", "0"), "leverage: expected a number above 0, found 0"),
        (("--leverage", "0.5"), "leverage: expected at least 1, found 0.5"),
        (("--leverage", "1e999999999"), "leverage: expected a number from"),
        (("--leverage", "1000"), "plain: expected a leverage of at most 150x"),
        (("--leverage", "151", "--venue", "plain"), "At 150x a move of -0.27 % would end it."),
        (
            ("--leverage", "41", "--venue", "plain", "--venue", "vault"),
            "vault: expected a leverage of at most 40x",
        ),
        (("--side", "up"), "side: expected long or short, found 'up'"),
        (("--mode", "both"), "mode: expected isolated or cross, found 'both'"),
        (("--entry", "100", "--size", "0"), "size: expected a number above 0, found 0"),
        (("--entry", "100", "--size", "-1"), "size: expected a number above 0, found -1"),
        (("--entry", "100", "--size", "1e-30"), "size: expected a number from"),
        (("--entry", "0", "--size", "1"), "entry: expected a number above 0"),
        (("--entry", "NaN"), "entry: expected a number, found 'NaN'"),
        (("--notional", "-1"), "notional: expected a number above 0"),
        (("--notional", "1e13"), "plain: expected a position of at most 3,000,000 USD in BTCUSDT"),
        (("--mark", "-1", "--entry", "5"), "mark: expected a number above 0"),
        (("--extra-margin", "-1"), "extra margin: expected 0 or more, found -1"),
        (("--margin", "5"), "found both"),
        (("--mode", "cross", "--wallet", "0"), "wallet: expected a number above 0"),
        (("--mode", "cross"), "expected the wallet of the cross account"),
        (("--mode", "cross", "--wallet", "1"), "plain: expected a wallet of at least the initial margin"),
        (("--size", "1"), "entry: expected an entry price in USD beside a size"),
        (("--size", "1", "--notional", "5", "--entry", "5"), "expected a size or a notional, found both"),
        (("--at", "yesterday"), "at: expected a day like 2025-10-10, found 'yesterday'"),
        (("--at", "2025-02-30"), "at: expected a day like 2025-10-10, found '2025-02-30'"),
        (("--at", "2019-01-01"), "plain: expected a date from 2025-01-01 on, found 2019-01-01"),
        (("--venue", "mtgox"), "venue: expected one of ['chain', 'coin', 'entry', 'fee', 'plain', 'vault']"),
        (
            ("--symbol", "DOGEUSDT"),
            "symbol: expected a contract of one of ['BTC'], found 'DOGEUSDT'",
        ),
        (("--symbol", " "), "symbol: expected a contract or coin"),
        (("--symbol", "DOGEUSDT", "--venue", "plain"), "plain: expected one of ['BTCUSDT']"),
        (
            ("--symbol", "BTCUSD", "--venue", "plain"),
            "expected a linear contract like 'BTCUSDT', found 'BTCUSD'",
        ),
        (("--symbol", "BTCUSD"), "coin: expected an entry price for an inverse contract"),
        (("--symbol", "BTCUSDT", "--venue", "coin"), "expected an inverse contract like 'BTCUSD'"),
    ],
)
def test_bad_input_ends_with_2_and_says_why(command: Command, args: tuple[str, ...], said: str) -> None:
    given = dict(zip(TEN[::2], TEN[1::2], strict=True))
    rest: list[str] = []
    for name, value in zip(args[::2], args[1::2], strict=True):
        if name in given:
            given[name] = value
        else:
            rest += [name, value]
    ended = command(*(word for pair in given.items() for word in pair), *rest)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err and "Traceback" not in ended.err


def test_missing_options_are_usage_errors(command: Command) -> None:
    ended = command("--side", "long")
    assert ended.code == 2 and "Missing option '--symbol'" in ended.err


def test_one_venue_that_refuses_is_a_row_with_a_reason(command: Command) -> None:
    ended = command(*TEN, "--entry", "100000", "--size", "60")
    assert ended.code == 0
    assert "plain: expected a position of at most 3,000,000 USD" in ended.out.replace("\n    ", " ")
    assert re.search(r"plain +– +–", ended.out)


# --- the JSON contract --------------------------------------------------------------------------------


def paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key)) if key != "sources" else ((*path, key),)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for inner in value:
            yield from paths(inner, path)
    else:
        yield path


def test_every_key_is_on_the_page_and_every_key_of_the_page_is_there(command: Command) -> None:
    found = json.loads(command(*HUNDRED, "--entry", "117000", "--json").out)
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    here = page.split("### margin --json")[1].split("\n## ")[0]
    tables = [line for line in here.splitlines() if line.startswith("| `")]
    words = {"deleverage", "margin", "entry", "notional", "linear", "inverse", "engine", "calculator", "USD"}
    words |= {"trigger", "order", "rest", "takeover", "adl"}
    named = {word for line in tables for word in re.findall(r"`(\w+)`", line)} - words
    keys = {key for path in paths(found) for key in path}
    assert keys - {"margin"} == named
    assert "deleverage margin" in here


def test_json_holds_what_the_screen_says(command: Command) -> None:
    found = json.loads(command(*HUNDRED, "--entry", "117000", "--size", "0.1", "--json").out)
    assert found["position"] == {
        "symbol": "BTC",
        "side": "long",
        "mode": "isolated",
        "leverage": 100.0,
        "margin_usd": None,
        "entry_usd": 117_000.0,
        "mark_usd": 117_000.0,
        "size_coins": 0.1,
        "notional_usd": 11_700.0,
        "wallet_usd": None,
        "extra_margin_usd": 0.0,
    }
    assert found["assumed"] == [] and found["at"] is None
    assert found["said"]["one_over_leverage_share"] == 0.01 and found["said"]["press_share"] == 0.02
    by_name = {venue["venue"]: venue for venue in found["venues"]}
    assert list(by_name) == sorted(by_name)
    plain, vault, coin = by_name["plain"], by_name["vault"], by_name["coin"]
    assert plain["result"]["liquidation_price_usd"] == 9_652_500 / 83
    assert plain["allowed"] and plain["refusal"] is None and plain["at_most"] is None
    assert not vault["allowed"] and vault["result"] is None and "at most 40x" in vault["refusal"]
    assert vault["at_most"]["leverage"] == vault["at_most"]["max_leverage"] == 40
    assert coin["result"]["settlement"] == "BTC"
    assert coin["result"]["initial_margin_settlement"] == 0.001
    assert coin["result"]["initial_margin_usd"] == 117
    assert [step["number"] for step in plain["result"]["steps"]] == [1, 2, 3, 4, 5]


def test_json_of_a_day_and_of_a_refused_day(venues: None, monkeypatch: pytest.MonkeyPatch) -> None:
    later = houses.house(
        "later", houses.tiers("BTCUSDT", (houses.NO_END, "0.01", 50)), valid_from=date(2026, 1, 1)
    )
    monkeypatch.setattr(compare, "rule_books", houses.books(houses.PLAIN, later))
    found = to_dict(margin("BTCUSDT", "long", leverage=5, at="2025-10-10"))
    assert found["at"] == "2025-10-10"
    second = found["venues"][0]
    assert (second["venue"], second["rules_from"], second["contract"]) == ("plain", "2025-01-01", "linear")
    first = found["venues"][1]
    assert first["refusal"].startswith("later: expected a date from 2026-01-01 on")
    assert (first["rules_from"], first["contract"], first["result"]) == (None, None, None)


# --- the screen ---------------------------------------------------------------------------------------

CASES: dict[str, dict[str, Any]] = {
    "hundred": {"symbol": "BTC", "side": "long", "leverage": 100, "entry": 117_000, "size_coins": "2.5"},
    "percent": {"symbol": "BTCUSDT", "side": "short", "leverage": 7},
    "cross": {
        "symbol": "BTC",
        "side": "short",
        "mode": "cross",
        "wallet_usd": 9_000_000,
        "entry": 100_000,
        "size_coins": 29,
    },
    "paid in full": {"symbol": "BTC", "side": "long", "leverage": 1, "entry": "0.00001", "size_coins": 10**6},
    "late": {
        "symbol": "BTC",
        "side": "long",
        "leverage": 20,
        "entry": 100_000,
        "mark": 95_100,
        "notional_usd": 5 * 10**6,
    },
}


@pytest.fixture(params=list(CASES))
def asked(request: pytest.FixtureRequest, venues: None) -> Comparison:
    return margin(**CASES[request.param])


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("steps", [True, False])
def test_no_line_is_wider_than_the_terminal(asked: Comparison, width: int, steps: bool) -> None:
    for line in screen(asked, width=width, steps=steps).splitlines():
        assert cell_len(line) <= width, line
        assert line == line.rstrip()


def test_colour_changes_no_letter(asked: Comparison) -> None:
    plain, coloured = screen(asked, width=100), screen(asked, width=100, color=True)
    assert "\x1b[" in coloured and "\x1b[" not in plain
    assert Text.from_ansi(coloured).plain.rstrip() == plain.rstrip()


@pytest.mark.parametrize("width", [80, 120])
def test_figures_stand_right_under_their_heads_with_units(venues: None, width: int) -> None:
    lines = screen(margin(**CASES["hundred"]), width=width).splitlines()
    head = next(k for k, line in enumerate(lines) if line.strip().startswith("liquidated"))
    end = lines[head].index("liquidated") + len("liquidated")
    assert lines[head + 1][:end].endswith("USD")
    for row in lines[head + 2 : head + 8]:
        assert re.search(r"[\d.]$", row[:end]) and row[end] == " ", row
    assert {"bankrupt", "move", "maintenance"} <= set(lines[head].split())


def test_every_figure_is_there_at_every_width(venues: None) -> None:
    for width in (40, 60, 80, 120):
        text = screen(margin(**{**CASES["hundred"], "leverage": 25}), width=width)
        for figure in ("112,771.09", "112,320.00", "1,170.00", "150×"):
            assert figure in text, (width, figure)


# --- from Python --------------------------------------------------------------------------------------


def test_public_name_returns_exact_fractions() -> None:
    answer = deleverage.margin(
        "BTCUSDT", "long", leverage=100, entry=117_000, size_coins=0.1, venues=["Binance"]
    )
    (column,) = answer.columns
    assert column.assessment is not None and column.refusal is None
    assert column.assessment.liquidation_price == Fraction(9_652_500, 83)
    assert answer.position.size_coins == Fraction(1, 10)  # the decimal that the float prints as


def test_leverage_may_carry_its_sign_and_days_be_dates() -> None:
    day = date(2025, 10, 10)
    assert margin("BTCUSDT", "long", leverage="100x", at=day).position.leverage == 100
    with pytest.raises(InputError, match="at: expected a day"):
        margin("BTCUSDT", "long", leverage=2, at="2025-10-10T21:15")


def test_a_product_without_the_contract_does_not_speak_for_the_venue(monkeypatch: pytest.MonkeyPatch) -> None:
    inverse = houses.house(
        "both", houses.tiers("BTCUSD", (9, "0.01", 50)), contract=Contract.INVERSE, product="inverse"
    )
    linear = houses.house("both", houses.tiers("BTCUSDT", (10**6, "0.01", 50)), product="linear")
    monkeypatch.setattr(compare, "rule_books", houses.books(linear, inverse))
    answer = margin("BTCUSDT", "long", leverage=2, venues=["both"])
    assert [column.product for column in answer.columns] == ["linear"]
    both = screen(margin("BTC", "long", leverage=2, entry=100, size_coins=1, venues=["both"]), width=120)
    assert re.search(r"both linear +\d", both) and re.search(r"both inverse +\d", both)


def test_all_that_refuse_are_named_in_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "rule_books", houses.books(houses.PLAIN, houses.VAULT))
    with pytest.raises(RulesError, match=r"(?s)plain: expected a leverage.*vault: expected a leverage"):
        margin("BTC", "long", leverage=200)


def test_every_rule_set_that_the_program_carries_answers() -> None:
    books = rule_books(None)
    assert "binance" in {book.venue for book in books}
    for book in books:
        rules = book.newest
        for symbol, table in rules.tiers.items():
            first = table.tiers[0]
            for side in Side:
                entry = Fraction(3000)
                # half the first tier, at least: a value that every rate shows at
                value = Fraction(min(first.cap_usd, 10**4), 2)
                size = value if rules.contract is Contract.INVERSE else value / entry
                leverage = Fraction(max(2, first.max_leverage // 2))
                answer = assess(rules, Position(symbol, side, entry, size, entry, leverage))
                assert answer.liquidation_price is not None and answer.steps
                assert side.sign * (entry - answer.liquidation_price) > 0, (book.venue, symbol)


def test_figures_that_are_not_the_venues_are_called_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    row = TierTable("BTCUSDT", houses.PLAIN.tiers["BTCUSDT"].tiers, "assumed: borrowed")
    rules = houses.house("guess", row, sources={"waterfall": "assumed: as others"})
    monkeypatch.setattr(compare, "rule_books", houses.books(houses.PLAIN, rules))
    said = screen(margin("BTCUSDT", "long", leverage=5), width=100)
    assert "margin tiers assumed, not read from the venue: guess (" in said
    assert "steps assumed, not read from the venue: guess (" in said


def test_imported_tiers_extend_and_override_the_packaged_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def row(floor: int, cap: int, rate: float, leverage: int) -> dict[str, float]:
        names = ("minNotional", "maxNotional", "maintenanceMarginRate", "maxLeverage")
        return dict(zip(names, (floor, cap, rate, leverage), strict=True))

    file = tmp_path / "binance_leverage_tiers_2026-01-05.json"
    tiers = [row(0, 5_000, 0.02, 25), row(5_000, 20_000, 0.05, 10)]
    ccxt = {
        symbol: [{**one, "tier": k, "currency": "USDT", "info": {}} for k, one in enumerate(tiers, start=1)]
        for symbol in ("BTC/USDT:USDT", "NEW/USDT:USDT")
    }
    file.write_text(json.dumps(ccxt), encoding="utf-8")
    monkeypatch.setenv("DELEVERAGE_RULES_DIR", str(tmp_path / "rules"))
    import_tiers(file, rules_folder(), venue="binance")

    (new,) = margin("NEW", "long", leverage=10, notional_usd=4_000).columns
    assert new.assessment is not None and new.assessment.maintenance_margin == 80
    (btc,) = margin("BTCUSDT", "long", leverage=10, venues=["binance"]).columns
    assert btc.assessment is not None and btc.assessment.tiers == 2
    (before,) = margin("BTCUSDT", "long", leverage=10, venues=["binance"], at="2026-01-04").columns
    assert before.assessment is not None and before.assessment.tiers > 2
