"""What does a holder of constant leverage trade after a return? AS-1.

Assets A on equity E, leverage L = A/E. After a return r both have gained r·A; to stand at L again it trades
L·(E + r·A) − A·(1 + r) = (L − 1)·r·A: it buys what rose and sells what fell.

Source: Adrian and Shin, "Liquidity and leverage", Journal of Financial Intermediation 2010; figures: design
notes, `science.md` §1.4.
"""

from __future__ import annotations

from fractions import Fraction

from verify.verdict import Verdict

SOURCE = "design notes §1.4; Adrian, Shin 2010"


def trade(assets: Fraction, equity: Fraction, r: Fraction) -> Fraction:
    """Bought (> 0) or sold after the return r, by the two balance sheets."""
    gain = r * assets
    return assets / equity * (equity + gain) - (assets + gain)


def verdicts() -> list[Verdict]:
    """One percent up and one down, at assets of 100 on equity of 10."""
    return [
        Verdict(
            "AS-1",
            f"trade after {sign}1 %: assets 100, equity 10",
            expected,
            float(trade(Fraction(100), Fraction(10), Fraction(int(f"{sign}1"), 100))),
            0.0,
            "money",
            SOURCE,
        )
        for sign, expected in (("+", 9.0), ("-", -9.0))
    ]
