"""The lake of the night, imported once."""

from __future__ import annotations

from pathlib import Path

import pytest

from deleverage.data import Lake
from tests.acceptance.night import copied, lake_of


@pytest.fixture(scope="session")
def night_files(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files that describe the night."""
    return copied(test_data, tmp_path_factory.mktemp("night") / "data")


@pytest.fixture(scope="session")
def lake(night_files: Path) -> Lake:
    """Those files, imported."""
    return lake_of(night_files, night_files.parent / "lake")
