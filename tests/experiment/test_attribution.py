"""Does the measure `attribution` read what a run said, with its intervals, and refuse another night?"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from deleverage.errors import InputError, MissingDataError
from deleverage.experiment import run as run_room
from deleverage.experiment.answer import MECHANISMS, Answer
from deleverage.experiment.attribution import MEASURE, NORMAL_90
from deleverage.experiment.output import write_answer
from deleverage.experiment.scenario import Scenario
from deleverage.measure.asof import Frames
from deleverage.measure.measure import time_ns
from tests.report.sample import sample

LATER = time_ns("2025-11-17")
NO_LAKE = Frames({})


def answer(name: str = "oct-10-binance", **changed: Any) -> Answer:
    made = deepcopy(sample(seeds=4, markets=("BTC",)))
    made.summary.update(scenario=name, seeds=8, accounts=100, seed=0)
    made.summary.update(changed)
    return made


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    return write_answer(answer(), tmp_path / "out", scenario=Scenario.load("oct-10-binance"))


def test_a_stored_run_is_read_with_the_band_of_its_priors_and_the_error_of_its_draws(stored: Path) -> None:
    share = answer().summary["mechanical_share"]["BTC"]
    found = MEASURE.at(NO_LAKE, LATER, {"run": str(stored)})
    row = found.reading("mechanical_share")
    assert row is not None
    assert row["value"] == share["mean"]
    half = NORMAL_90 * share["se"]
    assert row["low"] == min(share["mean"] - half, share["prior_band"][0])
    assert row["high"] == max(share["mean"] + half, share["prior_band"][1])
    assert "priors" in row["interval"]
    assert "Monte Carlo" in row["interval"]
    priors, draws = found.reading("mechanical_share_priors"), found.reading("mechanical_share_draws")
    assert priors is not None and draws is not None
    assert [priors["low"], priors["high"]] == list(share["prior_band"])
    assert draws["high"] - draws["low"] == pytest.approx(2 * half)
    assert row["by"] == "engine of deleverage, oct-10-binance, 8 seeds"
    for mechanism in MECHANISMS:
        assert found.reading(f"{mechanism}_share") is not None


def test_news_and_players_sum_to_the_whole_fall(stored: Path) -> None:
    found = MEASURE.at(NO_LAKE, LATER, {"run": str(stored)})
    parts = [found.reading(f"{name}_share") for name in MECHANISMS] + [found.reading("news_share")]
    expected = answer().summary["mechanical_share"]["BTC"]
    whole = expected["news"]["mean"] + sum(row["mean"] for row in expected["shapley"].values())
    assert sum(row["value"] or 0.0 for row in parts if row is not None) == pytest.approx(whole)


def test_a_share_that_does_not_exist_is_null_and_says_so(tmp_path: Path) -> None:
    made = answer()
    share = made.summary["mechanical_share"]["BTC"]
    for row in (share, share["news"], share["never_closed"], *share["shapley"].values()):
        for name in ("mean", "se", "prior_band", "first_in", "last_in", "placebo"):
            if name in row:
                row[name] = None
    folder = write_answer(made, tmp_path / "out", scenario=Scenario.load("oct-10-binance"))
    row = MEASURE.at(NO_LAKE, LATER, {"run": str(folder)}).reading("mechanical_share")
    assert row is not None
    assert (row["value"], row["low"], row["high"]) == (None, None, None)
    assert "no fall to share" in row["note"]


def test_a_run_of_another_scenario_or_market_is_refused(stored: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a run of quiet, found one of oct-10-binance"):
        MEASURE.at(NO_LAKE, LATER, {"run": str(stored), "scenario": "quiet"})
    with pytest.raises(InputError, match="parameter market: expected one of BTC, found 'DOGE'"):
        MEASURE.at(NO_LAKE, LATER, {"run": str(stored), "market": "DOGE"})
    with pytest.raises(InputError, match=r"--run .*no such file"):
        MEASURE.at(NO_LAKE, LATER, {"run": str(tmp_path / "absent")})


@pytest.mark.parametrize("stored_run", [True, False])
def test_before_the_night_was_over_nothing_is_known_of_it(
    stored: Path, stored_run: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_room, "run", lambda *_, **__: pytest.fail("a run was started"))
    given = {"run": str(stored)} if stored_run else {}
    with pytest.raises(MissingDataError, match="nothing is known of it"):
        MEASURE.at(NO_LAKE, time_ns("2025-10-10T21:00"), given)


def test_without_a_stored_run_the_scenario_is_run_with_eight_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def quick(scenario: str, *, seeds: int, accounts: int | None, **_: Any) -> Answer:
        asked.append((scenario, seeds, accounts))
        return answer("oct-10-four-venues")

    monkeypatch.setattr(run_room, "run", quick)
    row = MEASURE.at(NO_LAKE, LATER, {}).reading("mechanical_share")
    assert asked == [("oct-10", 8, None)]
    assert row is not None
    assert row["data"] == "run of oct-10-four-venues, made for this"


def test_a_run_of_few_seeds_gives_no_share_since_two_draws_lie_close_by_chance(tmp_path: Path) -> None:
    folder = write_answer(answer(seeds=2), tmp_path / "out", scenario=Scenario.load("oct-10-binance"))
    found = MEASURE.at(NO_LAKE, LATER, {"run": str(folder)})
    row, draws = found.reading("mechanical_share"), found.reading("mechanical_share_draws")
    assert row is not None and draws is not None
    assert (row["value"], row["low"], row["high"]) == (None, None, None)
    assert "a run of 2 seeds" in row["note"]
    assert "deleverage run oct-10-binance --seeds 8" in row["note"]
    assert draws["value"] == answer().summary["mechanical_share"]["BTC"]["mean"]
