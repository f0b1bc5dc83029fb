"""Who is deleveraged first? The readable twin of `venues/adl/ranks.py`, in exact fractions.

Symbols: s side, m mark, E entry, N notional at mark, A equity (of the account, or isolated margin + profit),
C collateral posted, P unrealised profit, M maintenance margin, μ margin ratio.

Hyperliquid prints (mark/entry)·(N/A) for everybody. For a short that is the wrong way round: its profit grows
as mark/entry falls. Shorts are ranked here by (entry/mark)·(N/A), as the profit would rank them.

"Margin ratio" has two meanings: Binance's M/A is bad when high; OKX's A over what is required is bad when
low. Each function says which it takes.

Sources: help pages of each venue on auto-deleveraging; Binance's exact formula is an image on its page,
the words here are those around it.
"""

from __future__ import annotations

from fractions import Fraction


def profit_times_margin_ratio(profit: Fraction, collateral: Fraction, margin_ratio: Fraction) -> Fraction:
    """Binance: P/C · μ with μ = M/A (bad when high)."""
    return profit / collateral * margin_ratio


def leveraged_return(profit: Fraction, entry_value: Fraction, margin_rate: Fraction) -> Fraction:
    """Bybit: profit in percent of the entry value over the margin rate of position (isolated) or account."""
    return profit / entry_value / margin_rate


def profit_ratio_over_margin_ratio(profit_ratio: Fraction, margin_ratio: Fraction) -> Fraction:
    """OKX: P%/μ for a profit, P%·μ for a loss, μ bad when low."""
    return profit_ratio / margin_ratio if profit_ratio > 0 else profit_ratio * margin_ratio


def price_ratio_times_leverage(
    side: int, mark: Fraction, entry: Fraction, notional: Fraction, equity: Fraction
) -> Fraction:
    """Hyperliquid: m/E · N/A for a long, E/m · N/A for a short (the printed index is inverted for shorts)."""
    return (mark / entry if side > 0 else entry / mark) * notional / equity


def profit_times_leverage(mark_value: Fraction, bankrupt_value: Fraction, entry_value: Fraction) -> Fraction:
    """BitMEX, on signed values: pct·lev for a profit, pct/lev for a loss.

    pct = (mark − entry)/|entry|, lev = |mark| / (mark − bankrupt).
    """
    percent = (mark_value - entry_value) / abs(entry_value)
    leverage = abs(mark_value) / (mark_value - bankrupt_value)
    return percent * leverage if percent > 0 else percent / leverage
