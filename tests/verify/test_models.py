"""Do the quick modules hold, and can their replications be told from wrong ones?"""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from deleverage.venues import binance
from verify import (
    adl_waves,
    fire_sales,
    geanakoplos,
    invariance,
    leverage_target,
    liquidation_prices,
    perpetual_price,
    thurner,
)
from verify.__main__ import FOLDER
from verify.verdict import Finding, NotRun, Verdict, passes

QUICK = (
    "adl_toy",
    "cross_impact",
    "geanakoplos",
    "insurance_fund",
    "invariance",
    "leverage_target",
    "liquidation_prices",
    "margin_spiral",
    "perpetual_price",
    "shapley_axioms",
    "vulnerable_banks",
)


@cache
def findings_of(name: str) -> list[Finding]:
    findings: list[Finding] = importlib.import_module(f"verify.{name}").verdicts()
    return findings


@pytest.mark.parametrize("name", QUICK)
def test_quick_module_holds(name: str) -> None:
    findings = findings_of(name)
    assert [x for x in findings if not passes(x)] == []
    assert any(isinstance(x, Verdict) for x in findings)


@pytest.mark.parametrize("name", QUICK)
def test_stored_file_says_what_the_module_says(name: str) -> None:
    saved = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["findings"]
    findings = findings_of(name)
    assert [(row["id"], row["what"]) for row in saved] == [(x.id, x.what) for x in findings]
    for row, finding in zip(saved, findings, strict=True):
        assert not isinstance(finding, NotRun)
        assert row["measured"] == pytest.approx(finding.measured, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("module", [fire_sales, adl_waves])
def test_without_data_nothing_is_said_to_hold(
    module: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELEVERAGE_TEST_DATA", str(tmp_path))
    findings = module.verdicts()  # type: ignore[attr-defined]
    assert all(isinstance(x, NotRun) and "DELEVERAGE_TEST_DATA" in x.why for x in findings)
    assert findings


# --- the replications, by hand -----------------------------------------------------------------------


def test_no_leverage_is_the_quadratic_of_geanakoplos() -> None:
    # (1 − b)(1 + p) = p with p = 0.2 + 0.8b: 0.8b² + 1.2b − 1 = 0.
    b = (-1.2 + (1.2**2 + 4 * 0.8) ** 0.5) / 1.6
    assert geanakoplos.static(0.0) == pytest.approx((b, 0.2 + 0.8 * b), abs=1e-12)


def test_a_solver_that_finds_no_root_says_so() -> None:
    with pytest.raises(ArithmeticError, match="expected a solution"):
        geanakoplos.solve(lambda x: (x[0] ** 2 + 1.0,), (0.5,))


def test_nothing_sold_moves_nothing() -> None:
    assert invariance.fall(20e9, 1.0, 0.02, 0.0) == 0.0
    # A day of 40 million at 2 % and 1 % of it sold: 5 basis points, by the constants.
    assert invariance.fall(40e6, 1.0, 0.02, 0.4e6) == pytest.approx(-np.expm1(-5e-4), rel=1e-12)


def test_funding_twice_as_frequent_halves_the_gap_of_the_future() -> None:
    gaps = [1.0 - perpetual_price.ratio(kappa, 0.1095, 0.05) for kappa in (1_095.0, 2_190.0)]
    assert gaps[0] / gaps[1] == pytest.approx(2.0, abs=1e-3)


def test_a_holder_of_leverage_one_trades_nothing() -> None:
    assert leverage_target.trade(Fraction(10), Fraction(10), Fraction(1, 100)) == 0


def test_hill_finds_the_index_of_pareto_draws() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    draws = (1.0 - rng.random(100_000)) ** (-1.0 / 3.0)
    assert thurner.hill(draws, 0.1) == pytest.approx(3.0, rel=0.05)


def test_funds_without_noise_stay_at_value() -> None:
    price = np.empty(200)
    state = [np.empty(10) for _ in range(4)]
    thurner.play(np.zeros(200), 5.0, price, *state)
    assert price == pytest.approx(np.ones(200), abs=1e-9)


def test_leverage_makes_the_tail_fatter_in_a_short_run_too() -> None:
    assert thurner.one_seed(0, 10.0, 20_000).hill_10 < thurner.one_seed(0, 1.0, 20_000).hill_10 - 0.5


def bank(equity: float, assets: float, corporate: float, government: float) -> fire_sales.Banks:
    return fire_sales.Banks(np.array([equity]), np.array([assets]), np.array([[corporate, government]]))


def test_a_sound_bank_does_nothing() -> None:
    assert fire_sales.run(bank(10.0, 100.0, 20.0, 20.0), 0.0, 0.01) == (0.0, 0.0)


def test_a_bank_that_the_shock_ruins_sells_everything() -> None:
    # E/A = 3.5 of 100; a tenth of 20 lost leaves 1.5 of 98.
    assert fire_sales.run(bank(3.5, 100.0, 20.0, 20.0), 0.1, 0.01) == (1.0, 1.0)


def test_a_bank_below_its_buffer_pays_from_cash_and_sells_the_rest() -> None:
    # E/A = 3.8 of 100: to shed 100 − 3.8/5 % = 24; cash pays 5, 19 of the 40 tradable are put up for sale.
    extent, sold = fire_sales.run(bank(3.8, 100.0, 20.0, 20.0), 0.0, 0.0)
    assert extent == 0.0
    assert sold == pytest.approx(19.0 / 40.0)


def test_two_banks_of_the_printed_zero_are_ruined_by_the_shock_alone() -> None:
    # NL33: equity 3,533 at 3.49 %, so assets 101,232; a tenth of 8,876 lost: 2,645 of 100,345 = 2.64 %.
    assets = 3_533 / 0.0349
    assert (3_533 - 887.6) / (assets - 887.6) == pytest.approx(0.0264, abs=5e-5)


def test_wrong_price_is_noticed_by_the_identity() -> None:
    one = next(
        liquidation_prices.accounts(binance.rules_at(liquidation_prices.DAY), "BTCUSDT", Fraction(115_000))
    )
    assert one.liquidation_price is not None
    assert liquidation_prices.gap_at_price(one) == 0
    moved = replace(one, liquidation_price=one.liquidation_price + 1)
    gap = liquidation_prices.gap_at_price(moved)
    assert gap is not None
    assert gap > Fraction(1, 10**9)
