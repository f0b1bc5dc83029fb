"""What does one round of deleveraging cost banks that hold the same assets? GLT-1.

AV = 1ᵀ·A·M·L·Mᵀ·B·A·M·F ÷ E: a shock F to assets held in shares M costs A·M·F, to return to their leverage B
the banks sell B times that, in proportion to M, prices move by L a unit sold, and the banks lose again.

Source: Greenwood, Landier and Thesmar, "Vulnerable banks", Journal of Financial Economics 2015; the toy of
two banks: design notes, `science.md` §2.2.
"""

from __future__ import annotations

import numpy as np

from verify.verdict import Verdict

SOURCE = "design notes §2.2; formula: Greenwood, Landier, Thesmar 2015"
A = np.array([100.0, 50.0])
B = np.array([9.0, 4.0])
M = np.array([[0.6, 0.4], [0.2, 0.8]])
IMPACT = 1e-3
F = np.array([-0.05, 0.0])


def verdicts() -> list[Verdict]:
    """Equity, direct losses, sales and aggregate vulnerability of the toy."""
    equity = A / (1.0 + B)
    direct = -A * (M @ F)
    sales = B * direct
    moved = IMPACT * (M.T @ sales)
    again = A * (M @ moved)
    figures = (
        ("equity of bank 1", 10.0, float(equity[0])),
        ("equity of bank 2", 10.0, float(equity[1])),
        ("direct loss of bank 1", 3.0, float(direct[0])),
        ("direct loss of bank 2", 0.5, float(direct[1])),
        ("sales of bank 1", 27.0, float(sales[0])),
        ("sales of bank 2", 2.0, float(sales[1])),
    )
    return [
        *(Verdict("GLT-1", what, expected, x, 1e-9, "money", SOURCE) for what, expected, x in figures),
        Verdict(
            "GLT-1",
            "aggregate vulnerability: second loss ÷ equity",
            0.1077,
            float(again.sum() / equity.sum()),
            1e-9,
            "share",
            SOURCE,
        ),
    ]
