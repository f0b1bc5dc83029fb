"""The whole folder of real data in a lake, once for all tests that look at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from deleverage.data import ImportReport, Lake, import_paths


@pytest.fixture(scope="session")
def imported(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, ImportReport]:
    """The lake and the report of the import."""
    folder = tmp_path_factory.mktemp("real") / "lake"
    return Lake(folder), import_paths([test_data], folder)
