"""Does the 90 % band of `measure.throttled.liquidations` hold what a throttled feed did not show?

Full feeds of an outside generator (`throttled_worlds`) are censored to one event a second; real events
(public logs of Binance's stream, already one a second, each once) are censored to one in ten seconds. The
band must hold the true number and the true sum. Each case is done twice: alone, when the size of bursts is a
prior, and with full feeds of other worlds (other hours) to learn it from. Cases called hostile break an
assumption on purpose and are reported beside, not among, the rest.

    python -m verify.throttle --draws 100 --out throttle.json      goes on where it was stopped
    DELEVERAGE_TEST_DATA=... python -m verify.throttle --draws 100 --real-only --out real.json
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from deleverage.measure.throttled.bursts import PRIOR, Bursts, common_draws, learn
from deleverage.measure.throttled.censoring import DRAWS, Stream, band, estimate, learn_bursts
from deleverage.measure.throttled.throttle import Floats, Rule, Throttle, censor
from verify.known_truth import wilson
from verify.throttled_worlds import MILLI, SECOND, WORLDS, Feed, World, make

LENGTH_S = 1_800
TEACHING_S = 2 * 3_600
TEACHING_STRETCH_S = 900
LEVEL = 0.9
REQUIRED = 85


class Answer(NamedTuple):
    """The band of one quantity beside its truth; high is infinite where nothing bounds it."""

    truth: float
    shown: float
    low: float
    high: float

    @property
    def inside(self) -> bool:
        """True where the band holds the truth, up to rounding."""
        return self.low * (1 - 1e-9) <= self.truth <= self.high * (1 + 1e-9)


@dataclass(frozen=True)
class Row:
    """Coverage of one case."""

    case: str
    rule: str
    bursts: str
    hostile: bool
    quantity: str
    draws: int
    covered: int
    coverage_low: float
    coverage_high: float
    above: int  # truths above the band
    below: int
    without_upper: int
    truth_by_shown: float  # median of truth ÷ shown
    width: float | None  # median of high ÷ low, of bands with an upper end
    low_by_truth: float


Both: TypeAlias = "tuple[list[Answer], list[Answer]]"
"""Answers about the number and about the sum."""


def row_of(case: str, rule: str, bursts: str, hostile: bool, quantity: str, answers: Sequence[Answer]) -> Row:
    """Counts and medians of the answers of one case."""
    inside = sum(answer.inside for answer in answers)
    low, high = wilson(inside, len(answers))
    widths = [a.high / a.low for a in answers if np.isfinite(a.high) and a.low > 0]
    return Row(
        case=case, rule=rule, bursts=bursts, hostile=hostile, quantity=quantity, draws=len(answers),
        covered=inside, coverage_low=low, coverage_high=high,
        above=sum(not a.inside and a.truth > a.high for a in answers),
        below=sum(not a.inside and a.truth < a.low for a in answers),
        without_upper=sum(not np.isfinite(a.high) for a in answers),
        truth_by_shown=float(np.median([a.truth / a.shown for a in answers])),
        width=float(np.median(widths)) if widths else None,
        low_by_truth=float(np.median([a.low / a.truth for a in answers])),
    )  # fmt: skip


def answer_of(
    streams: Sequence[Stream], throttle: Throttle, start: int, end: int, bursts: Bursts, seed: Sequence[int]
) -> tuple[Answer, Answer]:
    """Number and sum [USD] of the streams together, each throttled on its own."""
    rng = np.random.default_rng([*seed, 8])
    common = common_draws(np.random.default_rng([*seed, 3]), DRAWS)
    sums = defaultdict[str, Floats](lambda: np.zeros(DRAWS))
    truth, shown, learnt, upper = np.zeros(2), np.zeros(2), bursts.learnt, True
    for stream in streams:
        inside = (stream.times_ns >= start) & (stream.times_ns < end)
        truth += (inside.sum(), stream.usd[inside].sum())
        thin = stream.only(censor(stream.times_ns, stream.usd, throttle))
        seen = (thin.times_ns >= start) & (thin.times_ns < end)
        if not seen.any():
            continue
        found = estimate(thin, throttle, start, end, rng, common, bursts=bursts)
        shown += (seen.sum(), thin.usd[seen].sum())
        for name in ("count", "usd", "plain", "plain_usd"):
            sums[name] = sums[name] + getattr(found, name).sum(axis=1)
        upper &= found.upper
    answers = []
    for k, (draws, plain) in enumerate((("count", "plain"), ("usd", "plain_usd"))):
        interval = band(sums[draws], sums[plain], float(shown[k]), learnt=learnt, upper=upper)
        high = np.inf if interval.high is None else interval.high
        answers.append(Answer(float(truth[k]), float(shown[k]), interval.low, float(high)))
    return answers[0], answers[1]


def stream_of(feed: Feed) -> Stream:
    """A generated feed as a stream; its coins cost 100 USD."""
    return Stream(feed.times_ns, feed.sides, feed.usd, feed.usd / 100.0)


def neighbour(world: World, rng: np.random.Generator) -> World:
    """Another venue's market: like this one, with other rates, clusters and batches."""
    return replace(
        world, rate=world.rate * rng.uniform(0.5, 2.0),
        children=min(0.9, world.children * rng.uniform(0.85, 1.15)),
        batch=1.0 + (world.batch - 1.0) * rng.uniform(0.75, 1.3),
        delay_s=world.delay_s * rng.uniform(0.7, 1.4),
    )  # fmt: skip


