"""A made-up fall, shared out over what caused it."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from deleverage.experiment.answer import MECHANICAL, MECHANISMS
from tests.report.sample.case import (
    Case,
)


def _weights(case: Case) -> dict[str, float]:
    c = case.cascade
    return {
        "liquidations": 0.29 * c,
        "adl": (0.012 if case.adl else 0.0) * c,
        "news_withdrawal": 0.09,
        "cascade_withdrawal": 0.25 * c,
        "stops": 0.035 + 0.02 * (1 - c),
        "collateral": 0.018 * c,
        "outage": 0.0,
    }


def values(case: Case, draws: pl.DataFrame) -> pl.DataFrame:
    rows = []
    weights = _weights(case)
    for row in draws.select("seed", "market", "drop").iter_rows(named=True):
        for subset in range(2 ** len(MECHANISMS)):
            on = [name for bit, name in enumerate(MECHANISMS) if subset >> bit & 1]
            share = 1 - sum(weights.values()) + sum(weights[name] for name in on)
            rows.append(
                {
                    "seed": row["seed"],
                    "market": row["market"],
                    "subset": subset,
                    "mechanisms": "+".join(on) or "none",
                    "simulated": (case.adl or not subset >> 1 & 1) and not subset >> 6 & 1,
                    "drop": row["drop"] * share,
                }
            )
    return pl.DataFrame(rows)


def shares(case: Case) -> pl.DataFrame:
    weights = _weights(case)
    mechanical = sum(weights[name] for name in MECHANICAL)
    rows: list[dict[str, Any]] = []
    for number, market in enumerate(case.markets):
        rows.append(
            {
                "market": market,
                "row": "news",
                "mean": 1 - sum(weights.values()),
                "se": 0.011,
                "first_in": None,
                "last_in": None,
                "prior_p05": 0.2,
                "prior_p95": 0.62,
            }
        )
        for name, value in weights.items():
            rows.append(
                {
                    "market": market,
                    "row": name,
                    "mean": value,
                    "se": 0.012 * (value > 0),
                    "first_in": value * 0.14,
                    "last_in": value * 1.75,
                    "prior_p05": value * 0.6,
                    "prior_p95": value * 1.3,
                }
            )
        half = 0.16 * case.cascade + 0.02
        rows.append(
            {
                "market": market,
                "row": "mechanical",
                "mean": mechanical + 0.02 * number * case.cascade,
                "se": 0.012,
                "first_in": mechanical * 0.2,
                "last_in": min(1.0, mechanical * 1.3),
                "prior_p05": mechanical - half,
                "prior_p95": mechanical + half,
            }
        )
    return pl.DataFrame(rows)


def share_by_shock(case: Case) -> pl.DataFrame:
    rows = []
    base = 0.55 * case.cascade
    for number, market in enumerate(case.markets):
        for k, shock in enumerate(np.linspace(0.018, 0.033, 6)):
            rows.append(
                {
                    "market": market,
                    "shock": float(shock) * (1 + 0.25 * number) + 1e-9 * number,
                    "drop": 0.12 + 0.4 * (float(shock) - 0.02),
                    "share": base * (1.35 - 22 * (float(shock) - 0.018)) + 0.02 * number * case.cascade,
                    "se": 0.02 + 0.012 * (k % 3),
                    "seeds": max(1, case.seeds // 6),
                }
            )
    return pl.DataFrame(rows)
