"""The summary that a made-up answer's tables add up to."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from deleverage.experiment.answer import MECHANISMS
from tests.report.sample.case import (
    Case,
    quantiles,
)


def summary(case: Case, tables: dict[str, pl.DataFrame]) -> dict[str, Any]:
    draws, shares = tables["draws"], tables["shares"]
    total = (
        draws.group_by("seed")
        .agg(
            pl.col(
                "liquidated_long_usd",
                "liquidated_short_usd",
                "adl_usd",
                "book_usd",
                "takeover_usd",
                "liquidated_accounts",
            ).sum()
        )
        .sort("seed")
    )
    summary: dict[str, Any] = {
        "scenario": "oct-10-binance",
        "title": "Binance, 10 October 2025",
        "seeds": case.seeds,
        "seed": 1,
        "accounts": 100_000,
        "steps": 6_060,
        "markets": list(case.markets),
        "start": "2025-10-10T20:49:00Z",
        "end": "2025-10-10T22:30:00Z",
        "wall_s": 41.3,
        "price": {},
        "counterfactual": {},
        "news": {},
        "mechanical_share": {},
        "open_interest": {},
        "tipping": {},
        "observed": {},
    }
    for market in case.markets:
        rows = draws.filter(pl.col("market") == market)
        summary["price"][market] = {
            name: quantiles(rows[name].to_numpy())
            for name in ("start", "trough", "end", "drop", "recovered_share", "trough_after_s")
        }
        drop = rows["drop"].to_numpy()
        mine = {r["row"]: r for r in shares.filter(pl.col("market") == market).iter_rows(named=True)}
        share = mine["mechanical"]["mean"]
        summary["counterfactual"][market] = {"drop": quantiles(drop * (1 - 0.85 * share))}
        summary["news"][market] = {"drop": quantiles(drop * mine["news"]["mean"])}
        summary["mechanical_share"][market] = {
            "mean": share,
            "se": mine["mechanical"]["se"],
            "prior_band": [mine["mechanical"]["prior_p05"], mine["mechanical"]["prior_p95"]],
            "first_in": mine["mechanical"]["first_in"],
            "last_in": mine["mechanical"]["last_in"],
            "placebo": case.placebo,
            "news": {"mean": mine["news"]["mean"], "se": mine["news"]["se"]},
            "never_closed": {"mean": share * 1.12, "se": 0.013},
            "shapley": {
                name: {"present": name != "outage"}
                | {key: mine[name][key] for key in ("mean", "se", "first_in", "last_in")}
                for name in MECHANISMS
            },
        }
        after = rows["open_interest_after_coins"].to_numpy()
        summary["open_interest"][market] = {
            "before_coins": float(rows["open_interest_before_coins"][0]),
            "after_coins": quantiles(after),
        }
        found = case.tipping
        summary["tipping"][market] = {
            "n_start": {"p05": 0.21, "p50": 0.42, "p95": 0.76}
            if case.cascade
            else {"p05": 0.01, "p50": 0.01, "p95": 0.02},
            "crosses_one_at": {"p05": 0.022, "p50": 0.031, "p95": 0.044} if found else None,
            "tipping_distance": {"p05": 0.026, "p50": 0.034, "p95": 0.049} if found else None,
            "depth_halved_multiplies_drop": {"p05": 1.31, "p50": 1.62, "p95": 2.21}
            if case.cascade
            else {"p05": 0.98, "p50": 1.0, "p95": 1.03},
        }
        summary["observed"][market] = (
            {
                "start": 116_836.7,
                "low": 101_500.0,
                "low_at": "2025-10-10T21:20:00Z",
                "drop": 0.1313,
                "inside": bool(np.quantile(drop, 0.05) <= 0.1313 <= np.quantile(drop, 0.95)),
            }
            if case.candles and market == "BTC"
            else None
        )
    long, short = total["liquidated_long_usd"].to_numpy(), total["liquidated_short_usd"].to_numpy()
    summary["liquidations"] = {
        "total_usd": quantiles(long + short),
        "long_usd": quantiles(long),
        "short_usd": quantiles(short),
        "accounts": quantiles(total["liquidated_accounts"].to_numpy()),
        "peak_minute_usd": quantiles((long + short) * 0.23),
    }
    summary["filled_by"] = {
        f"{name}_usd": quantiles(total[f"{name}_usd"].to_numpy()) for name in ("book", "takeover", "adl")
    }
    taken = total["takeover_usd"].to_numpy() * 0.4
    summary["insurance_fund"] = {
        "btc_eth_bnb": {"before_usd": 1.23e9, "after_usd": quantiles(1.23e9 - taken)}
    }
    summary["adl"] = {
        "usd": quantiles(total["adl_usd"].to_numpy()),
        "first_after_s": {"p05": 1_420.0, "p50": 1_655.0, "p95": 2_010.0} if case.adl else None,
        "runs_reached": max(1, case.seeds * 5 // 8) if case.adl else 0,
    }
    summary["collateral"] = (
        {
            "USDE": {
                "venue": "binance",
                "lowest": {"p05": 0.41, "p50": 0.66, "p95": 0.95},
                "lowest_usd": {"p05": 0.41, "p50": 0.66, "p95": 0.95},
                "sold_coins": {"p05": 3.2e6, "p50": 2.1e7, "p95": 6.4e7},
                "sold_usd": {"p05": 2.9e6, "p50": 1.5e7, "p95": 4.0e7},
                "seized_coins": {"p05": 0.0, "p50": 8.0e4, "p95": 3.0e5},
            }
        }
        if case.cascade
        else {}
    )
    summary["deficit_usd"] = quantiles(draws["deficit_usd"].to_numpy())
    summary["ledger"] = {
        "residual": case.residual,
        "open_interest_imbalance": 0,
        "checks": 6_060 * case.seeds * 13,
    }
    summary["published"] = tables["published"].to_dicts()
    summary["provenance"] = {
        "program": "deleverage",
        "version": "0.1.0",
        "scenario_sha256": "9f" * 32,
        "figures_sha256": "3c" * 32,
        "seed": 1,
        "packages": {"numpy": "2.4.6", "numba": "0.62.1", "polars": "2.1.0"},
        "data": [{"source": "binance_perp_btcusdt_1m_20251010_window", "rows": 71, "sha256": "ab" * 32}],
        "command": "deleverage run oct-10 --seeds 64 --seed 1 --lake lake --out out",
    }
    if case.undefined:
        for market in case.markets:
            summary["mechanical_share"][market] = {
                "mean": None,
                "se": None,
                "prior_band": None,
                "first_in": None,
                "last_in": None,
                "placebo": None,
                "news": None,
                "never_closed": None,
                "shapley": {name: None for name in MECHANISMS},
            }
    return summary
