"""Does a bad scenario get one clear message with the right line?"""

from __future__ import annotations

from pathlib import Path

import pytest

from deleverage.errors import ScenarioError
from deleverage.experiment.scenario import Scenario

GOOD = Scenario.embedded_text("double-trouble")


def line_with(text: str, part: str, *, nth: int = 1) -> int:
    """Number of the n-th line that contains ``part``."""
    numbers = [number for number, line in enumerate(text.splitlines(), 1) if part in line]
    return numbers[nth - 1]


def refused(text: str) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_text(text, "mine.toml")
    return caught.value


SHOCK = "shock = { prior"
CASES = [
    # old text, new text, part of the line that is wrong, key, parts of the message
    ("seeds = 8", "sedes = 8", "sedes", "run.sedes", ["run", "'sedes'", "Did you mean 'seeds'"]),
    ("seeds = 8", "seeds = 8.5", "seeds = 8.5", "run.seeds", ["a whole number", "8.5"]),
    ("seeds = 8", "seeds = 0", "seeds = 0", "run.seeds", ["0"]),
    ("[book]", "[boook]", "[boook]", "boook", ["Did you mean 'book'"]),
    (
        "depth_bid_coins = { value = 2000.0",
        "depth_bid_coins = { value = -5",
        "value = -5",
        "market.ALPHA.depth_bid_coins.value",
        ["a number above 0 [coins]", "found -5"],
    ),
    (
        "depth_bid_coins = { value = 2000.0",
        'depth_bid_coins = { value = "2000"',
        '"2000"',
        "market.ALPHA.depth_bid_coins.value",
        ["expected a number, found '2000'"],
    ),
    (
        "depth_bid_coins = { value = 2000.0",
        "depth_bid_coins = { value = nan",
        "value = nan",
        "market.ALPHA.depth_bid_coins.value",
        ["a finite number"],
    ),
    (
        "depth_bid_coins = { value = 2000.0",
        "depth_bid_coins = { valeu = 2000.0",
        "valeu",
        "market.ALPHA.depth_bid_coins.valeu",
        ["Did you mean 'value'"],
    ),
    (
        'depth_bid_coins = { value = 2000.0, unit = "coins"',
        'depth_bid_coins = { value = 2e7, unit = "USD"',
        'unit = "USD", mark = "assumed", source = "made-up" }\ndepth_ask',
        "market.ALPHA.depth_bid_coins.unit",
        ['unit "coins"', '"USD"'],
    ),
    (
        'depth_bid_coins = { value = 2000.0, unit = "coins"',
        'depth_bid_coins = { value = 2e3, unit = "coin"',
        'unit = "coin"',
        "market.ALPHA.depth_bid_coins.unit",
        ["'coins'", "found 'coin'"],
    ),
    (
        "depth_bid_coins = { value",
        "# depth_bid_coins = { value",
        "[market.ALPHA]",
        "market.ALPHA.depth_bid_coins",
        ["found nothing", "Add `depth_bid_coins = "],
    ),
    (
        SHOCK + ' = "uniform", low = 0.02, high = 0.04',
        SHOCK + ' = "uniform", low = 0.05, high = 0.04',
        "low = 0.05",
        "news.shock",
        ["low < high", "low = 0.05, high = 0.04"],
    ),
    (
        SHOCK + ' = "uniform", low = 0.02, high = 0.04',
        SHOCK + ' = "uniform", low = 2, high = 4',
        "low = 2",
        "news.shock.low",
        ["A share of 2 % is written 0.02"],
    ),
    (
        SHOCK + ' = "uniform"',
        SHOCK + ' = "normal"',
        '"normal"',
        "news.shock.prior",
        ["'uniform' or 'loguniform'"],
    ),
    (
        SHOCK + ' = "uniform", low',
        SHOCK + ' = "uniform", value = 7, low',
        "value = 7",
        "news.shock",
        ["either 'value' or 'prior'", "both"],
    ),
    (
        SHOCK + ' = "uniform", low = 0.02',
        SHOCK + ' = "loguniform", low = 0.0',
        "low = 0.0, high",
        "news.shock",
        ["low > 0 in a loguniform prior"],
    ),
    (
        'fuel_shape = { value = 1.0, unit = "ratio", mark = "assumed"',
        'fuel_shape = { value = 1.0, unit = "ratio", mark = "guessed"',
        "guessed",
        "population.fuel_shape.mark",
        ["'observed'", "'guessed'"],
    ),
    (
        'news_beta = { value = 1.5, unit = "ratio", mark = "assumed", source = "made-up"',
        'news_beta = { value = 1.5, unit = "ratio", mark = "assumed", source = "mad-up"',
        "mad-up",
        "market.BETA.news_beta.source",
        ["a key of [sources]", "Did you mean 'made-up'"],
    ),
    ('markets = ["ALPHA", "BETA"]', 'markets = ["ALPHA"]', "markets = ", "markets", ["ALPHA", "BETA"]),
    ('fund = "house"', 'fund = "hose"', '"hose"', "market.ALPHA.fund", ["Did you mean 'house'"]),
    (
        "end = 2025-01-01T12:20:00Z",
        "end = 2025-01-01T11:20:00Z",
        "end = 2025",
        "end",
        ["an end after the start"],
    ),
    (
        "end = 2025-01-01T12:20:00Z",
        "end = 2025-01-01T12:20:00",
        "end = 2025",
        "end",
        ["a time with its zone"],
    ),
    (
        "tipping_depths = [0.5, 1.0, 2.0]",
        "tipping_depths = [1.0, 0.5]",
        "tipping_depths",
        "run.tipping_depths",
        ["depths above 0 that increase"],
    ),
    ("ends_s = { value = 300.0", "ends_s = { value = 30.0", "ends_s", "news.ends_s", ["60 s", "30 s"]),
    (
        'trigger = "mark"',
        'trigger = "index"',
        'trigger = "index"',
        "venue_rules.trigger",
        ["'mark' or 'last'"],
    ),
    (
        'start_price = { value = 500.0, unit = "USD/coin", mark = "assumed", source = "made-up"',
        'start_price = { value = 500.0, unit = "USD/coin", mark = "observed", source = "made-up", '
        "at = 2025-01-01T12:01:00Z",
        "12:01:00Z",
        "market.BETA.start_price.at",
        ["no_data_after", "12:01:00Z"],
    ),
]


