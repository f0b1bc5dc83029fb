"""What does the insurance fund gain or lose by a fill, and when does its state start deleveraging?

Symbols: s side of the liquidated position, q its size, bust its bankruptcy price; F the fund.

Sources: BTCMEX and BitMEX on insurance funds; OKX help, "Auto-deleveraging" (two pages differ: 30 % below the
8-hour peak, and below the reference less the larger of 30 % and 50,000 USD); Bybit help,
"Auto-Deleveraging" (text of 2025-11-05 and the one before).
"""

from __future__ import annotations

from fractions import Fraction


def change(side: int, size: Fraction, fill: Fraction, bankruptcy: Fraction) -> Fraction:
    """Money that the fund gains (> 0) or pays: s·q·(fill − bankruptcy)."""
    return side * size * (fill - bankruptcy)


def threshold_below_reference(reference: Fraction, share: Fraction, floor: Fraction) -> Fraction:
    """Balance below which winners are deleveraged: reference − max(share·reference, floor), at least 0."""
    return max(Fraction(0), reference - max(share * reference, floor))


def below_reference(fund: Fraction, reference: Fraction, share: Fraction, floor: Fraction) -> bool:
    """OKX: the fund is below the threshold, or empty."""
    return fund <= 0 or fund < threshold_below_reference(reference, share, floor)


def drawdown(highest: Fraction, balance: Fraction) -> Fraction:
    """Share of the highest balance of the window that is gone; 1 where there never was any."""
    return (highest - balance) / highest if highest > 0 else Fraction(1)


def drawn_down(highest: Fraction, balance: Fraction, share: Fraction = Fraction(1)) -> bool:
    """Bybit from 2025-11-05: the drawdown of the window has reached the share (100 %)."""
    return drawdown(highest, balance) >= share


def exhausted_by(fund: Fraction, position_margin: Fraction, profit: Fraction) -> bool:
    """Bybit before 2025-11-05: fund + margin of the position + its unrealised profit ≤ 0."""
    return fund + position_margin + profit <= 0
