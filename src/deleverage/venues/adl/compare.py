"""What would each policy take from whom? All of them on the same winners and budget, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from deleverage.errors import InputError
from deleverage.units import UUSD_PER_USD
from deleverage.venues.adl.contracts import min_max_lots
from deleverage.venues.adl.metrics import largest_share, overshoot, pmr, ptsr, regret, severity
from deleverage.venues.adl.policies import Policy, policies
from deleverage.venues.adl.winners import Claims, Number, Winner, claims_of, exact


@dataclass(frozen=True)
class Outcome:
    """What one policy does.

    Parameters
    ----------
    seized : by winner, in the order of ids [uusd].
    lots : whole lots closed by winner; empty for policies that count money.
    taken : H = Σ seized [uusd]. uncovered : what the winners' profits could not cover [uusd].
    overshoot : H − B [uusd]; 0 for policies that count money, where winners have enough.
    largest_share : of a profit. largest_share_of_equity : of an account's equity.
    ptsr, pmr : over the whole deficit. regret : as in `metrics.regret`.
    """

    policy: Policy
    seized: tuple[int, ...]
    lots: tuple[int, ...]
    taken: int
    uncovered: int
    overshoot: int
    largest_share: Fraction
    largest_share_of_equity: Fraction
    ptsr: Fraction | None
    pmr: Fraction | None
    regret: Fraction


@dataclass(frozen=True)
class Comparison:
    """Policies side by side; `as_dict` is ready for JSON. Money in uusd = 10⁻⁶ USD.

    ``left_out`` : policies that could not be asked, and why.
    """

    claims: Claims
    budget: int
    deficit: int
    outcomes: Mapping[str, Outcome]
    left_out: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and names only."""
        ids = [str(name) for name in self.claims.ids]
        return {
            "unit": "uusd",
            "budget": self.budget,
            "deficit": self.deficit,
            "severity": float(severity(self.budget, self.deficit)),
            "endowment": dict(zip(ids, self.claims.endowment, strict=True)),
            "policies": {name: _plain(outcome, ids) for name, outcome in self.outcomes.items()},
            "left_out": dict(self.left_out),
        }


def _plain(outcome: Outcome, ids: Sequence[str]) -> dict[str, Any]:
    return {
        "formula": outcome.policy.formula,
        "seized": dict(zip(ids, outcome.seized, strict=True)),
        "lots": dict(zip(ids, outcome.lots, strict=True)) if outcome.policy.whole_lots else None,
        "taken": outcome.taken,
        "uncovered": outcome.uncovered,
        "overshoot": outcome.overshoot,
        "largest_share": float(outcome.largest_share),
        "largest_share_of_equity": float(outcome.largest_share_of_equity),
        "ptsr": None if outcome.ptsr is None else float(outcome.ptsr),
        "pmr": None if outcome.pmr is None else float(outcome.pmr),
        "regret": float(outcome.regret),
    }


def compare(
    winners: Sequence[Winner],
    budget: Number,
    *,
    names: Iterable[str] | None = None,
    execution: Number | None = None,
    lot: Number = Fraction(1, 1000),
    deficit: Number | None = None,
    largest_loss: Number | None = None,
    start: int = 0,
) -> Comparison:
    """What each policy would seize from the winners of one market to cover a budget.

    Parameters
    ----------
    winners : positions of the side opposite to the liquidated ones; who has no profit gives nothing.
    budget : B ≥ 0 [USD], rounded up to a whole uusd: it must be covered.
    names : policies to ask, all when not given.
    execution : price at which winners are closed [USD per coin] (bankruptcy price, previous mark, …); without
        it, or at mark itself, policies that close whole lots are left out.
    lot : smallest size [coins].
    deficit : D ≥ B [USD] of the losers; the budget when not given. largest_loss : Δ [USD] of one of them; the
        deficit when not given.
    start : place in the order of ids from which the queue without a rank begins.

    Raises
    ------
    InputError
        an unknown policy, a negative budget, a deficit below it, or a winner that is not a position.
    """
    asked = list(policies) if names is None else list(names)
    for name in asked:
        if name not in policies:
            raise InputError(f"expected one of {sorted(policies)}, found policy {name!r}", field="names")
    claims = claims_of(winners, execution=execution, lot=lot, start=start)
    # Rounded up: a budget that is short by less than 10⁻⁶ USD would not cover the deficit.
    owed = _up(exact(budget, "budget"))
    hole = owed if deficit is None else _up(exact(deficit, "deficit"))
    worst = hole if largest_loss is None else _up(exact(largest_loss, "largest_loss"))
    if owed < 0 or hole < owed or not 0 <= worst <= hole:
        raise InputError(
            f"expected 0 ≤ budget ≤ deficit and largest loss ≤ deficit, found {budget}, {deficit} and "
            f"{largest_loss}",
            field="budget",
        )
    least = _least_share(claims, owed)
    outcomes = {}
    left_out = {}
    for name in asked:
        policy = policies[name]
        if policy.whole_lots and claims.gap == 0:
            left_out[name] = "closes whole lots: needs an execution price away from mark"
        else:
            outcomes[name] = _outcome(policy, claims, owed, hole, worst, least)
    return Comparison(claims, owed, hole, outcomes, left_out)


def _up(usd: Fraction) -> int:
    return (usd * UUSD_PER_USD).__ceil__()


def _least_share(claims: Claims, budget: int) -> Fraction:
    """Least possible largest share of equity: of whole lots, or of single uusd where no lot is known."""
    unit = claims.gap or 1
    caps = claims.most_lots if claims.gap else claims.cap
    most = [cap if e > 0 else 0 for cap, e in zip(caps, claims.equity, strict=True)]
    return min_max_lots(budget, [unit] * len(most), most, [max(e, 1) for e in claims.equity])[1]


def _outcome(
    policy: Policy, claims: Claims, budget: int, deficit: int, worst: int, least: Fraction
) -> Outcome:
    seized = policy.takes(claims, budget)
    taken = sum(seized)
    share = largest_share(seized, claims.equity)
    return Outcome(
        policy=policy,
        seized=tuple(seized),
        lots=tuple(x // claims.gap for x in seized) if policy.whole_lots else (),
        taken=taken,
        uncovered=max(0, budget - taken),
        overshoot=int(overshoot(taken, budget)),
        largest_share=largest_share(seized, claims.endowment),
        largest_share_of_equity=share,
        ptsr=ptsr(claims.endowment, seized, deficit),
        pmr=pmr(claims.endowment, seized, deficit, worst),
        regret=regret(taken, budget, share, least),
    )
