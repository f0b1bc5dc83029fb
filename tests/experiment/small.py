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
