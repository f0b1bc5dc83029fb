"""Who paid whom in a made-up night."""

from __future__ import annotations

import polars as pl

from tests.report.sample.case import (
    Case,
)


def ledger_flow(case: Case) -> pl.DataFrame:
    c = case.cascade
    if c == 0:
        rows = [("longs", "shorts", 2.1e8), ("longs", "exchange fees", 4.0e6)]
    else:
        rows = [
            ("longs", "shorts", 1.42e9 * c),
            ("longs", "market makers", 4.6e8 * c),
            ("longs", "arbitrageurs", 1.9e8 * c),
            ("longs", "dip buyers", 2.6e8 * c),
            ("longs", "exchange fees", 3.1e7 * c),
            ("longs", "insurance fund", 2.2e7 * c),
            ("insurance fund", "shorts", 2.1e8 * c),
            ("market makers", "dip buyers", 1.3e8 * c),
            ("shorts", "exchange fees", 1.2e7 * c),
            ("stops", "market makers", 6.0e7 * c),
            ("shorts", "longs", 9.0e6 * c),
        ]
    return pl.DataFrame(rows, schema=["payer", "receiver", "usd"], orient="row")
