"""What value has a reading?"""

from __future__ import annotations

from deleverage.measure.measure import Measured


def value(measured: Measured, name: str) -> float | None:
    """Of the one reading of that name; it must be there."""
    row = measured.reading(name)
    assert row is not None, name
    found: float | None = row["value"]
    return found
