"""Acceptance 6: nothing stamped after 21:05, and nothing published, reaches a simulated number."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from deleverage.data import Lake
from deleverage.experiment.answer import Answer
from deleverage.experiment.run import run
from deleverage.experiment.scenario import Scenario
from deleverage.schema import LAKE_TABLES
from tests.acceptance.night import BOOK, CUT_MS, MINUTES, lake_of, other_published, scramble
from tests.experiment.small import bytes_of, simulated

pytestmark = pytest.mark.slow

CUT_NS = CUT_MS * 1_000_000


SMALL = {"run.points": 2, "run.tipping_seeds": 2, "run.tipping_depths": [0.5, 1.0]}


def night(scenario: Scenario, lake: Lake) -> tuple[Scenario, Answer]:
    seen = scenario.with_settings(SMALL).with_lake(lake)
    return seen, run(seen, seeds=4, accounts=400, workers=1, lake=lake)


@pytest.fixture(scope="module")
def real(lake: Lake) -> tuple[Scenario, Answer]:
    return night(Scenario.load("oct-10-binance"), lake)


@pytest.fixture(scope="module")
def other_lake(night_files: Path, test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("scrambled")
    shutil.copytree(night_files, folder / "data")
    scramble(folder / "data", test_data)
    return lake_of(folder / "data", folder / "lake")


@pytest.fixture(scope="module")
def scrambled(other_lake: Lake) -> tuple[Scenario, Answer]:
    return night(other_published("oct-10-binance"), other_lake)


def known(name: str, rows: pl.DataFrame) -> pl.Series:
    """Which rows of a lake table were known at the cut: stamped up to it, and bars that ended by then."""
    length = rows["interval_s"] * 1_000_000_000 if name == "candles" else pl.Series([0] * rows.height)
    return rows["time_ns"] + length <= CUT_NS


# What the files of the night hold; the other tables of a lake have nothing to do with the scenario.
FILLED = ("candles", "open_interest", "depth", "funding", "snapshots", "tiers", "adl_totals")


@pytest.mark.parametrize("name", FILLED)
def test_the_scramble_changed_what_came_later_and_only_that(name: str, lake: Lake, other_lake: Lake) -> None:
    keys = list(LAKE_TABLES[name].key)
    before, after = (each.read(name).sort(keys) for each in (lake, other_lake))
    early = before.filter(known(name, before))
    assert after.filter(known(name, after)).equals(early)
    assert early.height > 0 or name == "adl_totals"  # deleveraging began at 21:15
    late, other = before.filter(~known(name, before)), after.filter(~known(name, after))
    values = [c.name for c in LAKE_TABLES[name].columns if c.dtype == "Float64" and c.name not in keys]
    both = late.join(other, on=keys, suffix="_other")
    assert both.height >= 0.9 * late.height > 0
    same = both.select(
        pl.all_horizontal(pl.col(v).eq_missing(pl.col(f"{v}_other")) for v in values)
    ).to_series()
    # Rates of funding and tiers repeat from night to night; a price or a depth does not.
    assert same.mean() < {"funding": 0.6, "tiers": 0.99}.get(name, 0.01)  # type: ignore[operator]


def test_simulated_tables_are_byte_identical(
    real: tuple[Scenario, Answer], scrambled: tuple[Scenario, Answer]
) -> None:
    assert simulated(real[1]) == simulated(scrambled[1])
    assert len(simulated(real[1])) == 8


def test_the_figures_that_a_simulation_depends_on_are_the_same(
    real: tuple[Scenario, Answer], scrambled: tuple[Scenario, Answer]
) -> None:
    assert real[0].figures_sha256() == scrambled[0].figures_sha256()
    columns = ["key", "value", "unit", "mark"]
    assert real[1].tables["figures"].select(columns).equals(scrambled[1].tables["figures"].select(columns))
    assert real[0].sha256() != scrambled[0].sha256()


def test_the_comparison_did_change(real: tuple[Scenario, Answer], scrambled: tuple[Scenario, Answer]) -> None:
    for name in ("candles", "published"):
        assert bytes_of(real[1].tables[name]) != bytes_of(scrambled[1].tables[name])
    assert real[1].summary["observed"] != scrambled[1].summary["observed"]
    for key in ("price", "mechanical_share", "liquidations", "adl", "open_interest", "tipping", "ledger"):
        assert real[1].summary[key] == scrambled[1].summary[key]


def test_the_comparison_is_with_the_real_minutes(real: tuple[Scenario, Answer]) -> None:
    seen = real[1].summary["observed"]["BTC"]
    assert (seen["start"], seen["low"], seen["low_at"]) == (116_836.7, 101_516.5, "2025-10-10T21:20:00Z")
    assert seen["drop"] == pytest.approx(0.13112, abs=5e-6)
    bars = real[1].tables["candles"].filter(pl.col("coin") == "BTC").sort("time_ns")
    assert bars.group_by("kind", "interval_s").len().sort("kind").rows() == [
        ("perp", 60, 71),
        ("spot", 300, 6),
    ]
    assert real[1].summary["observed"]["ETH"]["bar_s"] == 3600


# --- what was known before does reach them ----------------------------------------------------------


def depth_of_20_00(folder: Path) -> None:
    """Half the bids of BTC at 20:00 UTC."""
    frame = pl.read_parquet(folder / BOOK)
    at_start = pl.col("time") == 1_760_126_400_000
    assert frame.filter(at_start).height == 1
    halved = [
        pl.when(at_start).then(pl.col(c) / 2).otherwise(c).alias(c) for c in ("bids_usd", "bids_quantity")
    ]
    frame.with_columns(halved).write_parquet(folder / BOOK)


def open_of_20_49(folder: Path) -> None:
    """The perpetual opens ten dollars lower."""
    text = (folder / MINUTES).read_text()
    assert text.count("1760129340000,116836.70,") == 1
    (folder / MINUTES).write_text(text.replace("1760129340000,116836.70,", "1760129340000,116826.70,"))


@pytest.mark.parametrize("change", [depth_of_20_00, open_of_20_49], ids=lambda c: c.__name__)
def test_a_row_of_before_changes_the_simulation(
    change: object, night_files: Path, tmp_path: Path, real: tuple[Scenario, Answer]
) -> None:
    assert callable(change)
    shutil.copytree(night_files, tmp_path / "data")
    change(tmp_path / "data")
    seen, answer = night(Scenario.load("oct-10-binance"), lake_of(tmp_path / "data", tmp_path / "lake"))
    assert seen.figures_sha256() != real[0].figures_sha256()
    same = {name for name, data in simulated(answer).items() if data == simulated(real[1])[name]}
    assert same <= {"map"}  # shares of the price, and ten dollars more or less liquidate the same accounts
