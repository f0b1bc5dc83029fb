"""Which printed examples of a venue lie beside the market data? Told apart from the rest of the file."""

from __future__ import annotations

import os
from pathlib import Path

from deleverage.venues.examples.file import Example, read_examples
from tests.conftest import ROOT


def printed(*venues: str) -> list[Example]:
    """Examples of the venues, empty where the file is not there."""
    data = Path(os.environ.get("DELEVERAGE_TEST_DATA", ROOT.parent / "shared" / "data"))
    file = data.parent / "vectors" / "venue_vectors.json"
    return [e for e in read_examples(file) if e.venue in venues] if file.is_file() else []
