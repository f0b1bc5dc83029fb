"""The rule sets of the venues in the market: who is left with what, to the last micro-dollar."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from deleverage.engine.setup import RulesSpec
from deleverage.engine.state import FUND, HOLDER
from deleverage.errors import Status
from deleverage.venues.catalogue import rules_at, trades_contracts, venues, versions
from deleverage.venues.rules import Contract, Grade, Slice, Takeover
from tests.engine.both import Stepper, difference
from tests.engine.ordinary import INVERSE, SPEC, ordinary
from tests.strategies import Case

ENGINE = [venue for venue in venues() if trades_contracts(venue) and versions(venue)[0].grade is Grade.ENGINE]


def test_seven_venues_run_in_the_engine() -> None:
    assert ENGINE == ["binance", "binance_coin", "bybit", "bybit_inverse", "dydx", "hyperliquid", "okx"]


def night_of(venue: str, seed: int) -> Case:
    """The ordinary market by a venue's waterfall, in contracts of its kind."""
    rules = rules_at(venue, date(2025, 11, 10))
    spec = INVERSE if rules.contract is Contract.INVERSE else SPEC
    return ordinary(seed, shock=0.10, spec=spec, rules=RulesSpec(waterfall=rules.waterfall))


@pytest.mark.parametrize("venue", ENGINE)
def test_whoever_is_liquidated_every_micro_dollar_has_an_owner(venue: str) -> None:
    waterfall = rules_at(venue, date(2025, 11, 10)).waterfall
    case = night_of(venue, 1).with_params(check=1)
    kernel = Stepper(case)
    s = kernel.setting
    everything = int(s.wallet.sum() - s.cost.sum()) + int(s.live.pool_cash) + int(s.live.spot_cash.sum())
    holders = s.role == HOLDER
    funds = s.role == FUND
    closed_with, sliced = [], 0
    for fair in case.fair:
        was_closed = s.closed.copy()
        assert kernel.step(fair) == Status.OK
        now = int(s.wallet.sum() - s.cost.sum()) + int(s.live.pool_cash) + int(s.live.spot_cash.sum())
        assert now == everything  # not one micro-dollar more or less, in any second
        fresh = s.closed & ~was_closed & holders
        closed_with += s.wallet[fresh].tolist()
        sliced += int(((s.ordered == kernel.second) & holders & ~s.closed).sum())
        assert not s.size[fresh].any()
    left = np.array(closed_with)
    assert len(left) > 20
    assert (left >= 0).all()  # a deficit is somebody else's: the fund's, or shared
    if waterfall.rest_to_fund:
        assert (left == 0).all()
        assert s.tally.forfeited_uusd > 0
    elif waterfall.takeover is Takeover.VAULT:
        # What the book closed keeps its margin, what the vault took over does not.
        assert (left > 0).any()
        assert s.tally.forfeited_uusd > 0
    else:
        assert (left > 0).any()
        assert s.tally.forfeited_uusd == 0
    assert (sliced > 0) == (waterfall.slice is not Slice.WHOLE)
    assert funds.sum() == 1


@pytest.mark.parametrize("venue", ENGINE)
def test_the_twin_agrees_with_the_kernels_on_the_rules_of_a_venue(venue: str) -> None:
    from reference.engine import Twin

    case = night_of(venue, 2)
    kernel, twin = Stepper(case), Twin(case.world, case.tables)
    order = np.argsort(case.world.uid)
    for fair in case.fair[:60]:
        assert kernel.step(fair) == twin.step(fair.tolist()) == Status.OK
        assert not difference(kernel, twin, order)
    assert any(twin.sums.accounts_forced)
