"""What do others say ends a position? Figures to set beside the venues' rules, never used in them."""

from __future__ import annotations

from fractions import Fraction

PRESS_SOURCE = "press, November 2025: at 100x a move of 2 % wipes out a position"
_PRESS: dict[Fraction, Fraction] = {Fraction(100): Fraction(2, 100)}


def press_says(leverage: Fraction | None) -> Fraction | None:
    """Move that the press says ends a position of this leverage [share > 0]; None where it says nothing."""
    return None if leverage is None else _PRESS.get(leverage)
