"""Do the policies of auto-deleveraging take what the published toy and example say? ADL-1, ADL-2.

ADL-1: five accounts with equities (10, 5, 1, −3, −12), three winners with profits (8, 4, ½), and a budget of
7½: half of the deficit. ADL-2: bankruptcy and liquidation prices of five positions at a maintenance rate of
10 %, by the engine's integer kernels at 10⁹ ticks a dollar.

Source: Chitra, "Autodeleveraging: impossibilities and optimization" (arXiv 2512.01112, third version); design
notes, `science.md` §3.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from deleverage.venues.adl import Winner, compare
from deleverage.venues.adl.allocate import fill_queue, fill_water
from deleverage.venues.margin import bankruptcy_price, liquidation_price, tiers_record
from deleverage.venues.rules import MarginTier, TierTable
from verify.verdict import Departure, Finding, Verdict

F = Fraction
SOURCE = "arXiv 2512.01112 v3; design notes §3.2"
EQUITY = (10, 5, 1)
CASH = (F(2), F(1), F(1, 2))
PROFIT = (F(8), F(4), F(1, 2))
UUSD = 10**6

TICK = 10**9
POSITIONS = {
    "A": (1, F(2), 1),
    "B": (1, F(2, 3), 1),
    "C": (4, F(8, 3), -1),
    "D": (1, F(2, 19), 1),
    "E": (1, F(10, 99), -1),
}
BANKRUPT = (0.0, 0.3333, 1.6667, 0.8947, 1.1010)
LIQUIDATED = (0.0, 0.3704, 1.5152, 0.9942, 1.0010)
FLAT = TierTable("TOY", (MarginTier(10**6, F(1, 10), 10),), "maintenance of 10 % at any size")


def toy(caps: tuple[Fraction, ...] = (F(1), F(1), F(1))) -> list[Winner]:
    """The winners as shorts of one coin from 100 + profit, at a mark of 100."""
    return [
        Winner(number, "short", 1, entry=100 + w, mark=100, equity=e, collateral=c, cap=cap)
        for number, (e, c, w, cap) in enumerate(zip(EQUITY, CASH, PROFIT, caps, strict=True), start=1)
    ]


def adl_1() -> Iterator[tuple[str, float, float, float]]:
    """(what, printed, found, tolerance) of the toy."""
    queue = fill_queue(7_500_000, [1, 0, 2], [int(w * UUSD) for w in PROFIT])
    shared = compare(toy(), "7.5", names=["pro-rata"], deficit=15, largest_loss=12).outcomes["pro-rata"]
    for policy, seized, taken, left in (
        ("queue 2, 1, 3", queue, (3.5, 4.0, 0.0), (6.5, 1.0, 1.0)),
        ("pro-rata", list(shared.seized), (4.8, 2.4, 0.3), (5.2, 2.6, 0.7)),
    ):
        for i in range(3):
            yield f"{policy}: taken from {i + 1}", taken[i], seized[i] / UUSD, 0.0
            yield f"{policy}: equity left of {i + 1}", left[i], (EQUITY[i] * UUSD - seized[i]) / UUSD, 0.0
    yield "pro-rata: share h", 0.6, float(shared.largest_share), 0.0
    capped = compare(toy((F(1, 2), F(1), F(1))), "7.5", names=["capped-pro-rata"]).outcomes["capped-pro-rata"]
    for i, h in enumerate((0.5, 0.7778, 0.7778)):
        yield f"capped (½, 1, 1): share of {i + 1}", h, float(F(capped.seized[i]) / (PROFIT[i] * UUSD)), 5e-5
    exact = fill_water(75 * 9, [80 * 9, 40 * 9, 5 * 9], [40 * 9, 40 * 9, 5 * 9])
    yield "capped: share of 2 is 7/9, exactly", 7 / 9, exact[1] / (40 * 9), 0.0


def bankrupt(name: str, price: Fraction) -> float:
    """Bankruptcy price of a position that was opened at ``price`` [USD], by the kernel."""
    size, cash, side = POSITIONS[name]
    lots = side * size
    return bankruptcy_price(int(cash * TICK), lots, int(lots * price * TICK), 1) / TICK


def liquidated(name: str) -> float:
    """Liquidation price of a position from 1 [USD], by the kernel; 0 where no price is."""
    size, cash, side = POSITIONS[name]
    lots = side * size
    return max(0.0, liquidation_price(int(cash * TICK), lots, lots * TICK, 1, 0, tiers_record([FLAT])) / TICK)


def verdicts() -> list[Finding]:
    """The toy to the micro-dollar, the example's prices, and its shortfall as printed and as it is."""
    found: list[Finding] = [
        Verdict("ADL-1", what, expected, measured, tolerance, "1" if "share" in what else "USD", SOURCE)
        for what, expected, measured, tolerance in adl_1()
    ]
    for name, expected in zip(POSITIONS, BANKRUPT, strict=True):
        what = f"bankruptcy price of {name}"
        found.append(Verdict("ADL-2", what, expected, bankrupt(name, F(1)), 5e-5, "USD", SOURCE))
    for name, expected in zip(POSITIONS, LIQUIDATED, strict=True):
        what = f"liquidation price of {name}"
        note = "printed 1.0010; exactly 1090/1089 = 1.00092" if name == "E" else ""
        found.append(Verdict("ADL-2", what, expected, liquidated(name), 1e-4, "USD", SOURCE, note))
    rebased = 1.55 - bankrupt("E", F(105, 100))
    found += [
        Verdict(
            "ADL-2",
            "shortfall of E at 1.55, opened anew at 1.05",
            0.399,
            rebased,
            5e-4,
            "USD",
            SOURCE,
            "the printed formula: entry moved to the current price with cash unchanged",
        ),
        Departure(
            "ADL-2",
            "shortfall of E at 1.55, as it is",
            0.399,
            1.55 - bankrupt("E", F(1)),
            5e-4,
            "USD",
            SOURCE,
            "the print forgets the loss from 1 to 1.05: this short is bankrupt at 1.1010, not at 1.1510",
        ),
    ]
    return found