@pytest.mark.parametrize(("old", "new", "wrong", "key", "parts"), CASES, ids=[case[1][:40] for case in CASES])
def test_the_message_says_line_key_expected_and_found(
    old: str, new: str, wrong: str, key: str, parts: list[str]
) -> None:
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    line = text[: text.index(wrong)].count("\n") + 1
    error = refused(text)
    assert error.context["line"] == line
    assert error.context["key"] == key
    assert str(error).startswith(f"mine.toml, line {line}, {key}: expected ")
    for part in parts:
        assert part in str(error)


def test_a_published_figure_without_source_is_found_by_its_number() -> None:
    entry = (
        '[[published]]\nid = "{id}"\ntext = "t"\nquantity = ""\nmarket = ""\nvalue = 1\nunit = "USD"\n'
        'by_whose_count = "x"\nvenue_set = "x"\ncomparable = false\nused_to_fit = false\n'
        'source = "{source}"\n'
    )
    text = GOOD + entry.format(id="a", source="made-up") + entry.format(id="b", source="nowhere")
    error = refused(text)
    assert error.context["key"] == "published.1.source"
    assert error.context["line"] == line_with(text, 'source = "nowhere"')
    twice = refused(GOOD + entry.format(id="a", source="made-up") * 2)
    assert "ids that occur once" in str(twice)


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("[run]", "[run", "[run"),
        ("seeds = 8", "seeds = = 8", "seeds = = 8"),
        ("seeds = 8", "seeds = 8\nseeds = 9", "seeds = 9"),
        ("points = 4", 'points = "4', 'points = "4'),
    ],
)
def test_a_syntax_error_has_its_line(old: str, new: str, wrong: str) -> None:
    text = GOOD.replace(old, new, 1)
    error = refused(text)
    assert error.context["line"] == line_with(text, wrong)
    assert "expected valid TOML" in str(error)


def test_several_problems_are_all_in_the_error() -> None:
    text = GOOD.replace("seeds = 8", "sedes = 8", 1).replace(
        "floor = { value = 0.02", "floor = { value = 2.0"
    )
    error = refused(text)
    problems = error.context["problems"]
    assert isinstance(problems, list)
    assert [problem["key"] for problem in problems] == ["run.sedes", "withdrawal.floor.value"]
    assert "1 more: line" in str(error)


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ScenarioError, match="found 'oct-11'") as caught:
        Scenario.load("oct-11")
    assert "Did you mean 'oct-10'?" in str(caught.value) and "quiet" in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no such file"):
        Scenario.load(tmp_path / "none.toml")
    with pytest.raises(ScenarioError, match="a folder"):
        Scenario.load(f"{tmp_path}/")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"name = \xff\xfe")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        Scenario.load(binary)


def test_an_empty_file_misses_everything() -> None:
    error = refused("")
    problems = error.context["problems"]
    assert isinstance(problems, list) and len(problems) > 20
