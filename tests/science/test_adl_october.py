"""ADL-3: what do the published figures of the ADL of 2025-10-10 add up to, and which are wrong?

Data (Hyperliquid): `policy_per_wave_metrics.csv`, `bad_debt_loser_waves.csv`, `headlines.json` and
`per_shock_metrics_queue.csv` of autodeleveraging-analysis at aae0be8 (MIT). A wave is a run of ADL fills,
less than 5 s apart.

    B       needed: Σ |mark − execution|·|size| over the wave's ADL fills
    H_prod  taken by the venue: Σ over winners of equity at the wave's end without − with their ADL fills
    D       deficit: Σ of the negative equities of the accounts whose liquidation the fills belong to
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest

from deleverage.venues.adl import metrics

FOLDER = "hyperliquid_adl_20251010_pluriholonomic"
POLICIES = ("prod", "pr", "pnl_pr", "eq_pr", "vector", "contract_pr", "fixed_point_ilp_integer")
ONE_USD = 1.0


@pytest.fixture(scope="module")
def folder(test_data: Path) -> Path:
    path = test_data / FOLDER
    if not path.is_dir():
        pytest.skip(f"no {FOLDER} in {test_data}: ADL-3 needs the published waves")
    return path


@pytest.fixture(scope="module")
def waves(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / "policy_per_wave_metrics.csv")


def exact(column: pl.Series) -> list[Fraction]:
    return [Fraction(value) for value in column]


def total(column: pl.Series) -> float:
    return float(sum(exact(column)))


def overshoots(waves: pl.DataFrame, policy: str) -> list[Fraction]:
    """O = H − B of a policy, wave by wave, from the budgets."""
    taken, needed = exact(waves[f"budget_{policy}"]), exact(waves["budget_needed"])
    return [metrics.overshoot(h, b) for h, b in zip(taken, needed, strict=True)]


def regrets(waves: pl.DataFrame, policy: str) -> Fraction:
    """Σ |H − B| + |max share − max share of the 'ILP'|·B."""
    columns = (
        f"budget_{policy}",
        "budget_needed",
        f"max_pct_{policy}",
        "max_pct_fixed_point_ilp_integer",
    )
    rows = zip(*(exact(waves[name]) for name in columns), strict=True)
    return sum((metrics.regret(h, b, share, least) for h, b, share, least in rows), Fraction(0))


# --- the figures, to 1 USD ---------------------------------------------------------------------------


def test_totals_of_the_sixteen_waves(waves: pl.DataFrame) -> None:
    produced = overshoots(waves, "prod")
    assert waves.height == 16
    assert total(waves["budget_needed"]) == pytest.approx(15_079_669.61, abs=ONE_USD)
    assert total(waves["budget_prod"]) == pytest.approx(60_108_335.33, abs=ONE_USD)
    assert float(sum(produced)) == pytest.approx(45_028_665.72, abs=ONE_USD)
    assert float(sum(map(abs, produced))) == pytest.approx(53_782_490.53, abs=ONE_USD)


@pytest.mark.parametrize(
    ("policy", "usd"),
    [
        ("pr", 0.0),
        ("pnl_pr", 0.0),
        ("eq_pr", 0.0),
        ("vector", -1_793_022.0),
        ("contract_pr", -3_020_121.0),
        ("fixed_point_ilp_integer", 92_187.0),
    ],
)
def test_overshoot_of_each_policy(waves: pl.DataFrame, policy: str, usd: float) -> None:
    ours = overshoots(waves, policy)
    assert float(sum(ours)) == pytest.approx(usd, abs=ONE_USD)
    assert [float(x) for x in ours] == pytest.approx(waves[f"overshoot_{policy}"].to_list(), abs=1e-6)


# H_prod at 0, 0.5, 1, 2 and 5 s after each wave's end, B the same: published in
# out/eval_horizon_sweep_gap_ms=5000.csv, which is not in the folder of data.
H_PROD_BY_HORIZON = {
    0: 60_108_335.328144774,
    500: 66_753_276.21823378,
    1_000: 66_091_792.83439987,
    2_000: 62_526_361.714594774,
    5_000: 64_353_144.63285082,
}


def test_band_of_horizons(waves: pl.DataFrame) -> None:
    needed = total(waves["budget_needed"])
    band = {horizon: taken - needed for horizon, taken in H_PROD_BY_HORIZON.items()}
    assert total(waves["budget_prod"]) == pytest.approx(H_PROD_BY_HORIZON[0], abs=ONE_USD)
    assert min(band.values()) == pytest.approx(45_028_665.72, abs=ONE_USD)
    assert max(band.values()) == pytest.approx(51_673_606.61, abs=ONE_USD)
    assert max(band, key=lambda horizon: band[horizon]) == 500


def test_winners_own_several_times_what_they_won(folder: Path) -> None:
    headline = json.loads((folder / "headlines.json").read_text(encoding="utf-8"))["headline"]
    ratio = headline["winner_overcollateralization_equity_over_pnl"]
    assert ratio["n_users"] == 17_771
    assert ratio["median"] == pytest.approx(4.41, abs=0.005)
    assert ratio["trimmed_mean"] == pytest.approx(6.66, abs=0.005)
    # The plain mean is 303: why nobody may divide equities by it.
    assert ratio["mean"] > 60 * ratio["median"]


def test_regret(waves: pl.DataFrame) -> None:
    found = {policy: float(regrets(waves, policy)) for policy in POLICIES}
    assert found["prod"] == pytest.approx(64_859_522.21, abs=ONE_USD)
    assert found["pr"] == pytest.approx(2_732_437.29, abs=ONE_USD)
    assert found["pnl_pr"] == pytest.approx(1_677_764.43, abs=ONE_USD)
    assert found["vector"] == pytest.approx(4_413_367.61, abs=ONE_USD)
    assert found["contract_pr"] == pytest.approx(3_404_185.00, abs=ONE_USD)
    # Best of those that are not the yardstick themselves, against the venue: 2.6 %.
    assert found["pnl_pr"] / found["prod"] == pytest.approx(0.026, abs=5e-4)


def test_published_ratios_divide_by_what_the_policy_left_of_the_deficit(waves: pl.DataFrame) -> None:
    checked = 0
    for row in waves.iter_rows(named=True):
        deficit, worst = Fraction(row["deficit_usd"]), Fraction(row["max_loss_usd"])
        needed = Fraction(row["budget_needed"])
        assert float(metrics.severity(needed, deficit)) == pytest.approx(row["theta_needed_capped"], rel=1e-9)
        for policy in POLICIES:
            taken = Fraction(row[f"budget_{policy}"])
            if row[f"ptsr_{policy}"] is None:
                assert taken >= deficit * (1 - Fraction(1, 10**9))
                continue
            # The largest survivor is not in the file: RD-NSE = top ÷ (top + D − H) gives it.
            share = Fraction(row[f"rd_nse_{policy}"])
            top = [share / (1 - share) * (deficit - taken)]
            again = metrics.ptsr(top, [0], deficit, covered=taken)
            pmr = metrics.pmr(top, [0], deficit, worst, covered=taken)
            assert again is not None
            assert pmr is not None
            assert float(again) == pytest.approx(row[f"ptsr_{policy}"], rel=1e-6)
            assert float(pmr) == pytest.approx(row[f"pmr_{policy}"], rel=1e-6)
            checked += 1
    assert checked == 86


# --- errors in the published material ----------------------------------------------------------------


def test_a_production_does_not_consistently_overshoot(waves: pl.DataFrame) -> None:
    produced = dict(zip(waves["wave"], overshoots(waves, "prod"), strict=True))
    assert [wave for wave, over in produced.items() if over < 0] == [1, 2, 4, 5, 9, 10]
    assert float(sum(over for over in produced.values() if over < 0)) == pytest.approx(-4_376_912.41, abs=1)
    assert float(produced[13] / sum(produced.values())) == pytest.approx(0.73, abs=0.005)


def test_b_one_loss_is_counted_in_nine_of_sixteen_waves(waves: pl.DataFrame, folder: Path) -> None:
    for table in (waves, pl.read_csv(folder / "bad_debt_loser_waves.csv")):
        worst = exact(table["max_loss_usd"])
        largest = max(worst)
        assert float(largest) == pytest.approx(10_925_707.16, abs=0.005)
        times = worst.count(largest)
        assert (times, table.height) == (9, 16)
        assert total(table["deficit_usd"]) == pytest.approx(100_063_386.69, abs=ONE_USD)
        # Equal to the last binary digit, so almost surely one account: it can be lost once only. Account ids
        # are not in the file; this is an inference, and the truth lies between the two sums.
        once = sum(exact(table["deficit_usd"])) - (times - 1) * largest
        assert float(once) == pytest.approx(12_657_729.41, abs=ONE_USD)


def test_b_other_public_sums_of_the_same_night_bracket_nothing(folder: Path) -> None:
    by_coin = total(pl.read_csv(folder / "per_shock_metrics_queue.csv")["deficit_usd"])
    # The same authors' table by coin: 23.19 M, elsewhere the figure of 302 accounts; 109.29 M in a third.
    assert by_coin == pytest.approx(23_191_104, rel=1e-3)
    assert 12_657_729 < by_coin < 100_063_387 < 109_290_000


def test_c_shortfalls_in_the_text_are_not_those_of_the_table(waves: pl.DataFrame) -> None:
    text = {"contract_pr": 1_500_000, "fixed_point_ilp_integer": 50_000}
    table = {policy: abs(float(sum(overshoots(waves, policy)))) for policy in text}
    assert table["contract_pr"] / text["contract_pr"] == pytest.approx(2.01, abs=0.01)
    assert table["fixed_point_ilp_integer"] / text["fixed_point_ilp_integer"] == pytest.approx(1.84, abs=0.01)


def test_d_first_version_s_653_million_is_another_quantity(waves: pl.DataFrame, folder: Path) -> None:
    shocks = pl.read_csv(folder / "per_shock_metrics_queue.csv")
    columns = (shocks["budget_queue_usd"], shocks["deficit_usd"])
    rows = list(zip(*map(exact, columns), strict=True))
    # Per coin and shock, a stylised queue's budget in excess of the deficit of that coin: equity, not profit.
    beyond = sum(max(Fraction(0), metrics.overshoot(h, d)) for h, d in rows)
    residual = sum(max(Fraction(0), metrics.overshoot(d, h)) for h, d in rows)
    assert shocks.height == 1_125
    assert float(beyond) == pytest.approx(653_552_663.51, abs=ONE_USD)
    assert float(residual) == pytest.approx(16_690_263.85, abs=ONE_USD)
    totals = pl.read_csv(folder / "summary_totals.csv").row(0, named=True)
    assert totals["total_overshoot"] == pytest.approx(float(beyond), abs=ONE_USD)
    # That queue's budget over that deficit is the "28 times". Corrected, in profits taken: 45 … 51.7 M.
    assert float(sum(h for h, _ in rows) / sum(d for _, d in rows)) == pytest.approx(28.5, abs=0.1)
    assert float(beyond / sum(overshoots(waves, "prod"))) == pytest.approx(14.5, abs=0.05)


def test_f_yardstick_called_ilp_is_not_the_least_largest_share(waves: pl.DataFrame) -> None:
    # Its optimum M would lie in 0 … 1 and be the largest share; here stands a greedy rounding's scale.
    scale = dict(zip(waves["wave"], waves["fixed_point_ilp_scale"], strict=True))
    assert {wave: value for wave, value in scale.items() if value > 1} == {
        7: 64.0,
        21: pytest.approx(1.0133, abs=1e-4),
    }
    assert all(value >= 1 for value in scale.values())
    assert max(exact(waves["max_pct_fixed_point_ilp_integer"])) < Fraction(4, 10)
    # And where it misses the budget: by 7,009 USD of 8,056 in wave 7; +92,187 in all is a sum of both signs.
    missed = dict(zip(waves["wave"], overshoots(waves, "fixed_point_ilp_integer"), strict=True))
    assert {wave: float(over) for wave, over in missed.items() if over < 0} == {
        7: pytest.approx(-7_009.41, abs=0.01)
    }
    assert float(sum(map(abs, missed.values()))) == pytest.approx(106_205.81, abs=ONE_USD)


def test_needed_budget_is_a_seventh_of_the_deficit_it_is_compared_with(waves: pl.DataFrame) -> None:
    share = total(waves["budget_needed"]) / total(waves["deficit_usd"])
    assert share == pytest.approx(0.1507, abs=1e-4)
    # In four waves B is above D, so that the published severity is cut at 1 without a word.
    above = waves.filter(pl.col("budget_needed") > pl.col("deficit_usd"))
    assert above["wave"].to_list() == [7, 9, 17, 28]
