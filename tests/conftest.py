"""What every test shares: how hypothesis draws, and where the real market data lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# Tiers that somebody imported on this machine must not reach a test: no such folder holds any.
os.environ["DELEVERAGE_RULES_DIR"] = str(ROOT / "no-imported-tiers")

# `ci` draws the same cases every time, so that a failure is a change of ours and not of the dice;
# HYPOTHESIS_PROFILE=explore looks for new ones. No deadlines: a first call may compile a kernel.
settings.register_profile(
    "ci", derandomize=True, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", settings.get_profile("ci"), derandomize=False, max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of real market data: DELEVERAGE_TEST_DATA, or ../shared/data seen from the checkout."""
    named = os.environ.get("DELEVERAGE_TEST_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no market data in {folder}: set DELEVERAGE_TEST_DATA to the folder that holds it")
    return folder
