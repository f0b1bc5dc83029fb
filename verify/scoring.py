"""Do the scores have the values that they must have by arithmetic (PS-1)?

python -m verify.scoring
"""

from __future__ import annotations

import math
import sys

import numpy as np

from deleverage.measure.scoring import brier, crps_normal, crps_sample, log_loss, skill, skill_interval
from verify.verdict import Verdict

CHANCES = (0.1, 0.35, 0.5)
OFTEN = 20_000
SOURCE = "science.md §5, PS-1"


def verdicts() -> list[Verdict]:
    """PS-1: a perfect forecast, climatology, and the CRPS of a standard normal at 0; each a few ms."""
    found = []
    for p in CHANCES:
        happened = (np.arange(OFTEN) < round(p * OFTEN)).astype(np.float64)
        perfect, climate = happened, np.full(OFTEN, p)
        worth = -(p * math.log(p) + (1 - p) * math.log(1 - p))
        found += [
            _exact(f"PS-1 Brier, perfect, p={p}", "Brier", 0.0, float(brier(perfect, happened).mean())),
            _exact(
                f"PS-1 Brier, climatology, p={p}",
                "p(1−p)",
                p * (1 - p),
                float(brier(climate, happened).mean()),
            ),
            _exact(
                f"PS-1 log score, climatology, p={p}",
                "entropy",
                worth,
                float(log_loss(climate, happened).mean()),
            ),
            _exact(
                f"PS-1 skill of climatology, p={p}",
                "1 − BS ÷ BS",
                0.0,
                skill(brier(climate, happened), brier(climate, happened)),
            ),
        ]
    found.append(
        Verdict(
            "PS-1 CRPS of N(0,1) at 0", "closed form", 0.233695, float(crps_normal(0.0, 1.0, 0.0)), 1e-6,
            "sd", SOURCE,
        )
    )  # fmt: skip
    stream = np.random.Generator(np.random.PCG64(1))
    found.append(
        Verdict(
            "PS-1 CRPS of a sample of N(0,1) at 0", "200,000 draws", 0.233695,
            crps_sample(stream.standard_normal(200_000), 0.0), 1e-3, "sd", SOURCE,
        )
    )  # fmt: skip
    found.append(_coverage())
    return found


def _coverage() -> Verdict:
    """How often does the skill's 90 % interval hold the truth where days hang together for 30 days?

    A forecaster with a known skill: y ~ Bernoulli(q) with q of 0.3 or 0.7, drawn anew every 30 days and told
    to the forecaster; y is drawn once for 30 days, too. Skill 1 − 0.21 ÷ 0.25 = 0.16.
    """
    stream = np.random.Generator(np.random.PCG64(2))
    worlds, inside = 500, 0
    for _ in range(worlds):
        q = np.where(stream.random(120) < 0.5, 0.3, 0.7)
        y = (stream.random(120) < q).astype(np.float64)
        forecast, happened = np.repeat(q, 30), np.repeat(y, 30)
        reference = brier(np.full(happened.size, 0.5), happened)
        found = skill_interval(brier(forecast, happened), reference, stream, block=90, draws=200)
        inside += found.low <= 0.16 <= found.high
    return Verdict(
        "PS-1 coverage of the skill's 90 % interval", "500 worlds of 120 independent months, blocks of 90 d",
        0.90, inside / worlds, 0.08, "share", "the nominal level",
        "blocks are few and cut through months, so the interval is a little narrow: it holds some 0.86 "
        "(standard error 0.015); read 90 % as 85 %",
    )  # fmt: skip


def _exact(name: str, what: str, expected: float, measured: float) -> Verdict:
    return Verdict(name, what, expected, measured, 1e-9, "score", SOURCE)


def main() -> int:
    """Print them; 1 if one does not hold."""
    rows = verdicts()
    for row in rows:
        print(
            f"{'ok ' if row.holds else 'NOT'} {row.id}: {row.measured:.6f}, expected {row.expected:.6f} "
            f"± {row.tolerance:g}"
        )
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
