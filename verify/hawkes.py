"""Does the estimator find ratios that are known, and how far is it led astray by what feeds and news do?

HK-0 to HK-3 and the bias set of the design notes (science.md §4). A bias that holds here is a warning that
the
measure prints: the wrong number is *expected*. The notes give no rate and no length for their worlds without
feedback; here the quiet rate is 1 a second, over 10,000 s. Tolerances are three standard deviations of the
mean over
the seeds where the notes state one, else as stated.

    python -m verify.hawkes
"""

from __future__ import annotations

import sys
import time

import numpy as np

from deleverage.measure.feedback.hawkes.counts import binned, hardiman_bouchaud
from deleverage.measure.feedback.hawkes.fit import Fit, fit, flexible
from deleverage.measure.feedback.hawkes.kernels import Exponential
from deleverage.measure.feedback.hawkes.likelihood import Events, Floats, log_likelihood
from deleverage.measure.feedback.hawkes.simulate import draw
from verify.verdict import Verdict

NOTES = "science.md §4"
SEEDS = (1, 2)
_ONE = np.ones(1)
# μ, n, β, and the notes' standard deviations of one fit on T = 20,000
RECOVERY = (
    ((0.5, 0.5, 2.0), (0.0073, 0.0070, 0.050)),
    ((0.2, 0.8, 1.0), (0.0058, 0.0071, 0.018)),
    ((0.1, 0.95, 1.0), (0.0029, 0.0038, 0.018)),
)
ALTERNATING = ((1, 0.04, 0.05), (2, 0.86, 0.03), (5, 0.96, 0.02), (10, 0.976, 0.02), (50, 0.984, 0.02))
BUMPS = ((3, 0.89, 0.03), (10, 0.98, 0.02))
_SPAN, _HALF = 10_000.0, 500.0


def verdicts() -> list[Verdict]:
    """All of §4, each with its tolerance."""
    return [*_exact(), *_recovery(), *_sampler(), *_counts(), *_news(), *_stamps()]


def _exact() -> list[Verdict]:
    events = Events.of(np.array([1.0, 2.0, 4.0, 4.5]), 5.0)
    loss = -log_likelihood(events, np.array([0.0, 5.0]), np.array([0.5]), 0.6, _ONE, np.array([2.0]))
    return [Verdict("HK-0", "−ℓ of four events", 6.396482957784446, loss, 1e-12, "", NOTES)]


def _recovery() -> list[Verdict]:
    found = []
    for (mu, n, beta), spread in RECOVERY:
        fits = [_fit(_hawkes(seed, mu, n, beta, 20_000.0)) for seed in SEEDS]
        values = (
            ("μ", mu, [float(one.mu[0]) for one in fits], "1/s"),
            ("n", n, [one.n for one in fits], ""),
            ("β", beta, [one.decay for one in fits], "1/s"),
        )
        for (name, true, seen, unit), sd in zip(values, spread, strict=True):
            found.append(
                Verdict(
                    f"HK-1 {name}, true ({mu:g}, {n:g}, {beta:g})",
                    f"mean of {len(SEEDS)} fits, T = 20,000 s",
                    true,
                    float(np.mean(seen)),
                    3.0 * sd / len(SEEDS) ** 0.5,
                    unit,
                    NOTES,
                )
            )
    return found


def _sampler() -> list[Verdict]:
    sizes = [_hawkes(seed, 0.2, 0.5, 10.0, 1e4).times.size for seed in range(10)]
    return [
        Verdict(
            "HK-2",
            "mean number of events of 10 draws: μT ÷ (1 − n)",
            4_000.0,
            float(np.mean(sizes)),
            200.0,
            "count",
            NOTES,
        )
    ]


def _counts() -> list[Verdict]:
    found = []
    for (mu, n, beta), true, sd in (((0.5, 0.5, 2.0), 0.496, 0.026), ((0.2, 0.8, 1.0), 0.797, 0.010)):
        draws = [_hawkes(seed, mu, n, beta, 20_000.0) for seed in range(6)]
        seen = [hardiman_bouchaud(np.histogram(one.times, 100, (0.0, one.span))[0]).n for one in draws]
        found.append(
            Verdict(
                f"HK-3 n {n:g}",
                "Hardiman–Bouchaud, windows of 200 s, mean of 6 draws",
                true,
                float(np.mean(seen)),
                3.0 * sd / 6**0.5,
                "",
                NOTES,
            )
        )
    return found


