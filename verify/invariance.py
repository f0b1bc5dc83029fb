"""How far should the price have fallen in October 1987, by market microstructure invariance? KO-1.

ΔP/P = exp[−5.00·10⁻⁴·(P·V/40·10⁶)^⅓·(σ/0.02)^(4/3)·X/(0.01·V)] − 1, with P·V the daily volume in dollars of
2005, σ the daily volatility and X what was sold; X/V needs no deflator, since both are of one day.

Source: Kyle and Obizhaeva, "Large bets and stock market crashes", Review of Finance 2023; inputs and result:
design notes, `science.md` §2.3. The paper prints about 16.8 % for 1987; futures fell by about 32 %.
"""

from __future__ import annotations

import math

from verify.verdict import Verdict

SOURCE = "design notes §2.3; formula: Kyle, Obizhaeva 2023"


def fall(volume_usd: float, deflator: float, volatility: float, sold_usd: float) -> float:
    """Predicted fall [share]: day's volume [USD], dollars of 2005 per dollar, daily sd, sold [USD]."""
    size = (volume_usd * deflator / 40e6) ** (1 / 3) * (volatility / 0.02) ** (4 / 3)
    return -math.expm1(-5.00e-4 * size * sold_usd / (0.01 * volume_usd))


def verdicts() -> list[Verdict]:
    """The crash of 1987: portfolio insurers' sales against what the formula says."""
    return [
        Verdict(
            "KO-1",
            "predicted fall, October 1987",
            0.167,
            fall(20.64e9, 1.54, 0.0135, 13.75e9),
            1e-3,
            "share",
            SOURCE,
        )
    ]
