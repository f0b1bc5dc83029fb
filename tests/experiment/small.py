"""Ensembles that are small enough for a test, and how two answers are compared byte by byte."""

from __future__ import annotations

import io
from typing import Any

import polars as pl

from deleverage.experiment.answer import Answer
from deleverage.experiment.run import run
from deleverage.experiment.scenario import Scenario

ACCOUNTS = 800
SEEDS = 8

NOT_SIMULATED = ("candles", "published", "figures")
"""Tables that repeat what went in: what was observed, what was published, what the scenario says."""


def pair(**settings: object) -> Scenario:
    """Two made-up markets for ten minutes, of which the news takes four; ``a__b`` is the setting a.b."""
    changes = {key.replace("__", "."): value for key, value in settings.items()}
    return Scenario.load("double-trouble").with_settings({"end": "2025-01-01T12:10:00Z"} | changes)


BESIDES = """
[venues.binance]
index = {}
index_rule = "mean"
peers = {}
depth_multiple = { value = 1.0, unit = "x", mark = "assumed", source = "made-up" }
halt_from_s = { value = 150.0, unit = "s", mark = "assumed", source = "made-up" }
halt_for_s = { value = 60.0, unit = "s", mark = "assumed", source = "made-up" }

[collateral.USDE]
asset = "USDE"
price = "venue"
lot_coins = { value = 1.0, unit = "coins", mark = "assumed", source = "made-up" }
start_price = { value = 1.0, unit = "USD/coin", mark = "assumed", source = "made-up" }
index_weight = { value = 1.0, unit = "share", mark = "assumed", source = "made-up" }
depth_coins = { value = 1e6, unit = "coins", mark = "assumed", source = "made-up" }
depth_range = { value = 0.01, unit = "share", mark = "assumed", source = "made-up" }
half_life_s = { value = 300.0, unit = "s", mark = "assumed", source = "made-up" }
flight_usd_per_s = { value = 2e5, unit = "USD/s", mark = "assumed", source = "made-up" }
account_share = { value = 0.3, unit = "share", mark = "assumed", source = "made-up" }
margin_share = { value = 0.9, unit = "share", mark = "assumed", source = "made-up" }

"""
"""An outage of a minute, and collateral that is priced by its own book, for `with_everything`."""


def with_everything(**settings: object) -> Scenario:
    """`pair` with an outage and with collateral that reprices: all seven mechanisms can matter."""
    text = Scenario.embedded_text("double-trouble").replace("[fees]\n", BESIDES + "[fees]\n", 1)
    changes = {key.replace("__", "."): value for key, value in settings.items()}
    scenario = Scenario.from_text(text, "double-trouble with everything")
    return scenario.with_settings({"end": "2025-01-01T12:10:00Z", "rules_date": "2025-10-10"} | changes)


def answer_of(scenario: Scenario, **options: Any) -> Answer:
    """A run of the usual small size, in one thread unless said otherwise."""
    return run(scenario, **({"seeds": SEEDS, "accounts": ACCOUNTS, "workers": 1} | options))


def bytes_of(frame: pl.DataFrame) -> bytes:
    """The bytes that ``run --out`` would write."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", statistics=True)
    return buffer.getvalue()


def simulated(answer: Answer) -> dict[str, bytes]:
    """Bytes of every simulated table."""
    return {name: bytes_of(frame) for name, frame in answer.tables.items() if name not in NOT_SIMULATED}


def every_table(answer: Answer) -> dict[str, bytes]:
    """Bytes of all tables."""
    return {name: bytes_of(frame) for name, frame in answer.tables.items()}


def without_clock(summary: dict[str, Any]) -> dict[str, Any]:
    """The summary, less the one number that is of the machine and not of the run."""
    return {key: value for key, value in summary.items() if key != "wall_s"}