def _news() -> list[Verdict]:
    """Events without any feedback, whose rate changes: what a constant baseline makes of them."""
    found = []
    for r, biased, tolerance in ALTERNATING:
        edges = np.arange(0.0, _SPAN + 1.0, _HALF)
        rate = np.where(np.arange(edges.size - 1) % 2 == 0, 1.0, float(r))
        events = draw(edges, rate, 0.0, _ONE, _ONE, _stream(r))
        constant = _fit(events)
        found.append(
            Verdict(
                f"BIAS news ×{r}",
                f"n of Poisson events whose rate alternates ×1 and ×{r} every 500 s",
                biased,
                constant.n,
                tolerance,
                "",
                NOTES,
                "true ratio 0: a changing rate of news passes for feedback",
            )
        )
        if r in (2, 5):
            found.append(_flexible(f"BIAS news ×{r}, flexible baseline", events, constant))
    middle = np.arange(10.0, _SPAN, 20.0)
    for k, biased, tolerance in BUMPS:
        rate = 1.0 + (k - 1.0) * np.exp(-0.5 * ((middle - _SPAN / 2.0) / _HALF) ** 2)
        events = draw(np.append(middle - 10.0, _SPAN), rate, 0.0, _ONE, _ONE, _stream(k, 7))
        found.append(
            Verdict(
                f"BIAS bump ×{k}",
                f"n of Poisson events with one bump of ×{k}, 500 s wide",
                biased,
                _fit(events).n,
                tolerance,
                "",
                NOTES,
                "true ratio 0",
            )
        )
    events = _hawkes(3, 0.2, 0.8, 1.0, 8_000.0)
    bent = flexible(events, _fit(events))
    found.append(
        Verdict(
            "HK-4 flexible baseline, true n 0.8",
            "n where the rate of news is constant",
            0.8,
            bent.n,
            0.05,
            "",
            "own",
            "a flexible baseline must not eat true feedback",
        )
    )
    return found


def _flexible(name: str, events: Events, constant: Fit) -> Verdict:
    bent = flexible(events, constant)
    return Verdict(
        name,
        "the same with a baseline in steps, as many as BIC prefers",
        0.0,
        bent.n,
        0.1,
        "",
        "own",
        f"{bent.model.levels} levels; the difference to the constant baseline is the uncertainty",
    )


def _stamps() -> list[Verdict]:
    """Ratio 0.5, β = 2, about one event a second, seen through coarse stamps and throttled feeds."""
    events = _hawkes(1, 0.5, 0.5, 2.0, 20_000.0)
    seconds = np.floor(events.times)
    tied = 1.0 - np.unique(seconds).size / seconds.size
    raw = fit(Events.of(seconds, events.span), Exponential(), finest=1e-6)
    spread = Events.of(np.sort(seconds + _stream(5).random(seconds.size)), events.span)
    jittered = fit(spread, Exponential(), finest=1e-3)
    counts = np.bincount(seconds.astype(np.int64), minlength=int(events.span))
    spectral = binned(counts, 1.0)
    first = np.unique(seconds, return_index=True)[1]
    dead, last = [], -np.inf
    for at in events.times.tolist():
        if at >= last + 1.0:
            dead.append(at)
            last = at
    throttled = "true ratio 0.5: nothing is left of it. A throttled feed is refused"
    return [
        Verdict(
            "BIAS whole seconds, n",
            "raw stamps: n goes to the share of events that repeat a stamp",
            tied,
            raw.n,
            0.01,
            "",
            "own: ℓ → Σ over repeats of log(nβ·A) − nN for β → ∞",
            "the notes say n → 1; the likelihood has no maximum, and the limit in n is this share",
        ),
        Verdict(
            "BIAS whole seconds, β",
            "log10 of β, which runs to its limit 3e6",
            float(np.log10(3e6)),
            float(np.log10(raw.decay)),
            0.01,
            "",
            NOTES,
            "ties break the likelihood",
        ),
        Verdict(
            "BIAS jitter, n",
            "stamps spread evenly within their second",
            0.51,
            jittered.n,
            0.02,
            "",
            NOTES,
            "true ratio 0.5",
        ),
        Verdict(
            "BIAS jitter, β",
            "stamps spread evenly within their second",
            1.5,
            jittered.decay,
            0.1,
            "1/s",
            NOTES,
            "true β 2",
        ),
        Verdict(
            "HK-5 binned",
            "n from the spectrum of counts a second, true 0.5",
            0.5,
            spectral.n,
            0.03,
            "",
            "Cheysson & Lang (2022)",
            "the estimator for whole seconds",
        ),
        Verdict(
            "BIAS throttled, first of a second",
            "n of one event a second",
            0.023,
            _fit(Events.of(events.times[first], events.span)).n,
            0.03,
            "",
            NOTES,
            throttled,
        ),
        Verdict(
            "BIAS throttled, dead time",
            "n with a second of silence after each",
            0.023,
            _fit(Events.of(np.array(dead), events.span)).n,
            0.03,
            "",
            NOTES,
            throttled,
        ),
    ]


def _hawkes(seed: int, mu: float, n: float, beta: float, span: float) -> Events:
    edges: Floats = np.array([0.0, span])
    return draw(edges, np.array([mu]), n, _ONE, np.array([beta]), _stream(seed, int(1_000 * n)))


def _fit(events: Events) -> Fit:
    return fit(events, Exponential())


def _stream(*seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


def main() -> int:
    """Print all of them; 1 where one does not hold."""
    begun = time.perf_counter()
    every = verdicts()
    for one in every:
        mark = "holds" if one.holds else "FAILS"
        print(
            f"{mark}  {one.id}: {one.measured:.6g} (expected {one.expected:.6g} ± "
            f"{one.tolerance:.2g}) {one.note}"
        )
    print(f"{time.perf_counter() - begun:.1f} s")
    return int(not all(one.holds for one in every))


if __name__ == "__main__":
    sys.exit(main())
