"""The ensemble that most tests of this folder look at."""

from __future__ import annotations

import pytest

from deleverage.experiment.answer import Answer
from deleverage.experiment.scenario import Scenario
from tests.experiment.small import answer_of, pair


@pytest.fixture(scope="session")
def small_answer() -> Answer:
    """Eight draws of two small markets; deleveraging is reached in some of them."""
    return answer_of(pair())


@pytest.fixture(scope="session")
def night_answer() -> Answer:
    """The first minutes of the night of 10 October, with everything that was published about it."""
    return answer_of(Scenario.load("oct-10-binance").with_settings({"end": "2025-10-10T21:04:00Z"}), seeds=4)
