"""Is the report free to answer 'none', and does it say what is wrong?"""

from __future__ import annotations

from typing import Any

import pytest

from deleverage.report import words
from tests.report.sample import FULL, NONE, SMALL, UNDEFINED, sample


@pytest.mark.parametrize(
    ("mean", "se", "band", "expected"),
    [
        (0.54, 0.01, [0.38, 0.70], "open"),
        (0.62, 0.01, [0.55, 0.70], "most"),
        (0.20, 0.01, [0.10, 0.30], "part"),
        (0.02, 0.01, [-0.01, 0.05], "none"),
        (0.02, 0.02, [0.01, 0.05], "none"),  # 1.645 standard errors reach below zero
        (0.02, 0.001, None, "part"),
        (None, None, None, "not observed"),
        (float("nan"), None, None, "not observed"),
    ],
)
def test_the_verdict_follows_the_interval(mean: Any, se: Any, band: Any, expected: str) -> None:
    assert words.verdict({"mean": mean, "se": se, "prior_band": band}) == expected


def test_nothing_liquidated_is_said() -> None:
    text = " ".join(words.three_sentences(sample(NONE).summary))
    assert "interval includes 0" in text
    assert "does not show that any of it was" in text
    assert "in any of 16 seeds" in text
    assert "no tipping point was found" in text
    assert "no real candles" in text


def test_three_sentences_begin_with_their_intervals() -> None:
    sentences = words.three_sentences(sample(FULL).summary)
    assert len(sentences) == 3
    for sentence in sentences:
        assert sentence[0] in "−$0123456789"
        assert "]" in sentence[:40]


def test_a_placebo_that_is_not_zero_warns() -> None:
    assert any("placebo of BTC" in text for text in words.warnings(sample(SMALL).summary))
    assert not any("placebo" in text for text in words.warnings(sample(FULL).summary))


def test_a_ledger_that_does_not_close_warns_first() -> None:
    assert "must not be used" in words.warnings(sample(FULL, residual=3).summary)[0]


def test_shares_that_do_not_exist_are_not_observed() -> None:
    summary = sample(UNDEFINED).summary
    assert words.parts_of(summary, "BTC") == []
    assert words.mechanical_sentence(summary, "BTC").endswith("was not computed")


def test_rows_of_the_attribution_sum_to_the_whole_fall() -> None:
    parts = words.parts_of(sample(FULL).summary, "BTC")
    rows = [p.mean for p in parts if not p.strong and "never" not in p.name and "placebo" not in p.name]
    assert sum(rows) == pytest.approx(1.0)
