"""Is the own Fear & Greed fair on constants, monotone in each part, and never revised? (FG-1)

    python -m verify.fear_greed --out fear_greed.json

Made-up markets of the lake's own forms, measured by the public measure. FG-1 of the scientific base: constant
inputs give 50; a part that rises in its greedy direction never lowers the composite; replay with truncated
history gives the same past values. A composite of percentiles over the *whole* sample is measured beside it:
were the replay unable to see a revision, it would not see that one either.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from deleverage.data.known import known_from
from deleverage.measure.asof import DAY_NS, AsOf, Frames
from deleverage.measure.sentiment.components import COIN, COMPONENTS, OTHERS
from deleverage.measure.sentiment.composite import Composite, composite, score, weigh
from deleverage.measure.sentiment.percentile import causal
from deleverage.schema import LAKE_TABLES
from verify.verdict import Verdict, save

Floats = NDArray[np.float64]

START_NS = 19_000 * DAY_NS  # 2022-01-08
DAYS = 1_000
SHOWN = 120
CUTS = 15
RAISES = 60
_SOURCE = "science.md §5, FG-1"


def market(seed: int, *, days: int = DAYS, moving: bool = True) -> dict[str, pl.DataFrame]:
    """Tables of a made-up market from `START_NS` on: random walks, or everything constant."""
    draws = np.random.default_rng(seed)
    size = float(moving)
    times = START_NS + np.arange(days, dtype=np.int64) * DAY_NS
    candles = []
    for k, coin in enumerate((COIN, *OTHERS)):
        close = (0.7 + 3.3 * k) * np.exp(np.cumsum(size * draws.normal(0, 0.03, days)))
        volume = 1_000 * np.exp(size * draws.normal(0, 0.5, days))
        candles.append(_candles(coin, times, close, volume))
    settled = START_NS + np.arange(1, 3 * days + 1, dtype=np.int64) * (DAY_NS // 3)
    rate = 1e-4 + size * draws.normal(0, 1e-4, settled.size)
    sessions = times[(times // DAY_NS + 3) % 7 < 5]
    usd = 1e7 + size * draws.normal(0, 2e8, sessions.size)
    index = np.clip(np.round(50 + size * np.cumsum(draws.normal(0, 3, days)) % 40), 0, 100)
    return {
        "candles": pl.concat(candles),
        "funding": _rows(
            "funding", time_ns=settled, venue="binance", coin=COIN, symbol=f"{COIN}USDT",
            interval_s=28_800, rate=rate,
        ),
        "flows": _rows(
            "flows", time_ns=sessions, publisher="farside", coin=COIN, fund="total", usd=usd,
        ),
        "sentiment": _rows(
            "sentiment", time_ns=times, publisher="alternative.me", value=index.astype(np.int64),
        ),
    }  # fmt: skip


def until(tables: Mapping[str, pl.DataFrame], at_ns: int) -> dict[str, pl.DataFrame]:
    """The tables as they were on that day: without what became known later."""
    return {name: frame.filter(known_from(name) <= at_ns) for name, frame in tables.items()}


def measured(tables: Mapping[str, pl.DataFrame], at_ns: int, shown: int = SHOWN) -> Composite:
    """The composite of these tables at a moment."""
    return composite(AsOf(Frames(tables), at_ns), shown=shown)


def replayed(tables: Mapping[str, pl.DataFrame], cuts: Sequence[int]) -> float:
    """Largest difference between values from truncated history and the same days' values from all of it."""
    whole = measured(tables, cuts[-1] + 5 * DAY_NS, SHOWN + 400)
    worst = 0.0
    for at_ns in cuts:
        then = measured(until(tables, at_ns), at_ns)
        now = np.isin(whole.midnights, then.midnights)
        pairs = [(then.value, whole.value[now])]
        pairs += list(zip(then.scored, whole.scored[:, now], strict=True))
        worst = max(worst, *(_apart(a, b) for a, b in pairs))
    return worst


def hindsight(raw: Floats) -> Floats:
    """Percentiles over the whole sample: what a composite must not use."""
    ranked = np.array([100 * stats.rankdata(row) / row.size for row in raw])
    return weigh(ranked, np.array([one.weight for one in COMPONENTS]))[0]