def synthetic(world: World, rule: Rule, draws: int, *, taught: bool, first: int = 0) -> Both:
    """Answers of so many draws of a world, throttled to one a second."""
    counts, sums = [], []
    for draw in range(first, first + draws):
        rng = np.random.default_rng([draw, 7])
        stream = stream_of(make(world, LENGTH_S, rng))
        if not stream.times_ns.size:
            continue
        throttle = Throttle(SECOND, rule)
        bursts = PRIOR
        if taught:
            other = stream_of(make(neighbour(world, rng), TEACHING_S, rng))
            end, stretch = TEACHING_S * SECOND, TEACHING_STRETCH_S * SECOND
            bursts = learn(learn_bursts([other], throttle, 0, end, stretch, rng))
        count, total = answer_of([stream], throttle, 0, LENGTH_S * SECOND, bursts, [draw])
        counts.append(count)
        sums.append(total)
    return counts, sums


# --- real events ------------------------------------------------------------------------------------------

RECORDINGS = (
    "alejandro_large_liqs.csv", "alejandro_liqs.csv", "bands_2024-08-17.csv", "bands_2024-08-18.csv",
    "neoparth_binance.csv", "neoparth_datastreams_binance.csv", "paulius_2025-01-26_2025-02-06.csv",
)  # fmt: skip


def recordings(folder: Path) -> list[dict[str, Stream]]:
    """Contiguous recordings of the logs, a stream a symbol, each event once; none shorter than 60 events."""
    found: dict[tuple[str, int, str, str], tuple[int, str, int, float, float]] = {}
    for name in RECORDINGS:
        with (folder / "liquidation_events_binance" / name).open(newline="") as file:
            for cells in csv.reader(file):
                if len(cells) != 12:
                    continue
                symbol = cells[0].removeprefix("Hello Arbitrage Trading Bot")
                key = (symbol, int(cells[10]), cells[4], cells[5])
                side = 0 if cells[1] == "SELL" else 1
                found[key] = (int(cells[10]) * MILLI, symbol, side, float(cells[11]), float(cells[4]))
    rows = sorted(found.values())
    cuts = [
        0,
        *(k + 1 for k in range(len(rows) - 1) if rows[k + 1][0] - rows[k][0] > 600 * SECOND),
        len(rows),
    ]
    parts = [rows[a:b] for a, b in pairwise(cuts) if b - a >= 60]
    return [_by_symbol(part) for part in parts]


def _by_symbol(rows: Sequence[tuple[int, str, int, float, float]]) -> dict[str, Stream]:
    by: dict[str, list[tuple[int, str, int, float, float]]] = defaultdict(list)
    for row in rows:
        by[row[1]].append(row)
    return {
        symbol: Stream(
            np.array([row[0] for row in part]), np.array([row[2] for row in part]),
            np.array([row[3] for row in part]), np.array([row[4] for row in part]),
        )
        for symbol, part in by.items()
    }  # fmt: skip


def waiting(recorded: Sequence[dict[str, Stream]]) -> dict[str, float | int]:
    """How long after an order of a symbol the next one was shown: what kind of throttle it was."""
    gaps = np.concatenate([np.diff(s.times_ns) / 1e9 for part in recorded for s in part.values()])
    gaps = gaps[gaps > 0]
    return {
        "events": int(sum(s.times_ns.size for part in recorded for s in part.values())),
        "waiting_times": int(gaps.size), "below_1_s": int((gaps < 1.0).sum()),
        "shortest_s": float(gaps.min()),
        "from_1_to_1.1_s": int(((gaps >= 1.0) & (gaps < 1.1)).sum()), "below_2_s": int((gaps < 2.0).sum()),
    }  # fmt: skip


def _span(part: dict[str, Stream]) -> tuple[int, int]:
    return min(int(s.times_ns[0]) for s in part.values()), max(int(s.times_ns[-1]) for s in part.values()) + 1


