"""What the tests of the backfill share: a server, a lake, and patience that does not wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deleverage.data.backfill.patience import Patience
from tests.data.backfill.serving import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def lake_folder(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def hasty() -> Patience:
    """As often as usual, without the pauses."""
    return Patience(attempts=3, first_s=0.001, cap_s=0.002, longest_s=2.0)
