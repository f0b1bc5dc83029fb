"""Is the outside generator what it claims to be, and is the estimator kept from the outcome?

How often the interval covers is measured by ``verify/known_truth.py``; no figure of it is asserted here.
"""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from pathlib import Path

import pytest

from verify import known_truth
from verify.known_truth import TRUE_SHARES, Observed, estimate, examine, generate, sentence, wilson


@pytest.mark.parametrize("target", TRUE_SHARES)
def test_the_share_is_known_by_construction(target: float) -> None:
    draw = generate(5, target)
    assert draw.truth == pytest.approx(target, abs=0.01)
    assert draw.truth == 1.0 - draw.drop_off / draw.drop_on
    assert (draw.drop_on == draw.drop_off) == (target == 0.0)
    assert generate(5, target) == draw


def test_the_generator_is_not_the_engine() -> None:
    source = inspect.getsource(known_truth)
    generator = source[source.index("# --- the outside generator") : source.index("# --- our estimator")]
    for name in ("simulate(", "fair_path(", "build_world(", "liquidation_distance(", "PopulationPrior("):
        assert name not in generator


def test_the_estimator_sees_only_what_stood_before_the_event() -> None:
    draw = generate(6, 0.25)
    first = estimate(draw.observed, (1, 2))
    assert -0.05 <= first[0] <= first[1] <= first[2] <= 1.0
    assert estimate(draw.observed, (1, 2)) == first
    # A market with a hundred times the book is another market; the estimator says so.
    deep = replace(
        draw.observed,
        **{
            name: 100.0 * getattr(draw.observed, name)
            for name in ("depth_bid_coins", "depth_ask_coins", "spot_bid_coins", "spot_ask_coins")
        },
    )
    assert estimate(deep, (1, 2))[2] < 0.1 < first[2]


def test_the_table_counts_what_an_estimator_covers() -> None:
    rows, details = examine(1, estimator=lambda observed, seeds: (0.2, 0.4, 0.6))
    assert [row.covered for row in rows] == [0, 1, 1, 0, 2]
    assert (rows[-1].above, rows[-1].below, rows[-1].draws) == (1, 1, 4)
    assert rows[-1].mean_width == pytest.approx(0.4)
    assert rows[-1].coverage_low == wilson(2, 4)[0]
    assert len(details) == 4
    assert "2 of 4" in sentence(rows[-1])


def test_the_verdict_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def narrow(observed: Observed, seeds: object) -> known_truth.Interval:
        return (0.0, 0.1, 0.3)

    monkeypatch.setattr(known_truth.examine, "__kwdefaults__", {"first_seed": 0, "estimator": narrow})
    out = tmp_path / "deep" / "verdict.json"
    assert known_truth.main(["--draws", "1", "--out", str(out)]) == 0
    verdict = json.loads(out.read_text(encoding="utf-8"))
    assert verdict["rows"][-1]["covered"] == 2
    assert verdict["sentence"]


@pytest.mark.slow
def test_the_real_estimator_runs_over_a_small_table() -> None:
    rows, _ = examine(2)
    assert rows[-1].draws == 8
    assert 0 <= rows[-1].covered <= 8