def verdicts() -> list[Verdict]:
    """FG-1 in numbers."""
    end = START_NS + DAYS * DAY_NS
    weights = np.array([one.weight for one in COMPONENTS])
    flat = measured(market(1, moving=False), end)
    found = [
        Verdict("FG-1 constant", "composite of a market in which nothing moves", 50.0, float(flat.value[-1]),
                1e-9, "points", _SOURCE),
        Verdict("FG-1 constant, coverage", "share of the weight that was there", 1.0,
                float(flat.coverage[-1]), 1e-12, "share", _SOURCE),
        Verdict("FG-1 weights", "sum of the weights", 1.0, float(weights.sum()), 1e-12, "share", _SOURCE),
    ]  # fmt: skip

    tables = market(2)
    draws = np.random.default_rng(3)
    cuts = sorted(int(end - DAY_NS * days) for days in draws.uniform(6, 380, CUTS))
    found.append(
        Verdict("FG-1 replay", f"largest change of a past value over {CUTS} truncated histories", 0.0,
                replayed(tables, cuts), 0.0, "points", _SOURCE)
    )  # fmt: skip

    whole = measured(tables, end, SHOWN + 400)
    least = min(_change_when_raised(whole, draws) for _ in range(RAISES))
    found.append(
        Verdict("FG-1 monotone", f"largest fall of the composite over {RAISES} raises of one part", 0.0,
                max(0.0, -least), 1e-9, "points", _SOURCE)
    )  # fmt: skip

    values = draws.integers(0, 40, 300).astype(np.float64)
    ranked = causal(values, days=100, least=1)
    theirs = [
        stats.percentileofscore(values[max(0, k - 99) : k + 1], values[k], "mean") / 100 for k in range(300)
    ]
    found.append(
        Verdict("FG-1 mid-rank", "largest distance from scipy's percentileofscore, with ties", 0.0,
                _apart(ranked, np.array(theirs)), 1e-12, "share", "scipy.stats.percentileofscore, 'mean'")
    )  # fmt: skip
    return found


def revision_of_hindsight() -> float:
    """How far a composite over the whole sample changes a past value: what the replay must be able to see."""
    whole = measured(market(2), START_NS + DAYS * DAY_NS)
    return _apart(hindsight(whole.raw)[: SHOWN // 2], hindsight(whole.raw[:, : SHOWN // 2]))


def _change_when_raised(whole: Composite, draws: np.random.Generator) -> float:
    """Change of the last day's value when one part of that day is raised in its greedy direction."""
    k = int(draws.integers(len(COMPONENTS)))
    raised = whole.raw.copy()
    raised[k, -1] += COMPONENTS[k].greed * abs(draws.normal(0, 2 * np.nanstd(whole.raw[k])))
    return _last_value(raised) - _last_value(whole.raw)


def _last_value(raw: Floats) -> float:
    scored = np.array([score(row, one.greed) for row, one in zip(raw, COMPONENTS, strict=True)])
    return float(weigh(scored, np.array([one.weight for one in COMPONENTS]))[0][-1])


def _apart(a: Floats, b: Floats) -> float:
    """Largest distance; infinite where one is there and the other is not."""
    if a.shape != b.shape or not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return float("inf")
    there = np.isfinite(a)
    return float(np.max(np.abs(a[there] - b[there]), initial=0.0))


def _candles(coin: str, times: NDArray[np.int64], close: Floats, volume: Floats) -> pl.DataFrame:
    return _rows(
        "candles", time_ns=times, venue="binance", kind="spot", coin=coin, symbol=f"{coin}USDT",
        interval_s=86_400, open=close, high=close, low=close, close=close, volume_coins=volume,
    )  # fmt: skip


def _rows(table: str, *, time_ns: NDArray[np.int64], **columns: object) -> pl.DataFrame:
    """Rows of a table; texts and single numbers are repeated, what is not given is null."""
    declared = LAKE_TABLES[table].columns
    frame = pl.DataFrame({"time_ns": time_ns}).with_columns(
        *(
            pl.Series(name, value) if isinstance(value, np.ndarray) else pl.lit(value).alias(name)
            for name, value in ({"source": "made up"} | columns).items()
        )
    )
    missing = [pl.lit(None).alias(c.name) for c in declared if c.name not in frame.columns]
    return frame.with_columns(missing).select(pl.col(c.name).cast(getattr(pl, c.dtype)) for c in declared)


def main(arguments: list[str] | None = None) -> int:
    """Print each number beside what it should be; 1 where one does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=None, help="JSON of the verdicts")
    given = parser.parse_args(arguments)
    found = verdicts()
    for one in found:
        wanted = f"expected {one.expected:g} ± {one.tolerance:g}"
        print(f"{one.id}: {one.what}: {one.measured:.6g} {one.unit} ({wanted})")
    print(f"a composite with hindsight would change past values by {revision_of_hindsight():.3g} points")
    if given.out is not None:
        save(found, given.out)
    return 0 if all(one.holds for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
