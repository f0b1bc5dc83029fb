"""How large an insurance fund is when a dollar of it costs r and a dollar of deficit κ? IF-1.

The newsvendor's answer: the quantile 1 − r/κ of the deficit D. Known where D is Exp(1), ln(κ/r), and where it
is Pareto(α, x_m), x_m·(κ/r)^(1/α). Deficits are drawn and the fund is the quantile of the draws, as it is of
simulated deficits. (The program itself sizes no fund yet; it simulates D.)

Source: design notes, `science.md` §3.3.
"""

from __future__ import annotations

import math

import numpy as np

from verify.verdict import Verdict

SOURCE = "design notes §3.3; theory: quantile of Exp(1) and of Pareto"
DRAWS = 1_000_000


def verdicts() -> list[Verdict]:
    """Both laws at κ/r = 10, 20 and 100, to 1 % of the fund."""
    found = []
    for number, ratio in enumerate((10.0, 20.0, 100.0)):
        rng = np.random.Generator(np.random.PCG64([33, number]))
        exponential = rng.exponential(1.0, DRAWS)
        alpha, least = 3.0, 2.0
        pareto = least * (1.0 - rng.random(DRAWS)) ** (-1.0 / alpha)
        for law, deficits, expected in (
            ("Exp(1)", exponential, math.log(ratio)),
            ("Pareto(3, 2)", pareto, least * ratio ** (1.0 / alpha)),
        ):
            fund = float(np.quantile(deficits, 1.0 - 1.0 / ratio))
            found.append(
                Verdict(
                    "IF-1",
                    f"fund at κ/r = {ratio:g}, {law}",
                    expected,
                    fund,
                    0.01 * expected,
                    "money",
                    SOURCE,
                )
            )
    return found
