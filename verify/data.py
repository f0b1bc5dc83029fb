"""Where does the market data lie that some verdicts need?"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def folder() -> Path:
    """DELEVERAGE_TEST_DATA, or ../shared/data seen from the checkout; it need not exist."""
    named = os.environ.get("DELEVERAGE_TEST_DATA")
    return Path(named) if named else ROOT.parent / "shared" / "data"


def find(name: str) -> Path | None:
    """A file or folder of the data; None when it is not there."""
    path = folder() / name
    return path if path.exists() else None
