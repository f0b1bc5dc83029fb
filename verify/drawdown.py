"""Do the drawdown's laws give the numbers of theory: MDD-1?

Expected values are those of the literature and of an independent finite-difference and simulation
study (science notes §5: Magdon-Ismail et al. 2004; Broadie, Glasserman and Kou 1997), typed here; measured
ones come from the functions that `measure drawdown` calls.

    python -m verify.drawdown
"""

from __future__ import annotations

import math

import numpy as np

from deleverage.measure.drawdown.bootstrap import largest_falls, stream
from deleverage.measure.drawdown.brownian import SAMPLING, expected, log_depth, probability, quantile
from verify.verdict import Verdict

NOTES = "science notes §5"
PAPER = "Magdon-Ismail et al. 2004; science notes §5, by finite differences"
KOU = "Broadie, Glasserman and Kou 1997; science notes §5"
PATHS = 4_000


def verdicts() -> list[Verdict]:
    """Constant and quantiles without drift, the table with drift, sampling at n points, the application."""
    found = [
        Verdict("MDD-1 mean", "E[MDD], σ√T = 1", math.sqrt(math.pi / 2), expected(1.0, 1.0), 1e-3, "", NOTES)
    ]
    for level, value in ((0.5, 1.1490), (0.9, 1.95996), (0.95, 2.2414), (0.99, 2.8070)):
        found.append(
            Verdict(
                f"MDD-1 {level:g}", "quantile, σ√T = 1", value, quantile(level, 1.0, 1.0), 1e-3, "", NOTES
            )
        )
    for drift, value in (
        (-1.0, 1.772),
        (-0.5, 1.487),
        (0.0, 1.253),
        (0.5, 1.069),
        (1.0, 0.925),
        (2.0, 0.727),
    ):
        found.append(
            Verdict(
                f"MDD-1 µ = {drift:g}", "E[MDD], σ = T = 1", value, expected(1.0, 1.0, drift), 3e-3, "", PAPER
            )
        )
    for count, value, simulated in ((250, 1.180, 1.180), (1000, 1.216, 1.215), (4000, 1.235, 1.229)):
        shown = expected(1.0, 1.0, samples=count)
        what = f"E[MDD] seen at {count} points, corrected"
        found.append(Verdict(f"MDD-1 n = {count}", what, value, shown, 1e-3, "", KOU))
        # ±.0036 is one standard error of the notes' simulation
        found.append(
            Verdict(
                f"MDD-1 n = {count}, simulated", what, simulated, shown, 2 * 0.0036, "", NOTES,
                note="the notes' simulation, two standard errors",
            )
        )  # fmt: skip
    found += _own_paths()
    for volatility, value in ((0.4, 0.016), (0.5, 0.067), (0.6, 0.15)):
        p = probability(log_depth(-0.3), volatility, 41 / 365)
        found.append(
            Verdict(
                f"MDD-1 −30 % in 41 d, {volatility:.0%}", "probability without drift", value, p,
                0.005 if volatility == 0.6 else 0.0005, "share", NOTES, note="as the notes print it",
            )
        )  # fmt: skip
    return found


def _own_paths() -> list[Verdict]:
    """Falls of simulated paths, counted by the bootstrap's own function, against the corrected law."""
    found = []
    count, depth = 250, 1.5
    for drift in (0.0, -1.0, 1.0):
        draw = stream("verify", "MDD-1", f"{drift:g}")
        steps = draw.standard_normal(PATHS * count) / math.sqrt(count) + drift / count
        steps = np.concatenate((steps, [0.0]))
        # a day without a move before the first keeps the start as a high
        picked = np.arange(PATHS * count).reshape(PATHS, count)
        picked = np.concatenate((np.full((PATHS, 1), PATHS * count), picked), axis=1)
        share = float((largest_falls(steps, steps, steps, picked) >= depth).mean())
        law = probability(depth, 1.0, 1.0, drift, samples=count)
        error = math.sqrt(law * (1 - law) / PATHS)
        found.append(
            Verdict(
                f"MDD-1 paths, µ = {drift:g}", f"P(MDD ≥ {depth:g}) at {count} points", law, share, 3 * error,
                "share", KOU, note=f"{PATHS:,} paths, 3 standard errors; shift of 2·{SAMPLING}·σ√(T/n)",
            )
        )  # fmt: skip
    return found


if __name__ == "__main__":
    for verdict in verdicts():
        print(
            f"{'holds' if verdict.holds else 'FAILS':6s} {verdict.id:28s} {verdict.what:42s} "
            f"expected {verdict.expected:.5g} ± {verdict.tolerance:.2g}, found {verdict.measured:.5g}"
        )
