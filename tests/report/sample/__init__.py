"""What does an answer look like? A made-up but plausible one, in every variation that the pages must survive.

No figure in here is a result: prices, shares and flows are drawn so that the pages can be looked at.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from deleverage import schema
from deleverage.experiment.answer import Answer
from tests.report.sample.attribution import share_by_shock, shares, values
from tests.report.sample.candles import candles
from tests.report.sample.case import FULL, NONE, SMALL, UNDEFINED, Case
from tests.report.sample.inputs import figures
from tests.report.sample.paths import paths
from tests.report.sample.payments import ledger_flow
from tests.report.sample.published import published
from tests.report.sample.summary import summary
from tests.report.sample.tipping import liquidation_map, tipping

__all__ = ["FULL", "NONE", "SMALL", "UNDEFINED", "Case", "sample"]


def sample(case: Case = FULL, **changes: Any) -> Answer:
    """A made-up answer; ``changes`` are fields of `Case`. Made once: not to be changed by a test."""
    return _made(replace(case, **changes))


@cache
def _made(case: Case) -> Answer:
    minutes, draws = paths(case)
    tables = {
        "minutes": minutes,
        "draws": draws,
        "values": values(case, draws),
        "shares": shares(case),
        "share_by_shock": share_by_shock(case),
        "tipping": tipping(case, draws),
        "map": liquidation_map(case),
        "ledger_flow": ledger_flow(case),
        "figures": figures(),
        "published": published(case, draws),
        "candles": candles(case),
    }
    tables = {name: schema.conform(frame, schema.ANSWER_TABLES[name]) for name, frame in tables.items()}
    return Answer(summary=summary(case, tables), tables=tables)
