"""Do the intervals and tests of correlations give the numbers of theory: FISH-1?

Expected values are typed from the science notes §5; measured ones come from the functions that
`measure decoupling` calls. Coverage is simulated: 95 % intervals must hold the truth so often, with
independent pairs, and with dependent ones thanks to the corrected n.

    python -m verify.fisher
"""

from __future__ import annotations

import math

import numpy as np

from deleverage.measure.decoupling.breaks import find_breaks
from deleverage.measure.decoupling.correlation import correlate, difference, fisher_interval, forbes_rigobon
from deleverage.measure.drawdown.bootstrap import Floats, stream
from verify.verdict import Verdict

NOTES = "science notes §5"
NOMINAL = "nominal level"
TRIES = 2_000


def verdicts() -> list[Verdict]:
    """The notes' intervals, the test of a difference, Forbes and Rigobon, coverage, breaks."""
    found = []
    for r, n, low, high in ((0.5, 30, 0.170, 0.729), (0.1, 30, -0.270, 0.444), (-0.2, 41, -0.478, 0.115)):
        ends = fisher_interval(r, n)
        assert ends is not None
        for name, value, end in (("low", low, ends[0]), ("high", high, ends[1])):
            what = f"95 % interval of r = {r:g}, n = {n}, {name}"
            found.append(Verdict(f"FISH-1 r = {r:g} {name}", what, value, end, 1e-3, "correlation", NOTES))
    # by hand: (atanh .5 − atanh .1) / √(2/27) = (.549306 − .100335) / .272166
    test = difference(0.1, 30, 0.5, 30)
    assert test is not None
    found.append(
        Verdict("FISH-1 z", "difference of .5 and .1, n = 30 each", 1.64962, test.z, 1e-4, "z", NOTES)
    )
    found.append(
        Verdict(
            "FISH-1 p", "the same, two-sided", 0.09902, test.p, 1e-4, "share", "normal table at z = 1.64962"
        )
    )
    # by hand: .5 / √(1 + 1 · .75) = .377964
    found.append(
        Verdict("FISH-1 FR", "ρ = .5, δ = 1", 0.377964, forbes_rigobon(0.5, 1.0), 1e-6, "correlation", NOTES)
    )
    for memory, name in ((0.0, "independent"), (0.4, "AR(1) .4")):
        found.append(_coverage(memory, name))
    return [*found, *_breaks()]


def _coverage(memory: float, name: str) -> Verdict:
    """How often the interval holds the true correlation."""
    draw, truth, count = stream("verify", "FISH-1", name), 0.3, 62
    inside = 0
    for _ in range(TRIES):
        x, y = _pairs(draw, count, truth, memory)
        found = correlate(x, y)
        ends = fisher_interval(found.r, found.effective) if found else None
        inside += ends is not None and ends[0] <= truth <= ends[1]
    return Verdict(
        f"FISH-1 coverage, {name}", f"95 % interval of {count} pairs, ρ = {truth:g}", 0.95, inside / TRIES,
        0.02, "share", NOMINAL, note=f"{TRIES:,} samples",
    )  # fmt: skip


def _pairs(draw: np.random.Generator, count: int, rho: float, memory: float) -> tuple[Floats, Floats]:
    """Normal pairs of correlation rho whose members remember their own past alike."""
    a, b = draw.standard_normal((2, count + 30))
    b = rho * a + math.sqrt(1 - rho * rho) * b
    for k in range(1, a.size):
        a[k] += memory * a[k - 1]
        b[k] += memory * b[k - 1]
    return a[30:], b[30:]


def _breaks() -> list[Verdict]:
    """Breaks that are not there, and one that is."""
    tries, count = 60, 480
    draw = stream("verify", "FISH-1", "breaks")
    none = hit = 0
    for _ in range(tries):
        x, y = _pairs(draw, count, 0.2, 0.0)
        none += bool(find_breaks(x, y))
        x, y = _pairs(draw, count, 0.6, 0.0)
        y[count // 2 :] = -y[count // 2 :]
        hit += any(abs(at - count // 2) <= 15 for at in find_breaks(x, y))
    return [
        Verdict(
            "FISH-1 false break", f"{count} pairs of one correlation", 0.0, none / tries, 0.07, "share",
            "a penalty of 3·log n keeps false breaks rare",
        ),
        Verdict(
            "FISH-1 true break", f"{count} pairs, .6 becomes −.6 midway", 1.0, hit / tries, 0.05, "share",
            "found to within 15 sessions",
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    for verdict in verdicts():
        print(
            f"{'holds' if verdict.holds else 'FAILS':6s} {verdict.id:30s} {verdict.what:44s} "
            f"expected {verdict.expected:.5g} ± {verdict.tolerance:.2g}, found {verdict.measured:.5g}"
        )
