"""Do the shares of the mechanisms obey the axioms of Shapley's value? SHAP-1.

Random games of two to six players, values as drops of a price are: what all parts add up to, a player who
changes nothing, two who do the same, the sum of two games, and the definition itself, by all orders of
arrival.

Source: Shapley 1953; design notes, `science.md` §8 (attribution) and §10.
"""

from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np

from deleverage.experiment.shapley import shapley_values
from deleverage.units import Floats
from verify.verdict import Verdict

SOURCE = "axioms of Shapley 1953; tolerance: design notes §10"
GAMES = 40


def by_arrival(values: Floats, players: int) -> Floats:
    """φ by its definition: what a player adds when it arrives, over all orders of arrival."""
    phi = np.zeros(players)
    for order in permutations(range(players)):
        present = 0
        for i in order:
            phi[i] += values[present | 1 << i] - values[present]
            present |= 1 << i
    return phi / factorial(players)


def verdicts() -> list[Verdict]:
    """The largest violation of each axiom, a glove game, and the notes' example of three mechanisms."""
    rng = np.random.Generator(np.random.PCG64(53))
    worst = np.zeros(5)
    for number in range(GAMES):
        players = 2 + number % 5
        subsets = np.arange(1 << players)
        values, other = rng.uniform(-0.5, 0.9, (2, 1 << players))
        phi = shapley_values(values)
        dummy = shapley_values(values[subsets & ~1])  # player 0 changes nothing
        alike = (
            shapley_values(values[np.bitwise_count(subsets & 3) + 4 * (subsets >> 2)]) if players > 1 else phi
        )
        worst = np.maximum(
            worst,
            (
                abs(phi.sum() - (values[-1] - values[0])),
                abs(dummy[0]),
                abs(alike[0] - alike[1]),
                np.abs(shapley_values(values + other) - phi - shapley_values(other)).max(),
                np.abs(phi - by_arrival(values, players)).max(),
            ),
        )
    names = (
        "efficiency: Σφ = v(all) − v(none)",
        "dummy: who changes nothing has none",
        "symmetry: who do the same have the same",
        "linearity over outcomes",
        "the definition by orders of arrival",
    )
    glove = shapley_values(np.array([float(bool(s & 1) and bool(s & 6)) for s in range(8)]))
    return [
        *(
            Verdict("SHAP-1", f"largest violation, {name}", 0.0, float(x), 1e-9, "share", SOURCE)
            for name, x in zip(names, worst, strict=True)
        ),
        Verdict(
            "SHAP-1",
            "one left glove, two right: the left's value",
            2 / 3,
            float(glove[0]),
            1e-9,
            "1",
            SOURCE,
        ),
    ]
