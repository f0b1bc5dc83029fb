"""The ensemble that most tests of this folder look at."""

from __future__ import annotations

import pytest

from deleverage.experiment.answer import Answer
from tests.experiment.small import answer_of, pair


@pytest.fixture(scope="session")
def small_answer() -> Answer:
    """Eight draws of two small markets; deleveraging is reached in some of them."""
    return answer_of(pair())