def real(recorded: Sequence[dict[str, Stream]], rule: Rule, draws: int, *, taught: bool) -> Both:
    """Answers of random stretches of 5 to 15 minutes of random recordings, all symbols together."""
    counts, sums = [], []
    lessons: dict[tuple[int, int], Bursts] = {}
    for draw in range(draws):
        rng = np.random.default_rng([draw, 9])
        k = int(rng.integers(len(recorded)))
        begin, stop = _span(recorded[k])
        length = min(int(rng.uniform(300, 900) * SECOND), stop - begin)
        start = begin + int(rng.random() * (stop - begin - length))
        throttle = Throttle(10 * SECOND, rule, phase_ns=int(rng.integers(4)) * 2_500 * MILLI)
        bursts = PRIOR
        if taught:
            key = (k, throttle.phase_ns)
            if key not in lessons:
                stretches = []
                for part in (*recorded[:k], *recorded[k + 1 :]):
                    low, high = _span(part)
                    length_ns = TEACHING_STRETCH_S * SECOND
                    stretches += learn_bursts(part.values(), throttle, low, high, length_ns, rng)
                lessons[key] = learn(stretches)
            bursts = lessons[key]
        count, total = answer_of(
            list(recorded[k].values()), throttle, start, start + length, bursts, [draw, 1]
        )
        counts.append(count)
        sums.append(total)
    return counts, sums


def rows_of(name: str, rule: Rule, hostile: bool, taught: bool, both: Both) -> Iterator[Row]:
    """Rows of number and sum of one case."""
    for quantity, answers in zip(("number", "USD"), both, strict=True):
        if answers:
            yield row_of(name, rule.value, "full feeds" if taught else "prior", hostile, quantity, answers)


def show(row: Row) -> str:
    """One line of the table."""
    width = "   –" if row.width is None else f"{row.width:4.1f}"
    return (
        f"{row.case:42} {row.rule:8} {row.bursts:10} {row.quantity:6} {row.covered:3d}/{row.draws:<3d} "
        f"{row.coverage_low:4.0%}–{row.coverage_high:4.0%}  above {row.above:3d} below {row.below:3d}  "
        f"×{row.truth_by_shown:5.1f}  width {width}  no upper {row.without_upper}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, write the verdict; 1 where a case that is not hostile holds less than 85 of 100."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--draws", type=int, default=100, help="draws a case (default 100)")
    parser.add_argument("--rules", default="first,latest,largest,any", help="rules, by comma")
    parser.add_argument("--worlds", default="", help="only worlds whose name has this in it")
    parser.add_argument("--real-only", action="store_true", help="leave the generated feeds out")
    parser.add_argument("--no-real", action="store_true", help="leave the real events out")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    chosen = parser.parse_args(arguments)
    rules = [Rule(name) for name in chosen.rules.split(",")]
    rows = _earlier(chosen.out, chosen.draws)
    had = {(row.case, row.rule, row.bursts) for row in rows}
    gaps: dict[str, float | int] | None = None

    def note(case: str, rule: Rule, taught: bool, hostile: bool, answers: Callable[[], Both]) -> None:
        """Rows of one case, unless the file has them; the file is written after each."""
        if (case, rule.value, "full feeds" if taught else "prior") in had:
            return
        for row in rows_of(case, rule, hostile, taught, answers()):
            rows.append(row)
            print(show(row), flush=True)
        _write(chosen.out, chosen.draws, rows, gaps)

    if not chosen.real_only:
        for rule in rules:
            for world in WORLDS:
                if chosen.worlds in world.name:
                    for taught in (False, True):
                        work = partial(synthetic, world, rule, chosen.draws, taught=taught)
                        note(world.name, rule, taught, world.hostile, work)
    folder = Path(os.environ.get("DELEVERAGE_TEST_DATA", "../shared/data"))
    if chosen.no_real:
        pass
    elif folder.exists():
        recorded = recordings(folder)
        gaps = waiting(recorded)
        print(gaps)
        for rule in rules:
            for taught in (False, True):
                work = partial(real, recorded, rule, chosen.draws, taught=taught)
                note("real events, ten seconds", rule, taught, False, work)
    else:
        print(f"no real events: there is no folder '{folder}' (DELEVERAGE_TEST_DATA)")
    short = _write(chosen.out, chosen.draws, rows, gaps)
    print(f"{len(rows) - len(short)} of {len(rows)} rows hold at least {REQUIRED} of 100, hostile ones aside")
    return 1 if short else 0


def _earlier(out: Path, draws: int) -> list[Row]:
    """Rows that a study of as many draws has left; it goes on after them."""
    if not out.exists():
        return []
    content = json.loads(out.read_text(encoding="utf-8"))
    return [Row(**row) for row in content["rows"]] if content.get("draws") == draws else []


def _write(out: Path, draws: int, rows: list[Row], gaps: dict[str, float | int] | None) -> list[Row]:
    """Write what has been found; returns the rows that hold too rarely."""
    short = [row for row in rows if not row.hostile and row.covered < REQUIRED / 100 * row.draws]
    verdict = {
        "level": LEVEL, "required_of_100": REQUIRED, "length_s": LENGTH_S, "draws": draws,
        "draws_of_an_estimate": DRAWS, "waiting_times": gaps, "rows": [asdict(row) for row in rows],
        "short": [asdict(row) for row in short], "met": not short,
    }  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.partial")
    unfinished.write_text(json.dumps(verdict, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(out)
    return short


if __name__ == "__main__":
    sys.exit(main())
