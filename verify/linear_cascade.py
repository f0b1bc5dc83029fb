"""Does a market of one branching ratio n end at shock ÷ (1 − n), wave by wave? LIN-1, LIN-2.

A map uniform in log price against a flat book: every coin sold moves the price onto n coins more. Asked of
the fast layer (least fixed point of map and book) and of the engine's step, with last-price triggers and no
order limits, which are the rules of the theory.

Source: design notes, `science.md` §0.2 and §10.
"""

from __future__ import annotations

import math

import numpy as np

from deleverage.engine.simulate import Run, prepare_world
from deleverage.positions.liqmap import LiquidationMap, build_map
from tests.science.worlds import drop, run_on, uniform_map_world
from verify.verdict import Verdict

SOURCE = "design notes §10; theory: shock ÷ (1 − n)"
SHOCK = 0.02
LIN_1 = ((0.2, 0.025), (0.5, 0.04), (0.8, 0.10), (0.9, 0.20))
ACCOUNTS = 200_000
MOST = 50_000  # accounts of LIN-2 in the engine


def uniform_map(n: float, reach: float, offset: float) -> LiquidationMap:
    """200,000 equal accounts, the i-th at (i + offset)·reach/N, n of book density."""
    levels = (np.arange(ACCOUNTS, dtype=np.float64) + offset) * (reach / ACCOUNTS)
    return build_map(levels, np.full(ACCOUNTS, n * reach / ACCOUNTS), 1.0)


def engine_run(n: float, accounts: int, reach: float) -> Run:
    """Three steps of the engine after the shock."""
    world = uniform_map_world(n, accounts=accounts, reach=reach, steps=3)
    start = int(world.markets.start_fair_ticks[0])
    path = np.full((3, 1), round(start * math.exp(-SHOCK)), dtype=np.int64)
    return run_on(prepare_world(world), path, news_withdrawal=0, cascade_withdrawal=0)


def verdicts() -> list[Verdict]:
    """Fall of log price by layer for four n, the ratio of waves, and the runaway at n = 1.05."""
    rows: list[Verdict] = []
    for n, expected in LIN_1:
        fast = uniform_map(n, 0.5, 0.5)
        waves = fast.waves(SHOCK)
        engine = -math.log1p(-float(drop(engine_run(n, ACCOUNTS, 0.5))[0]))
        rows += [
            Verdict(
                "LIN-1",
                f"n = {n}: fall, fast layer",
                expected,
                fast.clear(SHOCK).u,
                1e-4,
                "log price",
                SOURCE,
            ),
            Verdict("LIN-1", f"n = {n}: fall, engine", expected, engine, 1e-4, "log price", SOURCE),
            Verdict(
                "LIN-1",
                f"n = {n}: wave 4 ÷ wave 3, fast layer",
                n,
                float(waves[3] / waves[2]),
                1e-3,
                "1",
                SOURCE,
                "a wave is a whole number of accounts: some thousands by the fourth",
            ),
        ]
    runaway = uniform_map(1.05, 1.0, 1.0).clear(SHOCK)
    run = engine_run(1.05, MOST, 1.0)
    away = -math.log1p(-float(drop(run)[0]))
    sold = float(run.tally.forced[0, 0]) / (MOST * 1_000)
    rational = "the engine's e^(−u) is rational, good to 10⁻⁵ here"
    return [
        *rows,
        Verdict("LIN-2", "n = 1.05: accounts reached", ACCOUNTS, runaway.accounts, 0.0, "accounts", SOURCE),
        Verdict("LIN-2", "n = 1.05: fall, fast layer", 1.07, runaway.u, 1e-9, "log price", SOURCE),
        Verdict("LIN-2", "n = 1.05: liquidated, engine", 1.0, sold, 0.0, "share", SOURCE),
        Verdict("LIN-2", "n = 1.05: fall, engine", 1.07, away, 2e-5, "log price", SOURCE, rational),
    ]
