"""How long does a run take with the sorted search, how long with a sweep of everybody, in how much memory?

    python -m bench.engine_speed [--accounts 100000] [--seconds 1200] [--repeats 3]

Both ways run in one process on the same prepared market, in turn, so that they share the machine's mood.
The figures are printed, not judged: nothing here fails.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from deleverage.engine.setup import switched
from deleverage.engine.simulate import Run, prepare_world, simulate
from deleverage.positions.liqmap import build_map, liquidation_levels, summarise
from tests.science.worlds import NIGHT_HOLDERS, night_news, night_world


def peak_mib() -> float:
    """Peak memory of this process so far [MiB]."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=1_200, help="simulated seconds")
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args(arguments)

    small = prepare_world(night_world(0, steps=5))
    news = night_news(small.world, 0, 0.03)
    begin = time.perf_counter()
    for brute in (0, 1):
        simulate(small, news, switched(small.world.params, brute=brute))
    compiled = time.perf_counter() - begin
    lean = peak_mib()

    begin = time.perf_counter()
    world = night_world(1, steps=chosen.seconds, holders=replace(NIGHT_HOLDERS, accounts=chosen.accounts))
    drawn = time.perf_counter() - begin
    begin = time.perf_counter()
    prepared = prepare_world(world)
    sorted_in = time.perf_counter() - begin
    path = night_news(world, 1, 0.03)

    times: dict[str, list[float]] = {"sorted search": [], "sweep": []}
    runs: dict[str, Run] = {}
    for _ in range(chosen.repeats):
        for name, brute in (("sorted search", 0), ("sweep", 1)):
            begin = time.perf_counter()
            runs[name] = simulate(prepared, path, switched(world.params, brute=brute))
            times[name].append(time.perf_counter() - begin)
    same = runs["sorted search"].bars.tobytes() == runs["sweep"].bars.tobytes()

    mark, unit = world.markets.start_fair_ticks[:3].copy(), world.markets.tick_lot_uusd[:3].copy()
    maps: list[float] = []
    for _ in range(chosen.repeats + 1):
        begin = time.perf_counter()
        levels, lots = liquidation_levels(
            world.wallet, world.size, world.cost, mark, unit, world.tiers, world.markets.beta[:3].copy(), 0
        )
        density = float(world.markets.bid_density[0])
        build_map(levels, lots, density)
        summarise(levels, lots, density)
        maps.append(time.perf_counter() - begin)

    print(f"{chosen.accounts:,} accounts, 3 markets, {chosen.seconds:,} steps, numpy {np.__version__}")
    print(f"{'loading or compiling kernels':32} {compiled:9.3f} s")
    print(f"{'drawing the population':32} {drawn:9.3f} s")
    print(f"{'sorting it':32} {sorted_in:9.3f} s")
    for name, values in times.items():
        print(f"{'one run, ' + name:32} {min(values):9.3f} s   (median {np.median(values):.3f} s)")
    print(f"{'sweep / sorted search':32} {min(times['sweep']) / min(times['sorted search']):9.1f} x")
    print(f"{'same minute bars':32} {'yes' if same else 'NO':>9}")
    print(f"{'liquidation map and tipping':32} {1e3 * min(maps):9.3f} ms")
    print(f"{'peak memory, kernels loaded':32} {lean:9.0f} MiB")
    print(f"{'peak memory, at the end':32} {peak_mib():9.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
