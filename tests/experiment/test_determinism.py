"""The same seed gives the same bytes: whatever the threads, the processes, the order of rows, or a replay."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from deleverage import schema
from deleverage.cli.run import Executor
from deleverage.cli.run import _again as replayed_by_the_command
from deleverage.engine.setup import MarketWorld, permuted
from deleverage.experiment import ensemble
from deleverage.experiment.answer import Answer
from deleverage.experiment.output import read_replay, write_answer
from deleverage.experiment.run import run
from deleverage.experiment.scenario import Scenario
from deleverage.experiment.world import world_of
from tests.experiment.small import ACCOUNTS, SEEDS, answer_of, every_table, pair, simulated, without_clock


def same(one: Answer, two: Answer) -> bool:
    return every_table(one) == every_table(two) and without_clock(one.summary) == without_clock(two.summary)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_number_of_threads_changes_no_byte(small_answer: Answer, workers: int) -> None:
    assert same(answer_of(pair(), workers=workers), small_answer)


@pytest.mark.slow
def test_processes_instead_of_threads_change_no_byte(small_answer: Answer) -> None:
    assert same(answer_of(pair(), executor="process", workers=2), small_answer)


def test_another_seed_changes_every_draw(small_answer: Answer) -> None:
    other = answer_of(pair(), seed=1)
    changed = {name for name, data in simulated(other).items() if data != simulated(small_answer)[name]}
    assert changed == set(simulated(small_answer))
    one, two = (answer.tables["draws"].sort("seed", "market") for answer in (small_answer, other))
    for column in ("shock", "fuel", "hidden_depth", "drop", "end"):
        assert (one[column] != two[column]).all(), column


def test_more_seeds_of_the_same_point_leave_the_accounts_of_the_first_as_they_were(
    small_answer: Answer,
) -> None:
    # Streams are named after the draw's number, not drawn one after another.
    few = answer_of(pair(news__shock=0.03, population__fuel=0.4, book__hidden_depth=1.5), seeds=2)
    many = answer_of(pair(news__shock=0.03, population__fuel=0.4, book__hidden_depth=1.5), seeds=6)
    first = pl.col("seed") < 2
    assert many.tables["values"].filter(first).equals(few.tables["values"])
    assert many.tables["minutes"].filter(first).equals(few.tables["minutes"])


# --- rows of the accounts ----------------------------------------------------------------------------


def reordered(name: str, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Let every world that a draw builds stand in another order; ``name``: 'rows', or 'wallets' alone."""
    moved: list[bool] = []

    def world(scenario: Scenario, seed: int, draw: int, accounts: int, **options: Any) -> MarketWorld:
        plain = world_of(scenario, seed, draw, accounts, **options)
        order = np.random.Generator(np.random.PCG64(draw + 100)).permutation(len(plain.uid))
        moved.append(bool((order != np.arange(len(order))).mean() > 0.9))
        if name == "rows":
            return permuted(plain, order)
        wallet = plain.wallet.copy()
        wallet[:accounts] = wallet[np.random.Generator(np.random.PCG64(draw)).permutation(accounts)]
        return replace(plain, wallet=wallet)

    monkeypatch.setattr(ensemble, "world_of", world)
    return moved


def test_the_order_of_the_accounts_changes_no_byte(
    small_answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = reordered("rows", monkeypatch)
    shuffled = answer_of(pair())
    assert len(moved) >= SEEDS
    assert all(moved)
    assert same(shuffled, small_answer)


def test_the_order_of_the_accounts_changes_no_byte_of_the_night(
    night_answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reordered("rows", monkeypatch)
    scenario = Scenario.load("oct-10-binance").with_settings({"end": "2025-10-10T21:04:00Z"})
    assert same(answer_of(scenario, seeds=4), night_answer)


def test_exchanging_wallets_between_accounts_is_noticed(
    small_answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reordered("wallets", monkeypatch)
    assert simulated(answer_of(pair()))["draws"] != simulated(small_answer)["draws"]


# --- a replay ----------------------------------------------------------------------------------------


def candles(scenario: Scenario) -> pl.DataFrame:
    """Two made-up bars of a market."""
    rows = [
        {
            "time_ns": scenario.start_ns + 60_000_000_000 * i,
            "venue": "binance",
            "kind": "perp",
            "coin": "ALPHA",
            "symbol": "ALPHAUSDT",
            "interval_s": 60,
            "open": 10_000.0,
            "high": 10_000.0,
            "low": 9_500.25 + i,
            "close": 9_800.125,
            "volume_coins": 5.5,
            "taker_buy_coins": None,
            "trades": None,
            "source": "made up",
        }
        for i in range(2)
    ]
    types = {column.name: getattr(pl, column.dtype) for column in schema.CANDLES.columns}
    return schema.conform(pl.DataFrame(rows, schema=types), schema.CANDLES)


def checksums(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())["tables"]
    return found


@pytest.mark.parametrize("observed", [True, False], ids=["with candles", "without candles"])
def test_a_replay_rebuilds_every_table_and_the_summary(observed: bool, tmp_path: Path) -> None:
    scenario = pair(news__shock=0.035)
    real = candles(scenario) if observed else None
    first = run(scenario, seeds=3, accounts=ACCOUNTS, seed=7, candles=real, workers=1)
    write_answer(first, tmp_path / "first", scenario=scenario)
    past = read_replay(tmp_path / "first")
    again = run(
        past.scenario,
        seeds=past.seeds,
        accounts=past.accounts,
        seed=past.seed,
        candles=past.candles,
        workers=2,
    )
    assert same(first, again)
    assert (first.tables["candles"].height > 0) is observed
    assert (first.summary["observed"]["ALPHA"] is not None) is observed
    write_answer(again, tmp_path / "again", scenario=past.scenario)
    assert checksums(tmp_path / "again") == checksums(tmp_path / "first")
    written = pl.read_parquet(tmp_path / "first" / "minutes.parquet")
    assert written.equals(first.tables["minutes"])


def test_the_command_replays_with_the_candles_of_the_first_run(tmp_path: Path) -> None:
    scenario = pair()
    first = run(scenario, seeds=2, accounts=ACCOUNTS, seed=3, candles=candles(scenario), workers=1)
    write_answer(first, tmp_path / "out", scenario=scenario)
    again, _ = replayed_by_the_command(
        tmp_path / "out" / "run.json", None, None, Executor.threads, workers=1, check=False
    )
    assert same(first, again)
    assert again.summary["observed"]["ALPHA"]["low"] == 9_500.25
