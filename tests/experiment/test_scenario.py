"""Does a scenario keep its figures, marks and sources, whatever is done to it?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deleverage.data.lake import Lake
from deleverage.errors import InputError, MissingDataError, ScenarioError
from deleverage.experiment.scenario import ALIASES, Figure, Scenario, embedded_names
from deleverage.experiment.scenario.text import key_lines, parse, write
from deleverage.schema import FIGURES

NAMES = embedded_names()


@pytest.fixture(scope="module")
def oct10() -> Scenario:
    return Scenario.load("oct-10-binance")


@pytest.mark.parametrize("name", NAMES)
def test_embedded_scenario_survives_the_round_trip(name: str) -> None:
    scenario = Scenario.load(name)
    text = scenario.to_toml()
    again = Scenario.from_text(text)
    assert again == scenario
    assert again.to_toml() == text
    assert again.sha256() == scenario.sha256()


@pytest.mark.parametrize("name", NAMES)
def test_every_source_is_used_and_every_figure_has_one(name: str) -> None:
    scenario = Scenario.load(name)
    used = {figure.source for _, figure in scenario.figure_items()}
    used |= {item.source for item in scenario.published}
    assert used == set(scenario.sources)


@pytest.mark.parametrize("name", NAMES)
def test_every_embedded_scenario_can_be_drawn(name: str) -> None:
    scenario = Scenario.load(name)
    assert scenario.fixed().priors() == []
    assert len(scenario.run.tipping_depths) >= 1
    assert scenario.run.seeds % scenario.run.points == 0


def test_the_three_scenarios_of_the_step_are_there() -> None:
    assert {"oct-10-four-venues", "oct-10-binance", "quiet", "double-trouble"} <= set(NAMES)
    assert ALIASES["oct-10"] == "oct-10-four-venues"
    assert Scenario.load("oct-10") == Scenario.load("oct-10-four-venues")


def test_oct_10_starts_with_the_observed_book(oct10: Scenario) -> None:
    market = oct10.market["BTC"]
    assert market.depth_bid_coins.number == 1747.991
    assert market.depth_bid_coins.mark == "observed"
    assert oct10.steps == 6060  # 20:49 to 22:30
    assert oct10.markets == ("BTC", "ETH", "SOL")


def test_nothing_of_oct_10_is_stamped_after_its_limit(oct10: Scenario) -> None:
    assert f"{oct10.no_data_after:%H:%M}" == "21:05"
    stamps = [figure.at for _, figure in oct10.figure_items() if figure.at]
    assert len(stamps) > 20
    assert max(stamps) <= oct10.no_data_after
    assert not any(item.used_to_fit for item in oct10.published)


def test_published_figures_do_not_reach_what_is_simulated(oct10: Scenario) -> None:
    other = oct10.model_copy(update={"published": ()})
    assert other.figures_sha256() == oct10.figures_sha256()
    assert other.sha256() != oct10.sha256()


def test_only_figures_of_our_own_venue_set_are_comparable(oct10: Scenario) -> None:
    for item in oct10.published:
        if item.comparable:
            assert item.venue_set.startswith("Binance perp") and item.quantity


def test_quiet_is_oct_10_without_news_and_fuel(oct10: Scenario) -> None:
    quiet = Scenario.load("quiet")
    assert quiet.market == oct10.market
    assert quiet.news.shock.number == 0.0
    assert quiet.population.fuel.number < 0.05


def test_figures_table_is_as_declared(oct10: Scenario) -> None:
    frame = oct10.figures()
    assert tuple(frame.columns) == FIGURES.names
    assert set(frame["mark"]) == {"observed", "assumed"}
    shock = frame.filter(frame["key"] == "news.shock").row(0, named=True)
    assert shock["value"] == "uniform 0.016 to 0.035"


# --- priors -----------------------------------------------------------------------------------------


@given(st.floats(0, 1), st.sampled_from(["uniform", "loguniform"]))
def test_quantile_stays_inside_the_prior_and_rises(u: float, kind: Any) -> None:
    figure = Figure(prior=kind, low=0.05, high=0.6, unit="share", mark="assumed", source="x")
    drawn = figure.quantile(u)
    assert 0.05 <= drawn <= 0.6
    assert figure.quantile(0.0) == pytest.approx(0.05) and figure.quantile(1.0) == pytest.approx(0.6)
    assert figure.quantile(min(u + 0.01, 1.0)) >= drawn


def test_median_of_a_loguniform_prior_is_the_geometric_mean() -> None:
    figure = Figure(prior="loguniform", low=1.0, high=4.0, unit="x", mark="assumed", source="x")
    assert figure.quantile(0.5) == pytest.approx(2.0)


def test_number_of_a_prior_is_refused(oct10: Scenario) -> None:
    with pytest.raises(InputError, match=r"found the prior uniform 0.016 to 0.035"):
        _ = oct10.news.shock.number


def test_at_fixes_priors_and_keeps_their_marks(oct10: Scenario) -> None:
    fixed = oct10.at({"news.shock": 0.02, "market.ETH.news_beta": 2.0, "insurance.others.usd": 1e8})
    assert fixed.news.shock.number == 0.02 and fixed.news.shock.mark == "assumed"
    assert fixed.market["ETH"].news_beta.number == 2.0
    assert fixed.insurance["others"].usd.number == 1e8
    assert len(fixed.priors()) == len(oct10.priors()) - 3
    assert oct10.news.shock.is_prior
    with pytest.raises(InputError, match=r"news.shok"):
        oct10.at({"news.shok": 1.0})


def test_fixed_takes_quantiles_and_medians(oct10: Scenario) -> None:
    fixed = oct10.fixed({"news.shock": 1.0})
    assert fixed.news.shock.number == pytest.approx(0.035)
    assert fixed.population.fuel.number == pytest.approx((0.05 * 0.6) ** 0.5)


# --- settings ---------------------------------------------------------------------------------------


def test_a_setting_replaces_value_and_prior_and_is_marked(oct10: Scenario) -> None:
    changed = oct10.with_settings(
        {"market.BTC.depth_bid_coins": "900", "news.shock": 0.05, "population.fuel.low": "0.1",
         "venue_rules.trigger": "last", "run.seeds": "8", "run.tipping_depths": "[0.5, 1.0]",
         "end": "2025-10-10T22:00:00Z"}
    )  # fmt: skip
    depth = changed.market["BTC"].depth_bid_coins
    assert (depth.number, depth.mark, depth.source) == (900.0, "set by user", "user")
    assert depth.lake is None  # the lake does not override the user
    assert changed.news.shock.number == 0.05
    assert (changed.population.fuel.low, changed.population.fuel.high) == (0.1, 0.6)
    assert changed.population.fuel.mark == "set by user"
    assert changed.venue_rules.trigger == "last" and changed.run.seeds == 8
    assert changed.run.tipping_depths == (0.5, 1.0)
    assert changed.steps == 71 * 60
    assert Scenario.from_text(changed.to_toml()) == changed


def test_no_leverage_can_be_set_where_no_cap_stands(oct10: Scenario) -> None:
    with pytest.raises(ScenarioError, match=r"population.max_leverage"):
        oct10.with_settings({"population.max_leverage": "0.5"})
    capped = oct10.with_settings({"population.max_leverage": "1"})
    assert capped.population.max_leverage is not None
    assert capped.population.max_leverage.number == 1.0


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("market.BTC.depth_bid_coin", "9", "Did you mean 'market.BTC.depth_bid_coins'"),
        ("news.shock", "2%", "a share of 2 % is 0.02"),
        ("news.shock", "2", "A share of 2 % is written 0.02"),
        ("news.shock.low", "0.2", "expected low < high, found low = 0.2, high = 0.035"),
        ("market.BTC.depth_bid_coins", "-1", "expected a number above 0 [coins], found -1"),
        ("market.BTC.depth_bid_coins", "nan", "finite"),
        ("market.BTC.depth_bid_coins.low", "1", "Set the figure itself"),
        ("makers.count", "2.5", "expected a whole number of at least 2 [count], found 2.5"),
        ("run.seeds", "0", "run.seeds"),
        ("run.seeds", "many", "expected a whole number, found 'many'"),
        ("venue_rules.trigger", "index", "'mark' or 'last'"),
        ("news", "1", "no such key"),
        ("sources.depth-20", "x", "no such key"),
    ],
)
def test_a_setting_that_is_not_usable_says_what_was_expected(
    oct10: Scenario, key: str, value: str, message: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        oct10.with_settings({key: value})
    assert "--set" in str(caught.value) and key.removesuffix(".low") in str(caught.value)
    assert message in str(caught.value)


# --- the lake ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    value: float
    source: str = "folder/file.csv"
    sha256: str = "ab" * 32
    time_ns: int = 1_760_126_400_000_000_000  # 2025-10-10 20:00 UTC


class OneNumberLake:
    """Answers every query with the same observation."""

    def __init__(self, seen: Seen | None) -> None:
        self.seen = seen
        self.asked: list[Any] = []

    def figure(self, query: Any, /) -> Seen:
        self.asked.append(query)
        if self.seen is None:
            raise MissingDataError("table 'depth' is empty", hint="import it", table="depth")
        return self.seen


def test_the_lake_replaces_every_figure_that_asks_it(oct10: Scenario) -> None:
    lake = OneNumberLake(Seen(0.01))
    filled = oct10.with_lake(lake)
    asking = [path for path, figure in oct10.figure_items() if figure.lake]
    assert len(lake.asked) == len(asking) == 24
    for path in asking:
        figure = filled.figure(path)
        assert figure.number == 0.01 and figure.sha256 == "ab" * 32
        assert figure.mark == oct10.figure(path).mark  # a stand-in stays 'assumed'
        assert figure.at is not None and f"{figure.at:%H:%M}" == "20:00"
    assert filled.lake_files() == [
        {"source": "folder/file.csv", "sha256": "ab" * 32, "figures": ", ".join(asking)}
    ]
    assert Scenario.from_text(filled.to_toml()) == filled


def test_a_missing_row_names_the_figure(oct10: Scenario) -> None:
    with pytest.raises(
        MissingDataError, match=r"oct-10-binance, market.BTC.start_price: table 'depth' is empty"
    ):
        oct10.with_lake(OneNumberLake(None))


def test_a_row_of_the_outcome_is_refused(oct10: Scenario) -> None:
    late = Seen(0.01, time_ns=1_760_130_360_000_000_000)  # 21:06
    with pytest.raises(InputError, match=r"expected an observation up to 2025-10-10T21:05:00Z.*21:06:00Z"):
        oct10.with_lake(OneNumberLake(late))


def test_a_value_of_the_lake_is_checked_like_any_other(oct10: Scenario) -> None:
    with pytest.raises(ScenarioError, match=r"with the lake.*found -1"):
        oct10.with_lake(OneNumberLake(Seen(-1.0)))


@pytest.mark.slow
def test_the_real_lake_holds_the_embedded_figures(oct10: Scenario, test_data: Path, tmp_path: Path) -> None:
    from deleverage.data.importing import import_paths

    folders = [
        "binance_perp_btcusdt_1m_20251010_window",
        "binance_spot_btcusdt_5m_2025",
        "funding_binance_all",
    ]
    snapshots = test_data / "coinglass_2025"
    paths = [test_data / folder for folder in folders]
    paths += [snapshots / day / "futures" for day in ("20251010", "20251114")] + [
        snapshots / "20251114" / "spot"
    ]
    import_paths(paths, tmp_path / "lake")
    filled = oct10.with_lake(Lake.open(tmp_path / "lake"))
    assert filled.figures_sha256() == oct10.figures_sha256()  # the same numbers, read instead of embedded


# --- text -------------------------------------------------------------------------------------------


def test_lines_of_keys_are_found_over_strings_arrays_and_comments() -> None:
    text = (
        'a = """\n[not] = 1\n"""\n# b = 2\n"b c" = [\n  1, # ]\n  2,\n]\n[d.e]\nf.g = { h = "}" }\n'
        "[[p]]\nq = 1\n[[p]]\nq = 'x\\'\nr = 2\n"
    )
    lines = key_lines(text)
    assert lines[("a",)] == 1
    assert lines[("b c",)] == 5
    assert lines[("d", "e")] == 9
    assert lines[("d", "e", "f", "g")] == 10
    assert lines[("p", 0, "q")] == 12
    assert lines[("p", 1, "r")] == 15
    assert ("not",) not in lines and ("b",) not in lines


_texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
_plain = st.one_of(st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False), _texts)


@given(st.dictionaries(_texts, st.one_of(_plain, st.lists(_plain, max_size=3)), max_size=5))
def test_what_is_written_is_read_again(table: dict[str, Any]) -> None:
    written = write({"section": table, "plain": 1})
    read = parse(written, "x")
    assert read["plain"] == 1
    assert read.get("section", {}) == table
