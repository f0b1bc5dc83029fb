"""What do the published figures of the deleveraging of 2025-10-10 add up to, by our metrics? ADL-3.

A wave is a run of ADL fills less than 5 s apart. B: what was needed, Σ |mark − execution|·|size|. H: what the
venue took from the winners. O = H − B. Sums are of exact fractions of the printed decimals.

Source: autodeleveraging-analysis at aae0be8 (MIT), `policy_per_wave_metrics.csv` and `headlines.json`; sums
and errors found: design notes, `science.md` §3.2.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import polars as pl

from deleverage.venues.adl import metrics
from verify.data import find
from verify.verdict import Departure, Finding, NotRun, Verdict

SOURCE = "published per-wave table; sums: design notes §3.2"
FOLDER = "hyperliquid_adl_20251010_pluriholonomic"
OVERSHOOT = {
    "pro-rata": ("pr", 0.0),
    "vector": ("vector", -1_793_022.0),
    "contract pro-rata": ("contract_pr", -3_020_121.0),
    "'ILP'": ("fixed_point_ilp_integer", 92_187.0),
}
LARGEST_OF_HORIZONS = 66_753_276.21823378
"""H at 0.5 s after each wave's end, the most of five horizons: `out/eval_horizon_sweep_gap_ms=5000.csv`,
which is not among the data."""


def exact(column: pl.Series) -> list[Fraction]:
    """The values as they are stored, without rounding in sums."""
    return [Fraction(value) for value in column]


def overshoots(waves: pl.DataFrame, policy: str) -> list[Fraction]:
    """O of a policy, wave by wave."""
    taken, needed = exact(waves[f"budget_{policy}"]), exact(waves["budget_needed"])
    return [metrics.overshoot(h, b) for h, b in zip(taken, needed, strict=True)]


def of_folder(folder: Path) -> list[Finding]:
    """All comparisons with the files of a folder."""
    waves = pl.read_csv(folder / "policy_per_wave_metrics.csv")
    needed = sum(exact(waves["budget_needed"]))
    taken = sum(exact(waves["budget_prod"]))
    venue = overshoots(waves, "prod")
    over = float(sum(venue))
    worst = exact(waves["max_loss_usd"])
    times = worst.count(max(worst))
    deficit = sum(exact(waves["deficit_usd"]))
    once = float(deficit - (times - 1) * max(worst))
    ratio = json.loads((folder / "headlines.json").read_text(encoding="utf-8"))["headline"][
        "winner_overcollateralization_equity_over_pnl"
    ]

    def usd(what: str, expected: float, measured: float, note: str = "") -> Verdict:
        return Verdict("ADL-3", what, expected, measured, 1.0, "USD", SOURCE, note)

    typed = "its H is typed from a published file that is not among the data"
    first, one = "the first of two sums that are both published", "one loss can be lost once only"
    short_contract = -float(sum(overshoots(waves, "contract_pr")))
    short_ilp = -float(sum(overshoots(waves, "fixed_point_ilp_integer")))
    return [
        Verdict("ADL-3", "waves", 16.0, float(waves.height), 0.0, "1", SOURCE),
        usd("needed, ΣB", 15_079_669.61, float(needed)),
        usd("taken by the venue, ΣH", 60_108_335.33, float(taken)),
        usd("overshoot, Σ(H − B)", 45_028_665.72, over),
        usd("overshoot at the largest horizon", 51_673_606.61, LARGEST_OF_HORIZONS - float(needed), typed),
        usd("Σ|H − B|", 53_782_490.53, float(sum(map(abs, venue)))),
        *(
            usd(f"overshoot of {name}", expected, float(sum(overshoots(waves, column))))
            for name, (column, expected) in OVERSHOOT.items()
        ),
        Verdict("ADL-3", "winners' equity ÷ profit, median", 4.41, ratio["median"], 5e-3, "x", SOURCE),
        Verdict("ADL-3", "winners' equity ÷ profit, trimmed", 6.66, ratio["trimmed_mean"], 5e-3, "x", SOURCE),
        Verdict("ADL-3", "waves that count the same largest loss", 9.0, float(times), 0.0, "of 16", SOURCE),
        usd("deficit ΣD as printed", 100_063_386.69, float(deficit), first),
        usd("deficit with that loss counted once", 12_657_729.41, once, one),
        Departure(
            "ADL-3",
            "waves in which the venue undershot",
            0.0,
            float(sum(x < 0 for x in venue)),
            0.0,
            "of 16",
            "text of arXiv 2512.01112: 'consistently overshoots'",
            "H < B in six waves; wave 13 alone is 73 % of the overshoot",
        ),
        Departure(
            "ADL-3",
            "shortfall of contract pro-rata",
            1_500_000.0,
            short_contract,
            5e4,
            "USD",
            "text of arXiv 2512.01112",
            "the authors' own table says twice as much",
        ),
        Departure(
            "ADL-3",
            "shortfall of 'ILP'",
            50_000.0,
            short_ilp,
            5e3,
            "USD",
            "text of arXiv 2512.01112",
            "in the authors' own table it takes too much, not too little",
        ),
    ]


def verdicts() -> list[Finding]:
    """The comparisons, or what is missing for them."""
    folder = find(FOLDER)
    if folder is None:
        why = f"no {FOLDER} in the folder of data: set DELEVERAGE_TEST_DATA to the folder that holds it"
        return [NotRun("ADL-3", "sixteen waves of 2025-10-10", why)]
    return of_folder(folder)
